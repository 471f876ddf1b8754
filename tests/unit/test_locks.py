# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every environment is installed from a lock file with hashes, and `make lock` was run after the last change of the requirements."""

from __future__ import annotations

import ast
import json
import re
import sys

import pytest
from support.bootstrap import REQUIREMENTS
from support.lock import header, locks
from support.places import TESTS


def _packages(text: str) -> list[str]:
    """Each requirement with its hashes, on one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("name", locks())
def test_a_lock_file_matches_its_requirements_and_has_hashes_but_no_address(name):
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    assert text.startswith(header(name)), f"the requirements have changed: make lock LOCKS={name}"
    packages = _packages(text)
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", package), package
        assert "://" not in package and " @ " not in package, package


def test_every_lock_file_belongs_to_an_environment():
    assert {path.stem for path in REQUIREMENTS.glob("*.txt")} == set(locks())


def test_the_npm_lock_file_has_hashes_and_no_address():
    packages = json.loads((TESTS / "oauth-servers" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, package in packages.items():
        assert name == "" or package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_keycloak_is_pinned_by_its_hash():
    pinned = json.loads((TESTS / "oauth-servers" / "keycloak.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", pinned["version"])
    assert re.fullmatch(r"[0-9a-f]{64}", pinned["sha256"])
    assert "://" not in "".join(pinned.values())


def test_the_demo_imports_only_packages_of_its_environment():
    """The demo shares code with the tests, which have more packages. Without this test, only the demo's first user would notice a missing one."""
    distributions = {"yaml": "ansible-core"}  # which installs it
    required = {re.match(r"[\w-]+", line).group() for line in (REQUIREMENTS / "demo.in").read_text(encoding="utf-8").splitlines() if line[:1].isalpha()}
    imported = imports_of([*(TESTS / "demo").glob("*.py"), *(TESTS / "emulator").glob("*.py")])
    assert {"hvac", "trustme"} <= set(imported), "this test follows the imports"
    missing = {name: where for name, where in imported.items() if distributions.get(name, name) not in required}
    assert not missing


def imports_of(paths):
    """The packages that *paths* and the files of ours that they import need, also within functions; for each, a file that imports it."""
    waiting, seen, found = list(paths), set(), {}
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _names_in(path):
            places = [base.joinpath(*name.split(".")) for base in (TESTS, TESTS / "demo")]
            files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()]
            waiting += files
            top = name.split(".")[0]
            if not files and top not in sys.stdlib_module_names and not (TESTS / top).is_dir():
                found[top] = path.relative_to(TESTS).as_posix()
    return found


def _names_in(path):
    package = path.relative_to(TESTS).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]) if node.level else node.module
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if node.level or base.split(".")[0] in ("support", "emulator"))
