# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Check whether a token is usable, wherever it comes from: a vendor's response, the shared cache, a file. Pure."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from .model import Token

__all__ = ("LONGEST_LIFETIME", "is_line", "is_moment", "token_problem")

#: In seconds. Longer lifetimes are reduced to it.
LONGEST_LIFETIME = 10 * 365 * 86400.0
_LARGEST_TOKEN = 1 << 17  # characters; no server accepts a header of that length
_LARGEST_SCOPE = 1 << 14
_LARGEST_NAME = 256
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+\Z")


def token_problem(token: Token) -> str:
    """Why *token* cannot be used, as part of a sentence; empty if it can.

    :func:`_cache.freshness.judge`, which knows the time, rejects tokens issued in the future.
    """
    value = token.access_token
    if not isinstance(value, str) or not value:
        return "its token is not text"
    if not _HEADER_TEXT.match(value):
        return "its token has characters that an HTTP header cannot contain"
    if len(value) > _LARGEST_TOKEN:
        return "its token is too long for an HTTP header"
    for name, text, longest, without in (
        ("token_type", token.token_type, _LARGEST_NAME, ""),
        ("scope", token.scope, _LARGEST_SCOPE, None),
        ("refresh token", token.refresh_token, _LARGEST_TOKEN, None),
        ("version of the secret", token.secret_version, _LARGEST_NAME, ""),
        ("MAC", token.refresh_token_mac, _LARGEST_NAME, ""),
    ):
        if text != without and not is_line(text, longest):
            return f"its {name} is not a line of text"
    if not (is_moment(token.issued_at) and is_moment(token.expires_at) and 0 <= token.expires_at - token.issued_at <= LONGEST_LIFETIME):
        return "its lifetime cannot be right"
    return "" if isinstance(token.extra, dict) else "what comes with its token is not an object"


def is_line(value: t.Any, longest: int) -> bool:
    """Whether *value* is a non-empty printable text of at most *longest* characters."""
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def is_moment(value: t.Any) -> t.TypeGuard[float]:
    # Bounded, because JSON may contain NaN, infinity and integers that no float can hold.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12
