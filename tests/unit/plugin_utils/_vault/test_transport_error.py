# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sentence for each way in which no answer arrives. Where the exceptions come from: test_client.py and test_transport_sockets.py."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.body import CutOff, Damaged, TooLarge
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.deadline import Late
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.transport_error import why_no_answer
from requests import exceptions as failures
from support.raised import raised_in
from urllib3 import exceptions as inner


def caused(exc, *causes):
    """*exc* with a chain of causes."""
    last = exc
    for cause in causes:
        last.__cause__ = cause
        last = cause
    return exc


def untrusted(text):
    exc = ssl.SSLCertVerificationError(1, text)
    exc.verify_message = text
    return exc


def tls(reason):
    exc = ssl.SSLError(1, reason)
    exc.reason = reason
    return exc


@pytest.mark.parametrize(
    ("exc", "kind", "sentence"),
    [
        (Late(), "unreachable", "did not answer within 7.5 s. Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT)."),
        (failures.ReadTimeout(), "unreachable", "did not answer within 7.5 s. Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT)."),
        (failures.ConnectTimeout(), "unreachable", "cannot be reached: no connection within 7.5 s. Check url (VAULT_ADDR) and the network."),
        (TooLarge(), "unavailable", "sent more than 4 MiB, which no secret has. Check url (VAULT_ADDR) and any proxy in front of Vault."),
        (
            Damaged(),
            "unavailable",
            "sent an answer whose compression is broken or unknown. Check url (VAULT_ADDR), the option proxies, and any proxy in front of Vault.",
        ),
        (CutOff(), "unavailable", "broke off its answer. Try again, or set retries."),
        (failures.ChunkedEncodingError(), "unavailable", "broke off its answer. Try again, or set retries."),
        (
            raised_in("urllib3.connection", "connect", failures.ProxyError()),
            "unreachable",
            "cannot be reached through the proxy. Check proxies (ANSIBLE_HASHI_VAULT_PROXIES, https_proxy).",
        ),
        (failures.TooManyRedirects(), "unavailable", "redirects endlessly. Check url (VAULT_ADDR) and any proxy in front of Vault."),
        (
            failures.InvalidSchema("Missing dependencies for SOCKS support."),
            "library",
            "a SOCKS proxy (proxies, VAULT_PROXY_ADDR, or all_proxy in the environment) needs the Python library PySocks. "
            "Install it where ansible runs: pip install PySocks",
        ),
        (failures.InvalidSchema("No connection adapters."), "option", "its address or the proxy's is not a valid URL. Check url (VAULT_ADDR) and proxies."),
        (OSError("SOCKS"), "tls", "cannot be contacted: a certificate or key file cannot be read. Check ca_cert and cert_auth_*."),
        (failures.InvalidURL(), "option", "its address or the proxy's is not a valid URL. Check url (VAULT_ADDR) and proxies."),
        (failures.InvalidHeader(), "option", "the token or another login value has characters that cannot be sent. Check it for line ends."),
        (
            UnicodeEncodeError("latin-1", "x", 0, 1, "no"),
            "option",
            "the token or another login value has characters that cannot be sent. Check it for line ends.",
        ),
        (OSError(errno.ENOENT, "x"), "tls", "cannot be contacted: a certificate or key file cannot be read. Check ca_cert and cert_auth_*."),
        (failures.RequestException(), "unavailable", "broke off its answer (RequestException). Try again, or set retries."),
        (ValueError(), "unavailable", "broke off its answer (ValueError). Try again, or set retries."),
    ],
)
def test_each_exception_has_its_kind_and_message(exc, kind, sentence):
    assert why_no_answer(exc, timeout=7.5) == (kind, sentence)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (socket.gaierror(-2, "x"), "its host name does not resolve"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "the connection was reset"),
        (BrokenPipeError(errno.EPIPE, "x"), "the connection was reset"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to host"),
        (OSError("no number"), "the connection broke"),
        (OSError(errno.EHOSTUNREACH, ""), "the connection broke"),
        (None, "the connection broke"),
    ],
)
def test_the_reason_of_a_connection_error_is_named(cause, reason):
    exc = caused(failures.ConnectionError(), *([cause] if cause else []))
    assert why_no_answer(exc, timeout=1) == ("unreachable", f"cannot be reached: {reason}. Check that it runs, and url (VAULT_ADDR).")


