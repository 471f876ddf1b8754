# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few stories of a fleet on virtual time (`make simulate` plays many), and whether the simulation would notice a broken promise."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.entry import entry_from_dict
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow import call, fetch, resolver, shared_store
from simulation.plan import KINDS, Incident, Plan, plan_of
from simulation.promises import Promises
from simulation.scale import plans, row
from simulation.shrink import shrunk
from simulation.store import MemoryStore
from simulation.story import Story
from simulation.world import Violation

CALM = Plan(hours=1.0)

#: Stories that broke a promise in the past, shortened by `make simulate`.
BROKEN_BEFORE = (
    # On a full disk, a refresh token was sent although it stayed in the cache.
    (17, Plan(controllers=1, hosts=1, forks=1, lifetime=45.0, hours=0.7, every=60.0, incidents=(Incident(2302.8, "disk_full", 300.0, 8),), interleave=False)),
    # A token expired during a wait for Vault, and was returned anyway.
    (
        32,
        Plan(
            controllers=1,
            shared=True,
            hosts=1,
            forks=1,
            lifetime=45.0,
            refresh="kept",
            hours=0.27,
            every=60.0,
            between_tasks=60.0,
            crash_at=(124,),
            incidents=(Incident(838.2, "vault_fails_over", 300.0, 3, 0.1),),
        ),
    ),
    # A run forgot that it had renewed a token.
    (
        52,
        Plan(
            controllers=1,
            shared=True,
            hosts=6,
            forks=1,
            lifetime=3600.0,
            refresh="kept",
            hours=0.81,
            every=60.0,
            between_tasks=60.0,
            single=True,
            interleave=False,
        ),
    ),
)


@pytest.mark.parametrize("seed", [1000, 1001, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(1002, 1008))])
def test_stories_break_no_promise(seed):  # `make simulate` plays any number
    Story(seed, plan_of(seed)).play()


@pytest.mark.parametrize(("seed", "plan"), BROKEN_BEFORE)
def test_stories_that_once_broke_a_promise_do_not_break_it_again(seed, plan):
    Story(seed, plan).play()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_incident_happens_and_ends(kind):
    whats = tuple(Incident(600.0 + 900 * n, kind, 60.0, n, much) for n, much in enumerate(KINDS[kind] or (0.0,)))
    for shared in (False, True):
        figures = Story(1, Plan(shared=shared, hours=1.5, lifetime=300.0, incidents=whats)).play()
        assert figures.incidents[kind] == len(whats)


@pytest.mark.thorough
@pytest.mark.parametrize("shared", [False, True])
def test_a_process_can_be_killed_at_each_step_of_a_first_lookup(shared):
    """The steps of the real ports count too: before and after each file operation, each request to Vault and each request to the vendor."""
    plan = Plan(controllers=2, shared=shared, hosts=1, forks=1, tasks=1, every=40.0, hours=0.02, lifetime=45.0)
    steps = Story(1, plan).play().steps
    assert steps > 60
    assert [Story(1, dataclasses.replace(plan, crash_at=(step + 1,))).play().crashes for step in range(steps)] == [1] * steps


def test_the_same_seed_plays_the_same_story():
    first, second = (Story(1001, plan_of(1001)) for _ in range(2))
    assert (first.play(), first.world.story) == (second.play(), second.world.story)


@pytest.mark.parametrize("shared", [False, True])
def test_a_calm_fleet_requests_only_as_often_as_lifetimes_require(shared):
    plan = dataclasses.replace(CALM, controllers=5, shared=shared, lifetime=600.0, hosts=6, forks=4)
    story = Story(3, plan)
    figures = story.play()
    scopes = 1 if shared else 5
    # A token is renewed in the last fifth of its lifetime at the earliest.
    assert scopes * 6 <= figures.vendor_requests <= scopes * (figures.seconds / 480 + 1)
    assert figures.errors == 0
    assert figures.lookups > 500


@pytest.mark.thorough
def test_the_cost_table_has_a_row_for_each_kind_of_fleet():
    found = plans(2, 10, 0.6)
    rows = [row(name, Story(1, plan).play()) for name, plan in found.items()]
    assert [line.count("|") for line in rows] == [14] * 5
    assert rows[0].startswith("| 2 controllers with 10 hosts, `file` | ")


# -- whether a broken promise is noticed


