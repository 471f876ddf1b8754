# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor and Vault of a simulated fleet, with their faults. They know everything, and say when a promise is broken."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from urllib.parse import parse_qs

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CasMismatch, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpAnswer, HttpOptions, HttpRequest, Login, Secret

from .world import World

__all__ = ("Faults", "Issued", "SimulatedVault", "SimulatedVendor", "VaultSession")


@dataclasses.dataclass
class Faults:
    """What is wrong now; probabilities of each request."""

    vendor_away: bool = False  # connections are refused
    vendor_unavailable: bool = False  # 503
    rate_limit: float | None = None  # Retry-After
    vendor_lost: float = 0.0  # the request or its answer is lost
    vendor_slow: float = 0.0  # the answer takes seconds
    vault_away: bool = False
    vault_sealed: bool = False
    vault_lost: float = 0.0
    vault_failed: float = 0.0  # status 500
    shared_denied: bool = False

    def heal(self) -> None:
        for field in dataclasses.fields(self):
            setattr(self, field.name, field.default)


@dataclasses.dataclass
class Issued:
    """A token that the vendor gave; times are the vendor's."""

    account: str
    by: str  # the scope of the cache for which it was asked
    issued_at: float
    expires_at: float
    delivered: bool = False


class SimulatedVendor:
    """Password grants and rotating refresh tokens; an account has the password that it has now.

    :arg observe: is told of each request that arrives: who, what, and what came of it.
    """

    def __init__(self, world: World, faults: Faults, *, lifetime: float, latency: float, refresh: bool) -> None:
        self._world = world
        self._faults = faults
        self.lifetime = lifetime
        self.latency = latency
        self.refresh = refresh
        self.passwords: dict[str, str] = {}
        self.tokens: dict[str, Issued] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.used: dict[str, float] = {}
        self.requests = 0
        self.observe: t.Callable[[str, str, str, str], None] = lambda who, account, kind, outcome: None

    def exchange(self, who: str, scope: str, request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> HttpAnswer:
        world, faults = self._world, self._faults
        patience = min(seconds, options.timeout)
        if faults.vendor_away:
            world.pause(0.001)
            raise VendorError(f"{name}: connection refused.", "unavailable", retryable=True, sent=False)
        slow = world.random.random() < faults.vendor_slow
        there = self.latency * world.random.uniform(0.3, 0.7)
        world.pause(there)
        lost = world.random.random() < faults.vendor_lost
        answer = None if lost and world.random.random() < 0.5 else self._answer(who, scope, request, delivered=not lost and not slow)
        if lost or slow or answer is None:
            world.pause(max(0.0, patience - there))
            world.tell(who, "the vendor's answer is lost")
            raise VendorError(f"{name}: the vendor did not answer within {patience:g} s.", "unavailable", retryable=True, sent=True)
        world.pause(self.latency * world.random.uniform(0.3, 0.7))
        return answer

    def _answer(self, who: str, scope: str, request: HttpRequest, *, delivered: bool) -> HttpAnswer:
        world, faults = self._world, self._faults
        self.requests += 1
        form = {key: values[0] for key, values in parse_qs((request.body or b"").decode()).items()}
        grant = form["grant_type"]
        account = form["username"] if grant == "password" else self.refresh_tokens.get(form["refresh_token"], "")
        if faults.rate_limit is not None:
            self.observe(who, account, grant, "rate limit")
            return _json(429, {}, retry_after=f"{faults.rate_limit:.0f}")
        if faults.vendor_unavailable:
            self.observe(who, account, grant, "unavailable")
            return _json(503, {})
        if grant == "refresh_token":
            if form["refresh_token"] in self.used:
                world.fail(f"{who}: a refresh token was used twice, first at {self.used[form['refresh_token']]:.3f}")
            self.used[form["refresh_token"]] = world.now
        elif form["password"] != self.passwords[account]:
            self.observe(who, account, grant, "refused" if delivered else "refusal lost")
            return _json(400, {"error": "invalid_grant"})
        value = f"token-{len(self.tokens)}"
        self.tokens[value] = Issued(account, scope, world.now, world.now + self.lifetime, delivered)
        self.observe(who, account, grant, "issued" if delivered else "issued and lost")
        body: dict[str, t.Any] = {"access_token": value, "token_type": "Bearer", "expires_in": self.lifetime}
        if self.refresh:
            body["refresh_token"] = f"refresh-{len(self.refresh_tokens)}"
            self.refresh_tokens[body["refresh_token"]] = account
        return _json(200, body)


def _json(status: int, body: t.Any, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())


class SimulatedVault:
    """Secrets, shared entries and logins; one Vault for all."""

    def __init__(self, world: World, faults: Faults, *, latency: float, lease: float = 3600) -> None:
        self.world = world
        self.faults = faults
        self.latency = latency
        self.lease = lease
        self.secrets: dict[str, tuple[dict[str, t.Any], int]] = {}
        self.entries: dict[str, tuple[str, int]] = {}
        self.tokens: dict[str, float] = {}
        self.requests: dict[str, int] = {}
        self.observe: t.Callable[[str, str], None] = lambda who, what: None

    def put(self, path: str, data: dict[str, t.Any]) -> None:
        self.secrets[path] = (dict(data), self.secrets.get(path, ({}, 0))[1] + 1)

    def client(self, who: str) -> VaultSession:
        return VaultSession(self, who)


class VaultSession:
    """One conversation; the part of the client that the core calls."""

    def __init__(self, vault: SimulatedVault, who: str) -> None:
        self._vault = vault
        self._who = who
        self._token = ""

    def login(self) -> Login:
        def act() -> Login:
            self._token = f"login-{len(self._vault.tokens)}"
            self._vault.tokens[self._token] = self._vault.world.now + self._vault.lease
            return Login(self._token, int(self._vault.lease), renewable=True)

        self._token = ""
        return self._request("login", act, needs_token=False)

    def use_token(self, token: str) -> None:
        self._token = token

    def renew_self(self, increment: int | None = None) -> Login:
        def act() -> Login:
            self._vault.tokens[self._token] = self._vault.world.now + self._vault.lease
            return Login(self._token, int(self._vault.lease), renewable=True)

        return self._request("renew", act)

    def revoke_self(self) -> None:
        self._request("revoke", lambda: self._vault.tokens.pop(self._token, None))

    def lookup_self(self) -> dict[str, t.Any]:
        return self._request("lookup", dict)

    def read_secret(self, mount: str, path: str, *, engine_version: str = "2", version: int | None = None) -> Secret:
        def act() -> Secret:
            data, number = self._vault.secrets[path]
            return Secret(dict(data), number, f"{mount}/{path}")

        return self._request("read secret", act)

    def may_update(self, mount: str, path: str) -> bool:
        return True

    def kv2_read(self, mount: str, path: str) -> tuple[dict[str, t.Any], int] | None:
        def act() -> tuple[dict[str, t.Any], int] | None:
            self._check_shared()
            found = self._vault.entries.get(path)
            return None if found is None else (json.loads(found[0]), found[1])

        return self._request("read entry", act)

    def kv2_write(self, mount: str, path: str, data: t.Mapping[str, t.Any], *, cas: int) -> int:
        content = json.dumps(data)

        def act() -> int:
            self._check_shared()
            if cas != self._vault.entries.get(path, ("", 0))[1]:
                raise CasMismatch("written by somebody else", "cas")
            self._vault.entries[path] = (content, cas + 1)
            return cas + 1

        return self._request("write entry", act)

    def kv2_delete_metadata(self, mount: str, path: str) -> None:
        self._request("delete entry", lambda: self._vault.entries.pop(path, None))

    def _check_shared(self) -> None:
        if self._vault.faults.shared_denied:
            raise VaultError("Vault: permission denied at the shared entry.", "denied")

    def _request(self, what: str, act: t.Callable[[], t.Any], *, needs_token: bool = True) -> t.Any:
        vault, world, faults = self._vault, self._vault.world, self._vault.faults
        if faults.vault_away:
            world.pause(0.001)
            vault.observe(self._who, f"{what}: unreachable")
            raise VaultError("Vault cannot be reached.", "unreachable")
        world.pause(vault.latency * world.random.uniform(0.3, 0.7))
        vault.requests[what] = vault.requests.get(what, 0) + 1
        if faults.vault_sealed:
            vault.observe(self._who, f"{what}: sealed")
            raise VaultError("Vault is sealed.", "sealed")
        if world.random.random() < faults.vault_failed:
            vault.observe(self._who, f"{what}: 500")
            raise VaultError("Vault failed with status 500.", "unavailable")
        if needs_token and vault.tokens.get(self._token, 0.0) <= world.now:
            raise VaultError("Vault: permission denied.", "denied")
        lost = world.random.random() < faults.vault_lost
        if lost and world.random.random() < 0.5:
            found: t.Any = None  # never arrived
        else:
            found = act()
        if lost:
            world.pause(3.0)
            vault.observe(self._who, f"{what}: answer lost")
            raise VaultError("Vault did not answer.", "unreachable")
        world.pause(vault.latency * world.random.uniform(0.3, 0.7))
        return found
