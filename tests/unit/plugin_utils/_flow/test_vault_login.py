# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins to Vault: cached, reused, renewed, replaced, and not repeated without a chance of success."""

from __future__ import annotations

import dataclasses
import threading

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Login
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.directory import SCHEMA
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow import vault_login
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import open_store
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.vault_login import VaultLogin, login_keys
from support.scripted import NOW, VAULT_TOKEN, FakeClient, Scene, approle, request_for, vault_options

REFUSED = VaultError("Vault: the login was refused.", "login_refused")


@pytest.fixture
def read(tmp_path):
    """Read the secret, each time as a new process would."""

    def reading(scene, *, ports=None, vault=None, path="fleet/x"):
        store = FileStore(str(tmp_path / "cache"), warn=scene.warnings.append)
        return VaultLogin(request_for(path=path, vault=vault or approle()), store, ports or scene.ports).secret()

    return reading


def failing(read, *arguments, **options):
    with pytest.raises(VaultError) as caught:
        read(*arguments, **options)
    return caught.value.kind


def test_several_secrets_are_read_with_one_login(read):
    scene = Scene()
    for path in ("fleet/x", "fleet/y", "fleet/x"):
        read(scene, path=path)
    assert (scene.vault.logins, scene.vault.reads) == (1, 3)
    assert scene.names() == ["vault_login", "vault_secret_read", "vault_login_reused", "vault_secret_read", "vault_login_reused", "vault_secret_read"]


def test_each_step_is_reported_with_its_duration(read):
    scene = Scene()
    scene.vault.at_login = lambda options: setattr(scene, "now", scene.now + 2)
    read(scene)
    read(scene)
    assert scene.events == [
        Event("vault_login", "trackunit", "secret/fleet/x", reason="approle", seconds=2),
        Event("vault_secret_read", "trackunit", "secret/fleet/x", reason="approle", seconds=2),
        Event("vault_login_reused", "trackunit", "secret/fleet/x", reason="approle", seconds=0),
        Event("vault_secret_read", "trackunit", "secret/fleet/x", reason="approle", seconds=0),
    ]


def test_another_identity_logs_in_itself(read):
    scene = Scene()
    read(scene)
    for other in (
        approle(secret_id="other"),
        approle(namespace="team"),
        approle(url="https://other.example"),
        vault_options(token=None, auth_method="userpass", username="u", password="p"),
    ):
        read(scene, vault=other)
    assert scene.vault.logins == 5


def test_the_users_own_token_is_never_kept(read, tmp_path):
    scene = Scene()
    for _ in range(2):
        read(scene, vault=vault_options())
    assert (scene.vault.logins, scene.vault.clients) == (0, 2)
    store = FileStore(str(tmp_path / "cache"), warn=print)
    assert store.read(login_keys(request_for(), store.user_key())) is None
    scene.vault.dead.add(VAULT_TOKEN)
    assert failing(read, scene, vault=vault_options()) == "denied"
    assert scene.vault.lookups == 0


def test_warnings_of_the_client_are_passed_on(read):
    scene = Scene()
    ports = dataclasses.replace(scene.ports, vault=lambda options, warn: (warn("told"), scene.vault(options, warn))[1])
    read(scene, ports=ports)
    assert scene.warnings == ["told"]


@pytest.mark.parametrize("kind", ["login_refused", "sealed"])
def test_a_remembered_failure_keeps_its_fault(read, kind):
    scene = Scene()
    scene.vault.login_fault = VaultError("Vault: no.", kind, fault="option:library")
    faults = []
    for _host in range(2):
        with pytest.raises(VaultError) as caught:
            read(scene)
        faults.append(caught.value.fault)
    assert (scene.vault.logins, faults) == (1, ["option:library"] * 2)


def test_the_requested_secret_and_version_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(FakeClient, "read_secret", lambda client, *given, **more: (given, more))
    request = request_for(path="fleet/z", vault=approle(), secret={"engine_version": "auto", "version": 7})
    session = VaultLogin(request, FileStore(str(tmp_path), warn=pytest.fail), Scene().ports)
    assert session.secret() == (("secret", "fleet/z"), {"engine_version": "auto", "version": 7})


def test_data_is_signed_with_the_token_of_the_login(tmp_path, monkeypatch):
    monkeypatch.setattr(FakeClient, "transit_sign", lambda client, *given: repr((client.token, *given)).encode(), raising=False)
    scene = Scene()
    session = VaultLogin(request_for(vault=approle()), FileStore(str(tmp_path), warn=pytest.fail), scene.ports)
    assert session.transit_sign("transit", "key", b"data", "RS256") == repr(("hvs.login-1", "transit", "key", b"data", "RS256")).encode()


