# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Write the lock files of all environments: the newest versions in the ranges of ``tests/requirements/*.in``, with hashes.

    make lock                      all of them
    make lock LOCKS="fast docs"    some of them

A lock fits all Pythons and platforms that its environment supports. It names no package index: each machine configures its own.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.bootstrap import REQUIREMENTS
from support.matrix import CORES
from support.places import TESTS

__all__ = ("header", "locks", "source")

_OLDEST_PYTHON = "3.10"
_SANITY = "sanity-"  # and the ansible-core
_COMMUNITY = "community-"  # and the ansible-core
# Installed without their dependencies.
_ALONE = ("old-modules", _COMMUNITY)
_FROM_NPM = "npm"
_NPM = TESTS / "oauth-servers"


def locks() -> dict[str, str]:
    """The oldest Python of each lock, by the lock's name. npm's lock is not among them."""
    found = {path.stem: _OLDEST_PYTHON for path in sorted(REQUIREMENTS.glob("*.in")) if path.stem != "core"}
    cores = {f"core-{core}": f"3.{first}" for core, (first, _last) in CORES.items()}
    community = {f"{_COMMUNITY}{core}": f"3.{first}" for core, (first, _last) in CORES.items()}
    return {**found, **cores, **community, **{f"{_SANITY}{core}": f"3.{CORES[core][0]}" for core in _tested_cores()}}


def _tested_cores() -> dict[str, str]:
    """The releases of ansible-core that the tests' own environment uses, on any Python, by minor version."""
    versions = re.findall(r"^ansible-core==(\S+)", (REQUIREMENTS / "test.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return {".".join(version.split(".")[:2]): version for version in versions}


def source(name: str) -> str:
    """The requirements for a lock, with those of the files that it includes."""
    if name.startswith(_SANITY):
        # Its ansible-test lists the rest; see _sanity().
        return f"ansible-core=={_tested_cores()[name.removeprefix(_SANITY)]}\n"
    if name.startswith(_COMMUNITY):
        # The package `ansible` counts ansible-core's minor versions: 9 is for 2.16.
        return f"ansible~={int(name.removeprefix(_COMMUNITY).split('.')[1]) - 7}.0\n"
    core = name.removeprefix("core-")
    if core in CORES:
        return f"ansible-core~={core}.0\n" + source("core")
    text = (REQUIREMENTS / f"{name}.in").read_text(encoding="utf-8")
    included = [line.split()[1].removesuffix(".in") for line in text.splitlines() if line.startswith("-r ")]
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith(("-r ", "#"))]
    return "".join([*map(source, included), *kept])


def header(name: str) -> str:
    """The first line of a lock. A test uses it to find locks whose requirements have changed since."""
    return f"# Written by `make lock` from requirements with the digest {hashlib.sha256(source(name).encode()).hexdigest()[:16]}.\n"


def main(names: t.Sequence[str]) -> int:
    known = locks()
    unknown = [name for name in names if name not in (*known, _FROM_NPM)]
    if unknown:
        print(f"There is no lock file {', '.join(unknown)}. Known: {', '.join((*known, _FROM_NPM))}.", file=sys.stderr)
        return 2
    for name in names or (*known, _FROM_NPM):
        print(f"{name} ...", flush=True)
        if name == _FROM_NPM:
            _lock_npm()
        else:
            _lock(name, known[name])
    return 0


def _lock(name: str, python: str) -> None:
    uv = pathlib.Path(sys.executable).parent / "uv"
    options = ["--universal", "--python-version", python, "--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--upgrade", "--quiet"]
    if name.startswith(_ALONE):
        options.append("--no-deps")
    # Hashes of files that exist only on this machine must not be included.
    env = {key: value for key, value in os.environ.items() if key not in ("UV_FIND_LINKS", "PIP_FIND_LINKS")}
    with tempfile.TemporaryDirectory() as folder:
        wanted, made = pathlib.Path(folder, "requirements.in"), pathlib.Path(folder, "lock.txt")
        wanted.write_text(_sanity(source(name), uv, folder) if name.startswith(_SANITY) else source(name), encoding="utf-8")
        subprocess.run([str(uv), "pip", "compile", *options, str(wanted), "-o", str(made)], env=env, check=True)
        (REQUIREMENTS / f"{name}.txt").write_text(header(name) + made.read_text(encoding="utf-8"), encoding="utf-8")


def _sanity(core: str, uv: pathlib.Path, folder: str) -> str:
    """The packages that this ansible-core's ansible-test installs for its sanity tests, with versions."""
    unpacked = pathlib.Path(folder, "ansible-core")
    newest = max(last for _first, last in CORES.values())
    command = [str(uv), "pip", "install", "--quiet", "--no-deps", "--python-version", f"3.{newest}", "--target", str(unpacked), core.strip()]
    subprocess.run(command, check=True)
    texts = [path.read_text(encoding="utf-8") for path in (unpacked / "ansible_test/_data/requirements").glob("sanity.*.txt")]
    lines = {line.strip() for text in texts for line in text.splitlines() if line.strip() and not line.startswith("#")}
    return "".join(f"{line}\n" for line in sorted(lines))


def _lock_npm() -> None:
    """Write npm's own lock file, without the registry addresses that npm would add."""
    from support.node import node

    program, npm = node()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(_NPM / "package.json", folder)
        path = os.pathsep.join([str(pathlib.Path(program).parent), os.environ.get("PATH", os.defpath)])
        command = [*npm, "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, check=True)
        shutil.copy(pathlib.Path(folder, "package-lock.json"), _NPM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
