# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The table after the play: the events of each token."""

from __future__ import annotations

import json
import typing as t
from collections import Counter

from .._text.one_line import one_line

__all__ = ("read_events", "table")

Record = t.Mapping[str, t.Any]

# Column -> the events that it counts.
_COLUMNS: t.Mapping[str, tuple[str, ...]] = {
    "fetched": ("fetched",),
    "renewed": ("refreshed",),
    "cached": ("hit",),
    "shared": ("shared",),
    "failed": ("failed", "remembered"),
    "Vault logins": ("vault_login",),
}


def read_events(path: str) -> list[Record]:
    """The events in a file with one JSON object per line; an incomplete line is skipped."""
    found: list[Record] = []
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    found.append(record)
    except OSError:
        return []
    return found


def table(events: t.Iterable[Record], *, now: float) -> list[str]:
    """The lines of the table; empty if no token was used."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    ends: dict[tuple[str, str], float] = {}
    for event in events:
        token = (one_line(str(event.get("vendor"))), one_line(str(event.get("where"))))
        counts.setdefault(token, Counter())[str(event.get("name"))] += 1
        expires_at = event.get("expires_at")
        if isinstance(expires_at, (int, float)):
            ends[token] = max(expires_at, ends.get(token, 0))
    if not counts:
        return []
    head = ["vendor", "Vault path", *_COLUMNS, "seconds left"]
    rows = [[*token, *_numbers(count), _left(ends.get(token), now)] for token, count in sorted(counts.items())]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return ["", "API TOKENS " + "*" * 66, *("  ".join(map(_cell, row, widths)).rstrip() for row in (head, *rows))]


def _numbers(count: Counter[str]) -> list[str]:
    return [str(sum(count[name] for name in names)) for names in _COLUMNS.values()]


def _left(expires_at: float | None, now: float) -> str:
    return "-" if expires_at is None else str(max(0, int(expires_at - now)))


def _cell(text: str, width: int) -> str:
    return text.rjust(width) if text.isdigit() or text == "-" else text.ljust(width)
