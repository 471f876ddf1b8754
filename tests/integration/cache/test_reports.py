# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the cache reports: the table after the play, the audit log, -vvv. None of it contains a secret."""

from __future__ import annotations

import json
import re
import stat

from support.lookups import leaked

from .conftest import Scene, inventory, login_env

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: lookup('trackops.api_tokens.trackunit', 'fleet/trackunit', scope='api offline_access') | length > 10
        quiet: true
    - ansible.builtin.debug: {msg: "{{ lookup('trackops.api_tokens.tracx', 'fleet/tracx') | length }}"}
      run_once: true
    - ansible.builtin.debug: {msg: "{{ lookup('trackops.api_tokens.tracktik', 'fleet/tracktik') | length }}"}
      run_once: true
      ignore_errors: true
"""
LINE = {"time", "event", "vendor", "path", "reason", "duration", "fingerprint", "expires_at", "error_code", "host", "user", "process"}


def test_summary_audit_log_and_verbose_output_report_the_same_events(scene: Scene) -> None:
    scene.stage.store("trackunit", "fleet/trackunit")
    scene.stage.store("tracx", "fleet/tracx")
    scene.stage.store("tracktik", "fleet/tracktik", password="wrong-password-of-tracktik")
    login = scene.approle()
    log = scene.folder / "audit.jsonl"
    env = {**login_env(login), "ANSIBLE_CALLBACKS_ENABLED": "trackops.api_tokens.summary", "TRACKOPS_AUDIT_LOG": str(log)}
    run = scene.stage.playbook(PLAY, "-vvv", "--forks", "5", inventory=inventory(scene.stage.ansible, 20), env=env)
    assert run.rc == 0, run

    # The table: 19 hosts got the token from the cache, or waited for the host that fetched it.
    head, _, table = run.stdout.partition("API TOKENS ")[2].partition("\n")
    assert set(head) == {"*"}
    rows = {line.split()[0]: line.split() for line in table.splitlines() if line}
    assert re.split(r"  +", table.splitlines()[0]) == [
        "vendor",
        "Vault path",
        "fetched",
        "renewed",
        "cached",
        "shared",
        "failed",
        "Vault logins",
        "seconds left",
    ]
    _vendor, path, fetched, renewed, cached, shared, failed, logins, left = rows["trackunit"]
    assert (path, fetched, renewed, failed, logins) == ("secret/fleet/trackunit", "1", "0", "0", "1")
    assert int(cached) + int(shared) == 19 and 3000 < int(left) <= 3600
    assert rows["tracktik"][6] == "1" and rows["tracktik"][8] == "-"

    # The audit log: complete JSON lines, although many forks write.
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert all(set(line) <= LINE and {"time", "event", "vendor", "path", "duration", "host", "user", "process"} <= set(line) for line in lines)
    events = [(line["vendor"], line["event"]) for line in lines]
    assert events.count(("trackunit", "fetched")) == 1
    assert events.count(("trackunit", "hit")) + events.count(("trackunit", "shared")) == 19
    assert [event for _vendor, event in events].count("vault_login") == 1
    assert ("tracktik", "failed") in events

    # -vvv: hit, miss, why, and how long.
    lines = [line for line in run.stdout.splitlines() if "trackops.api_tokens: " in line]
    assert any("fetched from the vendor (no entry)" in line and line.endswith(" ms") for line in lines)
    assert any("trackunit secret/fleet/trackunit: from the cache" in line for line in lines)

    secrets = [*scene.emulator.secrets(), login.secret_id or "", "wrong-password-of-tracktik", scene.vault.root_token]
    assert leaked(run.output + log.read_text(encoding="utf-8"), secrets) == []
    assert "hvs." not in run.output + log.read_text(encoding="utf-8")


def test_without_tokens_there_is_no_table(scene: Scene) -> None:
    run = scene.stage.ansible.adhoc("localhost", "-m", "ansible.builtin.debug", env={"ANSIBLE_CALLBACKS_ENABLED": "trackops.api_tokens.summary"})
    assert run.rc == 0 and "API TOKENS" not in run.output


def test_an_unwritable_audit_log_is_warned_about(scene: Scene) -> None:
    scene.stage.store("tracx")
    play = """
        - hosts: localhost
          gather_facts: false
          tasks:
            - ansible.builtin.debug: {msg: "{{ lookup('trackops.api_tokens.tracx') | length }}"}
    """
    run = scene.stage.playbook(play, env={"TRACKOPS_AUDIT_LOG": str(scene.folder / "nowhere" / "audit.jsonl")})
    assert run.rc == 0, run
    assert "audit log" in run.output and "cannot be written" in run.output
