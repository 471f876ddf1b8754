# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Which failures are remembered, and which caller gets one without an attempt of its own. Pure.

An entry holds one failure for each run and its network options, so that runs at the same time do not wipe each other's out. Five
hundred hosts with a wrong password are one failed login, and an outage costs each run one attempt.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, replace

from .._base.errors import CacheError, LockTimeout, TokenError, VaultError, VendorError
from .._base.model import Failure, Request
from .._cache.crypto import canonical

__all__ = (
    "Asker",
    "RememberedError",
    "add_failure",
    "as_error",
    "asker_of",
    "confirm",
    "failure_of",
    "failures_after_success",
    "forgotten_at",
    "is_recent",
    "is_vault_refusal",
    "remembered_failure",
    "remembered_login_refusal",
    "remembered_refusal",
)

_LONGEST_RETRY_AFTER = 300.0
_LONGEST_SLOW_START = 300.0
_LONGEST_RUN = 86400.0
_CLOCK_SLACK = 60.0  # how far another controller's clock may be ahead
_MOST_FAILURES = 64
# Failures of Vault that may pass without anybody mending them.
_PASSING_VAULT = ("vault:unreachable", "vault:tls", "vault:sealed", "vault:unavailable")
_LOCK = "lock"
_LOGIN_REFUSED = "vault:login_refused"
_REFUSED_BY_VAULT = ("denied", "login_refused")


@dataclass(frozen=True)
class Asker:
    """Who asks: the run, the options by which it reaches the servers, since when, and how long it remembers failures."""

    run: str
    network: str
    started: float
    failure_ttl: float


def asker_of(request: Request, *, run: str, started: float) -> Asker:
    network = hashlib.sha256(canonical([vars(request.http), request.vault.network()])).hexdigest()[:16]
    return Asker(run, network, started, request.cache.failure_ttl)


def remembered_failure(failures: t.Iterable[Failure], asker: Asker, *, now: float, new: t.Container[Failure] = ()) -> Failure | None:
    """The newest failure that *asker* gets instead of an attempt of its own, before anything is read from Vault.

    :arg new: those that are known to have come since it asked, whatever the clocks of other controllers say.
    """
    known = [failure for failure in failures if (failure in new and _concerns(failure, asker)) or _is_passed_on(failure, asker, now)]
    return max(known, key=lambda failure: failure.recorded_at, default=None)


def _is_passed_on(failure: Failure, asker: Asker, now: float) -> bool:
    age = _age(failure, now)
    if age is None:
        return False
    same_run, same_network = failure.run == asker.run, failure.network == asker.network
    if now < _retry_at(failure):
        return True
    if age >= _memory(failure, asker.failure_ttl, same_run=same_run):
        return False
    if max(failure.recorded_at, failure.confirmed_at) > asker.started and _concerns(failure, asker):
        return True  # it happened while this caller waited
    return _may_pass(failure) and same_run and same_network


def _concerns(failure: Failure, asker: Asker) -> bool:
    """A failure on one way to the servers says nothing of another CA, proxy or patience; a refusal does."""
    return failure.refused or failure.network == asker.network


def remembered_refusal(failures: t.Iterable[Failure], asker: Asker, *, secret_version: str, now: float) -> Failure | None:
    """The vendor's refusal of this version of the secret: it holds in the run that saw it, and for C(failure_ttl) in others."""
    return _held(failures, asker, lambda failure: failure.refused and failure.secret_version == secret_version, now=now)


def remembered_login_refusal(failures: t.Iterable[Failure], asker: Asker, *, now: float) -> Failure | None:
    """Vault's refusal of a login with the same credentials: it holds in the run that saw it, and for C(failure_ttl) in others."""
    return _held(failures, asker, lambda failure: failure.kind == _LOGIN_REFUSED, now=now)


def _held(failures: t.Iterable[Failure], asker: Asker, wanted: t.Callable[[Failure], bool], *, now: float) -> Failure | None:
    for failure in filter(wanted, failures):
        age, memory = _age(failure, now), _memory(failure, asker.failure_ttl, same_run=failure.run == asker.run)
        if age is not None and age < memory:
            return failure
    return None


def is_recent(failures: t.Iterable[Failure], asker: Asker, *, now: float) -> bool:
    """Whether this run, or any run by the vendor's refusal, failed within C(failure_ttl). What Vault refuses is tried each time."""
    return any(
        age < asker.failure_ttl
        for failure in failures
        if (age := _age(failure, now)) is not None
        and not is_vault_refusal(as_error(failure))
        and (failure.refused or (failure.run, failure.network) == (asker.run, asker.network))
    )


