# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error is one line with the vendor, the Vault path and what to do, without a traceback or a secret."""

from __future__ import annotations

import typing as t

import pytest
from support.lookups import IMPORTED, Batch, Checks, Outcomes, forms, leaked, one_line
from support.processes import MuteServer, closed_port
from support.stage import BUILT_IN, Stage

if t.TYPE_CHECKING:
    from emulator import Emulator
    from support.ansible import Ansible
    from support.vaultsetup import Operator

RFC6749 = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope")


def check_all(check: Checks, done: Outcomes, expected: dict[str, str], *, start: str, secrets: t.Iterable[str]) -> None:
    """Check that each named case failed with one line that begins so and contains this text, and that the output has no secret."""
    for name, text in expected.items():
        with check(name):
            error = done[name].error
            assert error, f"it worked: {done[name].task.result}"
            assert text in error, error
            assert one_line(error), error
            assert done[name].error_code, done[name].task.result
            assert error.startswith(start), error
            assert len(error) < 700, f"a line of {len(error)} characters"
    with check("no traceback, no secret"):
        assert "Traceback" not in done.run.output
        assert leaked(done.run.output, secrets) == []


@pytest.mark.parametrize("vendor", BUILT_IN)
def test_refusals_and_failures_of_vendors_are_explained(openbao_stage: Stage, vendor: str) -> None:
    """The vendor repeats the whole request in its response (``echo_secret``): none of it may be shown."""
    stage = openbao_stage
    where = "secret/fleet/it-"
    cases: dict[str, tuple[str, dict[str, t.Any], str]] = {
        code: ("oauth_error", {"error": code, "echo_secret": True}, f"the credentials at {where} (version 1): {code}. Check ") for code in RFC6749
    }
    cases["another code"] = ("oauth_error", {"error": "made_up", "code": 400, "echo_secret": True}, f"at {where} (version 1): made_up. Check ")
    for status in (401, 403):
        cases[str(status)] = ("status", {"code": status, "echo_secret": True}, f"refused the credentials at {where} (version 1): ")
    cases["404"] = ("status", {"code": 404, "body": "nothing here", "content_type": "text/plain"}, "(HTTP 404). Check base_url")
    cases["429"] = ("status", {"code": 429, "echo_secret": True, "retry_after": 90}, "too many requests (HTTP 429)")
    for status in (500, 502, 503, 504):
        text = f"is not available (HTTP {status}), so there is no token for {where} (version 1)."
        cases[str(status)] = ("status", {"code": status, "echo_secret": True}, text)
    answer = f"gave no token for {where} (version 1): "
    cases |= {
        "html": ("html", {"echo_secret": True}, answer + "it answered with a web page instead of JSON (HTTP 200). Check base_url and token_url."),
        "html 503": ("html", {"code": 503, "echo_secret": True}, "is not available (HTTP 503)"),
        "empty": ("empty", {}, answer + "its answer is empty"),
        "cut JSON": ("invalid_json", {}, answer + "its answer is not a JSON object"),
        "a list": ("literal", {"body": "[1]"}, answer + "its answer is not a JSON object"),
        "cut": ("cut", {"missing": 100}, f"no token for {where}: the answer of the vendor at "),
        "closed": ("close", {}, "the answer of the vendor at"),
        "reset": ("close", {"reset": True}, "the answer of the vendor at"),
        "no token": ("no_token", {}, answer + "its answer has no token in '"),
        "a number as token": ("wrong_token", {"value": 12345}, answer + "its answer has no token in '"),
        "a line break in the token": ("wrong_token", {"value": "a\nb: c"}, answer + "its token has characters that an HTTP header cannot contain"),
        "error with 200": ("error_200", {"echo_secret": True}, f"refused the credentials at {where} (version 1): invalid_grant. Check "),
        "huge": ("huge", {"mib": 2}, "sent more than 1 MiB"),
        "bomb": ("gzip_bomb", {"mib": 20}, "sent more than 1 MiB"),
        "redirect": ("redirect", {}, "redirects to localhost:"),
        "redirect of the method": ("redirect", {"code": 307}, "redirects to localhost:"),
    }
    batch = Batch(stage, cache="none", http_retries=0)
    expected = {}
    for number, (name, (fault, options, text)) in enumerate(cases.items()):
        stage.emulator.fail(vendor, fault, **options)
        stage.store(vendor, f"fleet/it-{number}")  # a failure is remembered only for the secret that caused it
        batch.add(name, vendor, f"fleet/it-{number}")
        expected[name] = text.replace(where, f"{where}{number}")
    stage.store(vendor)
    batch.add("well again", vendor, output="details")
    done = batch.run("-vvvvv")
    token = done["well again"].value["access_token"]
    # The collection does not know the owner's login at the vendor, but it knows everything else in the responses.
    others = [stage.emulator.credentials["trackmage_user"]["password"], stage.emulator.credentials["trackunit_v2"]["client_secret"]]
    secrets = [secret for secret in stage.emulator.secrets() if secret not in (token, *others)]
    with Checks() as check:
        check_all(check, done, expected, start=f"{vendor}: ", secrets=secrets)
        with check("each was asked once"):
            assert len(stage.emulator.requests(vendor, kind="token")) == len(cases) + 1
        with check("nothing was sent on"):
            assert stage.emulator.requests(kind="sink") == []
        with check("the vendor's words are shown, scrubbed"):
            assert "The vendor says: scripted refusal" in done["invalid_grant"].error
        with check("when to ask again"):
            assert "It asks to wait 90 s." in done["429"].error
            assert "as soon as the secret changes" in done["invalid_client"].error
        with check("the codes"):
            codes = {"invalid_client": "L01", "invalid_grant": "L02", "invalid_scope": "L03", "503": "L05", "429": "L06", "redirect": "L10", "html": "L11"}
            assert {name: done[name].error_code for name in codes} == {name: f"TRK-{code}" for name, code in codes.items()}