def test_nothing_is_sent_before_it_is_needed(tmp_path):
    scene = Scene()
    VaultLogin(request_for(vault=approle()), FileStore(str(tmp_path), warn=print), scene.ports)
    assert scene.vault.clients == 0


def test_a_login_is_used_until_shortly_before_its_lease_ends(read):
    scene = Scene()
    read(scene)
    scene.now += 3600 - 11
    read(scene)
    assert scene.vault.logins == 1
    scene.now += 2
    read(scene)
    assert scene.vault.logins == 2


def test_a_login_without_a_lease_is_replaced_after_a_day(read):
    scene = Scene()
    scene.vault.lease = 0
    read(scene)
    scene.now += 86000
    read(scene)
    assert scene.vault.logins == 1
    scene.now += 400
    read(scene)
    assert scene.vault.logins == 2


def test_a_login_is_renewed_in_the_last_third_of_its_lease(read):
    scene = Scene()
    scene.vault.renewable = True
    read(scene)
    scene.now += 2399
    read(scene)
    assert scene.vault.renewals == 0
    scene.now += 2
    read(scene)
    scene.now += 3000
    read(scene)
    assert (scene.vault.renewals, scene.vault.logins) == (2, 1)


@pytest.mark.parametrize(("lease", "after", "logins"), [(20, 17.5, 1), (20, 18, 2), (3600, 3589.5, 1), (3600, 3590, 2)])
def test_the_unused_end_of_a_lease_is_a_tenth_but_at_most_ten_seconds(read, lease, after, logins):
    scene = Scene()
    scene.vault.lease = lease
    read(scene)
    scene.now += after
    read(scene)
    assert scene.vault.logins == logins


@pytest.mark.parametrize(("after", "renewals"), [(2400, 0), (2400.5, 1)])
def test_a_login_is_renewed_only_when_less_than_a_third_of_its_lease_is_left(read, after, renewals):
    scene = Scene()
    scene.vault.renewable = True
    read(scene)
    scene.now += after
    read(scene)
    assert scene.vault.renewals == renewals


def test_only_the_holder_of_the_lock_renews(read, tmp_path):
    scene = Scene()
    scene.vault.renewable = True
    read(scene)
    scene.now += 3000
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    with store.try_lock(login_keys(request_for(vault=approle()), store.user_key()).name) as mine:
        assert mine
        read(scene)
    assert (scene.vault.renewals, scene.vault.logins) == (0, 1)


def test_a_renewal_without_a_token_keeps_the_token_in_use(read, monkeypatch):
    scene = Scene()
    scene.vault.renewable = True
    monkeypatch.setattr(FakeClient, "renew_self", lambda client: Login("", 3600, True))
    read(scene)
    scene.now += 3000
    read(scene)
    scene.now += 3000
    read(scene)
    assert (scene.vault.logins, scene.vault.reads) == (1, 3)


@pytest.mark.parametrize(("back", "logins"), [(60, 1), (60.5, 2)])
def test_a_clock_that_is_a_minute_behind_is_no_reason_to_log_in(read, back, logins):
    scene = Scene()
    read(scene)
    scene.now -= back
    read(scene)
    assert scene.vault.logins == logins


def test_a_clock_that_jumped_back_means_a_new_login(read):
    scene = Scene()
    read(scene)
    scene.now -= 1000
    read(scene)
    assert scene.vault.logins == 2


def test_a_login_that_ends_while_its_caller_waits_is_replaced(tmp_path):
    scene = Scene()
    scene.vault.lease = 60
    session = VaultLogin(request_for(vault=approle()), FileStore(str(tmp_path / "cache"), warn=pytest.fail), scene.ports)
    session.secret()
    scene.now += 65  # a wait for another controller, for example
    scene.vault.dead.add("hvs.login-1")
    session.secret()
    assert scene.vault.logins == 2


def test_a_login_made_by_the_same_session_is_not_replaced_before_its_lease_ends(tmp_path):
    scene = Scene()
    session = VaultLogin(request_for(vault=approle()), FileStore(str(tmp_path / "cache"), warn=pytest.fail), scene.ports)
    session.secret()
    scene.vault.dead.add("hvs.login-1")
    with pytest.raises(VaultError):
        session.secret()
    assert (scene.vault.logins, scene.vault.lookups) == (1, 0)


