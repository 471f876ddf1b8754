# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""How requests to Vault are sent: hvac's adapter over a session of requests, with retries that speak up."""

from __future__ import annotations

import time
import typing as t
import warnings

from .._base.quiet_logs import quiet, quiet_adapter
from .._base.strict_json import WrittenNumber
from .auth import login_of

if t.TYPE_CHECKING:
    pass


# The longest wait that Vault may ask for with Retry-After; beyond it the error says how long.
_LONGEST_WAIT = 30.0
_RATE_LIMIT_RETRIES = 3
# 412: a replica that is not up to date yet. 500, 502, 503: maintenance, an election, a proxy without a backend.
_RETRIED_STATUSES = (412, 429, 500, 502, 503, 504)
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "LIST"))


class _Refusal(Exception):
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
        # Vault's refusals have "errors"; a deleted version has "data", a wrong KV version "warnings". Another service's JSON has none.
        return isinstance(self.body, dict) and bool({"errors", "data", "warnings"} & set(self.body))

    def says(self, text: str) -> bool:
        return any(text in error.lower() for error in self.errors)


def _number(value: t.Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _adapter_class(
    *,
    failed: t.Callable[[Exception], Exception],
    observe: t.Callable[[str, str, int | None, float], None],
) -> t.Any:
    """hvac's adapter with one way out for trouble: an answer is a dictionary, or it is raised."""
    from hvac.adapters import RawAdapter  # type: ignore[import-untyped,unused-ignore]
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError, InsecureRequestWarning

    class Adapter(RawAdapter):  # type: ignore[misc,unused-ignore]
        def get_login_token(self, response: t.Any) -> str:
            return str(login_of(response).client_token)

        def request(self, method: str, url: str, headers: t.Any = None, raise_exception: bool = True, **kwargs: t.Any) -> dict[str, t.Any]:
            started = time.monotonic()
            status: int | None = None
            try:
                with quiet(), warnings.catch_warnings():
                    warnings.simplefilter("ignore", InsecureRequestWarning)  # said once, in our words
                    response = super().request(method, url, headers=headers, raise_exception=False, **kwargs)
                status = response.status_code
            except (RequestException, HTTPError, OSError, ValueError) as exc:
                raise failed(exc) from None
            finally:
                observe(method, url, status, time.monotonic() - started)
            return _answer(response)

    return Adapter


def _answer(response: t.Any) -> dict[str, t.Any]:
    try:
        body = response.json(parse_float=WrittenNumber) if response.content else {}
    except ValueError:
        body = None
    if 200 <= response.status_code < 300 and isinstance(body, dict):
        return body
    errors = body.get("errors") if isinstance(body, dict) else None
    texts = tuple(str(error) for error in errors) if isinstance(errors, list) else ()
    if body is None:
        texts = (response.text[:200],)
    elif not response.content:
        body = None
    raise _Refusal(response.status_code, errors=texts, body=body, retry_after=_seconds_of(response.headers.get("Retry-After")))


def _seconds_of(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


def _session(retry: t.Any, *, refuse_redirect: t.Callable[[str], t.NoReturn]) -> t.Any:
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            # A standby sends to the active node; that goes on, as with the vault command. Down to plain http it does not.
            target = super().get_redirect_target(resp)
            if target and str(resp.url).startswith("https:") and target.startswith("http:"):
                refuse_redirect(target.partition("?")[0])
            return target

    session = Session()
    session.auth = lambda prepared: prepared  # netrc adds nothing to requests to Vault
    session.mount("https://", quiet_adapter(max_retries=retry))
    session.mount("http://", quiet_adapter(max_retries=retry))
    return session


def _retry_class(retried: t.Callable[[str], None]) -> t.Any:
    """urllib3's Retry that speaks up, waits for no more than is reasonable, and spends no login twice."""
    from urllib3.exceptions import MaxRetryError
    from urllib3.util.retry import Retry

    class SpokenRetry(Retry):
        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
            # Vault's rate limit answers before the request is looked at: whatever it was, it is not spent.
            if status_code == 429 and has_retry_after and self.status != 0 and self.total != 0:
                return True
            return super().is_retry(method, status_code, has_retry_after)

        def increment(  # type: ignore[override,unused-ignore]
            self,
            method: t.Any = None,
            url: t.Any = None,
            response: t.Any = None,
            error: t.Any = None,
            _pool: t.Any = None,
            _stacktrace: t.Any = None,
        ) -> Retry:
            status = response.status if response is not None else None
            is_login = str(method).upper() == "POST" and "/auth/" in str(url)
            if is_login and status != 429 and not (error is not None and self._is_connection_error(error)):
                raise error or MaxRetryError(_pool, url)
            if response is not None and (self.get_retry_after(response) or 0) > _LONGEST_WAIT:
                raise MaxRetryError(_pool, url)
            following = super().increment(method, url, response, error, _pool, _stacktrace)
            retried(f"status {status}" if status else "no answer")
            return following

    return SpokenRetry
