# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Vendors that users describe."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import SecretField, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.custom import CHOICES, check_request, parameters, vendor_from_mapping
from hypothesis import given
from hypothesis import strategies as st


def test_a_complete_description_is_read():
    vendor = vendor_from_mapping(
        "acme",
        {
            "base_url": "https://a.example",
            "token_url": "/t",
            "grant_type": "urn:x:y",
            "default_lifetime": "90",
            "pkce": True,
            "request_headers": {"X-Key": {"secret_field": "key"}},
            "parameters": {"r": ["a", {"secret_field": "b"}], "n": 1.5, "no": False},
            "credential_fields": {"client_id": "client_email"},
            "assertion_claims": {"sub": None, "box": {"secret_field": "kind"}, "jti": None},
            "passing_errors": [10, "1003"],
            "variants": {
                "eu": {
                    "base_url": "https://eu.example",
                    "request_body": {"a": {"b": 1}},
                    "default_lifetime": "80",
                    "request_headers": {"X-Eu": {"secret_field": "eu"}},
                }
            },
            "variant": "eu",
        },
    )
    assert (vendor.default_lifetime, vendor.pkce, vendor.variant) == (90, True, "eu")
    assert vendor.request_headers == {"X-Key": SecretField("key")}
    assert vendor.parameters == {"r": ("a", SecretField("b")), "n": "1.5", "no": "false"}
    assert (vendor.credential_fields, vendor.passing_errors) == ({"client_id": "client_email"}, ("10", "1003"))
    assert vendor.assertion_claims == {"sub": None, "box": SecretField("kind"), "jti": None}
    assert vendor.as_variant("eu").request_body == {"a": {"b": 1}}
    assert (vendor.as_variant("eu").default_lifetime, vendor.as_variant("eu").request_headers) == (80, {"X-Eu": SecretField("eu")})
    assert vendor.as_variant("eu").token_endpoint == "https://eu.example/t"


KNOWN = ", ".join(sorted(set(vars(Vendor(name=""))) - {"name"}))


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ("https://a.example", "acme: the description of a vendor must be a dictionary. See the guide 'own vendors'."),
        ({"url": "x"}, f"acme: 'url' is not known in the description of a vendor. Known: {KNOWN}."),
        ({"tokn_url": "x"}, f"acme: 'tokn_url' is not known in the description of a vendor; did you mean token_url? Known: {KNOWN}."),
        ({"name": "x"}, f"acme: 'name' is not known in the description of a vendor. Known: {KNOWN}."),
        ({"token_url": 5}, "acme: 'token_url' must be a string."),
        ({"token_url": None}, "acme: 'token_url' must be a string."),
        ({"pkce": "yes"}, "acme: 'pkce' must be true or false."),
        ({"default_lifetime": True}, "acme: 'default_lifetime' must be a whole number."),
        ({"default_lifetime": 1.5}, "acme: 'default_lifetime' must be a whole number."),
        (
            {"client_auth": "digest"},
            "acme: 'client_auth' must be one of basic, basic_raw, post, none, private_key_jwt, client_secret_jwt, bearer_jwt, tls_client_auth; "
            "it cannot be 'digest'.",
        ),
        ({"request_method": "get"}, "acme: 'request_method' must be one of POST, GET, PUT; it cannot be 'get'."),
        (
            {"grant_type": "implicit"},
            "acme: grant_type must be one of client_credentials, password, authorization_code, refresh_token, account_credentials, or a URN; "
            "it cannot be 'implicit'.",
        ),
        ({"request_headers": ["a"]}, "acme: request_headers must be a dictionary."),
        ({"request_headers": {"a": ["b"]}}, "acme: 'a' in request_headers must be a string, a number or {secret_field: NAME}."),
        ({"parameters": {"a": {"field": "b"}}}, "acme: 'a' in parameters must be a string, a number or {secret_field: NAME}."),
        ({"parameters": {"client_secret": "b"}}, "acme: parameters must not contain 'client_secret': an option or a field of the secret sets it."),
        ({"request_body": "x"}, "acme: request_body must be a dictionary."),
        ({"assertion_claims": ["x"]}, "acme: assertion_claims must be a dictionary."),
        (
            {"assertion_claims": {"exp": 5}},
            "acme: 'exp' in assertion_claims is generated for each proof. It can only be null, to omit it.",
        ),
        ({"credential_fields": {"client_id": ""}}, "acme: 'credential_fields' must be a dictionary: our field to the key in the secret."),
        ({"credential_fields": ["client_id"]}, "acme: 'credential_fields' must be a dictionary: our field to the key in the secret."),
        ({"passing_errors": "10"}, "acme: 'passing_errors' must be a list of error codes."),
        ({"passing_errors": [""]}, "acme: 'passing_errors' must be a list of error codes."),
        ({"passing_errors": [1.5]}, "acme: 'passing_errors' must be a list of error codes."),
        ({"credential_fields": {5: "x"}}, "acme: 'credential_fields' must be a dictionary: our field to the key in the secret."),
        (
            {"credential_fields": {"client_id": "x", "strange": "y"}},
            "acme: 'credential_fields' names 'strange', which is not used. Fields here: certificate, client_id, client_secret, code, code_verifier, key_id, "
            "private_key, redirect_uri, refresh_token, subject.",
        ),
        (
            {"variants": {"a": {"credential_fields": {"username": "x"}}}},
            "acme: 'credential_fields' names 'username', which is not used. Fields here: certificate, client_id, client_secret, code, code_verifier, key_id, "
            "private_key, redirect_uri, refresh_token, subject.",
        ),
        ({"default_lifetime": 0}, "acme: 'default_lifetime' must be at least 1."),
        *(
            ({"default_lifetime": value}, "acme: 'default_lifetime' must be a whole number.")
            for value in ("ten", "\u00b2", "\u0663", "-1", "9" * 12, "9" * 5000)
        ),
        *(({"default_lifetime": value}, "acme: 'default_lifetime' must be at most 10000000000.") for value in (10**10 + 1, "10000000001", 10**400)),
        ({"scope_in": "h" * 60}, f"acme: 'scope_in' must be one of both, assertion, request; it cannot be '{'h' * 39}\N{HORIZONTAL ELLIPSIS}'."),
        ({"parameters": {"a": [["b"]]}}, "acme: 'a' in parameters must be a string, a number or {secret_field: NAME}."),
        ({"parameters": {"a": None}}, "acme: 'a' in parameters must be a string, a number or {secret_field: NAME}."),
        ({"passing_errors": [True]}, "acme: 'passing_errors' must be a list of error codes."),
        ({"scope_in": "header"}, "acme: 'scope_in' must be one of both, assertion, request; it cannot be 'header'."),
        ({"variants": ["a"]}, "acme: 'variants' must be a dictionary: each name with its changes."),
        ({"variants": {"a": "b"}}, "acme: the variant 'a' is not a dictionary."),
        (
            {"variants": {"a": {"client_auth": "b"}}},
            "acme: 'client_auth' must be one of basic, basic_raw, post, none, private_key_jwt, client_secret_jwt, bearer_jwt, tls_client_auth; "
            "it cannot be 'b'.",
        ),
    ],
)
def test_an_invalid_description_is_refused_naming_the_field(given_, message):
    with pytest.raises(OptionError) as caught:
        vendor_from_mapping("acme", given_)
    assert (caught.value.message, caught.value.fault) == (message, "option:description")


