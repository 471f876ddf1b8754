# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a cached token is good enough; its lifetime is 3600 s unless a test says otherwise."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Freshness, fingerprint
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.freshness import Verdict, judge, still_valid
from hypothesis import given
from hypothesis import strategies as st
from support.scripted import NOW, token

FRESH, AGING, STALE, UNUSABLE = Verdict.FRESH, Verdict.AGING, Verdict.STALE, Verdict.UNUSABLE


def verdict(age, *, lifetime=3600, started=NOW, **freshness):
    return judge(token(age=age, lifetime=lifetime), Freshness(**freshness), now=NOW, started=started)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, FRESH),
        (2879, FRESH),
        (2880, FRESH),
        (2881, AGING),
        (3540, AGING),
        (3541, STALE),
        (3599, STALE),
        (3600, UNUSABLE),
        (9999, UNUSABLE),
    ],
)
def test_the_verdict_depends_on_the_age(age, expected):
    assert verdict(age) is expected


@pytest.mark.parametrize(("age", "expected"), [(-60, FRESH), (-61, UNUSABLE), (-1e6, UNUSABLE), (1e6, UNUSABLE)])
def test_a_token_from_the_far_future_or_past_is_unusable(age, expected):
    assert verdict(age) is expected
    assert still_valid(token(age=age), Freshness(), now=NOW) is (expected is FRESH)


@pytest.mark.parametrize(("age", "expected"), [(0, FRESH), (20, FRESH), (30, FRESH), (31, STALE), (59, STALE), (60, UNUSABLE)])
def test_a_lifetime_below_min_ttl_is_fresh_for_its_first_half(age, expected):
    assert verdict(age, lifetime=60, min_ttl=600) is expected


@pytest.mark.parametrize(("age", "expected"), [(2880, FRESH), (2881, STALE), (3600, UNUSABLE)])
def test_in_its_last_fifth_a_token_is_stale_for_callers_that_renew_together(age, expected):
    assert verdict(age, together=True) is expected


@pytest.mark.parametrize(("min_ttl", "age", "expected"), [(1200, 2399, FRESH), (1200, 2401, STALE), (0, 3599, AGING), (3600, 1799, FRESH), (3600, 1801, STALE)])
def test_min_ttl_decides_when_a_token_is_stale(min_ttl, age, expected):
    assert verdict(age, min_ttl=min_ttl) is expected


def test_a_token_older_than_max_age_is_stale():
    assert verdict(300, max_age=300) is FRESH
    assert verdict(301, max_age=300) is STALE


def test_concurrent_forced_callers_share_one_fetch():
    freshness = Freshness(force=True)
    fetched = token(age=5)  # at NOW - 5
    assert judge(fetched, freshness, now=NOW, started=NOW) is UNUSABLE
    assert judge(fetched, freshness, now=NOW, started=NOW - 6) is FRESH
    assert not still_valid(fetched, freshness, now=NOW)


@pytest.mark.parametrize("name", ["tok", fingerprint("tok"), fingerprint("tok")[7:]])
def test_a_refused_token_is_unusable_and_its_successor_is_fresh(name):
    assert verdict(0, refused=name) is UNUSABLE
    assert not still_valid(token(), Freshness(refused=name), now=NOW)
    # A caller that asks after the renewal is served: the token is a new one.
    assert judge(token("new"), Freshness(refused=name), now=NOW, started=NOW) is FRESH


def test_no_token_and_an_expired_token_are_never_valid():
    assert judge(None, Freshness(), now=NOW, started=NOW) is UNUSABLE
    assert not still_valid(None, Freshness(), now=NOW)
    assert not still_valid(token(lifetime=0), Freshness(), now=NOW)
    assert still_valid(token(age=3599), Freshness(), now=NOW)


def test_the_refused_token_is_not_in_the_repr():
    assert "s3cret" not in repr(Freshness(refused="s3cret"))


_seconds = st.floats(0, 1e6)


@given(age=_seconds, lifetime=_seconds, min_ttl=_seconds, max_age=st.none() | _seconds)
def test_a_token_is_valid_exactly_when_it_is_not_unusable(age, lifetime, min_ttl, max_age):
    good = verdict(age, lifetime=lifetime, min_ttl=min_ttl, max_age=max_age) is not UNUSABLE
    assert good is still_valid(token(age=age, lifetime=lifetime), Freshness(), now=NOW)


def test_a_token_fetched_at_the_start_of_a_forced_call_is_fresh():
    assert verdict(0, started=NOW, force=True) is FRESH
    assert verdict(1, started=NOW, force=True) is UNUSABLE


def test_a_lifetime_below_a_second_has_a_last_fifth_too():
    assert verdict(0.35, lifetime=0.5, min_ttl=0) is FRESH
    assert verdict(0.45, lifetime=0.5, min_ttl=0) is AGING
