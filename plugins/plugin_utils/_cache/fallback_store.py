# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A cache that, if it cannot be written, still gives a run its locks and its memory of failures."""

from __future__ import annotations

import contextlib
import typing as t

from .crypto import Keys
from .file_store import FileStore, Header

__all__ = ("FallbackStore",)


class FallbackStore(FileStore):
    """A :class:`FileStore` that uses a directory of the run if its own cannot be written or locked.

    There it keeps no tokens or logins: only failures, sealed like all entries, so that a wrong password is tried once; and whether the
    last attempt succeeded.

    :arg spare: the store of the run, removed at its end. It is read on a miss, and created when needed.
    """

    def __init__(self, path: str, *, warn: t.Callable[[str], None], spare: FileStore) -> None:
        super().__init__(path, warn=warn)
        self._spare = spare

    def read(self, keys: Keys) -> dict[str, t.Any] | None:
        found, noted = super().read(keys), self._spare.read(keys)
        return found if noted is None else {**(found or {}), "failures": noted.get("failures")}

    def write(self, keys: Keys, header: Header, data: dict[str, t.Any]) -> bool:
        if super().write(keys, header, data):
            self._spare.remove(keys.name)
            return True
        if "failures" in data:
            well = not data["failures"] and bool(data.get("token") or data.get("login"))
            noted = {"failures": data["failures"], "succeeded_unstored": well}
            if noted != self._spare.read(keys):
                self._made().write(keys, header, noted)
        return False

    def remove(self, name: str) -> None:
        super().remove(name)
        self._spare.remove(name)

    def succeeded_unstored(self, keys: Keys) -> bool:
        return (self._spare.read(keys) or {}).get("succeeded_unstored") is True

    def memory(self) -> str:
        return super().memory() or ("run" if self._spare.memory() else "")

    @contextlib.contextmanager
    def try_lock(self, name: str) -> t.Iterator[bool]:
        with contextlib.ExitStack() as stack:
            mine = stack.enter_context(super().try_lock(name))
            if not self._lockable():
                mine = stack.enter_context(self._made().try_lock(name))
            yield mine

    @contextlib.contextmanager
    def lock(self, name: str, *, timeout: float, monotonic: t.Callable[[], float], sleep: t.Callable[[float], None]) -> t.Iterator[bool]:
        with contextlib.ExitStack() as stack:
            mine = stack.enter_context(super().lock(name, timeout=timeout, monotonic=monotonic, sleep=sleep))
            if not mine:
                mine = stack.enter_context(self._made().lock(name, timeout=timeout, monotonic=monotonic, sleep=sleep))
            yield mine

    def lock_holder(self, name: str) -> int | None:
        holder = super().lock_holder(name)
        return self._spare.lock_holder(name) if holder is None else holder

    def _make_key(self) -> bytes:
        made = super()._make_key()
        # All processes of the run need the same key, or they cannot find each other's locks and failures.
        return made if made == self.known_key() else self._made().user_key()

    def _made(self) -> FileStore:
        self._spare.user_key()  # creates the directory
        return self._spare
