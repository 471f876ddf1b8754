# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Send requests to Vault: hvac's adapter over a session of requests.

Waits and response sizes are limited, and retries are reported. It raises :class:`Refusal` for an error response and :class:`NoAnswer`
for a missing one; both hold data that must not be shown, and the client turns them into messages.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
import typing as t
import warnings
from urllib.parse import urljoin, urlsplit

from .._base.causes import causes
from .._base.deadline import Late, within
from .._base.errors import TokenError
from .._base.http_body import CutOff, Damaged, TooLarge, read_body
from .._base.local_address import is_loopback, leads_here, proxies_to
from .._base.quiet_logs import adapter_class, quiet
from .._base.strict_json import WrittenNumber, shallow
from .auth import login_of

if t.TYPE_CHECKING:
    from .options import VaultOptions

__all__ = ("LARGEST_ANSWER", "NoAnswer", "Patience", "Refusal", "adapter", "integer", "retries", "session")

# Vault's storage accepts values of 1 MiB; as JSON they can be several times as large.
LARGEST_ANSWER = 4 << 20
# Seconds. The longest Retry-After that is honoured; if it is longer, the error says how long.
_LONGEST_WAIT = 30.0
_LONGEST_TOLD = 86400.0
_LONGEST_FOREIGN = 200  # bytes of an answer that is not from Vault
# 412: a replica that is not up to date. 472, 473: a standby. 500, 502, 503: maintenance, an election, a proxy without a backend.
_RETRIED_STATUSES = (412, 429, 472, 473, 500, 502, 503, 504)
# Used if retries is not set: without these, a disruption of a second or two would fail all hosts of a run. 504 is left out: its sender has waited long enough.
_OWN_RETRIES, _OWN_STATUSES, _OWN_BACKOFF = 3, (412, 429, 472, 473, 500, 502, 503), 0.5
# In the response to a request that Vault has not processed.
_NOT_ACTIVE = b"local node not active"
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "LIST"))
# Seconds. The socket's own timeout must come first, because it knows whether it was connecting or reading.
_GRACE = 0.5
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


