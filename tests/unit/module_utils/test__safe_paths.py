# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths on a host where others work too. Races and other users: test__token_files.py, on the Python versions of hosts."""

from __future__ import annotations

import errno
import os
import pwd

import pytest
from ansible_collections.trackops.api_tokens.plugins.module_utils import _safe_paths as subject


@pytest.fixture
def here(tmp_path):
    """A directory for a test that may change the working directory, which is changed back afterwards."""
    before = os.getcwd()
    yield tmp_path
    os.chdir(before)


def refused(call, *arguments):
    with pytest.raises(subject.FileError) as caught:
        call(*arguments)
    return str(caught.value)


def test_the_directory_is_entered(here):
    (here / "a").mkdir()
    assert subject.enter(str(here / "a" / "file")) == []
    assert os.getcwd() == str(here / "a")


def test_missing_directories_are_returned_outermost_first(here):
    assert subject.enter(str(here / "a" / "b" / "file")) == ["a", "b"]
    assert os.getcwd() == str(here)


def test_own_links_are_followed(here):
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    assert subject.enter(str(here / "link" / "file")) == []
    assert os.getcwd() == str(here / "real")


def test_a_loop_of_links_is_an_error(here):
    (here / "a").symlink_to("b")
    (here / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links") as caught:
        subject.enter(str(here / "a" / "file"))
    assert caught.value.errno == errno.ELOOP


def test_a_link_to_nothing_makes_no_directory(here):
    (here / "a").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        subject.enter(str(here / "a" / "file"))


def test_a_directory_that_everyone_may_write_to_is_refused(here):
    (here / "open").mkdir()
    (here / "open").chmod(0o777)
    assert refused(subject.enter, str(here / "open" / "file")) == (
        f"every user can replace files in {here}/open; remove the write permission of others from it"
    )
    (here / "open").chmod(0o1777)
    assert subject.enter(str(here / "open" / "file")) == []


def test_a_path_through_a_file_is_refused(here):
    (here / "a").touch()
    assert refused(subject.enter, str(here / "a" / "file")) == f"{here}/a is not a directory"


def test_files_are_read(here):
    (here / "a").write_bytes(b"x")
    content, status = subject.read_file(str(here / "a"))
    assert (content, status.st_size) == (b"x", 1)
    assert subject.read_file(str(here / "none")) is None


def test_links_directories_and_fifos_are_not_read(here):
    (here / "link").symlink_to("a")
    (here / "dir").mkdir()
    os.mkfifo(here / "fifo")
    assert refused(subject.read_file, str(here / "link")) == "is a symlink; it is not followed. Remove it, or give the path of the file itself"
    assert refused(subject.read_file, str(here / "dir")) == "is a directory; give the path of a file"
    assert refused(subject.read_file, str(here / "fifo")) == "is not a regular file"


def test_an_oversized_file_is_not_read(here):
    with (here / "large").open("wb") as file:
        file.truncate(subject.LARGEST + 1)
    assert refused(subject.read_file, str(here / "large")) == "is larger than 16 MiB, so it is not a token file"


@pytest.mark.parametrize(
    ("exc", "user", "expected"),
    [
        (subject.FileError("is a symlink"), 0, "is a symlink"),
        (OSError(errno.ENOSPC, "No space left on device"), 0, "No space left on device"),
        (OSError(errno.EACCES, "Permission denied"), 0, "Permission denied"),
        (OSError(errno.EACCES, "Permission denied"), 7, "Permission denied; run the task with become, or as a user who may"),
        (
            OSError(errno.EPERM, "Operation not permitted"),
            0,
            "Operation not permitted; it or its directory may be immutable or append-only (lsattr shows it, chattr changes it)"
            ", or its file system keeps no permissions (CIFS, FUSE, FAT)",
        ),
        (
            OSError(errno.EPERM, "Operation not permitted"),
            7,
            "Operation not permitted; run the task with become, or as a user who may, or its file system keeps no permissions (CIFS, FUSE, FAT)",
        ),
        (
            OSError(errno.EBUSY, "Device or resource busy"),
            0,
            "Device or resource busy; it is a mount point of its own: mount its directory, in which it can be replaced",
        ),
        (ValueError("the secret"), 0, "ValueError"),
        (OSError("the secret"), 0, "OSError"),
    ],
)
def test_the_reason_is_that_of_the_system(monkeypatch, exc, user, expected):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert subject.reason(exc) == expected


def test_users_are_named_or_numbered():
    assert subject.name_of(0, pwd.getpwuid) == "root"
    assert subject.name_of(987654, pwd.getpwuid) == "987654"
