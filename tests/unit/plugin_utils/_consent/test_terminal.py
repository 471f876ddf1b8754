# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import io
import os
import pty
import queue
import resource
import threading
import types

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent import terminal as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.loopback import AuthorizationResponse
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.terminal import Terminal, open_terminal

pytestmark = pytest.mark.system  # uses a terminal


@pytest.fixture
def responses() -> queue.Queue[AuthorizationResponse]:
    return queue.Queue()


def test_the_wanted_line_of_a_terminal_is_the_answer(responses):
    before = {*threading.enumerate()}
    master, slave = pty.openpty()
    again: queue.Queue[str] = queue.Queue()
    terminal = Terminal(slave)
    terminal.listen(responses, is_response=lambda line: "code=" in line, again=again.put)
    os.write(master, b"\nwhat?\n")
    assert again.get(timeout=10) == "what?"
    os.write(master, b"  http://127.0.0.1/?code=1  \n")
    assert responses.get(timeout=10).redirected == "http://127.0.0.1/?code=1"
    terminal.close()
    os.close(master)
    for thread in {*threading.enumerate()} - before:
        thread.join(300)


def test_without_a_terminal_nothing_is_opened():
    assert open_terminal(None) is None
    assert open_terminal(2**22 + 1) is None


class FakeSystem:
    """Stands in for ``os`` and ``open``: the process 77 has this *stat*, and its standard input may be a terminal."""

    O_RDONLY, O_NOCTTY, O_CLOEXEC = 1, 2, 4

    def __init__(self, monkeypatch, stat, *, is_terminal=True, trouble=None):
        self.opened, self.closed = [], []
        self._is_terminal, self._trouble, self._stat = is_terminal, trouble, stat
        monkeypatch.setattr(subject, "os", self)
        monkeypatch.setattr(subject, "open", self._open, raising=False)

    def _open(self, path, mode):
        assert (path, mode) == ("/proc/77/stat", "rb")
        return io.BytesIO(self._stat)

    def open(self, path, flags):
        self.opened.append((path, flags))
        if self._trouble:
            raise self._trouble
        return 9

    def isatty(self, descriptor):
        assert descriptor == 9
        return self._is_terminal

    def close(self, descriptor):
        self.closed.append(descriptor)


#: proc(5): after the name of the program, state, parent, process group, session, terminal, its foreground process group, flags.
FOREGROUND, BACKGROUND = b"77 (a) b) S 1 500 400 34816 500 600 0", b"77 (a) b) S 1 500 400 34816 501 500 0"


def test_the_terminal_of_a_process_in_the_foreground_is_opened(monkeypatch):
    system = FakeSystem(monkeypatch, FOREGROUND)
    assert open_terminal(77).descriptor == 9
    assert (system.opened, system.closed) == ([("/proc/77/fd/0", 7)], [])


def test_a_process_in_the_background_reads_no_terminal(monkeypatch):
    system = FakeSystem(monkeypatch, BACKGROUND)
    assert open_terminal(77) is None
    assert system.opened == []


def test_a_standard_input_that_is_no_terminal_is_closed(monkeypatch):
    system = FakeSystem(monkeypatch, FOREGROUND, is_terminal=False)
    assert open_terminal(77) is None
    assert system.closed == [9]


@pytest.mark.parametrize(("stat", "trouble"), [(b"77 (a) S", None), (FOREGROUND, PermissionError(13, "no"))])
def test_a_terminal_that_cannot_be_found_or_opened_is_none(monkeypatch, stat, trouble):
    FakeSystem(monkeypatch, stat, trouble=trouble)
    assert open_terminal(77) is None


def test_lines_are_put_together_and_are_not_endless(monkeypatch):
    chunks = [b"ab", b"c\xff \n", b"x" * 16384, b"y", b"z" * 16385, b"rest", b""]
    ready = [[], *([(5, 1)] for _chunk in chunks)]
    asked = []

    def poll(milliseconds):
        asked.append(milliseconds)
        return ready.pop(0)

    polled = types.SimpleNamespace(poll=poll, register=lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(subject, "select", types.SimpleNamespace(poll=lambda: polled, POLLIN=1))
    monkeypatch.setattr(subject, "_read", lambda descriptor: chunks.pop(0))
    assert list(Terminal(5)._lines()) == ["abc\ufffd", "x" * 16384 + "y", "z" * 16385]
    assert asked == [(5, 1), *[200] * 8]


def test_a_terminal_is_read_next_to_a_thousand_open_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reader, writer = os.pipe()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard) if hard != resource.RLIM_INFINITY else 2048, hard))
    try:
        high = fcntl.fcntl(reader, fcntl.F_DUPFD, 1024)
        os.write(writer, b"line\n")
        os.close(writer)
        assert list(Terminal(high)._lines()) == ["line"]
        os.close(high)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(reader)


def test_a_terminal_that_is_gone_has_no_more_lines():
    assert subject._read(-1) == b""


def test_the_terminal_is_closed_when_it_ends(responses):
    before = {*threading.enumerate()}
    reader, writer = os.pipe()
    Terminal(reader).listen(responses, is_response=bool, again=pytest.fail)
    (thread,) = {*threading.enumerate()} - before
    assert thread.daemon
    os.close(writer)
    thread.join(300)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
