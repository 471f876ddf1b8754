# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Which requests to Vault are retried, and when: urllib3's Retry, with a deadline and with logins that are not sent twice. Pure."""

from __future__ import annotations

import contextlib
import typing as t

from .._http.body import CutOff
from .._http.causes import causes
from .._http.deadline import Late
from .._http.unsent import is_unsent

if t.TYPE_CHECKING:
    from .options import VaultOptions

__all__ = ("next_attempt", "retries")

_LONGEST_WAIT = 30.0  # seconds; the longest Retry-After that is honoured. If it is longer, the error says how long.
# 412: a replica that is not up to date. 472, 473: a standby. 500, 502, 503: maintenance, an election, a proxy without a backend.
_RETRIED_STATUSES = (412, 429, 472, 473, 500, 502, 503, 504)
# Used if retries is not set: without these, a disruption of a second or two would fail all hosts of a run. 504 is left out: its sender has waited long enough.
_OWN_RETRIES, _OWN_STATUSES, _OWN_BACKOFF = 3, (412, 429, 472, 473, 500, 502, 503), 0.5
# In the response to a request that Vault has not processed.
_NOT_ACTIVE = b"local node not active"
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "LIST"))


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


def next_attempt(retry: t.Any, request: t.Any, response: t.Any, trouble: Exception | None) -> tuple[t.Any, float]:
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
        # Retry asks for the method only if the answer could not be read. A connection that a proxy or TLS broke off counts as another error.
        if retry.allowed_methods and method not in retry.allowed_methods and not (trouble and is_unsent(trouble)):
            return end
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
