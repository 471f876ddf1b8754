# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the credentials in Vault to a token: which grants are sent, how often, and what is reported about the refresh token."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import parse_qsl

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.jwt import claims
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Failure, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.call import Call
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.fetch import Fetch, fetch
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.issuer_metadata import IssuerMetadata
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.vault_login import VaultLogin
from support.scripted import NOW, FakeClient, FakeVault, Scene, access, answer, error, request_for, token

WITH_REFRESH = Entry(token("old", age=3000, refresh_token="r1", secret_version="1"))
SINGLE_USE = Vendor("acme", base_url="https://acme.example", token_url="/t", grant_type="refresh_token", client_auth="post")


class Work:
    """A fetch, and the entries that it saved meanwhile."""

    def __init__(self, folder, scene, vendor="tracktik", **options):
        request = request_for(vendor, **options)
        store = FileStore(str(folder / "cache"), warn=pytest.fail)
        self.saved = []
        call = Call.begin(request, scene.ports, key="k")
        session = VaultLogin(request, store, scene.ports)
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


def test_the_first_token_is_fetched_with_the_credentials(fetching):
    scene = Scene(access("new"))
    work = fetching(scene)
    outcome = work(Entry())
    assert (outcome.token.access_token, outcome.token.secret_version) == ("new", "1")
    assert (outcome.error, outcome.asked_version, outcome.spent, outcome.repeated) == (None, "1", False, None)
    assert work.saved == []
    assert [(event.name, event.reason) for event in scene.events] == [("vault_secret_read", "token"), ("fetched", "why")]
    assert scene.events[-1].fingerprint == token("new").fingerprint


def test_the_refresh_token_is_removed_from_the_entry_before_it_is_sent(fetching):
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
    assert scene.vault.version == 1  # it is not one of the credentials that Vault keeps


def test_a_refresh_token_that_cannot_be_removed_is_not_sent_if_another_grant_exists(fetching):
    """On a full disk it would stay in the cache. The next caller would use it again, which a rotating vendor takes for theft."""
    scene = Scene(access("new", refresh_token="r2"))
    work = fetching(scene)
    work.can_be_written = False
    outcome = work()
    assert (grants(scene), outcome.token.access_token, outcome.spent) == ([b"other"], "new", False)


def test_a_refresh_token_that_cannot_be_removed_is_sent_if_it_is_the_only_grant(fetching):
    scene = Scene(access("new"), vault=FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "r1"}))
    work = fetching(scene, SINGLE_USE)
    work.can_be_written = False
    assert (work().token.access_token, grants(scene)) == ("new", [b"refresh_token"])


def test_without_a_new_refresh_token_the_old_one_is_kept(fetching):
    assert fetching(Scene(access("new")))().token.refresh_token == "r1"
    assert fetching(Scene(access("new")))(Entry()).token.refresh_token is None


def test_a_refresh_token_of_another_secret_version_is_not_used(fetching):
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
def test_a_refresh_token_that_the_vendor_has_not_seen_is_put_back(fetching, reply):
    scene = Scene(reply)
    work = fetching(scene, http={"retries": 0})
    outcome = work()
    assert (outcome.spent, outcome.token, grants(scene)) == (False, None, [b"refresh_token"])
    assert [entry.token.refresh_token for entry in work.saved] == [None, "r1"]


def test_the_failure_of_the_last_grant_is_reported(fetching):
    scene = Scene(error("invalid_grant"), error("invalid_client", 401))
    outcome = fetching(scene)()
    assert (outcome.error.code, outcome.asked_version, outcome.spent) == ("invalid_client", "1", True)
    (first,) = [event for event in scene.events if event.name == "failed"]  # the caller reports the last one
    assert first.reason.startswith("refresh_token: tracktik: the vendor refused")
    assert first.error_code == "TRK-L02"


def test_an_error_of_vault_is_the_outcome(fetching):
    scene = Scene()
    scene.vault.fault = VaultError("Vault is sealed.", "sealed")
    outcome = fetching(scene)()
    assert (outcome.error, outcome.asked_version, outcome.spent) == (scene.vault.fault, "", False)


