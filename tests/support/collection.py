# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The collection as users get it: built with ``ansible-galaxy collection build`` and installed from that file.

``installed()`` returns a folder for ANSIBLE_COLLECTIONS_PATH. It is kept under a name made from the content of the checkout,
so it is rebuilt only after a change. ``source_path()`` returns a folder for PYTHONPATH in which the checkout itself is importable
as ``ansible_collections.trackops.api_tokens``, for the unit tests, which need no Ansible.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from .places import ROOT, cache_home, locked

NAMESPACE, NAME = "trackops", "api_tokens"
_KEPT = 86400.0  # seconds since the last use
_NOT_OURS = {".git", ".ci", "tests", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".ansible", ".venv", ".hypothesis", "build"}


def installed() -> pathlib.Path:
    """The folder with the collection that this checkout builds."""
    target = cache_home() / "collections" / _content_digest()
    if not target.exists():
        with locked("collection-build"):
            if not target.exists():
                _install(target)
                _forget_older(target)
    os.utime(target)
    return target


def build(folder: pathlib.Path) -> pathlib.Path:
    """Build the collection's tarball into ``folder``."""
    _galaxy("build", str(ROOT), "--output-path", str(folder), "--force")
    return next(folder.glob(f"{NAMESPACE}-{NAME}-*.tar.gz"))


def source_path() -> pathlib.Path:
    """A folder with the checkout where Python looks for a collection."""
    folder = cache_home() / "source" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    link = folder / "ansible_collections" / NAMESPACE / NAME
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        # Another test process may be faster.
        with contextlib.suppress(FileExistsError):
            link.symlink_to(ROOT, target_is_directory=True)
    return folder


def _install(target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as temporary:
        new = pathlib.Path(temporary)
        tarball = build(new)
        _galaxy("install", str(tarball), "--force", "--no-deps", "--offline", "-p", str(new / "collections"))
        (new / "collections").rename(target)


def _galaxy(*arguments: str) -> None:
    command = [str(pathlib.Path(sys.executable).parent / "ansible-galaxy"), "collection", *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    with tempfile.TemporaryDirectory() as home:
        # Its own HOME: it neither reads the developer's configuration nor leaves anything there.
        env.update(HOME=home, ANSIBLE_NOCOLOR="1", PYENV_ROOT=os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
        done = subprocess.run(command, env=env, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ansible-galaxy collection {arguments[0]} failed:\n{done.stdout}")


def _content_digest() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS)
        for name in sorted(files):
            if not name.endswith((".pyc", ".tar.gz")):
                path = pathlib.Path(folder, name)
                digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_mode}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _forget_older(target: pathlib.Path) -> None:
    # By age, not by number: another checkout's tests may use theirs for hours.
    for path in target.parent.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path != target and time.time() - path.stat().st_mtime > _KEPT:
                shutil.rmtree(path, ignore_errors=True)
