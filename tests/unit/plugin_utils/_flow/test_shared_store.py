# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache that controllers share in Vault: one request for each lifetime, and nobody waits for a dead controller."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import re
import uuid

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.extra import LARGEST
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Failure, SecretRef, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.output import authorization
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import canonical
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.failure_memory import caller_of
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.shared_store import (
    MOST_FAILURES,
    LeaseLost,
    SharedCache,
    shareable,
    shared_path,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.vault_login import VaultLogin
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusals import LastingRefusal
from support.scripted import NOW, PASSWORD_FIELDS, FakeClient, FakeVault, Scene, access, answer, approle, error, request_for, token


@pytest.fixture
def controllers(tmp_path):
    """Ask for TrackTik's token as the named controller, with a cache folder of its own and a Vault that all share."""

    def asking(scene, name, **options):
        vendor = options.pop("vendor", "tracktik")
        login = approle(secret_id=str(uuid.uuid5(uuid.NAMESPACE_OID, name)))  # a UUID, as Vault creates it; one that a person chose is derived slowly
        request = request_for(vendor, **{"cache": str(tmp_path / name), "kind": "vault", "vault": login, **options})
        return Resolver(scene.as_run(name)).token(request)

    return asking


def entry_of(scene):
    (found,) = scene.vault.entries.values()
    return found[0]


def taken(scene, **changes):
    """Somebody else holds the lease."""
    ((where, (data, version)),) = scene.vault.entries.items()
    scene.vault.entries[where] = ({**data, "lease_holder": "somebody", "lease_until": NOW + 1e9, "lease_seconds": 65, **changes}, version + 1)


def test_all_controllers_share_one_request(controllers):
    scene = Scene(access("one", refresh_token="r1", user_id="u", scope="s"))
    assert [controllers(scene, name).access_token for name in "abcabc"] == ["one"] * 6
    assert len(scene.sent) == 1
    assert scene.names().count("shared") == 2
    assert scene.names().count("hit") == 3


def test_the_fields_of_a_shared_entry_are_stable(controllers):
    scene = Scene(access("one", refresh_token="r1", user_id="u", scope="s"))
    controllers(scene, "a")
    entry = entry_of(scene)
    assert re.fullmatch("[0-9a-f]{64}", entry.pop("refresh_token_mac"))
    assert entry == {
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
        "lease_holder": "",
        "lease_until": 0,
        "lease_seconds": 0,
    }


def test_the_file_cache_serves_while_vault_is_down(controllers):
    scene = Scene(access("one"))
    controllers(scene, "a")
    scene.vault.kv_fault = scene.vault.fault = VaultError("Vault cannot be reached.", "unreachable")
    assert controllers(scene, "a").access_token == "one"
    with pytest.raises(VaultError):
        controllers(scene, "b")


def test_the_lease_of_a_killed_holder_is_waited_for_until_it_ends(controllers):
    def killed(_request):
        raise KeyboardInterrupt

    scene = Scene(killed, access("one"))
    with pytest.raises(KeyboardInterrupt):
        controllers(scene, "a")
    ends = entry_of(scene)["lease_until"]
    assert NOW < ends <= NOW + 65
    assert re.fullmatch("[0-9a-f]{32}", entry_of(scene)["lease_holder"])
    assert controllers(scene, "b").access_token == "one"
    assert ends <= scene.now < ends + 1


@pytest.mark.parametrize("until", [NOW + 1e9, 9e11])
def test_a_lease_in_the_far_future_is_waited_for_only_its_length(controllers, until):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    taken(scene, lease_until=until)
    started = scene.now
    assert controllers(scene, "b").access_token == "two"
    assert 60 < scene.now - started < 120


def test_the_token_of_the_lease_holder_is_taken(controllers):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    taken(scene, lease_until=scene.now + 30)
    scene.while_asleep = lambda times: times == 3 and taken(scene, access_token="theirs", issued_at=scene.now, expires_at=scene.now + 3600, lease_until=0)
    assert controllers(scene, "b").access_token == "theirs"
    assert len(scene.sent) == 1


def test_the_refresh_token_is_removed_from_the_shared_entry_before_use(controllers):
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


def test_a_refusal_is_shared_between_controllers(controllers):
    scene = Scene(error("invalid_grant"), access("good"))
    messages = set()
    for name in "abc":
        with pytest.raises(VendorError) as caught:
            controllers(scene, name)
        messages.add(caught.value.message)
    assert (len(scene.sent), len(messages)) == (1, 1)
    scene.vault.change(password="n3w")
    assert controllers(scene, "c").access_token == "good"


@pytest.mark.parametrize("version", [1, None], ids=["KV v2", "KV v1"])
def test_a_refused_secret_is_sent_by_no_controller_until_it_changes(controllers, version):
    """Each reads the secret with its own login, and sees that this secret was refused."""
    scene = Scene(*[error("invalid_grant", 401)] * 9, vault=FakeVault(dict(PASSWORD_FIELDS), version=version))
    for name in "abcd":
        with pytest.raises(VendorError):
            controllers(scene, name)
        scene.now += 1
    assert len(scene.sent) == 1
    scene.vault.data["password"], scene.vault.version = "an0ther", version and 2
    scene.script[:] = [access("one")]
    assert controllers(scene, "e").access_token == "one"


def test_a_refresh_token_is_shared_for_a_kv_v1_secret(controllers):
    scene = Scene(access("one", refresh_token="r1"), access("two"), vault=FakeVault(dict(PASSWORD_FIELDS), version=None))
    controllers(scene, "a")
    scene.now += 4000
    assert controllers(scene, "b").access_token == "two"
    assert b"refresh_token=r1" in scene.sent[1].body


def test_a_shared_digest_reveals_neither_the_secret_nor_its_other_places(controllers, tmp_path):
    """The digest is derived slowly, because a person may have chosen the secret, and it differs at each place."""
    scene = Scene(access("one"), access("two"), vault=FakeVault(dict(PASSWORD_FIELDS), version=None))
    controllers(scene, "a")
    controllers(scene, "a", path="fleet/y")
    shared = [data["secret_version"] for data, _version in scene.vault.entries.values()]
    expected = []
    for path in ("fleet/x", "fleet/y"):
        place = shared_path(request_for("tracktik", cache=str(tmp_path), kind="vault", path=path))
        key = hashlib.pbkdf2_hmac("sha256", canonical(PASSWORD_FIELDS), b"trackops.api_tokens cache, schema 2", 20_500)
        expected.append("v1:" + hmac.new(key, canonical([place, ""]), hashlib.sha256).hexdigest()[:16])
    assert shared == expected
    assert len({*shared}) == 2


def test_retry_after_is_shared_between_controllers(controllers):
    scene = Scene(answer(429, retry_after="200"), access("good"))
    for name in "ab":
        with pytest.raises(VendorError, match="too many requests"):
            controllers(scene, name)
    assert len(scene.sent) == 1
    scene.now += 201
    assert controllers(scene, "b").access_token == "good"


def test_a_controller_that_may_not_share_fetches_alone(controllers):
    scene = Scene(access("one"))
    scene.vault.kv_fault = VaultError("Vault: permission denied at secret/trackops.", "denied")
    assert controllers(scene, "a").access_token == "one"
    assert scene.warnings == ["Vault: permission denied at secret/trackops. Until this is fixed, tokens are not shared with other controllers. [TRK-V05]"]


def test_a_token_that_cannot_be_shared_is_still_returned(controllers):
    def breaks(_request):
        scene.vault.kv_fault = VaultError("Vault is sealed.", "sealed")
        return access("one")

    scene = Scene(breaks)
    assert controllers(scene, "a").access_token == "one"
    assert scene.warnings == ["Vault is sealed. So this token is not shared with other controllers. [TRK-V03]"]
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
def test_a_malformed_shared_entry_is_a_miss(controllers, garbage):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    ((where, (_data, version)),) = scene.vault.entries.items()
    scene.vault.entries[where] = (garbage, version)
    assert controllers(scene, "b").access_token == "two"
    assert entry_of(scene)["access_token"] == "two"


def planted(scene, **changes):
    """Change the entry as someone who can write only there."""
    ((where, (data, version)),) = scene.vault.entries.items()
    scene.vault.entries[where] = ({**data, "lease_until": 0, **changes}, version + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": "one\nroot::0:0::/:/bin/sh"},
        {"access_token": "\x1b[31mone"},
        {"access_token": "a" * 200_000},
        {"expires_at": NOW + 28 * 365 * 86400},
        {"issued_at": NOW + 86400, "expires_at": NOW + 90000},
        {"token_type": "Bearer\nX-Evil: 1"},
        {"scope": "a\nb"},
        {"refresh_token": "r\n"},
        {"extra": ["x"]},
    ],
)
def test_a_shared_token_is_checked_like_an_answer(controllers, changes):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    planted(scene, **changes)
    assert controllers(scene, "b").access_token == "two"
    assert (entry_of(scene)["access_token"], len(scene.sent)) == ("two", 2)


