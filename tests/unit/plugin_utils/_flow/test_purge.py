# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is removed from the cache."""

from __future__ import annotations

import types

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import LockTimeout, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import Keys
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.purge import expired, is_cached, purge, remove_shared, revoke_logins
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver, open_store
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.slot import TokenSlot
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusals import LastingRefusal
from support.scripted import NOW, FakeClient, Scene, access, approle, error, request_for, token


def test_a_tilde_in_cache_path_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    request = request_for("tracktik", cache="~/tokens")
    open_store(request.cache, warn=print).user_key()
    assert (tmp_path / "tokens").is_dir()


def purged(scene, request, **options):
    store = open_store(request.cache, warn=pytest.fail)
    return purge(store, **{"vendor": "tracktik", "where": None, "request": request, "ports": scene.ports, "dry_run": False, **options})


def test_the_shared_entry_is_removed_even_from_an_empty_cache(tmp_path):
    scene = Scene(access("one"))
    Resolver(scene.ports).token(request_for("tracktik", cache=str(tmp_path / "a"), kind="vault"))
    request = request_for("tracktik", cache=str(tmp_path / "b"), kind="vault")
    assert purged(scene, request) == [{"kind": "shared", "vendor": "tracktik", "path": "secret/fleet/x"}]
    assert scene.vault.entries == {}
    assert purged(scene, request) == []


def test_a_shared_entry_too_large_to_read_is_removed(tmp_path, monkeypatch):
    def too_large(self, mount, path):
        raise LastingRefusal("Vault sent more than 4 MiB.")

    scene = Scene(access("one"))
    request = request_for("tracktik", cache=str(tmp_path / "a"), kind="vault")
    Resolver(scene.ports).token(request)
    monkeypatch.setattr(FakeClient, "kv2_read", too_large)
    assert purged(scene, request)[-1]["kind"] == "shared"
    assert scene.vault.entries == {}


def test_entries_to_keep_are_kept(tmp_path):
    scene = Scene(access("one"))
    request = request_for("tracktik", cache=str(tmp_path / "a"), kind="vault")
    resolver = Resolver(scene.ports)
    resolver.token(request)
    (name,) = (name for name, header in resolver.store(request.cache).headers() if header["kind"] == "token")
    assert purged(scene, request, keep={name}) == []
    assert len(scene.vault.entries) == 1
    assert resolver.known(request).token


def test_revoking_logins_removes_their_failures(tmp_path):
    scene = Scene(access("one"))
    scene.vault.login_fault = VaultError("refused", "login_refused")
    request = request_for("tracktik", cache=str(tmp_path / "a"), vault=approle())
    with pytest.raises(VaultError):
        Resolver(scene.ports).token(request)
    scene.vault.login_fault = None
    purged(scene, request)
    assert revoke_logins(request, open_store(request.cache, warn=pytest.fail), scene.ports, dry_run=False) == []
    assert Resolver(scene.ports).token(request).access_token == "one"


def test_a_remembered_failure_is_listed_as_a_failure(tmp_path):
    scene = Scene(error("invalid_client", 401))
    request = request_for("tracktik", cache=str(tmp_path / "a"))
    with pytest.raises(VendorError):
        Resolver(scene.ports).token(request)
    failed = {"kind": "failure", "vendor": "tracktik", "path": "secret/fleet/x"}
    assert purged(scene, request, dry_run=True) == [failed]
    assert purged(scene, request) == [failed]
    assert purged(scene, request) == []


KEY = b"k" * 43 + b"="
TRACKTIK = {"vendor": "tracktik", "path": "secret/fleet/x"}


@pytest.fixture
def store(tmp_path):
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    store.user_key()
    return store


def put(store, digit, **header):
    store.write(Keys(digit * 32, KEY), header, {})


def there(store):
    return "".join(name[0] for name, _header in store.headers())


def test_whether_a_token_is_cached(store):
    scene, request = Scene(), request_for(min_ttl=60, cache=store.path)
    assert not is_cached(FileStore(store.path + "/none", warn=pytest.fail), request, now=scene.now)
    slot = TokenSlot(request, store, scene.ports)
    assert not is_cached(store, request, now=scene.now)
    slot.write(Entry(renewals=()))
    assert not is_cached(store, request, now=scene.now)
    slot.write(Entry(token(lifetime=60)))
    assert is_cached(store, request, now=scene.now)
    scene.now += 1
    assert not is_cached(store, request, now=scene.now)
    assert is_cached(store, request_for(min_ttl=59), now=scene.now)