def test_a_remembered_refusal_is_repeated_without_a_request(fetching):
    refusal = Failure("no", "refused", NOW - 1, secret_version="1", run="run-1")
    scene = Scene()
    outcome = fetching(scene)(Entry(token("old"), (refusal,)))
    assert (outcome.repeated, outcome.checked_at, outcome.error.message, outcome.error.kind) == (refusal, NOW, "no", "refused")
    event = scene.events[-1]
    assert (event.name, event.fingerprint, event.error_code) == ("remembered", token("old").fingerprint, outcome.error.error_code)
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
    # The refresh token in the entry belongs to the old credentials.
    assert (grants(scene), outcome.spent, outcome.asked_version) == ([b"refresh_token", b"other", b"other"], True, "2")
    assert scene.events[-1].reason == "the secret has changed in Vault"


def test_credentials_of_kv_v1_that_changed_meanwhile_are_tried_once(fetching):
    scene = Scene(vault=FakeVault(version=None))
    scene.script = [changed_meanwhile(scene, error("invalid_client", 401)), access("new")]
    outcome = fetching(scene, secret={"engine_version": "1"})(Entry())
    assert outcome.token.secret_version == outcome.asked_version != ""


def test_the_secret_is_read_again_only_after_a_refusal(fetching):
    scene = Scene()
    scene.script = [changed_meanwhile(scene, answer(503))]
    assert fetching(scene, http={"retries": 0})(Entry()).asked_version == "1"
    assert scene.vault.reads == 1


def test_the_vendors_error_is_reported_if_reading_the_secret_again_fails(fetching):
    scene = Scene()

    def then_vault_goes(_request):
        scene.vault.fault = VaultError("Vault is sealed.", "sealed")
        return error("invalid_grant")

    scene.script = [then_vault_goes]
    assert isinstance(fetching(scene)(Entry()).error, VendorError)


def test_a_disabled_certificate_check_is_warned_about(fetching):
    scene = Scene(access("new"))
    fetching(scene, http={"validate_certs": False})(Entry())
    assert scene.warnings == ["tracktik: the vendor's certificate is not checked (http_validate_certs=false): anyone on the network can read the credentials."]


def test_a_missing_field_in_the_secret_is_the_outcome(fetching):
    scene = Scene(vault=FakeVault({"client_id": "the-id"}))
    outcome = fetching(scene)(Entry())
    assert (type(outcome.error), outcome.error.kind, outcome.asked_version) == (VaultError, "field", "1")


@pytest.mark.parametrize("grant_type", ["refresh_token", "authorization_code"])
def test_a_rotated_refresh_token_is_stored_in_vault(fetching, grant_type):
    vault = FakeVault({"client_id": "the-id", "client_secret": "s3cr3t", "refresh_token": "r1"})
    scene = Scene(access("new", refresh_token="r2"), vault=vault)
    work = fetching(scene, dataclasses.replace(SINGLE_USE, grant_type=grant_type))
    outcome = work(Entry())
    assert (vault.data["refresh_token"], outcome.token.secret_version) == ("r2", "2")
    # It was saved on this disk before that: a crash in between loses nothing.
    assert [(entry.token.refresh_token, entry.token.source) for entry in work.saved] == [("r2", "cache")]


def test_a_rotated_refresh_token_stays_in_the_cache_without_check_and_set(fetching):
    vault = FakeVault({"client_id": "the-id", "client_secret": "s3cr3t", "refresh_token": "r1"}, version=None)
    scene = Scene(access("new", refresh_token="r2"), vault=vault)
    outcome = fetching(scene, SINGLE_USE, secret={"engine_version": "1"})(Entry())
    assert (vault.data["refresh_token"], outcome.token.refresh_token, outcome.token.secret_version) == ("r1", "r2", outcome.asked_version)
    assert scene.warnings == ["acme: the vendor sent a new refresh token, which is kept only in the cache: KV v1 has no check-and-set."]


def test_the_digest_of_a_secret_without_versions_is_keyed(fetching):
    def version(key, **more):
        scene = Scene(access("new"), vault=FakeVault({**FakeVault().data, **more}, version=None))
        work = fetching(scene, secret={"engine_version": "1"})
        work.work = dataclasses.replace(work.work, digest_key=key)
        return work(Entry()).asked_version

    assert re.fullmatch(r"v1:[0-9a-f]{16}", version(b"a"))
    assert version(b"a") == version(b"a")
    assert len({version(b"a"), version(b"b"), version(b"a", more="x")}) == 3


