# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From consent in the browser to a refresh token in Vault. Consent on another device: test_device.py."""

from __future__ import annotations

import dataclasses
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent import flow
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.flow import PENDING_SECONDS, ConsentFlow
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.shared_store import shared_path
from support.scripted import CONSENT_VENDOR, NOW, FakeClient, FakeVault, Scene, access, answer, error, request_for, token

REDIRECT = "http://127.0.0.1:7777/callback"
VENDOR = dataclasses.replace(CONSENT_VENDOR, pkce=True)
CLIENT = {"client_id": "the-id", "client_secret": "s3cr3t", "code": "spent"}
CONSENTED = access("the-token", refresh_token="the-refresh-token", scope="read")
AGAIN = (
    "acme: this answer does not belong to a consent that this user started here, with these options and this Vault login, in the last 15 minutes, "
    "or it was used before. Start again."
)


class World:
    def __init__(self, folder, *script, vendor=VENDOR, data=CLIENT, version=1, **options):
        self.scene = Scene(*script, vault=FakeVault(data, version=version))
        self.options = {"cache": str(folder / "cache"), **options}
        self.request = request_for(vendor, **self.options)

    def work(self, **changes):
        return ConsentFlow(dataclasses.replace(self.request, **changes), self.scene.ports)

    def allowed(self, url, **changes):
        """The URL to which the browser returns."""
        return f"{REDIRECT}?code=the-code&state={parse_qs(urlsplit(url).query)['state'][0]}"


@pytest.fixture
def world(tmp_path):
    return lambda *script, **more: World(tmp_path, *script, **more)


def failing(family, call, *arguments, code="", **keywords):
    with pytest.raises(family) as caught:
        call(*arguments, **keywords)
    assert code in ("", caught.value.error_code)
    return caught.value.message


def test_consent_stores_the_refresh_token_and_caches_the_token(world):
    here = world(CONSENTED)
    url, consent = here.work().begin(REDIRECT)
    stored = here.work().finish(here.allowed(url), consent)
    assert (stored.where, stored.version, stored.scope) == ("secret/fleet/x", "2", "read")
    # The old code in the secret is worthless now, so it was removed.
    assert here.scene.vault.data == {"client_id": "the-id", "client_secret": "s3cr3t", "refresh_token": "the-refresh-token"}
    sent = parse_qs(here.scene.sent[0].body.decode())
    assert (sent["grant_type"], sent["code"], sent["redirect_uri"], len(sent["code_verifier"])) == (["authorization_code"], ["the-code"], [REDIRECT], 1)
    found = Resolver(here.scene.ports).known(here.request).token
    assert (found.access_token, found.secret_version) == ("the-token", "2")


def test_a_later_run_can_finish_a_consent_only_once(world):
    here = world(CONSENTED)
    url, _consent = here.work().begin(REDIRECT)
    here.scene.now += PENDING_SECONDS - 1
    assert here.work().finish(here.allowed(url)).version == "2"
    assert failing(VendorError, here.work().finish, here.allowed(url)) == f"{AGAIN} Nothing was stored."


def test_a_consent_cannot_be_finished_after_its_time(world):
    here = world()
    url, _consent = here.work().begin(REDIRECT)
    here.scene.now += PENDING_SECONDS
    assert failing(VendorError, here.work().finish, here.allowed(url), code="TRK-A03") == f"{AGAIN} Nothing was stored."
    assert here.scene.vault.data == CLIENT


def kept(here):
    """The names and headers of the pending consents, and of nothing else."""
    store = FileStore(here.request.cache.path, warn=pytest.fail)
    return {name: header for name, header in store.headers() if header.get("kind") == "consent"}


def test_the_header_of_a_pending_consent_says_which_and_until_when(world):
    here = world(CONSENTED)
    url, _consent = here.work().begin(REDIRECT)
    (header,) = kept(here).values()
    assert header == {"schema": 1, "kind": "consent", "vendor": "acme", "path": "secret/fleet/x", "expires_at": NOW + PENDING_SECONDS}
    here.work().finish(here.allowed(url))
    assert kept(here) == {}


@pytest.mark.parametrize("broken", [{}, {"ends": "soon"}, {"ends": None}, {"ends": NOW + 5}, {"ends": NOW + 5, "consent": {"state": "x"}}])
def test_a_malformed_pending_consent_is_treated_as_missing(world, monkeypatch, broken):
    here = world()
    url, _consent = here.work().begin(REDIRECT)
    monkeypatch.setattr(FileStore, "read", lambda _self, _keys: broken)
    assert failing(VendorError, here.work().finish, here.allowed(url), code="TRK-A03") == f"{AGAIN} Nothing was stored."


