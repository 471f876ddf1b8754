# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run Ansible with the planted secrets, and search everything that is written meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import secrets as random
import shutil
import socket
import sys
import threading
import typing as t

import requests
from support.ansible import Run
from support.places import TESTS
from support.processes import Process, wait_for

from .detector import Detector, Secret
from .echoing import EchoingVault
from .ground import Ground
from .steps import Step, faults, successes

# Callbacks that come with ansible-core or with us; others must be installed first.
NOTIFYING = ("ansible.builtin.junit", "ansible.builtin.tree", "trackops.api_tokens.summary")


@dataclasses.dataclass(frozen=True)
class Setting:
    """How Ansible is run."""

    name: str
    verbosity: int = 5
    callback: str = "ansible.builtin.default"
    env: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    keeps_modules: bool = False

    @property
    def flags(self) -> list[str]:
        return ["-" + "v" * self.verbosity] if self.verbosity else []

    @property
    def tells_arguments(self) -> bool:
        """Whether Ansible shows or stores the arguments of any module."""
        return self.keeps_modules or "ANSIBLE_DEBUG" in self.env


@dataclasses.dataclass(frozen=True)
class Hit:
    setting: str
    place: str
    secret: Secret
    spelling: str
    excerpt: str


@dataclasses.dataclass
class Report:
    """Each check searches one place of one run for one kind of secret."""

    checks: int = 0
    hits: list[Hit] = dataclasses.field(default_factory=list)
    # What a run should have shown but did not, so that its checks prove nothing.
    blind: list[str] = dataclasses.field(default_factory=list)
    bytes_read: dict[str, int] = dataclasses.field(default_factory=dict)
    checks_of: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    secrets: dict[str, set[str | bytes]] = dataclasses.field(default_factory=dict)
    steps: int = 0


