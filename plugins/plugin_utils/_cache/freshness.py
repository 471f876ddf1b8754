# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Decide whether a cached token is good enough. Pure; a cache hit passes objects with the fields of :class:`Token` and :class:`Freshness`."""

from __future__ import annotations

import enum
import typing as t

if t.TYPE_CHECKING:
    from .._base.model import Freshness, Token

__all__ = ("Verdict", "judge", "still_valid")

_LAST_PART = 0.2  # of a lifetime, in which one caller renews early
_CLOCK_SLACK = 60  # seconds that an entry may be in the future; with more, the clock must have jumped


class Verdict(enum.Enum):
    FRESH = "fresh"
    AGING = "aging"  # good, but one caller may renew it early
    STALE = "stale"  # must be renewed; serves while valid if renewal fails
    UNUSABLE = "unusable"


def judge(token: Token | None, freshness: Freshness, *, now: float, started: float) -> Verdict:
    """Decide what to do with *token*.

    :arg started: when this call began. A token fetched after that satisfies C(force), so that many hosts that force at
    once cause one request.
    """
    if token is None or token.issued_at > now + _CLOCK_SLACK or (freshness.refused and freshness.refuses(token.access_token)):
        return Verdict.UNUSABLE
    if freshness.force and token.issued_at < started:
        return Verdict.UNUSABLE
    left, age, lifetime = token.expires_at - now, now - token.issued_at, max(0.0, token.expires_at - token.issued_at)
    if left <= 0:
        return Verdict.UNUSABLE
    if left < _needed(lifetime, freshness) or (freshness.max_age is not None and age > freshness.max_age):
        return Verdict.STALE
    if left >= lifetime * _LAST_PART:
        return Verdict.FRESH
    return Verdict.STALE if freshness.together else Verdict.AGING


def _needed(lifetime: float, freshness: Freshness) -> float:
    """The seconds that must be left. If a whole lifetime is no longer than ``min_ttl``, another token would be no better: it serves for half of it."""
    return freshness.min_ttl if lifetime > freshness.min_ttl else lifetime / 2


def still_valid(token: Token | None, freshness: Freshness, *, now: float) -> bool:
    """Whether *token* may serve if it cannot be renewed."""
    return (
        token is not None
        and not freshness.force
        and not freshness.refuses(token.access_token)
        and token.issued_at <= now + _CLOCK_SLACK
        and token.seconds_left(now) > 0
    )
