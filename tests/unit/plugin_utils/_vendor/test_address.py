# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where credentials may be sent, and how much of an address is shown."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import SecretRef, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.address import (
    check_endpoint,
    host,
    is_private,
    is_usable,
    proxy_host,
    refuse_placeholders,
    split_address,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in
from support.scripted import request_for


@pytest.mark.parametrize(
    ("changes", "allow_http", "message"),
    [
        ({"token_url": ""}, False, "acme: there is no token endpoint. Set token_url or issuer."),
        ({"token_url": "/t"}, False, "acme: base_url is needed, for example https://api.example.com. Set base_url, or the variable trackops_acme_base_url."),
        (
            {"base_url": "a.example", "token_url": "/t"},
            False,
            "acme: base_url 'a.example' is not an address: it must begin with https://. Correct base_url, wherever it is set.",
        ),
        (
            {"base_url": "https:/a.example", "token_url": "/t"},
            False,
            "acme: base_url 'https:/a.example' is not an address: it must begin with https://. Correct base_url, wherever it is set.",
        ),
        (
            {"base_url": "u:p@a.example", "token_url": "/t"},
            False,
            "acme: base_url is not an address: it must begin with https://. Correct base_url, wherever it is set.",
        ),
        (
            {"issuer": "a.example"},
            False,
            "acme: issuer 'a.example' is not an address: it must begin with https://. Correct issuer, wherever it is set.",
        ),
        ({"token_url": "ftp://a.example/t"}, True, "acme: the token endpoint is not a usable http(s) address. Check base_url and token_url."),
        ({"token_url": "https://"}, True, "acme: the token endpoint is not a usable http(s) address. Check base_url and token_url."),
        ({"token_url": "https://u:p@a.example/"}, True, "acme: the token endpoint is not a usable http(s) address. Check base_url and token_url."),
        ({"token_url": "https://a.example/a b"}, True, "acme: the token endpoint is not a usable http(s) address. Check base_url and token_url."),
        ({"token_url": "https://[::1/t"}, True, "acme: the token endpoint is not a usable http(s) address. Check base_url and token_url."),
        ({"token_url": "https://a.example:port/"}, True, "acme: the token endpoint is not a usable http(s) address. Check base_url and token_url."),
        ({"token_url": "http://a.example/t"}, False, "acme: a.example would get the credentials over plain http. Use https, or set allow_http if you must."),
        ({"issuer": "http://a.example/"}, False, "acme: a.example would get the credentials over plain http. Use https, or set allow_http if you must."),
    ],
)
def test_unsafe_endpoints_get_no_credentials(changes, allow_http, message):
    with pytest.raises(OptionError) as caught:
        check_endpoint(Vendor("acme", **changes), allow_http=allow_http)
    assert caught.value.message == message
    code = "plain_http" if "over plain http" in message else "missing" if "is needed" in message or "there is no" in message else "address"
    assert caught.value.fault == f"option:{code}"


@pytest.mark.parametrize(
    "url", ["https://[::1", "https://[login]/", "https://a.example:port/", "https://a.example:99999/", "https://a.example:-1/", "https://a\u2100.example/"]
)
def test_an_unreadable_address_has_no_parts(url):
    with pytest.raises(ValueError, match=r".+"):
        _ = urlsplit(url).port
    assert "".join(split_address(url)) == "" == host(url)
    assert split_address(url).port is None


def test_a_readable_address_is_split_like_urlsplit():
    url = "https://u:p@A.example:8443/b;c?d=e#f"
    assert (split_address(url), split_address(url).port) == (urlsplit(url), 8443)


def test_a_missing_base_url_has_its_own_error_code():
    with pytest.raises(OptionError) as caught:
        check_endpoint(Vendor("acme", token_url="/t"), allow_http=False)
    assert caught.value.error_code == "TRK-O03"


def test_tracktik_shows_an_example_of_its_base_url():
    with pytest.raises(OptionError) as caught:
        check_endpoint(built_in("tracktik"), allow_http=False)
    assert caught.value.message == (
        "tracktik: base_url is needed, for example https://<portal>.staffr.us. Set base_url, or the variable trackops_tracktik_base_url."
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/t",
        "http://127.0.0.1:8080/t",
        "http://localhost/t",
        "http://[::1]:8/t",
        "HTTPS://A.example/t",
    ],
)
def test_https_and_local_endpoints_may_get_credentials(url):
    check_endpoint(Vendor("acme", token_url=url), allow_http=False)
    check_endpoint(Vendor("acme", issuer=url), allow_http=False)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example:8443/t?client_secret=x", "a.example:8443"),
        ("https://u:p@a.example/", "a.example"),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_only_host_and_port_of_an_address_are_shown(url, shown):
    assert host(url) == shown


@pytest.mark.parametrize("url", ["https://a.example", "HTTP://a.example:8/t?x=1#y", "https://é.example/", "http://[::1]"])
def test_an_address_can_be_used(url):
    assert is_usable(url)


@pytest.mark.parametrize(
    "url", ["", "a.example", "ftp://a.example", "https://", "https:///t", "https://u@a.example", "https://a.example/x y", "https://a.example/\n", "https://["]
)
def test_an_address_cannot_be_used(url):
    assert not is_usable(url)


@pytest.mark.parametrize(
    ("url", "allow_http", "private"),
    [
        ("https://a.example", False, True),
        ("http://a.example", False, False),
        ("http://a.example", True, True),
        ("http://127.0.0.1:8", False, True),
        ("http://localhost", False, True),
        ("http://10.0.0.1", False, False),
    ],
)
def test_plain_http_is_private_only_on_this_machine_or_where_allowed(url, allow_http, private):
    assert is_private(url, allow_http=allow_http) is private


@pytest.mark.parametrize(
    ("changes", "option", "found"),
    [
        ({"token_url": "https://login.example/<tenant>/token"}, "token_url", "<tenant>"),
        ({"base_url": "https://<my domain>.my.example"}, "base_url", "<my domain>"),
        ({"issuer": "https://<org>.example"}, "issuer", "<org>"),
        ({"scope": "us.<subdomain> read"}, "scope", "<subdomain>"),
        ({"parameters": {"resource": ("urn:a", "urn:<account>")}}, "resource", "<account>"),
        ({"parameters": {"resource": "urn:<account>"}}, "resource", "<account>"),
    ],
)
def test_a_placeholder_that_was_not_replaced_is_refused(changes, option, found):
    with pytest.raises(OptionError) as caught:
        refuse_placeholders(Vendor("acme", **changes))
    assert caught.value.coded_message == f"acme: {option} still contains {found}. Replace it with your own value. [TRK-O08]"


def test_angle_brackets_elsewhere_are_not_placeholders():
    refuse_placeholders(Vendor("acme", token_url="https://a.example/t", scope="a>b c<d <1>", parameters={"resource": "urn:a", "note": "<b>"}))


def test_relative_addresses_are_joined_and_absolute_ones_kept():
    assert Vendor("a", base_url="https://a.example/base/", token_url="/t").token_endpoint == "https://a.example/base/t"
    assert Vendor("a", base_url="https://a.example", token_url="https://b.example/t").token_endpoint == "https://b.example/t"
    assert urlsplit(request_for("trackmage").vendor.token_endpoint).path == "/oauth/v2/token"
    assert SecretRef("/secret/", "a/b").where == "secret/a/b"


@pytest.mark.parametrize("url", ["http://u:s3cret@p.example:3128/x", "u:s3cret@p.example:3128", "p.example:3128"])
def test_the_host_of_a_proxy_needs_no_scheme(url):
    assert proxy_host(url) == "p.example:3128"
