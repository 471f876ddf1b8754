# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The main path: request -> cache hit? -> token; else lock, check again, Vault, vendor, cache."""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import replace

from .._base.errors import CacheError, TokenError, VaultError, VendorError, coded
from .._base.model import CacheOptions, Entry, Request, Token
from .._base.ports import Ports
from .._cache.directory import own_path
from .._cache.entry import entry_from_dict
from .._cache.fallback_store import FallbackStore
from .._cache.file_store import FileStore
from .._cache.freshness import Verdict
from .._vendor.address import check_endpoint
from .call import Call, short_life, with_place
from .failure_memory import (
    RememberedError,
    add_failure,
    as_error,
    confirm,
    failure_of,
    failures_after_success,
    is_recent,
    is_vault_refusal,
    remembered_failure,
)
from .slot import TokenSlot, token_keys

if t.TYPE_CHECKING:
    from .fetch import Outcome

__all__ = ("Resolver", "open_store")


def open_store(options: CacheOptions, *, warn: t.Callable[[str], None], scratch: str = "") -> FileStore:
    """The file cache of *options*. With C(cache=none) it has no directory, so nothing is stored.

    :arg scratch: as in :class:`Ports`; holds what this run needs if the cache cannot be written.
    """
    path, tell = ("", _silent) if options.kind == "none" else (own_path(options.path), warn)
    if not scratch:
        return FileStore(path, warn=tell)
    return FallbackStore(path, warn=tell, spare=FileStore(os.path.join(scratch, "trackops_api_tokens"), warn=_silent))


def _silent(_text: str) -> None:
    """Ignore a warning: nothing is meant to be stored."""


