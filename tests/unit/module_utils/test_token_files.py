# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a host runs it, in a process of its own, with the oldest Pythons that hosts may have and the one that runs the tests.

The rules of files that a fake can show better (SELinux) are tested in this process.
"""

from __future__ import annotations

import base64
import ctypes
import dataclasses
import json
import os
import pathlib
import resource
import stat
import subprocess
import sys
import types
import typing as t

import pytest
from ansible_collections.trackops.api_tokens.plugins.module_utils import token_files
from support.processes import Unavailable
from support.targets import find_interpreter, installed_library, oldest_library, target_tree

SECRET = "eyJhbGciOi.S3cr3t+/=.c29tZXRoaW5n"
OTHER = "another-token-4711"
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT or sys.platform != "linux", reason="needs root, to give files to others")

# What AnsiballZ does: the arguments are set, and the module's main() is called. Syslog is listened to.
RUNNER = """
import io, json, os, sys
import ansible.module_utils.basic as basic
basic._ANSIBLE_ARGS = json.dumps(dict(ANSIBLE_MODULE_ARGS=json.loads(os.environ["ARGS"]))).encode("utf-8")
basic._ANSIBLE_PROFILE = "legacy"
basic.has_journal = False
class Syslog(object):
    LOG_INFO = LOG_USER = 0
    openlog = staticmethod(lambda *args: None)
    syslog = staticmethod(lambda level, text: sys.stderr.write("syslog: %s\\n" % text))
