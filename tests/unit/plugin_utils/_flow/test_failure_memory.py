# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which failures are remembered, for whom and for how long."""

from __future__ import annotations

import dataclasses
import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CacheError, LockTimeout, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Failure
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.failure_memory import (
    Caller,
    add_failure,
    as_error,
    caller_of,
    confirm,
    failure_of,
    failures_after_success,
    forgotten_at,
    is_recent,
    is_vault_refusal,
    remembered_failure,
    remembered_login_refusal,
    remembered_refusal,
)
from support.scripted import NOW, request_for, vault_options

ME = Caller("run", "network", started=NOW, failure_ttl=30)
OUTAGE = Failure("away", "unavailable", NOW - 1, run="run", network="network")
REFUSAL = Failure("no", "refused", NOW - 1, secret_version="7", run="run", network="network")
OTHER = {"run": "other"}


def is_remembered(failure, *, after=0.0, caller=ME, **more):
    return remembered_failure([failure], caller, now=NOW + after, **more) is not None


@pytest.mark.parametrize(
    ("changes", "after", "expected"),
    [
        ({}, 0, True),
        ({}, 28.9, True),
        ({}, 29, False),
        ({}, 29.1, False),
        ({"took": 5.0}, 78.9, True),
        ({"took": 5.0}, 79.1, False),
        ({"took": 1000.0}, 328.9, True),  # at most 30 s plus 300 s
        ({"took": 1000.0}, 329.1, False),
        ({"kind": "answer"}, 0, True),
        ({"kind": "vault:sealed"}, 0, True),
        ({"kind": "vault:tls"}, 0, True),
        ({"kind": "vault:denied"}, 0, False),
        ({"kind": "vault:missing"}, 0, False),
        ({"kind": "refused"}, 0, False),  # the secret is read first
        (OTHER, 0, False),
        ({"network": "other"}, 0, False),
        ({**OTHER, "retry_at": NOW + 100}, 99, True),
        ({**OTHER, "retry_at": NOW + 100}, 100, False),
        ({**OTHER, "retry_at": NOW + 1e9}, 298, True),  # at most 300 s after it was recorded
        ({**OTHER, "retry_at": NOW + 1e9}, 300, False),
        ({"recorded_at": NOW + 60}, 0, True),  # the clock of another controller
        ({"recorded_at": NOW + 61}, 0, False),  # a clock that has jumped
    ],
)
def test_when_a_remembered_failure_is_repeated(changes, after, expected):
    assert is_remembered(dataclasses.replace(OUTAGE, **changes), after=after) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"kind": "vault:denied"}, True),
        ({"kind": "refused"}, True),
        ({"network": "other"}, False),
        ({"network": "other", "kind": "refused"}, True),  # a refusal by the vendor holds on every network path
    ],
)
def test_a_failure_recorded_during_the_wait_is_repeated(changes, expected):
    assert is_remembered(dataclasses.replace(OUTAGE, **OTHER, **changes, recorded_at=NOW + 1), after=2) is expected
    # This holds whatever the clock of another controller says.
    old = dataclasses.replace(OUTAGE, **OTHER, **changes, recorded_at=NOW - 1e6)
    assert is_remembered(old, new={old}) is expected
    assert not is_remembered(old)


def test_a_failure_from_before_the_call_is_not_new():
    assert not is_remembered(dataclasses.replace(OUTAGE, **OTHER, recorded_at=NOW), after=2)


@pytest.mark.parametrize("order", [1, -1])
def test_the_newest_failure_is_repeated(order):
    older, newer = OUTAGE, dataclasses.replace(OUTAGE, message="again", recorded_at=NOW - 0.5)
    assert remembered_failure([older, newer][::order], ME, now=NOW) == newer


def test_a_refusal_confirmed_during_the_wait_is_repeated():
    (confirmed,) = confirm([REFUSAL], REFUSAL, at=NOW + 5)
    assert confirmed == dataclasses.replace(REFUSAL, confirmed_at=NOW + 5)
    assert is_remembered(confirmed, after=6)
    assert confirm([OUTAGE], REFUSAL, at=NOW + 5) == (OUTAGE,)
    old = dataclasses.replace(confirmed, recorded_at=NOW - 3600)
    assert is_remembered(old, after=6)
    assert not is_remembered(dataclasses.replace(old, **OTHER), after=6)  # others forget it sooner


@pytest.mark.parametrize(
    ("changes", "after", "expected"),
    [
        ({}, 0, True),
        ({}, 86398, True),
        ({}, 86400, False),
        (OTHER, 28.9, True),
        (OTHER, 29, False),
        ({"secret_version": "8"}, 0, False),
        ({"kind": "unavailable"}, 0, False),
    ],
)
def test_a_refusal_is_remembered_for_the_same_secret_version(changes, after, expected):
    found = remembered_refusal([OUTAGE, dataclasses.replace(REFUSAL, **changes)], ME, secret_version="7", now=NOW + after)
    assert (found is not None) is expected


@pytest.mark.parametrize(
    ("changes", "after", "expected"),
    [
        ({}, 86398, True),
        ({}, 86400, False),
        (OTHER, 28.9, True),
        (OTHER, 29, False),
        ({"network": "other"}, 0, True),  # the entry belongs to these credentials
        ({"kind": "vault:denied"}, 0, False),
        ({"recorded_at": NOW + 61}, 0, False),
    ],
)
def test_a_refused_vault_login_is_remembered(changes, after, expected):
    refused = dataclasses.replace(OUTAGE, kind="vault:login_refused")
    found = remembered_login_refusal([OUTAGE, dataclasses.replace(refused, **changes)], ME, now=NOW + after)
    assert (found is not None) is expected


