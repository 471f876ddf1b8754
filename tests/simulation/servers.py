# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor and Vault of a simulated fleet, with their faults. They report each request and its outcome to an observer."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from urllib.parse import parse_qs

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CasMismatch, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpAnswer, HttpOptions, HttpRequest, Login, Secret

from .world import World

__all__ = ("Faults", "Issued", "Observer", "SimulatedVault", "SimulatedVendor", "VaultLogin")

VAULT_PATIENCE = 60.0  # seconds: the deadline of a Vault session


@dataclasses.dataclass
class Faults:
    """The current faults. An int counts the causes, a float is the probability per request, and ``rate_limit`` is in seconds."""

    vendor_away: int = 0  # connections are refused
    vendor_unavailable: int = 0  # 503
    vendor_garbled: int = 0  # 200 with a proxy's web page
    rate_limit: float = 0.0  # Retry-After
    vendor_lost: float = 0.0  # the request or its response is lost or late
    vendor_slow: float = 0.0  # the vendor answers after the caller has given up
    vault_away: int = 0
    vault_sealed: int = 0
    vault_lost: float = 0.0
    vault_failed: float = 0.0  # status 500
    login_refused: int = 0
    secret_denied: int = 0
    shared_denied: int = 0


class Observer(t.Protocol):
    """Receives the reports of both servers."""

    def vendor_attempt(self, who: str, account: str, grant: str) -> None:
        """A caller is about to ask the vendor."""

    def vendor_answer(self, who: str, account: str, grant: str, outcome: str, spent: str, *, delivered: bool) -> None:
        """The vendor has answered: issued, refused, rate limit, unavailable, garbled. *spent*: the refresh token that was sent, if it is used up."""

    def vault_answer(self, who: str, what: str, outcome: str) -> None:
        """Vault has answered, or not: ok, unreachable, sealed, failed, no token, denied, login_refused, cas, lost."""


@dataclasses.dataclass
class Issued:
    """A token that the vendor has issued. Times are from the vendor's clock."""

    account: str
    by: str  # the scope of the cache that it was requested for
    issued_at: float
    expires_at: float
    delivered: bool = False
    revoked: bool = False


