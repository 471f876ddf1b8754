# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file cache of one controller, in memory: what a file system does, with its moments in between."""

from __future__ import annotations

import contextlib
import json
import typing as t

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import LockTimeout
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import Keys
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from greenlet import getcurrent

from .world import World

__all__ = ("MemoryStore",)

_FILE_OPERATION = 0.001


class MemoryStore(FileStore):
    """Entries by name. Nothing is sealed here: that is what the tests of the file cache are for."""

    def __init__(self, world: World, name: str, *, interleave: bool) -> None:
        super().__init__(f"/simulated/{name}", warn=lambda text: None)
        self._world = world
        self._interleave = interleave
        self._entries: dict[str, str] = {}
        self._held: dict[str, t.Any] = {}
        self._waiting: dict[str, list[t.Any]] = {}

    def user_key(self) -> bytes:
        return b"k" * 32

    def read(self, keys: Keys) -> dict[str, t.Any] | None:
        self._give_way()
        found = self._entries.get(keys.name)
        return json.loads(found) if found is not None else None

    def write(self, keys: Keys, header: dict[str, t.Any], data: dict[str, t.Any]) -> bool:
        content = json.dumps(data)
        self._give_way()
        self._entries[keys.name] = content
        self._give_way()
        return True

    def remove(self, name: str) -> None:
        self._entries.pop(name, None)

    def purge(self) -> None:
        """As C(token_cache state=absent)."""
        self._entries.clear()

    def lock_holder(self, name: str) -> int | None:
        thread = self._held.get(name)
        return id(thread) % 100_000 if thread is not None else None

    @contextlib.contextmanager
    def try_lock(self, name: str) -> t.Iterator[bool]:
        self._give_way()
        mine = name not in self._held
        if mine:
            self._held[name] = getcurrent()
        try:
            yield mine
        finally:
            if mine:
                self._let_go(name)

    @contextlib.contextmanager
    def lock(self, name: str, *, timeout: float, monotonic: t.Callable[[], float], sleep: t.Callable[[float], None]) -> t.Iterator[bool]:
        end = self._world.now + timeout
        while name in self._held:
            me = getcurrent()
            self._waiting.setdefault(name, []).append(me)
            self._world.wake(me, after=max(0.0, end - self._world.now))  # whichever comes first
            self._world.park()
            if me in self._waiting.get(name, ()):
                self._waiting[name].remove(me)
            if name in self._held and self._world.now >= end:
                raise LockTimeout(f"process {self.lock_holder(name)} has held the lock {name} for {timeout:g} s.", holder=self.lock_holder(name))
        self._held[name] = getcurrent()
        try:
            yield True
        finally:
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        del self._held[name]
        waiting = self._waiting.pop(name, [])
        self._world.random.shuffle(waiting)
        for thread in waiting:
            self._world.wake(thread, after=_FILE_OPERATION * self._world.random.random())

    def _give_way(self) -> None:
        if self._interleave and self._world.process is not None:
            self._world.pause(_FILE_OPERATION * self._world.random.random())