def deep(levels):
    return {"a": deep(levels - 1)} if levels else "x"


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "the-token"},
        {"scope": "a dGhlLXRva2Vu b"},
        {"token_type": "the-token"},
        {"extra": deep(65)},
        {"extra": deep(480)},
        {"extra": {f"k{number}": "v" * 1900 for number in range(40)}},
        {"extra": {"x": float("inf")}},
    ],
)
def test_fields_beside_a_shared_token_are_checked_like_an_answer(controllers, changes):
    scene = Scene(access("the-token"))
    controllers(scene, "a")
    planted(scene, **changes)
    got = controllers(scene, "b")
    assert (got.access_token, got.token_type, got.scope, got.extra) == ("the-token", "Bearer", None, {})


def test_harmless_fields_beside_a_shared_token_are_kept(controllers):
    full = {f"k{number}": "- " * 950 for number in range(34)}
    full["end"] = "-" * (LARGEST - len(json.dumps({**full, "end": ""})))
    scene = Scene(access("the-token"))
    controllers(scene, "a")
    planted(scene, scope="read write", token_type="DPoP", extra=full)
    got = controllers(scene, "b")
    assert (got.scope, got.token_type, len(got.extra)) == ("read write", "DPoP", 35)


@pytest.mark.parametrize("until", [10**400, 1e308, float("inf"), float("nan"), True, -1, "x", [], {}], ids=lambda value: repr(value)[:8])
def test_a_lease_end_that_is_not_a_time_is_no_lease(controllers, until):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    planted(scene, lease_until=until)
    assert controllers(scene, "b").access_token == "two"
    assert entry_of(scene)["lease_until"] == 0


