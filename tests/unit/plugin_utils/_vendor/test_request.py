# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests as they go on the wire (docs/vendors/)."""

from __future__ import annotations

import base64
import dataclasses
import json
from urllib.parse import parse_qsl, quote_plus

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import SecretField, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.strict_json import WrittenNumber
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.request import (
    DEVICE_GRANT,
    JWT_BEARER_GRANT,
    Grant,
    build_request,
    client_request,
    credentials,
    grants,
    needed_fields,
    revocation_request,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in
from support.scripted import PASSWORD_FIELDS, request_for

AWKWARD = ("a:b", "a+b", "50%", "a b", "ü€😀", "'\"`$&=?#/\\")


def built(vendor, fields=PASSWORD_FIELDS, *, refresh_token=None, position=0, **more):
    if isinstance(vendor, str):
        vendor = request_for(vendor).vendor
    return build_request(vendor, grants(vendor, fields, refresh_token=refresh_token)[position], fields, **more)


def form(request):
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True))


# -- the wire ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", AWKWARD)
def test_trackmage_is_a_get_with_everything_in_the_query(secret):
    request = built("trackmage", {"client_id": "1_app", "client_secret": secret})
    address, _, query = request.url.partition("?")
    assert (request.method, address, request.body) == ("GET", "https://api.trackmage.com/oauth/v2/token", None)
    assert parse_qsl(query, strict_parsing=True) == [("grant_type", "client_credentials"), ("client_id", "1_app"), ("client_secret", secret)]
    assert request.headers == {"Accept": "application/json"}
    assert secret not in repr(request)
    assert set(request.secrets) == {"1_app", secret}


def test_trackmage_authorization_code_is_json():
    vendor = built_in("trackmage").as_variant("authorization_code")
    fields = {"client_id": "1_app", "client_secret": "s", "code": "c0de", "redirect_uri": "http://127.0.0.1:8/"}
    request = built(vendor, fields)
    assert (request.method, request.url) == ("POST", "https://api.trackmage.com/oauth/v2/token")
    assert request.headers == {"Accept": "application/json", "Content-Type": "application/json"}
    assert json.loads(request.body) == {"grant_type": "authorization_code", **fields}
    assert request.repeatable is False


def test_trackmage_stored_refresh_token_comes_first():
    vendor = built_in("trackmage").as_variant("authorization_code")
    fields = {"client_id": "i", "client_secret": "s", "code": "c", "refresh_token": "r"}
    ways = grants(vendor, fields, refresh_token="newer")
    assert [way.grant_type for way in ways] == ["refresh_token", "refresh_token", "authorization_code"]
    assert [way.fields.get("refresh_token") for way in ways] == ["newer", "r", None]
    assert len(grants(vendor, fields, refresh_token="r")) == 2
    assert json.loads(built(vendor, fields).body)["grant_type"] == "refresh_token"


def test_tracx_sends_the_raw_connect_token_and_no_body():
    request = built("tracx", {"connect_token": "c0nnect"})
    assert (request.method, request.url) == ("POST", "https://api.tracx.events/v1/connect/session-token")
    assert request.headers == {"Accept": "application/json", "Authorization": "c0nnect"}
    assert request.body is None
    assert "c0nnect" in request.secrets
    assert "c0nnect" not in repr(request)


def test_tracktik_is_a_form_without_a_scope():
    request = built("tracktik")
    assert (request.method, request.url) == ("POST", "https://portal.example/rest/oauth2/access_token")
    assert form(request) == {"grant_type": "password", **PASSWORD_FIELDS}
    assert "Authorization" not in request.headers
    refresh = built("tracktik", refresh_token="r3fresh")
    assert form(refresh) == {"grant_type": "refresh_token", "refresh_token": "r3fresh", "client_id": "the-id", "client_secret": "s3cr3t"}
    assert (request.repeatable, refresh.repeatable) == (True, False)


