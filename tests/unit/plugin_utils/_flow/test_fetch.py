# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the credentials in Vault to a token: which grant is sent, how often, and what is said of the refresh token."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Failure, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.call import Call
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.fetch import Fetch, fetch
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.issuer_metadata import IssuerMetadata
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.vault_login import VaultSession
from support.scripted import NOW, FakeVault, Scene, access, answer, error, request_for, token

WITH_REFRESH = Entry(token("old", age=3000, refresh_token="r1", secret_version="1"))
SINGLE_USE = Vendor("acme", base_url="https://acme.example", token_url="/t", grant_type="refresh_token", client_auth="post")
AWAY = VendorError("trackunit: no answer.", "unavailable", sent=True)


class Work:
    """A fetch, and the entries that it saved on its way."""

    def __init__(self, folder, scene, vendor="tracktik", **options):
        request = request_for(vendor, **options)
        store = FileStore(str(folder / "cache"), warn=pytest.fail)
        self.saved = []
        call = Call.begin(request, scene.ports, key="k")
        session = VaultSession(request, store, scene.ports)
        metadata = IssuerMetadata(request, store, scene.ports.clock)
        self.can_be_written = True
        self.work = Fetch(call, "why", session, self._save, self._save, b"digest-key", scene.ports, metadata)

    def _save(self, entry):
        self.saved.append(entry)
        return self.can_be_written

    def __call__(self, entry=WITH_REFRESH):
        return fetch(self.work, entry)


@pytest.fixture
def fetching(tmp_path):
    return lambda scene, *arguments, **options: Work(tmp_path, scene, *arguments, **options)


def grants(scene):
    return [b"refresh_token" if b"grant_type=refresh_token" in request.body else b"other" for request in scene.sent]


def test_a_first_token(fetching):
    scene = Scene(access("new"))
    work = fetching(scene)
    outcome = work(Entry())
    assert (outcome.token.access_token, outcome.token.secret_version) == ("new", "1")
    assert (outcome.error, outcome.asked_version, outcome.spent, outcome.repeated) == (None, "1", False, None)
    assert work.saved == []
    assert [(event.name, event.reason) for event in scene.events] == [("vault_secret_read", "token"), ("fetched", "why")]


def test_the_refresh_token_leaves_the_entry_before_it_is_sent(fetching):
    saved = []

    def looking(_request):
        saved.append([entry.token.refresh_token for entry in work.saved])
        return access("new", refresh_token="r2")

    scene = Scene(looking)
    work = fetching(scene)
    outcome = work()
    assert saved == [[None]]
    assert (outcome.token.refresh_token, outcome.spent) == ("r2", True)
    assert scene.events[-1].name == "refreshed"


def test_a_refresh_token_that_cannot_be_taken_out_is_not_sent_where_there_is_another_way(fetching):
    """On a full disk the next caller would find it in the cache and use it again, which a rotating vendor takes for theft."""
    scene = Scene(access("new", refresh_token="r2"))
    work = fetching(scene)
    work.can_be_written = False
    outcome = work()
    assert (grants(scene), outcome.token.access_token, outcome.spent) == ([b"other"], "new", False)


def test_and_sent_where_there_is_none(fetching):
    scene = Scene(access("new"), vault=FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "r1"}))
    work = fetching(scene, SINGLE_USE)
    work.can_be_written = False
    assert (work().token.access_token, grants(scene)) == ("new", [b"refresh_token"])


def test_no_new_refresh_token_means_that_the_old_one_stays(fetching):
    assert fetching(Scene(access("new")))().token.refresh_token == "r1"
    assert fetching(Scene(access("new")))(Entry()).token.refresh_token is None


def test_one_of_another_version_of_the_secret_is_not_used(fetching):
    scene = Scene(access("new"))
    work = fetching(scene)
    work(Entry(dataclasses.replace(WITH_REFRESH.token, secret_version="0")))
    assert (grants(scene), work.saved) == ([b"other"], [])


@pytest.mark.parametrize("reply", [error("invalid_grant"), answer(503), answer(200, b"junk")])
def test_a_refresh_token_that_the_vendor_may_have_seen_is_spent(fetching, reply):
    scene = Scene(reply, access("new"))
    work = fetching(scene, http={"retries": 0})
    outcome = work()
    assert (grants(scene), outcome.spent, outcome.token.access_token) == ([b"refresh_token", b"other"], True, "new")
    assert [entry.token.refresh_token for entry in work.saved] == [None]


