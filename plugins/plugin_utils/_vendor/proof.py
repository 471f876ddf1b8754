# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Sign the JWTs that authenticate a client (RFC 7523): with a key in the secret, with the client secret, or with a key that never leaves
Vault.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import typing as t

from .._base.errors import OptionError, VaultError
from .._base.model import Vendor
from .request import Assertion
from .template import filled

__all__ = ("ALGORITHMS", "Transit", "signed_assertion", "signer", "transit_key")

#: Signs bytes with the transit key of that mount and name, using an algorithm of RFC 7518.
Transit = t.Callable[[str, str, bytes, str], bytes]

_LIFETIME = 60  # seconds; RFC 7523 3 leaves it to the client, and servers prefer short ones
_BEFORE = 60  # seconds; GitHub rejects tokens issued in its future
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {256: "ES256", 384: "ES384", 521: "ES512"}
_HMAC = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
ALGORITHMS = (*_RSA, *_CURVES.values(), "EdDSA", *_HMAC)


def transit_key(vendor: Vendor) -> tuple[str, str]:
    """Mount and name of the signing key.

    :raises OptionError: C(transit_key) does not have that form.
    """
    mount, _slash, key = vendor.transit_key.strip("/").rpartition("/")
    if not mount or not key:
        raise OptionError(f"{vendor.name}: transit_key must be <mount>/<key name>, for example transit/{vendor.name}.", fault="option:value")
    return mount, key


def signed_assertion(vendor: Vendor, fields: t.Mapping[str, str], more: t.Mapping[str, str], *, now: float, transit: Transit | None = None) -> str:
    """A new JWT with a unique identifier (RFC 7523 2.1, 2.2, 3); the claims *more* override the usual ones.

    :raises OptionError: C(assertion_algorithm) does not suit the key, or PyJWT is not installed.
    :raises VaultError: the secret's key cannot sign, or Vault does not sign.
    """
    issued = int(now) - (_BEFORE if vendor.client_auth == "bearer_jwt" else 0)
    usual = {
        "iss": fields["client_id"],
        "sub": fields["client_id"],
        "aud": vendor.assertion_audience or vendor.token_endpoint,
        "jti": os.urandom(16).hex(),
        "iat": issued,
        "exp": int(now) + _LIFETIME,
        **more,
    }
    claims = {name: value for name, value in {**usual, **filled(vendor.assertion_claims, fields)}.items() if value is not None}
    header = {"typ": "JWT", **_key_names(vendor, fields)}
    # A grant's assertion is signed with a key, however the client authenticates.
    if vendor.client_auth == "client_secret_jwt" and not more:
        return _with_secret(vendor, fields["client_secret"], header, claims)
    if vendor.transit_key:
        return _with_transit(vendor, header, claims, transit)
    return _with_key(vendor, fields["private_key"], header, claims)


def signer(vendor: Vendor, fields: t.Mapping[str, str], *, clock: t.Callable[[], float], transit: Transit, signed: set[str]) -> Assertion:
    """A function that signs a new proof for the client at each call.

    :arg signed: receives each proof, which is as secret as the key while it is valid (a minute).
    """

    def sign(more: t.Mapping[str, str]) -> str:
        proof = signed_assertion(vendor, fields, more, now=clock(), transit=transit)
        signed.add(proof)
        return proof

    return sign


def _key_names(vendor: Vendor, fields: t.Mapping[str, str]) -> dict[str, str]:
    """How the key is identified to the server: by its identifier and its certificate's thumbprints (RFC 7515 4.1.7, 4.1.8; Entra ID)."""
    names = {"kid": fields["key_id"]} if fields.get("key_id") else {}
    if fields.get("certificate") and vendor.client_auth != "tls_client_auth":
        der = _der(vendor, fields["certificate"])
        names["x5t"] = _encoded(hashlib.sha1(der, usedforsecurity=False).digest())
        names["x5t#S256"] = _encoded(hashlib.sha256(der).digest())
    return names


