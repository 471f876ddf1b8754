# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run each example in README.md, docs/ and the roles' READMEs against the emulator and OpenBao, in as few processes as possible.

The tests replace addresses, the folder /etc, become, the users of a host, and services.
"""

from __future__ import annotations

import functools
import getpass
import grp
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t

import jwt
import pytest
import yaml
from support.examples import Example, examples
from support.hosts import interpreter
from support.lookups import IMPORTED, Batch
from support.pki import rsa_pair
from support.vault import binary

if t.TYPE_CHECKING:
    from support.ansible import Task
    from support.stage import Stage

#: Commands and blocks that are not run here: their beginnings, and why.
NOT_RUN = {
    "python3 -m venv": "from the network; tests/support/bootstrap.py does the same with hashes",
    "pip install": "from the network; the libraries are those of tests/requirements/demo.in",
    "ansible-galaxy collection install": "Galaxy; tests/quality/test_artifact.py installs the built file",
    "ansible-playbook trackops.api_tokens.authorize": "a person and a browser: tests/integration/test_authorize.py",
    "umask 077": "belongs to the playbook authorize",
    "python3 -m compileall": "Python's own, on a folder of all users",
    "bao agent": "runs until it is ended: tests/integration/cache/test_cache_vault.py, test_a_vault_agent_renders_the_shared_token",
    "awx import": "AWX; tests/integration/test_awx.py reads the file and injects as AWX does",
    "vault {": "the configuration of that agent",
    "- name: Ask for a token\n  ansible.builtin.uri": "what a playbook had before; community.hashi_vault is not there",
    "[api]\n": "a template of token_file: tests/integration/test_token_file.py writes with one",
    "# zero arguments": "docs/design.md: tasks and a play in one; each of them is in README.md too",
    "- hosts: localhost\n  connection: local\n  gather_facts: false\n  become: true\n  roles:\n": "the role schedule: tests/integration/test_schedule.py",
    "make ": "the CI runs them; that they are there is looked up",
}
#: The page whose examples another test runs.
OF_ANOTHER_TEST = {"docs/catalogue.md": "tests/integration/vendors/test_catalogue.py"}
PLACEHOLDER = "…"
COMMANDS = ("ansible", "vault", "export", "make", "python3", "printf", "pip", "bao", "awx", "umask", "rm", "curl")
VAULTS_OWN = ("VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT")


def reason_not_to_run(text: str) -> str:
    return next((reason for start, reason in NOT_RUN.items() if text.startswith(start)), "")


@functools.cache
def of_language(*languages: str) -> list[Example]:
    return [example for example in examples() if example.language in languages and example.page not in OF_ANOTHER_TEST and not reason_not_to_run(example.text)]


# -- stand-ins for the reader's world ----------------------------------------------------------------------------------


@pytest.fixture
def stage(openbao_stage: Stage) -> Stage:
    stage = openbao_stage
    stage.store_all()
    stage.store_all("fleet/")
    stage.store("tracktik", "fleet/tracktik-eu")
    stage.store("trackunit", "fleet/trackunit-v2", **_scoped_key(stage))
    stage.store("acme", "fleet/acme", tenant="t1", subject_token="a", assertion="b")
    stage.emulator.set("acme", client_auth=("basic", "post", "none"))
    return stage


def _scoped_key(stage: Stage) -> dict[str, t.Any]:
    return dict(stage.emulator.credentials["trackunit_v2"])


def replaced(text: str, stage: Stage) -> str:
    """*text* with the reader's addresses, folders and names replaced by those of the test."""
    base = stage.emulator.base_url
    etc, group = stage.ansible.workdir / "etc", grp.getgrgid(os.getegid()).gr_name
    plain = {
        "https://vault.example.com:8200": stage.vault.address,
        "https://iris.trackunit.com/api": f"{base('trackunit')}/api",
        "https://api.trackmage.com": f"{base('trackmage')}/api",
        "https://api.tracx.events": f"{base('tracx')}/api",
        "https://eu.staffr.net/rest": f"{base('tracktik')}/api",
        "https://eu.staffr.net": base("tracktik"),
        "https://api.example.com": f"{base('acme')}/api",
        "https://login.example.com/token": f"{base('acme')}/token",
        "https://login.example.com": base("acme"),
        "https://login.acme.example/oauth": base("acme"),
        "https://login.acme.example": base("acme"),
        "/oauth/token": "/token",
        " /etc/": f" {etc}/",
        "=/etc/": f"={etc}/",
        "'/etc/": f"'{etc}/",
        "/srv/": f"{stage.ansible.workdir}/srv/",
        "/var/log/": f"{stage.ansible.workdir}/",
        "become: true": "become: false",
        " --become": "",
        "vault login": f"vault login -no-print {stage.vault.root_token}",
        "group: integration": f"group: {group}",
    }
    for old, new in plain.items():
        text = text.replace(old, new)
    text = re.sub(r"owner: (telemetry|events)", f"owner: {getpass.getuser()}", text)
    return re.sub(r"ansible\.builtin\.service: \{name: (\w+), state: restarted\}", r"ansible.builtin.debug: {msg: restarted \1}", text)