class SimulatedVendor:
    """Password grants and refresh tokens. An account's current password is in ``passwords``.

    :arg refresh: ``none``, ``rotating`` (each use issues a new one and invalidates the old one) or ``kept``.
    """

    def __init__(self, world: World, faults: Faults, observer: Observer, *, lifetime: float, latency: float, refresh: str) -> None:
        self._world = world
        self._faults = faults
        self._observer = observer
        self.lifetime = lifetime
        self.latency = latency
        self.refresh = refresh
        self.token_size = 0
        self.passwords: dict[str, str] = {}
        self.tokens: dict[str, Issued] = {}
        self.newest: dict[str, str] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.dead: set[str] = set()
        self.requests = 0
        self._serial = 0

    def consent(self, account: str) -> str:
        """Issue a new refresh token, as after a person's consent."""
        return self._new_refresh_token(account)

    def exchange(self, who: str, scope: str, request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> HttpAnswer:
        world, faults = self._world, self._faults
        form = {key: values[0] for key, values in parse_qs((request.body or b"").decode()).items()}
        grant = form["grant_type"]
        account = form["username"] if grant == "password" else self.refresh_tokens[form["refresh_token"]]
        self._observer.vendor_attempt(who, account, grant)
        patience = min(seconds, options.timeout)
        if faults.vendor_away:
            world.pause(0.001)
            raise VendorError(f"{name}: connection refused.", "unavailable", retryable=True, sent=False)
        slow = world.random.random() < faults.vendor_slow
        there = self.latency * world.random.uniform(0.3, 0.7)
        world.pause(there)
        lost = world.random.random() < faults.vendor_lost
        fate = world.random.random() if lost else 1.0

        def answered(*, delivered: bool) -> HttpAnswer:
            return self._answer(who, scope, account, grant, form, delivered=delivered)

        if lost or slow:
            if fate < 1 / 3:
                world.tell(who, "the request to the vendor is lost")
            elif fate < 2 / 3:  # it is delayed; usually nobody waits for it any longer when it arrives
                world.at(world.now + world.random.uniform(0, 3 * patience), lambda: t.cast(None, answered(delivered=False)))
            else:
                answered(delivered=False)
            world.pause(max(0.0, patience - there))
            raise VendorError(f"{name}: the vendor did not answer within {patience:g} s.", "unavailable", retryable=True, sent=True)
        answer = answered(delivered=True)
        world.pause(self.latency * world.random.uniform(0.3, 0.7))
        return answer

    def _answer(self, who: str, scope: str, account: str, grant: str, form: dict[str, str], *, delivered: bool) -> HttpAnswer:
        world, faults = self._world, self._faults
        self.requests += 1
        sent = form.get("refresh_token", "")

        def tell(outcome: str, spent: str = "") -> None:
            self._observer.vendor_answer(who, account, grant, outcome, spent, delivered=delivered)

        if faults.rate_limit:
            tell("rate limit")
            return _json(429, {}, retry_after=f"{faults.rate_limit:.0f}")
        if faults.vendor_unavailable:
            tell("unavailable")
            return _json(503, {})
        if faults.vendor_garbled:
            tell("garbled")
            return HttpAnswer(200, {"content-type": "text/html"}, b"<html>")
        if grant == "refresh_token":
            if sent in self.dead:
                tell("refused", sent)
                return _json(400, {"error": "invalid_grant"})
            if self.refresh == "rotating":
                self.dead.add(sent)
        elif form["password"] != self.passwords[account]:
            tell("refused")
            return _json(400, {"error": "invalid_grant"})
        self._serial += 1
        value = f"token-{self._serial}".ljust(self.token_size, "-")
        self.tokens[value] = Issued(account, scope, world.now, world.now + self.lifetime, delivered)
        self.newest[account] = value
        body: dict[str, t.Any] = {"access_token": value, "token_type": "Bearer", "expires_in": self.lifetime}
        if self.refresh == "rotating" or (self.refresh == "kept" and not sent):
            body["refresh_token"] = self._new_refresh_token(account)
        tell("issued", sent if self.refresh == "rotating" else "")
        return _json(200, body)

    def _new_refresh_token(self, account: str) -> str:
        value = f"refresh-{len(self.refresh_tokens)}"
        self.refresh_tokens[value] = account
        return value


def _json(status: int, body: t.Any, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())


class SimulatedVault:
    """One Vault for all controllers: secrets, shared entries and logins. Secrets and entries are in KV version 2, with check-and-set."""

    def __init__(self, world: World, faults: Faults, observer: Observer, *, latency: float, lease: float = 3600) -> None:
        self.world = world
        self.faults = faults
        self.observer = observer
        self.latency = latency
        self.lease = lease
        self.secrets: dict[str, tuple[dict[str, t.Any], int]] = {}
        self.entries: dict[str, tuple[str, int]] = {}
        self.tokens: dict[str, float] = {}
        self.requests: dict[str, int] = {}
        self.busiest = (0, 0)  # requests in the busiest second, and which second
        self.largest = 0  # bytes of the largest entry
        self._second = (0, 0)
        self._logins = 0
        self.versions: dict[str, int] = {}  # number of versions written, by entry
        self.writers: dict[str, str] = {}  # who last wrote the entry, by the path of the secret

    def put(self, path: str, data: dict[str, t.Any]) -> None:
        self.secrets[path] = (dict(data), self.secrets.get(path, ({}, 0))[1] + 1)

    def client(self, who: str) -> VaultLogin:
        return VaultLogin(self, who)

    def new_token(self) -> str:
        self._logins += 1
        token = f"login-{self._logins}"
        self.tokens[token] = self.world.now + self.lease
        if len(self.tokens) > 10_000:
            self.tokens = {kept: end for kept, end in self.tokens.items() if end > self.world.now}
        return token

    def count(self, what: str) -> None:
        self.requests[what] = self.requests.get(what, 0) + 1
        second = int(self.world.now)
        self._second = (second, self._second[1] + 1 if self._second[0] == second else 1)
        self.busiest = max(self.busiest, (self._second[1], second))


class VaultLogin:
    """One session: the part of the Vault client that the core calls."""

    def __init__(self, vault: SimulatedVault, who: str) -> None:
        self._vault = vault
        self._who = who
        self._token = ""
        self._patience = VAULT_PATIENCE

    def login(self) -> Login:
        def act() -> Login:
            if self._vault.faults.login_refused:
                raise VaultError("Vault refused the login.", "login_refused")
            return Login(self._vault.new_token(), int(self._vault.lease), renewable=True)

        self._token = ""
        found: Login = self._request("login", act, needs_token=False)
        self._token = found.client_token
        return found

    def use_token(self, token: str) -> None:
        self._token = token

    def renew_self(self) -> Login:
        token = self._token

        def act() -> Login:
            self._vault.tokens[token] = self._vault.world.now + self._vault.lease
            return Login(token, int(self._vault.lease), renewable=True)

        return self._request("renew", act)

    def revoke_self(self) -> None:
        self._request("revoke", lambda: self._vault.tokens.pop(self._token, None))

    def lookup_self(self) -> dict[str, t.Any]:
        return self._request("lookup", dict)

    def read_secret(self, mount: str, path: str, *, engine_version: str = "2", version: int | None = None) -> Secret:
        def act() -> Secret:
            if self._vault.faults.secret_denied:
                raise VaultError("Vault: permission denied at the secret.", "denied")
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
        vault, content = self._vault, json.dumps(data)

        def secret() -> int:
            if cas != vault.secrets[path][1]:
                raise CasMismatch("written by somebody else", "cas")
            vault.put(path, json.loads(content))
            return vault.secrets[path][1]

        def entry() -> int:
            self._check_shared()
            if cas != vault.entries.get(path, ("", 0))[1]:
                raise CasMismatch("written by somebody else", "cas")
            vault.entries[path] = (content, cas + 1)
            vault.largest = max(vault.largest, len(content))
            vault.versions[path] = vault.versions.get(path, 0) + 1
            vault.writers["/".join(path.split("/")[-3:-1])] = self._who
            return cas + 1

        return self._request("write secret", secret) if path in vault.secrets else self._request("write entry", entry)

    write_secret = kv2_write

    def kv2_delete_metadata(self, mount: str, path: str) -> None:
        self._request("delete entry", lambda: self._vault.entries.pop(path, None))

    def _check_shared(self) -> None:
        if self._vault.faults.shared_denied:
            raise VaultError("Vault: permission denied at the shared entry.", "denied")

    def _request(self, what: str, act: t.Callable[[], t.Any], *, needs_token: bool = True) -> t.Any:
        vault, world, faults = self._vault, self._vault.world, self._vault.faults

        def fails(kind: str, text: str, *, told: str = "") -> t.NoReturn:
            vault.observer.vault_answer(self._who, what, told or kind)
            raise VaultError(text, kind)

        if faults.vault_away:
            world.pause(0.001)
            fails("unreachable", "Vault cannot be reached.")
        world.pause(vault.latency * world.random.uniform(0.3, 0.7))
        vault.count(what)
        if faults.vault_sealed:
            fails("sealed", "Vault is sealed.")
        if world.random.random() < faults.vault_failed:
            fails("unavailable", "Vault failed with status 500.", told="failed")
        if needs_token and vault.tokens.get(self._token, 0.0) <= world.now:
            fails("denied", "Vault: permission denied.", told="no token")
        if world.random.random() < faults.vault_lost:
            self._lose(what, act)
        try:
            found = act()
        except VaultError as exc:
            vault.observer.vault_answer(self._who, what, exc.kind)
            world.pause(vault.latency * world.random.uniform(0.3, 0.7))
            raise
        vault.observer.vault_answer(self._who, what, "ok")
        world.pause(vault.latency * world.random.uniform(0.3, 0.7))
        return found

    def _lose(self, what: str, act: t.Callable[[], t.Any]) -> t.NoReturn:
        world, fate = self._vault.world, self._vault.world.random.random()
        patience = min(self._patience, world.random.choice((3.0, 30.0, VAULT_PATIENCE)))
        self._patience = max(1.0, self._patience - patience)

        def acts() -> None:
            try:
                act()
            except VaultError:
                return  # nobody waits for the result

        if fate < 1 / 3:
            acts()
        elif fate < 2 / 3:  # it arrives late: only check-and-set keeps it from doing harm
            world.at(world.now + world.random.uniform(0, 2 * patience), acts)
        world.pause(patience)
        self._vault.observer.vault_answer(self._who, what, "lost")
        raise VaultError("Vault did not answer.", "unreachable")