class RememberedError(VaultError):
    """A failure of Vault that this run has seen before: nothing was tried, and it must not be remembered for longer."""


def failure_of(exc: VendorError | VaultError | LockTimeout, asker: Asker, *, asked_version: str, took: float, now: float) -> Failure:
    """*exc* as it is remembered, after an attempt that took so many seconds with that version of the secret."""
    if isinstance(exc, LockTimeout):
        return Failure(exc.message, _LOCK, now, run=asker.run, network=asker.network, code=str(exc.holder), took=took, fault=exc.fault)
    if isinstance(exc, VaultError):
        return Failure(exc.message, f"vault:{exc.kind}", now, run=asker.run, network=asker.network, took=took, fault=exc.fault)
    wait = min(exc.retry_after or 0.0, _LONGEST_RETRY_AFTER)
    return Failure(
        exc.message,
        exc.kind,
        now,
        secret_version=asked_version,
        run=asker.run,
        network=asker.network,
        retry_at=now + wait if wait else 0.0,
        status=exc.status,
        code=exc.code,
        took=took,
        fault=exc.fault,
    )


def add_failure(failures: t.Iterable[Failure], failure: Failure, *, failure_ttl: float, now: float, most: int = _MOST_FAILURES) -> tuple[Failure, ...]:
    """*failures* with *failure* in the place of what its run knew; without those that no caller is given any more."""
    kept = [
        old
        for old in failures
        if (old.run, old.network) != (failure.run, failure.network) and _age(old, now) is not None and now < forgotten_at(old, failure_ttl)
    ]
    return (*sorted(kept, key=lambda old: old.recorded_at), failure)[-most:]


def failures_after_success(failures: t.Iterable[Failure], asker: Asker, *, asked: bool = True) -> tuple[Failure, ...]:
    """What is still worth knowing once *asker* has a token: what others found who reach the servers in another way.

    :arg asked: it has the token from the server itself. Another controller's token says nothing of the credentials that were refused here,
        and whoever writes where controllers share could make each run ask with them again and again.
    """
    return tuple(failure for failure in failures if (not asked if failure.refused else failure.network != asker.network))


def confirm(failures: t.Iterable[Failure], failure: Failure, *, at: float) -> tuple[Failure, ...]:
    """*failures*, after the secret was read at that moment and still had the version of *failure*. It lives no longer for that."""
    return tuple(replace(known, confirmed_at=max(known.confirmed_at, at)) if known == failure else known for known in failures)


def forgotten_at(failure: Failure, failure_ttl: float) -> float:
    """From when on no run is given the failure."""
    return max(failure.recorded_at + _memory(failure, failure_ttl, same_run=True), _retry_at(failure))


def as_error(failure: Failure) -> TokenError:
    if failure.kind == _LOCK:
        return CacheError(failure.message, fault=failure.fault)
    if failure.kind.startswith("vault:"):
        return VaultError(failure.message, failure.kind.removeprefix("vault:"), fault=failure.fault)
    return VendorError(failure.message, failure.kind, status=failure.status, code=failure.code, fault=failure.fault)


def is_vault_refusal(exc: TokenError) -> bool:
    """Whether Vault answers and refuses: what it has taken from somebody must not be served on from the cache."""
    return isinstance(exc, VaultError) and exc.kind in _REFUSED_BY_VAULT


def _age(failure: Failure, now: float) -> float | None:
    """None where the failure lies in the future: a clock has jumped."""
    age = now - failure.recorded_at
    return max(age, 0.0) if age >= -_CLOCK_SLACK else None


def _retry_at(failure: Failure) -> float:
    return min(failure.retry_at, failure.recorded_at + _LONGEST_RETRY_AFTER)


def _memory(failure: Failure, failure_ttl: float, *, same_run: bool) -> float:
    """For how many seconds the failure is passed on.

    The longer a server keeps its callers waiting, the more rarely a run asks it: otherwise the failure of one token would be forgotten
    before those of the host's other tokens are known.
    """
    if not failure_ttl:
        return 0.0
    if failure.refused or failure.kind == _LOGIN_REFUSED:
        return _LONGEST_RUN if same_run else failure_ttl
    return failure_ttl + min(10 * failure.took, _LONGEST_SLOW_START)


def _may_pass(failure: Failure) -> bool:
    """Whether it passes by itself. The rest lasts until somebody mends it, and the next attempt succeeds at once."""
    return not failure.refused and (failure.kind in _PASSING_VAULT or not failure.kind.startswith("vault:"))
