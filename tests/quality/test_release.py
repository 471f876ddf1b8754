# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command goes from the changelog fragments to the tag and the file for Galaxy, in a copy of the checkout."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import tarfile

import pytest
from support.places import ROOT
from support.release import main, next_development


def _git(folder: pathlib.Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "tests")
        monkeypatch.setenv(f"{name}_EMAIL", "tests@localhost")
    # ansible-galaxy and antsibull-changelog expect the path of a collection.
    folder = tmp_path / "ansible_collections" / "trackops" / "api_tokens"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", "tests", "build", "__pycache__", ".*_cache", ".ansible", "*.tar.gz"))
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", "as it is")
    return folder


def test_a_release_creates_the_tag_and_the_artifact(checkout: pathlib.Path) -> None:
    assert list((checkout / "changelogs" / "fragments").glob("*.yml"))
    assert main(["1.0.0"], root=checkout) == 0
    assert _git(checkout, "tag", "--list").split() == ["1.0.0"]
    assert "version: 1.0.0\n" in _git(checkout, "show", "1.0.0:galaxy.yml")
    assert "version: 1.1.0-dev0\n" in (checkout / "galaxy.yml").read_text(encoding="utf-8")
    assert "1.0.0:" in (checkout / "changelogs" / "changelog.yaml").read_text(encoding="utf-8")
    assert r"v1\.0\.0" in (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    assert not list((checkout / "changelogs" / "fragments").glob("*.yml")), "they are in the changelog now"
    with tarfile.open(checkout / "build" / "trackops-api_tokens-1.0.0.tar.gz") as archive:
        assert "MANIFEST.json" in archive.getnames()
    assert _git(checkout, "status", "--porcelain") == ""
    assert main(["1.0.0"], root=checkout) == 1, "there is one already"


def test_uncommitted_changes_prevent_a_release(checkout: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "README.md").write_text("changed", encoding="utf-8")
    assert main(["1.0.0"], root=checkout) == 1
    assert capsys.readouterr().err == "There are changes that are not committed. Commit or remove them first.\n"


@pytest.mark.parametrize("arguments", [[], ["1.0"], ["1.0.0-dev0"], ["v1.0.0"]])
def test_an_invalid_version_is_refused(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_the_next_development_version_follows_the_release() -> None:
    assert [next_development(version) for version in ("1.0.0", "1.0.1", "2.9.3")] == ["1.1.0-dev0", "1.1.0-dev0", "2.10.0-dev0"]