@pytest.mark.parametrize("seconds", [10**400, float("inf"), float("nan"), True, -1, "x", [], {}], ids=lambda value: repr(value)[:8])
def test_a_lease_without_a_valid_length_counts_like_our_own(controllers, seconds):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    started = scene.now = scene.now + 3700
    planted(scene, lease_until=scene.now + 1e6, lease_seconds=seconds)
    assert controllers(scene, "b").access_token == "two"
    assert 85 <= scene.now - started < 90  # our deadline, one request, and a few seconds


def test_a_lease_that_ends_now_has_expired(controllers):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    taken(scene, lease_until=scene.now)
    assert (controllers(scene, "b").access_token, scene.slept) == ("two", [])


def test_a_waiter_polls_after_two_seconds_and_then_every_three(controllers):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    taken(scene, lease_until=scene.now + 40)
    controllers(scene, "b")
    naps = [1.7, *[3.0] * (len(scene.slept) - 2)]
    assert [nap <= slept <= 1.25 * nap for nap, slept in zip(naps, scene.slept[:-1], strict=True)] == [True] * len(naps)
    assert len(naps) > 8


def test_during_a_renewal_the_entry_keeps_all_but_the_refresh_token(controllers):
    """All of the entry except the refresh token, which may be spent."""
    seen = []

    def looking(_request):
        seen.append(dict(entry_of(scene)))
        return access("two")

    scene = Scene(access("one", refresh_token="r1"), looking)
    controllers(scene, "a")
    scene.now += 3550
    controllers(scene, "b")
    names = ("access_token", "authorization", "expires_at", "refresh_token", "refresh_token_mac")
    assert [seen[0][name] for name in names] == ["one", "Bearer one", NOW + 3600, None, ""]


def test_the_second_controller_to_write_the_lease_waits(controllers, monkeypatch):
    scene = Scene()
    write, tried = FakeClient.kv2_write, []

    def second(client, mount, path, data, *, cas):
        if not tried:  # somebody else writes between our read and our write
            write(client, mount, path, {**data, "access_token": ""}, cas=cas)
            theirs = {"access_token": "theirs", "token_type": "Bearer", "issued_at": scene.now, "expires_at": scene.now + 3600, "lease_until": 0}
            scene.while_asleep = lambda _times: taken(scene, **theirs)
        tried.append(cas)
        return write(client, mount, path, data, cas=cas)

    monkeypatch.setattr(FakeClient, "kv2_write", second)
    assert controllers(scene, "b").access_token == "theirs"
    assert (tried, len(scene.slept), 1.7 <= scene.slept[0] <= 1.25 * 1.7) == ([0], 1, True)


@pytest.mark.parametrize("changes", [{}, {"access_token": ""}])
def test_a_vault_refusal_in_a_shared_entry_is_ignored(controllers, changes):
    """Otherwise this controller would ask the vendor alone, without the lease."""
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    network = caller_of(request_for("tracktik", kind="vault"), run="", started=0).network
    failure = {"message": "planted", "kind": "vault:denied", "recorded_at": scene.now + 1, "run": "b", "network": network}
    planted(scene, failures=[failure], **changes)
    assert controllers(scene, "b").access_token == "two"
    assert (entry_of(scene)["access_token"], scene.warnings) == ("two", [])


@pytest.mark.parametrize("code", [[], {}, 0, False, [1], "x\n"])
def test_a_malformed_shared_failure_is_ignored(controllers, code):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    scene.now += 3700
    planted(scene, failures=[{"message": "m", "kind": "unavailable", "recorded_at": scene.now, "code": code}])
    assert controllers(scene, "b").access_token == "two"


ACME = Vendor("acme", grant_type="refresh_token", token_url="https://acme.example/token", default_lifetime=3600, client_auth="basic")
OF_THE_OPERATOR = {"client_id": "id", "client_secret": "s3cr3tsecret", "refresh_token": "the-operators"}


