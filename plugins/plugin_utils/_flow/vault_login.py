# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A logged-in Vault client: all callers of this user share the login, like a vendor's token.

A token that the user provides is used directly. Any other login results in a client token, which is cached (sealed) until shortly before
its lease ends, renewed if Vault allows it, and dropped when Vault refuses it. A refused login is remembered, so that 500 hosts with a
wrong password, or runs in quick succession, cause one failed login.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field

from .._base.errors import VaultError
from .._base.model import Failure, Login, Request, Secret
from .._base.ports import Event, Ports, Vault
from .._cache.crypto import Keys, derive
from .._cache.entry import failures_from_list, login_facts
from .._cache.file_store import FileStore
from .entry_lock import entry_lock
from .failure_memory import (
    RememberedError,
    add_failure,
    caller_of,
    failure_of,
    failures_after_success,
    forgotten_at,
    is_own,
    remembered_failure,
    remembered_login_refusal,
)

__all__ = ("VaultLogin", "login_keys")

_T = t.TypeVar("_T")

_NO_LEASE = 86400.0  # a client token that never expires is checked again after a day
_RENEW_LAST_PART = 1 / 3  # of the lease of Vault's own token; for vendors' tokens see _cache/freshness.py
_MARGIN = 10.0
_NOT_CACHED = ("token", "none")
# Vault cannot serve any request of this run now.
_OUTAGES = ("unreachable", "tls", "sealed")


@dataclass(frozen=True)
class _KeptLogin:
    """A login in the cache."""

    client_token: str = field(repr=False)
    issued_at: float
    expires_at: float
    renewable: bool

    @classmethod
    def of(cls, login: Login, *, now: float) -> _KeptLogin:
        lease = float(login.lease_seconds or _NO_LEASE)
        return cls(login.client_token, now, now + lease, login.renewable)

    @classmethod
    def read(cls, data: t.Mapping[str, t.Any] | None) -> _KeptLogin | None:
        try:
            saved = cls(**(data or {})["login"])
            usable = isinstance(saved.client_token, str) and saved.expires_at - saved.issued_at >= 0
        except (KeyError, TypeError):
            return None
        return saved if usable else None

    def usable(self, now: float) -> bool:
        margin = min(_MARGIN, (self.expires_at - self.issued_at) / 10)
        return self.issued_at <= now + 60 and now < self.expires_at - margin

    def should_renew(self, now: float) -> bool:
        return self.renewable and self.expires_at - now < (self.expires_at - self.issued_at) * _RENEW_LAST_PART

    def as_dict(self) -> dict[str, t.Any]:
        return {"login": dict(vars(self))}


def _alive(client: Vault) -> bool:
    try:
        client.lookup_self()
    except VaultError:
        return False
    return True


def login_keys(request: Request, user_key: bytes) -> Keys:
    """The keys of the cached login of *request*."""
    return derive(user_key, request.vault.identity_secret(), login_facts(request))


