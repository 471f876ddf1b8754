# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins to real Vaults, and the settings of ``community.hashi_vault``, unchanged."""

from __future__ import annotations

import typing as t

import pytest
from support.awkward import AWKWARD
from support.lookups import Batch, Checks, Outcomes, leaked
from support.processes import closed_port
from support.stage import Stage

if t.TYPE_CHECKING:
    from emulator import Emulator
    from support.ansible import Ansible
    from support.vaultsetup import Operator

# For runs that do not log in with the stage's token.
NO_TOKEN = {"VAULT_TOKEN": None}


def test_login_methods_work_on_any_mount(stage: Stage) -> None:
    """token, approle with and without secret_id, userpass, jwt; on other mounts too. Each login is reused."""
    vault = stage.vault
    stage.store("tracx", "fleet/tracx")
    policy = vault.read_policy("fleet/*")
    full, bare = vault.approle("ci", [policy]), vault.approle("bare", [policy], secret_id=False)
    other = vault.approle("other", [policy], mount="teams/ci")
    vault.userpass("ada", AWKWARD[2], [policy])
    vault.userpass("bob", "bob-password", [policy], mount="people")
    keys = vault.jwt("robots", [policy])
    signed = keys.sign()
    token = vault.token(policy)
    methods: dict[str, dict[str, t.Any]] = {
        "token": {"token": token},
        "token, validated": {"token": token, "token_validate": True},
        "approle": {"auth_method": "approle", "role_id": full.role_id, "secret_id": full.secret_id},
        "approle without secret_id": {"auth_method": "approle", "role_id": bare.role_id},
        "approle elsewhere": {"auth_method": "approle", "role_id": other.role_id, "secret_id": other.secret_id, "mount_point": "teams/ci"},
        # As a variable, because templates interpret backslashes.
        "userpass": {"auth_method": "userpass", "username": "ada", "variables": {"ansible_hashi_vault_password": AWKWARD[2]}},
        "userpass elsewhere": {"auth_method": "userpass", "username": "bob", "password": "bob-password", "mount_point": "people"},
        "jwt": {"auth_method": "jwt", "role_id": keys.role, "jwt": signed},
    }
    batch = Batch(stage, output="details")
    for name, options in methods.items():
        batch.add(name, "tracx", "fleet/tracx", **options)
        batch.add(f"{name}, again", "tracx", "fleet/tracx", force=True, **options)
    # An identity without access to the path must not get the token that another one has fetched.
    vault.userpass("eve", "eve-password", [vault.read_policy("elsewhere/*")])
    batch.add("nobody", "tracx", "fleet/tracx", auth_method="userpass", username="eve", password="eve-password")
    done = batch.run(env=NO_TOKEN)

    logins = [entry.path for entry in vault.audit_requests() if "login" in entry.path]
    with Checks() as check:
        for name in methods:
            with check(name):
                same = "cache" if name == "token, validated" else "vendor"
                assert done[name].value["source"] == same, "each identity has a cache of its own"
                # force renews only once a run, and the same token is the same identity.
                assert done[f"{name}, again"].value["source"] == same
        with check("one login each"):
            assert sorted(logins) == sorted(
                [
                    "auth/approle/login",
                    "auth/approle/login",
                    "auth/teams/ci/login",
                    "auth/userpass/login/ada",
                    "auth/people/login/bob",
                    "auth/jwt/login",
                    "auth/userpass/login/eve",
                ]
            )
        with check("nobody"):
            assert "denied" in done["nobody"].error


def test_a_cached_login_is_reused_by_the_next_run(stage: Stage) -> None:
    stage.store("tracx", "fleet/tracx")
    role = stage.vault.approle("ci", [stage.vault.read_policy("fleet/*")], secret_id_num_uses=1)
    env = {
        **NO_TOKEN,
        "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle",
        "VAULT_APPROLE_ROLE_ID": role.role_id,
        "VAULT_APPROLE_SECRET_ID": role.secret_id,
    }
    for _ in range(2):
        batch = Batch(stage, output="details")
        batch.add("forced", "tracx", "fleet/tracx", force=True)
        assert batch.run(env=env)["forced"].value["source"] == "vendor"
    assert len(stage.vault.audit_requests("auth/approle/login")) == 1