def test_a_success_clears_failures_of_the_same_network():
    """Failures on another network path stay; a refusal ends when these credentials got the token."""
    proxy, refused = dataclasses.replace(OUTAGE, network="proxy"), dataclasses.replace(REFUSAL, network="proxy")
    assert failures_after_success([OUTAGE, proxy, REFUSAL, refused], ME) == (proxy,)
    assert failures_after_success([OUTAGE, proxy, REFUSAL, refused], ME, asked=False) == (proxy, REFUSAL, refused)


def test_without_failure_ttl_only_retry_after_counts():
    caller = dataclasses.replace(ME, failure_ttl=0)
    assert not is_remembered(OUTAGE, caller=caller)
    assert is_remembered(dataclasses.replace(OUTAGE, retry_at=NOW + 10), caller=caller)
    assert remembered_refusal([REFUSAL], caller, secret_version="7", now=NOW) is None
    assert not is_recent([OUTAGE], caller, now=NOW)
    assert not is_remembered(dataclasses.replace(OUTAGE, recorded_at=NOW + 5), caller=caller)


def test_a_failure_ttl_of_one_second_lasts_one_second():
    caller, new = dataclasses.replace(ME, failure_ttl=1), dataclasses.replace(OUTAGE, recorded_at=NOW)
    assert [is_remembered(new, caller=caller, after=after) for after in (0, 0.9, 1)] == [True, True, False]
    assert [is_recent([new], caller, now=NOW + after) for after in (0, 0.9, 1)] == [True, True, False]


def test_each_run_keeps_its_own_failure():
    other, proxy = dataclasses.replace(OUTAGE, **OTHER), dataclasses.replace(OUTAGE, network="proxy")
    new = dataclasses.replace(OUTAGE, message="again", recorded_at=NOW)
    assert add_failure([OUTAGE, other, proxy], new, failure_ttl=30, now=NOW) == (other, proxy, new)
    old = dataclasses.replace(other, recorded_at=NOW - 30)  # from now on it is no longer reported
    assert add_failure([old], new, failure_ttl=30, now=NOW) == (new,)
    many = [dataclasses.replace(other, run=str(number), recorded_at=NOW - number / 10) for number in range(100)]
    kept = add_failure(many, new, failure_ttl=30, now=NOW)
    assert len(kept) == 64
    assert kept[-1] == new and kept[-2].run == "0"
    assert len(add_failure(many, new, failure_ttl=30, now=NOW, most=8)) == 8


def test_when_a_failure_is_forgotten():
    assert forgotten_at(OUTAGE, 30) == NOW + 29
    assert forgotten_at(dataclasses.replace(OUTAGE, retry_at=NOW + 200), 30) == NOW + 200
    assert forgotten_at(REFUSAL, 30) == NOW - 1 + 86400


@pytest.mark.parametrize(("kind", "expected"), [("denied", True), ("login_refused", True), ("sealed", False), ("missing", False)])
def test_after_a_vault_refusal_the_cached_token_is_not_served(kind, expected):
    assert is_vault_refusal(VaultError("no", kind)) is expected
    failure = dataclasses.replace(OUTAGE, kind=f"vault:{kind}")
    assert is_recent([failure], ME, now=NOW) is not expected


def test_a_failure_and_its_error_are_converted_both_ways():
    vendor = VendorError("v", "refused", status=401, code="invalid_client", fault="vendor:x")
    for exc in (vendor, VaultError("w", "sealed", fault="vault:x"), CacheError("held", fault="cache:lock")):
        given = LockTimeout("held", holder=5) if isinstance(exc, CacheError) else exc
        failure = failure_of(given, ME, asked_version="7", took=1.0, now=NOW)
        assert (failure.recorded_at, failure.run, failure.network, failure.took) == (NOW, "run", "network", 1.0)
        assert failure.secret_version == ("7" if exc is vendor else "")
        back = as_error(failure)
        assert (type(back), vars(back) | {"args": back.args}) == (type(exc), vars(exc) | {"args": exc.args})
    assert (failure.code, is_remembered(failure)) == ("5", True)
    assert failure_of(VendorError("v", retry_after=1e6), ME, asked_version="", took=1.0, now=NOW).retry_at == NOW + 300


def test_without_retry_after_other_callers_do_not_wait():
    """Not even a controller whose clock is behind that of the one that failed."""
    failure = failure_of(VendorError("v", "unavailable"), Caller("other", "proxy", NOW, 30), asked_version="", took=1.0, now=NOW + 5)
    assert failure.retry_at == 0.0
    assert not is_remembered(failure)


def test_a_caller_has_run_network_start_and_failure_ttl():
    caller = caller_of(request_for(failure_ttl=7), run="r", started=5.0)
    assert re.fullmatch("[0-9a-f]{16}", caller.network)
    assert caller == Caller("r", caller.network, 5.0, 7)


@pytest.mark.parametrize(
    "other",
    [
        {"http": {"proxy": "http://p"}},
        {"http": {"ca_cert": "/ca.pem"}},
        {"http": {"timeout": 1}},
        {"vault": vault_options(ca_cert="/ca.pem")},
        {"vault": vault_options(timeout=1)},
    ],
)
def test_other_connection_options_are_another_network(other):
    assert caller_of(request_for(**other), run="r", started=0).network != caller_of(request_for(), run="r", started=0).network
    assert caller_of(request_for(path="b"), run="r", started=0).network == caller_of(request_for(), run="r", started=0).network
