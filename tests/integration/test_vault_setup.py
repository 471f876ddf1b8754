# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook vault_setup on both Vaults. ``tests/unit/plugin_utils/_tasks/test_setup_*.py`` tests each value and each response."""

from __future__ import annotations

import http.server
import json
import pathlib
import socket
import stat
import threading
import typing as t

import hvac
import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names
from emulator import Emulator, TlsFiles
from emulator.faults import ECHOES
from support.ansible import Ansible
from support.hosts import interpreter
from support.lookups import Batch
from support.matrix import combinations, matrix_venv
from support.processes import Unavailable, closed_port
from support.stage import Stage

if t.TYPE_CHECKING:
    from support.pki import Ca
    from support.vaultsetup import Operator

PLAYBOOK = "trackops.api_tokens.vault_setup"
MARK = "# Managed by trackops.api_tokens vault_setup, vault_setup_name=api-tokens.\n"
SHARED = ("-e", "vault_setup_shared_cache=true", "-e", '{"vault_setup_consent_paths": ["fleet/trackmage"]}')


@pytest.fixture
def stage(stage: Stage) -> Stage:
    return with_one_host(stage)


def with_one_host(stage: Stage) -> Stage:
    """All plays run on this machine, so all hosts can have the same Python."""
    stage.more["ansible_python_interpreter"] = interpreter(stage.ansible.workdir, str(stage.ansible.bin_dir / "python"))
    return stage


def told_of(run: t.Any) -> list[str]:
    """What the run reports as created or changed, checked against the play's recap."""
    assert run.rc == 0, run
    said = run.result("Report what was done")["msg"]
    lines = list(said) if said != "nothing: everything is already correct" else []
    assert run.stats["localhost"]["changed"] == int(any(not line.startswith("left") for line in lines)), run
    return lines


def warns(run: t.Any, text: str) -> bool:
    """Whether the output has this warning, however Ansible wraps its lines."""
    return "".join(f"[WARNING]: {text}".split()) in "".join(run.output.split())


def policies(stage: Stage) -> list[str]:
    return list(stage.vault.client.auth.approle.read_role("api-tokens")["data"]["token_policies"])


