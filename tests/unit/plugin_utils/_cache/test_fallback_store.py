# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache that cannot be written or locked, and the run's directory that replaces it."""

from __future__ import annotations

import errno
import fcntl
import os
import pathlib
import time

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import LockTimeout
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import derive
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.fallback_store import FallbackStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore

FAILED = {"token": None, "failures": [{"message": "no"}], "renewals": []}
GOOD = {"token": {"access_token": "t0ken-value"}, "failures": [], "renewals": []}
LOGGED_IN = {"login": {"client_token": "hvs.value"}, "failures": []}


def quiet(_text):
    pass


@pytest.fixture
def opened(tmp_path):
    """A store as each process of a run opens it. With a path below a file, or without a path, it can never be written."""
    (tmp_path / "file").touch()

    def opening(path="file/cache", run="run"):
        spare = FileStore(str(tmp_path / run / "ours"), warn=quiet)
        return FallbackStore(path and str(tmp_path / path), warn=quiet, spare=spare)

    return opening


def keys_of(store, what="x"):
    return derive(store.user_key(), b"a login secret as Vault makes it", {"kind": "token", "what": what})


def vars_of(keys):
    return keys.name, keys.fernet


def content(folder: pathlib.Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def without_locks(monkeypatch, *folders):
    real = fcntl.flock

    def flock(descriptor, operation):
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(tuple(map(str, folders))):
            raise OSError(errno.ENOLCK, "No locks available")
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)


def waiting(store, name, timeout=0.0):
    return store.lock(name, timeout=timeout, monotonic=time.monotonic, sleep=time.sleep)


@pytest.mark.parametrize("path", ["file/cache", ""])
def test_processes_of_a_run_share_locks_and_failures(opened, path):
    first, second = opened(path), opened(path)
    keys = keys_of(first)
    assert vars_of(keys) == vars_of(keys_of(second)), "else neither finds what the other has"
    with waiting(first, keys.name) as mine, second.try_lock(keys.name) as theirs:
        assert (mine, theirs, second.lock_holder(keys.name)) == (True, False, os.getpid())
        with pytest.raises(LockTimeout), waiting(second, keys.name):
            pass
        assert first.write(keys, {"kind": "failure"}, FAILED) is False
    assert second.read(keys) == {"failures": FAILED["failures"]}
    assert (second.memory(), second.succeeded_unstored(keys)) == ("run", False)
    assert opened(path, run="another").read(keys) is None
    second.remove(keys.name)
    assert first.read(keys) is None


@pytest.mark.parametrize("path", ["file/cache", ""])
@pytest.mark.parametrize(("data", "secret"), [(GOOD, b"t0ken-value"), (LOGGED_IN, b"hvs.value")])
def test_of_a_token_or_login_only_the_success_is_kept(opened, tmp_path, monkeypatch, path, data, secret):
    store = opened(path)
    keys = keys_of(store)
    sealed = []
    real = FileStore.write
    monkeypatch.setattr(FileStore, "write", lambda self, keys, header, data: sealed.append((self is store, data)) or real(self, keys, header, data))
    store.write(keys, {}, FAILED)
    store.write(keys, {}, data)
    assert opened(path).read(keys) == {"failures": []}
    assert store.succeeded_unstored(keys)
    assert [data for own, data in sealed if not own] == [
        {"failures": FAILED["failures"], "succeeded_unstored": False},
        {"failures": [], "succeeded_unstored": True},
    ]
    assert secret not in content(tmp_path)
    store.write(keys, {}, data)
    assert len([data for own, data in sealed if not own]) == 2, "what is known is not written again"
    store.write(keys, {}, {**data, "failures": FAILED["failures"]})
    assert not store.succeeded_unstored(keys)


def test_only_failures_are_kept(opened):
    store = opened()
    keys = keys_of(store)
    assert store.write(keys, {}, {"metadata": {}, "at": 1}) is False
    assert store.read(keys) is None


def test_a_writable_cache_needs_no_fallback(opened, tmp_path):
    store = opened("cache")
    keys = keys_of(store)
    with waiting(store, keys.name) as mine:
        assert mine
        assert store.write(keys, {}, GOOD)
        assert opened("cache").lock_holder(keys.name) == os.getpid()
    assert store.read(keys) == GOOD
    assert (store.memory(), store.succeeded_unstored(keys)) == ("runs", False)
    assert not (tmp_path / "run").exists()


def test_a_cache_that_becomes_writable_is_used_again(opened, monkeypatch):
    store = opened("cache")
    keys = keys_of(store)
    store.write(keys, {}, GOOD)
    with monkeypatch.context() as full:
        real = os.replace
        full.setattr(
            os,
            "replace",
            lambda *names, src_dir_fd, dst_dir_fd: (
                (_ for _ in ()).throw(OSError(errno.ENOSPC, ""))
                if src_dir_fd == store._descriptor
                else real(*names, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            ),
        )
        assert store.write(keys, {}, FAILED) is False
    assert store.read(keys) == {**GOOD, "failures": FAILED["failures"]}, "the old token, and what failed since"
    assert store.write(keys, {}, GOOD)
    assert opened("cache").read(keys) == GOOD


def test_a_cache_without_locks_uses_the_locks_of_the_run(opened, monkeypatch, tmp_path):
    without_locks(monkeypatch, tmp_path / "cache")
    first, second = opened("cache"), opened("cache")
    keys = keys_of(first)
    assert vars_of(keys) == vars_of(keys_of(second))
    with waiting(first, keys.name) as mine, second.try_lock(keys.name) as theirs:
        assert (mine, theirs) == (True, False)
        assert first.write(keys, {}, GOOD)
    assert second.read(keys) == GOOD


def test_without_locks_anywhere_nobody_gets_a_lock(opened, monkeypatch, tmp_path):
    without_locks(monkeypatch, tmp_path)
    store = opened("cache")
    keys = keys_of(store)
    with waiting(store, keys.name) as mine, store.try_lock(keys.name) as again:
        assert (mine, again) == (False, False)


def test_without_any_writable_directory_nothing_is_stored(opened):
    store = opened(run="file/run")
    keys = keys_of(store)
    with waiting(store, keys.name) as mine:
        assert mine is False
    assert store.write(keys, {}, FAILED) is False
    assert (store.read(keys), store.memory()) == (None, "")