def test_a_pending_consent_belongs_to_one_request(world):
    here = world()
    url, _consent = here.work().begin(REDIRECT)
    other = dataclasses.replace(here.request.secret, path="fleet/y")
    assert failing(VendorError, here.work(secret=other).finish, here.allowed(url)) == f"{AGAIN} Nothing was stored."


def test_the_code_is_sent_once_even_if_the_vendor_fails(world):
    here = world(answer(503))
    url, _consent = here.work().begin(REDIRECT)
    assert failing(VendorError, here.work().finish, here.allowed(url)).endswith(" Nothing was stored.")
    assert failing(VendorError, here.work().finish, here.allowed(url)) == f"{AGAIN} Nothing was stored."
    assert len(here.scene.sent) == 1  # the answer may have been lost: no second attempt


def test_a_refused_code_is_reported_and_nothing_is_stored(world):
    here = world(error("invalid_grant"))
    url, consent = here.work().begin(REDIRECT)
    with pytest.raises(VendorError) as caught:
        here.work().finish(here.allowed(url), consent)
    assert (caught.value.kind, caught.value.status, caught.value.code, caught.value.error_code) == ("refused", 400, "invalid_grant", "TRK-A05")
    assert caught.value.message == (
        "acme: the vendor refused the authorization code (invalid_grant): it was used before, has expired, or belongs to another client or redirect "
        "address. Start again. Nothing was stored."
    )
    assert here.scene.vault.data == CLIENT


def test_the_message_for_a_refused_client_names_no_next_attempt(world):
    """A person started this, and no failure is remembered, so the message names no time for a next attempt."""
    # A clock that is far off does not matter, because nothing was signed.
    here = world(answer(401, {"error": "invalid_client"}, date="Thu, 01 Jan 2026 00:00:00 GMT"))
    url, consent = here.work().begin(REDIRECT)
    assert failing(VendorError, here.work().finish, here.allowed(url), consent) == (
        "acme: the vendor refused the credentials at secret/fleet/x: invalid_client. Check client_id and client_secret there, and whether the vendor "
        "accepts client_auth=basic. Nothing was stored."
    )


def test_consent_without_a_refresh_token_stores_nothing(world):
    here = world(access("the-token"))
    url, consent = here.work().begin(REDIRECT)
    assert failing(VendorError, here.work().finish, here.allowed(url), consent, code="TRK-A06") == (
        "acme: consent was given, but the vendor sent no refresh token, so later tokens could not be obtained. Many vendors require a scope such as "
        "offline_access, or a setting of the client, for one. Nothing was stored."
    )


def test_an_answer_with_another_state_is_refused(world):
    here = world()
    _url, consent = here.work().begin(REDIRECT)
    assert "Nothing was stored." in failing(VendorError, here.work().finish, f"{REDIRECT}?code=the-code&state=other", consent)
    assert here.scene.sent == []


def test_a_refresh_token_that_vault_does_not_store_is_reported(world):
    here = world(CONSENTED)
    url, consent = here.work().begin(REDIRECT)
    here.scene.vault.kv_fault = VaultError("Vault denied it.", "denied")
    assert failing(VaultError, here.work().finish, here.allowed(url), consent) == "Vault denied it. Consent was given, but is not stored: start again."


def test_the_previous_shared_token_is_removed(world):
    here = world(CONSENTED, kind="vault")
    where = f"secret/{shared_path(here.request)}"
    here.scene.vault.entries = {where: ({}, 1), "secret/other": ({}, 1)}
    url, consent = here.work().begin(REDIRECT)
    here.work().finish(here.allowed(url), consent)
    assert set(here.scene.vault.entries) == {"secret/other"}


def test_a_shared_token_that_cannot_be_removed_is_warned_about(world, monkeypatch):
    def denied(*_arguments):
        raise VaultError("Vault denied it.", "denied")

    here = world(CONSENTED, kind="vault")
    url, consent = here.work().begin(REDIRECT)
    monkeypatch.setattr(flow, "remove_shared", denied)
    assert here.work().finish(here.allowed(url), consent).version == "2"
    assert here.scene.warnings == ["Vault denied it. Other controllers use the previous token until it expires. [TRK-V05]"]


def test_the_previous_token_is_no_longer_served(world):
    here = world(CONSENTED)
    Resolver(here.scene.ports).keep(here.request, token("of somebody else"))
    url, consent = here.work().begin(REDIRECT)
    here.work().finish(here.allowed(url), consent)
    assert Resolver(here.scene.ports).known(here.request).token.access_token == "the-token"


