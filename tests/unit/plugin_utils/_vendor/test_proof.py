# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signed proofs: every algorithm and every signer, verified with another library."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import ssl
import sys
import types

import jwt
import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import SecretField, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.custom import vendor_from_mapping
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.proof import signed_assertion, signer, transit_key
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.request import build_request, credentials, grants, needed_fields
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.retry import ask
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from support.scripted import NOW, Scene, access, answer, request_for


def pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())  # faster to read and to sign with
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
def test_an_assertion_is_signed_with_every_kind_of_key(key, algorithm):
    fields = {"client_id": "i", "private_key": pem(key), "key_id": "k1"}
    signed = signed_assertion(VENDOR, fields, {}, now=NOW)
    claims = jwt.decode(signed, key.public_key(), algorithms=[algorithm], audience="https://a.example/t", options={"verify_exp": False, "verify_iat": False})
    assert (claims["iss"], claims["sub"], claims["iat"], claims["exp"]) == ("i", "i", NOW, NOW + 60)
    assert jwt.get_unverified_header(signed)["kid"] == "k1"
    assert signed_assertion(VENDOR, fields, {}, now=NOW) != signed  # each proof has its own identifier


def test_assertion_claims_add_and_remove_claims():
    claims = {"sub": None, "jti": None, "box_sub_type": "enterprise", "aud": {"nested": SecretField("tenant")}}
    vendor = dataclasses.replace(VENDOR, assertion_claims=claims)
    assert needed_fields(vendor) == ("client_id", "private_key", "tenant")
    signed = signed_assertion(vendor, {"client_id": "i", "private_key": pem(RSA), "tenant": "t1"}, {"scope": "a"}, now=NOW)
    found = jwt.decode(signed, options={"verify_signature": False})
    assert found == {"iss": "i", "aud": {"nested": "t1"}, "iat": NOW, "exp": NOW + 60, "scope": "a", "box_sub_type": "enterprise"}


@pytest.mark.parametrize(
    "key",
    [
        "pl4nted",
        pem(RSA, BestAvailableEncryption(b"x")),
        pem(x25519.X25519PrivateKey.generate()),
        "-----BEGIN PRIVATE KEY-----",
        pem(ec.generate_private_key(ec.SECP256R1())).replace("M", "N", 1),
    ],
)
def test_an_unusable_private_key_is_refused(key):
    with pytest.raises(VaultError) as caught:
        signed_assertion(VENDOR, {"client_id": "i", "private_key": key}, {}, now=NOW)
    assert caught.value.message == ("acme: the field 'private_key' of the secret is not a usable, unencrypted RSA, EC or Ed25519 key in PEM form.")
    assert (caught.value.kind, caught.value.__suppress_context__) == ("field", True)


def test_a_missing_pyjwt_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(OptionError) as caught:
        signed_assertion(VENDOR, {"client_id": "i", "private_key": ""}, {}, now=NOW)
    assert caught.value.message == (
        "acme: a signature with a private key needs the Python library PyJWT. Install it where ansible runs: pip install PyJWT. "
        "With transit_key, Vault signs and it is not needed."
    )
    assert caught.value.error_code == "TRK-O13"


def test_another_library_named_jwt_is_recognized(monkeypatch):
    """https://github.com/ansible-collections/community.general/issues/10807: `pip install jwt` installs another library."""
    monkeypatch.setitem(sys.modules, "jwt", types.ModuleType("jwt"))
    with pytest.raises(OptionError) as caught:
        signed_assertion(VENDOR, {"client_id": "i", "private_key": ""}, {}, now=NOW)
    assert caught.value.message == (
        "acme: a signature with a private key needs the Python library PyJWT. Another library named jwt is in its place: uninstall jwt and PyJWT "
        "where ansible runs, then install PyJWT alone. With transit_key, Vault signs and neither is needed."
    )
    assert caught.value.error_code == "TRK-O13"


def decoded(token, key, algorithm, audience="https://a.example/t"):
    return jwt.decode(token, key, algorithms=[algorithm], audience=audience, options={"verify_exp": False, "verify_iat": False})


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
@pytest.mark.thorough
def test_the_configured_algorithm_and_audience_are_used(algorithm):
    vendor = Vendor(
        "acme", token_url="https://a.example/t", client_auth="private_key_jwt", assertion_algorithm=algorithm, assertion_audience="https://a.example"
    )
    signed = signed_assertion(vendor, {"client_id": "i", "private_key": pem(RSA)}, {}, now=NOW)
    assert decoded(signed, RSA.public_key(), algorithm, "https://a.example")["iss"] == "i"


