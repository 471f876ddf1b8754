# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines are appended only to files that no other user can have written."""

from __future__ import annotations

import json
import os
import stat

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.event_file import UnsafeFile, append_line
from support.descriptors import open_descriptors


@pytest.fixture
def log(tmp_path):
    return tmp_path / "audit.log"


def refused(path):
    with pytest.raises(UnsafeFile) as caught:
        append_line(str(path), {"a": 1})
    return str(caught.value)


def test_lines_are_appended_to_a_private_file(log):
    append_line(str(log), {"a": "ü\n"})
    append_line(str(log), {"a": 2})
    assert log.read_bytes().isascii()
    assert [json.loads(line) for line in log.read_text().splitlines()] == [{"a": "ü\n"}, {"a": 2}]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_file_that_others_can_write_is_refused(log):
    for mode in (0o620, 0o602):
        log.touch()
        log.chmod(mode)
        assert refused(log) == f"others can write to it (mode {mode:04o}). Run chmod 600 on it."
    log.chmod(0o644)
    append_line(str(log), {})


def test_a_file_of_another_user_is_refused(log, monkeypatch):
    log.touch(mode=0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    if log.stat().st_uid:  # everyone accepts a file of root
        assert refused(log) == "it belongs to another user. Name a file of your own."
    else:
        append_line(str(log), {})


def test_a_file_with_a_hard_link_is_refused(log, tmp_path):
    log.touch(mode=0o600)
    os.link(log, tmp_path / "other")
    assert refused(log) == "it has a second name (a hard link). Remove that, or name another file."


@pytest.mark.parametrize("content", ["#!/bin/sh\n", " {}", "[]"])
def test_a_file_without_json_lines_is_refused(log, content):
    log.write_text(content)
    log.chmod(0o600)
    assert refused(log) == "it contains something other than JSON lines. Name a new file."
    assert log.read_text() == content


def test_a_fifo_is_refused(log):
    os.mkfifo(log, 0o600)
    assert refused(log) == "it is not a regular file. Name another file."


def test_a_link_is_not_followed(log, tmp_path):
    (tmp_path / "precious").write_text("{")
    log.symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        append_line(str(log), {})
    assert (tmp_path / "precious").read_text() == "{"


def test_a_directory_that_others_can_replace_is_not_written_to(tmp_path):
    """The directory is another user's link to one in which we have a file with the same name."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a link away")
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "audit.log").write_text('{"mine": 1}\n')
    (tmp_path / "logs").symlink_to(tmp_path / "ours")
    append_line(str(tmp_path / "logs" / "audit.log"), {})
    os.chown(tmp_path / "logs", 65534, 65534, follow_symlinks=False)
    expected = "the link logs on its path belongs to another user, or can be replaced by one. Name a file whose path others cannot change."
    assert refused(tmp_path / "logs" / "audit.log") == expected
    assert (tmp_path / "ours" / "audit.log").read_text() == '{"mine": 1}\n{}\n'


def test_relative_paths_work_and_a_trailing_slash_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    append_line("audit.log", {})
    (tmp_path / "logs").mkdir()
    append_line("logs/../logs/audit.log", {})
    assert (tmp_path / "audit.log").read_text() == (tmp_path / "logs" / "audit.log").read_text() == "{}\n"
    with pytest.raises(IsADirectoryError):
        append_line("logs/", {})


@pytest.mark.thorough
def test_no_file_stays_open(log):
    before = open_descriptors()
    append_line(str(log), {})
    log.chmod(0o666)
    refused(log)
    assert open_descriptors() == before
