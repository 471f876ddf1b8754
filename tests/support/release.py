# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Make a release from the fragments: changelogs/changelog.yaml, CHANGELOG.md, a commit, a tag and the file for Galaxy.

    make release VERSION=1.0.0

The tree must be clean. Afterwards galaxy.yml has the next development version (1.1.0-dev0), in its own commit. Nothing is pushed
or published: the last lines of the output say how.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import typing as t

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.places import ROOT

__all__ = ("main", "next_development", "with_version")

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_BIN = pathlib.Path(sys.executable).parent


def next_development(version: str) -> str:
    """The branch's version after a release: ``1.1.0-dev0`` after 1.0.0 and after 1.0.1."""
    major, minor, _patch = _parts(version)
    return f"{major}.{minor + 1}.0-dev0"


def with_version(galaxy: str, version: str) -> str:
    """The text of galaxy.yml with this version."""
    return re.sub(r"^version: .*$", f"version: {version}", galaxy, flags=re.MULTILINE)


def _parts(version: str) -> tuple[int, int, int]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r} is not a version that can be released; give one like 1.0.0")
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def main(arguments: t.Sequence[str], *, root: pathlib.Path = ROOT) -> int:
    try:
        (version,) = arguments
        following = next_development(version)
    except ValueError as exc:
        print(f"Usage: make release VERSION=1.0.0 ({exc})", file=sys.stderr)
        return 2
    if _output(root, "git", "status", "--porcelain"):
        print("There are changes that are not committed. Commit or remove them first.", file=sys.stderr)
        return 1
    if version in _output(root, "git", "tag", "--list").split():
        print(f"Release {version} already exists.", file=sys.stderr)
        return 1
    galaxy = root / "galaxy.yml"
    galaxy.write_text(with_version(galaxy.read_text(encoding="utf-8"), version), encoding="utf-8")
    _run(root, str(_BIN / "antsibull-changelog"), "release", "--version", version)
    _run(root, str(_BIN / "ansible-galaxy"), "collection", "build", "--force", "--output-path", str(root / "build"))
    _commit(root, f"Release {version}")
    _run(root, "git", "tag", "--annotate", version, "--message", f"Release {version}")
    galaxy.write_text(with_version(galaxy.read_text(encoding="utf-8"), following), encoding="utf-8")
    _commit(root, f"The next version is {following}")
    print(f"Released {version} here. To publish it:")
    print("    git push --follow-tags")
    print(f"    ansible-galaxy collection publish build/trackops-api_tokens-{version}.tar.gz")
    return 0


def _commit(root: pathlib.Path, message: str) -> None:
    _run(root, "git", "add", "--all")
    _run(root, "git", "commit", "--quiet", "--message", message)


def _run(root: pathlib.Path, *command: str) -> None:
    subprocess.run(command, cwd=root, check=True)


def _output(root: pathlib.Path, *command: str) -> str:
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main([argument for argument in sys.argv[1:] if argument]))