@pytest.mark.parametrize("value", AWKWARD)
def test_trackunit_encodes_id_and_secret_before_base64(value):
    fields = {"client_id": "id:" + value, "client_secret": value, "username": value, "password": value}
    request = built("trackunit", fields)
    kind, _, encoded = request.headers["Authorization"].partition(" ")
    # RFC 6749 2.3.1
    assert (kind, base64.b64decode(encoded).decode("ascii")) == ("Basic", f"{quote_plus('id:' + value)}:{quote_plus(value)}")
    assert form(request) == {"grant_type": "password", "username": value, "password": value, "scope": "api"}
    assert (request.method, request.url) == ("POST", "https://auth.trackunit.com/token")
    assert encoded in request.secrets

    raw = built(dataclasses.replace(request_for("trackunit").vendor, client_auth="basic_raw"), fields)
    assert base64.b64decode(raw.headers["Authorization"][6:]).decode() == f"id:{value}:{value}"


def test_trackunit_refresh_is_basic_again():
    request = built("trackunit", refresh_token="r")
    assert form(request) == {"grant_type": "refresh_token", "refresh_token": "r", "scope": "api"}
    assert request.headers["Authorization"].startswith("Basic ")


def test_trackunit_v2_is_a_form_with_client_credentials():
    vendor = dataclasses.replace(built_in("trackunit").as_variant("v2"), scope="a b")
    request = built(vendor, {"client_id": "i", "client_secret": "s"})
    assert (request.method, request.url) == ("POST", "https://auth.trackunit.com/token/v2")
    assert form(request) == {"grant_type": "client_credentials", "scope": "a b", "client_id": "i", "client_secret": "s"}
    assert "Authorization" not in request.headers
    assert len(grants(vendor, {}, refresh_token="never used")) == 1


def test_a_refresh_of_a_query_vendor_is_a_form():
    request = built("trackmage", {"client_id": "i", "client_secret": "s"}, refresh_token="r")
    assert (request.method, "?" in request.url) == ("POST", False)
    assert form(request)["refresh_token"] == "r"