def test_a_dead_login_is_replaced_once(read):
    scene = Scene()
    read(scene)
    scene.vault.dead.add("hvs.login-1")
    read(scene)
    assert (scene.vault.logins, scene.vault.reads) == (2, 3)
    read(scene)
    assert scene.vault.logins == 2
    scene.vault.dead.update(("hvs.login-2", "hvs.login-3"))
    assert failing(read, scene) == "denied"
    assert scene.vault.logins == 3


def test_a_policy_that_denies_is_no_reason_to_log_in_again_and_again(read):
    scene = Scene()
    scene.vault.denies_secret = True
    for _ in range(3):
        assert failing(read, scene) == "denied"
    assert scene.vault.logins == 1
    scene.now += 30
    assert failing(read, scene) == "denied"
    assert scene.vault.logins == 1
    # By now, however, a role may have other policies.
    scene.now += 1
    assert failing(read, scene) == "denied"
    assert scene.vault.logins == 2


def test_a_single_use_secret_id_is_not_spent_twice(read):
    scene = Scene()
    read(scene)
    scene.vault.login_fault = REFUSED
    scene.now += 31
    scene.vault.denies_secret = True
    for _ in range(3):
        assert failing(read, scene, path="fleet/forbidden") == "denied"
    assert scene.vault.logins == 2  # tried once more, then never again in this run
    scene.vault.denies_secret = False
    read(scene)
    assert scene.vault.logins == 2


def test_a_session_keeps_its_cached_login_when_a_new_one_is_refused(tmp_path):
    scene = Scene()
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    VaultLogin(request_for(vault=approle()), store, scene.ports).secret()
    scene.now += 31
    scene.vault.login_fault, scene.vault.denies_secret = REFUSED, True
    session = VaultLogin(request_for(vault=approle()), store, scene.ports)
    with pytest.raises(VaultError):
        session.secret()
    scene.vault.denies_secret = False
    assert session.secret().version == 1


def test_a_refused_login_is_not_repeated_within_a_run(read):
    scene = Scene()
    scene.vault.login_fault = REFUSED
    for _ in range(3):
        assert failing(read, scene) == "login_refused"
    assert scene.vault.logins == 1
    assert failing(read, scene, ports=scene.as_run("run-2")) == "login_refused"
    assert scene.vault.logins == 1
    scene.vault.login_fault = None
    scene.now += 31
    assert failing(read, scene) == "login_refused", "in the run that saw it, it holds"
    read(scene, ports=scene.as_run("run-3"))
    read(scene)
    assert scene.vault.logins == 2


def test_other_runs_try_a_refused_login_once_each_failure_ttl(read):
    scene = Scene()
    scene.vault.login_fault = REFUSED
    messages = set()
    for number in range(90):  # a new run each second
        with pytest.raises(VaultError) as caught:
            read(scene, ports=scene.as_run(f"run-{number}"))
        messages.add(caught.value.message)
        scene.now += 1
    assert scene.vault.logins == 3
    assert messages == {"Vault: the login was refused. Changed credentials are tried at once; the same ones only by a later run, and not within the next 30 s."}
    scene.vault.login_fault = None
    assert read(scene, ports=scene.as_run("run-last"), vault=approle(secret_id="corrected")).version == 1
    assert scene.vault.logins == 4


@pytest.mark.parametrize(
    ("kind", "scratch", "advice"),
    [
        ("none", "run", " Changed credentials are tried at once; the same ones only by a later run."),
        ("none", "file/run", ""),
        ("none", "", ""),
        ("file", "run", " Changed credentials are tried at once; the same ones only by a later run."),
        ("vault", "run", " Changed credentials are tried at once; the same ones only by a later run."),
        ("file", "file/run", ""),
    ],
)
def test_without_a_usable_cache_a_refused_login_is_remembered_only_if_the_run_has_a_usable_folder(tmp_path, kind, scratch, advice):
    (tmp_path / "file").touch()
    request = request_for(vault=approle(), cache=str(tmp_path / "file" / "cache"), kind=kind)
    scene = Scene(scratch=scratch and str(tmp_path / scratch))
    scene.vault.login_fault = REFUSED
    messages = set()
    for _host in range(3):
        store = open_store(request.cache, warn=scene.warnings.append, scratch=scene.ports.scratch)
        with pytest.raises(VaultError) as caught:
            VaultLogin(request, store, scene.ports).secret()
        messages.add(caught.value.message)
    assert (scene.vault.logins, messages) == (1 if advice else 3, {f"Vault: the login was refused.{advice}"})


