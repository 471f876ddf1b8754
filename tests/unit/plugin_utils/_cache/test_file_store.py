# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file cache on a real file system: private, complete, never trusted, and never an obstacle."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import multiprocessing
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CacheError, LockTimeout
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache import file_store as module
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import Keys, derive, seal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.directory import default_path
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.descriptors import open_descriptors
from support.scripted import VAULT_TOKEN

LOGIN = json.dumps([VAULT_TOKEN]).encode()
FORK = multiprocessing.get_context("fork")
HEADER = {"kind": "token", "expires_at": 5}
NOBODY = 65534


@pytest.fixture
def store(tmp_path):
    return opened(tmp_path / "cache")


def opened(path):
    """A store that must not warn; tests of warnings open their own."""
    return FileStore(str(path), warn=pytest.fail)


def keys_of(store, facts="facts", login=LOGIN):
    return derive(store.user_key(), login, facts)


def written(store, **data):
    keys = keys_of(store)
    assert store.write(keys, HEADER, data or {"a": 1})
    return keys


def path_of(store, name):
    return os.path.join(store.path, name)


def mode(path):
    """As people read it: 0o600."""
    return oct(stat.S_IMODE(os.stat(path).st_mode))


@contextlib.contextmanager
def held(store, name, **options):
    settings_ = {"timeout": 20, "monotonic": time.monotonic, "sleep": time.sleep, **options}
    with store.lock(name, **settings_) as mine:
        yield mine


# -- where -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/trackops/api_tokens"),
        ({"HOME": "/h"}, "/h/.cache/trackops/api_tokens"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/trackops/api_tokens"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/trackops/api_tokens"),
    ],
)
def test_the_default_path_follows_the_environment(environ, path):
    assert default_path(environ) == path


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o277, 0o777])
def test_files_are_private_whatever_the_umask(tmp_path, mask):
    store = opened(tmp_path / "deep" / "er" / "cache")
    before = os.umask(mask)
    try:
        keys = written(store)
        with held(store, keys.name):
            assert int(mode(path_of(store, keys.name + ".lock")), 8) & 0o077 == 0
    finally:
        os.umask(before)
    # Anyone who can write to a directory above could replace the cache.
    assert [mode(path) for path in (tmp_path / "deep", tmp_path / "deep" / "er", store.path)] == ["0o700"] * 3
    assert {mode(path_of(store, name)) for name in os.listdir(store.path)} == {"0o600"}
    assert sorted(os.listdir(store.path)) == sorted(["key", keys.name])


def test_a_file_is_private_from_its_creation(store, monkeypatch):
    """Anyone who opened the file before its mode was changed could read what is written later."""
    keys, modes, change = keys_of(store), [], os.fchmod

    def changing(descriptor, mode_):
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        change(descriptor, mode_)

    monkeypatch.setattr(os, "fchmod", changing)
    before = os.umask(0)
    try:
        store.write(keys, HEADER, {})
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_a_directory_that_others_may_list_is_made_private(store):
    os.mkdir(store.path)
    os.chmod(store.path, 0o755)  # noqa: S103 - what is to be mended
    written(store)
    assert mode(store.path) == "0o700"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: os.symlink(os.path.dirname(path), path), "is a symbolic link"),
        (lambda path: open(path, "w").close(), "is not a directory"),
        (lambda path: (os.mkdir(path), os.chmod(path, 0o770)), "can be written by others"),  # noqa: S103
        (lambda path: (os.mkdir(path), os.chmod(path, 0o1777)), "can be written by others"),  # noqa: S103
        pytest.param(
            lambda path: (os.mkdir(path, 0o700), os.chown(path, NOBODY, NOBODY)),
            "belongs to another user",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away"),
        ),
    ],
)
def test_an_unsafe_directory_is_refused(store, spoil, problem):
    spoil(store.path)
    for work in (store.user_key, lambda: store.read(KEYS), lambda: store.write(KEYS, HEADER, {}), lambda: list(store.headers()), store.sweep):
        with pytest.raises(CacheError) as caught:
            work()
        assert caught.value.message == (
            f"The token cache {store.path} {problem}, so tokens are not kept there. Set cache_path to a directory of your own (mode 0700)."
        )


