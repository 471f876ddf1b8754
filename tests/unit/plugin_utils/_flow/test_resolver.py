# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole way to a token, with a scripted vendor, Vault and clock, and the real file cache."""

from __future__ import annotations

import dataclasses
import datetime
import os

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CacheError, OptionError, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, fingerprint
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.fallback_store import FallbackStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.freshness import Verdict
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver, open_store
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.slot import token_keys
from support.scripted import CONSENT_VENDOR, NOW, PASSWORD_FIELDS, FakeVault, Scene, access, answer, approle, error, request_for, token

UNREACHABLE = VaultError("Vault cannot be reached.", "unreachable")


def valid_until(moment):
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture
def ask(tmp_path):
    """Ask for TrackTik's token (which has refresh tokens), each time as a new process would."""

    def asking(scene, vendor="tracktik", *, ports=None, path="fleet/x", **options):
        request = request_for(vendor, path, **{"cache": str(tmp_path / "cache"), **options})
        return Resolver(ports or scene.ports).token(request)

    return asking


def grant_types(scene):
    return [dict(pair.split("=") for pair in request.body.decode().split("&"))["grant_type"] for request in scene.sent]


def failing(ask, *arguments, family=VendorError, **options):
    with pytest.raises(family) as caught:
        ask(*arguments, **options)
    return caught.value.message


# -- cold, hit, renewal ----------------------------------------------------------------------------------------------


def test_the_first_call_fetches_and_the_next_hits_the_cache(ask):
    scene = Scene(access("t0ken"))
    cold, hit = ask(scene), ask(scene, ports=scene.as_run("run-2"))
    assert (cold.source, hit.source, hit.access_token) == ("vendor", "cache", "t0ken")
    assert (len(scene.sent), scene.vault.reads, scene.vault.clients) == (1, 1, 1)
    assert scene.names() == ["vault_secret_read", "fetched", "hit"]
    assert scene.events[1].reason == "no entry"
    assert (scene.events[2].fingerprint, scene.events[2].expires_at) == (fingerprint("t0ken"), NOW + 3600)
    assert all("t0ken" not in repr(event) for event in scene.events)
    assert scene.warnings == []


def test_a_hit_needs_neither_vault_nor_vendor(ask):
    ask(Scene(access("one")))
    vault = FakeVault()
    vault.fault = UNREACHABLE
    assert ask(Scene(vault=vault)).access_token == "one"
    assert vault.clients == 0


def test_another_login_or_request_never_gets_the_token(ask):
    ask(Scene(access("one")))
    for options in ({"vault": approle()}, {"path": "fleet/y"}, {"secret": {"version": 3}}):
        assert ask(Scene(access("two")), **options).access_token == "two"


def test_a_token_fetched_by_another_caller_during_the_wait_is_shared(ask, tmp_path):
    scene = Scene()
    request = request_for("tracktik", cache=str(tmp_path / "cache"))
    resolver = Resolver(scene.ports)
    other = Scene(access("theirs"))
    # Another caller holds the lock, and has the token by the time we get the lock.
    store = resolver.store(request.cache)
    store.user_key()
    real = store.try_lock

    def lock(*arguments, **keywords):
        store.try_lock = real
        Resolver(other.ports).token(request)
        return real(*arguments, **keywords)

    store.try_lock = lock
    assert resolver.token(request).access_token == "theirs"
    assert scene.names() == ["shared"]


def test_a_token_is_renewed_in_the_last_fifth_of_its_lifetime(ask):
    scene = Scene(access("one"), access("two"))
    ask(scene)
    scene.now += 2880
    assert ask(scene).access_token == "one"
    scene.now += 1
    assert ask(scene).access_token == "two"
    assert scene.events[-1].reason == "last fifth of its lifetime"


def test_while_one_caller_renews_early_the_others_use_the_valid_token(ask, tmp_path):
    scene = Scene(access("one"))
    ask(scene)
    scene.now += 3000
    request = request_for("tracktik", cache=str(tmp_path / "cache"))
    resolver = Resolver(scene.ports)
    store = resolver.store(request.cache)
    with store.try_lock(token_keys(request, store.user_key()).name) as mine:
        assert mine
        assert ask(scene).access_token == "one"
    assert len(scene.sent) == 1


