# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Revoke cached tokens at the vendor (RFC 7009)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._base.errors import TokenError, VendorError, coded
from .._base.model import Request, Token, Vendor
from .._base.ports import Event, Ports
from .._base.strict_json import parse_json
from .._cache.entry import entry_from_dict
from .._cache.file_store import FileStore
from .._vendor.address import check_address
from .._vendor.discovery import discovered
from .._vendor.error_text import error_code
from .._vendor.proof import signer
from .._vendor.request import credentials, revocation_request
from .refresh_token import refresh_token_key, vouched_for
from .shared_store import SharedCache
from .slot import token_keys
from .vault_login import VaultLogin

__all__ = ("RevocationOutcome", "revoke_tokens")

_NOT_TAKEN = "unsupported_token_type"  # RFC 7009 2.2.1: many servers do not revoke access tokens, because these are JWTs that APIs check by themselves
_GONE = "invalid_token"  # expired or already revoked: RFC 7009 2.2 requires status 200, but Google sends this
_LATER = (408, 425, 429)
_OF_THE_CLIENT = (401, 403, 404, 405, 410)  # about the client or the URL, not the token


@dataclass(frozen=True)
class RevocationOutcome:
    """What was revoked and what was not, as display names, and whether to keep the entry for a later attempt."""

    revoked: tuple[str, ...] = ()
    failed: bool = False
    not_revoked: tuple[str, ...] = ()


def revoke_tokens(request: Request, store: FileStore, ports: Ports, *, revoke_consent: bool = False, dry_run: bool = False) -> RevocationOutcome:
    """Revoke the cached tokens of *request*, including those of the shared entry, if the vendor has an endpoint for that.

    :arg revoke_consent: also revoke a refresh token that is the credential in Vault. A person must then give consent again.
    :arg dry_run: send nothing, and report what would be revoked according to this controller's cache.
    """
    vendor = request.vendor
    if not vendor.revocation_url and not vendor.issuer:
        return RevocationOutcome()
    work = _Revocation(request, store, ports, revoke_consent=revoke_consent)
    try:
        work.find(with_shared=not dry_run)
        if dry_run:
            return RevocationOutcome(work.outcome().not_revoked)
        work.ask_vendor()
    except TokenError as exc:
        ports.warn(
            coded(
                f"{vendor.name}: the token for {request.where} could not be revoked at the vendor, so it stays in the cache. Try again "
                f"once that is fixed: {exc.message}",
                exc.fault,
            )
        )
        return work.outcome(failed=True)
    for kind in work.not_taken:
        ports.warn(
            coded(
                f"{vendor.name}: the vendor does not revoke the {kind} of {request.where} ({_NOT_TAKEN}). It was removed from the cache, and stays valid "
                "until it expires.",
                "vendor:revocation",
            )
        )
    return work.outcome()


class _Revocation:
    """Revokes the tokens of *request*; the outcome so far stays readable after an error."""

    def __init__(self, request: Request, store: FileStore, ports: Ports, *, revoke_consent: bool) -> None:
        self._request = request
        self._store = store
        self._ports = ports
        self._revoke_consent = revoke_consent
        self._session = VaultLogin(request, store, ports)
        self._shared_cache: SharedCache | None = None
        self._own: Token | None = None
        self._shared: Token | None = None
        self._values: list[tuple[str, str]] = []  # to revoke: the token type hint of RFC 7009 2.1, and the token
        self._revoked: set[str] = set()
        self.not_taken: dict[str, None] = {}  # the token types that the vendor does not revoke

    def outcome(self, *, failed: bool = False) -> RevocationOutcome:
        return RevocationOutcome(self._names(revoked=True), failed, self._names(revoked=False))

    def _names(self, *, revoked: bool) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"{self._request.vendor.name} {hint}" for hint, value in self._values if (value in self._revoked) is revoked))

    def find(self, *, with_shared: bool) -> None:
        """Find the cached tokens; *with_shared*: those in the shared entry too."""
        request = self._request
        user_key = self._store.known_key()
        self._own = entry_from_dict(self._store.read(token_keys(request, user_key))).token if user_key else None
        self._choose()  # what is known if the shared entry cannot be read
        if request.cache.kind == "vault" and with_shared:
            self._shared_cache = SharedCache(request, self._session, self._ports)
            self._shared = self._shared_cache.read().token
            self._choose()

    def _choose(self) -> None:
        self._values = _values([token for token in (self._own, self._shared) if token], self._request.vendor, revoke_consent=self._revoke_consent)

    def ask_vendor(self) -> None:
        """Revoke the tokens from :meth:`find` and, if requested, the consent, if the vendor has an endpoint for that.

        :raises TokenError: a token was not revoked, but a later attempt may succeed.
        """
        request = self._request
        secret = self._session.secret().data if self._values or self._revoke_consent else {}
        if self._shared and self._shared_cache:
            self._shared = vouched_for(self._shared, request, secret, self._shared_cache.mac)
        self._choose()
        if self._revoke_consent and request.vendor.single_use:
            self._values = _with_stored(self._values, secret.get(refresh_token_key(request)))
        endpoint = _with_endpoint(request, secret, self._ports) if self._values else request.vendor
        if not endpoint.revocation_url:
            self._values = []  # no revocation endpoint: they only need removing from the cache
        if not self._values:
            return
        check_address(endpoint, endpoint.url(endpoint.revocation_url), allow_http=request.http.allow_http)
        # consent=True: no error if the consent has already ended.
        self._revoke_each(endpoint, credentials(replace(request, vendor=endpoint), secret, consent=True))

    def _revoke_each(self, endpoint: Vendor, fields: dict[str, str]) -> None:
        request, ports, in_use = self._request, self._ports, self._own or self._shared
        failures: list[tuple[VendorError, bool]] = []
        for hint, value in self._values:
            try:
                is_revoked = _revoke(request, endpoint, fields, value, hint=hint, session=self._session, ports=ports)
            except VendorError as exc:
                # Refresh tokens come from the secret, this controller or a verified writer; a shared access token may come from anyone.
                if self._shared_cache is None or hint == "refresh_token":
                    raise
                failures.append((exc, in_use is not None and value == in_use.access_token))
                continue
            if is_revoked:
                self._revoked.add(value)
                ports.event(Event("revoked", request.vendor.name, request.where, reason=hint))
            else:
                self.not_taken[hint.replace("_", " ")] = None
        _judge(failures, request, ports, others_taken=bool(self._revoked or self.not_taken))


