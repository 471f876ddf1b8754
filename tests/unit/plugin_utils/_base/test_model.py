# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data classes: what they show, and what they never show."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base import model
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import (
    Freshness,
    HttpOptions,
    HttpRequest,
    Login,
    Request,
    Secret,
    SecretRef,
    Token,
    Vendor,
    fingerprint,
)
from support.scripted import NOW, request_for, token

SECRET = "s3cr3t-t0k3n"


@pytest.mark.parametrize(
    "noun",
    [
        Freshness(refused=SECRET),
        HttpOptions(proxy=f"http://u:{SECRET}@proxy"),
        Login(SECRET),
        Secret({"password": SECRET}, 1, "secret/x"),
        Token(SECRET, "Bearer", 2.0, 1.0, extra={"id": SECRET}, refresh_token=SECRET),
        HttpRequest("GET", f"https://x/?{SECRET}", {"A": SECRET}, SECRET.encode(), secrets=(SECRET,), identifiers=(SECRET,), client_certificate=SECRET),
        model.HttpAnswer(200, {}, SECRET.encode()),
    ],
)
def test_no_repr_contains_a_secret(noun):
    assert SECRET not in repr(noun)


def test_data_classes_are_frozen():
    for noun in (getattr(model, name) for name in model.__all__):
        if dataclasses.is_dataclass(noun):
            assert noun.__dataclass_params__.frozen, noun


def test_the_fingerprint_of_a_token_is_part_of_its_sha256():
    assert fingerprint("abc") == "sha256:ba7816bf8f01cfea"
    assert fingerprint("\udcff").startswith("sha256:")  # bytes that were not text
    assert token("abc").fingerprint == fingerprint("abc")


@pytest.mark.parametrize(
    ("refused", "expected"), [("abc", True), (fingerprint("abc"), True), (fingerprint("abc")[7:], True), ("ab", False), ("", False), (None, False)]
)
def test_a_refused_token_is_recognized_by_value_or_fingerprint(refused, expected):
    assert Freshness(refused=refused).refuses("abc") is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/t", "https://a/X/t"), ("t", "https://a/X/t"), ("//X/", "https://a/X/X/"), ("https://c/t", "https://c/t"), ("", "")],
)
@pytest.mark.parametrize("base_url", ["https://a/X", "https://a/X//"])
def test_endpoints_are_joined_to_the_base_url(base_url, path, expected):
    vendor = Vendor("acme", base_url=base_url, token_url=path)
    assert (vendor.url(path), vendor.token_endpoint) == (expected, expected)


def test_a_variant_replaces_fields_of_its_vendor():
    vendor = Vendor("acme", scope="one", variants={"two": {"scope": "two"}})
    assert (vendor.as_variant("two").scope, vendor.as_variant("two").variant, vendor.scope) == ("two", "two", "one")


@pytest.mark.parametrize(
    ("grant_type", "expected"),
    [("authorization_code", True), ("refresh_token", True), ("client_credentials", False), ("password", False), ("urn:ietf:params:oauth:x", False)],
)
def test_single_use_depends_on_the_grant_type(grant_type, expected):
    vendor = Vendor("acme", variants={"other": {"grant_type": grant_type}})
    assert (vendor.single_use, vendor.as_variant("other").single_use) == (False, expected)


def test_where_joins_mount_and_path():
    assert SecretRef("/kv/", "fleet/x").where == "kv/fleet/x"
    assert request_for(path="fleet/y").where == "secret/fleet/y"
    assert isinstance(request_for(), Request)


def test_a_token_knows_its_lifetime_and_seconds_left():
    assert token(age=10, lifetime=60).lifetime == 60
    assert token(lifetime=-5).lifetime == 0
    assert token(age=10, lifetime=60).seconds_left(NOW) == 50
    assert dataclasses.replace(token("a"), refresh_token="r", refresh_token_mac="m").without_refresh_token() == token("a")
