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
    folder = tmp_path / "unit"
    folder.mkdir()
    shutil.copy(pathlib.Path(__file__).with_name("conftest.py"), folder)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = system: it does\naddopts = -ra\n")
    files = ("test_run.py", "test_hit.py", "plugin_utils/_flow/test_fetch.py", "plugin_utils/_flow/test_lock.py", "lookup/test_one.py", "lookup/test_two.py")
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        mark = "" if name.endswith(("run.py", "fetch.py")) else "@pytest.mark.system\n"
        (folder / name).write_text(f"import pytest\n\n{mark}def test_it():\n    pass\n\ndef test_other():\n    pytest.skip('why')\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-m", "not system", str(folder)]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.splitlines()
    assert said[-2] == "not run here, but by make unit: lookup/, _flow/lock, hit"
    assert said[-1].startswith("2 passed, 6 skipped, 4 deselected in ")
    (folder / "bin").mkdir()
    git = folder / "bin" / "git"
    git.write_text(
        "#!/bin/sh\nprintf ' M %s\\n' plugins/plugin_utils/_flow/lock.py plugins/plugin_utils/_flow/fetch.py tests/unit/test_hit.py README.md a.py\n"
    )
    git.chmod(0o755)
    env = {**os.environ, "PATH": f"{git.parent}:{os.environ['PATH']}"}
    said = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False).stdout.splitlines()
    assert said[-4:-1] == [
        "YOU CHANGED _flow/lock, and its tests were not run here: make test PYTEST_ARGS=-x TESTS=tests/unit/plugin_utils/_flow/test_lock.py",
        "YOU CHANGED hit, and its tests were not run here: make test PYTEST_ARGS=-x TESTS=tests/unit/test_hit.py",
        "not run here, but by make unit: lookup/, _flow/lock, hit",
    ]
    chosen = subprocess.run([*command, "-k", "it"], cwd=folder, capture_output=True, text=True, check=False).stdout
    assert "2 passed" in chosen and "not run here" not in chosen


CONFTEST = pathlib.Path(__file__).with_name("conftest.py")
TESTS = CONFTEST.parent.parent


@pytest.fixture
def conftest(pytestconfig):
    return pytestconfig.pluginmanager.get_plugin(str(CONFTEST))


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("plugins/plugin_utils/_flow/fetch.py", {"unit/plugin_utils/_flow/test_fetch.py": "_flow/fetch"}),
        ("plugins/action/authorize.py", {"unit/action/test_authorize.py": "action/authorize"}),
        ("tests/unit/plugin_utils/_flow/test_fetch.py", {"unit/plugin_utils/_flow/test_fetch.py": "_flow/fetch"}),
        ("tests/unit/test_hit.py", {"unit/test_hit.py": "hit"}),
        ("plugins/lookup/tracx.py", {"integration/vendors/test_tracx.py", "quality/test_ansible_doc.py"}),
        ("plugins/lookup/oauth2.py", {"integration/vendors/test_oauth2.py", "quality/test_ansible_doc.py"}),
        ("plugins/doc_fragments/token.py", {"unit/test_hit.py", "quality/test_ansible_doc.py"}),
        ("plugins/modules/token_file.py", {"quality/test_ansible_doc.py"}),
        ("plugins/plugin_utils/_cache/pointer.py", {"unit/plugin_utils/_cache/test_pointer.py", "unit/test_hit.py"}),
        ("roles/provision/tasks/main.yml", {"quality/test_role_spec.py", "integration/test_provision.py"}),
        ("roles/schedule/templates/x.j2", {"quality/test_role_spec.py", "integration/test_schedule.py"}),
        ("playbooks/vault_setup.yml", {"integration/test_operator.py", "integration/test_vault_setup.py"}),
        ("playbooks/status.yml", {"integration/test_operator.py"}),
        ("README.md", set()),
    ],
)
def test_the_tests_of_a_changed_file_are_known(conftest, file, tests):
    """Of those that are given as a set, only the tests that exist count."""
    found = conftest.tests_of([file])
    assert (found if isinstance(tests, dict) else {test for test in found if (TESTS / test).is_file()}) == tests


def test_the_tests_that_the_table_names_exist(conftest):
    assert [test for _beginning, tests in conftest.FURTHER_TESTS for test in tests if "{" not in test and not (TESTS / test).is_file()] == []
    folders = {path.name for path in (TESTS.parent / "roles").iterdir()}
    assert {beginning.split("/")[1] for beginning, _tests in conftest.FURTHER_TESTS if beginning.startswith("roles/")} == folders
