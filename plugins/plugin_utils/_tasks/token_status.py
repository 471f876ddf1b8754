# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(token_info): report on a token, and on a file with one. Pure."""

from __future__ import annotations

import re
import typing as t

from .._base import extra, jwt
from .._base.model import Request, Token
from .._base.output import iso_time, token_type

__all__ = ("file_status", "item_status", "public_claims", "token_status")

_OF_FILE = ("path", "exists", "fingerprint", "expires_at", "mode", "owner", "group", "error", "error_code")
_OTHERS = 0o007
_MODE = re.compile(r"[0-7]{3,4}\Z")


def item_status(file_options: t.Mapping[str, t.Any], file: dict[str, t.Any], *, allow_readable: bool) -> dict[str, t.Any]:
    """*file*, and whether it is as its item requires: present or absent, and readable by no other user of the host."""
    absent = file_options.get("state") == "absent"
    mode = str(file["mode"] or "")  # sent by the host, so it may be anything
    readable = bool(_MODE.match(mode) and int(mode, 8) & _OTHERS)
    if absent:
        file["valid"] = None
    return {
        **file,
        "state": "absent" if absent else "present",
        "leftover": absent and bool(file["exists"]),
        "exposed": readable and not absent and not allow_readable,
    }


def file_status(read: dict[str, t.Any], *, from_template: bool, now: float) -> dict[str, t.Any]:
    """The report on a file.

    :arg from_template: whether a template made the text, so that it may contain a token that is not recognised.
    """
    file = {name: read.get(name) for name in _OF_FILE}
    expires_at = file["expires_at"]
    file["expires_in"] = max(0, int(expires_at - now)) if expires_at else None
    file["expires_at_iso"] = iso_time(expires_at) if expires_at else None
    if from_template and file["exists"] and not (read.get("empty") or file["error"] or file["fingerprint"]):
        file["valid"] = None
    else:
        file["valid"] = bool(file["exists"] and file["fingerprint"] and (not expires_at or expires_at > now))
    return file


def public_claims(claims: t.Mapping[str, t.Any], *secrets: str) -> dict[str, t.Any]:
    """The *claims* of a token without credentials, judged by name and by form. A vendor may write anything there."""
    return extra.public(claims, without=(), secrets=secrets)


def token_status(request: Request, token: Token | None, *, with_claims: bool, now: float) -> dict[str, t.Any]:
    """The report on *token*; all values are null if there is none."""
    known: dict[str, t.Any] = {
        "vendor": request.vendor.name,
        "path": request.secret.path,
        "valid": False,
        "expires_at": None,
        "expires_at_iso": None,
        "expires_in": None,
        "issued_at": None,
        "scope": None,
        "source": None,
        "token_type": None,
        "fingerprint": None,
    }
    if token is None:
        return known
    known.update(
        valid=token.expires_at > now,
        expires_at=int(token.expires_at),
        expires_at_iso=iso_time(token.expires_at),
        expires_in=max(0, int(token.expires_at - now)),
        issued_at=int(token.issued_at),
        scope=token.scope,
        source=token.source,
        token_type=token_type(token, request.vendor.authorization_scheme),
        fingerprint=token.fingerprint,
    )
    if with_claims:
        try:
            known["claims"] = public_claims(jwt.claims(token.access_token), token.refresh_token or "")
        except ValueError:
            known["claims"] = None  # an opaque token has none
    if request.cache.kind == "vault":
        from .._flow.shared_store import shared_path

        known["cache_vault_entry"] = f"{request.cache.vault_mount}/{shared_path(request)}"
    return known
