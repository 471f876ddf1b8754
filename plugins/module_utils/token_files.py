# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files with secrets, on the host that they are for.

One function, :func:`ensure`, makes one file be there or be gone, and tells what it did. It runs on targets, with Python 2.7 or 3.6
and later. What it promises:

* A file is replaced whole or not at all. The new one gets its owner, group, mode and SELinux context while it still has a
  temporary name and is open to nobody else.
* Neither a symlink at the destination nor one that a stranger put into its path is followed.
* Nothing that it returns or raises holds what is in the files.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import contextlib
import errno
import grp
import hashlib
import os
import pwd
import stat
import tempfile
import time

from ansible.module_utils.common.text.converters import to_bytes, to_native

_TEMPORARY = ".ansible_trackops_"
# Seconds after which a temporary file can belong to nobody but a run that was killed: writing one takes milliseconds.
_FORGOTTEN = 600


class FileError(Exception):
    """Why a file was left as it was."""


class _Found:
    """What is at the destination now; ``digest`` is the SHA-256 of the content."""

    def __init__(self, status, digest):
        self.uid = status.st_uid
        self.gid = status.st_gid
        self.mode = stat.S_IMODE(status.st_mode)
        self.digest = digest


class _Wanted:
    """What the destination shall be; ``uid`` or ``gid`` of -1 are not known before the user or group is made."""

    def __init__(self, uid, gid, mode, digest):
        self.uid = uid
        self.gid = gid
        self.mode = mode
        self.digest = digest

    def is_met_by(self, found):
        return (found.digest, found.mode, found.uid, found.gid) == (self.digest, self.mode, self.uid, self.gid)


def ensure(module, spec, content=None):
    """Make the file that *spec* describes be what it says. Never raises; the result's C(error) says what went wrong.

    :arg module: an AnsibleModule; its check mode and diff mode are honoured.
    :arg spec: one item of the module's O(files).
    :arg content: bytes, not empty, for ``state: present``.
    """
    result = {key: spec[key] for key in ("dest", "state", "vendor", "path", "fingerprint", "expires_at")}
    result.update(changed=False, error=None, backup_file=None, owner=None, group=None, mode=None)
    try:
        with _failures_raised(module):
            if spec["state"] == "absent":
                _absent(module, spec, result)
            else:
                _present(module, spec, content, result)
    except FileError as exc:
        result["error"] = str(exc)
    except EnvironmentError as exc:
        result["error"] = "%s: %s" % (spec["dest"], _reason(exc))
    return result


def _reason(exc):
    if exc.errno in (errno.EACCES, errno.EPERM):
        return "%s; run the task with become, or as a user who may" % exc.strerror
    return exc.strerror or type(exc).__name__


def content_fingerprint(digest):
    return None if digest is None else "sha256:" + digest[:16]


@contextlib.contextmanager
def _failures_raised(module):
    """AnsibleModule's helpers end the process when they fail; here other files are still to be written."""

    def fail(msg="", **_details):
        raise FileError(to_native(msg))

    ends_the_process = module.fail_json
    module.fail_json = fail
    try:
        yield
    finally:
        module.fail_json = ends_the_process


def _present(module, spec, content, result):
    if not content:
        raise FileError("%s: nothing to write; a token file is never emptied" % spec["dest"])
    dest = spec["dest"]
    missing = _missing_parents(dest)
    if missing and not spec["create_directory"]:
        raise FileError("%s: the directory %s does not exist; set create_directory, or make it first" % (dest, os.path.dirname(dest)))
    found = None if missing else _look(dest)
    wanted = _wanted(spec, content, tolerant=module.check_mode)
    context = _context(module, spec, exists=found is not None)
    changed = found is None or not wanted.is_met_by(found) or context.differs
    if changed and module.check_mode:
        _refuse_unwritable(dest, missing)
    elif changed:
        _make_directories(missing, spec)
        _sweep(os.path.dirname(dest))
        backup = _back_up(dest) if spec["backup"] and found is not None and found.digest != wanted.digest else None
        try:
            _replace(module, dest, content, wanted, context.wanted)
        except BaseException:
            if backup:  # of what is still there
                os.unlink(to_bytes(backup))
            raise
        result["backup_file"] = backup
    result.update(_permissions(wanted, spec), changed=changed)
    result["changed"] = module.set_attributes_if_different(dest, spec["attributes"], changed)
    if result["changed"]:
        result["diff"] = _diff(spec, found, wanted)


