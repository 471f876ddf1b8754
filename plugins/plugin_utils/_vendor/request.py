# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Build token requests (RFC 6749) for every vendor, using only its description. Pure: no I/O, no clock."""

from __future__ import annotations

import base64
import json
import re
import typing as t
from dataclasses import dataclass, replace
from urllib.parse import quote_plus, urlencode

from .._base.errors import VaultError
from .._base.model import HttpRequest, Request, SecretField, Vendor
from .._text.nearest import nearest
from .._text.one_line import one_line
from .template import filled, secret_names

__all__ = (
    "DEVICE_GRANT",
    "IDENTIFIERS",
    "JWT_BEARER_ASSERTION",
    "JWT_BEARER_GRANT",
    "OPTIONAL_FIELDS",
    "Assertion",
    "Grant",
    "as_text",
    "build_request",
    "client_request",
    "credentials",
    "grants",
    "needed_fields",
    "revocation_request",
    "signs",
)

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"  # RFC 8628 3.4
JWT_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 2.1
JWT_BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 2.2
#: Signs a JWT that has these claims in addition to iss, sub, aud, jti, iat and exp.
Assertion = t.Callable[[t.Mapping[str, str]], str]
# The fields that a grant needs from the secret, besides those of the client authentication (RFC 6749 4.1.3, 4.3.2, 6).
_GRANT_FIELDS = {
    "password": ("username", "password"),
    "refresh_token": ("refresh_token",),
}
_CLIENT_FIELDS: t.Mapping[str, tuple[str, ...]] = {
    "": ("client_id", "client_secret"),  # not set, and not discovered yet
    "basic": ("client_id", "client_secret"),
    "basic_raw": ("client_id", "client_secret"),
    "post": ("client_id", "client_secret"),
    "private_key_jwt": ("client_id", "private_key"),
    "bearer_jwt": ("client_id", "private_key"),
    "client_secret_jwt": ("client_id", "client_secret"),
    "tls_client_auth": ("client_id",),
    "none": (),
}
# The scope was part of the request that the person approved.
_SCOPE_ASKED_BEFORE = ("authorization_code", DEVICE_GRANT)
# Read if the secret has them, never required.
_OPTIONAL_FIELDS = ("client_id", "code", "redirect_uri", "code_verifier", "refresh_token", "key_id", "subject", "certificate")
#: Fields that may have another name in the secret even if they are not required.
OPTIONAL_FIELDS = (*_OPTIONAL_FIELDS, "private_key")
# These cannot begin or end with white space; RFC 6749 A allows that for passwords and secrets.
_WITHOUT_SPACE = ("client_id", "refresh_token", "code", "code_verifier", "redirect_uri", "key_id", "subject", "connect_token")
_TOKENS = ("refresh_token", "connect_token")
_MARK = "\ufeff"  # some editors put it at the start of each file
_KEYS = ("private_key", "certificate")
#: Names, not secrets: the vendor may repeat them with the token.
IDENTIFIERS = ("client_id", "username", "subject", "key_id", "redirect_uri", "certificate")


@dataclass(frozen=True)
class Grant:
    """One way to request the token; ``fields`` are the grant's own parameters."""

    grant_type: str
    fields: t.Mapping[str, str]
    repeatable: bool = True

    def __repr__(self) -> str:
        return f"Grant({self.grant_type})"


def needed_fields(vendor: Vendor) -> tuple[str, ...]:
    """The fields that the secret must have, in the order in which a person would check them."""
    named = [name for values in (vendor.request_headers, vendor.parameters, vendor.request_body, vendor.assertion_claims) for name in secret_names(values)]
    signed = ("client_id", "private_key") if signs(vendor, vendor.grant_type) else ()
    wanted = (*_CLIENT_FIELDS[vendor.client_auth], *_GRANT_FIELDS.get(vendor.grant_type, ()), *signed, *named)
    return tuple(dict.fromkeys(name for name in wanted if name != "private_key" or not vendor.transit_key))


def signs(vendor: Vendor, grant_type: str) -> bool:
    """Whether we sign the grant's JWT (RFC 7523 2.1), because the parameters do not contain an assertion."""
    return grant_type == JWT_BEARER_GRANT and "assertion" not in vendor.parameters


