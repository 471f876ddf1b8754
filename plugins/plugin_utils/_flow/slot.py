# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The entry of one token in the file cache: read, written and locked as a whole."""

from __future__ import annotations

import typing as t

from .._base.model import Entry, Request
from .._base.ports import Ports
from .._cache.crypto import Keys, derive
from .._cache.entry import entry_from_dict, entry_to_dict, token_facts
from .._cache.file_store import FileStore
from .entry_lock import entry_lock
from .failure_memory import forgotten_at

__all__ = ("TokenSlot", "token_keys")


def token_keys(request: Request, user_key: bytes) -> Keys:
    """The keys of the cache entry for *request*."""
    return derive(user_key, request.vault.identity_secret(), token_facts(request))


class TokenSlot:
    def __init__(self, request: Request, store: FileStore, ports: Ports) -> None:
        self._request = request
        self.store = store
        self._ports = ports
        self.keys = token_keys(request, store.user_key())

    def read(self) -> Entry:
        return entry_from_dict(self.store.read(self.keys))

    def write(self, entry: Entry) -> bool:
        """Replace the entry; the caller holds the lock. False if it cannot be written."""
        ends = [forgotten_at(failure, self._request.cache.failure_ttl) for failure in entry.failures]
        if entry.token:
            ends.append(entry.token.expires_at)
        expires_at = int(max(ends, default=self._ports.clock()))
        # Without a key, only the first line of an entry is readable.
        kind = "token" if entry.token or entry.renewals else "failure"
        header = {"kind": kind, "vendor": self._request.vendor.name, "path": self._request.where, "expires_at": expires_at}
        return self.store.write(self.keys, header, entry_to_dict(entry))

    def lock(self) -> t.ContextManager[bool]:
        return entry_lock(self._request, self.store, self.keys, self._ports)

    def try_lock(self) -> t.ContextManager[bool]:
        return self.store.try_lock(self.keys.name)
