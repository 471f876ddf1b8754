# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
``ansible-test sanity`` on the collection as it is built, without an ignore file and without anything from outside the package index.

    python tests/support/sanity.py [--test NAME ...]        (any arguments of ansible-test sanity)

ansible-test's virtual environments stay in the cache folder, so only the first run is slow.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.collection import NAME, NAMESPACE, installed
from support.matrix import find_python
from support.places import cache_home

_MINORS = (6, 16)
# What ansible-test would download from its own site to get pip into a new virtual environment: Python has it already.
_GET_PIP = "import ensurepip\nensurepip.bootstrap(default_pip=True)\n"


def run(*arguments: str, timeout: float = 1800) -> subprocess.CompletedProcess[str]:
    """Run it; the result's stdout has everything that it printed."""
    home = cache_home() / "sanity-home"
    _provide_pip(home)
    # A short path: ansible-test refuses some characters, and its own paths get long.
    with tempfile.TemporaryDirectory(prefix="sanity-") as folder:
        pythons = _link_pythons(pathlib.Path(folder, "bin"))
        checkout = pathlib.Path(folder, "ansible_collections", NAMESPACE, NAME)
        shutil.copytree(installed() / "ansible_collections" / NAMESPACE / NAME, checkout)
        _commit(checkout)
        return subprocess.run(
            [str(pathlib.Path(sys.executable).parent / "ansible-test"), "sanity", "--venv", "--color", "no", *arguments],
            cwd=checkout,
            env=_environment(home, pythons),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


def _provide_pip(home: pathlib.Path) -> None:
    spec = importlib.util.find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("ansible-test is not in this environment")
    source = pathlib.Path(spec.submodule_search_locations[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    # All versions of pip that this ansible-test may ask for, by Python version.
    for version in set(re.findall(r"pip(?:_version)?['\"]?\s*[=:]\s*['\"](\d[\d.]+)['\"]", source)):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(_GET_PIP, encoding="utf-8")


def _commit(checkout: pathlib.Path) -> None:
    # ansible-test asks git which files there are, and puts its own below tests/output.
    (checkout / ".gitignore").write_text("/tests/output/\n/.gitignore\n", encoding="utf-8")
    git = ["git", "-c", "user.name=tests", "-c", "user.email=tests@localhost", "-C", str(checkout)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "the collection as built"]):
        subprocess.run([*git, *command], check=True, capture_output=True)


def _link_pythons(folder: pathlib.Path) -> pathlib.Path:
    """All Pythons of this machine under their usual names: ansible-test compiles and imports with each that it finds."""
    folder.mkdir()
    for minor in range(*_MINORS):
        python = find_python(minor, minor)
        if python:
            (folder / f"python3.{minor}").symlink_to(python)
    return folder


def _environment(home: pathlib.Path, pythons: pathlib.Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VAULT_"))}
    # Without pyenv's shims: they are there for every version and run for some.
    rest = [folder for folder in env.get("PATH", os.defpath).split(os.pathsep) if not folder.rstrip("/").endswith("/shims")]
    env["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), str(pythons), *rest])
    env["HOME"] = str(home)
    env.setdefault("LC_ALL", "C.UTF-8")
    return env


if __name__ == "__main__":
    done = run(*sys.argv[1:])
    print(done.stdout)
    sys.exit(done.returncode)
