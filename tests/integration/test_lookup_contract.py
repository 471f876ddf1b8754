# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of the lookups: terms, outputs, sources of options, credential_fields, HTTP options, ad-hoc use, many hosts."""

from __future__ import annotations

import time
import typing as t

import pytest
from emulator import Emulator, TlsFiles
from support.lookups import IMPORTED, Batch, Checks, query
from support.pki import Ca
from support.processes import closed_port
from support.stage import BUILT_IN, Stage
from support.wire import header

if t.TYPE_CHECKING:
    import pathlib

    from support.ansible import Ansible
    from support.vaultsetup import Operator

DETAILS = {
    "vendor",
    "access_token",
    "token_type",
    "authorization",
    "expires_at",
    "expires_in",
    "issued_at",
    "scope",
    "source",
    "extra",
}
OUTPUTS = ("token", "authorization", "headers", "details")


def test_a_lookup_ignores_check_mode_and_the_environment_of_its_task(openbao_stage: Stage) -> None:
    """Lookups and modules ignore check mode and the task's environment, which is for what runs on the host, as their pages say."""
    stage = openbao_stage
    stage.store("tracx")
    play = f"""
    - hosts: localhost
      gather_facts: false
      environment: {{VAULT_ADDR: 'http://127.0.0.1:{closed_port()}', TRACKOPS_TRACX_BASE_URL: 'http://127.0.0.1:{closed_port()}', VAULT_TOKEN: wrong}}
      tasks:
        - name: Lookup
          ansible.builtin.set_fact:
            found: "{{{{ lookup('trackops.api_tokens.tracx', output='details') }}}}"
        - name: Module
          trackops.api_tokens.token_info: {{vendor: tracx}}
    """
    run = stage.playbook(play, "--check")
    assert run.rc == 0, run
    details = run.result("Lookup")["ansible_facts"]["found"]
    assert (details["source"], details["token_type"]) == ("vendor", "raw")  # fetched in check mode
    assert (run.result("Module")["source"], run.result("Module")["token_type"]) == ("cache", "raw")
    assert len(stage.emulator.requests("tracx", kind="token")) == 1


def test_every_output_works_with_every_kind_of_term(stage: Stage) -> None:
    stage.store_all()
    stage.store("trackunit", "fleet/deep/trackunit")
    stage.store("acme", "oauth2")
    batch = Batch(stage)
    for vendor in BUILT_IN:
        for output in OUTPUTS:
            batch.add(f"{vendor} {output}", vendor, output=output)
        batch.add(f"{vendor} default", vendor)
    acme = {"vendor": "acme", "token_url": stage.emulator.base_url("acme") + "/token"}
    for output in OUTPUTS:
        batch.add(f"oauth2 {output}", "oauth2", "oauth2", output=output, **acme)
    batch.add("oauth2 default", "oauth2", "oauth2", **acme)
    batch.add("two paths", "trackunit", "trackunit", "fleet/deep/trackunit", output="details")
    batch.add("two paths, turned round", "trackunit", "fleet/deep/trackunit", "trackunit")
    batch.add("slashes", "trackunit", "/fleet/deep/trackunit/")
    batch.expression("lookup", "lookup('trackops.api_tokens.trackunit', 'trackunit', 'fleet/deep/trackunit')")
    batch.expression("a list as terms", "query('trackops.api_tokens.trackunit', *['trackunit', 'fleet/deep/trackunit'])")
    batch.add("own path", "trackunit", variables={"trackops_trackunit_path": "fleet/deep/trackunit"})
    batch.add("no such output", "trackunit", output="secret")
    batch.add("no such option", "trackunit", outputs="token")
    begun, done, ended = int(time.time()), batch.run(), int(time.time()) + 1

    with Checks() as check:
        for vendor in (*BUILT_IN, "oauth2"):
            with check(vendor):
                token = done[f"{vendor} token"].value
                scheme = "" if vendor == "tracx" else "Bearer "
                assert done[f"{vendor} default"].value == token
                assert done[f"{vendor} authorization"].value == scheme + token
                assert done[f"{vendor} headers"].value == {"Authorization": scheme + token}
                details = done[f"{vendor} details"].value
                assert set(details) == DETAILS
                assert (details["access_token"], details["authorization"]) == (token, scheme + token)
                assert details["source"] == "cache"
                assert details["vendor"] == ("acme" if vendor == "oauth2" else vendor)
                assert begun <= details["issued_at"] <= ended
                assert begun + 3600 <= details["expires_at"] <= ended + 3600
                assert begun <= details["expires_at"] - details["expires_in"] <= ended, "from the moment of the lookup"
        with check("one request a token"):
            counts = {vendor: len(stage.emulator.requests(vendor, kind="token")) for vendor in (*BUILT_IN, "acme")}
            assert counts == {"trackmage": 1, "tracx": 1, "tracktik": 1, "trackunit": 2, "acme": 1}
            assert len(stage.vault.audit_requests("secret/data/", operation="read")) == 6
        first, second = (item["access_token"] for item in done["two paths"].values)
        with check("terms in their order"):
            assert first != second
            assert first == done["trackunit token"].value
            assert done["two paths, turned round"].values == [second, first]
            assert done["a list as terms"].task.result["msg"]["found"] == [first, second]
            assert done["slashes"].value == second
        with check("lookup joins"):
            assert done["lookup"].task.result["msg"]["found"] == f"{first},{second}"
        with check("own path"):
            assert done["own path"].value == second
        with check("no such output"):
            assert "output" in done["no such output"].error
            assert "Traceback" not in done["no such output"].error