def test_a_failed_renewal_serves_the_valid_token(ask):
    scene = Scene(access("one"), error("invalid_grant"))
    ask(scene)
    scene.now += 3000
    assert ask(scene).access_token == "one"
    assert scene.warnings == [
        "tracktik: the vendor refused the credentials at secret/fleet/x (version 1): invalid_grant. Check username and password there; "
        "the next attempt is made as soon as the secret changes, or in 30 s. "
        f"The cached token, still valid until {valid_until(NOW + 3600)} UTC, is used. [TRK-L02]"
    ]
    assert scene.names()[-2:] == ["failed", "served_stale"]
    failed, stale = scene.events[-2:]
    assert (failed.error_code, failed.reason[:45]) == ("TRK-L02", "tracktik: the vendor refused the credentials ")
    assert (stale.fingerprint, stale.expires_at, stale.error_code) == (fingerprint("one"), NOW + 3600, "TRK-L02")
    # The next call does not even try.
    assert ask(scene).access_token == "one"
    assert (len(scene.sent), scene.vault.reads, scene.names()[-1], len(scene.warnings)) == (2, 3, "hit", 1)


def test_retry_after_holds_back_early_renewals(ask):
    scene = Scene(access("one"), answer(429, retry_after="200"))
    ask(scene)
    scene.now += 3000
    assert ask(scene, http={"retries": 0}).access_token == "one"
    scene.now += 100
    assert ask(scene, ports=scene.as_run("run-2")).access_token == "one"
    assert (len(scene.sent), scene.names()[-1]) == (2, "hit")


def test_a_token_that_expired_during_the_request_is_not_returned(ask):
    def slow(_request):
        scene.now += 10
        return access("one", lifetime=10)

    scene = Scene(slow)
    with pytest.raises(VaultError) as caught:
        ask(scene)
    assert (caught.value.message, caught.value.kind) == (
        "tracktik: the token for secret/fleet/x has a lifetime of 10 s and expired before it could be used, because Vault or this machine took longer "
        "than that. Try again.",
        "unreachable",
    )


def test_the_valid_token_is_served_while_vault_is_down(ask):
    scene = Scene(access("one"), access("two"))
    ask(scene)
    scene.now += 3550
    scene.vault.fault = UNREACHABLE
    for _ in range(2):
        assert ask(scene).access_token == "one"
    assert scene.warnings[0] == (
        f"tracktik: no token for secret/fleet/x: Vault cannot be reached. The cached token, still valid until {valid_until(NOW + 3600)} UTC, is used. [TRK-V01]"
    )
    scene.now += 51
    scene.vault.fault = None
    assert ask(scene).access_token == "two"


@pytest.mark.parametrize("kind", ["denied", "login_refused"])
@pytest.mark.parametrize("left", [700, 50])
def test_after_a_vault_refusal_the_cached_token_is_not_served(ask, kind, left):
    scene = Scene(access("one"), access("two"))
    ask(scene)
    scene.now += 3600 - left
    scene.vault.fault = VaultError("Vault: permission denied.", kind)
    for _host in range(3):
        assert failing(ask, scene, family=VaultError) == "tracktik: no token for secret/fleet/x: Vault: permission denied."
    assert scene.warnings == []
    scene.vault.fault = None
    assert ask(scene).access_token == "two"


def test_an_expired_token_is_not_served(ask):
    scene = Scene(access("one"), error("invalid_grant"))
    ask(scene)
    scene.now += 3601
    assert "invalid_grant" in failing(ask, scene)


def test_min_ttl_max_age_and_force_renew_a_token(ask):
    scene = Scene(access("one"), access("two"), access("three"), access("four"))
    ask(scene)
    scene.now += 600
    assert ask(scene, min_ttl=3000).access_token == "one"
    assert ask(scene, min_ttl=3001).access_token == "two"
    scene.now += 100
    assert ask(scene, max_age=99).access_token == "three"
    scene.now += 1
    assert ask(scene, force=True).access_token == "four"
    assert ask(scene).access_token == "four"


def test_a_lifetime_below_min_ttl_is_warned_about_and_used(ask):
    scene = Scene(access("one", lifetime=30))
    assert ask(scene).access_token == "one"
    assert ask(scene).access_token == "one"
    warning = "tracktik: the token for secret/fleet/x has a lifetime of only 30 s, less than min_ttl (60 s)."
    assert scene.warnings == [warning, warning], "on a hit too; Ansible shows equal warnings once"


def test_a_refused_token_is_renewed_once(ask):
    scene = Scene(access("one"), access("two"))
    first = ask(scene)
    for name in (first.access_token, first.fingerprint, first.fingerprint):
        assert ask(scene, refused=name).access_token == "two"
    assert len(scene.sent) == 2


