# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is revoked at the vendor, and how the client authenticates for that."""

from __future__ import annotations

import base64
import dataclasses
import json
from urllib.parse import parse_qs

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CacheError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.revocation import RevocationOutcome, revoke_tokens
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusals import LastingRefusal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.scripted import FakeClient, FakeVault, Scene, access, answer, error, request_for, token

ISSUER = "https://login.example"
METADATA = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token", "revocation_endpoint": f"{ISSUER}/revoke"}
CONSENT = {"client_id": "i", "client_secret": "s", "refresh_token": "r-vault", "redirect_uri": "http://127.0.0.1:8/"}


def request_of(path, vendor=None, *, kind="file", http=None, **changes):
    request = request_for(vendor or "tracktik", cache=str(path), kind=kind, http=http)
    return dataclasses.replace(request, vendor=dataclasses.replace(request.vendor, **changes))


def give_back(scene, request, **options):
    resolver = Resolver(scene.ports)
    return revoke_tokens(request, resolver.store(request.cache), scene.ports, **options)


def revoked(scene):
    """The tokens that the vendor was asked to revoke."""
    forms = [parse_qs((request.body or b"").decode()) for request in scene.sent]
    return [form["token"][0] for form in forms if "token" in form]


def cached(scene, request):
    Resolver(scene.ports).token(request)
    return scene


