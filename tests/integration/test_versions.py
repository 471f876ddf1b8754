# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookups, token_file, the role and the playbooks, installed as a user does, with the oldest and the newest ansible-core. `make matrix` runs all."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from support.ansible import Ansible
from support.matrix import Combination, combinations, matrix_venv
from support.processes import Unavailable
from support.stage import Stage
from support.wire import form

if t.TYPE_CHECKING:
    import pathlib

    from emulator import Emulator
    from support.vaultsetup import Operator

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: All outputs
      ansible.builtin.debug:
        msg:
          core: "{{ ansible_version.full }}"
          same: "{{ lookup('trackops.api_tokens.trackunit') == lookup('trackops.api_tokens.trackunit', output='details').access_token }}"
          header: "{{ lookup('trackops.api_tokens.tracx', output='headers').Authorization == lookup('trackops.api_tokens.tracx') }}"
          claims: "{{ 'exp' in (lookup('trackops.api_tokens.trackmage') | trackops.api_tokens.jwt_claims) }}"
    - name: The vendor takes the token
      ansible.builtin.uri:
        url: "{{ trackops_trackunit_api }}"
        headers: "{{ lookup('trackops.api_tokens.trackunit', output='headers') }}"
    - name: A file with the token
      trackops.api_tokens.token_file:
        vendor: tracktik
        path: fleet/tracktik
        dest: "{{ target }}"
    - name: A file with what the vendor says
      trackops.api_tokens.token_file:
        vendor: tracktik
        path: fleet/tracktik
        dest: "{{ target }}.note"
        format: template
        template: "{{ target }}.j2"

- hosts: localhost
  gather_facts: false
  roles:
    - trackops.api_tokens.provision
  handlers:
    - name: Restart
      ansible.builtin.debug:
        msg: "{{ provision_changed | map(attribute='vendor') | join(' ') }}"
      listen: trackops.api_tokens token changed
"""
TOKENS = [{"vendor": "trackunit"}, {"vendor": "tracx", "format": "env"}, {"vendor": "trackmage", "path": "wrong"}]
# A vendor's text that must never be evaluated: before 2.19, Ansible treats a variable's value as a template.
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'echo executed') }}"


# The ways in which Ansible calls a lookup, and what it leaves in the arguments. Releases differ in some of this.
CALLS = """
- hosts: localhost
  gather_facts: false
  vars:
    trackops_trackunit_scope: "{{ not_defined | default(omit) }}"
    trackops_trackunit_extra_parameters: "{{ {'left_out': omit} }}"
    provision_mode: "{{ omit }}"
  tasks:
    - name: With
      ansible.builtin.set_fact:
        tokens: "{{ tokens | default([]) + [item | hash('sha256')] }}"
      with_trackops.api_tokens.trackunit: [trackunit, fleet/second]
      no_log: true
    - name: Calls
      ansible.builtin.debug:
        msg:
          with: "{{ tokens == query('trackops.api_tokens.trackunit', 'trackunit', 'fleet/second') | map('hash', 'sha256') }}"
          unsafe: "{{ query('trackops.api_tokens.trackunit', allow_unsafe=True) == query('trackops.api_tokens.trackunit') }}"
          list: "{{ lookup('trackops.api_tokens.trackunit', wantlist=True) == query('trackops.api_tokens.trackunit') }}"
          errors: "{{ lookup('trackops.api_tokens.trackunit', 'fleet/nothing', errors='ignore') | default('none', true) }}"
          none: "{{ lookup('trackops.api_tokens.trackunit', not_defined | default(omit)) == lookup('trackops.api_tokens.trackunit') }}"
          unset: "{{ query('trackops.api_tokens.operator_vars', 'provision_mode') }}"
    - name: Omitted
      ansible.builtin.debug:
        msg: "{{ lookup('trackops.api_tokens.trackunit', output='details', scope=omit, token_url=omit, extra_parameters={'more': omit}).source }}"
    - name: A list in a list
      ansible.builtin.debug:
        msg: "{{ lookup('trackops.api_tokens.trackunit', ['trackunit', 'fleet/second']) | length }}"
      ignore_errors: true
    - name: Item
      trackops.api_tokens.token_file:
        min_ttl: "{{ omit }}"
        tokens:
          - vendor: trackunit
            dest: "{{ target }}"
            scope: "{{ not_defined | default(omit) }}"
            extra_parameters: {more: "{{ omit }}"}
    - name: Explained
      trackops.api_tokens.token_info:
        vendor: trackunit
        scope: "{{ omit }}"
        explain: true