def test_private_key_jwt_public_clients_and_extra_parameters():
    vendor = Vendor(
        "acme",
        token_url="https://a.example/t",
        client_auth="private_key_jwt",
        parameters={
            "resource": ("https://one", "https://two"),
            "tenant": SecretField("tenant"),
        },
    )
    fields = {"client_id": "i", "private_key": "PEM", "tenant": "t1"}
    request = built(vendor, fields, assertion=lambda claims: f"signed.{len(claims)}.here")
    pairs = parse_qsl(request.body.decode())
    assert [value for name, value in pairs if name == "resource"] == ["https://one", "https://two"]
    assert dict(pairs)["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert (dict(pairs)["client_assertion"], dict(pairs)["tenant"]) == ("signed.0.here", "t1")
    assert "private_key" not in dict(pairs)
    assert {"signed.0.here", "PEM", "t1"} <= set(request.secrets)

    as_json = dataclasses.replace(vendor, request_format="json", client_auth="none")
    assert json.loads(built(as_json, fields).body) == {
        "grant_type": "client_credentials",
        "resource": ["https://one", "https://two"],
        "tenant": "t1",
        "client_id": "i",
    }
    assert needed_fields(as_json) == ("tenant",)


def test_a_signed_grant_sends_its_assertion():
    vendor = Vendor("acme", token_url="https://a.example/t", grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", client_auth="none", scope="a b")
    fields = {"client_id": "i", "private_key": "PEM", "subject": "s"}
    asked = []
    request = built(vendor, fields, assertion=lambda claims: asked.append(claims) or "signed.jwt.here")
    assert form(request)["assertion"] == "signed.jwt.here"
    assert asked == [{"sub": "s", "scope": "a b"}]
    assert "signed.jwt.here" in request.secrets


RPC = {"method": "Authenticate", "params": {"userName": SecretField("username"), "password": SecretField("password"), "global": True}}


def test_request_body_is_all_that_is_sent():
    vendor = Vendor("acme", token_url="https://a.example/rpc", client_auth="none", request_format="json", request_body=RPC)
    assert needed_fields(vendor) == ("username", "password")
    fields = {"username": "u", "password": 'p"w', "client_id": "there by chance"}
    (way,) = grants(vendor, fields, refresh_token="that of the last answer")
    request = build_request(vendor, way, fields)
    assert (request.method, request.headers) == ("POST", {"Content-Type": "application/json"})
    assert json.loads(request.body) == {"method": "Authenticate", "params": {"userName": "u", "password": 'p"w', "global": True}}
    assert {"u", 'p"w'} <= set(request.secrets)


@pytest.mark.parametrize("request_format", ["form", "query"])
def test_in_forms_and_queries_values_that_are_not_text_are_sent_as_json(request_format):
    body = {"svc": "token/login", "params": {"token": SecretField("token"), "fl": 1}, "ids": (1, 2), "on": True, "nothing": None}
    vendor = Vendor("acme", token_url="https://a.example/ajax", client_auth="none", request_format=request_format, request_body=body)
    request = built(vendor, {"token": 'a&"b'})
    text = request.body.decode() if request_format == "form" else request.url.partition("?")[2]
    assert dict(parse_qsl(text, strict_parsing=True)) == {"svc": "token/login", "params": '{"token":"a&\\"b","fl":1}', "ids": "[1,2]", "on": "true"}


def test_request_body_can_be_sent_beside_a_bearer_proof():
    vendor = Vendor("app", token_url="https://a.example/t", client_auth="bearer_jwt", request_format="json", request_body={"permissions": {"contents": "read"}})
    request = built(vendor, {"client_id": "i", "private_key": "PEM"}, assertion=lambda claims: "signed")
    assert (request.headers["Authorization"], json.loads(request.body)) == ("Bearer signed", {"permissions": {"contents": "read"}})


@pytest.mark.parametrize(("scope_in", "asserted", "sent"), [("both", "a", "a"), ("assertion", "a", None), ("request", None, "a")])
def test_scope_in_decides_where_the_scope_of_a_signed_grant_is_sent(scope_in, asserted, sent):
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    vendor = Vendor("acme", token_url="https://a.example/t", grant_type=grant, client_auth="none", scope="a", scope_in=scope_in)
    claims = []
    request = built(vendor, {"client_id": "i", "private_key": "PEM"}, assertion=lambda more: claims.append(more) or "signed")
    assert (claims[0].get("scope"), form(request).get("scope")) == (asserted, sent)


def test_with_transit_key_the_secret_needs_no_private_key():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="private_key_jwt")
    assert needed_fields(vendor) == ("client_id", "private_key")
    assert needed_fields(dataclasses.replace(vendor, transit_key="transit/k")) == ("client_id",)


def test_an_existing_query_is_extended():
    vendor = Vendor("acme", token_url="https://a.example/t?x=1", client_auth="post", request_format="query", request_method="GET")
    assert built(vendor, {"client_id": "i", "client_secret": "s"}).url == ("https://a.example/t?x=1&grant_type=client_credentials&client_id=i&client_secret=s")


@pytest.mark.parametrize(
    ("client_auth", "sent", "basic"),
    [
        ("basic", {}, True),
        ("basic_raw", {}, True),
        ("post", {"client_id": "i", "client_secret": "s"}, False),
        ("none", {"client_id": "i"}, False),
    ],
)
def test_a_revocation_request_authenticates_the_client(client_auth, sent, basic):
    vendor = Vendor("acme", base_url="https://a.example", revocation_url="/revoke", client_auth=client_auth)
    request = revocation_request(vendor, {"client_id": "i", "client_secret": "s"}, "tok", hint="access_token")
    assert (request.method, request.url) == ("POST", "https://a.example/revoke")
    assert form(request) == {"token": "tok", "token_type_hint": "access_token", **sent}
    assert ("Authorization" in request.headers) is basic
    assert "tok" in request.secrets


SIGNED_GRANT = Vendor("acme", token_url="https://a.example/t", grant_type=JWT_BEARER_GRANT, client_auth="none", scope="a", scope_in="assertion")
KEY_FIELDS = {"client_id": "i", "private_key": "PEM"}


def never(_claims):
    raise AssertionError("nothing is to be signed")


def test_a_signed_grant_without_a_subject_is_for_the_client():
    claims = []
    request = built(SIGNED_GRANT, KEY_FIELDS, assertion=lambda more: claims.append(dict(more)) or "signed")
    assert (claims, form(request)) == ([{"sub": "i", "scope": "a"}], {"grant_type": JWT_BEARER_GRANT, "assertion": "signed"})
    assert needed_fields(SIGNED_GRANT) == ("client_id", "private_key")


def test_an_unset_scope_is_not_claimed():
    claims = []
    built(dataclasses.replace(SIGNED_GRANT, scope=""), KEY_FIELDS, assertion=lambda more: claims.append(dict(more)) or "signed")
    assert claims == [{"sub": "i"}]


def test_a_given_assertion_is_sent_unchanged():
    vendor = dataclasses.replace(SIGNED_GRANT, parameters={"assertion": SecretField("assertion")})
    assert needed_fields(vendor) == ("assertion",)
    sent = form(built(vendor, {"client_id": "i", "assertion": "theirs"}, assertion=never))
    assert sent == {"grant_type": JWT_BEARER_GRANT, "scope": "a", "assertion": "theirs", "client_id": "i"}


def test_the_refresh_after_a_signed_grant_has_no_assertion():
    sent = form(built(SIGNED_GRANT, KEY_FIELDS, refresh_token="r", assertion=never))
    assert sent == {"grant_type": "refresh_token", "refresh_token": "r", "scope": "a"}


@pytest.mark.parametrize("client_auth", ["private_key_jwt", "client_secret_jwt", "bearer_jwt"])
def test_without_a_signer_there_is_no_proof(client_auth):
    request = built(Vendor("acme", token_url="https://a.example/t", client_auth=client_auth), {**KEY_FIELDS, "client_secret": "s"})
    assert (form(request), request.headers.get("Authorization")) == ({"grant_type": "client_credentials"}, None)
    assert form(built(SIGNED_GRANT, KEY_FIELDS)) == {"grant_type": JWT_BEARER_GRANT}


@pytest.mark.parametrize(("grant_type", "scope"), [("authorization_code", None), (DEVICE_GRANT, None), ("refresh_token", "a b"), ("client_credentials", "a b")])
def test_the_scope_is_not_sent_with_an_authorization_or_device_code(grant_type, scope):
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="post", scope="a b")
    request = build_request(vendor, Grant(grant_type, {}), {"client_id": "i", "client_secret": "s"})
    assert form(request).get("scope") == scope