@pytest.mark.parametrize(
    ("key", "algorithm", "words"),
    [
        (RSA, "ES256", "RS256, RS384, RS512, PS256, PS384 or PS512"),
        (ec.generate_private_key(ec.SECP256R1()), "ES384", "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "HS256", "EdDSA"),
    ],
)
def test_an_algorithm_that_does_not_suit_the_key_is_refused(key, algorithm, words):
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="private_key_jwt", assertion_algorithm=algorithm)
    with pytest.raises(OptionError) as caught:
        signed_assertion(vendor, {"client_id": "i", "private_key": pem(key)}, {}, now=NOW)
    assert caught.value.message == f"acme: assertion_algorithm={algorithm} does not suit the private_key of the secret, which signs with {words}."
    assert caught.value.fault == "option:clash"


def test_a_private_key_on_one_line_is_accepted():
    fields = {"client_id": "i", "private_key": pem(RSA).strip().replace("\n", "\\n")}
    assert decoded(signed_assertion(VENDOR, fields, {}, now=NOW), RSA.public_key(), "RS256")["sub"] == "i"


@pytest.mark.parametrize("algorithm", ["", "HS256", "HS384", "HS512"])
def test_client_secret_jwt_signs_with_the_client_secret(algorithm, monkeypatch):
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="client_secret_jwt", assertion_algorithm=algorithm)
    secret = "s3cr3t-" * 12
    assert needed_fields(vendor) == ("client_id", "client_secret")
    signed = signed_assertion(vendor, {"client_id": "i", "client_secret": secret}, {}, now=NOW)
    assert decoded(signed, secret, algorithm or "HS256")["iss"] == "i"
    bad = Vendor("acme", token_url="https://a.example/t", client_auth="client_secret_jwt", assertion_algorithm="RS256")
    with pytest.raises(OptionError, match="client_secret_jwt signs with HS256, HS384 or HS512"):
        signed_assertion(bad, {"client_id": "i", "client_secret": secret}, {}, now=NOW)


def test_transit_signs_without_pyjwt(monkeypatch):
    monkeypatch.setitem(sys.modules, "jwt", None)
    asked = []

    def transit(mount, key, data, algorithm):
        asked.append((mount, key, algorithm))
        return RSA.sign(data, padding.PKCS1v15(), SHA256())

    vendor = vendor_from_mapping("acme", {"token_url": "https://a.example/t", "client_auth": "private_key_jwt", "transit_key": "team/transit/acme"})
    assert needed_fields(vendor) == ("client_id",)
    signed = signed_assertion(vendor, {"client_id": "i", "key_id": "k"}, {}, now=NOW, transit=transit)
    assert decoded(signed, RSA.public_key(), "RS256")["jti"]
    assert asked == [("team/transit", "acme", "RS256")]
    with pytest.raises(OptionError) as caught:
        vendor_from_mapping("acme", {"transit_key": "acme"})
    assert caught.value.message == "acme: transit_key must be <mount>/<key name>, for example transit/acme."


def parts(token):
    header, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
    return header.decode(), claims.decode(), signature


def test_the_signed_text_is_compact_json():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="client_secret_jwt", assertion_claims={"jti": "j"})
    signed = signed_assertion(vendor, {"client_id": "i", "client_secret": "ü", "key_id": "k"}, {}, now=NOW + 0.9)
    header, claims, signature = parts(signed)
    assert header == '{"typ":"JWT","kid":"k","alg":"HS256"}'
    assert claims == f'{{"iss":"i","sub":"i","aud":"https://a.example/t","jti":"j","iat":{NOW:.0f},"exp":{NOW + 60:.0f}}}'
    assert signature == hmac.digest("ü".encode(), signed.rpartition(".")[0].encode(), "sha256")
    assert "=" not in signed


def test_an_identifier_has_128_random_bits():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="client_secret_jwt")
    identifiers = {json.loads(parts(signed_assertion(vendor, {"client_id": "i", "client_secret": "s"}, {}, now=NOW))[1])["jti"] for _time in range(3)}
    assert (len(identifiers), {len(bytes.fromhex(one)) for one in identifiers}) == (3, {16})


