# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Paths on a host on which not only we are at work. Runs on targets, with Python 2.7 or 3.6 and later.

A path that was checked can lead elsewhere a moment later, if somebody else may write to a directory in it. So the directory of a file
is entered, step by step, and from then on the file is known by its name alone.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os
import stat

from ansible.module_utils.common.text.converters import to_bytes, to_native

LARGEST = 16 << 20  # bytes
_MOST_LINKS = 40  # as Linux has it
_NO_PERMISSIONS = "its file system keeps no permissions (CIFS, FUSE, FAT)"
_FAULTS = {errno.EACCES: "denied", errno.EPERM: "denied", errno.EROFS: "denied", errno.ENOENT: "directory", errno.ENOTDIR: "directory", errno.ELOOP: "path"}


class FileError(Exception):
    """Why a file was left as it was. ``fault`` is one word for it, for which the controller has a code."""

    def __init__(self, message, fault="path"):
        Exception.__init__(self, message)
        self.fault = fault


class _Exchanged(Exception):
    """A directory was not the one that had been looked at. Once, that can be a file system that was just mounted there."""


def enter(dest):
    """Make the directory of *dest*, or the innermost above it that is there, the working directory.

    Returns the names of the directories that are missing, the outermost first. Raises FileError where others can bend the path.
    """
    exchanged = None
    for _each in dest.split("/"):  # at every step a file system may be mounted
        try:
            return _walk(dest)
        except _Exchanged as exc:
            if exchanged == str(exc):
                break
            exchanged = str(exc)
    raise FileError("%s is exchanged while it is looked at" % exchanged)


def _walk(dest):
    names = _parts(os.path.dirname(dest))
    of_links = links = 0  # names to come that links have put there; links so far
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
            # Links of root and our own are part of the system, unless somebody else can exchange them.
            raise FileError("%s is a symlink that belongs to another user, or can be replaced by one; it is not followed" % here)
        links += 1
        if links > _MOST_LINKS:
            raise EnvironmentError(errno.ELOOP, os.strerror(errno.ELOOP))
        # Not by the system: what the link leads through has to be checked, too.
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
    """Enter *name*, of which *found* is known. Returns what is known of the directory."""
    if not stat.S_ISDIR(found.st_mode):
        raise FileError("%s is not a directory" % path)
    os.chdir(to_bytes(name))
    here = os.stat(".")
    if (here.st_dev, here.st_ino) != (found.st_dev, found.st_ino):
        raise _Exchanged(path)
    if here.st_mode & stat.S_IWOTH and not here.st_mode & stat.S_ISVTX:
        raise FileError("everyone may replace files in %s; take the write permission of others from it" % path)
    return here


def _is_trusted(status):
    return status.st_uid in (0, os.geteuid())


def _is_kept(directory):
    """Whether only we can replace our links in it."""
    return _is_trusted(directory) and bool(directory.st_mode & stat.S_ISVTX or not directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def read_file(name):
    """What the regular file *name* holds and what is known of it, or None where there is nothing."""
    try:
        _refuse_other_than_file(os.lstat(to_bytes(name)))
        # Between the two calls a link or a FIFO may have taken the place: not followed, and not waited for.
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
    """The owner of a file may have made it as large as they like."""
    if len(content) > LARGEST:
        raise FileError("is larger than %d MiB, which is no file with a token" % (LARGEST >> 20), "file")


def _refuse_other_than_file(status):
    if stat.S_ISLNK(status.st_mode):
        raise FileError("is a symlink; it is not followed. Remove it, or give the path of the file itself")
    if stat.S_ISDIR(status.st_mode):
        raise FileError("is a directory; give the path of a file")
    if not stat.S_ISREG(status.st_mode):
        raise FileError("is not a regular file")


def reason(exc):
    """What to report of *exc*, which another user may have provoked: never more than the system says of it."""
    if isinstance(exc, FileError):
        return str(exc)
    if not isinstance(exc, EnvironmentError) or not exc.strerror:
        return type(exc).__name__
    if exc.errno == errno.EPERM and os.geteuid() == 0:
        # Only the file system refuses root.
        return exc.strerror + "; it or its directory may be immutable or append-only (lsattr shows it, chattr changes it), or " + _NO_PERMISSIONS
    if exc.errno == errno.EBUSY:
        return exc.strerror + "; it is a mount point of its own: mount its directory, in which it can be replaced"
    if exc.errno == errno.EPERM:
        return exc.strerror + become() + ", or " + _NO_PERMISSIONS
    return exc.strerror + (become() if exc.errno == errno.EACCES else "")


def fault(exc):
    """What *exc* is about: path, denied, directory, owner, or the file itself."""
    if isinstance(exc, FileError):
        return exc.fault
    return _FAULTS.get(getattr(exc, "errno", None), "file")


def become():
    """What helps, where something may not be done; root has no greater one to become."""
    return "" if os.geteuid() == 0 else "; run the task with become, or as a user who may"


def name_of(number, look_up):
    """The name of the user or group *number*, or its number where it has none. *look_up* is pwd.getpwuid or grp.getgrgid."""
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)