@pytest.mark.thorough
def test_a_wrong_password_causes_one_failed_login_for_each_run(read):
    scene = Scene()
    scene.vault.login_fault = REFUSED
    for _host in range(100):
        for run in ("run-1", "run-2"):
            assert failing(read, scene, ports=scene.as_run(run)) == "login_refused"
        scene.now += 600 / 100
    assert scene.vault.logins == 2, "run-2 made its attempt when that of run-1 was half a minute ago"


@pytest.mark.parametrize("kind", ["sealed", "unreachable", "tls"])
@pytest.mark.parametrize("vault", [approle(), vault_options()])
@pytest.mark.thorough
def test_an_outage_costs_each_run_one_attempt_whatever_token_is_requested(read, kind, vault):
    scene = Scene()
    read(scene, vault=vault)
    scene.vault.login_fault = scene.vault.fault = VaultError("Vault is away.", kind)
    asked = scene.vault.reads
    for number in range(150):
        assert failing(read, scene, vault=vault, path=f"fleet/{number}", ports=scene.as_run(f"run-{number % 3}")) == kind
        scene.now += 0.1
    assert scene.vault.reads - asked == 3
    # A repeated message does not extend the memory, which ends for all callers at once.
    scene.vault.login_fault = scene.vault.fault = None
    scene.now += 15.5
    read(scene, vault=vault)


def test_an_outage_at_login_costs_each_run_one_attempt(read):
    scene = Scene()
    scene.vault.login_fault = VaultError("Vault is sealed.", "sealed")
    for number in range(150):
        assert failing(read, scene, path=f"fleet/{number}", ports=scene.as_run(f"run-{number % 3}")) == "sealed"
    assert scene.vault.logins == 3


def test_a_run_remembers_its_own_outage_beside_that_of_another(read, monkeypatch):
    scene = Scene()
    scene.vault.fault = VaultError("Vault is away.", "unreachable")
    read_secret = FakeClient.read_secret

    def meanwhile(client, *arguments, **keywords):
        monkeypatch.setattr(FakeClient, "read_secret", read_secret)
        scene.now += 1
        failing(read, scene, vault=vault_options(), ports=scene.as_run("run-1"))
        scene.now += 1
        return read_secret(client, *arguments, **keywords)

    monkeypatch.setattr(FakeClient, "read_secret", meanwhile)
    failing(read, scene, vault=vault_options(), ports=scene.as_run("run-2"))
    assert scene.vault.reads == 2
    for run in ("run-1", "run-2"):
        failing(read, scene, vault=vault_options(), path="fleet/of-the-next-host", ports=scene.as_run(run))
    assert scene.vault.reads == 2


def test_an_outage_leaves_the_kept_login(read):
    scene = Scene()
    read(scene)
    scene.vault.fault = VaultError("Vault is sealed.", "sealed")
    failing(read, scene)
    scene.vault.fault = None
    read(scene, ports=scene.as_run("run-2"))
    assert scene.vault.logins == 1


def test_an_outage_leaves_the_login_that_was_made_just_before(read):
    scene = Scene()
    scene.vault.fault = VaultError("Vault is sealed.", "sealed")
    failing(read, scene)
    scene.vault.fault = None
    read(scene, ports=scene.as_run("run-2"))
    assert scene.vault.logins == 1


@pytest.mark.parametrize(
    ("fault", "message", "took"),
    [
        (REFUSED, "Vault: the login was refused. Changed credentials are tried at once; the same ones only by a later run, and not within the next 30 s.", [2]),
        (VaultError("Vault is sealed.", "sealed"), "Vault is sealed.", [2]),
        (VaultError("Vault failed with status 500.", "unavailable"), "Vault failed with status 500.", []),
    ],
)
def test_a_refused_login_and_an_outage_are_remembered_but_not_a_status_500(read, tmp_path, fault, message, took):
    scene = Scene()
    scene.vault.login_fault = fault
    scene.vault.at_login = lambda options: setattr(scene, "now", scene.now + 2)
    with pytest.raises(VaultError) as caught:
        read(scene)
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    kept = store.read(login_keys(request_for(vault=approle()), store.user_key())) or {"failures": []}
    assert (caught.value.message, [failure["took"] for failure in kept["failures"]]) == (message, took)


def test_the_duration_of_an_outage_includes_the_login_before_it(read, tmp_path):
    scene = Scene()
    scene.vault.at_login = lambda options: setattr(scene, "now", scene.now + 2)
    scene.vault.fault = VaultError("Vault is sealed.", "sealed")
    failing(read, scene)
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    kept = store.read(login_keys(request_for(vault=approle()), store.user_key()))
    assert [failure["took"] for failure in kept["failures"]] == [2]


