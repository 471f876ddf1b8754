# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other fields of a vendor's answer: useful facts stay; whatever is or contains a credential is dropped."""

from __future__ import annotations

import base64
import json
import pathlib

import pytest
import yaml
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base import extra
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.extra import is_secret_name, public

ROOT = pathlib.Path(__file__).resolve().parents[4]
SECRET = "cl1ent+s3cret/"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"


@pytest.mark.parametrize(
    "name",
    [
        *("refreshToken", "RefreshToken", "refresh-token", "REFRESH_TOKEN", "idToken", "id_token", "client_secret", "clientSecret", "password", "userPassword"),
        *("api_key", "apiKey", "X-Api-Key", "session_id", "sessionId", "sid", "eid", "set-cookie", "Authorization", "assertion", "jwt", "privateKey", "passwd"),
        *("pass", "passcode", "pass_code", "user_pass", "dbPass", "pwd", "db_pwd", "pin", "pincode", "user_pin", "otp", "totp", "mfa_code", "2fa_code"),
        *("code", "auth_code", "authcode", "activation_code", "verificationCode", "recovery_codes", "backup_codes", "device_code", "user_code", "invite_code"),
        *("key", "keys", "signing_key", "signatureKey", "encryption_key", "master_key", "shared_key", "account_key", "AccountKey", "subscription_key"),
        *("client_key", "hmac_key", "aes_key", "ssh_key", "rsa_key", "license_key", "dpop_key", "jwk", "jwks", "x-functions-key", "Ocp-Apim-Subscription-Key"),
        *("sas", "sas_url", "connection_string", "ConnectionString", "dsn", "sentry_dsn", "database_url", "db_uri", "redis_url", "webhook_url"),
        *("basic_auth", "http_basic_auth", "auth_header", "auth_value", "pfx", "p12", "keystore", "saml", "samlresponse", "SAMLResponse", "signature", "x_sig"),
        *("magic_link", "reset_url", "password_reset_url", "invite_url", "signed_url", "presignedUrl", "activation_link"),
        *("ticket_granting_ticket", "tgt", "cas_ticket", "service-ticket", "csrf", "xsrf", "sess", "phpsessid", "jsessionid", "mnemonic"),
    ],
)
def test_fields_named_like_a_credential_are_dropped(name):
    assert is_secret_name(name)
    assert public({name: "value-of-it", "a": {"b": [{name: "value-of-it"}]}, "kept": 1}, without=(), secrets=()) == {"a": {"b": [{}]}, "kept": 1}
    assert public({name: {"value": "nested-value"}}, without=(), secrets=()) == {}
    assert public({name: ["in", "a", "list"]}, without=(), secrets=()) == {}


@pytest.mark.parametrize(
    "said",
    [
        {"user_id": "b6f0", "user_email": "ops@example.com"},
        {"refresh_token_expires_in": 7200, "token_type_hint": "x", "refreshTokenExpiresAt": "2027-01-01", "session_state": "6f2a"},
        {"token_endpoint": "https://a.example/token", "instance_url": "https://na1.example", "code": 200, "has_password": True},
        {
            "key_id": "2024-1",
            "kid": "2024-1",
            "public_key": "MFkw",
            "primary_key": "id",
            "sort_key": "name",
            "project_key": "OPS",
            "keyboard": "de",
            "monkey": "1",
        },
        {"expires_in": 5, "token_type": "Bearer", "key_type": "EC", "password_expires_at": 1, "client_secret_expires_at": 0, "signing_alg": "RS256"},
        {"country_code": "DE", "postal_code": "80331", "currencyCode": "EUR", "error_code": "e1", "status_code": 7, "language_code": "de", "zip": "1"},
        {"bypass": "no", "compass": "N", "pins": 4, "shipping": "dhl", "origin": "MUC", "config": "a", "design": "b", "opinion": "c", "ticket_id": "T-1"},
        {
            "login_url": "https://a.example/login",
            "callback_url": "https://a.example/",
            "assigned_url": "https://a.example/1",
            "website_link": "https://a.example",
        },
        {"text": "Use bearer authentication or basic authentication.", "more": "The token=? A basic plan, with keys to all doors; code=5."},
        {"a": "https://a.example:8443/x@y", "b": "mailto:ops@example.com", "c": "s.oliver", "d": "AKIAB", "e": "risk-assessment-of-tasks", "f": "12:30 @ home"},
        {"permissions": {"read": ["a", "b"]}, "limit": 1.5, "nothing": None},
    ],
)
def test_harmless_fields_are_kept(said):
    assert public(said, without=(), secrets=[SECRET]) == said


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"your secret is {SECRET}!",
        SECRET.upper(),
        base64.b64encode(f"id:{SECRET}".encode()).decode(),
        SECRET.encode().hex(),
        JWT,
        f"token={JWT};",
        "Bearer abcdefgh",
        "-----BEGIN RSA PRIVATE KEY-----",
        "https://a.example/cb?access_token=abc",
        "https://a.example/cb#code=abc",
        "ghp_abcdef",
        *("https://user:hunter2@db.example/x", "see amqp://u:p@mq/ there", "postgresql+psycopg://u:p%20w@db:5432/x", "redis://:hunter2@cache:6379/0"),
        *(
            "Authorization: Bearer abcdefghijkl",
            'curl -H "authorization: token abcdef"',
            "use Basic dXNlcjpwYXNz",
            "with bearer 9f8e7d6c",
            "a bearer abcdefghijklmnopqrstuvw",
        ),
        *("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc==;EndpointSuffix=b", "Server=db;Uid=me;Pwd=hunter2;", "SharedAccessKey=abcd"),
        *(
            "AKIAIOSFODNN7EXAMPLE",
            "AIzaSyA-1234567890abcdefghijklmnopqrstu",
            "sk_test_abcdefghij",
            "rk_live_abcdef123",
            "npm_abcdefghijklmnopqrstuvwxyz0123456789",
        ),
        *("pypi-AgEIcHlwaS5vcmc", "SG.abcdefgh.ijklmnop", "dop_v1_abcdef", "sk-proj-abcdefghijkl", "hf_abcdefghijkl", "s.abcdefghijklmnopqrstuvwx"),
        *("https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXXXXX", "-----BEGIN PGP PRIVATE KEY BLOCK-----", "https://x.blob/?sv=1&sig=abc"),
        "x" * 2001,
    ],
)
def test_values_that_contain_a_credential_are_dropped(value):
    said = {"note": value, "list": [value, "kept", {"note": value, "kept": "x"}], "deep": {"er": {"note": value, "kept": 1}}, value: "as a name"}
    assert public(said, without=(), secrets=[SECRET]) == {"list": ["kept", {"kept": "x"}], "deep": {"er": {"kept": 1}}}


