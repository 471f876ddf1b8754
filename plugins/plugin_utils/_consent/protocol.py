# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Consent in the browser (RFC 6749 4.1.1 and 4.1.2, RFC 7636, RFC 8252, RFC 9207): build the request URL, and read the response.

No I/O, no clock. Pure, except that :func:`begin` takes random texts from *random*, by default the operating system's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import typing as t
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlunsplit

from .._base.errors import OptionError, VendorError
from .._base.model import Vendor
from .._http.local_address import is_loopback
from .._text.one_line import one_line
from .._vendor.address import host, is_private, is_usable, split_address
from .._vendor.redaction import Redactor

__all__ = (
    "Consent",
    "authorization_url",
    "begin",
    "challenge",
    "check_redirect_uri",
    "consent_parameters",
    "is_response",
    "is_response_to",
    "listening_address",
    "read_redirect",
    "state_of",
    "with_port",
)

_SENT_TO_BOTH = ("audience", "resource")  # RFC 8707 2.1: the only token request parameters that are also sent here


@dataclass(frozen=True)
class Consent:
    """A pending consent; ``verifier`` is empty if the vendor does not support PKCE."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str


def begin(redirect_uri: str, *, pkce: bool, random: t.Callable[[int], str] = secrets.token_urlsafe) -> Consent:
    """A new consent. ``state`` and the verifier (RFC 7636 4.1: 43 characters) have 256 random bits each."""
    return Consent(state=random(32), verifier=random(32) if pkce else "", redirect_uri=redirect_uri)


def challenge(verifier: str) -> str:
    """RFC 7636 4.2, S256: the only method that keeps the verifier out of the browser."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def authorization_url(vendor: Vendor, client_id: str, consent: Consent, *, allow_http: bool = False) -> str:
    """The URL at which the vendor asks the person; nothing in it is secret.

    A query in ``authorize_url`` is kept (RFC 6749 3.1), for parameters that a vendor requires beyond the standard.

    :raises OptionError: ``authorize_url`` is missing or unusable.
    """
    url = vendor.url(vendor.authorize_url)
    _check_authorize_url(vendor, url, allow_http=allow_http)
    parts = split_address(url)
    asked = [("response_type", "code"), ("client_id", client_id), ("redirect_uri", consent.redirect_uri), ("state", consent.state)]
    proof = [("code_challenge", challenge(consent.verifier)), ("code_challenge_method", "S256")] if consent.verifier else []
    return urlunsplit(parts._replace(query=urlencode(consent_parameters(vendor, "authorize_url", parts.query, [*asked, *proof]))))


