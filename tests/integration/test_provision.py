# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role ``provision`` and its playbook on real ssh hosts, run in the ways that operators run roles."""

from __future__ import annotations

import json
import pathlib
import re
import shlex

import pytest
from support.ansible import Run
from support.places import ROOT
from support.sshd import SshHosts
from support.stage import Stage

PLAY = """
- name: Tokens
  hosts: fleet
  gather_facts: false
  {play}
  roles:
    - role: trackops.api_tokens.provision
      tags: [tokens]
      vars:
        provision_directory: "{{{{ host_root }}}}/{folder}"
        provision_tokens: {tokens}
  handlers:
    - name: Restart tracx
      ansible.builtin.debug:
        msg: restarted tracx
      when: "'tracx' in provision_changed | map(attribute='vendor')"
      listen: trackops.api_tokens token changed
    - name: Restart trackunit
      ansible.builtin.debug:
        msg: restarted trackunit
      when: "'trackunit' in provision_changed | map(attribute='vendor')"
      listen: trackops.api_tokens token changed
"""
TWO = [{"vendor": "tracx"}, {"vendor": "trackunit"}]


@pytest.fixture
def stage(settled_stage: Stage) -> Stage:
    return settled_stage


def play(tokens: object = TWO, *, folder: str = "etc", **options: object) -> str:
    return PLAY.format(tokens=json.dumps(tokens), folder=folder, play="\n  ".join(f"{key}: {json.dumps(value)}" for key, value in options.items()))


def names(hosts: SshHosts) -> set[str]:
    return {f"{host}/{path.name}" for host in hosts.names for path in hosts.root(host).glob("etc/*")}


def restarted(run: Run) -> set[str]:
    return {f"{task.host}/{task.result['msg'].split()[1]}" for task in run.tasks if str(task.result.get("msg", "")).startswith("restarted ")}


def test_a_service_restarts_only_where_its_token_changed(stage, ssh_hosts):
    first = stage.playbook(play(), inventory=ssh_hosts.inventory())
    assert first.rc == 0, first
    assert names(ssh_hosts) == restarted(first) == {f"{host}/{vendor}" for host in ssh_hosts.names for vendor in ("tracx", "trackunit")}
    (ssh_hosts.root("host2") / "etc" / "tracx").write_text("tampered with")
    second = stage.playbook(play(), inventory=ssh_hosts.inventory())
    assert second.rc == 0, second
    assert restarted(second) == {"host2/tracx"}
    third = stage.playbook(play(), inventory=ssh_hosts.inventory())
    assert (third.changed, restarted(third)) == (0, set())


