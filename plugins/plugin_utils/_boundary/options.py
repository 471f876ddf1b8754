# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Build a :class:`Request` from option values, as ansible resolved them. Pure, except for reading the file that a Vault option names."""

from __future__ import annotations

import dataclasses
import json
import math
import typing as t

from .._base.errors import OptionError
from .._base.model import ENGINE_MOUNT, CacheOptions, Freshness, HttpOptions, Request, SecretRef, Vendor
from .._text.nearest import did_you_mean, nearest
from .._text.one_line import one_line
from .._vault import login_input
from .._vault.options import VaultOptions
from .._vendor.address import proxy_host, refuse_placeholders
from .._vendor.custom import check_request, parameters, vendor_from_mapping
from .._vendor.options import VENDOR_OPTIONS
from .._vendor.request import OPTIONAL_FIELDS, needed_fields
from .._vendors import built_in, names
from .suggestion import refuse_mount_without_login

__all__ = ("Surroundings", "cache_options", "check_vendor", "describe_vendor", "request_from", "requests_from", "surroundings")

Values = t.Mapping[str, t.Any]

# Fields of Vendor whose options need special handling.
_OVERRIDES = ("base_url", "token_url", "scope")
_HANDLED_SEPARATELY = (*_OVERRIDES, "variant", "credential_fields")
# Those that are sent, rather than names of files or in the secret.
_SENT = (
    *(name for name in VENDOR_OPTIONS if name not in ("path", "credential_fields", "http_client_cert", "http_client_key")),
    *("authorization_scheme", "http_proxy", "cache_vault_mount", "cache_vault_path"),
)
# The options of oauth2 that are copied to fields of Vendor unchanged.
_FIELDS = tuple(field.name for field in dataclasses.fields(Vendor) if field.name in VENDOR_OPTIONS and field.name not in _HANDLED_SEPARATELY)


class Surroundings(t.NamedTuple):
    """The sources that complete options: the environment, the home directory, and a function that reads a file."""

    environ: t.Mapping[str, str]
    home: str | None
    read_file: t.Callable[[str], str]


def surroundings() -> Surroundings:
    """The surroundings of this process."""
    return Surroundings(*login_input.surroundings())


def requests_from(plugin: str, vendor: str, paths: t.Iterable[str | None], values: Values, *, direct: Values, surroundings: Surroundings) -> list[Request]:
    """The requests for *paths*, as :func:`request_from` builds one, after checking *vendor* and *direct* for typos.

    :arg vendor: the user's name for the vendor.
    :arg direct: the options given with the task or lookup, without global settings.
    :raises OptionError: the vendor is unknown, or options contradict each other.
    """
    check_vendor(vendor, values)
    refuse_mount_without_login(vendor, direct, values)
    return _requests(plugin, paths, values, surroundings)


def request_from(plugin: str, path: str | None, values: Values, *, surroundings: Surroundings) -> Request:
    """The request for one token.

    :arg plugin: the lookup's name: a built-in vendor, or C(oauth2).
    :arg path: the Vault path; None for the vendor's default (C(trackops_<vendor>_path), else its name).
    :raises OptionError: options contradict each other.
    """
    (request,) = _requests(plugin, [path], values, surroundings)
    return request


def _requests(plugin: str, paths: t.Iterable[str | None], values: Values, surroundings: Surroundings) -> list[Request]:
    """The requests for *paths*, which share everything else."""
    vendor = describe_vendor(plugin, values)
    default = values.get("path") or (vendor.name if plugin != "oauth2" else None)
    checked = [_checked_path(vendor, default if path is None else path) for path in paths]
    try:
        vault = VaultOptions.from_mapping(values, environ=surroundings.environ, home=surroundings.home, read_file=surroundings.read_file)
        cache = cache_options(values)
    except OptionError as exc:
        raise exc.reworded(f"{vendor.name}: {exc.message}") from None
    secrets = [_secret(vendor, path, values) for path in checked]
    freshness, http = _freshness(vendor, values), _http(vendor, values)
    return [Request(vendor=vendor, secret=secret, vault=vault, freshness=freshness, http=http, cache=cache) for secret in secrets]


def _checked_path(vendor: Vendor, path: t.Any) -> str:
    if not path or not isinstance(path, str) or not path.strip("/ "):
        raise OptionError(f"{vendor.name}: the Vault path of the credentials is needed, for example fleet/{vendor.name}.", fault="option:missing")
    _check_printable(vendor, "the Vault path", path)
    return path.strip("/")


def check_vendor(vendor: str, values: Values) -> None:
    """Reject a vendor that is neither built in nor described in the options *values*.

    :raises OptionError: listing the known vendors.
    """
    known = (*names(), "oauth2", *(values.get("vendors") or {}))
    if vendor not in known and not (values.get("token_url") or values.get("issuer")):
        raise OptionError(
            f"There is no vendor '{vendor[:40]}'{did_you_mean(nearest(vendor, known))} Known: {', '.join(known)}. "
            "Describe your own in trackops_vendors, or give token_url or issuer.",
            fault="option:vendor",
        )


