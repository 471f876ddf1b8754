# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Target hosts' Pythons: interpreters old and new, each with the module library of an ansible-core that still supports it, and a
module in a process of its own on one of them.

The module library of the installed ansible-core is for current Pythons. For older ones the last ansible-core that supports them on
targets is fetched once with pip and kept in the developer's cache folder.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t
import zipfile

from .places import ROOT, TESTS, cache_home, locked
from .processes import Unavailable

__all__ = ("OLDEST_CORE", "PYTHONS", "Answer", "Target", "find_interpreter")

# The oldest that a host may have, and the one that runs the tests.
PYTHONS = ("2.7", "3.6", "this")

# The last that supports Python 2.7 and 3.6 on targets.
OLDEST_CORE = "2.16.14"
_LOCK = TESTS / "requirements" / "old-modules.txt"


# What AnsiballZ does: the arguments are set, and the module's main() is called. Syslog is listened to.
_RUNNER = """
import importlib, io, json, os, sys
import ansible.module_utils.basic as basic
basic._ANSIBLE_ARGS = json.dumps(dict(ANSIBLE_MODULE_ARGS=json.loads(os.environ["ARGS"]))).encode("utf-8")
basic._ANSIBLE_PROFILE = "legacy"
basic.has_journal = False
class Syslog(object):
    LOG_INFO = LOG_USER = 0
    openlog = staticmethod(lambda *args: None)
    syslog = staticmethod(lambda level, text: sys.stderr.write("syslog: %s\\n" % text))
basic.syslog = Syslog
os.umask(int(os.environ["UMASK"], 8))
importlib.import_module("ansible_collections.trackops.api_tokens.plugins.modules." + sys.argv[1]).main()
"""


@dataclasses.dataclass(frozen=True)
class Answer:
    result: dict[str, t.Any]
    everything: str  # that was printed and logged


class Target:
    """A host with this Python: *python* is one of ``PYTHONS``. ``Unavailable`` where this machine has none."""

    def __init__(self, python: str, folder: pathlib.Path) -> None:
        this = python == "this"
        self.python = sys.executable if this else find_interpreter(python)
        self.tree = _tree(folder, _installed_library() if this else oldest_library())

    def run(
        self, module: str, arguments: dict[str, t.Any], *, umask: str = "022", locale: str = "C.UTF-8", preexec: t.Callable[[], None] | None = None
    ) -> Answer:
        env = {"PYTHONPATH": str(self.tree), "ARGS": json.dumps(arguments), "UMASK": umask, "LC_ALL": locale, "PATH": os.environ["PATH"]}
        done = subprocess.run([self.python, "-c", _RUNNER, module], env=env, capture_output=True, text=True, check=False, preexec_fn=preexec)
        if not done.stdout.strip():
            raise AssertionError(done.stderr)
        return Answer(json.loads(done.stdout), done.stdout + done.stderr)


def find_interpreter(version: str) -> str:
    """The program ``python<version>``: on PATH, or of pyenv."""
    found = shutil.which(f"python{version}")
    if found and _works(found):
        return found
    # A shim that does not run by itself still tells where pyenv is.
    shims = pathlib.Path(found).parent if found else None
    beside = shims.parent if shims and shims.name == "shims" else pathlib.Path("~/.pyenv").expanduser()
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or beside)
    for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True):
        if (folder / "bin" / "python").exists():
            return str(folder / "bin" / "python")
    raise Unavailable(f"python{version} is neither on PATH nor in pyenv")


def _works(program: str) -> bool:
    # pyenv's shims are on PATH for versions that are not active, and then only complain.
    return subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0


def _installed_library() -> pathlib.Path:
    """``ansible/module_utils`` of the ansible-core that runs the tests."""
    spec = importlib.util.find_spec("ansible")
    if spec is None or spec.origin is None:
        raise Unavailable("ansible-core is not installed")
    return pathlib.Path(spec.origin).parent / "module_utils"


def oldest_library() -> pathlib.Path:
    """``ansible/module_utils`` of the oldest ansible-core that we support."""
    folder = cache_home() / f"ansible-core-{OLDEST_CORE}"
    with locked(folder.name):
        if not (folder / "ansible").exists():
            _fetch(folder)
    return folder / "ansible" / "module_utils"


def _fetch(folder: pathlib.Path) -> None:
    download = folder.with_suffix(".download")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(download)]
    done = subprocess.run([*command, "-r", str(_LOCK)], capture_output=True, text=True, check=False)
    wheels = list(download.glob("*.whl"))
    if done.returncode or not wheels:
        raise Unavailable(f"ansible-core {OLDEST_CORE} cannot be had: {done.stderr.strip()[-300:]}")
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith("ansible/module_utils/")])
    shutil.rmtree(download)


def _tree(folder: pathlib.Path, library: pathlib.Path) -> pathlib.Path:
    """Lay out *folder* as ansible-core lays out what it ships to a host, for PYTHONPATH; returns it."""
    collection = folder / "ansible_collections" / "trackops" / "api_tokens"
    plugins = collection / "plugins"
    plugins.mkdir(parents=True)
    (folder / "ansible").mkdir()
    (folder / "ansible" / "module_utils").symlink_to(library)
    for name in ("modules", "module_utils"):
        shutil.copytree(ROOT / "plugins" / name, plugins / name, ignore=shutil.ignore_patterns("__pycache__"))
    for package in (folder / "ansible", *(path for path in (folder / "ansible_collections").rglob("*") if path.is_dir()), folder / "ansible_collections"):
        (package / "__init__.py").touch()
    return folder
