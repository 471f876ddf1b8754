# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Target hosts' Pythons: old and new interpreters, each with the module library of an ansible-core that still supports it; runs
each module in its own process on one of them.

The module library of the installed ansible-core supports current Pythons. For older ones, the last ansible-core that supports them on
targets is downloaded once with pip and kept in the developer's cache folder.
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

# The oldest Pythons that a host may have, and the one that runs the tests.
PYTHONS = ("2.7", "3.6", "this")

# The last ansible-core that supports Python 2.7 and 3.6 on targets.
OLDEST_CORE = "2.16.14"
_LOCK = TESTS / "requirements" / "old-modules.txt"


# As AnsiballZ does, set the arguments and call the module's main(). Messages to syslog are captured.
# Python and Ansible's library are loaded once; each order is a line, and its module runs in a fork.
_HOST = """
import atexit, importlib, json, os, sys, traceback
import ansible.module_utils.basic as basic
basic._ANSIBLE_PROFILE = "legacy"
basic.has_journal = False
class Syslog(object):
    LOG_INFO = LOG_USER = 0
    openlog = staticmethod(lambda *args: None)
    syslog = staticmethod(lambda level, text: sys.stderr.write("syslog: %s\\n" % text))
basic.syslog = Syslog

def run(order):
    with open(os.devnull) as nothing, open(order["stdout"], "wb") as stdout, open(order["stderr"], "wb") as stderr:
        for number, file in enumerate((nothing, stdout, stderr)):
            os.dup2(file.fileno(), number)
    basic._ANSIBLE_ARGS = json.dumps(dict(ANSIBLE_MODULE_ARGS=order["arguments"])).encode("utf-8")
    os.umask(int(order["umask"], 8))
    try:
        importlib.import_module("ansible_collections.trackops.api_tokens.plugins.modules." + order["module"]).main()
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()

for line in iter(sys.stdin.readline, ""):
    child = os.fork()
    if not child:
        try:
            run(json.loads(line))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    sys.stdout.write("done\\n")
    sys.stdout.flush()
"""


@dataclasses.dataclass(frozen=True)
class Answer:
    result: dict[str, t.Any]
    everything: str  # printed or logged


class Target:
    """A host with this Python: *python* is one of ``PYTHONS``. Raises ``Unavailable`` if this machine has none."""

    def __init__(self, python: str, folder: pathlib.Path) -> None:
        this = python == "this"
        self.python = sys.executable if this else find_interpreter(python)
        self.tree = _tree(folder, _installed_library() if this else oldest_library())
        self._outputs = folder / "stdout", folder / "stderr"
        self._hosts: dict[str, subprocess.Popen[str]] = {}

    def close(self) -> None:
        for host in self._hosts.values():
            _end(host)

    def run(
        self, module: str, arguments: dict[str, t.Any], *, umask: str = "022", locale: str = "C.UTF-8", preexec: t.Callable[[], None] | None = None
    ) -> Answer:
        order = {"module": module, "arguments": arguments, "umask": umask, **dict(zip(("stdout", "stderr"), map(str, self._outputs), strict=True))}
        if preexec:
            # Its own process, as the restrictions that preexec sets cannot be undone.
            host = self._start(locale, preexec)
            _obey(host, order)
            _end(host)
        else:
            if locale not in self._hosts:
                self._hosts[locale] = self._start(locale)
            _obey(self._hosts[locale], order)
        stdout, stderr = (path.read_text(encoding="utf-8") for path in self._outputs)
        if not stdout.strip():
            raise AssertionError(stderr)
        return Answer(json.loads(stdout), stdout + stderr)

    def _start(self, locale: str, preexec: t.Callable[[], None] | None = None) -> subprocess.Popen[str]:
        env = {"PYTHONPATH": str(self.tree), "LC_ALL": locale, "PATH": os.environ["PATH"]}
        command = [self.python, "-c", _HOST]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, encoding="ascii", preexec_fn=preexec)  # noqa: PLW1509


def _obey(host: subprocess.Popen[str], order: dict[str, t.Any]) -> None:
    assert host.stdin and host.stdout
    host.stdin.write(json.dumps(order) + "\n")
    host.stdin.flush()
    assert host.stdout.readline() == "done\n", "the host's Python has ended"


def _end(host: subprocess.Popen[str]) -> None:
    assert host.stdin and host.stdout
    host.stdin.close()
    host.stdout.close()
    host.wait()


def find_interpreter(version: str) -> str:
    """The program ``python<version>``, from PATH or pyenv."""
    found = shutil.which(f"python{version}")
    if found and _works(found):
        return found
    # A shim that does not run by itself still shows where pyenv is.
    shims = pathlib.Path(found).parent if found else None
    beside = shims.parent if shims and shims.name == "shims" else pathlib.Path("~/.pyenv").expanduser()
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or beside)
    for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True):
        if (folder / "bin" / "python").exists():
            return str(folder / "bin" / "python")
    raise Unavailable(f"python{version} is neither on PATH nor in pyenv")


def _works(program: str) -> bool:
    # pyenv's shims are on PATH even for inactive versions, and then only print an error.
    return subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0


def _installed_library() -> pathlib.Path:
    """``ansible/module_utils`` of the ansible-core in the tests' environment."""
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
        raise Unavailable(f"ansible-core {OLDEST_CORE} could not be downloaded: {done.stderr.strip()[-300:]}")
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith("ansible/module_utils/")])
    shutil.rmtree(download)


def _tree(folder: pathlib.Path, library: pathlib.Path) -> pathlib.Path:
    """Fill *folder* with the layout that ansible-core ships to a host, for PYTHONPATH; returns the folder."""
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
