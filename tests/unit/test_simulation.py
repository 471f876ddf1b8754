# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few stories of a fleet on virtual time (`make simulate` has many), and whether the simulation would notice a broken promise."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow import call, fetch, resolver, shared_store
from simulation.story import Plan, Story, plan_of
from simulation.world import Violation

CALM = Plan(faults=0, hours=1.0)


@pytest.mark.parametrize("seed", range(1000, 1008))
def test_no_promise_is_broken(seed):
    Story(seed, plan_of(seed)).play()


def test_the_same_seed_is_the_same_story():
    first, second = (Story(5, plan_of(5)) for _ in range(2))
    assert (first.play(), first.world.story) == (second.play(), second.world.story)


@pytest.mark.parametrize("shared", [False, True])
def test_a_calm_fleet_asks_as_lifetimes_need(shared):
    plan = dataclasses.replace(CALM, controllers=5, shared=shared, lifetime=600.0, hosts=6, forks=4)
    story = Story(3, plan)
    figures = story.play()
    scopes = 1 if shared else 5
    # A token is renewed in its last fifth at the earliest.
    assert scopes * 6 <= figures.vendor_requests <= scopes * (figures.seconds / 480 + 1)
    assert figures.errors == 0
    assert figures.lookups > 500


def broken(monkeypatch, seeds, plan, *changes):
    """The promises that are broken by these changes of the core, in one of so many stories."""
    for target, name, change in changes:
        monkeypatch.setattr(target, name, change)
    found = []
    for seed in seeds:
        try:
            Story(seed, plan).play()
        except Violation as exc:
            found.append(str(exc).rpartition(f"seed {seed}: ")[2])
            break
    return found


def test_a_refresh_token_that_stays_in_the_cache_while_it_is_used_is_noticed(monkeypatch):
    plan = Plan(crash=0.03, lifetime=300.0, faults=0)
    (promise,) = broken(monkeypatch, range(30), plan, (fetch.Token, "without_refresh_token", lambda token: token))
    assert "a refresh token was used twice" in promise


def test_a_lock_that_holds_nobody_back_is_noticed(monkeypatch):
    from simulation.store import MemoryStore

    monkeypatch.setattr(MemoryStore, "_held", property(lambda self: {}, lambda self, value: None), raising=False)
    monkeypatch.setattr(MemoryStore, "_let_go", lambda self, name: None)
    (promise,) = broken(monkeypatch, range(5), dataclasses.replace(CALM, refresh=False, forks=4))
    assert "a second token" in promise


def test_a_lease_that_ends_too_early_is_noticed(monkeypatch):
    plan = dataclasses.replace(CALM, controllers=5, shared=True, refresh=False, vendor_latency=5.0)
    (promise,) = broken(monkeypatch, range(20), plan, (shared_store.SharedCache, "_lease_seconds", lambda self, data: 0.0))
    assert "a second token" in promise


def test_a_refusal_that_is_forgotten_is_noticed(monkeypatch):
    monkeypatch.setattr(Story, "_purge", Story._wrong_password)
    plan = Plan(faults=8, forks=4)
    (promise,) = broken(monkeypatch, range(20), plan, (fetch, "remembered_refusal", lambda failures, asker, **facts: None))
    assert "was repeated" in promise


def test_an_expired_token_is_noticed(monkeypatch):
    plan = dataclasses.replace(CALM, lifetime=300.0)
    (promise,) = broken(monkeypatch, range(3), plan, (call, "judge", lambda token, freshness, **facts: call.Verdict.FRESH if token else call.Verdict.UNUSABLE))
    assert "which has expired" in promise


def test_a_failure_that_is_never_forgotten_is_noticed(monkeypatch):
    plan = Plan(faults=8, hours=0.5)
    (promise,) = broken(monkeypatch, range(20), plan, (resolver, "remembered_failure", lambda failures, asker, **facts: next(iter(failures), None)))
    assert "gets no token although all is well" in promise


def test_the_token_of_somebody_else_is_noticed(monkeypatch):
    plan = dataclasses.replace(CALM, paths=2)
    (promise,) = broken(monkeypatch, range(3), plan, (resolver.TokenSlot, "read", lambda self: next(iter(_everything(self)), resolver.Entry())))
    assert "which is not a token for" in promise


def _everything(slot):
    import json

    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.entry import entry_from_dict

    return [entry for content in slot.store._entries.values() if (entry := entry_from_dict(json.loads(content))).token]
