# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""One call for one token: the request, the run that makes it, and when it began."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._base.errors import TokenError
from .._base.model import Entry, Freshness, Renewal, Request, Token, fingerprint
from .._base.ports import Event, Ports
from .._cache.freshness import Verdict, judge, still_valid
from .failure_memory import Caller, caller_of

__all__ = ("Call", "short_life", "with_place")

_FORCE = "force"
_HOST = "host"
_HOST_BELIEVED_AGAIN_AFTER = 300.0  # seconds; otherwise one host could cause a renewal of the shared token at each call
_RENEWALS_KEPT_FOR = 86400.0
_MOST_RENEWALS = 64


@dataclass(frozen=True)
class Call:
    request: Request
    ports: Ports
    started: float  # wall clock
    started_monotonic: float
    key: str  # the name of the cache entry, for events

    @classmethod
    def begin(cls, request: Request, ports: Ports, *, key: str) -> Call:
        return cls(request, ports, ports.clock(), ports.monotonic(), key)

    @property
    def caller(self) -> Caller:
        return caller_of(self.request, run=self.ports.run, started=self.started)

    def verdict(self, entry: Entry) -> Verdict:
        """Decide what to do with the entry's token."""
        return judge(entry.token, self._freshness(entry), now=self.ports.clock(), started=self.started)

    def may_serve(self, entry: Entry) -> bool:
        """Whether the entry's token may serve if it cannot be renewed."""
        return still_valid(entry.token, self._freshness(entry), now=self.ports.clock())

    def renewals(self, entry: Entry) -> tuple[Renewal, ...]:
        """The renewals to keep in the entry once this call has obtained a new token."""
        now, run = self.ports.clock(), self.ports.run
        kept = [one for one in entry.renewals if 0 <= now - one.at < _RENEWALS_KEPT_FOR and not (one.run == run and one.cause in self._causes())]
        return (*kept, *(Renewal(run, cause, now) for cause in self._causes()))[-_MOST_RENEWALS:]

    def report(self, name: str, token: Token | None = None, *, reason: str = "", error: TokenError | None = None) -> None:
        """:arg error: the reason, if that is an error."""
        self.ports.event(
            Event(
                name,
                self.request.vendor.name,
                self.request.where,
                reason=reason or (error.message if error else ""),
                seconds=self.ports.monotonic() - self.started_monotonic,
                expires_at=token.expires_at if token else None,
                fingerprint=token.fingerprint if token else "",
                key=self.key,
                error_code=error.error_code if error else "",
            )
        )

    def _causes(self) -> tuple[str, ...]:
        freshness = self.request.freshness
        refused = _as_fingerprint(freshness.refused) if freshness.refused else None
        host = _HOST if freshness.refused and freshness.by_host else None
        return tuple(filter(None, (_FORCE if freshness.force else None, refused, host)))

    def _is_recent(self, renewal: Renewal) -> bool:
        return renewal.run == self.ports.run and 0 <= self.ports.clock() - renewal.at < _HOST_BELIEVED_AGAIN_AFTER

    def _freshness(self, entry: Entry) -> Freshness:
        """The request's wishes, without the renewals that its run has already used."""
        freshness = self.request.freshness
        if not (freshness.force or freshness.refused):
            return freshness
        used_up = {renewal.cause for renewal in entry.renewals if renewal.run == self.ports.run}
        refused = freshness.refused if freshness.refused and _as_fingerprint(freshness.refused) not in used_up else None
        if freshness.by_host and any(self._is_recent(renewal) for renewal in entry.renewals if renewal.cause == _HOST):
            refused = None
        return replace(freshness, force=freshness.force and _FORCE not in used_up, refused=refused)


def _as_fingerprint(refused: str) -> str:
    """The fingerprint for *refused*: a token, its fingerprint, or the fingerprint's digits."""
    if refused.startswith("sha256:"):
        return refused
    is_digits = len(refused) == 16 and all(c in "0123456789abcdef" for c in refused)
    return f"sha256:{refused}" if is_digits else fingerprint(refused)


def short_life(vendor: str, where: str, *, lifetime: float, min_ttl: float) -> str:
    """The warning for a token whose whole lifetime is below *min_ttl*."""
    return f"{vendor}: the token for {where} has a lifetime of only {int(lifetime)} s, less than min_ttl ({min_ttl:g} s)."


def with_place(exc: TokenError, request: Request) -> str:
    """The message of *exc*, prefixed with the vendor and, unless the message names it, the Vault path of the credentials."""
    name, secret = request.vendor.name, request.secret
    text = exc.message.removeprefix(f"{name}: ")
    if request.where in text or f"{secret.mount}/data/{secret.path}" in text:
        return f"{name}: {text}"
    return f"{name}: no token for {request.where}: {text}"