def test_options_come_from_their_sources_in_order(openbao_stage: Stage) -> None:
    """Direct, variable, environment, ansible.cfg, default; an empty environment variable counts as unset."""
    stage = openbao_stage
    stage.store("trackunit")
    stage.store("trackunit", "from/ini")
    stage.store("trackunit", "from/variable")
    stage.ansible.write(
        "ansible.cfg",
        """
        [trackops_api_tokens]
        authorization_scheme = Ini
        trackunit_scope = api offline_access
        """,
    )
    token = stage.token()
    empty = Batch(stage)
    empty.add("ini", "trackunit", output="authorization")
    empty.add("scope of ini", "trackunit", output="details")
    env = {
        "VAULT_TOKEN": token,
        "TRACKOPS_AUTHORIZATION_SCHEME": "",
        "TRACKOPS_OUTPUT": "",
        "TRACKOPS_TRACKUNIT_SCOPE": "",
        "TRACKOPS_MIN_TTL": "",
        "TRACKOPS_SECRET_VERSION": "",
        "TRACKOPS_HTTP_PROXY": "",
        "TRACKOPS_CACHE": "",
        "VAULT_NAMESPACE": "",
        "VAULT_CACERT": "",
        "ANSIBLE_HASHI_VAULT_ADDR": "",
        "ANSIBLE_HASHI_VAULT_TOKEN": "",
        "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "",
    }
    with_empty = empty.run(env=env)

    own = {"unit_folder": "from", "unit_host": stage.emulator.base_url("trackunit"), "wanted": "120", "vault_at": stage.vault.address}
    batch = Batch(stage)
    header = {"output": "authorization"}
    batch.add("environment", "trackunit", **header)
    batch.add("variable", "trackunit", **header, variables={"trackops_authorization_scheme": "Variable"})
    batch.add("direct", "trackunit", **header, authorization_scheme="Direct", variables={"trackops_authorization_scheme": "Variable"})
    batch.add("direct and empty", "trackunit", **header, authorization_scheme="", variables={"trackops_authorization_scheme": "Variable"})
    batch.add("vendor's variable", "trackunit", output="details", variables={"trackops_trackunit_scope": "api"})
    batch.add(
        "templated",
        "trackunit",
        output="details",
        variables={
            **own,
            "trackops_trackunit_path": "{{ unit_folder }}/variable",
            "trackops_trackunit_token_url": "{{ unit_host }}/token",
            "trackops_min_ttl": "{{ wanted | int }}",
            "ansible_hashi_vault_url": "{{ vault_at }}",
            "trackops_authorization_scheme": "{{ 'Tem' ~ 'plated' }}",
        },
    )
    batch.add("another vendor's variable", "trackunit", output="details", variables={"trackops_tracktik_path": "no/such"})
    done = batch.run(env={"VAULT_TOKEN": token, "TRACKOPS_AUTHORIZATION_SCHEME": "Environment"})
    with Checks() as check:
        with check("ini"):
            assert with_empty["ini"].value.startswith("Ini ey")
            assert with_empty["scope of ini"].value["scope"] == "api offline_access"
        for name in ("environment", "variable", "direct"):
            with check(name):
                assert done[name].value.startswith(f"{name.title()} ey")
        with check("direct and empty"):
            assert done["direct and empty"].value.startswith("ey")
        with check("vendor's variable"):
            assert done["vendor's variable"].value["scope"] == "api"
        with check("templated"):
            assert done["templated"].value["authorization"].startswith("Templated ey")
            assert done["templated"].value["source"] == "vendor"
        with check("another vendor's variable"):
            assert done["another vendor's variable"].value["source"] == "cache"