def credentials(request: Request, data: t.Mapping[str, t.Any], *, consent: bool = False) -> dict[str, str]:
    """The credentials in the *data* of a secret, by our names.

    :arg consent: they are for a consent request, which then yields the refresh token.
    :raises VaultError: a required field is missing, empty, or neither a string nor a number.
    """
    vendor, fields = request.vendor, request.secret.fields
    found: dict[str, str] = {}
    for name in (*needed_fields(vendor), *_certificate_fields(request, data)):
        found[name] = _field(request, data, name)
    for name in _OPTIONAL_FIELDS:
        value = as_text(data.get(fields.get(name, name)))
        if name not in found and value and value.strip() and _sendable(value):
            found[name] = _tidied(vendor, name, value)
    if request.http.client_cert:
        found.pop("certificate", None)  # the certificate from the options is used
    if vendor.grant_type == "authorization_code" and not consent and not {"code", "refresh_token"} & set(found):
        raise VaultError(
            f"{vendor.name}: the secret {request.where} has neither a refresh_token nor a code. "
            "Run the playbook trackops.api_tokens.authorize to give consent in the browser.",
            kind="field",
        )
    return found


def _certificate_fields(request: Request, data: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """The fields with the certificate and key of a client that authenticates by TLS (RFC 8705); empty if options name files."""
    if request.vendor.client_auth != "tls_client_auth" or request.http.client_cert:
        return ()
    both = "PRIVATE KEY" in str(data.get(request.secret.fields.get("certificate", "certificate")))
    return ("certificate",) if both else ("certificate", "private_key")


def _near(key: str, data: t.Mapping[str, t.Any]) -> str:
    """A hint at a similar name among the fields of the secret, such as one in another letter case."""
    names = {str(name).lower(): one_line(str(name)) for name in data}
    near = nearest(key, names)
    return f" (did you mean '{names[near]}'?)" if near else ""


def _field(request: Request, data: t.Mapping[str, t.Any], name: str) -> str:
    key = request.secret.fields.get(name, name)
    value = as_text(data.get(key))
    problem = (
        f"has no field '{key}'{_near(key, data)}"
        if key not in data
        else f"has a field '{key}' that is neither a string nor a number"
        if value is None
        else f"has an empty field '{key}'"
        if not value.removeprefix(_MARK).strip()
        else f"has a field '{key}' with an incomplete character (a lone surrogate)"
        if not _sendable(value)
        else ""
    )
    if problem:
        raise VaultError(
            f"{request.vendor.name}: the secret {request.where} {problem}. Put the vendor's {name} there, or name the right key with credential_fields.",
            kind="field",
        )
    return _tidied(request.vendor, name, t.cast(str, value))


def as_text(value: t.Any) -> str | None:
    """A credential as stored in Vault: a string, or a number whose digits are the credential."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return str(getattr(value, "text", value))


def _tidied(vendor: Vendor, name: str, value: str) -> str:
    """*value* without parts pasted by mistake: a line end, and white space or a scheme that cannot belong to the credential."""
    value = value.removeprefix(_MARK).strip("\r\n")
    headers = [header for header in vendor.request_headers.values() if isinstance(header, SecretField) and header.name == name]
    if name in _WITHOUT_SPACE or headers:
        value = value.strip()
    if name in _TOKENS or any(header.scheme is not None for header in headers):
        value = re.sub(r"\Abearer\s+", "", value, flags=re.IGNORECASE)
    return value


def _doubts(fields: t.Mapping[str, str]) -> tuple[str, ...]:
    """Surrounding white space, which is usually not part of the credential."""
    named = sorted(name for name, value in fields.items() if value != value.strip() and name not in _KEYS)
    return (f"The secret has white space at an end of: {', '.join(named)}.",) if named else ()


def _sendable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def grants(vendor: Vendor, fields: t.Mapping[str, str], *, refresh_token: str | None = None) -> list[Grant]:
    """The grants to try, in order: a known refresh token first, then the vendor's own grant.

    :arg refresh_token: the one from the last token in the cache.
    """
    if not vendor.use_refresh_token or vendor.request_body:
        refresh_token = None
    in_order = [_refresh(refresh_token)] if refresh_token else []
    if vendor.single_use:
        stored = fields.get("refresh_token")
        if stored and stored != refresh_token:
            in_order.append(_refresh(stored))
        if vendor.grant_type == "authorization_code" and fields.get("code"):
            names = ("code", "redirect_uri", "code_verifier")
            in_order.append(Grant("authorization_code", {n: fields[n] for n in names if n in fields}, repeatable=False))
    else:
        own = {name: fields[name] for name in _GRANT_FIELDS.get(vendor.grant_type, ())}
        in_order.append(Grant(vendor.grant_type, own))
    return in_order


def _refresh(refresh_token: str) -> Grant:
    return Grant("refresh_token", {"refresh_token": refresh_token}, repeatable=False)


def build_request(vendor: Vendor, grant: Grant, fields: t.Mapping[str, str], *, assertion: Assertion | None = None) -> HttpRequest:
    """The HTTP request of one grant.

    :arg assertion: signs a JWT with these claims in addition to the usual ones: RFC 7523 2.1 (the grant) and 2.2 (the client).
    """
    headers = {name: filled(value, fields) for name, value in vendor.request_headers.items()}
    parameters: list[tuple[str, t.Any]] = []
    proofs = _client_parameters(vendor, fields, assertion)
    if signs(vendor, grant.grant_type) and assertion is not None:
        # Some servers read the scope from the assertion, others from the request.
        claims = {"sub": fields.get("subject", fields["client_id"]), **({"scope": vendor.scope} if vendor.scope and vendor.scope_in != "request" else {})}
        proofs.append(("assertion", assertion(claims)))
    if vendor.request_body:
        parameters.extend(_whole_body(vendor, fields))
    elif vendor.request_format != "none":
        parameters.append(("grant_type", grant.grant_type))
        parameters.extend(grant.fields.items())
        in_assertion = vendor.scope_in == "assertion" and signs(vendor, grant.grant_type)
        if vendor.scope and not in_assertion and grant.grant_type not in _SCOPE_ASKED_BEFORE:
            parameters.append(("scope", vendor.scope))
        parameters.extend(_own_parameters(vendor, fields))
        parameters.extend(proofs)
    sent = {**fields, **grant.fields}
    secrets = {*fields.values(), *grant.fields.values(), *dict(proofs).values()} - _addresses(sent)
    _authorize(vendor, fields, headers, secrets, assertion)
    method, request_format = vendor.request_method, vendor.request_format
    if request_format == "query" and grant.grant_type != vendor.grant_type:
        # GET is only for the grant for which the vendor documents it; a refresh follows RFC 6749 6.
        method, request_format = "POST", "form"
    encode = _ENCODERS[request_format]
    identifiers = {sent[name] for name in IDENTIFIERS if name in sent} - {value for name, value in sent.items() if name not in IDENTIFIERS}
    return encode(
        method,
        vendor.token_endpoint,
        headers,
        parameters,
        secrets=tuple(secrets),
        identifiers=tuple(identifiers),
        client_certificate=_client_certificate(vendor, fields),
        doubts=_doubts(fields),
        repeatable=grant.repeatable,
    )


def _addresses(sent: t.Mapping[str, str]) -> set[str]:
    """The redirect URL, which messages may show: a person must see which one is not registered at the vendor."""
    address = sent.get("redirect_uri", "")
    others = {value for name, value in sent.items() if name != "redirect_uri"}
    return {address} - others if not re.search("[?@#]", address) else set()


def _whole_body(vendor: Vendor, fields: t.Mapping[str, str]) -> t.Iterator[tuple[str, t.Any]]:
    """The members of C(request_body): unchanged for JSON; otherwise as text, with other values as their JSON."""
    for name, value in vendor.request_body.items():
        inner = filled(value, fields)
        if vendor.request_format == "json" or isinstance(inner, str):
            yield name, inner
        elif inner is not None:
            yield name, json.dumps(inner, separators=(",", ":"))


def _own_parameters(vendor: Vendor, fields: t.Mapping[str, str]) -> t.Iterator[tuple[str, str]]:
    for name, value in vendor.parameters.items():
        for single in value if isinstance(value, tuple) else (value,):
            yield name, filled(single, fields)


def _client_parameters(vendor: Vendor, fields: t.Mapping[str, str], assertion: Assertion | None) -> list[tuple[str, str]]:
    if vendor.client_auth == "post":
        return [("client_id", fields["client_id"]), ("client_secret", fields["client_secret"])]
    if vendor.client_auth in ("private_key_jwt", "client_secret_jwt") and assertion is not None:
        return [
            ("client_id", fields["client_id"]),
            ("client_assertion_type", JWT_BEARER_ASSERTION),
            ("client_assertion", assertion({})),
        ]
    if vendor.client_auth == "none" and signs(vendor, vendor.grant_type):
        return []  # the assertion identifies the client
    if vendor.client_auth in ("none", "tls_client_auth") and "client_id" in fields:
        return [("client_id", fields["client_id"])]  # RFC 6749 3.2.1: a public client sends its client_id
    return []


def _authorize(vendor: Vendor, fields: t.Mapping[str, str], headers: dict[str, str], secrets: set[str], assertion: Assertion | None) -> None:
    """Add the client's authentication header to *headers*, and its secrets to *secrets*."""
    if vendor.client_auth in ("", "basic", "basic_raw"):
        headers["Authorization"] = _basic(vendor.client_auth, fields["client_id"], fields["client_secret"])
    elif vendor.client_auth == "bearer_jwt" and assertion is not None:
        headers["Authorization"] = "Bearer " + assertion({})
    else:
        return
    secrets.add(headers["Authorization"].partition(" ")[2])


def _client_certificate(vendor: Vendor, fields: t.Mapping[str, str]) -> str:
    if vendor.client_auth != "tls_client_auth" or "certificate" not in fields:
        return ""
    return "\n".join((fields["certificate"], fields.get("private_key", "")))


def _basic(client_auth: str, client_id: str, client_secret: str) -> str:
    if client_auth != "basic_raw":  # RFC 6749 2.3.1: both are form-encoded first
        client_id, client_secret = quote_plus(client_id), quote_plus(client_secret)
    return "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode("ascii")


def _as_form(method: str, url: str, headers: dict[str, str], parameters: list[tuple[str, str]], **kw: t.Any) -> HttpRequest:
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return HttpRequest(method, url, headers, urlencode(parameters).encode("ascii"), **kw)


def _as_json(method: str, url: str, headers: dict[str, str], parameters: list[tuple[str, t.Any]], **kw: t.Any) -> HttpRequest:
    headers.setdefault("Content-Type", "application/json")
    body: dict[str, t.Any] = {}
    for name, value in parameters:
        if name in body:  # RFC 8707: resource may be repeated
            earlier = body[name]
            body[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            body[name] = value
    return HttpRequest(method, url, headers, json.dumps(body).encode("ascii"), **kw)


def _as_query(method: str, url: str, headers: dict[str, str], parameters: list[tuple[str, str]], **kw: t.Any) -> HttpRequest:
    return HttpRequest(method, url + ("&" if "?" in url else "?") + urlencode(parameters), headers, None, **kw)


def _bare(method: str, url: str, headers: dict[str, str], parameters: list[tuple[str, str]], **kw: t.Any) -> HttpRequest:
    del parameters
    return HttpRequest(method, url, headers, None, **kw)


_ENCODERS = {"form": _as_form, "json": _as_json, "query": _as_query, "none": _bare}


def client_request(
    vendor: Vendor, url: str, fields: t.Mapping[str, str], parameters: t.Iterable[tuple[str, str]], *, assertion: Assertion | None = None
) -> HttpRequest:
    """A form for another endpoint of the vendor; the client authenticates as at the token endpoint (RFC 7009 2.1, RFC 8628 3.1)."""
    headers = {"Accept": "application/json"}
    proofs = _client_parameters(vendor, fields, assertion)
    secrets = {*fields.values(), *dict(proofs).values()}
    _authorize(vendor, fields, headers, secrets, assertion)
    own = [(name, value) for name, value in parameters if name not in dict(proofs)]
    certificate = _client_certificate(vendor, fields)
    return _as_form("POST", url, headers, [*own, *proofs], secrets=tuple(secrets), client_certificate=certificate, repeatable=True)


def revocation_request(vendor: Vendor, fields: t.Mapping[str, str], token: str, *, hint: str, assertion: Assertion | None = None) -> HttpRequest:
    """The request that revokes *token* (RFC 7009 2.1); *hint* is ``access_token`` or ``refresh_token``."""
    made = client_request(vendor, vendor.url(vendor.revocation_url), fields, [("token", token), ("token_type_hint", hint)], assertion=assertion)
    return replace(made, secrets=(*made.secrets, token))
