# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""One caller who wants one token: what is asked for, since when, and the cache entry that may hold it."""

from __future__ import annotations

import typing as t

from .._base.model import Entry, Request, Token
from .._base.ports import Event, Ports
from .._cache.crypto import Keys, derive
from .._cache.entry import entry_from_dict, entry_to_dict, token_facts
from .._cache.file_store import FileStore
from .._cache.freshness import Verdict, judge, still_valid

__all__ = ("Caller", "placed", "token_keys")

_LOCK_SLACK = 60.0


def token_keys(request: Request, user_key: bytes) -> Keys:
    """The keys of the cache entry for *request*."""
    return derive(user_key, request.vault.identity_secret(), token_facts(request))


def placed(message: str, request: Request) -> str:
    """*message* with the vendor before it and, unless it tells it already, the Vault path of the credentials."""
    name, secret = request.vendor.name, request.secret
    text = message.removeprefix(f"{name}: ")
    if request.where in text or f"{secret.mount}/data/{secret.path}" in text:
        return f"{name}: {text}"
    return f"{name}: no token for {request.where}: {text}"


class Caller:
    def __init__(self, request: Request, store: FileStore, ports: Ports) -> None:
        self.request = request
        self.store = store
        self.ports = ports
        self.started = ports.clock()
        self._clock_started = ports.monotonic()
        self.keys = token_keys(request, store.user_key())

    # The entry in the file cache

    def read(self) -> Entry:
        return entry_from_dict(self.store.read(self.keys))

    def write(self, entry: Entry) -> None:
        remembered_for = entry.failure.remembered_for(self.request.cache.failure_ttl) if entry.failure else 0.0
        expires_at = entry.token.expires_at if entry.token else self.ports.clock() + remembered_for
        header = {"kind": "token", "vendor": self.request.vendor.name, "path": self.request.where, "expires_at": int(expires_at)}
        self.store.write(self.keys, header, entry_to_dict(entry))

    def lock(self) -> t.ContextManager[bool]:
        patience = self.request.http.deadline + self.request.vault.timeout + _LOCK_SLACK
        return self.store.lock(self.keys.name, timeout=patience, monotonic=self.ports.monotonic, sleep=self.ports.sleep)

    def try_lock(self) -> t.ContextManager[bool]:
        return self.store.try_lock(self.keys.name)

    # What it is worth

    def verdict(self, entry: Entry) -> Verdict:
        return judge(entry.token, self.request.freshness, now=self.ports.clock(), started=self.started)

    def may_serve(self, token: Token | None) -> bool:
        """Whether *token* is better than none."""
        return still_valid(token, self.request.freshness, now=self.ports.clock())

    # What is told

    def tell(self, name: str, token: Token | None, *, reason: str = "") -> None:
        self.ports.event(
            Event(
                name,
                self.request.vendor.name,
                self.request.where,
                reason=reason,
                seconds=self.ports.monotonic() - self._clock_started,
                expires_at=token.expires_at if token else None,
                fingerprint=token.fingerprint if token else "",
                key=self.keys.name,
            )
        )