def test_credential_fields_renames_the_fields_of_a_secret(openbao_stage: Stage) -> None:
    stage = openbao_stage
    known = stage.credentials("trackunit")
    renamed = {"id": known["client_id"], "key": known["client_secret"], "user.name": known["username"], "pass word": known["password"]}
    stage.vault.put("fleet/renamed", {**renamed, "client_id": "not this one", "port": 443, "tags": ["a"], "empty": ""})
    fields = {"client_id": "id", "client_secret": "key", "username": "user.name", "password": "pass word"}
    batch = Batch(stage, output="details")
    batch.add("direct", "trackunit", "fleet/renamed", credential_fields=fields)
    batch.add("variable", "trackunit", "fleet/renamed", variables={"trackops_trackunit_credential_fields": fields})
    batch.add("text", "trackunit", "fleet/renamed", credential_fields="{client_id: id, client_secret: key, username: user.name, password: pass word}")
    batch.add("missing", "trackunit", "fleet/renamed", credential_fields={**fields, "password": "passwd"})
    batch.add("list", "trackunit", "fleet/renamed", credential_fields={**fields, "password": "tags"})
    batch.add("empty", "trackunit", "fleet/renamed", credential_fields={**fields, "password": "empty"})
    batch.add("stranger", "trackunit", "fleet/renamed", credential_fields={**fields, "pasword": "x"})
    batch.add("not a dictionary", "trackunit", "fleet/renamed", credential_fields=["id"])
    done = batch.run()
    hint = "Put the vendor's password there, or name the right key with credential_fields."
    with Checks() as check:
        with check("found"):
            assert [done[name].value["source"] for name in ("direct", "variable", "text")] == ["vendor", "cache", "cache"]
        with check("missing"):
            assert done["missing"].error == f"trackunit: the secret secret/fleet/renamed has no field 'passwd' (did you mean 'pass word'?). {hint}"
        with check("list"):
            assert done["list"].error == f"trackunit: the secret secret/fleet/renamed has a field 'tags' that is neither a string nor a number. {hint}"
        with check("empty"):
            assert done["empty"].error == f"trackunit: the secret secret/fleet/renamed has an empty field 'empty'. {hint}"
        with check("stranger"):
            assert "credential_fields names 'pasword', which is not used. Fields here: client_id, client_secret, username, password." in done["stranger"].error
        with check("not a dictionary"):
            assert "credential_fields" in done["not a dictionary"].error


def test_timeouts_retries_and_deadline_are_observed(openbao_stage: Stage) -> None:
    """Timeouts, retries and the deadline; netrc does not interfere."""
    stage, vendor = openbao_stage, "tracx"
    for name in ("slow", "drip", "patient", "impatient", "again", "deadline", "netrc"):
        stage.store(vendor, f"p/{name}")
    netrc = stage.ansible.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login intruder password netrc-password\n", encoding="utf-8")
    netrc.chmod(0o600)
    batch = Batch(stage, output="details")
    batch.control("fail", vendor=vendor, fault="slow", delay=20)
    batch.add("slow", vendor, "p/slow", http_timeout=0.3, http_retries=0)
    batch.control("heal", vendor=vendor)
    batch.control("fail", vendor=vendor, fault="drip", delay=0.2)
    batch.add("drip", vendor, "p/drip", http_deadline=1, http_retries=0)
    batch.control("heal", vendor=vendor)
    batch.control("fail", vendor=vendor, fault="503", times=2, retry_after=0)
    batch.add("patient", vendor, "p/patient", http_retries=2)
    batch.control("fail", vendor=vendor, fault="503", times=2, retry_after=0)
    batch.add("impatient", vendor, "p/impatient", http_retries=1)
    batch.control("fail", vendor=vendor, fault="429", retry_after=1000)
    batch.add("deadline", vendor, "p/deadline", http_deadline=60)
    batch.add("netrc", vendor, "p/netrc")
    done = batch.run()
    with Checks() as check:
        with check("slow"):
            assert "did not answer within 0.3 s" in done["slow"].error
        with check("drip"):
            assert "did not answer within 1 s" in done["drip"].error
        with check("patient"):
            assert done["patient"].value["source"] == "vendor"
        with check("impatient"):
            assert "is not available (HTTP 503)" in done["impatient"].error
        with check("deadline"):
            assert "It asks to wait 1000 s." in done["deadline"].error
        with check("netrc"):
            assert header(stage.emulator.requests(vendor, kind="token")[-1], "Authorization") == stage.credentials(vendor)["connect_token"]


