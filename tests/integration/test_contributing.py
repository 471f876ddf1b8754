# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a vendor to a copy of the project, following CONTRIBUTING.md to the letter."""

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
    "plugins/plugin_utils/_vendors/parcelo.py": ("**1. The description**", "python", "**2. The lookup**"),
    "tests/integration/vendors/test_parcelo.py": ("**4. The test**", "python", "**5. The fragment**"),
    "changelogs/fragments/parcelo.yml": ("**5. The fragment**", "yaml", "**6. Run it**"),
}
#: The tests of vendors, their options and the collection's files: each has failed for a new vendor, or would fail for a missing file.
TESTS = (
    "tests/integration/vendors/test_parcelo.py",
    "tests/quality/test_ansible_doc.py::test_the_scope_option_says_how_the_vendor_uses_scopes",
    "tests/unit/test_documents.py",
    "tests/unit/test_hit.py::test_the_option_definitions_equal_the_documentation",
    "tests/unit/test_structure.py::test_a_vendor_is_complete",
    "tests/unit/test_structure.py::test_no_vendor_is_named_in_the_shared_code",
    "tests/unit/test_structure.py::test_each_module_has_a_test_file_at_its_path",
    "tests/unit/plugin_utils/test_vendors.py",
    "tests/unit/plugin_utils/_boundary/test_suggestion.py",
    "tests/unit/plugin_utils/_boundary/test_options.py",
    "tests/unit/plugin_utils/_boundary/test_vendor_settings.py",
    "tests/unit/plugin_utils/_tasks/test_setup_things.py",
    "tests/unit/plugin_utils/_vendor/test_options.py",
)

GUIDE = """\
# Parcelo

## Credentials

`client_id` and `client_secret`.

## Use

`lookup('trackops.api_tokens.parcelo', 'fleet/parcelo')`

## Options

## On the wire

## Errors

Messages end in a code: see [errors](../errors.md).
"""


def examples(step: str, language: str, *, until: str) -> list[str]:
    """The code blocks in that language between *step* and *until*."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert (page.count(step), page.count(until)) == (1, 1)
    found = re.findall(rf"^```{language}\n(.*?)^```$", page[page.index(step) : page.index(until)], re.MULTILINE | re.DOTALL)
    assert found, step
    return found


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    folder = tmp_path / "project"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", "build", "__pycache__", ".*_cache", ".hypothesis", ".ansible"))
    yield folder
    shutil.rmtree(cache_home() / "source" / hashlib.sha256(str(folder).encode()).hexdigest()[:12], ignore_errors=True)
    shutil.rmtree(cache_home() / "compiled" / folder.relative_to("/"), ignore_errors=True)


def test_a_vendor_added_as_contributing_says_passes_its_tests(copy: pathlib.Path) -> None:
    for name, (step, language, until) in FILES.items():
        assert not (copy / name).exists()
        (code,) = examples(step, language, until=until)
        (copy / name).write_text(LICENCE + "\n" + code, encoding="utf-8")
    for command in examples("**2. The lookup**", "sh", until="**3. The guide**"):
        subprocess.run(["sh", "-ec", command], cwd=copy, check=True)
    (copy / "docs/vendors/parcelo.md").write_text(GUIDE, encoding="utf-8")
    (line,) = examples("**3. The guide**", "markdown", until="**4. The test**")
    readme = copy / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("| any other OAuth 2.0 vendor |", f"{line}| any other OAuth 2.0 vendor |"), encoding="utf-8")

    assert list(yaml.safe_load((copy / "changelogs/fragments/parcelo.yml").read_text(encoding="utf-8"))) == ["minor_changes"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-4000:]
