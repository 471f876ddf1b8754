# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Fetch a new token: read the credentials from Vault, then ask the vendor. The outcome holds all results."""

from __future__ import annotations

import functools
import hashlib
import hmac
import typing as t
from dataclasses import dataclass, field, replace

from .._base.errors import TokenError, VaultError, VendorError
from .._base.model import Entry, Failure, Request, Secret, Token
from .._base.ports import Ports
from .._cache.crypto import canonical
from .._text.scrub import SHORTEST_SECRET
from .._vendor.discovery import discovered
from .._vendor.proof import signer
from .._vendor.request import Grant, as_text, build_request, credentials, grants
from .._vendor.retry import ask
from .call import Call
from .failure_memory import as_error, remembered_refusal
from .issuer_metadata import IssuerMetadata
from .refresh_token import Mac, store_refresh_token, without_unverified_refresh_token
from .vault_login import VaultLogin

__all__ = ("Fetch", "Outcome", "fetch")

_NOT_THERE = (404, 405, 410)


@dataclass(frozen=True)
class Outcome:
    """The result of an attempt: a token, or the error that the caller gets.

    :arg asked_version: of the secret that was used to ask the vendor; empty if the vendor was not asked.
    :arg spent: the refresh token of the entry was sent, and may be used up.
    :arg repeated: the remembered refusal that ``error`` repeats, because the secret still has the same version.
    :arg checked_at: when that version was read.
    """

    token: Token | None = None
    error: TokenError | None = None
    asked_version: str = ""
    spent: bool = False
    repeated: Failure | None = None
    checked_at: float = 0.0


@dataclass(frozen=True)
class Fetch:
    """The inputs of a fetch.

    :arg reason: why a new token is needed.
    :arg save: writes the original entry: first without its refresh token, before that is sent, and with it again if it was not used up. Returns
        False if the entry cannot be written.
    :arg keep: writes an entry with a token that the vendor has just issued.
    :arg digest_key: the key of the digest that serves as the version of a KV v1 secret, so that it reveals nothing. For shared tokens, ``mac``
        computes the digest instead.
    :arg ports: for the requests to the vendor.
    :arg must_not_repeat: credentials and tokens that the vendor may know and that no response may repeat; grows with each request.
    :arg mac: computes the MAC of a refresh token from the secret's data; None if nobody else can write the entry.
    """

    call: Call
    reason: str
    session: VaultLogin
    save: t.Callable[[Entry], bool]
    keep: t.Callable[[Entry], bool]
    digest_key: bytes = field(repr=False)
    ports: Ports
    metadata: IssuerMetadata
    mac: Mac | None = None
    must_not_repeat: set[str] = field(default_factory=set, repr=False)


def fetch(work: Fetch, entry: Entry) -> Outcome:
    """Read the credentials and ask the vendor; ask again if the credentials changed in Vault in the meantime."""
    checked_at = work.ports.clock()
    try:
        secret = work.session.secret()
    except TokenError as exc:
        return Outcome(error=exc)
    version = _version(work, secret)
    refusal = remembered_refusal(entry.failures, work.call.caller, secret_version=version, now=work.ports.clock())
    if refusal is not None:
        error = as_error(refusal)
        work.call.report("remembered", entry.token, error=error)
        return Outcome(error=error, repeated=refusal, checked_at=checked_at)
    outcome = _ask_vendor(work, entry, secret, version)
    if not (isinstance(outcome.error, VendorError) and outcome.error.kind == "refused"):
        return outcome
    try:
        newer = work.session.secret()
    except VaultError:
        return outcome  # the vendor's error is the one that the user must fix
    if _version(work, newer) == version:
        return outcome
    second = _ask_vendor(replace(work, reason="the secret has changed in Vault"), entry, newer, _version(work, newer))
    return replace(second, spent=outcome.spent)


def _ask_vendor(work: Fetch, entry: Entry, secret: Secret, version: str) -> Outcome:
    """Try the grants in order."""
    request = work.call.request
    try:
        until = work.ports.monotonic() + request.http.deadline
        # The issuer's metadata may name the client authentication method, which decides which fields are required.
        vendor = discovered(request, ports=work.ports, until=until, keep=work.metadata, keys=secret.data)
        request = replace(request, vendor=vendor)
        fields = credentials(request, secret.data)
    except TokenError as exc:
        return Outcome(error=exc, asked_version=version)
    cached = entry.token if entry.token and entry.token.secret_version == version else None
    if cached is not None:
        cached = _with_trusted_refresh_token(work, cached, secret)
    work.must_not_repeat.update(text for text in map(as_text, secret.data.values()) if text is not None and len(text) >= SHORTEST_SECRET)
    if entry.token is not None:
        work.must_not_repeat.update(filter(None, (entry.token.access_token, entry.token.refresh_token)))
    in_order = grants(request.vendor, fields, refresh_token=cached.refresh_token if cached else None)
    outcome = Outcome()  # credentials() guarantees at least one grant
    for position, grant in enumerate(in_order):
        later_is_repeatable = any(later.repeatable for later in in_order[position + 1 :])
        is_cached = cached is not None and cached.refresh_token is not None and grant.fields.get("refresh_token") == cached.refresh_token
        if is_cached and not _take_out(work, entry) and later_is_repeatable:
            continue  # it could not be removed from the cache, so the next caller would send it again
        sent = _send(work, request, grant, fields, entry if is_cached else None, version=version, replaceable=later_is_repeatable)
        outcome = replace(sent, spent=outcome.spent or sent.spent)
        if outcome.token is not None:
            token = _signed(work, _store_rotated(work, entry, _with_old_refresh_token(outcome.token, grant), secret), secret, version)
            work.call.report("refreshed" if grant.grant_type == "refresh_token" else "fetched", token, reason=work.reason)
            return replace(outcome, token=token)
        error = outcome.error
        last = position == len(in_order) - 1
        if last or not isinstance(error, VendorError) or not error.sent or not (error.kind == "refused" or later_is_repeatable):
            return outcome
        work.call.report("failed", reason=f"{grant.grant_type}: {error.message}", error=error)
    return outcome


