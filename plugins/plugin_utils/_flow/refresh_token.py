# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Store a refresh token for the next caller: in the vendor's secret, with check-and-set."""

from __future__ import annotations

import functools
import hmac
import typing as t

from .._base.errors import CasMismatch, VaultError, coded
from .._base.model import Request, Secret, SecretRef, Token
from .._base.ports import Ports, Vault

if t.TYPE_CHECKING:
    from .vault_login import VaultLogin

__all__ = ("Mac", "refresh_token_key", "store_refresh_token", "without_unverified_refresh_token", "write_refresh_token")

#: Computes the MAC of a refresh token, keyed with the data of the secret.
Mac = t.Callable[[t.Mapping[str, t.Any], str], str]

_SPENT = ("code", "code_verifier")  # used up once exchanged for the token
_ATTEMPTS = 5


def store_refresh_token(request: Request, refresh_token: str, secret: Secret, *, session: VaultLogin, ports: Ports) -> str | None:
    """Replace the refresh token in *secret* with *refresh_token*; its other fields stay.

    The vendor has already replaced the old one and the token itself is good, so a failure here is a warning, and the new refresh token
    stays in the cache entry. docs/security.md says what happens if the process is killed in between.

    :returns: the new version of the secret; None if none was written.
    """
    ref = request.secret
    key = refresh_token_key(request)
    if secret.data.get(key) == refresh_token:
        return None
    if secret.version is None or ref.version is not None:
        reason = "KV v1 has no check-and-set" if secret.version is None else "secret_version pins an older one"
        ports.warn(f"{request.vendor.name}: the vendor sent a new refresh token, which is kept only in the cache: {reason}.")
        return None
    try:
        # If the secret has another one by now, that is newer: a person gave consent again in the meantime.
        return write_refresh_token(request, refresh_token, secret, session=session, only_if=secret.data.get(key))
    except VaultError as exc:
        ports.warn(
            coded(
                f"{request.vendor.name}: the vendor's new refresh token could not be stored at {request.where}, so it is kept in the "
                f"cache of this machine only. Allow 'update' there. {exc.message}",
                exc.fault,
            )
        )
        return None


def refresh_token_key(request: Request) -> str:
    """The key of the secret that holds the refresh token."""
    return request.secret.fields.get("refresh_token", "refresh_token")


def without_unverified_refresh_token(token: Token, request: Request, secret: t.Mapping[str, t.Any], mac: Mac | None) -> Token:
    """The *token* of an entry; its refresh token only if that is in the *secret*, or its writer proved knowledge of the secret.

    :arg mac: None if nobody else can write the entry.
    """
    refresh_token = token.refresh_token
    if mac is None or not refresh_token or refresh_token == secret.get(refresh_token_key(request)):
        return token
    if hmac.compare_digest(token.refresh_token_mac.encode(), mac(secret, refresh_token).encode()):
        return token
    return token.without_refresh_token()


_ANY = object()


def write_refresh_token(request: Request, refresh_token: str, secret: Secret, *, session: VaultLogin, only_if: t.Any = _ANY) -> str | None:
    """Write *refresh_token* into the secret. Changes to other fields since *secret* was read are preserved.

    :arg only_if: the refresh token that must still be there; if omitted, any is replaced.
    :returns: the new version; None if the current refresh token is not *only_if*.
    :raises VaultError: Vault refuses, or other writers keep changing the secret.
    """
    ref, key = request.secret, refresh_token_key(request)
    spent = {ref.fields.get(name, name) for name in _SPENT}
    for _attempt in range(_ATTEMPTS):
        version = secret.version
        if version is None:
            raise VaultError(f"{request.vendor.name}: KV v1 at {ref.mount} has no check-and-set.")
        data = {**{name: value for name, value in secret.data.items() if name not in spent}, key: refresh_token}
        write = functools.partial(_write, ref=ref, data=data, cas=version)
        try:
            return str(session.call(write))
        except CasMismatch:
            secret = session.secret()
            if only_if is not _ANY and secret.data.get(key) != only_if:
                return None
    raise VaultError(f"{request.vendor.name}: other writers keep changing {request.where}. Try again.", kind="cas")


def _write(client: Vault, *, ref: SecretRef, data: dict[str, t.Any], cas: int) -> int:
    return client.write_secret(ref.mount, ref.path, data, cas=cas)