def test_the_playbook_sets_up_an_empty_vault(stage: Stage) -> None:
    vault = stage.vault
    vault.client.sys.disable_secrets_engine("secret")
    operator = {"VAULT_TOKEN": vault.root_token}
    secret_id_file = stage.ansible.home / "secret-id"
    keep = ("-e", f"vault_setup_secret_id_file={secret_id_file}")

    looked = stage.playbook(PLAYBOOK, "--check", *SHARED, *keep, env=operator)
    would = told_of(looked)
    assert would[0] == "would be created: KV version 2 at secret"
    assert would[-1] == f"would be created: a secret_id in {secret_id_file}"
    assert not secret_id_file.exists()
    assert "secret/" not in vault.client.sys.list_mounted_secrets_engines()["data"], "check mode changes nothing"

    # With slashes at the ends of paths, and the consent paths as text.
    slashes = ("-e", "vault_setup_path=/fleet/", "-e", "vault_setup_consent_paths=/fleet/trackmage,fleet/acme/")
    made = stage.playbook(PLAYBOOK, *slashes, "-e", "vault_setup_shared_cache=true", *keep, env=operator)
    assert told_of(made) == [line.removeprefix("would be ") for line in would]
    assert len(would) == 9
    assert stat.S_IMODE(secret_id_file.stat().st_mode) == 0o600
    assert policies(stage) == ["api-tokens", "api-tokens-cache", "api-tokens-consent"]
    read = vault.client.sys.read_policy
    assert read("api-tokens")["data"]["rules"] == MARK + 'path "secret/data/fleet/*" {\n  capabilities = ["read"]\n}\n'
    consent = read("api-tokens-consent")["data"]["rules"]
    assert [line for line in consent.splitlines() if "path" in line] == ['path "secret/data/fleet/trackmage" {', 'path "secret/data/fleet/acme" {']

    # With the token of ``vault login``: what that run or somebody else has set up is kept.
    (stage.ansible.home / ".vault-token").write_text(vault.root_token + "\n", encoding="utf-8")
    login_token = {"VAULT_TOKEN": None}
    vault.client.auth.approle.create_or_update_approle("api-tokens", token_policies=[*policies(stage), "of-others"])
    secret_id_file.chmod(0o640)
    again = stage.playbook(PLAYBOOK, "-e", "vault_setup_path=/fleet/", *keep, env=login_token)
    assert warns(again, f"vault_setup_secret_id_file {secret_id_file} stays as it is, but other users can access it (mode 0640): set its mode to 0600")
    assert told_of(again) == []
    assert policies(stage) == ["api-tokens", "api-tokens-cache", "api-tokens-consent", "of-others"]
    assert "kept: 1 policy of the AppRole, not created by this playbook; see vault read auth/approle/role/api-tokens" in again.output
    role_id = vault.client.auth.approle.read_role_id("api-tokens")["data"]["role_id"]
    lines = again.result("Show what to set")["msg"]
    assert lines[:2] == ["export ANSIBLE_HASHI_VAULT_AUTH_METHOD=approle", f"export ANSIBLE_HASHI_VAULT_ROLE_ID={role_id}"]
    assert lines[2] == f"export ANSIBLE_HASHI_VAULT_SECRET_ID=$(cat {secret_id_file})"
    assert "export TRACKOPS_CACHE_VAULT_MOUNT=api-token-cache" in made.result("Show what to set")["msg"]
    assert "is not used; did you mean" not in looked.output + made.output + again.output  # although a name ending in ttl exists
    for secret in (vault.root_token, secret_id_file.read_text(encoding="utf-8")):
        assert secret not in looked.output + made.output + again.output

    # The new AppRole can get a token, with the shared cache, and do nothing else.
    stage.store("tracx", "fleet/tracx")
    stage.store("tracx", "other/tracx")
    login = {"auth_method": "approle", "role_id": role_id, "secret_id": secret_id_file.read_text(encoding="utf-8")}
    batch = Batch(stage, cache="vault", cache_vault_mount="api-token-cache", **login)
    batch.add("token", "tracx", "fleet/tracx")
    batch.add("other", "tracx", "other/tracx")
    done = batch.run(env={"VAULT_TOKEN": None})
    assert done["token"].value
    assert "denied" in done["other"].error
    assert vault.client.secrets.kv.v2.read_configuration(mount_point="api-token-cache")["data"]["max_versions"] == 1
    logged_in = vault.server.client(token="none")
    logged_in.auth.approle.login(role_id, login["secret_id"])
    with pytest.raises(hvac.exceptions.Forbidden):
        logged_in.secrets.kv.v2.create_or_update_secret("fleet/tracx", {"a": "b"})

    # No shared cache any more; the same consent paths as a list; somebody's change to one of our policies is reverted.
    vault.policy("api-tokens-consent", consent.replace('"update"', '"sudo"'))
    listed = ("-e", "vault_setup_path=/fleet/", "-e", '{"vault_setup_consent_paths": ["fleet/trackmage", "fleet/acme"]}')
    less = stage.playbook(PLAYBOOK, *listed, "-e", "vault_setup_shared_cache=false", env=login_token)
    assert told_of(less) == ["changed: the policy api-tokens-consent", "changed: the AppRole api-tokens"]
    assert policies(stage) == ["api-tokens", "api-tokens-consent", "of-others"]
    assert read("api-tokens-consent")["data"]["rules"] == consent


def reading(*paths: str) -> str:
    return "".join(f'path "secret/data/{path}" {{\n  capabilities = ["read"]\n}}\n' for path in paths)


OWN_PATHS = reading(*names(), "fleet/*")