@pytest.mark.parametrize("reply", [dataclasses.replace(answer(429)), VendorError("x", "unavailable", sent=False)])
def test_one_that_it_has_not_seen_is_put_back(fetching, reply):
    scene = Scene(reply)
    work = fetching(scene, http={"retries": 0})
    outcome = work()
    assert (outcome.spent, outcome.token, grants(scene)) == (False, None, [b"refresh_token"])
    assert [entry.token.refresh_token for entry in work.saved] == [None, "r1"]


def test_the_last_grants_failure_is_told(fetching):
    scene = Scene(error("invalid_grant"), error("invalid_client", 401))
    outcome = fetching(scene)()
    assert (outcome.error.code, outcome.asked_version, outcome.spent) == ("invalid_client", "1", True)
    assert [event.name for event in scene.events].count("failed") == 1  # the first; the caller tells the last


def test_vault_has_the_last_word(fetching):
    scene = Scene()
    scene.vault.fault = VaultError("Vault is sealed.", "sealed")
    outcome = fetching(scene)()
    assert (outcome.error, outcome.asked_version, outcome.spent) == (scene.vault.fault, "", False)


def test_a_remembered_refusal_is_repeated_without_a_request(fetching):
    refusal = Failure("no", "refused", NOW - 1, secret_version="1", run="run-1")
    outcome = fetching(Scene())(Entry(None, (refusal,)))
    assert (outcome.repeated, outcome.checked_at, outcome.error.message, outcome.error.kind) == (refusal, NOW, "no", "refused")
    scene = Scene(access("new"))
    assert fetching(scene)(Entry(None, (dataclasses.replace(refusal, secret_version="0"),))).token.access_token == "new"


def changed_meanwhile(scene, reply):
    def answering(_request):
        scene.vault.change(password="corrected")
        return reply

    return answering


def test_credentials_that_changed_meanwhile_are_tried_once(fetching):
    scene = Scene()
    scene.script = [error("invalid_grant"), changed_meanwhile(scene, error("invalid_client", 401)), access("new")]
    outcome = fetching(scene)()
    # The entry's refresh token is of the old credentials.
    assert (grants(scene), outcome.spent, outcome.asked_version) == ([b"refresh_token", b"other", b"other"], True, "2")
    assert scene.events[-1].reason == "the secret has changed in Vault"


def test_only_after_a_refusal(fetching):
    scene = Scene()
    scene.script = [changed_meanwhile(scene, answer(503))]
    assert fetching(scene, http={"retries": 0})(Entry()).asked_version == "1"
    assert scene.vault.reads == 1


def test_the_vendors_error_is_the_one_to_be_fixed(fetching):
    scene = Scene()

    def then_vault_goes(_request):
        scene.vault.fault = VaultError("Vault is sealed.", "sealed")
        return error("invalid_grant")

    scene.script = [then_vault_goes]
    assert isinstance(fetching(scene)(Entry()).error, VendorError)


def test_no_check_of_the_certificate_is_told(fetching):
    scene = Scene(access("new"))
    fetching(scene, http={"validate_certs": False})(Entry())
    assert scene.warnings == ["tracktik: the vendor's certificate is not checked (http_validate_certs=false): anybody on the way can read the credentials."]


def test_what_is_missing_in_the_secret(fetching):
    scene = Scene(vault=FakeVault({"client_id": "the-id"}))
    outcome = fetching(scene)(Entry())
    assert (type(outcome.error), outcome.error.kind, outcome.asked_version) == (VaultError, "field", "1")


def test_a_refresh_token_that_is_the_credential_goes_back_into_vault(fetching):
    vault = FakeVault({"client_id": "the-id", "client_secret": "s3cr3t", "refresh_token": "r1"})
    scene = Scene(access("new", refresh_token="r2"), vault=vault)
    work = fetching(scene, SINGLE_USE)
    outcome = work(Entry())
    assert (vault.data["refresh_token"], outcome.token.secret_version) == ("r2", "2")
    # Before that on this disk: a crash in between loses nothing.
    assert [(entry.token.refresh_token, entry.token.source) for entry in work.saved] == [("r2", "cache")]


def test_the_digest_of_a_secret_without_versions_is_keyed(fetching):
    def version(key, **more):
        scene = Scene(access("new"), vault=FakeVault({**FakeVault().data, **more}, version=None))
        work = fetching(scene, secret={"engine_version": "1"})
        work.work = dataclasses.replace(work.work, digest_key=key)
        return work(Entry()).asked_version

    assert version(b"a") == version(b"a")
    assert len({version(b"a"), version(b"b"), version(b"a", more="x")}) == 3
