# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Build a :class:`Vendor` from the user's description: an entry of C(trackops_vendors), or the options of C(oauth2)."""

from __future__ import annotations

import dataclasses
import typing as t

from .._base.errors import OptionError
from .._base.model import Value, Vendor
from .._text.nearest import did_you_mean, nearest
from .._text.one_line import one_line
from .proof import ALGORITHMS, transit_key
from .request import OPTIONAL_FIELDS, needed_fields
from .template import nested, secret_field

__all__ = ("CHOICES", "check_request", "parameters", "vendor_from_mapping")

CHOICES: t.Mapping[str, tuple[str, ...]] = {
    "client_auth": ("basic", "basic_raw", "post", "none", "private_key_jwt", "client_secret_jwt", "bearer_jwt", "tls_client_auth"),
    "request_method": ("POST", "GET", "PUT"),
    "request_format": ("form", "json", "query", "none"),
    "assertion_algorithm": ALGORITHMS,
    "response_format": ("json", "form", "text"),
    "scope_use": ("optional", "required", "forbidden"),
    "scope_in": ("both", "assertion", "request"),
}
GRANT_TYPES = ("client_credentials", "password", "authorization_code", "refresh_token", "account_credentials")
# Other options or fields set these; a second value would be sent twice.
_RESERVED = (
    "grant_type",
    "client_id",
    "client_secret",
    "username",
    "password",
    "refresh_token",
    "code",
    "redirect_uri",
    "scope",
    "client_assertion",
    "client_assertion_type",
)
# A fixed value of these would repeat in every proof.
_MADE_ANEW = ("exp", "iat", "jti", "nbf")
# These methods send their own parameters, which a custom body replaces.
_AMONG_PARAMETERS = ("post", "private_key_jwt", "client_secret_jwt")
_NOT_VARIED = ("name", "variant", "variants")
_LONGEST_LIFETIME = 10**10  # seconds; much more is no date
_DEFAULTS: dict[str, t.Any] = vars(Vendor(name=""))


def vendor_from_mapping(name: str, given: t.Any) -> Vendor:
    """The vendor *name* that *given* describes; its keys are the fields of :class:`Vendor`.

    :raises OptionError: naming the wrong key.
    """
    if not isinstance(given, t.Mapping):
        raise OptionError(f"{name}: the description of a vendor must be a dictionary. See the guide 'own vendors'.", fault="option:description")
    values = {str(key): _checked(name, str(key), value) for key, value in given.items()}
    vendor = Vendor(name=name, **values)
    if vendor.transit_key:
        transit_key(vendor)  # raises if its form is wrong
    for variant, changes in vendor.variants.items():
        if not isinstance(changes, t.Mapping):
            raise OptionError(f"{name}: the variant '{variant}' is not a dictionary.", fault="option:description")
    if vendor.variants:
        checked = {
            str(variant): {str(key): _checked(name, str(key), value, unknown=_NOT_VARIED) for key, value in changes.items()}
            for variant, changes in vendor.variants.items()
        }
        vendor = dataclasses.replace(vendor, variants=checked)
    _check_names(vendor)
    return vendor


def _check_names(vendor: Vendor) -> None:
    """Reject names for secret fields that no variant uses: they are typos."""
    all_variants = (vendor, *(vendor.as_variant(variant) for variant in vendor.variants))
    known = {*OPTIONAL_FIELDS, *(name for one in all_variants for name in needed_fields(one))}
    for one in all_variants:
        unknown = next((name for name in one.credential_fields if name not in known), None)
        if unknown:
            raise OptionError(
                f"{vendor.name}: 'credential_fields' names '{unknown}', which is not used. Fields here: {', '.join(sorted(known))}.",
                fault="option:description",
            )