def test_headers_of_entries_have_their_kind_and_expiry(read, tmp_path):
    scene = Scene()
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    read(scene)
    assert [header for _name, header in store.headers()] == [{"schema": SCHEMA, "kind": "login", "expires_at": NOW + 3600}]
    scene.vault.fault = VaultError("Vault is sealed.", "sealed")
    failing(read, scene, vault=vault_options())
    assert sorted(header["expires_at"] for _name, header in store.headers()) == [NOW + 30, NOW + 3600]


def test_a_status_500_for_a_secret_is_not_remembered(read):
    scene = Scene()
    for _ in range(2):
        scene.vault.fault = VaultError("Vault failed with status 500.", "unavailable")
        assert failing(read, scene) == "unavailable"
    assert scene.vault.reads == 2


def test_with_failure_ttl_0_a_refused_login_is_repeated(tmp_path):
    scene = Scene()
    scene.vault.login_fault = REFUSED
    for _ in range(2):
        with pytest.raises(VaultError) as caught:
            VaultLogin(request_for(vault=approle(), failure_ttl=0), FileStore(str(tmp_path / "c"), warn=pytest.fail), scene.ports).secret()
        assert caught.value.message == "Vault: the login was refused."
    assert scene.vault.logins == 2


def test_a_dead_login_is_not_used_again_after_a_refused_new_one(read):
    scene = Scene()
    read(scene)
    scene.vault.dead.add("hvs.login-1")
    scene.vault.login_fault = REFUSED
    for _ in range(2):
        assert failing(read, scene) == "login_refused"
    assert scene.vault.logins == 2
    assert (scene.vault.reads, scene.vault.lookups) == (2, 1), "the dead one is not kept"


def test_an_invalid_cached_login_is_replaced(read, tmp_path):
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    keys = login_keys(request_for(vault=approle()), store.user_key())
    for garbage in (
        {},
        {"login": None},
        {"login": []},
        {"login": {"client_token": "x"}},
        {"login": {"client_token": 5, "issued_at": 0, "expires_at": 9e9, "renewable": False}},
        {"login": {"client_token": "x", "issued_at": "a", "expires_at": "b", "renewable": False}},
        {"login": {"client_token": "x", "issued_at": NOW + 50, "expires_at": NOW + 20, "renewable": False}},
    ):
        store.write(keys, {}, garbage)
        scene = Scene()
        read(scene)
        assert scene.vault.logins == 1


def test_a_dead_login_that_another_caller_has_replaced_is_not_replaced_again(tmp_path):
    scene = Scene()
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    request = request_for(vault=approle())
    VaultLogin(request, store, scene.ports).secret()
    slow = VaultLogin(request, store, scene.ports)
    slow.call(lambda client: None)
    scene.vault.dead.add("hvs.login-1")
    VaultLogin(request, store, scene.ports).secret()
    slow.secret()
    assert scene.vault.logins == 2


# -- one login, however many ask at once ------------------------------------------------------------------------------


def test_a_caller_waits_for_a_running_login_and_uses_it(read):
    """The second caller arrives during the first one's login: it can only wait for the lock, or log in as well."""
    scene = Scene()
    went_on, waited, others = threading.Event(), [], []
    ports = dataclasses.replace(scene.ports, sleep=lambda seconds: (waited.append(seconds), went_on.set(), done.wait(0.01)))
    done = threading.Event()

    def second():
        read(scene, ports=ports)
        went_on.set()

    def login(_options):
        if not others:
            others.append(threading.Thread(target=second, daemon=True))
            others[0].start()
            assert went_on.wait(30)

    scene.vault.at_login = login
    read(scene)
    done.set()
    others[0].join(30)
    assert scene.vault.logins == 1
    assert waited
    assert scene.names().count("vault_login_reused") == 1


def test_the_cache_is_read_again_after_waiting_for_the_lock(read, monkeypatch):
    """Another caller logged in while this one waited for the lock."""
    scene, patient = Scene(), vault_login.entry_lock
    before = []

    def slow_lock(*arguments):
        if not before:
            before.append(1)
            read(scene)
        return patient(*arguments)

    monkeypatch.setattr(vault_login, "entry_lock", slow_lock)
    read(scene)
    assert (scene.vault.logins, scene.vault.reads) == (1, 2)
    assert scene.names().count("vault_login_reused") == 1