KEYS = derive(b"u" * 32, LOGIN, "facts")


@contextlib.contextmanager
def as_nobody():
    """Root may write everywhere. As nobody, a directory of another user cannot be written."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_directory_is_warned_about_once():
    warnings: list[str] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, as_nobody():
        path = os.path.join(folder, "cache") if os.geteuid() != NOBODY else tempfile.mkdtemp(dir="/tmp")
        os.makedirs(path, mode=0o700, exist_ok=True)
        first = FileStore(path, warn=pytest.fail)
        keys = written(first, a=1)
        os.chmod(path, 0o500)
        store = FileStore(path, warn=warnings.append)
        assert store.user_key() == first.user_key()
        assert store.read(keys) == {"a": 1}
        for _ in range(2):
            with held(store, keys.name) as mine:
                assert mine is False
            with store.try_lock(keys.name) as mine:
                assert mine is False
            assert store.write(keys, HEADER, {"a": 2}) is False
        assert store.read(keys) == {"a": 1}
        os.chmod(path, 0o700)
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)
    assert warnings == [
        f"The token cache {path} cannot be written (Permission denied): tokens are fetched without it. Set cache_path to a directory that can be written."
    ]


def test_a_directory_that_cannot_be_created_is_warned_about_once():
    warnings: list[str] = []
    store = FileStore("/proc/none/cache", warn=warnings.append)
    keys = keys_of(store)
    assert len(store.user_key()) == 32
    assert store.write(keys, HEADER, {}) is False
    with held(store, keys.name) as mine:
        assert mine is False
    assert (store.read(keys), len(warnings)) == (None, 1)


def test_a_full_disk_keeps_the_old_entry(store, monkeypatch):
    keys = written(store, a=1)
    warnings: list[str] = []
    full = FileStore(store.path, warn=warnings.append)
    monkeypatch.setattr(os, "replace", lambda *_, **_places: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert full.write(keys, HEADER, {"a": 2}) is False
    assert full.read(keys) == {"a": 1}
    assert sorted(os.listdir(store.path)) == sorted(["key", keys.name])
    assert warnings[0].startswith(f"The token cache {store.path} cannot be written (No space left on device)")


LOCKED = (
    "Operation not permitted: it is immutable or append-only, lsattr shows it, chattr changes it; or its file system keeps no permissions (CIFS, FUSE, FAT)"
)


def test_a_temporary_file_that_cannot_be_removed_holds_no_secret(store, monkeypatch):
    keys = written(store, a=1)
    warnings: list[str] = []
    locked = FileStore(store.path, warn=warnings.append)

    def refused(*_arguments, **_places):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "replace", refused)
    monkeypatch.setattr(os, "unlink", refused)
    assert locked.write(keys, HEADER, {"a": 2}) is False
    assert locked.read(keys) == {"a": 1}
    assert os.path.getsize(path_of(store, keys.name + ".tmp")) == 0
    assert warnings == [
        f"The token cache {store.path} cannot be written ({LOCKED}): tokens are fetched without it. Set cache_path to a directory that can be written."
    ]


@pytest.mark.system
@pytest.mark.parametrize("attribute", ["i", "a"])
def test_an_immutable_or_append_only_directory_keeps_the_old_entry(store, attribute):
    keys = written(store, a=1)
    warnings: list[str] = []
    if not shutil.which("chattr") or subprocess.run(["chattr", f"+{attribute}", store.path], capture_output=True, check=False).returncode:
        pytest.skip("only root can set attributes, and not on every file system")
    try:
        locked = FileStore(store.path, warn=warnings.append)
        assert locked.write(keys, HEADER, {"a": 2}) is False
        assert locked.read(keys) == {"a": 1}
        left = [name for name in os.listdir(store.path) if name.endswith(".tmp")]
        assert [os.path.getsize(path_of(store, name)) for name in left] == ([0] if attribute == "a" else [])
    finally:
        subprocess.run(["chattr", f"-{attribute}", store.path], check=True)
    assert [LOCKED in warning for warning in warnings] == [True]


# -- what ------------------------------------------------------------------------------------------------------------


def test_an_entry_is_sealed_and_read_back(store):
    keys = written(store, token="t0ken")
    assert store.read(keys) == {"token": "t0ken"}
    assert opened(store.path).read(keys_of(opened(store.path))) == {"token": "t0ken"}
    with open(path_of(store, keys.name), "rb") as file:
        raw = file.read()
    assert b"t0ken" not in raw
    assert json.loads(raw.partition(b"\n")[0]) == {"schema": 1, **HEADER}
    assert dict(store.headers()) == {keys.name: {"schema": 1, **HEADER}}


def test_another_login_or_key_file_cannot_read_an_entry(store, tmp_path):
    keys = written(store)
    assert store.read(keys_of(store, login=b"other")) is None
    elsewhere = opened(tmp_path / "other")
    other = keys_of(elsewhere)
    assert other.name != keys.name
    os.link(path_of(store, keys.name), path_of(elsewhere, other.name))  # even under the name that the store asks for
    assert elsewhere.read(other) is None
    os.unlink(path_of(store, "key"))
    assert opened(store.path).read(keys_of(opened(store.path))) is None


@pytest.mark.system
def test_concurrent_processes_create_one_key(tmp_path):
    paths = [str(tmp_path / "cache")] * 8
    with FORK.Pool(8) as pool:
        assert len(set(pool.map(_key, paths))) == 1


def _key(path):
    return FileStore(path, warn=print).user_key()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: b"",
        lambda raw: raw[:-2],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw.partition(b"\n")[0],
        lambda raw: b"garbage\n" + raw,
        lambda raw: raw.replace(b'"expires_at": 5', b'"expires_at": 6'),
        lambda raw: raw.replace(b'"kind"', b'"kinD"'),
        lambda raw: b"[" * 100_000 + raw[raw.index(b"\n") :],
        lambda raw: b"\0" * len(raw),
        lambda raw: b"x" * (5 << 20),
    ],
)
def test_a_damaged_entry_is_a_miss_and_can_be_overwritten(store, spoil):
    keys = written(store)
    place = path_of(store, keys.name)
    with open(place, "rb") as file:
        raw = file.read()
    with open(place, "wb") as file:
        file.write(spoil(raw))
    assert store.read(keys) is None
    assert list(dict(store.headers())) == [keys.name]
    assert written(store, a=2).name == keys.name
    assert store.read(keys) == {"a": 2}


@pytest.mark.parametrize(
    "plant",
    [
        lambda place: os.symlink("/etc/passwd", place),
        lambda place: os.mkfifo(place, 0o600),
        lambda place: os.mkdir(place, 0o700),
    ],
)
def test_anything_but_a_regular_file_is_a_miss(store, plant):
    keys = keys_of(store)
    plant(path_of(store, keys.name))
    assert store.read(keys) is None
    assert dict(store.headers()) == {keys.name: {}}


def test_a_malformed_header_line_is_empty(store):
    keys = keys_of(store)
    with open(os.open(path_of(store, keys.name), os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(b"[1]\n")
    assert dict(store.headers()) == {keys.name: {}}


def test_an_entry_that_others_could_have_read_is_a_miss(store):
    keys = written(store)
    os.chmod(path_of(store, keys.name), 0o640)
    assert store.read(keys) is None


@pytest.mark.parametrize(
    "content",
    [
        [{"schema": 2}, {"a": 1}],
        [{"schema": 0}, {"a": 1}],
        [{}, {"a": 1}],
        [{"schema": 1}, ["a"]],
        [{"schema": 1}],
        {"schema": 1},
        [[1], {}],
        5,
    ],
)
def test_another_schema_or_shape_is_a_miss(store, content):
    keys = keys_of(store)
    line = content[0] if isinstance(content, list) else content
    with open(os.open(path_of(store, keys.name), os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(json.dumps(line).encode() + b"\n" + seal(keys, json.dumps(content).encode()))
    assert store.read(keys) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=100), sealed=st.booleans())
def test_arbitrary_bytes_are_a_miss(store, raw, sealed):
    keys = keys_of(store)
    with open(os.open(path_of(store, keys.name), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(raw + (b"\n" + seal(keys, raw) if sealed else b""))
    assert store.read(keys) is None
    assert [isinstance(header, dict) for _name, header in store.headers()] == [True]


def test_a_key_of_the_wrong_size_is_replaced(store):
    written(store)
    with open(path_of(store, "key"), "wb") as file:
        file.write(b"short")
    again = opened(store.path)
    assert len(again.user_key()) == 32
    assert opened(store.path).user_key() == again.user_key()


def test_removing_an_entry_twice_causes_no_warning(store):
    keys = written(store)
    store.remove(keys.name)
    store.remove(keys.name)
    assert store.read(keys) is None
    with held(store, keys.name) as mine:
        assert mine is True


# -- locks -----------------------------------------------------------------------------------------------------------


def test_a_lock_has_one_holder(store):
    name = keys_of(store).name
    other = opened(store.path)
    with held(store, name) as mine:
        assert mine is True
        with other.try_lock(name) as theirs:
            assert theirs is False
        with other.try_lock("0" * 32) as theirs:
            assert theirs is True
        naps: list[float] = []
        clock = iter(range(100))
        with pytest.raises(CacheError) as caught, held(other, name, timeout=3, monotonic=lambda: next(clock), sleep=naps.append):
            pass
        assert re.fullmatch(
            rf"process {os.getpid()} \([^)]+\) has held the lock {re.escape(store.path)}/{name}\.lock for 3 s\. Check what it is waiting for, or stop it\.",
            caught.value.message,
        )
        assert naps == pytest.approx([0.005, 0.0075])
    with other.try_lock(name) as theirs:
        assert theirs is True
    assert os.listdir(store.path) == ["key"]


def given_up(store, name):
    """The message and the holder that a caller gets when its wait for a lock times out."""
    with pytest.raises(LockTimeout) as caught, held(opened(store.path), name, timeout=0, sleep=pytest.fail):
        pass
    return caught.value.message.replace(path_of(store, name), "LOCK"), caught.value.holder


RUNS, STOPPED = "Check what it is waiting for, or stop it.", "It is suspended: resume it (kill -CONT PID) or stop it."


@pytest.mark.parametrize(
    ("about", "program", "advice"),
    [
        (b"7 (ansible) S 1 2", " (ansible)", RUNS),
        (b"7 (ansible) T 1 2", " (ansible)", STOPPED),
        (b"7 (ansible) t 1 2", " (ansible)", STOPPED),
        (b"7 (a (b) T \x1b\xff) S 1 2", " (a (b) T ?\ufffd)", RUNS),
        (None, "", RUNS),
    ],
)
def test_the_holder_of_a_lock_is_named_with_advice(store, monkeypatch, about, program, advice):
    def opening(path, mode):
        if path != f"/proc/{os.getpid()}/stat":
            return open(path, mode)
        if about is None:
            raise FileNotFoundError(path)
        return io.BytesIO(about)

    name = keys_of(store).name
    monkeypatch.setattr(module, "open", opening, raising=False)
    with held(store, name):
        advice = advice.replace("PID", str(os.getpid()))
        assert given_up(store, name) == (f"process {os.getpid()}{program} has held the lock LOCK.lock for 0 s. {advice}", os.getpid())


@pytest.mark.parametrize("spoil", [lambda path: os.truncate(path, 0), lambda path: os.chmod(path, 0o640)])
def test_a_lock_file_without_a_process_id_names_no_holder(store, spoil):
    name = keys_of(store).name
    with held(store, name):
        spoil(path_of(store, name + ".lock"))
        assert given_up(store, name) == ("another process has held the lock LOCK.lock for 0 s. Find it with fuser LOCK.lock, and stop it.", None)


def test_a_lock_works_on_a_full_disk(store, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    name = keys_of(store).name
    monkeypatch.setattr(os, "pwrite", full)
    with held(store, name) as mine:
        assert mine is True


@pytest.mark.thorough
def test_a_file_system_without_locks_is_warned_about_once(store, monkeypatch):
    def refused(*_arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    name, warnings = keys_of(store).name, []
    before = open_descriptors()
    monkeypatch.setattr(fcntl, "flock", refused)
    other = FileStore(store.path, warn=warnings.append)
    with other.try_lock(name) as mine:
        assert mine is False
    del other
    assert open_descriptors() == before
    assert ["(No locks available)" in warning for warning in warnings] == [True]


def _hold_and_wait(path, name, pipe):
    with held(FileStore(path, warn=print), name):
        pipe.send("held")
        time.sleep(60)


@pytest.mark.system
def test_a_killed_holder_releases_its_lock(store):
    name = keys_of(store).name
    ours, theirs = FORK.Pipe()
    holder = FORK.Process(target=_hold_and_wait, args=(store.path, name, theirs))
    holder.start()
    assert ours.recv() == "held"
    with store.try_lock(name) as mine:
        assert mine is False
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with store.try_lock(name) as mine:
        assert mine is True


def _count(path, name, times):
    store = FileStore(path, warn=print)
    keys = keys_of(store)
    for _ in range(times):
        with held(store, name, timeout=60) as mine:
            assert mine
            store.write(keys, HEADER, {"count": store.read(keys)["count"] + 1})


@pytest.mark.system
def test_removing_the_lock_file_does_not_let_two_waiters_in(store):
    keys = written(store, count=0)
    workers = [FORK.Process(target=_count, args=(store.path, keys.name, 100)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert store.read(keys) == {"count": 600}
    assert sorted(os.listdir(store.path)) == sorted(["key", keys.name])


def test_sweep_removes_what_killed_processes_left(store):
    keys = written(store)
    notes = ["notes.lock", "notes.tmp", "notes.txt"]
    for name in ("a" * 32 + ".lock", "a" * 32 + ".hit.lock", "b" * 32 + ".tmp", *notes):
        with open(path_of(store, name), "w"):
            pass
    with held(opened(store.path), "c" * 32):
        with open(path_of(store, "c" * 32 + ".tmp"), "w"):
            pass
        store.sweep()
        assert sorted(os.listdir(store.path)) == sorted(["c" * 32 + ".lock", "c" * 32 + ".tmp", "key", *notes, keys.name])
    store.sweep()
    assert sorted(os.listdir(store.path)) == sorted(["key", *notes, keys.name])


def test_headers_and_sweep_start_at_the_given_name_and_wrap_around(store):
    """A search starts at the given name and goes on at the beginning after the last file."""
    keys = keys_of(store)
    names = sorted(letter * 32 for letter in "0a9f")
    for name in names:
        store.write(Keys(name, keys.fernet), HEADER, {})
    assert [name for name, _header in store.headers()] == names
    assert [name for name, _header in store.headers("a" * 32)] == [*names[2:], *names[:2]]
    for name in names:
        with open(path_of(store, name + ".tmp"), "w"):
            pass
    store.sweep(most=2)
    assert not os.path.exists(path_of(store, names[0] + ".tmp")) and os.path.exists(path_of(store, names[1] + ".tmp"))
    store.sweep("b" * 32, most=2)
    assert [name for name in names if os.path.exists(path_of(store, name + ".tmp"))] == names[1:3]


def test_a_usable_cache_remembers_across_runs_and_an_unusable_one_does_not(store):
    keys = written(store)
    assert (store.memory(), store.succeeded_unstored(keys)) == ("runs", False)
    lost = FileStore("/proc/none/cache", warn=lambda _text: None)
    lost.user_key()
    assert lost.memory() == ""


def test_sweep_removes_pointers_to_entries_that_are_gone(store):
    keys = written(store)
    good, gone, junk = (name * 32 + ".hit" for name in "abc")
    store.write(Keys(good, keys.fernet), {"entry": keys.name}, {})
    store.write(Keys(gone, keys.fernet), {"entry": "d" * 32}, {})
    with open(path_of(store, junk), "w"):
        pass
    store.sweep()
    assert sorted(os.listdir(store.path)) == sorted(["key", good, keys.name])


# -- guards behind other guards ----------------------------------------------------------------------------------------


def test_a_key_created_by_another_process_before_the_lock_is_used(store, monkeypatch):
    make = FileStore._make_directory
    theirs = []

    def make_while_another_is_faster(self):
        make(self)
        if self is store:
            theirs.append(opened(store.path).user_key())

    monkeypatch.setattr(FileStore, "_make_directory", make_while_another_is_faster)
    assert store.user_key() == theirs[0]
    assert opened(store.path).user_key() == theirs[0]


def test_locking_a_removed_lock_file_gives_no_lock(store, monkeypatch):
    """Opened before it was removed, locked afterwards: if the file were not checked again, two would hold the lock."""
    name = keys_of(store).name
    lock = fcntl.flock
    holders = contextlib.ExitStack()
    first = contextlib.ExitStack()
    assert first.enter_context(store.try_lock(name))

    def late(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", lock)
        first.close()  # removes the file that is open here
        assert holders.enter_context(opened(store.path).try_lock(name))
        return lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with holders, opened(store.path).try_lock(name) as mine:
        assert not mine


def test_a_missing_lock_file_is_created_again(store, monkeypatch):
    name = keys_of(store).name
    lock = fcntl.flock
    first = contextlib.ExitStack()
    assert first.enter_context(store.try_lock(name))

    def late(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", lock)
        first.close()  # removes the file that is open here
        return lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with opened(store.path).try_lock(name) as mine, opened(store.path).try_lock(name) as theirs:
        assert (mine, theirs) == (True, False)


def test_a_lock_file_replaced_by_a_link_gives_no_lock(store, monkeypatch):
    name, said = keys_of(store).name, []
    lock, path = fcntl.flock, path_of(store, name + ".lock")

    def exchanging(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", lock)
        lock(descriptor, how)
        os.rename(path, path + "-aside")
        os.symlink(path + "-aside", path)

    monkeypatch.setattr(fcntl, "flock", exchanging)
    with FileStore(store.path, warn=said.append).try_lock(name) as mine:
        assert not mine
    assert len(said) == 1


@pytest.mark.parametrize("given_back", [True, False])
def test_the_lock_for_creating_the_key_is_waited_for(tmp_path, monkeypatch, given_back):
    store = opened(tmp_path)
    os.chmod(store.path, 0o700)
    now, holder = [0.0], contextlib.ExitStack()

    def sleep(seconds):
        now[0] += seconds
        if given_back:
            holder.close()

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    with holder:
        assert holder.enter_context(opened(tmp_path).try_lock("key"))
        if given_back:
            assert opened(tmp_path).user_key() == store.user_key()
        else:
            with pytest.raises(LockTimeout, match=r" has held the lock \S+/key\.lock for 10 s\. "):
                store.user_key()


def test_an_entry_of_another_user_is_a_miss(store, monkeypatch):
    keys = written(store)
    about = os.fstat

    def foreign(descriptor):
        found = about(descriptor)
        return os.stat_result((*found[:4], found.st_uid + 1, *found[5:10])) if stat.S_ISREG(found.st_mode) else found

    assert store.read(keys) == {"a": 1}
    monkeypatch.setattr(os, "fstat", foreign)
    assert store.read(keys) is None


def test_a_link_in_place_of_the_temporary_file_is_not_written_through(store, tmp_path):
    keys, victim, said = written(store), tmp_path / "victim", []
    victim.write_text("precious")
    os.symlink(victim, path_of(store, keys.name + ".tmp"))
    assert not FileStore(store.path, warn=said.append).write(keys, HEADER, {"a": 2})
    assert victim.read_text() == "precious"
    assert len(said) == 1


def test_a_link_that_cannot_be_removed_does_not_truncate_its_target(store, tmp_path, monkeypatch):
    keys, victim = written(store), tmp_path / "victim"
    victim.write_text("precious")
    os.symlink(victim, path_of(store, keys.name + ".tmp"))

    def refused(*_arguments, **_places):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", refused)
    assert not FileStore(store.path, warn=lambda _text: None).write(keys, HEADER, {"a": 2})
    assert victim.read_text() == "precious"


def test_a_link_in_place_of_a_lock_file_is_not_followed(store, tmp_path):
    keys, victim, said = written(store), tmp_path / "victim", []
    victim.write_text("precious")
    os.symlink(victim, path_of(store, keys.name + ".lock"))
    with FileStore(store.path, warn=said.append).try_lock(keys.name) as mine:
        assert not mine
    assert victim.read_text() == "precious"
    assert len(said) == 1


def test_a_link_in_place_of_an_entry_is_a_miss(store, tmp_path):
    keys = written(store)
    os.rename(path_of(store, keys.name), tmp_path / "moved")
    os.symlink(tmp_path / "moved", path_of(store, keys.name))
    assert store.read(keys) is None


def _lock(store, keys):
    with store.try_lock(keys.name):
        pass


@pytest.mark.parametrize(
    "work",
    [
        lambda store, keys: store.write(keys, HEADER, {"a": 2}),
        _lock,
        lambda store, keys: store.remove(keys.name),
        lambda store, keys: store.sweep(),
    ],
    ids=["write", "lock", "remove", "sweep"],
)
@pytest.mark.parametrize("known", [True, False], ids=["entered before", "not entered before"])
def test_a_directory_replaced_between_check_and_use_is_not_used(store, tmp_path, monkeypatch, work, known):
    """A user who may write to the directory above replaces it with a link to another directory of ours."""
    keys, victim = written(store), tmp_path / "victim"
    victim.mkdir()
    for name in (keys.name, "a" * 32 + ".tmp", "b" * 32 + ".hit"):
        (victim / name).write_text("precious")
    before = sorted(os.listdir(victim))
    looked_at = os.lstat
    once = iter([True])

    def exchange(path):
        if path == store.path and next(once, False):
            os.rename(store.path, tmp_path / "aside")
            os.symlink(victim, store.path)

    def look(path, **options):
        found = looked_at(path, **options)
        exchange(path)
        return found

    other = FileStore(store.path, warn=lambda _text: None)
    if known:
        assert other.read(keys) == {"a": 1}
    monkeypatch.setattr(os, "lstat", look)
    if known:
        exchange(store.path)
    work(other, keys)
    assert os.path.islink(store.path) or not known
    assert sorted(os.listdir(victim)) == before
    assert {(victim / name).read_text() for name in before} == {"precious"}


@pytest.mark.thorough
def test_no_descriptor_stays_open(store):
    before = open_descriptors()
    other = opened(store.path)
    keys = written(other)
    with held(other, keys.name):
        list(other.headers())
    other.sweep()
    del other
    assert open_descriptors() == before


# -- a directory of its own --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode_", [0o755, 0o700])
def test_a_directory_with_unrelated_files_is_refused_and_left_alone(tmp_path, mode_):
    path = tmp_path / "work"
    path.mkdir()
    path.chmod(mode_)
    (path / "notes.txt").write_text("mine")
    with pytest.raises(CacheError) as caught:
        opened(path).user_key()
    with pytest.raises(CacheError):  # in check mode
        opened(path).known_key()
    assert caught.value.message == (
        f"The token cache {path} contains files that do not belong to the cache, so tokens are not kept there. "
        "Set cache_path to a directory of your own (mode 0700)."
    )
    assert (mode(path), os.listdir(path)) == (oct(mode_), ["notes.txt"])
    with pytest.raises(CacheError):  # pruning would take the files of others for damaged entries
        list(opened(path).headers())
    assert (mode(path), os.listdir(path)) == (oct(mode_), ["notes.txt"])


@pytest.mark.parametrize("left", [[], ["key.lock"], ["0" * 32, "0" * 32 + ".hit", "0" * 32 + ".tmp", "0" * 32 + ".hit.lock"]])
def test_an_empty_directory_or_one_without_its_key_is_taken(tmp_path, left):
    path = tmp_path / "cache"
    path.mkdir()
    path.chmod(0o755)
    for name in left:
        (path / name).touch()
    assert opened(path).user_key()
    assert mode(path) == "0o700"


def test_only_writing_makes_a_directory_private(store):
    keys = written(store)
    os.chmod(store.path, 0o755)  # noqa: S103
    assert store.read(keys) == {"a": 1}
    assert len(list(store.headers())) == 1
    assert mode(store.path) == "0o755"
    written(store)
    assert mode(store.path) == "0o700"
