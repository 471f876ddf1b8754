# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Read options that are dictionaries from text or from a file."""

from __future__ import annotations

import os
import typing as t

from .._base.errors import OptionError
from .._text.one_line import one_line

__all__ = ("as_mapping",)

# What PyYAML raises for a value that its tag does not allow, such as an invalid date; and for bytes that are not text, or deep nesting.
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


def as_mapping(name: str, value: t.Any, *, read_file: t.Callable[[str], str]) -> t.Any:
    """A dictionary from a dictionary, from JSON or YAML text, or (C(vendors)) from the path of a YAML file; None stays None."""
    if value is None or isinstance(value, t.Mapping):
        return value
    import yaml

    shown, what = ("trackops_vendors", "a dictionary of vendors by their names") if name == "vendors" else (name, "a dictionary")
    try:
        text = str(value)
        if name == "vendors" and "\n" not in text and "{" not in text:
            text = read_file(os.path.expanduser(text))
        parsed = yaml.safe_load(text)
    except OSError as exc:
        why = (exc.strerror or "failed").lower()
        raise OptionError(f"{shown} (TRACKOPS_VENDORS): the file '{one_line(text, limit=100)}' cannot be read ({why}).", fault="option:file") from None
    except (yaml.YAMLError, *_UNREADABLE):
        raise OptionError(f"{shown} must be a dictionary, or the JSON or YAML text of one.") from None
    if parsed is None:
        return None
    if not isinstance(parsed, dict):
        raise OptionError(f"{shown} must be {what}, not {_kind(parsed)}.", fault="option:description" if name == "vendors" else "option:value")
    if name == "vendors" and set(parsed) == {"trackops_vendors"}:
        parsed = parsed["trackops_vendors"]
    return parsed


def _kind(value: t.Any) -> str:
    return {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}.get(type(value), type(value).__name__)
