# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Read the responses to token requests (RFC 6749 5) of every vendor as its description says. Pure: no I/O, no clock."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._base import extra, jwt
from .._base.errors import VendorError
from .._base.model import HttpAnswer, HttpRequest, Request, Token, Vendor
from .._base.strict_json import DuplicateMember
from .._base.token_check import LONGEST_LIFETIME, token_problem
from .._text.one_line import one_line
from .._vendors import names
from .address import address_of, host
from .body import ADDRESS, at, fields_of, parse_body, what_it_is, without
from .error_text import error_code, error_text, is_failure
from .lifetimes import clock_difference, read_moment
from .redaction import Redactor, redactor_for_answer
from .request import Grant, needed_fields, signs
from .retry_after import retry_after

__all__ = ("read_answer",)

# RFC 6749 5.2: the credentials that a refusal is about.
_SUSPECTS = {
    "invalid_client": "client_id and client_secret",
    "unauthorized_client": "that the client may use this grant",
}
_GRANT_SUSPECTS = {
    "password": "username and password",
    "refresh_token": "refresh_token",
}
_SHARED_SECRET = ("basic", "basic_raw", "post")
_SIGNED = ("private_key_jwt", "client_secret_jwt", "bearer_jwt")
_REQUEST_FAULTS = ("invalid_request", "invalid_scope", "unsupported_grant_type", "invalid_target")
_PASSING = ("temporarily_unavailable", "server_error", "slow_down")
_CONSENT = ("consent_required", "interaction_required", "login_required")
_DPOP = ("invalid_dpop_proof", "use_dpop_nonce")  # RFC 9449 5, 8
_TOKEN_TYPE = re.compile(r"[A-Za-z0-9._:/-]{1,100}\Z")
_CLOCK_TOLERANCE = 5.0
_BELIEVED_CLOCK = 86400.0  # seconds; a clock that differs by more was never set
_PROOF_TOLERANCE = 20.0  # seconds; a signed assertion is valid for a minute
_LONGEST_TEXT = 10_000  # characters of a scope
_KNOWN = frozenset(("access_token", "refresh_token", "id_token", "token_type", "scope", "expires_in"))

Warn = t.Callable[[str], None]


def read_answer(
    request: Request,
    answer: HttpAnswer,
    *,
    grant: Grant,
    sent: HttpRequest,
    requested_at: float,
    received_at: float,
    secret_version: str,
    unused: t.Iterable[str] = (),
    warn: Warn,
) -> Token:
    """The token in the vendor's response.

    :arg sent: the request that *answer* belongs to. Its secrets are removed from what is shown, and a refusal mentions its doubts.
    :arg requested_at: when it was sent; lifetimes count from here.
    :arg received_at: when the response arrived; compared with its ``Date`` header.
    :arg unused: other values of the secret in Vault. They were not sent, but the vendor may know and repeat them.
    :raises VendorError: a refusal, an outage, or a response without a usable token.
    """
    vendor, unused = request.vendor, tuple(unused)
    redactor = redactor_for_answer(vendor, sent.secrets, identifiers=sent.identifiers, unused=unused)
    reader = _Reader(request, answer, grant, received_at, redactor, secret_version, sent.doubts)
    body = reader.body()
    access_token = _access_token(body, vendor)
    if not access_token:
        raise reader.tokenless(body)
    refresh_token = _refresh_token(body, vendor)
    redactor = redactor_for_answer(vendor, sent.secrets, identifiers=sent.identifiers, unused=unused, received=(access_token, refresh_token))
    holds_secret = redactor.finder()
    top = body if isinstance(body, dict) else {}
    scope = _text(top.get("scope"))
    expires_at = _Expiry(request, answer, body, requested_at, received_at, warn).of(access_token)
    token = Token(
        access_token=access_token,
        token_type=_token_type(_text(top.get("token_type")), holds_secret),
        expires_at=expires_at,
        issued_at=requested_at,
        scope=None if not scope or holds_secret(scope) else scope,
        extra=_extra(vendor, top, redactor.credentials) if len(answer.body) <= extra.LARGEST else {},
        refresh_token=refresh_token or None,
        secret_version=secret_version,
    )
    problem = token_problem(token)
    if problem:
        raise reader.unreadable(problem)
    return token


