# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token files on real ssh hosts, written by a user's ad-hoc commands and plays."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import stat
import time

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.output import iso_time
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names
from support.processes import Unavailable, command_lines
from support.sshd import SshHosts
from support.stage import BUILT_IN, Stage

FORMATS = {"trackunit": "raw", "tracx": "env", "tracktik": "json", "trackmage": "header"}
FOUR = json.dumps([{"vendor": vendor, "dest": "{{ host_root }}/" + vendor, "format": form} for vendor, form in FORMATS.items()])
PLAY = f"""
- hosts: fleet
  gather_facts: false
  tasks:
    - name: Four tokens
      trackops.api_tokens.token_file:
        tokens: {FOUR}
"""


@pytest.fixture
def stage(settled_stage: Stage) -> Stage:
    return settled_stage


def files(hosts: SshHosts) -> dict[str, pathlib.Path]:
    return {f"{host}/{path.name}": path for host in hosts.names for path in sorted(hosts.root(host).iterdir()) if path.is_file()}


def seen(hosts: SshHosts) -> dict[str, tuple[bytes, int, int]]:
    return {name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime_ns) for name, path in files(hosts).items()}


def secrets_of(stage: Stage) -> set[str]:
    """Every credential that the vendors know, and every token that they issued."""
    return {secret for secret in stage.emulator.secrets() if len(secret) > 7}


def test_four_tokens_are_written_to_three_hosts(stage, ssh_hosts):
    predicted = stage.playbook(PLAY, "--check", inventory=ssh_hosts.inventory())
    assert predicted.rc == 0, predicted
    assert files(ssh_hosts) == {}
    first = stage.playbook(PLAY, inventory=ssh_hosts.inventory())
    assert first.rc == 0, first
    assert (predicted.changed, first.changed) == (3, 3)
    before = seen(ssh_hosts)
    assert {name: mode for name, (_content, mode, _time) in before.items()} == {f"{host}/{vendor}": 0o600 for host in ssh_hosts.names for vendor in BUILT_IN}
    assert len(stage.emulator.requests(kind="token")) == 4
    details = json.loads(before["host1/tracktik"][0])
    assert details["authorization"] == f"Bearer {details['access_token']}" and "refresh_token" not in details
    assert b"TRACX_TOKEN='" in before["host2/tracx"][0]
    assert before["host3/trackmage"][0].startswith(b"Authorization: Bearer ")

    again = stage.playbook(PLAY, inventory=ssh_hosts.inventory())
    assert (again.rc, again.changed) == (0, 0), again
    assert seen(ssh_hosts) == before
    assert len(stage.emulator.requests(kind="token")) == 4


def test_the_module_runs_once_per_host(stage, ssh_hosts):
    stage.playbook(PLAY, inventory=ssh_hosts.inventory())
    run = stage.playbook(PLAY, "-vvv", "--limit", "host1", inventory=ssh_hosts.inventory())
    assert run.output.count("Using module file") == 1


def test_no_secret_is_seen_at_any_verbosity(stage, ssh_hosts):
    for arguments in (("--check", "--diff"), ("--diff",)):
        run = stage.playbook(PLAY, "-vvvvv", *arguments, inventory=ssh_hosts.inventory())
        assert run.rc == 0, run
        everything = run.output + json.dumps([task.result for task in run.tasks])
        assert [secret for secret in secrets_of(stage) if secret in everything] == []
        assert "sha256:" in run.stdout
    left = [path for host in ssh_hosts.names for path in (ssh_hosts.root(host) / "tmp").rglob("*") if path.is_file()]
    assert left == []


def test_debug_output_contains_no_file_content(stage, ssh_hosts):
    run = stage.playbook(PLAY, "--limit", "host1", inventory=ssh_hosts.inventory(), env={"ANSIBLE_DEBUG": "1"})
    assert run.rc == 0, run
    assert "_execute_module" in run.output
    contents = [path.read_bytes() for path in files(ssh_hosts).values()]
    assert len(contents) == 4
    assert [content for content in contents if base64.b64encode(content).decode() in run.output] == []
    assert [secret for secret in secrets_of(stage) if secret in run.output] == []


