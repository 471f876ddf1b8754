# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Our error for a token request that got no complete response. Reads no files except those that options name, to report which one is unreadable.

The texts of requests' and urllib3's exceptions are never shown, except OpenSSL's about a certificate: they contain URLs, and TrackMage's URL
contains its secret.
"""

from __future__ import annotations

from .._base.errors import OptionError, TokenError, VendorError
from .._base.model import HttpOptions, HttpRequest
from .._http.body import Damaged, TooLarge
from .._http.causes import causes
from .._http.deadline import Late
from .._http.readable import unreadable
from .._http.unsent import is_unsent
from .._text.one_line import one_line
from .address import host, proxy_host

__all__ = ("LARGEST_ANSWER", "error_of")

LARGEST_ANSWER = 1 << 20  # bytes


def error_of(problem: Exception, request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> TokenError:
    """Our error for *problem*, which sending *request* raised.

    :arg seconds: the limit that the exchange had.
    :arg name: the vendor's name in messages.
    """
    try:
        import requests.exceptions as r
    except ImportError:
        return OptionError(f"{name}: the Python library requests is needed. Install it where ansible runs: pip install requests", fault="option:library")
    where = _vendor_at(request)
    if isinstance(problem, TooLarge):
        return VendorError(
            f"{name}: {where} sent more than {LARGEST_ANSWER >> 20} MiB, which cannot be a token answer. Check base_url and token_url.", kind="answer"
        )
    if isinstance(problem, (Damaged, r.ContentDecodingError)):
        return VendorError(
            f"{name}: {where} sent an answer whose compression is broken or unknown. Check base_url and token_url, "
            "and any proxy between here and the vendor (http_proxy).",
            kind="answer",
        )
    unreached = _not_connected(problem, request, options, name)
    if unreached is not None:
        return unreached
    if _timed_out(problem):
        # Name the limit that the user has set, not what was left of the deadline.
        limit = options.deadline if isinstance(problem, Late) or seconds < options.timeout else options.timeout
        return VendorError(
            f"{name}: {where} did not answer within {limit:g} s. Check the network, or raise http_timeout and http_deadline.",
            kind="unavailable",
            retryable=True,
            sent=not isinstance(problem, r.ConnectTimeout),
            fault="vendor:timeout",
        )
    return _not_asked(problem, options, name) or VendorError(
        f"{name}: the answer of {where} was cut off. Try again; if this persists, check base_url and the network.", kind="unavailable"
    )


def _vendor_at(request: HttpRequest) -> str:
    return f"the vendor at {host(request.url)}"


def _not_connected(problem: Exception, request: HttpRequest, options: HttpOptions, name: str) -> VendorError | None:
    """The error for a vendor that no connection was made to, so that the request was not sent; None for any other problem."""
    import requests.exceptions as r

    if not is_unsent(problem):
        return None
    where = _vendor_at(request)
    if isinstance(problem, r.SSLError):
        ours = "the fields certificate and private_key of the secret" if request.client_certificate else "http_client_cert and http_client_key"
        given = f" (now: {one_line(options.ca_cert)})" if options.ca_cert else ""
        return VendorError(
            f"{name}: TLS with {where} failed{_tls_reason(problem)}. Check http_ca_cert{given}, {ours}, and the certificate of the vendor.",
            kind="unavailable",
            sent=False,
            fault="vendor:tls",
        )
    if isinstance(problem, r.ProxyError):
        proxy = f"{proxy_host(options.proxy)} (http_proxy)" if options.proxy else "of the environment (https_proxy, http_proxy or all_proxy)"
        what = f"the proxy {proxy} did not connect to {where}. Check it."
    elif isinstance(problem, r.ConnectionError) and not _timed_out(problem):
        what = f"{where} cannot be reached{_why(problem)}. Check base_url and token_url, the network and http_proxy."
    else:
        return None
    return VendorError(f"{name}: {what}", kind="unavailable", retryable=True, sent=False, fault="vendor:unreachable")


def _not_asked(problem: Exception, options: HttpOptions, name: str) -> TokenError | None:
    """The error for a request that could not be sent because of an option, a file or a credential; None for any other problem."""
    import requests.exceptions as r
    import urllib3.exceptions as u

    if isinstance(problem, r.InvalidSchema) and "SOCKS" in str(problem):
        return OptionError(
            f"{name}: a SOCKS proxy (http_proxy, or all_proxy in the environment) needs the Python library PySocks. "
            "Install it where ansible runs: pip install PySocks",
            fault="option:library",
        )
    if isinstance(problem, OSError) and not isinstance(problem, r.RequestException):
        return OptionError(f"{name}: {_file_trouble(options)}", fault="option:file")
    if isinstance(problem, r.InvalidHeader):
        return VendorError(
            f"{name}: a credential has characters that an HTTP header cannot contain. Check the secret.", kind="refused", sent=False, fault="vault:field"
        )
    if isinstance(problem, UnicodeError):  # our own headers are bytes
        return OptionError(
            f"{name}: the user name or password of the proxy has characters that cannot be sent. Check http_proxy, "
            "and https_proxy, http_proxy and all_proxy in the environment.",
            fault="option:address",
        )
    if isinstance(problem, (r.InvalidURL, r.MissingSchema, r.InvalidSchema, u.LocationParseError)):
        return OptionError(
            f"{name}: the address of the vendor or of its proxy cannot be used. Check base_url, token_url and http_proxy, "
            "and https_proxy, http_proxy and all_proxy in the environment.",
            fault="option:address",
        )
    return None


def _file_trouble(options: HttpOptions) -> str:
    found = unreadable((("http_ca_cert", options.ca_cert), ("http_client_cert", options.client_cert), ("http_client_key", options.client_key)))
    if found:
        return f"{found}. Give a file that this user can read."
    return "http_ca_cert, http_client_cert or http_client_key contains no certificate or key. Give PEM files."


def _timed_out(problem: BaseException) -> bool:
    import requests.exceptions as r

    return isinstance(problem, (Late, r.ConnectTimeout, r.ReadTimeout)) or any(isinstance(link, TimeoutError) for link in causes(problem))


def _why(problem: BaseException) -> str:
    import socket

    for link in causes(problem):
        if isinstance(link, socket.gaierror):
            return " (its name cannot be resolved)"
        if isinstance(link, ConnectionRefusedError):
            return " (connection refused)"
    return ""


def _tls_reason(problem: BaseException) -> str:
    """OpenSSL's reason for a failed verification, which is only about certificates."""
    import ssl

    for link in causes(problem):
        if isinstance(link, ssl.SSLCertVerificationError):
            return f" ({link.verify_message})"
    return ""
