# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are: the checkout, the developer's cache folder, locks in it. Standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"


def cache_home() -> pathlib.Path:
    """The folder that is kept between runs; any part of it can be deleted at any time."""
    base = os.environ.get("TRACKOPS_DEV_CACHE")
    if base:
        folder = pathlib.Path(base)
    else:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        folder = pathlib.Path(home) / "trackops-api-tokens-dev"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(name: str) -> t.Iterator[None]:
    """Hold the lock of this name: one process at a time, while the others wait."""
    with open(cache_home() / f"{name}.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")
