# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A vendor described by the user: an entry of C(trackops_vendors), or the options of C(oauth2), as a :class:`Vendor`."""

from __future__ import annotations

import dataclasses
import typing as t

from .._base.errors import OptionError
from .._base.model import SecretField, Value, Vendor
from .proof import ALGORITHMS, transit_key

__all__ = ("CHOICES", "parameters", "vendor_from_mapping")

CHOICES: t.Mapping[str, tuple[str, ...]] = {
    "client_auth": ("basic", "basic_raw", "post", "none", "private_key_jwt", "client_secret_jwt", "bearer_jwt", "tls_client_auth"),
    "request_method": ("POST", "GET", "PUT"),
    "request_format": ("form", "json", "query", "none"),
    "assertion_algorithm": ALGORITHMS,
    "response_format": ("json", "form", "text"),
    "scope_use": ("optional", "required", "forbidden"),
}
GRANT_TYPES = ("client_credentials", "password", "authorization_code", "refresh_token", "account_credentials")
# These have an option or a field of their own; a second value would be sent twice.
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
_PARTS = {"secret_field": "name", "scheme": "scheme"}
_NOT_VARIED = ("name", "variant", "variants")
_DEFAULTS: dict[str, t.Any] = vars(Vendor(name=""))


def vendor_from_mapping(name: str, given: t.Any) -> Vendor:
    """The vendor *name* that *given* describes; its keys are the fields of :class:`Vendor`.

    :raises OptionError: naming the key that is wrong.
    """
    if not isinstance(given, t.Mapping):
        raise OptionError(f"{name}: the description of a vendor is a dictionary. See the guide 'own vendors'.")
    values = {str(key): _checked(name, str(key), value) for key, value in given.items()}
    vendor = Vendor(name=name, **values)
    if vendor.transit_key:
        transit_key(vendor)  # or it is told what its form is
    for variant, changes in vendor.variants.items():
        if not isinstance(changes, t.Mapping):
            raise OptionError(f"{name}: the variant '{variant}' is not a dictionary.")
    if vendor.variants:
        checked = {
            str(variant): {str(key): _checked(name, str(key), value, unknown=_NOT_VARIED) for key, value in changes.items()}
            for variant, changes in vendor.variants.items()
        }
        vendor = dataclasses.replace(vendor, variants=checked)
    return vendor


def _checked(name: str, key: str, value: t.Any, *, unknown: tuple[str, ...] = ("name",)) -> t.Any:
    if key in unknown or key not in _DEFAULTS:
        known = ", ".join(sorted(set(_DEFAULTS) - set(unknown)))
        raise OptionError(f"{name}: '{key}' is not known in the description of a vendor. Known: {known}.")
    if key in ("request_headers", "parameters"):
        return parameters(name, key, value)
    if key == "variants":
        if not isinstance(value, t.Mapping):
            raise OptionError(f"{name}: 'variants' is a dictionary of names, each with its changes.")
        return value
    wanted = type(_DEFAULTS[key])
    if wanted is int and isinstance(value, str) and value.isdigit():
        value = int(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        shown = {"bool": "true or false", "int": "a whole number", "str": "a string"}.get(wanted.__name__, "a string")
        raise OptionError(f"{name}: '{key}' has to be {shown}.")
    if key == "default_lifetime" and value < 1:
        raise OptionError(f"{name}: 'default_lifetime' has to be at least 1.")
    if key in CHOICES and value not in CHOICES[key] and value != _DEFAULTS[key]:
        raise OptionError(f"{name}: '{key}' has to be one of {', '.join(CHOICES[key])}.")
    if key == "grant_type" and value not in GRANT_TYPES and ":" not in value:
        raise OptionError(f"{name}: grant_type has to be one of {', '.join(GRANT_TYPES)}, or a URN.")
    if wanted is str:
        return str(value)
    return value


def parameters(name: str, option: str, given: t.Any) -> dict[str, Value | tuple[Value, ...]]:
    """Headers or parameters: each a string, a number, C({secret_field: NAME}), or (parameters) a list of these."""
    if not isinstance(given, t.Mapping):
        raise OptionError(f"{name}: {option} has to be a dictionary.")
    found: dict[str, Value | tuple[Value, ...]] = {}
    for key, value in given.items():
        if option != "request_headers" and key in _RESERVED:
            raise OptionError(f"{name}: {option} must not have '{key}': it has an option or a field of the secret of its own.")
        if option != "request_headers" and isinstance(value, (list, tuple)):
            found[str(key)] = tuple(_value(name, option, key, single) for single in value)
        else:
            found[str(key)] = _value(name, option, key, value)
    return found


def _value(name: str, option: str, key: t.Any, value: t.Any) -> Value:
    if isinstance(value, SecretField):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, t.Mapping) and {"secret_field"} <= set(value) <= {"secret_field", "scheme"} and all(isinstance(part, str) for part in value.values()):
        return SecretField(**{_PARTS[part]: str(text) for part, text in value.items()})
    raise OptionError(f"{name}: '{key}' in {option} has to be a string, a number or {{secret_field: NAME}}.")