@pytest.mark.parametrize("rotates", [{}, {"refresh_token": "the-operators-next"}], ids=["kept", "rotated"])
def test_a_planted_refresh_token_is_neither_used_nor_stored(controllers, rotates):
    """Write access to the shared entry alone does not reach the credentials, where a planted token would outlast the repair of the entry."""
    scene = Scene(access("one"), access("two", **rotates), vault=FakeVault(dict(OF_THE_OPERATOR)))
    controllers(scene, "a", vendor=ACME)
    for number, mac in enumerate(({}, {"refresh_token_mac": "0" * 64})):
        scene.now += 3700
        planted(scene, access_token=f"x{number}", issued_at=scene.now - 7200, expires_at=scene.now - 1, refresh_token="the-attackers", **mac)
        scene.script.append(access("three"))
        controllers(scene, "b", vendor=ACME)
    assert ["the-attackers" in str(sent.body) for sent in scene.sent] == [False] * len(scene.sent)
    assert scene.vault.data == {**OF_THE_OPERATOR, **rotates}
    assert len(scene.warnings) == 2
    text = "acme: the refresh token in the shared entry was not written by a controller that knows secret/fleet/x, so it is not used."
    assert scene.warnings[0].startswith(text)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("changes", "options"), [({"issued_at": NOW + 4000}, {}), ({}, {"force": True}), ({}, {"max_age": 0.5})])
def test_a_planted_token_does_not_stay_in_a_file_cache(controllers, status, changes, options):
    """The refresh token in the entry is the real one, and the vendor fails when it is used."""
    scene = Scene(access("one", refresh_token="r1"), *[answer(status)] * 8)
    controllers(scene, "a")
    scene.now += 10
    planted(scene, **{"access_token": "evil", "issued_at": NOW, "expires_at": NOW + 9 * 365 * 86400, **changes})
    with pytest.raises(VendorError):
        controllers(scene, "b", **options)
    scene.vault.entries.clear()
    scene.script[:] = [access("good"), access("good"), access("good")]
    for later in (4100, 90_000):
        scene.now += later
        assert controllers(scene, "b").access_token == "good"


def test_a_refresh_token_copied_from_another_entry_is_not_used(controllers):
    """Its MAC is valid for its own place only."""
    scene = Scene(access("one", refresh_token="r1"), access("two", refresh_token="r2"), access("three"))
    controllers(scene, "a")
    ((where, _first),) = scene.vault.entries.items()
    controllers(scene, "a", vendor="trackmage")
    entries = scene.vault.entries
    (other,) = [name for name in entries if name != where]
    copied = {name: entries[where][0][name] for name in ("refresh_token", "refresh_token_mac")}
    entries[other] = ({**entries[other][0], **copied}, entries[other][1])
    scene.now += 3700
    assert controllers(scene, "b", vendor="trackmage").access_token == "three"
    assert "r1" not in str(scene.sent[-1].body)


def test_the_authorization_header_of_a_shared_entry_is_ignored(controllers):
    scene = Scene(access("one"))
    controllers(scene, "a")
    planted(scene, authorization="Bearer evil\nX-Evil: 1")
    got = controllers(scene, "b")
    assert authorization(got, "Bearer") == "Bearer one"


def test_a_repaired_entry_reaches_all_controllers_within_a_day(controllers):
    scene = Scene(access("one"))
    controllers(scene, "a")
    planted(scene, access_token="evil", expires_at=NOW + 9 * 365 * 86400)
    assert controllers(scene, "b").access_token == "evil"
    planted(scene, access_token="repaired", expires_at=NOW + 7 * 86400)
    scene.now += 86400
    assert controllers(scene, "b").access_token == "repaired"


def test_a_long_lived_token_is_checked_daily_and_not_renewed(controllers):
    scene = Scene(access("one", lifetime=30 * 86400))
    controllers(scene, "a")
    for _day in range(20):
        assert controllers(scene, "b").access_token == "one"
        scene.now += 86400
    assert len(scene.sent) == 1


FAILURE = {"message": "no", "kind": "unavailable", "recorded_at": NOW, "network": "", "run": "", "retry_at": 0}


@pytest.mark.parametrize("failure_ttl", [0, 30])
def test_a_planted_failure_expires_and_is_printable(controllers, failure_ttl):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    failure = {**FAILURE, "message": "\x1b[2J\nFAILED! => see evil.example" + "x" * 5000, "retry_at": NOW + 1e9, "confirmed_at": NOW + 1e9, "took": 1e9}
    planted(scene, access_token="", failures=[failure])
    with pytest.raises(VendorError) as caught:
        controllers(scene, "b", failure_ttl=failure_ttl)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 1100
    scene.now += 331
    assert controllers(scene, "b", failure_ttl=failure_ttl).access_token == "two"