def test_unreachable_vendors_are_explained(openbao_stage: Stage) -> None:
    stage = openbao_stage
    for vendor in BUILT_IN:
        stage.store(vendor)
    closed = f"http://127.0.0.1:{closed_port()}"
    quick = {"http_retries": 0}
    batch = Batch(stage, **quick)
    with MuteServer() as mute:
        for vendor in BUILT_IN:
            batch.add(f"{vendor} refused", vendor, base_url=closed, cache="none")
            batch.add(f"{vendor} no TLS", vendor, base_url=stage.emulator.base_url(vendor).replace("http", "https"), cache="none")
        batch.add("mute", "trackmage", base_url=mute, http_timeout=0.5, cache="none")
        batch.add("no name", "trackmage", base_url="https://no-such-host.invalid", cache="none")
        batch.add("no http", "trackmage", base_url="http://vendor.example.com")
        batch.add("no URL", "trackmage", base_url="api.trackmage.com")
        done = batch.run("-vvv")
    expected = {
        "mute": "no token for secret/trackmage: the vendor at 127.0.0.1:",
        "no name": "no token for secret/trackmage: the vendor at no-such-host.invalid cannot be reached",
        "no http": "vendor.example.com would get the credentials over plain http. Use https, or set allow_http if you must.",
        "no URL": "trackmage: base_url 'api.trackmage.com' is not an address: it must begin with https://",
    }
    with Checks() as check:
        check_all(check, done, expected, start="trackmage: ", secrets=stage.emulator.secrets())
        for vendor in BUILT_IN:
            with check(vendor):
                place = f"{vendor}: no token for secret/{vendor}: "
                assert done[f"{vendor} refused"].error == (
                    f"{place}the vendor at {closed[len('http://') :]} cannot be reached (connection refused). "
                    "Check base_url and token_url, the network and http_proxy."
                )
                assert done[f"{vendor} no TLS"].error.startswith(f"{place}TLS with the vendor at 127.0.0.1:")


