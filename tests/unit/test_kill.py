# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writers are killed with SIGKILL at random moments while readers run.

TRACKOPS_KILLS sets the number of kills (300 by default; 10,000 take some minutes: ``TRACKOPS_KILLS=10000 pytest tests/unit/test_kill.py``).
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import derive
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore

pytestmark = pytest.mark.system

FORK = multiprocessing.get_context("fork")
KILLS = int(os.environ.get("TRACKOPS_KILLS") or 300)
SIZES = (10, 5_000, 50_000)


def _store(path):
    return FileStore(path, warn=print)


def _keys(store):
    return derive(store.user_key(), b"login", "facts")


def _entry(number):
    return {"number": number, "padding": str(number) * SIZES[number % len(SIZES)]}


def _lock(store, name, timeout=300.0):
    return store.lock(name, timeout=timeout, monotonic=time.monotonic, sleep=time.sleep)


def _write_for_ever(path, started):
    store = _store(path)
    keys = _keys(store)
    number = os.getpid()
    started.release()
    while True:
        with _lock(store, keys.name) as mine:
            if not mine:
                os._exit(3)
            store.write(keys, {"kind": "token"}, _entry(number))
        number += 1


def _read_until(path, stop, reads, trouble):
    store = _store(path)
    keys = _keys(store)
    while not stop.is_set():
        found = store.read(keys)
        # There was an entry before the first kill: from then on there is always one, and it is complete.
        if found is None or found != _entry(found["number"]):
            trouble.value += 1
        reads.value += 1
        time.sleep(0.001)  # leaves the processor to the writers


def test_killed_writers_leave_no_damaged_entry_and_no_lock(tmp_path):
    path = str(tmp_path / "cache")
    store = _store(path)
    keys = _keys(store)
    assert store.write(keys, {"kind": "token"}, _entry(1))
    stop, started = FORK.Event(), FORK.Semaphore(0)
    reads, trouble = FORK.Value("L", 0), FORK.Value("L", 0)
    reader = FORK.Process(target=_read_until, args=(path, stop, reads, trouble))
    reader.start()
    writers = []
    chance = random.Random(2026)
    try:
        for _ in range(KILLS):
            while len(writers) < 2:
                writers.append(FORK.Process(target=_write_for_ever, args=(path, started)))
                writers[-1].start()
                assert started.acquire(timeout=300)
            time.sleep(chance.random() * 0.004)
            victim = writers.pop(chance.randrange(len(writers)))
            os.kill(victim.pid, signal.SIGKILL)
            victim.join()
            assert victim.exitcode == -signal.SIGKILL
    finally:
        for writer in writers:
            writer.kill()
            writer.join()
        stop.set()
        reader.join(300)
    assert reader.exitcode == 0
    assert trouble.value == 0
    assert reads.value > KILLS / 10
    # No lock is held, although its file may remain, and writers still work.
    with _lock(store, keys.name, timeout=0) as mine:
        assert mine
        assert store.write(keys, {"kind": "token"}, _entry(7))
    assert store.read(keys) == _entry(7)
    store.sweep()
    assert sorted(os.listdir(path)) == sorted(["key", keys.name])
