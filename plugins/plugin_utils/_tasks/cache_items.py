# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(token_cache): find the tokens that its arguments describe, and report removed entries. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter

from .._base.errors import OptionError
from .._base.model import ENGINE_MOUNT
from .._hosts.files import check_common
from .._text.one_line import one_line

__all__ = ("OWN", "items", "removed", "warn_nothing_found", "where", "without_names")

#: Its options that do not describe a token.
OWN = ("tokens", "revoke_logins", "revoke_consent")

Facts = dict[str, t.Any]


def removed(entries: list[Facts]) -> Facts:
    return {"removed": entries, "removed_by_kind": dict(Counter(entry["kind"] for entry in entries))}


def items(args: Facts) -> list[Facts]:
    """The items of C(tokens), completed with the options next to it; or a single item from the arguments."""
    tokens = args.get("tokens")
    shared = {name: value for name, value in args.items() if name not in OWN}
    if tokens is None:
        return [shared] if shared.get("vendor") else []
    if not isinstance(tokens, list) or not all(isinstance(item, dict) for item in tokens):
        raise OptionError("tokens: must be a list of dictionaries")
    check_common(shared, tokens)
    return [{**shared, **item} for item in tokens]


def where(item: Facts, values: Facts) -> str | None:
    """The mount and path of *item*; None if it has no path."""
    path = str(item.get("path") or "").strip("/ ")
    return f"{str(values.get('engine_mount_point') or ENGINE_MOUNT).strip('/')}/{path}" if path else None


def warn_nothing_found(item: Facts, values: Facts, *, warn: t.Callable[[str], None]) -> None:
    """Warn that nothing was removed: a typo in a path would look like a purge. Without a path, all entries were meant, so there is no warning."""
    place = where(item, values)
    if place:
        vendor = f"{one_line(str(item['vendor']), limit=40)} at " if item.get("vendor") else ""
        warn(f"There is nothing in the cache for {vendor}{one_line(place)}.")


def without_names(item: Facts) -> Facts:
    return {name: value for name, value in item.items() if name not in ("vendor", "path", *OWN)}