def test_a_value_dropped_for_its_name_is_dropped_everywhere():
    said = {"refreshToken": "rt-8f3a-22", "self": "https://a.example/rt-8f3a-22", "other": "kept"}
    assert public(said, without=(), secrets=()) == {"other": "kept"}


def test_values_nested_below_a_secret_name_are_dropped_everywhere_except_short_words():
    said = {"secret": {"a": ["nested-value"], "b": {"c": "sixsix"}, "d": "five5"}, "other": "the nested-value", "six": "sixsix", "five": "five5"}
    assert public(said, without=(), secrets=()) == {"five": "five5"}


def test_flags_and_status_codes_with_a_secret_name_are_kept():
    said = {"password": True, "token": None, "CODE": 200, "Code": 4.5, "code": "4711", "pin": 4711, "key": 0.5}
    assert public(said, without=(), secrets=["True", "None", ""]) == {"password": True, "token": None, "CODE": 200, "Code": 4.5}


def test_an_empty_credential_matches_nothing():
    assert public({"a": "", "b": "text"}, without=(), secrets=[""]) == {"a": "", "b": "text"}


def test_a_text_longer_than_2000_characters_is_dropped():
    assert public({"a": "-" * 2000, "b": "-" * 2001}, without=(), secrets=()) == {"a": "-" * 2000}


def test_a_number_equal_to_a_credential_is_dropped():
    assert public({"echo": 12345678, "pin": 4711, "count": 4}, without=(), secrets=["12345678"]) == {"count": 4}


def test_fields_returned_elsewhere_are_left_out_and_lone_surrogates_are_replaced():
    said = public({"scope": "x", "note\udc00": "half \ud800 here"}, without=("scope",), secrets=())
    assert json.loads(json.dumps(said, ensure_ascii=False).encode()) == {"note\ufffd": "half \ufffd here"}


def test_too_many_secrets_to_search_for_leave_nothing():
    """Each would be searched for in each text, which takes minutes for an answer of 60 kB."""
    few, many = ([f"secret-{number:06}" for number in range(count)] for count in (63, 64))
    assert public({"token": few, "list": ["a", "secret-000001"]}, without=(), secrets=["s3cret"]) == {"list": ["a"]}
    assert public({"token": many, "list": ["a", *many]}, without=(), secrets=["s3cret"]) == {}


def test_the_schedule_role_uses_the_same_patterns_for_secret_names():
    """A role cannot call code that is private to the plugins, so it has its own copy."""
    ours = yaml.safe_load((ROOT / "roles/schedule/vars/main.yml").read_text(encoding="utf-8"))
    assert "|".join(ours["__schedule_secret_names"]) == extra._SECRET.pattern
    assert set(ours["__schedule_secret_whole"]) == extra._SECRET_WHOLE
    assert ours["__schedule_secret_addresses"] == extra._SECRET_ADDRESS.pattern
    assert ours["__schedule_about_secrets"] == extra._ABOUT.pattern


def test_a_value_nested_too_deeply_drops_everything():
    deep = "x"
    for _ in range(3000):
        deep = {"a": [deep]}
    assert public({"deep": deep, "a": 1}, without=(), secrets=["s3cret"]) == {}
