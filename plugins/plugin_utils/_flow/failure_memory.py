# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""What is remembered of failures, so that five hundred hosts with a wrong password are one failed login."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from .._base.errors import TokenError, VaultError, VendorError
from .._base.model import Failure
from .._cache.crypto import canonical
from .slot import Caller

__all__ = ("Failures", "as_error")

_LONGEST_RETRY_AFTER = 300.0
# What may pass by itself; whoever asks next in the same run is told without a new attempt.
_PASSING_VAULT = ("unreachable", "tls", "sealed", "unavailable")


class Failures:
    """What a failure in an entry means to this caller, and what the next one is to know of a new failure."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def recalled(self, failure: Failure | None) -> TokenError | None:
        """A failure, for those who should not try again: who asked before it; and where it may pass, in the same run or too early."""
        if failure is None:
            return None
        now, caller = self._caller.ports.clock(), self._caller
        age, remembered_for = now - failure.recorded_at, failure.remembered_for(caller.request.cache.failure_ttl)
        if not 0 <= age < max(remembered_for, failure.retry_at - failure.recorded_at):
            return None
        asked_before = max(failure.recorded_at, failure.confirmed_at) > caller.started
        same_run = failure.run == self._way and age < remembered_for
        if not asked_before and not (_may_pass(failure) and (same_run or now < failure.retry_at)):
            return None
        caller.tell("remembered", None, reason=failure.message)
        return as_error(failure)

    def refused_lately(self, failure: Failure | None) -> bool:
        """Whether the vendor refused the credentials within C(failure_ttl)."""
        return failure is not None and failure.refused and self.lately(failure)

    def lately(self, failure: Failure | None) -> bool:
        return failure is not None and 0 <= self._caller.ports.clock() - failure.recorded_at < self._caller.request.cache.failure_ttl

    def told_again(self, before: Failure | None, exc: TokenError, *, asked_version: str, looked_at: float) -> Failure | None:
        """The refusal *before*, where *exc* only repeats it because the secret is still the same. It must not live longer for that.

        :arg asked_version: of the secret with which the vendor was asked now; empty where it was not asked.
        :arg looked_at: when the secret was last asked for.
        """
        if before is None or asked_version or before.message != exc.message or not self.refused_lately(before):
            return None
        return replace(before, confirmed_at=max(before.confirmed_at, looked_at))

    def failure(self, exc: VendorError | VaultError, *, asked_version: str, took: float) -> Failure:
        """*exc*, as it is remembered, after an attempt that took so many seconds."""
        now = self._caller.ports.clock()
        if isinstance(exc, VaultError):
            return Failure(exc.message, f"vault:{exc.kind}", now, run=self._way, took=took)
        wait = min(exc.retry_after or 0.0, _LONGEST_RETRY_AFTER)
        return Failure(
            exc.message,
            exc.kind,
            now,
            secret_version=asked_version,
            run=self._way,
            retry_at=now + wait if wait else 0.0,
            status=exc.status,
            code=exc.code,
            took=took,
        )

    @property
    def _way(self) -> str:
        """A name for this run and its way to the servers: a failure on one way says nothing of another CA, proxy or patience."""
        way = self._caller.request.vault.network()
        return hashlib.sha256(canonical([self._caller.ports.run, vars(self._caller.request.http), way])).hexdigest()[:16]


def as_error(failure: Failure) -> TokenError:
    if failure.kind.startswith("vault:"):
        return VaultError(failure.message, kind=failure.kind.partition(":")[2])
    return VendorError(failure.message, failure.kind, status=failure.status, code=failure.code)


def _may_pass(failure: Failure) -> bool:
    """Whether it passes by itself; the rest lasts until somebody mends it, and is then right at once."""
    area, _colon, kind = failure.kind.partition(":")
    return not failure.refused and (area != "vault" or kind in _PASSING_VAULT)
