# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From option values to a request."""

from __future__ import annotations

import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import CacheOptions, Freshness, HttpOptions, SecretRef
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.options import (
    Surroundings,
    check_vendor,
    describe_vendor,
    request_from,
    requests_from,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names
from hypothesis import given
from hypothesis import strategies as st
from support.places import ROOT

BUILT_IN = ", ".join(names())
AROUND = Surroundings({"VAULT_ADDR": "https://v.example", "VAULT_TOKEN": "hvs.x"}, "/h", lambda path: "")


def made(plugin="trackunit", path=None, **values):
    return request_from(plugin, path, values, surroundings=AROUND)


@pytest.mark.parametrize("plugin", [*names(), "oauth2"])
def test_defaults_equal_the_documented_ones(plugin):
    definitions = json.loads((ROOT / f"plugins/plugin_utils/_boundary/option_definitions/{plugin}.json").read_text(encoding="utf-8"))
    defaults = {name: option["default"] for name, option in definitions.items() if "default" in option}
    assert {"min_ttl", "failure_ttl", "cache_vault_path", "engine_mount_point", "timeout", "http_deadline"} <= defaults.keys()
    needed = {"path": "fleet/x", "base_url": "https://vendor.example", "token_url": "/token"}
    needed = {name: value for name, value in needed.items() if name not in defaults}
    assert made(plugin, **defaults, **needed) == made(plugin, **needed)


def refused(plugin="trackunit", path=None, **values):
    with pytest.raises(OptionError) as caught:
        made(plugin, path, **values)
    return caught.value.message


@pytest.mark.parametrize(
    ("vendor", "values"), [("tracx", {}), ("oauth2", {}), ("mine", {"vendors": {"mine": {}}}), ("x", {"token_url": "u"}), ("x", {"issuer": "i"})]
)
def test_known_and_described_vendors_are_accepted(vendor, values):
    check_vendor(vendor, values)


@pytest.mark.parametrize(("name", "said"), [("myne", "'myne'; did you mean mine?"), ("acme", "'acme'."), ("tracks" * 20, f"'{('tracks' * 20)[:40]}'.")])
def test_an_unknown_vendor_is_refused_with_a_suggestion(name, said):
    with pytest.raises(OptionError) as caught:
        check_vendor(name, {"vendors": {"mine": {}}})
    assert caught.value.message.startswith(f"There is no vendor {said} Known: ")
    assert caught.value.coded_message.endswith("oauth2, mine. Describe your own in trackops_vendors, or give token_url or issuer. [TRK-O05]")


def test_each_path_becomes_a_request():
    requests = requests_from("tracx", "tracx", ["one", None], {"auth_method": "approle", "role_id": "r"}, direct={"mount_point": "ci"}, surroundings=AROUND)
    assert [request.where for request in requests] == ["secret/one", "secret/tracx"]


@pytest.mark.parametrize(
    ("vendor", "direct", "message"),
    [
        ("acme", {}, f"There is no vendor 'acme'. Known: {BUILT_IN}, oauth2. "),
        ("tracx", {"mount_point": "kv"}, "tracx: mount_point belongs to the login and has no effect with auth_method=token; did you mean "),
    ],
)
def test_mistakes_are_reported_before_a_request_is_built(vendor, direct, message):
    with pytest.raises(OptionError) as caught:
        requests_from("oauth2", vendor, [None], {"url": "no address"}, direct=direct, surroundings=AROUND)
    assert caught.value.message.startswith(message)


def test_the_error_code_says_whether_an_option_or_a_description_is_wrong():
    for values, code in (({"grant_type": "client_credential"}, "TRK-O02"), ({"vendors": {"acme": {"grant_type": "client_credential"}}}, "TRK-O06")):
        with pytest.raises(OptionError) as caught:
            describe_vendor("oauth2", {"vendor": "acme", **values})
        assert caught.value.coded_message.endswith(f"it cannot be 'client_credential'. [{code}]")


def test_without_options_a_request_has_the_defaults():
    request = made()
    assert request.secret == SecretRef("secret", "trackunit")
    assert (request.freshness, request.http, request.cache) == (Freshness(), HttpOptions(), CacheOptions())
    assert (request.vault.url, request.vault.token, request.vendor.variant) == ("https://v.example", "hvs.x", "password")


def test_every_option_reaches_the_request():
    request = made(
        "trackunit",
        "/fleet/eu/",
        engine_mount_point="/team/kv/",
        engine_version=1,
        secret_version="3",
        credential_fields={"username": "user"},
        min_ttl="600",
        max_age=0,
        force=True,
        refused="sha256:0",
        base_url="https://b.example",
        scope="api offline_access",
        authorization_scheme=" Token ",
        extra_parameters={"n": 5, "yes": True, "many": ["a", "b"]},
        audience="aud",
        resource=["r1", "r2"],
        http_ca_cert="/ca",
        http_validate_certs=False,
        http_client_cert="/c",
        http_client_key="/k",
        http_proxy="http://p",
        http_timeout=1,
        http_retries=0,
        http_deadline="5",
        allow_http=True,
        cache="vault",
        cache_path="/cache",
        cache_vault_mount="kv",
        cache_vault_path="/a/b/",
        failure_ttl=0,
    )
    assert request.secret == SecretRef("team/kv", "fleet/eu", "1", 3, {"username": "user"})
    assert request.freshness == Freshness(600, 0, force=True, refused="sha256:0")
    assert request.http == HttpOptions("/ca", False, "/c", "/k", "http://p", 1, 0, 5, True)
    assert request.cache == CacheOptions("vault", "/cache", "kv", "a/b", 0)
    vendor = request.vendor
    assert (vendor.token_endpoint, vendor.scope, vendor.authorization_scheme) == ("https://b.example/token", "api offline_access", "Token")
    assert vendor.parameters == {"n": "5", "yes": "true", "many": ("a", "b"), "audience": "aud", "resource": ("r1", "r2")}


def test_empty_values_are_unset():
    empty = dict.fromkeys(
        (
            "variant",
            "scope",
            "base_url",
            "min_ttl",
            "max_age",
            "secret_version",
            "http_ca_cert",
            "http_proxy",
            "refused",
            "cache",
            "cache_path",
            "engine_mount_point",
            "path",
        ),
        "",
    )
    assert request_from("trackunit", None, empty, surroundings=AROUND) == made()


def test_the_path_comes_from_the_term_the_option_or_the_vendor():
    assert request_from("tracx", None, {"path": "team/tracx"}, surroundings=AROUND).where == "secret/team/tracx"
    assert made("tracx", "a/b").where == "secret/a/b"
    for path in ("", "/", " / "):
        assert refused("tracx", path) == "tracx: the Vault path of the credentials is needed, for example fleet/tracx."
    assert refused("oauth2", vendor="acme") == "acme: the Vault path of the credentials is needed, for example fleet/acme."


@pytest.mark.parametrize(
    ("plugin", "values", "message"),
    [
        ("trackunit", {"variant": "v3"}, "trackunit: there is no variant 'v3'. Known: password, v2."),
        ("tracx", {"variant": "v3"}, "tracx: there is no variant 'v3'. Known: none."),
        ("trackunit", {"variant": "v2"}, "trackunit: scope is needed in its variant v2: the scopes of the key, separated by spaces."),
        ("tracktik", {"scope": "api"}, "tracktik: this vendor accepts no scope; scopes are configured at the vendor. Remove scope."),
        ("tracx", {"extra_parameters": {"a": "b"}}, "tracx: its token request has no parameters, so extra_parameters cannot be sent."),
        (
            "tracktik",
            {"extra_parameters": {"scope": "b"}},
            "tracktik: extra_parameters must not contain 'scope': an option or a field of the secret sets it.",
        ),
        ("tracktik", {"extra_parameters": {"a": None}}, "tracktik: 'a' in extra_parameters must be a string, a number or {secret_field: NAME}."),
        (
            "trackunit",
            {"credential_fields": {"user": "x"}},
            "trackunit: credential_fields names 'user', which is not used. Fields here: client_id, client_secret, username, password.",
        ),
        ("trackunit", {"credential_fields": ["username"]}, "trackunit: credential_fields must be a dictionary: our field to the key in the secret."),
        ("trackunit", {"credential_fields": {"username": ""}}, "trackunit: credential_fields must be a dictionary: our field to the key in the secret."),
        ("trackunit", {"min_ttl": "soon"}, "trackunit: min_ttl must be a number."),
        ("trackunit", {"min_ttl": -1}, "trackunit: min_ttl must be at least 0."),
        ("trackunit", {"max_age": "nan"}, "trackunit: max_age must be a number."),
        ("trackunit", {"http_deadline": "inf"}, "trackunit: http_deadline must be a number."),
        ("trackunit", {"http_timeout": 0}, "trackunit: http_timeout must be at least 0.001."),
        *(
            ("trackunit", {"http_" + name: value}, f"trackunit: http_{name} must be at most {most}.")
            for name, value, most in (("timeout", 1000001, 1000000), ("deadline", "1e10", 1000000), ("retries", 1001, 1000))
        ),
        ("trackunit", {"http_retries": "1.5"}, "trackunit: http_retries must be a number."),
        ("trackunit", {"secret_version": 0}, "trackunit: secret_version must be at least 1."),
        ("trackunit", {"http_client_key": "/k"}, "trackunit: http_client_key needs http_client_cert."),
        *(
            ("trackunit", {"http_proxy": proxy}, "trackunit: http_proxy is not a usable address. Give one like http://proxy.example.com:3128.")
            for proxy in ("http://", "http:///x", "http://user:pass@", "http://proxy:99999", "proxy:80a", "http://[::1", "://proxy", "http://a\u2100b")
        ),
        (
            "nobody",
            {},
            f"There is no vendor 'nobody'. Built in: {BUILT_IN}; describe your own in trackops_vendors, or use vendor=oauth2.",
        ),
        ("../evil", {}, f"'../evil' is not a vendor's name. Built in: {BUILT_IN}."),
        ("oauth2", {"vendors": ["acme"]}, "trackops_vendors must be a dictionary of vendors by their names."),
    ],
)
def test_options_that_do_not_fit_the_vendor_are_refused(plugin, values, message):
    assert refused(plugin, **values) == message


BODY = {"token_url": "https://a.example/rpc", "request_body": {"method": "login", "token": {"secret_field": "token"}}}


@pytest.mark.parametrize(
    ("described", "values", "message"),
    [
        ({"issuer": "https://i.example"}, {}, "issuer cannot be combined with it. Give token_url."),
        ({"grant_type": "password"}, {}, "grant_type=password cannot be combined with it. Remove it."),
        ({"client_auth": "post"}, {}, "client_auth=post cannot be combined with it. Put what the client sends into request_body."),
        ({"client_auth": "private_key_jwt"}, {}, "client_auth=private_key_jwt cannot be combined with it. Put what the client sends into request_body."),
        ({"request_format": "none"}, {}, "request_format=none cannot be combined with it. Use json, form or query."),
        ({"scope": "a"}, {}, "scope cannot be combined with it. Put it into request_body."),
        ({}, {"scope": "a"}, "scope cannot be combined with it. Put it into request_body."),
        ({"parameters": {"b": "c"}}, {}, "'b' cannot be combined with it. Put it into request_body."),
        ({}, {"audience": "x"}, "'audience' cannot be combined with it. Put it into request_body."),
    ],
)
def test_options_that_conflict_with_request_body_are_refused(described, values, message):
    found = refused("oauth2", "p", vendor="acme", vendors={"acme": {**BODY, **described}}, **values)
    assert found == "acme: request_body is the whole request, so " + message


def test_request_body_needs_no_client_authentication():
    vendor = describe_vendor("oauth2", {"vendor": "acme", "vendors": {"acme": BODY}})
    assert vendor.client_auth == "none"
    assert describe_vendor("oauth2", {"vendor": "acme", "vendors": {"acme": {**BODY, "client_auth": "basic"}}}).client_auth == "basic"


@pytest.mark.parametrize("proxy", ["http://proxy:3128", "proxy:3128", "proxy", "http://user:p%40ss@[2001:db8::1]:3128/", "socks5h://127.0.0.1:1080"])
def test_an_address_of_a_proxy_is_accepted_with_and_without_a_scheme(proxy):
    assert made(http_proxy=proxy).http.proxy == proxy


def test_a_description_can_rename_credential_fields():
    described = {
        "token_url": "https://a.example/t",
        "credential_fields": {"client_id": "username", "client_secret": "password", "private_key": "pem"},
        "variants": {"key": {"client_auth": "private_key_jwt"}},
    }
    values = {"vendor": "acme", "vendors": {"acme": described}}
    plain = request_from("oauth2", "p", values, surroundings=AROUND).secret.fields
    assert (plain["client_id"], plain["client_secret"]) == ("username", "password")
    over = request_from("oauth2", "p", {**values, "credential_fields": {"client_id": "id"}}, surroundings=AROUND).secret.fields
    assert (over["client_id"], over["client_secret"]) == ("id", "password")
    key = request_from("oauth2", "p", {**values, "variant": "key"}, surroundings=AROUND).secret.fields
    assert (key["private_key"], key["client_id"]) == ("pem", "username")
    wrong = {**described, "credential_fields": {"clientid": "username"}}
    assert refused("oauth2", "p", vendor="acme", vendors={"acme": wrong}) == (
        "acme: 'credential_fields' names 'clientid', which is not used. Fields here: certificate, client_id, client_secret, code, code_verifier, key_id, "
        "private_key, redirect_uri, refresh_token, subject."
    )


def test_the_variant_and_the_authorization_scheme_can_be_chosen():
    v2 = describe_vendor("trackunit", {"variant": "v2", "scope": "a b"})
    assert (v2.token_endpoint, v2.scope, v2.client_auth) == ("https://auth.trackunit.com/token/v2", "a b", "post")
    assert describe_vendor("trackmage", {"variant": "authorization_code"}).grant_type == "authorization_code"
    assert describe_vendor("tracx", {}).authorization_scheme == ""
    assert describe_vendor("tracx", {"authorization_scheme": "Bearer"}).authorization_scheme == "Bearer"
    assert describe_vendor("trackunit", {"authorization_scheme": ""}).authorization_scheme == ""


def test_oauth2_can_be_described_by_options_alone():
    vendor = describe_vendor(
        "oauth2",
        {
            "vendor": "acme",
            "token_url": "https://a.example/t",
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "client_auth": "post",
            "request_format": "json",
            "request_headers": {"X-Tenant": {"secret_field": "tenant"}},
            "token_field": "data.token",
            "expires_field": "data.until",
            "default_lifetime": "60",
            "extra_parameters": {"a": {"secret_field": "b"}},
        },
    )
    assert (vendor.name, vendor.client_auth, vendor.request_format, vendor.default_lifetime) == ("acme", "post", "json", 60)
    assert vendor.request_headers["Accept"] == "application/json"
    request = made("oauth2", "p", vendor="acme", token_url="https://a.example/t", grant_type="password", credential_fields={"username": "u"})
    assert request.secret.fields == {"username": "u"}


def test_options_of_oauth2_override_the_description_of_a_custom_vendor():
    own = {"acme": {"token_url": "https://a.example/t", "scope": "x", "variants": {"old": {"token_url": "https://a.example/old"}}}}
    assert describe_vendor("oauth2", {"vendor": "acme", "vendors": own}).scope == "x"
    changed = describe_vendor("oauth2", {"vendor": "acme", "vendors": own, "scope": "y", "variant": "old", "client_auth": "basic"})
    assert (changed.scope, changed.token_endpoint, changed.client_auth) == ("y", "https://a.example/old", "basic")
    # The options of oauth2 do not change a built-in vendor.
    assert describe_vendor("tracx", {"grant_type": "password"}).grant_type == "connect_token"


def test_no_secret_in_the_repr_of_a_request():
    shown = repr(made(refused="r3fused", http_proxy="http://u:pr0xy@p"))
    assert not any(secret in shown for secret in ("hvs.x", "r3fused", "pr0xy"))


# -- odd values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"variant": ["v2"]}, "trackunit: there is no variant '['v2']'. Known: password, v2."),
        ({"variant": {"a": 1}}, "trackunit: there is no variant '{'a': 1}'. Known: password, v2."),
        ({"client_auth": "magic"}, "trackunit: client_auth 'magic' is not known here. Use one of: basic, basic_raw."),
        ({"client_auth": ["basic"]}, "trackunit: client_auth '['basic']' is not known here. Use one of: basic, basic_raw."),
        ({"engine_version": "3"}, "trackunit: engine_version '3' is not known here. Use one of: 2, 1, auto."),
        ({"cache": "redis"}, "trackunit: cache 'redis' is not known here. Use one of: file, vault, none."),
        ({"failure_ttl": "abc"}, "trackunit: failure_ttl must be a number."),
        ({"failure_ttl": [1]}, "trackunit: failure_ttl must be a number."),
        ({"failure_ttl": "nan"}, "trackunit: failure_ttl must be a number."),
        ({"failure_ttl": -1}, "trackunit: failure_ttl must be at least 0."),
        ({"min_ttl": -1}, "trackunit: min_ttl must be at least 0."),
        ({"path": "a\nb"}, "trackunit: the Vault path 'a b' contains a line break or another character that cannot be shown."),
        ({"path": "a\x1b[31mb"}, "trackunit: the Vault path 'a [31mb' contains a line break or another character that cannot be shown."),
        ({"engine_mount_point": "a\x9bb"}, "trackunit: engine_mount_point 'a b' contains a line break or another character that cannot be shown."),
        ({"namespace": "a\nb"}, "trackunit: namespace contains a line break or another character that cannot be shown. Check where it is set."),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(values, message):
    assert refused(**values) == message


@pytest.mark.parametrize("term", ["a\nb", "a\x1b]0;title\x07", "\u202egnp"])
def test_control_characters_of_a_term_are_not_printed(term):
    assert refused(path=term).isprintable()


NAMES = (
    *("path", "base_url", "token_url", "scope", "variant", "client_auth", "authorization_scheme", "extra_parameters", "audience", "resource", "vendor"),
    *("vendors", "engine_mount_point", "engine_version", "secret_version", "credential_fields", "min_ttl", "max_age", "force", "refused", "failure_ttl"),
    *("http_ca_cert", "http_validate_certs", "http_client_cert", "http_client_key", "http_proxy", "http_timeout", "http_retries", "http_deadline"),
    *("allow_http", "cache", "cache_path", "cache_vault_mount", "cache_vault_path", "grant_type", "request_method", "request_format", "request_headers"),
    *("token_field", "expires_field", "default_lifetime", "issuer", "revocation_url"),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["1e999", "9" * 5000, "nan", "-1", "v2", "basic", "private_key_jwt", "authorization_code", "https://[", "\ud800"]),
)
ODD = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.one_of(st.text(max_size=4), st.integers()), SCALARS, max_size=2), st.binary(max_size=2)
)


