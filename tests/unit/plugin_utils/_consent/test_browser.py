# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import stat
import typing as t

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.browser import has_browser, opened
from support.processes import wait_for

pytestmark = pytest.mark.system  # starts processes


URL = "https://login.example.com/authorize?response_type=code&state=s%22<x>"


@pytest.fixture
def browser(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], pathlib.Path]:
    """Make a script the browser; it writes its argument to a file, and then runs the commands of the test."""

    def become(rest: str) -> pathlib.Path:
        script, said = tmp_path / "browser", tmp_path / "said"
        script.write_text(f'#!/bin/sh\necho "$1" > {said}.part; tty >> {said}.part 2>&1; mv {said}.part {said}; {rest}\n')
        script.chmod(0o755)
        monkeypatch.setenv("BROWSER", f"{script} %s")
        return said

    return become


def test_the_browser_gets_a_page_that_only_this_user_can_read(browser):
    said = browser("exit 0")
    with opened(URL):
        wait_for("the browser", said.exists)
        address, terminal = said.read_text().splitlines()
        assert address.startswith("file:///")
        page = pathlib.Path(address.removeprefix("file://"))
        assert 'content="0;url=https://login.example.com/authorize?response_type=code&amp;state=s%22&lt;x&gt;"' in page.read_text()
        assert (stat.S_IMODE(page.stat().st_mode), stat.S_IMODE(page.parent.stat().st_mode)) == (0o600, 0o700)
        assert terminal == "not a tty"
    assert not page.parent.exists()


def test_a_browser_in_the_foreground_is_not_waited_for(browser, tmp_path):
    os.mkfifo(tmp_path / "gate")
    said = browser(f"cat {tmp_path}/gate; touch {tmp_path}/ended")  # runs until the test opens the gate
    with opened(URL):
        wait_for("the browser", said.exists)
    assert not (tmp_path / "ended").exists()
    with open(tmp_path / "gate", "w"):  # waits for the browser, which still runs and was not killed
        pass
    wait_for("its end", (tmp_path / "ended").exists)


@pytest.mark.parametrize(
    ("environ", "system", "there"),
    [
        ({}, "Linux", False),
        ({"DISPLAY": ""}, "Linux", False),
        ({"DISPLAY": ":0"}, "Linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "Linux", True),
        ({"BROWSER": "w3m"}, "Linux", True),
        ({}, "Darwin", True),
    ],
)
def test_a_browser_needs_a_display_or_the_browser_variable_on_linux(environ, system, there):
    assert has_browser(environ, system) is there