@pytest.mark.parametrize("may", [True, False])
def test_write_access_is_checked_before_asking_for_consent(world, monkeypatch, may):
    here = world()
    monkeypatch.setattr(FakeClient, "may_update", lambda _client, mount, path: may and (mount, path) == ("secret", "fleet/x"), raising=False)
    if may:
        here.work().check_access()
        return
    assert failing(VaultError, here.work().check_access, code="TRK-V05") == (
        "acme: this Vault login may read secret/fleet/x, but not write it, and the refresh token is stored there. Allow 'update' on secret/data/fleet/x."
    )


def test_a_secret_without_client_id_is_reported(world):
    assert failing(VaultError, world(data={"client_secret": "s"}).work().begin, REDIRECT).startswith("acme: ")
    missing = dataclasses.replace(VENDOR, client_auth="none")
    assert failing(VaultError, world(data={"x": "y"}, vendor=missing).work().begin, REDIRECT, code="TRK-V08") == (
        "acme: the secret secret/fleet/x has no field 'client_id', which consent needs."
    )


def test_a_kv_version_1_secret_is_refused(world):
    assert failing(OptionError, world(version=None, secret={"engine_version": "1"}).work().begin, REDIRECT, code="TRK-O04") == (
        "acme: secret is KV version 1, which has no check-and-set. Refresh tokens are stored in KV version 2 only."
    )


def test_vendors_without_consent_and_pinned_secrets_are_refused(world):
    assert failing(OptionError, world(vendor="tracx").work, code="TRK-O04") == (
        "tracx: this vendor needs no consent in the browser: its grant is " + request_for("tracx").vendor.grant_type + "."
    )
    assert failing(OptionError, world(secret={"version": 3}).work, code="TRK-O04") == (
        "acme: secret_version pins an older version, so a new refresh token would not be read."
    )


def test_the_secret_is_read_once_before_a_person_is_asked_and_once_after(world):
    here = world(CONSENTED)
    work = here.work()
    work.check_access()
    assert work.registered_redirect_uri() == ""
    url, consent = work.begin(REDIRECT)
    assert here.scene.vault.reads == 1
    here.scene.vault.change(note="changed while the person consents")
    assert work.finish(here.allowed(url), consent).version == "3"
    assert here.scene.vault.reads == 2


def test_the_registered_redirect_address_comes_from_the_secret(world):
    assert world().work().registered_redirect_uri() == ""
    assert world(data={**CLIENT, "redirect_uri": REDIRECT}).work().registered_redirect_uri() == REDIRECT


def test_the_authorization_endpoint_comes_from_the_issuer(world):
    issuer = "https://login.example.com"
    metadata = {"issuer": issuer, "token_endpoint": f"{issuer}/t", "authorization_endpoint": f"{issuer}/a"}
    vendor = Vendor("acme", issuer=issuer, grant_type="authorization_code", client_auth="basic")
    here = world(answer(200, metadata), vendor=vendor)
    assert here.work().begin(REDIRECT)[0].startswith(f"{issuer}/a?")


def test_given_endpoints_take_precedence_over_the_issuers(world):
    issuer = "https://login.example.com"
    metadata = {"issuer": issuer, "token_endpoint": f"{issuer}/t", "authorization_endpoint": f"{issuer}/a"}
    given = Vendor("acme", issuer=issuer, grant_type="authorization_code", client_auth="basic", token_url="https://mine.example/t")
    here = world(answer(200, metadata), CONSENTED, vendor=given)
    work = here.work()
    url, consent = work.begin(REDIRECT)
    assert url.startswith(f"{issuer}/a?")
    work.finish(here.allowed(url), consent)
    assert here.scene.sent[1].url == "https://mine.example/t"
    # If all endpoints are given, the issuer is not asked.
    here = world(vendor=dataclasses.replace(given, authorize_url="https://mine.example/a"))
    assert here.work().begin(REDIRECT)[0].startswith("https://mine.example/a?")
    assert here.scene.sent == []