def _access_token(body: t.Any, vendor: Vendor) -> str:
    found = at(body, vendor.token_field)
    if not isinstance(found, str):
        return ""
    # Some vendors send the whole header value.
    return re.sub(r"\Abearer\s+", "", found, flags=re.IGNORECASE)


def _refresh_token(body: t.Any, vendor: Vendor) -> str:
    """The refresh token: where the description says, else under a usual spelling at the top level or next to the access token."""
    if vendor.refresh_token_field:
        found = at(body, vendor.refresh_token_field)
        return found if isinstance(found, str) else ""
    siblings = at(body, vendor.token_field.rpartition(".")[0])
    for place in (body, siblings):
        for name, value in place.items() if isinstance(place, dict) else ():
            if re.sub(r"[^a-z]", "", str(name).casefold()) == "refreshtoken" and isinstance(value, str) and value:
                return value
    return ""


def _text(value: t.Any) -> str:
    if isinstance(value, list):  # some vendors send scope as a list
        value = " ".join(str(item) for item in value)
    return one_line(value, limit=_LONGEST_TEXT) if isinstance(value, str) else ""


def _token_type(stated: str, holds_secret: t.Callable[[str], bool]) -> str:
    return stated if _TOKEN_TYPE.match(stated) and not holds_secret(stated) else "Bearer"


def _extra(vendor: Vendor, body: t.Mapping[str, t.Any], secrets: t.Iterable[str]) -> dict[str, t.Any]:
    """The other members of the response, without anything that is or contains a credential."""
    rest = body
    for path in (vendor.token_field, vendor.expires_field, vendor.refresh_token_field):
        rest = without(rest, path)
    return extra.public(rest, without=_KNOWN, secrets=secrets)


@dataclass(frozen=True)
class _Expiry:
    """When a token expires, by our clock: as the response says, else the JWT's own expiry, else the default."""

    request: Request
    answer: HttpAnswer
    body: t.Any = field(repr=False)
    requested_at: float
    received_at: float
    warn: Warn

    def of(self, access_token: str) -> float:
        vendor = self.request.vendor
        value = at(self.body, vendor.expires_field)
        stated = read_moment(value)
        if stated is not None and not stated.absolute and stated.seconds > 0:
            return self._bounded(self.requested_at + stated.seconds)
        if stated is not None and stated.absolute:
            until = self._by_our_clock(stated.seconds)
            if until > self.requested_at:
                return self._bounded(until)
        own = jwt.expiry(access_token)
        until = self._by_our_clock(own) if own is not None else 0.0
        if until > self.requested_at:
            if value is not None:
                self._warn_of_lifetime("so the expiry in the token itself is used", understood=stated is not None)
            return self._bounded(until)
        if value is not None:
            self._warn_of_lifetime(f"so default_lifetime is used, {vendor.default_lifetime} s", understood=stated is not None)
        return self.requested_at + vendor.default_lifetime

    def _bounded(self, until: float) -> float:
        return min(until, self.requested_at + LONGEST_LIFETIME)

    def _by_our_clock(self, moment: float) -> float:
        ahead = clock_difference(self.answer, self.received_at)
        if ahead is None or abs(ahead) <= _CLOCK_TOLERANCE:
            return moment
        if abs(ahead) > _BELIEVED_CLOCK:
            days = abs(ahead) / 86400
            self.warn(
                f"{self.request.vendor.name}: the clock of the vendor is {days:.0f} days {'behind' if ahead > 0 else 'ahead'}, according to "
                "the Date of its answer. "
                "That is too far off to be used, so the expiry of its token is calculated with the clock of this machine. Check that clock."
            )
            return moment
        return moment + ahead

    def _warn_of_lifetime(self, instead: str, *, understood: bool) -> None:
        """Warn, but do not show the response's value: it may be anything."""
        what = "says that it has already expired" if understood else "is not understood"
        vendor = self.request.vendor
        self.warn(
            f"{vendor.name}: the lifetime of the token for {self.request.where}, '{vendor.expires_field}' in the vendor's answer, {what}, {instead}. "
            "Set expires_field or default_lifetime."
        )