def inventory(stage: Stage) -> pathlib.Path:
    """The hosts of the examples, all on this machine, and the vendors' addresses."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": interpreter(stage.ansible.workdir, sys.executable)}
    variables = {
        **stage.variables,
        "trackops_vendors": {"acme": {"token_url": stage.emulator.base_url("acme") + "/token", "variants": {"user": {"grant_type": "password"}}}},
        "url": stage.emulator.base_url("acme") + "/token",
        "provision_directory": "{{ inventory_dir }}/etc/api-tokens",
    }
    # localhost is not a member of "all" here, as it is in no reader's inventory.
    content = {"all": {"vars": variables, "children": {name: {"hosts": {"web1": host}} for name in ("web", "integration")}}}
    return stage.ansible.write("inventory", json.dumps(content))


DEFAULT_DIRECTORY = pathlib.Path("/etc/api-tokens")


def passed(stage: Stage, plays: list[dict[str, t.Any]]) -> list[Task]:
    run = stage.ansible.playbook(json.dumps(plays, indent=1) + "\n", inventory=inventory(stage), env=stage.environment(IMPORTED))
    assert run.rc == 0, run
    return list(run.tasks)


# -- the kinds of blocks, one after the other --------------------------------------------------------------------------


def test_each_example_names_its_language() -> None:
    known = {"yaml", "jinja", "ini", "json", "hcl", "sh", "text"}
    assert [str(example) for example in examples() if example.language not in known] == []
    assert len(examples()) > 80
    hidden = [str(one) for one in of_language("text") for line in one.text.splitlines() if re.match(rf"(?:\$ )?({'|'.join(COMMANDS)}) [a-z-]", line)]
    assert hidden == [], "commands that say that they are text"


def test_each_exception_matches_an_example() -> None:
    texts = [example.text for example in examples()] + [command for example in examples() if example.language == "sh" for command in example.commands]
    assert [start for start in NOT_RUN if not any(text.startswith(start) for text in texts)] == []


def test_examples_of_playbooks_tasks_and_variables_work(stage: Stage) -> None:
    plays: list[dict[str, t.Any]] = []
    others: list[str] = []
    for example in of_language("yaml"):
        content = yaml.safe_load(replaced(example.text, stage))
        made = _plays(content, name=str(example))
        if made is None:
            others.append(str(example))
            _check_other(content, stage)
        else:
            own = {"trackops.api_tokens.token_file": {"directory": "{{ inventory_dir }}/etc/api-tokens"}}
            plays += [{**play, "module_defaults": {**own, **play.get("module_defaults", {})}} if "hosts" in play else play for play in made]
    of_the_machine = _listed(DEFAULT_DIRECTORY)
    done = passed(stage, plays)
    assert _listed(DEFAULT_DIRECTORY) == of_the_machine
    assert len(plays) > 20 and len(others) < 5, others
    assert len(done) > len(plays)
    failed = [task.task for task in done if task.status == "failed"]
    assert failed == []


def _listed(folder: pathlib.Path) -> list[tuple[str, float]]:
    return sorted((path.name, path.stat().st_mtime) for path in folder.iterdir()) if folder.exists() else []


def _plays(content: t.Any, *, name: str) -> list[dict[str, t.Any]] | None:
    """The plays that run the *content* of a block; None if it is another program's file."""
    play: dict[str, t.Any] = {"name": name, "hosts": "web1", "gather_facts": False}
    if isinstance(content, list) and all("hosts" in item for item in content):
        return [{"gather_facts": False, "name": name, **item} for item in content]
    if isinstance(content, list) and all("name" in item or "trackops.api_tokens.token_file" in item for item in content):
        handlers = [{"name": handler, "ansible.builtin.debug": {"msg": "restarted"}} for item in content for handler in [item.get("notify")] if handler]
        return [{**play, "tasks": content, "handlers": handlers}]
    if isinstance(content, dict) and "handlers" in content:
        content = {**content, "vars": {"provision_tokens": [{"vendor": "trackunit"}], "provision_directory": "{{ inventory_dir }}/handled"}}
        return [{**play, **content, "roles": ["trackops.api_tokens.provision"]}]
    if isinstance(content, dict) and "provision_tokens" in content:
        return [{**play, "vars": {**content, "provision_directory": "{{ inventory_dir }}/provided"}, "roles": ["trackops.api_tokens.provision"]}]
    if isinstance(content, dict) and "trackops_vendors" in content:
        tasks = [{"trackops.api_tokens.token_info": {"vendor": vendor, "path": "fleet/acme", "explain": True}} for vendor in content["trackops_vendors"]]
        return [{**play, "vars": content, "tasks": tasks}]
    if isinstance(content, dict) and "request_body" in content:  # part of a description
        described = {"trackops_vendors": {"acme": {"token_url": "https://api.acme.example/rpc", **content}}}
        return _plays(described, name=name)
    if isinstance(content, dict) and all(name.startswith("trackops_tracktik") for name in content):
        return [{**play, "vars": content, "tasks": [{"trackops.api_tokens.token_info": {"vendor": "tracktik"}}]}]
    if isinstance(content, dict) and any("{{" in str(value) for value in content.values()):
        shown = {variable: f"{{{{ {variable} | length }}}}" for variable in content}
        return [{**play, "vars": content, "tasks": [{"ansible.builtin.debug": {"msg": shown}}]}]
    return None


