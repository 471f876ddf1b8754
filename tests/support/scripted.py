# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports that play a script, and requests for them: for unit tests of the core, without ansible or network."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CasMismatch, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import (
    CacheOptions,
    Freshness,
    HttpAnswer,
    HttpOptions,
    HttpRequest,
    Login,
    Request,
    Secret,
    SecretRef,
    Token,
    Vendor,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event, Ports
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in

__all__ = (
    "CONSENT_VENDOR",
    "NOW",
    "PASSWORD_FIELDS",
    "SECRET_ID",
    "VAULT_TOKEN",
    "FakeVault",
    "Scene",
    "access",
    "answer",
    "error",
    "request_for",
    "token",
    "vault_options",
)

NOW = 1_800_000_000.0
#: A vendor that requires a person's consent.
CONSENT_VENDOR = Vendor(
    name="acme",
    base_url="https://login.example.com",
    token_url="/token",
    authorize_url="/authorize",
    device_authorization_url="/device",
    grant_type="authorization_code",
    client_auth="basic",
)
#: In the form that Vault generates: a text that a person might have chosen is stretched for each new cache, which is slow.
VAULT_TOKEN, SECRET_ID = "hvs.CAESIJ4kq3Lx1z0m1kQeZk3a9F2sZ", "3c8a51e2-9d47-4b60-8f13-a0e25b7d964c"
_MOST_NAPS = 20_000
PASSWORD_FIELDS = {"client_id": "the-id", "client_secret": "s3cr3t", "username": "user", "password": "p4ssw0rd"}


def vault_options(**values: t.Any) -> VaultOptions:
    given = {"url": "https://vault.example:8200", "token": VAULT_TOKEN, **values}
    return VaultOptions.from_mapping(given, environ={}, home="/h", read_file=lambda path: "")


def approle(**values: t.Any) -> VaultOptions:
    return vault_options(token=None, auth_method="approle", role_id="role", **{"secret_id": SECRET_ID, **values})


def request_for(
    vendor: str | Vendor = "trackunit",
    path: str = "fleet/x",
    *,
    cache: str = "",
    kind: str = "file",
    vault: VaultOptions | None = None,
    http: t.Mapping[str, t.Any] | None = None,
    secret: t.Mapping[str, t.Any] | None = None,
    failure_ttl: float = 30,
    **freshness: t.Any,
) -> Request:
    described = built_in(vendor) if isinstance(vendor, str) else vendor
    if described.variant:
        described = described.as_variant(described.variant)
    if not described.base_url and not described.issuer:
        described = dataclasses.replace(described, base_url="https://portal.example")
    return Request(
        vendor=described,
        secret=SecretRef("secret", path, **(secret or {})),
        vault=vault or vault_options(),
        freshness=Freshness(**freshness),
        http=HttpOptions(**(http or {})),
        cache=CacheOptions(kind=kind, path=cache, failure_ttl=failure_ttl),
    )


def token(value: str = "tok", *, age: float = 0, lifetime: float = 3600, now: float = NOW, **more: t.Any) -> Token:
    return Token(value, "Bearer", now - age + lifetime, now - age, **more)


def answer(status: int = 200, body: t.Any = None, **headers: str) -> HttpAnswer:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def access(value: str = "tok", *, lifetime: t.Any = 3600, **more: t.Any) -> HttpAnswer:
    return answer(200, {"access_token": value, "token_type": "Bearer", "expires_in": lifetime, **more})


def error(code: str, status: int = 400, **more: t.Any) -> HttpAnswer:
    return answer(status, {"error": code, **more})


class FakeVault:
    """A fake Vault with one secret, scripted logins, and its own KV v2 entries; it counts its requests."""

    def __init__(self, data: t.Mapping[str, t.Any] | None = None, *, version: int | None = 1) -> None:
        self.data: dict[str, t.Any] = dict(PASSWORD_FIELDS if data is None else data)
        self.version = version
        self.fault: Exception | None = None
        self.login_fault: Exception | None = None
        self.at_login: t.Callable[[VaultOptions], None] | None = None  # called during each login
        self.kv_fault: Exception | None = None
        self.lease, self.renewable = 3600, False
        self.logins, self.reads, self.renewals, self.lookups, self.clients = 0, 0, 0, 0, 0
        self.dead: set[str] = set()
        self.denies_secret = False
        self.may_update = True
        self.entries: dict[str, tuple[dict[str, t.Any], int]] = {}

    def __call__(self, options: VaultOptions, warn: t.Callable[[str], None]) -> FakeClient:
        self.clients += 1
        return FakeClient(self, options)

    def change(self, **fields: str) -> None:
        self.data.update(fields)
        if self.version is not None:
            self.version += 1


