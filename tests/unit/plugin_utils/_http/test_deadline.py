# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that the caller stops waiting for after a deadline."""

from __future__ import annotations

import contextvars
import threading

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.deadline import Late, within


def test_the_result_of_the_work_is_returned():
    assert within(60, lambda: 7) == 7
    assert within(60, lambda: None) is None


def test_work_that_returns_at_once_succeeds_with_a_limit_of_one_second(monkeypatch):
    class AtOnce(threading.Thread):
        def start(self):
            self.run()

        def join(self, timeout=None):
            assert timeout == 1

    monkeypatch.setattr(threading, "Thread", AtOnce)
    assert within(1, lambda: 7) == 7


def test_a_limit_that_a_thread_cannot_wait_for_is_shortened():
    assert within(1e300, lambda: 7) == 7


def test_abandoned_work_does_not_keep_the_process_alive():
    assert within(60, lambda: threading.current_thread().daemon)


def test_an_error_of_the_work_is_raised():
    with pytest.raises(KeyError):
        within(60, lambda: {}["x"])


def test_the_caller_waits_no_longer_than_the_limit():
    release = threading.Event()
    with pytest.raises(Late):
        within(0.05, release.wait)
    release.set()


def test_nothing_begins_after_the_deadline():
    with pytest.raises(Late):
        within(0, lambda: pytest.fail("it was begun"))


def test_the_work_runs_in_the_context_of_its_caller():
    name = contextvars.ContextVar("name", default="other")
    name.set("mine")
    assert within(60, name.get) == "mine"
