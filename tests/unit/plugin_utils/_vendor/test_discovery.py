# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Endpoints from an issuer."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.discovery import discovered
from support.scripted import NOW, Scene, answer, request_for

ISSUER = "https://login.example/realm"
METADATA = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/t", "revocation_endpoint": f"{ISSUER}/r", "authorization_endpoint": f"{ISSUER}/a"}


def found(scene, **vendor):
    return discovered(request_for(Vendor("acme", **{"issuer": ISSUER, **vendor})), ports=scene.ports, until=NOW + 60)


def failure(*replies, family=VendorError):
    with pytest.raises(family) as caught:
        found(Scene(*replies))
    if family is VendorError:
        assert (caught.value.kind, caught.value.fault) == ("answer", "vendor:discovery")
    return caught.value.message


def test_metadata_of_rfc_8414_is_tried_before_openid():
    scene = Scene(answer(404), answer(200, METADATA))
    vendor = found(scene)
    assert (vendor.token_endpoint, vendor.revocation_url, vendor.authorize_url) == (f"{ISSUER}/t", f"{ISSUER}/r", f"{ISSUER}/a")
    assert [(request.method, request.url) for request in scene.sent] == [
        ("GET", "https://login.example/.well-known/oauth-authorization-server/realm"),
        ("GET", "https://login.example/realm/.well-known/openid-configuration"),
    ]
    assert scene.sent[0].headers == {"Accept": "application/json"}
    assert found(Scene(answer(200, METADATA))).token_endpoint == f"{ISSUER}/t"


def test_without_need_no_metadata_is_requested():
    assert found(Scene(), token_url="https://a.example/t").token_url == "https://a.example/t"
    assert found(Scene(), issuer="", token_url="https://a.example/t").issuer == ""


def test_without_metadata_the_client_authenticates_with_basic():
    assert found(Scene(), token_url="https://a.example/t").client_auth == "basic"
    assert found(Scene(), token_url="https://a.example/t", client_auth="post").client_auth == "post"
    assert found(Scene(), issuer="", token_url="https://a.example/t").client_auth == "basic"


@pytest.mark.parametrize(("issuer", "theirs"), [(f"{ISSUER}X/", f"{ISSUER}X"), (f"{ISSUER}X", f"{ISSUER}X/")])
def test_a_trailing_slash_does_not_make_another_issuer(issuer, theirs):
    scene = Scene(answer(404), answer(200, {**METADATA, "issuer": theirs}))
    assert found(scene, issuer=issuer).token_endpoint == f"{ISSUER}/t"
    assert [request.url for request in scene.sent] == [
        "https://login.example/.well-known/oauth-authorization-server/realmX",
        "https://login.example/realmX/.well-known/openid-configuration",
    ]


@pytest.mark.parametrize(("methods", "pkce"), [(["plain", "S256"], True), (["plain"], False), ("S256", False), (None, False)])
def test_pkce_is_used_only_if_the_metadata_offers_s256(methods, pkce):
    assert found(Scene(answer(200, {**METADATA, "code_challenge_methods_supported": methods}))).pkce is pkce


def test_the_device_endpoint_comes_from_the_metadata():
    metadata = {**METADATA, "device_authorization_endpoint": f"{ISSUER}/d"}
    assert found(Scene(answer(200, metadata))).device_authorization_url == f"{ISSUER}/d"


@pytest.mark.parametrize(("until", "seconds"), [(NOW + 7, 7.0), (NOW - 1, 0.05)])
def test_each_request_gets_the_remaining_time(until, seconds):
    asked, scene = [], Scene()

    def exchange(http_request, options, seconds, name):
        asked.append((options, seconds, name))
        return answer(200, METADATA)

    request = request_for(Vendor("acme", issuer=ISSUER))
    discovered(request, ports=dataclasses.replace(scene.ports, exchange=exchange), until=until)
    assert asked == [(request.http, seconds, "acme")]


def test_only_the_used_fields_of_the_metadata_are_stored():
    class Once(Kept):
        def write(self, found):
            assert self.metadata is None
            super().write(found)

    kept, request = Once(), request_for(Vendor("acme", issuer=ISSUER))
    first = discovered(request, ports=Scene(answer(200, {**METADATA, "jwks_uri": f"{ISSUER}/jwks"})).ports, until=NOW + 60, keep=kept)
    assert kept.metadata == {name: METADATA[name] for name in ("token_endpoint", "revocation_endpoint", "authorization_endpoint")}
    scene = Scene()
    assert discovered(request, ports=scene.ports, until=NOW + 60, keep=kept) == first
    assert scene.sent == []


