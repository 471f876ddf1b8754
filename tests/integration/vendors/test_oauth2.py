# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any other OAuth 2.0 vendor, described in the options of ``oauth2`` or in ``trackops_vendors``."""

from __future__ import annotations

import time
import typing as t

import jwt
from support.lookups import Batch, Checks, lifetime
from support.pki import rsa_pair
from support.wire import form, header, json_body, query_string

if t.TYPE_CHECKING:
    from support.stage import Stage

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def test_vendors_can_be_described_by_options(openbao_stage: Stage) -> None:
    stage = openbao_stage
    private, public = rsa_pair()
    base = stage.emulator.base_url("acme")
    stage.emulator.set("acme", client_auth=("basic", "post", "none", "private_key_jwt"), public_key=public)
    stage.store("acme", "fleet/acme")
    stage.store("acme", "fleet/signed", private_key=private, key_id="k1")
    stage.vault.put("fleet/public", {"client_id": stage.credentials("acme")["client_id"]})
    batch = Batch(stage, vendor="acme", token_url=base + "/token", output="details")
    batch.add("basic", "oauth2", "fleet/acme", output="authorization")
    batch.add("post", "oauth2", "fleet/acme", client_auth="post", scope="things:read")
    batch.add("none", "oauth2", "fleet/public", client_auth="none")
    batch.add("signed", "oauth2", "fleet/signed", client_auth="private_key_jwt")
    batch.add("password", "oauth2", "fleet/acme", grant_type="password", authorization_scheme="Token")
    batch.add("issuer", "oauth2", "fleet/acme", token_url="", issuer=base)
    batch.add("issuer again", "oauth2", "fleet/acme", token_url="", issuer=base, scope="things:read")
    batch.control("set", vendor="acme", client_auth=["post"])
    batch.add("issuer without basic", "oauth2", "fleet/acme", token_url="", issuer=base, http_ca_cert="/etc", force=True)
    batch.add("no term", "oauth2")
    batch.add("no endpoint", "oauth2", "fleet/acme", token_url="")
    batch.add("no key", "oauth2", "fleet/acme", client_auth="private_key_jwt")
    batch.add("plain http", "oauth2", "fleet/acme", token_url="http://vendor.example.com/token")
    batch.add("no such grant", "oauth2", "fleet/acme", grant_type="implicit")
    done = batch.run()

    sent = stage.emulator.requests("acme", kind="token")
    with Checks() as check:
        with check("ways to authenticate"):
            assert [entry["client_auth"] for entry in sent] == ["basic", "post", "none", "private_key_jwt", "basic", "basic", "basic", "post"], done.run
            assert [entry["grant_type"] for entry in sent] == [*["client_credentials"] * 4, "password", *["client_credentials"] * 3]
        with check("basic"):
            assert done["basic"].value.startswith("Bearer ey")
            assert form(sent[0]) == {"grant_type": "client_credentials"}
        with check("post"):
            account = stage.credentials("acme")
            only = {name: account[name] for name in ("client_id", "client_secret")}
            assert form(sent[1]) == {"grant_type": "client_credentials", "scope": "things:read", **only}
            assert header(sent[1], "Authorization") is None
        with check("signed"):
            assertion = form(sent[3])["client_assertion"]
            assert jwt.get_unverified_header(assertion)["kid"] == "k1"
        with check("password"):
            assert done["password"].value["authorization"].startswith("Token ey")
            assert done["password"].value["vendor"] == "acme"
        with check("issuer"):
            assert {done[name].value["source"] for name in ("issuer", "issuer again", "issuer without basic")} == {"vendor"}
            assert len(stage.emulator.requests("acme", kind="discovery")) == 2  # one for each way to the server
        with check("no term"):
            assert done["no term"].error == "acme: the Vault path of the credentials is needed, for example fleet/acme."
        with check("no endpoint"):
            assert done["no endpoint"].error.startswith("There is no vendor 'acme'. Known: ")
            assert done["no endpoint"].error.endswith(" Describe your own in trackops_vendors, or give token_url or issuer.")
        with check("no key"):
            assert done["no key"].error.startswith("acme: the secret secret/fleet/acme has no field 'private_key'.")
        with check("plain http"):
            assert "over plain http. Use https, or set allow_http if you must." in done["plain http"].error
        with check("no such grant"):
            assert done["no such grant"].error.startswith("acme: grant_type must be one of client_credentials")


