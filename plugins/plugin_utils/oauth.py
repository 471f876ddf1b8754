# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build token requests and read their answers (RFC 6749), for every vendor by its description alone. Pure: no I/O, no clock."""

from __future__ import annotations

import base64
import json
import math
import re
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote_plus, urlencode, urlsplit

from . import jwt
from .errors import OptionError, VaultError, VendorError
from .model import HttpAnswer, HttpRequest, Request, SecretField, Token, Value, Vendor
from .text import scrub

__all__ = (
    "Grant",
    "build_request",
    "check_address",
    "check_endpoint",
    "credentials",
    "grants",
    "host",
    "is_loopback",
    "needed_fields",
    "parse_json",
    "read_answer",
    "revocation_request",
)

JWT_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 2.1
JWT_BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 2.2

#: Signs a JWT that has these claims beside iss, sub, aud, jti, iat and exp.
Assertion = t.Callable[[t.Mapping[str, str]], str]

# What a grant needs from the secret, beside what authenticates the client (RFC 6749 4.1.3, 4.3.2, 6).
_GRANT_FIELDS = {
    "password": ("username", "password"),
    "refresh_token": ("refresh_token",),
}
_CLIENT_FIELDS: t.Mapping[str, tuple[str, ...]] = {
    "basic": ("client_id", "client_secret"),
    "basic_raw": ("client_id", "client_secret"),
    "post": ("client_id", "client_secret"),
    "private_key_jwt": ("client_id", "private_key"),
    "none": (),
}
# Read when the secret has them, never asked for.
_OPTIONAL_FIELDS = ("client_id", "code", "redirect_uri", "code_verifier", "refresh_token", "key_id", "subject")

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

_TOKEN_TEXT = re.compile(r"[\x21-\x7e]+\Z")
_CLOCK_TOLERANCE = 5.0
_LONGEST_LIFETIME = 10 * 365 * 86400.0
_ABSOLUTE_FROM = 1e9  # seconds: no lifetime is 30 years long, no expiry lies before 2001
_MILLISECONDS_FROM = 1e11
_DEEPEST_JSON = 64  # what is read here is written again elsewhere, further down the stack


@dataclass(frozen=True)
class Grant:
    """One way to ask for the token; ``fields`` are the grant's own parameters."""

    grant_type: str
    fields: t.Mapping[str, str]
    repeatable: bool = True

    def __repr__(self) -> str:
        return f"Grant({self.grant_type})"


def needed_fields(vendor: Vendor) -> tuple[str, ...]:
    """The fields that the secret must have, in the order in which a person would look for them."""
    values = [*vendor.request_headers.values()]
    for value in vendor.parameters.values():
        values.extend(value if isinstance(value, tuple) else (value,))
    named = [value.name for value in values if isinstance(value, SecretField)]
    signed = ("client_id", "private_key") if _signs(vendor, vendor.grant_type) else ()
    wanted = (*_CLIENT_FIELDS[vendor.client_auth], *_GRANT_FIELDS.get(vendor.grant_type, ()), *signed, *named)
    return tuple(dict.fromkeys(wanted))


def _signs(vendor: Vendor, grant_type: str) -> bool:
    """Whether the grant is a JWT of our own making: RFC 7523 2.1, unless the parameters bring an assertion."""
    return grant_type == JWT_BEARER_GRANT and "assertion" not in vendor.parameters


def credentials(request: Request, data: t.Mapping[str, t.Any], *, consent: bool = False) -> dict[str, str]:
    """The credentials among the *data* of a secret, by our names.

    :arg consent: they are for asking for consent, which is what gives the refresh token.
    :raises VaultError: a needed field is missing, empty or not a string.
    """
    vendor, fields = request.vendor, request.secret.fields
    found: dict[str, str] = {}
    for name in needed_fields(vendor):
        found[name] = _field(request, data, name)
    for name in _OPTIONAL_FIELDS:
        value = data.get(fields.get(name, name))
        if name not in found and isinstance(value, str) and value and _sendable(value):
            found[name] = value
    if vendor.grant_type == "authorization_code" and not consent and not {"code", "refresh_token"} & set(found):
        raise VaultError(
            f"{vendor.name}: the secret {request.where} has neither a refresh_token nor a code. "
            "Run the playbook trackops.api_tokens.authorize to give consent in the browser.",
            kind="field",
        )
    return found


