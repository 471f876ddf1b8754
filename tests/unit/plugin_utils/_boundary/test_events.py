# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which listeners receive an event."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import stat

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event, this_run
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.event_file import append_line
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.events import EVENTS_FILE, Listener
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.summary import table

FORK = multiprocessing.get_context("fork")
EVENT = Event("fetched", "tracx", "secret/tracx", reason="no entry", seconds=0.25, expires_at=1_800_000_000.9, fingerprint="sha256:0", key="k")


class Display:
    def __init__(self, verbosity=0):
        self.verbosity, self.lines, self.warnings = verbosity, [], []

    def vvv(self, msg):
        self.lines.append(msg)

    def warning(self, msg):
        self.warnings.append(msg)


@pytest.fixture(autouse=True)
def _no_summary(monkeypatch):
    monkeypatch.delenv(EVENTS_FILE, raising=False)


def display_after(event=EVENT, *, verbosity=0, audit_log=None):
    display = Display(verbosity)
    listener = Listener(display, audit_log=audit_log)
    listener(event)
    listener(event)
    return display


def test_events_are_displayed_from_verbosity_3():
    assert display_after(verbosity=3).lines[0] == "trackops.api_tokens: tracx secret/tracx: fetched from the vendor (no entry), 250 ms"
    assert display_after(Event("hit", "tracx", "secret/tracx"), verbosity=3).lines[0] == "trackops.api_tokens: tracx secret/tracx: from the cache, 0 ms"
    assert display_after(verbosity=2).lines == []


def test_the_audit_log_is_a_private_file_of_json_lines(tmp_path):
    path = tmp_path / "audit.log"
    before = os.umask(0)
    try:
        assert display_after(audit_log=str(path)).warnings == []
    finally:
        os.umask(before)
    first, second = map(json.loads, path.read_text().splitlines())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert second.keys() - {"time"} == first.keys()
    assert {name: value for name, value in first.items() if name not in ("host", "user")} == {
        "event": "fetched",
        "vendor": "tracx",
        "path": "secret/tracx",
        "reason": "no entry",
        "duration": 0.25,
        "fingerprint": "sha256:0",
        "expires_at": 1_800_000_000,
        "process": os.getpid(),
    }
    assert first["host"]
    assert first["user"]


def test_an_unwritable_audit_log_is_warned_about_once(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    assert display_after(audit_log=str(link)).warnings == [f"The audit log {link} cannot be written (Too many levels of symbolic links)."]
    assert not (tmp_path / "elsewhere").exists()


def _plain(path):
    path.write_text("")
    path.chmod(0o600)
    return path


def _fifo(path):
    os.mkfifo(path, 0o600)  # nobody reads it: a plain open would block forever
    return path


def _fifo_with_a_reader(path):
    os.mkfifo(path, 0o600)
    READERS.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    return path


def _world_writable(path):
    _plain(path).chmod(0o666)
    return path


def _group_writable(path):
    _plain(path).chmod(0o660)
    return path


def _foreign(path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(_plain(path), 65534, 65534)
    return path


def _hard_link(path):
    os.link(_plain(path.with_name("other")), path)
    return path


def _shell_start_file(path):
    _plain(path).write_text("# .bashrc\n")
    return path


def _directory(path):
    path.mkdir()
    return path


READERS: list[int] = []


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (_fifo, "is not used: it is not a regular file. Name another file."),
        (_fifo_with_a_reader, "is not used: it is not a regular file. Name another file."),
        (_world_writable, "is not used: others can write to it (mode 0666). Run chmod 600 on it."),
        (_group_writable, "is not used: others can write to it (mode 0660). Run chmod 600 on it."),
        (_foreign, "is not used: it belongs to another user. Name a file of your own."),
        (_hard_link, "is not used: it has a second name (a hard link). Remove that, or name another file."),
        (_shell_start_file, "is not used: it contains something other than JSON lines. Name a new file."),
        (_directory, "cannot be written (Is a directory)."),
    ],
)
def test_an_audit_log_that_others_control_is_not_used(tmp_path, made, why):
    path = made(tmp_path / "audit")
    before = path.read_bytes() if path.is_file() else None
    assert display_after(audit_log=str(path)).warnings == [f"The audit log {path} {why}"]
    assert (path.read_bytes() if path.is_file() else None) == before
    while READERS:
        os.close(READERS.pop())


def test_an_existing_audit_log_is_appended_to(tmp_path):
    path = _plain(tmp_path / "audit")
    assert display_after(audit_log=str(path)).warnings == []
    assert display_after(audit_log=str(path)).warnings == []
    assert len(path.read_text().splitlines()) == 4


def test_nothing_displayed_or_logged_has_control_characters(tmp_path):
    awkward = "a\x1b]0;title\x07\r\nb\u202ec\x7f\x9bd"
    event = Event("failed", awkward, "secret/" + awkward, reason=awkward)
    path = tmp_path / "audit"
    display = display_after(event, verbosity=3, audit_log=str(path))
    assert display.lines[0] == "trackops.api_tokens: a ]0;title b c d secret/a ]0;title b c d: failed (a ]0;title b c d), 0 ms"
    record = json.loads(path.read_text().splitlines()[0])
    assert (record["vendor"], record["path"], record["reason"]) == ("a ]0;title b c d", "secret/a ]0;title b c d", "a ]0;title b c d")
    assert table([{**vars(event), "name": "hit"}], now=0)[3].startswith("a ]0;title b c d  secret/a ]0;title b c d ")
    Listener(display, audit_log=None).warn(awkward)
    assert display.warnings == ["a ]0;title b c d"]
    assert VaultError(awkward).message == "a ]0;title b c d"


def test_the_summary_gets_every_event_and_its_failure_does_no_harm(tmp_path, monkeypatch):
    path = tmp_path / "events"
    monkeypatch.setenv(EVENTS_FILE, str(path))
    display_after()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [vars(EVENT)] * 2
    monkeypatch.setenv(EVENTS_FILE, str(tmp_path / "gone" / "events"))
    display_after()


def _append(arguments):
    path, number = arguments
    for _ in range(200):
        append_line(path, {"number": number, "padding": "é" * 300})


@pytest.mark.system
def test_lines_of_concurrent_processes_stay_whole(tmp_path):
    path = str(tmp_path / "log")
    with FORK.Pool(4) as pool:
        pool.map(_append, [(path, number) for number in range(4)])
    with open(path, encoding="ascii") as file:
        numbers = [json.loads(line)["number"] for line in file]
    assert sorted(numbers) == sorted(list(range(4)) * 200)


def _send_run(pipe):
    pipe.send(this_run())


@pytest.mark.system
def test_all_forks_of_a_run_have_the_same_run_name():
    ours, theirs = FORK.Pipe()
    names = []
    for _ in range(2):
        fork = FORK.Process(target=_send_run, args=(theirs,))
        fork.start()
        names.append(ours.recv())
        fork.join()
    assert names[0] == names[1]
    assert re.fullmatch("[0-9a-f]{16}", names[0])
    if multiprocessing.parent_process() is None:
        assert this_run() == names[0]
