# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Settings that belong to one vendor: a setting for one must never send the credentials of another somewhere else.

So what says where a vendor is, how it is asked and what it is sent has no name for all vendors at once. The lookups of the built-in vendors have
their own names in their documentation. A vendor of the user's own has names made from its name, which no documentation can list.
"""

from __future__ import annotations

import re
import typing as t

from ansible import constants as C

from .._vendors import built_in, names

__all__ = ("DESCRIBING", "SECTION", "ignored_settings", "own_variables", "settings_of", "with_own_settings")

SECTION = "trackops_api_tokens"
#: The options of C(oauth2) that describe a vendor.
DESCRIBING = (
    "path",
    "base_url",
    "token_url",
    "scope",
    "variant",
    "client_auth",
    "grant_type",
    "request_method",
    "request_format",
    "response_format",
    "request_headers",
    "token_field",
    "refresh_token_field",
    "expires_field",
    "default_lifetime",
    "assertion_audience",
    "assertion_algorithm",
    "transit_key",
    "audience",
    "resource",
    "issuer",
    "revocation_url",
    "device_authorization_url",
    "extra_parameters",
    "credential_fields",
    "http_client_cert",
    "http_client_key",
)
#: Options that once had, or seem to have, one name for all vendors. The second group is given with the lookup only.
_OF_EACH_VENDOR = (
    "base_url",
    "token_url",
    "scope",
    "variant",
    "client_auth",
    "extra_parameters",
    "credential_fields",
    "http_client_cert",
    "http_client_key",
)
_OF_EACH_LOOKUP = ("output", "refused")
# Others could not be distinguished: "a-b" and "A_b" would both be TRACKOPS_A_B_….
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
# TRACKOPS_CACHE_PATH and TRACKOPS_CACHE_VAULT_PATH mean something else.
_TAKEN = ("cache", "cache_vault")

Definitions = t.Mapping[str, t.Mapping[str, t.Any]]


def with_own_settings(
    values: t.Mapping[str, t.Any],
    definitions: Definitions,
    direct: t.Mapping[str, t.Any],
    *,
    variables: t.Callable[[t.Iterable[str]], dict[str, t.Any]],
) -> tuple[str, dict[str, t.Any], t.Callable[[], dict[str, t.Any]]]:
    """For the option values of a lookup with a vendor of its own: that vendor, its variables, and what gives the values that are right for it.

    The settings of C(oauth2) itself are not those of a vendor with a name.

    :arg definitions: the options of C(oauth2), as ansible knows them.
    :arg direct: the options that were given with the lookup.
    :arg variables: returns those of the named variables that are set.
    """
    vendor = str(values["vendor"])
    own = variables(own_variables(vendor))

    def find() -> dict[str, t.Any]:
        found = _described_by(vendor, definitions, own)
        return {**values, **{name: value for name, value in found.items() if direct.get(name) is None}}

    return vendor, own, find


def _described_by(vendor: str, definitions: Definitions, variables: dict[str, t.Any]) -> dict[str, t.Any]:
    """The values of the options that describe *vendor*, from the settings that have its name; None where it has no such setting."""
    options = [name for name in DESCRIBING if name in definitions or name == "path"]
    if not _has_settings(vendor):
        return dict.fromkeys(options)
    own = {name: {**definitions.get(name, {}), "default": None, **_places(f"{vendor}_{name}")} for name in options}
    return _values(settings_of(vendor), own, variables)


def own_variables(vendor: str) -> list[str]:
    """The names of the variables that describe *vendor*."""
    return [f"trackops_{vendor}_{name}" for name in DESCRIBING] if _has_settings(vendor) else []


def settings_of(vendor: str) -> str:
    """The name under which Ansible knows the settings that are read for *vendor*."""
    return f"trackops.api_tokens settings of {vendor}"


def _has_settings(vendor: str) -> bool:
    return bool(_NAME.match(vendor)) and vendor not in _TAKEN


def ignored_settings(environ: t.Mapping[str, str], variables: t.Container[str]) -> list[str]:
    """A line for each setting that is set for all vendors at once, with the names to use instead."""
    warnings = []
    ini = _values("trackops.api_tokens settings of all vendors", {name: {"ini": _places(name)["ini"]} for name in (*_OF_EACH_VENDOR, *_OF_EACH_LOOKUP)}, {})
    for option in (*_OF_EACH_VENDOR, *_OF_EACH_LOOKUP):
        variable, in_environment = f"trackops_{option}", f"TRACKOPS_{option.upper()}"
        for name, shape, is_set in (
            (variable, "trackops_{}_" + option, variable in variables),
            (in_environment, "TRACKOPS_{}_" + option.upper(), bool(environ.get(in_environment))),
            (f"{option} in [{SECTION}] of ansible.cfg", "{}_" + option, ini[option] not in (None, "")),
        ):
            if is_set:
                warnings.append(f"{name} is ignored: {_instead(option, shape)}")
    return warnings


def _instead(option: str, shape: str) -> str:
    if option in _OF_EACH_LOOKUP:
        return f"give {option} with the lookup itself."
    # The text does not depend on the vendor at hand, so that ansible shows it once in a run.
    having = [name for name in names() if option != "client_auth" or built_in(name).client_auth in ("basic", "basic_raw")]
    own = ", ".join(_cased(shape, vendor) for vendor in (*having, "oauth2"))
    return (
        f"a setting for all vendors could send the credentials of one to another. Use the vendor's own name for it: {own}, or that of one in trackops_vendors."
    )


def _cased(shape: str, vendor: str) -> str:
    return shape.format(vendor.upper() if shape.isupper() or shape.startswith("TRACKOPS") else vendor)


def _places(name: str) -> dict[str, t.Any]:
    return {
        "env": [{"name": f"TRACKOPS_{name.upper()}"}],
        "ini": [{"section": SECTION, "key": name}],
        "vars": [{"name": f"trackops_{name}"}],
    }


def _values(name: str, definitions: Definitions, variables: dict[str, t.Any]) -> dict[str, t.Any]:
    """What ansible finds for options that no plugin has, by the rules that it has for all."""
    if not C.config.has_configuration_definition("lookup", name):
        C.config.initialize_plugin_configuration_definitions("lookup", name, definitions)
    found: dict[str, t.Any] = C.config.get_plugin_options("lookup", name, variables=variables)
    return found
