# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Cache an issuer's metadata for an hour, next to the tokens."""

from __future__ import annotations

import typing as t

from .._base.model import Request
from .._cache.crypto import Keys, derive
from .._cache.entry import login_facts
from .._cache.file_store import FileStore

__all__ = ("IssuerMetadata",)

_KEPT_FOR = 3600.0


class IssuerMetadata:
    """The metadata of one request's issuer. A fetch requests it at most once, whatever the outcome."""

    def __init__(self, request: Request, store: FileStore, clock: t.Callable[[], float]) -> None:
        self._request = request
        self._store = store
        self._clock = clock
        self._known: dict[str, t.Any] | None = None

    def read(self) -> dict[str, t.Any] | None:
        """The cached metadata, if recent enough."""
        if self._known is None:
            kept = self._store.read(self._keys()) or {}
            at, found = kept.get("at"), kept.get("metadata")
            if isinstance(found, dict) and isinstance(at, (int, float)) and 0 <= self._clock() - at < _KEPT_FOR:
                self._known = found
        return self._known

    def write(self, found: dict[str, t.Any]) -> None:
        self._known = found
        now = self._clock()
        self._store.write(self._keys(), {"kind": "metadata", "expires_at": int(now + _KEPT_FOR)}, {"at": now, "metadata": found})

    def forget(self) -> None:
        """Drop the metadata: its endpoints do not work, and the issuer may have moved."""
        if self._known is not None:
            self._known = None
            self._store.remove(self._keys().name)

    def _keys(self) -> Keys:
        request = self._request
        # Metadata read without certificate checks must not reach a caller that requires them.
        way = [request.http.validate_certs, request.http.ca_cert, request.http.proxy, request.http.allow_http]
        facts = {"kind": "metadata", "login": login_facts(request), "issuer": request.vendor.issuer, "way": way}
        return derive(self._store.user_key(), request.vault.identity_secret(), facts)
