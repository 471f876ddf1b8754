# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C(api_request) on real hosts: it calls the API, renews a rejected token once for all hosts, and shows no token."""

from __future__ import annotations

import json

import pytest
from emulator.faults import ECHOES
from support.stage import BUILT_IN, Stage


@pytest.fixture
def stage(openbao_stage: Stage) -> Stage:
    openbao_stage.store_all()
    return openbao_stage


def play(stage: Stage, vendor: str, *, hosts: str = "fleet", more: str = "") -> str:
    return f"""
- hosts: {hosts}
  gather_facts: false
  tasks:
    - name: Call
      trackops.api_tokens.api_request:
        vendor: {vendor}
        url: {stage.emulator.base_url(vendor)}/api/me
        return_content: true
{more}
"""


def tokens(stage: Stage) -> set[str]:
    return {secret for secret in stage.emulator.secrets() if len(secret) > 7}


def calls(stage: Stage, *tasks: dict[str, object], vendor: str = "tracx") -> str:
    """A play with these calls in order, each with its name and arguments; it continues after a failed call."""
    written = [
        {
            "name": name,
            "trackops.api_tokens.api_request": {"vendor": vendor, "url": f"{stage.emulator.base_url(vendor)}/api/me", "return_content": True, **own},
            "ignore_errors": True,
        }
        for task in tasks
        for name, own in task.items()
    ]
    return json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": written}], indent=1)


def test_each_vendor_gets_its_header(stage: Stage) -> None:
    own = {vendor: {"vendor": vendor, "url": f"{stage.emulator.base_url(vendor)}/api/me"} for vendor in BUILT_IN}
    run = stage.playbook(calls(stage, own))
    assert (run.rc, [run.result(vendor)["status"] for vendor in BUILT_IN]) == (0, [200] * 4), run
    assert [[entry["status"] for entry in stage.emulator.requests(vendor, kind="api")] for vendor in BUILT_IN] == [[200]] * 4


def test_options_and_results_equal_those_of_uri(stage: Stage) -> None:
    more = "        method: POST\n        body_format: json\n        body: {name: night}\n        headers: {X-Mine: kept}\n        status_code: [200, 201]"
    run = stage.playbook(play(stage, "tracktik", hosts="localhost", more=more))
    assert run.rc == 0, run
    answer = run.result("Call")["json"]
    assert (answer["method"], answer["json"], answer["headers"]["X-Mine"]) == ("POST", {"name": "night"}, "kept")
    assert "token_renewed" not in run.result("Call")


