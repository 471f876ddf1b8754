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

from .._base.model import HttpAnswer, HttpOptions, HttpRequest
from .._http.body import read_body
from .._http.deadline import within
from .._http.local_address import proxies_to
from .._http.pem_file import pem_file
from .._http.quiet_logs import quiet, quiet_adapter
from .transport_error import LARGEST_ANSWER, error_of

if t.TYPE_CHECKING:
    import requests

__all__ = ("Exchange", "exchange")

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
        raise error_of(exc, request, options, seconds, name) from None


def _send(request: HttpRequest, options: HttpOptions, seconds: float) -> HttpAnswer:
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            # Even with allow_redirects=False, requests looks up the target, and reads the whole body first, whatever its size.
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