def test_a_grant_is_signed_with_the_private_key_whatever_client_auth_is():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="client_secret_jwt")
    signed = signed_assertion(vendor, {"client_id": "i", "client_secret": "s", "private_key": pem(P256)}, {"sub": "s"}, now=NOW)
    assert decoded(signed, P256.public_key(), "ES256")["sub"] == "s"


def test_client_secret_jwt_refuses_algorithms_for_private_keys():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="client_secret_jwt", assertion_algorithm="RS256")
    with pytest.raises(OptionError) as caught:
        signed_assertion(vendor, {"client_id": "i", "client_secret": "s"}, {}, now=NOW)
    assert caught.value.message == "acme: client_secret_jwt signs with HS256, HS384 or HS512. Set assertion_algorithm to one of them, or leave it out."
    assert caught.value.fault == "option:clash"


@pytest.mark.parametrize(("algorithm", "asked_for"), [("", "RS256"), ("EdDSA", "EdDSA"), ("ES512", "ES512")])
def test_transit_gets_mount_key_data_and_algorithm(algorithm, asked_for):
    asked = []
    vendor = dataclasses.replace(VENDOR, transit_key="/X/transit/kX/", assertion_algorithm=algorithm)
    signed = signed_assertion(vendor, {"client_id": "i"}, {}, now=NOW, transit=lambda *arguments: asked.append(arguments) or b"\x00\x00\x17")
    assert (parts(signed)[0], signed.rpartition(".")[2]) == (f'{{"typ":"JWT","alg":"{asked_for}"}}', "AAAX")
    assert asked == [("X/transit", "kX", signed.rpartition(".")[0].encode(), asked_for)]


@pytest.mark.parametrize(
    ("algorithm", "words"),
    [
        ("HS256", "a transit key signs with one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA."),
        ("RS256", "transit_key cannot be used here."),
    ],
)
def test_an_algorithm_that_transit_cannot_sign_is_refused(algorithm, words):
    vendor = dataclasses.replace(VENDOR, transit_key="transit/k", assertion_algorithm=algorithm)
    with pytest.raises(OptionError) as caught:
        signed_assertion(vendor, {"client_id": "i"}, {}, now=NOW)
    assert (caught.value.message, caught.value.fault) == (f"acme: {words}", "option:clash")


@pytest.mark.parametrize("given", ["k", "/k", "transit/", "/", ""])
def test_an_incomplete_transit_key_is_refused(given):
    with pytest.raises(OptionError) as caught:
        transit_key(Vendor("acme", transit_key=given))
    assert caught.value.coded_message == "acme: transit_key must be <mount>/<key name>, for example transit/acme. [TRK-O02]"


def test_a_signer_records_each_proof():
    moments, vendor = iter([NOW, NOW + 5]), dataclasses.replace(VENDOR, transit_key="transit/k")
    known = {"before"}

    def transit(mount, key, data, algorithm):
        return b"signed by " + f"{mount}/{key}".encode()

    sign = signer(vendor, {"client_id": "i"}, clock=lambda: next(moments), transit=transit, signed=known)
    proofs = [sign({}), sign({"scope": "a"})]
    assert known == {"before", *proofs}
    assert [jwt.decode(proof, options={"verify_signature": False})["iat"] for proof in proofs] == [int(NOW), int(NOW) + 5]
    assert jwt.decode(proofs[1], options={"verify_signature": False})["scope"] == "a"


def test_bearer_jwt_sends_the_proof_in_the_header():
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="bearer_jwt", request_format="none")
    fields = {"client_id": "i", "private_key": pem(RSA)}
    request = build_request(vendor, grants(vendor, fields)[0], fields, assertion=lambda more: signed_assertion(vendor, fields, more, now=NOW))
    scheme, _, signed = request.headers["Authorization"].partition(" ")
    claims = decoded(signed, RSA.public_key(), "RS256")
    assert (scheme, request.body, claims["iat"], claims["exp"]) == ("Bearer", None, NOW - 60, NOW + 60)
    assert signed in request.secrets