def test_refresh_and_access_token_are_revoked(tmp_path):
    request = request_of(tmp_path, revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1"), answer(200), answer(204)), request)
    assert give_back(scene, request, dry_run=True) == RevocationOutcome(("tracktik refresh_token", "tracktik access_token"))
    assert revoked(scene) == []
    assert give_back(scene, request) == RevocationOutcome(("tracktik refresh_token", "tracktik access_token"))
    assert revoked(scene) == ["r1", "one"]
    assert [parse_qs(request.body.decode())["token_type_hint"] for request in scene.sent[1:]] == [["refresh_token"], ["access_token"]]
    assert [event for event in scene.events if event.name == "revoked"] == [
        Event("revoked", "tracktik", "secret/fleet/x", reason=hint) for hint in ("refresh_token", "access_token")
    ]


@pytest.mark.parametrize(("changes", "metadata"), [({"revocation_url": f"{ISSUER}/revoke"}, []), ({"issuer": ISSUER}, [answer(200, METADATA)])])
def test_revocation_requests_use_the_http_options(tmp_path, changes, metadata):
    request = request_of(tmp_path, http={"deadline": 7}, **changes)
    scene, asked = cached(Scene(access("one"), *metadata, answer(200)), request), []
    exchange = scene.ports.exchange

    def watched(http_request, *arguments):
        asked.append(arguments)
        return exchange(http_request, *arguments)

    scene.ports = dataclasses.replace(scene.ports, exchange=watched)
    assert give_back(scene, request).revoked == ("tracktik access_token",)
    assert asked == [(request.http, 7, "tracktik")] * (1 + len(metadata))


def planted(scene, **changes):
    ((where, (data, version)),) = scene.vault.entries.items()
    scene.vault.entries[where] = ({**data, **changes}, version + 1)


@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_planted_token_in_the_shared_entry_does_not_prevent_revocation(tmp_path, status):
    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1")), request)
    planted(scene, access_token="evil", refresh_token="x" * 1000)
    scene.script[:] = [lambda sent: answer(status, {"error": "invalid_request"}) if b"=evil" in sent.body else answer(200)] * 9
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",), not_revoked=("tracktik access_token",))
    assert revoked(scene) == ["one", "evil"]
    assert "the shared entry for secret/fleet/x has, or had, a token that this controller does not know" in scene.warnings[-1]


def refusing(status, token):
    return lambda sent: answer(status, {"error": "invalid_request"}) if f"token={token}&".encode() in sent.body else answer(200)


@pytest.mark.parametrize(
    ("status", "failed"), [(400, False), (403, False), (404, False), (413, False), (408, True), (425, True), (429, True), (500, True), (300, True)]
)
@pytest.mark.parametrize("home", ["that took it over", "that is empty"])
@pytest.mark.thorough
def test_a_planted_token_in_the_cache_does_not_prevent_revocation(tmp_path, status, failed, home):
    """If the vendor refuses the planted token itself, its entry does not stay forever; a temporary failure is tried again. The others are sent in any case."""
    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1")), request)
    planted(scene, access_token="evil")
    theirs = dataclasses.replace(request, cache=dataclasses.replace(request.cache, path=str(tmp_path / "theirs")))
    if home == "that took it over":
        assert Resolver(scene.ports).token(theirs).access_token == "evil"
        planted(scene, access_token="two")
    scene.script[:] = [refusing(status, "evil")] * 9
    revoked_now = ("tracktik refresh_token", "tracktik access_token")[: 2 if home == "that took it over" else 1]
    assert give_back(scene, theirs) == RevocationOutcome(revoked_now, failed=failed, not_revoked=("tracktik access_token",))
    assert revoked(scene) == ["r1", "evil", *(["two"] if home == "that took it over" else [])]
    expected = "could not be revoked at the vendor, so it stays in the cache" if failed else "has, or had, a token that may not be the vendor's"
    assert [expected in warning for warning in scene.warnings] == [True]


@pytest.mark.parametrize(("status", "failed"), [(400, False), (422, False), *((status, True) for status in (401, 403, 404, 405, 410, 429, 503))])
def test_the_entry_is_kept_if_the_refusal_may_concern_the_client(tmp_path, status, failed):
    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one"), answer(status)), request)
    assert give_back(scene, request) == RevocationOutcome(failed=failed, not_revoked=("tracktik access_token",))


@pytest.mark.parametrize("kind", ["file", "vault"])
def test_a_consent_that_could_not_be_revoked_is_reported(tmp_path, kind):
    vendor = dataclasses.replace(built_in("trackmage").as_variant("authorization_code"), revocation_url=f"{ISSUER}/revoke")
    request = request_of(tmp_path, vendor, kind=kind)
    scene = cached(Scene(access("one"), answer(400), answer(200), vault=FakeVault(CONSENT)), request)
    assert give_back(scene, request, revoke_consent=True) == RevocationOutcome(failed=True, not_revoked=("trackmage refresh_token", "trackmage access_token"))
    assert revoked(scene) == ["r-vault"]


def test_the_refresh_token_of_the_shared_entry_is_revoked(tmp_path):
    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1"), answer(200), answer(200)), request)
    assert give_back(scene, request).revoked == ("tracktik refresh_token", "tracktik access_token")
    assert revoked(scene) == ["r1", "one"]


@pytest.mark.parametrize("kind", ["file", "vault"])
def test_revocation_stops_at_the_first_failure(tmp_path, kind):
    request = request_of(tmp_path, kind=kind, revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1"), answer(500), answer(200)), request)
    assert give_back(scene, request) == RevocationOutcome(failed=True, not_revoked=("tracktik refresh_token", "tracktik access_token"))
    assert revoked(scene) == ["r1"]


def test_no_credentials_go_to_a_revocation_endpoint_over_plain_http(tmp_path):
    request = request_of(tmp_path, revocation_url="http://login.example/revoke")
    scene = cached(Scene(access("one"), answer(200)), request)
    assert give_back(scene, request) == RevocationOutcome(failed=True, not_revoked=("tracktik access_token",))
    assert "login.example would get the credentials over plain http" in scene.warnings[0]
    allowed = dataclasses.replace(request, http=dataclasses.replace(request.http, allow_http=True))
    assert give_back(scene, allowed) == RevocationOutcome(("tracktik access_token",))


@pytest.mark.parametrize("token_url", ["/token", ""])
def test_the_revocation_endpoint_comes_from_the_issuer(tmp_path, token_url):
    request = request_of(tmp_path, issuer=ISSUER, token_url=token_url)
    discovery = [] if token_url else [answer(200, METADATA)]
    scene = cached(Scene(*discovery, access("one"), answer(200, METADATA), answer(200)), request)
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))
    assert scene.sent[-1].url == f"{ISSUER}/revoke"


def test_an_issuer_without_a_revocation_endpoint_revokes_nothing(tmp_path):
    request = request_of(tmp_path, issuer=ISSUER)
    scene = cached(Scene(access("one"), answer(200, {**METADATA, "revocation_endpoint": None})), request)
    assert give_back(scene, request) == RevocationOutcome()
    assert scene.warnings == []