def test_force_renews_once_per_run(ask):
    scene = Scene(access("one"), access("two"), access("three"))
    ask(scene)
    scene.now += 1
    for _host in range(20):
        assert ask(scene, force=True).access_token == "two"
        scene.now += 1
    assert ask(scene, force=True, ports=scene.as_run("run-2")).access_token == "three"
    assert ask(scene, force=True).access_token == "three"  # what another run forced meanwhile is new enough
    assert len(scene.sent) == 3


def test_refused_renews_once_per_run_even_if_the_vendor_returns_the_same_token(ask):
    scene = Scene(*[access("same")] * 3)
    refused = ask(scene)
    for _host in range(20):
        for name in (refused.access_token, refused.fingerprint, refused.fingerprint.partition(":")[2]):
            assert ask(scene, refused=name).access_token == "same"
            scene.now += 1
    assert len(scene.sent) == 2
    assert ask(scene, refused="same", ports=scene.as_run("run-2")).access_token == "same"
    assert len(scene.sent) == 3


def test_a_failed_renewal_does_not_count(ask):
    scene = Scene(access("one"), answer(503), access("two"))
    ask(scene)
    scene.now += 1
    failing(ask, scene, force=True, http={"retries": 0})
    scene.now += 60
    assert ask(scene, force=True).access_token == "two"


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_clock_jump_causes_a_new_fetch(ask, jump):
    scene = Scene(access("one"), access("two"))
    ask(scene)
    scene.now += jump
    assert ask(scene).access_token == "two"


# -- failures --------------------------------------------------------------------------------------------------------


def test_a_refusal_is_remembered_for_its_secret_version(ask):
    scene = Scene(error("invalid_grant"), access("good"))
    message = failing(ask, scene)
    for run in ("run-1", "run-2"):
        assert failing(ask, scene, ports=scene.as_run(run)) == message
    assert len(scene.sent) == 1
    assert scene.names().count("failed") == 1
    assert scene.names()[-1] == "remembered"
    scene.vault.change(password="corrected")
    assert ask(scene).access_token == "good"
    assert b"password=corrected" in scene.sent[-1].body


def test_a_repeated_refusal_is_confirmed(ask, tmp_path):
    scene = Scene(error("invalid_grant"))
    failing(ask, scene)
    scene.now += 100
    failing(ask, scene)
    (failure,) = Resolver(scene.ports).known(request_for("tracktik", cache=str(tmp_path / "cache"))).failures
    assert (failure.recorded_at, failure.confirmed_at) == (NOW, NOW + 100)


def test_a_remembered_vault_failure_is_reported_as_an_event(ask):
    scene = Scene()
    scene.vault.fault = VaultError("Vault cannot be reached.", "unreachable")
    failing(ask, scene, family=VaultError)
    failing(ask, scene, family=VaultError, path="fleet/y")
    (event,) = (event for event in scene.events if event.name == "remembered")
    assert (event.where, event.reason, event.error_code) == ("secret/fleet/y", "Vault cannot be reached.", "TRK-V01")
    assert scene.vault.reads == 1


def test_a_token_with_one_second_left_is_returned(ask):
    def slow(_request):
        scene.now += 10
        return access("one", lifetime=11)

    scene = Scene(slow)
    assert ask(scene).access_token == "one"


def test_a_remembered_vendor_failure_is_reported_as_an_event(ask):
    scene = Scene(answer(503))
    for _host in range(2):
        failing(ask, scene, http={"retries": 0})
    failed, remembered = (event for event in scene.events if event.name in ("failed", "remembered"))
    assert (remembered.name, remembered.error_code) == ("remembered", failed.error_code)
    assert failed.reason.endswith(remembered.reason) and remembered.reason


def test_events_name_the_entry_and_why_it_was_renewed(ask, tmp_path):
    scene = Scene(access("one"), access("two"))
    ask(scene)
    scene.now += 3601
    ask(scene)
    request = request_for("tracktik", cache=str(tmp_path / "cache"))
    name = token_keys(request, Resolver(scene.ports).store(request.cache).user_key()).name
    fetched = [event for event in scene.events if event.name == "fetched"]
    assert [(event.key, event.reason) for event in fetched] == [(name, "no entry"), (name, Verdict.UNUSABLE.value)]