def test_default_paths_are_allowed_and_foreign_objects_kept(stage: Stage) -> None:
    """The policy allows the lookups' default paths; what others made is kept."""
    client, operator = stage.vault.client, {"VAULT_TOKEN": stage.vault.root_token}
    # As an older version of the playbook or the documentation made it, in any order.
    stage.vault.policy("api-tokens", reading("fleet/*", *reversed(names())))
    ran = told_of(stage.playbook(PLAYBOOK, env=operator))
    assert ran == ["changed: the policy api-tokens", "created: the login method approle at approle", "created: the AppRole api-tokens"]
    assert client.sys.read_policy("api-tokens")["data"]["rules"] == MARK + OWN_PATHS
    stage.store("trackunit")
    role_id = client.auth.approle.read_role_id("api-tokens")["data"]["role_id"]
    secret_id = client.auth.approle.generate_secret_id("api-tokens")["data"]["secret_id"]
    batch = Batch(stage, auth_method="approle", role_id=role_id, secret_id=secret_id)
    batch.add("first", "trackunit")
    assert batch.run(env={"VAULT_TOKEN": None})["first"].value

    # A policy or AppRole of the same name is refused, in check mode too, before anything is changed or shown.
    theirs = 'path "prod/*" { capabilities = ["read"] }'
    stage.vault.policy("api-tokens", theirs)
    shared = ("-e", "vault_setup_token_ttl=600", "-e", "vault_setup_shared_cache=true", "-e", "vault_setup_cache_mount=secret")
    refused = stage.playbook(PLAYBOOK, *shared, "--check", env=operator)
    assert refused.rc != 0
    advice = "It stays as it is. Choose another vault_setup_name, or set vault_setup_take_over=true. [TRK-V11]"
    assert f"already has the policy api-tokens, which this playbook did not create. {advice}" in refused.output
    stage.vault.client.auth.approle.create_or_update_approle("deployer", token_policies=["prod"], token_ttl="5m")
    secret_id_file = stage.ansible.home / "secret-id"
    refused = stage.playbook(PLAYBOOK, "-e", "vault_setup_name=deployer", "-e", f"vault_setup_secret_id_file={secret_id_file}", env=operator)
    assert refused.rc != 0
    said = f"an AppRole deployer at auth/approle that was not created by this playbook: it does not have the policy deployer. {advice}"
    assert said in " ".join(refused.output.split())
    assert client.auth.approle.read_role_id("deployer")["data"]["role_id"] not in refused.output
    assert not secret_id_file.exists()
    client.auth.approle.create_or_update_approle("waiting", token_policies=["waiting"], bind_secret_id=False, token_bound_cidrs=["127.0.0.0/8"])
    waiting = stage.playbook(PLAYBOOK, "-e", "vault_setup_name=waiting", env=operator)
    assert waiting.rc != 0
    said = f"an AppRole waiting at auth/approle that was not created by this playbook: there is no policy waiting. {advice}"
    assert said in " ".join(waiting.output.split())
    assert "waiting" not in client.sys.list_policies()["data"]["policies"]
    deployer = client.auth.approle.read_role("deployer")["data"]
    assert (deployer["token_policies"], deployer["token_ttl"]) == (["prod"], 300)
    assert client.sys.read_policy("api-tokens")["data"]["rules"] == theirs

    client.auth.approle.create_or_update_approle("api-tokens", bind_secret_id=False, token_bound_cidrs=["127.0.0.0/8"])
    # They are taken over, but an existing mount keeps its settings: its secrets would lose their older versions.
    run = stage.playbook(PLAYBOOK, *shared, "-e", "vault_setup_take_over=true", env=operator)
    assert told_of(run) == [
        "changed: the policy api-tokens",
        "left as set on the mount: one version of each entry at secret",
        "created: the policy api-tokens-cache",
        "changed: the AppRole api-tokens",
    ]
    assert client.sys.read_policy("api-tokens")["data"]["rules"] == MARK + OWN_PATHS
    assert client.auth.approle.read_role("api-tokens")["data"]["bind_secret_id"] is True
    assert client.secrets.kv.v2.read_configuration(mount_point="secret")["data"]["max_versions"] == 0
    assert client.sys.read_policy("api-tokens-cache")["data"]["rules"].startswith(MARK + 'path "secret/data/trackops/api_tokens/*"')

    # Since that run, this path is writable as a cache; the next run must not make it readable as credentials.
    overlap = stage.playbook(PLAYBOOK, "-e", "vault_setup_path=trackops", "-e", "vault_setup_shared_cache=false", env=operator)
    assert overlap.rc != 0
    expected = "anyone with write access to the shared cache could overwrite credentials, because the policy api-tokens-cache of an earlier run covers a folder"
    assert expected in " ".join(overlap.output.split()), overlap
    assert client.sys.read_policy("api-tokens")["data"]["rules"] == MARK + OWN_PATHS


