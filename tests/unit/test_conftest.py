# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard of the unit tests: a test that is not marked ``system`` starts no process and opens no socket."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

_TESTS = """
import contextlib, os, socket, subprocess, sys
import pytest

def test_process():
    subprocess.run([sys.executable, "-c", ""])

def test_refusal_that_is_caught():
    with contextlib.suppress(OSError):
        socket.socket().bind(("127.0.0.1", 0))

def test_fork():
    if os.fork() == 0:
        os._exit(0)

@pytest.mark.system
def test_marked():
    subprocess.run([sys.executable, "-c", ""], check=True)

def test_pure():
    assert 1 + 1 == 2
"""


@pytest.mark.system
def test_processes_and_sockets_need_the_system_mark(tmp_path):
    shutil.copy(pathlib.Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = system: it does\n")
    (tmp_path / "test_it.py").write_text(_TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    ends = sorted(line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED", "ERROR")))
    assert ends == [
        "FAILED test_it.py::test_fork",
        "FAILED test_it.py::test_process",
        "FAILED test_it.py::test_refusal_that_is_caught",
        "PASSED test_it.py::test_marked",
        "PASSED test_it.py::test_pure",
    ], done.stdout
    assert "socket.bind in a unit test: mark the test with @pytest.mark.system" in done.stdout


@pytest.mark.system
def test_skipped_files_are_listed_before_the_last_line(tmp_path):
    shutil.copy(pathlib.Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = system: it does\naddopts = -ra\n")
    files = ("test_run.py", "test_hit.py", "plugin_utils/_flow/test_fetch.py", "plugin_utils/_flow/test_lock.py", "lookup/test_one.py", "lookup/test_two.py")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        mark = "" if name.endswith(("run.py", "fetch.py")) else "@pytest.mark.system\n"
        (tmp_path / name).write_text(f"import pytest\n\n{mark}def test_it():\n    pass\n\ndef test_other():\n    pytest.skip('why')\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-m", "not system", str(tmp_path)]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout.splitlines()
    assert said[-2] == "not run here, but by make unit: lookup/, _flow/lock, hit"
    assert said[-1].startswith("2 passed, 6 skipped, 4 deselected in ")
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin" / "git"
    git.write_text(
        "#!/bin/sh\nprintf ' M %s\\n' plugins/plugin_utils/_flow/lock.py plugins/plugin_utils/_flow/fetch.py tests/unit/test_hit.py README.md a.py\n"
    )
    git.chmod(0o755)
    env = {**os.environ, "PATH": f"{git.parent}:{os.environ['PATH']}"}
    said = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False).stdout.splitlines()
    assert said[-4:-1] == [
        "YOU CHANGED _flow/lock, and its tests were not run here: make test TESTS=tests/unit/plugin_utils/_flow/test_lock.py",
        "YOU CHANGED hit, and its tests were not run here: make test TESTS=tests/unit/test_hit.py",
        "not run here, but by make unit: lookup/, _flow/lock, hit",
    ]
    chosen = subprocess.run([*command, "-k", "it"], cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "2 passed" in chosen and "not run here" not in chosen