def _check_other(content: t.Any, stage: Stage) -> None:
    if isinstance(content, dict) and "dependencies" in content:  # an execution environment
        stage.ansible.write("execution-environment.yml", json.dumps(content))
        done = stage.ansible.run(["ansible-builder", "create", "--file", "execution-environment.yml", "--context", "context"])
        assert done.rc == 0, done
        return
    template = (pathlib.Path(__file__).resolve().parents[2] / "playbooks/templates/status.prom.j2").read_text(encoding="utf-8")
    metrics = re.findall(r"trackops_\w+", json.dumps(content))
    assert metrics and all(f"{metric}" in template for metric in metrics), content


def test_examples_of_expressions_work(stage: Stage) -> None:
    private, public = rsa_pair()
    base, account = stage.emulator.base_url("acme"), stage.credentials("acme")
    stage.emulator.set("acme", client_auth=("basic", "post", "none", "private_key_jwt"), public_key=public, assertion_key=public)
    claims = {"iss": account["client_id"], "sub": "robot", "aud": f"{base}/token", "exp": int(time.time()) + 300, "jti": "1"}
    own = {"subject_token": "the-user's", "private_key": private, "assertion": jwt.encode(claims, private, algorithm="RS256")}
    stage.store("acme", "fleet/acme", **own)
    stage.vault.kv1("kv")
    stage.vault.put1("legacy/tm", {"id": stage.credentials("trackmage")["client_id"], "key": stage.credentials("trackmage")["client_secret"]})
    stage.vault.policy("everything", 'path "*" { capabilities = ["read"] }')
    batch, names = Batch(stage), []
    for example in of_language("jinja"):
        for number, expression in enumerate(example.expressions):
            if "request_format='json'" in expression:
                other = {"client_auth": ["post"], "request_format": "json", "token_field": "data.token", "expires_field": "data.expires_at"}
                batch.control("set", vendor="acme", expires_as="unix", **other)
            names.append(f"{example} {number}")
            batch.expression(names[-1], f"{replaced(expression, stage)} | length", variables={"url": f"{base}/token"})
    assert len(names) >= 8
    done = batch.run(env={"VAULT_TOKEN": stage.vault.token("everything")})
    assert {name: done[name].error for name in names if done[name].error} == {}


def test_examples_of_configuration_are_read_by_ansible(stage: Stage) -> None:
    for example in of_language("ini"):
        stage.ansible.write("ansible.cfg", example.text)
        done = stage.ansible.run(["ansible-config", "dump", "--only-changed"], env={"ANSIBLE_CALLBACKS_ENABLED": None})
        named = re.findall(r"^(\w+) *=", example.text, re.MULTILINE)
        assert done.rc == 0 and all(name.upper() in done.output for name in named), done


