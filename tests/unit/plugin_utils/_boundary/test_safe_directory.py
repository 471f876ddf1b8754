# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory is entered by a path that nobody else can change."""

from __future__ import annotations

import errno
import os

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.safe_directory import UnsafePath, safe_directory
from support.descriptors import open_descriptors

NOBODY = 65534


def leads_to(path):
    with safe_directory(str(path)) as place:
        return os.fstat(place).st_ino


@pytest.fixture
def inner(tmp_path):
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    return tmp_path / "outer" / "inner"


def test_own_directories_and_links_are_entered(tmp_path, inner):
    (tmp_path / "absolute").symlink_to(inner)
    (tmp_path / "relative").symlink_to("outer/../outer/./inner/")
    (tmp_path / "chain").symlink_to("relative")
    for path in (inner, tmp_path / "absolute", tmp_path / "relative", tmp_path / "chain", f"{tmp_path}//outer/./inner/"):
        assert leads_to(path) == inner.stat().st_ino
    assert leads_to("/") == os.stat("/").st_ino


def test_relative_paths_start_at_the_current_directory(inner, monkeypatch):
    monkeypatch.chdir(inner.parent)
    assert leads_to("inner") == leads_to("../outer/inner") == inner.stat().st_ino
    assert leads_to("") == inner.parent.stat().st_ino


def test_missing_paths_and_link_loops_are_errors(tmp_path, inner):
    with pytest.raises(FileNotFoundError):
        leads_to(inner / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        leads_to(tmp_path / "file" / "x")
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match="symbolic links") as caught:
        leads_to(tmp_path / "round")
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize(("mode", "taken"), [(0o755, True), (0o1777, True), (0o777, False), (0o775, False)])
def test_an_own_link_that_others_can_replace_is_refused(tmp_path, inner, mode, taken):
    (tmp_path / "link").symlink_to(inner)
    tmp_path.chmod(mode)
    if taken:
        assert leads_to(tmp_path / "link") == inner.stat().st_ino
    else:
        with pytest.raises(UnsafePath, match=r"^the link link on its path belongs to another user, or can be replaced by one$"):
            leads_to(tmp_path / "link")
    assert leads_to(inner) == inner.stat().st_ino, "a directory is what it is"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
def test_links_that_another_user_controls_are_refused(tmp_path, inner):
    (tmp_path / "theirs").symlink_to(inner)
    os.chown(tmp_path / "theirs", NOBODY, NOBODY, follow_symlinks=False)
    (inner.parent / "ours").symlink_to(inner)
    os.chown(inner.parent, NOBODY, NOBODY)
    for path in (tmp_path / "theirs", inner.parent / "ours", tmp_path / "theirs" / ".." / "inner"):
        with pytest.raises(UnsafePath):
            leads_to(path)
    assert leads_to(inner) == inner.stat().st_ino


def test_a_directory_replaced_by_a_link_during_entry_is_refused(tmp_path, inner, monkeypatch):
    seen = os.stat

    def look(name, **options):
        found = seen(name, **options)
        if name == "inner":
            inner.rename(tmp_path / "aside")
            inner.symlink_to(tmp_path)
        return found

    monkeypatch.setattr(os, "stat", look)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"), safe_directory(str(inner)):
        pass


@pytest.mark.skipif(os.geteuid() != 0 or not hasattr(os, "O_PATH"), reason="needs root, which becomes another user here, and O_PATH")
def test_a_directory_that_cannot_be_listed_is_entered(tmp_path, inner):
    inner.parent.chmod(0o711)
    above = [path for path in inner.parents if path.stat().st_mode & 0o001 == 0]
    for path in above:
        path.chmod(0o711)
    os.seteuid(NOBODY)
    try:
        assert leads_to(inner) == inner.stat().st_ino
    finally:
        os.seteuid(0)


@pytest.mark.thorough
def test_no_descriptor_stays_open(tmp_path, inner):
    (tmp_path / "round").symlink_to("round")
    before = open_descriptors()
    leads_to(inner)
    with pytest.raises(OSError, match="symbolic links"):
        leads_to(tmp_path / "round")
    assert open_descriptors() == before
