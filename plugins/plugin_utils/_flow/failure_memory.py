# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Decide which failures to remember, and which callers get one instead of a new attempt. Pure.

An entry holds one failure per run and network options, so that concurrent runs do not overwrite each other's. With a wrong password,
five hundred hosts cause one failed login, and an outage costs each run one attempt.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, replace

from .._base.errors import CacheError, LockTimeout, TokenError, VaultError, VendorError
from .._base.model import Failure, Request
from .._cache.crypto import canonical

__all__ = (
    "Caller",
    "RememberedError",
    "add_failure",
    "as_error",
    "caller_of",
    "confirm",
    "failure_of",
    "failures_after_success",
    "forgotten_at",
    "is_own",
    "is_recent",
    "is_vault_refusal",
    "remembered_failure",
    "remembered_login_refusal",
    "remembered_refusal",
)

_LONGEST_RETRY_AFTER = 300.0
_LONGEST_EXTRA_MEMORY = 300.0
_LONGEST_RUN = 86400.0
_CLOCK_SLACK = 60.0  # seconds that another controller's clock may be ahead
_MOST_FAILURES = 64
# Vault failures that may resolve on their own.
_TEMPORARY_VAULT = ("vault:unreachable", "vault:tls", "vault:sealed", "vault:unavailable")
_LOCK = "lock"
_LOGIN_REFUSED = "vault:login_refused"
_REFUSED_BY_VAULT = ("denied", "login_refused")


@dataclass(frozen=True)
class Caller:
    """The caller: its run, its network options, when it began, and how long it remembers failures."""

    run: str
    network: str
    started: float
    failure_ttl: float


def caller_of(request: Request, *, run: str, started: float) -> Caller:
    network = hashlib.sha256(canonical([vars(request.http), request.vault.network()])).hexdigest()[:16]
    return Caller(run, network, started, request.cache.failure_ttl)


def remembered_failure(failures: t.Iterable[Failure], caller: Caller, *, now: float, new: t.Container[Failure] = ()) -> Failure | None:
    """The newest failure that *caller* gets instead of an attempt, before anything is read from Vault.

    :arg new: failures known to be newer than its call, whatever the clocks of other controllers say.
    """
    known = [failure for failure in failures if (failure in new and _concerns(failure, caller)) or _is_passed_on(failure, caller, now)]
    return max(known, key=lambda failure: failure.recorded_at, default=None)


def _is_passed_on(failure: Failure, caller: Caller, now: float) -> bool:
    age = _age(failure, now)
    if age is None:
        return False
    if now < _retry_at(failure):
        return True
    if age >= _memory(failure, caller.failure_ttl, same_run=failure.run == caller.run):
        return False
    if max(failure.recorded_at, failure.confirmed_at) > caller.started and _concerns(failure, caller):
        return True  # it occurred while this caller waited
    return _may_resolve(failure) and is_own(failure, caller)


def is_own(failure: Failure, caller: Caller) -> bool:
    """Whether it occurred in the run of *caller*, with the same network options."""
    return (failure.run, failure.network) == (caller.run, caller.network)


def _concerns(failure: Failure, caller: Caller) -> bool:
    """Whether *failure* applies to *caller*: a network failure says nothing about another CA, proxy or timeout; a refusal applies to all."""
    return failure.refused or failure.network == caller.network


def remembered_refusal(failures: t.Iterable[Failure], caller: Caller, *, secret_version: str, now: float) -> Failure | None:
    """The vendor's refusal of this version of the secret. It applies in the run that saw it, and for C(failure_ttl) in others."""
    return _held(failures, caller, lambda failure: failure.refused and failure.secret_version == secret_version, now=now)


def remembered_login_refusal(failures: t.Iterable[Failure], caller: Caller, *, now: float) -> Failure | None:
    """Vault's refusal of a login with the same credentials. It applies in the run that saw it, and for C(failure_ttl) in others."""
    return _held(failures, caller, lambda failure: failure.kind == _LOGIN_REFUSED, now=now)


def _held(failures: t.Iterable[Failure], caller: Caller, wanted: t.Callable[[Failure], bool], *, now: float) -> Failure | None:
    for failure in filter(wanted, failures):
        age, memory = _age(failure, now), _memory(failure, caller.failure_ttl, same_run=failure.run == caller.run)
        if age is not None and age < memory:
            return failure
    return None


def is_recent(failures: t.Iterable[Failure], caller: Caller, *, now: float) -> bool:
    """Whether this run failed, or the vendor refused any run, within C(failure_ttl). Vault's refusals do not count: those requests are tried each time."""
    return any(
        age < caller.failure_ttl
        for failure in failures
        if (age := _age(failure, now)) is not None and not is_vault_refusal(as_error(failure)) and (failure.refused or is_own(failure, caller))
    )


