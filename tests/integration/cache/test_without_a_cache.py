# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""If nothing can be cached or locked, a run locks no account and loses no consent. With real forks, a real Vault, and the vendors' own logs."""

from __future__ import annotations

import pathlib
import textwrap
import typing as t
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from support.lookups import Outcome, one_line

from .conftest import Scene, inventory

HOSTS = 8
REDIRECT = "http://127.0.0.1:9/callback"
#: Fail as the kernel does if a mount has no lock service, for files below the directories in the environment variable.
NO_LOCKS = """
    import errno, fcntl, os

    real = fcntl.flock

    def flock(descriptor, operation):
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(tuple(os.environ["WITHOUT_LOCKS"].split(":"))):
            raise OSError(errno.ENOLCK, "No locks available")
        real(descriptor, operation)

    fcntl.flock = flock
"""


def _play(lookup: str) -> str:
    return f"""
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {{msg: "{{{{ {lookup} }}}}"}}
"""


def _without_locks(folder: pathlib.Path, *places: pathlib.Path) -> dict[str, str]:
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(textwrap.dedent(NO_LOCKS), encoding="utf-8")
    return {"PYTHONPATH": str(site), "WITHOUT_LOCKS": ":".join(map(str, places))}


@pytest.fixture(params=["none", "unwritable", "no locks"])
def nowhere(request: pytest.FixtureRequest, scene: Scene, tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a run whose cache is off, not writable, or without locks."""
    below = tmp_path / "file"
    below.touch()
    if request.param == "none":
        return {"TRACKOPS_CACHE": "none"}
    if request.param == "unwritable":
        return {"TRACKOPS_CACHE_PATH": str(below / "cache")}
    return {"TRACKOPS_CACHE_PATH": str(tmp_path / "unlocked"), **_without_locks(tmp_path, tmp_path / "unlocked")}


def _errors(scene: Scene, lookup: str, env: t.Mapping[str, str | None]) -> set[tuple[str, str]]:
    """The hosts' error messages and their codes."""
    run = scene.stage.playbook(_play(lookup), "--forks", str(HOSTS), inventory=inventory(scene.stage.ansible, HOSTS), env=env)
    assert len([host for host in run.stats.values() if host["failures"]]) == HOSTS, run
    outcomes = [Outcome(task.task, task, run) for task in run.tasks]
    return {(outcome.error, outcome.error_code) for outcome in outcomes}


def test_a_wrong_password_is_sent_once_per_run(scene: Scene, nowhere: dict[str, str]) -> None:
    scene.stage.store("trackunit", password="wrong-password-1")
    scene.emulator.set("trackunit", delay=0.5)
    ((message, _code),) = _errors(scene, "lookup('trackops.api_tokens.trackunit') | length", nowhere)
    assert one_line(message) and "invalid_grant" in message
    assert len(scene.asked()) == 1, "each attempt more brings the account nearer to its lock"


def test_a_wrong_vault_login_is_tried_once_per_run(scene: Scene, nowhere: dict[str, str]) -> None:
    scene.vault.userpass("ada", "right", [scene.vault.read_policy("*")])
    env = {
        "VAULT_TOKEN": None,
        "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "userpass",
        "ANSIBLE_HASHI_VAULT_USERNAME": "ada",
        "ANSIBLE_HASHI_VAULT_PASSWORD": "wrong-password-1",
    }
    each = "lookup('trackops.api_tokens.' ~ ['trackunit', 'trackmage', 'tracx', 'tracktik'][groups.all.index(inventory_hostname) % 4]) | length"
    messages = _errors(scene, each, {**env, **nowhere})
    assert all("refused the login" in message and "the same ones only by a later run" in message for message, _code in messages)
    assert len(scene.vault.audit_requests("auth/userpass/login/ada")) == 1


def _consented(scene: Scene) -> None:
    """Store a code from a person's consent in Vault; the vendor revokes the consent if a code or token is used twice."""
    stage, tokens = scene.stage, scene.emulator
    wanted = {"response_type": "code", "client_id": stage.credentials("trackmage")["client_id"], "redirect_uri": REDIRECT, "state": "s"}
    landed = tokens.consent(f"{tokens.base_url('trackmage')}/oauth/v2/auth?{urlencode(wanted)}")
    stage.store("trackmage", "fleet/consent", code=parse_qs(urlsplit(landed).query)["code"][0], redirect_uri=REDIRECT)
    tokens.set("trackmage", delay=0.2, revoke_family=True)


CONSENT = "lookup('trackops.api_tokens.trackmage', 'fleet/consent', variant='authorization_code') | length"


def test_a_consent_is_not_lost(scene: Scene, nowhere: dict[str, str]) -> None:
    _consented(scene)
    policy = scene.vault.policy("consent", 'path "secret/data/fleet/consent" { capabilities = ["read", "update"] }')
    env = {"VAULT_TOKEN": scene.vault.token(policy), **nowhere}
    run = scene.stage.playbook(_play(CONSENT), "--forks", str(HOSTS), inventory=inventory(scene.stage.ansible, HOSTS), env=env)
    assert run.rc == 0, run
    kept = "WITHOUT_LOCKS" in nowhere  # this directory is writable
    assert [(entry["grant_type"], entry["status"]) for entry in scene.asked()] == [
        ("authorization_code", 200),
        *[("refresh_token", 200)] * (0 if kept else HOSTS - 1),
    ]
    assert scene.emulator.vendors["trackmage"].tokens.refresh[scene.vault.get("fleet/consent")["refresh_token"]].used is False


def test_without_any_lock_nothing_is_sent(scene: Scene, tmp_path: pathlib.Path) -> None:
    _consented(scene)
    env = {"TRACKOPS_CACHE_PATH": str(tmp_path / "unlocked"), **_without_locks(tmp_path, tmp_path)}
    ((message, code),) = _errors(scene, CONSENT, {**env, "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local")})
    assert one_line(message) and "works only once" in message and code == "TRK-C03"
    assert scene.asked() == []


def test_nothing_is_left_of_a_run(scene: Scene, tmp_path: pathlib.Path) -> None:
    """Neither a token, nor a login, nor the directory of the remembered failures."""
    scene.stage.store("trackunit", password="wrong-password-1")
    local = tmp_path / "local"
    _errors(scene, "lookup('trackops.api_tokens.trackunit') | length", {"TRACKOPS_CACHE": "none", "ANSIBLE_LOCAL_TEMP": str(local)})
    assert local.is_dir()
    assert list(local.iterdir()) == []