BROKEN_TEMPLATES = (
    ("{{ token.access_token | human_to_bytes }}", "the-access_token"),
    ("{{ lookup('ansible.builtin.vars', token.access_token[1:]) }}", "access_token"),
    ("{% include token.authorization %}", "the-authorization"),
    ("{{ token.extra.nothing }}", "nothing"),
    ("{{ token.expires_at", "end of print statement"),
    ("{{ 1 // (1 if token.access_token == 'the-access_token' else 0) }}", "cannot be used with this token"),
)


def test_template_errors_are_reported_without_the_token(stage, ssh_hosts):
    paths = [stage.ansible.write(f"templates/broken{number}.j2", template) for number, (template, _message) in enumerate(BROKEN_TEMPLATES)]
    common = {"vendor": "tracx", "dest": "{{ host_root }}/a", "format": "template"}
    tasks = [{"name": path.name, "trackops.api_tokens.token_file": {**common, "template": str(path)}, "ignore_errors": True} for path in paths]
    play = json.dumps([{"hosts": "host1", "gather_facts": False, "tasks": tasks}], indent=1)
    run = stage.playbook(play, "-vvvvv", inventory=ssh_hosts.inventory())
    for path, (_template, message) in zip(paths, BROKEN_TEMPLATES, strict=True):
        [task] = run.find(path.name)
        assert task.status == "ignored", run
        assert f"the template {path} cannot be used" in task.result["msg"] and message in task.result["msg"]
    token = stage.emulator.requests("tracx", kind="token") and max(stage.emulator.secrets(), key=len)
    assert len(token) > 50
    shown = run.output + json.dumps([task.result for task in run.tasks])
    assert [part for part in (token, token[1:], token[20:60], token[-30:]) if part in shown] == []
    assert files(ssh_hosts) == {}


@pytest.mark.parametrize(
    ("environment", "seen"),
    [({}, b"sleep 0"), ({"ANSIBLE_PIPELINING": "False"}, b"AnsiballZ_token_file_write")],
    ids=["through the connection", "as a file"],
)
def test_no_secret_is_in_any_process_list_while_it_runs(stage, ssh_hosts, tmp_path, environment, seen):
    # The hosts' Python waits until the command that starts it has been seen.
    gate, python = tmp_path / "gate", tmp_path / "python"
    gate.touch()
    python.write_text(f'#!/bin/sh\nwhile [ -e {gate} ]; do sleep 0.05; done\nexec {ssh_hosts.variables()["ansible_python_interpreter"]} "$@"\n')
    python.chmod(0o755)
    inventory = ssh_hosts.inventory(more={"ansible_python_interpreter": str(python)})
    run = stage.ansible.start_playbook(PLAY, *stage.extra(), inventory=inventory, env=stage.environment(environment))
    commands: set[bytes] = set()
    while run.running:
        commands |= command_lines(run.pid, *ssh_hosts.pids)
        time.sleep(0.02)  # polling without a pause would slow down the run
        if any(seen in command for command in commands):
            gate.unlink(missing_ok=True)
    assert len(files(ssh_hosts)) == 12, run.output()
    assert any(seen in command for command in commands)
    seen_secrets = {secret for secret in secrets_of(stage) for command in commands if secret.encode() in command}
    assert seen_secrets == set()