def test_a_proxy_that_refuses_the_connection_is_named_instead_of_vault():
    exc = caused(failures.ConnectionError(), inner.ProxyError("x", ConnectionRefusedError()), ConnectionRefusedError())
    assert "through the proxy" in why_no_answer(exc, timeout=1)[1]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        *(
            (
                reason,
                f"has a certificate for another host name ({reason}). Use a name of the certificate in url (VAULT_ADDR), or set VAULT_TLS_SERVER_NAME to one.",
            )
            for reason in ("Hostname mismatch, certificate is not valid for 'a'", "IP address MISMATCH", "Not valid for 'a'")
        ),
        (
            "Certificate has EXPIRED",
            "has a certificate that is out of date (Certificate has EXPIRED). Have it renewed, or check this machine's clock.",
        ),
        (
            "certificate has expired",
            "has a certificate that is out of date (certificate has expired). Have it renewed, or check this machine's clock.",
        ),
        (
            "certificate is NOT yet valid",
            "has a certificate that is out of date (certificate is NOT yet valid). Have it renewed, or check this machine's clock.",
        ),
        (
            "",
            "has a certificate that is not trusted here (verification failed). Name its CA file in ca_cert (VAULT_CACERT); "
            "validate_certs=false would turn the check off.",
        ),
    ],
)
def test_a_failed_certificate_verification_is_explained(reason, sentence):
    given = why_no_answer(caused(failures.SSLError(), untrusted(reason)), timeout=1, ca_cert="/x/e.pem")[1]
    assert given == (sentence if reason else f"{sentence[:65]} ca_cert /x/e.pem does not verify it: name the file of its CA there (VAULT_CACERT).")
    assert why_no_answer(caused(failures.SSLError(), untrusted(reason)), timeout=1) == ("tls", sentence)


NO_TLS = "does not speak TLS: begin url with http:// if that is intended (VAULT_ADDR)."
WANTS_CERTIFICATE = (
    "refused the TLS connection: it requires a client certificate that it trusts. "
    "Set cert_auth_public_key and cert_auth_private_key (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY)."
)
NO_CERTIFICATE = "cannot be contacted: a certificate file contains no certificate. Check ca_cert (VAULT_CACERT, VAULT_CAPATH) and cert_auth_public_key."
FAILED = "failed at TLS. Check url (VAULT_ADDR), ca_cert (VAULT_CACERT) and any proxy between here and Vault."


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("WRONG_VERSION_NUMBER", NO_TLS),
        ("wrong_version_number", NO_TLS),
        ("RECORD_LAYER_FAILURE", NO_TLS),
        ("HTTP_REQUEST", NO_TLS),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", WANTS_CERTIFICATE),
        ("SSLV3_ALERT_BAD_CERTIFICATE", WANTS_CERTIFICATE),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", WANTS_CERTIFICATE),
        ("KEY_VALUES_MISMATCH", "cannot be contacted: cert_auth_private_key does not belong to cert_auth_public_key."),
        ("NO_CERTIFICATE_OR_CRL_FOUND", NO_CERTIFICATE),
        ("NO_START_LINE", NO_CERTIFICATE),
        ("PEM_LIB", NO_CERTIFICATE),
        ("SOMETHING_ELSE", FAILED),
        (None, FAILED),
    ],
)
def test_tls_errors_are_explained_by_their_reason(reason, expected):
    assert why_no_answer(caused(failures.SSLError(), tls(reason)), timeout=1) == ("tls", expected)