class Resolver:
    """Returns tokens. Use one object for all requests of a process, so that the user's key is read once."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._stores: dict[CacheOptions, FileStore] = {}

    def token(self, request: Request) -> Token:
        """A token with the required lifetime, from the cache or the vendor.

        :raises TokenError: none can be obtained; the message names the vendor and the Vault path.
        """
        try:
            check_endpoint(request.vendor, allow_http=request.http.allow_http)
            slot = TokenSlot(request, self.store(request.cache), self._ports)
            return _token(Call.begin(request, self._ports, key=slot.keys.name), slot)
        except TokenError as exc:
            raise exc.reworded(with_place(exc, request)) from None

    def known(self, request: Request) -> Entry:
        """The cache entry of *request*; sends nothing."""
        store = self.store(request.cache)
        return entry_from_dict(store.read(token_keys(request, store.user_key())))

    def keep(self, request: Request, token: Token) -> None:
        """Store *token* in the cache as the new entry of *request*."""
        slot = TokenSlot(request, self.store(request.cache), self._ports)
        with slot.lock():
            slot.write(Entry(token))

    def store(self, options: CacheOptions) -> FileStore:
        if options not in self._stores:
            self._stores[options] = open_store(options, warn=self._ports.warn, scratch=self._ports.scratch)
        return self._stores[options]


def _token(call: Call, slot: TokenSlot) -> Token:
    entry = slot.read()
    verdict = call.verdict(entry)
    if verdict is Verdict.FRESH:
        return _hit(call, entry)
    if verdict is Verdict.AGING:
        return _renew_ahead(call, slot, entry)
    reason = "no entry" if entry.token is None else verdict.value
    try:
        with slot.lock() as locked:
            entry = slot.read()
            if call.verdict(entry) in (Verdict.FRESH, Verdict.AGING):
                return _hit(call, entry, "shared")
            return _renew(call, slot, entry, reason, locked=locked)
    except CacheError as exc:
        return _serve_stale(call, entry, exc)


def _hit(call: Call, entry: Entry, name: str = "hit") -> Token:
    token = t.cast(Token, entry.token)
    _warn_if_short_lived(call, token)
    call.report(name, token)
    return token


def _warn_if_short_lived(call: Call, token: Token) -> None:
    request = call.request
    if token.lifetime < request.freshness.min_ttl:
        call.ports.warn(short_life(request.vendor.name, request.where, lifetime=token.lifetime, min_ttl=request.freshness.min_ttl))


def _renew_ahead(call: Call, slot: TokenSlot, entry: Entry) -> Token:
    """One caller renews early; the others use the token, which is still good."""
    caller, now = call.caller, call.ports.clock()
    if is_recent(entry.failures, caller, now=now) or remembered_failure(entry.failures, caller, now=now):
        return _hit(call, entry)
    with slot.try_lock() as locked:
        if not locked:
            return _hit(call, entry)
        entry = slot.read()
        if call.verdict(entry) is Verdict.FRESH:
            return _hit(call, entry, "shared")
        return _renew(call, slot, entry, "last fifth of its lifetime")


def _renew(call: Call, slot: TokenSlot, entry: Entry, reason: str, *, locked: bool = True) -> Token:
    """Fetch a new token; the lock is held, unless locks do not work. If the fetch fails, the old token may serve."""
    failure = remembered_failure(entry.failures, call.caller, now=call.ports.clock())
    if failure is not None:
        error: TokenError = as_error(failure)
        call.report("remembered", error=error)
    else:
        outcome = _obtain(call, slot, entry, reason, locked=locked)
        if outcome.token is not None and outcome.token.seconds_left(call.ports.clock()) > 0:
            return outcome.token
        error = outcome.error or _expired_meanwhile(outcome.token, call.request)
    return _serve_stale(call, entry, error)


def _expired_meanwhile(token: Token | None, request: Request) -> TokenError:
    """The error for a token that expired before it was stored."""
    lifetime = token.lifetime if token else 0.0
    return VaultError(
        f"{request.vendor.name}: the token for {request.where} has a lifetime of {lifetime:g} s and expired before it could be used, because "
        "Vault or this machine took longer than that. Try again.",
        "unreachable",
    )


def _serve_stale(call: Call, entry: Entry, error: TokenError) -> Token:
    """Serve the old token while it is valid.

    :raises TokenError: *error*, if the token is no longer valid or Vault refused.
    """
    if is_vault_refusal(error) or not call.may_serve(entry):
        raise error from None
    token = t.cast(Token, entry.token)
    # A time, not the seconds left: Ansible shows equal warnings only once for all hosts.
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(token.expires_at))
    call.ports.warn(coded(f"{with_place(error, call.request)} The cached token, still valid until {until} UTC, is used.", error.fault))
    call.report("served_stale", token, error=error)
    return token


def _obtain(call: Call, slot: TokenSlot, entry: Entry, reason: str, *, locked: bool) -> Outcome:
    """Fetch a new token from Vault and the vendor, and record the outcome in the entry."""
    # From here on hvac and requests are needed; a hit does not load them.
    from .obtain import obtain
    from .tidy import is_due, tidy

    began = call.ports.monotonic()
    outcome = obtain(call, slot, entry, reason, locked=locked)
    _save(call, slot, outcome, took=call.ports.monotonic() - began)
    now = call.ports.clock()
    if is_due(now):
        tidy(slot.store, now=now)
    return outcome


def _save(call: Call, slot: TokenSlot, outcome: Outcome, *, took: float) -> None:
    request, now = call.request, call.ports.clock()
    entry = slot.read()
    if outcome.token is not None:
        slot.write(Entry(outcome.token, failures_after_success(entry.failures, call.caller, asked=bool(outcome.asked_version)), call.renewals(entry)))
        _warn_if_short_lived(call, outcome.token)
    elif outcome.repeated is not None:
        slot.write(replace(entry, failures=confirm(entry.failures, outcome.repeated, at=outcome.checked_at)))
    elif isinstance(outcome.error, RememberedError):
        call.report("remembered", error=outcome.error)
    elif isinstance(outcome.error, (VendorError, VaultError)):
        failure = failure_of(outcome.error, call.caller, asked_version=outcome.asked_version, took=took, now=now)
        slot.write(replace(entry, failures=add_failure(entry.failures, failure, failure_ttl=request.cache.failure_ttl, now=now)))
        call.report("failed", error=outcome.error)
