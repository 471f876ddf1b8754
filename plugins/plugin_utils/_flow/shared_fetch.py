# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A new token where controllers share them: another's, or our own under the lease."""

from __future__ import annotations

import contextlib
import typing as t

from .._base.errors import TokenError, VaultError, VendorError
from .._base.model import Entry, Token
from .._cache.freshness import Verdict
from .failure_memory import Failures
from .fetch import Fetch
from .shared_store import Lease, LeaseLost, SharedCache
from .slot import Caller

__all__ = ("SharedFetch",)


class SharedFetch:
    """As :class:`Fetch`, but what another controller has fetched is taken first."""

    def __init__(self, caller: Caller, failures: Failures, fetch: Fetch, shared: SharedCache) -> None:
        self._caller = caller
        self._failures = failures
        self._fetch = fetch
        self._shared = shared

    def token(self, entry: Entry, why: str) -> Token:
        """The token that is shared; where there is none, a new one for all.

        :arg entry: what this controller has in its own cache.
        :raises VaultError, VendorError: there is none.
        """
        still_good = self._caller.verdict(entry) is Verdict.AGING
        while True:
            try:
                found = self._shared.claim(lambda theirs: self._look(theirs, entry), wait=not still_good)
            except VaultError as exc:
                if exc.kind != "denied":
                    raise
                self._caller.ports.warn(f"{exc.message} Until then tokens are not shared with other controllers.")
                return self._fetch.token(entry, why)
            if isinstance(found, Token) or found is None:
                token = found or t.cast(Token, entry.token)
                self._caller.tell("shared", token, reason="another controller" if found else "another controller is renewing it")
                return token
            with contextlib.suppress(LeaseLost):
                return self._leased(found, entry, why)

    def _look(self, theirs: Entry, ours: Entry) -> Token | None:
        if self._caller.verdict(theirs) in (Verdict.FRESH, Verdict.AGING) and theirs.token != ours.token:
            return theirs.token
        recalled = self._failures.recalled(theirs.failure)
        if recalled is not None:
            raise recalled
        return None

    def _leased(self, lease: Lease, entry: Entry, why: str) -> Token:
        """Ask the vendor, and give the lease back with what came of it."""
        theirs, fetch = lease.entry, self._fetch
        newest = Entry(
            # The shared entry alone knows which refresh token is the newest.
            theirs.token or (entry.token.without_refresh_token() if entry.token else None),
            theirs.failure if self._failures.refused_lately(theirs.failure) else entry.failure,
        )
        try:
            token = fetch.token(newest, why, ports=self._shared.guarded(lease))
        except LeaseLost:
            raise
        except TokenError as exc:
            left = theirs.token.without_refresh_token() if theirs.token and fetch.spent else theirs.token
            # What Vault refuses to this controller it may grant to the next.
            told = fetch.told_again(newest.failure, exc) or (fetch.failure(exc) if isinstance(exc, VendorError) else theirs.failure)
            with contextlib.suppress(VaultError):
                self._shared.settle(lease, Entry(left, told))
            raise
        try:
            self._shared.settle(lease, Entry(token))
        except VaultError as exc:  # the token itself is good
            self._caller.ports.warn(f"{exc.message} So this token is not shared with other controllers.")
        return token
