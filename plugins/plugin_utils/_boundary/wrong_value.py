# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Explain a wrong option value: its source, and what is accepted. Pure.

Ansible's own messages differ between releases, and do not name the variable that must be corrected.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._text.one_line import one_line

__all__ = ("Sources", "wrong_value")

Definitions = t.Mapping[str, t.Mapping[str, t.Any]]

_TYPES = {"float": "a number", "int": "a whole number", "bool": "true or false", "dict": "a dictionary", "list": "a list", "str": "a string"}
# A value for an option of these types is never a misplaced secret.
_SHOWN = ("float", "int", "bool")


@dataclass(frozen=True)
class Sources:
    """The possible sources of option values; the first one with a value wins.

    :arg config_file: ansible.cfg, the only source left if no other has a value.
    """

    direct: t.Mapping[str, t.Any] = field(repr=False)
    variables: t.Mapping[str, t.Any] = field(repr=False)
    environ: t.Mapping[str, str] = field(repr=False)
    config_file: str | None = None

    def find(self, name: str, facts: t.Mapping[str, t.Any]) -> tuple[str, t.Any]:
        """The name under which the value was given, if it is not the option's own, and the value, if known."""
        for alias in (name, *(facts.get("aliases") or ())):
            if alias in self.direct:
                return "", self.direct[alias]
        for kind, given in (("vars", self.variables), ("env", self.environ)):
            for entry in reversed(facts.get(kind) or ()):  # for Ansible, the last one set wins
                if given.get(entry["name"]) is not None:
                    return entry["name"], given[entry["name"]]
        return (self.config_file or "") if facts.get("ini") else "", None


def wrong_value(plugin: str, definitions: Definitions, sources: Sources, message: str) -> str | None:
    """Our message about the option that Ansible's *message* names; None if that is not clear."""
    name = next((name for name in definitions if re.search(rf"\b(?:config|option|setting:?) ['\"]?{name}\b", message, re.IGNORECASE)), None)
    if name is None:
        return None
    facts = definitions[name]
    source, value = sources.find(name, facts)
    choices, kind = facts.get("choices"), facts.get("type", "str")
    shown = isinstance(value, str) and (kind in _SHOWN or choices)
    what = f"cannot be '{one_line(value, limit=40)}'" if shown else "has an invalid value"
    if choices:
        fits = f"Use one of: {', '.join(map(str, choices))}."
    else:
        fits = f"It must be {_TYPES.get(kind, kind)}."
    return f"{plugin}: {name}{f' ({source})' if source else ''} {what}. {fits}"
