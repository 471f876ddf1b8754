# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Write files with secrets on a host.

One function, :func:`ensure`, creates or removes one file, and reports the changes. It runs on targets, with Python 2.7 or 3.6
and later. It guarantees:

* A file is replaced completely or not at all. The new file gets its owner, group, mode and SELinux context while it still has
a temporary name and no other user can open it.
* Symlinks at the destination, and symlinks of other users in its path, are not followed.
* No result or error contains the content of a file.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import contextlib
import errno
import grp
import hashlib
import os
import pwd
import re
import stat
import time

from ansible.module_utils.common.text.converters import to_bytes, to_native
from ansible_collections.trackops.api_tokens.plugins.module_utils._safe_paths import FileError, become, enter, fault, name_of, read_file, reason, refuse_large

_TEMPORARY = ".ansible_trackops_"
# Seconds. An older temporary file can only belong to a killed run: writing one takes milliseconds.
_FORGOTTEN = 600
# User and group ids are lower; for chown, the highest 32-bit number means "no change".
_NOBODY = 2**32 - 1
_NOT_GIVEN = "may not be given to that owner or group"


class _Found:
    """The current file; ``digest`` is the SHA-256 of its content."""

    def __init__(self, status, digest):
        self.uid = status.st_uid
        self.gid = status.st_gid
        self.mode = stat.S_IMODE(status.st_mode)
        self.digest = digest


class _Wanted:
    """The wanted file; a ``uid`` or ``gid`` of -1 is not known until the user or group is created."""

    def __init__(self, uid, gid, mode, digest):
        self.uid = uid
        self.gid = gid
        self.mode = mode
        self.digest = digest

    def matches(self, found):
        return (found.digest, found.mode, found.uid, found.gid) == (self.digest, self.mode, self.uid, self.gid)


class Earlier:
    """State from the earlier files: their places and, in check mode, the directories that would exist."""

    def __init__(self):
        self.directories = set()
        self.places = set()


def ensure(module, spec, content=None, earlier=None):
    """Bring the file that *spec* describes into that state. Never raises; the result's C(error) says what went wrong.

    Changes the working directory.

    :arg module: an AnsibleModule; its check mode and diff mode are honoured.
    :arg spec: one item of the module's O(files).
    :arg content: bytes, not empty, for ``state: present``.
    :arg earlier: one object for all files of a run.
    """
    result = {key: spec[key] for key in ("dest", "state", "vendor", "path", "fingerprint", "expires_at")}
    result.update(changed=False, error=None, fault=None, backup_file=None, owner=None, group=None, mode=None)
    earlier = earlier or Earlier()
    try:
        with _failures_raised(module):
            if spec["state"] == "absent":
                _absent(module, spec, result, earlier)
            else:
                _present(module, spec, content, result, earlier)
    except Exception as exc:  # noqa: BLE001 - after any error, the other files must still be written
        result.update(error="%s: %s" % (spec["dest"], reason(exc)), fault=fault(exc))
    return result


def content_fingerprint(digest):
    return None if digest is None else "sha256:" + digest[:16]


@contextlib.contextmanager
def _failures_raised(module):
    """Raise failures of AnsibleModule's helpers, which would end the process: other files must still be written."""

    def fail(msg="", **_details):
        raise FileError(to_native(msg), "file")

    ends_the_process = module.fail_json
    module.fail_json = fail
    try:
        yield
    finally:
        module.fail_json = ends_the_process


def _present(module, spec, content, result, earlier):
    dest = spec["dest"]
    if not content:
        raise FileError("nothing to write; a token file is never emptied", "file")
    refuse_large(content)
    missing = _enter(module, dest, earlier)
    if missing and not spec["create_directory"] and os.path.dirname(dest) not in earlier.directories:
        raise FileError("the directory %s does not exist; set create_directory, or create it first" % os.path.dirname(dest), "directory")
    found = None if missing else _look(dest)
    wanted = _wanted(spec, content, tolerant=module.check_mode)
    context = _context(module, spec, exists=found is not None)
    changed = found is None or not wanted.matches(found) or context.differs
    if changed and module.check_mode:
        _foresee(found, wanted)
        earlier.directories.update(_innermost(dest, depth) for depth in range(len(missing)))
    elif changed:
        if missing:
            _make_directories(module, spec, missing)
            _note_place(dest, [], earlier)
        with _backed_up(spec, result, needed=found is not None and found.digest != wanted.digest):
            _replace(module, dest, content, wanted, context.wanted)
    result.update(_permissions(wanted, spec), changed=changed)
    if changed:
        result["diff"] = _diff(spec, found, wanted)


