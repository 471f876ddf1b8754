# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""What only some vendors need before they are asked: their endpoints from an issuer."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from .._base.errors import VendorError
from .._base.model import HttpRequest, Request, Vendor
from .._base.ports import Ports
from .._base.strict_json import parse_json
from .address import check_endpoint, host

__all__ = ("discovered",)

_ENDPOINTS = (
    ("revocation_url", "revocation_endpoint"),
    ("authorize_url", "authorization_endpoint"),
    ("device_authorization_url", "device_authorization_endpoint"),  # RFC 8628 4
)


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
    if vendor.client_auth == "tls_client_auth":  # RFC 8705 5
        aliases = metadata.get("mtls_endpoint_aliases")
        metadata = {**metadata, **(aliases if isinstance(aliases, dict) else {})}
    more: dict[str, t.Any] = {ours: metadata[theirs] for ours, theirs in _ENDPOINTS if isinstance(metadata.get(theirs), str) and not getattr(vendor, ours)}
    methods = metadata.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" in methods:
        more["pkce"] = True
    return dataclasses.replace(vendor, token_url=str(metadata["token_endpoint"]), **more)
