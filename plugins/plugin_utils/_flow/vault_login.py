# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A Vault client that is logged in: the login is shared by all callers of this user, like a token of a vendor.

A token that the user gave is used as it is. Any other login gives a client token, which is kept sealed until shortly before its
lease ends, renewed where Vault lets it be renewed, and dropped when Vault refuses it. A refused login is remembered, so that 500 hosts
with a wrong password do not lock the account in Vault.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._base.errors import VaultError
from .._base.model import Login, Request, Secret
from .._base.ports import Event, Ports, Vault
from .._cache.crypto import Keys, derive
from .._cache.entry import login_facts
from .._cache.file_store import FileStore

__all__ = ("VaultSession", "login_keys")

_T = t.TypeVar("_T")

_NO_LEASE = 86400.0  # a client token that never ends is looked at again after a day
_RENEW_LAST_PART = 1 / 3
_MARGIN = 10.0
_LOCK_PATIENCE = 120.0
_NOT_CACHED = ("token", "none")


@dataclass(frozen=True)
class _Saved:
    """A login as it is kept."""

    client_token: str = field(repr=False)
    issued_at: float
    expires_at: float
    renewable: bool

    @classmethod
    def of(cls, login: Login, *, now: float) -> _Saved:
        lease = float(login.lease_seconds or _NO_LEASE)
        return cls(login.client_token, now, now + lease, login.renewable)

    @classmethod
    def read(cls, data: t.Mapping[str, t.Any] | None) -> _Saved | None:
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
    """The keys under which the login of *request* is kept."""
    return derive(user_key, request.vault.identity_secret(), login_facts(request))


class VaultSession:
    """One caller's way into Vault; nothing is sent before the first call."""

    def __init__(self, request: Request, store: FileStore, ports: Ports) -> None:
        self._request = request
        self._store = store
        self._ports = ports
        self._client: Vault | None = None
        self._reused: _Saved | None = None

    def secret(self) -> Secret:
        """The vendor's secret.

        :raises VaultError: Vault cannot be reached, refuses, or has no such secret.
        """
        ref, began = self._request.secret, self._ports.monotonic()
        found = self.call(lambda client: client.read_secret(ref.mount, ref.path, engine_version=ref.engine_version, version=ref.version))
        self._tell("vault_secret_read", since=began)
        return found

    def call(self, work: t.Callable[[Vault], _T]) -> _T:
        """*work* with a logged-in client; a kept login that Vault refuses is replaced once."""
        client = self._logged_in()
        try:
            return work(client)
        except VaultError as denied:
            kept = self._reused
            if denied.kind != "denied" or kept is None:
                raise
            alive, age = _alive(client), self._ports.clock() - kept.issued_at
            if alive and age <= self._request.cache.failure_ttl:
                raise  # a new login cannot help: neither is the kept one dead, nor older than the policies may be
            try:
                client = self._login_again(alive=alive)
            except VaultError:
                if not alive:
                    raise
                # The kept login goes on being used; that a new one cannot be had (a secret_id that was good for one login) is
                # not what is to be mended.
                client.use_token(kept.client_token)
                raise denied from None
            return work(client)

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
        refused = self._reused
        with self._lock():
            kept = self._kept()
            # Another caller may have logged in anew while this one was refused.
            if kept is None or (refused and kept.client_token == refused.client_token) or not self._use(kept):
                self._reused = refused if alive else None
                self._login()
        return t.cast(Vault, self._client)

    def _use(self, kept: _Saved | None) -> bool:
        now = self._ports.clock()
        if kept is None or not kept.usable(now) or self._client is None:
            return False
        self._client.use_token(kept.client_token)
        self._reused = kept
        self._tell("vault_login_reused")
        if kept.should_renew(now):
            self._renew(kept)
        return True

    def _renew(self, kept: _Saved) -> None:
        """Renewed by whoever gets the lock; the rest go on with the lease as it is."""
        with self._store.try_lock(self._keys().name) as mine:
            if not mine or self._client is None:
                return
            now = self._ports.clock()
            try:
                renewed = _Saved.of(self._client.renew_self(), now=now)
            except VaultError:
                return  # it is still good for a while; then there is a new login
            self._keep(_Saved(renewed.client_token or kept.client_token, now, renewed.expires_at, renewed.renewable))

    def _login(self) -> None:
        client = t.cast(Vault, self._client)
        self._recall_refusal()
        now, began = self._ports.clock(), self._ports.monotonic()
        try:
            login = client.login()
        except VaultError as exc:
            if exc.kind == "login_refused":
                self._remember_refusal(exc)
            raise
        self._reused = None
        self._tell("vault_login", since=began)
        self._keep(_Saved.of(login, now=now))

    def _recall_refusal(self) -> None:
        said = (self._store.read(self._keys()) or {}).get("refused")
        if not isinstance(said, dict) or said.get("run") != self._ports.run:
            return
        if 0 <= self._ports.clock() - said.get("at", 0) < self._request.cache.failure_ttl:
            raise VaultError(str(said.get("message")), kind="login_refused")

    def _remember_refusal(self, exc: VaultError) -> None:
        now = self._ports.clock()
        said = {"message": exc.message, "at": now, "run": self._ports.run}
        until, kept = now + self._request.cache.failure_ttl, {}
        if self._reused is not None:  # it lives, and may be good for what others ask
            until, kept = max(until, self._reused.expires_at), self._reused.as_dict()
        self._store.write(self._keys(), self._header(until), {"refused": said, **kept})

    def _keep(self, saved: _Saved) -> None:
        self._store.write(self._keys(), self._header(saved.expires_at), saved.as_dict())

    def _header(self, expires_at: float) -> dict[str, t.Any]:
        return {"kind": "login", "expires_at": expires_at}

    def _kept(self) -> _Saved | None:
        return _Saved.read(self._store.read(self._keys()))

    def _keys(self) -> Keys:
        return login_keys(self._request, self._store.user_key())

    def _lock(self) -> t.ContextManager[bool]:
        return self._store.lock(self._keys().name, timeout=_LOCK_PATIENCE, monotonic=self._ports.monotonic, sleep=self._ports.sleep)

    def _tell(self, name: str, *, since: float | None = None) -> None:
        took = 0.0 if since is None else self._ports.monotonic() - since
        method = self._request.vault.auth_method
        self._ports.event(Event(name, self._request.vendor.name, self._request.where, reason=method, seconds=took))
