# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The shared cache of controllers: entries in Vault's KV v2, written with check-and-set, renewed under a short lease.

Vault's policies guard these entries, so any authorised Vault client can read the fields (an agent's template, for example).
They are documented in docs/cache.md and stable:

``access_token, token_type, authorization, expires_at, issued_at, scope, extra, vendor, path`` and, for the collection itself,
``schema, refresh_token, refresh_token_mac, secret_version, failures, lease_holder, lease_until, lease_seconds``.

A writer here may have no right to read the credentials. So an entry is trusted no more than a vendor: it is checked like a response, and
a refresh token in it, which could end up among the credentials, is used only with a MAC that proves knowledge of the credentials.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import re
import typing as t
import uuid
from dataclasses import dataclass, field, replace

from .._base.errors import CasMismatch, VaultError, coded
from .._base.extra import LARGEST, public
from .._base.model import Entry, Failure, HttpAnswer, HttpOptions, HttpRequest, Request, Token
from .._base.output import authorization
from .._base.ports import Ports
from .._base.strict_json import parse_json
from .._base.token_check import is_moment
from .._cache.crypto import canonical, stretched
from .._cache.entry import entry_from_dict, entry_to_dict, token_facts
from .._text.scrub import finder
from .._vault.refusals import LastingRefusal
from .vault_login import VaultLogin

__all__ = ("MOST_FAILURES", "Lease", "LeaseLost", "SharedCache", "shareable", "shared_path")

# Each check costs Vault a request. Most vendors answer within a second, and then there are two checks.
_FIRST_NAP, _LATER_NAP = 1.7, 3.0
_LEASE_SLACK = 5.0
_CLOCKS_APART = 600.0  # seconds at most: on a clock that is ahead, a lease ends too early
_OWN_SCHEMA = 1
MOST_FAILURES = 8  # failures of a single controller are in its own entry


def shared_path(request: Request) -> str:
    """The path of the entry of *request* below the mount: ``<cache_vault_path>/<vendor>/<secret's path>/<16 hex digits>``.

    The digits depend on the request, not on the login: controllers with different logins find the same entry.
    """
    facts = token_facts(request)
    facts["login"] = request.vault.address()["namespace"]
    digits = hashlib.sha256(canonical(facts)).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9._/-]", "_", request.secret.path).strip("/")
    return f"{request.cache.vault_path.strip('/')}/{request.vendor.name}/{readable}/{digits}"


#: Returns the token that a caller can use from an entry; the second argument has the failures that were added while it waited.
Look = t.Callable[[Entry, frozenset[Failure]], Token | None]


class LeaseLost(VaultError):
    """Another process took over the lease; wait for its result."""


@dataclass
class Lease:
    """The right to ask the vendor until :attr:`until` (on the monotonic clock); ``entry`` is the previous entry."""

    version: int
    entry: Entry
    data: dict[str, t.Any] = field(repr=False)
    until: float = 0.0


