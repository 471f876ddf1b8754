# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripted faults: how a vendor, its network or its proxy may fail.

A fault is a function of a `Scene`. It makes its own response, or spoils the genuine one: `scene.genuine()` does the vendor's
work, and so spends a refresh token. `FAULTS` maps names to functions, whose keyword-only parameters are the fault's options.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import functools
import inspect
import json
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape as html_escape
from typing import Any
from urllib.parse import quote, quote_plus

from .base import Answer, Call, Json, Vendor, json_answer

__all__ = ["ECHOES", "FAULTS", "Fault", "Scene", "make_fault", "sent_text"]

RFC6749_STATUS = {"invalid_client": 401}
PHRASES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited", 500: "server_error", 503: "unavailable"}


# Encodings in which a vendor may repeat what it received.
ECHOES: dict[str, Callable[[str], str]] = {
    "raw": str,
    "url": lambda text: quote(text, safe=""),
    "url_lower": lambda text: re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe="")),
    "url_twice": lambda text: quote(quote(text, safe=""), safe=""),
    "json": lambda text: json.dumps(text)[1:-1],
    "json_php": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "html": html_escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64_url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "upper": str.upper,
}


@dataclass
class Fault:
    """Fires `times` times (None: until reset) on calls of `kind` (`any`: all calls), after it has let `skip` calls pass.

    With `sender`, only calls count that contain this text (see `sent_text`), so the faults of many clients can be queued at once.
    """

    name: str
    kind: str = "token"
    times: int | None = 1
    skip: int = 0
    options: Json = field(default_factory=dict)
    sender: str | None = None

    def fires(self, kind: str, sent: str = "") -> bool:
        if self.kind not in ("any", kind) or self.times == 0 or (self.sender is not None and self.sender not in sent):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


def sent_text(query: str, headers: Iterable[tuple[str, str]], body: str) -> str:
    """Everything that a client sent, with a Basic header also decoded, so that it contains the client id."""
    parts = [query, body]
    for name, value in headers:
        parts.append(value)
        if name.lower() == "authorization" and value.lower().startswith("basic "):
            with contextlib.suppress(ValueError):
                parts.append(base64.b64decode(value[len("basic ") :]).decode("utf-8", "replace"))
    return "\n".join(parts)


@dataclass
class Scene:
    vendor: Vendor
    call: Call
    kind: str
    sink: str
    genuine: Callable[[], Answer]

    def error(self, status: int, code: str, text: str) -> Answer:
        make = self.vendor.api_error if self.kind == "api" else self.vendor.token_error
        return make(status, code, text)

    def echo(self, how: bool | str = True) -> str:
        """Everything that a careless vendor might repeat: the request and all credentials, raw and URL-encoded, or encoded by `how` of ECHOES."""
        said = sent_text(self.call.query, self.call.headers.items(), self.call.body.decode("utf-8", "replace"))
        accounts = [a for name, _ in self.vendor.credentials.items() for a in self.vendor.accounts(name)]
        # With more than two accounts, only those that the request mentions; otherwise all of them.
        about = [a for a in accounts if len(accounts) <= 2 or any(isinstance(v, str) and v in said for v in a.values())]
        values = [v for a in about for v in a.values() if isinstance(v, str)]
        sent = [self.call.query, self.call.body.decode("utf-8", "replace"), self.call.headers.get("Authorization", "")]
        if isinstance(how, str):
            return " ".join(ECHOES[how](text) for text in (*sent, *values) if text)
        return " ".join([*sent, *values, *map(quote, values), *map(quote_plus, values)])


def _place(document: Json, path: tuple[str, ...]) -> tuple[Json, str]:
    for name in path[:-1]:
        document = document[name]
    return document, path[-1]


def _changed(scene: Scene, change: Callable[[Json], None]) -> Answer:
    """The genuine response with its JSON changed. A refusal passes unchanged."""
    answer = scene.genuine()
    if answer.status == 200:
        document = json.loads(answer.body)
        change(document)
        answer.body = json.dumps(document).encode()
    return answer


# --- instead of the genuine response


