# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kill -9 at any moment: readers beside the writers never get a damaged entry, and no lock stays behind."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from support.collection import source_path
from support.places import TESTS

# TRACKOPS_KILLS=10000 for the whole proof: about two minutes.
KILLS = int(os.environ.get("TRACKOPS_KILLS", "600"))


def test_writers_killed_at_random(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, str(pathlib.Path(__file__).resolve()), str(tmp_path / "cache"), str(KILLS)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(source_path()), str(TESTS)))}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[0] == "sound"
    assert int(done.stdout.split()[1]) > KILLS / 20, "too few readings to tell anything: " + done.stdout


def _store(folder: str):  # type: ignore[no-untyped-def] # noqa: ANN202
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils.file_cache import FileStore

    return FileStore(folder, warn=lambda text: sys.exit(f"warned: {text}"))


def _write_for_ever(folder: str) -> None:
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils.crypto import derive

    store = _store(folder)
    keys = derive(store.user_key(), b"login", "facts")
    while True:
        with store.lock(keys.name, timeout=10, monotonic=time.monotonic, sleep=time.sleep) as mine:
            if not mine:
                sys.exit("no lock")
            text = chr(97 + random.randrange(26)) * random.choice((10, 5000, 60000))
            store.write(keys, {"kind": "test"}, {"text": text, "length": len(text)})


def _read_for_ever(folder: str, report: int) -> None:
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils.crypto import derive

    store = _store(folder)
    keys = derive(store.user_key(), b"login", "facts")
    seen = False
    while True:
        data = store.read(keys)
        if data is None and seen:
            os.write(report, b"X")  # once there is an entry, there is one at each moment
        elif data is not None:
            seen = True
            sound = len(data["text"]) == data["length"] and len(set(data["text"])) == 1
            os.write(report, b"." if sound else b"X")
        time.sleep(0.001)


def _fork(work, *arguments) -> int:  # type: ignore[no-untyped-def] # noqa: ANN001, ANN002
    pid = os.fork()
    if pid == 0:
        try:
            work(*arguments)
        finally:
            os._exit(1)
    return pid


def _kill(pid: int) -> bool:
    """Whether it was still at work."""
    ended, _status = os.waitpid(pid, os.WNOHANG)
    if ended:
        return False
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def main(folder: str, kills: int) -> None:
    _store(folder)  # what all need is imported here, once
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils.crypto import derive, open_sealed, seal

    open_sealed(derive(b"\0" * 32, b"", ""), seal(derive(b"\0" * 32, b"", ""), b""))
    reading, report = os.pipe()
    os.set_blocking(reading, False)
    readers = [_fork(_read_for_ever, folder, report) for _ in range(2)]
    seen = bytearray()
    writers = [_fork(_write_for_ever, folder) for _ in range(3)]
    for number in range(kills):
        time.sleep(random.uniform(0, 0.008))
        if not _kill(writers[number % 3]):
            sys.exit("a writer ended by itself")
        writers[number % 3] = _fork(_write_for_ever, folder)
        try:
            seen += os.read(reading, 1 << 16)
        except BlockingIOError:
            pass
    for pid in (*writers, *readers):
        _kill(pid)
    store = _store(folder)
    keys = derive(store.user_key(), b"login", "facts")
    with store.try_lock(keys.name) as mine:
        if not mine:
            sys.exit("a lock stayed behind")
        store.write(keys, {"kind": "test"}, {"text": "a", "length": 1})
    store.sweep()
    left = sorted(set(os.listdir(folder)) - {"key", keys.name})
    if left or b"X" in seen or store.read(keys) is None:
        sys.exit(f"left {left}, damaged {seen.count(b'X')} of {len(seen)}")
    print("sound", len(seen))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
