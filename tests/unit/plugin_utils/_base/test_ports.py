# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The defaults of the ports, and the name of a run."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base import ports
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event, Ports, this_run


def test_the_default_ports_need_no_listener():
    made = Ports(exchange=None, vault=None)
    made.warn("x")
    made.event(Event("hit", "tracx", "secret/x"))
    assert (made.clock, made.monotonic, made.sleep) == (time.time, time.monotonic, time.sleep)
    assert made.run == this_run()


def test_the_name_of_a_run_is_stable():
    assert this_run() == this_run()
    assert len(this_run()) == 16


def test_forks_of_a_run_share_its_name(monkeypatch):
    parent = type("Parent", (), {"pid": os.getpid()})
    mine = this_run()
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    assert this_run() == mine
    parent.pid = 1
    assert this_run() != mine


@pytest.mark.parametrize("stat", ["", "12 (a) b"])
def test_without_a_start_time_the_name_depends_on_the_process_id(monkeypatch, tmp_path, stat):
    mine = this_run()
    (tmp_path / "stat").write_text(stat)
    monkeypatch.setattr(ports, "open", lambda *_arguments: (tmp_path / "stat").open("rb"), raising=False)
    named = this_run()
    assert named == this_run() != mine
    monkeypatch.setattr(ports, "open", lambda *_arguments: (tmp_path / "none").open("rb"), raising=False)
    assert this_run() == named
    monkeypatch.setattr(os, "getpid", lambda: 999_999)
    assert this_run() != named


def test_the_name_of_a_run_is_a_digest_of_its_process_and_its_start(monkeypatch, tmp_path):
    """proc(5): the start time is field 22; field 2 is the name of the program, which may contain spaces and parentheses."""
    fields = " ".join(f"f{number}" for number in range(3, 53))
    (tmp_path / "stat").write_text(f"4711 (a) b (c) {fields}\n")
    monkeypatch.setattr(ports, "open", lambda path, mode: (tmp_path / "stat").open(mode) if path == "/proc/4711/stat" else None, raising=False)
    monkeypatch.setattr(os, "getpid", lambda: 4711)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: None)
    assert this_run() == hashlib.sha256(b"4711 f22").hexdigest()[:16]


def test_a_process_without_a_number_has_a_name_too(monkeypatch):
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: type("Parent", (), {"pid": None}))
    assert this_run() == hashlib.sha256(b"0 ").hexdigest()[:16]