@pytest.mark.parametrize(
    "changes", [{"recorded_at": NOW + 1e6}, {"recorded_at": NOW - 301, "retry_at": NOW + 1e9}, {"status": 99}, {"kind": "a\nb"}, {"status": True}]
)
def test_an_implausible_planted_failure_is_ignored(controllers, changes):
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    planted(scene, access_token="", failures=[{**FAILURE, "retry_at": NOW + 1e9, **changes}])
    assert controllers(scene, "b").access_token == "two"


def test_a_lease_that_is_extended_forever_is_waited_for_only_so_long(controllers):
    scene = Scene(access("one"))
    controllers(scene, "a")
    scene.now += 3700
    scene.while_asleep = lambda _times: taken(scene, lease_until=scene.now + 60)
    taken(scene, lease_until=scene.now + 60)
    started = scene.now
    with pytest.raises(VaultError) as caught:
        controllers(scene, "b", http={"deadline": 5})
    assert 25 <= scene.now - started < 30
    assert caught.value.message == (
        f"tracktik: another writer has held the shared entry secret/{shared_path(request_for('tracktik'))} for {scene.now - started:.0f} s, longer than"
        " a request to the vendor takes. Check who can write there, or remove the entry."
    ).replace("tracktik: ", "tracktik: no token for secret/fleet/x: ", 1)
    # The next host of the run does not wait.
    waited = scene.now
    with pytest.raises(VaultError):
        controllers(scene, "b", http={"deadline": 5})
    assert scene.now == waited


def test_a_waiter_learns_of_a_failure_whatever_the_holders_clock_says(controllers):
    scene = Scene(access("one"))
    controllers(scene, "a")
    scene.now += 3700
    taken(scene, lease_until=scene.now + 30)
    network = caller_of(request_for("tracktik", vault=approle()), run="", started=0).network
    failure = {**FAILURE, "recorded_at": NOW, "network": network, "message": "the holder's"}
    scene.while_asleep = lambda times: times == 2 and planted(scene, failures=[failure])
    with pytest.raises(VendorError, match="the holder's"):
        controllers(scene, "b")


def lease_at_request(scene, seen, then, *, takes=0.0):
    """An answer of the vendor; the remaining seconds of the lease at that moment are added to *seen*."""

    def answering(_request):
        entry = entry_of(scene)
        seen.append(round(entry["lease_until"] - scene.now, 3))
        scene.now += takes
        return then

    return answering


@pytest.mark.parametrize(("grant_type", "seconds"), [("password", 25), ("refresh_token", 65), ("authorization_code", 65)])
def test_a_lease_is_longer_for_single_use_credentials(controllers, grant_type, seconds):
    seen = []
    scene = Scene(vault=FakeVault({**PASSWORD_FIELDS, "refresh_token": "r0"}))
    scene.script = [lease_at_request(scene, seen, access("one"))]
    vendor = dataclasses.replace(request_for("tracktik").vendor, grant_type=grant_type)
    controllers(scene, "a", vendor=vendor)
    assert seen == [seconds]


def test_the_lease_is_extended_before_each_request(controllers):
    """Discovery takes most of the lease, and the token request follows without a pause."""
    seen = []
    metadata = answer(200, {"issuer": "https://i.example", "token_endpoint": "https://i.example/token"})
    scene = Scene()
    scene.script = [lease_at_request(scene, seen, metadata, takes=19), lease_at_request(scene, seen, access("one"))]
    vendor = dataclasses.replace(request_for("tracktik").vendor, issuer="https://i.example", token_url="")
    controllers(scene, "a", vendor=vendor)
    assert seen == [25, 25]


def test_the_lease_is_extended_before_each_pause(controllers):
    """Otherwise another controller would take over during the pause, before the next request could extend the lease."""
    seen = []
    scene = Scene(answer(503, retry_after="30"), access("one"))
    sleep = scene.ports.sleep

    def sleeping(seconds):
        seen.append(entry_of(scene)["lease_until"] - scene.now)
        sleep(seconds)

    scene.ports = dataclasses.replace(scene.ports, sleep=sleeping)
    controllers(scene, "a")
    assert seen == [30 + 20 + 5]


@pytest.mark.parametrize("status", [429, 503])
def test_a_lease_that_is_taken_over_repeatedly_is_given_up(controllers, status):
    """Another program takes it while the vendor is busy: each new lease would mean another request without a pause."""
    scene = Scene(access("one"), *[answer(status, retry_after="15")] * 100)
    controllers(scene, "a")
    scene.now += 3700
    exchange = scene.ports.exchange

    def taking(*arguments):
        answered = exchange(*arguments)
        planted(scene, access_token="")
        return answered

    scene.ports = dataclasses.replace(scene.ports, exchange=taking)
    with pytest.raises(VaultError) as caught:
        controllers(scene, "b")
    assert caught.value.message == (
        "tracktik: other writers repeatedly took over the shared entry for secret/fleet/x. Check who can write there, or remove the entry."
    )
    assert caught.value.kind == "unavailable"
    assert len(scene.sent) == 4


