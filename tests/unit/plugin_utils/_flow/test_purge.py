# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is removed from the cache."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.purge import purge, revoke_logins
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver, open_store
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusals import NotTaken
from support.scripted import FakeClient, Scene, access, approle, error, request_for


def test_the_home_directory_in_a_cache_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    request = request_for("tracktik", cache="~/tokens")
    open_store(request.cache, warn=print).user_key()
    assert (tmp_path / "tokens").is_dir()


def purged(scene, request, **options):
    store = open_store(request.cache, warn=pytest.fail)
    return purge(store, **{"vendor": "tracktik", "where": None, "request": request, "ports": scene.ports, "dry_run": False, **options})


def test_the_shared_entry_goes_from_an_empty_home_too(tmp_path):
    scene = Scene(access("one"))
    Resolver(scene.ports).token(request_for("tracktik", cache=str(tmp_path / "a"), kind="vault"))
    request = request_for("tracktik", cache=str(tmp_path / "b"), kind="vault")
    assert purged(scene, request) == [{"kind": "shared", "vendor": "tracktik", "path": "secret/fleet/x"}]
    assert scene.vault.entries == {}
    assert purged(scene, request) == []


def test_a_shared_entry_that_is_too_large_to_be_read_goes_too(tmp_path, monkeypatch):
    def too_large(self, mount, path):
        raise NotTaken("Vault sent more than 4 MiB.")

    scene = Scene(access("one"))
    request = request_for("tracktik", cache=str(tmp_path / "a"), kind="vault")
    Resolver(scene.ports).token(request)
    monkeypatch.setattr(FakeClient, "kv2_read", too_large)
    assert purged(scene, request)[-1]["kind"] == "shared"
    assert scene.vault.entries == {}


def test_what_has_to_stay_stays(tmp_path):
    scene = Scene(access("one"))
    request = request_for("tracktik", cache=str(tmp_path / "a"), kind="vault")
    resolver = Resolver(scene.ports)
    resolver.token(request)
    (name,) = (name for name, header in resolver.store(request.cache).headers() if header["kind"] == "token")
    assert purged(scene, request, keep={name}) == []
    assert len(scene.vault.entries) == 1
    assert resolver.known(request).token


def test_failures_of_a_login_go_with_it(tmp_path):
    scene = Scene(access("one"))
    scene.vault.login_fault = VaultError("refused", "login_refused")
    request = request_for("tracktik", cache=str(tmp_path / "a"), vault=approle())
    with pytest.raises(VaultError):
        Resolver(scene.ports).token(request)
    scene.vault.login_fault = None
    purged(scene, request)
    assert revoke_logins(request, open_store(request.cache, warn=pytest.fail), scene.ports, dry_run=False) == []
    assert Resolver(scene.ports).token(request).access_token == "one"


def test_what_is_remembered_of_a_failure_is_no_token(tmp_path):
    scene = Scene(error("invalid_client", 401))
    request = request_for("tracktik", cache=str(tmp_path / "a"))
    with pytest.raises(VendorError):
        Resolver(scene.ports).token(request)
    failed = {"kind": "failure", "vendor": "tracktik", "path": "secret/fleet/x"}
    assert purged(scene, request, dry_run=True) == [failed]
    assert purged(scene, request) == [failed]
    assert purged(scene, request) == []