class FakeClient:
    """The part of VaultClient that the core uses."""

    def __init__(self, vault: FakeVault, options: VaultOptions) -> None:
        self._vault, self._options, self.token = vault, options, ""

    def login(self) -> Login:
        self.token = ""
        if self._options.auth_method == "token":
            self.token = self._options.token or ""
            return Login(self.token)
        self._vault.logins += 1
        if self._vault.at_login is not None:
            self._vault.at_login(self._options)
        if self._vault.login_fault:
            raise self._vault.login_fault
        self.token = f"hvs.login-{self._vault.logins}"
        return Login(self.token, self._vault.lease, self._vault.renewable)

    def use_token(self, value: str) -> None:
        self.token = value

    def _check(self) -> None:
        if not self.token or self.token in self._vault.dead:
            raise VaultError("Vault: permission denied.", "denied")

    def renew_self(self) -> Login:
        self._vault.renewals += 1
        self._check()
        return Login(self.token, self._vault.lease, self._vault.renewable)

    def lookup_self(self) -> dict[str, t.Any]:
        self._vault.lookups += 1
        self._check()
        return {}

    def read_secret(self, mount: str, path: str, *, engine_version: str, version: int | None) -> Secret:
        self._vault.reads += 1
        if self._vault.fault:
            raise self._vault.fault
        self._check()
        if self._vault.denies_secret:
            raise VaultError("Vault: permission denied.", "denied")
        return Secret(dict(self._vault.data), version or self._vault.version, f"{mount}/{path}")

    def may_update(self, mount: str, path: str) -> bool:
        return self._vault.may_update

    def kv2_read(self, mount: str, path: str) -> tuple[dict[str, t.Any], int] | None:
        if self._vault.kv_fault:
            raise self._vault.kv_fault
        return self._vault.entries.get(f"{mount}/{path}")

    def kv2_write(self, mount: str, path: str, data: t.Mapping[str, t.Any], *, cas: int) -> int:
        if self._vault.kv_fault:
            raise self._vault.kv_fault
        where = f"{mount}/{path}"
        if where == "secret/fleet/x":
            if cas != self._vault.version:
                raise CasMismatch("cas", "cas")
            self._vault.data, self._vault.version = dict(data), cas + 1
            return cas + 1
        if cas != self._vault.entries.get(where, ({}, 0))[1]:
            raise CasMismatch("cas", "cas")
        self._vault.entries[where] = (json.loads(json.dumps(data)), cas + 1)
        return cas + 1

    write_secret = kv2_write

    def kv2_delete_metadata(self, mount: str, path: str) -> None:
        self._vault.entries.pop(f"{mount}/{path}", None)


class Scene:
    """A clock that advances when someone sleeps, a vendor that answers from a list, and a record of requests, sleeps, warnings and events.

    An item of ``script`` is an answer, an exception, or a function of the request that returns one of these. ``while_asleep`` is called after each
    sleep with the number of sleeps so far, and does what others do meanwhile.
    """

    def __init__(self, *script: t.Any, vault: FakeVault | None = None, run: str = "run-1", scratch: str = "") -> None:
        self.script = list(script)
        self.vault = vault or FakeVault()
        self.now = NOW
        self.slept: list[float] = []
        self.while_asleep: t.Callable[[int], object] = lambda times: None
        self.sent: list[HttpRequest] = []
        self.warnings: list[str] = []
        self.events: list[Event] = []
        self.ports = Ports(
            exchange=self._exchange,
            vault=t.cast(t.Any, self.vault),
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            sleep=self._sleep,
            warn=self.warnings.append,
            event=self.events.append,
            run=run,
            scratch=scratch,
        )

    def as_run(self, run: str) -> Ports:
        """The same scene, seen by another run of ansible."""
        return dataclasses.replace(self.ports, run=run)

    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def _sleep(self, seconds: float) -> None:
        if len(self.slept) >= _MOST_NAPS:
            raise AssertionError("somebody waits without end")
        self.slept.append(seconds)
        self.now += seconds
        self.while_asleep(len(self.slept))

    def _exchange(self, request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> HttpAnswer:
        self.sent.append(request)
        if not self.script:
            raise AssertionError("the vendor was asked once more than the script has answers")
        following = self.script.pop(0)
        if callable(following):
            following = following(request)
        if isinstance(following, Exception):
            raise following
        return t.cast(HttpAnswer, following)
