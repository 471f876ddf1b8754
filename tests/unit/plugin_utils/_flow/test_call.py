# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One call for one token: what it does with an entry, and what it leaves for later calls of its run."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Renewal, fingerprint
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.freshness import Verdict
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow import call as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.call import Call, short_life, with_place
from support.scripted import NOW, Scene, request_for, token

TOKEN = token("tok", age=100)
FORCED, REFUSED = Renewal("run-1", "force", NOW - 50), Renewal("run-1", fingerprint("tok"), NOW - 50)


def call(scene=None, **freshness):
    return Call.begin(request_for(**freshness), (scene or Scene()).ports, key="the-key")


def test_a_call_records_when_and_by_which_run_it_started():
    scene = Scene()
    begun = call(scene)
    scene.now += 10
    assert (begun.started, begun.started_monotonic, begun.key) == (NOW, NOW, "the-key")
    assert (begun.caller.run, begun.caller.started, begun.caller.failure_ttl) == ("run-1", NOW, 30)


@pytest.mark.parametrize(
    ("renewals", "expected"),
    [
        ((), Verdict.UNUSABLE),
        ((FORCED,), Verdict.FRESH),
        ((dataclasses.replace(FORCED, run="run-2"),), Verdict.UNUSABLE),
        ((dataclasses.replace(FORCED, cause="sha256:0"),), Verdict.UNUSABLE),
    ],
)
def test_force_renews_once_per_run(renewals, expected):
    assert call(force=True).verdict(Entry(TOKEN, renewals=renewals)) is expected


@pytest.mark.parametrize("refused", ["tok", fingerprint("tok"), fingerprint("tok")[7:]])
def test_a_refused_token_is_renewed_once_per_run_however_it_is_named(refused):
    assert call(refused=refused).verdict(Entry(TOKEN)) is Verdict.UNUSABLE
    assert call(refused=refused).verdict(Entry(TOKEN, renewals=(REFUSED,))) is Verdict.FRESH
    assert call(refused=refused).verdict(Entry(TOKEN, renewals=(FORCED,))) is Verdict.UNUSABLE


@pytest.mark.parametrize(
    ("age", "run", "expected"),
    [
        (0, "run-1", Verdict.FRESH),
        (299, "run-1", Verdict.FRESH),
        (300, "run-1", Verdict.UNUSABLE),
        (-1, "run-1", Verdict.UNUSABLE),
        (0, "run-2", Verdict.UNUSABLE),
    ],
)
def test_a_refusal_reported_by_a_host_counts_once_in_five_minutes(age, run, expected):
    """Otherwise a host that lies at each call would have the token of all hosts renewed each time."""
    renewals = call(refused="tok", by_host=True).renewals(Entry(token("before")))
    assert [renewal.cause for renewal in renewals] == [fingerprint("tok"), "host"]
    another = Entry(token("another"), renewals=(Renewal(run, "host", NOW - age),))
    assert call(refused="another", by_host=True).verdict(another) is expected
    assert call(refused="another").verdict(another) is Verdict.UNUSABLE


def test_only_a_refusal_reported_by_a_host_is_limited():
    assert call(force=True, by_host=True).renewals(Entry()) == (Renewal("run-1", "force", NOW),)
    assert call(refused="tok", by_host=True).verdict(Entry(TOKEN, renewals=(FORCED,))) is Verdict.UNUSABLE


def test_force_and_a_refused_token_are_two_causes():
    both = call(force=True, refused="tok")
    assert both.verdict(Entry(TOKEN, renewals=(FORCED,))) is Verdict.UNUSABLE
    assert both.verdict(Entry(TOKEN, renewals=(REFUSED,))) is Verdict.UNUSABLE
    assert both.verdict(Entry(TOKEN, renewals=(FORCED, REFUSED))) is Verdict.FRESH


