# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Remove entries from the file cache, and revoke Vault logins."""

from __future__ import annotations

import typing as t

from .._base.errors import VaultError, coded
from .._base.model import Request
from .._base.ports import Event, Ports
from .._cache.entry import entry_from_dict
from .._cache.file_store import FileStore
from .._vault.refusals import LastingRefusal
from .slot import token_keys
from .vault_login import VaultLogin, login_keys

__all__ = ("expired", "is_cached", "purge", "remove_shared", "revoke_logins")

Removed = dict[str, t.Any]


def is_cached(store: FileStore, request: Request, *, now: float) -> bool:
    """Whether the cache holds a token for *request* with the required lifetime; sends nothing."""
    user_key = store.known_key()
    if user_key is None:
        return False
    entry = entry_from_dict(store.read(token_keys(request, user_key)))
    return entry.token is not None and entry.token.seconds_left(now) >= request.freshness.min_ttl


def purge(
    store: FileStore, *, vendor: str | None, where: str | None, request: Request | None, ports: Ports, dry_run: bool, keep: t.Container[str] = ()
) -> list[Removed]:
    """Remove the entries of a vendor, of a path, of both, or all tokens; including those of this user's other logins.

    :arg where: the mount and the path below it.
    :arg request: if given and its cache is C(vault), the shared entry is removed too.
    :arg keep: names of entries to keep, because their tokens could not be revoked.
    """
    removed = []
    for name, header in store.headers():
        if header.get("kind") in ("login", "metadata") or name in keep or not _matches(header, vendor, where):
            continue
        if header.get("kind") != "lock":  # notes about the lock of an entry
            removed.append(_described(header))
        if not dry_run:
            _remove(store, name, ports)
            ports.event(Event("purged", str(header.get("vendor")), str(header.get("path"))))
    if removed and not dry_run:
        store.sweep()  # removes the pointers to them
    if request is not None and request.cache.kind == "vault" and not dry_run and not keep and remove_shared(request, store, ports):
        removed.append(_described({"kind": "shared", "vendor": request.vendor.name, "path": request.where}))
    return removed


def _described(header: t.Mapping[str, t.Any]) -> Removed:
    return {"kind": header.get("kind") or "damaged", "vendor": header.get("vendor"), "path": header.get("path")}


def _matches(header: t.Mapping[str, t.Any], vendor: str | None, where: str | None) -> bool:
    return header.get("vendor") == (vendor or header.get("vendor")) and header.get("path") == (where or header.get("path"))


def _remove(store: FileStore, name: str, ports: Ports) -> None:
    with store.lock(name, timeout=30, monotonic=ports.monotonic, sleep=ports.sleep):
        store.remove(name)


def remove_shared(request: Request, store: FileStore, ports: Ports) -> bool:
    """Remove the shared entry. Returns whether it existed."""
    from .shared_store import shared_path

    path, mount = shared_path(request), request.cache.vault_mount
    session = VaultLogin(request, store, ports)
    try:
        there = session.call(lambda client: client.kv2_read(mount, path)) is not None
    except LastingRefusal:  # it exists, and is larger than any entry of ours
        there = True
    if there:
        session.call(lambda client: client.kv2_delete_metadata(mount, path))
    return there


def expired(store: FileStore, ports: Ports, *, dry_run: bool) -> list[Removed]:
    """Remove expired and damaged entries, and the remains of killed processes."""
    removed, now = [], ports.clock()
    for name, header in store.headers():
        until = header.get("expires_at")
        if isinstance(until, (int, float)) and until > now:
            continue
        removed.append(_described(header))
        if not dry_run:
            _remove(store, name, ports)
    if not dry_run:
        store.sweep()
    return removed


def revoke_logins(request: Request, store: FileStore, ports: Ports, *, dry_run: bool) -> list[str]:
    """Revoke the cached Vault login of *request*; the login of another identity cannot be read.

    If Vault does not answer, the login stays cached, so that it can be revoked later.
    """
    user_key = store.known_key()
    if user_key is None:
        return []
    keys = login_keys(request, user_key)
    kept = (store.read(keys) or {}).get("login")
    if not isinstance(kept, dict):
        if not dry_run:
            _remove(store, keys.name, ports)  # it may hold failures, which a purge must forget
        return []
    if not dry_run:
        client = ports.vault(request.vault, ports.warn)
        client.use_token(str(kept.get("client_token")))
        try:
            client.revoke_self()
        except VaultError as exc:
            if exc.kind != "denied":
                ports.warn(coded(f"The Vault login in the cache could not be revoked; do it again when Vault answers. {exc.message}", exc.fault))
                return []
        _remove(store, keys.name, ports)  # denied: it has already expired
        ports.event(Event("revoked", request.vendor.name, request.where, reason="Vault login"))
    return ["Vault login"]