def consent_parameters(vendor: Vendor, option: str, query: str, asked: t.Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The parameters of a request for consent: those in the *query* of the URL, those *asked*, the scope, and what the token request has too.

    :arg option: the option with the URL, for the message.
    :raises OptionError: the query has a parameter that is added anyway.
    """
    added = [*asked, *([("scope", vendor.scope)] if vendor.scope else [])]
    for name in _SENT_TO_BOTH:
        value = vendor.parameters.get(name)
        added.extend((name, single) for single in (value if isinstance(value, tuple) else (value,)) if isinstance(single, str))
    own = parse_qsl(query, keep_blank_values=True)
    twice = sorted({name for name, _value in own} & {name for name, _value in added})
    if twice:
        raise OptionError(f"{vendor.name}: the query of {option} must not contain '{twice[0]}': it is added automatically.", fault="option:clash")
    return [*own, *added]


def _check_authorize_url(vendor: Vendor, url: str, *, allow_http: bool) -> None:
    if not vendor.authorize_url:
        raise OptionError(f"{vendor.name}: the vendor's authorization URL is not known. Set authorize_url or issuer.", fault="option:missing")
    if not is_usable(url) or split_address(url).fragment:
        raise OptionError(f"{vendor.name}: authorize_url is not a usable http(s) address. Check base_url and authorize_url.", fault="option:address")
    if not is_private(url, allow_http=allow_http):
        raise OptionError(
            f"{vendor.name}: at {host(url)} you would log in over plain http. Use https, or set allow_http if you must.", fault="option:plain_http"
        )


def check_redirect_uri(vendor: Vendor, redirect_uri: str) -> None:
    """Reject a redirect URL that no vendor may accept (RFC 6749 3.1.2), or that would send the code over a network unencrypted.

    :raises OptionError: saying what to do.
    """
    parts = split_address(redirect_uri)
    if not parts.scheme or parts.fragment or not redirect_uri.isprintable() or " " in redirect_uri:
        raise OptionError(
            f"{vendor.name}: redirect_uri must be a whole address without a fragment, such as http://127.0.0.1:8400/callback.", fault="option:address"
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise OptionError(
            f"{vendor.name}: redirect_uri would carry the code over plain http. Use https, or an address of this machine.", fault="option:plain_http"
        )


def listening_address(redirect_uri: str) -> tuple[str, int, str] | None:
    """Host, port (0: any) and path to listen at for *redirect_uri*; None if it leads to another machine (RFC 8252 7.3).

    The host C(localhost) stands for both loopback addresses: browsers may use either (RFC 8252 8.3).
    """
    parts = split_address(redirect_uri)
    name = parts.hostname or ""
    if parts.scheme != "http" or not is_loopback(name):
        return None
    return name, parts.port or 0, parts.path or "/"


def is_response(redirected: str) -> bool:
    """Whether this can be a response in the browser, whatever its outcome."""
    return bool({"code", "error"} & {name for name, _value in _pairs(redirected)})


def state_of(redirected: str) -> str:
    """The ``state`` in the response; empty if there is none."""
    return dict(_pairs(redirected)).get("state", "")


def is_response_to(redirected: str, consent: Consent) -> bool:
    """Whether this is the response to *consent*: it has that state, exactly once, and a code or an error (RFC 6749 4.1.2.1)."""
    states = [value for name, value in _pairs(redirected) if name == "state"]
    return is_response(redirected) and len(states) == 1 and hmac.compare_digest(states[0].encode(), consent.state.encode())


def read_redirect(redirected: str, consent: Consent, vendor: Vendor, redactor: t.Callable[[], Redactor] = Redactor) -> str:
    """The authorization code in the URL (or only its query) to which the browser was redirected.

    :arg redactor: the credentials to remove from the vendor's texts; called only if there are such texts.
    :raises VendorError: another state, a denied consent, or no response at all.
    """
    name = vendor.name
    pairs = _pairs(redirected)
    found = dict(pairs)
    if not is_response(redirected):
        raise VendorError(
            f"{name}: this is not where the vendor sent the browser: it has neither a code nor an error. "
            f"The right address begins with {_plain(consent.redirect_uri)}.",
            fault="consent:answer",
        )
    if len(found) != len(pairs):
        raise VendorError(f"{name}: the answer contains a parameter twice, which no vendor may do. Start again.", fault="consent:answer")
    if not hmac.compare_digest(found.get("state", "").encode(), consent.state.encode()):
        raise VendorError(
            f"{name}: the answer has a different state than the request, so it belongs to another request or is forged. Start again.", fault="consent:answer"
        )
    if vendor.issuer and found.get("iss", vendor.issuer).rstrip("/") != vendor.issuer.rstrip("/"):
        raise VendorError(f"{name}: the answer is from another issuer (RFC 9207). Start again, and check issuer and authorize_url.", fault="consent:answer")
    if found.get("error"):
        raise _denied(name, found, redactor().also(consent.state, consent.verifier))
    code = found.get("code", "")
    if not code or not code.isprintable():
        raise VendorError(f"{name}: the vendor sent the browser back without a code. Start again.", fault="consent:answer")
    return code


def _denied(name: str, found: t.Mapping[str, str], redactor: Redactor) -> VendorError:
    error = redactor.shown(found["error"], limit=60)
    description = redactor.shown(found.get("error_description", ""))
    tail = f" The vendor says: {description}" if description else ""
    if error == "access_denied":
        return VendorError(f"{name}: the consent was denied in the browser (access_denied).{tail}", "refused", code=error, fault="consent:denied")
    return VendorError(
        f"{name}: the vendor did not ask for consent: {error}. Check client_id and redirect_uri at the vendor, and scope.{tail}",
        "refused",
        code=error,
        fault="consent:not_asked",
    )


def _pairs(redirected: str) -> list[tuple[str, str]]:
    text = redirected.strip().strip("<>\"'")
    try:
        query = split_address(text).query if "?" in text or "://" in text else text
        return parse_qsl(query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return []


def _plain(url: str) -> str:
    return one_line(url.partition("?")[0])


def with_port(redirect_uri: str, port: int) -> str:
    """*redirect_uri* with *port*. RFC 8252 7.3: the vendor must accept any port of a loopback address."""
    parts = split_address(redirect_uri)
    if parts.port:
        return redirect_uri
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return urlunsplit(parts._replace(netloc=f"{name}:{port}"))
