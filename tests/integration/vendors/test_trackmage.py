# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TrackMage on the wire: client credentials in the query of a GET, authorization code as a JSON POST."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs, urlencode, urlsplit

from support.lookups import Batch, Checks, leaked, lifetime
from support.wire import header, json_body, query_string

if t.TYPE_CHECKING:
    from support.stage import Stage

REDIRECT = "http://127.0.0.1:9/callback"


def test_client_credentials_are_sent_in_the_query(stage: Stage) -> None:
    emulator = stage.emulator
    stage.store("trackmage")
    batch = Batch(stage)
    batch.add("details", "trackmage", output="details")
    batch.add("headers", "trackmage", output="headers")
    batch.task(
        {
            "name": "api",
            "ansible.builtin.uri": {
                "url": emulator.base_url("trackmage") + "/api/shipments",
                "headers": "{{ lookup('trackops.api_tokens.trackmage', output='headers') }}",
            },
        }
    )
    done = batch.run()

    (sent,) = emulator.requests("trackmage", kind="token")
    with Checks() as check:
        with check("a GET with everything in the query string"):
            assert (sent["method"], sent["path"], sent["raw"]["body"]) == ("GET", "/oauth/v2/token", "")
            assert query_string(sent) == {"grant_type": "client_credentials", **stage.credentials("trackmage")}
            assert (header(sent, "Accept"), header(sent, "Authorization"), header(sent, "Content-Type")) == ("application/json", None, None)
        with check("token_type in lower case, Bearer in the header"):
            found = done["details"].value
            assert found["token_type"] == "bearer"
            assert done["headers"].value == {"Authorization": "Bearer " + found["access_token"]}
        with check("what else the vendor said"):
            assert (found["scope"], sorted(found["extra"])) == ("user", ["user_email", "user_id"])
            assert found["extra"]["user_email"] == "owner@example.com"
            assert lifetime(found) == 3600
        with check("api"):
            assert done["api"].task.result["status"] == 200


def code_of(stage: Stage) -> str:
    """The code that results from a person's consent."""
    wanted = {"response_type": "code", "client_id": stage.credentials("trackmage")["client_id"], "redirect_uri": REDIRECT, "state": "s"}
    landed = stage.emulator.consent(f"{stage.emulator.base_url('trackmage')}/oauth/v2/auth?{urlencode(wanted)}")
    return parse_qs(urlsplit(landed).query)["code"][0]


def test_an_authorization_code_is_exchanged_once(stage: Stage) -> None:
    """The code is exchanged once; its refresh token is stored in Vault, and so is each later one."""
    stage.store("trackmage", "fleet/consent", code=code_of(stage), redirect_uri=REDIRECT, note="kept")
    policy = stage.vault.policy("consent", 'path "secret/data/fleet/consent" { capabilities = ["read", "create", "update"] }')
    env = {"VAULT_TOKEN": stage.vault.token(policy)}
    batch = Batch(stage, variant="authorization_code", output="details")
    batch.add("bought", "trackmage", "fleet/consent")
    batch.add("kept", "trackmage", "fleet/consent")
    batch.add("refreshed", "trackmage", "fleet/consent", force=True)
    batch.add("refreshed elsewhere", "trackmage", "fleet/consent", cache="none")
    batch.add("nothing to begin with", "trackmage")
    stage.store("trackmage")
    done = batch.run(env=env)

    sent = stage.emulator.requests("trackmage", kind="token")
    secret = stage.vault.get("fleet/consent")
    credentials = stage.credentials("trackmage")
    with Checks() as check:
        with check("grants"):
            assert [(entry["method"], entry["grant_type"], entry["status"]) for entry in sent] == [
                ("POST", "authorization_code", 200),
                ("POST", "refresh_token", 200),
                ("POST", "refresh_token", 200),
            ], done.run
        with check("JSON, not a form"):
            assert {header(entry, "Content-Type") for entry in sent} == {"application/json"}
            body = json_body(sent[0])
            assert body.pop("code")
            assert body == {"grant_type": "authorization_code", "redirect_uri": REDIRECT, **credentials}
            refresh = json_body(sent[1])
            assert refresh.pop("refresh_token")
            assert refresh == {"grant_type": "refresh_token", **credentials}
        with check("from the cache"):
            assert [done[name].value["source"] for name in ("bought", "kept", "refreshed")] == ["vendor", "cache", "vendor"]
        with check("the newest refresh token is in Vault, the code is gone"):
            assert "code" not in secret
            assert secret["note"] == "kept"
            assert stage.emulator.vendors["trackmage"].tokens.refresh[secret["refresh_token"]].used is False
        with check("no refresh token in what the lookup tells"):
            assert "refresh" not in str([done[name].value for name in ("bought", "refreshed")])
        with check("nothing to begin with"):
            assert "denied" in done["nothing to begin with"].error or "authorize" in done["nothing to begin with"].error


def test_awkward_credentials_are_sent_unchanged(takes_awkward_credentials: t.Callable[..., None]) -> None:
    takes_awkward_credentials("trackmage", lambda text: {"client_id": f"id{text}".strip(), "client_secret": text})


def test_a_malformed_header_puts_no_secret_into_the_log(openbao_stage: Stage) -> None:
    """urllib3 logs the whole URL of a response with a malformed header line, and TrackMage's URL holds its secret. Ansible logs every logger's warnings."""
    stage = openbao_stage
    stage.store("trackmage")
    log = stage.ansible.workdir / "ansible.log"
    headers = {"Content-Length": "2", "no header at all": "x"}
    stage.emulator.fail("trackmage", "status", code=200, body="{}", headers=headers, times=None)
    batch = Batch(stage)
    batch.add("malformed", "trackmage")
    done = batch.run("-vvv", env={"ANSIBLE_LOG_PATH": str(log), "ANSIBLE_LOG_VERBOSITY": "7", "ANSIBLE_DEBUG": "1"})
    assert "its answer has no token in 'access_token'" in done["malformed"].error
    text = log.read_text(encoding="utf-8") + done.run.output
    assert leaked(text, stage.emulator.secrets()) == []
    assert "client_secret=" not in text
    assert "Failed to parse headers" not in text