def test_a_controller_that_lost_its_lease_waits_for_the_new_holder(controllers, monkeypatch):
    def overtaken(_request):
        scene.now += 24
        taken(scene, lease_until=scene.now + 30)
        return answer(503)

    scene = Scene(overtaken)
    written = []
    write = FakeClient.kv2_write
    monkeypatch.setattr(FakeClient, "kv2_write", lambda client, *where, cas, **how: written.append(cas) or write(client, *where, cas=cas, **how))

    theirs = {"access_token": "theirs", "token_type": "Bearer", "lease_until": 0}
    scene.while_asleep = lambda times: times == 4 and taken(scene, issued_at=scene.now, expires_at=scene.now + 3600, **theirs)
    assert controllers(scene, "b").access_token == "theirs"
    assert len(scene.sent) == 1
    assert written == [0, 1]  # it wrote the lease, and failed to extend it: there is nothing to release


def test_a_refresh_token_spent_without_an_answer_leaves_the_shared_entry(controllers):
    scene = Scene(access("one", refresh_token="r1"), VendorError("no answer", "unavailable"), VendorError("no answer", "unavailable"), access("two"))
    controllers(scene, "a")
    scene.now += 3601
    with pytest.raises(VendorError):
        controllers(scene, "b")
    assert "r1" not in str(entry_of(scene))
    scene.now += 31
    controllers(scene, "c")
    assert [b"refresh_token=r1" in request.body for request in scene.sent] == [False, True, False, False]


def test_a_refresh_token_that_was_not_spent_stays_in_the_shared_entry(controllers):
    scene = Scene(access("one", refresh_token="r1"), *[answer(429)] * 4, access("two"))
    controllers(scene, "a")
    scene.now += 3601
    with pytest.raises(VendorError):
        controllers(scene, "b", http={"retries": 3})
    assert entry_of(scene)["refresh_token"] == "r1"
    controllers(scene, "c")
    assert b"refresh_token=r1" in scene.sent[-1].body


def test_no_file_cache_keeps_a_shared_refresh_token(controllers, tmp_path):
    """Otherwise, while the shared entry is denied, it would use a refresh token of its own that the others have used."""
    scene = Scene(access("one", refresh_token="r1"), access("two", refresh_token="r2"), access("three"))
    controllers(scene, "a")
    controllers(scene, "b")
    scene.now += 3601
    controllers(scene, "b")
    scene.vault.kv_fault = VaultError("Vault: permission denied.", "denied")
    assert controllers(scene, "a").access_token == "three"
    assert b"grant_type=password" in scene.sent[-1].body


def test_no_file_cache_keeps_a_refresh_token_after_an_unsent_request(controllers, tmp_path):
    scene = Scene(access("one", refresh_token="r1"), *[VendorError("refused", "unavailable", retryable=True, sent=False)] * 4, access("two"))
    controllers(scene, "a")
    scene.now += 3601
    with pytest.raises(VendorError):
        controllers(scene, "b")
    assert entry_of(scene)["refresh_token"] == "r1"
    scene.vault.kv_fault = VaultError("Vault: permission denied.", "denied")
    scene.now += 300
    assert controllers(scene, "b").access_token == "two"
    assert b"grant_type=password" in scene.sent[-1].body


def test_force_renews_once_per_run_with_a_refresh_token(controllers):
    scene = Scene(*[access(f"t{n}", refresh_token=f"r{n}") for n in range(3)])
    controllers(scene, "a")
    for _host in range(3):
        scene.now += 1
        assert controllers(scene, "a", force=True).access_token == "t1"
    controllers(scene, "a", refused="t1")
    scene.now += 1
    assert controllers(scene, "a", force=True).access_token == "t2"
    assert len(scene.sent) == 3


CONSENT = Vendor("acme", base_url="https://acme.example", token_url="/t", grant_type="refresh_token", client_auth="post")


@pytest.mark.parametrize(("vendor", "waited"), [(CONSENT, 65), ("tracktik", 0)])
def test_an_expired_lease_is_respected_for_single_use_credentials_if_a_clock_may_be_wrong(controllers, vendor, waited):
    vault = FakeVault({**PASSWORD_FIELDS, "refresh_token": "r1"})
    scene = Scene(access("one", refresh_token="r2"), access("two", refresh_token="r3"), vault=vault)
    controllers(scene, "a", vendor=vendor)
    scene.now += 3601
    taken(scene, lease_until=scene.now - 300)
    assert controllers(scene, "b", vendor=vendor).access_token == "two"
    assert waited <= sum(scene.slept) <= waited + 4


def test_a_long_expired_lease_is_not_waited_for(controllers):
    vault = FakeVault({**PASSWORD_FIELDS, "refresh_token": "r1"})
    scene = Scene(access("one", refresh_token="r2"), access("two", refresh_token="r3"), vault=vault)
    controllers(scene, "a", vendor=CONSENT)
    scene.now += 3601
    taken(scene, lease_until=scene.now - 601)
    assert (controllers(scene, "b", vendor=CONSENT).access_token, scene.slept) == ("two", [])


