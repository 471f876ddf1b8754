# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Open a directory by its path, even if others may write to one of its parents.

A checked path can lead elsewhere a moment later. So each directory is opened relative to its parent, and no link is followed that
another user has created or can replace.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

__all__ = ("UnsafePath", "safe_directory")

# O_PATH: this user may have the right to pass through a parent, but not to list it.
_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_MOST_LINKS = 40  # as in Linux


class UnsafePath(Exception):
    """Another user can decide where the path leads; the text names the link."""


@contextlib.contextmanager
def safe_directory(path: str) -> t.Iterator[int]:
    """A descriptor of the directory *path*, for ``dir_fd``.

    :raises UnsafePath: a link in the path belongs to another user, or can be replaced by one.
    :raises OSError: from the system.
    """
    with contextlib.ExitStack() as steps:
        yield _walk(path, steps)


def _walk(path: str, steps: contextlib.ExitStack) -> int:
    def enter(name: str, above: int | None = None) -> int:
        descriptor = os.open(name, _DIRECTORY, dir_fd=above)
        steps.callback(os.close, descriptor)
        return descriptor

    here, names, links = enter("/" if path.startswith("/") else "."), _names(path), 0
    while names:
        name = names.pop(0)
        found = os.stat(name, dir_fd=here, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            here = enter(name, here)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if not (_is_trusted(found) and _is_kept(os.fstat(here))):
            raise UnsafePath(f"the link {name} on its path belongs to another user, or can be replaced by one")
        target = os.readlink(name, dir_fd=here)
        names[:0] = _names(target)
        if target.startswith("/"):
            here = enter("/")
    return here


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _is_trusted(found: os.stat_result) -> bool:
    return found.st_uid in (0, os.geteuid())


def _is_kept(directory: os.stat_result) -> bool:
    """Whether no other user can replace a link of ours in it."""
    return _is_trusted(directory) and bool(directory.st_mode & stat.S_ISVTX or not directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
