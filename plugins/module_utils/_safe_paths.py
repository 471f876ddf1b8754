# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Open paths on a host safely while other users may change them. Runs on targets, with Python 2.7 or 3.6 and later.

A checked path can lead elsewhere a moment later if another user may write to a directory in it. So the directory of a file is entered
step by step, and then the file is accessed by its bare name.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import stat

from ansible.module_utils.common.text.converters import to_bytes, to_native

LARGEST = 16 << 20  # bytes
_MOST_LINKS = 40  # as in Linux
_NO_PERMISSIONS = "its file system keeps no permissions (CIFS, FUSE, FAT)"
_FAULTS = {errno.EACCES: "denied", errno.EPERM: "denied", errno.EROFS: "denied", errno.ENOENT: "directory", errno.ENOTDIR: "directory", errno.ELOOP: "path"}


class FileError(Exception):
    """Why a file was not changed. ``fault`` is one word, for which the controller has a code."""

    def __init__(self, message, fault="path"):
        Exception.__init__(self, message)
        self.fault = fault


class _Exchanged(Exception):
    """A directory is not the one that was checked. If this happens only once, a file system may just have been mounted there."""


def enter(dest):
    """Make the directory of *dest*, or its innermost existing parent, the working directory.

    Returns the names of the missing directories, outermost first. Raises FileError if other users can redirect the path.
    """
    exchanged = None
    for _each in dest.split("/"):  # a file system may be mounted at every step
        try:
            return _walk(dest)
        except _Exchanged as exc:
            if exchanged == str(exc):
                break
            exchanged = str(exc)
    raise FileError("%s was replaced while it was checked" % exchanged)


def _walk(dest):
    names = _parts(os.path.dirname(dest))
    of_links = links = 0  # pending names that come from links; links so far
    path, above = _root()
    while names:
        name = names[0]
        try:
            found = os.lstat(to_bytes(name))
        except EnvironmentError as exc:
            if exc.errno == errno.ENOENT and not of_links:
                return names
            raise
        names, of_links = names[1:], max(0, of_links - 1)
        here = os.path.normpath(os.path.join(path, name))
        if not stat.S_ISLNK(found.st_mode):
            path, above = here, _step(here, name, found)
            continue
        if not (_is_trusted(found) and _is_kept(above)):
            # Trust only links of root and our own that no other user can replace.
            raise FileError("%s is a symlink that belongs to another user, or can be replaced by one; it is not followed" % here)
        links += 1
        if links > _MOST_LINKS:
            raise EnvironmentError(errno.ELOOP, os.strerror(errno.ELOOP))
        # Resolved here, not by the system, because each directory in the link's target must be checked, too.
        target = to_native(os.readlink(to_bytes(name)), errors="surrogate_or_strict")
        if target.startswith("/"):
            path, above = _root()
        names, of_links = _parts(target) + names, len(_parts(target)) + of_links
    return []


def _root():
    os.chdir("/")
    return "/", os.stat(".")


def _parts(path):
    return [name for name in path.split("/") if name not in ("", ".")]


def _step(path, name, found):
    """Enter *name*, whose lstat result is *found*. Returns the stat result of the directory."""
    if not stat.S_ISDIR(found.st_mode):
        raise FileError("%s is not a directory" % path)
    os.chdir(to_bytes(name))
    here = os.stat(".")
    if (here.st_dev, here.st_ino) != (found.st_dev, found.st_ino):
        raise _Exchanged(path)
    if here.st_mode & stat.S_IWOTH and not here.st_mode & stat.S_ISVTX:
        raise FileError("every user can replace files in %s; remove the write permission of others from it" % path)
    return here


def _is_trusted(status):
    return status.st_uid in (0, os.geteuid())


def _is_kept(directory):
    """Whether only we can replace our links in it."""
    return _is_trusted(directory) and bool(directory.st_mode & stat.S_ISVTX or not directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def read_file(name):
    """The content and the stat result of the regular file *name*; None if it does not exist."""
    try:
        _refuse_other_than_file(os.lstat(to_bytes(name)))
        # Between the calls the file may have become a link or FIFO: do not follow, do not block.
        handle = os.open(to_bytes(name), os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except EnvironmentError as exc:
        if exc.errno == errno.ENOENT:
            return None
        raise
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        _refuse_other_than_file(status)
        content = stream.read(LARGEST + 1)
    refuse_large(content)
    return content, status


def refuse_large(content):
    """Reject a large file: its owner may have made it any size."""
    if len(content) > LARGEST:
        raise FileError("is larger than %d MiB, so it is not a token file" % (LARGEST >> 20), "file")


def _refuse_other_than_file(status):
    if stat.S_ISLNK(status.st_mode):
        raise FileError("is a symlink; it is not followed. Remove it, or give the path of the file itself")
    if stat.S_ISDIR(status.st_mode):
        raise FileError("is a directory; give the path of a file")
    if not stat.S_ISREG(status.st_mode):
        raise FileError("is not a regular file")


def reason(exc):
    """The text to report for *exc*. Another user may have provoked it, so this is never more than the system's own message."""
    if isinstance(exc, FileError):
        return str(exc)
    if not isinstance(exc, EnvironmentError) or not exc.strerror:
        return type(exc).__name__
    if exc.errno == errno.EPERM and os.geteuid() == 0:
        # Only the file system can refuse root.
        return exc.strerror + "; it or its directory may be immutable or append-only (lsattr shows it, chattr changes it), or " + _NO_PERMISSIONS
    if exc.errno == errno.EBUSY:
        return exc.strerror + "; it is a mount point of its own: mount its directory, in which it can be replaced"
    if exc.errno == errno.EPERM:
        return exc.strerror + become() + ", or " + _NO_PERMISSIONS
    return exc.strerror + (become() if exc.errno == errno.EACCES else "")


def fault(exc):
    """The subject of *exc*: path, denied, directory, owner, or the file itself."""
    if isinstance(exc, FileError):
        return exc.fault
    return _FAULTS.get(getattr(exc, "errno", None), "file")


def become():
    """Advice after a denial; empty for root, who cannot get more rights."""
    return "" if os.geteuid() == 0 else "; run the task with become, or as a user who may"


def name_of(number, look_up):
    """The name of the user or group *number*, or the number if it has no name. *look_up* is pwd.getpwuid or grp.getgrgid."""
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)