def test_what_the_playbook_cannot_do_is_reported(stage: Stage) -> None:
    stage.vault.kv1("old")
    taken = stage.playbook(PLAYBOOK, "-e", "vault_setup_mount=old", env={"VAULT_TOKEN": stage.vault.root_token})
    assert taken.rc != 0
    assert "Vault at http" in taken.output
    expected = "has KV version 1 at sys/mounts/old, not KV version 2 at old. Choose another mount, or upgrade it: vault kv enable-versioning old. "
    assert expected + "Do not remove it: its secrets would be lost. [TRK-V11]" in " ".join(taken.output.split()), taken
    below = stage.playbook(PLAYBOOK, "-e", "vault_setup_mount=secret/data", env={"VAULT_TOKEN": stage.vault.root_token})
    assert below.rc != 0
    expected = "has another mount above secret/data, so KV version 2 at secret/data cannot be created. Choose another mount. [TRK-V11]"
    assert expected in " ".join(below.output.split()), below
    nowhere = stage.ansible.home / "missing" / "secret-id"
    unwritten = stage.playbook(PLAYBOOK, "-e", f"vault_setup_secret_id_file={nowhere}", env={"VAULT_TOKEN": stage.vault.root_token})
    failed = unwritten.result("Set up Vault")
    why = f"vault_setup_secret_id_file {nowhere} cannot be written (no such file or directory). [TRK-O10]"
    assert (unwritten.rc, failed["msg"], failed["error_code"]) == (2, why, "TRK-O10"), unwritten
    done = ["created: the policy api-tokens", "created: the login method approle at approle", "created: the AppRole api-tokens"]
    assert (failed["changed"], failed["done"], failed["to_set"]) == (True, done, []), "what was made before the error is reported"
    denied = stage.playbook(PLAYBOOK)  # with a user's token
    assert denied.rc != 0
    assert "answered with status 403" in denied.output
    assert "Check VAULT_ADDR and the policies of the token. [TRK-V05]" in denied.output


def test_a_missing_vault_or_address_is_reported(openbao_stage: Stage) -> None:
    """Vault does not answer, or its address is not set."""
    down = f"http://127.0.0.1:{closed_port()}"
    silent = openbao_stage.playbook(PLAYBOOK, env={"VAULT_ADDR": down, "VAULT_TOKEN": "x"})
    assert silent.rc != 0
    said = " ".join(silent.output.split())
    expected = "cannot be reached: connection refused. Check that it runs, and VAULT_ADDR (or vault_setup_url). [TRK-V01]"
    assert f"the AppRole api-tokens: Vault at {down} {expected}" in said, said
    nothing = openbao_stage.playbook(PLAYBOOK, env={"VAULT_ADDR": None})
    assert nothing.rc != 0
    assert "Set VAULT_ADDR and VAULT_TOKEN" in nothing.output


@pytest.fixture(params=combinations(), ids=str)
def old_and_new(request: pytest.FixtureRequest, openbao: Operator, emulator: Emulator, collection: pathlib.Path, tmp_path: pathlib.Path) -> Stage:
    """A stage with the oldest and one with the newest ansible-core."""
    try:
        venv = matrix_venv(request.param)
    except Unavailable as exc:
        pytest.skip(str(exc))
    return with_one_host(Stage(vault=openbao, emulator=emulator, ansible=Ansible(tmp_path / "run", collections=collection, bin_dir=venv / "bin")))


def test_a_redirect_gets_no_token(old_and_new: Stage, ca: Ca) -> None:
    """A redirect from https to plain http. The CA file's path is relative to the directory where ansible-playbook starts."""
    sink = old_and_new.emulator
    old_and_new.ansible.write("ca.pem", ca.cert.read_text(encoding="utf-8"))
    pair = ca.server()
    with Emulator(TlsFiles(pair.cert, pair.key)) as standby:
        standby.fail("trackunit", "redirect", times=None, code=307, to=sink.sink_url, kind="api")
        address = f"{standby.base_url('trackunit')}/api"
        run = old_and_new.playbook(PLAYBOOK, env={"VAULT_ADDR": address, "VAULT_CACERT": "ca.pem", "VAULT_TOKEN": old_and_new.vault.root_token})
        asked = [(entry["method"], entry["status"]) for entry in standby.requests(kind="api")]
    assert run.rc != 0
    said = " ".join(run.output.split())
    assert f"the AppRole api-tokens: Vault at {address} redirects to another address, and the token is not sent there. Set VAULT_ADDR" in said, said
    assert asked == [("GET", 307)]
    assert sink.requests(kind="sink") == []


