# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The file cache: sealed entries in a private directory, one ``flock`` per entry, atomic replace."""

from __future__ import annotations

import bisect
import contextlib
import errno
import fcntl
import json
import os
import re
import typing as t

from .._base.errors import LockTimeout
from .crypto import Keys, seal
from .directory import KEY_FILE, KEY_SIZE, SCHEMA, Directory

__all__ = ("FileStore", "Header")

_ENTRY = re.compile(r"[0-9a-f]{32}\Z")
_POINTER = re.compile(r"[0-9a-f]{32}\.hit\Z")
_OURS = re.compile(r"(?:[0-9a-f]{32}(?:\.hit)?|key)(?:\.lock|\.tmp)?\Z")
_FIRST_NAP, _LONGEST_NAP = 0.005, 0.05

Header = dict[str, t.Any]


class FileStore(Directory):
    """Sealed JSON objects by their :class:`Keys`.

    :arg warn: receives one line if the directory cannot be written; everything then works without a cache.
    :raises CacheError: from any method, if the directory is not safely this user's.
    """

    def __init__(self, path: str, *, warn: t.Callable[[str], None]) -> None:
        super().__init__(path)
        self._warn = warn
        self._user_key: bytes | None = None
        self._warned = False
        self._lockless = False

    def user_key(self) -> bytes:
        """This user's random key; created when first needed, and kept only in memory if it cannot be written."""
        if self._user_key is None:
            self._user_key = self.known_key() or self._make_key()
        return self._user_key

    def known_key(self) -> bytes | None:
        """This user's random key, if it exists. A directory without one must contain no foreign files."""
        key = super().known_key()
        if key is None:
            self._check_own()
        return key

    def _check_own(self) -> None:
        if not all(map(_OURS.match, self._names())):
            self._refuse("contains files that do not belong to the cache")

    def _names(self) -> list[str]:
        """All names in the directory; empty if it does not exist."""
        try:
            # A separate descriptor: processes that inherit a descriptor share its read position.
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._place())
        except OSError:
            return []
        try:
            return sorted(os.listdir(descriptor))
        except OSError:
            return []
        finally:
            os.close(descriptor)

    def write(self, keys: Keys, header: Header, data: dict[str, t.Any]) -> bool:
        """Replace the entry atomically; the caller holds its lock. False if the directory cannot be written."""
        header = {"schema": SCHEMA, **header}
        sealed = seal(keys, json.dumps([header, data]).encode())
        return self._replace(keys.name, json.dumps(header).encode() + b"\n" + sealed + b"\n")

    def remove(self, name: str) -> None:
        with self._tolerant(), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._place())

    def headers(self, start: str = "") -> t.Iterator[tuple[str, Header]]:
        """The names and open lines of all entries, from the name *start* to the end, then from the beginning; the line of an unreadable entry is empty."""
        self.known_key()
        for name in _rotated(self._names(), start):
            if _ENTRY.match(name):
                yield name, self.header(name)

    def sweep(self, start: str = "", *, most: int | None = None) -> None:
        """Remove the remains of killed processes (unheld locks, half-written files), and pointers to entries that no longer exist.

        :arg most: how many files to check, from the name *start* to the end, then from the beginning; None for all.
        """
        names = self._names()
        there = set(names)
        for name in _rotated(names, start)[:most]:
            stem, dot, suffix = name.rpartition(".")
            if dot and suffix in ("lock", "tmp") and _OURS.match(name):
                with self.try_lock(stem) as mine:
                    if mine and suffix == "tmp":
                        self.remove(name)
            elif _POINTER.match(name) and str(self.header(name).get("entry")) not in there:
                self.remove(name)

    def header(self, name: str) -> Header:
        """The open line of a file; empty if it cannot be read."""
        raw = self._bytes(name) or b""
        try:
            header = json.loads(raw.partition(b"\n")[0])
        except (ValueError, RecursionError):
            return {}
        return header if isinstance(header, dict) else {}

    @contextlib.contextmanager
    def try_lock(self, name: str) -> t.Iterator[bool]:
        """Try to lock an entry without waiting; yields whether the lock was acquired."""
        descriptor = self._acquire(name)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                self._release(name, descriptor)

    @contextlib.contextmanager
    def lock(self, name: str, *, timeout: float, monotonic: t.Callable[[], float], sleep: t.Callable[[float], None]) -> t.Iterator[bool]:
        """Wait for the lock of an entry; yields False if locks do not work here.

        :raises LockTimeout: another process has held it for *timeout* seconds.
        """
        descriptor = None
        end, nap = monotonic() + timeout, _FIRST_NAP
        while True:
            descriptor = self._acquire(name)
            if descriptor is not None or not self._lockable():
                break
            if monotonic() >= end:
                raise self._lock_timeout(name, timeout)
            sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                self._release(name, descriptor)

    def lock_holder(self, name: str) -> int | None:
        """The process that holds, or last held, an entry's lock; None if unknown."""
        raw = self._bytes(name + ".lock") or b""
        return int(raw) if raw.strip().isdigit() else None

    def _lock_timeout(self, name: str, seconds: float) -> LockTimeout:
        holder, path = self.lock_holder(name), os.path.join(self.path, name + ".lock")
        if holder is None:
            return LockTimeout(f"another process has held the lock {path} for {seconds:g} s. Find it with fuser {path}, and stop it.")
        program, stopped = _process(holder)
        advice = f"It is suspended: resume it (kill -CONT {holder}) or stop it" if stopped else "Check what it is waiting for, or stop it"
        return LockTimeout(f"process {holder}{program} has held the lock {path} for {seconds:g} s. {advice}.", holder=holder)

    def memory(self) -> str:
        """Who can find written entries again: later C(runs), or nobody (empty). Known after the first lock request."""
        return "" if self._warned else "runs"

    def succeeded_unstored(self, _keys: Keys) -> bool:
        """Whether the last attempt succeeded but its result could not be stored for the waiting callers."""
        return False

    def _lockable(self) -> bool:
        """Whether locks work here: the last one requested was acquired, or another process held it."""
        return not self._lockless

    def _acquire(self, name: str) -> int | None:
        """Lock the file ``<name>.lock``; a file that its holder removed in the meantime is no longer a lock."""
        file = name + ".lock"
        self._lockless = False
        with self._tolerant():
            place = self._place()
            while True:
                descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=place)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _same_file(descriptor, file, place):
                        with contextlib.suppress(OSError):  # the process id is only for people
                            os.pwrite(descriptor, b"%-10d\n" % os.getpid(), 0)
                        return descriptor
                except BlockingIOError:
                    os.close(descriptor)
                    return None
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)
        self._lockless = True
        return None

    def _release(self, name: str, descriptor: int) -> None:
        # Removed while still held: a process that opened it in the meantime notices, and creates a new one.
        self.remove(name + ".lock")
        os.close(descriptor)

    def _replace(self, name: str, content: bytes) -> bool:
        """Write a file completely or not at all. Its lock is held, so no other process uses the temporary name."""
        temporary = name + ".tmp"
        with self._tolerant():
            place = self._place()
            if os.fstat(place).st_mode & 0o077:
                os.fchmod(place, 0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                with open(os.open(temporary, flags, 0o600, dir_fd=place), "wb") as file:
                    os.fchmod(file.fileno(), 0o600)
                    file.write(content)
                os.replace(temporary, name, src_dir_fd=place, dst_dir_fd=place)
            except OSError:
                _discard(temporary, place)
                raise
            return True
        return False

    def _make_key(self) -> bytes:
        import time

        fresh = os.urandom(KEY_SIZE)
        self._make_directory()
        with self.lock(KEY_FILE, timeout=10, monotonic=time.monotonic, sleep=time.sleep):
            existing = self.known_key()  # another process may have been first
            if existing is None:
                self._replace(KEY_FILE, fresh)
        return existing or fresh

    def _make_directory(self) -> None:
        """Create the directory; an existing one is accepted only if it contains no foreign files."""
        with self._tolerant():
            umask = os.umask(0o077)  # a mode would apply to the last directory only, and others could replace that in its parents
            try:
                os.makedirs(self.path, exist_ok=True)
            finally:
                os.umask(umask)
            self._check_own()
            os.fchmod(self._place(), 0o700)

    @contextlib.contextmanager
    def _tolerant(self) -> t.Iterator[None]:
        """If the directory cannot be written, warn once and go on without the cache; the token must not fail."""
        try:
            yield
        except OSError as exc:
            if not self._warned:
                self._warned = True
                self._warn(
                    f"The token cache {self.path} cannot be written ({_why(exc)}): "
                    "tokens are fetched without it. Set cache_path to a directory that can be written."
                )


def _rotated(names: list[str], start: str) -> list[str]:
    """The sorted *names* from *start* on, then those before it."""
    at = bisect.bisect_left(names, start)
    return names[at:] + names[:at]


def _process(pid: int) -> tuple[str, bool]:
    """The name of a process, to show after its id, and whether it is stopped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            name, _parenthesis, rest = file.read().partition(b"(")[2].rpartition(b")")
    except OSError:
        return "", False
    shown = "".join(c if c.isprintable() else "?" for c in name.decode(errors="replace"))
    return f" ({shown})", rest.split()[:1] in ([b"T"], [b"t"])


def _discard(name: str, place: int) -> None:
    """Remove a file; if that is impossible (append-only directory), empty it."""
    with contextlib.suppress(OSError):
        try:
            os.unlink(name, dir_fd=place)
        except OSError:
            os.close(os.open(name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place))


def _why(exc: OSError) -> str:
    reason = os.strerror(exc.errno or 0)
    if exc.errno != errno.EPERM:
        return reason
    # The directory belongs to this user, so only the file system can refuse.
    return f"{reason}: it is immutable or append-only, lsattr shows it, chattr changes it; or its file system keeps no permissions (CIFS, FUSE, FAT)"


def _same_file(descriptor: int, name: str, place: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(name, dir_fd=place, follow_symlinks=False))
    except FileNotFoundError:
        return False
