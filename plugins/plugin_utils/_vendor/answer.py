# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Read the answers to token requests (RFC 6749 5) for every vendor from its description alone. Pure: no I/O, no clock."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from .._base import jwt
from .._base.errors import VendorError
from .._base.model import HttpAnswer, Request, Token, Vendor
from .._base.text import one_line, scrub
from .._base.token_check import LONGEST_LIFETIME, token_problem
from .address import host
from .request import Grant, needed_fields
from .strict_json import _Twice, parse_json

__all__ = (
    "read_answer",
    "retry_after",
)

# RFC 6749 5.2: which of the credentials a refusal is about.
_SUSPECTS = {
    "invalid_client": "client_id and client_secret",
    "unauthorized_client": "that the client may use this grant",
}
_GRANT_SUSPECTS = {
    "password": "username and password",
    "refresh_token": "refresh_token",
    "authorization_code": "code and refresh_token, or run the playbook trackops.api_tokens.authorize again,",
}
_REFUSALS = ("invalid_client", "invalid_grant", "unauthorized_client", "access_denied")
_REQUEST_FAULTS = ("invalid_request", "invalid_scope", "unsupported_grant_type", "invalid_target")
_CLOCK_TOLERANCE = 5.0
_LONGEST_TEXT = 10_000  # characters of a scope
_ABSOLUTE_FROM = 1e9  # seconds: no lifetime is 30 years long, no expiry lies before 2001
_MILLISECONDS_FROM = 1e11


def read_answer(
    request: Request,
    answer: HttpAnswer,
    *,
    grant: Grant,
    requested_at: float,
    received_at: float,
    secrets: t.Iterable[str] = (),
    secret_version: str = "",
) -> Token:
    """The token in the vendor's *answer*.

    :arg requested_at: when the request was sent; lifetimes count from here.
    :arg received_at: when the answer came; compared with its ``Date`` header.
    :raises VendorError: a refusal, an outage, or something that is no token.
    """
    reader = _Reader(request, answer, grant, received_at, tuple(secrets), secret_version)
    body = reader.body()
    access_token = _at(body, request.vendor.token_field)
    if not isinstance(access_token, str) or not access_token:
        raise reader.unreadable(f"its answer has no token in '{request.vendor.token_field}'")
    expires_at = _expiry(request.vendor, body, access_token, answer, requested_at=requested_at, received_at=received_at)
    refresh_token = body.get("refresh_token")
    token = Token(
        access_token=access_token,
        token_type=_text(body.get("token_type")) or "Bearer",
        expires_at=expires_at,
        issued_at=requested_at,
        scope=_text(body.get("scope")) or None,
        extra=_extra(request.vendor, body),
        refresh_token=refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        secret_version=secret_version,
    )
    problem = token_problem(token)
    if problem:
        raise reader.unreadable(problem)
    return token


def _text(value: t.Any) -> str:
    if isinstance(value, list):  # scope as a list is a common slip
        value = " ".join(str(item) for item in value)
    return one_line(value, limit=_LONGEST_TEXT) if isinstance(value, str) else ""


