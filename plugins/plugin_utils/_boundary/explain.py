# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Report the value and the source of each option, as Ansible itself resolves them; secrets are masked."""

from __future__ import annotations

import re
import typing as t

from ansible import constants as C

from .._base.errors import TokenError
from .._base.model import Request
from .._vault.login_input import ALL_SECRETS, FALLBACK_ENVIRONMENT, completed
from .._vendor.options import VENDOR_OPTIONS
from .operator_variables import OperatorVariables
from .options import Surroundings
from .vendor_settings import own_names, settings_of

__all__ = ("explained",)

MASK = "********"
_SECRETS = ALL_SECRETS | {"aws_access_key", "refused"}
# Their values may be secrets; their names are enough for the user.
_MAPPINGS = frozenset(("extra_parameters", "request_headers"))
_NOT_OF_A_TOKEN = frozenset(("_terms", "output", "vendor"))

Explained = dict[str, dict[str, t.Any]]
Values = t.Mapping[str, t.Any]


def explained(lookup: t.Any, direct: Values, variables: Values, values: Values, request: Request | None, *, surroundings: Surroundings) -> Explained:
    """Each option with its C(value) and C(source), and the C(ignored_facts) that have the name of an option's variable.

    :arg direct: the options given with the task.
    :arg values: the resulting values, as the lookup resolves them.
    :arg request: None if the options do not make a valid one.
    """
    operator = OperatorVariables(variables, warn=lambda _line: None)
    given = lookup.given_variables(operator)
    found: Explained = {}
    for option, definition in lookup.option_definitions.items():
        if option not in _NOT_OF_A_TOKEN:
            origin = _origin(option, lookup._load_name, given, direct, surroundings.environ)
            found[option] = {"value": values.get(option), "source": origin}
            ignored = [entry["name"] for entry in definition.get("vars") or () if entry["name"] in operator.ignored]
            if ignored:
                found[option]["ignored_facts"] = ignored
    vendor = str(values.get("vendor") or "")
    if lookup.vendor == "oauth2" and vendor not in ("", "oauth2"):
        _add_settings_of(vendor, lookup, operator, direct, found)
    _add_fallbacks(found, values, surroundings)
    _add_defaults(found, request)
    for option, entry in found.items():
        entry["value"] = _shown(option, entry["value"])
    if request is not None and found.get("auth_method", {}).get("value") == "approle" and not found["secret_id"]["value"] and found["role_id"]["value"]:
        found["role_id"]["value"] = MASK  # the login needs nothing else, so it is a secret
    return found


def _origin(option: str, plugin: str, variables: Values, direct: Values, environ: t.Mapping[str, str]) -> str:
    origin = str(C.config.get_config_value_and_origin(option, plugin_type="lookup", plugin_name=plugin, variables=variables, direct=direct)[1])
    return _worded(origin, environ)


def _worded(origin: str, environ: t.Mapping[str, str]) -> str:
    kind, _colon, name = origin.partition(": ")
    if kind == "env" and not environ.get(name):
        return "default"  # an empty variable counts as unset
    plain = {"Direct": "direct", "default": "default", "None": "default"}.get(origin)
    return plain or {"var": f"variable {name}", "env": f"environment {name}"}.get(kind, f"ini {origin}")


def _add_settings_of(vendor: str, lookup: t.Any, operator: OperatorVariables, direct: Values, found: Explained) -> None:
    """Add the settings that are named after a vendor that the user describes."""
    variables = {option: f"trackops_{name}" for option, name in own_names(vendor, lookup.option_definitions).items()}
    own = lookup.set_variables(variables.values(), operator)
    for option in VENDOR_OPTIONS:
        if option in found and direct.get(option) is None:
            found[option]["source"] = _origin(option, settings_of(vendor), own, {}, {}) if option in variables else "default"
            if variables.get(option) in operator.ignored:
                found[option]["ignored_facts"] = [variables[option]]


def _add_fallbacks(found: Explained, values: Values, surroundings: Surroundings) -> None:
    """Add values from the vault command's environment variables and file, for options that are not set otherwise."""
    try:
        all_values = completed(values, environ=surroundings.environ, home=surroundings.home, read_file=surroundings.read_file)
    except TokenError:
        return
    for option, value in all_values.items():
        if option in found and found[option]["source"] == "default" and value != found[option]["value"]:
            candidates = (*FALLBACK_ENVIRONMENT.get(option, ()), f"VAULT_APPROLE_{option.upper()}", "VAULT_APPROLE_PATH", "VAULT_SKIP_VERIFY")
            name = next((name for name in candidates if surroundings.environ.get(name)), None)
            found[option] = {**found[option], "value": value, "source": f"environment {name}" if name else "file"}


def _add_defaults(found: Explained, request: Request | None) -> None:
    """Add the defaults from the vendor's description, for options that are not set."""
    for option, entry in found.items():
        if entry["value"] in (None, "") and entry["source"] == "default" and request is not None:
            own = request.secret.path if option == "path" else getattr(request.vendor, option, None)
            if own not in (None, ""):
                entry.update(value=own, source="default of the vendor")


def _shown(option: str, value: t.Any) -> t.Any:
    if value in (None, ""):
        return None
    if option in _SECRETS:
        return MASK
    if option == "vendors" and isinstance(value, t.Mapping):
        return sorted(map(str, value))
    if isinstance(value, t.Mapping):
        hidden = option in _MAPPINGS
        return {
            str(name): _shown(option, part) if isinstance(part, t.Mapping) else MASK if hidden and name != "secret_field" else _text(part)
            for name, part in value.items()
        }
    return _text(value)


def _text(value: t.Any) -> t.Any:
    """*value* without the parts of a URL that may be secret: user, password and query."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    # Up to the last @: earlier ones may be part of the password.
    without_login = re.sub(r"(?<![^\s,=])([A-Za-z][\w+.-]*://)?\S*@", rf"\g<1>{MASK}@", str(value))
    return re.sub(r"\?\S*", f"?{MASK}", without_login)
