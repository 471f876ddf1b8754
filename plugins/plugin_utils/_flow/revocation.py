# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Revoke cached tokens at the vendor (RFC 7009)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

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
from .refresh_token import Mac, refresh_token_key, without_unverified_refresh_token
from .shared_store import SharedCache
from .slot import token_keys
from .vault_login import VaultLogin

__all__ = ("RevocationOutcome", "revoke_tokens")

_UNSUPPORTED = "unsupported_token_type"  # RFC 7009 2.2.1: many servers do not revoke access tokens, because these are JWTs that APIs check by themselves
_GONE = "invalid_token"  # expired or already revoked: RFC 7009 2.2 requires status 200, but Google sends this
_TEMPORARY_STATUSES = (408, 425, 429)
_CLIENT_STATUSES = (401, 403, 404, 405, 410)  # about the client or the URL, not the token


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
    session = VaultLogin(request, store, ports)
    found = _find(request, store, session, ports, with_shared=not dry_run)
    values = _values(found, vendor, revoke_consent=revoke_consent)
    if found.error is not None:
        attempt = _Attempt(values, error=found.error)
    elif dry_run:
        attempt = _Attempt(values, revoked=frozenset(value for _hint, value in values))
    else:
        attempt = _ask_vendor(values, found, request, session, ports, revoke_consent=revoke_consent)
    _warn(attempt, request, ports)
    return _outcome(attempt, vendor)


#: Tokens with their token type hints of RFC 7009 2.1, which come first.
_Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Found:
    """The cached tokens of a request.

    :arg mac: of the shared entry; None if it was not read.
    :arg error: why the shared entry, or both, could not be read.
    """

    own: Token | None = None
    shared: Token | None = None
    mac: Mac | None = None
    error: TokenError | None = None


@dataclass(frozen=True)
class _Attempt:
    """What was to be revoked, and what the vendor did with it.

    :arg unsupported: the token types that the vendor does not revoke.
    :arg error: why the attempt ended early; a later one may succeed.
    """

    values: _Values = field(default=(), repr=False)
    revoked: frozenset[str] = field(default=frozenset(), repr=False)
    unsupported: tuple[str, ...] = ()
    error: TokenError | None = None


def _outcome(attempt: _Attempt, vendor: Vendor) -> RevocationOutcome:
    def names(*, revoked: bool) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"{vendor.name} {hint}" for hint, value in attempt.values if (value in attempt.revoked) is revoked))

    return RevocationOutcome(names(revoked=True), attempt.error is not None, names(revoked=False))


def _warn(attempt: _Attempt, request: Request, ports: Ports) -> None:
    name = request.vendor.name
    if attempt.error is not None:
        ports.warn(
            coded(
                f"{name}: the token for {request.where} could not be revoked at the vendor, so it stays in the cache. Try again "
                f"once that is fixed: {attempt.error.message}",
                attempt.error.fault,
            )
        )
        return
    for kind in dict.fromkeys(attempt.unsupported):
        ports.warn(
            coded(
                f"{name}: the vendor does not revoke the {kind} of {request.where} ({_UNSUPPORTED}). It was removed from the cache, and stays valid "
                "until it expires.",
                "vendor:revocation",
            )
        )


def _find(request: Request, store: FileStore, session: VaultLogin, ports: Ports, *, with_shared: bool) -> _Found:
    """Find the cached tokens; *with_shared*: those in the shared entry too."""
    own = None
    try:
        user_key = store.known_key()
        own = entry_from_dict(store.read(token_keys(request, user_key))).token if user_key else None
        if request.cache.kind != "vault" or not with_shared:
            return _Found(own)
        cache = SharedCache(request, session, ports)
        return _Found(own, cache.read().token, cache.mac)
    except TokenError as exc:
        return _Found(own, error=exc)


