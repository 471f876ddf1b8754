# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Occasionally remove entries from the file cache that will not be requested again, such as those of a job with its own Vault token."""

from __future__ import annotations

import contextlib
import itertools
import typing as t
import zlib

from .._base.errors import CacheError
from .._cache.file_store import FileStore

__all__ = ("is_due", "tidy")

_ONE_IN = 50
_MOST = 200  # files at each call
_LONG = 86400.0


def is_due(now: float) -> bool:
    """Whether to tidy up after the fetch that ends at *now*: one in fifty. Depends only on *now*, so that replays are identical."""
    return _drawn(now) % _ONE_IN == 0


def tidy(store: FileStore, *, now: float) -> None:
    """Remove entries that expired more than a day ago, and pointers to entries that no longer exist.

    Checks a few files per call, each time from a different start. Skips locked entries, and never fails.
    """
    start = f"{_drawn(now):08x}"
    with contextlib.suppress(CacheError):
        for name, header in itertools.islice(store.headers(start), _MOST):
            if _expired_long_ago(header, now):
                with store.try_lock(name) as mine:
                    # Read again: it may have been renewed in the meantime.
                    if mine and _expired_long_ago(store.header(name), now):
                        store.remove(name)
        store.sweep(start, most=_MOST)


def _drawn(now: float) -> int:
    return zlib.crc32(repr(now).encode())


def _expired_long_ago(header: t.Mapping[str, t.Any], now: float) -> bool:
    until = header.get("expires_at")
    return isinstance(until, (int, float)) and until < now - _LONG
