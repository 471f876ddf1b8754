# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Walk the exceptions that an exception wraps."""

from __future__ import annotations

import typing as t

__all__ = ("causes",)

_MOST = 50


def causes(exc: BaseException) -> list[BaseException]:
    """*exc* and the exceptions inside it, outermost first.

    requests and urllib3 keep them in ``args``, in ``reason`` and ``original_error``, and in the chain.
    """
    found: list[BaseException] = []
    waiting: list[t.Any] = [exc]
    while waiting and len(found) < _MOST:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or any(current is known for known in found):
            continue
        found.append(current)
        inner = (getattr(current, name, None) for name in ("reason", "original_error"))
        waiting += [*current.args, *inner, current.__cause__, current.__context__]
    return found