def test_a_lifetime_of_exactly_min_ttl_causes_no_warning(ask):
    scene = Scene(access("one", lifetime=60))
    ask(scene, min_ttl=60)
    assert scene.warnings == []


def test_a_single_use_credential_is_renewed_early_under_the_lock(ask):
    vault = FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "r1"})
    scene = Scene(access("one", refresh_token="r2"), access("two", refresh_token="r3"), vault=vault)
    assert ask(scene, CONSENT_VENDOR).access_token == "one"
    scene.now += 3000
    assert ask(scene, CONSENT_VENDOR).access_token == "two"


def test_plain_http_is_used_if_allowed(ask):
    vendor = dataclasses.replace(request_for("tracktik").vendor, base_url="http://portal.example")
    assert ask(Scene(access("one")), vendor, http={"allow_http": True}).access_token == "one"


def test_without_a_cache_the_run_uses_its_scratch_directory(ask, tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "file").write_text("")
    assert ask(Scene(access("one"), scratch=str(tmp_path / "scratch")), kind="none").access_token == "one"
    assert os.listdir(tmp_path / "scratch") == ["trackops_api_tokens"]
    scene = Scene(access("one"), scratch=str(tmp_path / "file"))
    assert ask(scene, kind="none").access_token == "one"
    assert scene.warnings == []
    cache = request_for(cache=str(tmp_path / "cache")).cache
    assert (type(open_store(cache, warn=print)), type(open_store(cache, warn=print, scratch="/s"))) == (FileStore, FallbackStore)


def test_a_success_clears_a_remembered_refusal(ask, tmp_path):
    scene = Scene(error("invalid_grant"), access("one"))
    failing(ask, scene)
    scene.vault.change(password="n3w")
    ask(scene)
    assert Resolver(scene.ports).known(request_for("tracktik", cache=str(tmp_path / "cache"))).failures == ()


def test_other_fields_of_the_secret_are_redacted_in_messages(ask):
    """A vendor may know, and repeat, an old password that is kept beside the new one. A short word does not count as a secret."""
    scene = Scene(
        error("invalid_grant", error_description="not zz-old-password-zz, nor eu"),
        vault=FakeVault({**PASSWORD_FIELDS, "old": "zz-old-password-zz", "region": "eu"}),
    )
    message = failing(ask, scene)
    assert "The vendor says: not ***, nor eu" in message


@pytest.mark.thorough
def test_a_wrong_password_is_sent_once_per_run(ask):
    scene = Scene(error("invalid_grant"), access("good"))
    messages = set()
    for _host in range(100):
        messages.add(failing(ask, scene))
        scene.now += 600 / 100
    assert (len(scene.sent), len(messages)) == (1, 1)
    scene.now += 3600
    scene.vault.change(password="corrected")
    assert ask(scene).access_token == "good"


@pytest.mark.thorough
def test_other_runs_send_a_wrong_password_once_per_failure_ttl(ask):
    scene = Scene(*[error("invalid_grant")] * 3, access("good"))
    for number in range(90):  # a new run each second
        failing(ask, scene, ports=scene.as_run(f"run-{number}"))
        scene.now += 1
    assert len(scene.sent) == 3
    assert ask(scene, ports=scene.as_run("run-last")).access_token == "good"
    assert ask(scene).access_token == "good"


def test_without_failure_ttl_every_call_asks_the_vendor(ask):
    scene = Scene(error("invalid_grant"), error("invalid_grant"), answer(503), answer(503))
    for _ in range(4):
        failing(ask, scene, failure_ttl=0, http={"retries": 0})
        scene.now += 1
    assert len(scene.sent) == 4


@pytest.mark.thorough
def test_concurrent_runs_keep_their_own_failures(ask):
    """Two runs of 40 hosts, one of them also through a proxy, take turns while the vendor is down: one attempt each."""
    scene = Scene(*[answer(503)] * 3, vault=FakeVault())
    others = [("run-1", {}), ("run-2", {}), ("run-2", {"proxy": "http://proxy.example"})]
    for _host in range(40):
        for run, http in others:
            failing(ask, scene, ports=scene.as_run(run), http={"retries": 0, **http})
            scene.now += 0.2
    assert (len(scene.sent), scene.vault.reads) == (3, 3)


@pytest.mark.thorough
def test_concurrent_runs_read_a_sealed_vault_once_each(ask):
    scene = Scene(access("good"))
    scene.vault.fault = VaultError("Vault is sealed.", "sealed")
    for number in range(150):
        failing(ask, scene, ports=scene.as_run(f"run-{number % 3}"), family=VaultError)
        scene.now += 0.1
    assert scene.vault.reads == 3