def _absent(module, spec, result):
    dest = spec["dest"]
    found = None if _missing_parents(dest) else _look(dest)
    if found is None:
        return
    if module.check_mode:
        _refuse_unwritable(dest, [])
    else:
        if spec["backup"]:
            result["backup_file"] = _back_up(dest)
        os.unlink(to_bytes(dest))
    result.update(changed=True, diff=_diff(spec, found, None))


# What is there


def _missing_parents(dest):
    """The directories above *dest* that are not there, the outermost first. Refuses a path that others can bend."""
    missing = []
    path = ""
    for name in os.path.dirname(dest).strip("/").split("/"):
        path = path + "/" + name
        if missing or not _is_there(path):
            missing.append(path)
        else:
            _check_directory(dest, path)
    return missing


def _is_there(path):
    """Unlike os.path.lexists, which takes what may not be seen for missing."""
    try:
        os.lstat(to_bytes(path))
    except EnvironmentError as exc:
        if exc.errno == errno.ENOENT:
            return False
        raise
    return True


def _check_directory(dest, path):
    here = os.lstat(to_bytes(path))
    # As Linux does with fs.protected_symlinks: links of root and our own are part of the system, a stranger's are a trap.
    if stat.S_ISLNK(here.st_mode) and here.st_uid not in (0, os.geteuid()):
        raise FileError("%s: %s is a symlink that belongs to another user; it is not followed" % (dest, path))
    status = os.stat(to_bytes(path))
    if not stat.S_ISDIR(status.st_mode):
        raise FileError("%s: %s is not a directory" % (dest, path))
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise FileError("%s: everyone may replace files in %s; take the write permission of others from it" % (dest, path))