class SharedCache:
    def __init__(self, request: Request, session: VaultLogin, ports: Ports) -> None:
        self._request = request
        self._session = session
        self._ports = ports
        self._mount = request.cache.vault_mount
        self._path = shared_path(request)
        # Short, so that callers do not wait long for a killed holder, and extended before each request to the vendor. But with
        # single-use credentials, a second request must never begin before the first has ended.
        http, single_use = request.http, request.vendor.single_use
        #: Whether two controllers may ask the vendor at the same time if necessary.
        self.may_do_without = not single_use
        self._one_request = http.deadline if single_use else min(http.deadline, 2 * http.timeout)
        # With single-use credentials, keep waiting after the lease has ended on this clock: the holder's clock may be behind.
        self._tolerance = _CLOCKS_APART if single_use else 0.0
        # Allows for a killed holder, and for the next holder, which may use its whole deadline.
        self._longest_wait = http.deadline + 2 * (self._one_request + _LEASE_SLACK)

    def claim(self, look: Look, *, wait: bool) -> Token | Lease | None:
        """The token that *look* returns for the entry, as soon as it returns one; otherwise the lease, once it is free.

        :arg wait: if False, return None while another process holds the lease.
        :raises VaultError: the shared entries cannot be read or written, or the lease is never released.
        """
        began, nap, seen, patience = self._ports.monotonic(), _FIRST_NAP, -1, 0.0
        failures: frozenset[Failure] | None = None
        while True:
            data, version = self._read()
            if version != seen:  # do not wait longer for a lease than our own would last: the holder's clock may be wrong
                seen, patience = version, self._ports.monotonic() + self._lease_seconds(data)
            entry = _entry(data)
            failures = frozenset(entry.failures) if failures is None else failures
            found = look(entry, frozenset(entry.failures) - failures)
            if found is not None:
                return found
            left = min(_lease_until(data) + self._tolerance - self._ports.clock(), patience - self._ports.monotonic())
            if left <= 0:
                lease = self._take(entry, version)
                if lease is not None:
                    return lease
                left = nap  # another process was first
            if not wait:
                return None
            waited = self._ports.monotonic() - began
            if waited >= self._longest_wait:
                raise VaultError(
                    f"{self._request.vendor.name}: another writer has held the shared entry {self._mount}/{self._path} for {waited:.0f} s, longer than a "
                    "request to the vendor takes. Check who can write there, or remove the entry."
                )
            # Jitter, so that processes that wait for the same token do not return together. At most a quarter longer than the lease lasts.
            self._ports.sleep(min(nap, left) * random.uniform(1.0, 1.25))  # noqa: S311 - no secret
            nap = _LATER_NAP

    def _take(self, entry: Entry, version: int) -> Lease | None:
        """Take the lease; None if another process has changed the entry."""
        # Remove the refresh token from the shared entry before it is used: a holder that is killed may already have sent it, and nobody may send it again.
        kept = replace(entry, token=entry.token and entry.token.without_refresh_token())
        try:
            return self._leased(entry, kept, version)
        except LastingRefusal:
            # Vault may reject a foreign entry when it is written back with our fields added. That must not block the token forever.
            return self._leased(entry, Entry(), version)

    def _leased(self, entry: Entry, kept: Entry, version: int) -> Lease | None:
        lease = Lease(version, entry, {**_flat(self._request, kept), "lease_holder": uuid.uuid4().hex})
        return lease if self._extend(lease, self._one_request) else None

    def read(self) -> Entry:
        """The shared entry; an empty one, with a warning, if it cannot be read."""
        try:
            return _entry(self._read()[0])
        except LastingRefusal as exc:
            self._ports.warn(coded(f"{exc.message} So the content of the shared entry {self._mount}/{self._path} is not known.", exc.fault))
            return Entry()

    def mac(self, secret: t.Mapping[str, t.Any], refresh_token: str) -> str:
        """Proof that the writer of *refresh_token* at this path knows the *secret*. Derived slowly, because a person may have chosen the secret."""
        key = stretched(b"", canonical(secret))
        return hmac.new(key, canonical([self._path, refresh_token]), hashlib.sha256).hexdigest()

    def guarded(self, lease: Lease) -> Ports:
        """Ports for asking the vendor: each request and each pause first extends *lease* to cover it.

        They raise :class:`LeaseLost` if another process took over the lease because this one looked dead.
        """
        ports = self._ports

        def exchange(request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> HttpAnswer:
            self._keep(lease, self._one_request)
            return ports.exchange(request, options, seconds, name)

        def sleep(seconds: float) -> None:
            self._keep(lease, seconds + self._one_request)
            ports.sleep(seconds)

        return replace(ports, exchange=exchange, sleep=sleep)

    def settle(self, lease: Lease, entry: Entry) -> None:
        """Write *entry* and release the lease; does nothing if another controller has taken over the lease."""
        self._write(_flat(self._request, entry), lease.version)

    def _keep(self, lease: Lease, seconds: float) -> None:
        if lease.until - self._ports.monotonic() >= seconds:
            return
        try:
            kept = self._extend(lease, seconds)
        except VaultError:
            return  # Vault is not available, so nobody can take over the lease either
        if not kept:
            raise LeaseLost(f"Another controller asks for the token of {self._request.where}.", "cas")

    def _extend(self, lease: Lease, seconds: float) -> bool:
        """Extend *lease* to *seconds* from now plus a margin; False if another process has changed the entry."""
        length = seconds + _LEASE_SLACK
        until, data = self._ports.monotonic() + length, {**lease.data, "lease_until": self._ports.clock() + length, "lease_seconds": length}
        written = self._write(data, lease.version)
        if written is None:
            return False
        lease.version, lease.until = written, until
        return True

    def _lease_seconds(self, data: t.Mapping[str, t.Any]) -> float:
        """How long to wait for the lease in *data* at most, in seconds."""
        longest, stated = self._request.http.deadline + self._one_request + _LEASE_SLACK, data.get("lease_seconds")
        return min(longest, stated) if is_moment(stated) else longest

    def _read(self) -> tuple[dict[str, t.Any], int]:
        found = self._session.call(lambda client: client.kv2_read(self._mount, self._path))
        return found if found is not None else ({}, 0)

    def _write(self, data: dict[str, t.Any], version: int) -> int | None:
        try:
            return self._session.call(lambda client: client.kv2_write(self._mount, self._path, data, cas=version))
        except CasMismatch:
            return None


def _lease_until(data: t.Mapping[str, t.Any]) -> float:
    until = data.get("lease_until")
    return float(until) if is_moment(until) else 0.0


_TOKEN_FIELDS = (
    "access_token",
    "token_type",
    "expires_at",
    "issued_at",
    "scope",
    "extra",
    "refresh_token",
    "refresh_token_mac",
    "secret_version",
)


def _flat(request: Request, entry: Entry) -> dict[str, t.Any]:
    shape = entry_to_dict(entry)
    fields = shape["token"] or {}
    if entry.token is not None:
        fields["authorization"] = authorization(entry.token, request.vendor.authorization_scheme)
    return {
        "schema": _OWN_SCHEMA,
        "vendor": request.vendor.name,
        "path": request.where,
        **fields,
        "failures": shape["failures"],
        "lease_holder": "",
        "lease_until": 0,
        "lease_seconds": 0,
    }


def shareable(failure: Failure) -> Failure:
    """*failure* without its run if it is a refusal: that applies for the whole run, which remembers it locally.

    Otherwise any writer of the shared cache could keep a run from its token.
    """
    return replace(failure, run="") if failure.refused else failure


def _entry(data: t.Mapping[str, t.Any]) -> Entry:
    """The entry in *data*, checked like a vendor's response."""
    entry = entry_from_dict(_nested(data))
    # Vault's refusals of one controller do not apply to the others.
    failures = tuple(shareable(failure) for failure in entry.failures if not failure.kind.startswith("vault:"))[-MOST_FAILURES:]
    token = entry.token
    if token is None:
        return replace(entry, failures=failures)
    secrets = [secret for secret in (token.access_token, token.refresh_token) if secret]
    holds_secret = finder(secrets)
    checked = replace(
        token,
        token_type="Bearer" if holds_secret(token.token_type) else token.token_type,
        scope=None if token.scope and holds_secret(token.scope) else token.scope,
        extra=public(_small(token.extra), without=(), secrets=secrets),
    )
    return replace(entry, token=checked, failures=failures)


def _small(extra: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """*extra*; empty if it is larger or deeper than a vendor's response may be."""
    try:
        text = json.dumps(extra).encode()
        found: dict[str, t.Any] = parse_json(text) if len(text) <= LARGEST else {}
    except (ValueError, RecursionError):
        return {}
    return found


def _nested(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """*data* in the shape of a file cache entry; an entry of another schema counts as empty."""
    if data.get("schema") != _OWN_SCHEMA:
        return {}
    token = {name: data[name] for name in _TOKEN_FIELDS if name in data}
    return {"token": token, "failures": data.get("failures")}
