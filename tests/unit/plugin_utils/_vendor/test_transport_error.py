# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each exception of requests and urllib3 that a token request can raise, and what the user reads."""

from __future__ import annotations

import builtins
import socket
import ssl

import pytest
import requests.exceptions as r
import urllib3.exceptions as u
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpOptions, HttpRequest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.body import CutOff, Damaged, TooLarge
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.deadline import Late
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.transport_error import error_of
from support.raised import raised_in

SECRET = "pl4nted-s3cret"
URL = f"https://v.example:8443/token?client_secret={SECRET}"


def found(problem, *, url=URL, seconds=30.0, certificate="", **options):
    request = HttpRequest("GET", url, {}, None, (SECRET,), client_certificate=certificate)
    error = error_of(problem, request, HttpOptions(**{"timeout": 20, "deadline": 40, **options}), seconds, "acme")
    assert SECRET not in error.message
    return error


def unavailable(problem, **how):
    error = found(problem, **how)
    assert type(error) is VendorError
    assert (error.kind, error.status, error.code, error.retry_after) == ("unavailable", None, None, None)
    return error.message, error.retryable, error.sent, error.fault


def caused_by(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (TooLarge(), "sent more than 1 MiB, which cannot be a token answer. Check base_url and token_url."),
        *(
            (
                problem,
                "sent an answer whose compression is broken or unknown. Check base_url and token_url, and any proxy between here and the vendor (http_proxy).",
            )
            for problem in (Damaged(), r.ContentDecodingError(SECRET))
        ),
    ],
)
def test_a_too_large_or_undecodable_answer_is_reported(problem, message):
    error = found(problem)
    assert type(error) is VendorError
    assert error.message == f"acme: the vendor at v.example:8443 {message}"
    assert (error.kind, error.retryable, error.sent, error.fault) == ("answer", False, True, "vendor:answer")


def connecting(problem):
    """*problem* as it is raised while the connection is made."""
    return raised_in("urllib3.connection", "connect", problem)


@pytest.mark.parametrize("problem", [connecting(r.SSLError(SECRET)), r.SSLError(u.SSLError(connecting(ssl.SSLError(1, SECRET))))])
@pytest.mark.parametrize(
    ("options", "given", "ours"),
    [
        ({}, "", "http_client_cert and http_client_key"),
        ({"ca_cert": "/a\nb" + 300 * "c"}, f" (now: /a b{195 * 'c'}…)", "http_client_cert and http_client_key"),
        ({"certificate": "PEM"}, "", "the fields certificate and private_key of the secret"),
    ],
)
def test_a_tls_error_names_the_options_to_check(problem, options, given, ours):
    assert unavailable(problem, **options) == (
        f"acme: TLS with the vendor at v.example:8443 failed. Check http_ca_cert{given}, {ours}, and the certificate of the vendor.",
        False,
        False,
        "vendor:tls",
    )


def test_the_reason_of_a_failed_certificate_verification_is_shown():
    refused = ssl.SSLCertVerificationError(1, SECRET)
    refused.verify_message = "certificate has expired"
    assert "v.example:8443 failed (certificate has expired). Check" in unavailable(r.SSLError(u.MaxRetryError(None, URL, u.SSLError(connecting(refused)))))[0]


@pytest.mark.parametrize("cause", [connecting(OSError(SECRET)), connecting(TimeoutError(SECRET)), ConnectionRefusedError(SECRET)])
def test_a_proxy_that_does_not_connect_is_named(cause):
    problem = r.ProxyError(u.MaxRetryError(None, URL, u.ProxyError(SECRET, cause)))
    of_environment = "the proxy of the environment (https_proxy, http_proxy or all_proxy)"
    for proxy, named in ((None, of_environment), (f"http://user:{SECRET}@p.example:3128/{SECRET}", "the proxy p.example:3128 (http_proxy)")):
        assert unavailable(problem, proxy=proxy) == (
            f"acme: {named} did not connect to the vendor at v.example:8443. Check it.",
            True,
            False,
            "vendor:unreachable",
        )


@pytest.mark.parametrize(
    ("problem", "sent"),
    [
        (r.ConnectTimeout(SECRET), False),
        (r.ReadTimeout(SECRET), True),
        (caused_by(u.ReadTimeoutError(None, URL, SECRET), TimeoutError()), True),  # within the body
        (r.ConnectionError(caused_by(u.ProtocolError(SECRET), TimeoutError())), True),
        (r.ConnectionError(caused_by(u.NewConnectionError(None, SECRET), TimeoutError())), True),
        (TimeoutError(SECRET), True),
        (Late(), True),
    ],
)
def test_a_timeout_is_reported_and_whether_the_request_was_sent(problem, sent):
    limit = 40 if isinstance(problem, Late) else 20
    assert unavailable(problem) == (
        f"acme: the vendor at v.example:8443 did not answer within {limit} s. Check the network, or raise http_timeout and http_deadline.",
        True,
        sent,
        "vendor:timeout",
    )


