# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracx Connect on the wire: a raw connect token, no body, a nested session token with an absolute expiry."""

from __future__ import annotations

import time
import typing as t

from support.lookups import Batch, Checks
from support.wire import header

if t.TYPE_CHECKING:
    from support.stage import Stage


def test_the_connect_token_is_exchanged_for_a_session_token(openbao_stage: Stage) -> None:
    stage = openbao_stage
    emulator = stage.emulator
    stage.store("tracx")
    stage.store("tracx", "fleet/bearer", team="ops")
    batch = Batch(stage)
    batch.add("details", "tracx", output="details")
    batch.add("headers", "tracx", output="headers")
    batch.task(
        {
            "name": "raw api",
            "ansible.builtin.uri": {
                "url": emulator.base_url("tracx") + "/api/events",
                "headers": "{{ lookup('trackops.api_tokens.tracx', output='headers') }}",
            },
        }
    )
    batch.add("bearer", "tracx", "fleet/bearer", output="authorization", authorization_scheme="Bearer")
    batch.add("bearer as a variable", "tracx", "fleet/bearer", output="authorization", variables={"trackops_authorization_scheme": "Bearer"})
    batch.add("forced", "tracx", output="details", force=True)
    batch.add("scope", "tracx", scope="events")
    batch.add("parameters", "tracx", extra_parameters={"a": "b"})
    begun, done, ended = int(time.time()), batch.run(), time.time()

    sent = emulator.requests("tracx", kind="token")
    with Checks() as check:
        with check("asked as documented, and no more than needed"):
            assert len(sent) == 3, done.run
            assert {(entry["method"], entry["path"], entry["raw"]["query"], entry["raw"]["body"]) for entry in sent} == {
                ("POST", "/v1/connect/session-token", "", "")
            }
            assert {header(entry, "Authorization") for entry in sent} == {stage.credentials("tracx")["connect_token"]}
            assert {header(entry, "Accept") for entry in sent} == {"application/json"}
            assert {header(entry, "Content-Type") for entry in sent} == {None}
        with check("details"):
            found = done["details"].value
            assert found["authorization"] == found["access_token"], "raw, without Bearer"
            assert begun <= found["expires_at"] - emulator.settings("tracx")["lifetime"] <= ended
            assert found["extra"] == {}
        with check("headers"):
            assert done["headers"].value == {"Authorization": done["details"].value["access_token"]}
        with check("raw api"):
            assert done["raw api"].task.result["status"] == 200
        with check("bearer"):
            assert done["bearer"].value.startswith("Bearer ey")
            assert done["bearer"].value == done["bearer as a variable"].value
        with check("no refresh: asked again with the connect token"):
            assert done["forced"].value["access_token"] != done["details"].value["access_token"]
        with check("scope"):
            assert done["scope"].error == "tracx: this vendor accepts no scope; scopes are configured at the vendor. Remove scope."
        with check("parameters"):
            assert done["parameters"].error == "tracx: its token request has no parameters, so extra_parameters cannot be sent."


def test_an_expiry_by_the_vendors_clock_is_corrected(openbao_stage: Stage) -> None:
    """The expiry is absolute, by the vendor's clock, which is an hour ahead of ours."""
    openbao_stage.emulator.set("tracx", skew=3600, lifetime=900)
    openbao_stage.store("tracx")
    batch = Batch(openbao_stage)
    batch.add("details", "tracx", output="details")
    begun, done, ended = time.time(), batch.run(), time.time()
    assert begun + 900 - 1 <= done["details"].value["expires_at"] <= ended + 900 + 1, "the Date header has whole seconds"


def test_awkward_connect_tokens_are_sent_unchanged(takes_awkward_credentials: t.Callable[..., None]) -> None:
    # Spaces around a header's value are not part of it (RFC 9110 section 5.5).
    takes_awkward_credentials("tracx", lambda text: {"connect_token": f"ct-{text}-ct"})
