# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When it is certain that nothing of a request was sent. The transports' tests show it on real connections."""

from __future__ import annotations

import http.client
import ssl

import pytest
import requests.exceptions as r
import urllib3.exceptions as u
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.unsent import is_unsent
from support.raised import raised_in


@pytest.mark.parametrize(
    "problem",
    [
        u.NewConnectionError(None, "x"),
        u.ConnectTimeoutError("x"),
        ConnectionRefusedError(111, "x"),
        r.ConnectionError(u.MaxRetryError(None, "/", u.NewConnectionError(None, "x"))),
        r.ProxyError(u.MaxRetryError(None, "/", u.ProxyError("x", ConnectionRefusedError(111, "x")))),
    ],
)
def test_without_a_connection_nothing_was_sent(problem):
    assert is_unsent(problem)


@pytest.mark.parametrize("kind", [ssl.SSLError, OSError, http.client.RemoteDisconnected])
@pytest.mark.parametrize("function", ["connect", "request"])
def test_what_fails_while_connecting_or_sending_was_not_sent(kind, function):
    assert is_unsent(r.SSLError(u.MaxRetryError(None, "/", u.SSLError(raised_in("urllib3.connection", function, kind("x"))))))


def alert(reason):
    problem = ssl.SSLError(1, "x")
    problem.reason = reason  # OpenSSL's errors have one, ours have not
    return problem


@pytest.mark.parametrize(
    "reason",
    [
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSL/TLS_ALERT_CERTIFICATE_EXPIRED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_ACCESS_DENIED",
    ],
)
def test_a_server_that_refuses_our_certificate_reads_no_request(reason):
    assert is_unsent(r.SSLError(u.MaxRetryError(None, "/", u.SSLError(alert(reason)))))


@pytest.mark.parametrize(
    "problem",
    [
        r.SSLError(u.SSLError(ssl.SSLError(1, "x"))),
        r.SSLError(u.SSLError(alert("TLSV1_ALERT_INTERNAL_ERROR"))),
        r.SSLError(u.SSLError(alert("CERTIFICATE_VERIFY_FAILED"))),
        r.ProxyError(u.MaxRetryError(None, "/", u.ProxyError("x", http.client.RemoteDisconnected("x")))),
        raised_in("urllib3.connection", "getresponse", ConnectionResetError(104, "x")),
        raised_in("elsewhere", "connect", ConnectionResetError(104, "x")),
        r.ReadTimeout("x"),
        ValueError("x"),
    ],
)
def test_in_doubt_a_request_was_sent(problem):
    assert not is_unsent(problem)
