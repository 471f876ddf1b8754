# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache that controllers share in Vault: one request a lifetime, and nobody waits for the dead."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.shared_store import shared_path
from support.scripted import NOW, Scene, access, answer, approle, error, request_for


@pytest.fixture
def controllers(tmp_path):
    """Ask for TrackTik's token as the controller of that name: a cache folder of its own, a Vault that all share."""

    def asking(scene, name, **options):
        request = request_for("tracktik", **{"cache": str(tmp_path / name), "kind": "vault", "vault": approle(secret_id=name), **options})
        return Resolver(scene.as_run(name)).token(request)

    return asking


def entry_of(scene):
    (found,) = scene.vault.entries.values()
    return found[0]


def taken(scene, **changes):
    """Somebody holds the lease."""
    ((where, (data, version)),) = scene.vault.entries.items()
    scene.vault.entries[where] = ({**data, "lease_holder": "somebody", "lease_until": NOW + 1e9, "lease_seconds": 65, **changes}, version + 1)


def test_one_request_for_all_controllers(controllers):
    scene = Scene(access("one", refresh_token="r1", user_id="u", scope="s"))
    assert [controllers(scene, name).access_token for name in "abcabc"] == ["one"] * 6
    assert len(scene.sent) == 1
    assert scene.names().count("shared") == 2
    assert scene.names().count("hit") == 3


def test_the_fields_are_stable(controllers):
    scene = Scene(access("one", refresh_token="r1", user_id="u", scope="s"))
    controllers(scene, "a")
    entry = entry_of(scene)
    assert {
        name: entry[name]
        for name in (
            "access_token",
            "token_type",
            "authorization",
            "expires_at",
            "issued_at",
            "scope",
            "extra",
            "vendor",
            "path",
            "schema",
            "refresh_token",
            "secret_version",
            "failures",
            "lease_until",
        )
    } == {
        "access_token": "one",
        "token_type": "Bearer",
        "authorization": "Bearer one",
        "expires_at": NOW + 3600,
        "issued_at": NOW,
        "scope": "s",
        "extra": {"user_id": "u"},
        "vendor": "tracktik",
        "path": "secret/fleet/x",
        "schema": 1,
        "refresh_token": "r1",
        "secret_version": "1",
        "failures": [],
        "lease_until": 0,
    }
    assert entry["lease_holder"] == ""


def test_the_file_cache_in_front_serves_when_vault_is_down(controllers):
    scene = Scene(access("one"))
    controllers(scene, "a")
    scene.vault.kv_fault = scene.vault.fault = VaultError("Vault cannot be reached.", "unreachable")
    assert controllers(scene, "a").access_token == "one"
    with pytest.raises(VaultError):
        controllers(scene, "b")


def test_a_killed_holder_is_waited_for_until_its_lease_ends(controllers):
    def killed(_request):
        raise KeyboardInterrupt

    scene = Scene(killed, access("one"))
    with pytest.raises(KeyboardInterrupt):
        controllers(scene, "a")
    ends = entry_of(scene)["lease_until"]
    assert NOW < ends <= NOW + 65
    assert controllers(scene, "b").access_token == "one"
    assert ends <= scene.now < ends + 1


@pytest.mark.parametrize("until", [NOW + 1e9, 1e300])
def test_a_lease_by_a_wrong_clock_is_not_waited_for_for_ever(controllers, until):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    taken(scene, lease_until=until)
    started = scene.now
    assert controllers(scene, "b").access_token == "two"
    assert 60 < scene.now - started < 120


def test_what_the_holder_finds_is_taken_over(controllers):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    taken(scene, lease_until=scene.now + 30)
    sleep = scene.ports.sleep

    def sleeping(seconds):
        sleep(seconds)
        if len(scene.slept) == 3:
            taken(scene, access_token="theirs", issued_at=scene.now, expires_at=scene.now + 3600, lease_until=0)

    scene.ports = dataclasses.replace(scene.ports, sleep=sleeping)
    assert controllers(scene, "b").access_token == "theirs"
    assert len(scene.sent) == 1


def test_the_refresh_token_leaves_the_entry_before_it_is_used(controllers):
    seen = []

    def looking(request):
        seen.append((entry_of(scene).get("refresh_token"), b"refresh_token=r1" in request.body))
        return access("two", refresh_token="r2")

    scene = Scene(access("one", refresh_token="r1"), looking)
    controllers(scene, "a")
    scene.now += 3550
    assert controllers(scene, "b").access_token == "two"
    assert seen == [(None, True)]
    assert entry_of(scene)["refresh_token"] == "r2"


def test_a_refusal_is_shared(controllers):
    scene = Scene(error("invalid_grant"), access("good"))
    messages = set()
    for name in "abc":
        with pytest.raises(VendorError) as caught:
            controllers(scene, name)
        messages.add(caught.value.message)
    assert (len(scene.sent), len(messages)) == (1, 1)
    scene.vault.change(password="n3w")
    assert controllers(scene, "c").access_token == "good"


def test_retry_after_is_shared(controllers):
    scene = Scene(answer(429, retry_after="200"), access("good"))
    for name in "ab":
        with pytest.raises(VendorError, match="too many requests"):
            controllers(scene, name)
    assert len(scene.sent) == 1
    scene.now += 201
    assert controllers(scene, "b").access_token == "good"


def test_whoever_may_not_share_fetches_alone(controllers):
    scene = Scene(access("one"))
    scene.vault.kv_fault = VaultError("Vault: permission denied at secret/trackops.", "denied")
    assert controllers(scene, "a").access_token == "one"
    assert scene.warnings == ["Vault: permission denied at secret/trackops. Until then tokens are not shared with other controllers."]


def test_a_token_that_cannot_be_written_back_is_still_one(controllers):
    def breaks(_request):
        scene.vault.kv_fault = VaultError("Vault is sealed.", "sealed")
        return access("one")

    scene = Scene(breaks)
    assert controllers(scene, "a").access_token == "one"
    assert scene.warnings == ["Vault is sealed. So this token is not shared with other controllers."]
    assert controllers(scene, "a").access_token == "one"


@pytest.mark.parametrize(
    "garbage",
    [
        {"schema": 2, "access_token": "newer"},
        {"schema": 1, "access_token": 5},
        {"schema": 1, "access_token": "x", "expires_at": "soon"},
        {},
        {"lease_until": "x"},
        {"schema": 1, "failures": [1, {}], "lease_until": None},
    ],
)
def test_garbage_is_a_miss(controllers, garbage):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    ((where, (_data, version)),) = scene.vault.entries.items()
    scene.vault.entries[where] = (garbage, version)
    assert controllers(scene, "b").access_token == "two"
    assert entry_of(scene)["access_token"] == "two"


def test_paths():
    one = request_for("tracktik", "fleet/eu west+1", vault=approle(secret_id="a"))
    assert shared_path(one).startswith("trackops/api_tokens/tracktik/fleet/eu_west_1/")
    assert len(shared_path(one).rpartition("/")[2]) == 16
    assert shared_path(one) == shared_path(request_for("tracktik", "fleet/eu west+1", vault=approle(secret_id="b")))
    assert shared_path(one) != shared_path(request_for("tracktik", "fleet/eu west 1", vault=approle()))
    assert shared_path(one) != shared_path(request_for("tracktik", "fleet/eu west+1", vault=approle(namespace="team")))