def test_refusals_of_vault_are_explained(stage: Stage) -> None:
    """Logins and policies that fail, and secrets that are missing or malformed."""
    vault, good = stage.vault, stage.credentials("trackunit")
    vault.put("fleet/it", good)
    vault.put("denied/it", good)
    shapes: dict[str, dict[str, t.Any]] = {
        "missing-field": {name: value for name, value in good.items() if name != "password"},
        "empty-field": {**good, "password": ""},
        "blank-field": {**good, "password": "  "},
        "number": {**good, "password": 12345678},
        "null": {**good, "password": None},
        "nested": {**good, "client_secret": {"value": "nested-secret-value"}},
        "nothing": {},
    }
    for name, data in shapes.items():
        vault.put(f"fleet/{name}", data)
    vault.put("fleet/deleted", good)
    vault.delete("fleet/deleted")
    policy = vault.read_policy("fleet/*")
    role = vault.approle("ci", [policy])
    vault.userpass("ada", "the-right-password", [policy])
    keys, others = vault.jwt("robots", [policy]), "wrong-audience"
    wrong_jwt = keys.sign(aud=others)
    token, revoked = vault.token(policy), vault.token(policy)
    vault.server.client(token=revoked).auth.token.revoke_self()
    approle = {"auth_method": "approle", "role_id": role.role_id}
    batch = Batch(stage)
    batch.add("wrong token", "trackunit", "fleet/it", token="hvs.wrong-token-0123456789")
    batch.add("revoked token", "trackunit", "fleet/it", token=revoked)
    batch.add("checked token", "trackunit", "fleet/it", token="hvs.wrong-token-0123456789", token_validate=True)
    batch.add("token that cannot be sent", "trackunit", "fleet/it", variables={"ansible_hashi_vault_token": "hvs.line\nbreak-in-token"})
    batch.add("wrong secret_id", "trackunit", "fleet/it", secret_id="wrong-secret-id-4711", **approle)
    batch.add("no secret_id", "trackunit", "fleet/it", **approle)
    batch.add("wrong password", "trackunit", "fleet/it", auth_method="userpass", username="ada", password="the-wrong-password")
    batch.add("wrong mount", "trackunit", "fleet/it", auth_method="userpass", username="ada", password="the-right-password", mount_point="nowhere")
    batch.add("wrong jwt", "trackunit", "fleet/it", auth_method="jwt", role_id="robots", jwt=wrong_jwt)
    batch.add("no jwt", "trackunit", "fleet/it", auth_method="jwt", role_id="robots", jwt="not-a-jwt-at-all")
    batch.add("no username", "trackunit", "fleet/it", auth_method="userpass", password="the-right-password")
    batch.add("denied", "trackunit", "denied/it")
    batch.add("missing", "trackunit", "fleet/none")
    batch.add("deleted", "trackunit", "fleet/deleted")
    for name in shapes:
        batch.add(name, "trackunit", f"fleet/{name}")
    batch.add("good", "trackunit", "fleet/it", output="details")
    done = batch.run("-vvvvv", env={"VAULT_TOKEN": token})

    place, version = "no token for secret/fleet/it: Vault at http://127.0.0.1:", "the secret secret/fleet/"
    hint = "Put the vendor's {} there, or name the right key with credential_fields."
    expected = {
        "wrong token": " token",
        "revoked token": " token",
        "checked token": "does not accept the token",
        "token that cannot be sent": "has characters that cannot be sent",
        "wrong secret_id": f"{place}",
        "no secret_id": f"{place}",
        "wrong password": "refused the login by userpass at auth/userpass as ada",
        "wrong mount": "login by userpass at auth/nowhere",
        "wrong jwt": "refused the login by jwt at auth/jwt as role robots",
        "no jwt": "refused the login by jwt at auth/jwt as role robots",
        "no username": "auth_method=userpass needs username (ANSIBLE_HASHI_VAULT_USERNAME).",
        "denied": "denied reading secret/data/denied/it",
        "missing": "has no secret at secret/fleet/none (KV version 2).",
        "deleted": "version 1 of the secret at secret/fleet/deleted is deleted.",
        "missing-field": f"{version}missing-field has no field 'password'. {hint.format('password')}",
        "empty-field": f"{version}empty-field has an empty field 'password'. {hint.format('password')}",
        "blank-field": f"{version}blank-field has an empty field 'password'.",
        "number": "refused the credentials at secret/fleet/number (version 1): invalid_grant",
        "null": f"{version}null has a field 'password' that is neither a string nor a number.",
        "nested": f"{version}nested has a field 'client_secret' that is neither a string nor a number.",
        "nothing": f"{version}nothing has no field 'client_id'.",
    }
    secrets = [*stage.emulator.secrets(), token, revoked, vault.root_token, "12345678", "nested-secret-value"]
    secrets = [secret for secret in secrets if secret != done["good"].value["access_token"]]
    with Checks() as check:
        check_all(check, done, expected, start="trackunit: ", secrets=secrets)
        with check("the vendor was asked by the one that could"):
            assert len(stage.emulator.requests("trackunit", kind="token")) == 2  # this number's digits are a password
        given = ["hvs.wrong-token-0123456789", "break-in-token", "wrong-secret-id-4711", "the-wrong-password", wrong_jwt, "not-a-jwt-at-all"]
        for name in expected:
            with check(f"{name} does not show what was given"):
                assert leaked(done[name].error, given) == []


