# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackunit IRIS on the wire: password grant with Basic, refresh tokens, scoped keys (v2)."""

from __future__ import annotations

import base64
import typing as t

from support.lookups import Batch, Checks, lifetime
from support.wire import form, header

if t.TYPE_CHECKING:
    from support.stage import Stage


def test_password_refresh_token_and_v2_are_supported(openbao_stage: Stage) -> None:
    stage = openbao_stage
    emulator = stage.emulator
    stage.store("trackunit")
    stage.store("trackunit", "fleet/offline", note="a field that is not ours")
    stage.vault.put("fleet/v2", {name: emulator.credentials["trackunit_v2"][name] for name in ("client_id", "client_secret")})
    batch = Batch(stage)
    batch.add("password", "trackunit", output="details")
    batch.task(
        {
            "name": "api",
            "ansible.builtin.uri": {
                "url": emulator.base_url("trackunit") + "/api/units",
                "headers": "{{ lookup('trackops.api_tokens.trackunit', output='headers') }}",
            },
        }
    )
    offline = {"scope": "api offline_access", "output": "details"}
    batch.add("offline", "trackunit", "fleet/offline", **offline)
    batch.add("refreshed", "trackunit", "fleet/offline", force=True, **offline)
    batch.add("refreshed again", "trackunit", "fleet/offline", max_age=0, **offline)
    batch.add("v2", "trackunit", "fleet/v2", variant="v2", scope="machines:read sites:read", output="details")
    batch.add("v2 without scope", "trackunit", "fleet/v2", variant="v2")
    batch.add("v2 wrong scope", "trackunit", "fleet/v2", variant="v2", scope="nobody:knows")
    batch.add("no such variant", "trackunit", variant="v3")
    batch.add("wrong scope", "trackunit", scope="admin", cache="none")
    done = batch.run()

    sent = emulator.requests("trackunit", kind="token")
    credentials = stage.credentials("trackunit")
    with Checks() as check:
        with check("the vendor was asked no more than needed"):
            assert [entry["grant_type"] for entry in sent] == [
                "password",
                "password",
                "refresh_token",
                "refresh_token",
                "client_credentials",
                "client_credentials",
                "password",
            ], done.run
        with check("password"):
            basic = f"{credentials['client_id']}:{credentials['client_secret']}".encode()
            assert (sent[0]["method"], sent[0]["path"], sent[0]["raw"]["query"]) == ("POST", "/token", "")
            assert header(sent[0], "Authorization") == "Basic " + base64.b64encode(basic).decode()
            assert header(sent[0], "Content-Type") == "application/x-www-form-urlencoded"
            assert form(sent[0]) == {
                "grant_type": "password",
                "username": credentials["username"],
                "password": credentials["password"],
                "scope": "api",
            }
            found = done["password"].value
            assert (found["vendor"], found["token_type"], found["scope"], found["source"]) == ("trackunit", "Bearer", "api", "vendor")
            assert found["authorization"] == f"Bearer {found['access_token']}"
            assert lifetime(found) == 3600
            assert found["extra"] == {}
        with check("api"):
            assert done["api"].task.result["status"] == 200
        with check("refresh tokens rotate and are never shown"):
            assert [form(entry)["grant_type"] for entry in sent[2:4]] == ["refresh_token"] * 2
            assert all(header(entry, "Authorization") == header(sent[0], "Authorization") for entry in sent[2:4])
            assert form(sent[2])["refresh_token"] != form(sent[3])["refresh_token"]
            assert len({done[name].value["access_token"] for name in ("offline", "refreshed", "refreshed again")}) == 3
            assert "refresh" not in str(done["offline"].value) + str(done["refreshed"].value)
            assert not any(entry.get("reuse") for entry in sent)
        with check("v2"):
            assert sent[4]["path"] == "/token/v2"
            assert header(sent[4], "Authorization") is None
            assert form(sent[4]) == {
                "grant_type": "client_credentials",
                "client_id": emulator.credentials["trackunit_v2"]["client_id"],
                "client_secret": emulator.credentials["trackunit_v2"]["client_secret"],
                "scope": "machines:read sites:read",
            }
            assert lifetime(done["v2"].value) == 1200
        with check("v2 without scope"):
            assert done["v2 without scope"].error.startswith("trackunit: scope is needed in its variant v2"), done["v2 without scope"].error
        with check("v2 wrong scope"):
            assert "secret/fleet/v2 (version 1): invalid_scope" in done["v2 wrong scope"].error
        with check("no such variant"):
            assert "v3" in done["no such variant"].error, done["no such variant"].task.result
        with check("wrong scope"):
            assert "invalid_scope" in done["wrong scope"].error


def test_awkward_credentials_are_encoded(takes_awkward_credentials: t.Callable[..., None]) -> None:
    """RFC 6749 section 2.3.1: id and secret are form-encoded before base64, unless the server requires them raw."""
    takes_awkward_credentials(
        "trackunit", lambda text: {"client_id": f"id{text}".strip(), "client_secret": text, "username": f"user{text}", "password": f"{text}p"}
    )


def test_basic_credentials_can_be_sent_unencoded(openbao_stage: Stage) -> None:
    stage = openbao_stage
    stage.emulator.set("trackunit", basic_decoding="raw")
    stage.emulator.set_credentials("trackunit", client_id="id", client_secret="a+b%c d:é")
    stage.store("trackunit")
    stage.vault.put("fleet/v2", {name: stage.emulator.credentials["trackunit_v2"][name] for name in ("client_id", "client_secret")})
    batch = Batch(stage)
    batch.add("option", "trackunit", client_auth="basic_raw", output="details")
    batch.add("variable", "trackunit", variables={"trackops_trackunit_client_auth": "basic_raw"}, output="details")
    batch.add("v2 does not mind", "trackunit", "fleet/v2", variant="v2", scope="sites:read", client_auth="basic_raw", output="details")
    batch.add("encoded", "trackunit", cache="none")
    done = batch.run()
    with Checks() as check:
        with check("option"):
            assert [done[name].value["source"] for name in ("option", "variable", "v2 does not mind")] == ["vendor", "cache", "vendor"]
        with check("encoded"):
            assert "invalid_client" in done["encoded"].error