def _der(vendor: Vendor, pem: str) -> bytes:
    import ssl

    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    try:
        inner = pem[pem.index(begin) : pem.index(end) + len(end)]
        return ssl.PEM_cert_to_DER_cert(inner)
    except ValueError:
        raise VaultError(f"{vendor.name}: the field 'certificate' of the secret is not a certificate in PEM form.", kind="field") from None


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _compact(header: t.Mapping[str, str], claims: t.Mapping[str, t.Any], sign: t.Callable[[bytes], bytes]) -> str:
    """RFC 7515 7.1."""
    parts = [_encoded(json.dumps(part, separators=(",", ":")).encode("ascii")) for part in (header, claims)]
    return ".".join((*parts, _encoded(sign(".".join(parts).encode("ascii")))))


def _with_secret(vendor: Vendor, secret: str, header: dict[str, str], claims: t.Mapping[str, t.Any]) -> str:
    algorithm = vendor.assertion_algorithm or "HS256"
    if algorithm not in _HMAC:
        raise OptionError(
            f"{vendor.name}: client_secret_jwt signs with HS256, HS384 or HS512. Set assertion_algorithm to one of them, or leave it out.", fault="option:clash"
        )
    return _compact({**header, "alg": algorithm}, claims, lambda data: hmac.digest(secret.encode(), data, _HMAC[algorithm]))


def _with_transit(vendor: Vendor, header: dict[str, str], claims: t.Mapping[str, t.Any], transit: Transit | None) -> str:
    algorithm = vendor.assertion_algorithm or "RS256"
    mount, key = transit_key(vendor)
    if algorithm in _HMAC:
        raise OptionError(
            f"{vendor.name}: a transit key signs with one of {', '.join(name for name in ALGORITHMS if name not in _HMAC)}.", fault="option:clash"
        )
    if transit is None:
        raise OptionError(f"{vendor.name}: transit_key cannot be used here.", fault="option:clash")
    return _compact({**header, "alg": algorithm}, claims, lambda data: transit(mount, key, data, algorithm))


def _with_key(vendor: Vendor, pem: str, header: dict[str, str], claims: dict[str, t.Any]) -> str:
    try:
        import jwt
    except ImportError:
        raise OptionError(
            f"{vendor.name}: a signature with a private key needs the Python library PyJWT. Install it where ansible runs: pip install PyJWT. "
            "With transit_key, Vault signs and it is not needed.",
            fault="option:library",
        ) from None
    if not hasattr(jwt, "encode"):
        raise OptionError(
            f"{vendor.name}: a signature with a private key needs the Python library PyJWT. Another library named jwt is in its place: "
            "uninstall jwt and PyJWT where ansible runs, then install PyJWT alone. With transit_key, Vault signs and neither is needed.",
            fault="option:library",
        )
    try:
        key, algorithms = _private_key(pem)
    except Exception:  # noqa: BLE001 - the library's messages may quote the key
        raise VaultError(
            f"{vendor.name}: the field 'private_key' of the secret is not a usable, unencrypted RSA, EC or Ed25519 key in PEM form.",
            kind="field",
        ) from None
    algorithm = vendor.assertion_algorithm or algorithms[0]
    if algorithm not in algorithms:
        raise OptionError(
            f"{vendor.name}: assertion_algorithm={algorithm} does not suit the private_key of the secret, which signs with {_or(algorithms)}.",
            fault="option:clash",
        )
    return str(jwt.encode(claims, key, algorithm=algorithm, headers=dict(header)))


def _or(names: t.Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _private_key(pem: str) -> tuple[t.Any, tuple[str, ...]]:
    """The key, and the algorithms that it can sign with."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if "\n" not in pem.strip():  # pasted from JSON or an environment variable
        pem = pem.replace("\\n", "\n")
    key = load_pem_private_key(pem.encode(), password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        return key, _RSA
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key, ("EdDSA",)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key, (_CURVES[key.key_size],)
    raise ValueError("another kind of key")
