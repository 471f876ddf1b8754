# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Run ``ansible-test sanity`` on the built collection, without an ignore file.

    python tests/support/sanity.py [--test NAME ...]        (any arguments of ansible-test sanity)

ansible-test creates a virtual environment for each of its tests, and installs its own lists of packages without hashes. Here its pip has no index:
it finds only the files downloaded from the lock file ``tests/requirements/sanity-*.txt``, each checked by its hash.
The environments stay in the cache folder, so only the first run is slow.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
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

from support.bootstrap import MARKER, REQUIREMENTS
from support.collection import NAME, NAMESPACE, installed
from support.matrix import CORES, find_python
from support.places import cache_home, locked
from support.processes import Unavailable

_MINORS = (6, 16)
# Replaces the script that ansible-test would download from its own site to install pip in a new virtual environment: Python ships pip.
_GET_PIP = "import ensurepip\nensurepip.bootstrap(default_pip=True)\n"


def run(*arguments: str, timeout: float = 1800) -> subprocess.CompletedProcess[str]:
    """Run it; the result's stdout has the whole output."""
    home = find_home()
    # A short path: ansible-test refuses some characters, and adds long paths.
    with tempfile.TemporaryDirectory(prefix="sanity-") as folder:
        pythons = _link_pythons(pathlib.Path(folder, "bin"))
        checkout = pathlib.Path(folder, "ansible_collections", NAMESPACE, NAME)
        shutil.copytree(installed() / "ansible_collections" / NAMESPACE / NAME, checkout)
        _commit(checkout)
        return subprocess.run(
            [str(pathlib.Path(sys.executable).parent / "ansible-test"), "sanity", "--color", "no", *arguments],
            cwd=checkout,
            env=_environment(home, pythons),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


def find_home() -> pathlib.Path:
    """The HOME of ansible-test, with the files that it may install, and later its virtual environments."""
    lock_file = REQUIREMENTS / f"sanity-{_core()}.txt"
    home = cache_home() / f"sanity-{hashlib.sha256(lock_file.read_bytes()).hexdigest()[:12]}"
    with locked(home.name):
        if not (home / MARKER).exists():
            shutil.rmtree(home, ignore_errors=True)
            _download(lock_file, home / "wheels")
            _without_index(home)
            _provide_pip(home)
            (home / MARKER).write_text(f"{lock_file.stem}\n", encoding="utf-8")
    return home


def _core() -> str:
    return ".".join(importlib.metadata.version("ansible-core").split(".")[:2])


def _download(lock_file: pathlib.Path, folder: pathlib.Path) -> None:
    first, last = CORES[_core()]
    # The import test installs packages on each controller Python.
    for minor in range(first, last + 1):
        if find_python(minor, minor):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
            command += ["--disable-pip-version-check", "--python-version", f"3.{minor}", "--dest", str(folder), "-r", str(lock_file)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"the files of {lock_file.name} for Python 3.{minor} could not be downloaded: {done.stderr.strip()[-300:]}")


def _without_index(home: pathlib.Path) -> None:
    # In a file, because ansible-test does not pass on PIP_* variables.
    configuration = home / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(f"[global]\nno-index = true\nfind-links = {home / 'wheels'}\nonly-binary = :all:\n", encoding="utf-8")


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
    # ansible-test gets the list of files from git, and writes its own below tests/output.
    (checkout / ".gitignore").write_text("/tests/output/\n/.gitignore\n", encoding="utf-8")
    git = ["git", "-c", "user.name=tests", "-c", "user.email=tests@localhost", "-C", str(checkout)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "the collection as built"]):
        subprocess.run([*git, *command], check=True, capture_output=True)


def _link_pythons(folder: pathlib.Path) -> pathlib.Path:
    """A folder with the Pythons under their usual names: ansible-test compiles and imports with each that it finds."""
    folder.mkdir()
    for minor, python in _pythons().items():
        (folder / f"python3.{minor}").symlink_to(python)
    return folder


def _pythons() -> dict[int, str]:
    """The oldest and the newest Python for hosts and for controllers: code that a Python in between refuses also fails with one of them.

    With TRACKOPS_MATRIX=all, all Pythons of this machine.
    """
    found = {minor: python for minor in range(*_MINORS) if (python := find_python(minor, minor))}
    if os.environ.get("TRACKOPS_MATRIX") == "all":
        return found
    of_hosts, of_controllers = ([minor for minor in map(_minor, versions) if minor in found] for versions in _supported())
    return {minor: found[minor] for minor in (*of_hosts[:1], *of_controllers[:1], *of_controllers[-1:])}


def _supported() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The Pythons that this ansible-test supports: those only for hosts, and those for controllers."""
    from ansible_test._util.target.common import constants

    return constants.REMOTE_ONLY_PYTHON_VERSIONS, constants.CONTROLLER_PYTHON_VERSIONS


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _environment(home: pathlib.Path, pythons: pathlib.Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VAULT_", "PIP_", "XDG_"))}
    # Without pyenv's shims: they exist for every version, but not all of them run.
    rest = [folder for folder in env.get("PATH", os.defpath).split(os.pathsep) if not folder.rstrip("/").endswith("/shims")]
    env["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), str(pythons), *rest])
    env["HOME"] = str(home)
    env.setdefault("LC_ALL", "C.UTF-8")
    return env


if __name__ == "__main__":
    done = run(*sys.argv[1:])
    print(done.stdout)
    sys.exit(done.returncode)
