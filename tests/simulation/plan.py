# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a story. It is plain data, so that a seed can generate it and a failing one can be shortened."""

from __future__ import annotations

import dataclasses
import random
import typing as t

__all__ = ("KINDS", "Incident", "Plan", "fleet_of", "incidents_of", "plan_of")

#: The kinds of incidents, with the values of ``much`` for each. ``incidents.py`` implements them.
KINDS: t.Mapping[str, tuple[float, ...]] = {
    "vendor_away": (),
    "vendor_unavailable": (),
    "vendor_garbled": (),
    "rate_limit": (2.0, 90.0, 600.0),
    "lost_answers": (0.3, 1.0),
    "vault_away": (),
    "vault_sealed": (),
    "vault_fails_over": (0.1, 0.4),
    "vault_restored": (),
    "leases_lost": (),
    "login_refused": (),
    "secret_denied": (),
    "shared_denied": (),
    "password_rotated": (),
    "wrong_password": (),
    "tokens_revoked": (),
    "refresh_tokens_dead": (),
    "purged": (),
    "purged_everywhere": (),
    "pruned": (),
    "entry_removed": (),
    "disk_full": (),
    "clock_jumps": (-400.0, -90.0, 45.0, 300.0),
    "stopped": (),
    "killed": (),
}
_LASTS = (0.0, 2.0, 30.0, 120.0, 300.0)
_STOPPED = (2.0, 120.0, 1200.0)
_MOST_SKEW = 20.0
_MINUTES = 240.0


@dataclasses.dataclass(frozen=True)
class Incident:
    at: float  # seconds after the start
    kind: str
    lasts: float = 0.0
    whom: int = 0  # number of the controller, or of the path
    much: float = 0.0


@dataclasses.dataclass(frozen=True)
class Plan:
    controllers: int = 3
    paths: int = 1
    shared: bool = False
    hosts: int = 4
    forks: int = 2
    lifetime: float = 600.0
    lease: float = 3600.0  # of a Vault login, in seconds
    refresh: str = "rotating"  # none, rotating, kept
    consent: bool = False  # the vendor's only credential is a rotating refresh token
    hours: float = 2.0
    every: float = 300.0  # seconds between a controller's runs
    jitter: float = 0.2  # the fraction of `every` by which the intervals vary
    spread: float = 60.0  # seconds over which the first runs are spread
    tasks: int = 2
    between_tasks: float = 20.0
    min_ttl: float = 60.0
    max_age: float | None = None
    together: bool = False
    skew: float = 0.0  # clocks differ by at most twice this
    crash: float = 0.0
    crash_at: tuple[int, ...] = ()
    incidents: tuple[Incident, ...] = ()
    single: bool = False  # lookups also use force and refused
    interleave: bool = True  # callers also give way between file operations
    vendor_latency: float = 0.3
    vault_latency: float = 0.02
    token_size: int = 0  # minimum number of characters


def plan_of(seed: int, *, kinds: t.Sequence[str] = tuple(KINDS)) -> Plan:
    """A small story in which anything can happen.

    :arg kinds: restricts the kinds of incidents.
    """
    dice = random.Random(f"plan {seed}")
    shared = dice.random() < 0.6
    consent = dice.random() < 0.15
    controllers = dice.choice((1, 1, 2, 3, 5)) if shared or not consent else 1
    seconds = 3600.0
    return Plan(
        controllers=controllers,
        paths=dice.choice((1, 1, 2)),
        shared=shared,
        hosts=dice.choice((1, 3, 6)),
        forks=dice.choice((1, 2, 4)),
        lifetime=dice.choice((45.0, 300.0, 600.0, 3600.0)),
        lease=dice.choice((60.0, 900.0, 3600.0)),
        refresh="rotating" if consent else dice.choice(("none", "rotating", "rotating", "kept")),
        consent=consent,
        hours=seconds / 3600,
        every=dice.choice((60.0, 300.0)),
        between_tasks=dice.choice((0.0, 20.0, 60.0)),
        min_ttl=dice.choice((0.0, 60.0, 60.0, 200.0)),
        max_age=dice.choice((None, None, None, 120.0)),
        together=dice.random() < 0.2,
        skew=dice.choice((0.0, 0.0, _MOST_SKEW, _MINUTES)),
        crash=dice.choice((0.0, 0.0, 0.0, 0.002, 0.01)),
        incidents=incidents(dice, dice.choice((0, 2, 5, 10)), seconds=seconds, whom=10, kinds=kinds),
        single=dice.random() < 0.3,
    )


def incidents(dice: random.Random, number: int, *, seconds: float, whom: int, kinds: t.Sequence[str] = tuple(KINDS)) -> tuple[Incident, ...]:
    """Generate *number* incidents of these kinds. Some overlap."""
    found = []
    for _number in range(number):
        kind = dice.choice(kinds)
        at, lasts = round(dice.uniform(0.0, seconds), 1), dice.choice(_STOPPED if kind == "stopped" else _LASTS)
        found.append(Incident(at, kind, lasts, dice.randrange(whom), dice.choice(KINDS[kind] or (0.0,))))
    return tuple(sorted(found, key=lambda incident: incident.at))


def fleet_of(seed: int, *, controllers: int, days: float) -> Plan:
    """A large fleet over days or weeks, with an incident every few hours."""
    dice = random.Random(f"fleet {seed}")
    seconds = 86400 * days
    return Plan(
        controllers=controllers,
        shared=dice.random() < 0.7,
        hosts=dice.choice((2, 4)),
        forks=2,
        tasks=dice.choice((1, 2)),
        lifetime=dice.choice((900.0, 3600.0, 28800.0)),
        refresh=dice.choice(("none", "rotating", "kept")),
        hours=24 * days,
        every=dice.choice((1800.0, 3600.0)),
        skew=dice.choice((0.0, _MOST_SKEW)),
        crash=0.0002,
        incidents=incidents(dice, int(6 * days), seconds=seconds, whom=controllers),
        interleave=False,
    )


def incidents_of(seed: int, number: int, *, seconds: float, whom: int) -> tuple[Incident, ...]:
    return incidents(random.Random(f"incidents {seed}"), number, seconds=seconds, whom=whom)
