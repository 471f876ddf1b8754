# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by the emulator's vendors: calls, answers, strict parsing, the token store, and the Vendor base class.

A vendor gets a `Call` and returns an `Answer`, or raises `Refusal`, which holds one. Parsers raise `BadRequest`, which the
vendor converts to its own error format. Nothing here does I/O.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote_plus

__all__ = [
    "Answer",
    "BadRequest",
    "Call",
    "Handler",
    "Json",
    "Refresh",
    "Refusal",
    "Token",
    "TokenStore",
    "Vendor",
    "expect",
    "fingerprint",
    "json_answer",
    "jwt",
    "new_family",
    "no_query",
    "parse_basic",
    "parse_form",
    "parse_json",
    "parse_pairs",
]

Json = dict[str, Any]
FORM = "application/x-www-form-urlencoded"
_PAIR = re.compile(r"(?:[A-Za-z0-9*._~+!'(),:@/?$;-]|%[0-9A-Fa-f]{2})*")
_FORM_ENCODED = re.compile(r"(?:[A-Za-z0-9*._~+-]|%[0-9A-Fa-f]{2})*")
_SIGNING_KEY = secrets.token_bytes(32)


class BadRequest(Exception):
    """The vendor does not accept this form of request. The message gives the reason, and contains no value from the request."""


@dataclass
class Answer:
    """A response. Except for `error`, which is for the log, the fields after `headers` are for faults: seconds, bytes, and how the connection ends."""

    status: int = 200
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    error: str | None = None
    delay: float = 0.0
    drip: float | None = None
    missing: int = 0  # Content-Length exceeds the body by this many bytes
    close: bool = False  # send no response
    reset: bool = False  # and close the connection with RST
    date_skew: float = 0.0
    no_date: bool = False


class Refusal(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error)
        self.answer = answer


@dataclass
class Call:
    """One request as received. `path` is relative to the vendor's base URL, and `query` is raw."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes
    base_url: str
    log: Json
    certificate_subject: str | None = None  # the common name of the client's certificate

    def note(self, **facts: Any) -> None:
        """Add non-secret facts to the log entry."""
        self.log.update(facts)

    def header(self, name: str) -> str | None:
        values = self.headers.get_all(name) or []
        if len(values) > 1:
            raise BadRequest(f"{name} header sent twice")
        return str(values[0]) if values else None

    @property
    def media_type(self) -> str:
        """The Content-Type; a charset other than UTF-8 and any other parameter are refused."""
        value = self.header("Content-Type")
        if value is None:
            raise BadRequest("Content-Type is missing")
        media, _, rest = value.partition(";")
        if rest.strip() and rest.strip().lower().replace('"', "") != "charset=utf-8":
            raise BadRequest("unexpected parameter in Content-Type")
        return media.strip().lower()

    def accepts_json(self) -> bool:
        value = self.header("Accept") or ""
        return "application/json" in [part.partition(";")[0].strip().lower() for part in value.split(",")]


def json_answer(status: int, document: Any, *, headers: Iterable[tuple[str, str]] = (), error: str | None = None) -> Answer:
    body = json.dumps(document).encode()
    return Answer(status, body, [("Content-Type", "application/json"), *headers], error)


def fingerprint(secret: str) -> str:
    """Identify a token in the log without revealing it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


# --- strict parsing


