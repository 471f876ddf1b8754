# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Virtual environments with other versions of ansible-core, kept in the cache folder: ``matrix_venv(Combination("2.16"))``.

Each push is tested with the oldest and the newest; ``make matrix`` tests all, with each Python that a release supports.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

from .bootstrap import environment
from .processes import Unavailable

# The controller's Pythons for each release, according to its documentation: 3.first to 3.last.
CORES: t.Final[dict[str, tuple[int, int]]] = {
    "2.16": (10, 12),
    "2.17": (10, 12),
    "2.18": (11, 13),
    "2.19": (11, 13),
    "2.20": (12, 14),
    "2.21": (12, 14),
}


class Combination(t.NamedTuple):
    """An ansible-core, and the minor version of its Python 3; None means any that it supports."""

    core: str
    minor: int | None = None

    def __str__(self) -> str:
        return f"ansible-core {self.core}" + (f" with Python 3.{self.minor}" if self.minor else "")


def combinations() -> list[Combination]:
    """The combinations to test: the oldest and the newest ansible-core; with TRACKOPS_MATRIX=all, every ansible-core with each of its Pythons."""
    if os.environ.get("TRACKOPS_MATRIX") == "all":
        return [Combination(core, minor) for core, (first, last) in CORES.items() for minor in range(first, last + 1)]
    oldest, *_others, newest = CORES
    return [Combination(oldest), Combination(newest)]


def matrix_venv(wanted: Combination) -> pathlib.Path:
    """An environment with that ansible-core, hvac and requests; raises ``Unavailable`` if this machine has no suitable Python."""
    first, last = (wanted.minor, wanted.minor) if wanted.minor else CORES[wanted.core]
    python = find_python(first, last)
    if python is None:
        versions = f"3.{first} to 3.{last}" if first < last else f"3.{first}"
        raise Unavailable(f"ansible-core {wanted.core} needs Python {versions}, and there is none on PATH or from pyenv")
    try:
        return environment(f"core-{wanted.core}", python=python)
    except SystemExit as exc:
        raise Unavailable(f"{wanted} could not be installed: {exc}") from None


@functools.cache
def find_python(first: int, last: int) -> str | None:
    """The real path of this machine's newest Python from 3.first to 3.last."""
    for minor in range(last, first - 1, -1):
        for candidate in _candidates(minor):
            found = _real_path(candidate, minor)
            if found:
                return found
    return None


def _candidates(minor: int) -> t.Iterator[str]:
    name = f"python3.{minor}"
    if sys.version_info[:2] == (3, minor):
        yield sys.executable
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    yield from (str(path / "bin" / name) for path in sorted(pyenv.glob(f"versions/3.{minor}.*"), reverse=True))
    on_path = shutil.which(name)
    if on_path:
        yield on_path


def _real_path(candidate: str, minor: int) -> str | None:
    # pyenv has a shim for every version, but not all of them run; a virtual environment's Python leads to its base Python.
    code = f"import os, sys; sys.exit(1) if sys.version_info[:2] != (3, {minor}) else print(os.path.realpath(sys.executable))"
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return None
