# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Obtain a new token: connect the parts of the flow, with and without a shared cache."""

from __future__ import annotations

import functools
from dataclasses import replace

from .._base.errors import CacheError
from .._base.model import Entry, Request
from .._base.ports import Ports
from .call import Call
from .fetch import Fetch, Outcome, fetch
from .issuer_metadata import IssuerMetadata
from .shared_fetch import fetch_shared
from .shared_store import SharedCache
from .slot import TokenSlot
from .vault_login import VaultLogin

__all__ = ("obtain",)


def obtain(call: Call, slot: TokenSlot, entry: Entry, reason: str, *, locked: bool) -> Outcome:
    """Ask Vault and the vendor, under the lease of the shared entry if tokens are shared.

    :arg entry: this controller's own, as read before.
    :arg reason: why a new token is needed.
    :arg locked: whether this process holds the lock of the entry; False if locks do not work.
    """
    request, ports = call.request, call.ports
    session = VaultLogin(request, slot.store, ports)
    work = Fetch(
        call=call,
        reason=reason,
        session=session,
        save=slot.write,
        keep=slot.write,
        digest_key=slot.keys.fernet,
        ports=ports,
        metadata=IssuerMetadata(request, slot.store, ports.clock),
    )
    alone = functools.partial(_alone, work, locked=locked)
    if request.cache.kind != "vault":
        return alone(entry)
    shared = SharedCache(request, session, ports)

    def keep(known: Entry) -> bool:
        # Store locally only a token that the vendor has just issued, and keep the refresh token only in the shared entry.
        return slot.write(replace(entry, token=known.token and known.token.without_refresh_token()))

    def under_lease(known: Entry, guarded: Ports) -> Outcome:
        return fetch(replace(work, ports=guarded, save=_taken_out_by_the_lease, keep=keep, mac=shared.mac), known)

    return fetch_shared(call, entry, shared, under_lease, alone=alone)


def _alone(work: Fetch, known: Entry, *, locked: bool) -> Outcome:
    if work.call.request.vendor.single_use and not locked:
        return Outcome(error=_no_lock(work.call.request))
    return fetch(work, known)


def _no_lock(request: Request) -> CacheError:
    """The error if a single-use credential cannot be locked: two processes could send it, for which many vendors withdraw the consent."""
    return CacheError(
        f"{request.vendor.name}: the credential at {request.where} works only once, and no lock is available to stop another process from using it, so nothing "
        "was sent. Set cache_path to a directory that can be written and locked (NFS often has no locks), or set cache=vault.",
        fault="cache:no_lock",
    )


def _taken_out_by_the_lease(_known: Entry) -> bool:
    """Nothing to save: taking the lease removed the refresh token from the shared entry, and this controller's own never had it."""
    return True
