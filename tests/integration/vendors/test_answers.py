# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses that deviate from the RFC, on the wire: formats, lifetimes, errors, clocks; and what of them is passed on."""

from __future__ import annotations

import json
import re
import time
import typing as t
from email.utils import formatdate

from support.lookups import Batch, Checks, leaked, lifetime

if t.TYPE_CHECKING:
    from support.stage import Stage


def test_tokens_are_read_from_every_format_and_place(openbao_stage: Stage) -> None:
    stage = openbao_stage
    base = stage.emulator.base_url("acme")
    stage.store("acme", "fleet/acme")
    batch = Batch(stage, vendor="acme", token_url=base + "/token", output="details", cache="none")
    batch.control("set", vendor="acme", answer_format="form", expires_field="expires")
    batch.add("form", "oauth2", "fleet/acme", response_format="form", expires_field="expires")
    batch.add("form, not set", "oauth2", "fleet/acme", expires_field="expires")
    batch.control("set", vendor="acme", answer_format="text")
    batch.add("text", "oauth2", "fleet/acme", response_format="text", default_lifetime=50)
    batch.control("set", vendor="acme", answer_format="json_string", token_format="opaque")
    batch.add("string", "oauth2", "fleet/acme", response_format="text", default_lifetime=50)
    batch.control("set", vendor="acme", answer_format="json", token_field="access_token", expires_field="expires_in", token_format="jwt")
    batch.control("fail", vendor="acme", fault="literal", body=json.dumps([{"access_token": "in-a-list", "ttl": "PT2H"}]))
    batch.add("list", "oauth2", "fleet/acme", token_field="0.access_token", expires_field="0.ttl")
    moment = int(time.time()) + 1800
    soon = formatdate(moment, usegmt=True)
    batch.control("fail", vendor="acme", fault="literal", body=json.dumps({"access_token": "dotted", ".expires": soon}))
    batch.add("dots", "oauth2", "fleet/acme", expires_field=".expires")
    begun, done, ended = int(time.time()), batch.run(), time.time()
    with Checks() as check:
        with check("form"):
            assert done["form"].value["access_token"].startswith("ey")
            assert lifetime(done["form"].value) == 3600
        with check("form, not set"):
            assert done["form, not set"].error.endswith("its answer is form-encoded (HTTP 200). Set response_format=form.")
        with check("text"):
            assert begun + 3600 <= done["text"].value["expires_at"] <= ended + 3600  # a JWT contains its own expiry
        with check("string"):
            assert done["string"].value["access_token"].startswith("at-")
            assert lifetime(done["string"].value) == 50
        with check("list"):
            assert done["list"].value["access_token"] == "in-a-list"
            assert lifetime(done["list"].value) == 7200
        with check("dots"):
            assert abs(done["dots"].value["expires_at"] - moment) <= 1


def test_nothing_secret_is_passed_on(openbao_stage: Stage) -> None:
    """The vendor repeats credentials and adds tokens: none of them is in the result, in the file on a host, or in the shared entry."""
    stage = openbao_stage
    account = stage.credentials("acme")
    stage.store("acme", "fleet/acme")
    echo = {
        "refreshToken": "rt-of-another-name",
        "data": {"idToken": "id-of-another-name", "client_secret": account["client_secret"], "kept": "fact"},
        "note": f"you sent {account['client_secret'].upper()}",
        "self": "https://a.example/rt-of-another-name",
        "too_large": "REPLACED",
        "user_email": "ops@example.com",
    }
    stage.emulator.set("acme", token_format="opaque", refresh_field="renewal.value", extra_answer=echo)
    dest = stage.ansible.workdir / "token.json"
    batch = Batch(stage, vendor="acme", token_url=stage.emulator.base_url("acme") + "/token", grant_type="password", refresh_token_field="renewal.value")
    shared = {"cache": "vault", "cache_vault_path": "shared"}
    batch.add("details", "oauth2", "fleet/acme", output="details", **shared)
    batch.task(
        {
            "name": "file",
            "trackops.api_tokens.token_file": {
                "vendor": "acme",
                "path": "fleet/acme",
                "token_url": stage.emulator.base_url("acme") + "/token",
                "grant_type": "password",
                "refresh_token_field": "renewal.value",
                "dest": str(dest),
                "format": "json",
                **shared,
            },
        }
    )
    batch.add("renewed", "oauth2", "fleet/acme", output="details", force=True, **shared)
    done = batch.run(env={"VAULT_TOKEN": stage.vault.root_token})
    grants = [entry["grant_type"] for entry in stage.emulator.requests("acme", kind="token")]
    with Checks() as check:
        with check("the refresh token under another name is used"):
            assert grants == ["password", "refresh_token"], grants
        with check("facts stay"):
            assert done["details"].value["extra"] == {"data": {"kept": "fact"}, "user_email": "ops@example.com", "too_large": "REPLACED"}
        token = done["details"].value["access_token"]
        secrets = [secret for secret in stage.emulator.secrets() if secret != token]
        secrets += ["rt-of-another-name", "id-of-another-name", account["client_secret"].upper()]
        with check("the result"):
            assert leaked(json.dumps(done["details"].value), secrets) == []
        with check("the file"):
            assert leaked(dest.read_text(encoding="utf-8"), secrets) == []
        with check("numbers beyond all floats"):
            assert json.loads(dest.read_text(encoding="utf-8"))["access_token"] == token


