# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Discover a vendor's endpoints from the metadata of its issuer."""

from __future__ import annotations

import dataclasses
import typing as t

from .._base.errors import VendorError
from .._base.model import HttpRequest, Request, Vendor
from .._base.ports import Ports
from .._base.strict_json import parse_json
from .._http.local_address import leads_here
from .address import check_endpoint, host, split_address
from .redaction import redactor_for_secret
from .request import needed_fields

__all__ = ("DEFAULT_CLIENT_AUTH", "Metadata", "discovered")

#: RFC 6749 2.3.1: every server must support it for clients with a secret.
DEFAULT_CLIENT_AUTH = "basic"
# The methods of RFC 7591 2 and RFC 8705, in order of preference.
_METHODS = {
    "client_secret_basic": "basic",
    "client_secret_post": "post",
    "private_key_jwt": "private_key_jwt",
    "client_secret_jwt": "client_secret_jwt",
    "tls_client_auth": "tls_client_auth",
    "self_signed_tls_client_auth": "tls_client_auth",
    "none": "none",
}

_ENDPOINTS = (
    ("revocation_url", "revocation_endpoint"),
    ("authorize_url", "authorization_endpoint"),
    ("device_authorization_url", "device_authorization_endpoint"),  # RFC 8628 4
)
_ADDRESSES = ("token_url", *(ours for ours, _theirs in _ENDPOINTS))
_USED = (
    "token_endpoint",
    "mtls_endpoint_aliases",
    "code_challenge_methods_supported",
    "token_endpoint_auth_methods_supported",
    *(theirs for _ours, theirs in _ENDPOINTS),
)


class Metadata(t.Protocol):
    """Stores metadata between fetches."""

    def read(self) -> dict[str, t.Any] | None: ...

    def write(self, found: dict[str, t.Any]) -> None: ...


def discovered(request: Request, *, ports: Ports, until: float, keep: Metadata | None = None, keys: t.Container[str] = ()) -> Vendor:
    """The vendor of *request* with its issuer's endpoints (RFC 8414, OpenID Connect Discovery 1.0) and a client authentication method.

    :arg keep: a cache for the metadata.
    :arg keys: the keys of the secret, to choose among several methods. If it is the secret itself, an endpoint URL must not contain one of
    its credentials: messages show the host, and a browser may open the URL.
    :raises VendorError: no usable metadata at either well-known URL, or a forbidden endpoint in them.
    """
    vendor = request.vendor
    if vendor.token_url or not vendor.issuer:
        return vendor if vendor.client_auth else dataclasses.replace(vendor, client_auth=DEFAULT_CLIENT_AUTH)
    kept = keep.read() if keep else None
    metadata = _published(request, ports=ports, until=until) if kept is None else kept
    more = _described(vendor, metadata, request, keys)
    if isinstance(keys, t.Mapping) and redactor_for_secret(request, keys).is_in(*(value for value in more.values() if isinstance(value, str))):
        raise VendorError(
            f"{vendor.name}: the metadata of {host(vendor.issuer)} contains a URL with a credential in it, which is not used. Check issuer, or set token_url.",
            fault="vendor:discovery",
        )
    if not _here(vendor.issuer) and any(_here(vendor.url(more[name])) for name in _ADDRESSES if name in more):
        # Otherwise it could have the credentials posted to any local service, which trusts requests from this machine.
        raise VendorError(
            f"{vendor.name}: the metadata of {host(vendor.issuer)} contains a URL of this machine, which only an issuer on this machine may use. "
            "Check issuer, or set token_url.",
            fault="vendor:discovery",
        )
    if keep and kept is None:
        keep.write(metadata)
    found = dataclasses.replace(vendor, **more)
    check_endpoint(found, allow_http=request.http.allow_http)
    return found


def _published(request: Request, *, ports: Ports, until: float) -> dict[str, t.Any]:
    vendor = request.vendor
    for address in _well_known(vendor.issuer):
        ask = HttpRequest("GET", address, {"Accept": "application/json"})
        answer = ports.exchange(ask, request.http, max(0.05, until - ports.monotonic()), vendor.name)
        if answer.status == 200:
            return _checked(vendor, answer.body)
    raise VendorError(
        f"{vendor.name}: the issuer {host(vendor.issuer)} publishes no OAuth 2.0 metadata. Check issuer, or set token_url.",
        fault="vendor:discovery",
    )


def _here(url: str) -> bool:
    return leads_here(split_address(url).hostname or "")


def _well_known(issuer: str) -> tuple[str, str]:
    parts = split_address(issuer)
    path = parts.path.rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}"
    # RFC 8414 3.1 puts the well-known part before the issuer's path, OpenID after it.
    return f"{root}/.well-known/oauth-authorization-server{path}", f"{root}{path}/.well-known/openid-configuration"


def _checked(vendor: Vendor, body: bytes) -> dict[str, t.Any]:
    """The metadata members that are used here."""
    try:
        metadata = parse_json(body)
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("token_endpoint"), str):
        raise VendorError(f"{vendor.name}: the metadata of {host(vendor.issuer)} contains no token_endpoint. Set token_url.", fault="vendor:discovery")
    if str(metadata.get("issuer", "")).rstrip("/") != vendor.issuer.rstrip("/"):
        # RFC 8414 3.3: otherwise one server could impersonate another.
        raise VendorError(f"{vendor.name}: the metadata of {host(vendor.issuer)} is for another issuer. Check issuer.", fault="vendor:discovery")
    return {name: metadata[name] for name in _USED if name in metadata}


def _described(vendor: Vendor, metadata: t.Mapping[str, t.Any], request: Request, keys: t.Container[str]) -> dict[str, t.Any]:
    """The vendor's fields that the metadata change."""
    client_auth = vendor.client_auth or _picked(vendor, metadata, request, keys)
    aliases = metadata.get("mtls_endpoint_aliases")
    if client_auth == "tls_client_auth" and isinstance(aliases, dict):  # RFC 8705 5
        metadata = {**metadata, **{name: value for name, value in aliases.items() if isinstance(value, str)}}
    more: dict[str, t.Any] = {ours: metadata[theirs] for ours, theirs in _ENDPOINTS if isinstance(metadata.get(theirs), str) and not getattr(vendor, ours)}
    methods = metadata.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" in methods:
        more["pkce"] = True
    return {"token_url": str(metadata["token_endpoint"]), "client_auth": client_auth, **more}


def _picked(vendor: Vendor, metadata: t.Mapping[str, t.Any], request: Request, keys: t.Container[str]) -> str:
    """The client authentication method that the server accepts and the secret has fields for. RFC 8414 2: without a list it is Basic."""
    methods = metadata.get("token_endpoint_auth_methods_supported")
    taken = [ours for theirs, ours in _METHODS.items() if isinstance(methods, list) and theirs in methods]
    for client_auth in taken:
        needed = needed_fields(dataclasses.replace(vendor, client_auth=client_auth))
        if all(request.secret.fields.get(name, name) in keys for name in needed):
            return client_auth
    return taken[0] if taken else DEFAULT_CLIENT_AUTH