def _field(request: Request, data: t.Mapping[str, t.Any], name: str) -> str:
    key = request.secret.fields.get(name, name)
    value = data.get(key)
    problem = (
        f"has no field '{key}'" if key not in data
        else f"has a field '{key}' that is not a string" if not isinstance(value, str)
        else f"has an empty field '{key}'" if not value.strip()
        else f"has a field '{key}' with half a character (a lone surrogate)" if not _sendable(value)
        else ""
    )
    if problem:
        raise VaultError(
            f"{request.vendor.name}: the secret {request.where} {problem}. "
            f"Put the vendor's {name} there, or name the right key with credential_fields.",
            kind="field",
        )
    return t.cast(str, value)


def _sendable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def grants(vendor: Vendor, fields: t.Mapping[str, str], *, refresh_token: str | None = None) -> list[Grant]:
    """The grants to try, in order: a known refresh token first, then the vendor's own.

    :arg refresh_token: the one that came with the last token, from the cache.
    """
    ways = []
    if refresh_token and vendor.use_refresh_token:
        ways.append(_refresh(refresh_token))
    if vendor.grant_type in ("refresh_token", "authorization_code"):
        stored = fields.get("refresh_token")
        if stored and stored != refresh_token:
            ways.append(_refresh(stored))
        if vendor.grant_type == "authorization_code" and fields.get("code"):
            names = ("code", "redirect_uri", "code_verifier")
            ways.append(Grant("authorization_code", {n: fields[n] for n in names if n in fields}, repeatable=False))
    else:
        own = {name: fields[name] for name in _GRANT_FIELDS.get(vendor.grant_type, ())}
        ways.append(Grant(vendor.grant_type, own))
    return ways


def _refresh(refresh_token: str) -> Grant:
    return Grant("refresh_token", {"refresh_token": refresh_token}, repeatable=False)


def build_request(
    vendor: Vendor, grant: Grant, fields: t.Mapping[str, str], *, assertion: Assertion | None = None
) -> HttpRequest:
    """The HTTP request of one grant.

    :arg assertion: makes a signed JWT with these claims beside the usual ones: RFC 7523 2.1 (the grant) and 2.2 (the client).
    """
    headers = {name: _value(value, fields) for name, value in vendor.request_headers.items()}
    parameters: list[tuple[str, str]] = []
    proofs = _client_parameters(vendor, fields, assertion)
    if _signs(vendor, grant.grant_type) and assertion is not None:
        # Some servers look for the scope in the assertion, others beside it.
        claims = {"sub": fields.get("subject", fields["client_id"]), **({"scope": vendor.scope} if vendor.scope else {})}
        proofs.append(("assertion", assertion(claims)))
    if vendor.request_format != "none":
        parameters.append(("grant_type", grant.grant_type))
        parameters.extend(grant.fields.items())
        if vendor.scope and grant.grant_type != "authorization_code":
            parameters.append(("scope", vendor.scope))
        parameters.extend(_own_parameters(vendor, fields))
        parameters.extend(proofs)
    secrets = {*fields.values(), *grant.fields.values(), *dict(proofs).values()}
    if vendor.client_auth in ("basic", "basic_raw"):
        headers["Authorization"] = _basic(vendor.client_auth, fields["client_id"], fields["client_secret"])
        secrets.add(headers["Authorization"].partition(" ")[2])
    method, request_format = vendor.request_method, vendor.request_format
    if request_format == "query" and grant.grant_type != vendor.grant_type:
        # A GET is for the grant that the vendor documents so; a refresh goes as RFC 6749 6 has it.
        method, request_format = "POST", "form"
    encode = _ENCODERS[request_format]
    return encode(method, vendor.token_endpoint, headers, parameters, secrets=tuple(secrets), repeatable=grant.repeatable)


def _own_parameters(vendor: Vendor, fields: t.Mapping[str, str]) -> t.Iterator[tuple[str, str]]:
    for name, value in vendor.parameters.items():
        for single in value if isinstance(value, tuple) else (value,):
            yield name, _value(single, fields)


def _value(value: Value, fields: t.Mapping[str, str]) -> str:
    return fields[value.name] if isinstance(value, SecretField) else value


def _client_parameters(
    vendor: Vendor, fields: t.Mapping[str, str], assertion: Assertion | None
) -> list[tuple[str, str]]:
    if vendor.client_auth == "post":
        return [("client_id", fields["client_id"]), ("client_secret", fields["client_secret"])]
    if vendor.client_auth == "private_key_jwt" and assertion is not None:
        return [
            ("client_id", fields["client_id"]),
            ("client_assertion_type", JWT_BEARER_ASSERTION),
            ("client_assertion", assertion({})),
        ]
    if vendor.client_auth == "none" and "client_id" in fields:
        return [("client_id", fields["client_id"])]  # RFC 6749 3.2.1: a public client names itself
    return []