@pytest.mark.parametrize(
    ("vendor", "where", "gone"),
    [
        (None, None, "12349"),
        ("tracktik", None, "124"),
        (None, "secret/fleet/x", "134"),
        ("tracktik", "secret/fleet/x", "14"),
        ("acme", None, ""),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_purge_removes_entries_by_vendor_and_path(store, vendor, where, gone, dry_run):
    put(store, "1", kind="token", **TRACKTIK)
    put(store, "2", kind="failure", vendor="tracktik", path="secret/y")
    put(store, "3", kind="token", vendor="trackunit", path="secret/fleet/x")
    put(store, "4", kind="lock", **TRACKTIK)
    put(store, "5", kind="login", **TRACKTIK)
    put(store, "6", kind="metadata", **TRACKTIK)
    put(store, "9")
    described = {
        "1": {"kind": "token", **TRACKTIK},
        "2": {"kind": "failure", "vendor": "tracktik", "path": "secret/y"},
        "3": {"kind": "token", "vendor": "trackunit", "path": "secret/fleet/x"},
        "9": {"kind": "damaged", "vendor": None, "path": None},
    }
    scene = Scene()
    removed = purge(store, vendor=vendor, where=where, request=None, ports=scene.ports, dry_run=dry_run)
    assert removed == [described[digit] for digit in gone if digit != "4"]
    assert there(store) == "".join(digit for digit in "1234569" if dry_run or digit not in gone)
    facts = {**{digit: (str(one["vendor"]), str(one["path"])) for digit, one in described.items()}, "4": ("tracktik", "secret/fleet/x")}
    assert scene.events == ([] if dry_run else [Event("purged", *facts[digit]) for digit in gone])


def test_purge_removes_pointers_with_their_entries(store):
    put(store, "1", kind="token", **TRACKTIK)
    put(store, "2", kind="token", vendor="trackunit", path="secret/fleet/x")
    for digit in "123":  # the entry of the third is already gone
        store.write(Keys(digit * 32 + ".hit", KEY), {"entry": digit * 32}, {})
    for dry_run, left in ((True, "123"), (False, "2")):
        purge(store, vendor="tracktik", where=None, request=None, ports=Scene().ports, dry_run=dry_run)
        assert "".join(digit for digit in "123" if store.read(Keys(digit * 32 + ".hit", KEY)) is not None) == left


def test_purge_waits_for_an_entry_in_use(store, monkeypatch):
    scene = Scene()
    put(store, "1", kind="token", **TRACKTIK)
    with FileStore(store.path, warn=pytest.fail).try_lock("1" * 32), pytest.raises(LockTimeout, match="for 30 s"):
        purge(store, vendor="tracktik", where=None, request=None, ports=scene.ports, dry_run=False)
    assert there(store) == "1"


@pytest.mark.parametrize(("kind", "dry_run", "removed"), [("vault", False, True), ("vault", True, False), ("file", False, False)])
def test_the_shared_entry_is_removed_only_by_a_real_purge_with_cache_vault(tmp_path, kind, dry_run, removed):
    scene = Scene(access("one"))
    Resolver(scene.ports).token(request_for("tracktik", cache=str(tmp_path / "a"), kind="vault"))
    found = purged(scene, request_for("tracktik", cache=str(tmp_path / "b"), kind=kind), dry_run=dry_run)
    assert (scene.vault.entries == {}, bool(found)) == (removed, removed)


def test_only_the_shared_entry_of_the_request_is_removed(tmp_path):
    scene = Scene(access("one"), access("two"))
    requests = [request_for("tracktik", path, cache=str(tmp_path / "a"), kind="vault") for path in ("fleet/y", "fleet/z")]
    for request in requests:
        Resolver(scene.ports).token(request)
    assert len(scene.vault.entries) == 2
    store = open_store(requests[0].cache, warn=pytest.fail)
    assert remove_shared(requests[0], store, scene.ports)
    ((left, _entry),) = scene.vault.entries.items()
    assert "fleet/z" in left
    assert not remove_shared(requests[0], store, scene.ports)


@pytest.mark.parametrize("dry_run", [False, True])
def test_expired_entries_are_removed(store, dry_run):
    put(store, "1", kind="token", expires_at=NOW, **TRACKTIK)
    put(store, "2", kind="token", expires_at=NOW + 1, **TRACKTIK)
    put(store, "3", kind="login", expires_at=NOW - 0.5)
    put(store, "4")
    put(store, "5", kind="token", expires_at="later", **TRACKTIK)
    store.write(Keys("f" * 32 + ".hit", KEY), {"entry": "1" * 32}, {})
    pointer = Keys("f" * 32 + ".hit", KEY)
    assert expired(store, Scene().ports, dry_run=dry_run) == [
        {"kind": "token", **TRACKTIK},
        {"kind": "login", "vendor": None, "path": None},
        {"kind": "damaged", "vendor": None, "path": None},
        {"kind": "token", **TRACKTIK},
    ]
    assert there(store) == ("12345" if dry_run else "2")
    assert (store.read(pointer) is not None) is dry_run


class RevokingClient(FakeClient):
    """A client that can revoke its own login."""

    fault: VaultError | None = None
    revoked: list[str]

    def revoke_self(self):
        self.revoked.append(self.token)
        if self.fault:
            raise self.fault


@pytest.fixture
def kept(tmp_path):
    """A cached login: its request, the cache, the scene, and the Vault clients that were made."""
    scene = Scene(access("one"))
    request = request_for("tracktik", cache=str(tmp_path / "a"), vault=approle())
    Resolver(scene.ports).token(request)
    scene.events.clear()
    vault, made = scene.vault, []

    def client(options, warn):
        made.append((options, warn))
        return RevokingClient(vault, options)

    RevokingClient.fault, RevokingClient.revoked = None, []
    scene.ports = types.SimpleNamespace(**{**vars(scene.ports), "vault": client})
    return request, open_store(request.cache, warn=pytest.fail), scene, made


def logins(store):
    return [name for name, header in store.headers() if header["kind"] == "login"]


@pytest.mark.parametrize("fault", [None, VaultError("It has ended.", "denied")])
def test_a_cached_login_is_revoked(kept, fault):
    request, store, scene, made = kept
    RevokingClient.fault = fault
    assert revoke_logins(request, store, scene.ports, dry_run=True) == ["Vault login"]
    assert (RevokingClient.revoked, len(logins(store)), scene.events) == ([], 1, [])
    assert revoke_logins(request, store, scene.ports, dry_run=False) == ["Vault login"]
    assert (RevokingClient.revoked, logins(store)) == (["hvs.login-1"], [])
    assert made == [(request.vault, scene.ports.warn)]
    assert scene.events == [Event("revoked", "tracktik", "secret/fleet/x", reason="Vault login")]
    assert scene.warnings == []
    assert revoke_logins(request, store, scene.ports, dry_run=False) == []


def test_a_login_that_cannot_be_revoked_is_kept(kept):
    request, store, scene, _made = kept
    RevokingClient.fault = VaultError("Vault is sealed.", "sealed", fault="vault:sealed")
    assert revoke_logins(request, store, scene.ports, dry_run=False) == []
    assert (len(logins(store)), scene.events) == (1, [])
    assert scene.warnings == ["The Vault login in the cache could not be revoked; do it again when Vault answers. Vault is sealed. [TRK-V03]"]


def test_without_a_cache_there_is_no_login_to_revoke(tmp_path):
    request = request_for("tracktik", cache=str(tmp_path / "a"), vault=approle())
    assert revoke_logins(request, open_store(request.cache, warn=pytest.fail), Scene().ports, dry_run=False) == []
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_dry_run_keeps_the_failures_of_a_login(tmp_path, dry_run):
    scene = Scene()
    scene.vault.login_fault = VaultError("refused", "login_refused")
    request = request_for("tracktik", cache=str(tmp_path / "a"), vault=approle())
    with pytest.raises(VaultError):
        Resolver(scene.ports).token(request)
    store = open_store(request.cache, warn=pytest.fail)
    assert revoke_logins(request, store, scene.ports, dry_run=dry_run) == []
    assert len(logins(store)) == dry_run