@given(st.sampled_from([*names(), "oauth2"]), st.dictionaries(st.sampled_from(NAMES), ODD, max_size=5))
def test_any_options_give_a_request_or_a_one_line_error(plugin, values):
    message = ""
    try:
        request = request_from(plugin, None, values, surroundings=AROUND)
    except OptionError as exc:
        message = exc.message
    else:
        assert request.where.isprintable()
        assert request.cache.failure_ttl >= 0
    assert message.isprintable()
    assert len(message) < 600


def test_the_largest_limits_are_accepted():
    http = made(http_timeout=1e6, http_deadline="1000000", http_retries=1000).http
    assert (http.timeout, http.deadline, http.retries) == (1e6, 1e6, 1000)


LATIN_1 = b"donn\xe9es".decode("utf-8", "surrogateescape")
ACME = {"token_url": "https://acme.example/t"}


@pytest.mark.parametrize(
    ("plugin", "name", "value"),
    [
        *(("trackunit", name, LATIN_1) for name in ("scope", "base_url", "audience", "resource", "authorization_scheme", "http_proxy", "cache_vault_path")),
        ("trackunit", "resource", ["a", LATIN_1]),
        ("trackunit", "extra_parameters", {"a": LATIN_1}),
        ("trackunit", "extra_parameters", {LATIN_1: "a"}),
        ("trackunit", "extra_parameters", {"a": ["b", LATIN_1]}),
        *(("oauth2", name, LATIN_1) for name in ("grant_type", "token_url", "token_field", "issuer", "transit_key", "client_auth")),
        ("oauth2", "request_headers", {"X-Name": LATIN_1}),
    ],
)
def test_an_option_that_is_not_utf_8_is_refused_by_its_name(plugin, name, value):
    needed = {"path": "x", "token_url": "https://acme.example/t"} if plugin == "oauth2" else {}
    assert refused(plugin, **{**needed, name: value}) == f"{plugin}: {name} has an incomplete character (a lone surrogate). Set it in UTF-8."


def test_a_description_that_is_not_utf_8_is_refused_for_its_vendor():
    vendors = {"acme": {**ACME, "request_body": {"a": [{LATIN_1: 1}]}}, "other": ACME}
    assert refused("oauth2", "x", vendor="acme", vendors=vendors) == "acme: trackops_vendors has an incomplete character (a lone surrogate). Set it in UTF-8."
    assert made("oauth2", "x", vendor="other", vendors=vendors).vendor.name == "other"


def test_the_names_of_files_may_have_any_bytes():
    http = made(http_ca_cert=f"/{LATIN_1}", http_client_cert=f"/{LATIN_1}", http_client_key=f"/{LATIN_1}").http
    assert {http.ca_cert, http.client_cert, http.client_key} == {f"/{LATIN_1}"}


def test_a_list_within_itself_is_no_reason_to_fail():
    endless = ["a"]
    endless.append(endless)
    assert made(resource=endless).vendor.parameters["resource"] == ("a", "['a', [...]]")
