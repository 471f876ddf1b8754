# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.client
import os
import pty
import queue
import socket
import threading

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.loopback import Answer, Loopback, Terminal, open_terminal, receive


def get(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def in_background(port: int, path: str) -> tuple[threading.Thread, list[tuple[int, dict[str, str], str]]]:
    found: list[tuple[int, dict[str, str], str]] = []
    thread = threading.Thread(target=lambda: found.append(get(port, path)))
    thread.start()
    return thread, found


@pytest.fixture
def answers() -> queue.Queue[Answer]:
    return queue.Queue()


@pytest.mark.system
def test_the_browser_sees_what_became_of_it(answers):
    with Loopback("127.0.0.1", 0, "/callback", answers) as listener:
        thread, found = in_background(listener.port, "/callback?code=c&state=s")
        assert receive(answers, len, timeout=10, describe=lambda length: f"<b>{length}</b>") == len("/callback?code=c&state=s")
        thread.join(10)
    status, headers, page = found[0]
    assert (status, '<p id="outcome">&lt;b&gt;24&lt;/b&gt;</p>' in page) == (200, True)
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "code=c" not in page


@pytest.mark.system
def test_the_browser_sees_the_error_too(answers):
    def refuse(_redirected: str) -> None:
        raise VendorError("acme: no.")

    with Loopback("127.0.0.1", 0, "/callback", answers) as listener:
        thread, found = in_background(listener.port, "/callback?error=x")
        with pytest.raises(VendorError, match=r"^acme: no\.$"):
            receive(answers, refuse, timeout=10, describe=str)
        thread.join(10)
    assert (found[0][0], "acme: no." in found[0][2]) == (400, True)


@pytest.mark.system
def test_one_answer_only_and_nothing_else_counts(answers):
    with Loopback("127.0.0.1", 0, "/callback", answers) as listener:
        assert get(listener.port, "/favicon.ico")[0] == 404
        assert get(listener.port, "/callback", "POST")[0] == 501
        # A browser connects ahead of time, and sends nothing.
        with socket.create_connection(("127.0.0.1", listener.port)):
            first, _found = in_background(listener.port, "/callback?code=1")
            answer = answers.get(timeout=10)
            assert get(listener.port, "/callback?code=2")[0] == 409
            answer.close(good=True, text="done")
            first.join(10)
    assert (answer.redirected, answers.empty()) == ("/callback?code=1", True)


@pytest.mark.system
def test_nobody_comes(answers):
    with Loopback("127.0.0.1", 0, "/callback", answers), pytest.raises(queue.Empty):
        receive(answers, str, timeout=0.05, describe=str)


@pytest.mark.system
def test_a_port_that_is_taken(answers):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OptionError) as caught:
            Loopback("127.0.0.1", port, "/callback", answers)
    assert caught.value.message == (
        f"There is no listening at 127.0.0.1:{port} (address already in use). Free that port, or name another one in redirect_uri or listen_port."
    )


def test_lines_of_a_terminal(answers):
    master, slave = pty.openpty()
    again = threading.Event()
    terminal = Terminal(slave)
    terminal.listen(answers, wanted=lambda line: "code=" in line, again=again.set)
    os.write(master, b"\nwhat?\n")
    assert again.wait(10)
    os.write(master, b"  http://127.0.0.1/?code=1  \n")
    assert answers.get(timeout=10).redirected == "http://127.0.0.1/?code=1"
    terminal.close()
    os.close(master)


def test_no_terminal():
    assert open_terminal(None) is None
    assert open_terminal(2**22 + 1) is None