def test_unusual_requests_and_answers_are_supported(openbao_stage: Stage) -> None:
    stage = openbao_stage
    private, public = rsa_pair()
    base = stage.emulator.base_url("acme")
    stage.store("acme", "fleet/acme", tenant="t-42")
    now = int(time.time())
    claims = {"iss": "acme-client", "sub": "robot", "aud": base, "iat": now, "exp": now + 600}
    stage.store("acme", "fleet/robot", assertion=jwt.encode(claims, private, algorithm="RS256"), private_key=private, subject="robot")
    batch = Batch(stage, vendor="acme", token_url=base + "/token", output="details")
    batch.control(
        "set",
        vendor="acme",
        request_format="json",
        token_field="data.token",
        expires_field="data.until",
        expires_as="iso",
        required_headers={"X-Tenant": "t-42"},
        client_auth=["post"],
    )
    batch.add(
        "json",
        "oauth2",
        "fleet/acme",
        request_format="json",
        client_auth="post",
        token_field="data.token",
        expires_field="data.until",
        request_headers={"X-Tenant": {"secret_field": "tenant"}},
    )
    batch.control(
        "set",
        vendor="acme",
        token_field="access_token",
        expires_field="expires_in",
        expires_as="seconds",
        required_headers={},
        request_format="query",
        request_method="GET",
    )
    batch.add("query", "oauth2", "fleet/acme", request_format="query", request_method="GET", client_auth="post")
    batch.control(
        "set",
        vendor="acme",
        request_format="form",
        request_method="POST",
        client_auth=["basic"],
        assertion_key=public,
        required_parameters={"tenant": "t-42"},
        omit_expires=True,
        token_format="opaque",
    )
    batch.add(
        "targets",
        "oauth2",
        "fleet/acme",
        audience="https://things",
        resource=["https://a", "https://b"],
        default_lifetime=77,
        extra_parameters={"tenant": {"secret_field": "tenant"}},
    )
    batch.control("set", vendor="acme", required_parameters={}, omit_expires=False)
    batch.add("assertion", "oauth2", "fleet/robot", grant_type=JWT_BEARER, extra_parameters={"assertion": {"secret_field": "assertion"}})
    batch.add("signed here", "oauth2", "fleet/robot", grant_type=JWT_BEARER)
    described = {"acme_eu": {"token_url": base + "/token", "client_auth": "basic", "grant_type": "password", "authorization_scheme": ""}}
    batch.add("described", "oauth2", "fleet/acme", vendor="acme_eu", token_url="", variables={"trackops_vendors": described})
    batch.add("misspelt", "oauth2", "fleet/acme", vendor="acme_eu", variables={"trackops_vendors": {"acme_eu": {"tokn_url": "x"}}})
    batch.add("reserved", "oauth2", "fleet/acme", extra_parameters={"client_secret": "x"})
    done = batch.run()

    sent = stage.emulator.requests("acme", kind="token")
    with Checks() as check:
        with check("all were accepted"):
            assert [entry["status"] for entry in sent] == [200] * 6, [(entry["error"], entry["grant_type"]) for entry in sent]
        with check("json"):
            assert json_body(sent[0])["grant_type"] == "client_credentials"
            assert lifetime(done["json"].value) == 3600
        with check("query"):
            assert (sent[1]["method"], query_string(sent[1])["client_id"]) == ("GET", "acme-client")
        with check("targets"):
            assert (sent[2]["audience"], sent[2]["resource"]) == ("https://things", "https://a https://b")
            assert lifetime(done["targets"].value) == 77
        with check("assertion"):
            assert sent[3]["grant_type"] == JWT_BEARER
        with check("signed here"):
            assert sent[4]["grant_type"] == JWT_BEARER
            made = jwt.decode(form(sent[4])["assertion"], public, algorithms=["RS256"], audience=base + "/token")
            assert (made["iss"], made["sub"]) == (stage.credentials("acme")["client_id"], "robot")
        with check("described"):
            found = done["described"].value
            assert (found["vendor"], found["authorization"]) == ("acme_eu", found["access_token"])
        with check("misspelt"):
            assert done["misspelt"].error.startswith("acme_eu: 'tokn_url' is not known in the description of a vendor; did you mean token_url?")
        with check("reserved"):
            assert "extra_parameters must not contain 'client_secret'" in done["reserved"].error