def test_identifiers_and_secrets_of_a_request_are_distinguished():
    fields = {"client_id": "i", "client_secret": "s", "username": "u", "password": "p", "subject": "p", "redirect_uri": "http://127.0.0.1:8/"}
    request = build_request(Vendor("acme", token_url="https://a.example/t", client_auth="basic"), Grant("authorization_code", {"code": "c"}), fields)
    assert set(request.secrets) == {"i", "s", "u", "p", "c", base64.b64encode(b"i:s").decode()}
    assert set(request.identifiers) == {"i", "u", "http://127.0.0.1:8/"}


@pytest.mark.parametrize("address", ["https://a.example/?k=v", "https://u@a.example/", "https://a.example/#k"])
def test_a_redirect_address_that_may_contain_a_secret_is_a_secret(address):
    grant = Grant("authorization_code", {"code": "c", "redirect_uri": address})
    request = build_request(Vendor("acme", token_url="https://a.example/t", client_auth="none"), grant, {})
    assert set(request.secrets) == {"c", address}


def test_a_redirect_address_equal_to_a_credential_is_a_secret():
    fields = {"client_id": "i", "client_secret": "urn:out-of-band", "redirect_uri": "urn:out-of-band"}
    request = build_request(Vendor("acme", token_url="https://a.example/t", client_auth="post"), Grant("authorization_code", {"code": "c"}), fields)
    assert (set(request.secrets), request.identifiers) == ({"i", "urn:out-of-band", "c"}, ("i",))