def test_renamed_credential_fields_count_for_choosing_the_method():
    metadata = {**METADATA, "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"]}
    request = request_for(Vendor("acme", issuer=ISSUER), secret={"fields": {"private_key": "pem"}})
    found = discovered(request, ports=Scene(answer(200, metadata)).ports, until=NOW + 60, keys=("client_id", "pem"))
    assert found.client_auth == "private_key_jwt"


def test_options_take_precedence_over_metadata():
    assert found(Scene(answer(200, METADATA)), revocation_url="https://a.example/r").revocation_url == "https://a.example/r"


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([answer(404), answer(503)], "acme: the issuer login.example publishes no OAuth 2.0 metadata. Check issuer, or set token_url."),
        ([answer(200, b"<html>")], "acme: the metadata of login.example contains no token_endpoint. Set token_url."),
        ([answer(200, [])], "acme: the metadata of login.example contains no token_endpoint. Set token_url."),
        ([answer(200, {**METADATA, "token_endpoint": 5})], "acme: the metadata of login.example contains no token_endpoint. Set token_url."),
        ([answer(200, {**METADATA, "issuer": "https://evil.example"})], "acme: the metadata of login.example is for another issuer. Check issuer."),
        ([answer(200, {"token_endpoint": f"{ISSUER}/t"})], "acme: the metadata of login.example is for another issuer. Check issuer."),
    ],
)
def test_unusable_metadata_is_explained(replies, message):
    assert failure(*replies) == message


def test_a_plain_http_endpoint_in_the_metadata_is_refused():
    assert failure(answer(200, {**METADATA, "token_endpoint": "http://login.example/t"}), family=OptionError) == (
        "acme: login.example would get the credentials over plain http. Use https, or set allow_http if you must."
    )


def test_a_plain_http_endpoint_in_the_metadata_is_used_if_allowed():
    request = request_for(Vendor("acme", issuer=ISSUER), http={"allow_http": True})
    metadata = {**METADATA, "token_endpoint": "http://login.example/t"}
    assert discovered(request, ports=Scene(answer(200, metadata)).ports, until=NOW + 60).token_endpoint == "http://login.example/t"


HERE = "acme: the metadata of login.example contains a URL of this machine, which only an issuer on this machine may use. Check issuer, or set token_url."


@pytest.mark.parametrize("field", ["token_endpoint", "authorization_endpoint", "revocation_endpoint", "device_authorization_endpoint"])
@pytest.mark.parametrize("address", ["http://127.0.0.1:8200/v1/sys/step-down?x=1", "https://localhost./t", "http://[::ffff:127.0.0.1]/t", "http://127.1/t"])
def test_a_remote_issuer_cannot_name_endpoints_on_this_machine(field, address):
    kept = Kept()
    for allow_http in (False, True):
        request = request_for(Vendor("acme", issuer=ISSUER))
        request = dataclasses.replace(request, http=dataclasses.replace(request.http, allow_http=allow_http))
        for scene, keep in ((Scene(answer(200, {**METADATA, field: address})), kept), (Scene(), Kept({**METADATA, field: address}))):
            with pytest.raises(VendorError) as caught:
                discovered(request, ports=scene.ports, until=NOW + 60, keep=keep)
            assert (caught.value.message, caught.value.fault, kept.metadata) == (HERE, "vendor:discovery", None)


def test_a_local_issuer_can_name_any_endpoint():
    here = "http://127.0.0.1:8080/realm"
    metadata = {"issuer": here, "token_endpoint": "http://localhost:8080/t", "authorization_endpoint": "https://login.example/a"}
    assert found(Scene(answer(200, metadata)), issuer=here).token_endpoint == "http://localhost:8080/t"
    # An address that the user sets does not count as the issuer's.
    assert found(Scene(answer(200, METADATA)), revocation_url="http://127.0.0.1/r").revocation_url == "http://127.0.0.1/r"