def test_handlers_do_not_run_again_in_later_plays(stage, ssh_hosts):
    """Handlers do not run again, neither after a flush in the same play nor in the next play."""
    text = play(
        [{"vendor": "trackunit"}],
        post_tasks=[
            {"ansible.builtin.meta": "flush_handlers"},
            {
                "ansible.builtin.include_role": {"name": "trackops.api_tokens.provision"},
                "vars": {"provision_directory": "{{ host_root }}/etc", "provision_tokens": [{"vendor": "tracx"}]},
            },
        ],
    )
    other = play([{"vendor": "tracktik"}])
    run = stage.playbook(text + other, "--limit", "host1", inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    assert names(ssh_hosts) == {"host1/trackunit", "host1/tracx", "host1/tracktik"}
    restarted = [task.result["msg"] for task in run.tasks if str(task.result.get("msg", "")).startswith("restarted ")]
    assert restarted == ["restarted trackunit", "restarted tracx"]


def test_services_restart_even_if_another_token_failed(stage, ssh_hosts):
    """If they were not told, the next run would find the file unchanged, and the service would keep the old token."""
    (ssh_hosts.root("host2") / "etc").mkdir()
    (ssh_hosts.root("host2") / "etc" / "trackunit").symlink_to("elsewhere")
    run = stage.playbook(play(), inventory=ssh_hosts.inventory())
    assert run.rc == 2, run
    assert {host: counts["failures"] for host, counts in run.stats.items()} == {"host1": 0, "host2": 1, "host3": 0}
    assert restarted(run) == {"host1/tracx", "host1/trackunit", "host2/tracx", "host3/tracx", "host3/trackunit"}
    assert "1 of 2 token files failed: " in run.output
    assert "is a symlink; it is not followed" in run.output


WAYS: dict[str, dict[str, object]] = {
    "free": {"strategy": "free"},
    "one-by-one": {"serial": 1},
    "one-and-the-rest": {"serial": [1, "100%"]},
    "throttled": {"order": "reverse_sorted", "throttle": 1},
    "handlers": {"force_handlers": True},
}


def test_the_role_works_however_it_is_run(stage, ssh_hosts):
    """Each way has its own tokens and folder, so that none finds what another has left."""
    plays = ""
    for way, options in WAYS.items():
        tokens = [{"vendor": vendor, "path": f"{way}/{vendor}"} for vendor in ("tracx", "trackunit")]
        for token in tokens:
            stage.store(token["vendor"], token["path"])
        plays += play(tokens, folder=way, **options)
    for expected in (3 * len(WAYS), 0):
        run = stage.playbook(plays, inventory=ssh_hosts.inventory())
        assert (run.rc, run.changed) == (0, expected), run
    written = {(host, way): len(list(ssh_hosts.root(host).glob(f"{way}/*"))) for host in ssh_hosts.names for way in WAYS}
    assert written == dict.fromkeys(written, 2)
    assert len(stage.emulator.requests(kind="token")) == 2 * len(WAYS)


def test_the_role_respects_limit_and_check_mode(stage, ssh_hosts):
    run = stage.playbook(play(), "--limit", "host3", inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    assert names(ssh_hosts) == {"host3/tracx", "host3/trackunit"}
    check = stage.playbook(play(), "--check", inventory=ssh_hosts.inventory())
    assert check.rc == 0, check
    assert {host: counts["changed"] for host, counts in check.stats.items()} == {"host1": 1, "host2": 1, "host3": 0}
    assert names(ssh_hosts) == {"host3/tracx", "host3/trackunit"}


def test_the_role_respects_tags(stage, ssh_hosts):
    assert stage.playbook(play(), "--skip-tags", "tokens", inventory=ssh_hosts.inventory()).rc == 0
    assert names(ssh_hosts) == set()
    stage.store("tracx", connect_token="not-this-one")
    run = stage.playbook(play(), "--tags", "tokens", inventory=ssh_hosts.inventory())
    assert run.rc == 2, run
    dest = ssh_hosts.root("host1") / "etc" / "tracx"
    assert f"1 of 2 token files failed: {dest}: tracx: the vendor refused" in run.output
    assert names(ssh_hosts) == {f"{host}/trackunit" for host in ssh_hosts.names}


def test_an_unreachable_host_does_not_stop_the_others(stage, ssh_hosts):
    run = stage.playbook(play(), inventory=ssh_hosts.inventory(unreachable={"host1"}))
    assert run.rc == 4, run
    assert names(ssh_hosts) == {f"{host}/{vendor}" for host in ("host2", "host3") for vendor in ("tracx", "trackunit")}


def test_the_role_respects_run_once_and_delegate_to(stage, ssh_hosts):
    text = """
    - hosts: fleet
      gather_facts: false
      tasks:
        - ansible.builtin.include_role:
            name: trackops.api_tokens.provision
            apply: {run_once: true, delegate_to: host3}
          vars:
            provision_directory: "{{ hostvars['host3'].host_root }}/etc"
            provision_tokens: [{vendor: tracx}]
    """
    run = stage.playbook(text, inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    assert names(ssh_hosts) == {"host3/tracx"}


def test_the_playbook_works_as_documented(stage, ssh_hosts):
    tokens = stage.ansible.write("tokens.yml", """
        provision_tokens:
          - {vendor: tracx, dest: "{{ host_root }}/etc/tracx.env", format: env}
          - {vendor: trackunit, path: fleet/trackunit}
        provision_directory: "{{ host_root }}/etc"
        """)  # fmt: skip
    stage.store("trackunit", "fleet/trackunit")
    run = stage.playbook("trackops.api_tokens.provision", "-e", f"@{tokens}", inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    assert names(ssh_hosts) == {f"{host}/{name}" for host in ssh_hosts.names for name in ("tracx.env", "trackunit-fleet-trackunit")}


def test_the_crontab_line_works_as_documented(stage, sudo_hosts):
    """The line in docs/hosts.md, except for the names of the two files."""
    [line] = re.findall(r"^\*/15 .*", (ROOT / "docs" / "hosts.md").read_text(encoding="utf-8"), re.MULTILINE)
    user, *words = shlex.split(line)[5:]
    assert (user, words[:7]) == ("deploy", [".", "/etc/fleet/vault.env", "&&", "timeout", "-k", "30", "1800"])
    program, playbook, *arguments = words[7:]
    assert program == "ansible-playbook"
    tokens = stage.ansible.write("tokens.yml", """
        provision_tokens: [{vendor: tracx}, {vendor: trackunit}]
        provision_directory: "{{ host_root }}/etc"
        """)  # fmt: skip
    files = {"/etc/fleet/inventory": str(sudo_hosts.inventory()), "@/etc/fleet/tokens.yml": f"@{tokens}"}
    assert set(files) < set(arguments)
    for changed in (len(sudo_hosts.names), 0):
        run = stage.playbook(playbook, *(files.get(argument, argument) for argument in arguments))
        assert (run.rc, run.changed) == (0, changed), run
    owners = {path.owner() for host in sudo_hosts.names for path in sudo_hosts.root(host).glob("etc/*")}
    assert owners == {"root"}


MISTAKES: tuple[tuple[object, str], ...] = (
    ("", "provision_tokens, the list of tokens, is not set. Set it in group_vars, or give a file with it: -e @tokens.yml. [TRK-O03]"),
    ({"vendor": "tracx"}, "provision_tokens: must be a list of dictionaries"),
    ([{"vendor": "tracx"}, {"path": "fleet/x"}], "provision_tokens, item 2 (fleet/x): vendor is missing. [TRK-O03]"),
    ([{"vendor": "tracx", "formatt": "env"}], "there is no option 'formatt'; did you mean format?"),
    (
        [{"vendor": "tracx", "format": "xml"}],
        "provision_tokens, item 1 (tracx): value of format must be one of: raw, header, env, json, template, got: xml",
    ),
    ([{"vendor": "nobody"}], "There is no vendor 'nobody'"),
)


def test_mistakes_in_variables_are_reported(stage, ssh_hosts):
    role = {"ansible.builtin.include_role": {"name": "trackops.api_tokens.provision"}}
    say = {"name": "Told", "ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"}}
    values = {"provision_directory": "{{ host_root }}/etc"}
    tasks = [{"block": [{**role, "vars": {**values, "provision_tokens": tokens}}], "rescue": [say]} for tokens, _message in MISTAKES]
    run = stage.playbook(json.dumps([{"hosts": "fleet", "gather_facts": False, "tasks": tasks}], indent=1), inventory=ssh_hosts.inventory())
    for host in ssh_hosts.names:
        messages = [task.result["msg"] for task in run.find("Told", host=host)]
        assert [message for (_tokens, message), said in zip(MISTAKES, messages, strict=True) if message not in said] == [], run
    assert names(ssh_hosts) == set()
    # Without a rescue, the play fails.
    ended = stage.playbook(play(MISTAKES[0][0]), inventory=ssh_hosts.inventory())
    assert (ended.rc, MISTAKES[0][1] in ended.output) == (2, True), ended


def test_items_accept_the_options_of_lookups(stage, ssh_hosts, tmp_path: pathlib.Path):
    tokens = [{
        "vendor": "oauth2", "path": "tracktik", "dest": "{{ host_root }}/etc/own",
        "token_url": stage.emulator.base_url("tracktik") + "/rest/oauth2/access_token",
        "grant_type": "password", "client_auth": "post", "allow_http": True, "min_ttl": 100, "cache_path": str(tmp_path / "cache"),
    }]  # fmt: skip
    run = stage.playbook(play(tokens), inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    assert len(names(ssh_hosts)) == 3
    assert list((tmp_path / "cache").rglob("*")) != []