def status(
    scene: Scene,
    *,
    code: int = 500,
    body: str | None = None,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    retry_after: str | float | None = None,
    echo_secret: bool | str = False,
    after: bool = False,
) -> Answer:
    if after:  # the vendor has already done its work: single-use values are spent
        scene.genuine()
    name = PHRASES.get(code, "error")
    answer = scene.error(code, name, f"scripted {code}" + (f" {scene.echo(echo_secret)}" if echo_secret else ""))
    if code < 400:
        answer.error = None
    if body is not None:
        answer.body, answer.headers = body.encode(), [("Content-Type", content_type)]
    if retry_after is not None:
        answer.headers.append(("Retry-After", str(retry_after)))
    answer.headers.extend((headers or {}).items())
    return answer


def oauth_error(
    scene: Scene, *, error: str = "invalid_request", description: str = "scripted refusal", code: int | None = None, echo_secret: bool | str = False
) -> Answer:
    text = f"{description} {scene.echo(echo_secret)}" if echo_secret else description
    document = {"error": error, "error_description": text}
    return json_answer(code or RFC6749_STATUS.get(error, 400), document, error=error)


def html(scene: Scene, *, code: int = 200, echo_secret: bool | str = False) -> Answer:
    text = scene.echo(echo_secret) if echo_secret else "We will be back soon."
    body = f"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><p>{text}</p></body></html>"
    return Answer(code, body.encode(), [("Content-Type", "text/html; charset=utf-8")], "html")


def empty(scene: Scene, *, code: int = 200) -> Answer:
    return Answer(code, b"", [("Content-Type", "application/json")], "empty")


def literal(
    scene: Scene, *, body: str = "", body_hex: str | None = None, code: int = 200, content_type: str = "application/json", headers: dict[str, str] | None = None
) -> Answer:
    data = bytes.fromhex(body_hex) if body_hex is not None else body.encode()
    return Answer(code, data, [("Content-Type", content_type), *(headers or {}).items()], "literal")


def error_200(scene: Scene, *, error: str = "invalid_grant", description: str = "scripted refusal", echo_secret: bool | str = False) -> Answer:
    text = f"{description} {scene.echo(echo_secret)}" if echo_secret else description
    return json_answer(200, {"error": error, "error_description": text}, error=error)


def redirect(scene: Scene, *, code: int = 302, to: str | None = None, body: str = "", mib: int = 0) -> Answer:
    return Answer(code, body.encode() + b" " * (mib << 20), [("Location", to or scene.sink)], f"redirect_{code}")


def deep_json(scene: Scene, *, depth: int = 100_000) -> Answer:
    body = b'{"access_token":' + b"[" * depth + b"]" * depth + b"}"
    return Answer(200, body, [("Content-Type", "application/json")], "deep_json")


def invalid_json(scene: Scene) -> Answer:
    answer = scene.genuine()
    answer.body = answer.body[:-2]
    return answer


# --- the connection


def cut(scene: Scene, *, missing: int = 100) -> Answer:
    answer = scene.genuine()
    answer.missing = missing
    return answer


def close(scene: Scene, *, reset: bool = False) -> Answer:
    return Answer(0, close=True, reset=reset, error="closed")


def lose(scene: Scene, *, reset: bool = False) -> Answer:
    """The vendor does its work (spends a refresh token, issues a token), but its response is lost."""
    scene.genuine()
    return Answer(0, close=True, reset=reset, error="lost")


def slow(scene: Scene, *, delay: float = 5.0) -> Answer:
    answer = scene.genuine()
    answer.delay = delay
    return answer


def drip(scene: Scene, *, delay: float = 0.5) -> Answer:
    answer = scene.genuine()
    answer.drip = delay
    return answer


# --- spoiled responses


def no_token(scene: Scene) -> Answer:
    def change(document: Json) -> None:
        place, name = _place(document, scene.vendor.token_path)
        del place[name]

    return _changed(scene, change)


def wrong_token(scene: Scene, *, value: Any = 12345) -> Answer:
    """Replace the token with `value`, such as another type, an empty string or control characters."""

    def change(document: Json) -> None:
        place, name = _place(document, scene.vendor.token_path)
        place[name] = value

    return _changed(scene, change)


def token_type(scene: Scene, *, value: Any = "mac") -> Answer:
    return _changed(scene, lambda document: document.update(token_type=value))


def merge(scene: Scene, *, values: Json | None = None) -> Answer:
    return _changed(scene, lambda document: document.update(values or {}))