def test_the_proof_has_the_thumbprints_of_the_certificate():
    der = bytes(range(255))  # its Base64 has no padding at which a reader might stop
    certificate = ssl.DER_cert_to_PEM_cert(der)
    fields = {"client_id": "i", "private_key": pem(RSA), "certificate": "Bag Attributes\n" + certificate}
    header = jwt.get_unverified_header(signed_assertion(VENDOR, fields, {}, now=NOW))
    for name, digest in (("x5t", hashlib.sha1), ("x5t#S256", hashlib.sha256)):
        assert header[name] == base64.urlsafe_b64encode(digest(der).digest()).decode().rstrip("=")
    with pytest.raises(VaultError) as caught:
        signed_assertion(VENDOR, {**fields, "certificate": "pl4nted"}, {}, now=NOW)
    assert caught.value.message == "acme: the field 'certificate' of the secret is not a certificate in PEM form."
    assert (caught.value.kind, caught.value.__suppress_context__) == ("field", True)
    issuer = ssl.DER_cert_to_PEM_cert(b"of the issuer")
    followed = {**fields, "private_key": pem(P256), "certificate": f"{certificate}\nfriendlyName: x\n{issuer}"}
    assert jwt.get_unverified_header(signed_assertion(VENDOR, followed, {}, now=NOW)) == {**header, "alg": "ES256"}


def test_a_sha_1_thumbprint_works_where_sha_1_is_forbidden_for_security(monkeypatch):
    """In FIPS mode, for example."""
    sha1 = hashlib.sha1

    def forbidden(data, *, usedforsecurity=True):
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return sha1(data, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "sha1", forbidden)
    vendor = dataclasses.replace(VENDOR, client_auth="client_secret_jwt")
    fields = {"client_id": "i", "client_secret": "s3cr3t-" * 12, "certificate": ssl.DER_cert_to_PEM_cert(b"der")}
    header = jwt.get_unverified_header(signed_assertion(vendor, fields, {}, now=NOW))
    assert header["x5t"] == base64.urlsafe_b64encode(sha1(b"der", usedforsecurity=False).digest()).decode().rstrip("=")


def test_with_tls_client_auth_the_proof_has_no_thumbprint():
    vendor = dataclasses.replace(VENDOR, client_auth="tls_client_auth")
    fields = {"client_id": "i", "private_key": pem(P256), "certificate": "a file's text", "key_id": ""}
    assert jwt.get_unverified_header(signed_assertion(vendor, fields, {"sub": "s"}, now=NOW)) == {"alg": "ES256", "typ": "JWT"}


def test_each_attempt_has_a_new_proof():
    request = request_for(VENDOR)
    fields = {"client_id": "i", "private_key": pem(RSA)}
    scene = Scene(answer(504), answer(503), access())
    way = grants(VENDOR, fields)[0]

    def build():
        return build_request(VENDOR, way, fields, assertion=lambda more: signed_assertion(VENDOR, fields, more, now=scene.now))

    ask(request, build(), way, ports=scene.ports, until=NOW + 60, secret_version="7", again=build)
    assert len({sent.body for sent in scene.sent}) == 3


@pytest.mark.parametrize(
    ("data", "http", "pem_sent"),
    [
        ({"certificate": "CERT", "private_key": "KEY"}, {}, "CERT\nKEY"),
        ({"certificate": "CERT PRIVATE KEY"}, {}, "CERT PRIVATE KEY\n"),
        ({"certificate": "CERT", "private_key": "KEY"}, {"client_cert": "/c.pem"}, ""),
        ({}, {"client_cert": "/c.pem"}, ""),
    ],
)
def test_tls_client_auth_sends_the_certificate_and_key(data, http, pem_sent):
    vendor = Vendor("acme", token_url="https://a.example/t", client_auth="tls_client_auth")
    fields = credentials(request_for(vendor, http=http), {"client_id": "i", **data})
    request = build_request(vendor, grants(vendor, fields)[0], fields)
    assert (request.client_certificate, "PRIVATE" in repr(request), request.body) == (pem_sent, False, b"grant_type=client_credentials&client_id=i")


def test_tls_client_auth_needs_a_certificate_and_a_key():
    with pytest.raises(VaultError, match="has no field 'certificate'"):
        credentials(request_for(Vendor("acme", token_url="https://a.example/t", client_auth="tls_client_auth")), {"client_id": "i"})
    with pytest.raises(VaultError, match="has no field 'private_key'"):
        credentials(request_for(Vendor("acme", token_url="https://a.example/t", client_auth="tls_client_auth")), {"client_id": "i", "certificate": "C"})