class Watch:
    """Record the command lines of all processes, and the system log, while it is open."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.processes = folder / f"processes-{random.token_hex(4)}"
        self.log: list[bytes] | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Watch:
        # This process ends with ours, however ours ends.
        process = Process([sys.executable, "-m", "leaks.watch", str(self.processes)], log=self.processes.with_suffix(".log"), cwd=TESTS)
        self._stack.callback(process.stop, grace=60)
        wait_for("the list of processes", self.processes.exists)
        self.log = self._stack.enter_context(_system_log())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextlib.contextmanager
def _system_log() -> t.Iterator[list[bytes] | None]:
    """Collect what is written to the system log. None if something else listens there, or if we may not."""
    path = pathlib.Path("/dev/log")
    if os.geteuid() != 0 or path.exists():
        yield None
        return
    heard: list[bytes] = []
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.settimeout(0.2)

        def listen() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    heard.append(listener.recv(1 << 20))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            ended.set()
            thread.join()
            path.unlink()


class Bench:
    def __init__(self, ground: Ground, *, small: bool = False, more_callbacks: t.Sequence[str] = ()) -> None:
        self.ground = ground
        self.small = small
        self.notifying = (*NOTIFYING, *more_callbacks)
        self.report = Report()
        stage = ground.stage
        stage.ansible.write("templates/app.ini.j2", "key={{ token.access_token }}\nhost={{ inventory_hostname }}\n")
        stage.ansible.write("templates/broken.ini.j2", "key={{ token.access_token }}\n{{ (token.access_token | int) / 0 }}\n")

    # -- one setting ----------------------------------------------------------------------------------------------------

    def run(self, setting: Setting) -> None:
        ground = self.ground
        self._prepare_hosts()
        folder = ground.stage.ansible.workdir / "out"
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("junit", "tree", "facts"):
            (folder / name).mkdir(parents=True)
        env = self._environment(setting, folder)
        before = {name: path.stat().st_size for name, path in self._server_logs().items()}
        output: list[Run] = []
        with Watch(ground.inputs) as watch, EchoingVault(400) as hostile, EchoingVault(403) as login, EchoingVault(307) as redirects:
            for steps in (successes(ground), faults(ground, hostile=hostile, hostile_login=login, hostile_redirects=redirects)):
                chosen = [step for step in steps if (step.small or not self.small) and not (step.hands_over and setting.tells_arguments)]
                output.append(self._play(setting, env, chosen))
            consent = self._consent(setting, env)
        places = self._places(setting, output, consent, folder, watch, before)
        self._search(setting, places)

    def _prepare_hosts(self) -> None:
        hosts = self.ground.hosts
        hosts.clear()
        for name in hosts.names:
            shutil.rmtree(hosts.root(name) / "tmp" / ".ansible", ignore_errors=True)
            (hosts.root(name) / f"{self.ground.canary}-note").write_text("a file", encoding="utf-8")
            (hosts.root(name) / f"{self.ground.canary}-link").symlink_to(hosts.root(name) / f"{self.ground.canary}-note")

    def _environment(self, setting: Setting, folder: pathlib.Path) -> dict[str, str | None]:
        return {
            **self.ground.env,
            "ANSIBLE_STDOUT_CALLBACK": setting.callback,
            "ANSIBLE_CALLBACKS_ENABLED": ",".join(self.notifying),
            "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
            "JUNIT_OUTPUT_DIR": str(folder / "junit"),
            "ANSIBLE_DEPRECATION_WARNINGS": "False",  # about the callback tree, whose files must be checked as long as it exists
            "ANSIBLE_CALLBACK_TREE_DIR": str(folder / "tree"),
            "TRACKOPS_AUDIT_LOG": str(folder / "audit.jsonl"),
            "TRACKOPS_ALLOW_HTTP": "true",
            "ANSIBLE_KEEP_REMOTE_FILES": str(setting.keeps_modules),
            "PYTHONWARNINGS": "default",
            **setting.env,
        }

    def _play(self, setting: Setting, env: t.Mapping[str, str | None], steps: t.Sequence[Step]) -> Run:
        stage, canary = self.ground.stage, self.ground.canary
        for vendor in stage.emulator.vendors:
            stage.emulator.heal(vendor)
        for step in steps:
            if step.fault:
                vendor, fault, options = step.fault
                stage.emulator.fail(vendor, fault, **options)
        marked = [{"name": "canary", "ansible.builtin.debug": {"msg": canary}}]
        on_hosts = [
            *marked,
            # Runs long enough for the watch to see it, which looks at the processes in turn.
            {"name": "canary on hosts", "ansible.builtin.command": {"argv": ["/bin/sh", "-c", "sleep 3", canary]}, "changed_when": False},
            {"name": "canary fact", "ansible.builtin.set_fact": {"bird": canary, "cacheable": True}},
        ]
        plays = [
            {"hosts": "localhost", "gather_facts": False, "tasks": [*marked, *(step.as_task() for step in steps if not step.on_hosts)]},
            {"hosts": "fleet", "gather_facts": False, "tasks": [*on_hosts, *(step.as_task() for step in steps if step.on_hosts)]},
        ]
        inventory = self.ground.hosts.inventory()
        arguments = ["-e", f"@{self.ground.inputs / 'variables.json'}", *setting.flags]
        run = stage.playbook(json.dumps(plays, indent=1), *arguments, inventory=inventory, env={"VAULT_TOKEN": None, **env}, timeout=600)
        for step in steps:
            found = {task.status.replace("changed", "ok") for task in run.tasks if task.task == step.name}
            if found != {step.expected} and step.name != "role":
                why = [str(task.result.get("msg", "")) for task in run.tasks if task.task == step.name]
                self.report.blind.append(f"{setting.name}: {step.name}: {', '.join(sorted(found)) or 'did not run'} instead of {step.expected}: {why[:1]}")
        self.report.steps += len(steps)
        return run

    def _consent(self, setting: Setting, env: t.Mapping[str, str | None]) -> bytes:
        """Run the playbook that waits for a person's consent. The emulator plays the person."""
        stage = self.ground.stage
        command = [
            "ansible-playbook",
            "trackops.api_tokens.authorize",
            *setting.flags,
            *stage.extra(),
            "-e",
            "vendor=trackmage",
            "-e",
            "path=consent/trackmage",
        ]
        process = stage.ansible.start(command, env=stage.environment({"VAULT_TOKEN": None, **env, "BROWSER": "/bin/false"}))
        try:
            address = re.compile(r"(https?://[^\s\"']+response_type=[^\s\"'\\]+)")
            url = process.wait_ready("the address of the consent", lambda: address.search(process.output()), timeout=300)[1]
            with requests.Session() as session:
                session.trust_env = False
                session.get(stage.emulator.consent(url), timeout=300)
            if process.popen.wait(120):
                self.report.blind.append(f"{setting.name}: consent: ended with exit code {process.popen.returncode}: {process.output()[-500:]}")
        finally:
            process.stop()
        return process.log.read_bytes()

    # -- where to look --------------------------------------------------------------------------------------------------

    def _server_logs(self) -> dict[str, pathlib.Path]:
        return {"Vault's log": self.ground.server.folder / "server.log", **{f"sshd's log {path.name}": path for path in self.ground.hosts.folder.glob("*.log")}}

    def _places(
        self, setting: Setting, output: t.Sequence[Run], consent: bytes, folder: pathlib.Path, watch: Watch, before: t.Mapping[str, int]
    ) -> dict[str, bytes]:
        ansible, hosts = self.ground.stage.ansible, self.ground.hosts
        cache = ansible.cache / "trackops" / "api_tokens"
        lines = watch.processes.read_bytes().splitlines()
        dests = {path for name in hosts.names for path in hosts.root(name).glob(f"{self.ground.canary}-*")}
        kept = {path for name in hosts.names for path in (hosts.root(name) / "tmp").rglob("*") if path.is_file()}
        places = {
            "stdout": b"".join(run.stdout.encode() for run in output),
            "stderr": b"".join(run.stderr.encode() for run in output),
            "output of the playbook authorize": consent,
            "ANSIBLE_LOG_PATH": (folder / "ansible.log").read_bytes(),
            "results as callbacks see them": b"".join(path.read_bytes() for path in ansible.workdir.glob("record-*.jsonl")),
            "callback junit": _all(folder / "junit"),
            "callback tree": _all(folder / "tree"),
            "fact cache": _all(folder / "facts"),
            "audit log": (folder / "audit.jsonl").read_bytes(),
            "token cache": b"".join(path.read_bytes() for path in cache.iterdir() if path.is_file() and path.name != "key"),
            "other files of the controller": _all(ansible.home, without=set(cache.rglob("*"))),
            # Our own Vault server gets its root token on the command line.
            "process lists": b"\n".join(line for line in lines if line.startswith(b"command ") and b" -dev-root-token-id=" not in line),
            "environments on hosts": b"\n".join(line for line in lines if line.startswith(b"environment ")),
            "other files on hosts": b"".join(_all(hosts.root(name), without=dests | kept) + b"/" for name in hosts.names),
            "temporary files on hosts": b"".join(path.read_bytes() for path in sorted(kept)),
            "logs of Vault and sshd": b"".join(path.read_bytes()[before.get(name, 0) :] for name, path in self._server_logs().items()),
        }
        if watch.log is not None:
            places["system log"] = b"\n".join(watch.log)
        for path in ansible.workdir.glob("record-*"):
            path.unlink()
        return places

    def _search(self, setting: Setting, places: t.Mapping[str, bytes]) -> None:
        secrets, report = self.ground.secrets(), self.report
        detector, canary = Detector(secrets), self.ground.canary.encode()
        kinds = sorted({secret.kind for secret in secrets})
        for secret in secrets:
            report.secrets.setdefault(secret.kind, set()).add(secret.value)
        for place, data in places.items():
            if place in _WITH_CANARY and canary not in data and not (place == "temporary files on hosts" and not setting.keeps_modules):
                report.blind.append(f"{setting.name}: {place}: its {len(data)} bytes do not contain the canary")
            report.bytes_read[place] = report.bytes_read.get(place, 0) + len(data)
            report.checks += len(kinds)
            for kind in kinds:
                report.checks_of[place, kind] = report.checks_of.get((place, kind), 0) + 1
            for secret, spelling in detector.find(data).items():
                report.hits.append(Hit(setting.name, place, secret, spelling, detector.excerpt(data, secret)))


# Places where the canary, which is not a secret, must appear. Otherwise the search proves nothing.
_WITH_CANARY = {
    "stdout",
    "ANSIBLE_LOG_PATH",
    "results as callbacks see them",
    "callback junit",
    "callback tree",
    "fact cache",
    "audit log",
    "token cache",
    "process lists",
    "temporary files on hosts",
    "system log",
}


def _all(folder: pathlib.Path, *, without: t.Collection[pathlib.Path] = ()) -> bytes:
    return b"\n".join(
        path.name.encode() + b"\n" + path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink() and path not in without
    )
