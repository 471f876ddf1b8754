# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential type for AWX, injected as AWX does it and used by ansible-runner; the dependencies that ansible-builder finds."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from support.collection import ROOT

if t.TYPE_CHECKING:
    from support.stage import Stage

BIN = pathlib.Path(sys.executable).parent
FILES = ROOT / "extensions" / "awx"
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Token
      ansible.builtin.debug:
        msg: "{{ lookup('trackops.api_tokens.tracx', 'fleet/tracx') | hash('sha256') }}"
"""


def credential_type() -> dict[str, t.Any]:
    (found,) = json.loads((FILES / "credential_types.json").read_text(encoding="utf-8"))["credential_types"]
    return t.cast("dict[str, t.Any]", found)


def injected(inputs: dict[str, t.Any], folder: pathlib.Path) -> tuple[dict[str, str], dict[str, str]]:
    """A job's environment and extra variables, as AWX makes them: unset texts are empty, unset booleans false, files in the job's folder."""
    kind = credential_type()
    names = {field["id"]: field["type"] for field in kind["inputs"]["fields"]}
    assert inputs.keys() <= names.keys()
    assert all(inputs.get(name) for name in kind["inputs"]["required"])
    values = {name: inputs.get(name, False if type_ == "boolean" else "") for name, type_ in names.items()}
    templates = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    files = {}
    for name, template in kind["injectors"]["file"].items():
        path = folder / name.removeprefix("template.")
        path.write_text(templates.from_string(template).render(**values), encoding="utf-8")
        path.chmod(0o600)
        files[name.removeprefix("template.")] = str(path)
    values["tower"] = {"filename": files}
    env, variables = (
        {name: templates.from_string(template).render(**values) for name, template in kind["injectors"][where].items()} for where in ("env", "extra_vars")
    )
    return env, variables


def job(stage: Stage, inputs: dict[str, t.Any], folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    (folder / "project").mkdir(parents=True)
    (folder / "env").mkdir()
    (folder / "project" / "play.yml").write_text(PLAY, encoding="utf-8")
    environment, variables = injected(inputs, folder)
    (folder / "env" / "envvars").write_text(json.dumps(environment), encoding="utf-8")
    own = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / ".cache"), "ANSIBLE_LOCALHOST_WARNING": "False"}
    env = {**stage.ansible.environment(own), **own}
    command = [str(BIN / "ansible-runner"), "run", str(folder), "-p", "play.yml", "--cmdline", "-e " + json.dumps(json.dumps({**stage.variables, **variables}))]
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False)


def test_the_credential_type_works_as_awx_injects_it(stage: Stage, tmp_path: pathlib.Path) -> None:
    stage.store("tracx", "fleet/tracx")
    stage.vault.client.sys.enable_secrets_engine("kv", path="api-token-cache", options={"version": "2"})
    rules = 'path "secret/*" { capabilities = ["read"] }\npath "api-token-cache/*" { capabilities = ["create", "read", "update"] }'
    approle = stage.vault.approle("awx", policies=[stage.vault.policy("awx", rules)])
    address = stage.vault.env()["VAULT_ADDR"]
    first = job(stage, {"url": address, "role_id": approle.role_id, "secret_id": str(approle.secret_id), "shared_cache": True}, tmp_path / "first")
    assert first.returncode == 0, first.stdout
    second = job(stage, {"url": address, "token": stage.vault.token("awx"), "shared_cache": True}, tmp_path / "second")
    assert second.returncode == 0, second.stdout
    assert len(stage.emulator.requests("tracx", kind="token")) == 1  # shared through Vault
    assert str(approle.secret_id) not in first.stdout
    nobody = job(stage, {"url": address, "role_id": approle.role_id, "secret_id": "wrong", "mount": "secret", "cache_mount": "elsewhere"}, tmp_path / "third")
    assert nobody.returncode != 0
    assert "refused the login by approle" in " ".join(nobody.stdout.split()), nobody.stdout


def test_the_credential_type_sets_no_ansible_variables() -> None:
    """AWX refuses environment variables that could configure Ansible."""
    injectors = credential_type()["injectors"]
    assert [name for name in injectors["env"] if name.upper().startswith("ANSIBLE_")] == []
    assert set(injectors) <= {"file", "env", "extra_vars"}


def test_the_documentation_shows_how_to_import_the_credential_type(tmp_path: pathlib.Path) -> None:
    text = (ROOT / "docs" / "cache.md").read_text(encoding="utf-8")
    assert "awx import < extensions/awx/credential_types.json" in text
    assert credential_type()["natural_key"] == {"name": credential_type()["name"], "kind": credential_type()["kind"], "type": "credential_type"}
    secret = {field["id"] for field in credential_type()["inputs"]["fields"] if field.get("secret")}
    assert secret == {"secret_id", "token"}


def test_ansible_builder_finds_what_the_collection_needs(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "ansible_collections" / "trackops" / "api_tokens"
    place.mkdir(parents=True)
    for name in ("galaxy.yml", "requirements.txt", "meta"):
        os.symlink(ROOT / name, place / name)
    done = subprocess.run([str(BIN / "ansible-builder"), "introspect", str(tmp_path)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)
    named = " ".join(str(found["python"]).split())
    assert "hvac" in named
    assert "requests" in named


@pytest.mark.parametrize("name", ["PyJWT", "boto3", "azure-identity"])
def test_optional_libraries_are_named(name: str) -> None:
    lines = (FILES / "optional-requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(f"{name}>=")]
    assert name in (ROOT / "docs" / "cache.md").read_text(encoding="utf-8")
