# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shorten a story that breaks a promise while it still breaks the same one: fewer incidents, callers, controllers and hours."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .plan import Plan
from .story import Story
from .world import Violation

__all__ = ("broken_by", "shrunk")

_SEEDS = 3  # try several: a shorter plan draws other random numbers, so each seed gives another story
_MOST_STORIES = 400
_EARLY = 30.0  # seconds


def broken_by(seed: int, plan: Plan) -> Violation | None:
    try:
        Story(seed, plan).play()
    except Violation as broken:
        return broken
    return None


def shrunk(seed: int, plan: Plan, broken: Violation, *, most: int = _MOST_STORIES) -> tuple[int, Plan, Violation]:
    """Return the shortest story found that breaks the same promise as *broken*."""
    left, kind = most, _kind(broken)
    if plan.crash:
        story = Story(seed, plan)
        try:
            story.play()
        except Violation:
            exact = dataclasses.replace(plan, crash=0.0, crash_at=(*plan.crash_at, *story.world.crashed_at))
            same = broken_by(seed, exact)
            if same is not None and _kind(same) == kind:
                plan, broken = exact, same
    shorter = True
    while shorter:
        shorter = False
        for candidate in _shorter(plan):
            for other in range(seed, seed + _SEEDS):
                if left <= 0:
                    return seed, plan, broken
                left -= 1
                found = broken_by(other, candidate)
                if found is not None and _kind(found) == kind:
                    seed, plan, broken, shorter = other, candidate, found, True
                    break
            if shorter:
                break
    return seed, plan, broken


def _kind(broken: Violation) -> str:
    """The promise without names and numbers."""
    return re.sub(r"\S*\d\S*", "_", broken.promise)[:60]


def _shorter(plan: Plan) -> t.Iterator[Plan]:
    """Yield plans that are a little shorter than *plan*, those that save the most first."""
    for parts in ("incidents", "crash_at"):
        found: tuple[t.Any, ...] = getattr(plan, parts)
        for size in sorted({len(found), len(found) // 2, 1} - {0}, reverse=True):
            for at in range(0, len(found), size):
                yield dataclasses.replace(plan, **{parts: found[:at] + found[at + size :]})
    if plan.incidents and plan.incidents[0].at > _EARLY:
        earlier = plan.incidents[0].at / 2
        moved = tuple(dataclasses.replace(incident, at=incident.at - earlier) for incident in plan.incidents)
        yield dataclasses.replace(plan, incidents=moved, hours=max(0.05, plan.hours - earlier / 3600))
    if plan.hours > 0.05:
        yield dataclasses.replace(plan, hours=round(plan.hours / 2, 4))
        yield dataclasses.replace(plan, hours=round(plan.hours * 0.9, 4))
    for name, least in (("controllers", 1), ("paths", 1), ("hosts", 1), ("forks", 1), ("tasks", 1)):
        value: int = getattr(plan, name)
        for less in sorted({least, value // 2, value - 1}):
            if least <= less < value:
                yield dataclasses.replace(plan, **{name: less})
    plain = Plan()
    for name in ("crash", "skew", "single", "together", "max_age", "min_ttl", "interleave", "lease", "between_tasks"):
        simple = {"interleave": False}.get(name, getattr(plain, name))
        if getattr(plan, name) != simple:
            yield dataclasses.replace(plan, **{name: simple})