def _extra(vendor: Vendor, body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What else the vendor said, without anything that is or holds a token."""
    known = {"access_token", "refresh_token", "id_token", "token_type", "scope", "expires_in"}
    known |= {vendor.token_field.split(".")[0], vendor.expires_field.split(".")[0]}
    return {str(name): value for name, value in body.items() if name not in known}


def _at(body: t.Any, dotted: str) -> t.Any:
    for part in dotted.split("."):
        if isinstance(body, dict):
            body = body.get(part)
        elif isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        else:
            return None
    return body


def _expiry(vendor: Vendor, body: t.Any, access_token: str, answer: HttpAnswer, *, requested_at: float, received_at: float) -> float:
    """When the token ends, by our clock: a lifetime, else an absolute expiry, else the JWT's, else the default."""
    said = _moment(_at(body, vendor.expires_field))
    if said is not None and said < _ABSOLUTE_FROM:
        return requested_at + min(max(said, 0.0), LONGEST_LIFETIME)
    if said is None:
        said = jwt.expiry(access_token)
    if said is None:
        return requested_at + vendor.default_lifetime
    skew = received_at - _server_time(answer, received_at)
    if abs(skew) > _CLOCK_TOLERANCE:
        said += skew
    return min(max(said, requested_at), requested_at + LONGEST_LIFETIME)


def _moment(value: t.Any) -> float | None:
    """Seconds, as a number, a string with one, or an ISO 8601 date."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = _number_or_date(value.strip())
    if not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return LONGEST_LIFETIME if value > 0 else 0.0
    if not math.isfinite(seconds):
        return None
    return seconds / 1000 if seconds >= _MILLISECONDS_FROM else seconds


def _number_or_date(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(re.sub(r"[Zz]\Z", "+00:00", text))
    except ValueError:
        return None
    # A date is never a lifetime, however long ago it is.
    return max((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp(), _ABSOLUTE_FROM)


def _server_time(answer: HttpAnswer, fallback: float) -> float:
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return fallback


def retry_after(answer: HttpAnswer, now: float) -> float | None:
    """The seconds that ``Retry-After`` (RFC 9110 10.2.3) asks to wait, as a number or a date."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - _server_time(answer, now))
    except (ValueError, TypeError, OverflowError):
        return None


@dataclass(frozen=True)
class _Reader:
    """Turns one answer into its JSON object, or into the one-line error that tells what to do."""

    request: Request
    answer: HttpAnswer
    grant: Grant
    received_at: float
    secrets: tuple[str, ...] = field(repr=False)
    secret_version: str

    def body(self) -> dict[str, t.Any]:
        parsed = self._parsed()
        code = self._code(parsed)
        status = self.answer.status
        if status in (429, 502, 503, 504) or status >= 500:
            raise self._unavailable(status)
        if 300 <= status < 400:
            raise self._redirected()
        if status in (404, 405, 410):  # whatever its body says, it is not the token endpoint
            raise self._rejected(parsed)
        if code is not None or status in (401, 403):
            raise self._refusal(code, parsed)
        if not 200 <= status < 300:
            raise self._rejected(parsed)
        if not isinstance(parsed, dict):
            raise self.unreadable(self._what_it_is())
        return parsed

    def _parsed(self) -> t.Any:
        try:
            return parse_json(self.answer.body)
        except _Twice:
            if 200 <= self.answer.status < 300:
                raise self.unreadable("its answer names a field twice") from None
        except ValueError:
            pass
        return None

    def _what_it_is(self) -> str:
        start = self.answer.body.lstrip()[:1]
        if not start:
            return "its answer is empty"
        if start == b"<" or "html" in self.answer.headers.get("content-type", ""):
            return "it answered with a web page instead of JSON"
        return "its answer is not a JSON object"

    @staticmethod
    def _code(parsed: t.Any) -> str | None:
        """RFC 6749 5.2: ``error``, which some vendors send with status 200."""
        error = parsed.get("error") if isinstance(parsed, dict) else None
        if isinstance(error, dict):
            error = error.get("code") or error.get("type") or error.get("message") or "error"
        return str(error) if error else None

    def _said(self, parsed: t.Any) -> str:
        """The vendor's own words, scrubbed."""
        if not isinstance(parsed, dict):
            return ""
        inner = parsed.get("error")
        for place in (parsed, inner if isinstance(inner, dict) else {}):
            for name in ("error_description", "hydra:description", "message", "detail"):
                if isinstance(place.get(name), str) and place[name].strip():
                    return f" The vendor says: {self._scrub(place[name])}"
        return ""

    def _scrub(self, text: str) -> str:
        return scrub(text, self.secrets)

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
        shown = self._scrub(code)[:60] if code else f"HTTP {status}"
        said = self._said(parsed)
        if code in _REQUEST_FAULTS:
            what = "the scope" if code == "invalid_scope" else "the options of this vendor"
            return VendorError(
                f"{self._name}: the vendor did not accept the request with the credentials at {self._place}: {shown}. "
                f"Check {what} (scope, variant, token_url, extra_parameters).{said}",
                kind="refused",
                status=status,
                code=shown,
            )
        if code in ("temporarily_unavailable", "server_error", "slow_down"):
            return self._unavailable(status, shown)
        wait = f"{self.request.cache.failure_ttl:g}"
        return VendorError(
            f"{self._name}: the vendor refused the credentials at {self._place}: {shown}. "
            f"Check {self._suspects(code)} there; the next attempt is made as soon as the secret changes, or in {wait} s.{said}",
            kind="refused",
            status=status,
            code=shown,
        )

    def _suspects(self, code: str | None) -> str:
        if code in _SUSPECTS and self.request.vendor.client_auth != "private_key_jwt":
            return _SUSPECTS[code]
        if code == "invalid_grant" and self.grant.grant_type in _GRANT_SUSPECTS:
            return _GRANT_SUSPECTS[self.grant.grant_type]
        names = [self.request.secret.fields.get(name, name) for name in needed_fields(self.request.vendor)]
        return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "the fields"

    def _unavailable(self, status: int, shown: str = "") -> VendorError:
        wait = retry_after(self.answer, self.received_at)
        later = f" It asks to wait {wait:.0f} s." if wait is not None else ""
        what = "has had too many requests" if status == 429 else "is not available"
        return VendorError(
            f"{self._name}: the vendor at {self._host} {what} ({shown or f'HTTP {status}'}), so there is no token for "
            f"{self._place}. Try again later; the credentials were not refused.{later}",
            kind="unavailable",
            status=status,
            code=shown or None,
            retryable=status in (429, 502, 503, 504),
            retry_after=wait,
            sent=status != 429,
        )

    def _redirected(self) -> VendorError:
        target = host(self.answer.headers.get("location", "")) or "elsewhere"
        return VendorError(
            f"{self._name}: the vendor at {self._host} redirects to {scrub(target, self.secrets, limit=80)} "
            f"(HTTP {self.answer.status}); the credentials at {self._place} are not sent on. "
            "Set base_url or token_url to the right address.",
            kind="answer",
            status=self.answer.status,
        )

    def _rejected(self, parsed: t.Any) -> VendorError:
        status = self.answer.status
        hint = "Check base_url, token_url and variant" if status in (404, 405, 410) else "Check the options of this vendor"
        return VendorError(
            f"{self._name}: the vendor at {self._host} rejected the token request for {self._place} (HTTP {status}). {hint}.{self._said(parsed)}",
            kind="refused" if status < 404 else "answer",
            status=status,
        )

    def unreadable(self, what: str) -> VendorError:
        return VendorError(
            f"{self._name}: the vendor at {self._host} gave no token for {self._place}: {what} (HTTP {self.answer.status}). Check base_url and token_url.",
            kind="answer",
            status=self.answer.status,
        )