class Refusal(Exception):
    """Vault, or something in front of it, answered with an error status."""

    def __init__(self, status: int, *, errors: tuple[str, ...], body: t.Any, retry_after: float | None) -> None:
        super().__init__()
        self.status = status
        self.errors = errors
        self.body = body
        self.retry_after = retry_after

    @property
    def data(self) -> dict[str, t.Any]:
        found = self.body.get("data") if isinstance(self.body, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def from_vault(self) -> bool:
        # Vault's error responses have "errors"; a deleted version has "data", a wrong KV version "warnings". Another service's JSON has none.
        return isinstance(self.body, dict) and bool({"errors", "data", "warnings"} & set(self.body))

    def says(self, text: str) -> bool:
        return any(text in error.lower() for error in self.errors)


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
        self.left = seconds
        self.monotonic = monotonic
        self._sleep = sleep

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


def integer(value: t.Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def retries(options: VaultOptions) -> t.Any:
    """urllib3's Retry for the options; unknown arguments raise its exceptions."""
    from urllib3.util.retry import Retry

    settings: dict[str, t.Any] = {"raise_on_status": False, "respect_retry_after_header": True}
    if options.retries is None:
        settings.update(total=None, connect=0, read=0, other=0, status=_OWN_RETRIES, status_forcelist=_OWN_STATUSES)
        settings.update(allowed_methods=_REPEATABLE, backoff_factor=_OWN_BACKOFF)
    elif isinstance(options.retries, int):
        settings.update(total=options.retries, status_forcelist=_RETRIED_STATUSES)
        settings.update(allowed_methods=_REPEATABLE, backoff_factor=0.3)
    else:
        given = dict(options.retries)
        if "method_whitelist" in given:  # the name in urllib3 before 2.0
            given.setdefault("allowed_methods", given.pop("method_whitelist"))
        settings.setdefault("allowed_methods", _REPEATABLE)
        settings.update(given)
    return Retry(**settings)


def adapter(failed: t.Callable[[Exception, str], Exception]) -> t.Any:
    """An hvac adapter that returns a dictionary, or raises *failed*'s error or a :class:`Refusal`.

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
            return _answer(response)

    return Adapter


def _answer(response: t.Any) -> dict[str, t.Any]:
    body = _parsed(response)
    if isinstance(body, dict) and not _is_envelope(body):
        body = None
    if 200 <= response.status_code < 300 and isinstance(body, dict):
        return body
    errors = body.get("errors") if isinstance(body, dict) else None
    texts = tuple(str(error) for error in errors) if isinstance(errors, list) else ()
    if body is None:
        # Not response.text: the server's charset may be one that Python cannot use.
        texts = (response.content[:_LONGEST_FOREIGN].decode("utf-8", "replace"),)
    elif not response.content:
        body = None
    raise Refusal(response.status_code, errors=texts, body=body, retry_after=_seconds_of(response.headers.get("Retry-After")))


def _is_envelope(body: dict[str, t.Any]) -> bool:
    """Whether the members of every Vault response have the right types, where present."""
    return all(isinstance(body.get(name), (dict, type(None))) for name in ("auth", "data", "wrap_info")) and all(
        isinstance(body.get(name), (list, type(None))) for name in ("errors", "warnings")
    )


def _parsed(response: t.Any) -> t.Any:
    try:
        return response.json(parse_float=WrittenNumber) if response.content else {}
    except ValueError:
        return None
    except RecursionError:  # OpenBao can store JSON that Python cannot read: one entry of the shared cache must not stop all lookups
        with contextlib.suppress(ValueError):
            return json.loads(shallow(response.text), parse_float=WrittenNumber)
        return None


def _seconds_of(header: str | None) -> float | None:
    from urllib3.exceptions import InvalidHeader
    from urllib3.util.retry import Retry

    if not header:
        return None
    try:
        seconds = float(header) if header.strip()[:1].isdigit() else Retry().parse_retry_after(header)
    except (InvalidHeader, ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), _LONGEST_TOLD)


def session(
    options: VaultOptions,
    *,
    patience: Patience,
    retry: t.Any,
    retried: t.Callable[[str], None],
    refuse_redirect: t.Callable[[str, str], t.NoReturn],
    guarded: bool = False,
) -> t.Any:
    """The requests session of one client.

    :arg refuse_redirect: called with the scheme of the request and the target.
    :arg guarded: for a powerful token. Follows no redirects, and uses no proxy of the environment for this machine.
    """
    import requests

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

        def merge_environment_settings(self, url: t.Any, *arguments: t.Any, **keywords: t.Any) -> t.Any:
            settings = super().merge_environment_settings(url, *arguments, **keywords)
            stays = guarded and leads_here(urlsplit(str(url)).hostname or "")
            settings["proxies"] = dict(self.proxies) if stays else proxies_to(str(url), given=self.proxies, found=settings["proxies"])
            if "ssl_context" in tls:
                settings["verify"] = True  # with our own certificates; REQUESTS_CA_BUNDLE must not add any
            return settings

        def rebuild_proxies(self, prepared_request: t.Any, proxies: t.Any) -> t.Any:
            # For a redirect, requests reads the environment again.
            found = t.cast(t.Any, super()).rebuild_proxies(prepared_request, proxies)
            return proxies_to(str(prepared_request.url), given=self.proxies, found=found)

    tls = _tls_of(options)
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


def _tls_of(options: VaultOptions) -> dict[str, t.Any]:
    """More arguments for urllib3's pools than requests passes: settings that the vault command takes from the environment."""
    found: dict[str, t.Any] = {}
    if not options.url.startswith("https:"):
        return found
    if options.tls_server_name:
        found["server_hostname"] = options.tls_server_name
    if options.validate_certs and not options.ca_cert and (options.ca_cert_text or options.ca_path):
        from urllib3.util.ssl_ import create_urllib3_context

        context = create_urllib3_context()
        for text in [options.ca_cert_text] if options.ca_cert_text else _texts_in(options.ca_path or ""):
            context.load_verify_locations(cadata=_certificates_in(text))
        found["ssl_context"] = context
    return found


def _certificates_in(text: str) -> str:
    """The certificates in *text*, without remarks: bundles have these in any language, but Python accepts only ASCII.

    :raises ValueError: there is no certificate.
    """
    found = "\n".join(_CERTIFICATE.findall(text))
    if not found.isascii() or not found:
        raise ValueError
    return found


def _texts_in(folder: str) -> t.Iterator[str]:
    """The texts of all files, whatever their names, as the vault command reads them; OpenSSL would require hashes as names."""
    import os

    for path, _folders, names in os.walk(folder):
        for name in sorted(names):
            with open(os.path.join(path, name), encoding="ascii", errors="replace") as file:
                yield file.read()


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
                retry, pause = _next(retry, request, response, trouble)
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


def _next(retry: t.Any, request: t.Any, response: t.Any, trouble: Exception | None) -> tuple[t.Any, float]:
    """The remaining Retry for the next attempt and the pause before it; None if there is no next attempt.

    urllib3 could retry by itself, but without a check of the deadline between attempts. And a login must not be used twice: it is not
    retried once Vault may have seen it.
    """
    from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, MaxRetryError, ReadTimeoutError

    end = None, 0.0
    method, unseen = str(request.method).upper(), False
    error = None
    if response is not None:
        asked = bool(response.headers.get("Retry-After"))
        # Vault's rate limit and a node without an active peer answer before the request is processed: a single-use credential is not used up.
        unseen = (response.status_code == 429 and asked) or (response.status_code >= 500 and _NOT_ACTIVE in response.content)
        unseen = unseen and retry.status != 0 and retry.total != 0
        if not unseen and not retry.is_retry(method, response.status_code, asked):
            return end
        if retry.total is None and b"sealed" in response.content:
            return end  # sealed: a retry cannot help
    else:
        inner = [cause for cause in causes(trouble or Late()) if isinstance(cause, HTTPError) and not isinstance(cause, MaxRetryError)]
        if isinstance(trouble, (Late, CutOff)):
            inner = [ReadTimeoutError(t.cast(t.Any, None), request.url, "late")]
        if not inner:
            return end
        error = getattr(inner[0], "original_error", inner[0])
    is_login = method == "POST" and "/auth/" in str(request.url)
    if is_login and not unseen and not isinstance(error, ConnectTimeoutError):
        return end
    raw = None if response is None else response.raw
    try:
        following = retry.increment(method, request.url, response=raw, error=error)
    except (HTTPError, OSError):
        return end
    pause = None
    with contextlib.suppress(InvalidHeader, ValueError, OverflowError):  # a date may be out of every range
        pause = following.get_retry_after(raw) if raw is not None and following.respect_retry_after_header else None
    pause = following.get_backoff_time() if pause is None else pause
    return (following, pause) if pause <= _LONGEST_WAIT else end