def test_the_token_file_is_found_and_reported(stage: Stage) -> None:
    stage.store("tracx", "fleet/tracx")
    token = stage.token()
    home = stage.ansible.home
    (home / ".vault-token").write_text(token + "\n", encoding="utf-8")
    (home / "elsewhere").mkdir()
    (home / "elsewhere" / "my token").write_text(token, encoding="utf-8")
    (home / "elsewhere" / "wrong").write_text("hvs.wrong-token-in-file", encoding="utf-8")
    batch = Batch(stage)
    batch.add("home", "tracx", "fleet/tracx")
    batch.add("token_path", "tracx", "fleet/tracx", token_path=str(home / "elsewhere"), token_file="my token")
    batch.add("token_path with a tilde", "tracx", "fleet/tracx", token_path="~/elsewhere", token_file="my token")
    batch.add(
        "as variables",
        "tracx",
        "fleet/tracx",
        variables={
            "ansible_hashi_vault_token_path": str(home / "elsewhere"),
            "ansible_hashi_vault_token_file": "my token",
        },
    )
    batch.add("wrong", "tracx", "fleet/tracx", token_path=str(home / "elsewhere"), token_file="wrong")
    batch.add("none", "tracx", "fleet/tracx", token_file="no-such-file")
    done = batch.run(env={"VAULT_TOKEN": "", "ANSIBLE_HASHI_VAULT_TOKEN": ""})
    with Checks() as check:
        for name in ("home", "token_path", "token_path with a tilde", "as variables"):
            with check(name):
                assert done[name].value.startswith("ey")
        with check("wrong"):
            assert "denied" in done["wrong"].error or "does not accept the token" in done["wrong"].error
            assert not leaked(done.run.output, ["hvs.wrong-token-in-file", token])
        with check("none"):
            assert done["none"].error == (
                "tracx: auth_method=token needs token (ANSIBLE_HASHI_VAULT_TOKEN, VAULT_TOKEN, or the file ~/.vault-token (token_path, token_file))."
            )


def test_certificate_logins_work_over_tls(vault_tls: Operator, emulator: Emulator, ansible: Ansible) -> None:
    """Login by certificate over TLS with a CA file, and the ways to name the CA file."""
    stage = Stage(vault=vault_tls, emulator=emulator, ansible=ansible)
    stage.store("tracx", "fleet/tracx")
    policy = vault_tls.read_policy("fleet/*")
    pair = vault_tls.cert("web", [policy])
    ca = str(vault_tls.server.ca_cert)
    cert = {"auth_method": "cert", "cert_auth_public_key": str(pair.cert), "cert_auth_private_key": str(pair.key)}
    token = vault_tls.token(policy)
    batch = Batch(stage, output="details")
    batch.add("cert", "tracx", "fleet/tracx", ca_cert=ca, **cert)
    batch.add("cert of a role", "tracx", "fleet/tracx", cacert=ca, role_id="web", **cert)
    batch.add(
        "cert as variables",
        "tracx",
        "fleet/tracx",
        auth_method="cert",
        role_id="web",
        cache="none",
        variables={
            "ansible_hashi_vault_ca_cert": ca,
            "ansible_hashi_vault_cert_auth_public_key": str(pair.cert),
            "ansible_hashi_vault_cert_auth_private_key": str(pair.key),
        },
    )
    batch.add("cert unchecked", "tracx", "fleet/tracx", validate_certs=False, role_id="web", mount_point="cert", **cert)
    batch.add("no such role", "tracx", "fleet/tracx", ca_cert=ca, role_id="nobody", **cert)
    batch.add("token", "tracx", "fleet/tracx", ca_cert=ca, token=token)
    batch.add("unchecked", "tracx", "fleet/tracx", token=token, cache="none", variables={"ansible_hashi_vault_validate_certs": False})
    batch.add("no CA", "tracx", "fleet/tracx", token=token, cache="none")
    batch.add("no such CA file", "tracx", "fleet/tracx", token=token, cache="none", ca_cert="/nonexistent/ca.pem")
    done = batch.run(env={**NO_TOKEN, "VAULT_CACERT": ""})
    late = Batch(stage)
    late.add("VAULT_CACERT", "tracx", "fleet/tracx", token=token, cache="none")
    with_ca = late.run(env={**NO_TOKEN, "VAULT_CACERT": ca})
    skip = Batch(stage)
    skip.add("VAULT_SKIP_VERIFY", "tracx", "fleet/tracx", token=token, cache="none")
    skip.add("direct beats VAULT_SKIP_VERIFY", "tracx", "fleet/tracx", token=token, cache="none", validate_certs=True)
    skipped = skip.run(env={**NO_TOKEN, "VAULT_CACERT": "", "VAULT_SKIP_VERIFY": "true"})
    with Checks() as check:
        for name in ("cert", "cert of a role", "cert as variables", "cert unchecked", "token", "unchecked"):
            with check(name):
                assert done[name].value["source"] == "vendor"
        for name in ("cert unchecked", "unchecked"):
            with check(f"{name}: a warning"):
                assert "certificate is not checked" in " ".join(done[name].warnings) + done.run.stderr
        with check("no such role"):
            assert "refused the login by cert at auth/cert as role nobody" in done["no such role"].error
        with check("no CA"):
            assert "has a certificate that is not trusted here" in done["no CA"].error
            assert "ca_cert (VAULT_CACERT)" in done["no CA"].error
        with check("no such CA file"):
            assert "ca_cert /nonexistent/ca.pem cannot be read (no such file or directory)" in done["no such CA file"].error
        with check("late environment"):
            assert with_ca["VAULT_CACERT"].value
            assert skipped["VAULT_SKIP_VERIFY"].value
            assert "not trusted here" in skipped["direct beats VAULT_SKIP_VERIFY"].error


