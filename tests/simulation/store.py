# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file cache of one controller in memory. Like on a file system, others can act between its operations."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import typing as t

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import LockTimeout
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import Keys
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from greenlet import getcurrent

from .world import World

__all__ = ("Disk", "MemoryStore")

_FILE_OPERATION = 0.001


@dataclasses.dataclass
class Disk:
    """The files of one controller, and the holders of its locks. A process that dies releases its locks; a stopped one does not."""

    path: str
    full: bool = False
    files: dict[str, tuple[str, str, int]] = dataclasses.field(default_factory=dict)  # header, data, number of the write
    writes: int = 0
    held: dict[str, tuple[t.Any, int]] = dataclasses.field(default_factory=dict)
    waiting: dict[str, list[t.Any]] = dataclasses.field(default_factory=dict)


class MemoryStore(FileStore):
    """One process's view of the disk. Nothing is encrypted here: the tests of the file cache cover that.

    :arg interleave: give way before and after each file operation, not only at locks.
    """

    def __init__(self, disk: Disk, world: World, *, interleave: bool, warn: t.Callable[[str], None] = lambda text: None) -> None:
        super().__init__(disk.path, warn=warn)
        self.disk = disk
        self._world = world
        self._interleave = interleave

    def user_key(self) -> bytes:
        return b"k" * 32

    def known_key(self) -> bytes | None:
        return b"k" * 32

    def read(self, keys: Keys) -> dict[str, t.Any] | None:
        self._give_way()
        found = self.disk.files.get(keys.name)
        return json.loads(found[1]) if found is not None else None

    def state(self, name: str) -> tuple[int, ...] | None:
        found = self.disk.files.get(name)
        return None if found is None else (found[2],)

    def write(self, keys: Keys, header: dict[str, t.Any], data: dict[str, t.Any]) -> bool:
        content = (json.dumps(header), json.dumps(data))
        self._give_way()
        with self._tolerant():
            if self.disk.full:
                raise OSError(errno.ENOSPC, "")
            self.disk.writes += 1
            self.disk.files[keys.name] = (*content, self.disk.writes)
            self._give_way()
            return True
        return False

    def remove(self, name: str) -> None:
        self._give_way()
        self.disk.files.pop(name, None)
        self._give_way()

    def headers(self, start: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
        for name in self._around(start):
            if not name.endswith(".hit") and name in self.disk.files:
                yield name, self.header(name)

    def header(self, name: str) -> dict[str, t.Any]:
        found = self.disk.files.get(name)
        return json.loads(found[0]) if found is not None else {}

    def _around(self, start: str) -> list[str]:
        return sorted(self.disk.files, key=lambda name: (name < start, name))

    def sweep(self, start: str = "", *, most: int | None = None) -> None:
        for name in self._around(start)[:most]:
            if name.endswith(".hit") and name in self.disk.files and self.header(name).get("entry") not in self.disk.files:
                self.remove(name)

    def lock_holder(self, name: str) -> int | None:
        held = self.disk.held.get(name)
        return held[1] if held is not None else None

    @contextlib.contextmanager
    def try_lock(self, name: str) -> t.Iterator[bool]:
        self._give_way()
        mine = False
        with self._tolerant():
            mine = self._take(name)
        try:
            yield mine
        finally:
            if mine:
                self._let_go(name)

    @contextlib.contextmanager
    def lock(self, name: str, *, timeout: float, monotonic: t.Callable[[], float], sleep: t.Callable[[float], None]) -> t.Iterator[bool]:
        self._give_way()
        world, mine, end = self._world, False, self._world.now + timeout
        while self._lockable():
            with self._tolerant():
                mine = self._take(name)
            if mine or not self._lockable():
                break
            if world.now >= end:
                raise LockTimeout(f"process {self.lock_holder(name)} has held the lock {name} for {timeout:g} s.", holder=self.lock_holder(name))
            me = getcurrent()
            self.disk.waiting.setdefault(name, []).append(me)
            world.wake(me, after=max(0.0, end - world.now))  # whichever comes first
            world.park()
            if me in self.disk.waiting.get(name, ()):
                self.disk.waiting[name].remove(me)
        try:
            yield mine
        finally:
            if mine:
                self._let_go(name)

    def _lockable(self) -> bool:
        return not self._warned

    def _take(self, name: str) -> bool:
        if name in self.disk.held:
            return False
        if self.disk.full:
            raise OSError(errno.ENOSPC, "")
        self.disk.held[name] = (getcurrent(), self._world.pid)
        return True

    def _let_go(self, name: str) -> None:
        if self.disk.held.pop(name)[0] is not getcurrent():
            raise RuntimeError(f"{name} is let go by somebody else")
        waiting = self.disk.waiting.pop(name, [])
        self._world.random.shuffle(waiting)
        for thread in waiting:
            self._world.wake(thread, after=_FILE_OPERATION * self._world.random.random())

    def _give_way(self) -> None:
        self._world.check()
        if self._interleave and self._world.process is not None:
            self._world.pause(_FILE_OPERATION * self._world.random.random())