class VaultLogin:
    """One caller's login to Vault, and what it asks there; nothing is sent before the first call."""

    def __init__(self, request: Request, store: FileStore, ports: Ports) -> None:
        self._request = request
        self._store = store
        self._ports = ports
        self._client: Vault | None = None
        self._reused: _KeptLogin | None = None
        self._made: _KeptLogin | None = None  # by this caller
        self._keys = login_keys(request, store.user_key())
        self._caller = caller_of(request, run=ports.run, started=ports.clock())

    def secret(self) -> Secret:
        """The vendor's secret.

        :raises VaultError: Vault cannot be reached, refuses, or has no such secret.
        """
        ref, began = self._request.secret, self._ports.monotonic()
        found = self.call(lambda client: client.read_secret(ref.mount, ref.path, engine_version=ref.engine_version, version=ref.version))
        self._report("vault_secret_read", since=began)
        return found

    def transit_sign(self, mount: str, key: str, data: bytes, algorithm: str) -> bytes:
        """The signature of *data* by a key in Vault."""
        return self.call(lambda client: client.transit_sign(mount, key, data, algorithm))

    def call(self, work: t.Callable[[Vault], _T]) -> _T:
        """Run *work* with a logged-in client; a cached login that Vault refuses is replaced once.

        :raises RememberedError: this run already knows that Vault is not available or refuses the login.
        """
        self._raise_remembered()
        began = self._ports.monotonic()
        try:
            return self._call(work)
        except RememberedError:
            raise
        except VaultError as exc:
            if exc.kind in _OUTAGES and not self._remembers_outage():  # a login has remembered its own, under the lock
                with self._store.try_lock(self._keys.name) as locked:
                    if locked:
                        self._remember(exc, took=self._ports.monotonic() - began)
            raise

    def _call(self, work: t.Callable[[Vault], _T]) -> _T:
        client = self._logged_in()
        try:
            return work(client)
        except VaultError as denied:
            kept = self._reused or self._ended()
            if denied.kind != "denied" or kept is None:
                raise
            alive, age = _alive(client), self._ports.clock() - kept.issued_at
            if alive and age <= self._request.cache.failure_ttl:
                raise  # a new login cannot help: the cached one is alive and too recent for its policies to have changed
            try:
                client = self._login_again(alive=alive)
            except VaultError:
                if not alive:
                    raise
                # Keep using the cached login. The failed new login (a single-use secret_id, for example) is not the problem that
                # the user must fix.
                client.use_token(kept.client_token)
                raise denied from None
            return work(client)

    def _ended(self) -> _KeptLogin | None:
        """This caller's own login, if its lease ended while the caller waited for another controller."""
        return self._made if self._made is not None and not self._made.usable(self._ports.clock()) else None

    def _logged_in(self) -> Vault:
        if self._client is None:
            self._client = self._ports.vault(self._request.vault, self._ports.warn)
            if self._request.vault.auth_method in _NOT_CACHED:
                self._client.login()
            elif not self._use(self._kept()):
                with self._lock():
                    if not self._use(self._kept()):
                        self._login()
        return self._client

    def _login_again(self, *, alive: bool) -> Vault:
        refused = self._reused or self._made
        with self._lock():
            kept = self._kept()
            # Another caller may have logged in again in the meantime.
            if kept is None or (refused and kept.client_token == refused.client_token) or not self._use(kept):
                self._reused = refused if alive else None
                self._login()
        return t.cast(Vault, self._client)

    def _use(self, kept: _KeptLogin | None) -> bool:
        now = self._ports.clock()
        if kept is None or not kept.usable(now) or self._client is None:
            return False
        self._client.use_token(kept.client_token)
        self._reused = kept
        self._report("vault_login_reused")
        if kept.should_renew(now):
            self._renew(kept)
        return True

    def _renew(self, kept: _KeptLogin) -> None:
        """The caller that gets the lock renews; the others use the current lease."""
        with self._store.try_lock(self._keys.name) as mine:
            if not mine or self._client is None:
                return
            now = self._ports.clock()
            try:
                renewed = _KeptLogin.of(self._client.renew_self(), now=now)
            except VaultError:
                return  # it is still valid for a while; a new login follows
            self._keep(_KeptLogin(renewed.client_token or kept.client_token, now, renewed.expires_at, renewed.renewable))

    def _login(self) -> None:
        """Log in; the lock is held."""
        self._raise_remembered(refusals=True)
        now, began = self._ports.clock(), self._ports.monotonic()
        client = t.cast(Vault, self._client)
        try:
            login = client.login()
        except VaultError as exc:
            failed = exc.reworded(exc.message + self._next_attempt()) if exc.kind == "login_refused" else exc
            if failed is not exc or exc.kind in _OUTAGES:
                self._remember(failed, took=self._ports.monotonic() - began)
            raise failed from None
        self._reused, self._made = None, _KeptLogin.of(login, now=now)
        self._report("vault_login", since=began)
        self._keep(self._made)

    def _next_attempt(self) -> str:
        """When a login is tried again, if the refusal is remembered."""
        seconds = self._caller.failure_ttl
        memory = self._store.memory() if seconds else ""
        when = f", and not within the next {seconds:g} s" if memory == "runs" else ""
        return f" Changed credentials are tried at once; the same ones only by a later run{when}." if memory else ""

    # What is remembered in the entry

    def _raise_remembered(self, *, refusals: bool = False) -> None:
        """:raises RememberedError: this run already knows that Vault is not available or, with *refusals*, that it refuses the login."""
        failure = self._outage()
        if failure is None and refusals:
            failure = remembered_login_refusal(self._failures(), self._caller, now=self._ports.clock())
        if failure is not None:
            raise RememberedError(failure.message, failure.kind.partition(":")[2], fault=failure.fault)

    def _remembers_outage(self) -> bool:
        """Whether this run's own outage is already recorded. Another run's does not count: only callers who waited when it occurred get it."""
        outage = self._outage()
        return outage is not None and is_own(outage, self._caller)

    def _outage(self) -> Failure | None:
        """The remembered failure that says that Vault is not available to this run."""
        outages = [failure for failure in self._failures() if failure.kind.partition(":")[2] in _OUTAGES]
        return remembered_failure(outages, self._caller, now=self._ports.clock())

    def _remember(self, exc: VaultError, *, took: float) -> None:
        """Add the failure to the entry; the lock is held."""
        now, caller = self._ports.clock(), self._caller
        failure = failure_of(exc, caller, asked_version="", took=took, now=now)
        failures = add_failure(self._failures(), failure, failure_ttl=caller.failure_ttl, now=now)
        # Keep the cached login: it is valid, and other callers may have rights to what they request.
        self._write(self._reused or (self._kept() if exc.kind in _OUTAGES else None), failures)

    def _keep(self, login: _KeptLogin) -> None:
        self._write(login, failures_after_success(self._failures(), self._caller))

    def _write(self, login: _KeptLogin | None, failures: tuple[Failure, ...]) -> None:
        ends = [forgotten_at(failure, self._caller.failure_ttl) for failure in failures]
        header = {"kind": "login", "expires_at": max([*ends, login.expires_at if login else 0.0])}
        data = {"failures": [dataclasses.asdict(failure) for failure in failures]}
        self._store.write(self._keys, header, {**data, **login.as_dict()} if login else data)

    def _kept(self) -> _KeptLogin | None:
        return _KeptLogin.read(self._store.read(self._keys))

    def _failures(self) -> tuple[Failure, ...]:
        return failures_from_list((self._store.read(self._keys) or {}).get("failures"))

    def _lock(self) -> t.ContextManager[bool]:
        return entry_lock(self._request, self._store, self._keys, self._ports)

    def _report(self, name: str, *, since: float | None = None) -> None:
        took = 0.0 if since is None else self._ports.monotonic() - since
        method = self._request.vault.auth_method
        self._ports.event(Event(name, self._request.vendor.name, self._request.where, reason=method, seconds=took))