basic.syslog = Syslog
os.umask(int(os.environ["UMASK"], 8))
from ansible_collections.trackops.api_tokens.plugins.modules import token_file_write
token_file_write.main()
"""


@dataclasses.dataclass(frozen=True)
class Answer:
    result: dict[str, t.Any]
    everything: str

    @property
    def one(self) -> dict[str, t.Any]:
        return self.result["files"][0]


class Host:
    def __init__(self, python: str, tree: pathlib.Path) -> None:
        self.python = python
        self.tree = tree

    def write(self, *files: dict[str, t.Any], umask: str = "022", check: bool = False, preexec: t.Callable[[], None] | None = None) -> Answer:
        specs = [{key: value for key, value in file.items() if key != "text"} for file in files]
        contents = {file["dest"]: encoded(file["text"]) for file in files if "text" in file}
        args = {"files": specs, "contents": contents, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_verbosity": 5}
        env = {"PYTHONPATH": str(self.tree), "ARGS": json.dumps(args), "UMASK": umask, "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
        done = subprocess.run([self.python, "-c", RUNNER], env=env, capture_output=True, text=True, check=False, preexec_fn=preexec)
        assert done.stdout.strip(), done.stderr
        return Answer(json.loads(done.stdout), done.stdout + done.stderr)


def encoded(text: str) -> str:
    return "base64:" + base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module", params=["2.7", "3.6", "this"])
def host(request, tmp_path_factory) -> Host:
    try:
        python = sys.executable if request.param == "this" else find_interpreter(request.param)
        library = installed_library() if request.param == "this" else oldest_library()
    except Unavailable as exc:
        pytest.skip(str(exc))  # in CI too: no registry has such old Pythons
    return Host(python, target_tree(tmp_path_factory.mktemp("target"), library))


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
def test_writes_a_file_for_nobody_else_whatever_the_umask(host, dest, umask):
    answer = host.write(present(dest), umask=umask)
    assert answer.result["changed"] and "failed" not in answer.result
    assert dest.read_text() == SECRET
    assert mode_of(dest) == 0o600
    assert answer.one["mode"] == "0600"
    assert leftovers(dest.parent) == []


def test_the_second_time_nothing_changes(host, dest):
    host.write(present(dest))
    before = dest.stat()
    answer = host.write(present(dest))
    assert not answer.result["changed"]
    assert answer.result["diff"] == []
    assert (dest.stat().st_ino, dest.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_tells_what_was_written_and_no_secret(host, dest):
    answer = host.write(present(dest, SECRET + "\n"))
    assert {key: answer.one[key] for key in ("dest", "changed", "state", "vendor", "path", "fingerprint", "expires_at", "backup_file", "error")} == {
        "dest": str(dest), "changed": True, "state": "present", "vendor": "tracx", "path": "fleet/tracx",
        "fingerprint": "sha256:0011223344556677", "expires_at": 1799999999, "backup_file": None, "error": None,
    }  # fmt: skip
    assert "syslog: " in answer.everything
    for hidden in (SECRET, SECRET[:12], encoded(SECRET + "\n"), base64.b64encode(SECRET.encode()).decode()[:20]):
        assert hidden not in answer.everything


@pytest.mark.parametrize("text", ["a", "0", "no", "sha256", "tracx", "present"])
def test_a_short_content_blanks_out_nothing_else(host, dest, text):
    answer = host.write(present(dest, text))
    assert answer.one["vendor"] == "tracx" and answer.one["fingerprint"] == "sha256:0011223344556677"
    assert dest.read_text() == text


def test_new_content_replaces_the_file_whole(host, dest):
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


def test_check_mode_of_absent(host, dest):
    dest.write_text(OTHER)
    predicted = host.write(absent(dest), check=True)
    assert dest.exists()
    assert predicted.result["files"] == host.write(absent(dest)).result["files"]
    assert predicted.one["changed"] and not dest.exists()
    assert not host.write(absent(dest)).result["changed"]


def test_absent_where_there_is_not_even_a_directory(host, tmp_path):
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
def test_a_directory_stays_one(host, dest, change):
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
    assert host.write(present(dest)).result["msg"] == (
        f"{dest}: everyone may replace files in {dest.parent}; take the write permission of others from it"
    )
    dest.parent.chmod(0o1777)
    assert host.write(present(dest)).result["changed"]


@needs_root
def test_a_strangers_symlink_in_the_path_is_not_followed(host, tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to("real")
    assert host.write(present(link / "token")).result["changed"]
    os.lchown(link, 12345, 12345)
    answer = host.write(present(link / "token", OTHER))
    assert answer.result["msg"] == f"{link / 'token'}: {link} is a symlink that belongs to another user; it is not followed"
    assert (tmp_path / "real" / "token").read_text() == SECRET


def test_parents_are_made_on_request_with_their_own_mode(host, tmp_path):
    dest = tmp_path / "a" / "b" / "token"
    refused = host.write(present(dest))
    assert refused.result["msg"] == f"{dest}: the directory {dest.parent} does not exist; set create_directory, or make it first"
    assert host.write(present(dest, create_directory=True), check=True).result["changed"]
    assert not (tmp_path / "a").exists()
    host.write(present(dest, create_directory=True, directory_mode="0751"), umask="077")
    assert [mode_of(path) for path in (tmp_path / "a", tmp_path / "a" / "b", dest)] == [0o751, 0o751, 0o600]


def test_what_a_killed_run_has_left_is_removed(host, tmp_path, dest):
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


def test_a_parent_that_is_a_file(host, tmp_path):
    (tmp_path / "a").write_text("")
    dest = tmp_path / "a" / "token"
    assert host.write(present(dest, create_directory=True)).result["msg"] == f"{dest}: {tmp_path / 'a'} is not a directory"


def test_backup_keeps_what_was_there_for_the_user_of_the_task_alone(host, dest):
    dest.write_text(OTHER)
    dest.chmod(0o644)
    kept = pathlib.Path(host.write(present(dest, backup=True)).one["backup_file"])
    assert (kept.read_text(), mode_of(kept)) == (OTHER, 0o600)
    assert host.write(present(dest, backup=True)).one["backup_file"] is None
    removed = pathlib.Path(host.write(absent(dest, backup=True)).one["backup_file"])
    assert removed.read_text() == SECRET and not dest.exists()


def test_one_failure_keeps_none_of_the_others_from_being_written(host, tmp_path):
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


def test_a_user_that_does_not_exist(host, dest):
    answer = host.write(present(dest, owner="no-such-user"))
    assert answer.result["msg"] == "the owner no-such-user does not exist on this host"
    assert not dest.exists() and leftovers(dest.parent) == []


@needs_root
def test_a_new_owner_of_a_file_that_is_there_may_be_made_by_an_earlier_task(host, dest):
    dest.write_text(SECRET)
    assert host.write(present(dest, owner="no-such-user"), check=True).result["changed"]


def test_a_user_that_an_earlier_task_would_have_made(host, dest):
    answer = host.write(present(dest, owner="no-such-user"), check=True)
    assert answer.result["changed"] and answer.one["owner"] == "no-such-user"


@needs_root
def test_owner_and_group_by_name_and_by_number(host, dest):
    assert host.write(present(dest, owner="nobody", group="4242", mode="0640")).one["group"] == "4242"
    assert (dest.stat().st_uid, dest.stat().st_gid, mode_of(dest)) == (65534, 4242, 0o640)
    assert not host.write(present(dest, owner="nobody", group="4242", mode="0640")).result["changed"]


@needs_root
def test_who_was_there_first_does_not_keep_the_file(host, dest):
    """In /tmp anyone can make the file before us, with the permissions that he would like it to have."""
    dest.write_text("")
    os.chown(dest, 12345, 12345)
    dest.chmod(0o666)
    host.write(present(dest))
    assert (dest.stat().st_uid, dest.stat().st_gid, mode_of(dest)) == (0, os.getegid(), 0o600)


@needs_root
def test_without_the_right_to_a_file_cannot_be_given_away(host, dest):
    dest.write_text(OTHER)
    libc, drop_from_bounding_set, cap_chown = ctypes.CDLL(None), 24, 0
    answer = host.write(present(dest, owner="nobody"), preexec=lambda: libc.prctl(drop_from_bounding_set, cap_chown, 0, 0, 0))
    assert answer.result["msg"] == f"{dest}: may not be given to that owner or group; run the task with become"
    assert dest.read_text() == OTHER and leftovers(dest.parent) == []


@needs_root
def test_where_the_user_may_not_write_become_is_named(host, dest):
    os.chown(dest.parent, 12345, 12345)
    libc, drop_from_bounding_set, cap_dac_override = ctypes.CDLL(None), 24, 1

    def drop() -> None:
        libc.prctl(drop_from_bounding_set, cap_dac_override, 0, 0, 0)

    assert host.write(present(dest), preexec=drop).result["msg"] == f"{dest}: Permission denied; run the task with become, or as a user who may"
    for wanted in (present(dest), present(dest.parent / "a" / "b", create_directory=True)):
        predicted = host.write(wanted, preexec=drop, check=True).result
        assert predicted["msg"] == f"{wanted['dest']}: {dest.parent} may not be written to; run the task with become, or as a user who may"


@needs_root
def test_what_cannot_be_seen_is_not_taken_for_absent(host, tmp_path):
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
        assert answer.result["msg"] == f"{wanted['dest']}: Permission denied; run the task with become, or as a user who may"
    assert dest.read_text() == OTHER


@needs_root
def test_no_backup_is_left_of_a_file_that_is_still_there(host, dest):
    dest.write_text(OTHER)
    libc, drop_from_bounding_set, cap_chown = ctypes.CDLL(None), 24, 0
    host.write(present(dest, owner="nobody", backup=True), preexec=lambda: libc.prctl(drop_from_bounding_set, cap_chown, 0, 0, 0))
    assert [path.name for path in dest.parent.iterdir()] == [dest.name]


def test_a_directory_that_another_run_has_made_meanwhile(tmp_path):
    made = tmp_path / "made"
    made.mkdir(mode=0o750)
    token_files._make_directories([str(made)], {"dest": str(made / "token"), "directory_mode": "0711"})
    assert mode_of(made) == 0o750


def test_no_link_in_the_place_of_a_new_directory_is_followed(tmp_path):
    (tmp_path / "victim").mkdir(mode=0o700)
    (tmp_path / "new").symlink_to("victim")
    with pytest.raises(OSError, match=r"irectory|symbolic"):
        token_files._set_mode(str(tmp_path / "new"), 0o777)
    assert mode_of(tmp_path / "victim") == 0o700


def test_a_full_disk_leaves_the_file_as_it_was(host, dest):
    dest.write_text(OTHER)
    answer = host.write(present(dest, "x" * 70000), preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000)))
    assert answer.result["msg"] == f"{dest}: File too large"
    assert dest.read_text() == OTHER and leftovers(dest.parent) == []


def test_names_that_are_not_ascii(host, tmp_path):
    dest = tmp_path / "größe é"
    answer = host.write(present(dest, "tökén"))
    assert dest.read_text() == "tökén"
    assert answer.one["dest"] == str(dest)
    assert not host.write(present(dest, "tökén")).result["changed"]


# In this process


class FakeModule:
    """What of AnsibleModule is used, on a host with SELinux."""

    def __init__(self, *, check_mode=False, fails=False):
        self.check_mode = check_mode
        self.fails = fails
        self.contexts: dict[str, list[str]] = {}
        self.attributes: list[tuple[str, str | None]] = []

    def fail_json(self, **_kwargs):
        raise AssertionError("ends the process")

    def selinux_enabled(self):
        return True

    def selinux_default_context(self, _path):
        return ["system_u", "object_r", "etc_t", "s0"]

    def selinux_context(self, path):
        return self.contexts.get(path, ["unconfined_u", "object_r", "user_home_t", "s0"])

    def set_context_if_different(self, path, context, changed):
        if self.fails:
            self.fail_json(msg="set selinux context failed", path=path)
        self.contexts[path] = context
        return True

    def set_attributes_if_different(self, path, attributes, changed):
        self.attributes.append((path, attributes))
        return changed or bool(attributes)


def spec(dest, **options):
    names = ("vendor", "path", "fingerprint", "expires_at", "owner", "group", "seuser", "serole", "setype", "selevel", "attributes")
    fixed = {"state": "present", "mode": "0600", "create_directory": False, "directory_mode": "0755", "backup": False}
    return {**dict.fromkeys(names), **fixed, "dest": str(dest), **options}


def test_selinux_the_new_file_gets_its_context_before_it_is_seen(dest):
    module = FakeModule()
    assert token_files.ensure(module, spec(dest), b"x")["changed"]
    [(path, context)] = module.contexts.items()
    assert os.path.basename(path).startswith(".ansible_trackops_")
    assert context == ["system_u", "object_r", "etc_t", "s0"]


def test_selinux_a_replaced_file_keeps_its_context_but_for_what_is_asked(dest):
    dest.write_text("old")
    module = FakeModule()
    token_files.ensure(module, spec(dest, setype="httpd_config_t", seuser="_default"), b"x")
    assert list(module.contexts.values()) == [["system_u", "object_r", "httpd_config_t", "s0"]]


@pytest.mark.parametrize(("setype", "changed"), [("user_home_t", False), ("httpd_config_t", True), (None, False), ("_default", True)])
def test_selinux_another_context_is_a_change(dest, setype, changed):
    token_files.ensure(FakeModule(), spec(dest), b"x")
    assert token_files.ensure(FakeModule(check_mode=True), spec(dest, setype=setype), b"x")["changed"] is changed


def test_a_helper_that_would_end_the_process_ends_one_file_only(dest):
    module = FakeModule(fails=True)
    result = token_files.ensure(module, spec(dest), b"x")
    assert (result["error"], result["changed"]) == ("set selinux context failed", False)
    assert not dest.exists() and leftovers(dest.parent) == []
    with pytest.raises(AssertionError):
        module.fail_json()


def test_attributes_are_set_on_the_file_itself(dest):
    module = FakeModule()
    assert token_files.ensure(module, spec(dest, attributes="+d"), b"x")["changed"]
    assert module.attributes == [(str(dest), "+d")]


def test_backup_without_hard_links(dest, monkeypatch):
    def no_links(*_args):
        raise OSError(token_files.errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(token_files, "os", types.SimpleNamespace(**{**vars(os), "link": no_links}))
    dest.write_text(OTHER)
    dest.chmod(0o644)
    kept = pathlib.Path(token_files.ensure(FakeModule(), spec(dest, backup=True), b"x")["backup_file"])
    assert (kept.read_text(), mode_of(kept)) == (OTHER, 0o600)


def test_a_link_that_takes_the_place_while_we_look(dest, monkeypatch):
    """Between lstat and open: O_NOFOLLOW."""
    victim = dest.with_name("victim")
    victim.write_text("precious")
    dest.write_text("old")
    lstat = os.lstat

    def swap(path):
        status = lstat(path)
        if path == os.fsencode(dest) and not dest.is_symlink():
            dest.unlink()
            dest.symlink_to(victim)
        return status

    monkeypatch.setattr(token_files, "os", types.SimpleNamespace(**{**vars(os), "lstat": swap}))
    result = token_files.ensure(FakeModule(), spec(dest), b"x")
    assert result["error"] == f"{dest}: Too many levels of symbolic links"
    assert victim.read_text() == "precious"
