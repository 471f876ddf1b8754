# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Settings that belong to one vendor: a setting for one must never redirect the credentials of another.

So the options for a vendor's address, its authentication and its requests have no name that applies to all vendors. The lookups of built-in
vendors document their own names. For a vendor that the user describes, the names are derived from its name, so documentation cannot list them.
"""

from __future__ import annotations

import pathlib
import re
import typing as t

from ansible import constants as C

from .._vendor.options import VENDOR_OPTIONS
from .._vendors import names

__all__ = ("SECTION", "ignored_settings", "own_names", "settings_of", "with_own_settings")

SECTION = "trackops_api_tokens"
_DEFINITIONS = pathlib.Path(__file__).with_name("option_definitions")
# Other names would be ambiguous: "a-b" and "A_b" would both be TRACKOPS_A_B_….
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")

Definitions = t.Mapping[str, t.Mapping[str, t.Any]]


def with_own_settings(
    values: t.Mapping[str, t.Any],
    definitions: Definitions,
    direct: t.Mapping[str, t.Any],
    *,
    variables: t.Callable[[t.Iterable[str]], dict[str, t.Any]],
) -> tuple[str, dict[str, t.Any], t.Callable[[], dict[str, t.Any]]]:
    """For a lookup with a vendor that the user describes: that vendor, its variables, and a function that returns the option values for it.

    The settings of C(oauth2) itself do not apply to a named vendor.

    :arg definitions: ansible's definitions of the options of C(oauth2).
    :arg direct: the options given with the lookup.
    :arg variables: returns those of the named variables that are set.
    """
    vendor = str(values["vendor"])
    named = own_names(vendor, definitions)
    own = variables([f"trackops_{name}" for name in named.values()])

    def find() -> dict[str, t.Any]:
        places = {option: {**definitions.get(option, {}), "default": None, **_places(name)} for option, name in named.items()}
        found = {**dict.fromkeys(VENDOR_OPTIONS), **_values(settings_of(vendor), places, own)}
        return {**values, **{name: value for name, value in found.items() if direct.get(name) is None}}

    return vendor, own, find


def own_names(vendor: str, definitions: t.Container[str]) -> dict[str, str]:
    """The name of the setting for each option that describes *vendor*.

    A name has one meaning, that of the longest option in it: C(cache_path) is not the path of a vendor C(cache), and C(x_assertion_audience)
    is C(assertion_audience) of C(x), not C(audience) of C(x_assertion).
    """
    if not _NAME.match(vendor):
        return {}
    named = {option: f"{vendor}_{option}" for option in VENDOR_OPTIONS}
    return {
        option: name
        for option, name in named.items()
        if name not in definitions and not any(name.endswith(f"_{longer}") for longer in VENDOR_OPTIONS if longer.endswith(f"_{option}"))
    }


def settings_of(vendor: str) -> str:
    """The name under which Ansible registers the settings for *vendor*."""
    return f"trackops.api_tokens settings of {vendor}"


def ignored_settings(environ: t.Mapping[str, str], variables: t.Container[str], options: t.Sequence[str]) -> list[str]:
    """A warning for each of *options* that is set for all vendors at once, with the names to use instead."""
    warnings = []
    ini = _values(f"trackops.api_tokens settings of all vendors: {options}", {name: {"ini": _places(name)["ini"]} for name in options}, {})
    for option in options:
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
    # The text does not depend on the current vendor, so that ansible shows it once per run.
    having = [name for name in (*names(), "oauth2") if f'"trackops_{name}_{option}"' in (_DEFINITIONS / f"{name}.json").read_text(encoding="utf-8")]
    if not having:
        return f"give {option} with the lookup itself."
    own = ", ".join(_cased(shape, vendor) for vendor in having)
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
    """Ansible's values for options that no plugin has, by its usual rules."""
    if not C.config.has_configuration_definition("lookup", name):
        C.config.initialize_plugin_configuration_definitions("lookup", name, definitions)
    found: dict[str, t.Any] = C.config.get_plugin_options("lookup", name, variables=variables)
    return found
