# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and verify the JWTs that clients sign (RFC 7523), with `cryptography` and not with the code under test."""

from __future__ import annotations

import base64
import binascii
import hmac
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
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512  # noqa: PLC0415 (only this needs it)

    hashes = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
    curves = {"ES256": ("secp256r1", 32), "ES384": ("secp384r1", 48), "ES512": ("secp521r1", 66)}
    digest = hashes.get(alg[2:])
    if alg[:2] == "RS" and digest and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), digest)
    elif alg[:2] == "PS" and digest and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    elif alg in curves and digest and isinstance(key, ec.EllipticCurvePublicKey) and (key.curve.name, len(signature) // 2) == curves[alg]:
        half = len(signature) // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    elif alg == "EdDSA" and isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
    else:
        raise BadRequest("assertion: alg does not go with the key")


def _verify_hmac(alg: str, secret: str, signature: bytes, signed: bytes) -> None:
    digests = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
    if alg not in digests:
        raise BadRequest("assertion: alg does not go with a secret")
    if not hmac.compare_digest(hmac.digest(secret.encode(), signed, digests[alg]), signature):
        raise BadRequest("assertion: wrong signature")


def read_assertion(text: str, public_key: str | None, *, secret: str | None = None) -> Json:
    """Return the claims, and the header as `_header`. Verify the signature if a PEM key or a secret is given, otherwise only the structure."""
    parts = text.split(".")
    if len(parts) != 3:
        raise BadRequest("assertion: not a JWT")
    try:
        header, claims = json.loads(_unpack(parts[0])), json.loads(_unpack(parts[1]))
    except ValueError:
        raise BadRequest("assertion: not JSON") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadRequest("assertion: not a JWT")
    if secret:
        _verify_hmac(str(header.get("alg", "")), secret, _unpack(parts[2]), ".".join(parts[:2]).encode())
    elif public_key:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 (only this needs it)
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 (only this needs it)

        try:
            _verify(str(header.get("alg", "")), load_pem_public_key(public_key.encode()), _unpack(parts[2]), ".".join(parts[:2]).encode())
        except InvalidSignature:
            raise BadRequest("assertion: wrong signature") from None
    return {**claims, "_header": header}