def test_a_token_that_expires_while_vault_is_slow_is_not_returned(controllers):
    def slow(_client):
        scene.now += 60
        return VaultError("Vault did not answer.", "unreachable")

    scene = Scene(access("one", lifetime=45))
    vault, written = scene.vault, []
    write = FakeClient.kv2_write

    class Slow(FakeClient):
        def kv2_write(self, *arguments, **options):
            written.append(1)
            if len(written) == 2:
                raise slow(self)
            return write(self, *arguments, **options)

    scene.ports = dataclasses.replace(scene.ports, vault=lambda options, warn: Slow(vault, options))
    with pytest.raises(VaultError) as caught:
        controllers(scene, "a")
    assert caught.value.message == (
        "tracktik: the token for secret/fleet/x has a lifetime of 45 s and expired before it could be used, because Vault or this machine "
        "took longer than that. Try again."
    )


def test_credentials_beside_a_shared_token_are_dropped(controllers):
    scene = Scene(access("one"))
    controllers(scene, "a")
    planted(scene, extra={"user_id": "u", "refreshToken": "r9", "nested": {"client_secret": "s", "plan": "gold"}})
    assert controllers(scene, "b").extra == {"user_id": "u", "nested": {"plan": "gold"}}


@pytest.fixture
def shared(tmp_path):
    def of(scene):
        request = request_for("tracktik", kind="vault")
        return SharedCache(request, VaultLogin(request, FileStore(str(tmp_path / "cache"), warn=pytest.fail), scene.ports), scene.ports)

    return of


def nothing(_entry, _new):
    return None


def test_guarded_requests_pass_their_arguments_unchanged(shared):
    scene, asked = Scene(), []
    scene.ports = dataclasses.replace(scene.ports, exchange=lambda *arguments: asked.append(arguments))
    cache = shared(scene)
    lease = cache.claim(nothing, wait=False)
    scene.now += 5  # after 5 s, the lease still lasts for one more request
    cache.guarded(lease).exchange("request", "options", 7.0, "name")
    assert (asked, lease.version) == ([("request", "options", 7.0, "name")], 1)
    scene.now += 0.5
    cache.guarded(lease).exchange("request", "options", 7.0, "name")
    assert (len(asked), lease.version, lease.until) == (2, 2, scene.now + 25)


def test_a_lease_taken_over_ends_the_attempt(shared):
    scene = Scene()
    cache = shared(scene)
    lease = cache.claim(nothing, wait=False)
    taken(scene)
    scene.now += 6
    with pytest.raises(LeaseLost) as caught:
        cache.guarded(lease).exchange("request", "options", 7.0, "name")
    assert (caught.value.message, caught.value.kind) == ("Another controller asks for the token of secret/fleet/x.", "cas")
    assert scene.sent == []


def test_read_returns_the_settled_entry(shared):
    cache = shared(Scene())
    assert cache.read() == Entry()
    lease = cache.claim(nothing, wait=False)
    cache.settle(lease, Entry(token("one")))
    assert cache.read().token.access_token == "one"


def test_an_entry_too_large_to_read_is_unknown(shared, monkeypatch):
    def too_large(self, mount, path):
        raise LastingRefusal("Vault sent more than 4 MiB.")

    scene = Scene()
    cache = shared(scene)
    cache.settle(cache.claim(nothing, wait=False), Entry(token("one")))
    monkeypatch.setattr(FakeClient, "kv2_read", too_large)
    assert cache.read() == Entry()
    path = f"secret/{shared_path(request_for('tracktik', kind='vault'))}"
    assert scene.warnings == [f"Vault sent more than 4 MiB. So the content of the shared entry {path} is not known. [TRK-V09]"]


def test_only_a_refusal_is_shared_without_its_run():
    failure = Failure("no", "refused", NOW, secret_version="7", run="run-1", network="n", status=401)
    assert shareable(failure) == dataclasses.replace(failure, run="")
    outage = dataclasses.replace(failure, kind="unavailable")
    assert shareable(outage) == outage


def test_the_signature_of_a_refresh_token_is_stable(shared):
    """Controllers with different releases of the collection share entries, so the value must not change."""
    mac = shared(Scene()).mac
    assert mac({"b": 1, "a": "x"}, "r1") == mac({"a": "x", "b": 1}, "r1") == "68b56ec0c6914a6f989cbe289abc24599ee04aac14d01ad90e990a4b15dde639"
    assert len({mac({"a": "x"}, "r1"), mac({"a": "y"}, "r1"), mac({"a": "x"}, "r2")}) == 3


