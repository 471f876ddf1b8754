# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file for a secret_id: no secret_id is created that cannot be saved, and none is lost."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest
from ansible_collections.trackops.api_tokens.plugins.action.__private import vault_setup


def test_the_secret_id_file_is_private(tmp_path: pathlib.Path) -> None:
    mask = os.umask(0)
    try:
        vault_setup._write_anew(str(tmp_path / "secret-id"), lambda: "of-the-role")
    finally:
        os.umask(mask)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [("secret-id", "of-the-role")]
    assert stat.S_IMODE((tmp_path / "secret-id").stat().st_mode) == 0o600


def test_a_file_created_meanwhile_is_not_replaced(tmp_path: pathlib.Path) -> None:
    def content() -> str:
        (tmp_path / "secret-id").write_text("precious", encoding="utf-8")
        return "x"

    with pytest.raises(FileExistsError):
        vault_setup._write_anew(str(tmp_path / "secret-id"), content)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [("secret-id", "precious")]


def test_an_existing_path_that_cannot_hold_a_secret_id_is_reported(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret-id"

    def trouble() -> str:
        return vault_setup._trouble_with(str(path)).partition(":")[0]

    path.symlink_to(tmp_path / "nowhere")
    assert trouble() == "it is a symbolic link that cannot be followed"
    path.unlink()
    path.mkdir()
    assert trouble() == "it is not a file"
    path.rmdir()
    path.touch(mode=0o600)
    assert trouble() == "it is empty"
    path.write_text("of-the-role", encoding="utf-8")
    assert trouble() == ""
    for mode in (0o640, 0o604, 0o620, 0o606):
        path.chmod(mode)
        assert trouble() == f"other users can access it (mode 0{mode:o})"
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    assert vault_setup._trouble_with(str(tmp_path / "link")) == ""
    real = os.stat(path)
    others = os.stat_result([*real[:4], 12345, *real[5:10]])
    monkeypatch.setattr(os, "stat", lambda _path: others)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert trouble() == "it belongs to another user, who may have put another secret_id there"


def test_no_secret_id_is_created_if_the_file_cannot_be_written(tmp_path: pathlib.Path) -> None:
    asked: list[int] = []

    def content() -> str:
        asked.append(1)
        return "x"

    (tmp_path / "file").touch()
    for folder, error in (("missing", FileNotFoundError), ("file", NotADirectoryError)):
        with pytest.raises(error):
            vault_setup._write_anew(str(tmp_path / folder / "secret-id"), content)
    assert asked == []


def test_an_interrupted_request_leaves_no_file(tmp_path: pathlib.Path) -> None:
    def content() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vault_setup._write_anew(str(tmp_path / "secret-id"), content)
    assert list(tmp_path.iterdir()) == []
