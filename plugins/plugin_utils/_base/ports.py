# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The effects that are passed into the core, so that the core itself is pure and tests can script them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
import typing as t
from dataclasses import dataclass, field

from .model import HttpAnswer, HttpOptions, HttpRequest, Login, Secret, VaultAccess

__all__ = ("Event", "Ports", "Vault", "this_run")


@dataclass(frozen=True)
class Event:
    """Something that happened while obtaining a token; nothing in it is secret.

    ``name``: hit, shared, fetched, refreshed, failed, remembered, served_stale, vault_login, vault_login_reused,
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
    error_code: str = ""


def _nobody(_text: t.Any) -> None:
    """Ignore it: there is no listener."""


class Vault(t.Protocol):
    """A connection to one Vault. Every failure is a :class:`VaultError` or an :class:`OptionError` with a one-line message."""

    def login(self) -> Login:
        """Log in as the options say; later calls use the resulting token."""

    def use_token(self, token: str) -> None:
        """Use *token* (of an earlier login) for later calls."""

    def renew_self(self) -> Login:
        """Renew the token in use."""

    def revoke_self(self) -> None:
        """Revoke the token in use."""

    def lookup_self(self) -> dict[str, t.Any]:
        """Vault's data about the token in use."""

    def read_secret(self, mount: str, path: str, *, engine_version: str = "2", version: int | None = None) -> Secret:
        """The secret at *path* below the KV mount *mount*."""

    def may_update(self, mount: str, path: str) -> bool:
        """Whether the token's policies allow it to write a new version of the KV v2 secret; True if Vault does not say."""

    def transit_sign(self, mount: str, key: str, data: bytes, algorithm: str) -> bytes:
        """The signature of *data* by a transit key, in JWS form."""

    def kv2_read(self, mount: str, path: str) -> tuple[dict[str, t.Any], int] | None:
        """A KV version 2 entry and its version; None if there never was one."""

    def kv2_write(self, mount: str, path: str, data: t.Mapping[str, t.Any], *, cas: int) -> int:
        """Write the entry if its version is still *cas* (0: no entry yet), and return the new version; else raise :class:`CasMismatch`."""

    def write_secret(self, mount: str, path: str, data: t.Mapping[str, t.Any], *, cas: int) -> int:
        """As :meth:`kv2_write`, for a secret."""

    def kv2_delete_metadata(self, mount: str, path: str) -> None:
        """Remove the entry with all its versions, if it exists."""


def this_run() -> str:
    """A name for this Ansible run: the same in all its forks, different in the next run."""
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
    """The effects. ``_boundary/real_ports.py`` has the real network ones.

    :arg scratch: a directory that all processes of this run share and that is removed at its end; empty if there is none.
    """

    exchange: t.Callable[[HttpRequest, HttpOptions, float, str], HttpAnswer]
    vault: t.Callable[[VaultAccess, t.Callable[[str], None]], Vault]
    clock: t.Callable[[], float] = time.time
    monotonic: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep
    warn: t.Callable[[str], None] = _nobody
    event: t.Callable[[Event], None] = _nobody
    run: str = field(default_factory=this_run)
    scratch: str = ""
