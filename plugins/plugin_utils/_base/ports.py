# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The effects that the core is given from outside, so that it is pure without them and tests can play them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
import typing as t
from dataclasses import dataclass, field

from .model import HttpAnswer, HttpOptions, HttpRequest

if t.TYPE_CHECKING:
    from .._vault.client import VaultClient
    from .._vault.options import VaultOptions

__all__ = ("Event", "Ports", "this_run")


@dataclass(frozen=True)
class Event:
    """Something that happened on the way to a token; nothing in it is secret.

    ``name``: hit, shared, fetched, refreshed, renewed, failed, remembered, served_stale, vault_login, vault_login_reused,
    vault_secret_read, purged, revoked.
    """

    name: str
    vendor: str
    where: str
    reason: str = ""
    seconds: float = 0.0
    expires_at: float | None = None
    fingerprint: str = ""
    key: str = ""


def _nobody(_text: t.Any) -> None:
    """Nobody listens."""


def _exchange(request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> HttpAnswer:
    from .._vendor.transport import exchange

    return exchange(request, options, seconds, name)


def _vault(options: VaultOptions, warn: t.Callable[[str], None]) -> VaultClient:
    from .._vault.client import VaultClient

    return VaultClient(options, warn=warn)


def this_run() -> str:
    """A name for this run of ansible: the same in all its forks, another one in the next run."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent else os.getpid()
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            born = file.read().rpartition(b")")[2].split()[19]
    except (OSError, IndexError):
        born = b""
    return hashlib.sha256(b"%d %s" % (pid or 0, born)).hexdigest()[:16]


@dataclass(frozen=True)
class Ports:
    exchange: t.Callable[[HttpRequest, HttpOptions, float, str], HttpAnswer] = _exchange
    vault: t.Callable[[VaultOptions, t.Callable[[str], None]], VaultClient] = _vault
    clock: t.Callable[[], float] = time.time
    monotonic: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep
    warn: t.Callable[[str], None] = _nobody
    event: t.Callable[[Event], None] = _nobody
    run: str = field(default_factory=this_run)