@pytest.mark.parametrize(("refused", "left", "expected"), [("tok", 1000, False), (None, 1000, True), (None, -1, False)])
def test_a_token_serves_on_while_it_is_valid_and_not_refused(refused, left, expected):
    assert call(refused=refused).may_serve(Entry(token("tok", age=100, lifetime=100 + left))) is expected


def test_without_a_token_nothing_can_be_served():
    assert not call().may_serve(Entry())


def test_a_renewal_replaces_its_earlier_record():
    others = (dataclasses.replace(FORCED, run="run-2"), REFUSED)
    assert call(force=True).renewals(Entry(TOKEN, renewals=(FORCED, *others))) == (*others, Renewal("run-1", "force", NOW))
    both = call(force=True, refused="tok").renewals(Entry(TOKEN, renewals=(FORCED, *others)))
    assert both == (others[0], Renewal("run-1", "force", NOW), Renewal("run-1", fingerprint("tok"), NOW))
    assert call().renewals(Entry(TOKEN, renewals=(FORCED, *others))) == (FORCED, *others)


@pytest.mark.parametrize(("age", "kept"), [(0, True), (86399, True), (86400, False), (-1, False)])
def test_renewals_are_remembered_for_a_day(age, kept):
    one = Renewal("run-2", "force", NOW - age)
    assert call().renewals(Entry(renewals=(one,))) == ((one,) if kept else ())


def test_at_most_64_renewals_are_remembered():
    many = tuple(Renewal(f"run-{number}", "force", NOW) for number in range(100, 200))
    kept = call(force=True).renewals(Entry(renewals=many))
    assert len(kept) == 64
    assert kept[-2:] == (many[-1], Renewal("run-1", "force", NOW))


def test_an_event_has_reason_duration_expiry_and_fingerprint():
    scene = Scene()
    begun = call(scene)
    scene.now += 2
    begun.report("fetched", TOKEN, reason="no entry")
    begun.report("failed")
    first, second = scene.events
    assert (first.name, first.vendor, first.where, first.reason, first.seconds) == ("fetched", "trackunit", "secret/fleet/x", "no entry", 2)
    assert (first.expires_at, first.fingerprint, first.key) == (TOKEN.expires_at, fingerprint("tok"), "the-key")
    assert (second.reason, second.expires_at, second.fingerprint, second.key) == ("", None, "", "the-key")


def test_an_event_of_an_error_has_its_code():
    scene = Scene()
    begun, exc = call(scene), VendorError("no", "refused")
    begun.report("failed", error=exc)
    begun.report("served_stale", reason="why", error=exc)
    begun.report("hit")
    assert [(event.reason, event.error_code) for event in scene.events] == [("no", exc.error_code), ("why", exc.error_code), ("", "")]
    assert exc.error_code


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ("sha256:0", "sha256:0"),
        ("0123456789abcdef", "sha256:0123456789abcdef"),
        ("0123456789abcdeg", fingerprint("0123456789abcdeg")),
        ("0123456789abcde", fingerprint("0123456789abcde")),
        ("0123456789ABCDEF", fingerprint("0123456789ABCDEF")),
        ("XXXXXXXXXXXXXXXX", fingerprint("XXXXXXXXXXXXXXXX")),
    ],
)
def test_a_refused_token_becomes_a_fingerprint(refused, expected):
    assert subject._as_fingerprint(refused) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("no.", "trackunit: no token for secret/fleet/x: no."),
        ("trackunit: no.", "trackunit: no token for secret/fleet/x: no."),
        ("trackunit: secret/fleet/x is no.", "trackunit: secret/fleet/x is no."),
        ("secret/data/fleet/x is denied.", "trackunit: secret/data/fleet/x is denied."),
    ],
)
def test_the_path_is_named_once_in_a_message(said, expected):
    for family in (VendorError, VaultError):
        assert with_place(family(said), request_for()) == expected


def test_a_lifetime_below_min_ttl_has_a_warning():
    warning = "tracx: the token for secret/x has a lifetime of only 30 s, less than min_ttl (60 s)."
    assert short_life("tracx", "secret/x", lifetime=30.9, min_ttl=60.0) == warning
