# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Parse the body of a response, in its vendor's format. Pure."""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import parse_qsl

from .._base.model import Vendor
from .._base.strict_json import DuplicateMember, parse_json
from .._vendors import names

__all__ = ("ADDRESS", "at", "fields_of", "parse_body", "what_it_is", "without")

_JWT = re.compile(rb"\s*[\w-]+\.[\w-]+\.[\w-]*\s*\Z")
_FORM = re.compile(rb"\s*[\w.%+-]+=[^&\s]*(?:&[\w.%+-]+=[^&\s]*)*\s*\Z")
_WEB_PAGE = "it answered with a web page instead of {}"
#: The advice if another server may have answered.
ADDRESS = "Check base_url and token_url"


def parse_body(vendor: Vendor, body: bytes) -> t.Any:
    """The parsed *body*; a text becomes an object with the token in the expected place. None if it cannot be parsed.

    :raises DuplicateMember: an object or a form has a field twice.
    """
    start = body.lstrip()[:1]
    if vendor.response_format == "json" or start in (b"{", b"["):  # errors are JSON whatever the format of tokens
        try:
            return parse_json(body)
        except DuplicateMember:
            raise
        except ValueError:
            return None
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None
    if not text or start == b"<":
        return None
    return _form(text) if vendor.response_format == "form" else _text(vendor, text)


def _form(text: str) -> dict[str, str] | None:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return None
    if len(dict(pairs)) != len(pairs):
        raise DuplicateMember
    return dict(pairs)


def _text(vendor: Vendor, text: str) -> dict[str, t.Any] | None:
    if text.startswith('"'):
        try:
            text = json.loads(text)
        except ValueError:
            return None
    return {vendor.token_field: text}


def what_it_is(vendor: Vendor, body: bytes, content_type: str) -> tuple[str, str]:
    """What a *body* without an object is, and what to do about it."""
    start = body.lstrip()[:1]
    if not start:
        return "its answer is empty", ADDRESS
    if start == b"<" or "html" in content_type:
        return _WEB_PAGE.format({"json": "JSON", "form": "a form"}.get(vendor.response_format, "a token")), ADDRESS
    what, advice = _other_format(vendor, body, start)
    return what, ADDRESS if vendor.name in names() else advice  # the lookups of built-in vendors have no format option


def _other_format(vendor: Vendor, body: bytes, start: bytes) -> tuple[str, str]:
    if vendor.response_format == "json":
        if start == b'"':
            return "its answer is a JSON string", "Set response_format=text if that is the token"
        if _JWT.match(body):
            return "its answer is a bare token", "Set response_format=text"
        if _FORM.match(body):
            return "its answer is form-encoded", "Set response_format=form"
        if start == b"[":
            return "its answer is not a JSON object", f"Name the place in the list with token_field, such as 0.{vendor.token_field}"
        return "its answer is not a JSON object", ADDRESS
    return f"its answer cannot be read as response_format={vendor.response_format}", "Check response_format, base_url and token_url"


def at(value: t.Any, path: str) -> t.Any:
    """The value at a dotted *path*. A key that contains dots wins over a path through several keys."""
    if not path:
        return None
    if isinstance(value, list):
        index, _dot, rest = path.partition(".")
        if not (index.isascii() and index.isdigit() and int(index) < len(value)):
            return None
        return at(value[int(index)], rest) if rest else value[int(index)]
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        if name in value:
            found = at(value[name], ".".join(parts[length:]))
            if found is not None:
                return found
    return None


def fields_of(value: t.Any) -> list[str]:
    """The names of the members of *value* and, as dotted paths, of its objects' members: possible paths for :func:`at`."""
    found = []
    for name, inner in value.items() if isinstance(value, dict) else ():
        found += [f"{name}.{deeper}" for deeper in inner] if isinstance(inner, dict) and inner else [str(name)]
    return found


def without(value: t.Mapping[str, t.Any], path: str) -> t.Mapping[str, t.Any]:
    """*value* without the value that :func:`at` finds at *path*, and without objects that this empties. If that is in a list, drop the whole list."""
    if path in value:
        return {name: inner for name, inner in value.items() if name != path}
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        name, rest = ".".join(parts[:length]), ".".join(parts[length:])
        inner = value.get(name)
        if at(inner, rest) is not None:
            less = without(inner, rest) if isinstance(inner, dict) else {}
            return {key: (less if key == name else other) for key, other in value.items() if key != name or less}
    return value