@pytest.mark.thorough
def test_the_failures_of_an_entry_are_bounded(ask, tmp_path):
    scene = Scene(*[answer(503)] * 66)
    for number in range(66):
        failing(ask, scene, ports=scene.as_run(f"run-{number}"), http={"retries": 0})
        scene.now += 0.1
    entry = Resolver(scene.ports).known(request_for("tracktik", cache=str(tmp_path / "cache")))
    assert [failure.recorded_at for failure in entry.failures] == sorted(failure.recorded_at for failure in entry.failures)
    assert len(entry.failures) == 64
    scene.now += 3600
    scene.script = [answer(503)]
    failing(ask, scene, http={"retries": 0})
    assert len(Resolver(scene.ports).known(request_for("tracktik", cache=str(tmp_path / "cache"))).failures) == 1


def test_a_failure_of_another_network_survives_a_success(ask):
    scene = Scene(VendorError("x: TLS fails.", "unavailable"), access("good", lifetime=10), access("better"))
    failing(ask, scene, http={"ca_cert": "/wrong.pem"})
    scene.now += 1
    assert ask(scene, min_ttl=0).access_token == "good"
    scene.now += 10
    failing(ask, scene, http={"ca_cert": "/wrong.pem"})
    assert len(scene.sent) == 2
    assert ask(scene).access_token == "better"


def test_a_slow_failure_is_remembered_longer(ask):
    """Otherwise, with four tokens that take 30 s each, the first failure would be forgotten before the next host asks."""

    def hangs(_request):
        scene.now += 30
        return VendorError("x: the vendor did not answer within 30 s.", "unavailable")

    scene = Scene(hangs, hangs, access("good"))
    message = failing(ask, scene)
    for seconds in (120, 120, 89):
        scene.now += seconds
        assert failing(ask, scene) == message
    assert len(scene.sent) == 1
    scene.now += 2
    failing(ask, scene)
    assert len(scene.sent) == 2
    assert ask(scene, ports=scene.as_run("run-2")).access_token == "good"


def test_a_refusal_is_remembered_for_the_content_of_a_kv_v1_secret(ask):
    vault = FakeVault(version=None)
    scene = Scene(error("invalid_grant"), access("good"), vault=vault)
    assert "(version" not in failing(ask, scene, secret={"engine_version": "1"})
    failing(ask, scene, secret={"engine_version": "1"})
    assert len(scene.sent) == 1
    vault.change(password="corrected")
    got = ask(scene, secret={"engine_version": "1"})
    assert got.secret_version.startswith("v1:")
    assert len(got.secret_version) == len("v1:") + 16


def test_the_secret_is_read_again_when_refused(ask):
    def rotated_meanwhile(_request):
        scene.vault.change(password="n3w")
        return error("invalid_grant")

    scene = Scene(rotated_meanwhile, access("good"))
    assert ask(scene).access_token == "good"
    assert (len(scene.sent), scene.vault.reads) == (2, 2)
    assert b"password=n3w" in scene.sent[1].body
    assert scene.events[-1].reason == "the secret has changed in Vault"


def test_a_secret_that_changes_again_is_not_tried_again(ask):
    def rotated_meanwhile(_request):
        scene.vault.change(password="n3w")
        return error("invalid_grant")

    scene = Scene(rotated_meanwhile, rotated_meanwhile)
    assert "(version 2): invalid_grant" in failing(ask, scene)
    assert (len(scene.sent), scene.vault.reads) == (2, 2)


def test_a_temporary_failure_is_retried_once_per_run(ask):
    scene = Scene(*[answer(503)] * 4, access("good"))
    message = failing(ask, scene)
    assert failing(ask, scene) == message
    assert (len(scene.sent), len(scene.slept), scene.vault.reads) == (4, 3, 1)
    assert scene.names()[-1] == "remembered"
    scene.now += 1  # a caller that asks at the very moment of the failure shares it
    assert ask(scene, ports=scene.as_run("run-2")).access_token == "good"


def test_retry_after_holds_for_every_run_for_at_most_300_s(ask):
    scene = Scene(answer(429, retry_after="600"), access("good"))
    assert "It asks to wait 600 s." in failing(ask, scene)
    scene.now += 299
    failing(ask, scene, ports=scene.as_run("run-2"))
    assert len(scene.sent) == 1
    scene.now += 2
    assert ask(scene, ports=scene.as_run("run-2")).access_token == "good"


