# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The messages for requests to Vault that got no answer. Pure.

No exception's text is shown, except OpenSSL's about a certificate.
"""

from __future__ import annotations

import typing as t

from .._http.body import CutOff, Damaged, TooLarge
from .._http.causes import causes
from .._http.deadline import Late
from .._http.unsent import is_unsent
from .._text.scrub import scrub
from .transport import LARGEST_ANSWER

__all__ = ("why_no_answer",)

_CUT_OFF = "broke off its answer. Try again, or set retries."


def why_no_answer(exc: Exception, *, timeout: float, ca_cert: str | None = None) -> tuple[str, str]:
    """The kind of error and its message: the first known kind among the causes of *exc*.

    :arg ca_cert: the CA file from the options; None if none was given.
    """
    inside = causes(exc)
    if any(type(cause).__name__ == "InvalidSchema" and "SOCKS" in str(cause) for cause in inside):
        return "library", _NO_SOCKS
    for wanted, kind, sentence in _no_answer_table(unsent=is_unsent(exc)):
        for cause in inside:
            if isinstance(cause, wanted):
                text = sentence if isinstance(sentence, str) else sentence(cause, inside)
                return kind, text.replace("{timeout}", f"{timeout:g}").replace("{ca}", _NAME_ANOTHER_CA.format(ca_cert) if ca_cert else _NAME_A_CA)
    return "unavailable", _broken_off(exc, inside)


_NO_SOCKS = (
    "a SOCKS proxy (proxies, VAULT_PROXY_ADDR, or all_proxy in the environment) needs the Python library PySocks. "
    "Install it where ansible runs: pip install PySocks"
)
_Sentence: t.TypeAlias = "str | t.Callable[[BaseException, list[BaseException]], str]"


def _no_answer_table(*, unsent: bool) -> tuple[tuple[tuple[type[BaseException], ...], str, _Sentence], ...]:
    import ssl

    from requests import exceptions as failures
    from urllib3 import exceptions as inner

    late = "did not answer within {timeout} s. Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT)."
    far = "cannot be reached: no connection within {timeout} s. Check url (VAULT_ADDR) and the network."
    large = f"sent more than {LARGEST_ANSWER >> 20} MiB, which no secret has. Check url (VAULT_ADDR) and any proxy in front of Vault."
    damaged = "sent an answer whose compression is broken or unknown. Check url (VAULT_ADDR), the option proxies, and any proxy in front of Vault."
    endless = "redirects endlessly. Check url (VAULT_ADDR) and any proxy in front of Vault."
    proxy = "cannot be reached through the proxy. Check proxies (ANSIBLE_HASHI_VAULT_PROXIES, https_proxy)."
    address = "its address or the proxy's is not a valid URL. Check url (VAULT_ADDR) and proxies."
    letters = "the token or another login value has characters that cannot be sent. Check it for line ends."
    return (
        ((Late,), "unreachable", late),
        ((TooLarge,), "unavailable", large),
        ((Damaged, failures.ContentDecodingError), "unavailable", damaged),
        ((CutOff,), "unavailable", _CUT_OFF),
        # Also raised for a connection through a proxy that broke after the request.
        ((failures.ProxyError, inner.ProxyError) if unsent else (), "unreachable", proxy),
        ((ssl.SSLCertVerificationError,), "tls", _untrusted),
        ((failures.SSLError, ssl.SSLError, inner.SSLError), "tls", _tls_trouble),
        ((failures.ReadTimeout, inner.ReadTimeoutError), "unreachable", late),
        # In urllib3 1.26 this is a subclass of ConnectTimeoutError.
        ((inner.NewConnectionError, ConnectionError), "unreachable", _socket_trouble),
        ((failures.ConnectTimeout, inner.ConnectTimeoutError), "unreachable", far),
        ((failures.InvalidHeader, UnicodeError), "option", letters),
        ((failures.InvalidURL, failures.MissingSchema, failures.InvalidSchema, failures.InvalidProxyURL), "option", address),
        ((failures.TooManyRedirects,), "unavailable", endless),
        ((failures.ConnectionError,), "unreachable", _socket_trouble),
        ((inner.ProtocolError, failures.ChunkedEncodingError), "unavailable", _CUT_OFF),
        ((failures.RequestException, inner.HTTPError), "unavailable", _broken_off),
        # requests raises this for a CA file or client certificate that it cannot read.
        ((OSError,), "tls", "cannot be contacted: a certificate or key file cannot be read. Check ca_cert and cert_auth_*."),
    )


def _untrusted(cause: t.Any, _inside: list[BaseException]) -> str:
    reason = scrub(str(cause.verify_message or "verification failed"), ())
    name_differs = "mismatch" in reason.lower() or "not valid for" in reason.lower()
    if name_differs:
        return f"has a certificate for another host name ({reason}). Use a name of the certificate in url (VAULT_ADDR), or set VAULT_TLS_SERVER_NAME to one."
    if "expired" in reason.lower() or "not yet valid" in reason.lower():
        return f"has a certificate that is out of date ({reason}). Have it renewed, or check this machine's clock."
    return f"has a certificate that is not trusted here ({reason}). {{ca}}"


_NAME_A_CA = "Name its CA file in ca_cert (VAULT_CACERT); validate_certs=false would turn the check off."
_NAME_ANOTHER_CA = "ca_cert {} does not verify it: name the file of its CA there (VAULT_CACERT)."


def _tls_trouble(_cause: BaseException, inside: list[BaseException]) -> str:
    text = " ".join(str(getattr(cause, "reason", None) or "") for cause in inside).upper()
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER" in text or "HTTP_REQUEST" in text:
        return "does not speak TLS: begin url with http:// if that is intended (VAULT_ADDR)."
    if "CERTIFICATE_REQUIRED" in text or "BAD_CERTIFICATE" in text or "HANDSHAKE_FAILURE" in text:
        return (
            "refused the TLS connection: it requires a client certificate that it trusts. "
            "Set cert_auth_public_key and cert_auth_private_key (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY)."
        )
    if "KEY_VALUES_MISMATCH" in text:
        return "cannot be contacted: cert_auth_private_key does not belong to cert_auth_public_key."
    if "NO_CERTIFICATE" in text or "NO_START_LINE" in text or "PEM_LIB" in text:
        return "cannot be contacted: a certificate file contains no certificate. Check ca_cert (VAULT_CACERT, VAULT_CAPATH) and cert_auth_public_key."
    return "failed at TLS. Check url (VAULT_ADDR), ca_cert (VAULT_CACERT) and any proxy between here and Vault."


def _socket_trouble(_cause: BaseException, inside: list[BaseException]) -> str:
    return f"cannot be reached: {_socket_reason(inside)}. Check that it runs, and url (VAULT_ADDR)."


def _socket_reason(inside: list[BaseException]) -> str:
    import socket

    reasons: tuple[tuple[type[BaseException], str], ...] = (
        (socket.gaierror, "its host name does not resolve"),
        (ConnectionRefusedError, "connection refused"),
        (ConnectionResetError, "the connection was reset"),
        (BrokenPipeError, "the connection was reset"),
    )
    for cause in inside:
        for kind, reason in reasons:
            if isinstance(cause, kind):
                return reason
    named = [cause.strerror.lower() for cause in inside if isinstance(cause, OSError) and cause.errno and cause.strerror]
    return named[0] if named else "the connection broke"


def _broken_off(cause: BaseException, _inside: list[BaseException]) -> str:
    return f"broke off its answer ({type(cause).__name__}). Try again, or set retries."
