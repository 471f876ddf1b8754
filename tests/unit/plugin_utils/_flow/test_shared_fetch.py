# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a controller takes from the shared entry, and what it leaves there. How the lease is passed on: test_shared_store.py."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Failure, Renewal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.call import Call
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.fetch import Outcome
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.shared_fetch import fetch_shared
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.shared_store import SharedCache
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.vault_login import VaultLogin
from support.scripted import NOW, Scene, request_for, token

NOTHING = Entry()
DENIED = VaultError("Vault denied it.", "denied")


class World:
    def __init__(self, folder, scene, **freshness):
        self.scene, self.asked = scene, []
        request = request_for("tracktik", kind="vault", **freshness)
        session = VaultLogin(request, FileStore(str(folder / "cache"), warn=pytest.fail), scene.ports)
        self.shared = SharedCache(request, session, scene.ports)
        self.call = Call.begin(request, scene.ports, key="k")

    def put(self, entry):
        lease = self.shared.claim(lambda _entry, _new: None, wait=False)
        self.shared.settle(lease, entry)

    def fetch(self, entry=NOTHING, outcome=None):
        def attempt(known, _ports):
            self.asked.append(known)
            return outcome

        return fetch_shared(self.call, entry, self.shared, attempt, alone=lambda known: attempt(known, None))


@pytest.fixture
def world(tmp_path):
    return lambda scene=None, **freshness: World(tmp_path, scene or Scene(), **freshness)


def last_event(here):
    event = here.scene.events[-1]
    return event.name, event.reason, event.fingerprint


def test_a_run_that_already_forced_a_renewal_takes_the_shared_token(world):
    here = world(force=True)
    here.put(Entry(token("theirs", age=10)))
    renewed = Entry(renewals=(Renewal("run-1", "force", NOW - 5),))
    assert here.fetch(renewed).token.access_token == "theirs"
    assert here.fetch(Entry(), Outcome(token=token("new"))).token.access_token == "new"


def test_the_token_of_another_controller_is_taken_without_its_refresh_token(world):
    here = world()
    here.put(Entry(token("theirs", refresh_token="r1")))
    outcome = here.fetch()
    assert (outcome.token.access_token, outcome.token.refresh_token, here.asked) == ("theirs", None, [])
    assert last_event(here) == ("shared", "another controller", token("theirs").fingerprint)


def test_a_long_lived_shared_token_is_checked_again_after_a_day(world):
    here = world()
    here.put(Entry(token("theirs", lifetime=1e7)))
    assert here.fetch().token.expires_at == NOW + 86400


@pytest.mark.parametrize(("mine", "expected"), [(None, "theirs"), ("other", "theirs"), ("theirs", "new")])
def test_an_aging_shared_token_is_taken_if_it_is_new_to_this_controller(world, mine, expected):
    here = world()
    here.put(Entry(token("theirs", age=3000)))
    entry = Entry(token(mine, age=3000)) if mine else Entry()
    assert here.fetch(entry, Outcome(token=token("new"))).token.access_token == expected


def test_a_valid_token_serves_while_another_controller_renews_it(world):
    here = world()
    here.put(Entry(token("mine", age=3000)))
    ((where, (data, version)),) = here.scene.vault.entries.items()
    here.scene.vault.entries[where] = ({**data, "lease_until": NOW + 30, "lease_seconds": 30}, version + 1)
    outcome = here.fetch(Entry(token("mine", age=3000)))
    assert (outcome.token.access_token, here.scene.slept) == ("mine", [])
    assert last_event(here) == ("shared", "another controller is renewing it", token("mine").fingerprint)


def test_an_attempt_sees_the_failures_of_both_entries(world):
    here = world()
    mine, theirs = (Failure(text, "answer", NOW - 1000, run=text) for text in ("mine", "theirs"))
    here.put(Entry(token("theirs", age=3601, refresh_token="r2"), (theirs,)))
    here.fetch(Entry(token("mine", age=3601, refresh_token="r1"), (mine,)), Outcome(token=token("new", refresh_token="r3")))
    (known,) = here.asked
    assert (known.token.access_token, known.token.refresh_token, known.failures) == ("theirs", "r2", (mine, theirs))


def test_without_a_shared_token_the_refresh_token_of_this_controller_is_not_used(world):
    here = world()
    here.fetch(Entry(token("mine", age=3601, refresh_token="r1")), Outcome(token=token("new")))
    assert (here.asked[0].token.access_token, here.asked[0].token.refresh_token) == ("mine", None)


