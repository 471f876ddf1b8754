# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file for Galaxy: what it contains, and whether Galaxy's own importer accepts it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tarfile

import pytest
from support.collection import build
from support.places import TESTS

_SETTINGS = """
[galaxy-importer]
RUN_ANSIBLE_TEST = False
RUN_ANSIBLE_DOC = True
# It has a test of its own here, without the importer's short time limit.
RUN_ANSIBLE_LINT = False
"""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return build(tmp_path_factory.mktemp("artifact"))


def test_development_files_are_not_shipped(artifact: pathlib.Path) -> None:
    with tarfile.open(artifact) as archive:
        names = {name.split("/")[0] for name in archive.getnames()}
    shipped = {"FILES.json", "MANIFEST.json", "README.md", "CHANGELOG.md", "CHANGELOG.rst", "CONTRIBUTING.md", "REUSE.toml", "SECURITY.md"}
    shipped |= {"CODE_OF_CONDUCT.md", "LICENSE", "LICENSES", "changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "roles"}
    shipped |= {"requirements.txt"}
    assert names - shipped == set()


def test_the_galaxy_importer_accepts_the_artifact(artifact: pathlib.Path, tmp_path: pathlib.Path) -> None:
    config = tmp_path / "importer.cfg"
    config.write_text(_SETTINGS, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env.update(
        GALAXY_IMPORTER_CONFIG=str(config),
        HOME=str(tmp_path),
        PATH=os.pathsep.join([str(pathlib.Path(sys.executable).parent), env.get("PATH", os.defpath)]),
        PYENV_ROOT=os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"),
    )
    command = [sys.executable, "-m", "galaxy_importer.main", str(artifact)]
    done = subprocess.run(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "ERROR" not in done.stdout, done.stdout
    assert "Importer processing completed successfully" in done.stdout


def test_the_demo_has_the_requirements_of_users() -> None:
    """Users need only these packages; the demo also needs OpenBao as its server, and a certificate."""
    lines = (TESTS / "requirements" / "demo.in").read_text(encoding="utf-8").splitlines()
    assert [line.split(">")[0] for line in lines if line and not line.startswith(("#", "openbao", "trustme"))] == [
        "ansible-core",
        "hvac",
        "requests",
        "cryptography",
    ]
