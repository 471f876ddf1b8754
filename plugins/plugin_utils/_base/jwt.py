# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Read the claims of a JSON Web Token (RFC 7519) without verifying it.

The API that receives the token verifies the signature; here the claims only decide when to renew and what to show.
"""

from __future__ import annotations

import base64
import binascii
import typing as t

from .strict_json import parse_json

__all__ = ("claims", "expiry")


def claims(token: str) -> dict[str, t.Any]:
    """The unverified claims of *token*.

    :raises ValueError: it is not a JWT whose payload is a JSON object (encrypted tokens, RFC 7516, cannot be read either).
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("not a JWT: it does not have three parts")
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = parse_json(payload)
    except (binascii.Error, ValueError):
        raise ValueError("not a JWT: its second part is not base64url-encoded JSON") from None
    if not isinstance(found, dict):
        raise ValueError("not a JWT: its payload is not a JSON object")
    return found


def expiry(token: str) -> float | None:
    """The ``exp`` claim in UNIX seconds; None if *token* is not a JWT with a usable one."""
    try:
        exp = claims(token).get("exp")
    except ValueError:
        return None
    usable = isinstance(exp, (int, float)) and not isinstance(exp, bool) and 0 < exp < 1e11
    return float(exp) if usable and exp is not None else None