def test_a_new_token_is_shared_with_its_refresh_token(world):
    here = world()
    outcome = here.fetch(outcome=Outcome(token=token("new", refresh_token="r1"), asked_version="1"))
    assert (outcome.token.refresh_token, outcome.asked_version) == (None, "1")
    assert here.shared.read().token.refresh_token == "r1"
    assert here.shared.read().failures == ()


@pytest.mark.parametrize(("spent", "left"), [(False, "r1"), (True, None)])
def test_a_failure_is_shared_and_a_spent_refresh_token_is_removed(world, spent, left):
    here = world()
    here.put(Entry(token("theirs", age=3601, refresh_token="r1")))
    failed = Outcome(error=VendorError("no", "refused"), asked_version="7", spent=spent)
    assert here.fetch(outcome=failed) is failed
    entry = here.shared.read()
    assert entry.token.refresh_token == left
    assert [(one.message, one.kind, one.secret_version, one.took) for one in entry.failures] == [("no", "refused", "7", 0.0)]


def test_failures_of_vault_are_not_shared(world):
    here = world()
    here.fetch(outcome=Outcome(error=VaultError("sealed", "sealed")))
    assert here.shared.read().failures == ()


def test_a_repeated_refusal_is_confirmed(world):
    here = world()
    here.put(Entry(None, (Failure("no", "refused", NOW - 1000, secret_version="1", run="run-2"),)))
    (refusal,) = here.shared.read().failures
    here.fetch(outcome=Outcome(error=VendorError("no", "refused"), repeated=refusal, checked_at=NOW))
    assert here.shared.read().failures == (dataclasses.replace(refusal, confirmed_at=NOW, run=""),)


def test_at_most_eight_failures_are_shared(world):
    here = world()
    here.put(Entry(None, tuple(Failure("no", "unavailable", NOW - 20 + number, run=f"run-{number}", network="n") for number in range(10, 20))))
    here.fetch(outcome=Outcome(error=VendorError("no", "unavailable")))
    ((data, _version),) = here.scene.vault.entries.values()
    assert len(data["failures"]) == len(here.shared.read().failures) == 8


def test_a_shared_failure_is_repeated_without_an_attempt(world):
    here = world()
    here.put(Entry(None, (Failure("no", "unavailable", NOW - 1, run="run-1", network=here.call.caller.network),)))
    outcome = here.fetch()
    assert (type(outcome.error), outcome.error.message, here.asked) == (VendorError, "no", [])
    assert last_event(here) == ("remembered", "no", "")
    assert here.scene.events[-1].error_code == outcome.error.error_code != ""


def test_without_permission_to_share_a_controller_fetches_alone(world):
    here = world()
    here.scene.vault.kv_fault = DENIED
    entry = Entry(token("mine", age=3601, refresh_token="r1"))
    assert here.fetch(entry, Outcome(token=token("new"))).token.access_token == "new"
    assert here.asked == [entry]
    assert here.scene.warnings == ["Vault denied it. Until this is fixed, tokens are not shared with other controllers. [TRK-V05]"]


def test_any_other_error_of_the_shared_entry_is_the_outcome(world):
    here = world()
    here.scene.vault.kv_fault = VaultError("Vault is sealed.", "sealed")
    assert here.fetch().error is here.scene.vault.kv_fault
    assert (here.asked, here.scene.warnings) == ([], [])


def test_a_token_that_cannot_be_shared_is_returned_with_a_warning(world):
    here = world()

    def attempt(_known, _ports):
        here.scene.vault.kv_fault = DENIED
        return Outcome(token=token("new", refresh_token="r1"))

    outcome = fetch_shared(here.call, Entry(), here.shared, attempt, alone=pytest.fail)
    assert (outcome.token.access_token, outcome.token.refresh_token) == ("new", "r1")
    assert here.scene.warnings == ["Vault denied it. So this token is not shared with other controllers. [TRK-V05]"]


def test_a_failure_that_cannot_be_shared_is_returned(world):
    here = world()

    def attempt(_known, _ports):
        here.scene.vault.kv_fault = DENIED
        return Outcome(error=VendorError("no", "refused"))

    assert isinstance(fetch_shared(here.call, Entry(), here.shared, attempt, alone=pytest.fail).error, VendorError)
    assert issubclass(VendorError, TokenError) and here.scene.warnings == []
