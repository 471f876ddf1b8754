# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Endpoints from an issuer, and signed client assertions."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.discovery import discovered, signed_assertion
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from support.scripted import NOW, Scene, answer, request_for

ISSUER = "https://login.example/realm"
METADATA = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/t", "revocation_endpoint": f"{ISSUER}/r", "authorization_endpoint": f"{ISSUER}/a"}


def found(scene, **vendor):
    return discovered(request_for(Vendor("acme", **{"issuer": ISSUER, **vendor})), ports=scene.ports, until=NOW + 60)


def failure(*replies, family=VendorError):
    with pytest.raises(family) as caught:
        found(Scene(*replies))
    return caught.value.message


def test_rfc_8414_first_then_openid():
    scene = Scene(answer(404), answer(200, METADATA))
    vendor = found(scene)
    assert (vendor.token_endpoint, vendor.revocation_url, vendor.authorize_url) == (f"{ISSUER}/t", f"{ISSUER}/r", f"{ISSUER}/a")
    assert [(request.method, request.url) for request in scene.sent] == [
        ("GET", "https://login.example/.well-known/oauth-authorization-server/realm"),
        ("GET", "https://login.example/realm/.well-known/openid-configuration"),
    ]
    assert scene.sent[0].headers == {"Accept": "application/json"}
    assert found(Scene(answer(200, METADATA))).token_endpoint == f"{ISSUER}/t"


def test_only_where_it_is_needed():
    assert found(Scene(), token_url="https://a.example/t").token_url == "https://a.example/t"
    assert found(Scene(), issuer="", token_url="https://a.example/t").issuer == ""


def test_options_win_over_metadata():
    assert found(Scene(answer(200, METADATA)), revocation_url="https://a.example/r").revocation_url == "https://a.example/r"


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([answer(404), answer(503)], "acme: the issuer login.example publishes no OAuth 2.0 metadata. Check issuer, or set token_url."),
        ([answer(200, b"<html>")], "acme: the metadata of login.example names no token_endpoint. Set token_url."),
        ([answer(200, [])], "acme: the metadata of login.example names no token_endpoint. Set token_url."),
        ([answer(200, {**METADATA, "token_endpoint": 5})], "acme: the metadata of login.example names no token_endpoint. Set token_url."),
        ([answer(200, {**METADATA, "issuer": "https://evil.example"})], "acme: the metadata of login.example is for another issuer. Check issuer."),
        ([answer(200, {"token_endpoint": f"{ISSUER}/t"})], "acme: the metadata of login.example is for another issuer. Check issuer."),
    ],
)
def test_metadata_that_cannot_be_used(replies, message):
    assert failure(*replies) == message


def test_metadata_that_leads_to_plain_http():
    assert failure(answer(200, {**METADATA, "token_endpoint": "http://login.example/t"}), family=OptionError) == (
        "acme: login.example would get the credentials over plain http. Use https, or set allow_http if you must."
    )


def pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
VENDOR = Vendor("acme", token_url="https://a.example/t", client_auth="private_key_jwt")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (RSA, "RS256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ec.generate_private_key(ec.SECP521R1()), "ES512"),
    ],
)
def test_an_assertion(key, algorithm):
    jwt = pytest.importorskip("jwt")
    fields = {"client_id": "i", "private_key": pem(key), "key_id": "k1"}
    signed = signed_assertion(VENDOR, fields, {}, now=NOW)
    claims = jwt.decode(signed, key.public_key(), algorithms=[algorithm], audience="https://a.example/t", options={"verify_exp": False, "verify_iat": False})
    assert (claims["iss"], claims["sub"], claims["iat"], claims["exp"]) == ("i", "i", NOW, NOW + 60)
    assert jwt.get_unverified_header(signed)["kid"] == "k1"
    assert signed_assertion(VENDOR, fields, {}, now=NOW) != signed  # an identifier of its own each time


@pytest.mark.parametrize(
    "key",
    [
        "pl4nted",
        pem(RSA, BestAvailableEncryption(b"x")),
        pem(dsa.generate_private_key(2048)),
        "-----BEGIN PRIVATE KEY-----",
        pem(ec.generate_private_key(ec.SECP256R1())).replace("M", "N", 1),
    ],
)
def test_a_key_that_cannot_sign(key):
    pytest.importorskip("jwt")
    with pytest.raises(VaultError) as caught:
        signed_assertion(VENDOR, {"client_id": "i", "private_key": key}, {}, now=NOW)
    assert caught.value.message == ("acme: the field 'private_key' of the secret is no usable RSA, EC or Ed25519 key in PEM form, unencrypted.")
    assert caught.value.__suppress_context__


def test_pyjwt_is_not_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jwt", None)
    with pytest.raises(OptionError) as caught:
        signed_assertion(VENDOR, {"client_id": "i", "private_key": ""}, {}, now=NOW)
    assert caught.value.message == ("acme: private_key_jwt needs the Python library PyJWT. Install it where ansible runs: pip install PyJWT")