def test_an_invalid_transit_key_is_refused_with_its_form():
    with pytest.raises(OptionError, match=r"^acme: transit_key must be <mount>/<key name>"):
        vendor_from_mapping("acme", {"transit_key": "x"})


def test_explicit_defaults_are_accepted():
    defaults = {"client_auth": "", "default_lifetime": 1, "scope": "", "pkce": False}
    assert vendor_from_mapping("acme", defaults) == Vendor(name="acme", default_lifetime=1)


def test_the_longest_default_lifetime_is_accepted():
    assert vendor_from_mapping("acme", {"default_lifetime": "10000000000"}).default_lifetime == 10**10


def test_a_credential_field_used_by_one_variant_is_accepted():
    vendor = vendor_from_mapping("acme", {"credential_fields": {"username": "user"}, "variants": {"a": {"grant_type": "password"}}})
    assert vendor.credential_fields == {"username": "user"}


WHOLE = "acme: request_body is the whole request, so {} cannot be combined with it. {}."


@pytest.mark.parametrize(
    ("more", "what", "todo"),
    [
        ({"issuer": "https://i.example"}, "issuer", "Give token_url"),
        ({"grant_type": "password"}, "grant_type=password", "Remove it"),
        ({"client_auth": "post"}, "client_auth=post", "Put what the client sends into request_body"),
        ({"client_auth": "private_key_jwt"}, "client_auth=private_key_jwt", "Put what the client sends into request_body"),
        ({"client_auth": "client_secret_jwt"}, "client_auth=client_secret_jwt", "Put what the client sends into request_body"),
        ({"request_format": "none"}, "request_format=none", "Use json, form or query"),
        ({"scope": "read"}, "scope", "Put it into request_body"),
        ({"parameters": {"p": "1", "q": "2"}}, "'p'", "Put it into request_body"),
        ({}, "", ""),
        ({"client_auth": "basic"}, "", ""),
    ],
)
def test_options_that_conflict_with_request_body_are_refused(more, what, todo):
    check_request(Vendor("acme", **more))
    vendor = Vendor("acme", request_body={"a": "b"}, **more)
    if not what:
        check_request(vendor)
        return
    with pytest.raises(OptionError) as caught:
        check_request(vendor)
    assert (caught.value.message, caught.value.fault) == (WHOLE.format(what, todo), "option:description")


@pytest.mark.parametrize("key", ["name", "variant", "variants"])
def test_a_variant_has_no_variants(key):
    with pytest.raises(OptionError, match=f"^acme: '{key}' is not known in the description of a vendor"):
        vendor_from_mapping("acme", {"variants": {"a": {key: "x" if key != "variants" else {}}}})


def test_every_choice_belongs_to_a_field():
    assert set(CHOICES) <= set(vars(Vendor(name="")))


_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(list(vars(Vendor(name="")))), inner, max_size=4),
    max_leaves=8,
)


@given(_any | st.dictionaries(st.sampled_from(list(vars(Vendor(name="")))), _any))
def test_any_description_gives_a_vendor_or_an_option_error(found):
    with contextlib.suppress(OptionError):
        vendor = vendor_from_mapping("acme", found)
        for name in vendor.variants:
            vendor.as_variant(name)


def test_parameters_and_headers_are_converted_to_text():
    assert parameters("acme", "request_headers", {"scope": 5, "on": True, "off": False}) == {"scope": "5", "on": "true", "off": "false"}
    assert parameters("acme", "parameters", {5: [1, True]}) == {"5": ("1", "true")}
