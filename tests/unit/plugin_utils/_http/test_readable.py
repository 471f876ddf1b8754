# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that cannot be read are named before a library fails on them."""

from __future__ import annotations

import os

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http import readable
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.readable import unreadable


def test_readable_files_and_unset_options_pass(tmp_path):
    (tmp_path / "ca.pem").touch()
    assert unreadable([("ca_cert", str(tmp_path / "ca.pem")), ("capath", str(tmp_path)), ("client_cert", None), ("client_key", "")]) == ""


def test_a_binary_file_is_readable(tmp_path):
    (tmp_path / "ca.der").write_bytes(b"\xff\xfe")
    assert unreadable([("ca_cert", str(tmp_path / "ca.der"))]) == ""


def test_the_first_unreadable_file_is_named(tmp_path):
    files = [("ca_cert", str(tmp_path / "a")), ("client_cert", str(tmp_path / "b"))]
    for before in ([], [("capath", str(tmp_path))], [("client_key", None)]):
        assert unreadable([*before, *files]) == f"ca_cert {tmp_path}/a cannot be read (no such file or directory)"


def test_an_error_without_a_reason_says_failed(monkeypatch):
    def fail(*_arguments):
        raise OSError

    monkeypatch.setattr(readable, "open", fail, raising=False)
    assert unreadable([("ca_cert", "/a")]) == "ca_cert /a cannot be read (failed)"


def test_a_path_with_a_null_byte_is_not_a_path():
    assert unreadable([("ca_cert", "a\0b\nc")]).endswith("cannot be read (not a path)")
    assert "\n" not in unreadable([("ca_cert", "a\0b\nc")])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_file_without_permission_is_named(tmp_path):
    (tmp_path / "key.pem").touch(mode=0o000)
    assert unreadable([("client_key", str(tmp_path / "key.pem"))]) == f"client_key {tmp_path}/key.pem cannot be read (permission denied)"


def test_a_file_that_fails_while_it_is_read_is_named():
    assert unreadable([("client_key", "/proc/self/mem")]) == "client_key /proc/self/mem cannot be read (input/output error)"
