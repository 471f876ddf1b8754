# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which parts work together for a single controller, and for controllers that share tokens."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CacheError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Failure, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.call import Call
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.obtain import obtain
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.slot import TokenSlot
from support.scripted import CONSENT_VENDOR, NOW, PASSWORD_FIELDS, FakeVault, Scene, access, answer, request_for, token

CONSENTED = {"client_id": "i", "client_secret": "s", "refresh_token": "refresh-0"}
NOTHING = Entry()
EARLIER = Failure("The vendor is busy.", "failed", NOW - 5)


@pytest.fixture
def attempt(tmp_path):
    def made(scene, *, single_use=False, kind="file", entry=NOTHING, locked=True):
        request = request_for(CONSENT_VENDOR if single_use else "tracktik", cache=str(tmp_path / "cache"), kind=kind)
        slot = TokenSlot(request, FileStore(request.cache.path, warn=pytest.fail), scene.ports)
        return obtain(Call.begin(request, scene.ports, key="k"), slot, entry, "no entry", locked=locked), slot.read()

    return made


def test_a_single_controller_fetches_and_leaves_writing_to_its_caller(attempt):
    scene = Scene(access("t0ken", refresh_token="r"))
    outcome, kept = attempt(scene, locked=False)
    assert (outcome.token.access_token, outcome.token.refresh_token) == ("t0ken", "r")
    assert scene.events[-1].reason == "no entry"
    assert kept == NOTHING, "what comes of it is the caller's to write"


def test_a_single_use_credential_is_not_sent_without_a_lock(attempt):
    scene = Scene(access("t0ken", refresh_token="refresh-1"), vault=FakeVault(CONSENTED))
    outcome, _kept = attempt(scene, single_use=True, locked=False)
    assert isinstance(outcome.error, CacheError) and outcome.error.fault == "cache:no_lock"
    assert outcome.error.message == (
        "acme: the credential at secret/fleet/x works only once, and no lock is available to stop another process from using it, so nothing was sent. "
        "Set cache_path to a directory that can be written and locked (NFS often has no locks), or set cache=vault."
    )
    assert (scene.sent, scene.vault.clients) == ([], 0)
    assert attempt(scene, single_use=True)[0].token.access_token == "t0ken"


def test_a_rotated_refresh_token_is_kept_before_it_is_stored_in_vault(attempt):
    scene = Scene(access("t0ken", refresh_token="refresh-1"), vault=FakeVault(CONSENTED))
    entry = Entry(token("previous"), (EARLIER,))
    _outcome, kept = attempt(scene, single_use=True, entry=entry)
    assert (kept.token.refresh_token, kept.failures) == ("refresh-1", entry.failures)
    assert scene.vault.data["refresh_token"] == "refresh-1"


def test_only_the_shared_entry_keeps_the_refresh_token(attempt):
    scene = Scene(access("t0ken", refresh_token="refresh-1"), vault=FakeVault(CONSENTED))
    entry = Entry(token("previous"), (EARLIER,))
    outcome, kept = attempt(scene, single_use=True, kind="vault", entry=entry, locked=False)
    assert (outcome.token.access_token, outcome.token.refresh_token) == ("t0ken", None)
    assert (kept.token.access_token, kept.token.refresh_token, kept.failures) == ("t0ken", None, entry.failures)
    ((shared, _version),) = scene.vault.entries.values()
    assert "refresh-1" in str(shared)


def _grants(scene):
    return [parse_qs(sent.body.decode())["grant_type"] for sent in scene.sent]


def test_a_refresh_token_is_removed_before_it_is_sent(attempt):
    scene = Scene(access("t0ken"))
    entry = Entry(token("previous", refresh_token="r", secret_version="1"))
    outcome, kept = attempt(scene, entry=entry)
    assert (outcome.token.access_token, _grants(scene)) == ("t0ken", [["refresh_token"]])
    assert (kept.token.access_token, kept.token.refresh_token) == ("previous", None)


def test_the_shared_refresh_token_is_signed_and_used_once(attempt):
    scene = Scene(access("first", refresh_token="r-1", lifetime=600), access("second", refresh_token="r-2"))
    attempt(scene, kind="vault")
    ((shared, _version),) = scene.vault.entries.values()
    assert re.search(r"'refresh_token': 'r-1', .*'refresh_token_mac': '\w+'", str(shared)), shared
    scene.now += 1000
    outcome, kept = attempt(scene, kind="vault")
    assert (outcome.token.access_token, _grants(scene)) == ("second", [["password"], ["refresh_token"]])
    assert kept == NOTHING, "its own entry never had the refresh token"


def test_a_secret_without_a_version_gets_one_from_its_content(attempt):
    versions = set()
    for password in ("p4ssw0rd", "p4ssw0rd", "another"):
        scene = Scene(access("t0ken"), vault=FakeVault({**PASSWORD_FIELDS, "password": password}, version=None))
        versions.add(attempt(scene)[0].token.secret_version)
    assert len(versions) == 2 and all(version.startswith("v1:") for version in versions)


def test_a_controller_that_may_not_share_fetches_alone(attempt):
    scene = Scene(access("t0ken", refresh_token="r"))
    scene.vault.kv_fault = VaultError("Vault: permission denied.", "denied")
    outcome, _kept = attempt(scene, kind="vault")
    assert (outcome.token.access_token, outcome.token.refresh_token) == ("t0ken", "r")
    assert "Until this is fixed, tokens are not shared with other controllers." in scene.warnings[0]


def test_an_issuer_is_asked_once_for_several_tokens(tmp_path):
    issuer = "https://login.example.com"
    metadata = {"issuer": issuer, "token_endpoint": f"{issuer}/t"}
    request = request_for(Vendor("acme", issuer=issuer, client_auth="basic"), cache=str(tmp_path / "cache"))
    scene = Scene(answer(200, metadata), access("first"), access("second"))
    slot = TokenSlot(request, FileStore(request.cache.path, warn=pytest.fail), scene.ports)
    for name in ("first", "second"):
        outcome = obtain(Call.begin(request, scene.ports, key="k"), slot, NOTHING, "no entry", locked=True)
        assert outcome.token.access_token == name
    assert [sent.url.removeprefix(issuer) for sent in scene.sent] == ["/.well-known/oauth-authorization-server", "/t", "/t"]


@pytest.mark.parametrize(("slow", "written"), [(False, 2), (True, 3)])
def test_a_lease_is_extended_for_the_pause_before_a_retry(attempt, slow, written):
    scene = Scene(answer(429, retry_after="20"), access("t0ken")) if slow else Scene(access("t0ken"))
    assert attempt(scene, kind="vault")[0].token.access_token == "t0ken"
    ((_shared, version),) = scene.vault.entries.values()
    assert version == written, "taken, extended for the pause, and released"
