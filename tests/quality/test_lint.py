# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ruff, mypy --strict on the core, ansible-lint: run as tests, so that there is one runner."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from support import actionlint
from support.bootstrap import environment
from support.collection import installed, source_path
from support.places import ROOT
from support.processes import Unavailable

BIN = pathlib.Path(sys.executable).parent
CORE = "ansible_collections.trackops.api_tokens.plugins.plugin_utils"


def check(*command: str, **variables: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VAULT_"))}
    env.update(variables, NO_COLOR="1", PATH=os.pathsep.join([str(BIN), env.get("PATH", os.defpath)]))
    program = str(BIN / command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}"


def test_ruff_finds_nothing() -> None:
    check("ruff", "check", "--no-fix", "--output-format", "concise", ".")


def test_the_code_is_formatted() -> None:
    check("ruff", "format", "--check", ".")


def test_no_code_is_dead() -> None:
    check("vulture")


def test_mypy_finds_nothing_in_strict_mode() -> None:
    """The core and the code that tests share, in one run, because the latter imports the former."""
    check("mypy", "--strict", "-p", CORE, "-p", "support", MYPYPATH=os.pathsep.join([str(ROOT / "tests"), str(source_path())]))


def test_ansible_lint_finds_nothing(tmp_path: pathlib.Path) -> None:
    # ansible-lint leaves a folder in the project that it reads, so it gets a copy.
    copy = tmp_path / "ansible_collections" / "trackops" / "api_tokens"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "tests", "__pycache__", ".*_cache", ".ansible"))
    command = ["ansible-lint", "--nocolor", "--offline", "--project-dir", str(copy), str(copy)]
    check(*command, HOME=str(tmp_path), ANSIBLE_COLLECTIONS_PATH=str(installed()), PYENV_ROOT=_pyenv_root())


def _pyenv_root() -> str:
    # pyenv's shims look below HOME, which is changed for this command.
    return os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")


def test_the_documentation_of_the_plugins_is_valid(tmp_path: pathlib.Path) -> None:
    """Strict: everything that the documentation refers to exists, and so does everything that its markup names."""
    docs = environment("docs") / "bin" / "antsibull-docs"
    check(
        str(docs),
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs",
        "all",
        "--skip-rstcheck",
        str(installed() / "ansible_collections/trackops/api_tokens"),
        HOME=str(tmp_path),  # it writes a log there
    )


def test_in_ci_make_fast_finds_nothing_to_skip() -> None:
    """The environment of ``make fast`` has fewer packages than that of the other tests, and in CI a skipped file is a failure."""
    python = environment("fast") / "bin" / "python"
    command = ["-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-m", "not system and not thorough", "tests/unit"]
    check(str(python), *command, CI="true")


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    try:
        program = actionlint.find()
    except Unavailable as exc:
        pytest.skip(str(exc))
    check(program, "-no-color", "-shellcheck=", "-pyflakes=", *map(str, sorted(ROOT.glob(".github/workflows/*.yml"))))


def test_workflows_pin_foreign_actions_by_commit() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob(".github/workflows/*.yml"))
    used = re.findall(r"uses:.*", text)
    assert used and [use for use in used if not re.fullmatch(r"uses: [\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", use)] == []
    cloned = re.findall(r"git clone .*--branch v[\d.]+ \S+ (\S+)\n +test \"\$\(git -C (\S+) rev-parse HEAD\)\" = [0-9a-f]{40} ", text)
    assert len(cloned) == text.count("git clone") and all(into == checked for into, checked in cloned)


def test_workflows_call_existing_make_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = {name for path in (ROOT / ".github" / "workflows").glob("*.yml") for name in re.findall(r"run: make ([a-z]+)", path.read_text(encoding="utf-8"))}
    assert called and called <= targets
