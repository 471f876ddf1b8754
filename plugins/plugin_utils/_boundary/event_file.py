# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Append JSON lines to a file that only this user can write: the audit log, and the events for the summary."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from .safe_directory import UnsafePath, safe_directory

__all__ = ("UnsafeFile", "append_line")

# O_NONBLOCK: opening a FIFO must not block.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_OTHERS_WRITE = 0o022


class UnsafeFile(Exception):
    """The file must not be written to; the text says why and what to do."""


def append_line(path: str, record: t.Mapping[str, t.Any]) -> None:
    """Append *record* in a single write, so that lines of several processes do not mix. The file is created with mode 0600.

    :raises UnsafeFile: another user can write to, owns or can replace the file, or it is not a file of JSON lines.
    :raises OSError: from the system.
    """
    line = json.dumps(record, ensure_ascii=True) + "\n"
    folder, name = os.path.split(path)
    try:
        with safe_directory(folder) as place:
            descriptor = os.open(name or ".", _FLAGS, 0o600, dir_fd=place)
    except UnsafePath as exc:
        raise UnsafeFile(f"{exc}. Name a file whose path others cannot change.") from None
    try:
        _check(descriptor)
        os.write(descriptor, line.encode("ascii"))
    finally:
        os.close(descriptor)


def _check(descriptor: int) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFile("it is not a regular file. Name another file.")
    if found.st_uid not in (os.geteuid(), 0):
        raise UnsafeFile("it belongs to another user. Name a file of your own.")
    if found.st_mode & _OTHERS_WRITE:
        raise UnsafeFile(f"others can write to it (mode {stat.S_IMODE(found.st_mode):04o}). Run chmod 600 on it.")
    if found.st_nlink > 1:
        raise UnsafeFile("it has a second name (a hard link). Remove that, or name another file.")
    # The lines hold untrusted text, which would run as commands if appended to a shell's start-up file.
    if os.pread(descriptor, 1, 0) not in (b"", b"{"):
        raise UnsafeFile("it contains something other than JSON lines. Name a new file.")