def test_no_secret_is_in_the_system_log_of_the_hosts(stage, ssh_hosts, syslog):
    run = stage.playbook(PLAY, inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    # Other tests have hosts on this machine too.
    calls = [line for line in syslog if b"token_file_write" in line and str(ssh_hosts.folder).encode() in line]
    assert len(calls) == 3 and all(b"contents=NOT_LOGGING_PARAMETER" in call for call in calls), syslog
    assert [secret for secret in secrets_of(stage) for line in syslog if secret.encode() in line] == []


def test_a_token_that_cannot_be_obtained_harms_no_other_file(stage, ssh_hosts):
    stage.playbook(PLAY, inventory=ssh_hosts.inventory())
    before = seen(ssh_hosts)
    stage.store("tracktik", "wrong", password="not-this-one")
    play = PLAY.replace('"vendor": "tracktik"', '"vendor": "tracktik", "path": "wrong"').replace("token_file:", "token_file:\n        mode: '0640'")
    run = stage.playbook(play, inventory=ssh_hosts.inventory())
    assert run.rc == 2, run
    [task] = run.find("token_file", host="host1")
    result = task.result
    assert task.status == "failed" and result["changed"]
    dest = ssh_hosts.root("host1") / "tracktik"
    assert result["msg"].startswith(f"1 of 4 token files failed: {dest}: tracktik: ") and "secret/wrong" in result["msg"]
    assert {entry["vendor"]: bool(entry["error"]) for entry in result["files"]} == {vendor: vendor == "tracktik" for vendor in FORMATS}
    after = seen(ssh_hosts)
    assert after["host1/tracktik"] == before["host1/tracktik"]
    assert after["host1/tracx"][:2] == (before["host1/tracx"][0], 0o640)
    # Twelve files, but only one more request to the vendor.
    assert len(stage.emulator.requests("tracktik", kind="token")) == 2


def test_a_symlink_on_one_host_fails_there_only(stage, ssh_hosts):
    victim = ssh_hosts.root("host2") / "victim"
    victim.write_text("precious")
    (ssh_hosts.root("host2") / "tracx").symlink_to(victim)
    run = stage.playbook(PLAY, inventory=ssh_hosts.inventory())
    assert {host: counts["failures"] for host, counts in run.stats.items()} == {"host1": 0, "host2": 1, "host3": 0}, run
    assert victim.read_text() == "precious"
    assert len(files(ssh_hosts)) == 4 + 5 + 4


def test_a_template_is_found_in_the_current_directory(stage, ssh_hosts):
    """The playbook belongs to the collection, so users cannot put a template beside it."""
    stage.ansible.write("app.ini.j2", "key={{ token.access_token }}\n")
    tokens = [{"vendor": "tracx", "format": "template", "template": "app.ini.j2"}, {"vendor": "trackunit", "format": "template", "template": "none.j2"}]
    variables = json.dumps({"provision_tokens": tokens, "provision_directory": "{{ host_root }}", "provision_hosts": "host1"})
    run = stage.playbook("trackops.api_tokens.provision", "-e", variables, inventory=ssh_hosts.inventory())
    assert run.rc == 2, run
    assert set(files(ssh_hosts)) == {"host1/tracx"}
    assert (
        "the template none.j2 cannot be used: it is not found where Ansible looks for templates, nor in the current directory; give its absolute path."
    ) in run.output


OPTION_ERRORS = (
    (
        {"token_field": "x"},
        f"there is no option 'token_field' for {', '.join(names())}; only oauth2 and your own vendors accept it. [TRK-O01]",
    ),
    ({"mode": "0644"}, "trackunit: mode 0644 gives every user of the host access to the token; use a group, or set allow_readable. [TRK-O12]"),
    ({"min_tttl": 5}, "there is no option 'min_tttl'; did you mean min_ttl? [TRK-O01]"),
    ({"path": "elsewhere"}, "path: is given next to tokens; set it in the items of tokens. [TRK-O04]"),
    ({"format": "xml"}, "value of format must be one of: raw, header, env, json, template, got: xml. [TRK-O02]"),
)


def test_option_errors_are_reported_before_anything_is_done(stage, ssh_hosts):
    tokens = [{name: value for name, value in item.items() if value != "raw"} for item in json.loads(FOUR)]
    tasks = [{"name": message, "trackops.api_tokens.token_file": {"tokens": tokens, **more}, "ignore_errors": True} for more, message in OPTION_ERRORS]
    run = stage.playbook(json.dumps([{"hosts": "fleet", "gather_facts": False, "tasks": tasks}], indent=1), inventory=ssh_hosts.inventory())
    for _more, message in OPTION_ERRORS:
        failed = run.find(message)
        assert [task.status for task in failed] == ["ignored"] * 3, run
        assert all(task.result["msg"].endswith(message) for task in failed), run
    assert files(ssh_hosts) == {} and stage.emulator.requests(kind="token") == []


def test_a_template_gets_the_token_and_the_variables_of_the_host(stage, ssh_hosts):
    lines = ("[{{ inventory_hostname }}]", "key={{ token.access_token }}", "until={{ token.expires_at }} {{ vendor }} {{ path }}", "")
    stage.ansible.write("templates/app.ini.j2", "\n".join(lines))
    play = """
    - hosts: fleet
      gather_facts: false
      tasks:
        - trackops.api_tokens.token_file:
            vendor: tracx
            dest: "{{ host_root }}/app.ini"
            format: template
            template: app.ini.j2
    """
    run = stage.playbook(play, inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    result = run.result("token_file", host="host2")
    [head, key, until] = (ssh_hosts.root("host2") / "app.ini").read_text().splitlines()
    assert head == "[host2]" and until == f"until={result['expires_at']} tracx tracx"
    assert result["expires_at_iso"] == result["files"][0]["expires_at_iso"] == iso_time(result["expires_at"])
    assert key.removeprefix("key=") in stage.emulator.secrets()
    assert stage.playbook(play, inventory=ssh_hosts.inventory()).changed == 0


def test_ad_hoc_commands_work_as_documented(stage):
    """The commands in README and DESIGN.md, to the letter, on hosts without anything of this collection."""
    stage.store("tracx", "fleet/tracx")
    with contextlib.ExitStack() as stack:
        try:
            hosts = stack.enter_context(SshHosts(count=2, own_etc=True, first=30))
        except Unavailable as exc:
            pytest.skip(str(exc))
        command = ["web", "-m", "trackops.api_tokens.token_file", "-a", "vendor=tracx path=fleet/tracx dest=/etc/api-tokens/tracx"]
        first = stage.adhoc(*command, inventory=hosts.inventory(group="web"))
        assert first.rc == 0, first
        assert first.result("token_file", host="host1")["path"] == "fleet/tracx"
        made = hosts.etc() / "api-tokens"
        assert [(path.name, stat.S_IMODE(path.stat().st_mode)) for path in (made, *made.iterdir())] == [("api-tokens", 0o755), ("tracx", 0o600)]
        assert (made / "tracx").read_text() in stage.emulator.secrets()
        again = stage.adhoc(*command, inventory=hosts.inventory(group="web"))
        assert (again.rc, {task.result["changed"] for task in again.find("token_file")}) == (0, {False}), again


def test_absent_sends_no_request(stage, ssh_hosts):
    (ssh_hosts.root("host1") / "tracx").write_text("old")
    run = stage.adhoc("fleet", "-m", "trackops.api_tokens.token_file", "-a", "dest={{ host_root }}/tracx state=absent", inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    assert run.changed == 1 or "host1 | CHANGED" in run.stdout
    assert files(ssh_hosts) == {}
    assert stage.emulator.requests() == [] and stage.vault.audit_requests("secret/") == []


def test_no_module_file_is_on_the_host_unless_configured(stage, ssh_hosts):
    """Unless pipelining is set, the module is sent through the connection: one command on the host, and its arguments are on no disk."""
    stage.store("tracx")
    play = """
    - hosts: host1
      gather_facts: false
      tasks:
        - trackops.api_tokens.token_file: {vendor: tracx, dest: "{{ host_root }}/tracx"}
    """
    unset = {"ANSIBLE_PIPELINING": None}
    silent = stage.playbook(play, "-vvv", inventory=ssh_hosts.inventory(), env=unset)
    assert silent.rc == 0, silent
    assert "> PUT " not in silent.output
    asked = stage.playbook(play, "-vvv", "-e", "ansible_pipelining=false", inventory=ssh_hosts.inventory(), env=unset)
    assert asked.rc == 0, asked
    assert "> PUT " in asked.output


def test_files_kept_by_ansible_contain_no_token(stage, ssh_hosts):
    stage.store("tracx")
    call = {"vendor": "tracx", "url": f"{stage.emulator.base_url('tracx')}/api/me"}
    tasks = [
        {"trackops.api_tokens.token_file": {"vendor": "tracx", "dest": "{{ host_root }}/tracx"}},
        {"trackops.api_tokens.api_request": call},
        {"trackops.api_tokens.api_request": {**call, "url": "http://127.0.0.1:1/"}, "ignore_errors": True},
        {"trackops.api_tokens.api_request": call, "delegate_to": "localhost"},
        {"ansible.builtin.ping": None},
    ]
    play = json.dumps([{"hosts": "host1", "gather_facts": False, "tasks": tasks}])
    run = stage.playbook(play + "\n", inventory=ssh_hosts.inventory(), env={"ANSIBLE_KEEP_REMOTE_FILES": "1"})
    assert run.rc == 0, run
    files_kept = [path for place in (ssh_hosts.root("host1"), stage.ansible.home) for path in place.rglob("AnsiballZ_*")]
    assert [path.name for path in files_kept] == ["AnsiballZ_ping.py"]