def test_an_unreachable_vault_is_explained(vault_tls: Operator, emulator: Emulator, ansible: Ansible) -> None:
    """Vault is unreachable, fails TLS or is sealed; once it is back, lookups work again."""
    stage = Stage(vault=vault_tls, emulator=emulator, ansible=ansible)
    stage.store("trackmage", "fleet/it")
    token, address = stage.token(), vault_tls.address
    closed = f"http://127.0.0.1:{closed_port()}"
    with MuteServer() as mute:
        batch = Batch(stage)
        batch.add("closed", "trackmage", "fleet/it", url=closed)
        batch.add("mute", "trackmage", "fleet/it", url=mute, timeout=1)
        batch.add("no name", "trackmage", "fleet/it", url="https://no-such-host.invalid:8200")
        batch.add("no CA", "trackmage", "fleet/it", ca_cert="")
        batch.add("another name", "trackmage", "fleet/it", url=address.replace("127.0.0.1", "127.0.0.2"))
        batch.add("http at https", "trackmage", "fleet/it", url=address.replace("https", "http"))
        batch.add("https at http", "trackmage", "fleet/it", url=emulator.url.replace("http", "https"))
        batch.add("not Vault", "trackmage", "fleet/it", url=emulator.url)
        batch.add("no URL", "trackmage", "fleet/it", url="vault.example.com")
        done = batch.run("-vvv", env={"VAULT_TOKEN": token, "VAULT_CACERT": None, "ANSIBLE_HASHI_VAULT_CA_CERT": vault_tls.server.ca_cert})
        missing = Batch(stage)
        missing.add("no address", "trackmage", "fleet/it")
        without = missing.run(env={"VAULT_TOKEN": token, "VAULT_ADDR": ""})
    vault_tls.server.seal()
    try:
        sealed = Batch(stage)
        sealed.add("sealed", "trackmage", "fleet/it")
        sealed.add("sealed, at login", "trackmage", "fleet/it", auth_method="userpass", username="ada", password="ada-password")
        while_sealed = sealed.run("-vvv", env={"VAULT_TOKEN": token})
    finally:
        vault_tls.server.unseal()
    again = Batch(stage, output="details")
    again.add("unsealed", "trackmage", "fleet/it")
    unsealed = again.run(env={"VAULT_TOKEN": token})

    place = "trackmage: no token for secret/fleet/it: "
    secrets = [token, vault_tls.root_token, *(s for s in emulator.secrets() if s != unsealed["unsealed"].value["access_token"])]
    with Checks() as check:
        check_all(
            check,
            done,
            {
                "closed": f"Vault at {closed} cannot be reached: connection refused. Check that it runs, and url (VAULT_ADDR).",
                "mute": "did not answer within 1 s. Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT).",
                "no name": "Vault at https://no-such-host.invalid:8200 cannot be reached",
                "another name": "Vault at https://127.0.0.2:",
                "http at https": "speaks TLS only: begin url with https:// (VAULT_ADDR).",
                "https at http": "does not speak TLS: begin url with http:// if that is intended (VAULT_ADDR).",
                "not Vault": "Check url (VAULT_ADDR) and proxies.",
            },
            start=place,
            secrets=secrets,
        )
        check_all(check, done, {"no URL": "url must be the address of Vault"}, start="trackmage: ", secrets=secrets)
        with check("no address"):
            assert without["no address"].error == "trackmage: no address of Vault is known. Set url (ANSIBLE_HASHI_VAULT_ADDR, or VAULT_ADDR)."
        sealed = f"Vault at {address} is sealed. An operator must unseal it first."
        check_all(check, while_sealed, dict.fromkeys(("sealed", "sealed, at login"), sealed), start=place, secrets=[*secrets, "ada-password"])
        with check("unsealed"):
            assert unsealed["unsealed"].value["source"] == "vendor"


