# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The descriptions of docs/catalogue.md as they are printed, against a server that is set to what the vendors document."""

from __future__ import annotations

import pathlib
import re
import typing as t

import yaml
from support.lookups import Batch, Checks
from support.pki import Ca, rsa_pair

if t.TYPE_CHECKING:
    from support.stage import Stage

CATALOGUE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "catalogue.md"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
PLAIN: dict[str, t.Any] = {
    "client_auth": ["post"],
    "grants": ["client_credentials"],
    "token_field": "access_token",
    "expires_field": "expires_in",
    "expires_as": "seconds",
    "omit_expires": False,
    "token_format": "opaque",
    "required_headers": {},
    "required_parameters": {},
    "require_scope": False,
    "audience": None,
    "algorithms": None,
    "bodiless": False,
    "status": 200,
    "answer_format": "json",
}
GITHUB = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
#: Vendor and variant -> what the server takes and gives, and the options of the lookup.
SERVERS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "github_app": (
        {
            "client_auth": ["bearer_jwt"],
            "bodiless": True,
            "token_field": "token",
            "expires_field": "expires_at",
            "expires_as": "iso",
            "required_headers": GITHUB,
            "status": 201,
        },
        {},
    ),
    "entra": ({"scopes": ["https://graph.microsoft.com/.default"], "require_scope": True}, {}),
    "entra certificate": ({"client_auth": ["private_key_jwt"], "algorithms": ["PS256"]}, {"variant": "certificate"}),
    "google": (
        {"client_auth": ["none"], "grants": [JWT_BEARER], "scopes": ["https://www.googleapis.com/auth/cloud-platform"]},
        {"credential_fields": {"client_id": "client_email"}},
    ),
    "salesforce": ({"omit_expires": True, "scopes": None}, {}),
    "servicenow": ({"grants": ["password"]}, {}),
    "okta": ({"client_auth": ["private_key_jwt"], "require_scope": True}, {}),
    "zoom": ({"client_auth": ["basic"], "grants": ["account_credentials"]}, {}),
    "docusign": ({"client_auth": ["none"], "grants": [JWT_BEARER], "audience": ["account.docusign.com"]}, {}),
    "vcenter": (
        {"client_auth": ["basic_raw"], "bodiless": True, "answer_format": "json_string", "status": 201},
        {"credential_fields": {"client_id": "vcenter_user", "client_secret": "client_secret"}},
    ),
    "crowdstrike": ({"status": 201}, {}),
    "dynatrace": ({"required_parameters": {"resource": "urn:dtaccount:<account>"}, "scopes": ["storage:logs:read"]}, {}),
}


def descriptions() -> dict[str, t.Any]:
    (text,) = re.findall(r"```yaml\n(.*?)```", CATALOGUE.read_text(encoding="utf-8"), re.DOTALL)
    return t.cast("dict[str, t.Any]", yaml.safe_load(text)["trackops_vendors"])


def test_catalogue(openbao_stage: Stage, tmp_path: pathlib.Path) -> None:
    stage, described = openbao_stage, descriptions()
    assert {name.split()[0] for name in SERVERS} == set(described)
    private, public = rsa_pair()
    client_id = stage.credentials("acme")["client_id"]
    stage.store(
        "acme",
        "fleet/all",
        private_key=private,
        key_id="k1",
        certificate=Ca(tmp_path).client().cert_pem,
        subject="somebody",
        account_id="acc-1",
        client_email=client_id,
        vcenter_user=client_id,
    )
    stage.emulator.set("acme", public_key=public, assertion_key=public)
    batch = Batch(stage, token_url=stage.emulator.base_url("acme") + "/token", output="details", cache="none")
    for name, (server, options) in SERVERS.items():
        batch.control("set", vendor="acme", **{**PLAIN, "scopes": None, **server})
        batch.add(name, "oauth2", "fleet/all", vendor=name.split()[0], variables={"trackops_vendors": described}, **options)
    done = batch.run()
    with Checks() as check:
        for name in SERVERS:
            with check(name):
                found = done[name].value
                assert found["vendor"] == name.split()[0]
                assert found["access_token"].startswith("at-")
                lifetime = described[name.split()[0]].get("default_lifetime", 3600)
                assert lifetime - 30 <= found["expires_in"] <= lifetime