def test_no_output_contains_the_operators_token(old_and_new: Stage) -> None:
    operator: dict[str, str | None] = {"VAULT_TOKEN": old_and_new.vault.root_token}
    secret_id_file = old_and_new.ansible.home / "secret-id"
    options = ("-e", f"vault_setup_secret_id_file={secret_id_file}", "-vvvvv")
    debug = old_and_new.playbook(PLAYBOOK, *options, env={**operator, "ANSIBLE_DEBUG": "1"})
    assert debug.rc != 0
    assert "With ANSIBLE_DEBUG set, Ansible prints the operator's token. Unset it; -vvv does not print the token. [TRK-O04]" in debug.output
    verbose = old_and_new.playbook(PLAYBOOK, *options, env=operator)
    assert len(told_of(verbose)) > 1
    assert "task path:" in verbose.output
    secrets = (old_and_new.vault.root_token, secret_id_file.read_text(encoding="utf-8"))
    assert [secret for secret in secrets if secret in debug.output + verbose.output] == []


TOKEN = "hvs.CAESIJ0123456789abcdefghijklmnopqrstuvw"
EVERY_SPELLING = " ".join(spell(TOKEN) for spell in ECHOES.values())


class Repeating:
    """A server in Vault's place: for a method and a path, *answer* returns the status line, further headers and the body."""

    def __init__(self, answer: t.Callable[[str, str], tuple[str, str, t.Any]], *, host: str = "127.0.0.1") -> None:
        self.tokens: list[str | None] = []
        repeating = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                repeating.tokens.append(self.headers.get("X-Vault-Token"))
                line, headers, body = answer(self.command, self.path)
                content = json.dumps(body).encode()
                head = f"{line}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
                self.wfile.write(head.encode() + content)

            do_GET = do_POST = answer

            def log_message(self, *_: t.Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Repeating:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _refused(_method: str, _path: str) -> tuple[str, str, t.Any]:
    return f"HTTP/1.0 403 No {TOKEN}", f"X-Sent: {TOKEN}\r\n", {"errors": ["permission denied", EVERY_SPELLING]}


def _redirected(_method: str, _path: str) -> tuple[str, str, t.Any]:
    return "HTTP/1.0 307 Elsewhere", f"Location: http://{TOKEN}/{EVERY_SPELLING.replace(' ', '/')}\r\n", {}


def _garbled(_method: str, _path: str) -> tuple[str, str, t.Any]:
    return EVERY_SPELLING, "", {}


def _nothing_there(method: str, path: str) -> tuple[str, str, t.Any]:
    """Report that nothing exists, so that the playbook makes it."""
    if method == "GET" and not path.endswith("/role-id"):
        return "HTTP/1.0 404 Not Found", "", {"errors": []}
    return "HTTP/1.0 200 OK", "", {"data": {"role_id": TOKEN}}


def _a_role_of_others(method: str, path: str) -> tuple[str, str, t.Any]:
    if method == "GET" and path.endswith("/role/api-tokens"):
        return "HTTP/1.0 200 OK", "", {"data": {"token_policies": ["api-tokens", TOKEN, EVERY_SPELLING]}}
    if method == "GET" and path.endswith("/acl/api-tokens"):
        return "HTTP/1.0 200 OK", "", {"data": {"policy": MARK + EVERY_SPELLING}}
    return _nothing_there(method, path)


def _refused_change(method: str, path: str) -> tuple[str, str, t.Any]:
    return _nothing_there(method, path) if method == "GET" else ("HTTP/1.0 400 No", "", {"errors": [EVERY_SPELLING, "path is already in use at x/"]})


def _not_vault(_method: str, _path: str) -> tuple[str, str, t.Any]:
    return "HTTP/1.0 200 OK", "", [EVERY_SPELLING]


def test_values_that_would_widen_a_policy_or_escape_a_url_are_refused(old_and_new: Stage) -> None:
    """They are refused before any request to Vault: otherwise, whoever fills in a survey for the playbook could use the operator's token."""
    with Repeating(_nothing_there) as vault:
        env = {"VAULT_ADDR": f"http://127.0.0.1:{vault.port}", "VAULT_TOKEN": TOKEN}
        wrong = {"vault_setup_shared_cache": True, "vault_setup_consent_paths": ["fleet/trackmage", "fleet/{{ '..' }}"]}
        run = old_and_new.playbook(json.dumps([{"import_playbook": PLAYBOOK, "vars": wrong}], indent=1), env=env)
        assert vault.tokens == []
    rule = "may contain only letters, digits, spaces and . _ - @ : = ~ /, and no part of it may be '.' or '..'. [TRK-O02]"
    failed = run.result("Set up Vault")
    assert (run.rc, failed["msg"], failed["error_code"]) == (2, f"vault_setup_consent_paths {rule}", "TRK-O02"), run


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (_refused, "the AppRole api-tokens: Vault at {} answered with status 403 (permission denied). Check VAULT_ADDR and"),
        (_redirected, "the AppRole api-tokens: Vault at {} redirects to another address, and the token is not sent there."),
        (_garbled, "the AppRole api-tokens: Vault at {} cannot be reached: the connection broke. Check that it runs"),
        (_a_role_of_others, "kept: 2 policies of the AppRole, not created by this playbook; see vault read auth/approle/role/api-tokens"),
        (_refused_change, "KV version 2 at secret: Vault at {} refused it with status 400 (path is already in use). Check VAULT_ADDR"),
        (_not_vault, "the AppRole api-tokens: the server at {} is not Vault, but a proxy or another service."),
    ],
    ids=["refused", "redirected", "garbled", "a foreign role", "refused change", "not Vault"],
)
def test_an_answer_that_repeats_the_token_is_not_shown(old_and_new: Stage, answer: t.Any, expected: str) -> None:
    """The response is not shown on the screen with the most -v, in the log, or to callbacks; the error still says what is known."""
    log = old_and_new.ansible.workdir / "log"
    with Repeating(answer) as vault:
        address = f"127.0.0.1:{vault.port}"
        env = {"VAULT_ADDR": f"http://operator:hush-hush@{address}/", "VAULT_TOKEN": TOKEN, "ANSIBLE_LOG_PATH": str(log)}
        run = old_and_new.playbook(PLAYBOOK, "-vvvvv", env={**env, "ANSIBLE_DISPLAY_TRACEBACK": "always"})
    shown = "\n".join((run.output, log.read_text(encoding="utf-8"), json.dumps([task.result for task in run.tasks])))
    assert [how for how, spell in ECHOES.items() if spell(TOKEN) in shown] == []
    assert "hush-hush" not in shown
    assert expected.format(f"http://{address}") in " ".join(run.output.split()), run
    assert set(vault.tokens) == {TOKEN}


