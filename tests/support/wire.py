# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was sent on the wire, from the emulator's log (``record_raw=True``)."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import parse_qsl

Entry = dict[str, t.Any]


def header(entry: Entry, name: str) -> str | None:
    return {key.lower(): value for key, value in entry["raw"]["headers"]}.get(name.lower())


def form(entry: Entry) -> dict[str, str]:
    return _pairs(entry["raw"]["body"])


def query_string(entry: Entry) -> dict[str, str]:
    return _pairs(entry["raw"]["query"])


def json_body(entry: Entry) -> dict[str, t.Any]:
    found: dict[str, t.Any] = json.loads(entry["raw"]["body"])
    return found


def _pairs(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    if len(dict(pairs)) != len(pairs):
        raise AssertionError("a parameter was sent twice")
    return dict(pairs)
