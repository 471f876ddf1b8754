# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key in a file that only this process has."""

from __future__ import annotations

import os
import pathlib

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.pem_file import pem_file


def test_the_key_is_in_a_file_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pem_file("the key") as path:
        assert pathlib.Path(path).read_text() == "the key"
        assert list(tmp_path.iterdir()) == []
    assert not os.path.exists(path)


def test_without_memfd_the_key_is_in_a_private_file_that_is_removed(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pem_file("the key") as path:
        assert pathlib.Path(path).read_text() == "the key"
        assert os.stat(path).st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == []
