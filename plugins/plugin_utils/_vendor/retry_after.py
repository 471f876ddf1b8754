# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Read how long a server asks to wait: ``Retry-After`` and the many spellings of rate limits. Pure."""

from __future__ import annotations

import re

from .._base.model import HttpAnswer
from .lifetimes import NUMBER, clock_difference, read_moment

__all__ = ("retry_after",)

_DAY = 86400.0
_LONGEST_WAIT = _DAY
_LONGEST_HEADER = 1000  # characters


def retry_after(answer: HttpAnswer, now: float) -> float | None:
    """The seconds that the server asks to wait: ``Retry-After`` (RFC 9110 10.2.3), otherwise until its rate limit resets."""
    headers = answer.headers
    asked = _longest(headers.get("retry-after", ""), answer, now)
    if asked is not None:
        return asked
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        value = headers.get(name, "").strip()
        if NUMBER.match(value):
            return min(max(0.0, float(value) / 1000), _LONGEST_WAIT)
    return _rate_limit(answer, now)


def _longest(value: str, answer: HttpAnswer, now: float) -> float | None:
    """The longest wait in *value*: a proxy may add a second one to the server's."""
    pieces = re.findall(r"[A-Za-z]{3,9},\s[^,]+|[^,]+", value) if len(value) <= _LONGEST_HEADER else []
    waits = [_wait(piece, answer, now) for piece in pieces]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(text: str, answer: HttpAnswer, now: float) -> float | None:
    moment = read_moment(text)
    if moment is None or (moment.seconds < 0 and not moment.absolute):
        return None
    seconds = moment.seconds
    if moment.absolute:
        ahead = clock_difference(answer, now)
        seconds -= now - ahead if ahead is not None and abs(ahead) <= _DAY else now
    return min(max(0.0, seconds), _LONGEST_WAIT)


def _rate_limit(answer: HttpAnswer, now: float) -> float | None:
    """The wait from ``RateLimit-Reset`` and its many spellings (seconds or a moment), if no requests are left."""
    headers = answer.headers
    for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-"):
        left, reset = headers.get(prefix + "remaining"), headers.get(prefix + "reset", headers.get(prefix + "reset-after"))
        if reset is not None and _nothing(left, answer):
            return _longest(reset, answer, now)
    fields = dict(re.findall(r"\b(r|t|remaining|reset)=\"?([\w.]+)", headers.get("ratelimit", "")))
    reset = fields.get("t", fields.get("reset"))
    return _longest(reset, answer, now) if reset and _nothing(fields.get("r", fields.get("remaining")), answer) else None


def _nothing(left: str | None, answer: HttpAnswer) -> bool:
    if left is None:
        return answer.status == 429  # too many requests
    return any(NUMBER.match(piece.strip()) is not None and float(piece) <= 0 for piece in left.split(","))