def describe_vendor(plugin: str, values: Values) -> Vendor:
    """The vendor with its variant, and with the changes from the options."""
    described = _described(plugin, values)
    _check_encodable(described.name, values)
    vendor = _variant(described, values.get("variant"))
    changes: dict[str, t.Any] = {name: str(values[name]) for name in _OVERRIDES if values.get(name)}
    if plugin == "oauth2":
        given = {name: values[name] for name in _FIELDS if values.get(name) not in (None, "")}
        changes.update(_only_vendor_fields(vendor, given))
    elif values.get("client_auth") and vendor.client_auth in ("basic", "basic_raw"):
        # Trackunit: servers differ in whether they follow RFC 6749 2.3.1; its variant v2 sends no Basic header, so this has no effect there.
        changes["client_auth"] = _one_of("client_auth", values["client_auth"], ("basic", "basic_raw"), who=f"{vendor.name}: ")
    if values.get("authorization_scheme") is not None:
        changes["authorization_scheme"] = str(values["authorization_scheme"]).strip()
    changes["parameters"] = {**vendor.parameters, **_parameters(vendor, values)}
    vendor = dataclasses.replace(vendor, **changes)
    if not vendor.client_auth and not vendor.issuer:
        vendor = dataclasses.replace(vendor, client_auth="none" if vendor.request_body else "basic")
    check_request(vendor)
    refuse_placeholders(vendor)
    return _with_checked_scope(vendor, asked_for=bool(values.get("scope")))


def _described(plugin: str, values: Values) -> Vendor:
    own = values.get("vendors") or {}
    if not isinstance(own, t.Mapping):
        raise OptionError("trackops_vendors must be a dictionary of vendors by their names.", fault="option:description")
    if plugin != "oauth2":
        return built_in(plugin)
    name = str(values.get("vendor") or "oauth2")
    if name in own:
        return vendor_from_mapping(name, own[name])
    # A server that does not know PKCE must ignore its parameters (RFC 6749 3.1).
    return Vendor(name=name, request_headers={"Accept": "application/json"}, pkce=True)


def _only_vendor_fields(vendor: Vendor, given: dict[str, t.Any]) -> dict[str, t.Any]:
    try:
        described = vendor_from_mapping(vendor.name, given)
    except OptionError as exc:  # an error as in a description, but caused by an option
        raise OptionError(exc.message, fault="option:value" if exc.fault == "option:description" else exc.fault) from None
    changes = {name: getattr(described, name) for name in given}
    if "request_headers" in changes:
        changes["request_headers"] = {**vendor.request_headers, **changes["request_headers"]}
    return changes


def _variant(vendor: Vendor, name: t.Any) -> Vendor:
    name = name or vendor.variant
    if not name:
        return vendor
    if not isinstance(name, str) or name not in vendor.variants:
        known = ", ".join(vendor.variants) or "none"
        raise OptionError(f"{vendor.name}: there is no variant '{one_line(str(name), limit=40)}'. Known: {known}.")
    return vendor.as_variant(name)


def _parameters(vendor: Vendor, values: Values) -> dict[str, t.Any]:
    found = dict(parameters(vendor.name, "extra_parameters", values.get("extra_parameters") or {}))
    if values.get("audience"):
        found["audience"] = str(values["audience"])
    resource = values.get("resource")
    if resource:
        found["resource"] = tuple(str(r) for r in resource) if isinstance(resource, list) else str(resource)
    if found and vendor.request_format == "none":
        raise OptionError(f"{vendor.name}: its token request has no parameters, so extra_parameters cannot be sent.", fault="option:clash")
    return found


def _with_checked_scope(vendor: Vendor, *, asked_for: bool) -> Vendor:
    if vendor.scope_use == "forbidden" and asked_for:
        raise OptionError(f"{vendor.name}: this vendor accepts no scope; scopes are configured at the vendor. Remove scope.", fault="option:clash")
    if vendor.scope_use == "required" and not vendor.scope:
        variant = f" in its variant {vendor.variant}" if vendor.variant else ""
        raise OptionError(f"{vendor.name}: scope is needed{variant}: the scopes of the key, separated by spaces.", fault="option:missing")
    return vendor


