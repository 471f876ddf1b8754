# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Ask the vendor, with retries and backoff within one deadline."""

from __future__ import annotations

import random
import typing as t

from .._base.errors import VendorError
from .._base.model import HttpRequest, Request, Token
from .._base.ports import Ports
from .answer import read_answer
from .request import Grant

__all__ = ("ask",)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0


def ask(
    request: Request,
    http_request: HttpRequest,
    grant: Grant,
    *,
    ports: Ports,
    until: float,
    secret_version: str,
    again: t.Callable[[], HttpRequest] | None = None,
    unused: t.Iterable[str] = (),
) -> Token:
    """The vendor's token.

    Retried: refused connections, timeouts, 429, 502, 503 and 504. A request whose grant can be used only once is retried only if
    the vendor certainly did not process it.

    :arg until: the deadline, on the monotonic clock.
    :arg again: builds the request for a retry, because a signed proof in it may be used only once.
    :arg unused: as in :func:`read_answer`.
    :raises VendorError: the last failure, with ``retry_after`` if the vendor asks for a longer wait than the deadline allows.
    """
    attempt, known = 0, set(unused)
    while True:
        try:
            return _once(request, http_request, grant, ports=ports, until=until, secret_version=secret_version, unused=known)
        except VendorError as exc:
            repeatable = exc.retryable and (http_request.repeatable or not exc.sent)
            pause = _pause(attempt, exc.retry_after)
            if not repeatable or attempt >= request.http.retries or ports.monotonic() + pause >= until:
                raise
        ports.sleep(pause)
        attempt += 1
        known.update(http_request.secrets)  # a proof that was sent is as secret as the next one
        http_request = again() if again is not None else http_request


def _pause(attempt: int, retry_after: float | None) -> float:
    if retry_after is not None:
        return retry_after
    # Jitter, so that controllers that failed together do not retry together.
    return float(min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)) * random.uniform(0.75, 1.0)  # noqa: S311 - no secret


def _once(request: Request, http_request: HttpRequest, grant: Grant, *, ports: Ports, until: float, secret_version: str, unused: t.Iterable[str]) -> Token:
    requested_at = ports.clock()
    seconds = max(0.05, until - ports.monotonic())
    answer = ports.exchange(http_request, request.http, seconds, request.vendor.name)
    return read_answer(
        request,
        answer,
        grant=grant,
        sent=http_request,
        requested_at=requested_at,
        received_at=ports.clock(),
        secret_version=secret_version,
        unused=unused,
        warn=ports.warn,
    )
