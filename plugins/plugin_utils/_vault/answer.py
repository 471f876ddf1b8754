# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""What Vault, or something in front of it, answers: the JSON object, or a :class:`Refusal`. Pure.

A refusal holds data that must not be shown.
"""

from __future__ import annotations

import contextlib
import json
import typing as t

from .._base.strict_json import WrittenNumber, shallow

__all__ = ("Refusal", "answer_of", "integer")

_LONGEST_RETRY_AFTER = 21600.0  # seconds; recent versions of urllib3 do not read a later date
_LONGEST_FOREIGN = 200  # bytes of an answer that is not from Vault


class Refusal(Exception):
    """Vault, or something in front of it, answered with an error status."""

    def __init__(self, status: int, *, errors: tuple[str, ...], body: t.Any, retry_after: float | None) -> None:
        super().__init__()
        self.status = status
        self.errors = errors
        self.body = body
        self.retry_after = retry_after

    @property
    def data(self) -> dict[str, t.Any]:
        found = self.body.get("data") if isinstance(self.body, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def from_vault(self) -> bool:
        # Vault's error responses have "errors"; a deleted version has "data", a wrong KV version "warnings". Another service's JSON has none.
        return isinstance(self.body, dict) and bool({"errors", "data", "warnings"} & set(self.body))

    @property
    def rejects_token(self) -> bool:
        """Whether the token is wrong, expired or revoked; otherwise its policies may be the reason."""
        return self.says("invalid token") or self.says("bad token")

    def says(self, text: str) -> bool:
        return any(text in error.lower() for error in self.errors)


def integer(value: t.Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def answer_of(response: t.Any) -> dict[str, t.Any]:
    """The JSON object in the *response* of requests.

    :raises Refusal: it is an error, or not from Vault.
    """
    parsed = _parsed(response)
    body: dict[str, t.Any] | None = parsed if isinstance(parsed, dict) and _is_envelope(parsed) else None
    if 200 <= response.status_code < 300 and body is not None:
        return body
    errors = None if body is None else body.get("errors")
    texts = tuple(str(error) for error in errors) if isinstance(errors, list) else ()
    if body is None:
        # Not response.text: the server's charset may be one that Python cannot use.
        texts = (response.content[:_LONGEST_FOREIGN].decode("utf-8", "replace"),)
    elif not response.content:
        body = None
    raise Refusal(response.status_code, errors=texts, body=body, retry_after=_seconds_of(response.headers.get("Retry-After")))


def _is_envelope(body: dict[str, t.Any]) -> bool:
    """Whether the members of every Vault response have the right types, where present."""
    return all(isinstance(body.get(name), (dict, type(None))) for name in ("auth", "data", "wrap_info")) and all(
        isinstance(body.get(name), (list, type(None))) for name in ("errors", "warnings")
    )


def _parsed(response: t.Any) -> t.Any:
    try:
        return response.json(parse_float=WrittenNumber) if response.content else {}
    except ValueError:
        return None
    except RecursionError:  # OpenBao can store JSON that Python cannot read: one entry of the shared cache must not stop all lookups
        with contextlib.suppress(ValueError):
            return json.loads(shallow(response.text), parse_float=WrittenNumber)
        return None


def _seconds_of(header: str | None) -> float | None:
    from urllib3.exceptions import InvalidHeader
    from urllib3.util.retry import Retry

    if not header:
        return None
    try:
        seconds = float(header) if header.strip()[:1].isdigit() else Retry().parse_retry_after(header)
    except (InvalidHeader, ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER)