@pytest.mark.parametrize(("seconds", "limit"), [(19.9, "40"), (20.0, "20"), (20.1, "20")])
def test_the_limit_that_the_user_has_set_is_named(seconds, limit):
    assert f"did not answer within {limit} s." in unavailable(r.ReadTimeout(), seconds=seconds)[0]


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (r.ConnectionError(u.MaxRetryError(None, URL, u.NewConnectionError(None, SECRET))), ""),
        (r.ConnectionError(u.MaxRetryError(None, URL, caused_by(u.NewConnectionError(None, ""), ConnectionRefusedError()))), " (connection refused)"),
        (r.ConnectionError(ConnectionRefusedError(111, SECRET)), " (connection refused)"),
        (
            r.ConnectionError(u.MaxRetryError(None, URL, caused_by(u.NewConnectionError(None, ""), socket.gaierror(-2, SECRET)))),
            " (its name cannot be resolved)",
        ),
    ],
)
def test_an_unreachable_vendor_is_reported_with_the_reason(problem, why):
    assert unavailable(problem) == (
        f"acme: the vendor at v.example:8443 cannot be reached{why}. Check base_url and token_url, the network and http_proxy.",
        True,
        False,
        "vendor:unreachable",
    )


@pytest.mark.parametrize(
    "problem",
    [
        CutOff(),
        r.ConnectionError(u.ProtocolError(SECRET, ConnectionResetError())),
        r.ChunkedEncodingError(SECRET),
        r.SSLError(u.SSLError(ssl.SSLError(1, SECRET))),
        r.ProxyError(u.MaxRetryError(None, URL, u.ProxyError(SECRET, ConnectionResetError()))),
        RuntimeError(SECRET),
        ValueError(SECRET),
    ],
)
def test_any_other_exception_counts_as_cut_off_and_is_not_retried(problem):
    """The vendor may have processed the request: it is not sent again."""
    assert unavailable(problem) == (
        "acme: the answer of the vendor at v.example:8443 was cut off. Try again; if this persists, check base_url and the network.",
        False,
        True,
        "vendor:unavailable",
    )


ADDRESS = (
    "the address of the vendor or of its proxy cannot be used. Check base_url, token_url and http_proxy, "
    "and https_proxy, http_proxy and all_proxy in the environment."
)


@pytest.mark.parametrize(
    ("problem", "message", "fault"),
    [
        (
            r.InvalidSchema("Missing dependencies for SOCKS support."),
            "a SOCKS proxy (http_proxy, or all_proxy in the environment) needs the Python library PySocks. Install it where ansible runs: pip install PySocks",
            "option:library",
        ),
        *((kind(SECRET), ADDRESS, "option:address") for kind in (r.InvalidURL, r.MissingSchema, r.InvalidSchema, r.InvalidProxyURL)),
        (u.LocationParseError(SECRET), ADDRESS, "option:address"),
        (r.InvalidURL("SOCKS"), ADDRESS, "option:address"),
        (
            OSError(SECRET),
            "http_ca_cert, http_client_cert or http_client_key contains no certificate or key. Give PEM files.",
            "option:file",
        ),
    ],
)
def test_unusable_options_are_reported(problem, message, fault):
    error = found(problem)
    assert type(error) is OptionError
    assert (error.message, error.fault) == (f"acme: {message}", fault)


@pytest.mark.parametrize("option", ["ca_cert", "client_cert", "client_key"])
def test_a_missing_file_is_named_with_its_option(option, tmp_path):
    (tmp_path / "there").write_text("")
    files = {**dict.fromkeys(("ca_cert", "client_cert", "client_key"), str(tmp_path / "there")), option: "/nonexistent/pem"}
    error = found(OSError(SECRET), **files)
    assert type(error) is OptionError
    assert error.message == f"acme: http_{option} /nonexistent/pem cannot be read (no such file or directory). Give a file that this user can read."
    assert error.fault == "option:file"


def test_a_login_of_the_proxy_that_no_header_can_contain():
    error = found(UnicodeEncodeError("latin-1", SECRET, 0, 1, SECRET))
    assert type(error) is OptionError
    assert error.message == (
        "acme: the user name or password of the proxy has characters that cannot be sent. "
        "Check http_proxy, and https_proxy, http_proxy and all_proxy in the environment."
    )
    assert error.fault == "option:address"


def test_a_credential_that_no_header_can_contain():
    error = found(r.InvalidHeader(SECRET))
    assert type(error) is VendorError
    assert error.message == "acme: a credential has characters that an HTTP header cannot contain. Check the secret."
    assert (error.kind, error.retryable, error.sent, error.fault) == ("refused", False, False, "vault:field")


def test_a_missing_requests_library_is_reported(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.partition(".")[0] == "requests":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    error = found(ImportError(SECRET))
    assert type(error) is OptionError
    assert error.message == "acme: the Python library requests is needed. Install it where ansible runs: pip install requests"
    assert error.fault == "option:library"
