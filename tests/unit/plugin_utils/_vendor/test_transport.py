# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the real requests library makes of a token request, without sending it; quick enough for each save. The rest: ``test_transport_sockets``."""

from __future__ import annotations

import io
import pathlib
import warnings

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpOptions, HttpRequest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor import transport
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import InsecureRequestWarning

URL = "https://v.example/token"


@pytest.fixture
def sent(monkeypatch):
    """Pairs of a prepared request and the options for sending it. Each is answered with a redirect and a cookie."""
    pairs = Pairs()

    class Recorder(HTTPAdapter):
        def send(self, request, **how):
            pairs.append((request, how))
            pairs.during(how)
            headers = {"Location": "https://elsewhere.example/", "Set-Cookie": "a=b"}
            return self.build_response(request, HTTPResponse(io.BytesIO(b"{}"), headers, 302, preload_content=False))

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(transport, "quiet_adapter", Recorder)
    return pairs


class Pairs(list):
    def during(self, how):
        """What happens while the request is sent."""


def asked(sent, *, url=URL, headers=(), seconds=30.0, certificate="", **options):
    request = HttpRequest("POST", url, {"Accept": "application/json", **dict(headers)}, b"a=b", (), client_certificate=certificate)
    answer = transport.exchange(request, HttpOptions(**options), seconds, "acme")
    ((prepared, how),) = sent  # no redirect was followed
    assert (answer.status, answer.body, answer.headers["location"]) == (302, b"{}", "https://elsewhere.example/")
    return prepared, how


def test_a_request_has_exactly_the_expected_headers(sent):
    prepared, _how = asked(sent, headers={"Authorization": "Connect \u0142", "accept-encoding": "gzip", "User-Agent": "mine"})
    assert {name.lower(): value for name, value in prepared.headers.items()} == {
        "accept": b"application/json",
        "accept-encoding": "identity",
        "authorization": "Connect \u0142".encode(),
        "connection": "keep-alive",
        "content-length": "3",
        "user-agent": "trackops.api_tokens",
    }
    assert (prepared.method, prepared.url, prepared.body) == ("POST", URL, b"a=b")


def test_a_netrc_does_not_replace_our_header(sent, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine v.example login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    prepared, _how = asked(sent, headers={"Authorization": "Bearer ours"})
    assert prepared.headers["Authorization"] == b"Bearer ours"


@pytest.mark.parametrize(
    ("options", "verify", "certificate"),
    [
        ({}, "/of/the/environment", None),
        ({"ca_cert": "/ca"}, "/ca", None),
        ({"validate_certs": False}, False, None),
        ({"client_cert": "/both"}, "/of/the/environment", "/both"),
        ({"client_cert": "/c", "client_key": "/k"}, "/of/the/environment", ("/c", "/k")),
    ],
)
def test_the_certificate_options_are_passed_to_requests(sent, monkeypatch, options, verify, certificate):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/environment")
    _prepared, how = asked(sent, **options)
    assert (how["verify"], how["cert"], how["stream"]) == (verify, certificate, True)


@pytest.mark.parametrize(("timeout", "seconds", "expected"), [(10, 30.0, 10), (10, 4.0, 4.0)])
def test_the_timeout_is_limited_to_the_remaining_time(sent, timeout, seconds, expected):
    _prepared, how = asked(sent, timeout=timeout, seconds=seconds)
    assert how["timeout"] == (expected, expected)


def test_the_proxy_option_is_used_for_both_schemes(sent):
    _prepared, how = asked(sent, proxy="http://p.example:3128")
    assert {scheme: how["proxies"][scheme] for scheme in ("http", "https")} == dict.fromkeys(("http", "https"), "http://p.example:3128")


def test_the_certificate_of_the_secret_is_in_a_file_while_the_request_is_sent(sent):
    """It takes the place of the options' certificate, with its key in the same file; other options stay."""
    read = []
    sent.during = lambda how: read.append(pathlib.Path(how["cert"]).read_text())
    _prepared, how = asked(sent, certificate="PEM\n", client_cert="/c", client_key="/k", ca_cert="/ca")
    assert (read, how["verify"]) == (["PEM\n"], "/ca")
    assert not pathlib.Path(how["cert"]).exists()


def test_a_plain_http_url_is_sent_unchanged(sent):
    prepared, _how = asked(sent, url="http://v.example/token")
    assert prepared.url == "http://v.example/token"


FOUND, GIVEN = "http://found.example:1", "http://given.example:1"


@pytest.mark.parametrize(("given", "but_for", "used"), [(None, "", FOUND), (None, "v.example", None), (GIVEN, "", GIVEN)])
def test_the_proxy_of_the_environment_is_used_unless_no_proxy_or_the_option_overrides_it(sent, monkeypatch, given, but_for, used):
    monkeypatch.setenv("https_proxy", FOUND)
    monkeypatch.setenv("no_proxy", but_for)
    _prepared, how = asked(sent, proxy=given)
    assert how["proxies"].get("https") == used


def test_the_warning_of_unverified_https_is_silenced(sent):
    def warn(_how):
        warnings.warn("Unverified HTTPS request is being made", InsecureRequestWarning, stacklevel=1)

    sent.during = warn
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked(sent, validate_certs=False)


def test_other_warnings_are_shown(sent):
    sent.during = lambda how: warnings.warn("old", DeprecationWarning, stacklevel=1)
    with pytest.warns(DeprecationWarning, match="old"):
        asked(sent)