class RememberedError(VaultError):
    """A Vault failure that this run already knows: nothing was attempted, so it must not be remembered for longer."""


def failure_of(exc: VendorError | VaultError | LockTimeout, caller: Caller, *, asked_version: str, took: float, now: float) -> Failure:
    """The record of *exc*, after an attempt of *took* seconds with that version of the secret."""
    if isinstance(exc, LockTimeout):
        return Failure(exc.message, _LOCK, now, run=caller.run, network=caller.network, code=str(exc.holder), took=took, fault=exc.fault)
    if isinstance(exc, VaultError):
        return Failure(exc.message, f"vault:{exc.kind}", now, run=caller.run, network=caller.network, took=took, fault=exc.fault)
    wait = min(exc.retry_after or 0.0, _LONGEST_RETRY_AFTER)
    return Failure(
        exc.message,
        exc.kind,
        now,
        secret_version=asked_version,
        run=caller.run,
        network=caller.network,
        retry_at=now + wait if wait else 0.0,
        status=exc.status,
        code=exc.code,
        took=took,
        fault=exc.fault,
    )


def add_failure(failures: t.Iterable[Failure], failure: Failure, *, failure_ttl: float, now: float, most: int = _MOST_FAILURES) -> tuple[Failure, ...]:
    """*failures* with *failure* in place of its run's previous one, and without expired ones."""
    kept = [
        old
        for old in failures
        if (old.run, old.network) != (failure.run, failure.network) and _age(old, now) is not None and now < forgotten_at(old, failure_ttl)
    ]
    return (*sorted(kept, key=lambda old: old.recorded_at), failure)[-most:]


def failures_after_success(failures: t.Iterable[Failure], caller: Caller, *, asked: bool = True) -> tuple[Failure, ...]:
    """The failures to keep once *caller* has a token: those of callers with other network options; refusals too, if the token came from another
    controller.

    :arg asked: whether the token came from the server itself. Another controller's token says nothing about the credentials refused here;
    if it did, a writer of the shared cache could make each run send them again and again.
    """
    return tuple(failure for failure in failures if (not asked if failure.refused else failure.network != caller.network))


def confirm(failures: t.Iterable[Failure], failure: Failure, *, at: float) -> tuple[Failure, ...]:
    """*failures*, after a read at *at* found the secret still at the version of *failure*. This does not extend its life."""
    return tuple(replace(known, confirmed_at=max(known.confirmed_at, at)) if known == failure else known for known in failures)


def forgotten_at(failure: Failure, failure_ttl: float) -> float:
    """When the failure is forgotten: from then on, no run gets it."""
    return max(failure.recorded_at + _memory(failure, failure_ttl, same_run=True), _retry_at(failure))


def as_error(failure: Failure) -> TokenError:
    if failure.kind == _LOCK:
        return CacheError(failure.message, fault=failure.fault)
    if failure.kind.startswith("vault:"):
        return VaultError(failure.message, failure.kind.removeprefix("vault:"), fault=failure.fault)
    return VendorError(failure.message, failure.kind, status=failure.status, code=failure.code, fault=failure.fault)


def is_vault_refusal(exc: TokenError) -> bool:
    """Whether Vault answered and refused: access that it has withdrawn must not go on through the cache."""
    return isinstance(exc, VaultError) and exc.kind in _REFUSED_BY_VAULT


def _age(failure: Failure, now: float) -> float | None:
    """The age in seconds; None if the failure is in the future because a clock has jumped."""
    age = now - failure.recorded_at
    return max(age, 0.0) if age >= -_CLOCK_SLACK else None


def _retry_at(failure: Failure) -> float:
    return min(failure.retry_at, failure.recorded_at + _LONGEST_RETRY_AFTER)


def _memory(failure: Failure, failure_ttl: float, *, same_run: bool) -> float:
    """For how many seconds later callers get the failure.

    The slower a server fails, the less often a run asks it: otherwise the failure of one token would expire before those of the
    host's other tokens are known.
    """
    if not failure_ttl:
        return 0.0
    if failure.refused or failure.kind == _LOGIN_REFUSED:
        return _LONGEST_RUN if same_run else failure_ttl
    return failure_ttl + min(10 * failure.took, _LONGEST_EXTRA_MEMORY)


def _may_resolve(failure: Failure) -> bool:
    """Whether it may resolve on its own. Other failures last until they are fixed, and then the next attempt succeeds at once."""
    return not failure.refused and (failure.kind in _TEMPORARY_VAULT or not failure.kind.startswith("vault:"))