def _with_trusted_refresh_token(work: Fetch, cached: Token, secret: Secret) -> Token:
    """*cached*, without its refresh token if an unauthorised writer may have planted it.

    A refresh token is sent first, and its successor may be stored with the credentials, where it would outlast a repair of the entry.
    """
    request = work.call.request
    trusted = without_unverified_refresh_token(cached, request, secret.data, work.mac)
    if trusted is not cached:
        work.ports.warn(
            f"{request.vendor.name}: the refresh token in the shared entry was not written by a controller that knows {request.where}, so it is not used. "
            "Check who can write to cache_vault_path."
        )
    return trusted


def _signed(work: Fetch, token: Token, secret: Secret, version: str) -> Token:
    """*token* with a MAC for sharing. A refresh token that was stored in the secret, which then has a new version, needs none."""
    if work.mac is None or not token.refresh_token or token.secret_version != version:
        return token
    return replace(token, refresh_token_mac=work.mac(secret.data, token.refresh_token))


def _take_out(work: Fetch, entry: Entry) -> bool:
    """Remove the refresh token from the cache before it is sent: if this process is killed, the next caller must not send it again,
    because a vendor that rotates them treats reuse as theft."""
    return entry.token is not None and work.save(replace(entry, token=entry.token.without_refresh_token()))


def _send(
    work: Fetch,
    request: Request,
    grant: Grant,
    fields: dict[str, str],
    spending: Entry | None,
    *,
    version: str,
    replaceable: bool,
) -> Outcome:
    """Ask the vendor with one grant.

    :arg spending: the entry that contained this grant's refresh token.
    :arg replaceable: whether another grant can still obtain a token. If not, the refresh token goes back into the entry: one that may be used
        up is better than none.
    """
    vendor, ports = request.vendor, work.ports
    until = ports.monotonic() + request.http.deadline
    sign = signer(vendor, fields, clock=ports.clock, transit=work.session.transit_sign, signed=work.must_not_repeat)
    # An assertion may be used only once, so each retry gets a new one.
    build = functools.partial(build_request, vendor, grant, fields, assertion=sign)
    try:
        http_request = build()
        if not request.http.validate_certs:
            ports.warn(f"{vendor.name}: the vendor's certificate is not checked (http_validate_certs=false): anyone on the network can read the credentials.")
        token = ask(request, http_request, grant, ports=ports, until=until, secret_version=version, again=build, unused=work.must_not_repeat)
    except TokenError as exc:
        if isinstance(exc, VendorError) and (not exc.sent or exc.status in _NOT_THERE or exc.code == "invalid_client"):
            work.metadata.forget()
        # All errors except the vendor's occur before anything is sent.
        spent = isinstance(exc, VendorError) and exc.sent and (replaceable or exc.kind == "refused")
        if spending is not None and not spent:
            work.save(spending)
        return Outcome(error=exc, asked_version=version, spent=spending is not None and spent)
    return Outcome(token=token, asked_version=version, spent=spending is not None)


def _with_old_refresh_token(token: Token, grant: Grant) -> Token:
    """RFC 6749 6: without a new refresh token, the old one stays valid."""
    if grant.grant_type != "refresh_token" or token.refresh_token is not None:
        return token
    return replace(token, refresh_token=grant.fields["refresh_token"])


def _store_rotated(work: Fetch, entry: Entry, token: Token, secret: Secret) -> Token:
    """Store a rotated refresh token in Vault, if a refresh token is the only credential."""
    request = work.call.request
    if not request.vendor.single_use or not token.refresh_token:
        return token
    # Write locally first, so that a crash before the Vault write loses nothing.
    work.keep(replace(entry, token=replace(token, source="cache")))
    version = store_refresh_token(request, token.refresh_token, secret, session=work.session, ports=work.ports)
    return replace(token, secret_version=version) if version else token


def _version(work: Fetch, secret: Secret) -> str:
    """The version of the secret: that of KV v2; for KV v1 a keyed digest, equal for all controllers that share tokens."""
    if secret.version is not None:
        return str(secret.version)
    if work.mac is not None:
        return "v1:" + work.mac(secret.data, "")[:16]
    return "v1:" + hmac.new(work.digest_key, canonical(secret.data), hashlib.sha256).hexdigest()[:16]
