# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Nested values that refer to fields of the secret: custom request bodies, and claims. Pure."""

from __future__ import annotations

import math
import typing as t

from .._base.errors import OptionError
from .._base.model import Nested, SecretField
from .._text.one_line import one_line

__all__ = ("filled", "nested", "secret_field", "secret_names")

_DEEPEST = 20
_SECRET_PARTS = {"secret_field": "name", "scheme": "scheme"}


def secret_field(given: t.Any) -> SecretField | None:
    """The :class:`SecretField` for C({secret_field: NAME}); None for anything else."""
    if isinstance(given, SecretField):
        return given
    if not isinstance(given, t.Mapping) or not {"secret_field"} <= set(given) <= set(_SECRET_PARTS):
        return None
    if not given["secret_field"] or not all(isinstance(part, str) for part in given.values()):
        return None
    return SecretField(**{_SECRET_PARTS[part]: str(text) for part, text in given.items()})


def nested(name: str, option: str, given: t.Any) -> dict[str, Nested]:
    """The dictionary *given* for *option* of the vendor *name*, as a JSON value.

    :raises OptionError: naming the place of a value that JSON cannot hold.
    """
    if not isinstance(given, t.Mapping):
        raise OptionError(f"{name}: {option} must be a dictionary.", fault="option:description")
    return {str(key): _read(value, (str(key),), f"{name}: '{{}}' in {option}") for key, value in given.items()}


def _read(given: t.Any, path: tuple[str, ...], where: str) -> Nested:
    if len(path) > _DEEPEST:
        raise _wrong(path, where, f"is nested more than {_DEEPEST} deep")
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, str):
        return str(given)
    if isinstance(given, int):
        return int(given)
    if isinstance(given, float) and math.isfinite(given):
        return float(given)
    field = secret_field(given)
    if field is not None:
        return field
    if isinstance(given, t.Mapping) and "secret_field" not in given:
        return {str(key): _read(value, (*path, str(key)), where) for key, value in given.items()}
    if isinstance(given, (list, tuple)):
        return tuple(_read(value, (*path, str(index)), where) for index, value in enumerate(given))
    raise _wrong(path, where, "must be a string, a number, true, false, null, a list, a dictionary or {secret_field: NAME}")


def _wrong(path: tuple[str, ...], where: str, what: str) -> OptionError:
    return OptionError(f"{where.format(one_line('.'.join(path), limit=60))} {what}.", fault="option:description")


def secret_names(value: t.Any) -> t.Iterator[str]:
    """The names of the secret's fields in *value*, at any depth."""
    if isinstance(value, SecretField):
        yield value.name
    elif isinstance(value, t.Mapping):
        for inner in value.values():
            yield from secret_names(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from secret_names(inner)


def filled(value: Nested, fields: t.Mapping[str, str]) -> t.Any:
    """*value* with the *fields* of the secret inserted, for :func:`json.dumps`."""
    if isinstance(value, SecretField):
        return f"{value.scheme} {fields[value.name]}" if value.scheme else fields[value.name]
    if isinstance(value, t.Mapping):
        return {name: filled(inner, fields) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [filled(inner, fields) for inner in value]
    return value