@pytest.mark.parametrize(("request_format", "usual"), [("form", "application/x-www-form-urlencoded"), ("json", "application/json")])
def test_a_given_content_type_is_kept(request_format, usual):
    for headers, sent in (({}, usual), ({"Content-Type": "text/x"}, "text/x")):
        vendor = Vendor("acme", token_url="https://a.example/t", client_auth="none", request_format=request_format, request_headers=headers)
        assert built(vendor, {}).headers == {"Content-Type": sent}


def test_a_list_parameter_is_sent_completely():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="none", request_format="json", parameters={"resource": ("a", "b", "c")})
    assert json.loads(built(vendor, {}).body)["resource"] == ["a", "b", "c"]


def test_a_refresh_is_sent_with_the_configured_method():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="none", request_format="form", request_method="PUT")
    assert built(vendor, {}, refresh_token="r").method == "PUT"
    assert built(dataclasses.replace(vendor, request_format="none"), {}, refresh_token="r").method == "PUT"


def test_a_client_authenticates_at_another_endpoint():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="post")
    parameters = [("client_id", "given twice"), ("scope", "a")]
    request = client_request(vendor, "https://a.example/device", {"client_id": "i", "client_secret": "s"}, parameters)
    assert (request.method, request.url, request.body) == ("POST", "https://a.example/device", b"scope=a&client_id=i&client_secret=s")
    assert request.headers == {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    assert (set(request.secrets), request.client_certificate, request.repeatable) == ({"i", "s"}, "", True)


@pytest.mark.parametrize("client_auth", ["private_key_jwt", "client_secret_jwt", "bearer_jwt"])
def test_a_client_that_signs_does_so_at_every_endpoint(client_auth):
    vendor = Vendor("acme", token_url="https://a.example/t", revocation_url="https://a.example/revoke", client_auth=client_auth)
    fields = {"client_id": "i", "private_key": "PEM", "client_secret": "s"}
    claims = []
    how = {"assertion": lambda more: claims.append(dict(more)) or "signed"}
    proof = {"client_id": "i", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion": "signed"}
    header = client_auth == "bearer_jwt"
    for request, own in (
        (built(vendor, fields, **how), {"grant_type": "client_credentials"}),
        (revocation_request(vendor, fields, "tok", hint="refresh_token", **how), {"token": "tok", "token_type_hint": "refresh_token"}),
    ):
        assert form(request) == {**own, **({} if header else proof)}
        assert request.headers.get("Authorization", "") == ("Bearer signed" if header else "")
        assert {"i", "PEM", "s", "signed"} <= set(request.secrets)
    assert claims == [{}, {}]


def test_a_client_certificate_is_used_at_every_endpoint():
    vendor = Vendor("acme", token_url="https://a.example/t", revocation_url="https://a.example/revoke", client_auth="tls_client_auth")
    fields = {"client_id": "i", "certificate": "CERT", "private_key": "KEY"}
    for request in (built(vendor, fields), revocation_request(vendor, fields, "tok", hint="access_token")):
        assert (request.client_certificate, form(request)["client_id"]) == ("CERT\nKEY", "i")
    assert built(dataclasses.replace(vendor, client_auth="none"), fields).client_certificate == ""
    assert built(vendor, {"client_id": "i", "certificate": "BOTH"}).client_certificate == "BOTH\n"
    assert built(vendor, {"client_id": "i"}).client_certificate == ""


def test_without_client_auth_the_client_uses_basic():
    request = built(Vendor("acme", token_url="https://a.example/t"), {"client_id": "i", "client_secret": "s"})
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"i:s").decode()


# -- credentials ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({}, "has no field 'username'"),
        ({"UserName": "u"}, "has no field 'username' (did you mean 'UserName'?)"),
        ({"other": "u", "user-name": "u"}, "has no field 'username' (did you mean 'user-name'?)"),
        ({"usernames\n" + "s" * 50: "u"}, "has no field 'username'"),
        ({"username": ""}, "has an empty field 'username'"),
        ({"username": " \n"}, "has an empty field 'username'"),
        ({"username": "\ufeff\n"}, "has an empty field 'username'"),
        ({"username": ["a"]}, "has a field 'username' that is neither a string nor a number"),
        ({"username": True}, "has a field 'username' that is neither a string nor a number"),
        ({"username": None}, "has a field 'username' that is neither a string nor a number"),
        ({"username": "a\ud800"}, "has a field 'username' with an incomplete character (a lone surrogate)"),
    ],
)
def test_an_unusable_credential_field_is_refused(data, problem):
    rest = {name: value for name, value in PASSWORD_FIELDS.items() if name != "username"}
    with pytest.raises(VaultError) as caught:
        credentials(request_for("trackunit"), {**rest, **data})
    assert caught.value.message == (
        f"trackunit: the secret secret/fleet/x {problem}. Put the vendor's username there, or name the right key with credential_fields."
    )
    assert caught.value.kind == "field"


