# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Send one token request with ``requests`` and return the response, within a deadline and a size limit.

No redirect is followed, netrc never replaces our header, and no exception text of requests or urllib3 leaves this file (they
contain URLs, and TrackMage's URL contains its secret).
"""

from __future__ import annotations

import contextlib
import typing as t
import warnings
from dataclasses import replace

from .._base.causes import causes
from .._base.deadline import Late, within
from .._base.errors import OptionError, TokenError, VendorError
from .._base.http_body import Damaged, TooLarge, read_body
from .._base.local_address import proxies_to
from .._base.model import HttpAnswer, HttpOptions, HttpRequest
from .._base.pem_file import pem_file
from .._base.quiet_logs import quiet, quiet_adapter
from .._base.readable import unreadable
from .._text.one_line import one_line
from .address import host

if t.TYPE_CHECKING:
    import requests

__all__ = ("LARGEST_ANSWER", "Exchange", "exchange")

LARGEST_ANSWER = 1 << 20  # bytes

#: Sends a request and returns the response within that many seconds: the only effect concerning a vendor.
Exchange = t.Callable[[HttpRequest, HttpOptions, float, str], HttpAnswer]


def exchange(request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> HttpAnswer:
    """The vendor's response, whatever its status.

    :arg seconds: the limit for the whole exchange, from connecting to the last byte.
    :arg name: the vendor's name in messages.
    :raises VendorError: there is no complete response.
    """

    def send() -> HttpAnswer:
        with quiet(), _certificate_file(request) as certificate:
            return _send(request, options if certificate is None else replace(options, client_cert=certificate, client_key=None), seconds)

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Unverified HTTPS request")  # our own warning says it once
            return within(seconds, send)
    except Exception as exc:  # noqa: BLE001 - every exception is translated
        raise _explained(exc, request, options, seconds, name) from None


def _send(request: HttpRequest, options: HttpOptions, seconds: float) -> HttpAnswer:
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            # Even if requests must not follow a redirect, it looks up the target, and first reads the whole body, whatever its size.
            return None

    with Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, quiet_adapter())
        session.auth = _leave_alone  # otherwise a password from netrc would replace our header
        if options.proxy:
            session.proxies = {"http": options.proxy, "https": options.proxy}
        verify, certificate = _tls(options)
        settings = session.merge_environment_settings(request.url, dict(session.proxies), True, None, None)
        if verify is not True:
            settings["verify"] = verify  # REQUESTS_CA_BUNDLE must not weaken or replace the option
        prepared = session.prepare_request(requests.Request(request.method, request.url, headers=_headers(request), data=request.body))
        timeout = min(options.timeout, seconds)
        with session.send(
            prepared,
            timeout=(timeout, timeout),
            allow_redirects=False,
            cert=certificate,
            verify=settings["verify"],
            proxies=proxies_to(request.url, given=session.proxies, found=settings["proxies"]),
            stream=True,
        ) as response:
            return HttpAnswer(response.status_code, _lower(response), read_body(response, largest=LARGEST_ANSWER))


def _certificate_file(request: HttpRequest) -> t.ContextManager[str | None]:
    return pem_file(request.client_certificate) if request.client_certificate else contextlib.nullcontext()


def _leave_alone(prepared: t.Any) -> t.Any:
    return prepared


def _headers(request: HttpRequest) -> dict[str, str | bytes]:
    # As bytes: a connect token with a character beyond Latin-1 would otherwise raise an exception that shows it.
    headers: dict[str, str | bytes] = {name: value.encode("utf-8") for name, value in request.headers.items()}
    headers["Accept-Encoding"] = "identity"
    headers["User-Agent"] = "trackops.api_tokens"
    return headers


def _tls(options: HttpOptions) -> tuple[bool | str, str | tuple[str, str] | None]:
    verify: bool | str = (options.ca_cert or True) if options.validate_certs else False
    if not options.client_cert:
        return verify, None
    return verify, (options.client_cert, options.client_key) if options.client_key else options.client_cert


def _lower(response: requests.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _explained(problem: Exception, request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> Exception:
    """Our error for *problem*; the text of that is never used."""
    where = host(request.url)
    try:
        import requests.exceptions as r
    except ImportError:
        return OptionError(f"{name}: the Python library requests is needed. Install it where ansible runs: pip install requests", fault="option:library")

    def failed(what: str, **facts: t.Any) -> VendorError:
        return VendorError(f"{name}: {what}", **facts)

    if isinstance(problem, TooLarge):
        return failed(
            f"the vendor at {where} sent more than {LARGEST_ANSWER >> 20} MiB, which cannot be a token answer. Check base_url and token_url.", kind="answer"
        )
    if isinstance(problem, (Damaged, r.ContentDecodingError)):
        return failed(
            f"the vendor at {where} sent an answer whose compression is broken or unknown. Check base_url and token_url, "
            "and any proxy between here and the vendor (http_proxy).",
            kind="answer",
        )
    if isinstance(problem, r.SSLError):
        ours = "the fields certificate and private_key of the secret" if request.client_certificate else "http_client_cert and http_client_key"
        given = f" (now: {one_line(options.ca_cert, limit=200)})" if options.ca_cert else ""
        return failed(
            f"TLS with the vendor at {where} failed{_tls_reason(problem)}. Check http_ca_cert{given}, {ours}, and the certificate of the vendor.",
            kind="unavailable",
            sent=False,
            fault="vendor:tls",
        )
    if isinstance(problem, r.ProxyError):
        return failed(
            f"the proxy for the vendor at {where} did not connect. Check http_proxy.",
            kind="unavailable",
            retryable=True,
            sent=False,
            fault="vendor:unreachable",
        )
    if isinstance(problem, (Late, r.ConnectTimeout, r.ReadTimeout)) or _timed_out(problem):
        # Name the limit that the user has set, not what was left of the deadline.
        within = options.deadline if isinstance(problem, Late) or seconds < options.timeout else options.timeout
        return failed(
            f"the vendor at {where} did not answer within {within:g} s. Check the network, or raise http_timeout and http_deadline.",
            kind="unavailable",
            retryable=True,
            sent=not isinstance(problem, r.ConnectTimeout),
            fault="vendor:timeout",
        )
    if isinstance(problem, r.ConnectionError) and not _was_sent(problem):
        return failed(
            f"the vendor at {where} cannot be reached{_why(problem)}. Check base_url and token_url, the network and http_proxy.",
            kind="unavailable",
            retryable=True,
            sent=False,
            fault="vendor:unreachable",
        )
    return _not_asked(problem, options, name) or failed(
        f"the answer of the vendor at {where} was cut off. Try again; if this persists, check base_url and the network.", kind="unavailable", retryable=False
    )


def _not_asked(problem: Exception, options: HttpOptions, name: str) -> TokenError | None:
    """The error for a request that could not be sent because of an option, a file or a credential; None for any other problem."""
    import requests.exceptions as r

    if isinstance(problem, r.InvalidSchema) and "SOCKS" in str(problem):
        return OptionError(
            f"{name}: a SOCKS proxy (http_proxy, or all_proxy in the environment) needs the Python library PySocks. "
            "Install it where ansible runs: pip install PySocks",
            fault="option:library",
        )
    if isinstance(problem, (r.InvalidURL, r.MissingSchema, r.InvalidSchema, r.InvalidProxyURL)):
        return OptionError(
            f"{name}: the address of the vendor or of http_proxy cannot be used. Check base_url, token_url and http_proxy.", fault="option:address"
        )
    if isinstance(problem, OSError) and not isinstance(problem, r.RequestException):
        return OptionError(f"{name}: {_file_trouble(options)}", fault="option:file")
    if isinstance(problem, (r.InvalidHeader, UnicodeError)):
        return VendorError(f"{name}: a credential has characters that an HTTP header cannot contain. Check the secret.", kind="refused", fault="vault:field")
    return None


def _file_trouble(options: HttpOptions) -> str:
    found = unreadable((("http_ca_cert", options.ca_cert), ("http_client_cert", options.client_cert), ("http_client_key", options.client_key)))
    if found:
        return f"{found}. Give a file that this user can read."
    return "http_ca_cert, http_client_cert or http_client_key holds no certificate or key. Give PEM files."


def _timed_out(problem: BaseException) -> bool:
    return any(isinstance(link, TimeoutError) for link in causes(problem))


def _was_sent(problem: BaseException) -> bool:
    """Whether the connection was established, so that the vendor may have processed the request."""
    import urllib3.exceptions as u

    return not any(isinstance(link, (u.NewConnectionError, ConnectionRefusedError)) for link in causes(problem))


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