@pytest.mark.parametrize("device", [False, True])
def test_plain_http_is_refused_unless_it_is_allowed(world, device):
    vendor = dataclasses.replace(VENDOR, base_url="http://login.example.com")
    code = answer(200, {"device_code": "d3vice-c0de", "user_code": "AB-CD", "verification_uri": "http://login.example.com/d"})
    here = world(code, vendor=vendor, http={"allow_http": True})
    work = ConsentFlow(here.request, here.scene.ports, device=device)
    if device:
        assert work.begin_device().verification_uri == "http://login.example.com/d"
    else:
        assert work.begin(REDIRECT)[0].startswith("http://login.example.com/authorize?")
    assert "plain http" in failing(OptionError, world(vendor=vendor).work, code="TRK-O09")
    assert "plain http" in failing(OptionError, work.begin, "http://elsewhere.example/", code="TRK-O09")


def test_the_device_request_uses_the_http_options_of_the_request(world):
    here = world(vendor=CONSENT_VENDOR, http={"deadline": 7})
    asked = []

    def exchange(request, options, seconds, name):
        asked.append((request.url, options, seconds, name))
        return answer(200, {"device_code": "d3vice-c0de", "user_code": "AB-CD", "verification_uri": "https://login.example.com/d"})

    ConsentFlow(here.request, dataclasses.replace(here.scene.ports, exchange=exchange), device=True).begin_device()
    assert asked == [("https://login.example.com/device", here.request.http, 7, "acme")]


@pytest.mark.parametrize("device", [False, True])
def test_the_issuer_is_not_asked_if_all_endpoints_are_given(world, device):
    given = {"authorize_url": "https://mine.example/a", "device_authorization_url": "https://mine.example/d"}
    del given["authorize_url" if device else "device_authorization_url"]
    vendor = Vendor(
        "acme", issuer="https://login.example.com", grant_type="authorization_code", client_auth="basic", token_url="https://mine.example/t", **given
    )
    here = world(vendor=vendor)
    ConsentFlow(here.request, here.scene.ports, device=device)
    assert here.scene.sent == []


def from_issuer(world, method, *script, data=CLIENT):
    """A world whose issuer accepts only this authentication method, and the seconds that each request was given."""
    issuer = "https://login.example.com"
    metadata = {"issuer": issuer, "token_endpoint": f"{issuer}/t", "authorization_endpoint": f"{issuer}/a", "token_endpoint_auth_methods_supported": [method]}
    here = world(answer(200, metadata), *script, vendor=Vendor("acme", issuer=issuer, grant_type="authorization_code"), data=data, http={"deadline": 30})
    seconds = []

    def exchange(request, options, given, name):
        seconds.append(given)
        return ports.exchange(request, options, given, name)

    ports = here.scene.ports
    here.scene.ports = dataclasses.replace(ports, exchange=exchange)
    return here, seconds


def test_the_issuer_says_how_the_client_authenticates(world):
    here, seconds = from_issuer(world, "client_secret_post", error("invalid_client", 401))
    work = here.work()
    url, consent = work.begin(REDIRECT)
    assert "accepts client_auth=post. Nothing was stored." in failing(VendorError, work.finish, here.allowed(url), consent)
    assert seconds == [30, 30]
    here, _seconds = from_issuer(world, "none", data={"client_id": "the-id"})
    assert "client_id=the-id" in here.work().begin(REDIRECT)[0]


def test_consent_needs_no_refresh_token_in_the_secret(world):
    here = world(vendor=dataclasses.replace(VENDOR, grant_type="refresh_token"))
    assert "client_id=the-id" in here.work().begin(REDIRECT)[0]


def test_a_request_that_never_left_is_repeated_with_another_proof(world):
    vendor = dataclasses.replace(VENDOR, client_auth="client_secret_jwt")
    lost = VendorError("acme: no.", "unavailable", retryable=True, sent=False)
    here = world(lost, CONSENTED, vendor=vendor, data={"client_id": "the-id", "client_secret": "s3cr3t-0123456789-0123456789-012345"})
    url, consent = here.work().begin(REDIRECT)
    here.work().finish(here.allowed(url), consent)
    assert len({parse_qs(sent.body.decode())["client_assertion"][0] for sent in here.scene.sent}) == 2


def test_a_transit_key_signs_the_exchange_of_the_code(world, monkeypatch):
    asked = []
    monkeypatch.setattr(FakeClient, "transit_sign", lambda _client, mount, key, _data, _algorithm: asked.append((mount, key)) or b"signature", raising=False)
    vendor = dataclasses.replace(VENDOR, client_auth="private_key_jwt", transit_key="transit/acme", assertion_algorithm="RS256")
    here = world(CONSENTED, vendor=vendor, data={"client_id": "the-id"})
    url, consent = here.work().begin(REDIRECT)
    here.work().finish(here.allowed(url), consent)
    assert asked == [("transit", "acme")]