def _basic(client_auth: str, client_id: str, client_secret: str) -> str:
    if client_auth == "basic":  # RFC 6749 2.3.1: both are form-encoded first
        client_id, client_secret = quote_plus(client_id), quote_plus(client_secret)
    return "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode("ascii")


def _as_form(
    method: str, url: str, headers: dict[str, str], parameters: list[tuple[str, str]], **kw: t.Any
) -> HttpRequest:
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return HttpRequest(method, url, headers, urlencode(parameters).encode("ascii"), **kw)


def _as_json(
    method: str, url: str, headers: dict[str, str], parameters: list[tuple[str, str]], **kw: t.Any
) -> HttpRequest:
    headers.setdefault("Content-Type", "application/json")
    body: dict[str, str | list[str]] = {}
    for name, value in parameters:
        if name in body:  # RFC 8707: resource may be repeated
            earlier = body[name]
            body[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            body[name] = value
    return HttpRequest(method, url, headers, json.dumps(body).encode("ascii"), **kw)


def _as_query(
    method: str, url: str, headers: dict[str, str], parameters: list[tuple[str, str]], **kw: t.Any
) -> HttpRequest:
    return HttpRequest(method, url + ("&" if "?" in url else "?") + urlencode(parameters), headers, None, **kw)


def _bare(
    method: str, url: str, headers: dict[str, str], parameters: list[tuple[str, str]], **kw: t.Any
) -> HttpRequest:
    del parameters
    return HttpRequest(method, url, headers, None, **kw)


_ENCODERS = {"form": _as_form, "json": _as_json, "query": _as_query, "none": _bare}


def revocation_request(vendor: Vendor, fields: t.Mapping[str, str], token: str, *, hint: str) -> HttpRequest:
    """The request that gives *token* back (RFC 7009 2.1); *hint* is ``access_token`` or ``refresh_token``."""
    headers = {"Accept": "application/json"}
    if vendor.client_auth in ("basic", "basic_raw"):
        headers["Authorization"] = _basic(vendor.client_auth, fields["client_id"], fields["client_secret"])
    parameters = [("token", token), ("token_type_hint", hint)]
    if vendor.client_auth in ("post", "none"):
        parameters.extend((name, fields[name]) for name in ("client_id", "client_secret") if name in fields)
    secrets = (*fields.values(), token)
    return _as_form("POST", vendor.url(vendor.revocation_url), headers, parameters, secrets=secrets, repeatable=True)


def read_answer(
    request: Request, answer: HttpAnswer, *, grant: Grant, requested_at: float, received_at: float,
    secrets: t.Iterable[str] = (), secret_version: str = "",
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
    if not _TOKEN_TEXT.match(access_token):
        raise reader.unreadable("its token has characters that no HTTP header may carry")
    expires_at = _expiry(request.vendor, body, access_token, answer, requested_at=requested_at, received_at=received_at)
    refresh_token = body.get("refresh_token")
    return Token(
        access_token=access_token,
        token_type=_text(body.get("token_type")) or "Bearer",
        expires_at=expires_at,
        issued_at=requested_at,
        scope=_text(body.get("scope")) or None,
        extra=_extra(request.vendor, body),
        refresh_token=refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        secret_version=secret_version,
    )


def _text(value: t.Any) -> str:
    if isinstance(value, list):  # scope as a list is a common slip
        return " ".join(str(item) for item in value)
    return value if isinstance(value, str) else ""


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


def _expiry(
    vendor: Vendor, body: t.Any, access_token: str, answer: HttpAnswer, *, requested_at: float, received_at: float
) -> float:
    """When the token ends, by our clock: a lifetime, else an absolute expiry, else the JWT's, else the default."""
    said = _moment(_at(body, vendor.expires_field))
    if said is not None and said < _ABSOLUTE_FROM:
        return requested_at + min(max(said, 0.0), _LONGEST_LIFETIME)
    if said is None:
        said = jwt.expiry(access_token)
    if said is None:
        return requested_at + vendor.default_lifetime
    skew = received_at - _server_time(answer, received_at)
    if abs(skew) > _CLOCK_TOLERANCE:
        said += skew
    return min(max(said, requested_at), requested_at + _LONGEST_LIFETIME)


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
        return _LONGEST_LIFETIME if value > 0 else 0.0
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


class _Twice(ValueError):
    """A JSON object names the same member twice, so two readers could see two tokens."""


def _object(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


def _no_constant(name: str) -> t.Any:
    raise ValueError(name)


def parse_json(body: bytes) -> t.Any:
    """JSON as RFC 8259 has it; ISO-8859-1 is forgiven, duplicate members, NaN and bottomless nesting are not."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("iso-8859-1")
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper(found, than=_DEEPEST_JSON):
        raise ValueError("nested too deeply")
    return found


def _deeper(value: t.Any, *, than: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return than == 0 or any(_deeper(single, than=than - 1) for single in inner)


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
                kind="refused", status=status, code=shown,
            )
        if code in ("temporarily_unavailable", "server_error", "slow_down"):
            return self._unavailable(status, shown)
        wait = f"{self.request.cache.failure_ttl:g}"
        return VendorError(
            f"{self._name}: the vendor refused the credentials at {self._place}: {shown}. "
            f"Check {self._suspects(code)} there; the next attempt is made as soon as the secret changes, or in {wait} s.{said}",
            kind="refused", status=status, code=shown,
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
            kind="unavailable", status=status, code=shown or None,
            retryable=status in (429, 502, 503, 504), retry_after=wait,
            sent=status != 429,
        )

    def _redirected(self) -> VendorError:
        target = host(self.answer.headers.get("location", "")) or "elsewhere"
        return VendorError(
            f"{self._name}: the vendor at {self._host} redirects to {scrub(target, self.secrets, limit=80)} "
            f"(HTTP {self.answer.status}); the credentials at {self._place} are not sent on. "
            "Set base_url or token_url to the right address.",
            kind="answer", status=self.answer.status,
        )

    def _rejected(self, parsed: t.Any) -> VendorError:
        status = self.answer.status
        hint = "Check base_url, token_url and variant" if status in (404, 405, 410) else "Check the options of this vendor"
        return VendorError(
            f"{self._name}: the vendor at {self._host} rejected the token request for {self._place} (HTTP {status}). "
            f"{hint}.{self._said(parsed)}",
            kind="refused" if status < 404 else "answer", status=status,
        )

    def unreadable(self, what: str) -> VendorError:
        return VendorError(
            f"{self._name}: the vendor at {self._host} gave no token for {self._place}: {what} "
            f"(HTTP {self.answer.status}). Check base_url and token_url.",
            kind="answer", status=self.answer.status,
        )


def host(url: str) -> str:
    """``host:port`` of *url*, the part of it that is safe to show; TrackMage's query holds its secret."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return f"{name}:{port}" if port else name


def check_endpoint(vendor: Vendor, *, allow_http: bool) -> None:
    """Refuse a token endpoint that is missing, malformed, or plain http to somewhere else.

    :raises OptionError: with the option to set.
    """
    url = vendor.token_endpoint
    if vendor.issuer and not vendor.token_url:
        url = vendor.issuer
    elif not vendor.token_url:
        raise OptionError(f"{vendor.name}: there is no token endpoint. Set token_url or issuer.")
    if "://" not in url:
        raise OptionError(
            f"{vendor.name}: base_url is needed, for example "
            f"{'https://<portal>.staffr.us' if vendor.name == 'tracktik' else 'https://api.example.com'}. "
            f"Set base_url, or the variable trackops_{vendor.name}_base_url."
        )
    check_address(vendor, url, allow_http=allow_http)


def check_address(vendor: Vendor, url: str, *, allow_http: bool) -> None:
    """Refuse an address of the vendor that is malformed, or plain http to somewhere else.

    :raises OptionError: with the option to set.
    """
    name, scheme = host(url), url.split("://", 1)[0].lower()
    if scheme not in ("https", "http") or not name or "@" in urlsplit(url).netloc or any(c.isspace() for c in url):
        raise OptionError(f"{vendor.name}: the token endpoint is not a usable http(s) address. Check base_url and token_url.")
    if scheme == "http" and not allow_http and not is_loopback(urlsplit(url).hostname or ""):
        raise OptionError(
            f"{vendor.name}: {name} would get the credentials over plain http. Use https, or set allow_http if you must."
        )


def is_loopback(name: str) -> bool:
    """Whether the host *name* (no port) is this machine."""
    return name in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", name) is not None