def test_wrong_options_are_reported_before_any_request(openbao_stage: Stage) -> None:
    """Wrong options are reported with the vendor's name, before any request."""
    stage = openbao_stage
    stage.store("trackunit")
    cases: dict[str, tuple[dict[str, t.Any], str]] = {
        "misspelt": ({"mn_ttl": 5}, "there is no option 'mn_ttl'; did you mean min_ttl?"),
        "output": ({"output": "secret"}, "Use one of: token, authorization, headers, details."),
        "variant": ({"variant": "v3"}, "Use one of: password, v2."),
        "engine_version": ({"engine_version": "3"}, "Use one of: 2, 1, auto."),
        "auth_method": ({"auth_method": "magic"}, "trackunit: auth_method cannot be 'magic'. Use one of: token, userpass, ldap, approle,"),
        "min_ttl": ({"min_ttl": "soon"}, "trackunit: min_ttl cannot be 'soon'. It must be a number."),
        "variant as a list": ({"variant": ["password"]}, "trackunit: variant has an invalid value. Use one of: password, v2."),
        "client_auth": ({"client_auth": "magic"}, "Use one of: basic, basic_raw."),
        "failure_ttl": ({"failure_ttl": "abc"}, "trackunit: failure_ttl cannot be 'abc'. It must be a number."),
        "failure_ttl below 0": ({"failure_ttl": -1}, "trackunit: failure_ttl must be at least 0."),
        "min_ttl below 0": ({"min_ttl": -1}, "trackunit: min_ttl must be at least 0."),
        "secret_version": ({"secret_version": "newest"}, "trackunit: secret_version cannot be 'newest'. It must be a whole number."),
        "http_timeout": ({"http_timeout": 0}, "trackunit: http_timeout must be at least 0.001."),
        "credential_fields": ({"credential_fields": "{{"}, "credential_fields"),
        "extra_parameters": ({"extra_parameters": ["a"]}, "extra_parameters"),
        "reserved": ({"extra_parameters": {"password": "pw-given-by-mistake"}}, "extra_parameters must not contain 'password'"),
        "client key": ({"http_client_key": "k.pem"}, "trackunit: http_client_key needs http_client_cert."),
        "url": ({"url": "vault.example.com"}, "trackunit: url must be the address of Vault, such as https://vault.example.com:8200 (VAULT_ADDR)."),
        "timeout": ({"timeout": -3}, "trackunit: timeout must be a number of seconds above 0"),
        "retries": ({"retries": "often"}, "trackunit: retries must be a number of retries from 0 to 1000"),
        "base_url": ({"base_url": "ftp://vendor"}, "trackunit: the token endpoint is not a usable http(s) address. Check base_url and token_url."),
        "user in the URL": ({"base_url": "https://me:pw-in-the-url@vendor"}, "trackunit: the token endpoint is not a usable http(s) address."),
        "scope": ({"variant": "v2"}, "trackunit: scope is needed in its variant v2"),
    }
    batch = Batch(stage)
    for name, (options, _text) in cases.items():
        batch.add(name, "trackunit", **options)
    batch.expression("a term that is no path", "query('trackops.api_tokens.trackunit', {'a': 'b'})")
    batch.add("an empty term", "trackunit", "")
    done = batch.run(env={"TRACKOPS_OUTPUT": ""})
    variable = Batch(stage)
    variable.add("cache", "trackunit")
    from_variable = variable.run(env={"TRACKOPS_CACHE": "valt"})
    expected = {name: text for name, (_options, text) in cases.items()}
    expected["a term that is no path"] = "trackunit: the terms must be paths in Vault, as strings."
    expected["an empty term"] = "trackunit: the Vault path of the credentials is needed, for example fleet/trackunit."
    with Checks() as check:
        check_all(check, done, expected, start="trackunit: ", secrets=["pw-given-by-mistake-not"])
        with check("the variable is named"):
            assert from_variable["cache"].error == "trackunit: cache (TRACKOPS_CACHE) cannot be 'valt'. Use one of: file, vault, none."
        with check("a password in a URL is not shown"):
            assert "pw-in-the-url" not in done["user in the URL"].error
        with check("nobody was asked"):
            assert stage.emulator.requests() == []
            assert stage.vault.audit_requests() == []


def test_refusals_are_remembered_until_the_secret_changes(openbao_stage: Stage) -> None:
    """With a wrong password, two runs of ten hosts cause one failed login; a corrected secret works at once."""
    stage = openbao_stage
    stage.store("trackunit", "fleet/it", password="the-wrong-password")
    play = """
        - hosts: all
          gather_facts: false
          tasks:
            - name: token
              ansible.builtin.debug:
                msg: "{{ lookup('trackops.api_tokens.trackunit', 'fleet/it') | length }}"
        """
    inventory = stage.ansible.write("inventory", "".join(f"host{number} ansible_connection=local\n" for number in range(10)))
    env = {"VAULT_TOKEN": stage.token(), **IMPORTED}
    failed = stage.playbook(play, "--forks", "10", inventory=inventory, env=env)
    again = stage.playbook(play, inventory=inventory, env=env)
    assert len(stage.emulator.requests("trackunit", kind="token")) == 1, failed
    stage.store("trackunit", "fleet/it")
    mended = stage.playbook(play, "--forks", "10", inventory=inventory, env=env)
    text = "the vendor refused the credentials at secret/fleet/it (version 1): invalid_grant. Check username and password there;"
    assert (failed.rc, again.rc, mended.rc) == (2, 2, 0), failed
    assert all(text in str(task.result["msg"]) for task in (*failed.find("token"), *again.find("token")))
    assert len(stage.emulator.requests("trackunit", kind="token")) == 2
    assert not any(form in failed.output + again.output for form in forms("the-wrong-password"))
