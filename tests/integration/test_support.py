# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other tests rely on: the servers count their requests, and the run's environment is clean."""

from __future__ import annotations

import pathlib
import typing as t

import hvac
import pytest
from support import keycloak
from support.processes import Unavailable

if t.TYPE_CHECKING:
    from support.ansible import Ansible
    from support.sshd import SshHosts
    from support.stage import Stage
    from support.vaultsetup import Operator


def test_the_audit_log_counts_logins_and_reads(vault: Operator) -> None:
    vault.put("fleet/trackunit", {"a": "b"})
    role = vault.approle("ci", [vault.read_policy("fleet/*")])
    client = vault.server.client(token="")
    client.auth.approle.login(role.role_id, role.secret_id)
    client.secrets.kv.v2.read_secret_version("fleet/trackunit", raise_on_deleted_version=True)
    with pytest.raises(hvac.exceptions.Forbidden):
        client.secrets.kv.v2.read_secret_version("other", raise_on_deleted_version=True)
    assert [entry.path for entry in vault.audit_requests()] == ["auth/approle/login", "secret/data/fleet/trackunit", "secret/data/other"]


def test_a_reset_leaves_nothing_in_vault(vault: Operator) -> None:
    vault.put("left", {"a": "b"})
    vault.kv1()
    vault.userpass("ada", "secret", [])
    vault.reset()
    assert set(vault.client.sys.list_auth_methods()["data"]) == {"token/"}
    assert "kv/" not in vault.client.sys.list_mounted_secrets_engines()["data"]
    with pytest.raises(hvac.exceptions.InvalidPath):
        vault.get("left")


def test_a_keycloak_with_another_hash_is_not_unpacked(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = {"artifact": "org.example:server", "version": "1.2.3", "type": "zip", "sha256": "0" * 64}

    def maven(command: list[str], _problem: str, *, home: pathlib.Path) -> None:
        assert "-Dartifact=org.example:server:1.2.3:zip" in command
        archive = home / "m2" / "org" / "example" / "server" / "1.2.3" / "server-1.2.3.zip"
        archive.parent.mkdir(parents=True)
        archive.write_bytes(b"something else")

    monkeypatch.setattr(keycloak, "_program", lambda name: name)
    monkeypatch.setattr(keycloak, "_run", maven)
    with pytest.raises(Unavailable, match=r"another one than keycloak\.json names: its SHA-256 is [0-9a-f]{64}"):
        keycloak._download(pinned, tmp_path)


def test_a_full_server_can_be_sealed_and_unsealed(vault_tls: Operator) -> None:
    vault_tls.put("kept", {"a": "b"})
    vault_tls.server.seal()
    with pytest.raises(hvac.exceptions.VaultDown):
        vault_tls.get("kept")
    vault_tls.server.unseal()
    assert vault_tls.get("kept") == {"a": "b"}


def test_ansible_inherits_no_settings(ansible: Ansible, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAULT_TOKEN", "VAULT_ADDR", "ANSIBLE_HASHI_VAULT_ADDR", "TRACKOPS_MIN_TTL", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "must-not-arrive")
    run = ansible.adhoc("localhost", "-m", "ansible.builtin.command", "-a", "env")
    assert run.rc == 0, run
    assert "must-not-arrive" not in run.output


def test_hosts_are_reached_over_ssh(ansible: Ansible, ssh_hosts: SshHosts) -> None:
    inventory = ssh_hosts.inventory(unreachable=["host3"])
    run = ansible.adhoc("fleet", "-m", "ansible.builtin.copy", "-a", "content=x dest={{ host_root }}/file", inventory=inventory)
    assert [(task.host, task.status) for task in sorted(run.tasks, key=lambda task: task.host)] == [
        ("host1", "changed"),
        ("host2", "changed"),
        ("host3", "unreachable"),
    ], run
    assert (ssh_hosts.root("host2") / "file").read_text(encoding="utf-8") == "x"


def test_become_works_over_ssh(ansible: Ansible, sudo_hosts: SshHosts) -> None:
    inventory = sudo_hosts.inventory()
    plain = ansible.adhoc("host1", "-m", "ansible.builtin.command", "-a", "id -un", inventory=inventory)
    become = ansible.adhoc("host1", "-b", "-m", "ansible.builtin.command", "-a", "id -un", inventory=inventory)
    assert (plain.result("command")["stdout"], become.result("command")["stdout"]) == (sudo_hosts.user, "root")


def test_a_stage_reaches_the_emulator(stage: Stage) -> None:
    stage.store("tracx")
    run = stage.playbook("""
        - hosts: localhost
          gather_facts: false
          tasks:
            - ansible.builtin.uri:
                url: "{{ trackops_tracx_base_url }}/v1/connect/session-token"
                method: POST
                headers: {Authorization: wrong, Accept: application/json}
                status_code: [401, 403]
        """)
    assert run.rc == 0, run
    assert len(stage.emulator.requests("tracx")) == 1