def test_unencrypted_and_unchecked_connections_are_warned_about(old_and_new: Stage, ca: Ca) -> None:
    """The playbook warns as the lookups do: of plain http to another machine, and of an unchecked certificate. Requests to this machine bypass proxies."""
    with Repeating(_refused, host="") as vault, Repeating(_nothing_there) as proxy:
        warned, advice = [], "Begin VAULT_ADDR (or vault_setup_url) with https://."
        environment = {"VAULT_TOKEN": TOKEN, "http_proxy": f"http://127.0.0.1:{proxy.port}"}
        for host in (socket.gethostname(), "localhost"):
            address = f"http://{host}:{vault.port}"
            there = {} if host != socket.gethostname() else {"no_proxy": host}
            run = old_and_new.playbook(PLAYBOOK, env={**environment, **there, "VAULT_ADDR": address})
            assert "answered with status 403" in run.output, run
            warned.append(warns(run, f"Vault at {address} is used over plain http: anyone on the network can read the Vault token and the secrets. {advice}"))
        assert warned == [True, False]
        assert proxy.tokens == []
    pair = ca.server()
    with Emulator(TlsFiles(pair.cert, pair.key)) as standby:
        standby.fail("trackunit", 503, times=None, kind="api")
        address = f"{standby.base_url('trackunit')}/api"
        run = old_and_new.playbook(PLAYBOOK, env={"VAULT_ADDR": address, "VAULT_SKIP_VERIFY": "1", "VAULT_TOKEN": TOKEN})
    assert warns(run, f"Vault at {address}: its certificate is not checked (VAULT_SKIP_VERIFY): anyone on the network can read the secrets.")
    assert "answered with status 503" in run.output
