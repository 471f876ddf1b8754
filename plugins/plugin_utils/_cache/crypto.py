# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Derive the file name and the encryption key of a cache entry.

Both are derived (HKDF, RFC 5869) for one request from this user's random key and the Vault login secret in use. Without both, an entry
cannot be read or matched to its request. A secret that a person may have chosen is stretched slowly first: otherwise the file names
would allow fast guessing.

A cache hit loads this file, so it imports little and implements HKDF itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import typing as t

__all__ = ("Keys", "canonical", "derive", "open_sealed", "seal", "stretched")

_PURPOSE = b"trackops.api_tokens cache, schema 2"
_SIZE = 48
# PBKDF2, because a FIPS build of OpenSSL has no scrypt. About 5 ms, once per process and only if needed.
_ITERATIONS = 20_500
_STRETCHED: dict[tuple[bytes, bytes], bytes] = {}
_VAULT_TOKENS = ("hvs.", "hvb.", "hvr.", "s.", "b.", "r.")
_UUID = [8, 4, 4, 4, 12]
_LEAST_DIFFERENT = 8  # characters; with fewer, a person made it: 00000000-0000-0000-0000-000000000001


class Keys:
    """The file name of an entry (``name``) and its encryption key (``fernet``, a Fernet key)."""

    __slots__ = ("fernet", "name")

    def __init__(self, name: str, fernet: bytes) -> None:
        self.name = name
        self.fernet = fernet

    def __repr__(self) -> str:
        return f"Keys({self.name})"


def canonical(facts: t.Any) -> bytes:
    """*facts* as bytes; equal for equal facts, whatever the order of their keys."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def _plain(value: t.Any) -> t.Any:
    return dict(value) if isinstance(value, t.Mapping) else repr(value)


def derive(user_key: bytes, login_secret: bytes, facts: t.Any) -> Keys:
    """The keys of the entry for *facts*, which name everything that distinguishes one token from another.

    :arg login_secret: the JSON text of a list of strings, whose last non-empty one is the secret itself; or other bytes, or none.
    """
    material = user_key + stretched(user_key, login_secret)
    key = hmac.digest(_PURPOSE, material, "sha256")
    okm, block, info = b"", b"", canonical(facts)
    while len(okm) < _SIZE:
        block = hmac.digest(key, block + info + bytes([len(okm) // 32 + 1]), "sha256")
        okm += block
    return Keys(okm[:16].hex(), base64.urlsafe_b64encode(okm[16:_SIZE]))


def stretched(user_key: bytes, login_secret: bytes) -> bytes:
    """A 32-byte key from *login_secret*, derived slowly unless that cannot be guessed anyway; *user_key* is the salt."""
    known = (user_key, login_secret)
    if known not in _STRETCHED:
        if not login_secret or _is_random(login_secret):
            _STRETCHED[known] = hashlib.sha256(login_secret).digest()
        else:
            _STRETCHED[known] = hashlib.pbkdf2_hmac("sha256", login_secret, _PURPOSE + user_key, _ITERATIONS)
    return _STRETCHED[known]


def _is_random(login_secret: bytes) -> bool:
    """Whether the secret has the shape of a generated one, which cannot be guessed at any speed."""
    try:
        secret: str = next((part for part in reversed(json.loads(login_secret)) if part), "")
    except ValueError:
        return False
    return len(set(secret)) > _LEAST_DIFFERENT and (_is_vault_token(secret) or _is_uuid(secret) or _is_jwt(secret) or _is_private_key(secret))


def _is_vault_token(secret: str) -> bool:
    prefix = next((prefix for prefix in _VAULT_TOKENS if secret.startswith(prefix)), "")
    return bool(prefix) and len(secret.split(".")[1]) >= 24 and _is_base64url(secret.replace(".", ""))


def _is_uuid(secret: str) -> bool:
    parts = secret.split("-")
    return [*map(len, parts)] == _UUID and all(c in "0123456789abcdefABCDEF" for c in "".join(parts))


def _is_jwt(secret: str) -> bool:
    parts = secret.split(".")
    return len(parts) == 3 and len(parts[2]) >= 40 and all(map(_is_base64url, parts))


def _is_private_key(secret: str) -> bool:
    return secret.startswith("-----BEGIN ") and "PRIVATE KEY-----" in secret and len(secret) > 150


def _is_base64url(text: str) -> bool:
    return text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def seal(keys: Keys, plain: bytes) -> bytes:
    from cryptography.fernet import Fernet

    return Fernet(keys.fernet).encrypt(plain)


def open_sealed(keys: Keys, sealed: bytes) -> bytes | None:
    """The sealed data; None if it was not sealed with these keys or has been changed."""
    from cryptography.fernet import Fernet, InvalidToken

    try:
        return Fernet(keys.fernet).decrypt(sealed)
    except (InvalidToken, ValueError):
        return None
