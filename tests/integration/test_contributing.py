# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CONTRIBUTING.md's new vendor, made in a copy of the project as the page says, letter by letter."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing as t

import pytest
import yaml
from support.places import ROOT, cache_home

LICENCE = "".join(line for line in pathlib.Path(__file__).read_text(encoding="utf-8").splitlines(keepends=True)[:3])
FILES = {
    "plugins/plugin_utils/_vendors/parcelo.py": ("**1. The description**", "python"),
    "tests/integration/vendors/test_parcelo.py": ("**4. The test**", "python"),
    "changelogs/fragments/parcelo.yml": ("**5. The fragment**", "yaml"),
}
TESTS = ("tests/integration/vendors/test_parcelo.py", "tests/unit/test_structure.py", "tests/unit/plugin_utils/test_vendors.py")


def example(step: str, language: str) -> str:
    """The first block of code in that language after *step*."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert page.count(step) == 1
    found = re.search(rf"^```{language}\n(.*?)^```$", page[page.index(step) :], re.MULTILINE | re.DOTALL)
    assert found, step
    return found[1]


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    folder = tmp_path / "project"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", "build", "__pycache__", ".*_cache", ".hypothesis", ".ansible"))
    yield folder
    shutil.rmtree(cache_home() / "source" / hashlib.sha256(str(folder).encode()).hexdigest()[:12], ignore_errors=True)
    shutil.rmtree(cache_home() / "compiled" / folder.relative_to("/"), ignore_errors=True)


def test_a_new_vendor_as_the_page_says(copy: pathlib.Path) -> None:
    for name, (step, language) in FILES.items():
        assert not (copy / name).exists()
        (copy / name).write_text(LICENCE + "\n" + example(step, language), encoding="utf-8")
    subprocess.run(["sh", "-ec", example("**2. The lookup**", "sh")], cwd=copy, check=True)
    (copy / "docs/vendors/parcelo.md").write_text("# Parcelo\n", encoding="utf-8")

    assert list(yaml.safe_load((copy / "changelogs/fragments/parcelo.yml").read_text(encoding="utf-8"))) == ["minor_changes"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "parcelo or vendor", *TESTS]
    done = subprocess.run(command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-4000:]