@pytest.mark.parametrize("changes", [{"use_refresh_token": False}, {"request_body": {"token": "{{ refresh_token }}"}}])
def test_a_refresh_token_that_is_the_credential_is_used_each_time(fetching, changes):
    """If the one in the entry must not be used, the same one in the secret still is."""
    scene = Scene(access("new"), vault=FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "r1"}))
    assert fetching(scene, dataclasses.replace(SINGLE_USE, **changes))().token.access_token == "new"


def test_an_only_refresh_token_is_put_back_unless_it_was_refused(fetching):
    vault = FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "r1"})
    for reply, spent, saved in ((error("invalid_grant"), True, [None]), (answer(503), False, [None, "r1"])):
        work = fetching(Scene(reply, vault=vault), SINGLE_USE, http={"retries": 0})
        assert work().spent is spent
        assert [entry.token.refresh_token for entry in work.saved] == saved


@pytest.mark.parametrize(("reply", "sent"), [(error("invalid_grant"), [b"r1", b"r2"]), (answer(503), [b"r1"])])
def test_the_refresh_token_of_the_secret_is_tried_if_that_of_the_entry_is_refused(fetching, reply, sent):
    """If the vendor is unavailable, nothing is known about the first one, so a second one is not spent."""
    scene = Scene(reply, access("new"), vault=FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "r2"}))
    fetching(scene, SINGLE_USE, http={"retries": 0})()
    assert [request.body.partition(b"refresh_token=")[2][:2] for request in scene.sent] == sent


def mac(secret, refresh_token):
    return f"{refresh_token} by who knows {secret['client_id']}"


def test_a_shared_refresh_token_is_signed(fetching):
    def shared(reply, entry, **vendor):
        vault = FakeVault({**FakeVault().data, "refresh_token": "r0"})
        work = fetching(Scene(reply, vault=vault), **vendor)
        work.work = dataclasses.replace(work.work, mac=mac)
        return work(entry).token

    assert shared(access("new", refresh_token="r2"), Entry()).refresh_token_mac == "r2 by who knows the-id"
    assert shared(access("new"), Entry()).refresh_token_mac == ""
    # It is stored among the credentials, so a controller that reads them can compare.
    stored = shared(access("new", refresh_token="r2"), Entry(), vendor=SINGLE_USE)
    assert (stored.secret_version, stored.refresh_token_mac) == ("2", "")


@pytest.mark.parametrize(("theirs", "sent"), [("r1 by who knows the-id", b"refresh_token"), ("r1 by who knows nothing", b"other")])
def test_an_unsigned_shared_refresh_token_is_not_used(fetching, theirs, sent):
    scene = Scene(access("new"))
    work = fetching(scene)
    work.work = dataclasses.replace(work.work, mac=mac)
    outcome = work(Entry(dataclasses.replace(WITH_REFRESH.token, refresh_token_mac=theirs)))
    assert (grants(scene), outcome.token.access_token, len(work.saved)) == ([sent], "new", int(sent == b"refresh_token"))
    warning = (
        "tracktik: the refresh token in the shared entry was not written by a controller that knows secret/fleet/x, so it is not used. "
        "Check who can write to cache_vault_path."
    )
    assert scene.warnings == ([] if sent == b"refresh_token" else [warning])


def test_other_fields_of_the_secret_are_removed_from_the_answer(fetching):
    """Texts of at least six characters and numbers of at least six digits are hidden; a shorter one is an ordinary word."""
    more = {"note": "sixsix", "short": "five5", "number": 123456, "year": 2027, "flag": True, "none": None}
    said = {"a": "sixsix", "b": "five5", "c": 123456, "d": 2027, "e": True}
    scene = Scene(access("new", **said), vault=FakeVault({**FakeVault().data, **more}))
    assert fetching(scene)(Entry()).token.extra == {"b": "five5", "d": 2027, "e": True}


ISSUER = "https://login.example"
METADATA = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/t"}


@pytest.mark.parametrize(("secret", "body"), [({"client_id": "the-id"}, b"&client_id=the-id"), ({"client_id": "the-id", "client_secret": "s3cr3t"}, b"")])
def test_the_fields_of_the_secret_decide_how_the_client_authenticates(fetching, secret, body):
    metadata = {**METADATA, "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"]}
    scene = Scene(answer(200, metadata), access("new"), vault=FakeVault(secret))
    assert fetching(scene, Vendor("acme", issuer=ISSUER))(Entry()).token.access_token == "new"
    assert scene.sent[1].body == b"grant_type=client_credentials" + body