@dataclass(frozen=True)
class _Reader:
    """Turns a response into its JSON object, or into a one-line error that says what to do."""

    request: Request
    answer: HttpAnswer
    grant: Grant
    received_at: float
    redactor: Redactor
    secret_version: str
    doubts: tuple[str, ...] = ()

    def body(self) -> t.Any:
        parsed = self._parsed()
        code = error_code(parsed)
        status = self.answer.status
        if status == 429 or status >= 500:
            raise self._unavailable(status)
        if 300 <= status < 400:
            raise self._redirected()
        if status in (404, 405, 410):  # whatever the body says, this is not the token endpoint
            raise self._rejected(parsed)
        if status == 403 and code is None and retry_after(self.answer, self.received_at) is not None:
            raise self._unavailable(429)  # some vendors report a rate limit like this
        if code is not None and status == 200 and "retry-after" in self.answer.headers:
            raise self._unavailable(429, self.redactor.shown(code)[:60])  # a rate limit, if all errors have that status
        if code is not None or status in (401, 403):
            raise self._refusal(code, parsed)
        if status < 200 or status >= 400:
            raise self._rejected(parsed)
        if is_failure(parsed) and not _access_token(parsed, self.request.vendor):
            raise self._refusal(None, parsed)
        if not isinstance(parsed, dict) and not (isinstance(parsed, list) and self.request.vendor.token_field[:1].isdigit()):
            raise self.unreadable(*what_it_is(self.request.vendor, self.answer.body, self.answer.headers.get("content-type", "")))
        return parsed

    def _parsed(self) -> t.Any:
        try:
            return parse_body(self.request.vendor, self.answer.body)
        except DuplicateMember:
            if 200 <= self.answer.status < 300:
                raise self.unreadable("its answer has a field twice") from None
        return None

    def _vendor_says(self, parsed: t.Any) -> str:
        """The vendor's own words, scrubbed."""
        text = error_text(parsed)
        if not text and parsed is None and self.answer.headers.get("content-type", "").startswith("text/plain"):
            text = self.answer.body[:4096].decode(errors="replace").strip()
        return f" The vendor says: {self.redactor.shown(text)}" if text else ""

    @property
    def _name(self) -> str:
        return self.request.vendor.name

    @property
    def _place(self) -> str:
        version = f" (version {self.secret_version})" if self.secret_version.isdigit() else ""
        return f"{self.request.where}{version}"

    @property
    def _host(self) -> str:
        return host(self.request.vendor.token_endpoint)

    def _refusal(self, code: str | None, parsed: t.Any) -> VendorError:
        status = self.answer.status
        shown = self.redactor.shown(code)[:60] if code else f"HTTP {status}"
        vendor_says = self._vendor_says(parsed)
        if code in _REQUEST_FAULTS:
            what = "the scope" if code == "invalid_scope" else "the options of this vendor"
            return VendorError(
                f"{self._name}: the vendor did not accept the request with the credentials at {self._place}: {shown}. "
                f"Check {what} (scope, variant, token_url, extra_parameters).{vendor_says}",
                kind="refused",
                status=status,
                code=shown,
                fault="vendor:request",
            )
        if (code in _PASSING and status != 401) or code in self.request.vendor.passing_errors:  # ServiceNow says server_error with 401
            return self._unavailable(status, shown, vendor_says)
        wait = self.request.cache.failure_ttl
        # If refusals are not remembered, the next call tries again.
        again = f"; the next attempt is made as soon as the secret changes, or in {wait:g} s" if wait else ""
        doubts = "".join(f" {doubt}" for doubt in (*self.doubts, *self._clock()))
        return VendorError(
            f"{self._name}: the vendor refused the credentials at {self._place}: {shown}. {self._advice(code)}{again}.{doubts}{vendor_says}",
            kind="refused",
            status=status,
            code=shown,
            fault="vendor:grant" if code == "invalid_grant" else "vendor:refused",
        )

    def _clock(self) -> t.Iterator[str]:
        """The difference of the clocks, if it explains why a valid key was refused: few vendors say that an assertion's times are wrong."""
        vendor = self.request.vendor
        ahead = clock_difference(self.answer, self.received_at)
        if ahead is not None and abs(ahead) > _PROOF_TOLERANCE and (vendor.client_auth in _SIGNED or signs(vendor, self.grant.grant_type)):
            yield (
                f"The clock of this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the vendor's, "
                "and a signed proof is valid for a minute: check that clock."
            )

    def _advice(self, code: str | None) -> str:
        vendor = self.request.vendor
        if code == "invalid_grant" and vendor.grant_type == "authorization_code":
            return "The consent is no longer valid: run the playbook trackops.api_tokens.authorize again"
        if code in _CONSENT:
            return "A person must consent to this client at the vendor first"
        if code in _DPOP:
            return "The client must prove possession of its key with each request (DPoP), which is not supported here: turn that off for it at the vendor"
        # Keycloak sends unauthorized_client for a wrong secret, with the status of RFC 6749 5.2.
        if (code == "invalid_client" or (code == "unauthorized_client" and self.answer.status == 401)) and vendor.request_format != "query":
            return self._client_advice(code)
        return f"Check {self._suspects(code)} there"

    def _client_advice(self, code: str) -> str:
        """What to check if the client is refused: its credentials and its authentication method."""
        vendor = self.request.vendor
        others = []
        if vendor.client_auth in _SIGNED:
            others = [*(["transit_key"] if vendor.transit_key else []), "assertion_audience", "assertion_algorithm"]
        elif vendor.client_auth == "tls_client_auth":
            others = ["that the vendor knows the certificate"]
        others.append(f"whether the vendor accepts client_auth={vendor.client_auth}")
        if code == "unauthorized_client":
            others.append("that the client may use this grant")
        return f"Check {self._suspects('invalid_client')} there, {', '.join(others[:-1])}{', ' if others[1:] else ''}and {others[-1]}"

    def _suspects(self, code: str | None) -> str:
        if code in _SUSPECTS and self.request.vendor.client_auth in _SHARED_SECRET:
            return _SUSPECTS[code]
        if code == "invalid_grant" and self.grant.grant_type in _GRANT_SUSPECTS:
            return _GRANT_SUSPECTS[self.grant.grant_type]
        names = [self.request.secret.fields.get(name, name) for name in needed_fields(self.request.vendor)]
        return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "the fields"

    def _unavailable(self, status: int, shown: str = "", vendor_says: str = "") -> VendorError:
        wait = retry_after(self.answer, self.received_at)
        later = f" It asks to wait {wait:.0f} s." if wait is not None else ""
        what = "has received too many requests" if status == 429 else "is not available"
        return VendorError(
            f"{self._name}: the vendor at {self._host} {what} ({shown or f'HTTP {self.answer.status}'}), so there is no token for "
            f"{self._place}. Try again later; the credentials were not refused.{later}{vendor_says}",
            kind="unavailable",
            status=self.answer.status,
            code=shown or None,
            retryable=status in (429, 502, 503, 504) or shown in self.request.vendor.passing_errors,
            retry_after=wait,
            sent=status != 429,
            fault="vendor:busy" if status == 429 else "vendor:unavailable",
        )

    def _redirected(self) -> VendorError:
        target = host(self.answer.headers.get("location", "")) or "elsewhere"
        return VendorError(
            f"{self._name}: the vendor at {self._host} redirects to {self.redactor.shown(target, limit=80)} "
            f"(HTTP {self.answer.status}); the credentials at {self._place} are not sent on. "
            "Set base_url or token_url to the right address.",
            status=self.answer.status,
            fault="vendor:redirect",
        )

    def _rejected(self, parsed: t.Any) -> VendorError:
        status = self.answer.status
        where, hint = self._host, "Check the options of this vendor"
        if status in (404, 405, 410):  # the path of the URL is wrong, so name the URL with its path
            where = self.redactor.shown(address_of(self.request.vendor.token_endpoint))
            hint = "Check base_url, token_url and variant" if self.request.vendor.variants else ADDRESS
        if status in (400, 422):  # some vendors use these for every error
            hint += f", and {self._suspects(None)} there"
        return VendorError(
            f"{self._name}: the vendor at {where} rejected the token request for {self._place} (HTTP {status}). {hint}.{self._vendor_says(parsed)}",
            kind="refused" if status < 404 else "answer",
            status=status,
            fault="vendor:rejected",
        )

    def tokenless(self, body: t.Any) -> VendorError:
        """The error for a readable *body* without a token in the expected place."""
        vendor, fields = self.request.vendor, self.redactor.fields(fields_of(body))
        check = ADDRESS if vendor.name in names() else "Check token_field"
        return self.unreadable(f"its answer has no token in '{vendor.token_field}'", f"{check}; the answer has: {fields}" if fields else check)

    def unreadable(self, what: str, todo: str = ADDRESS) -> VendorError:
        return VendorError(
            f"{self._name}: the vendor at {self._host} gave no token for {self._place}: {what} (HTTP {self.answer.status}). {todo}.",
            status=self.answer.status,
        )
