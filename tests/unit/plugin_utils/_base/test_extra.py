# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else a vendor said: useful facts stay, and nothing that is or holds a credential."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.extra import is_secret_name, public

SECRET = "cl1ent+s3cret/"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"


@pytest.mark.parametrize(
    "name",
    [
        *("refreshToken", "RefreshToken", "refresh-token", "REFRESH_TOKEN", "idToken", "id_token", "client_secret", "clientSecret", "password", "userPassword"),
        *("api_key", "apiKey", "X-Api-Key", "session_id", "sessionId", "sid", "eid", "set-cookie", "Authorization", "assertion", "jwt", "privateKey", "passwd"),
    ],
)
def test_names_of_credentials(name):
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
        {"permissions": {"read": ["a", "b"]}, "limit": 1.5, "nothing": None},
    ],
)
def test_facts_stay(said):
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
        "x" * 2001,
    ],
)
def test_values_that_are_or_hold_credentials(value):
    said = {"note": value, "list": [value, "kept"], "deep": {"er": {"note": value, "kept": 1}}, value: "as a name"}
    assert public(said, without=(), secrets=[SECRET]) == {"list": ["kept"], "deep": {"er": {"kept": 1}}}


def test_what_was_left_out_for_its_name_is_left_out_elsewhere_too():
    said = {"refreshToken": "rt-8f3a-22", "self": "https://a.example/rt-8f3a-22", "other": "kept"}
    assert public(said, without=(), secrets=()) == {"other": "kept"}


def test_a_number_that_is_a_credential():
    assert public({"echo": 12345678, "pin": 4711, "count": 4}, without=(), secrets=["12345678"]) == {"count": 4}


def test_names_with_a_place_of_their_own_and_half_characters():
    said = public({"scope": "x", "note\udc00": "half \ud800 here"}, without=("scope",), secrets=())
    assert json.loads(json.dumps(said, ensure_ascii=False).encode()) == {"note\ufffd": "half \ufffd here"}


def test_more_secrets_than_can_be_looked_for_leave_nothing():
    """Each would be looked for in each text: minutes, for an answer of 60 kB."""
    few, many = ([f"secret-{number:06}" for number in range(count)] for count in (60, 3000))
    assert public({"token": few, "list": ["a", "secret-000001"]}, without=(), secrets=["s3cret"]) == {"list": ["a"]}
    assert public({"token": many, "list": ["a", *many]}, without=(), secrets=["s3cret"]) == {}