def test_revocation_authenticates_with_private_key_jwt(tmp_path):
    pytest.importorskip("jwt")
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    vault = FakeVault({"client_id": "the-id", "private_key": pem.decode()})
    request = request_of(tmp_path, grant_type="client_credentials", client_auth="private_key_jwt", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one"), answer(200), vault=vault), request)
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))
    form = {name: values[0] for name, values in parse_qs(scene.sent[-1].body.decode()).items()}
    assert (form["token"], form["client_assertion_type"]) == ("one", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    claims = json.loads(base64.urlsafe_b64decode(form["client_assertion"].split(".")[1] + "=="))
    assert claims["sub"] == "the-id"


@pytest.mark.parametrize("status", [400, 401, 404, 503])
def test_a_failed_revocation_keeps_the_entry(tmp_path, status):
    request = request_of(tmp_path, revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1"), answer(200), answer(status)), request)
    assert give_back(scene, request) == RevocationOutcome(("tracktik refresh_token",), failed=True, not_revoked=("tracktik access_token",))
    assert scene.warnings == [
        "tracktik: the token for secret/fleet/x could not be revoked at the vendor, so it stays in the cache. Try again once that is fixed: "
        f"its revocation endpoint answered with HTTP {status}. [TRK-L13]"
    ]


def test_an_unsupported_token_type_is_warned_about_and_removed(tmp_path):
    request = request_of(tmp_path, revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1"), answer(200), error("unsupported_token_type")), request)
    assert give_back(scene, request) == RevocationOutcome(("tracktik refresh_token",), not_revoked=("tracktik access_token",))
    assert scene.warnings == [
        "tracktik: the vendor does not revoke the access token of secret/fleet/x (unsupported_token_type). It was removed from the cache, and stays "
        "valid until it expires. [TRK-L13]"
    ]


def test_each_unsupported_token_type_is_warned_about_once(tmp_path):
    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one"), *[error("unsupported_token_type")] * 2), request)
    planted(scene, access_token="two")
    assert give_back(scene, request) == RevocationOutcome(not_revoked=("tracktik access_token",))
    assert revoked(scene) == ["one", "two"]
    assert ["the vendor does not revoke the access token" in warning for warning in scene.warnings] == [True]


@pytest.mark.parametrize("kind", ["file", "vault"])
def test_tokens_revoked_before_an_error_of_vault_are_reported(tmp_path, kind):
    """Vault signs a proof for each token; if it cannot sign the second, the first is revoked all the same."""
    request = request_of(tmp_path, kind=kind, client_auth="private_key_jwt", transit_key="transit/k", revocation_url=f"{ISSUER}/revoke")
    scene = Scene(answer(200))
    vault, signed = scene.vault, []

    class Failing(Signing):
        def transit_sign(self, mount, key, data, algorithm):
            signed.append(key)
            if len(signed) > 1:
                raise VaultError("Vault is sealed.", "sealed")
            return super().transit_sign(mount, key, data, algorithm)

    scene.ports = dataclasses.replace(scene.ports, vault=lambda options, warn: Failing(vault, options))
    Resolver(scene.ports).keep(request, token("one", refresh_token="r1"))
    assert give_back(scene, request) == RevocationOutcome(("tracktik refresh_token",), failed=True, not_revoked=("tracktik access_token",))
    assert revoked(scene) == ["r1"]
    assert scene.warnings[-1].endswith("Try again once that is fixed: Vault is sealed. [TRK-V03]")


def test_a_cache_that_cannot_be_read_stops_the_revocation(tmp_path, monkeypatch):
    def unsafe(self, keys):
        raise CacheError("The cache is unsafe.")

    request = request_of(tmp_path, revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one")), request)
    monkeypatch.setattr(FileStore, "read", unsafe)
    for options in ({}, {"dry_run": True}):
        assert give_back(scene, request, **options) == RevocationOutcome(failed=True)
        assert scene.warnings.pop().endswith("once that is fixed: The cache is unsafe. [TRK-C01]")
    assert len(scene.sent) == 1


def test_an_unreadable_secret_stops_the_revocation(tmp_path):
    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1")), request)
    scene.vault.fault = VaultError("Vault is sealed.", "sealed")
    assert give_back(scene, request) == RevocationOutcome(failed=True, not_revoked=("tracktik refresh_token", "tracktik access_token"))
    assert revoked(scene) == []


def test_an_unavailable_issuer_stops_the_revocation(tmp_path):
    vendor = dataclasses.replace(built_in("trackmage").as_variant("authorization_code"), issuer=ISSUER)
    request = request_of(tmp_path, vendor)
    scene = cached(Scene(access("one"), *[answer(500)] * 9, vault=FakeVault(CONSENT)), request)
    outcome = give_back(scene, request, revoke_consent=True)
    assert outcome == RevocationOutcome(failed=True, not_revoked=("trackmage refresh_token", "trackmage access_token"))
    assert revoked(scene) == []


def test_an_invalid_token_counts_as_revoked(tmp_path):
    request = request_of(tmp_path, revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one"), error("invalid_token")), request)
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))
    assert scene.warnings == []


@pytest.mark.parametrize("reply", [error("invalid_request"), answer(400, b"<html>"), answer(401, {"error": "unsupported_token_type"})])
def test_other_refusals_keep_the_entry(tmp_path, reply):
    request = request_of(tmp_path, revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one"), reply), request)
    assert give_back(scene, request) == RevocationOutcome(failed=True, not_revoked=("tracktik access_token",))


def test_tokens_of_the_shared_entry_are_revoked_with_an_empty_cache(tmp_path):
    request = request_of(tmp_path / "a", kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1"), answer(200), answer(200)), request)
    empty = dataclasses.replace(request, cache=dataclasses.replace(request.cache, path=str(tmp_path / "b")))
    assert give_back(scene, empty) == RevocationOutcome(("tracktik refresh_token", "tracktik access_token"))
    assert revoked(scene) == ["r1", "one"]


def test_a_purge_revokes_the_consent_only_on_request(tmp_path):
    vendor = dataclasses.replace(built_in("trackmage").as_variant("authorization_code"), revocation_url=f"{ISSUER}/revoke")
    request = request_of(tmp_path, vendor)
    scene = cached(Scene(access("one"), answer(200), *[answer(200)] * 3, vault=FakeVault(CONSENT)), request)
    assert give_back(scene, request) == RevocationOutcome(("trackmage access_token",))
    assert revoked(scene) == ["one"]
    given_back = give_back(scene, request, revoke_consent=True)
    assert given_back == RevocationOutcome(("trackmage refresh_token", "trackmage access_token"))
    assert revoked(scene) == ["one", "r-vault", "one"]


def consent(path, **data):
    vendor = dataclasses.replace(built_in("trackmage").as_variant("authorization_code"), revocation_url=f"{ISSUER}/revoke")
    return request_of(path, vendor), FakeVault({**CONSENT, **data})


def test_a_consent_without_a_cached_token_is_revoked(tmp_path):
    request, vault = consent(tmp_path)
    scene = Scene(answer(200), vault=vault)
    assert give_back(scene, request) == RevocationOutcome()
    assert give_back(scene, request, revoke_consent=True) == RevocationOutcome(("trackmage refresh_token",))
    assert [parse_qs(request.body.decode())["token_type_hint"] for request in scene.sent] == [["refresh_token"]]
    assert revoked(scene) == ["r-vault"]


def test_a_renewed_consent_is_revoked_with_the_previous_one(tmp_path):
    request, vault = consent(tmp_path)
    scene = cached(Scene(access("one"), *[answer(200)] * 3, vault=vault), request)
    vault.change(refresh_token="r-new")
    assert give_back(scene, request, revoke_consent=True) == RevocationOutcome(("trackmage refresh_token", "trackmage access_token"))
    assert revoked(scene) == ["r-new", "r-vault", "one"]


@pytest.mark.parametrize(("revoke_consent", "expected"), [(False, ["one"]), (True, ["r-vault", "r-new", "one"])])
def test_a_consent_that_is_only_in_the_shared_entry_is_revoked(tmp_path, revoke_consent, expected):
    """In KV v1 a new refresh token cannot be stored safely: it is only in the cache, and another controller revokes it too."""
    vendor = dataclasses.replace(built_in("trackmage").as_variant("authorization_code"), revocation_url=f"{ISSUER}/revoke")
    request = request_of(tmp_path / "a", vendor, kind="vault")
    scene = cached(Scene(access("one", refresh_token="r-new"), *[answer(200)] * 3, vault=FakeVault(CONSENT, version=None)), request)
    theirs = dataclasses.replace(request, cache=dataclasses.replace(request.cache, path=str(tmp_path / "b")))
    assert give_back(scene, theirs, revoke_consent=revoke_consent).not_revoked == ()
    assert revoked(scene) == expected


@pytest.mark.parametrize("stored", ["", None, 5, ["r-vault"]])
def test_a_value_that_is_not_a_refresh_token_is_not_revoked(tmp_path, stored):
    request, vault = consent(tmp_path, refresh_token=stored)
    scene = Scene(vault=vault)
    assert give_back(scene, request, revoke_consent=True) == RevocationOutcome()
    assert scene.sent == []


@pytest.mark.parametrize(("client_auth", "asked"), [("post", False), ("", True)])
def test_the_issuer_says_how_the_client_authenticates_if_the_options_do_not(tmp_path, client_auth, asked):
    request = request_of(tmp_path, issuer=ISSUER, token_url="/token", client_auth=client_auth, revocation_url=f"{ISSUER}/mine")
    metadata = answer(200, {**METADATA, "token_endpoint_auth_methods_supported": ["client_secret_post"]})
    scene = cached(Scene(access("one"), *([metadata] if asked else []), answer(200)), request)
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))
    assert scene.script == []
    assert (scene.sent[-1].url, b"client_secret=s3cr3t" in scene.sent[-1].body) == (f"{ISSUER}/mine", True)


def test_without_an_issuer_or_client_auth_the_token_is_revoked(tmp_path):
    request = request_of(tmp_path, client_auth="", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one"), answer(200)), request)
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))
    assert len(scene.sent) == 2


class Signing(FakeClient):
    def transit_sign(self, mount, key, data, algorithm):
        return f"{mount} {key} {algorithm}".encode()


def claims_of(scene):
    assertion = parse_qs(scene.sent[-1].body.decode())["client_assertion"][0]
    return json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))