def _absent(module, spec, result, earlier):
    dest = spec["dest"]
    try:
        found = None if _enter(module, dest, earlier) else _look(dest)
    except EnvironmentError as exc:
        if exc.errno != errno.ENOENT:
            raise
        found = None  # a dangling link in its path
    if found is None:
        return
    if module.check_mode:
        _foresee(found, None)
    else:
        with _backed_up(spec, result, needed=True):
            os.unlink(to_bytes(os.path.basename(dest)))
    result.update(changed=True, diff=_diff(spec, found, None))


def _enter(module, dest, earlier):
    missing = enter(dest)
    _note_place(dest, missing, earlier)
    if not missing and not module.check_mode:
        _sweep()
    return missing


def _note_place(dest, missing, earlier):
    here = os.stat(".")
    place = (here.st_dev, here.st_ino, tuple(missing), os.path.basename(dest))
    if place in earlier.places:
        raise FileError("is the file of another token of this task, under another path")
    earlier.places.add(place)


def _innermost(dest, depth):
    """The directory of *dest* for depth 0, its parent for 1, and so on."""
    return os.path.dirname(dest).rsplit("/", depth)[0]


# The current state, in the working directory


def _look(dest):
    """The file at *dest*, or None. Rejects anything but a regular file."""
    read = read_file(os.path.basename(dest))
    return None if read is None else _Found(read[1], _digest(read[0]))


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _foresee(found, wanted):
    """Check mode must predict the system's refusals in a real run."""
    directory, me = os.stat("."), os.geteuid()
    kept_by_sticky_bit = found is not None and directory.st_mode & stat.S_ISVTX and me not in (0, directory.st_uid, found.uid)
    if not os.access(".", os.W_OK | os.X_OK) or kept_by_sticky_bit:
        raise FileError("%s may not be written to%s" % (os.getcwd(), become()), "denied")
    if wanted is not None and me != 0 and (wanted.uid not in (-1, me) or wanted.gid not in [-1, os.getegid()] + os.getgroups()):
        raise FileError(_NOT_GIVEN + become(), "owner")


# The wanted state


def _wanted(spec, content, tolerant):
    """The wanted file. Owner and group default to the user of the task, so that a previous owner does not keep the file.

    :arg tolerant: for check mode: an earlier task of the same play may create the user.
    """
    uid = _id_of(spec["owner"], "owner", lambda name: pwd.getpwnam(name).pw_uid, os.geteuid(), tolerant)
    gid = _id_of(spec["group"], "group", lambda name: grp.getgrnam(name).gr_gid, os.getegid(), tolerant)
    return _Wanted(uid, gid, int(spec["mode"], 8), _digest(content))


def _id_of(name, kind, look_up, default, tolerant):
    if name is None:
        return default
    try:
        return look_up(name)
    except KeyError:
        if re.match(r"[0-9]+\Z", name):
            if int(name) < _NOBODY:
                return int(name)
        elif tolerant:
            return -1
    raise FileError("the %s %s does not exist on this host" % (kind, name), "owner")


class _Context:
    def __init__(self, wanted, differs):
        self.wanted = wanted
        self.differs = differs


def _context(module, spec, exists):
    """The SELinux context: the file's own or the policy's, with the requested changes."""
    if not module.selinux_enabled():
        return _Context(None, False)
    default = module.selinux_default_context(spec["dest"])
    current = module.selinux_context(os.path.basename(spec["dest"])) if exists else default
    asked = [spec[key] for key in ("seuser", "serole", "setype", "selevel")]
    wanted = [_part(*parts) for parts in zip(asked, current, default)]
    return _Context(wanted, exists and wanted != list(current))


def _part(asked, current, default):
    return default if asked == "_default" else current if asked is None else asked


# The changes, in the working directory


