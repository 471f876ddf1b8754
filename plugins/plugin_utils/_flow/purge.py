# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Take entries out of the file cache, and give back what can be given back."""

from __future__ import annotations

import time
import typing as t

from .._base.errors import TokenError, VaultError, VendorError
from .._base.model import Request
from .._base.ports import Event, Ports
from .._cache.entry import entry_from_dict
from .._cache.file_store import FileStore
from .._vendor.address import check_address
from .._vendor.request import credentials, revocation_request
from .slot import token_keys
from .vault_login import VaultSession, login_keys

__all__ = ("expired", "purge", "remove_shared", "revoke_logins", "revoke_tokens", "selected")

Removed = dict[str, t.Any]


def selected(store: FileStore, request: Request) -> bool:
    """Whether the cache holds a token for *request* that has the life it asks for; asks nobody."""
    user_key = store.known_key()
    if user_key is None:
        return False
    entry = entry_from_dict(store.read(token_keys(request, user_key)))
    return entry.token is not None and entry.token.seconds_left(time.time()) >= request.freshness.min_ttl


def purge(store: FileStore, *, vendor: str | None, where: str | None, request: Request | None, ports: Ports, dry_run: bool) -> list[Removed]:
    """Remove the entries of a vendor, of a path, of both, or all tokens; entries of other logins of this user too.

    :arg where: the mount and the path below it.
    :arg request: where it is complete and its cache is C(vault), the shared entry goes too.
    """
    removed = []
    for name, header in store.headers():
        if header.get("kind") == "login" or not _matches(header, vendor, where):
            continue
        removed.append({"vendor": header.get("vendor"), "path": header.get("path")})
        if not dry_run:
            _remove(store, name)
            ports.event(Event("purged", str(header.get("vendor")), str(header.get("path"))))
    if removed and not dry_run:
        store.sweep()  # the pointers to them
    if request is not None and request.cache.kind == "vault" and not dry_run:
        remove_shared(request, store, ports)
    return removed


def _matches(header: t.Mapping[str, t.Any], vendor: str | None, where: str | None) -> bool:
    return header.get("vendor") == (vendor or header.get("vendor")) and header.get("path") == (where or header.get("path"))


def _remove(store: FileStore, name: str) -> None:
    with store.lock(name, timeout=30, monotonic=time.monotonic, sleep=time.sleep):
        store.remove(name)


def remove_shared(request: Request, store: FileStore, ports: Ports) -> None:
    from .shared_store import shared_path

    path = shared_path(request)
    VaultSession(request, store, ports).call(lambda client: client.kv2_delete_metadata(request.cache.vault_mount, path))


def expired(store: FileStore, *, now: float, dry_run: bool) -> list[Removed]:
    """Remove entries that are over or damaged, and what killed processes left."""
    removed = []
    for name, header in store.headers():
        until = header.get("expires_at")
        if isinstance(until, (int, float)) and until > now:
            continue
        removed.append({name: header.get(name) for name in ("kind", "vendor", "path")})
        if not dry_run:
            _remove(store, name)
    if not dry_run:
        store.sweep()
    return removed


def revoke_tokens(request: Request, store: FileStore, ports: Ports) -> list[str]:
    """Give the cached token back to the vendor (RFC 7009), where its revocation endpoint is known."""
    user_key = store.known_key()
    token = entry_from_dict(store.read(token_keys(request, user_key))).token if user_key else None
    if token is None or not request.vendor.revocation_url:
        return []
    given_back = []
    try:
        check_address(request.vendor, request.vendor.url(request.vendor.revocation_url), allow_http=request.http.allow_http)
        fields = credentials(request, VaultSession(request, store, ports).secret().data)
        for hint, value in (("refresh_token", token.refresh_token), ("access_token", token.access_token)):
            if value:
                ask = revocation_request(request.vendor, fields, value, hint=hint)
                answer = ports.exchange(ask, request.http, request.http.deadline, request.vendor.name)
                if answer.status != 200:
                    raise VendorError(f"HTTP {answer.status}")
                given_back.append(f"{request.vendor.name} {hint}")
    except TokenError as exc:
        ports.warn(f"{request.vendor.name}: the token for {request.where} could not be revoked at the vendor: {exc.message}")
    return given_back


def revoke_logins(request: Request, store: FileStore, ports: Ports, *, dry_run: bool) -> list[str]:
    """Revoke the Vault login that is kept for who *request* logs in as; a login of somebody else cannot be read.

    Where Vault does not answer, the login is kept, so that it can be revoked later: without it nobody could.
    """
    user_key = store.known_key()
    if user_key is None:
        return []
    keys = login_keys(request, user_key)
    kept = (store.read(keys) or {}).get("login")
    if not isinstance(kept, dict):
        return []
    if not dry_run:
        client = ports.vault(request.vault, ports.warn)
        client.use_token(str(kept.get("client_token")))
        try:
            client.revoke_self()
        except VaultError as exc:
            if exc.kind != "denied":
                ports.warn(f"The Vault login in the cache could not be revoked; do it again when Vault answers. {exc.message}")
                return []
        _remove(store, keys.name)  # denied: it was over already
        ports.event(Event("revoked", request.vendor.name, request.where, reason="Vault login"))
    return ["Vault login"]