"""


@pytest.fixture(params=combinations(), ids=str)
def combination(request: pytest.FixtureRequest) -> Combination:
    return t.cast("Combination", request.param)


@pytest.fixture
def stage(combination: Combination, openbao: Operator, emulator: Emulator, collection: pathlib.Path, tmp_path: pathlib.Path) -> Stage:
    """A stage with that ansible-core."""
    try:
        venv = matrix_venv(combination)
    except Unavailable as exc:
        pytest.skip(str(exc))
    return Stage(vault=openbao, emulator=emulator, ansible=Ansible(tmp_path / "run", collections=collection, bin_dir=venv / "bin"))


def test_everything_works_with_ansible_core(combination: Combination, stage: Stage, emulator: Emulator, tmp_path: pathlib.Path) -> None:
    stage.store_all()
    stage.store("tracktik", "fleet/tracktik")
    target = tmp_path / "token"
    target.with_suffix(".j2").write_text("[{{ token.extra.note }}]\n", encoding="utf-8")
    emulator.fail("tracktik", "merge", values={"note": HOSTILE})
    variables = {
        "target": str(target), "trackops_trackunit_api": _api(emulator),
        "provision_tokens": TOKENS[:2], "provision_directory": str(tmp_path / "etc"), "provision_hosts": "localhost",
    }  # fmt: skip

    first = stage.playbook(PLAY, "-e", json.dumps(variables))
    second = stage.playbook(PLAY, "-e", json.dumps(variables))
    page = tmp_path / "status.html"
    status = stage.playbook(
        "trackops.api_tokens.status",
        "-e",
        json.dumps({**variables, "status_html": str(page), "status_json": f"{page}.json", "status_textfile": f"{page}.prom", "status_all": True}),
    )

    assert first.rc == 0, first
    message = first.result("All outputs")["msg"]
    assert message.pop("core").startswith(f"{combination.core}.")
    assert message == {"same": True, "header": True, "claims": True}
    assert target.read_text(encoding="utf-8").strip()
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.with_suffix(".note").read_text(encoding="utf-8") == f"[{HOSTILE}]\n"
    assert first.result("Restart")["msg"] == "trackunit tracx"
    assert (second.rc, second.changed) == (0, 0), second
    assert status.rc == 0, status
    assert re.search(rf"localhost +{tmp_path}/etc/tracx +\d+ min left", status.output)
    assert json.loads(page.with_name("status.html.json").read_text(encoding="utf-8"))["total"] == 2
    assert "trackops_token_expires_timestamp_seconds{" in page.with_name("status.html.prom").read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").count('class="state green"') == 2
    assert {vendor: len(emulator.requests(vendor, kind="token")) for vendor in ("trackmage", "tracx", "tracktik", "trackunit")} == {
        "trackmage": 1,
        "tracx": 1,
        "tracktik": 1,
        "trackunit": 1,
    }


@pytest.fixture(params=[None, *combinations()], ids=lambda one: str(one or "of the tests"))
def caller(request: pytest.FixtureRequest, openbao: Operator, emulator: Emulator, collection: pathlib.Path, tmp_path: pathlib.Path) -> Stage:
    """A stage with each of these, and one with the ansible-core of all other tests."""
    try:
        bin_dir = matrix_venv(request.param) / "bin" if request.param else None
    except Unavailable as exc:
        pytest.skip(str(exc))
    return Stage(vault=openbao, emulator=emulator, ansible=Ansible(tmp_path / "run", collections=collection, bin_dir=bin_dir))


def test_lookups_work_however_ansible_calls_them(caller: Stage, tmp_path: pathlib.Path) -> None:
    stage = caller
    stage.store("trackunit")
    stage.store("trackunit", "fleet/second")
    run = stage.playbook(CALLS, "-e", json.dumps({"target": str(tmp_path / "token")}))
    assert run.rc == 0, run
    assert run.result("Calls")["msg"] == {"with": True, "unsafe": True, "list": True, "errors": "none", "none": True, "unset": []}
    assert run.result("Omitted")["msg"] == "cache"
    said = run.result("A list in a list")["msg"]
    assert "Write a list of paths with a star: query('trackops.api_tokens.trackunit', *paths)." in said
    assert (tmp_path / "token").read_text(encoding="utf-8").strip()
    assert run.result("Explained")["options"]["scope"]["source"] == "default of the vendor"
    # Whatever is omitted, the token is the same.
    sent = stage.emulator.requests("trackunit", kind="token")
    assert [form(entry)["scope"] for entry in sent] == ["api", "api"], run
    assert not any("omit" in entry["raw"]["body"] for entry in sent)


def test_failures_are_reported_with_ansible_core(stage: Stage, tmp_path: pathlib.Path) -> None:
    """One of three tokens cannot be obtained: the others are written, and status reports the missing one."""
    stage.store_all()
    stage.store("trackmage", "wrong", client_secret="not-this-one")
    values = {"provision_tokens": TOKENS, "provision_directory": str(tmp_path / "etc"), "provision_hosts": "localhost", "status_amber": "4000"}
    variables = json.dumps(values)
    provision = stage.playbook("trackops.api_tokens.provision", "-e", variables)
    status = stage.playbook("trackops.api_tokens.status", "-e", variables)
    assert (provision.rc, status.rc) == (2, 2), (provision, status)
    assert f"1 of 3 token files failed: {tmp_path}/etc/trackmage-wrong: trackmage: the vendor refused the credentials at secret/wrong" in provision.output
    assert {path.name for path in (tmp_path / "etc").iterdir()} == {"trackunit", "tracx"}
    assert re.search(r"/etc/tracx +\(soon\) \d+ min left", status.output)
    assert re.search(r"/etc/trackmage-wrong +\(!\) missing", status.output)
    assert f"1 of 3 need attention: {tmp_path}/etc/trackmage-wrong missing." in status.output
    assert "not-this-one" not in provision.output


def _api(emulator: Emulator) -> str:
    """A protected endpoint of the emulator's Trackunit."""
    return f"{emulator.base_url('trackunit')}/api/units"


def test_private_modules_are_not_listed(stage: Stage) -> None:
    """The modules in the folder ``__private`` are not listed: only actions run them, on hosts."""
    listed = stage.ansible.run(["ansible-doc", "--list", "--json", "--type", "module", "trackops.api_tokens"])
    assert set(json.loads(listed.stdout)) == {f"trackops.api_tokens.{name}" for name in ("api_request", "authorize", "token_cache", "token_file", "token_info")}
