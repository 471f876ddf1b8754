# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pty
import queue

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.loopback import Answer
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.terminal import Terminal, open_terminal

pytestmark = pytest.mark.system  # uses a terminal


@pytest.fixture
def answers() -> queue.Queue[Answer]:
    return queue.Queue()


def test_the_wanted_line_of_a_terminal_is_the_answer(answers):
    master, slave = pty.openpty()
    again: queue.Queue[str] = queue.Queue()
    terminal = Terminal(slave)
    terminal.listen(answers, wanted=lambda line: "code=" in line, again=again.put)
    os.write(master, b"\nwhat?\n")
    assert again.get(timeout=10) == "what?"
    os.write(master, b"  http://127.0.0.1/?code=1  \n")
    assert answers.get(timeout=10).redirected == "http://127.0.0.1/?code=1"
    terminal.close()
    os.close(master)


def test_without_a_terminal_nothing_is_opened():
    assert open_terminal(None) is None
    assert open_terminal(2**22 + 1) is None