def test_a_caller_that_waited_shares_the_failure(ask, tmp_path):
    scene = Scene()
    request = request_for("tracktik", cache=str(tmp_path / "cache"))
    resolver = Resolver(scene.as_run("run-2"))
    store = resolver.store(request.cache)
    store.user_key()
    real = store.try_lock

    def lock(*arguments, **keywords):
        store.try_lock = real
        other = Scene(answer(500))
        scene.now = other.now = scene.now + 1
        failing(ask, other)
        return real(*arguments, **keywords)

    store.try_lock = lock
    with pytest.raises(VendorError, match="is not available"):
        resolver.token(request)
    assert (scene.sent, scene.vault.clients) == ([], 0)


@pytest.mark.parametrize("kind", ["unreachable", "tls", "sealed", "unavailable"])
def test_a_temporary_vault_failure_is_found_once_per_run(ask, kind):
    scene = Scene(access("good"))
    scene.vault.fault = VaultError("Vault cannot be reached.", kind)
    for _ in range(2):
        assert failing(ask, scene, family=VaultError) == "tracktik: no token for secret/fleet/x: Vault cannot be reached."
    assert scene.vault.reads == 1
    scene.now += 31
    scene.vault.fault = None
    assert ask(scene).access_token == "good"


@pytest.mark.parametrize("kind", ["denied", "missing", "deleted", "field"])
def test_a_corrected_secret_is_read_at_once(ask, kind):
    scene = Scene(access("good"))
    scene.vault.fault = VaultError("tracktik: nothing at secret/fleet/x.", kind)
    assert failing(ask, scene, family=VaultError) == "tracktik: nothing at secret/fleet/x."
    scene.vault.fault = None
    assert ask(scene).access_token == "good"


def test_a_missing_field_sends_no_request(ask):
    scene = Scene(vault=FakeVault({"client_id": "i"}))
    assert failing(ask, scene, family=VaultError).startswith("tracktik: the secret secret/fleet/x has no field 'client_secret'.")


# -- refresh tokens --------------------------------------------------------------------------------------------------


def test_the_refresh_token_is_used_and_rotated(ask):
    scene = Scene(access("one", refresh_token="r1"), access("two", refresh_token="r2"), access("three"), access("four"))
    for _ in range(4):
        ask(scene)
        scene.now += 3550
    assert grant_types(scene) == ["password", "refresh_token", "refresh_token", "refresh_token"]
    # RFC 6749 6: if there is no new one, the old one stays valid.
    assert [b"refresh_token=r%d" % n in request.body for n, request in zip((1, 2, 2), scene.sent[1:], strict=True)] == [True] * 3
    assert scene.names().count("refreshed") == 3


def test_a_refresh_token_is_removed_from_the_cache_before_use(ask, tmp_path):
    request = request_for("tracktik", cache=str(tmp_path / "cache"))
    seen = []

    def killed(_request):
        seen.append(Resolver(scene.ports).known(request))
        raise KeyboardInterrupt

    scene = Scene(access("one", refresh_token="r1"), killed, access("two"))
    ask(scene)
    scene.now += 3550
    with pytest.raises(KeyboardInterrupt):
        ask(scene)
    assert (seen[0].token.access_token, seen[0].token.refresh_token) == ("one", None)
    assert ask(scene).access_token == "two"
    assert grant_types(scene) == ["password", "refresh_token", "password"]


def test_an_unsent_refresh_token_is_kept(ask):
    refused_connection = VendorError("no", "unavailable", sent=False)
    scene = Scene(access("one", refresh_token="r1"), refused_connection, access("two"))
    ask(scene)
    scene.now += 3550
    assert ask(scene).access_token == "one"
    scene.now += 1
    assert ask(scene, ports=scene.as_run("run-2")).access_token == "two"
    assert grant_types(scene) == ["password", "refresh_token", "refresh_token"]


def test_a_refresh_token_is_kept_after_a_wrong_option(ask):
    scene = Scene(access("one", refresh_token="r1"), OptionError("http_ca_cert: no such file."), access("two"))
    ask(scene)
    scene.now += 3550
    assert ask(scene).access_token == "one"  # still valid for a moment, so the mistake is only a warning
    assert "http_ca_cert: no such file. The cached token, still valid until" in scene.warnings[0]
    assert ask(scene, ports=scene.as_run("run-2")).access_token == "two"
    assert grant_types(scene) == ["password", "refresh_token", "refresh_token"]


