# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Real ``ansible-playbook`` and ``ansible`` runs, as a user with an empty home would start them.

::

    ansible = Ansible(tmp_path, collections=installed())
    run = ansible.playbook('''
      - hosts: localhost
        gather_facts: false
        tasks:
          - ansible.builtin.debug: {msg: hello}
    ''', env=vault.env())
    assert run.rc == 0, run
    run.result("ansible.builtin.debug")["msg"]
"""

from __future__ import annotations

import dataclasses
import getpass
import json
import os
import pathlib
import secrets
import subprocess
import sys
import textwrap
import typing as t

from .hosts import interpreter
from .places import TESTS
from .processes import Process

_PLUGINS = TESTS / "support" / "ansible_plugins"
# The environment variables that a run inherits: none that changes Ansible, Vault or HTTP.
_KEPT = ("LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")


@dataclasses.dataclass(frozen=True)
class Task:
    task: str
    action: str
    host: str
    status: str
    result: dict[str, t.Any]
    ended: float  # seconds since 1970


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """The result of a run. Its ``repr`` is the output, so ``assert run.rc == 0, run`` shows it."""

    command: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str
    tasks: tuple[Task, ...]
    handlers: tuple[str, ...]
    stats: dict[str, dict[str, int]]

    @property
    def output(self) -> str:
        """Everything that a person would see."""
        return self.stdout + self.stderr

    def __repr__(self) -> str:
        return f"$ {' '.join(self.command)}\n{self.output}\n[rc {self.rc}]"

    def find(self, name: str, *, host: str | None = None) -> list[Task]:
        """The results of the tasks with this name or this action, in order."""
        return [task for task in self.tasks if (name in (task.task, task.action) or task.action.endswith(f".{name}")) and host in (None, task.host)]

    def result(self, name: str, *, host: str | None = None) -> dict[str, t.Any]:
        """The last result of that task or action."""
        found = self.find(name, host=host)
        if not found:
            raise AssertionError(f"no task {name!r} in this run:\n{self}")
        return found[-1].result

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.stats.values())


class Ansible:
    """Run Ansible with its own HOME, cache and configuration in ``workdir``."""

    def __init__(
        self,
        workdir: pathlib.Path,
        *,
        collections: pathlib.Path | t.Sequence[pathlib.Path],
        env: t.Mapping[str, str] | None = None,
        bin_dir: pathlib.Path | None = None,
    ) -> None:
        self.workdir = workdir
        self.home = workdir / "home"
        self.collections = [collections] if isinstance(collections, pathlib.Path) else list(collections)
        self.env = dict(env or {})
        self.bin_dir = bin_dir or pathlib.Path(sys.executable).parent
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def cache(self) -> pathlib.Path:
        """XDG_CACHE_HOME of the runs."""
        return self.home / ".cache"

    def playbook(self, play: str | pathlib.Path, *arguments: str, **options: t.Any) -> Run:
        """Run a playbook: its YAML text, its path, or the name of one in a collection."""
        return self.run(["ansible-playbook", self._play(play), *arguments], **options)

    def adhoc(self, *arguments: str, **options: t.Any) -> Run:
        """``ansible`` with these arguments, e.g. ``adhoc("localhost", "-m", "debug", "-a", "msg=x")``."""
        return self.run(["ansible", *arguments], **options)

    def run(
        self,
        command: t.Sequence[str],
        *,
        inventory: str | pathlib.Path | None = None,
        env: t.Mapping[str, str | None] | None = None,
        timeout: float = 300,
        cwd: pathlib.Path | None = None,
        stdin: str | None = None,
    ) -> Run:
        """Run a program of the virtual environment. ``env`` adds variables; a value of None removes one."""
        record = self.workdir / f"record-{secrets.token_hex(4)}.jsonl"
        full = [str(self.bin_dir / command[0]), *command[1:], *self._inventory(inventory)]
        done = subprocess.run(
            full,
            env=self.environment(env, record=record),
            cwd=cwd or self.workdir,
            input=stdin or "",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
        return _run(tuple(command), done, record)

    def start(self, command: t.Sequence[str], *, inventory: str | pathlib.Path | None = None, env: t.Mapping[str, str | None] | None = None) -> Process:
        """Start a run in the background, for tests of what happens during it; ``.output()`` returns its output."""
        full = [str(self.bin_dir / command[0]), *command[1:], *self._inventory(inventory)]
        record = self.workdir / f"record-{secrets.token_hex(4)}.jsonl"
        return Process(full, log=record.with_suffix(".log"), env=self.environment(env, record=record), cwd=self.workdir)

    def start_playbook(self, play: str | pathlib.Path, *arguments: str, **options: t.Any) -> Process:
        return self.start(["ansible-playbook", self._play(play), *arguments], **options)

    def environment(self, more: t.Mapping[str, str | None] | None = None, *, record: pathlib.Path | None = None) -> dict[str, str]:
        """All environment variables of a run."""
        variables: dict[str, str | None] = {name: os.environ[name] for name in _KEPT if name in os.environ}
        variables.setdefault("LANG", "C.UTF-8")
        variables.update(
            PATH=os.pathsep.join([str(self.bin_dir), os.environ.get("PATH", os.defpath)]),
            HOME=str(self.home),
            XDG_CACHE_HOME=str(self.cache),
            USER=getpass.getuser(),
            # By default, Ansible uses the account's home directory, not HOME.
            ANSIBLE_REMOTE_TEMP=str(self.home / ".ansible" / "tmp"),
            PYENV_ROOT=os.environ.get("PYENV_ROOT"),
            ANSIBLE_COLLECTIONS_PATH=os.pathsep.join(str(path) for path in self.collections),
            # They are errors here; see _run.
            ANSIBLE_DEPRECATION_WARNINGS="True",
            ANSIBLE_LOCALHOST_WARNING="False",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="False",
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_RETRY_FILES_ENABLED="False",
            ANSIBLE_CONFIG=str(self.workdir / "ansible.cfg"),
        )
        if record is not None:
            variables.update(
                TRACKOPS_TEST_RECORD=str(record),
                ANSIBLE_CALLBACK_PLUGINS=str(_PLUGINS / "callback"),
                ANSIBLE_LOOKUP_PLUGINS=str(_PLUGINS / "lookup"),
                ANSIBLE_LOAD_CALLBACK_PLUGINS="True",
                ANSIBLE_CALLBACKS_ENABLED="trackops_test_record",
            )
        enabled = variables.get("ANSIBLE_CALLBACKS_ENABLED")
        variables.update(self.env)
        variables.update(more or {})
        if enabled and variables.get("ANSIBLE_CALLBACKS_ENABLED") not in (None, enabled):
            variables["ANSIBLE_CALLBACKS_ENABLED"] = f"{variables['ANSIBLE_CALLBACKS_ENABLED']},{enabled}"
        return {name: value for name, value in variables.items() if value is not None}

    def write(self, name: str, text: str) -> pathlib.Path:
        """Write a file beside the runs' playbooks; an ``ansible.cfg`` there configures the runs."""
        path = self.workdir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def settle(self) -> Ansible:
        """Make C(localhost) compile what Ansible sends only once, as the tests' other hosts do (see ``support.hosts``)."""
        python = interpreter(self.workdir, str(self.bin_dir / "python"))
        self.write("host_vars/localhost.json", json.dumps({"ansible_python_interpreter": python}))
        return self

    def _play(self, play: str | pathlib.Path) -> str:
        if isinstance(play, str) and "\n" in play:
            return str(self.write(f"play-{secrets.token_hex(4)}.yml", play))
        return str(play)

    @staticmethod
    def _inventory(inventory: str | pathlib.Path | None) -> list[str]:
        return [] if inventory is None else ["-i", str(inventory)]


def _run(command: tuple[str, ...], done: subprocess.CompletedProcess[str], record: pathlib.Path) -> Run:
    if "[DEPRECATION WARNING]" in done.stdout + done.stderr:
        raise AssertionError(f"Ansible says that something will not work in a later release:\n{done.stdout}{done.stderr}")
    lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()] if record.exists() else []
    return Run(
        command=command,
        rc=done.returncode,
        stdout=done.stdout,
        stderr=done.stderr,
        tasks=tuple(Task(**line) for line in lines if "task" in line),
        handlers=tuple(line["handler"] for line in lines if "handler" in line),
        stats=next((line["stats"] for line in lines if "stats" in line), {}),
    )