@pytest.mark.parametrize(
    ("methods", "keys", "picked"),
    [
        (None, ("client_id", "client_secret"), "basic"),
        ([], ("client_id", "client_secret"), "basic"),
        (["client_secret_post", "client_secret_basic"], ("client_id", "client_secret"), "basic"),
        (["client_secret_post"], ("client_id", "client_secret"), "post"),
        (["client_secret_basic", "private_key_jwt"], ("client_id", "private_key"), "private_key_jwt"),
        (["client_secret_basic", "tls_client_auth"], ("client_id", "certificate"), "tls_client_auth"),
        (["private_key_jwt"], ("client_id", "client_secret"), "private_key_jwt"),
        (["none"], (), "none"),
        (["something_new"], (), "basic"),
        ("client_secret_post", (), "basic"),
    ],
)
def test_the_metadata_decides_how_the_client_authenticates(methods, keys, picked):
    metadata = {**METADATA, **({"token_endpoint_auth_methods_supported": methods} if methods is not None else {})}
    request = request_for(Vendor("acme", issuer=ISSUER))
    assert discovered(request, ports=Scene(answer(200, metadata)).ports, until=NOW + 60, keys=keys).client_auth == picked
    said = request_for(Vendor("acme", issuer=ISSUER, client_auth="basic_raw"))
    assert discovered(said, ports=Scene(answer(200, metadata)).ports, until=NOW + 60, keys=keys).client_auth == "basic_raw"


def test_mtls_aliases_are_used_only_by_clients_with_certificates():
    metadata = {**METADATA, "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.example/t", "revocation_endpoint": 5}}
    with_certificate = found(Scene(answer(200, metadata)), client_auth="tls_client_auth")
    assert (with_certificate.token_endpoint, with_certificate.revocation_url) == ("https://mtls.example/t", f"{ISSUER}/r")
    assert found(Scene(answer(200, metadata)), client_auth="basic").token_endpoint == f"{ISSUER}/t"


SECRET = {"client_id": "the-client", "client_secret": "s3cr3t-client-secret", "note": "Pr0duction-Passw0rd", "region": "europe", "env": "oauth2"}
SPOKEN = "acme: the metadata of login.example contains a URL with a credential in it, which is not used. Check issuer, or set token_url."


class Kept:
    def __init__(self, metadata=None):
        self.metadata = metadata

    def read(self):
        return self.metadata

    def write(self, found):
        self.metadata = found


@pytest.mark.parametrize("field", ["token_endpoint", "authorization_endpoint", "revocation_endpoint", "device_authorization_endpoint"])
@pytest.mark.parametrize(
    "address",
    [
        "https://s3cr3t-client-secret.evil.example/t",
        "https://S3CR3T.client.SECRET.evil.example/t",
        f"https://{b's3cr3t-client-secret'.hex()}.evil.example/t",
        "https://login.example/t?hint=s3cr3t-client%2Dsecret",
        "https://pr0duction-passw0rd.evil.example/t",
        "http://s3cr3t-client-secret.evil.example/t",
    ],
)
def test_an_endpoint_that_contains_a_credential_is_refused_and_not_shown(field, address):
    kept, request = Kept(), request_for(Vendor("acme", issuer=ISSUER))
    with pytest.raises(VendorError) as caught:
        discovered(request, ports=Scene(answer(200, {**METADATA, field: address})).ports, until=NOW + 60, keep=kept, keys=SECRET)
    assert (caught.value.message, caught.value.fault, kept.metadata) == (SPOKEN, "vendor:discovery", None)
    with pytest.raises(VendorError) as caught:  # the secret may be newer than the cached metadata
        discovered(request, ports=Scene().ports, until=NOW + 60, keep=Kept({**METADATA, field: address}), keys=SECRET)
    assert caught.value.message == SPOKEN


def test_an_mtls_alias_that_contains_a_credential_is_refused():
    metadata = {**METADATA, "mtls_endpoint_aliases": {"token_endpoint": "https://s3cr3t-client-secret.evil.example/t"}}
    request = request_for(Vendor("acme", issuer=ISSUER, client_auth="tls_client_auth"))
    with pytest.raises(VendorError) as caught:
        discovered(request, ports=Scene(answer(200, metadata)).ports, until=NOW + 60, keys=SECRET)
    assert caught.value.message == SPOKEN


def test_identifiers_and_short_words_of_the_secret_may_be_in_an_endpoint():
    metadata = {**METADATA, "token_endpoint": "https://the-client.europe.login.example/oauth2/t"}
    request = request_for(Vendor("acme", issuer=ISSUER))
    found = discovered(request, ports=Scene(answer(200, metadata)).ports, until=NOW + 60, keys=SECRET)
    assert found.token_endpoint == metadata["token_endpoint"]