def test_ca_file_client_certificate_and_proxy_are_used(openbao: Operator, emulator: Emulator, ansible: Ansible, tmp_path: pathlib.Path) -> None:
    """CA file, client certificate, proxy."""
    ca, stranger = Ca(tmp_path / "pki"), Ca(tmp_path / "other")
    server, client = ca.server("vendor"), ca.client()
    both = tmp_path / "both.pem"
    both.write_text(client.cert_pem + client.key_pem, encoding="utf-8")
    elsewhere = ca.server("elsewhere", hosts=("vendor.example.com",))
    expired = ca.server("expired", expired=True)
    closed = f"http://127.0.0.1:{closed_port()}"
    with (
        Emulator(TlsFiles(server.cert, server.key), record_raw=True) as vendor,
        Emulator(TlsFiles(server.cert, server.key, client_ca=ca.cert)) as strict,
        Emulator(TlsFiles(elsewhere.cert, elsewhere.key)) as misnamed,
        Emulator(TlsFiles(expired.cert, expired.key)) as outdated,
    ):
        stage = Stage(vault=openbao, emulator=vendor, ansible=ansible)
        stage.store("trackmage")
        trust = {"http_ca_cert": str(ca.cert)}
        quick = {"http_retries": 0, "cache": "none"}
        base = strict.base_url("trackmage")
        batch = Batch(stage, output="details")
        batch.add("variable of the CA", "trackmage", **quick)
        batch.add("another CA", "trackmage", http_ca_cert=str(stranger.cert), **quick)
        batch.add("system's CAs", "trackmage", http_ca_cert="", **quick)
        batch.add("unchecked", "trackmage", http_ca_cert="", http_validate_certs=False, **quick)
        batch.add("no such file", "trackmage", http_ca_cert=str(tmp_path / "none.pem"), **quick)
        batch.add("wrong name", "trackmage", base_url=misnamed.base_url("trackmage"), **trust, **quick)
        batch.add("expired", "trackmage", base_url=outdated.base_url("trackmage"), **trust, **quick)
        batch.add("no certificate", "trackmage", base_url=base, **trust, **quick)
        batch.add("certificate", "trackmage", base_url=base, http_client_cert=str(client.cert), http_client_key=str(client.key), **trust, **quick)
        batch.add("in one file", "trackmage", base_url=base, http_client_cert=str(both), **trust, **quick)
        batch.add("key alone", "trackmage", base_url=base, http_client_key=str(client.key), **trust, **quick)
        batch.add("no such key", "trackmage", base_url=base, http_client_cert=str(client.cert), http_client_key="/nonexistent.pem", **trust, **quick)
        batch.add("proxy for https", "trackmage", http_proxy=emulator.url, **trust, **quick)
        batch.add("proxy for http", "trackmage", base_url=emulator.base_url("trackmage"), http_proxy=emulator.url, **quick)
        batch.add("no such proxy", "trackmage", http_proxy=closed, **trust, **quick)
        batch.add("plain http at a TLS port", "trackmage", base_url=vendor.base_url("trackmage").replace("https", "http"), **quick)
        batch.add("TLS at a plain port", "trackmage", base_url=emulator.base_url("trackmage").replace("http", "https"), **quick)
        done = batch.run()
        # The tests' environment has PySocks, but most controllers do not.
        (tmp_path / "without").mkdir()
        (tmp_path / "without" / "socks.py").write_text("raise ImportError", encoding="utf-8")
        bare = Batch(stage)
        bare.add("SOCKS", "trackmage", http_proxy="socks5h://127.0.0.1:1", **trust, **quick)
        done.update(bare.run(env={"PYTHONPATH": str(tmp_path / "without")}))
        environment = Batch(stage, output="details")
        environment.add("proxy of the environment", "trackmage", **trust, **quick)
        key_log = tmp_path / "keys"
        through = environment.run(env={"https_proxy": emulator.url, "REQUESTS_CA_BUNDLE": str(stranger.cert), "SSLKEYLOGFILE": str(key_log)})

    tunnels = emulator.requests(kind="proxy")
    with Checks() as check:
        for name in ("variable of the CA", "unchecked", "certificate", "in one file", "proxy for https", "proxy for http"):
            with check(name):
                assert done[name].value["source"] == "vendor"
        with check("proxy of the environment"):
            assert through["proxy of the environment"].value["source"] == "vendor"
        with check("the proxy was used"):
            assert len(tunnels) == 2
            assert all(entry["path"] == f"127.0.0.1:{vendor.port}" for entry in tunnels)
            assert [entry.get("via_proxy") for entry in emulator.requests("trackmage", kind="token")] == [True]
        with check("a warning where nothing is checked"):
            assert "certificate" in " ".join(done["unchecked"].warnings) + done.run.stderr, done["unchecked"].task.result
        for name, text in {
            "another CA": "TLS with the vendor at 127.0.0.1:",
            "system's CAs": "TLS with the vendor at 127.0.0.1:",
            "no such file": "http_ca_cert",
            "wrong name": "mismatch",
            "expired": "certificate has expired",
            "no certificate": "http_client_cert",
            "key alone": "trackmage: http_client_key needs http_client_cert.",
            "no such key": "http_client_key",
            "no such proxy": "(http_proxy) did not connect to the vendor",
            "SOCKS": "trackmage: a SOCKS proxy (http_proxy, or all_proxy in the environment) needs the Python library PySocks. Install it where ansible runs",
            "plain http at a TLS port": "127.0.0.1:",
            "TLS at a plain port": "TLS with the vendor at 127.0.0.1:",
        }.items():
            with check(name):
                assert text in done[name].error
                assert done[name].error.startswith("trackmage: ")
        with check("a log of TLS keys is not kept in silence"):
            assert "CLIENT" in key_log.read_text(encoding="utf-8")
            assert "SSLKEYLOGFILE is set" in " ".join(through.run.output.split())
            assert "SSLKEYLOGFILE" not in done.run.output
        with check("the secret in the URL is nowhere"):
            assert stage.credentials("trackmage")["client_secret"] not in done.run.output + through.run.output


