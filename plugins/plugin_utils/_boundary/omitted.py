# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Handle Ansible's C(omit): Ansible drops it from module arguments, but not from lookup arguments or templates in variables."""

from __future__ import annotations

import typing as t

__all__ = ("is_omitted", "refuse_replaced", "resolved", "without_omitted")


def is_omitted(value: t.Any) -> bool:
    """Whether *value* is C(omit): a special object since ansible-core 2.19, before that a text that differs in each run."""
    if isinstance(value, str):
        return value.startswith("__omit_place_holder__")
    return type(value).__name__ == "_OmitType"


def refuse_replaced(variables: t.Mapping[str, t.Any] | None) -> None:
    """:raises OptionError: a variable hides C(omit), as a fact can since ansible-core 2.19: C(default(omit)) would return a host's value."""
    if variables is not None and "omit" in variables and not is_omitted(variables["omit"]):
        from .._base.errors import OptionError

        raise OptionError("A variable or a fact named 'omit' hides Ansible's own: default(omit) would return its value. Nothing is done for this host.")


def without_omitted(value: t.Any) -> t.Any:
    """*value*; if it is a dictionary or a list, without members that are C(omit)."""
    if isinstance(value, dict):
        return {name: without_omitted(part) for name, part in value.items() if not is_omitted(part)}
    if isinstance(value, list):
        return [without_omitted(part) for part in value if not is_omitted(part)]
    return value


def resolved(template: t.Callable[[], t.Any]) -> list[t.Any]:
    """The result of *template* in a list; an empty list if that is C(omit), which is an error in ansible-core since 2.19."""
    try:
        value = template()
    except Exception as exc:
        if type(exc).__name__ == "AnsibleValueOmittedError":
            return []
        raise
    return [] if is_omitted(value) else [without_omitted(value)]
