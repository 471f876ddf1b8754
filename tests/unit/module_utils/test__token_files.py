# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a host runs it: in its own process, with the oldest Python versions that hosts may have and the one that runs the tests.

Rules that a fake shows better (SELinux) are tested in this process.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import dataclasses
import itertools
import json
import os
import pathlib
import resource
import stat
import subprocess
import sys
import tempfile
import types
import typing as t

import pytest
from ansible_collections.trackops.api_tokens.plugins.module_utils import _safe_paths as safe_paths
from ansible_collections.trackops.api_tokens.plugins.module_utils import _token_files as token_files
from support.processes import Unavailable
from support.targets import PYTHONS, Answer, Target

SECRET = "eyJhbGciOi.S3cr3t+/=.c29tZXRoaW5n"
OTHER = "another-token-4711"
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT or sys.platform != "linux", reason="needs root, to give files to others")


@dataclasses.dataclass(frozen=True)
class Written(Answer):
    @property
    def one(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", self.result["files"][0])


class Host(Target):
    def write(self, *files: dict[str, t.Any], check: bool = False, **how: t.Any) -> Written:
        specs = [{key: value for key, value in file.items() if key != "text"} for file in files]
        contents = {file["dest"]: encoded(file["text"]) for file in files if "text" in file}
        arguments = {"files": specs, "contents": contents, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_verbosity": 5}
        return Written(**vars(self.run("__private.token_file_write", arguments, **how)))


def encoded(text: str) -> str:
    return "base64:" + base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module", params=[pytest.param(python, marks=pytest.mark.system) for python in PYTHONS])
def host(request, tmp_path_factory) -> t.Iterator[Host]:
    try:
        target = Host(request.param, tmp_path_factory.mktemp("target"))
    except Unavailable as exc:
        pytest.skip(str(exc))
    with contextlib.closing(target):
        yield target


@pytest.fixture
def dest(tmp_path) -> pathlib.Path:
    return tmp_path / "token"


def present(dest: pathlib.Path, text: str = SECRET, **options: t.Any) -> dict[str, t.Any]:
    about = {"vendor": "tracx", "path": "fleet/tracx", "fingerprint": "sha256:0011223344556677", "expires_at": 1799999999}
    return {"dest": str(dest), "text": text, **about, **options}


def absent(dest: pathlib.Path, **options: t.Any) -> dict[str, t.Any]:
    return {"dest": str(dest), "state": "absent", **options}


def mode_of(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def leftovers(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_a_new_file_is_private_whatever_the_umask(host, dest, umask):
    answer = host.write(present(dest), umask=umask)
    assert answer.result["changed"] and "failed" not in answer.result
    assert dest.read_text() == SECRET
    assert mode_of(dest) == 0o600
    assert answer.one["mode"] == "0600"
    assert leftovers(dest.parent) == []


def test_writing_the_same_content_again_changes_nothing(host, dest):
    host.write(present(dest))
    before = dest.stat()
    answer = host.write(present(dest))
    assert not answer.result["changed"]
    assert answer.result["diff"] == []
    assert (dest.stat().st_ino, dest.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_result_describes_the_file_without_a_secret(host, dest):
    answer = host.write(present(dest, SECRET + "\n"))
    assert {key: answer.one[key] for key in ("dest", "changed", "state", "vendor", "path", "fingerprint", "expires_at", "backup_file", "error")} == {
        "dest": str(dest), "changed": True, "state": "present", "vendor": "tracx", "path": "fleet/tracx",
        "fingerprint": "sha256:0011223344556677", "expires_at": 1799999999, "backup_file": None, "error": None,
    }  # fmt: skip
    assert "syslog: " in answer.everything
    for hidden in (SECRET, SECRET[:12], encoded(SECRET + "\n"), base64.b64encode(SECRET.encode()).decode()[:20]):
        assert hidden not in answer.everything


@pytest.mark.parametrize("text", ["a", "0", "no", "sha256", "tracx", "present"])
def test_a_short_content_masks_nothing_else(host, dest, text):
    answer = host.write(present(dest, text))
    assert answer.one["vendor"] == "tracx" and answer.one["fingerprint"] == "sha256:0011223344556677"
    assert dest.read_text() == text


def test_new_content_replaces_the_file_atomically(host, dest):
    host.write(present(dest))
    inode = dest.stat().st_ino
    with dest.open() as reader:
        answer = host.write(present(dest, OTHER))
        assert reader.read() == SECRET
    assert answer.one["changed"]
    assert dest.read_text() == OTHER
    assert dest.stat().st_ino != inode


def test_wrong_permissions_are_a_change(host, dest):
    dest.write_text(SECRET)
    dest.chmod(0o644)
    assert host.write(present(dest), check=True).result["changed"]
    assert mode_of(dest) == 0o644
    answer = host.write(present(dest))
    assert answer.result["changed"] and mode_of(dest) == 0o600
    [diff] = answer.result["diff"]
    assert (diff["before"]["mode"], diff["after"]["mode"]) == ("0644", "0600")
    assert diff["before"]["content"] == diff["after"]["content"]
    assert "token" not in diff["after"]


def test_the_diff_shows_fingerprint_and_expiry(host, dest):
    dest.write_text(OTHER)
    dest.chmod(0o600)
    answer = host.write(present(dest))
    [diff] = answer.result["diff"]
    assert diff["before_header"] == diff["after_header"] == str(dest)
    assert diff["before"]["content"].startswith("sha256:") and diff["before"]["content"] != diff["after"]["content"]
    assert diff["after"]["token"] == "sha256:0011223344556677"
    assert diff["after"]["expires_at"] == 1799999999
    assert SECRET not in answer.everything and OTHER not in answer.everything


@pytest.mark.parametrize("there", [None, OTHER, SECRET])
@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_check_mode_predicts_what_happens_and_does_nothing(host, dest, there, mode):
    if there is not None:
        dest.write_text(there)
        dest.chmod(mode)
    before = sorted((path.name, path.read_text(), mode_of(path)) for path in dest.parent.iterdir())
    predicted = host.write(present(dest, create_directory=True), check=True)
    assert sorted((path.name, path.read_text(), mode_of(path)) for path in dest.parent.iterdir()) == before
    done = host.write(present(dest, create_directory=True))
    keys = ("changed", "files", "diff")
    assert {key: predicted.result[key] for key in keys} == {key: done.result[key] for key in keys}


def test_check_mode_predicts_a_removal(host, dest):
    dest.write_text(OTHER)
    predicted = host.write(absent(dest), check=True)
    assert dest.exists()
    assert predicted.result["files"] == host.write(absent(dest)).result["files"]
    assert predicted.one["changed"] and not dest.exists()
    assert not host.write(absent(dest)).result["changed"]


def test_absent_without_the_directory_changes_nothing(host, tmp_path):
    assert not host.write(absent(tmp_path / "no" / "where")).result["changed"]


@pytest.mark.parametrize("change", [present, absent])
def test_a_symlink_is_not_followed(host, dest, change):
    victim = dest.with_name("victim")
    victim.write_text("precious")
    dest.symlink_to(victim)
    answer = host.write(change(dest))
    assert answer.result["failed"]
    assert answer.result["msg"] == f"{dest}: is a symlink; it is not followed. Remove it, or give the path of the file itself"
    assert victim.read_text() == "precious" and dest.is_symlink()


def test_a_dangling_symlink_is_not_followed(host, dest):
    dest.symlink_to(dest.with_name("not-there"))
    assert "is a symlink" in host.write(present(dest)).result["msg"]
    assert not dest.with_name("not-there").exists()


@pytest.mark.parametrize("change", [present, absent])
def test_a_directory_is_refused_and_kept(host, dest, change):
    dest.mkdir()
    assert host.write(change(dest)).result["msg"] == f"{dest}: is a directory; give the path of a file"
    assert dest.is_dir()


@pytest.mark.parametrize("change", [present, absent])
def test_a_fifo_is_refused_and_not_waited_for(host, dest, change):
    os.mkfifo(dest)
    assert host.write(change(dest)).result["msg"] == f"{dest}: is not a regular file"


def test_a_hard_link_elsewhere_does_not_get_the_token(host, dest):
    elsewhere = dest.with_name("elsewhere")
    elsewhere.write_text("mine")
    os.link(elsewhere, dest)
    host.write(present(dest))
    assert elsewhere.read_text() == "mine" and dest.read_text() == SECRET


def test_a_directory_that_everyone_may_write_to_is_refused(host, dest):
    dest.parent.chmod(0o777)
    assert host.write(present(dest)).result["msg"] == (f"{dest}: every user can replace files in {dest.parent}; remove the write permission of others from it")
    dest.parent.chmod(0o1777)
    assert host.write(present(dest)).result["changed"]


@needs_root
def test_another_users_symlink_in_the_path_is_not_followed(host, tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to("real")
    assert host.write(present(link / "token")).result["changed"]
    os.lchown(link, 12345, 12345)
    answer = host.write(present(link / "token", OTHER))
    assert answer.result["msg"] == (f"{link / 'token'}: {link} is a symlink that belongs to another user, or can be replaced by one; it is not followed")
    assert (tmp_path / "real" / "token").read_text() == SECRET


@needs_root
def test_a_symlink_of_root_that_another_user_can_replace_is_not_followed(host, tmp_path):
    (tmp_path / "real").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to("../real")
    os.chown(home, 12345, 12345)
    assert "can be replaced by one; it is not followed" in host.write(present(home / "link" / "token")).result["msg"]
    assert list((tmp_path / "real").iterdir()) == []


@needs_root
@pytest.mark.parametrize("change", [present, absent])
def test_another_users_symlink_behind_one_of_root_is_not_followed(host, tmp_path, change):
    victim, home = tmp_path / "victim", tmp_path / "home"
    for directory in (victim, home):
        directory.mkdir()
    (victim / "token").write_text("precious")
    (home / "conf").symlink_to(victim)
    for path in (home, home / "conf"):
        os.lchown(path, 12345, 12345)
    (tmp_path / "app").symlink_to("home/conf")
    answer = host.write(change(tmp_path / "app" / "token"))
    assert f"{home / 'conf'} is a symlink that belongs to another user" in answer.result["msg"]
    assert {path.name: path.read_text() for path in victim.iterdir()} == {"token": "precious"}


@needs_root
def test_a_symlink_of_root_that_a_group_can_replace_is_not_followed(host, tmp_path):
    (tmp_path / "real").mkdir()
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "link").symlink_to("../real")
    for mode, followed in ((0o775, False), (0o1775, True), (0o755, True)):
        shared.chmod(mode)
        assert host.write(present(shared / "link" / "token")).result.get("failed", False) is not followed


def test_own_symlinks_are_followed(host, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    links = {"relative": "a/./b", "up": "a/../a/b", "absolute": tmp_path / "a" / "b", "chained": "relative", "loop": "loop", "dangling": "none/b"}
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    for name in ("relative", "up", "absolute", "chained"):
        assert host.write(present(tmp_path / name / name / "token", create_directory=True)).result["changed"]
        assert (tmp_path / "a" / "b" / name / "token").read_text() == SECRET
    for name, why in (("loop", "Too many levels of symbolic links"), ("dangling", "No such file or directory")):
        dest = tmp_path / name / "token"
        assert host.write(present(dest, create_directory=True)).result["msg"] == f"{dest}: {why}"
    assert not (tmp_path / "none").exists()
    gone = host.write(absent(tmp_path / "dangling" / "token")).one
    assert (gone["changed"], gone["error"]) == (False, None)


def test_parents_are_created_on_request_with_directory_mode(host, tmp_path):
    dest = tmp_path / "a" / "b" / "token"
    refused = host.write(present(dest))
    assert refused.result["msg"] == f"{dest}: the directory {dest.parent} does not exist; set create_directory, or create it first"
    assert host.write(present(dest, create_directory=True), check=True).result["changed"]
    assert not (tmp_path / "a").exists()
    host.write(present(dest, create_directory=True, directory_mode="0751"), umask="077")
    assert [mode_of(path) for path in (tmp_path / "a", tmp_path / "a" / "b", dest)] == [0o751, 0o751, 0o600]


def test_check_mode_considers_directories_of_earlier_files(host, tmp_path):
    files = (present(tmp_path / "a" / "b" / "one", create_directory=True), present(tmp_path / "a" / "two"))
    predicted, done = host.write(*files, check=True), host.write(*files)
    assert predicted.result["files"] == done.result["files"]
    assert [file["changed"] for file in done.result["files"]] == [True, True]


def test_old_temporary_files_of_a_killed_run_are_removed(host, tmp_path, dest):
    old, new, link, other = (tmp_path / name for name in (".ansible_trackops_old", ".ansible_trackops_new", ".ansible_trackops_link", ".other"))
    for path in (old, new, other):
        path.write_text(OTHER)
    link.symlink_to(other)
    for path in (old, other, link):
        os.utime(path, (0, 0), follow_symlinks=False)
    assert not host.write(absent(dest), present(tmp_path / "x"), check=True).result.get("failed")
    assert old.exists()
    host.write(present(dest))
    assert leftovers(tmp_path) == [link.name, new.name, other.name]


@pytest.mark.parametrize("change", [present, absent])
def test_old_temporary_files_are_removed_even_if_nothing_changes(host, dest, change):
    host.write(change(dest))
    left = dest.with_name(".ansible_trackops_old")
    left.write_text(OTHER)
    os.utime(left, (0, 0))
    assert not host.write(change(dest)).result["changed"]
    assert not left.exists()


def test_a_parent_that_is_a_file_is_refused(host, tmp_path):
    (tmp_path / "a").write_text("")
    dest = tmp_path / "a" / "token"
    assert host.write(present(dest, create_directory=True)).result["msg"] == f"{dest}: {tmp_path / 'a'} is not a directory"


def test_a_backup_is_private_to_the_user_of_the_task(host, dest):
    dest.write_text(OTHER)
    dest.chmod(0o644)
    kept = pathlib.Path(host.write(present(dest, backup=True)).one["backup_file"])
    assert (kept.read_text(), mode_of(kept)) == (OTHER, 0o600)
    assert host.write(present(dest, backup=True)).one["backup_file"] is None
    removed = pathlib.Path(host.write(absent(dest, backup=True)).one["backup_file"])
    assert removed.read_text() == SECRET and not dest.exists()


@pytest.mark.parametrize("owner", ["4294967295", "99999999999", "²", "no such user"])
def test_an_unknown_owner_does_not_stop_the_other_files(host, tmp_path, owner):
    answer = host.write(present(tmp_path / "first", owner=owner), present(tmp_path / "second"))
    assert answer.result["msg"] == f"{tmp_path / 'first'}: the owner {owner} does not exist on this host"
    assert [path.name for path in tmp_path.iterdir()] == ["second"]


def test_one_failed_file_does_not_stop_the_others(host, tmp_path):
    first, second, third = (tmp_path / name for name in "abc")
    second.mkdir()
    answer = host.write(present(first), present(second), present(third, OTHER))
    assert answer.result["failed"] and answer.result["changed"]
    assert answer.result["msg"] == f"{second}: is a directory; give the path of a file"
    assert [file["changed"] for file in answer.result["files"]] == [True, False, True]
    assert [bool(file["error"]) for file in answer.result["files"]] == [False, True, False]
    assert (first.read_text(), third.read_text()) == (SECRET, OTHER)
    assert SECRET not in answer.everything and OTHER not in answer.everything


@pytest.mark.parametrize("text", [None, ""])
def test_a_file_is_never_emptied(host, dest, text):
    dest.write_text(OTHER)
    spec = present(dest, text or "")
    if text is None:
        del spec["text"]
    assert host.write(spec).result["msg"] == f"{dest}: nothing to write; a token file is never emptied"
    assert dest.read_text() == OTHER


def test_an_unknown_owner_is_refused(host, dest):
    answer = host.write(present(dest, owner="no-such-user"))
    assert answer.result["msg"] == f"{dest}: the owner no-such-user does not exist on this host"
    assert not dest.exists() and leftovers(dest.parent) == []


@needs_root
def test_check_mode_accepts_an_unknown_owner_for_an_existing_file(host, dest):
    dest.write_text(SECRET)
    assert host.write(present(dest, owner="no-such-user"), check=True).result["changed"]


def test_check_mode_accepts_an_unknown_owner_for_a_new_file(host, dest):
    answer = host.write(present(dest, owner="no-such-user"), check=True)
    assert answer.result["changed"] and answer.one["owner"] == "no-such-user"


@needs_root
def test_owner_and_group_are_set_by_name_or_number(host, dest):
    assert host.write(present(dest, owner="nobody", group="4242", mode="0640")).one["group"] == "4242"
    assert (dest.stat().st_uid, dest.stat().st_gid, mode_of(dest)) == (65534, 4242, 0o640)
    assert not host.write(present(dest, owner="nobody", group="4242", mode="0640")).result["changed"]


@needs_root
def test_a_file_created_by_another_user_is_taken_over(host, dest):
    """In /tmp anyone can create the file before us, with permissions of their choice."""
    dest.write_text("")
    os.chown(dest, 12345, 12345)
    dest.chmod(0o666)
    host.write(present(dest))
    assert (dest.stat().st_uid, dest.stat().st_gid, mode_of(dest)) == (0, os.getegid(), 0o600)


@needs_root
@pytest.mark.parametrize("there", [(12345, 0), (0, 12345)], ids=["owner", "group"])
def test_a_different_owner_or_group_is_a_change(host, dest, there):
    host.write(present(dest))
    os.chown(dest, *there)
    assert host.write(present(dest), check=True).one["changed"] is True
    assert host.write(present(dest)).one["changed"] is True
    status = dest.stat()
    assert (status.st_uid, status.st_gid) == (0, 0)


@needs_root
def test_without_permission_a_file_cannot_be_given_away(host, dest):
    dest.write_text(OTHER)
    libc, drop_from_bounding_set, cap_chown = ctypes.CDLL(None), 24, 0
    answer = host.write(present(dest, owner="nobody"), preexec=lambda: libc.prctl(drop_from_bounding_set, cap_chown, 0, 0, 0))
    assert answer.result["msg"] == f"{dest}: may not be given to that owner or group"
    assert dest.read_text() == OTHER and leftovers(dest.parent) == []


@needs_root
def test_a_directory_without_write_permission_is_reported(host, dest):
    os.chown(dest.parent, 12345, 12345)
    libc, drop_from_bounding_set, cap_dac_override = ctypes.CDLL(None), 24, 1

    def drop() -> None:
        libc.prctl(drop_from_bounding_set, cap_dac_override, 0, 0, 0)

    assert host.write(present(dest), preexec=drop).result["msg"] == f"{dest}: Permission denied"
    for wanted in (present(dest), present(dest.parent / "a" / "b", create_directory=True)):
        predicted = host.write(wanted, preexec=drop, check=True).result
        assert predicted["msg"] == f"{wanted['dest']}: {dest.parent} may not be written to"


@needs_root
def test_a_file_that_cannot_be_seen_is_not_taken_for_absent(host, tmp_path):
    dest = tmp_path / "private" / "token"
    dest.parent.mkdir(mode=0o700)
    dest.write_text(OTHER)
    os.chown(dest.parent, 12345, 12345)
    libc, drop_from_bounding_set = ctypes.CDLL(None), 24

    def without_root_s_eyes() -> None:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            libc.prctl(drop_from_bounding_set, capability, 0, 0, 0)

    for wanted in (absent(dest), absent(dest.parent / "deeper" / "token"), present(dest), present(dest.parent / "deeper" / "token", create_directory=True)):
        answer = host.write(wanted, preexec=without_root_s_eyes)
        assert answer.result["msg"] == f"{wanted['dest']}: Permission denied"
    assert dest.read_text() == OTHER


@needs_root
def test_a_failed_write_leaves_no_backup(host, dest):
    dest.write_text(OTHER)
    libc, drop_from_bounding_set, cap_chown = ctypes.CDLL(None), 24, 0
    host.write(present(dest, owner="nobody", backup=True), preexec=lambda: libc.prctl(drop_from_bounding_set, cap_chown, 0, 0, 0))
    assert [path.name for path in dest.parent.iterdir()] == [dest.name]


def test_a_full_disk_leaves_the_file_unchanged(host, dest):
    dest.write_text(OTHER)
    answer = host.write(present(dest, "x" * 70000), preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000)))
    assert answer.result["msg"] == f"{dest}: File too large"
    assert dest.read_text() == OTHER and leftovers(dest.parent) == []


@needs_root
@pytest.mark.parametrize("attribute", ["i", "a"])
def test_an_immutable_or_append_only_directory_is_reported_and_keeps_no_token(host, dest, attribute):
    dest.write_text(OTHER)
    if subprocess.run(["chattr", "+" + attribute, str(dest.parent)], capture_output=True, check=False).returncode:
        pytest.skip("not every file system has attributes")
    try:
        written = host.write(present(dest, SECRET))
        left = [path for path in dest.parent.iterdir() if path != dest]
        assert [path.stat().st_size for path in left] == ([0] if attribute == "a" else [])
    finally:
        subprocess.run(["chattr", "-" + attribute, str(dest.parent)], check=True)
    assert dest.read_text() == OTHER
    assert (
        "Operation not permitted; it or its directory may be immutable or append-only (lsattr shows it, chattr changes it), or its file"
        in written.result["msg"]
    )


@needs_root
def test_a_file_that_is_a_mount_point_is_reported_and_kept(host, dest, tmp_path):
    dest.write_text(OTHER)
    source = tmp_path / "mounted"
    source.write_text(OTHER)
    if subprocess.run(["mount", "--bind", str(source), str(dest)], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        written = host.write(present(dest, SECRET))
    finally:
        subprocess.run(["umount", str(dest)], check=True)
    assert written.result["msg"] == f"{dest}: Device or resource busy; it is a mount point of its own: mount its directory, in which it can be replaced"
    assert (source.read_text(), leftovers(dest.parent)) == (OTHER, [])


def test_a_full_disk_leaves_no_backup(host, dest):
    dest.write_text("x" * 70000)
    answer = host.write(present(dest, backup=True), preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000)))
    assert answer.result["msg"] == f"{dest}: File too large"
    assert [path.name for path in dest.parent.iterdir()] == [dest.name] and answer.one["backup_file"] is None


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_names_that_are_not_ascii_work_in_any_locale(host, tmp_path, locale):
    dest = tmp_path / "größe é" / "tökén"
    answer = host.write(present(dest, "tökén", create_directory=True), locale=locale)
    assert dest.read_text() == "tökén"
    assert answer.one["dest"] == str(dest)
    assert not host.write(present(dest, "tökén"), locale=locale).result["changed"]


def test_a_huge_file_is_not_read_to_its_end(host, dest):
    dest.touch()
    os.truncate(dest, 10 << 40)
    for change in (present, absent):
        assert host.write(change(dest)).result["msg"] == f"{dest}: is larger than 16 MiB, so it is not a token file"


def test_two_tokens_for_one_file_under_different_paths_are_refused(host, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "var").symlink_to("run")
    answer = host.write(present(tmp_path / "run" / "token"), present(tmp_path / "var" / "token", OTHER))
    assert answer.result["msg"] == f"{tmp_path / 'var' / 'token'}: is the file of another token of this task, under another path"
    assert (tmp_path / "run" / "token").read_text() == SECRET
    new = [present(tmp_path / name / "new" / "token", text, create_directory=True) for name, text in (("run", SECRET), ("var", OTHER))]
    predicted, answer = host.write(*new, check=True), host.write(*new)
    assert predicted.result["msg"] == answer.result["msg"] == f"{new[1]['dest']}: is the file of another token of this task, under another path"
    assert (tmp_path / "run" / "new" / "token").read_text() == SECRET


# In this process


@pytest.fixture(autouse=True)
def _working_directory():
    before = os.getcwd()
    yield
    os.chdir(before)


class FakeModule:
    """The parts of AnsibleModule that are used."""

    def __init__(self, *, check_mode=False, fails=False, selinux=True):
        self.check_mode = check_mode
        self.selinux = selinux
        self.fails = fails
        self.contexts: dict[str, list[str]] = {}

    def fail_json(self, **_kwargs):
        raise AssertionError("ends the process")

    def selinux_enabled(self):
        return self.selinux

    def selinux_default_context(self, path, mode=0):
        assert os.path.isabs(path)  # the policy goes by absolute paths
        return ["system_u", "object_r", "etc_dir_t" if stat.S_ISDIR(mode) else "etc_t", "s0"]

    def selinux_context(self, path):
        assert os.path.exists(path)
        return self.contexts.get(path, ["unconfined_u", "object_r", "user_home_t", "s0"])

    def set_context_if_different(self, path, context, changed):
        if self.fails:
            self.fail_json(msg="set selinux context failed", path=path)
        self.contexts[path] = context
        return True


def spec(dest, **options):
    names = ("vendor", "path", "fingerprint", "expires_at", "owner", "group", "seuser", "serole", "setype", "selevel")
    fixed = {"state": "present", "mode": "0600", "create_directory": False, "directory_mode": "0755", "backup": False}
    return {**dict.fromkeys(names), **fixed, "dest": str(dest), **options}


def test_selinux_sets_the_context_before_the_file_is_visible(dest):
    module = FakeModule()
    assert token_files.ensure(module, spec(dest), b"x")["changed"]
    [(path, context)] = module.contexts.items()
    assert os.path.basename(path).startswith(".ansible_trackops_")
    assert context == ["system_u", "object_r", "etc_t", "s0"]


def test_selinux_keeps_the_context_of_a_replaced_file_except_for_options(dest):
    dest.write_text("old")
    module = FakeModule()
    token_files.ensure(module, spec(dest, setype="httpd_config_t", seuser="_default"), b"x")
    assert list(module.contexts.values()) == [["system_u", "object_r", "httpd_config_t", "s0"]]


def test_selinux_takes_the_context_of_a_directory_from_the_policy(tmp_path):
    module = FakeModule()
    assert token_files.ensure(module, spec(tmp_path / "a" / "b" / "token", create_directory=True), b"x")["changed"]
    assert {name: context[2] for name, context in list(module.contexts.items())[:2]} == {"a": "etc_dir_t", "b": "etc_dir_t"}


@pytest.mark.parametrize(("setype", "changed"), [("user_home_t", False), ("httpd_config_t", True), (None, False), ("_default", True)])
def test_selinux_reports_another_context_as_a_change(dest, setype, changed):
    token_files.ensure(FakeModule(), spec(dest), b"x")
    assert token_files.ensure(FakeModule(check_mode=True), spec(dest, setype=setype), b"x")["changed"] is changed


def test_a_failing_helper_fails_only_one_file(dest):
    module = FakeModule(fails=True)
    result = token_files.ensure(module, spec(dest), b"x")
    assert (result["error"], result["changed"]) == (f"{dest}: set selinux context failed", False)
    assert not dest.exists() and leftovers(dest.parent) == []
    with pytest.raises(AssertionError):
        module.fail_json()


def replacing(monkeypatch, module, function, after):
    """Replace ``os`` in *module*: after each call of *function*, *after* is called with the same path."""
    real = getattr(os, function)

    def wrapped(path, *arguments):
        result = real(path, *arguments)
        after(os.fsdecode(path))
        return result

    monkeypatch.setattr(module, "os", types.SimpleNamespace(**{**vars(os), function: wrapped}))


def test_a_link_that_replaces_the_file_during_the_check_is_not_followed(dest, monkeypatch):
    """The link appears between lstat and open, so O_NOFOLLOW refuses it."""
    victim = dest.with_name("victim")
    victim.write_text("precious")
    dest.write_text("old")

    def swap(name):
        if name == dest.name and not dest.is_symlink():
            dest.unlink()
            dest.symlink_to(victim)

    replacing(monkeypatch, safe_paths, "lstat", swap)
    result = token_files.ensure(FakeModule(), spec(dest), b"x")
    assert result["error"] == f"{dest}: Too many levels of symbolic links"
    assert victim.read_text() == "precious"


@needs_root
def test_another_users_link_that_replaces_a_directory_is_not_followed(tmp_path, monkeypatch):
    conf, victim = tmp_path / "conf", tmp_path / "victim"
    conf.mkdir()
    victim.mkdir()

    def swap(name):
        if name == conf.name and not conf.is_symlink():
            conf.rename(tmp_path / "old")
            conf.symlink_to(victim)
            os.lchown(conf, 12345, 12345)

    replacing(monkeypatch, safe_paths, "lstat", swap)
    result = token_files.ensure(FakeModule(), spec(conf / "token"), b"x")
    assert "is a symlink that belongs to another user" in result["error"]
    assert list(victim.iterdir()) == []


@pytest.mark.parametrize("times", [1, 2])
def test_a_directory_replaced_twice_during_the_check_is_refused(tmp_path, monkeypatch, times):
    """Once may be a file system that is mounted on access; twice is no accident."""
    conf = tmp_path / "conf"
    conf.mkdir()

    def swap(name):
        if name == conf.name and len(list(tmp_path.iterdir())) <= times:
            conf.rename(tmp_path / f"old{len(list(tmp_path.iterdir()))}")
            conf.mkdir()

    replacing(monkeypatch, safe_paths, "lstat", swap)
    result = token_files.ensure(FakeModule(), spec(conf / "token"), b"x")
    assert result["error"] == (None if times == 1 else f"{conf / 'token'}: {conf} was replaced while it was checked")
    assert (conf / "token").exists() is (times == 1)


@pytest.mark.parametrize("options", [{}, {"state": "absent"}, {"backup": True}], ids=str)
def test_a_path_changed_after_the_check_does_no_harm(tmp_path, monkeypatch, options):
    conf, victim = tmp_path / "conf", tmp_path / "victim"
    for directory in (conf, victim):
        directory.mkdir()
        (directory / "token").write_text("old")
    look = token_files._look

    def swap(dest):
        found = look(dest)
        conf.rename(tmp_path / "moved")
        conf.symlink_to(victim)
        return found

    monkeypatch.setattr(token_files, "_look", swap)
    result = token_files.ensure(FakeModule(), spec(conf / "token", **options), b"new")
    assert (result["error"], result["changed"]) == (None, True)
    assert {path.name: path.read_text() for path in victim.iterdir()} == {"token": "old"}
    left = sorted(path.read_text() for path in (tmp_path / "moved").iterdir())
    assert left == ([] if "state" in options else ["new", "old"] if "backup" in options else ["new"])


def test_a_directory_created_meanwhile_is_used(tmp_path, monkeypatch):
    made = tmp_path / "made"
    enter = token_files.enter

    def faster(dest):
        missing = enter(dest)
        if missing:
            made.mkdir(mode=0o750)
        return missing

    monkeypatch.setattr(token_files, "enter", faster)
    assert token_files.ensure(FakeModule(), spec(made / "token", create_directory=True, directory_mode="0711"), b"x")["error"] is None
    assert mode_of(made) == 0o750 and (made / "token").read_text() == "x"


NOBODY = 65534
DIRECTORIES = {"mine": (NOBODY, 0o700), "theirs": (0, 0o755), "sticky": (0, 0o1777), "blind": (NOBODY, 0o300), "closed": (0, 0o700)}
FILES = {
    "none": None, "mine": (NOBODY, 0o600, "x"), "mine, old": (NOBODY, 0o600, "old"), "wide": (NOBODY, 0o666, "x"),
    "theirs": (0, 0o644, "x"), "theirs, old": (0, 0o644, "old"), "not for me": (0, 0o600, "old"), "deeper": "missing",
}  # fmt: skip
WISHES: dict[str, dict[str, t.Any]] = {
    "present": {}, "owner": {"owner": "0"}, "group": {"group": "0"}, "readable": {"mode": "0640"}, "backup": {"backup": True},
    "directory": {"create_directory": True}, "absent": {"state": "absent"}, "absent, backup": {"state": "absent", "backup": True},
}  # fmt: skip


@pytest.mark.system
@needs_root
@pytest.mark.parametrize("uid", [0, NOBODY])
def test_check_mode_predicts_every_case(uid):
    """Check mode predicts whether something changes and whether it fails, for every directory, file and wish."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        cases = {names: laid_out(pathlib.Path(folder, *names), *names) for names in itertools.product(DIRECTORIES, FILES, WISHES)}
        differences = as_user(uid, lambda: [names for names, wish in cases.items() if foreseen(wish) != done(wish)])
        errors = as_user(uid, lambda: [token_files.ensure(FakeModule(selinux=False), wish, b"x")["error"] for wish in cases.values()])
    assert differences == []
    named = [error for error in errors if error and error.endswith("; run the task with become, or as a user who may")]
    assert bool(named) is (uid != 0)
    assert {None, True} <= {error and True for error in errors}


def laid_out(folder: pathlib.Path, directory: str, file: str, wish: str) -> dict[str, t.Any]:
    folder.mkdir(parents=True)
    for above in list(folder.parents)[:2]:
        above.chmod(0o755)
    dest = folder / "token"
    kind = FILES[file]
    if isinstance(kind, tuple):
        dest.write_text(kind[2])
        os.chown(dest, kind[0], kind[0])
        dest.chmod(kind[1])
    elif kind:
        dest = folder / "deeper" / "token"
    os.chown(folder, DIRECTORIES[directory][0], DIRECTORIES[directory][0])
    folder.chmod(DIRECTORIES[directory][1])
    return spec(dest, **WISHES[wish])


def foreseen(wish: dict[str, t.Any]) -> tuple[bool, bool]:
    result = token_files.ensure(FakeModule(check_mode=True, selinux=False), wish, b"x")
    return result["changed"], bool(result["error"])


def done(wish: dict[str, t.Any]) -> tuple[bool, bool]:
    result = token_files.ensure(FakeModule(selinux=False), wish, b"x")
    return result["changed"], bool(result["error"])


def as_user(uid: int, function: t.Callable[[], t.Any]) -> t.Any:
    """The result of *function* in a process of that user."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def test_a_directory_replaced_after_the_check_is_not_entered(tmp_path, monkeypatch):
    """Between the check and the step into the directory, another user puts one of their own in its place."""
    kept, others, aside = tmp_path / "kept", tmp_path / "others", tmp_path / "aside"
    kept.mkdir()
    others.mkdir()
    lstat = os.lstat

    def look_and_exchange(path: t.Any, **options: t.Any) -> os.stat_result:
        found = lstat(path, **options)
        if os.path.basename(os.fsdecode(path)) == "kept":
            kept.rename(aside)
            others.rename(kept)
            aside.rename(others)
        return found

    monkeypatch.setattr(safe_paths.os, "lstat", look_and_exchange)
    with pytest.raises(safe_paths.FileError, match=r"/kept was replaced while it was checked"):
        safe_paths.enter(str(kept / "token"))
