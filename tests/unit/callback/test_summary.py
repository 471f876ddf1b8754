# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table at the end of a play, made from the workers' reports."""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from ansible_collections.trackops.api_tokens.plugins.callback.summary import CallbackModule
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.events import EVENTS_FILE


def test_the_reported_events_are_shown_and_their_file_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    callback = CallbackModule()
    callback._display = type("Shown", (), {"display": staticmethod(shown.append)})()
    events = pathlib.Path(os.environ[EVENTS_FILE])
    assert events.stat().st_mode & 0o777 == 0o600
    events.write_text(json.dumps({"event": "fetched", "vendor": "tracktik", "path": "secret/fleet/x"}) + "\n", encoding="utf-8")
    callback.v2_playbook_on_stats(None)
    assert any("tracktik" in line for line in shown)
    assert not events.exists()
    assert EVENTS_FILE not in os.environ


def test_a_run_without_tokens_shows_nothing() -> None:
    shown: list[str] = []
    callback = CallbackModule()
    callback._display = type("Shown", (), {"display": staticmethod(shown.append)})()
    callback.v2_playbook_on_stats(None)
    assert shown == []
