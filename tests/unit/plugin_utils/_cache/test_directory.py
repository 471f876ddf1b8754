# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of sealed objects that others can neither write nor plant."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CacheError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache import directory as module
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import derive, seal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.directory import KEY_FILE, Directory, default_path, file_state, own_path, passwd_home

KEYS = derive(bytes(32), b"secret", "facts")
HEADER = {"schema": 1, "kind": "token"}


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    return Directory(str(path))


def put(directory, *, header=HEADER, sealed=None, name=KEYS.name, mode=0o600):
    path = os.path.join(directory.path, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(json.dumps(header).encode() + b"\n" + (seal(KEYS, json.dumps([HEADER, {"a": 1}]).encode()) if sealed is None else sealed))
    os.chmod(path, mode)
    return path


def refused(directory):
    with pytest.raises(CacheError) as caught:
        directory.read(KEYS)
    return caught.value.message


def test_what_was_written_is_read_back(directory):
    assert directory.read(KEYS) is None
    put(directory)
    assert directory.read(KEYS) == {"a": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {**HEADER, "kind": "login"}},  # the readable line differs from the sealed one
        {"header": {}},
        {"sealed": b"junk"},
        {"sealed": b""},
        {"sealed": seal(KEYS, b"[1")},
        {"sealed": seal(KEYS, b"7")},
        {"sealed": seal(KEYS, json.dumps([HEADER, "text"]).encode())},
        {"sealed": seal(derive(bytes(32), b"other", "facts"), json.dumps([HEADER, {}]).encode())},
        {"mode": 0o640},
        {"mode": 0o604},
    ],
)
def test_a_file_that_is_not_an_entry_is_a_miss(directory, changes):
    put(directory, **changes)
    assert directory.read(KEYS) is None


def test_another_schema_is_a_miss(directory):
    header = {**HEADER, "schema": 2}
    put(directory, header=header, sealed=seal(KEYS, json.dumps([header, {}]).encode()))
    assert directory.read(KEYS) is None


def test_an_oversized_file_is_a_miss(directory):
    path = put(directory)
    os.truncate(path, 5 << 20)
    assert directory.read(KEYS) is None


def test_a_file_of_exactly_the_largest_size_is_read(directory, monkeypatch):
    size = os.stat(put(directory)).st_size
    monkeypatch.setattr(module, "_LARGEST", size)
    assert directory.read(KEYS) == {"a": 1}
    monkeypatch.setattr(module, "_LARGEST", size - 1)
    assert directory.read(KEYS) is None


def test_a_link_is_not_followed(directory):
    path = put(directory)
    os.rename(path, path + "-elsewhere")
    os.symlink(path + "-elsewhere", path)
    assert directory.read(KEYS) is None
    assert directory.state(KEYS.name) != file_state(path)


def test_a_fifo_is_not_waited_for(directory):
    os.mkfifo(os.path.join(directory.path, KEYS.name), 0o600)
    assert directory.read(KEYS) is None


def test_the_key_file_counts_only_with_the_right_size(directory):
    assert directory.known_key() is None
    for content, expected in ((b"k" * 32, b"k" * 32), (b"k" * 31, None), (b"", None)):
        path = os.path.join(directory.path, KEY_FILE)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o600)
        assert directory.known_key() == expected


ADVICE = ", so tokens are not kept there. Set cache_path to a directory of your own (mode 0700)."


def test_an_unsafe_directory_is_refused(directory, tmp_path, monkeypatch):
    for mode in (0o720, 0o702):
        os.chmod(directory.path, mode)
        assert refused(directory) == f"The token cache {directory.path} can be written by others{ADVICE}"
    os.chmod(directory.path, 0o755)  # noqa: S103
    assert directory.read(KEYS) is None
    (tmp_path / "link").symlink_to(directory.path)
    assert refused(Directory(str(tmp_path / "link"))) == f"The token cache {tmp_path}/link is a symbolic link{ADVICE}"
    (tmp_path / "file").touch()
    assert refused(Directory(str(tmp_path / "file"))) == f"The token cache {tmp_path}/file is not a directory{ADVICE}"
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert refused(directory) == f"The token cache {directory.path} belongs to another user{ADVICE}"


@pytest.mark.parametrize("plant", [lambda path, aside: os.symlink(aside, path), lambda path, aside: os.link(os.path.join(aside, "file"), path)])
def test_a_directory_replaced_between_two_checks_is_not_entered(directory, tmp_path, monkeypatch, plant):
    put(directory)
    put(directory, name="file")
    look = os.lstat

    def looking(path):
        found = look(path)
        os.rename(directory.path, tmp_path / "aside")
        plant(directory.path, tmp_path / "aside")
        return found

    monkeypatch.setattr(os, "lstat", looking)
    assert directory.read(KEYS) is None


def test_a_missing_directory_is_empty(tmp_path):
    assert Directory(str(tmp_path / "none")).read(KEYS) is None
    assert Directory(str(tmp_path / "none")).state("x") is None


def test_the_state_of_a_file_changes_when_it_is_replaced(directory, tmp_path):
    path = put(directory)
    before = directory.state(KEYS.name)
    assert before == directory.state(KEYS.name) == file_state(path)
    put(directory, name="other")
    os.replace(os.path.join(directory.path, "other"), path)
    assert directory.state(KEYS.name) != before
    (tmp_path / "link").symlink_to(path)
    assert file_state(str(tmp_path / "link")) == file_state(path)
    assert file_state(str(tmp_path / "none")) is None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/trackops/api_tokens"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/trackops/api_tokens"),
        ({"HOME": "/h"}, "/h/.cache/trackops/api_tokens"),
    ],
)
def test_the_default_path_follows_the_environment(environ, expected):
    assert default_path(environ) == expected


def test_cache_path_is_expanded_and_normalized(monkeypatch):
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert (own_path("~/c"), own_path("/a/../b"), own_path("")) == ("/h/c", "/b", "/h/.cache/trackops/api_tokens")


def test_without_a_home_the_default_path_is_not_relative(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert passwd_home() == "/~"
    assert default_path({}) == "/~/.cache/trackops/api_tokens"
