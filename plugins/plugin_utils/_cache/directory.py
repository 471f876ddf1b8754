# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Read from the directory of the file cache. A cache hit loads this file, but nothing that writes.

A file has an open line of JSON, readable with this user's rights (kind, vendor, Vault path, expiry), and a sealed copy of that line
with the data. A file that cannot be decrypted, parsed and matched is a miss, never an error: it is written again.
"""

from __future__ import annotations

import json
import os
import stat
import typing as t

from .crypto import Keys, open_sealed

__all__ = ("KEY_FILE", "KEY_SIZE", "SCHEMA", "Directory", "default_path", "file_state", "own_path")

SCHEMA = 1
KEY_FILE = "key"
KEY_SIZE = 32  # bytes
_LARGEST = 4 << 20


def default_path(environ: t.Mapping[str, str]) -> str:
    """``$XDG_CACHE_HOME/trackops/api_tokens``, with the XDG default of that variable."""
    base = environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(base):
        base = os.path.join(environ.get("HOME") or passwd_home(), ".cache")
    return os.path.join(base, "trackops", "api_tokens")


def passwd_home() -> str:
    """The home directory if C(HOME) is not set. For a user without a passwd entry it is ``/~``, not ``~`` in the working directory."""
    return os.path.join("/", os.path.expanduser("~"))


def own_path(option: str) -> str:
    """The directory for this value of C(cache_path)."""
    return os.path.abspath(os.path.expanduser(option)) if option else default_path(os.environ)


class Directory:
    """Sealed JSON objects by their :class:`Keys`.

    :raises CacheError: from any method, if the directory is not safely this user's.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    def __del__(self, close: t.Callable[[int], None] = os.close) -> None:
        if self._descriptor >= 0:
            close(self._descriptor)

    def known_key(self) -> bytes | None:
        """This user's random key, if it exists."""
        key = self._bytes(KEY_FILE)
        return key if key is not None and len(key) == KEY_SIZE else None

    def read(self, keys: Keys) -> dict[str, t.Any] | None:
        """The data written for these keys, or None."""
        raw = self._bytes(keys.name)
        if raw is None:
            return None
        line, _newline, sealed = raw.partition(b"\n")
        plain = open_sealed(keys, sealed)
        if plain is None:
            return None
        try:
            header, data = json.loads(plain)
            if header != json.loads(line) or header.get("schema") != SCHEMA:
                return None
        except (ValueError, TypeError, AttributeError, RecursionError):
            return None
        return data if isinstance(data, dict) else None

    def state(self, name: str) -> tuple[int, ...] | None:
        """A value that changes when another process replaces the file; None if it does not exist."""
        try:
            return _facts(os.stat(name, dir_fd=self._place(), follow_symlinks=False))
        except OSError:
            return None

    def _bytes(self, name: str) -> bytes | None:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=self._place())
        except OSError:
            return None
        try:
            about = os.fstat(descriptor)
            ours = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o077
            if not ours or about.st_size > _LARGEST:
                return None
            with open(descriptor, "rb", closefd=False) as file:
                return file.read()
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _place(self) -> int:
        """A descriptor of the directory, opened once: if others can write to a parent, the path may lead elsewhere a moment later."""
        if self._descriptor < 0:
            self._check(os.lstat(self.path))
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._check(os.fstat(self._descriptor))
        return self._descriptor

    def _check(self, about: os.stat_result) -> None:
        """Refuse a directory in which someone else could plant or read entries."""
        problem = (
            "is a symbolic link"
            if stat.S_ISLNK(about.st_mode)
            else "is not a directory"
            if not stat.S_ISDIR(about.st_mode)
            else "belongs to another user"
            if about.st_uid != os.geteuid()
            else "can be written by others"
            if about.st_mode & 0o022
            else ""
        )
        if problem:
            self._refuse(problem)

    def _refuse(self, problem: str) -> t.NoReturn:
        from .._base.errors import CacheError

        raise CacheError(f"The token cache {self.path} {problem}, so tokens are not kept there. Set cache_path to a directory of your own (mode 0700).")


def file_state(path: str) -> tuple[int, ...] | None:
    """A value that changes when the file at *path*, or at the end of its links, is replaced."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return _facts(about)


def _facts(about: os.stat_result) -> tuple[int, ...]:
    return about.st_ino, about.st_dev, about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_mode, about.st_uid
