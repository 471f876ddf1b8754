# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scene of a measurement: a real Vault, the vendor emulator, one ansible-core with the collection and its peers, and the plays."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import typing as t

from emulator import Emulator
from support.ansible import Ansible
from support.collection import installed
from support.community import community_collections
from support.matrix import Combination, matrix_venv
from support.vault import VaultServer
from support.vaultsetup import Operator

from bench.measure import Sample, run_measured
from bench.peers import empty_lookups

OURS = "lookup('trackops.api_tokens.trackunit')"
PASSWORD = "bench-password"


@dataclasses.dataclass(frozen=True)
class Scene:
    """One ansible-core, with the token already in its cache."""

    core: str
    version: str
    python: str
    ansible: Ansible
    emulator: Emulator
    vault: Operator
    variables: dict[str, t.Any]
    env: dict[str, str]

    @property
    def fetched(self) -> int:
        """How often the vendor was asked for the token."""
        return len(self.emulator.requests("trackunit", kind="token"))

    def expressions(self) -> dict[str, str]:
        """The expressions that tasks look up, by their names in the tables."""
        kv2 = "community.hashi_vault.vault_kv2_get', 'trackunit'"
        return {
            "constant": "'constant'",
            "lookup('file')": f"lookup('ansible.builtin.file', '{self.ansible.workdir / 'note.txt'}')",
            "ours": OURS,
            "hashi_vault, token": f"lookup('{kv2}).secret.client_id",
            "hashi_vault, userpass": f"lookup('{kv2}, auth_method='userpass', username='bench', password='{PASSWORD}').secret.client_id",
        }

    def command(self, name: str) -> str:
        return str(self.ansible.bin_dir / name)

    @property
    def definitions(self) -> pathlib.Path:
        """The folder with the option definitions that our lookups pass to Ansible."""
        return self.ansible.collections[0] / "ansible_collections/trackops/api_tokens/plugins/plugin_utils/_boundary/option_definitions"

    def playbook(
        self, plays: t.Any, *, hosts: int, forks: int = 10, env: t.Mapping[str, str] | None = None, variables: t.Mapping[str, t.Any] | None = None
    ) -> Sample:
        """Run the plays on this many hosts, all of which are this machine."""
        inventory = self.ansible.workdir / f"hosts-{hosts}"
        if not inventory.exists():
            inventory.write_text("".join(f"host{number:04}\n" for number in range(hosts)), encoding="utf-8")
        path = self.ansible.write("play.yml", json.dumps(plays))
        command = [self.command("ansible-playbook"), "-i", str(inventory), "-f", str(forks), "-e", json.dumps(variables or self.variables), str(path)]
        return run_measured(command, env={**self.env, **(env or {})}, cwd=self.ansible.workdir)

    def in_worker(
        self,
        expressions: t.Mapping[str, str],
        *,
        rounds: int,
        actions: t.Sequence[str] = (),
        callbacks: t.Sequence[str] = (),
        codes: t.Mapping[str, str] | None = None,
    ) -> dict[str, list[float]]:
        """The CPU seconds of each expression in a fresh worker, after the controller has loaded these plugins."""
        job = {
            "expressions": {name: text if "{" in text else "{{ " + text + " }}" for name, text in expressions.items()},
            "variables": self.variables,
            "rounds": rounds,
            "actions": list(actions),
            "callbacks": list(callbacks),
            "codes": dict(codes or {}),
        }
        script = pathlib.Path(__file__).with_name("worker.py")
        command = [self.command("python"), str(script)]
        done = subprocess.run(command, input=json.dumps(job), env=self.env, cwd=self.ansible.workdir, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        spent: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
        return spent


@contextlib.contextmanager
def scene(core: str) -> t.Iterator[Scene]:
    """Start everything, and fetch the token once."""
    venv = matrix_venv(Combination(core))
    facts = "import ansible, json, platform; print(json.dumps([ansible.__version__, platform.python_version()]))"
    version, python = json.loads(subprocess.run([str(venv / "bin/python"), "-c", facts], capture_output=True, text=True, check=True).stdout)
    with tempfile.TemporaryDirectory() as scratch, VaultServer() as server, Emulator() as emulator:
        folder = pathlib.Path(scratch)
        collections = [installed(), community_collections(venv), empty_lookups(installed(), folder / "empty")]
        ansible = Ansible(folder / "run", collections=collections, bin_dir=venv / "bin")
        vault = Operator(server)
        vault.put("trackunit", emulator.credentials["trackunit"])
        policy = vault.read_policy("*")
        vault.userpass("bench", PASSWORD, [policy])
        ansible.write("note.txt", "hello")
        variables = {"trackops_trackunit_base_url": emulator.base_url("trackunit"), "ansible_connection": "local", "ansible_python_interpreter": _python()}
        env = {**ansible.environment(), **server.env(token=vault.token(policy))}
        made = Scene(core, version, python, ansible, emulator, vault, variables, env)
        made.playbook(play(debug(OURS)), hosts=1)
        if made.fetched != 1:
            raise SystemExit("the token was not fetched")
        yield made


def _python() -> str:
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def play(*tasks: dict[str, t.Any], before: t.Sequence[dict[str, t.Any]] = ()) -> list[dict[str, t.Any]]:
    return [{"hosts": "all", "gather_facts": False, "tasks": [*before, *tasks]}]


def debug(expression: str) -> dict[str, t.Any]:
    return {"ansible.builtin.debug": {"msg": "{{ " + expression + " }}"}}