@pytest.mark.parametrize(("token_url", "audience"), [("https://a.example/token", "https://a.example/token"), ("", f"{ISSUER}/token")])
def test_the_proof_is_for_the_token_endpoint_and_the_method_of_the_issuer(tmp_path, token_url, audience):
    request = request_of(tmp_path, grant_type="client_credentials", issuer=ISSUER, token_url=token_url, client_auth="", transit_key="transit/k")
    metadata = answer(200, {**METADATA, "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"]})
    scene = Scene(metadata, answer(200), vault=FakeVault({"client_id": "the-id"}))
    vault = scene.vault
    scene.ports = dataclasses.replace(scene.ports, vault=lambda options, warn: Signing(vault, options))
    Resolver(scene.ports).keep(request, token("one"))
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))
    assert (claims_of(scene)["sub"], claims_of(scene)["aud"]) == ("the-id", audience)


def test_an_unreadable_shared_entry_stops_the_revocation(tmp_path):
    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one", refresh_token="r1")), request)
    scene.vault.kv_fault = VaultError("Vault is sealed.", "sealed")
    assert give_back(scene, request) == RevocationOutcome(failed=True, not_revoked=("tracktik access_token",))
    assert revoked(scene) == []


def test_an_oversized_shared_entry_does_not_stop_the_revocation(tmp_path, monkeypatch):
    def too_large(self, mount, path):
        raise LastingRefusal("Vault sent more than 4 MiB.")

    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one"), answer(200)), request)
    monkeypatch.setattr(FakeClient, "kv2_read", too_large)
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))
    assert ["So the content of the shared entry" in warning for warning in scene.warnings] == [True]


