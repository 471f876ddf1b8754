# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""What only some vendors need before they are asked: their endpoints from an issuer, and a signed client assertion."""

from __future__ import annotations

import dataclasses
import typing as t
import uuid
from urllib.parse import urlsplit

from .._base.errors import OptionError, VaultError, VendorError
from .._base.model import HttpRequest, Request, Vendor
from .._base.ports import Ports
from .._base.strict_json import parse_json
from .address import check_endpoint, host

__all__ = ("discovered", "signed_assertion")

_ENDPOINTS = (
    ("revocation_url", "revocation_endpoint"),
    ("authorize_url", "authorization_endpoint"),
    ("device_authorization_url", "device_authorization_endpoint"),  # RFC 8628 4
)
_ASSERTION_LIFETIME = 60  # seconds; RFC 7523 3 leaves it to the client, servers like it short


def discovered(request: Request, *, ports: Ports, until: float) -> Vendor:
    """The vendor of *request* with the endpoints that its issuer publishes (RFC 8414, OpenID Connect Discovery 1.0).

    :raises VendorError: no usable metadata at either well-known address.
    """
    vendor = request.vendor
    if vendor.token_url or not vendor.issuer:
        return vendor
    for address in _well_known(vendor.issuer):
        ask = HttpRequest("GET", address, {"Accept": "application/json"})
        answer = ports.exchange(ask, request.http, max(0.05, until - ports.monotonic()), vendor.name)
        if answer.status == 200:
            found = _endpoints(vendor, answer.body)
            check_endpoint(found, allow_http=request.http.allow_http)
            return found
    raise VendorError(
        f"{vendor.name}: the issuer {host(vendor.issuer)} publishes no OAuth 2.0 metadata. Check issuer, or set token_url.",
        kind="answer",
    )


def _well_known(issuer: str) -> tuple[str, str]:
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}"
    # RFC 8414 3.1 puts the well-known part before the issuer's path, OpenID after it.
    return f"{root}/.well-known/oauth-authorization-server{path}", f"{root}{path}/.well-known/openid-configuration"


def _endpoints(vendor: Vendor, body: bytes) -> Vendor:
    try:
        metadata = parse_json(body)
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("token_endpoint"), str):
        raise VendorError(f"{vendor.name}: the metadata of {host(vendor.issuer)} names no token_endpoint. Set token_url.")
    if str(metadata.get("issuer", "")).rstrip("/") != vendor.issuer.rstrip("/"):
        # RFC 8414 3.3: else one server could pass for another.
        raise VendorError(f"{vendor.name}: the metadata of {host(vendor.issuer)} is for another issuer. Check issuer.")
    more: dict[str, t.Any] = {ours: metadata[theirs] for ours, theirs in _ENDPOINTS if isinstance(metadata.get(theirs), str) and not getattr(vendor, ours)}
    methods = metadata.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" in methods:
        more["pkce"] = True
    return dataclasses.replace(vendor, token_url=metadata["token_endpoint"], **more)


def signed_assertion(vendor: Vendor, fields: t.Mapping[str, str], more: t.Mapping[str, str], *, now: float) -> str:
    """The JWT by which the client proves its key (RFC 7523 2.1, 2.2, 3), with the claims *more* over the usual ones.

    :raises OptionError: PyJWT is not installed.
    :raises VaultError: the secret's ``private_key`` is no PEM key that can sign.
    """
    try:
        import jwt
    except ImportError:
        raise OptionError(f"{vendor.name}: private_key_jwt needs the Python library PyJWT. Install it where ansible runs: pip install PyJWT") from None
    claims = {
        "iss": fields["client_id"],
        "sub": fields["client_id"],
        "aud": vendor.token_endpoint,
        "jti": uuid.uuid4().hex,
        "iat": int(now),
        "exp": int(now) + _ASSERTION_LIFETIME,
        **more,
    }
    headers = {"kid": fields["key_id"]} if fields.get("key_id") else None
    try:
        key, algorithm = _signing_key(fields["private_key"])
        return str(jwt.encode(claims, key, algorithm=algorithm, headers=headers))
    except Exception:  # noqa: BLE001 - whatever the libraries say of a key may quote it
        raise VaultError(
            f"{vendor.name}: the field 'private_key' of the secret is no usable RSA, EC or Ed25519 key in PEM form, unencrypted.",
            kind="field",
        ) from None


def _signing_key(pem: str) -> tuple[t.Any, str]:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        return key, "RS256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key, "EdDSA"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key, {256: "ES256", 384: "ES384", 521: "ES512"}[key.key_size]
    raise ValueError("another kind of key")
