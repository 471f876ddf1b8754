# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put a rotated refresh token back where the next caller reads it: into the vendor's secret, with check-and-set."""

from __future__ import annotations

import typing as t

from .errors import VaultError
from .model import Request
from .ports import Ports
from .vault.client import CasMismatch

if t.TYPE_CHECKING:
    from .vault.client import Secret
    from .vault_session import VaultSession

__all__ = ("store_refresh_token",)


def store_refresh_token(
    request: Request, refresh_token: str, secret: Secret, *, session: VaultSession, ports: Ports
) -> str | None:
    """Write *refresh_token* into the secret, whose other fields stay, and drop the code that it was bought with.

    The vendor has already replaced the old one, so a failure here is told and the new one is kept in the cache entry: the token
    itself is good. A process killed between the vendor's answer and this write loses the new one; docs/vendors/oauth2.md
    tells how to recover.

    :returns: the new version of the secret, where one was written.
    """
    ref = request.secret
    key = ref.fields.get("refresh_token", "refresh_token")
    if secret.data.get(key) == refresh_token:
        return None
    if secret.version is None or ref.version is not None:
        reason = "KV v1 has no check-and-set" if secret.version is None else "secret_version pins an older one"
        ports.warn(f"{request.vendor.name}: the vendor gave a new refresh token, kept in the cache only: {reason}.")
        return None
    spent = ref.fields.get("code", "code")
    data = {name: value for name, value in secret.data.items() if name != spent}
    data[key] = refresh_token
    version = secret.version
    try:
        return str(session.call(lambda client: client.kv2_write(ref.mount, ref.path, data, cas=version)))
    except CasMismatch:
        # Somebody gave consent again meanwhile: theirs is newer.
        return None
    except VaultError as exc:
        ports.warn(
            f"{request.vendor.name}: the vendor's new refresh token could not be stored at {request.where}, so it is kept in the "
            f"cache of this machine only. Allow 'create' and 'update' there. {exc.message}"
        )
        return None
