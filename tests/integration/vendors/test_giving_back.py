# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token revocation (RFC 7009): what is on the wire for each way to authenticate the client, and what is said if it fails."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.lookups import Checks, control, leaked
from support.pki import rsa_pair
from support.wire import form, header

if t.TYPE_CHECKING:
    from emulator import Emulator
    from support.ansible import Run
    from support.pki import Ca
    from support.stage import Stage

ASSERTION = {"client_id", "client_assertion", "client_assertion_type"}
# How the client authenticates: the parameters beside the token, and the scheme in the header.
PROOFS: dict[str, tuple[set[str], str | None]] = {
    "basic": (set(), "Basic"),
    "basic_raw": (set(), "Basic"),
    "post": ({"client_id", "client_secret"}, None),
    "none": ({"client_id"}, None),
    "private_key_jwt": (ASSERTION, None),
    "client_secret_jwt": (ASSERTION, None),
    "bearer_jwt": (set(), "Bearer"),
    "tls_client_auth": ({"client_id"}, None),
}
PURGE = {"state": "absent", "revoke_logins": False}


def run_tasks(stage: Stage, tasks: t.Iterable[dict[str, t.Any]], **options: t.Any) -> Run:
    """One run with these tasks; an entry ``emulator`` controls the emulator between them."""
    play = []
    for number, task in enumerate(tasks):
        if "emulator" in task:
            operation, arguments = task["emulator"]
            play.append(control(stage, operation, arguments, name=f"control {number}"))
        else:
            name = task.pop("name")
            play.append({"name": name, "trackops.api_tokens.token_cache": task})
    run = stage.playbook(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": play}], indent=1), **options)
    assert run.rc == 0, run
    return run


def test_revocation_works_with_every_client_authentication(openbao_stage: Stage, over_tls: tuple[Emulator, Ca]) -> None:
    stage, (secure, ca) = openbao_stage, over_tls
    private, public = rsa_pair()
    certificate = ca.client()
    secret = "a-client-secret: of+some%length-9f3b"
    stage.emulator.set_credentials("acme", client_secret=secret)
    account = {name: stage.credentials("acme")[name] for name in ("client_id", "client_secret")}
    stage.vault.put("fleet/acme", account)
    stage.vault.put("fleet/key", {"client_id": account["client_id"], "private_key": private})
    stage.vault.put("fleet/certificate", {"client_id": account["client_id"], "certificate": certificate.cert_pem, "private_key": certificate.key_pem})
    # The metadata names the endpoints for clients with certificates beside the others (RFC 8705 section 5).
    stage.emulator.set("acme", public_key=public, mtls_base_url=secure.base_url("acme"))
    secure.set("acme", public_key=public)
    tasks: list[dict[str, t.Any]] = []
    for way in PROOFS:
        path = {"tls_client_auth": "fleet/certificate", "private_key_jwt": "fleet/key", "bearer_jwt": "fleet/key"}.get(way, "fleet/acme")
        item = {"vendor": "oauth2", "path": path, "client_auth": way, "issuer": stage.emulator.base_url("acme"), "http_ca_cert": str(ca.cert)}
        tasks += [
            {"emulator": ("set", {"vendor": "acme", "client_auth": [way]})},
            {"name": f"warm {way}", **item},
            {"name": f"purge {way}", **PURGE, **item},
        ]
    run = run_tasks(stage, tasks, env=None)
    sent = dict(zip(PROOFS, [*stage.emulator.requests("acme", kind="revoke"), *secure.requests("acme", kind="revoke")], strict=True))
    with Checks() as check:
        for way, (parameters, scheme) in PROOFS.items():
            with check(way):
                assert run.result(f"warm {way}")["tokens"][0]["source"] == "vendor"
                result = run.result(f"purge {way}")
                assert (result["revoked"], result["removed_by_kind"], result["kept"]) == (["oauth2 access_token"], {"token": 1}, []), result
                entry = sent[way]
                assert (entry["method"], entry["status"], entry["client_auth"], entry["revoked"]) == ("POST", 200, way, True)
                assert set(form(entry)) == {"token", "token_type_hint", *parameters}
                assert form(entry)["token_type_hint"] == "access_token"
                assert (header(entry, "Authorization") or "").partition(" ")[0] == (scheme or "")
                assert header(entry, "Content-Type") == "application/x-www-form-urlencoded"
                assert entry["raw"]["query"] == ""
        with check("each proof is of its own"):
            all_proofs = [entry["jti"] for kind in ("token", "revoke") for entry in stage.emulator.requests("acme", kind=kind) if entry.get("jti")]
            assert len(all_proofs) == len(set(all_proofs)) == 6
        with check("no secret is shown"):
            tokens = [form(entry)["token"] for entry in sent.values()]
            assert leaked(run.output, [secret, *tokens, *private.splitlines()[1:-1], *certificate.key_pem.splitlines()[1:-1]]) == []


FAULTS: dict[str, tuple[dict[str, t.Any], str]] = {
    "refused": ({"fault": "401"}, "its revocation endpoint answered with HTTP 401."),
    "an outage": ({"fault": "503"}, "its revocation endpoint answered with HTTP 503."),
    "no such page": ({"fault": "404"}, "its revocation endpoint answered with HTTP 404."),
    "a redirect": ({"fault": "redirect"}, "its revocation endpoint answered with HTTP 30"),
    "no answer": ({"fault": "close"}, "the answer of the vendor at 127.0.0.1:"),
}


@pytest.mark.parametrize("cache", ["file", "vault"])
def test_a_failed_revocation_is_explained(openbao_stage: Stage, cache: str) -> None:
    """The local or the shared entry is kept, so the purge can be repeated."""
    stage = openbao_stage
    stage.store("acme", "fleet/acme")
    base = stage.emulator.base_url("acme")
    item = {
        "vendor": "oauth2", "path": "fleet/acme", "grant_type": "password", "token_url": f"{base}/token", "revocation_url": f"{base}/revoke",
        "http_retries": 0, "cache": cache,
    }  # fmt: skip
    tasks: list[dict[str, t.Any]] = [{"name": "warm", **item}]
    for name, (fault, _said) in FAULTS.items():
        # The refresh token is revoked first.
        tasks += [{"emulator": ("fail", {"vendor": "acme", "kind": "revoke", **fault})}, {"name": name, **PURGE, **item}]
    tasks += [
        {"emulator": ("fail", {"vendor": "acme", "kind": "revoke", "fault": "503", "skip": 1})},
        {"name": "half of it", **PURGE, **item},
        {"name": "at last", **PURGE, **item},
        {"name": "nothing left", **PURGE, **item},
    ]
    run = run_tasks(stage, tasks, env={"VAULT_TOKEN": stage.vault.root_token})
    what = "oauth2: the token for secret/fleet/acme could not be revoked at the vendor, so it stays in the cache. Try again once that is fixed: "
    with Checks() as check:
        for name, (_fault, said) in FAULTS.items():
            with check(name):
                result = run.result(name)
                assert (result["changed"], result["revoked"], result["removed"]) == (False, [], [])
                assert result["kept"] == [{"vendor": "oauth2", "path": "secret/fleet/acme"}]
                (warning,) = result["warnings"]
                assert warning.startswith(what)
                assert said in warning
        with check("half of it"):
            result = run.result("half of it")
            assert (result["changed"], result["revoked"], result["removed"]) == (True, ["oauth2 refresh_token"], [])
            assert result["not_revoked"] == ["oauth2 access_token"]
            assert result["kept"] == [{"vendor": "oauth2", "path": "secret/fleet/acme"}]
        with check("at last"):
            result = run.result("at last")
            assert (result["revoked"], result["kept"]) == (["oauth2 refresh_token", "oauth2 access_token"], [])
            assert result["removed_by_kind"] == {"token": 1, **({"shared": 1} if cache == "vault" else {})}
        with check("nothing left"):
            result = run.result("nothing left")
            assert (result["changed"], result["not_revoked"]) == (False, [])
            assert result["warnings"] == ["There is nothing in the cache for oauth2 at secret/fleet/acme."]


def test_tokens_of_the_shared_entry_are_revoked(openbao_stage: Stage) -> None:
    """With an empty home, only the shared entry has the tokens; a person's refresh token in Vault is revoked only on request."""
    stage = openbao_stage
    base = stage.emulator.base_url("acme")
    stage.store("acme", "fleet/acme")
    item = {"vendor": "oauth2", "path": "fleet/acme", "grant_type": "password", "issuer": base, "cache": "vault"}
    empty = {"cache_path": str(stage.ansible.workdir / "empty")}
    run = run_tasks(
        stage,
        [{"name": "warm", **item}, {"name": "purge", **PURGE, **item, **empty}, {"name": "again", **PURGE, **item, **empty}],
        env={"VAULT_TOKEN": stage.vault.root_token},
    )
    result = run.result("purge")
    assert (result["changed"], result["revoked"]) == (True, ["oauth2 refresh_token", "oauth2 access_token"]), run
    assert result["removed"] == [{"kind": "shared", "vendor": "oauth2", "path": "secret/fleet/acme"}]
    assert run.result("again")["changed"] is False
    sent = stage.emulator.requests("acme", kind="revoke")
    assert [(form(entry)["token_type_hint"], entry["revoked"]) for entry in sent] == [("refresh_token", True), ("access_token", True)]