def _judge(failures: list[tuple[VendorError, bool]], request: Request, ports: Ports, *, others_taken: bool) -> None:
    """Report the access tokens that could not be revoked; the second item of each pair says whether this controller uses it.

    :raises VendorError: for a used token, if a later attempt may succeed.
    """
    for error, used in failures:
        if used and not _of_the_token(error, others_taken=others_taken):
            raise error
        ports.warn(_unknown(request, error, used=used))


def _of_the_token(error: VendorError, *, others_taken: bool) -> bool:
    """Whether *error* is about the token itself, so that each attempt would fail: a writer of the shared cache may have planted it.

    :arg others_taken: whether the endpoint accepted other tokens of this client.
    """
    status = error.status or 0
    return 400 <= status < 500 and status not in _LATER and (others_taken or status not in _OF_THE_CLIENT)


def _unknown(request: Request, error: VendorError, *, used: bool) -> str:
    which = "this controller does not know" if not used else "may not be the vendor's"
    return coded(
        f"{request.vendor.name}: the shared entry for {request.where} has, or had, a token that {which}, and it could not be revoked: "
        f"{error.message} See who writes to cache_vault_path.",
        error.fault,
    )


def _values(tokens: list[Token], vendor: Vendor, *, revoke_consent: bool) -> list[tuple[str, str]]:
    """The tokens to revoke, without duplicates; refresh tokens first, so that they cannot renew the others."""
    found: dict[str, str] = {}
    if revoke_consent or not vendor.single_use:  # for single-use credentials a refresh token is the credential
        found.update((token.refresh_token, "refresh_token") for token in tokens if token.refresh_token)
    found.update((token.access_token, "access_token") for token in tokens)
    return [(hint, value) for value, hint in found.items()]


def _with_stored(values: list[tuple[str, str]], stored: t.Any) -> list[tuple[str, str]]:
    if not isinstance(stored, str) or not stored or ("refresh_token", stored) in values:
        return values
    return [("refresh_token", stored), *values]


def _with_endpoint(request: Request, keys: t.Container[str], ports: Ports) -> Vendor:
    """The vendor with the revocation endpoint from its issuer's metadata."""
    vendor = request.vendor
    if vendor.revocation_url and (vendor.client_auth or not vendor.issuer):
        return vendor
    asked = replace(request, vendor=replace(vendor, token_url=""))
    found = discovered(asked, ports=ports, until=ports.monotonic() + request.http.deadline, keys=keys)
    return replace(found, token_url=vendor.token_url or found.token_url)


def _revoke(request: Request, vendor: Vendor, fields: dict[str, str], value: str, *, hint: str, session: VaultLogin, ports: Ports) -> bool:
    """Revoke *value*; False if the vendor does not revoke tokens of this type."""
    # Nothing of the response is shown or stored, so the signed assertions need no tracking.
    sign = signer(vendor, fields, clock=ports.clock, transit=session.transit_sign, signed=set())
    http_request = revocation_request(vendor, fields, value, hint=hint, assertion=sign)
    answer = ports.exchange(http_request, request.http, request.http.deadline, vendor.name)
    code = _code(answer.body) if answer.status == 400 else None
    if code == _NOT_TAKEN:
        return False
    if not 200 <= answer.status < 300 and code != _GONE:
        raise VendorError(f"its revocation endpoint answered with HTTP {answer.status}.", status=answer.status, fault="vendor:revocation")
    return True


def _code(body: bytes) -> str | None:
    try:
        return error_code(parse_json(body))
    except ValueError:
        return None
