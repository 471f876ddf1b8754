# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Get a new token with a shared cache: another controller's, or one fetched under the lease."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

from .._base.errors import TokenError, VaultError, VendorError, coded
from .._base.model import Entry, Failure, Token
from .._base.ports import Ports
from .._cache.freshness import Verdict
from .._vault.refusals import LastingRefusal
from .call import Call
from .failure_memory import add_failure, as_error, confirm, failure_of, remembered_failure
from .fetch import Outcome
from .shared_store import MOST_FAILURES, Lease, LeaseLost, SharedCache, shareable

__all__ = ("fetch_shared",)

_KEPT_FOR = 86400.0
_MOST_LEASES = 3  # one may be lost while this process is paused; losing all three means something else writes the entry

#: Asks the vendor with these ports, given the known entry.
Attempt = t.Callable[[Entry, Ports], Outcome]


def fetch_shared(call: Call, entry: Entry, shared: SharedCache, attempt: Attempt, *, alone: t.Callable[[Entry], Outcome]) -> Outcome:
    """The token that another controller has fetched; otherwise a new one for all controllers.

    :arg entry: the entry in this controller's own cache.
    :arg attempt: fetches under the lease.
    :arg alone: fetches if tokens cannot be shared.
    """
    still_good = call.verdict(entry) is Verdict.AGING
    for _attempt in range(_MOST_LEASES):
        try:
            found = shared.claim(lambda theirs, new: _usable(call, theirs, entry, new), wait=not still_good)
        except VaultError as exc:
            if exc.kind != "denied" and not (isinstance(exc, LastingRefusal) and shared.may_do_without):
                return Outcome(error=exc)
            call.ports.warn(coded(f"{exc.message} Until this is fixed, tokens are not shared with other controllers.", exc.fault))
            return alone(entry)
        except TokenError as exc:
            return Outcome(error=exc)
        if isinstance(found, Token):
            call.report("shared", found, reason="another controller")
            return Outcome(token=found)
        if found is None:
            call.report("shared", entry.token, reason="another controller is renewing it")
            return Outcome(token=entry.token)
        outcome = _fetch_under_lease(call, entry, shared, found, attempt)
        if not isinstance(outcome.error, LeaseLost):  # else wait for the new holder of the lease
            return outcome
    name, where = call.request.vendor.name, call.request.where
    return Outcome(
        error=VaultError(f"{name}: other writers repeatedly took over the shared entry for {where}. Check who can write there, or remove the entry.")
    )


def _usable(call: Call, theirs: Entry, ours: Entry, new_failures: frozenset[Failure]) -> Token | None:
    """The token in the shared entry, if it is good and new to this controller.

    :arg new_failures: those in *theirs* that were added while this caller waited.
    :raises TokenError: the failure in it, if it applies to this caller.
    """
    now = call.ports.clock()
    verdict = call.verdict(replace(theirs, renewals=ours.renewals))
    known = theirs.token is not None and ours.token is not None and theirs.token.access_token == ours.token.access_token
    if theirs.token is not None and (verdict is Verdict.FRESH or (verdict is Verdict.AGING and not known)):
        # Only the shared entry keeps the refresh token, so that two controllers never use it. The local copy expires after a
        # while, so that repairing a wrong entry repairs the tokens of all controllers.
        return replace(theirs.token.without_refresh_token(), expires_at=min(theirs.token.expires_at, now + _KEPT_FOR))
    failure = remembered_failure(theirs.failures, call.caller, now=now, new=new_failures)
    if failure is not None:
        error = as_error(failure)
        call.report("remembered", error=error)
        raise error
    return None


def _fetch_under_lease(call: Call, entry: Entry, shared: SharedCache, lease: Lease, attempt: Attempt) -> Outcome:
    """Ask the vendor, and release the lease with the outcome."""
    theirs = lease.entry
    known = Entry(
        # Only the shared entry has the newest refresh token.
        theirs.token or (entry.token.without_refresh_token() if entry.token else None),
        (*entry.failures, *theirs.failures),
    )
    began = call.ports.monotonic()
    outcome = attempt(known, shared.guarded(lease))
    if isinstance(outcome.error, LeaseLost):
        return outcome
    if outcome.token is not None:
        try:
            shared.settle(lease, Entry(outcome.token))
        except VaultError as exc:  # the token itself is good
            call.ports.warn(coded(f"{exc.message} So this token is not shared with other controllers.", exc.fault))
            return outcome
        return replace(outcome, token=outcome.token.without_refresh_token())
    left = theirs.token.without_refresh_token() if theirs.token and outcome.spent else theirs.token
    failures = _shared_failures(call, theirs.failures, outcome, took=call.ports.monotonic() - began)
    with contextlib.suppress(VaultError):
        shared.settle(lease, Entry(left, failures))
    return outcome


def _shared_failures(call: Call, failures: tuple[Failure, ...], outcome: Outcome, *, took: float) -> tuple[Failure, ...]:
    now, failure_ttl = call.ports.clock(), call.request.cache.failure_ttl
    if outcome.repeated is not None:
        return confirm(failures, outcome.repeated, at=outcome.checked_at)
    if not isinstance(outcome.error, VendorError):
        return failures  # Vault may grant the next controller what it refused this one
    failure = failure_of(outcome.error, call.caller, asked_version=outcome.asked_version, took=took, now=now)
    return add_failure(failures, shareable(failure), failure_ttl=failure_ttl, now=now, most=MOST_FAILURES)