def test_a_refused_token_is_renewed_once_for_all_hosts(stage: Stage, ssh_hosts) -> None:
    first = stage.playbook(play(stage, "trackunit"), inventory=ssh_hosts.inventory())
    assert first.rc == 0, first
    stage.emulator.revoke("trackunit")
    run = stage.playbook(play(stage, "trackunit"), "--forks", "3", inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    assert len(stage.emulator.requests("trackunit", kind="token")) == 2
    assert stage.playbook(play(stage, "trackunit"), inventory=ssh_hosts.inventory()).rc == 0
    assert len(stage.emulator.requests("trackunit", kind="token")) == 2


def test_an_api_that_refuses_every_token_is_called_twice(stage: Stage) -> None:
    stage.emulator.fail("tracx", 401, times=None, kind="api")
    run = stage.playbook(play(stage, "tracx", hosts="localhost"))
    assert run.rc != 0
    assert len(stage.emulator.requests("tracx", kind="api")) == 2
    assert len(stage.emulator.requests("tracx", kind="token")) == 2
    assert "401" in run.output and "Traceback" not in run.output


def test_an_expected_401_is_left_alone(stage: Stage) -> None:
    stage.emulator.fail("tracx", 401, times=None, kind="api")
    run = stage.playbook(play(stage, "tracx", hosts="localhost", more="        status_code: [200, 401]"))
    assert run.rc == 0, run
    assert len(stage.emulator.requests("tracx", kind="token")) == 1


def test_the_output_contains_no_token(stage: Stage, ssh_hosts) -> None:
    stage.emulator.revoke("trackunit")
    run = stage.playbook(play(stage, "trackunit"), "-vvvvv", "--diff", inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    assert [secret for secret in tokens(stage) if secret in run.output] == []


@pytest.mark.parametrize("form", ["jwt", "opaque", "quoted"])
def test_no_token_is_in_the_system_log_of_the_host(stage: Stage, syslog: list[bytes], form: str) -> None:
    stage.emulator.set("trackunit", token_format=form)
    run = stage.playbook(play(stage, "trackunit", hosts="localhost", more="        headers: {X-Mine: kept}"))
    assert run.rc == 0, run
    assert [entry["status"] for entry in stage.emulator.requests("trackunit", kind="api")] == [200]
    # Even if Python escapes a token with quotes, its end is unchanged.
    assert [secret for secret in tokens(stage) for line in syslog if secret[-40:].encode() in line] == []
    # The log has everything except the token. If the token has quotes, which the log would escape, the call is not logged at all.
    address = f"{stage.emulator.base_url('trackunit')}/api/me".encode()
    assert any(address in line for line in syslog) is (form != "quoted"), syslog


def test_a_redirect_gets_no_token(stage: Stage) -> None:
    stage.emulator.fail("trackunit", "redirect", code=302, to=stage.emulator.sink_url, kind="api")
    stage.playbook(play(stage, "trackunit", hosts="localhost", more="        status_code: [200, 204, 404]"))
    assert [entry["leaked"] for entry in stage.emulator.requests(kind="sink")] in ([], [False])


CLASHES: tuple[tuple[dict[str, object], str], ...] = (
    ({"url_username": "me"}, "api_request does not take 'url_username': the token is the authorization."),
    ({"headers": {"authorization": "x"}}, "api_request sets the Authorization header itself; leave it out of 'headers'."),
    ({"metod": "POST"}, "there is no option 'metod'; did you mean method?"),
    ({"vault": "x"}, "api_request: 'vault' must be a dictionary of Vault options."),
)


def test_conflicting_arguments_are_refused(stage: Stage) -> None:
    run = stage.playbook(calls(stage, *({message: arguments} for arguments, message in CLASHES)))
    for _arguments, message in CLASHES:
        [task] = run.find(message)
        assert task.status == "ignored" and message in task.result["msg"], run
    assert stage.emulator.requests() == []


def test_vault_options_can_be_given_in_the_task(stage: Stage) -> None:
    vault = {"url": stage.vault.address, "token": stage.token()}
    given = json.dumps({"vendor": "tracx", "url": f"{stage.emulator.base_url('tracx')}/api/me", "vault": vault})
    run = stage.adhoc("localhost", "-m", "trackops.api_tokens.api_request", "-a", given, env={"VAULT_ADDR": None, "VAULT_TOKEN": None})
    assert run.rc == 0, run
    assert stage.token() not in run.output


def test_check_mode_sends_no_request(stage: Stage) -> None:
    run = stage.playbook(play(stage, "tracx", hosts="localhost"), "--check")
    assert run.rc == 0, run
    assert stage.emulator.requests() == []


def test_netrc_of_the_host_does_not_replace_the_token(stage: Stage) -> None:
    netrc = stage.ansible.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password of-netrc\n", encoding="utf-8")
    netrc.chmod(0o600)
    run = stage.playbook(play(stage, "tracktik", hosts="localhost"))
    assert run.rc == 0, run
    assert run.result("Call")["status"] == 200


def test_a_token_repeated_by_the_api_in_any_spelling_is_masked(stage: Stage) -> None:
    stage.emulator.set("trackunit", token_format="opaque")
    spellings = ["raw", "url", "json_php", "html", "base64", "hex", "upper"]
    for how in spellings:
        stage.emulator.fail("trackunit", 400, echo_secret=how, kind="api")
    run = stage.playbook(calls(stage, {how: {} for how in spellings}, vendor="trackunit"), "-vvvvv")
    (token,) = [secret for secret in stage.emulator.secrets() if secret.startswith("at-")]
    for how in spellings:
        spelled = ECHOES[how](token)
        text = ECHOES[how](f"Bearer {token}")
        [task] = run.find(how)
        assert (task.status, task.result["status"]) == ("ignored", 400), run
        assert "********" in task.result["content"], how
        assert [form for form in (token, spelled, text, text[8:]) if form in run.output] == [], how
    assert len(stage.emulator.requests("trackunit", kind="api")) == len(spellings)


def test_an_answer_printed_by_ssh_contains_no_token(stage: Stage, ssh_hosts) -> None:
    stage.emulator.set("trackunit", token_format="opaque")
    stage.emulator.fail("trackunit", 400, echo_secret="hex", times=None, kind="api")
    run = stage.playbook(play(stage, "trackunit"), "-vvvvv", inventory=ssh_hosts.inventory())
    assert run.rc != 0
    (token,) = [secret for secret in stage.emulator.secrets() if secret.startswith("at-")]
    assert "scripted 400" in run.output
    assert [form for form in (token, token.encode().hex()) if form in run.output] == []


def test_a_refused_token_repeated_by_a_later_answer_is_masked(stage: Stage) -> None:
    assert stage.playbook(play(stage, "trackunit", hosts="localhost")).rc == 0
    (first,) = [secret for secret in tokens(stage) if secret.count(".") == 2]
    stage.emulator.revoke("trackunit")
    body = json.dumps({"old": first, first: ["is", first.encode().hex()], "n": 1.50})
    stage.emulator.fail("trackunit", "literal", skip=1, body=body, headers={"X-Old": first}, times=None, kind="api")
    run = stage.playbook(play(stage, "trackunit", hosts="localhost"), "-vvvvv")
    assert run.rc == 0, run
    answer = run.result("Call")
    assert answer["token_renewed"] is True
    assert answer["json"] == {"old": "********", "********": ["is", "********"], "n": 1.5}
    assert json.loads(answer["content"]) == answer["json"]
    assert answer["x_old"] == "********"
    assert [form for form in (first, first.encode().hex()) if form in run.output] == []
