# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit test starts no process and opens no socket. Tests that need to are marked ``system``; ``make fast`` leaves them out, and says so."""

from __future__ import annotations

import functools
import gc
import importlib.util
import pathlib
import subprocess
import sys
import textwrap
import threading
import typing as t

import pytest

FOLDER = pathlib.Path(__file__).parent
# These tests use Ansible's own code, which is not in the environment of `make fast` and may start processes at any time.
WITH_ANSIBLE = (
    "action/",
    "callback/",
    "filter/",
    "module_utils/",
    "modules/",
    "plugin_utils/_boundary/test_action.py",
    "plugin_utils/_boundary/test_explain.py",
    "plugin_utils/_boundary/test_lookup.py",
    "plugin_utils/_boundary/test_operator_variables.py",
    "plugin_utils/_boundary/test_preload.py",
    "plugin_utils/_boundary/test_trust.py",
    "plugin_utils/_boundary/test_full_lookup.py",
    "plugin_utils/_boundary/test_vendor_settings.py",
    "test/",
)
collect_ignore = [] if importlib.util.find_spec("ansible") else [path.rstrip("/") for path in WITH_ANSIBLE]

# What is not, or not only, tested at its own path in this folder: the beginning of its path, and the tests of it.
FURTHER_TESTS = (
    ("plugins/lookup/", ("integration/vendors/test_{}.py", "quality/test_ansible_doc.py")),
    ("plugins/modules/", ("quality/test_ansible_doc.py",)),
    ("plugins/doc_fragments/", ("unit/test_hit.py", "quality/test_ansible_doc.py")),
    ("plugins/plugin_utils/_boundary/full_lookup.py", ("unit/test_hit.py",)),
    ("plugins/plugin_utils/_boundary/lookup.py", ("unit/test_hit.py",)),
    ("plugins/plugin_utils/_cache/pointer.py", ("unit/test_hit.py",)),
    ("playbooks/", ("integration/test_operator.py",)),
    ("playbooks/vault_setup", ("integration/test_vault_setup.py",)),
    ("playbooks/authorize", ("integration/test_authorize.py",)),
    *((f"roles/{role}/", ("quality/test_role_spec.py", f"integration/test_{role}.py")) for role in ("provision", "schedule")),
)

# Names of Python's audit events for what a unit test must not do.
_FORBIDDEN = frozenset(
    ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen")
)
_seen: list[str] = []
_watched: list[int] = []


def _audit(event: str, arguments: tuple[t.Any, ...]) -> None:
    # Only the thread that runs the test: servers of other tests may still be shutting down in their own threads.
    if event in _FORBIDDEN and threading.get_ident() in _watched:
        _seen.append(event)
        raise PermissionError(f"{event} in a unit test: mark the test with @pytest.mark.system")


sys.addaudithook(_audit)


def pytest_collection_finish() -> None:
    """The collected tests stay until the end: keep the garbage collector from examining them each time."""
    gc.freeze()


@functools.cache
def _uses_ansible(path: pathlib.Path) -> bool:
    return str(path.relative_to(FOLDER)).startswith(WITH_ANSIBLE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> t.Generator[None, object, object]:
    """Refuse processes and sockets. A test that catches the refusal fails anyway."""
    if item.get_closest_marker("system") or _uses_ansible(item.path):
        return (yield)
    _seen.clear()
    _watched.append(threading.get_ident())
    try:
        result = yield
    finally:
        _watched.clear()
    if _seen:
        pytest.fail(f"{', '.join(sorted(set(_seen)))} in a unit test: mark the test with @pytest.mark.system", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> t.Generator[None, None, None]:
    """If marks select from the whole folder, list the files of which nothing was run, just before pytest's last line."""
    yield
    asked = [(config.invocation_params.dir / name).resolve() for name in config.args]
    if config.option.markexpr and not config.option.keyword and asked == [FOLDER]:
        outcomes = ("passed", "failed", "error", "xfailed", "xpassed")
        files = {report.nodeid.split("::")[0] for outcome in outcomes for report in terminalreporter.getreports(outcome)}
        ran = {path for name in files if (path := config.rootpath / name).is_file()}
        for test, file in tests_of(changed(FOLDER)).items():
            if FOLDER.parent.joinpath(test).is_file() and FOLDER.parent / test not in ran:
                terminalreporter.write_line(f"YOU CHANGED {file}, and its tests were not run here: make test PYTEST_ARGS=-x TESTS=tests/{test}", red=True)
        left = not_run(FOLDER, ran)
        if left:
            for line in textwrap.wrap(f"not run here, but by make unit: {', '.join(left)}", 120, break_on_hyphens=False):
                terminalreporter.write_line(line)


def changed(folder: pathlib.Path) -> list[str]:
    """The files that differ from the last commit, as paths in the checkout; none where git does not know *folder*."""
    try:
        done = subprocess.run(["git", "status", "--porcelain", "--untracked-files=all"], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return [line[3:].rpartition(" -> ")[2] for line in done.stdout.splitlines()]


def tests_of(names: t.Iterable[str]) -> dict[str, str]:
    """The tests of these files, as paths below ``tests``, each with the file as it is shown."""
    found: dict[str, str] = {}
    for name in names:
        path = pathlib.PurePosixPath(name)
        if name.startswith("tests/unit/") and path.name.startswith("test_"):
            test = path.relative_to("tests")
            found.setdefault(str(test), shown(test.with_name(path.stem.removeprefix("test_"))))
        elif name.startswith("plugins/") and path.suffix == ".py":
            test = path.relative_to("plugins")
            found.setdefault(f"unit/{test.with_name(f'test_{path.name}')}", shown("unit" / test.with_suffix("")))
        for beginning, tests in FURTHER_TESTS:
            if name.startswith(beginning):
                found.update((test.format(path.stem), name) for test in tests if test.format(path.stem) not in found)
    return found


def shown(path: pathlib.PurePath) -> str:
    """A file below ``tests/unit``, as :func:`not_run` names it."""
    return str(path).removeprefix("unit/").removeprefix("plugin_utils/")


def not_run(folder: pathlib.Path, ran: t.Collection[pathlib.Path]) -> list[str]:
    """The test files in *folder* that are not in *ran*, named by what they test. A folder in which no file ran is listed as a whole."""
    with_runs = {parent for path in ran for parent in path.parents}
    left = []
    for path in sorted(set(folder.rglob("test_*.py")) - set(ran)):
        whole = next((parent for parent in reversed(path.parents) if folder in parent.parents and parent not in with_runs), None)
        shown = str(path.with_name(path.stem.removeprefix("test_")) if whole is None else whole)
        left.append(shown.removeprefix(f"{folder}/").removeprefix("plugin_utils/") + ("" if whole is None else "/"))
    return list(dict.fromkeys(left))