def test_byte_order_mark_and_line_ends_around_a_credential_are_removed():
    found = credentials(request_for("trackunit"), {**PASSWORD_FIELDS, "password": "\ufeffpa ss\r\n"})
    assert found["password"] == "pa ss"
    assert credentials(request_for("trackunit"), {**PASSWORD_FIELDS, "password": "\nX ss X"})["password"] == "X ss X"


def test_credential_fields_renames_keys_and_extra_fields_are_ignored():
    request = request_for("tracx", secret={"fields": {"connect_token": "tok"}})
    assert credentials(request, {"tok": "x", "connect_token": "not this", "owner": 5}) == {"connect_token": "x"}
    with pytest.raises(VaultError, match="has no field 'tok'"):
        credentials(request, {"connect_token": "x"})


def test_a_secret_without_consent_says_how_to_get_it():
    vendor = built_in("trackmage").as_variant("authorization_code")
    request = dataclasses.replace(request_for("trackmage"), vendor=vendor)
    with pytest.raises(VaultError) as caught:
        credentials(request, {"client_id": "i", "client_secret": "s"})
    assert caught.value.message == (
        "trackmage: the secret secret/fleet/x has neither a refresh_token nor a code. "
        "Run the playbook trackops.api_tokens.authorize to give consent in the browser."
    )
    assert caught.value.kind == "field"
    client = {"client_id": "i", "client_secret": "s"}
    assert credentials(request, client, consent=True) == client
    for name in ("code", "refresh_token"):
        assert credentials(request, {**client, name: "x"}) == {**client, name: "x"}


@pytest.mark.parametrize(("stored", "sent"), [(17, "17"), (1.5, "1.5"), (WrittenNumber("1.50"), "1.50"), ("17", "17")])
def test_a_number_is_sent_as_it_was_written(stored, sent):
    assert credentials(request_for("trackunit"), {**PASSWORD_FIELDS, "password": stored})["password"] == sent


@pytest.mark.parametrize("stored", [None, True, [], "", " \n", "a\ud800"])
def test_an_unusable_optional_field_is_not_sent(stored):
    found = credentials(request_for("trackunit"), {**PASSWORD_FIELDS, "subject": stored, "key_id": " k\n"})
    assert found == {**PASSWORD_FIELDS, "key_id": "k"}


def test_an_optional_field_can_be_renamed():
    request = request_for("trackunit", secret={"fields": {"subject": "who"}})
    assert credentials(request, {**PASSWORD_FIELDS, "who": "w", "subject": "not this"}) == {**PASSWORD_FIELDS, "subject": "w"}