def broken(monkeypatch, seeds, plan, *changes):
    """The promise that is broken with these changes of the core, in one of the *seeds*; empty if none is."""
    for target, name, change in changes:
        monkeypatch.setattr(target, name, change)
    for seed in seeds:
        try:
            Story(seed, plan).play()
        except Violation as exc:
            return exc.promise
    return ""


def test_a_refresh_token_that_stays_in_the_cache_while_it_is_used_is_noticed(monkeypatch):
    plan = Plan(crash=0.03, lifetime=300.0)
    promise = broken(monkeypatch, range(30), plan, (fetch, "_take_out", lambda work, entry: True))
    assert "is used a second time" in promise


def test_a_lock_that_excludes_nobody_is_noticed(monkeypatch):
    monkeypatch.setattr(MemoryStore, "_let_go", lambda self, name: None)
    promise = broken(monkeypatch, range(5), dataclasses.replace(CALM, refresh="none", forks=4), (MemoryStore, "_take", lambda self, name: True))
    assert "a second token" in promise


def test_a_lease_that_ends_too_early_is_noticed(monkeypatch):
    plan = dataclasses.replace(CALM, controllers=5, shared=True, refresh="none", vendor_latency=5.0)
    promise = broken(monkeypatch, range(20), plan, (shared_store.SharedCache, "_lease_seconds", lambda self, data: 0.0))
    assert "a second token" in promise


def test_a_forgotten_refusal_is_noticed(monkeypatch):
    plan = Plan(forks=4, incidents=tuple(Incident(900.0 * n, "wrong_password", 300.0) for n in range(8)), lifetime=300.0)
    promise = broken(monkeypatch, range(20), plan, (fetch, "remembered_refusal", lambda failures, caller, **facts: None))
    assert "was repeated" in promise


def test_a_token_too_old_for_its_caller_is_noticed(monkeypatch):
    plan = dataclasses.replace(CALM, lifetime=300.0, together=True)
    promise = broken(monkeypatch, range(3), plan, (call, "judge", lambda token, freshness, **facts: call.Verdict.FRESH if token else call.Verdict.UNUSABLE))
    assert "which is valid for" in promise


def test_a_failure_that_is_never_forgotten_is_noticed(monkeypatch):
    plan = Plan(hours=0.5, incidents=(Incident(10.0, "vendor_unavailable", 300.0),))
    promise = broken(monkeypatch, range(20), plan, (resolver, "remembered_failure", lambda failures, caller, **facts: next(iter(failures), None)))
    assert "although nothing went wrong recently" in promise


def test_a_token_of_another_request_is_noticed(monkeypatch):
    plan = dataclasses.replace(CALM, paths=2, together=True)
    promise = broken(monkeypatch, range(3), plan, (resolver.TokenSlot, "read", lambda self: next(iter(_everything(self)), resolver.Entry())))
    assert "which is not a token for" in promise


def _everything(slot):
    return [entry for _header, data, _write in slot.store.disk.files.values() if (entry := entry_from_dict(json.loads(data))).token]


def test_an_endless_wait_is_noticed(monkeypatch):
    plan = Plan(hours=0.2, incidents=(Incident(5.0, "vault_away", 300.0),))
    promise = broken(monkeypatch, range(3), plan, (resolver, "_serve_stale", lambda call, entry, error: call.ports.sleep(1e6)))
    assert "wait forever" in promise


@pytest.mark.thorough
def test_a_broken_story_is_shrunk(monkeypatch):
    monkeypatch.setattr(Promises, "_judge_error", lambda self, asked, error: self._fail(f"{asked.who}: {error.message}"))
    plan = Plan(
        controllers=3,
        paths=2,
        lifetime=45.0,
        every=60.0,
        hours=0.1,
        incidents=tuple(Incident(60.0 * n, kind, 30.0) for n, kind in enumerate(("pruned", "purged_everywhere", "vendor_away", "killed"))),
    )
    with pytest.raises(Violation) as broken_first:
        Story(7, plan).play()
    seed, short, promise = shrunk(7, plan, broken_first.value, most=60)
    assert ([incident.kind for incident in short.incidents], short.paths) == (["vendor_away"], 1)
    with pytest.raises(Violation, match="connection refused"):
        Story(seed, short).play()
    assert "connection refused" in promise.promise