def lifetime(scene: Scene, *, value: Any = -5) -> Answer:
    """Replace `expires_in` with `value`. For a vendor with an absolute expiry, a number counts from now."""

    def change(document: Json) -> None:
        place, name = _place(document, scene.vendor.expires_path)
        number = scene.vendor.absolute_expiry and isinstance(value, (int, float)) and not isinstance(value, bool)
        place[name] = int(scene.vendor.now()) + value if number else value

    return _changed(scene, change)


def numbers_as_strings(scene: Scene) -> Answer:
    def strings(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strings(v) for k, v in value.items()}
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    def change(document: Json) -> None:
        document.update(strings(document))

    return _changed(scene, change)


def iso_date(scene: Scene, *, offset: str = "Z") -> Answer:
    def change(document: Json) -> None:
        place, name = _place(document, scene.vendor.expires_path)
        stamp = place[name] if scene.vendor.absolute_expiry else scene.vendor.now() + place[name]
        when = datetime.datetime.fromtimestamp(int(stamp), datetime.timezone.utc)
        place[name] = when.strftime("%Y-%m-%dT%H:%M:%S") + offset

    return _changed(scene, change)


def duplicate_keys(scene: Scene, *, first: str = "duplicate") -> Answer:
    """The token's key appears twice, first with another value."""
    answer = scene.genuine()
    if answer.status == 200:
        name = json.dumps(scene.vendor.token_path[-1])
        answer.body = answer.body.replace(f"{name}:".encode(), f"{name}: {json.dumps(first)}, {name}:".encode(), 1)
    return answer


def latin1(scene: Scene, *, declared: str = "utf-8", text: str = "Zürich") -> Answer:
    answer = scene.genuine()
    document = {**json.loads(answer.body), "note": text}
    answer.body = json.dumps(document, ensure_ascii=False).encode("latin-1")
    answer.headers = [(k, v) for k, v in answer.headers if k != "Content-Type"]
    answer.headers.append(("Content-Type", f"application/json; charset={declared}"))
    return answer


def bom(scene: Scene) -> Answer:
    answer = scene.genuine()
    answer.body = b"\xef\xbb\xbf" + answer.body
    return answer


def huge(scene: Scene, *, mib: float = 8.0) -> Answer:
    answer = scene.genuine()
    answer.body = answer.body.rstrip()[:-1] + b', "padding": "' + b"x" * int(mib * 2**20) + b'"}'
    return answer


@functools.cache
def _bomb(mib: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(b" " * 2**20) for _ in range(mib)), packer.compress(b"{}"), packer.flush()])


def gzip_bomb(scene: Scene, *, mib: int = 100) -> Answer:
    headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")]
    return Answer(200, _bomb(int(mib)), headers, "gzip_bomb")


def date_skew(scene: Scene, *, seconds: float = 3600) -> Answer:
    answer = scene.genuine()
    answer.date_skew = seconds
    return answer


def no_date(scene: Scene) -> Answer:
    answer = scene.genuine()
    answer.no_date = True
    return answer


FAULTS: dict[str, Callable[..., Answer]] = {
    f.__name__: f
    for f in (
        status,
        oauth_error,
        html,
        empty,
        literal,
        error_200,
        redirect,
        deep_json,
        invalid_json,
        cut,
        close,
        lose,
        slow,
        drip,
        no_token,
        wrong_token,
        token_type,
        merge,
        lifetime,
        numbers_as_strings,
        iso_date,
        duplicate_keys,
        latin1,
        bom,
        huge,
        gzip_bomb,
        date_skew,
        no_date,
    )
}
RFC6749 = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope")


def make_fault(name: str | int, *, kind: str = "token", times: int | None = 1, skip: int = 0, sender: str | None = None, **options: Any) -> Fault:
    """Make a fault and check its options. `503` is short for `status` with that code, and an RFC 6749 code for `oauth_error`."""
    if isinstance(name, int) or name.isdigit():
        name, options = "status", {"code": int(name), **options}
    elif name in RFC6749:
        name, options = "oauth_error", {"error": name, **options}
    if name not in FAULTS:
        raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
    known = [p.name for p in inspect.signature(FAULTS[name]).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"fault {name} takes {', '.join(known) or 'no options'}, not {', '.join(unknown)}")
    if isinstance(how := options.get("echo_secret"), str) and how not in ECHOES:
        raise ValueError(f"no echo {how!r}; there are {', '.join(ECHOES)}")
    return Fault(name, kind, times, skip, options, sender)