@pytest.mark.parametrize(
    ("scheme", "stored", "sent"),
    [
        (None, " Bearer  t ", "Bearer  t"),
        ("", " bearer  t\n", "t"),
        ("Token", "BEARER t", "t"),
        ("Token", "a bearer t", "a bearer t"),
    ],
)
def test_a_scheme_before_a_credential_is_removed_if_the_header_adds_one(scheme, stored, sent):
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="none", request_headers={"X-Key": SecretField("key", scheme), "X": "plain"})
    vendor = dataclasses.replace(vendor, parameters={"other": SecretField("other")})
    assert credentials(request_for(vendor), {"key": stored, "other": " Bearer o "}) == {"key": sent, "other": " Bearer o "}


@pytest.mark.parametrize("name", ["client_id", "refresh_token", "code", "code_verifier", "redirect_uri", "key_id", "subject"])
def test_white_space_around_identifiers_and_codes_is_removed(name):
    found = credentials(request_for("trackunit"), {**PASSWORD_FIELDS, name: " Bearer x\t"})
    assert found == {**PASSWORD_FIELDS, name: "x" if name == "refresh_token" else "Bearer x"}


def test_white_space_around_a_password_is_kept_and_mentioned():
    fields = {**PASSWORD_FIELDS, "username": "u ", "password": " p", "private_key": " PEM\n", "certificate": "PEM "}
    assert built("trackunit", fields).doubts == ("The secret has white space at an end of: password, username.",)
    assert built("trackunit").doubts == ()


def test_certificate_and_key_can_be_renamed_or_combined():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="tls_client_auth")
    request = request_for(vendor, secret={"fields": {"certificate": "both"}})
    stored = "-----BEGIN PRIVATE KEY-----"
    assert credentials(request, {"client_id": "i", "both": stored, "certificate": "not this"}) == {"client_id": "i", "certificate": stored}
    assert credentials(request, {"client_id": "i", "both": "C", "private_key": "K"}) == {"client_id": "i", "certificate": "C", "private_key": "K"}
    assert credentials(request_for(vendor), {"client_id": "i", "certificate": stored}) == {"client_id": "i", "certificate": stored}


def test_a_client_certificate_of_the_options_replaces_that_of_the_secret():
    found = credentials(request_for("trackunit", http={"client_cert": "/c.pem"}), {**PASSWORD_FIELDS, "certificate": "C"})
    assert found == credentials(request_for("trackunit", http={"client_cert": "/c.pem"}), PASSWORD_FIELDS) == PASSWORD_FIELDS
    assert credentials(request_for("trackunit"), {**PASSWORD_FIELDS, "certificate": "C"})["certificate"] == "C"


# -- grants --------------------------------------------------------------------------------------------------------


def test_a_code_is_exchanged_with_its_redirect_address_and_verifier():
    vendor = built_in("trackmage").as_variant("authorization_code")
    fields = {"client_id": "i", "client_secret": "s", "code": "c", "redirect_uri": "u", "code_verifier": "v"}
    (way,) = grants(vendor, fields)
    assert way == Grant("authorization_code", {"code": "c", "redirect_uri": "u", "code_verifier": "v"}, repeatable=False)
    assert grants(vendor, {**fields, "code": ""}) == []
    assert grants(dataclasses.replace(vendor, grant_type="refresh_token"), {**fields, "refresh_token": "r"}) == [
        Grant("refresh_token", {"refresh_token": "r"}, repeatable=False)
    ]


def test_use_refresh_token_false_ignores_the_refresh_token():
    vendor = request_for("trackunit").vendor
    own = Grant("password", {"username": "user", "password": "p4ssw0rd"})
    assert grants(vendor, PASSWORD_FIELDS, refresh_token="r") == [Grant("refresh_token", {"refresh_token": "r"}, repeatable=False), own]
    assert grants(vendor, PASSWORD_FIELDS, refresh_token="") == [own]
    assert grants(dataclasses.replace(vendor, use_refresh_token=False), PASSWORD_FIELDS, refresh_token="r") == [own]


def test_the_repr_of_a_grant_hides_its_fields():
    assert "p4ssw0rd" not in repr(Grant("password", {"password": "p4ssw0rd"}))
