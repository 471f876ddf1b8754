# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Make a virtual environment from its lock file, and print its path on standard output.

    python3 tests/support/bootstrap.py fast|test|demo|...        (a name of tests/requirements/*.txt)

Needs Python 3.10+ and nothing else. The environment is kept in the user's cache folder under a name made from its
lock file and the Python version, so a change of either makes a new one. A half-made one is never used: the marker
file is written last, and a lock keeps parallel runs apart.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

if sys.version_info < (3, 10):
    sys.exit("Python 3.10 or newer is needed, this is %s. Name another one: make PYTHON=/path/to/python3 ..." % sys.version.split()[0])

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.places import TESTS, cache_home, locked

REQUIREMENTS = TESTS / "requirements"
MARKER = "trackops-complete"
_INSTALLER = "lock"  # the environment with uv
# Environments whose programs start a thousand times. If PYTHONDONTWRITEBYTECODE is set, each start would compile what it loads.
_COMPILED = ("test", "docs")
_COMPILED_MARKER = "trackops-compiled"
_KEPT = 14 * 86400.0  # seconds since the last use


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def environment(kind: str, *, python: str = sys.executable) -> pathlib.Path:
    """The path of a complete virtual environment for the lock file of this name, created if there is none."""
    lock_file = REQUIREMENTS / f"{kind}.txt"
    target = cache_home() / f"venv-{kind}-{_digest(lock_file, python)}"
    if not (target / MARKER).exists():
        with locked(target.name):
            if not (target / MARKER).exists():
                _make(target, kind, lock_file, python)
    if kind in _COMPILED and not (target / _COMPILED_MARKER).exists():
        with locked(target.name):
            if not (target / _COMPILED_MARKER).exists():
                _compile(target)
    os.utime(target / MARKER)
    return target


def _digest(lock_file: pathlib.Path, python: str) -> str:
    parts = [sys.version if python == sys.executable else "", sys.platform, os.path.realpath(python), lock_file.read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _make(target: pathlib.Path, kind: str, lock_file: pathlib.Path, python: str) -> None:
    started = time.monotonic()
    say(f"Setting up the {kind} environment in {target} ...")
    shutil.rmtree(target, ignore_errors=True)
    create_venv(target, python=python)
    # Install only what the lock file names, by hash. Building a source distribution would need tools that no lock file names.
    wanted = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(lock_file)]
    if kind == _INSTALLER or not _uv_install(target, wanted):
        pip_install(target, *wanted)
    (target / MARKER).write_text(f"{kind}\n", encoding="utf-8")
    _forget_older(target, kind)
    say(f"... done in {time.monotonic() - started:.0f} s.")


def create_venv(target: pathlib.Path, *, python: str = sys.executable) -> None:
    """Create an empty virtual environment with pip."""
    ways = [[python, "-m", "venv", str(target)], [python, "-m", "virtualenv", "--quiet", str(target)]]
    if shutil.which("uv"):
        ways.append(["uv", "venv", "--quiet", "--seed", "--python", python, str(target)])
    if _try(ways, target):
        return
    # Debian and Ubuntu ship Python without ensurepip.
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        say("... this Python has no ensurepip: installing python3-venv with apt-get")
        with open(os.devnull, "wb") as null:
            subprocess.call(["apt-get", "update", "-qq"], stdout=null)
            subprocess.call(["apt-get", "install", "-y", "-qq", "python3-venv"], stdout=null)
        if _try(ways, target):
            return
    sys.exit(
        f"{python} cannot make a virtual environment: its ensurepip is missing. Install it (Debian, Ubuntu: apt-get install python3-venv), "
        "or name another Python: make PYTHON=/path/to/python3 ..."
    )


def _try(ways: list[list[str]], target: pathlib.Path) -> bool:
    for command in ways:
        shutil.rmtree(target, ignore_errors=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode == 0 and (target / "bin" / "python").exists():
            return True
    return False


def pip_install(venv: pathlib.Path, *arguments: str) -> None:
    """Run pip quietly, with one retry: the first contact with a package index can time out."""
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *arguments]
    for attempt in (1, 2):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        if done.returncode == 0:
            return
        if attempt == 1:
            say("... pip failed, trying once more")
    sys.exit(f"pip could not install {' '.join(arguments)}; its message is above.")


def _uv_install(venv: pathlib.Path, wanted: list[str]) -> bool:
    """The same with uv, which downloads many files at a time; False if it cannot, for example because only pip knows this machine's index."""
    uv = environment(_INSTALLER) / "bin" / "uv"
    command = [str(uv), "pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), *wanted]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode == 0


def _compile(venv: pathlib.Path) -> None:
    """Compile the installed packages, as pip does and uv does not."""
    say(f"Compiling what is in {venv} ...")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}
    # Some packages contain files for other Pythons, which this one cannot compile.
    subprocess.run([str(venv / "bin" / "python"), "-m", "compileall", "-qq", str(venv / "lib")], env=env, stdout=subprocess.DEVNULL, check=False)
    (venv / _COMPILED_MARKER).touch()


def _forget_older(target: pathlib.Path, kind: str) -> None:
    """Remove environments that have not been used for two weeks. Newer ones stay, as several checkouts may share the cache folder."""
    for path in target.parent.glob(f"venv-{kind}-*"):
        marker = path / MARKER
        if path != target and marker.exists() and time.time() - marker.stat().st_mtime > _KEPT:
            shutil.rmtree(path, ignore_errors=True)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not (REQUIREMENTS / f"{arguments[0]}.txt").is_file():
        say((__doc__ or "").strip())
        return 2
    print(environment(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
