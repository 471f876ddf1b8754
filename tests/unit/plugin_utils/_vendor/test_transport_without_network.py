# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the real requests library makes of a token request, without sending it; quick enough for each save. The rest: ``test_transport``."""

from __future__ import annotations

import io

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpOptions, HttpRequest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor import transport
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

URL = "https://v.example/token"


@pytest.fixture
def sent(monkeypatch):
    """Pairs of a prepared request and the options for sending it. Each is answered with a redirect and a cookie."""
    pairs = []

    class Recorder(HTTPAdapter):
        def send(self, request, **how):
            pairs.append((request, how))
            headers = {"Location": "https://elsewhere.example/", "Set-Cookie": "a=b"}
            return self.build_response(request, HTTPResponse(io.BytesIO(b"{}"), headers, 302, preload_content=False))

    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(transport, "quiet_adapter", Recorder)
    return pairs


def asked(sent, *, headers=(), seconds=30.0, **options):
    request = HttpRequest("POST", URL, {"Accept": "application/json", **dict(headers)}, b"a=b", ())
    answer = transport.exchange(request, HttpOptions(**options), seconds, "acme")
    ((prepared, how),) = sent  # no redirect was followed
    assert (answer.status, answer.body, answer.headers["location"]) == (302, b"{}", "https://elsewhere.example/")
    return prepared, how


def test_the_headers(sent):
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
def test_tls(sent, monkeypatch, options, verify, certificate):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/environment")
    _prepared, how = asked(sent, **options)
    assert (how["verify"], how["cert"], how["stream"]) == (verify, certificate, True)


@pytest.mark.parametrize(("timeout", "seconds", "expected"), [(10, 30.0, 10), (10, 4.0, 4.0)])
def test_no_wait_is_longer_than_what_is_left(sent, timeout, seconds, expected):
    _prepared, how = asked(sent, timeout=timeout, seconds=seconds)
    assert how["timeout"] == (expected, expected)


def test_the_proxy(sent):
    _prepared, how = asked(sent, proxy="http://p.example:3128")
    assert {scheme: how["proxies"][scheme] for scheme in ("http", "https")} == dict.fromkeys(("http", "https"), "http://p.example:3128")