def test_lookups_work_in_ad_hoc_commands(openbao_stage: Stage) -> None:
    stage = openbao_stage
    stage.store_all()
    stage.store("acme", "fleet/acme")
    acme = {"vendor": "acme", "token_url": stage.emulator.base_url("acme") + "/token"}
    expressions = {vendor: query(vendor, output="headers") for vendor in BUILT_IN} | {"oauth2": query("oauth2", "fleet/acme", **acme)}
    with Checks() as check:
        for name, expression in expressions.items():
            run = stage.adhoc("localhost", "-m", "ansible.builtin.debug", "-a", "msg={{ " + expression + " | length }}")
            with check(name):
                assert run.rc == 0, run
                assert run.result("debug")["msg"] in (1, "1")


@pytest.mark.parametrize("strategy", ["free", "linear"])
def test_many_hosts_share_one_request_login_and_read(openbao_stage: Stage, strategy: str) -> None:
    """Forks that ask at the same time share one request per vendor, one login, and one read of each secret."""
    stage = openbao_stage
    stage.store_all("fleet/")
    role = stage.vault.approle("ci", [stage.vault.read_policy("fleet/*")])
    for vendor in BUILT_IN:
        stage.emulator.set(vendor, delay=0.5)
    hosts = "".join(f"host{number} ansible_connection=local\n" for number in range(20))
    inventory = stage.ansible.write("inventory", hosts)
    wanted = {vendor: "{{ lookup('trackops.api_tokens." + vendor + "', 'fleet/" + vendor + "') | hash('sha256') }}" for vendor in BUILT_IN}
    run = stage.playbook(
        f"""
        - hosts: all
          gather_facts: false
          strategy: {strategy}
          tasks:
            - name: tokens
              ansible.builtin.debug:
                msg: {wanted}
        """,
        "--forks",
        "20",
        inventory=inventory,
        env={
            **IMPORTED,
            "VAULT_TOKEN": "",
            "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle",
            "ANSIBLE_HASHI_VAULT_ROLE_ID": role.role_id,
            "ANSIBLE_HASHI_VAULT_SECRET_ID": role.secret_id,
        },
    )
    assert run.rc == 0, run
    assert len(run.find("tokens")) == 20
    assert len({str(task.result["msg"]) for task in run.find("tokens")}) == 1
    assert {vendor: len(stage.emulator.requests(vendor, kind="token")) for vendor in BUILT_IN} == dict.fromkeys(BUILT_IN, 1)
    asked = [entry.path for entry in stage.vault.audit_requests()]
    assert sorted(asked) == sorted(["auth/approle/login", *(f"secret/data/fleet/{vendor}" for vendor in BUILT_IN)])