def _decode(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise BadRequest("a character is not percent-encoded")
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("not UTF-8") from None


def parse_pairs(text: str, *, where: str, repeat: tuple[str, ...] = ()) -> dict[str, str]:
    """Parameters of a query or a form; empty pairs, unescaped characters and duplicates are refused (`repeat`: joined by a space)."""
    found: dict[str, str] = {}
    for pair in text.split("&") if text else []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadRequest(f"{where}: not name=value")
        name = _decode(name, _PAIR)
        if name in found and name not in repeat:
            raise BadRequest(f"{where}: {name} sent twice")
        found[name] = f"{found[name]} {_decode(value, _PAIR)}" if name in found else _decode(value, _PAIR)
    return found


def no_query(call: Call) -> None:
    if call.query:
        raise BadRequest("no query string is taken here")


def parse_form(call: Call, *, repeat: tuple[str, ...] = ()) -> dict[str, str]:
    no_query(call)
    if call.media_type != FORM:
        raise BadRequest(f"the body must be {FORM}")
    try:
        return parse_pairs(call.body.decode("ascii"), where="body", repeat=repeat)
    except UnicodeDecodeError:
        raise BadRequest("body: not percent-encoded") from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("body: a key is sent twice")
    return found


def parse_json(call: Call) -> dict[str, str]:
    no_query(call)
    if call.media_type != "application/json":
        raise BadRequest("the body must be application/json")
    try:
        document = json.loads(call.body.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise BadRequest("the body must be a JSON object of strings")
    return document


def expect(parameters: Mapping[str, str], required: Iterable[str], *, optional: Iterable[str] = ()) -> None:
    required = list(required)
    missing = [name for name in required if not parameters.get(name)]
    if missing:
        raise BadRequest(f"missing or empty: {', '.join(missing)}")
    unknown = sorted(set(parameters) - set(required) - set(optional))
    if unknown:
        raise BadRequest(f"unknown parameter: {', '.join(unknown)}")


def parse_basic(header: str | None, *, decoding: str) -> tuple[str, str]:
    """Return the id and secret of a Basic header. `decoding` is `rfc6749` (2.3.1: each is form-encoded first) or `raw`."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic" or not value:
        raise BadRequest("Authorization: Basic is missing")
    try:
        text = base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise BadRequest("Authorization: Basic is not base64 of UTF-8") from None
    user, colon, password = text.partition(":")
    if not colon:
        raise BadRequest("Authorization: Basic has no colon")
    if decoding == "rfc6749":
        return _decode(user, _FORM_ENCODED), _decode(password, _FORM_ENCODED)
    return user, password


# --- tokens


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims: Mapping[str, Any]) -> str:
    """A JWT that looks like RS256 with a 4096-bit key and has its size. The signature is a keyed hash that nobody verifies."""
    head = _b64(json.dumps({"typ": "JWT", "alg": "RS256", "kid": "emulator"}, separators=(",", ":")).encode())
    signed = f"{head}.{_b64(json.dumps(dict(claims), separators=(',', ':')).encode())}"
    signature = b"".join(hmac.digest(_SIGNING_KEY, bytes([n]) + signed.encode(), "sha512") for n in range(8))
    return f"{signed}.{_b64(signature)}"


@dataclass
class Token:
    value: str
    client_id: str
    scope: str | None
    expires_at: float
    family: str
    revoked: bool = False


@dataclass
class Refresh:
    value: str
    client_id: str
    subject: str
    scope: str | None
    family: str
    used: bool = False
    revoked: bool = False


class TokenStore:
    """The access and refresh tokens of one vendor. A family is all tokens that come from one full grant."""

    def __init__(self) -> None:
        self.access: dict[str, Token] = {}
        self.refresh: dict[str, Refresh] = {}

    def add_refresh(self, *, client_id: str, subject: str, scope: str | None, family: str) -> str:
        value = f"rt-{secrets.token_urlsafe(32)}"
        self.refresh[value] = Refresh(value, client_id, subject, scope, family)
        return value

    def revoke_family(self, family: str) -> None:
        pool: list[Token | Refresh] = [*self.access.values(), *self.refresh.values()]
        for item in pool:
            if item.family == family:
                item.revoked = True

    def revoke(self, token: str | None = None, *, kind: str = "access") -> int:
        """Revoke one token (given as its value or fingerprint) or all of a kind (`access`, `refresh`, `all`), and return how many."""
        pools: list[Mapping[str, Token | Refresh]] = []
        if kind in ("access", "all") or token:
            pools.append(self.access)
        if kind in ("refresh", "all") or token:
            pools.append(self.refresh)
        hits = [item for pool in pools for item in pool.values() if not item.revoked and (token is None or token in (item.value, fingerprint(item.value)))]
        for item in hits:
            item.revoked = True
        return len(hits)


# --- the vendor

Handler = Callable[[Call], Answer]


class Vendor(ABC):
    """One vendor: its facts are class attributes, `routes()` has its token endpoint, and below `/api/` it has a protected API.

    The emulator holds its `lock` while a handler runs, so handlers are short and never sleep.
    """

    name: ClassVar[str]
    expires_at: ClassVar[str] = "expires_in"  # dotted path in the token response
    token_at: ClassVar[str] = "access_token"
    credentials: ClassVar[dict[str, Json]] = {}
    common: ClassVar[Json] = {
        "lifetime": 3600,  # seconds
        "omit_expires": False,
        "refresh": True,  # issue refresh tokens where the vendor does
        "rotate_refresh": True,
        "revoke_family": False,  # revoke the whole family if a refresh token is reused
        "basic_decoding": "rfc6749",
        "api_scheme": "Bearer",  # Bearer, raw, any
        "token_format": "jwt",  # or opaque, or quoted: contains quotes and a backslash
        "delay": 0.0,  # seconds before a token response
        "api_delay": 0.0,
        "skew": 0.0,  # seconds that the vendor's clock is ahead of ours
        "allow_parameters": (),  # parameters accepted in addition to the vendor's own
        "extra_answer": {},  # merged into the token response
        "rate_limit": None,  # requests per rate_window, then 429
        "rate_window": 60,
    }
    defaults: ClassVar[Json] = {}

    def __init__(self, credentials: Mapping[str, Any]) -> None:
        self.all_credentials = credentials
        self.settings: Json = {**self.common, **self.defaults}
        self.tokens = TokenStore()
        self.window: tuple[float, int] = (0.0, 0)

    # routing

    @abstractmethod
    def routes(self) -> dict[str, tuple[str, Handler]]:
        """Path -> (kind in the log, handler)."""

    def kind(self, path: str) -> str:
        if path.startswith("/api/"):
            return "api"
        return self.routes().get(path, ("other",))[0]

    def handle(self, call: Call) -> Answer:
        try:
            limited = self.rate_limited(self.kind(call.path))
            if limited:
                return limited
            if call.path.startswith("/api/"):
                return self.api(call)
            route = self.routes().get(call.path)
            if route is None:
                return self.api_error(404, "not_found", "no such path")
            return route[1](call)
        except BadRequest as exc:
            make = self.api_error if self.kind(call.path) == "api" else self.token_error
            return make(400, "invalid_request", str(exc))
        except Refusal as exc:
            return exc.answer

    # facts about the token response, for faults

    @property
    def token_path(self) -> tuple[str, ...]:
        return tuple(self.token_at.split("."))

    @property
    def expires_path(self) -> tuple[str, ...]:
        return tuple(self.expires_at.split("."))

    @property
    def absolute_expiry(self) -> bool:
        return self.expires_path[-1] == "expires_at"

    # settings and clock

    def now(self) -> float:
        return time.time() + float(self.settings["skew"])

    def accounts(self, name: str | None = None) -> list[Json]:
        """The credentials with this name, as a list even if there is only one account."""
        found = self.all_credentials[name or self.name]
        return list(found) if isinstance(found, list) else [found]

    def account(self, **wanted: str) -> Json | None:
        return next((a for a in self.accounts() if all(a.get(k) == v for k, v in wanted.items())), None)

    # answers

    def token_error(self, status: int, code: str, text: str, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        """RFC 6749 5.2."""
        cache = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]
        return json_answer(status, {"error": code, "error_description": text}, headers=[*cache, *headers], error=code)

    def api_error(self, status: int, code: str, text: str, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        return self.token_error(status, code, text, headers=headers)

    def refuse(self, status: int, code: str, text: str, **more: Any) -> Refusal:
        return Refusal(self.token_error(status, code, text, **more))

    def only(self, call: Call, *methods: str) -> None:
        if call.method not in methods:
            raise self.refuse(405, "invalid_request", f"use {' or '.join(methods)}", headers=[("Allow", ", ".join(methods))])

    def extra_headers(self) -> list[tuple[str, str]]:
        """Headers of every response of this vendor."""
        return []

    # rate limit

    def rate_limited(self, kind: str) -> Answer | None:
        limit = self.settings["rate_limit"]
        start, count = self.window
        if self.now() >= start + self.settings["rate_window"]:
            start, count = self.now(), 0
        self.window = (start, count + 1)
        if limit is None or count < limit:
            return None
        make = self.api_error if kind == "api" else self.token_error
        wait = max(1, round(start + self.settings["rate_window"] - self.now()))
        return make(429, "rate_limited", "too many requests", headers=[("Retry-After", str(wait))])

    # tokens

    def new_token(self, *, client_id: str, scope: str | None, lifetime: float, family: str, claims: Mapping[str, Any] | None = None) -> Token:
        now = self.now()
        facts = {"iat": int(now), "exp": int(now + lifetime), "jti": secrets.token_hex(16), **(claims or {})}
        prefix = {"jwt": None, "opaque": "at-", "quoted": "at-\\'\""}[self.settings["token_format"]]
        value = jwt(facts) if prefix is None else prefix + secrets.token_urlsafe(32)
        token = Token(value, client_id, scope, now + lifetime, family)
        self.tokens.access[value] = token
        return token

    def token_answer(self, call: Call, token: Token, document: Json) -> Answer:
        """Respond with `document` as the settings change it, and log the token's fingerprint."""
        if self.settings["omit_expires"]:
            document.pop("expires_in", None)
        document.update(self.settings["extra_answer"])
        call.note(client_id=token.client_id, token=fingerprint(token.value), scope=token.scope)
        return json_answer(200, document, headers=[("Cache-Control", "no-store"), ("Pragma", "no-cache")])

    def spend_refresh(self, call: Call, value: str, *, client_id: str) -> Refresh:
        """Return the grant of a refresh token. With rotation, the token is spent: a second use is refused and logged as `reuse`."""
        item = self.tokens.refresh.get(value)
        call.note(refresh=fingerprint(value))
        if item is None or item.client_id != client_id:
            raise self.refuse(400, "invalid_grant", "the refresh token is invalid")
        if item.used:
            call.note(reuse=True)
            if self.settings["revoke_family"]:
                self.tokens.revoke_family(item.family)
            raise self.refuse(400, "invalid_grant", "the refresh token was used before")
        if item.revoked:
            raise self.refuse(400, "invalid_grant", "the refresh token is revoked")
        item.used = bool(self.settings["rotate_refresh"])
        return item

    def glance(self, call: Call) -> Json:
        """The grant and client of a request for the log, without checking the request."""
        sent = {k: v[-1] for text in (call.query, call.body.decode("latin-1")) for k, v in parse_qs(text).items()}
        if call.body.startswith(b"{"):
            with contextlib.suppress(ValueError):
                sent = json.loads(call.body)
        with contextlib.suppress(BadRequest):
            sent.setdefault("client_id", parse_basic(call.header("Authorization"), decoding=self.settings["basic_decoding"])[0])
        return {name: sent[name] for name in ("grant_type", "client_id") if isinstance(sent.get(name), str)}

    # the protected API

    def presented(self, header: str | None) -> str | None:
        """The token from an Authorization header, if the header has exactly the form that this vendor accepts."""
        if header is None:
            return None
        scheme = self.settings["api_scheme"]
        if scheme in ("Bearer", "any") and header.startswith("Bearer "):
            return header[len("Bearer ") :]
        return header if scheme in ("raw", "any") else None

    def api(self, call: Call) -> Answer:
        challenge = [("WWW-Authenticate", "Bearer")]
        presented = self.presented(call.header("Authorization"))
        if presented is None:
            return self.api_error(401, "unauthorized", "the Authorization header is missing or of the wrong form", headers=challenge)
        token = self.tokens.access.get(presented)
        call.note(token=fingerprint(presented))
        if token is None or token.revoked:
            return self.api_error(401, "invalid_token", "the token is invalid or revoked", headers=challenge)
        if token.expires_at <= self.now():
            return self.api_error(401, "invalid_token", "the token has expired", headers=challenge)
        call.note(client_id=token.client_id)
        return json_answer(200, self.echo(call, token))

    def echo(self, call: Call, token: Token) -> Json:
        text = call.body.decode("utf-8", "replace")
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        headers = {k: v for k, v in call.headers.items() if k.lower() != "authorization"}
        return {
            "vendor": self.name,
            "method": call.method,
            "path": call.path,
            "query": call.query,
            "headers": headers,
            "body": text,
            "json": document,
            "client_id": token.client_id,
            "scope": token.scope,
        }


def new_family() -> str:
    return secrets.token_hex(8)