def test_numbers_beyond_floats_do_no_harm(stage: Stage) -> None:
    """They break neither sharing nor JSON."""
    stage.store("acme", "fleet/acme")
    stage.emulator.fail("acme", "literal", body='{"access_token": "t0ken", "expires_in": 900, "odd": {"deep": [1e999, -1e999]}}')
    dest = stage.ansible.workdir / "odd.json"
    options = {"vendor": "acme", "token_url": stage.emulator.base_url("acme") + "/token", "cache": "vault", "cache_vault_path": "shared"}
    batch = Batch(stage, **options)
    batch.task({"name": "file", "trackops.api_tokens.token_file": {**options, "path": "fleet/acme", "dest": str(dest), "format": "json"}})
    batch.add("details", "oauth2", "fleet/acme", output="details", cache_path=str(stage.ansible.workdir / "another"))
    done = batch.run(env={"VAULT_TOKEN": stage.vault.root_token})
    assert len(stage.emulator.requests("acme", kind="token")) == 1, done.run
    assert done["details"].value["extra"] == {"odd": {"deep": [None, None]}}
    assert not {"Infinity", "NaN"} & set(dest.read_text(encoding="utf-8").replace(",", " ").split())
    assert "not shared" not in done.run.output


def test_odd_refusals_and_lifetimes_are_handled(openbao_stage: Stage) -> None:
    stage = openbao_stage
    stage.store("acme", "fleet/acme")
    base = stage.emulator.base_url("acme")
    stage.store("acme", "fleet/spaced", client_secret=stage.credentials("acme")["client_secret"] + " ")
    stage.store("acme", "fleet/lined", client_secret=stage.credentials("acme")["client_secret"] + "\n", client_id=" acme-client\n")
    stage.emulator.set("acme", token_format="opaque")
    batch = Batch(stage, vendor="acme", token_url=base + "/token", output="details")
    batch.control("fail", vendor="acme", fault="literal", body='{"success": false, "errors": [{"message": "No such client"}]}')
    batch.add("success false", "oauth2", "fleet/acme")
    batch.add("remembered", "oauth2", "fleet/acme", failure_ttl=600)
    batch.add("wrong way", "oauth2", "fleet/acme", client_auth="post")
    batch.add("spaced", "oauth2", "fleet/spaced")
    batch.add("lined", "oauth2", "fleet/lined")
    batch.control("fail", vendor="acme", fault="merge", values={"error": "none"})
    batch.add("no error", "oauth2", "fleet/acme", scope="a")
    batch.control("fail", vendor="acme", fault="lifetime", value=0)
    for name in ("zero", "zero again", "zero once more"):
        batch.add(name, "oauth2", "fleet/acme", scope="b")
    batch.control("fail", vendor="acme", fault="status", code=429, retry_after=str(int(time.time()) + 5000))
    batch.add("retry at", "oauth2", "fleet/acme", scope="c")
    done = batch.run("-v")

    sent = len(stage.emulator.requests("acme", kind="token"))
    with Checks() as check:
        with check("success false"):
            assert "HTTP 200. Check client_id and client_secret there;" in done["success false"].error
            assert done["success false"].error.endswith(" The vendor says: No such client.")
        with check("remembered"):
            assert done["remembered"].error.endswith(" The vendor says: No such client.")
        with check("wrong way"):
            assert "and whether the vendor accepts client_auth=post; " in done["wrong way"].error
        with check("spaced"):
            assert " The secret has white space at an end of: client_secret." in done["spaced"].error
        with check("lined"):
            assert done["lined"].value["source"] == "vendor"
        with check("no error"):
            assert done["no error"].value["source"] == "vendor"
        with check("zero"):
            assert [done[name].value["source"] for name in ("zero", "zero again", "zero once more")] == ["vendor", "cache", "cache"]
            assert "default_lifetime is used, 300 s" in done.run.output
        with check("retry at"):
            assert re.search(r"It asks to wait [34]\d\d\d s\.", done["retry at"].error), done["retry at"].error
        with check("requests"):
            assert sent == 7, sent


def test_a_vendor_clock_of_1970_is_not_believed(openbao_stage: Stage) -> None:
    """If the Date header says 1970, an absolute expiry does not become a lifetime of decades; the run warns."""
    stage = openbao_stage
    stage.store("tracx")
    stage.emulator.fail("tracx", "date_skew", seconds=-time.time())
    batch = Batch(stage, output="details")
    batch.add("tracx", "tracx")
    begun, done, ended = int(time.time()), batch.run(), time.time()
    assert begun + 3600 <= done["tracx"].value["expires_at"] <= ended + 3600
    assert "tracx: the clock of the vendor is" in done.run.output
    assert "That is too far off to be used" in " ".join(done.run.output.split())
