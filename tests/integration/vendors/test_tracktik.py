# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TrackTik on the wire: the customer's own portal, password grant as a form, never a scope, rotating refresh tokens."""

from __future__ import annotations

import time
import typing as t

from support.lookups import Batch, Checks, lifetime
from support.wire import form, header

if t.TYPE_CHECKING:
    from support.stage import Stage


def test_password_and_refresh_token_are_sent_as_forms(openbao_stage: Stage) -> None:
    stage = openbao_stage
    emulator = stage.emulator
    stage.store("tracktik")
    stage.store("tracktik", "fleet/tracktik-eu", portal="eu")
    batch = Batch(stage)
    batch.add("details", "tracktik", output="details")
    batch.task(
        {
            "name": "api",
            "ansible.builtin.uri": {
                "url": emulator.base_url("tracktik") + "/api/sites",
                "headers": "{{ lookup('trackops.api_tokens.tracktik', output='headers') }}",
            },
        }
    )
    batch.add("refreshed", "tracktik", output="details", force=True)
    batch.add("once a run", "tracktik", output="details", force=True)
    batch.add("base_url", "tracktik", "fleet/tracktik-eu", base_url=emulator.base_url("tracktik") + "/", output="details")
    batch.add("no portal", "tracktik", base_url="")
    batch.add("scope", "tracktik", scope="employees:read")
    done = batch.run()
    later = Batch(stage)
    later.add("refreshed again", "tracktik", output="details", force=True)
    again = later.run()["refreshed again"].value

    sent = emulator.requests("tracktik", kind="token")
    credentials = stage.credentials("tracktik")
    with Checks() as check:
        with check("asked no more than needed"):
            assert [entry["grant_type"] for entry in sent] == ["password", "refresh_token", "password", "refresh_token"], done.run
            assert done["once a run"].value["access_token"] == done["refreshed"].value["access_token"]
        with check("password"):
            assert (sent[0]["method"], sent[0]["path"], sent[0]["raw"]["query"]) == ("POST", "/rest/oauth2/access_token", "")
            assert header(sent[0], "Content-Type") == "application/x-www-form-urlencoded"
            assert header(sent[0], "Authorization") is None
            assert form(sent[0]) == {"grant_type": "password", **credentials}
            found = done["details"].value
            assert (found["token_type"], found["scope"], found["extra"]) == ("Bearer", None, {})
            assert found["authorization"] == "Bearer " + found["access_token"]
            assert lifetime(found) == 3600
        with check("api"):
            assert done["api"].task.result["status"] == 200
        with check("refresh"):
            first, second = form(sent[1]), form(sent[3])
            assert first.pop("refresh_token") != second.pop("refresh_token"), "rotated"
            assert first == {"grant_type": "refresh_token", **{name: credentials[name] for name in ("client_id", "client_secret")}}
            assert not any(entry.get("reuse") for entry in sent)
            assert len({found["access_token"] for found in (done["details"].value, done["refreshed"].value, again)}) == 3
        with check("base_url"):
            assert done["base_url"].value["source"] == "vendor"
        with check("no portal"):
            assert done["no portal"].error.startswith("tracktik: no token for secret/tracktik: base_url is needed, for example https://<portal>.staffr.us."), (
                done["no portal"].error
            )
        with check("scope"):
            assert done["scope"].error == "tracktik: this vendor accepts no scope; scopes are configured at the vendor. Remove scope."


def test_missing_lifetimes_and_rate_limits_are_handled(openbao_stage: Stage) -> None:
    stage = openbao_stage
    stage.emulator.set("tracktik", omit_expires=True, lifetime=1800)
    stage.emulator.fail("tracktik", 429, retry_after=1)
    stage.store("tracktik")
    stage.store("tracktik", "dead/refresh")
    batch = Batch(stage)
    batch.add("the JWT tells", "tracktik", output="details")
    batch.add("first", "tracktik", "dead/refresh", output="details")
    # The same Vault token, as another identity could not read this cache.
    env = {"VAULT_TOKEN": stage.token()}
    begun, done, ended = int(time.time()), batch.run(env=env), time.time()
    stage.emulator.revoke("tracktik", kind="refresh")
    again = Batch(stage)
    again.add("full grant after a dead refresh token", "tracktik", "dead/refresh", force=True, output="details")
    later = again.run(env=env)
    with Checks() as check:
        with check("exp of the JWT"):
            assert begun + 1800 <= done["the JWT tells"].value["expires_at"] <= ended + 1800
        with check("429 is waited for"):
            first, second = stage.emulator.requests("tracktik", kind="token")[:2]
            assert (first["status"], second["status"]) == (429, 200)
            assert second["time"] - first["time"] >= 1
        with check("falls back to a full grant"):
            assert later["full grant after a dead refresh token"].value["source"] == "vendor"
            assert [entry["grant_type"] for entry in stage.emulator.requests("tracktik", kind="token")[-2:]] == ["refresh_token", "password"]


def test_awkward_credentials_are_sent_unchanged(takes_awkward_credentials: t.Callable[..., None]) -> None:
    takes_awkward_credentials(
        "tracktik", lambda text: {"client_id": f"id{text}".strip(), "client_secret": text, "username": f"user{text}", "password": f"{text}p"}
    )