def test_the_path_of_a_shared_entry_depends_on_request_and_login():
    one = request_for("tracktik", "fleet/eu west+1", vault=approle(secret_id="a"))
    assert shared_path(one).startswith("trackops/api_tokens/tracktik/fleet/eu_west_1/")
    assert len(shared_path(one).rpartition("/")[2]) == 16
    slashes = dataclasses.replace(one, cache=dataclasses.replace(one.cache, vault_path="/tokens/X/"), secret=SecretRef("secret", "/fleet/X/"))
    assert shared_path(slashes).startswith("tokens/X/tracktik/fleet/X/")
    assert shared_path(one) == shared_path(request_for("tracktik", "fleet/eu west+1", vault=approle(secret_id="b")))
    assert shared_path(one) != shared_path(request_for("tracktik", "fleet/eu west 1", vault=approle()))
    assert shared_path(one) != shared_path(request_for("tracktik", "fleet/eu west+1", vault=approle(namespace="team")))


MANY = [{"message": "", "kind": "", "recorded_at": 0.0}] * 400


def test_an_entry_that_vault_rejects_is_started_again(controllers, monkeypatch):
    """Vault and OpenBao limit what a request may contain, and the lease is written together with the rest of the entry."""
    scene = Scene(access("one"), access("two"))
    controllers(scene, "a")
    planted(scene, expires_at=NOW - 1, issued_at=NOW - 3600, failures=MANY, extra={"more": ["x"] * 978})
    write = FakeClient.kv2_write

    def strict(self, mount, path, data, *, cas):
        if json.dumps(data).count('"') > 300:
            raise LastingRefusal("Vault failed at writing the cache entry with status 400.")
        return write(self, mount, path, data, cas=cas)

    monkeypatch.setattr(FakeClient, "kv2_write", strict)
    assert controllers(scene, "b").access_token == "two"
    assert controllers(scene, "c").access_token == "two"
    assert not scene.warnings


def test_the_number_of_shared_failures_is_limited(controllers):
    scene = Scene(access("one"), answer(503))
    controllers(scene, "a")
    planted(scene, expires_at=NOW - 1, issued_at=NOW - 3600, failures=MANY)
    with pytest.raises(VendorError):
        controllers(scene, "b", http={"retries": 0})
    assert len(entry_of(scene)["failures"]) <= MOST_FAILURES


def test_an_unreadable_shared_entry_makes_a_controller_fetch_alone(controllers, monkeypatch):
    def too_large(self, mount, path):
        raise LastingRefusal("Vault sent more than 4 MiB.")

    monkeypatch.setattr(FakeClient, "kv2_read", too_large)
    scene = Scene(access("one"))
    assert controllers(scene, "a").access_token == "one"
    assert scene.warnings == ["Vault sent more than 4 MiB. Until this is fixed, tokens are not shared with other controllers. [TRK-V09]"]


def test_single_use_credentials_are_never_used_alone(controllers, monkeypatch):
    """Two controllers that send the same refresh token lose the consent."""

    def too_large(self, mount, path):
        raise LastingRefusal("Vault sent more than 4 MiB.")

    monkeypatch.setattr(FakeClient, "kv2_read", too_large)
    vendor = Vendor(name="acme", token_url="https://login.acme.example/token", grant_type="refresh_token", client_auth="post")
    scene = Scene(access("one"), vault=FakeVault({"client_id": "the-id", "refresh_token": "rt-0"}))
    with pytest.raises(VaultError, match="more than 4 MiB"):
        controllers(scene, "a", vendor=vendor)
    assert not scene.sent


def test_a_shared_token_does_not_clear_a_remembered_refusal(controllers):
    """Otherwise anyone who may write only the shared entries could make it ask until the account is locked."""
    scene = Scene(*[error("invalid_grant", 401)] * 9, vault=FakeVault(dict(PASSWORD_FIELDS)))
    token = {
        "access_token": "planted",
        "token_type": "Bearer",
        "scope": None,
        "extra": {},
        "refresh_token": None,
        "refresh_token_mac": "",
        "secret_version": "1",
    }
    for turn in range(6):
        scene.now += 40
        if turn % 2:
            planted(scene, **token, failures=[], issued_at=scene.now, expires_at=scene.now + 10)
            assert controllers(scene, "a").access_token == "planted"
        else:
            with pytest.raises(VendorError):
                controllers(scene, "a")
            planted(scene, failures=[])
    assert len(scene.sent) == 1


def test_a_shared_refusal_holds_equally_long_for_every_run(controllers):
    """The refused run remembers that itself. If the entry gave its name, anyone could keep it from its token for a day."""
    scene = Scene(error("invalid_grant"), access("one"))
    with pytest.raises(VendorError):
        controllers(scene, "a")
    (failure,) = entry_of(scene)["failures"]
    assert failure["run"] == ""
    planted(scene, failures=[{**failure, "run": "b", "recorded_at": scene.now}])
    scene.now += 3600
    assert controllers(scene, "b").access_token == "one"