def test_a_refused_refresh_token_falls_back_to_the_credentials_once(ask):
    scene = Scene(access("one", refresh_token="r1"), error("invalid_grant"), access("two", refresh_token="r2"))
    ask(scene)
    scene.now += 3550
    assert ask(scene).access_token == "two"
    assert grant_types(scene) == ["password", "refresh_token", "password"]
    scene = Scene(error("invalid_grant"), error("invalid_grant"))
    scene.now += 3550 * 2
    assert ask(scene).access_token == "two"
    assert grant_types(scene) == ["refresh_token", "password"]
    assert ask(scene).access_token == "two"
    assert "Check username and password there" in scene.warnings[0]


def test_a_refresh_token_of_older_credentials_is_not_used(ask):
    scene = Scene(access("one", refresh_token="r1"), access("two"))
    ask(scene)
    scene.vault.change(password="n3w")
    scene.now += 3550
    ask(scene)
    assert grant_types(scene) == ["password", "password"]


# -- one at a time ---------------------------------------------------------------------------------------------------


def test_keep_waits_for_the_lock(tmp_path):
    scene, request = Scene(), request_for("tracktik", cache=str(tmp_path / "cache"))
    resolver = Resolver(scene.ports)
    store = resolver.store(request.cache)
    with store.try_lock(token_keys(request, store.user_key()).name), pytest.raises(CacheError):
        Resolver(scene.ports).keep(request, token("theirs"))
    assert resolver.known(request) == Entry()
    resolver.keep(request, token("mine"))
    assert resolver.known(request).token.access_token == "mine"


def test_renewing_ahead_looks_again_under_the_lock(ask, tmp_path):
    scene = Scene(access("one"))
    ask(scene)
    scene.now += 3000
    request = request_for("tracktik", cache=str(tmp_path / "cache"))
    resolver = Resolver(scene.ports)
    store = resolver.store(request.cache)
    real = store.try_lock

    def lock(*arguments):
        store.try_lock = real
        other = Scene(access("theirs"))
        other.now = scene.now
        Resolver(other.ports).token(request)
        return real(*arguments)

    store.try_lock = lock
    assert resolver.token(request).access_token == "theirs"
    assert (scene.names()[-1], len(scene.sent)) == ("shared", 1)


def test_the_digest_of_a_kv_v1_secret_depends_on_path_and_login(ask):
    """The digest is keyed: at another path, or with another login, the same secret has another digest."""
    versions = {
        ask(Scene(access(), vault=FakeVault(version=None)), secret={"engine_version": "1"}, **more).secret_version
        for more in ({}, {"path": "fleet/y"}, {"vault": approle()})
    }
    assert len(versions) == 3


# -- no cache, options -----------------------------------------------------------------------------------------------


def test_without_a_cache_every_call_fetches(ask, tmp_path):
    scene = Scene(access("one"), access("two"))
    assert [ask(scene, kind="none").access_token for _ in range(2)] == ["one", "two"]
    assert not (tmp_path / "cache").exists()


@pytest.fixture(params=["none", "below a file"])
def nowhere(request, tmp_path):
    """Options with which nothing can be cached."""
    (tmp_path / "file").touch()
    return {"kind": "none"} if request.param == "none" else {"cache": str(tmp_path / "file" / "cache")}


def test_without_a_cache_a_run_remembers_a_refusal(ask, nowhere, tmp_path):
    scene = Scene(error("invalid_grant"), error("invalid_grant"), scratch=str(tmp_path))
    messages = {failing(ask, scene, **nowhere) for _host in range(5)}
    assert (len(scene.sent), len(messages)) == (1, 1)
    scene.now += 3000
    failing(ask, scene, **nowhere)
    assert len(scene.sent) == 1, "in the run that saw it, it holds"
    scene.vault.change(password="corrected")
    scene.script = [access("good"), access("good-too")]
    assert [ask(scene, **nowhere).access_token for _host in range(2)] == ["good", "good-too"]


def test_without_a_cache_a_run_remembers_an_outage(ask, nowhere, tmp_path):
    scene = Scene(*[answer(400, {"error": "temporarily_unavailable"})] * 2, scratch=str(tmp_path))
    for _host in range(5):
        failing(ask, scene, **nowhere)
    assert len(scene.sent) == 1
    failing(ask, scene, ports=scene.as_run("run-2"), **nowhere)
    assert len(scene.sent) == 2


