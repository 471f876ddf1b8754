# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table after the play."""

from __future__ import annotations

import json

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.summary import read_events, table

NOW = 1_000.0


def event(name, vendor="tracx", where="secret/x", **more):
    return {"name": name, "vendor": vendor, "where": where, **more}


def test_without_events_there_is_no_table():
    assert table([], now=NOW) == []


def test_each_token_has_a_line():
    events = [
        event("vault_login"),
        event("fetched", expires_at=1_500.9),
        event("hit", expires_at=1_400),
        event("hit"),
        event("refreshed", "acme", "kv/y", expires_at=900),
        event("shared", "acme", "kv/y"),
        event("failed", "acme", "kv/z"),
        event("remembered", "acme", "kv/z"),
        event("unheard of", "acme", "kv/z"),
    ]
    assert table(events, now=NOW) == [
        "",
        "API TOKENS " + "*" * 66,
        "vendor  Vault path  fetched  renewed  cached  shared  failed  Vault logins  seconds left",
        "acme    kv/y              0        1       0       1       0             0             0",
        "acme    kv/z              0        0       0       0       2             0             -",
        "tracx   secret/x          1        0       2       0       0             1           500",
    ]


def test_control_characters_do_not_break_a_row():
    rows = table([event("hit", "acme\nx", "\x1b[2Jy")], now=NOW)
    assert rows[3].startswith("acme x  [2Jy")


def test_unreadable_events_are_skipped(tmp_path):
    path = tmp_path / "events"
    path.write_bytes(json.dumps(event("hit")).encode() + b'\n[1]\n{"name": "cut o\n\xff\n')
    assert read_events(str(path)) == [event("hit")]
    assert read_events(str(tmp_path / "none")) == []
