# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether events have a listener."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.listeners import EVENTS_FILE, has_listeners


@pytest.mark.parametrize(
    ("verbosity", "audit_log", "summary", "expected"),
    [(0, None, False, False), (2, "", False, False), (3, None, False, True), (0, "/log", False, True), (0, None, True, True)],
)
def test_listeners_are_verbosity_3_the_audit_log_and_the_summary(monkeypatch, verbosity, audit_log, summary, expected):
    monkeypatch.delenv(EVENTS_FILE, raising=False)
    if summary:
        monkeypatch.setenv(EVENTS_FILE, "")
    assert has_listeners(verbosity=verbosity, audit_log=audit_log) is expected