@pytest.mark.parametrize(("device", "retries"), [(False, [2]), (True, [2, 0])])
def test_only_the_device_request_and_the_exchange_are_retried(world, device, retries):
    """A poll is not repeated: the next poll follows anyway."""
    code = answer(200, {"device_code": "d3vice-c0de", "user_code": "AB-CD", "verification_uri": "https://login.example.com/d"})
    here = world(*([code] if device else []), CONSENTED, vendor=CONSENT_VENDOR, http={"retries": 2})
    asked = []

    def exchange(request, options, seconds, name):
        asked.append(options.retries)
        return here.scene.ports.exchange(request, options, seconds, name)

    work = ConsentFlow(here.request, dataclasses.replace(here.scene.ports, exchange=exchange), device=device)
    if device:
        work.wait_for_device(work.begin_device(), seconds=60)
    else:
        url, consent = work.begin(REDIRECT)
        work.finish(here.allowed(url), consent)
    assert asked == retries


LYING = {"issuer": "https://login.example", "token_endpoint": "https://login.example/t"}


def test_no_browser_is_sent_to_an_address_with_a_credential_in_it(world):
    metadata = {**LYING, "authorization_endpoint": "https://login.example/a?hint=s3cr3t"}
    here = world(answer(200, metadata), vendor=Vendor("acme", issuer="https://login.example", grant_type="authorization_code", client_auth="post"))
    assert failing(VendorError, here.work) == (
        "acme: the metadata of login.example contains a URL with a credential in it, which is not used. Check issuer, or set token_url."
    )


def test_an_error_in_the_redirect_is_shown_without_credentials(world):
    here = world(data={**CLIENT, "note": "Pr0duction-Passw0rd"})
    url, consent = here.work().begin(REDIRECT)
    state = parse_qs(urlsplit(url).query)["state"][0]
    message = failing(VendorError, here.work().finish, f"{REDIRECT}?error=s3cr3t&error_description=Pr0duction%2DPassw0rd%20no&state={state}", consent)
    assert message == (
        "acme: the vendor did not ask for consent: ***. Check client_id and redirect_uri at the vendor, and scope. The vendor says: *** no. Nothing was stored."
    )


def test_a_scope_that_contains_a_field_of_the_secret_is_not_shown(world):
    here = world(access("the-token", refresh_token="r", scope="read Pr0duction-Passw0rd"), data={**CLIENT, "note": "Pr0duction-Passw0rd"})
    url, consent = here.work().begin(REDIRECT)
    assert here.work().finish(here.allowed(url), consent).scope is None


@pytest.mark.parametrize("data", [CLIENT, {**CLIENT, "redirect_uri": REDIRECT}])
def test_an_unregistered_redirect_address_is_shown(world, data):
    here = world(error("redirect_uri_mismatch", 400, error_description=f"redirect_uri {REDIRECT} is not registered, the-code"), data=data)
    url, consent = here.work().begin(REDIRECT)
    message = failing(VendorError, here.work().finish, here.allowed(url), consent)
    assert f"The vendor says: redirect_uri {REDIRECT} is not registered, ***" in message


def test_a_redirect_address_with_a_query_is_not_shown(world):
    address = f"{REDIRECT}?key=s3cr3t-key"
    here = world(error("redirect_uri_mismatch", 400, error_description=f"redirect_uri {address} is not registered"))
    url, consent = here.work().begin(REDIRECT)
    consent = dataclasses.replace(consent, redirect_uri=address)
    assert "s3cr3t-key" not in failing(VendorError, here.work().finish, here.allowed(url), consent)


def test_proofs_of_earlier_polls_are_redacted(world):
    def proof(request):
        return parse_qs(request.body.decode())["client_assertion"][0]

    code = answer(200, {"device_code": "d3vice-c0de", "user_code": "AB-CD", "verification_uri": "https://login.example.com/d", "expires_in": 600})
    here = world(code, error("authorization_pending"), data={"client_id": "the-id", "client_secret": "s3cr3t-0123456789-0123456789-012345"},
                 vendor=dataclasses.replace(CONSENT_VENDOR, client_auth="client_secret_jwt"))  # fmt: skip
    sent = here.scene.sent
    here.scene.script.append(lambda _request: access("t", refresh_token="r", scope=f"read {proof(sent[1])}"))
    work = ConsentFlow(here.request, here.scene.ports, device=True)
    stored = work.wait_for_device(work.begin_device(), seconds=300)
    assert (len({proof(request) for request in sent}), stored.scope) == (3, None)