def test_without_a_cache_callers_do_not_wait_for_each_other_after_a_success(ask, nowhere, tmp_path):
    """Each needs its own request: one after the other, they would wait for hours."""
    within = []

    def other(_request):
        scene.script = [access("theirs")]
        within.append(ask(scene, **nowhere).access_token)
        return access("ours")

    scene = Scene(access("first"), other, scratch=str(tmp_path))
    assert [ask(scene, **nowhere).access_token for _host in range(2)] == ["first", "ours"]
    assert within == ["theirs"]
    assert scene.slept == []


def test_without_a_cache_a_refresh_token_is_used_by_one_caller_at_a_time(ask, nowhere, tmp_path):
    """Each uses what the previous one has stored in Vault, and none begins before that."""
    scene = Scene(vault=FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "refresh-0"}), scratch=str(tmp_path))
    waited = []

    def other(number):
        def vendor(_request):
            scene.while_asleep = lambda _times: (_ for _ in ()).throw(InterruptedError)
            with pytest.raises(InterruptedError):
                ask(scene, CONSENT_VENDOR, **nowhere)
            waited.append(number)
            return access(f"token-{number}", refresh_token=f"refresh-{number}")

        return vendor

    scene.script = [other(1), other(2)]
    assert [ask(scene, CONSENT_VENDOR, **nowhere).access_token for _host in range(2)] == ["token-1", "token-2"]
    assert waited == [1, 2]
    sent = [dict(pair.split("=") for pair in request.body.decode().split("&"))["refresh_token"] for request in scene.sent]
    assert sent == ["refresh-0", "refresh-1"]
    assert scene.vault.data["refresh_token"] == "refresh-2"


def test_without_a_lock_a_single_use_credential_is_not_sent(ask, nowhere):
    scene = Scene(vault=FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "refresh-0"}))
    message = failing(ask, scene, CONSENT_VENDOR, family=CacheError, **nowhere)
    assert message == (
        "acme: the credential at secret/fleet/x works only once, and no lock is available to stop another process from using it, so nothing was sent. "
        "Set cache_path to a directory that can be written and locked (NFS often has no locks), or set cache=vault."
    )
    assert (scene.sent, scene.vault.clients) == ([], 0)
    assert ask(Scene(access("t0ken")), **nowhere).access_token == "t0ken", "a password can be used again"


def test_controllers_that_share_need_no_local_lock(ask, tmp_path):
    (tmp_path / "file").touch()
    scene = Scene(access("t0ken", refresh_token="refresh-1"), vault=FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "refresh-0"}))
    assert ask(scene, CONSENT_VENDOR, kind="vault", cache=str(tmp_path / "file" / "cache")).access_token == "t0ken"


def test_the_endpoint_is_checked_before_anything_else(ask):
    scene = Scene()
    vendor = dataclasses.replace(request_for("tracktik").vendor, base_url="http://vendor.example")
    assert failing(ask, scene, vendor, family=OptionError).startswith(
        "tracktik: no token for secret/fleet/x: vendor.example would get the credentials over plain http."
    )
    assert scene.vault.clients == 0


def test_a_disabled_certificate_check_is_warned_about(ask):
    scene = Scene(access())
    ask(scene, http={"validate_certs": False})
    assert scene.warnings == ["tracktik: the vendor's certificate is not checked (http_validate_certs=false): anyone on the network can read the credentials."]


def test_known_sends_no_request(ask, tmp_path):
    request = request_for("tracktik", cache=str(tmp_path / "cache"))
    scene = Scene(access("one"))
    assert Resolver(scene.ports).known(request) == Entry()
    ask(scene)
    assert Resolver(Scene().ports).known(request).token.access_token == "one"


def test_no_secret_is_on_the_disk_in_plain_text(ask, tmp_path):
    scene = Scene(access("t0ken-value", refresh_token="r3fresh-value"))
    ask(scene, vault=approle(secret_id="s3cret-id-value"))
    raw = b"".join(file.read_bytes() for file in (tmp_path / "cache").iterdir())
    for secret in (b"t0ken-value", b"r3fresh-value", b"p4ssw0rd", b"s3cret-id-value", b"hvs.login-1"):
        assert secret not in raw


def test_without_a_writable_cache_every_call_fetches(ask):
    scene = Scene(access("one"), access("two"))
    assert [ask(scene, cache="/proc/none/cache").access_token for _ in range(2)] == ["one", "two"]
    assert len(scene.warnings) == 2  # one for each process
