# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vault command's environment variables for TLS and proxies, and a listener that requires a client certificate."""

from __future__ import annotations

import functools
import typing as t

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.client import VaultClient
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.connection import Connection
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.login_input import read_text
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions
from support.ansible import Ansible
from support.lookups import Batch, Checks
from support.matrix import Combination, combinations, matrix_venv
from support.pki import Ca
from support.processes import Unavailable, closed_port
from support.stage import Stage

if t.TYPE_CHECKING:
    import pathlib

    from emulator import Emulator
    from support.vaultsetup import Operator


def reads(operator: Operator, **environ: str) -> str:
    """Read the secret with only this environment; returns its user, or the error."""
    given = {"VAULT_ADDR": operator.address, "VAULT_TOKEN": operator.root_token, **environ}
    options = VaultOptions.from_mapping({}, environ=given, home="/nowhere", read_file=read_text)
    client = VaultClient(Connection(options, warn=lambda text: None))
    try:
        client.login()
        return str(client.read_secret("secret", "x").data["username"])
    except TokenError as exc:
        return exc.message


def test_variables_of_the_vault_command_are_used(vault_tls: Operator, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    vault_tls.put("x", {"username": "ada"})
    ca = str(vault_tls.server.ca_cert)
    text = read_text(ca)
    other = read_text(str(Ca(tmp_path / "other").cert))
    remark = "# F\u0151tan\xfas\xedtv\xe1ny\n"  # as in system CA bundles
    folder = tmp_path / "authorities"
    (folder / "deeper").mkdir(parents=True)
    (folder / "other.pem").write_text(remark + other, encoding="utf-8")
    (folder / "deeper" / "ours.crt").write_text(text, encoding="ascii")
    read = functools.partial(reads, vault_tls)
    with Checks() as check:
        with check("none of them"):
            assert "a certificate that is not trusted here" in read()
        with check("VAULT_CACERT_BYTES"):
            assert read(VAULT_CACERT_BYTES=text) == "ada"
            assert read(VAULT_CACERT_BYTES=other + text) == "ada"
            assert read(VAULT_CACERT_BYTES=remark + other + remark + text) == "ada"
            assert "not trusted here" in read(VAULT_CACERT_BYTES=other)
        with check("VAULT_CAPATH"):
            assert read(VAULT_CAPATH=str(folder)) == "ada"
        with check("a file comes before a text, a text before a folder"):
            assert read(VAULT_CACERT=ca, VAULT_CACERT_BYTES=other) == "ada"
            assert "not trusted here" in read(VAULT_CACERT_BYTES=other, VAULT_CAPATH=str(folder))
        with check("REQUESTS_CA_BUNDLE adds nothing to them"):
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca)
            assert "not trusted here" in read(VAULT_CACERT_BYTES=other)
            monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with check("VAULT_TLS_SERVER_NAME"):
            assert read(VAULT_CACERT=ca, VAULT_TLS_SERVER_NAME="localhost") == "ada"
            assert "a certificate for another host name" in read(VAULT_CACERT=ca, VAULT_TLS_SERVER_NAME="vault.internal")
        with check("VAULT_PROXY_ADDR"):
            assert "cannot be reached" in read(VAULT_CACERT=ca, VAULT_PROXY_ADDR=f"socks5://127.0.0.1:{closed_port()}")
            assert "cannot be reached through the proxy" in read(VAULT_CACERT=ca, VAULT_PROXY_ADDR=f"http://127.0.0.1:{closed_port()}")


@pytest.mark.parametrize("flavour", ["openbao"])
@pytest.mark.parametrize("core", combinations(), ids=str)
def test_variables_of_the_vault_command_are_used_in_a_play(
    core: Combination, vault_tls: Operator, emulator: Emulator, collection: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """With the oldest and the newest ansible-core; the lookup reads the environment of ansible-playbook."""
    try:
        ansible = Ansible(tmp_path / "run", collections=collection, bin_dir=matrix_venv(core) / "bin")
    except Unavailable as exc:
        pytest.skip(str(exc))
    stage = Stage(vault=vault_tls, emulator=emulator, ansible=ansible)
    stage.store("tracx")
    ca = str(vault_tls.server.ca_cert)
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "ours.pem").write_text(read_text(ca), encoding="ascii")
    ways: dict[str, dict[str, str | None]] = {
        "folder": {"VAULT_CACERT": None, "VAULT_CAPATH": str(folder)},
        "text, another name": {"VAULT_CACERT": None, "VAULT_CACERT_BYTES": read_text(ca), "VAULT_TLS_SERVER_NAME": "vault.internal"},
        "file, name, proxy": {"VAULT_CACERT": ca, "VAULT_TLS_SERVER_NAME": "localhost", "VAULT_PROXY_ADDR": emulator.url},
    }
    found = {}
    for name, env in ways.items():
        batch = Batch(stage, cache="none", output="details")
        batch.add("token", "tracx")
        found[name] = batch.run(env=env)["token"]
    assert found["folder"].value["source"] == found["file, name, proxy"].value["source"] == "vendor"
    assert "has a certificate for another host name" in found["text, another name"].error
    assert {entry["path"] for entry in emulator.requests(kind="proxy")} == {f"127.0.0.1:{vault_tls.server.port}"}


def test_a_listener_that_requires_a_client_certificate_is_reached(vault_tls: Operator, emulator: Emulator, ansible: Ansible) -> None:
    stage = Stage(vault=vault_tls, emulator=emulator, ansible=ansible)
    stage.store("tracx", "fleet/tracx")
    pair = t.cast(Ca, vault_tls.server.ca).client("listener")
    address, role = vault_tls.server.mutual_address, vault_tls.approle("ci", [vault_tls.read_policy("fleet/*")])
    batch = Batch(stage, url=address)
    batch.add("token", "tracx", "fleet/tracx", token=stage.token())
    batch.add("approle", "tracx", "fleet/tracx", auth_method="approle", role_id=role.role_id, secret_id=role.secret_id)
    done = batch.run(env={"VAULT_CLIENT_CERT": str(pair.cert), "VAULT_CLIENT_KEY": str(pair.key)})
    batch = Batch(stage, url=address, cache="none")
    batch.add("nothing", "tracx", "fleet/tracx")
    batch.add("options", "tracx", "fleet/tracx", cert_auth_public_key=str(pair.cert), cert_auth_private_key=str(pair.key))
    without = batch.run()
    with Checks() as check:
        for name, outcome in (("token", done["token"]), ("approle", done["approle"]), ("options", without["options"])):
            with check(name):
                assert outcome.value
        with check("nothing"):
            advice = (
                "it requires a client certificate that it trusts. Set cert_auth_public_key and cert_auth_private_key (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY)."
            )
            assert advice in without["nothing"].error
