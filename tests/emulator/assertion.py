# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JWTs that clients sign (RFC 7523): read and verified here with `cryptography`, not with the library under test."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from .base import BadRequest, Json

__all__ = ["read_assertion"]


def _unpack(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise BadRequest("assertion: not base64url") from None


def _verify(alg: str, key: Any, signature: bytes, signed: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils  # noqa: PLC0415 (only this needs it)
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 (only this needs it)

    if alg == "RS256" and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    elif alg == "PS256" and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    elif alg == "ES256" and isinstance(key, ec.EllipticCurvePublicKey) and len(signature) == 64:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    elif alg == "EdDSA" and isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
    else:
        raise BadRequest("assertion: alg does not go with the key")


def read_assertion(text: str, public_key: str | None) -> Json:
    """The claims, `_header` among them. With a PEM key the signature is verified, without one only the shape."""
    parts = text.split(".")
    if len(parts) != 3:
        raise BadRequest("assertion: not a JWT")
    try:
        header, claims = json.loads(_unpack(parts[0])), json.loads(_unpack(parts[1]))
    except ValueError:
        raise BadRequest("assertion: not JSON") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadRequest("assertion: not a JWT")
    if public_key:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 (only this needs it)
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 (only this needs it)

        try:
            _verify(header.get("alg", ""), load_pem_public_key(public_key.encode()), _unpack(parts[2]), ".".join(parts[:2]).encode())
        except InvalidSignature:
            raise BadRequest("assertion: wrong signature") from None
    return {**claims, "_header": header}