def test_examples_of_policies_are_accepted_by_vault(stage: Stage) -> None:
    policies = of_language("hcl")
    assert len(policies) >= 3
    for number, example in enumerate(policies):
        stage.vault.policy(f"example-{number}", example.text)
        assert stage.vault.client.sys.read_policy(f"example-{number}")["data"]["rules"] == example.text


def test_examples_of_json_are_valid() -> None:
    for example in of_language("json"):
        assert json.loads(example.text)


def test_examples_of_commands_work(stage: Stage) -> None:
    """Run ``vault`` and ``ansible-playbook`` in a shell, one page at a time, and ``ansible`` commands as plays of one run, one host at a time."""
    adhoc: list[dict[str, t.Any]] = []
    pages: dict[str, list[str]] = {}
    seen: set[str] = set()
    for example in of_language("sh"):
        for command in example.commands:
            if command.startswith("make "):
                assert re.search(
                    rf"^{command.split()[1]}:", (pathlib.Path(__file__).resolve().parents[2] / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
                )
            elif reason_not_to_run(command) or PLACEHOLDER in command or command in seen:
                continue
            elif command.startswith("ansible "):
                adhoc.append(_adhoc(replaced(command, stage), name=str(example)))
            else:
                pages.setdefault(example.page, []).append(replaced(command, stage))
            if command.startswith("ansible"):
                seen.add(command)
    assert len(adhoc) > 12 and sum(map(len, pages.values())) > 20
    for page, commands in pages.items():
        _prepare(stage)  # a page may end by removing the file
        if any("vault_setup" in command for command in commands):
            stage.vault.client.sys.delete_policy("api-tokens")  # the README's reader has created it by hand
        _in_a_shell(stage, page, commands)
    assert [task.result for task in passed(stage, adhoc) if task.status == "failed"] == []


def _prepare(stage: Stage) -> None:
    """Create the files that readers have made, and put ``vault`` on PATH."""
    for vendor in ("trackmage", "tracktik", "trackunit", "acme"):
        stage.ansible.write(f"{vendor}.json", json.dumps(stage.credentials(vendor)))
    folder = stage.ansible.workdir
    tokens = [{"vendor": "trackunit", "path": "fleet/trackunit", "dest": f"{folder}/etc/api-tokens/of-playbook"}]
    stage.ansible.write("tokens.yml", json.dumps({"provision_tokens": tokens, "provision_directory": f"{folder}/etc/api-tokens"}))
    stage.ansible.write("vendor-credentials.hcl", next(example.text for example in of_language("hcl") if example.page == "README.md"))
    (folder / "bin").mkdir(exist_ok=True)
    if not (folder / "bin" / "vault").exists():
        (folder / "bin" / "vault").symlink_to(binary("openbao"))


def _adhoc(command: str, *, name: str) -> dict[str, t.Any]:
    found = re.fullmatch(r"ansible (\S+) -m (\S+) -a '([^']*)'", command)
    assert found, command
    return {"name": f"{name} {command}", "hosts": found[1], "gather_facts": False, "tasks": [{"name": name, "action": f"{found[2]} {found[3]}"}]}


def _in_a_shell(stage: Stage, page: str, commands: list[str]) -> None:
    exported = [name for command in commands if command.startswith("export ") for name in re.findall(r"(\w+)=", re.sub(r"\$\(.*?\)", "", command))]
    assert [name for name in exported if not name.startswith(("ANSIBLE_", "TRACKOPS_")) and name not in VAULTS_OWN] == [], page
    folder = stage.ansible.workdir
    own = stage.environment({"VAULT_TOKEN": stage.vault.root_token, "CONNECT_TOKEN": stage.credentials("tracx")["connect_token"]})
    env = stage.ansible.environment({**own, "ANSIBLE_INVENTORY": str(inventory(stage))})
    env["PATH"] = f"{folder / 'bin'}{os.pathsep}{env['PATH']}"
    script = "set -euo pipefail\n" + "\n".join(commands)
    done = subprocess.run(["bash", "-c", script], env=env, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{page}:\n{script}\n{done.stdout}\n{done.stderr}"