def test_auth_method_none_works_through_a_vault_proxy(stage: Stage) -> None:
    """A real ``bao proxy`` (``vault proxy``) with auto-auth is between us and Vault, and adds the token."""
    stage.store("tracx", "fleet/tracx")
    role = stage.vault.approle("proxy", [stage.vault.read_policy("fleet/*")])
    with stage.vault.server.proxy(role_id=role.role_id, secret_id=t.cast(str, role.secret_id)) as address:
        batch = Batch(stage, output="details")
        batch.add("none", "tracx", "fleet/tracx", auth_method="none", url=address)
        batch.add("denied", "tracx", "other", auth_method="none", url=address)
        done = batch.run(env=NO_TOKEN)
        direct = Batch(stage)
        direct.add("nobody adds a token", "tracx", "fleet/tracx", auth_method="none")
        alone = direct.run(env={"VAULT_TOKEN": "must-not-be-used"})
    with Checks() as check:
        with check("none"):
            assert done["none"].value["source"] == "vendor"
        with check("denied"):
            assert "denied reading secret/data/other" in done["denied"].error
        with check("nobody adds a token"):
            assert "an agent or proxy must add a token" in alone["nobody adds a token"].error


def test_settings_of_community_hashi_vault_apply(openbao_stage: Stage) -> None:
    """A configured community.hashi_vault needs no further settings: its variables, environment and ini apply, with their precedence."""
    stage = openbao_stage
    vault = stage.vault
    stage.store("tracx", "fleet/tracx")
    policy = vault.read_policy("fleet/*")
    role = vault.approle("ci", [policy], mount="ci")
    vault.userpass("ada", "ada-password", [policy])
    good, token = vault.address, vault.token(policy)
    bad = f"http://127.0.0.1:{closed_port()}"
    (stage.ansible.home / ".vault-token").write_text(token, encoding="utf-8")

    def run(names: dict[str, dict[str, t.Any]], env: dict[str, str | None], cfg: str = "") -> Outcomes:
        stage.ansible.write("ansible.cfg", cfg)
        batch = Batch(stage, output="details", force=True)
        for name, case in names.items():
            batch.add(name, "tracx", "fleet/tracx", variables=case.get("vars"), **case.get("direct", {}))
        return batch.run(env={"VAULT_ADDR": None, "VAULT_TOKEN": None, **env})

    unreachable, denied = "cannot be reached", "denied"
    with Checks() as check:
        # The address: each source overrides those below it, which are wrong.
        ini = "[hashi_vault_collection]\nurl = {}\nretries = 1\ntimeout = 11\n"
        results = run(
            {
                "ini": {},
                "variable": {"vars": {"ansible_hashi_vault_url": bad}},
                "older variable": {"vars": {"ansible_hashi_vault_addr": bad}},
                "direct": {"vars": {"ansible_hashi_vault_url": bad}, "direct": {"url": good}},
            },
            {"VAULT_ADDR": bad, "ANSIBLE_HASHI_VAULT_ADDR": ""},
            ini.format(good),
        )
        for name, expected in {"ini": "", "variable": unreachable, "older variable": unreachable, "direct": ""}.items():
            with check(f"url, {name}"):
                assert (expected in results[name].error) if expected else results[name].value
        results = run(
            {
                "env": {},
                "late": {"direct": {"url": ""}},
                "token: env": {},
                "token: variable": {"vars": {"ansible_hashi_vault_token": "hvs.wrong"}},
                "token: direct": {"vars": {"ansible_hashi_vault_token": "hvs.wrong"}, "direct": {"token": token}},
            },
            {"ANSIBLE_HASHI_VAULT_ADDR": good, "VAULT_ADDR": bad, "ANSIBLE_HASHI_VAULT_TOKEN": token, "VAULT_TOKEN": "hvs.wrong-late"},
            ini.format(bad),
        )
        for name, expected in {"env": "", "late": unreachable, "token: env": "", "token: variable": denied, "token: direct": ""}.items():
            with check(f"url and token, {name}"):
                assert (expected in results[name].error or "does not accept" in results[name].error) if expected else results[name].value
        # The late token overrides the file.
        results = run({"late": {}}, {"VAULT_ADDR": good, "VAULT_TOKEN": "hvs.wrong-late"})
        with check("late token before the token file"):
            assert "denied" in results["late"].error or "does not accept" in results["late"].error
        # A complete login, with options from several sources.
        results = run(
            {"ini and env": {}},
            {"VAULT_ADDR": good, "ANSIBLE_HASHI_VAULT_SECRET_ID": role.secret_id},
            f"[hashi_vault_collection]\nauth_method = approle\nrole_id = {role.role_id}\nmount_point = ci\n",
        )
        with check("approle by ini and env"):
            assert results["ini and env"].value
        results = run(
            {
                "variables": {
                    "vars": {
                        "ansible_hashi_vault_auth_method": "userpass",
                        "ansible_hashi_vault_username": "ada",
                        "ansible_hashi_vault_password": "{{ ['ada', 'password'] | join('-') }}",
                        "ansible_hashi_vault_timeout": 9,
                        "ansible_hashi_vault_retries": 2,
                        "ansible_hashi_vault_retry_action": "ignore",
                        "ansible_hashi_vault_proxies": {"http": ""},
                        "ansible_hashi_vault_engine_mount_point": "secret",
                    }
                },
                "variables of approle": {
                    "vars": {
                        "ansible_hashi_vault_auth_method": "approle",
                        "ansible_hashi_vault_role_id": role.role_id,
                        "ansible_hashi_vault_secret_id": role.secret_id,
                        "ansible_hashi_vault_mount_point": "ci",
                    }
                },
                "late variables of approle": {"vars": {"ansible_hashi_vault_auth_method": "approle"}},
                "wrapped": {"vars": {"ansible_hashi_vault_wrap_ttl": "60s", "ansible_hashi_vault_token": token}},
            },
            {"VAULT_ADDR": good, "VAULT_APPROLE_ROLE_ID": role.role_id, "VAULT_APPROLE_SECRET_ID": role.secret_id, "VAULT_APPROLE_PATH": "ci"},
        )
        for name in ("variables", "variables of approle", "late variables of approle", "wrapped"):
            with check(name):
                assert results[name].value
        results = run(
            {"environment": {}},
            {
                "ANSIBLE_HASHI_VAULT_ADDR": good,
                "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "userpass",
                "ANSIBLE_HASHI_VAULT_USERNAME": "ada",
                "ANSIBLE_HASHI_VAULT_PASSWORD": "ada-password",
                "ANSIBLE_HASHI_VAULT_MOUNT_POINT": "userpass",
                "ANSIBLE_HASHI_VAULT_TIMEOUT": "9",
                "ANSIBLE_HASHI_VAULT_RETRIES": '{"total": 1}',
                "ANSIBLE_HASHI_VAULT_RETRY_ACTION": "ignore",
                "ANSIBLE_HASHI_VAULT_PROXIES": "{}",
                "ANSIBLE_HASHI_VAULT_TOKEN_VALIDATE": "true",
                "ANSIBLE_HASHI_VAULT_NAMESPACE": "",
            },
        )
        with check("userpass by env"):
            assert results["environment"].value


