# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache that controllers share: entries in Vault's KV v2, written with check-and-set, fetched under a short lease.

Vault's policies guard these entries, so the fields are readable for any Vault client with the right to (an agent's template, say).
They are documented in docs/cache.md and stay as they are:

``access_token, token_type, authorization, expires_at, issued_at, scope, extra, vendor, path`` and, for the collection itself,
``schema, refresh_token, secret_version, failure, lease_holder, lease_until``.
"""

from __future__ import annotations

import hashlib
import random
import re
import typing as t
import uuid
from dataclasses import dataclass

from .crypto import canonical
from .entries import entry_from_dict, entry_to_dict, token_facts
from .model import Entry, Request, Token
from .output import authorization
from .ports import Ports
from .vault.client import CasMismatch
from .vault_session import VaultSession

__all__ = ("Lease", "SharedCache", "shared_path")

_FIRST_NAP, _LONGEST_NAP = 0.05, 0.5
_LEASE_SLACK = 5.0
_OWN_SCHEMA = 1


def shared_path(request: Request) -> str:
    """Where the entry of *request* is, below the mount: ``<cache_vault_path>/<vendor>/<secret's path>/<16 hex digits>``.

    The digits tell apart what is asked for, not who asks: controllers with logins of their own find the same entry.
    """
    facts = token_facts(request)
    facts["login"] = request.vault.address()["namespace"]
    digits = hashlib.sha256(canonical(facts)).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9._/-]", "_", request.secret.path).strip("/")
    return f"{request.cache.vault_path.strip('/')}/{request.vendor.name}/{readable}/{digits}"


@dataclass(frozen=True)
class Lease:
    """The right to ask the vendor, until :attr:`until`; ``entry`` is what was there before."""

    version: int
    entry: Entry
    until: float


class SharedCache:
    def __init__(self, request: Request, session: VaultSession, ports: Ports) -> None:
        self._request = request
        self._session = session
        self._ports = ports
        self._mount = request.cache.vault_mount
        self._path = shared_path(request)

    def claim(self, look: t.Callable[[Entry], Token | None]) -> Token | Lease:
        """What *look* finds in the entry, as soon as it finds something; else the lease, when nobody holds it.

        :raises VaultError: the shared entries cannot be read or written.
        """
        nap = _FIRST_NAP
        while True:
            data, version = self._read()
            entry = entry_from_dict(_nested(data))
            found = look(entry)
            if found is not None:
                return found
            now = self._ports.clock()
            if _lease_until(data) <= now:
                until = now + self._request.http.deadline + _LEASE_SLACK
                # The refresh token leaves the shared entry before it is used: a holder that is killed has spent it.
                held = {"schema": _OWN_SCHEMA, **_without_refresh(data), "lease_holder": uuid.uuid4().hex, "lease_until": until}
                written = self._write(held, version)
                if written is not None:
                    return Lease(written, entry, until)
                continue
            self._ports.sleep(nap * random.uniform(0.7, 1.0))
            nap = min(nap * 1.5, _LONGEST_NAP)

    def settle(self, lease: Lease, entry: Entry) -> None:
        """Write *entry* and give the lease back; whoever took the lease over meanwhile keeps what it has written."""
        self._write(_flat(self._request, entry), lease.version)

    def _read(self) -> tuple[dict[str, t.Any], int]:
        found = self._session.call(lambda client: client.kv2_read(self._mount, self._path))
        return found if found is not None else ({}, 0)

    def _write(self, data: dict[str, t.Any], version: int) -> int | None:
        try:
            return self._session.call(lambda client: client.kv2_write(self._mount, self._path, data, cas=version))
        except CasMismatch:
            return None


def _lease_until(data: t.Mapping[str, t.Any]) -> float:
    until = data.get("lease_until")
    return float(until) if isinstance(until, (int, float)) else 0.0


def _without_refresh(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in data.items() if name != "refresh_token"}


_TOKEN_FIELDS = (
    "access_token", "token_type", "expires_at", "issued_at", "scope", "extra", "refresh_token", "secret_version",
)


def _flat(request: Request, entry: Entry) -> dict[str, t.Any]:
    shape = entry_to_dict(entry)
    fields = shape["token"] or {}
    if entry.token is not None:
        fields["authorization"] = authorization(entry.token, request.vendor.authorization_scheme)
    return {
        "schema": _OWN_SCHEMA, "vendor": request.vendor.name, "path": request.where, **fields,
        "failure": shape["failure"], "lease_holder": "", "lease_until": 0,
    }


def _nested(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """*data* in the shape of the file cache's entries; an entry of another schema is none."""
    if data.get("schema") != _OWN_SCHEMA:
        return {}
    token = {name: data[name] for name in _TOKEN_FIELDS if name in data}
    return {"token": token if "access_token" in token else None, "failure": data.get("failure")}
