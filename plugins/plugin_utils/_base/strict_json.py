# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Parse JSON (RFC 8259) from untrusted sources. Pure."""

from __future__ import annotations

import json
import math
import re
import typing as t

__all__ = ("DuplicateMember", "WrittenNumber", "finite", "parse_json", "shallow")

_PART = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]|[^"\[\]{}]+', re.DOTALL)
_DEEPEST_JSON = 64  # the value is serialised again later, deeper in the call stack


class DuplicateMember(ValueError):
    """A JSON object has the same member twice, so two parsers could see two different tokens."""


def _object(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateMember
    return found


def _no_constant(name: str) -> t.Any:
    raise ValueError(name)


class WrittenNumber(float):
    """A number that keeps its original text, because its digits may be a credential."""

    def __init__(self, text: str) -> None:
        self.text = text


def finite(text: str) -> float | None:
    """The number *text*; None if no float can hold it. Python would write 1e999 as Infinity, which is not JSON."""
    number = float(text)
    return number if math.isfinite(number) else None


def parse_json(body: bytes) -> t.Any:
    """Parse JSON as in RFC 8259. Accepts ISO-8859-1; rejects duplicate members, NaN and deep nesting."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("iso-8859-1")
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper(found, than=_DEEPEST_JSON):
        raise ValueError("nested too deeply")
    return found


def _deeper(value: t.Any, *, than: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return than == 0 or any(_deeper(single, than=than - 1) for single in inner)


def shallow(text: str) -> str:
    """The JSON *text* with null in place of everything nested too deeply; text that is not JSON may be altered."""
    depth, kept = 0, []
    for part in _PART.findall(text):
        depth += part in ("[", "{")
        if depth <= _DEEPEST_JSON:
            kept.append(part)
        elif depth == _DEEPEST_JSON + 1 and part in ("[", "{"):
            kept.append("null")
        depth -= part in ("]", "}")
    return "".join(kept)