def _checked(name: str, key: str, value: t.Any, *, unknown: tuple[str, ...] = ("name",)) -> t.Any:
    if key in unknown or key not in _DEFAULTS:
        known = set(_DEFAULTS) - set(unknown)
        near = nearest(key, known)
        raise OptionError(
            f"{name}: '{key}' is not known in the description of a vendor{did_you_mean(near)} Known: {', '.join(sorted(known))}.", fault="option:description"
        )
    if key in ("request_headers", "parameters"):
        return parameters(name, key, value)
    if key in _TABLES:
        return _TABLES[key](name, value)
    if key == "variants":
        if not isinstance(value, t.Mapping):
            raise OptionError(f"{name}: 'variants' must be a dictionary: each name with its changes.", fault="option:description")
        return value
    wanted = type(_DEFAULTS[key])
    if wanted is int and isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(_LONGEST_LIFETIME)):
        value = int(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        shown = {"bool": "true or false", "int": "a whole number"}.get(wanted.__name__, "a string")
        raise OptionError(f"{name}: '{key}' must be {shown}.", fault="option:description")
    if key == "default_lifetime" and value < 1:
        raise OptionError(f"{name}: 'default_lifetime' must be at least 1.", fault="option:description")
    if key == "default_lifetime" and value > _LONGEST_LIFETIME:
        raise OptionError(f"{name}: 'default_lifetime' must be at most {_LONGEST_LIFETIME}.", fault="option:description")
    if key in CHOICES and value not in CHOICES[key] and value != _DEFAULTS[key]:
        raise _not_among(name, f"'{key}'", ", ".join(CHOICES[key]), value)
    if key == "grant_type" and value not in GRANT_TYPES and ":" not in value:
        raise _not_among(name, "grant_type", f"{', '.join(GRANT_TYPES)}, or a URN", value)
    if wanted is str:
        return str(value)
    return value


def _not_among(name: str, key: str, known: str, value: t.Any) -> OptionError:
    return OptionError(f"{name}: {key} must be one of {known}; it cannot be '{one_line(str(value), limit=40)}'.", fault="option:description")


def _body(name: str, given: t.Any) -> t.Any:
    return nested(name, "request_body", given)


def _claims(name: str, given: t.Any) -> t.Any:
    claims = nested(name, "assertion_claims", given)
    fixed = next((claim for claim in _MADE_ANEW if claims.get(claim) is not None), None)
    if fixed:
        raise OptionError(f"{name}: '{fixed}' in assertion_claims is generated for each proof. It can only be null, to omit it.", fault="option:description")
    return claims


def _names(name: str, given: t.Any) -> dict[str, str]:
    if not isinstance(given, t.Mapping) or not all(isinstance(part, str) and part for pair in given.items() for part in pair):
        raise OptionError(f"{name}: 'credential_fields' must be a dictionary: our field to the key in the secret.", fault="option:description")
    return {str(ours): str(theirs) for ours, theirs in given.items()}


def _codes(name: str, given: t.Any) -> tuple[str, ...]:
    if not isinstance(given, (list, tuple)) or not all(isinstance(code, (str, int)) and not isinstance(code, bool) and str(code) for code in given):
        raise OptionError(f"{name}: 'passing_errors' must be a list of error codes.", fault="option:description")
    return tuple(str(code) for code in given)


_TABLES: t.Mapping[str, t.Callable[[str, t.Any], t.Any]] = {
    "request_body": _body,
    "assertion_claims": _claims,
    "credential_fields": _names,
    "passing_errors": _codes,
}


def check_request(vendor: Vendor) -> None:
    """Check that nothing else is configured to be sent with C(request_body), which is the whole request.

    :raises OptionError: naming the other setting, and where its value belongs.
    """
    if not vendor.request_body:
        return
    others = (
        ("issuer", vendor.issuer, "Give token_url"),
        (f"grant_type={vendor.grant_type}", vendor.grant_type != "client_credentials", "Remove it"),
        (f"client_auth={vendor.client_auth}", vendor.client_auth in _AMONG_PARAMETERS, "Put what the client sends into request_body"),
        ("request_format=none", vendor.request_format == "none", "Use json, form or query"),
        ("scope", vendor.scope, "Put it into request_body"),
        (f"'{next(iter(vendor.parameters), '')}'", vendor.parameters, "Put it into request_body"),
    )
    for what, present, advice in others:
        if present:
            raise OptionError(f"{vendor.name}: request_body is the whole request, so {what} cannot be combined with it. {advice}.", fault="option:description")


def parameters(name: str, option: str, given: t.Any) -> dict[str, Value | tuple[Value, ...]]:
    """Headers or parameters: each a string, a number, C({secret_field: NAME}), or (parameters) a list of these."""
    if not isinstance(given, t.Mapping):
        raise OptionError(f"{name}: {option} must be a dictionary.", fault="option:description")
    found: dict[str, Value | tuple[Value, ...]] = {}
    for key, value in given.items():
        if option != "request_headers" and key in _RESERVED:
            raise OptionError(f"{name}: {option} must not contain '{key}': an option or a field of the secret sets it.", fault="option:description")
        if option != "request_headers" and isinstance(value, (list, tuple)):
            found[str(key)] = tuple(_value(name, option, key, single) for single in value)
        else:
            found[str(key)] = _value(name, option, key, value)
    return found


def _value(name: str, option: str, key: t.Any, value: t.Any) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    field = secret_field(value)
    if field is not None:
        return field
    raise OptionError(f"{name}: '{key}' in {option} must be a string, a number or {{secret_field: NAME}}.", fault="option:description")
