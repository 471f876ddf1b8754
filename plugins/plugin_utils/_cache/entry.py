# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Cache entries: the facts that identify their request, and their JSON shape."""

from __future__ import annotations

import dataclasses
import typing as t

from .._base.model import Entry, Failure, Renewal, Request, Token
from .._base.token_check import is_line, is_moment, token_problem
from .._text.one_line import one_line

__all__ = ("entry_from_dict", "entry_to_dict", "failures_from_list", "login_facts", "token_facts")

_LONGEST_MESSAGE = 1000
_LONGEST_NAME = 256
# These decide how a token or an error is handled; or they name fields of the secret, whose own facts include them.
_NOT_IN_THE_REQUEST = (
    "authorization_scheme",
    "variants",
    "authorize_url",
    "device_authorization_url",
    "pkce",
    "revocation_url",
    "default_lifetime",
    "credential_fields",
    "passing_errors",
)


def token_facts(request: Request) -> dict[str, t.Any]:
    """Everything that distinguishes this token from others, none of it secret: the Vault identity, the secret, and the request to the vendor.

    Options that only say how to reach a server (CA, proxy, timeouts) or how to use the token (min_ttl, output) are not included.
    """
    vendor = request.vendor
    asked = {field.name: getattr(vendor, field.name) for field in dataclasses.fields(vendor)}
    for irrelevant in _NOT_IN_THE_REQUEST:
        del asked[irrelevant]
    secret = request.secret
    if request.http.client_cert:  # unlike the CA, it identifies the client (RFC 8705)
        asked["client_cert"] = request.http.client_cert
    return {
        "kind": "token",
        "login": login_facts(request),
        "secret": [secret.mount.strip("/"), secret.path, secret.engine_version, secret.version, dict(secret.fields)],
        "vendor": {**asked, "token_url": vendor.token_endpoint},
    }


def login_facts(request: Request) -> dict[str, t.Any]:
    """The identity and the Vault of a login, without the login secret."""
    return {"kind": "login", "vault": request.vault.address(), "who": request.vault.identity_public()}


def entry_to_dict(entry: Entry) -> dict[str, t.Any]:
    """The JSON shape of *entry*."""
    return {
        "token": _token_to_dict(entry.token) if entry.token else None,
        "failures": [dataclasses.asdict(failure) for failure in entry.failures],
        "renewals": [dataclasses.asdict(renewal) for renewal in entry.renewals],
    }


def _token_to_dict(token: Token) -> dict[str, t.Any]:
    shape = {field.name: getattr(token, field.name) for field in dataclasses.fields(token)}
    shape["extra"] = dict(token.extra)
    del shape["source"]
    return shape


def entry_from_dict(data: t.Mapping[str, t.Any] | None) -> Entry:
    """The entry in *data*; members of a wrong shape are dropped."""
    if not isinstance(data, t.Mapping):
        return Entry()
    return Entry(
        _token_from(data.get("token")),
        failures_from_list(data.get("failures")),
        tuple(filter(None, map(_renewal_from, _listed(data.get("renewals"))))),
    )


def failures_from_list(data: t.Any) -> tuple[Failure, ...]:
    """The failures in *data*; members of a wrong shape are dropped."""
    return tuple(filter(None, map(_failure_from, _listed(data))))


def _listed(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def _token_from(data: t.Any) -> Token | None:
    try:
        token = Token(**{**data, "source": "cache"})
    except TypeError:
        return None
    return None if token_problem(token) else token


def _failure_from(data: t.Any) -> Failure | None:
    try:
        failure = Failure(**data)
    except TypeError:
        return None
    texts = _are_names(failure.kind, failure.secret_version, failure.run, failure.network, "" if failure.code is None else failure.code, failure.fault)
    moments = all(map(is_moment, (failure.recorded_at, failure.retry_at, failure.confirmed_at, failure.took)))
    status = failure.status is None or (isinstance(failure.status, int) and not isinstance(failure.status, bool) and 100 <= failure.status < 600)
    if not (texts and moments and status and isinstance(failure.message, str)):
        return None
    return dataclasses.replace(failure, message=one_line(failure.message, limit=_LONGEST_MESSAGE))


def _renewal_from(data: t.Any) -> Renewal | None:
    try:
        renewal = Renewal(**data)
    except TypeError:
        return None
    return renewal if _are_names(renewal.run, renewal.cause) and is_moment(renewal.at) else None


def _are_names(*values: t.Any) -> bool:
    return all(value == "" or is_line(value, _LONGEST_NAME) for value in values)