def test_proxies_to_vault_are_used(stage: Stage) -> None:
    """``proxies``: one URL for all, a dictionary, JSON; the emulator is the proxy, and refuses plain requests for other hosts."""
    stage.store("tracx")
    closed = f"http://127.0.0.1:{closed_port()}"
    batch = Batch(stage, cache="none")
    batch.add("one URL", "tracx", proxies=closed)
    batch.add("dictionary", "tracx", proxies={"http": closed})
    batch.add("JSON", "tracx", proxies='{"http": "' + closed + '"}')
    batch.add("another scheme", "tracx", proxies={"https": closed})
    done = batch.run()
    with Checks() as check:
        for name in ("one URL", "dictionary", "JSON"):
            with check(name):
                assert "cannot be reached through the proxy. Check proxies" in done[name].error
        with check("another scheme"):
            assert done["another scheme"].value


@pytest.mark.parametrize("flavour", ["openbao"], indirect=True)
def test_logins_use_the_namespace(stage: Stage) -> None:
    inner = stage.vault.namespace("team-a")
    inner.put("tracx", stage.credentials("tracx"))
    role = inner.approle("ci", [inner.read_policy("*")])
    login = {"auth_method": "approle", "role_id": role.role_id, "secret_id": role.secret_id}
    batch = Batch(stage, output="details")
    batch.add("in it", "tracx", namespace="team-a", **login)
    batch.add("outside", "tracx", **login)
    done = batch.run(env=NO_TOKEN)
    with Checks() as check:
        with check("in it"):
            assert done["in it"].value["source"] == "vendor"
        with check("outside"):
            assert "approle" in done["outside"].error