def _secret(vendor: Vendor, path: str, values: Values) -> SecretRef:
    fields = values.get("credential_fields") or {}
    if not isinstance(fields, t.Mapping) or not all(isinstance(v, str) and v for v in fields.values()):
        raise OptionError(f"{vendor.name}: credential_fields must be a dictionary: our field to the key in the secret.")
    known = {*needed_fields(vendor), *OPTIONAL_FIELDS}
    # A description may name fields that only another of its variants uses.
    fields = {**{ours: theirs for ours, theirs in vendor.credential_fields.items() if ours in known}, **fields}
    unused = sorted(one_line(str(name), limit=40) for name in fields if name not in known)
    if unused:
        raise OptionError(
            f"{vendor.name}: credential_fields names '{unused[0]}', which is not used. Fields here: {', '.join(needed_fields(vendor))}.",
            fault="option:unknown",
        )
    mount = str(values.get("engine_mount_point") or ENGINE_MOUNT).strip("/")
    _check_printable(vendor, "engine_mount_point", mount)
    return SecretRef(
        mount=mount,
        path=path,
        engine_version=_one_of("engine_version", values.get("engine_version") or SecretRef.engine_version, ("2", "1", "auto"), who=f"{vendor.name}: "),
        version=_number(values, "secret_version", int, least=1, who=f"{vendor.name}: "),
        fields={str(k): str(v) for k, v in fields.items()},
    )


def _freshness(vendor: Vendor, values: Values) -> Freshness:
    min_ttl = _number(values, "min_ttl", float, who=f"{vendor.name}: ")
    return Freshness(
        min_ttl=Freshness.min_ttl if min_ttl is None else min_ttl,
        max_age=_number(values, "max_age", float, who=f"{vendor.name}: "),
        force=bool(values.get("force")),
        refused=values.get("refused") or None,
    )


def _http(vendor: Vendor, values: Values) -> HttpOptions:
    if values.get("http_client_key") and not values.get("http_client_cert"):
        raise OptionError(f"{vendor.name}: http_client_key needs http_client_cert.", fault="option:clash")
    given: dict[str, t.Any] = {
        name: str(values["http_" + name]) if values.get("http_" + name) else None for name in ("ca_cert", "client_cert", "client_key", "proxy")
    }
    if given["proxy"] and not proxy_host(given["proxy"]):
        raise OptionError(f"{vendor.name}: http_proxy is not a usable address. Give one like http://proxy.example.com:3128.", fault="option:address")
    for name, convert, least, most in (("timeout", float, 0.001, 1e6), ("retries", int, 0, 1000), ("deadline", float, 0.001, 1e6)):
        number = _number(values, "http_" + name, convert, least=least, most=most, who=f"{vendor.name}: ")
        if number is not None:
            given[name] = number
    if values.get("http_validate_certs") is not None:
        given["validate_certs"] = bool(values["http_validate_certs"])
    return HttpOptions(allow_http=bool(values.get("allow_http")), **given)


def cache_options(values: Values) -> CacheOptions:
    """Where tokens are cached."""
    failure_ttl = _number(values, "failure_ttl", float)
    return CacheOptions(
        kind=_one_of("cache", values.get("cache") or CacheOptions.kind, ("file", "vault", "none")),
        path=str(values.get("cache_path") or ""),
        vault_mount=str(values.get("cache_vault_mount") or CacheOptions.vault_mount).strip("/"),
        vault_path=str(values.get("cache_vault_path") or CacheOptions.vault_path).strip("/"),
        failure_ttl=CacheOptions.failure_ttl if failure_ttl is None else failure_ttl,
    )


def _check_encodable(vendor: str, values: Values) -> None:
    """Refuse what cannot be sent as UTF-8, such as a Latin-1 text from the environment."""
    own = (values.get("vendors") or {}).get(vendor)
    for name, value in (*((name, values.get(name)) for name in _SENT), ("trackops_vendors", own)):
        try:
            json.dumps(value, ensure_ascii=False, skipkeys=True, default=str).encode()
        except UnicodeEncodeError:
            raise OptionError(f"{vendor}: {name} has an incomplete character (a lone surrogate). Set it in UTF-8.") from None
        except (ValueError, RecursionError):
            continue  # within itself, or too deep: refused where it is read


def _check_printable(vendor: Vendor, what: str, text: str) -> None:
    if not text.isprintable():
        raise OptionError(f"{vendor.name}: {what} '{one_line(text, limit=40)}' contains a line break or another character that cannot be shown.")


def _one_of(name: str, value: t.Any, known: tuple[str, ...], *, who: str = "") -> str:
    if str(value) not in known:
        raise OptionError(f"{who}{name} '{one_line(str(value), limit=40)}' is not known here. Use one of: {', '.join(known)}.")
    return str(value)


def _number(values: Values, name: str, convert: t.Callable[[t.Any], t.Any], *, least: float = 0, most: float = math.inf, who: str = "") -> t.Any:
    value = values.get(name)
    if value is None or value == "":
        return None
    try:
        number = convert(value)
        finite = math.isfinite(number)
    except (TypeError, ValueError, OverflowError):
        finite = False
    if not finite:
        raise OptionError(f"{who}{name} must be a number.")
    if number < least:
        raise OptionError(f"{who}{name} must be at least {least:g}.")
    if number > most:
        raise OptionError(f"{who}{name} must be at most {most:.0f}.")
    return number