def _ask_vendor(values: _Values, found: _Found, request: Request, session: VaultLogin, ports: Ports, *, revoke_consent: bool) -> _Attempt:
    """Revoke the tokens in *found* and, if requested, the consent, if the vendor has an endpoint for that.

    :arg values: what is to be revoked as far as that is known without the secret.
    """
    vendor = request.vendor
    try:
        secret = session.secret().data if values or revoke_consent else {}
        if found.shared:
            found = replace(found, shared=without_unverified_refresh_token(found.shared, request, secret, found.mac))
            values = _values(found, vendor, revoke_consent=revoke_consent)
        if revoke_consent and vendor.single_use:
            values = _with_stored(values, secret.get(refresh_token_key(request)))
        endpoint = _with_endpoint(request, secret, ports) if values else vendor
        if not values or not endpoint.revocation_url:
            return _Attempt()  # no revocation endpoint: they only need removing from the cache
        check_address(endpoint, endpoint.url(endpoint.revocation_url), allow_http=request.http.allow_http)
        # consent=True: no error if the consent has already ended.
        fields = credentials(replace(request, vendor=endpoint), secret, consent=True)
    except TokenError as exc:
        return _Attempt(values, error=exc)

    def revoke(hint: str, value: str) -> bool:
        return _revoke(request, endpoint, fields, value, hint=hint, session=session, ports=ports)

    return _revoke_each(values, revoke, found, request, ports)


def _revoke_each(values: _Values, revoke: t.Callable[[str, str], bool], found: _Found, request: Request, ports: Ports) -> _Attempt:
    """Revoke *values* one after the other.

    :arg revoke: called with the hint and the token; False if the vendor does not revoke tokens of this type.
    """
    attempt, in_use = _Attempt(values), found.own or found.shared
    failures: list[tuple[VendorError, bool]] = []
    for hint, value in values:
        try:
            is_revoked = revoke(hint, value)
        except TokenError as exc:
            # Refresh tokens come from the secret, this controller or a verified writer; a shared access token may come from anyone.
            if not isinstance(exc, VendorError) or found.mac is None or hint == "refresh_token":
                return replace(attempt, error=exc)
            failures.append((exc, in_use is not None and value == in_use.access_token))
            continue
        if is_revoked:
            attempt = replace(attempt, revoked=attempt.revoked | {value})
            ports.event(Event("revoked", request.vendor.name, request.where, reason=hint))
        else:
            attempt = replace(attempt, unsupported=(*attempt.unsupported, hint.replace("_", " ")))
    return replace(attempt, error=_report_failures(failures, request, ports, others_accepted=bool(attempt.revoked or attempt.unsupported)))


def _report_failures(failures: list[tuple[VendorError, bool]], request: Request, ports: Ports, *, others_accepted: bool) -> VendorError | None:
    """Warn about the access tokens that could not be revoked; the second item of each pair says whether this controller uses the token.

    :returns: the error for a token in use, if a later attempt may succeed; no further warning is given then.
    """
    for error, used in failures:
        if used and not _concerns_token(error, others_accepted=others_accepted):
            return error
        ports.warn(_unknown(request, error, used=used))
    return None


def _concerns_token(error: VendorError, *, others_accepted: bool) -> bool:
    """Whether *error* is about the token itself, so that each attempt would fail: a writer of the shared cache may have planted it.

    :arg others_accepted: whether the endpoint accepted other tokens of this client.
    """
    status = error.status or 0
    return 400 <= status < 500 and status not in _TEMPORARY_STATUSES and (others_accepted or status not in _CLIENT_STATUSES)


def _unknown(request: Request, error: VendorError, *, used: bool) -> str:
    which = "this controller does not know" if not used else "may not be the vendor's"
    return coded(
        f"{request.vendor.name}: the shared entry for {request.where} has, or had, a token that {which}, and it could not be revoked: "
        f"{error.message} Check who can write to cache_vault_path.",
        error.fault,
    )


def _values(found: _Found, vendor: Vendor, *, revoke_consent: bool) -> _Values:
    """The tokens to revoke, without duplicates; refresh tokens first, so that they cannot renew the others."""
    tokens = [token for token in (found.own, found.shared) if token]
    hints: dict[str, str] = {}
    if revoke_consent or not vendor.single_use:  # for single-use credentials a refresh token is the credential
        hints.update((token.refresh_token, "refresh_token") for token in tokens if token.refresh_token)
    hints.update((token.access_token, "access_token") for token in tokens)
    return tuple((hint, value) for value, hint in hints.items())


def _with_stored(values: _Values, stored: t.Any) -> _Values:
    if not isinstance(stored, str) or not stored or ("refresh_token", stored) in values:
        return values
    return (("refresh_token", stored), *values)


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
    if code == _UNSUPPORTED:
        return False
    if not 200 <= answer.status < 300 and code != _GONE:
        raise VendorError(f"its revocation endpoint answered with HTTP {answer.status}.", status=answer.status, fault="vendor:revocation")
    return True


def _code(body: bytes) -> str | None:
    try:
        return error_code(parse_json(body))
    except ValueError:
        return None
