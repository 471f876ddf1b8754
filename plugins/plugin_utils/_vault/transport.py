# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Send requests to Vault: hvac's adapter over a session of requests.

Waits and response sizes are limited, and retries are reported. The adapter raises :class:`.answer.Refusal` for an error response,
and for a missing one the error that its caller gave it. A Refusal holds data that must not be shown: the client turns it into a message.
"""

from __future__ import annotations

import contextlib
import io
import time
import typing as t
import warnings
from urllib.parse import urljoin, urlsplit

from .._base.errors import TokenError
from .._http.body import CutOff, Damaged, TooLarge, read_body
from .._http.deadline import Late, within
from .._http.local_address import is_loopback, leads_here, proxies_to
from .._http.quiet_logs import adapter_class, quiet
from .answer import answer_of
from .auth import login_of
from .certificates import tls_of
from .retries import next_attempt

if t.TYPE_CHECKING:
    from .options import VaultOptions

__all__ = ("LARGEST_ANSWER", "NoAnswer", "Patience", "adapter", "session")

# Vault's storage accepts values of 1 MiB; as JSON they can be several times as large.
LARGEST_ANSWER = 4 << 20
# Seconds. The socket's own timeout must come first, because it knows whether it was connecting or reading.
_GRACE = 0.5
_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


class NoAnswer(Exception):
    """*url* did not answer; *cause* is the exception from requests, urllib3 or this module."""

    def __init__(self, cause: Exception, url: str) -> None:
        super().__init__()
        self.cause = cause
        self.url = url


class Patience:
    """How long Vault may keep one caller waiting, over all requests and pauses of a client.

    The caller's other work, such as asking a vendor, does not count.
    """

    def __init__(self, seconds: float, *, monotonic: t.Callable[[], float] = time.monotonic, sleep: t.Callable[[float], None] = time.sleep) -> None:
        self._seconds = self.left = seconds
        self.monotonic = monotonic
        self._sleep = sleep

    def restart(self) -> None:
        """Allow the whole time again."""
        self.left = self._seconds

    @contextlib.contextmanager
    def waiting(self) -> t.Iterator[None]:
        began = self.monotonic()
        try:
            yield
        finally:
            self.left -= self.monotonic() - began

    def sleep(self, seconds: float) -> None:
        with self.waiting():
            self._sleep(seconds)


def adapter(failed: t.Callable[[Exception, str], Exception]) -> t.Any:
    """An hvac adapter that returns a dictionary, or raises *failed*'s error or a :class:`.answer.Refusal`.

    :arg failed: the error for an exception of the libraries and the URL requested; the URL is empty if none was.
    """
    from hvac.adapters import RawAdapter  # type: ignore[import-untyped,unused-ignore]
    from urllib3.exceptions import InsecureRequestWarning

    class Adapter(RawAdapter):  # type: ignore[misc,unused-ignore]
        def get_login_token(self, response: t.Any) -> str:
            return str(login_of(response).client_token)

        def request(self, method: str, url: str, headers: t.Any = None, raise_exception: bool = True, **kwargs: t.Any) -> dict[str, t.Any]:
            try:
                with quiet(), warnings.catch_warnings():
                    warnings.simplefilter("ignore", InsecureRequestWarning)  # our own warning says it once
                    response = super().request(method, url, headers=headers, raise_exception=False, **kwargs)
            except NoAnswer as exc:
                raise failed(exc.cause, exc.url) from None
            except TokenError:
                raise
            except Exception as exc:  # noqa: BLE001 - Vault's side decides what the libraries stumble over
                raise failed(exc, "") from None
            return answer_of(response)

    return Adapter


def session(
    options: VaultOptions,
    *,
    patience: Patience,
    retry: t.Any,
    retried: t.Callable[[str], None],
    refuse_redirect: t.Callable[[str, str], t.NoReturn],
    guarded: bool,
) -> t.Any:
    """The requests session of one client.

    :arg refuse_redirect: called with the scheme of the request and the target.
    :arg guarded: for a powerful token. Follows no redirects, and uses no proxy of the environment for this machine.
    """
    import requests

    tls = tls_of(options)

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            # A standby redirects to the active node; follow that, as the vault command does. Do not follow a redirect to plain http, or
            # from an agent or a tunnel on this machine into the network.
            target = None if guarded else super().get_redirect_target(resp)
            if target:
                # As requests will read it: the scheme may be in any letter case, or missing.
                start, goal = urlsplit(str(resp.url)), urlsplit(urljoin(str(resp.url), target))
                leaves = is_loopback(start.hostname or "") and not is_loopback(goal.hostname or "")
                if goal.scheme != "https" and (start.scheme == "https" or leaves):
                    refuse_redirect(start.scheme, f"{goal.scheme}://{goal.netloc.rpartition('@')[2]}{goal.path}")
            return target

        def merge_environment_settings(self, url: t.Any, proxies: t.Any, stream: t.Any, verify: t.Any, cert: t.Any) -> t.Any:
            settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
            stays = guarded and leads_here(urlsplit(str(url)).hostname or "")
            settings["proxies"] = dict(self.proxies) if stays else proxies_to(str(url), given=self.proxies, found=settings["proxies"])
            if "ssl_context" in tls:
                settings["verify"] = True  # with our own certificates; REQUESTS_CA_BUNDLE must not add any
            return settings

        def rebuild_proxies(self, prepared_request: t.Any, proxies: t.Any) -> t.Any:
            # For a redirect, requests reads the environment again.
            found = t.cast(t.Any, super()).rebuild_proxies(prepared_request, proxies)
            return proxies_to(str(prepared_request.url), given=self.proxies, found=found)

    made = Session()
    made.auth = lambda prepared: prepared  # so that netrc adds nothing
    # On the session, because hvac prefers a session's settings to its own arguments.
    made.verify = (options.ca_cert or True) if options.validate_certs else False
    made.proxies = dict(options.proxies or {})
    if options.cert_auth_public_key and options.cert_auth_private_key:
        # For all requests: the listener may require it, and Vault requires it again to renew a certificate login.
        made.cert = (options.cert_auth_public_key, options.cert_auth_private_key)
    sender = _sender_class()(options.timeout, patience=patience, retry=retry, retried=retried, tls=tls)
    made.mount("https://", sender)
    made.mount("http://", sender)
    return made


def _sender_class() -> t.Any:
    """A requests adapter that sends a request, retries it if that is allowed, and reads the response."""
    from requests.exceptions import RequestException
    from urllib3 import HTTPResponse
    from urllib3.exceptions import HTTPError

    class Sender(adapter_class()):  # type: ignore[misc,unused-ignore]
        def __init__(self, timeout: float, *, patience: Patience, retry: t.Any, retried: t.Callable[[str], None], tls: dict[str, t.Any]) -> None:
            self._timeout, self._patience, self._retry, self._retried, self._tls = timeout, patience, retry, retried, tls
            super().__init__()

        def init_poolmanager(self, *arguments: t.Any, **keywords: t.Any) -> t.Any:
            return super().init_poolmanager(*arguments, **{**keywords, **self._tls})

        def proxy_manager_for(self, proxy: t.Any, **keywords: t.Any) -> t.Any:
            return super().proxy_manager_for(proxy, **{**keywords, **self._tls})

        def cert_verify(self, conn: t.Any, url: t.Any, verify: t.Any, cert: t.Any) -> None:
            super().cert_verify(conn, url, verify, cert)
            if "ssl_context" in self._tls:
                conn.ca_certs = conn.ca_cert_dir = None  # otherwise requests would also trust the public CAs

        def send(self, request: t.Any, **keywords: t.Any) -> t.Any:
            retry = self._retry
            while True:
                response, trouble = None, None
                try:
                    response = self._once(request, **{**keywords, "stream": True})
                except (RequestException, HTTPError, OSError, ValueError, Late, TooLarge, Damaged, CutOff) as exc:
                    trouble = exc
                retry, pause = next_attempt(retry, request, response, trouble)
                if retry is None or pause >= self._patience.left:
                    if trouble is not None:
                        raise NoAnswer(trouble, request.url) from None
                    return response
                self._retried(f"status {response.status_code}" if response is not None else "no answer")
                self._patience.sleep(pause)

        def _once(self, request: t.Any, **keywords: t.Any) -> t.Any:
            seconds = min(self._timeout, self._patience.left)
            until = self._patience.monotonic() + seconds

            def in_time() -> None:
                if self._patience.monotonic() > until:
                    raise Late

            def work() -> t.Any:
                with quiet():
                    answer = super(Sender, self).send(request, **{**keywords, "timeout": seconds})
                    try:
                        return self._whole(request, answer, read_body(answer, largest=LARGEST_ANSWER, in_time=in_time))
                    finally:
                        answer.close()

            if seconds <= 0:
                raise Late
            with self._patience.waiting():
                return within(seconds + _GRACE, work)

        def _whole(self, request: t.Any, answer: t.Any, body: bytes) -> t.Any:
            """*answer* with its body, which requests would read without a limit."""
            headers = {name: value for name, value in answer.raw.headers.items() if name.lower() not in _OF_THE_BODY}
            raw = HTTPResponse(io.BytesIO(body), headers, answer.status_code, reason=answer.reason, preload_content=False)
            return self.build_response(request, raw)

    return Sender
