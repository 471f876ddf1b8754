# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._base import jwt
from ..plugin_utils._base.errors import coded


def token_fresh(token: t.Any, seconds: float = 60) -> bool:
    """Whether *token* is valid for *seconds* more: details of a lookup, a result of token_info, or a JWT."""
    expires_at = token.get("expires_at") if isinstance(token, dict) else _expiry(token)
    if expires_at is None:
        return False
    try:
        return float(expires_at) - time.time() >= float(seconds)
    except (TypeError, ValueError):
        raise AnsibleFilterError(coded("token_fresh: expires_at and the seconds must be numbers.", "option:value")) from None


def _expiry(token: t.Any) -> float | None:
    if not isinstance(token, str):
        raise AnsibleFilterError(coded("token_fresh: the input is neither details of a token nor a JWT.", "option:value"))
    return jwt.expiry(token.removeprefix("Bearer ").strip())


class TestModule:
    def tests(self) -> dict[str, t.Any]:
        return {"token_fresh": token_fresh}
