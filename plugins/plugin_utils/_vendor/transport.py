# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Send one token request with ``requests`` and bring back the answer, within a deadline and a size.

No redirect is followed, netrc never replaces our header, and no exception text of requests or urllib3 (they hold URLs, and
TrackMage's URL holds its secret) leaves this file.
"""

from __future__ import annotations

import threading
import typing as t
import warnings
import zlib

from .._base.errors import OptionError, VendorError
from .._base.model import HttpAnswer, HttpOptions, HttpRequest
from .._base.quiet_logs import quiet, quiet_adapter
from .address import host

if t.TYPE_CHECKING:
    import requests

__all__ = ("LARGEST_ANSWER", "Exchange", "exchange")

LARGEST_ANSWER = 1 << 20  # bytes
_CHUNK = 16 << 10

#: Sends a request and returns the answer within so many seconds: the one effect of a vendor.
Exchange = t.Callable[[HttpRequest, HttpOptions, float, str], HttpAnswer]


class _TooLarge(Exception):
    pass


class _Damaged(Exception):
    pass


class _Late(Exception):
    """The deadline came before the last byte, whatever the timeouts of the sockets say."""


def exchange(request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> HttpAnswer:
    """The vendor's answer, whatever its status.

    :arg seconds: how long all of it may take: connecting, sending, the last byte.
    :arg name: the vendor, for messages.
    :raises VendorError: there is no whole answer.
    """
    # A drip of bytes resets every socket timeout, and a name server answers when it likes: only another thread can stop
    # waiting for them. The thread is a daemon, so that a stuck one does not keep the process.
    outcome: list[HttpAnswer | Exception] = []

    def work() -> None:
        try:
            with quiet():
                outcome.append(_send(request, options, seconds))
        except Exception as exc:  # noqa: BLE001 - it is explained, whatever it is, in the thread that waits
            outcome.append(exc)

    thread = threading.Thread(target=work, daemon=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")  # said once, in our words
        thread.start()
        thread.join(seconds)
    if not outcome:
        outcome.append(_Late())
    result = outcome[0]
    if isinstance(result, HttpAnswer):
        return result
    raise _explained(result, request, options, seconds, name) from None


def _send(request: HttpRequest, options: HttpOptions, seconds: float) -> HttpAnswer:
    import requests

    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, quiet_adapter())
        session.auth = _leave_alone  # else requests takes a password from netrc over our header
        if options.proxy:
            session.proxies = {"http": options.proxy, "https": options.proxy}
        verify, certificate = _tls(options)
        settings = session.merge_environment_settings(request.url, dict(session.proxies), True, None, None)
        if verify is not True:
            settings["verify"] = verify  # REQUESTS_CA_BUNDLE must not weaken or replace what the option says
        prepared = session.prepare_request(requests.Request(request.method, request.url, headers=_headers(request), data=request.body))
        timeout = min(options.timeout, seconds)
        with session.send(
            prepared,
            timeout=(timeout, timeout),
            allow_redirects=False,
            cert=certificate,
            verify=settings["verify"],
            proxies=settings["proxies"],
            stream=True,
        ) as response:
            return HttpAnswer(response.status_code, _lower(response), _body(response))


def _leave_alone(prepared: t.Any) -> t.Any:
    return prepared


def _headers(request: HttpRequest) -> dict[str, str | bytes]:
    # As bytes: a connect token with a character beyond Latin-1 would otherwise be an exception that shows it.
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


def _body(response: requests.Response) -> bytes:
    """The body, at most so large, decoded here because a compressed one can be a bomb."""
    raw = b""
    while True:
        chunk = response.raw.read(_CHUNK, decode_content=False)
        if not chunk:
            break
        raw += chunk
        if len(raw) > LARGEST_ANSWER:
            raise _TooLarge
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        return raw
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise _Damaged
    try:
        inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, by its header
        plain = inflate.decompress(raw, LARGEST_ANSWER + 1)
    except zlib.error:
        raise _Damaged from None
    if len(plain) > LARGEST_ANSWER:
        raise _TooLarge
    return plain


def _explained(problem: Exception, request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> Exception:
    """*problem* in a sentence of ours; its own text is never used."""
    where = host(request.url)
    try:
        import requests.exceptions as r
    except ImportError:
        return OptionError(f"{name}: the Python library requests is needed. Install it where ansible runs: pip install requests")

    def failed(what: str, **facts: t.Any) -> VendorError:
        return VendorError(f"{name}: {what}", **facts)

    if isinstance(problem, _TooLarge):
        return failed(
            f"the vendor at {where} sent more than {LARGEST_ANSWER >> 20} MiB, which is no token answer. Check base_url and token_url.", kind="answer"
        )
    if isinstance(problem, (_Damaged, r.ContentDecodingError)):
        return failed(f"the vendor at {where} sent an answer in an encoding that cannot be read.", kind="answer")
    if isinstance(problem, r.SSLError):
        return failed(
            f"TLS with the vendor at {where} failed{_tls_reason(problem)}. Check http_ca_cert, http_client_cert and "
            "http_client_key, and the certificate of the vendor.",
            kind="unavailable",
            sent=False,
        )
    if isinstance(problem, r.ProxyError):
        return failed(f"the proxy on the way to the vendor at {where} did not connect. Check http_proxy.", kind="unavailable", retryable=True, sent=False)
    if isinstance(problem, (_Late, r.ConnectTimeout, r.ReadTimeout)) or _timed_out(problem):
        # What was left of the deadline is nobody's setting: the option that the reader can raise is told.
        within = options.deadline if isinstance(problem, _Late) or seconds < options.timeout else options.timeout
        return failed(
            f"the vendor at {where} did not answer within {within:g} s. Check the network, or raise http_timeout and http_deadline.",
            kind="unavailable",
            retryable=True,
            sent=not isinstance(problem, r.ConnectTimeout),
        )
    if isinstance(problem, r.ConnectionError) and not _was_sent(problem):
        return failed(
            f"the vendor at {where} cannot be reached{_why(problem)}. Check base_url and token_url, the network and http_proxy.",
            kind="unavailable",
            retryable=True,
            sent=False,
        )
    if isinstance(problem, (r.InvalidURL, r.MissingSchema, r.InvalidSchema, r.InvalidProxyURL)):
        return OptionError(f"{name}: the address of the vendor or of http_proxy cannot be used. Check base_url, token_url and http_proxy.")
    if isinstance(problem, OSError) and not isinstance(problem, r.RequestException):
        return OptionError(f"{name}: a file of http_ca_cert, http_client_cert or http_client_key cannot be read.")
    if isinstance(problem, (r.InvalidHeader, UnicodeError)):
        return VendorError(f"{name}: a credential has characters that no HTTP header may carry. Check the secret.", kind="refused")
    return failed(
        f"the answer of the vendor at {where} was cut off. Try again; if it stays so, check base_url and the network.", kind="unavailable", retryable=False
    )


def _chain(problem: BaseException) -> t.Iterator[BaseException]:
    """*problem* and what it wraps, which requests and urllib3 keep in ``args`` and ``reason``."""
    seen: set[int] = set()
    waiting: list[t.Any] = [problem]
    while waiting:
        current = waiting.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting.extend([*current.args, getattr(current, "reason", None), current.__cause__, current.__context__])


def _timed_out(problem: BaseException) -> bool:
    return any(isinstance(link, TimeoutError) for link in _chain(problem))


def _was_sent(problem: BaseException) -> bool:
    """Whether the connection stood, so that the vendor may have acted on the request."""
    import urllib3.exceptions as u

    return not any(isinstance(link, (u.NewConnectionError, ConnectionRefusedError)) for link in _chain(problem))


def _why(problem: BaseException) -> str:
    import socket

    for link in _chain(problem):
        if isinstance(link, socket.gaierror):
            return " (its name cannot be resolved)"
        if isinstance(link, ConnectionRefusedError):
            return " (connection refused)"
    return ""


def _tls_reason(problem: BaseException) -> str:
    """OpenSSL's words for a failed verification; they are about certificates only."""
    import ssl

    for link in _chain(problem):
        if isinstance(link, ssl.SSLCertVerificationError):
            return f" ({link.verify_message})"
    return ""
