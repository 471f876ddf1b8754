# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The straight line: request -> cache hit? -> token; else lock, look again, Vault, vendor, cache."""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import replace

from .._base.errors import TokenError, VaultError, VendorError
from .._base.model import CacheOptions, Entry, Request, Token
from .._base.ports import Ports
from .._cache.crypto import Keys
from .._cache.entry import entry_from_dict
from .._cache.file_store import FileStore, default_path
from .._cache.freshness import Verdict
from .._vendor.address import check_endpoint
from .failure_memory import Failures
from .slot import Caller, placed, token_keys

__all__ = ("Resolver", "open_store")


def open_store(options: CacheOptions, *, warn: t.Callable[[str], None]) -> FileStore:
    """The file cache of *options*; with C(cache=none) one that keeps nothing."""
    if options.kind == "none":
        return _NoStore("", warn=warn)
    path = os.path.abspath(os.path.expanduser(options.path)) if options.path else default_path(os.environ)
    return FileStore(path, warn=warn)


class _NoStore(FileStore):
    """No cache: nothing is kept, nobody waits."""

    def user_key(self) -> bytes:
        return b"\0" * 32

    def read(self, keys: Keys) -> dict[str, t.Any] | None:
        return None

    def write(self, keys: Keys, header: dict[str, t.Any], data: dict[str, t.Any]) -> bool:
        return False

    def headers(self) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
        return iter(())

    def sweep(self) -> None:
        """Nothing is left behind."""

    def _lockable(self) -> bool:
        return False

    def _acquire(self, name: str) -> int | None:
        return None


class Resolver:
    """Gives tokens; one for all requests of a process, so that a loop derives its keys from one reading of the user's key."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._stores: dict[CacheOptions, FileStore] = {}

    def token(self, request: Request) -> Token:
        """A token with the life that the request asks for, from the cache or the vendor.

        :raises TokenError: there is none; the message names the vendor and the Vault path.
        """
        check_endpoint(request.vendor, allow_http=request.http.allow_http)
        try:
            return _Attempt(Caller(request, self.store(request.cache), self._ports)).token()
        except TokenError as exc:
            exc.args = (placed(exc.message, request),)
            raise

    def known(self, request: Request) -> Entry:
        """What the cache holds for *request*; asks nobody."""
        store = self.store(request.cache)
        return entry_from_dict(store.read(token_keys(request, store.user_key())))

    def keep(self, request: Request, token: Token) -> None:
        """Put *token* into the cache, in place of what is there for *request*."""
        caller = Caller(request, self.store(request.cache), self._ports)
        with caller.lock():
            caller.write(Entry(replace(token, source="cache")))

    def store(self, options: CacheOptions) -> FileStore:
        if options not in self._stores:
            self._stores[options] = open_store(options, warn=self._ports.warn)
        return self._stores[options]


class _Attempt:
    """One caller's way to one token."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._request = caller.request
        self._failures = Failures(caller)

    def token(self) -> Token:
        entry = self._caller.read()
        verdict = self._caller.verdict(entry)
        if verdict is Verdict.FRESH:
            return self._hit(entry)
        if verdict is Verdict.AGING:
            return self._renew_ahead(entry)
        why = "no entry" if entry.token is None else verdict.value
        with self._caller.lock():
            entry = self._caller.read()
            if self._caller.verdict(entry) in (Verdict.FRESH, Verdict.AGING):
                return self._hit(entry, "shared")
            return self._renew(entry, why)

    def _renew_ahead(self, entry: Entry) -> Token:
        """One caller renews, the rest go on with the token that is still good."""
        if self._failures.recalled(entry.failure) is not None or self._failures.lately(entry.failure):
            return self._hit(entry)
        with self._caller.try_lock() as mine:
            if not mine:
                return self._hit(entry)
            entry = self._caller.read()
            if self._caller.verdict(entry) is Verdict.FRESH:
                return self._hit(entry, "shared")
            return self._renew(entry, "last fifth of its lifetime")

    def _renew(self, entry: Entry, why: str) -> Token:
        """Get a new token; the lock is held. While the old one is valid, it serves where that fails."""
        try:
            recalled = self._failures.recalled(entry.failure)
            if recalled is not None:
                raise recalled
            return self._obtain(entry, why)
        except TokenError as exc:
            if not self._caller.may_serve(entry.token):
                raise
            token = t.cast(Token, entry.token)
            # A moment, not the seconds that are left: Ansible shows a warning once, however many hosts have it, if it is the same.
            until = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(token.expires_at))
            self._caller.ports.warn(f"{placed(exc.message, self._request)} The cached token is used, which is still valid until {until} UTC.")
            self._caller.tell("served_stale", token, reason=exc.message)
            return token

    def _obtain(self, entry: Entry, why: str) -> Token:
        # From here on hvac and requests are needed; a hit does without them.
        from .fetch import Fetch
        from .vault_login import VaultSession

        session = VaultSession(self._request, self._caller.store, self._caller.ports)
        fetch = Fetch(self._caller, self._failures, session)
        try:
            if self._request.cache.kind == "vault":
                from .shared_fetch import SharedFetch
                from .shared_store import SharedCache

                shared = SharedCache(self._request, session, self._caller.ports)
                token = SharedFetch(self._caller, self._failures, fetch, shared).token(entry, why)
            else:
                token = fetch.token(entry, why)
        except (VendorError, VaultError) as exc:
            again = fetch.told_again(entry.failure, exc)
            self._caller.write(replace(self._caller.read(), failure=again or fetch.failure(exc)))
            if again is None:
                self._caller.tell("failed", None, reason=exc.message)
            raise
        self._caller.write(Entry(replace(token, source="cache")))
        if token.lifetime < self._request.freshness.min_ttl:
            self._caller.ports.warn(
                f"{self._request.vendor.name}: the token for {self._request.where} lives for {int(token.lifetime)} s only, less than "
                f"min_ttl ({self._request.freshness.min_ttl:g} s)."
            )
        return token

    def _hit(self, entry: Entry, name: str = "hit") -> Token:
        token = t.cast(Token, entry.token)
        self._caller.tell(name, token)
        return token
