# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Names and keys of cache entries, and their encryption.

Both are derived (HKDF, RFC 5869) from a random key of this user's and the Vault login secret in use, for one request. Who lacks
one of the two can neither read an entry nor tell which request it belongs to.
"""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t

__all__ = ("Keys", "canonical", "derive", "open_sealed", "seal")

_PURPOSE = b"trackops.api_tokens cache, schema 1"


class Keys(t.NamedTuple):
    """Where an entry is (``name``, 32 hex digits) and what opens it (a Fernet key)."""

    name: str
    fernet: bytes

    def __repr__(self) -> str:
        return f"Keys({self.name})"


def canonical(facts: t.Any) -> bytes:
    """*facts* as bytes that are the same for equal facts, whatever the order of their keys."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), default=_plain).encode("ascii")


def _plain(value: t.Any) -> t.Any:
    return dict(value) if isinstance(value, t.Mapping) else repr(value)


def derive(user_key: bytes, login_secret: bytes, facts: t.Any) -> Keys:
    """The keys of the entry for *facts*, which name everything that tells one token from another."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    material = user_key + hashlib.sha256(login_secret).digest()
    okm = HKDF(algorithm=SHA256(), length=48, salt=_PURPOSE, info=canonical(facts)).derive(material)
    return Keys(okm[:16].hex(), base64.urlsafe_b64encode(okm[16:]))


def seal(keys: Keys, plain: bytes) -> bytes:
    from cryptography.fernet import Fernet

    return Fernet(keys.fernet).encrypt(plain)


def open_sealed(keys: Keys, sealed: bytes) -> bytes | None:
    """What was sealed, or None where it was not sealed with these keys, or was changed since."""
    from cryptography.fernet import Fernet, InvalidToken

    try:
        return Fernet(keys.fernet).decrypt(sealed)
    except (InvalidToken, ValueError):
        return None