def _look(dest):
    """What is at *dest*, or None. Anything but a regular file is refused."""
    try:
        _refuse_other_than_file(dest, os.lstat(to_bytes(dest)))
        # Between the two calls a link or a FIFO may have taken the place: not followed, and not waited for.
        handle = os.open(to_bytes(dest), os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except EnvironmentError as exc:
        if exc.errno == errno.ENOENT:
            return None
        raise
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        _refuse_other_than_file(dest, status)
        return _Found(status, _digest_of(stream))


def _refuse_other_than_file(dest, status):
    if stat.S_ISLNK(status.st_mode):
        raise FileError("%s: is a symlink; it is not followed. Remove it, or give the path of the file itself" % dest)
    if stat.S_ISDIR(status.st_mode):
        raise FileError("%s: is a directory; give the path of a file" % dest)
    if not stat.S_ISREG(status.st_mode):
        raise FileError("%s: is not a regular file" % dest)


def _digest_of(stream):
    sha256 = hashlib.sha256()
    for chunk in iter(lambda: stream.read(65536), b""):
        sha256.update(chunk)
    return sha256.hexdigest()


def _refuse_unwritable(dest, missing):
    """Check mode has to foresee what a real run would hear from the system."""
    directory = os.path.dirname(missing[0] if missing else dest)
    if not os.access(to_bytes(directory), os.W_OK | os.X_OK):
        raise FileError("%s: %s may not be written to; run the task with become, or as a user who may" % (dest, directory))


# What is wanted


def _wanted(spec, content, tolerant):
    """Owner and group default to the user that the task runs as, so that nobody keeps a file that was there before.

    :arg tolerant: in check mode the user may be one that an earlier task of the same play would have made.
    """
    uid = _id_of(spec["owner"], "owner", lambda name: pwd.getpwnam(name).pw_uid, os.geteuid(), tolerant)
    gid = _id_of(spec["group"], "group", lambda name: grp.getgrnam(name).gr_gid, os.getegid(), tolerant)
    return _Wanted(uid, gid, int(spec["mode"], 8), hashlib.sha256(content).hexdigest())


def _id_of(name, kind, look_up, default, tolerant):
    if name is None:
        return default
    try:
        return look_up(name)
    except KeyError:
        if name.isdigit():
            return int(name)
        if tolerant:
            return -1
    raise FileError("the %s %s does not exist on this host" % (kind, name))


class _Context:
    def __init__(self, wanted, differs):
        self.wanted = wanted
        self.differs = differs


def _context(module, spec, exists):
    """The SELinux context: what the file has or the policy says, changed by what is asked for."""
    if not module.selinux_enabled():
        return _Context(None, False)
    default = module.selinux_default_context(spec["dest"])
    current = module.selinux_context(spec["dest"]) if exists else default
    asked = [spec[key] for key in ("seuser", "serole", "setype", "selevel")]
    wanted = [_part(*parts) for parts in zip(asked, current, default)]
    return _Context(wanted, exists and wanted != list(current))


def _part(asked, current, default):
    return default if asked == "_default" else current if asked is None else asked


# What is done


def _make_directories(paths, spec):
    for path in paths:
        try:
            # mkdir's mode is cut by the umask, so it is narrow first, and then what was asked for.
            os.mkdir(to_bytes(path), 0o700)
        except EnvironmentError as exc:
            if exc.errno != errno.EEXIST:
                raise
            _check_directory(spec["dest"], path)  # another run was faster
        else:
            _set_mode(path, int(spec["directory_mode"], 8))


def _set_mode(directory, mode):
    """Whoever may write above it may have put a link in its place since."""
    handle = os.open(to_bytes(directory), os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def _sweep(directory):
    """Remove what a run that was killed has left there: it may hold a token."""
    for name in os.listdir(to_bytes(directory)):
        if name.startswith(to_bytes(_TEMPORARY)):
            try:
                _remove_forgotten(os.path.join(to_bytes(directory), name))
            except EnvironmentError:
                pass  # another run was faster, or may and this one may not


def _remove_forgotten(path):
    status = os.lstat(path)
    if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > _FORGOTTEN:
        os.unlink(path)


def _replace(module, dest, content, wanted, context):
    """Put a new file with *content* in the place of *dest*, in one step."""
    handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=os.path.dirname(dest))
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            _give_to(stream.fileno(), dest, wanted)
            os.fchmod(stream.fileno(), wanted.mode)
            os.fsync(stream.fileno())
        if context is not None:
            module.set_context_if_different(name, context, False)
        os.rename(to_bytes(name), to_bytes(dest))
    except BaseException:
        os.unlink(to_bytes(name))
        raise


def _give_to(handle, dest, wanted):
    try:
        os.fchown(handle, wanted.uid, wanted.gid)
    except EnvironmentError as exc:
        if exc.errno != errno.EPERM:
            raise
        raise FileError("%s: may not be given to that owner or group; run the task with become" % dest)


def _back_up(dest):
    """Keep what is in the file under another name, for the user of the task alone. Returns that name."""
    name = "%s.%s.%s~" % (dest, os.getpid(), time.strftime("%Y-%m-%d@%H:%M:%S"))
    handle = os.open(to_bytes(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as copy, open(to_bytes(dest), "rb") as original:
        copy.write(original.read())
    return name


# What is told


def _permissions(wanted, spec):
    return dict(
        owner=spec["owner"] if wanted.uid < 0 else _name_of(wanted.uid, lambda uid: pwd.getpwuid(uid).pw_name),
        group=spec["group"] if wanted.gid < 0 else _name_of(wanted.gid, lambda gid: grp.getgrgid(gid).gr_name),
        mode="%04o" % wanted.mode,
    )


def _name_of(number, look_up):
    try:
        return look_up(number)
    except KeyError:
        return str(number)


def _diff(spec, found, wanted):
    """Before and after without content: a fingerprint stands for it, and the expiry of the token that is new."""
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
