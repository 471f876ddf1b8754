# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A vendor's setting never redirects or changes another vendor's requests. Such a setting for all vendors is ignored with a warning."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.lookups import Batch, Checks

if t.TYPE_CHECKING:
    from support.stage import Stage

NOWHERE = "http://127.0.0.1:9"
WORDS = {
    "base_url": NOWHERE,
    "token_url": NOWHERE + "/token",
    "scope": "of-another",
    "variant": "of-another",
    "client_auth": "basic_raw",
    "extra_parameters": '{"api_key": "of-another"}',
    "credential_fields": '{"client_id": "of-another"}',
    "http_client_cert": "/of/another.pem",
    "http_client_key": "/of/another.key",
    "output": "details",
    "refused": "sha256:0",
}


@pytest.mark.parametrize("place", ["environment", "variable", "ini"])
def test_a_setting_for_all_vendors_is_ignored_with_one_warning(openbao_stage: Stage, place: str) -> None:
    stage = openbao_stage
    stage.store_all()
    env: dict[str, str | None] = {}
    variables: dict[str, t.Any] = {}
    if place == "environment":
        env = {f"TRACKOPS_{name.upper()}": value for name, value in WORDS.items()}
    elif place == "variable":
        variables = {f"trackops_{name}": value for name, value in WORDS.items()}
    else:
        stage.ansible.write("ansible.cfg", "[trackops_api_tokens]\n" + "".join(f"{name} = {value}\n" for name, value in WORDS.items()))
    batch = Batch(stage)
    for again in ("", " again"):
        for vendor in ("trackmage", "tracx", "tracktik", "trackunit"):
            batch.add(vendor + again, vendor, variables=variables)
    done = batch.run(env=env)
    said = " ".join(done.run.stderr.split())
    own = {"environment": "TRACKOPS_TRACKTIK_BASE_URL", "variable": "trackops_tracktik_base_url", "ini": "tracktik_base_url"}[place]
    shown = {"environment": "TRACKOPS_BASE_URL", "variable": "trackops_base_url", "ini": "base_url in [trackops_api_tokens] of ansible.cfg"}[place]
    with Checks() as check:
        for name, outcome in done.items():
            with check(name):
                assert isinstance(outcome.value, str), "output of a setting"
        with check("told"):
            assert said.count(f"{shown} is ignored: a setting for all vendors could send the credentials of one to another.") == 1
            assert own in said
            assert said.count(" is ignored: ") == len(WORDS)
        with check("no other way"):
            requests = stage.emulator.requests(kind="token")
            assert len(requests) == 4
            assert "of-another" not in json.dumps(requests)


def test_settings_apply_only_to_their_vendor(openbao_stage: Stage) -> None:
    stage = openbao_stage
    stage.store_all()
    stage.store("acme", "fleet/acme")
    acme = stage.emulator.base_url("acme")
    stage.emulator.set("acme", client_auth=("basic", "post"))
    own = {
        "acme": {"base_url": NOWHERE, "token_url": "/token"},
        "other": {"base_url": acme, "token_url": "/token"},
        "a-b": {"base_url": acme, "token_url": "/token"},
    }
    stage.ansible.write(
        "ansible.cfg",
        f"""
        [trackops_api_tokens]
        acme_base_url = {acme}
        oauth2_base_url = {NOWHERE}
        tracx_path = no/such
        """,
    )
    env: dict[str, str | None] = {
        "TRACKOPS_ACME_PATH": "fleet/acme",
        "TRACKOPS_OAUTH2_TOKEN_URL": NOWHERE,
        "TRACKOPS_OAUTH2_SCOPE": "of-oauth2",
        "TRACKOPS_A_B_BASE_URL": NOWHERE,
        "TRACKOPS_GRANT_TYPE": "password",
        "TRACKOPS_TRACKMAGE_VARIANT": "authorization_code",
    }
    batch = Batch(stage)
    vendors = {"trackops_vendors": own}
    batch.add("its path and address", "oauth2", vendor="acme", variables=vendors)
    batch.add("a variable", "oauth2", vendor="acme", output="details", variables={**vendors, "trackops_acme_scope": "read"})
    batch.add("not that of oauth2", "oauth2", "fleet/acme", vendor="other", variables=vendors)
    batch.add("a name that is no variable's", "oauth2", "fleet/acme", vendor="a-b", variables=vendors)
    batch.add("trackunit", "trackunit")
    batch.add("trackmage", "trackmage")
    batch.add("tracx", "tracx")
    batch.add("a cache is no vendor", "oauth2", vendor="cache", token_url=acme + "/token", client_auth="post")
    done = batch.run(env={**env, "TRACKOPS_CACHE_PATH": str(stage.ansible.workdir / "own-cache")})
    with Checks() as check:
        for name in ("its path and address", "a variable", "not that of oauth2", "a name that is no variable's", "trackunit"):
            with check(name):
                assert done[name].value
        with check("scope"):
            assert done["a variable"].value["scope"] == "read"
        with check("variant"):
            assert "trackmage: " in done["trackmage"].error
        with check("path"):
            assert "no/such" in done["tracx"].error
        with check("cache"):
            assert done["a cache is no vendor"].error == "cache: the Vault path of the credentials is needed, for example fleet/cache."