def test_without_a_shared_entry_the_cached_tokens_are_revoked(tmp_path):
    request = request_of(tmp_path, kind="vault", revocation_url=f"{ISSUER}/revoke")
    scene = cached(Scene(access("one"), answer(200)), request)
    scene.vault.entries.clear()
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))


def test_revocation_authenticates_with_a_transit_key(tmp_path):
    request = request_of(tmp_path, grant_type="client_credentials", client_auth="private_key_jwt", transit_key="transit/k", revocation_url=f"{ISSUER}/revoke")
    scene = Scene(access("one"), answer(200))
    vault = scene.vault
    scene.ports = dataclasses.replace(scene.ports, vault=lambda options, warn: Signing(vault, options))
    cached(scene, request)
    assert give_back(scene, request) == RevocationOutcome(("tracktik access_token",))
    assertion = parse_qs(scene.sent[-1].body.decode())["client_assertion"][0]
    assert base64.urlsafe_b64decode(assertion.split(".")[2] + "==") == b"transit k RS256"


def test_an_access_token_is_revoked_after_its_consent_has_ended(tmp_path):
    vendor = dataclasses.replace(built_in("trackmage").as_variant("authorization_code"), revocation_url=f"{ISSUER}/revoke")
    request = request_of(tmp_path, vendor)
    scene = cached(Scene(access("one"), answer(200), vault=FakeVault(CONSENT)), request)
    scene.vault.data = {name: value for name, value in CONSENT.items() if name != "refresh_token"}
    assert give_back(scene, request) == RevocationOutcome(("trackmage access_token",))


def test_nothing_is_requested_without_tokens_or_endpoint(tmp_path):
    scene = Scene()
    assert give_back(scene, request_of(tmp_path, revocation_url=f"{ISSUER}/revoke")) == RevocationOutcome()
    assert give_back(scene, request_of(tmp_path, issuer=ISSUER)) == RevocationOutcome()
    assert give_back(scene, request_of(tmp_path, kind="none", revocation_url=f"{ISSUER}/revoke")) == RevocationOutcome()
    assert give_back(cached(Scene(access("one")), request_of(tmp_path)), request_of(tmp_path)) == RevocationOutcome()
    assert scene.vault.clients == 0