def _make_directories(module, spec, missing):
    """Create the *missing* directories, and enter them."""
    while missing:
        _make_directory(module, spec, missing)
        # Repeat the whole path with its checks: others may change its parents.
        left = enter(spec["dest"])
        if len(left) >= len(missing):
            raise FileError("a parent directory was removed while it was created", "directory")
        missing = left


def _make_directory(module, spec, missing):
    path = _innermost(spec["dest"], len(missing) - 1)
    umask = os.umask(0)
    try:
        os.mkdir(to_bytes(missing[0]), int(spec["directory_mode"], 8))
    except EnvironmentError as exc:
        if exc.errno != errno.EEXIST:  # another run was faster
            raise
    else:
        if module.selinux_enabled():
            module.set_context_if_different(missing[0], module.selinux_default_context(path, stat.S_IFDIR), False)
    finally:
        os.umask(umask)


def _sweep():
    """Remove the temporary files of killed runs, which may contain a token."""
    try:
        names = os.listdir(b".")
    except EnvironmentError:
        return  # a user may have the right to write to it, but not to list it
    for name in names:
        if name.startswith(to_bytes(_TEMPORARY)):
            try:
                _remove_forgotten(name)
            except EnvironmentError:
                pass  # another run was faster, or this one has no right to remove it


def _remove_forgotten(name):
    status = os.lstat(name)
    if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > _FORGOTTEN:
        os.unlink(name)


def _replace(module, dest, content, wanted, context):
    """Replace *dest* atomically with a new file with *content*."""
    # Not tempfile, which uses the absolute path of the working directory: that may lead elsewhere by now.
    name = _TEMPORARY + to_native(binascii.hexlify(os.urandom(8)))
    with os.fdopen(_create(name), "wb") as stream:
        try:
            stream.write(content)
            stream.flush()
            _give_to(stream.fileno(), wanted)
            os.fchmod(stream.fileno(), wanted.mode)
            os.fsync(stream.fileno())
            if context is not None:
                module.set_context_if_different(name, context, False)
            os.rename(to_bytes(name), to_bytes(os.path.basename(dest)))
        except BaseException:
            _discard(name, stream)
            raise


def _discard(name, stream):
    """Remove a file; if that is impossible (append-only directory), empty it."""
    try:
        os.ftruncate(stream.fileno(), 0)
        os.unlink(to_bytes(name))
    except EnvironmentError:
        pass  # report the earlier error instead


def _create(name):
    """The descriptor of a new file that no other user can open."""
    return os.open(to_bytes(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _give_to(handle, wanted):
    try:
        os.fchown(handle, wanted.uid, wanted.gid)
    except EnvironmentError as exc:
        if exc.errno != errno.EPERM:
            raise
        raise FileError(_NOT_GIVEN + become(), "owner")


@contextlib.contextmanager
def _backed_up(spec, result, needed):
    """Keep a copy of the file under another name, only for the user of the task; remove it if the change fails."""
    read = read_file(os.path.basename(spec["dest"])) if spec["backup"] and needed else None
    if read is None:
        yield
        return
    kept = "%s.%s.%s~" % (spec["dest"], os.getpid(), time.strftime("%Y-%m-%d@%H:%M:%S"))
    name = os.path.basename(kept)
    handle = _create(name)
    try:
        with os.fdopen(handle, "wb") as copy:
            copy.write(read[0])
        yield
    except BaseException:
        os.unlink(to_bytes(name))
        raise
    result["backup_file"] = kept


# Reports


def _permissions(wanted, spec):
    return dict(
        owner=spec["owner"] if wanted.uid < 0 else name_of(wanted.uid, pwd.getpwuid),
        group=spec["group"] if wanted.gid < 0 else name_of(wanted.gid, grp.getgrgid),
        mode="%04o" % wanted.mode,
    )


def _diff(spec, found, wanted):
    """The state before and after. A fingerprint replaces the content; the expiry of the new token is included."""
    before = _shown(spec, found)
    after = _shown(spec, wanted)
    if wanted is not None and (found is None or found.digest != wanted.digest):
        after.update(token=spec["fingerprint"], expires_at=spec["expires_at"])
    header = to_native(spec["dest"])
    return dict(before_header=header, after_header=header, before=before, after=after)


def _shown(spec, it):
    if it is None:
        return dict(state="absent")
    return dict(_permissions(it, spec), state="present", content=content_fingerprint(it.digest))