def test_each_request_has_the_full_deadline(fetching):
    scene, given = Scene(answer(200, METADATA), access("new")), []
    exchange = scene.ports.exchange

    def timed(request, options, seconds, name):
        given.append(seconds)
        return exchange(request, options, seconds, name)

    scene.ports = dataclasses.replace(scene.ports, exchange=timed)
    fetching(scene, Vendor("acme", issuer=ISSUER), http={"deadline": 40})(Entry())
    assert given == [40, 40]


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        (error("invalid_grant"), True),
        (answer(503), True),
        (error("invalid_client", 401), False),
        (answer(404), False),
        (answer(405), False),
        (answer(410), False),
        (VendorError("x", "unavailable", sent=False), False),
    ],
)
def test_metadata_that_may_be_outdated_is_forgotten(fetching, reply, kept):
    work = fetching(Scene(answer(200, METADATA), reply), Vendor("acme", issuer=ISSUER), http={"retries": 0})
    assert work(Entry()).token is None
    assert (work.work.metadata.read() is not None) is kept


def test_each_retry_has_its_own_proof(fetching):
    """A server accepts the identifier of a proof only once."""
    scene = Scene(answer(503), access("new"))
    vendor = Vendor("acme", base_url="https://acme.example", token_url="/t", client_auth="client_secret_jwt")
    assert fetching(scene, vendor)(Entry()).token.access_token == "new"
    first, second = (dict(parse_qsl(request.body.decode()))["client_assertion"] for request in scene.sent)
    assert claims(first)["jti"] != claims(second)["jti"]


def test_a_proof_can_be_signed_in_vault(fetching, monkeypatch):
    asked = []

    def signing(_client, mount, key, data, algorithm):
        asked.append((mount, key, algorithm))
        return b"signature of " + data[:2]

    monkeypatch.setattr(FakeClient, "transit_sign", signing, raising=False)
    scene = Scene(access("new"), vault=FakeVault({"client_id": "the-id"}))
    vendor = Vendor("acme", base_url="https://acme.example", token_url="/t", client_auth="private_key_jwt", transit_key="transit/acme")
    assert fetching(scene, vendor)(Entry()).token.access_token == "new"
    assert asked == [("transit", "acme", "RS256")]
    assert scene.sent[0].body.endswith(b".c2lnbmF0dXJlIG9mIGV5")


EARLIER, REFRESH = "at-0123456789abcdefghijkl", "rt-9f8e7d6c5b4a39281706"


def test_tokens_of_the_entry_are_removed_from_the_answer(fetching):
    """The vendor knows what is in the entry, and what was sent with the previous grant."""
    entry = Entry(token(EARLIER, age=3000, refresh_token=REFRESH, secret_version="1"))
    for known in (EARLIER, REFRESH):
        got = fetching(Scene(error("invalid_grant"), access("new", scope=f"read {known}", note=[known, "b"])))(entry).token
        assert (got.access_token, got.scope, got.extra) == ("new", None, {"note": ["b"]})
        refused = fetching(Scene(error("invalid_grant"), error("invalid_grant", 401, error_description=f"no: {known}.")))(entry).error
        assert refused.message.endswith("The vendor says: no: ***.")


def test_values_of_the_previous_secret_are_removed_from_the_answer(fetching):
    scene = Scene(vault=FakeVault({**FakeVault().data, "password": "0ld-Passw0rd-77"}))
    scene.script = [changed_meanwhile(scene, error("invalid_client", 401)), access("new", scope="read 0ld-Passw0rd-77")]
    got = fetching(scene)(Entry())
    assert (len(scene.sent), got.token.access_token, got.token.scope) == (2, "new", None)


def test_the_proof_of_the_previous_grant_is_removed_from_the_answer(fetching):
    def proof(request):
        return dict(parse_qsl(request.body.decode()))["client_assertion"]

    scene = Scene()
    scene.script = [error("invalid_grant"), lambda request: access("new", scope=f"read {proof(scene.sent[0])}")]
    vendor = Vendor("acme", base_url="https://acme.example", token_url="/t", client_auth="client_secret_jwt")
    got = fetching(scene, vendor)(Entry(token("old", refresh_token=REFRESH, secret_version="1"))).token
    assert (len({proof(request) for request in scene.sent}), got.access_token, got.scope) == (2, "new", None)
