# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the highest verbosity nothing tells a secret, and nothing on disk does: output, warnings, logs, cache, audit log."""

from __future__ import annotations

import pathlib
import typing as t

from support.lookups import Batch, Checks, leaked, query
from support.stage import BUILT_IN

if t.TYPE_CHECKING:
    from support.stage import Stage

PASSWORDS = {"trackmage": "client_secret", "tracx": "connect_token", "tracktik": "password", "trackunit": "password"}


def texts(folder: pathlib.Path) -> dict[pathlib.Path, str]:
    """Every file below a folder."""
    return {path: path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*") if path.is_file()}


def test_output_and_files(stage: Stage) -> None:
    """Fetching, using, renewing, failing: with logging to a file and our audit log on, at -vvvvv."""
    emulator, vault = stage.emulator, stage.vault
    stage.store_all("fleet/")
    for vendor, field in PASSWORDS.items():
        stage.store(vendor, f"wrong/{vendor}", **{field: f"wrong+{vendor} secret%/ü"})
    policy = vault.read_policy("fleet/*", "wrong/*")
    role = vault.approle("ci", [policy])
    vault.userpass("ada", "ada's +password%", [policy])
    log, audit = stage.ansible.workdir / "ansible.log", stage.ansible.workdir / "tokens.log"
    batch = Batch(stage)
    for vendor in BUILT_IN:
        path = f"fleet/{vendor}"
        batch.task(
            {
                "name": f"{vendor} used",
                "no_log": True,
                "ansible.builtin.uri": {
                    "url": f"{emulator.base_url(vendor)}/api/things",
                    "headers": "{{ " + query(vendor, path, output="headers") + "[0] }}",
                },
            }
        )
        batch.expression(f"{vendor} counted", query(vendor, path) + " | length")
        batch.expression(f"{vendor} renewed", query(vendor, path, force=True, output="details") + " | length")
        batch.expression(f"{vendor} refused", query(vendor, f"wrong/{vendor}") + " | length")
        batch.control("fail", vendor=vendor, fault="html", echo_secret=True)
        batch.expression(f"{vendor} html", query(vendor, path, cache="none") + " | length")
        batch.control("fail", vendor=vendor, fault="503", times=None, echo_secret=True)
        batch.expression(f"{vendor} down", query(vendor, path, cache="none", http_retries=0) + " | length")
        batch.control("heal", vendor=vendor)
        batch.expression(f"{vendor} unreachable", query(vendor, path, base_url="http://127.0.0.1:1", http_retries=0) + " | length")
    # The password as a variable: a task that is given a secret in its own text shows that text, as any task does.
    variables = {"ansible_hashi_vault_auth_method": "userpass", "ansible_hashi_vault_username": "ada"}
    batch.expression("another login", query("tracx", "fleet/tracx") + " | length", variables=variables)
    batch.expression("wrong login", query("tracx", "fleet/tracx", username="eve") + " | length", variables=variables)
    done = batch.run(
        "-vvvvv",
        env={
            "VAULT_TOKEN": None,
            "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle",
            "VAULT_APPROLE_ROLE_ID": role.role_id,
            "VAULT_APPROLE_SECRET_ID": role.secret_id,
            "ANSIBLE_HASHI_VAULT_PASSWORD": "ada's +password%",
            "TRACKOPS_AUDIT_LOG": str(audit),
            "ANSIBLE_LOG_PATH": str(log),
            "ANSIBLE_DEBUG": "0",
            "PYTHONWARNINGS": "default",
        },
    )

    secrets = [*emulator.secrets(), t.cast(str, role.secret_id), "ada's +password%", vault.root_token]
    secrets += [f"wrong+{vendor} secret%/ü" for vendor in BUILT_IN]
    with Checks() as check:
        for vendor in BUILT_IN:
            with check(vendor):
                assert done[f"{vendor} used"].task.status == "ok"
                assert [done[f"{vendor} {name}"].error == "" for name in ("counted", "renewed")] == [True, True]
                assert all(done[f"{vendor} {name}"].error.startswith(f"{vendor}: ") for name in ("refused", "html", "down", "unreachable"))
        with check("logins"):
            assert done["another login"].error == ""
            assert "userpass" in done["wrong login"].error
        with check("output"):
            assert leaked(done.run.output, secrets) == []
            assert "Traceback" not in done.run.output
        with check("log"):
            assert log.stat().st_size > 1000
            assert leaked(log.read_text(encoding="utf-8"), secrets) == []
        with check("audit log"):
            lines = audit.read_text(encoding="utf-8")
            assert '"event": "fetched"' in lines
            assert leaked(lines, secrets) == []
            assert audit.stat().st_mode & 0o777 == 0o600
        with check("cache"):
            files = texts(stage.ansible.home)
            assert len(files) > 4
            assert [str(path) for path, text in files.items() if leaked(text, secrets)] == []
            assert all(path.stat().st_mode & 0o077 == 0 for path in files if "api_tokens" in path.parts)
        with check("verbose output tells what happened"):
            assert "trackops.api_tokens: trackunit secret/fleet/trackunit: fetched from the vendor" in done.run.output


def test_tracebacks_of_ansible(openbao_stage: Stage) -> None:
    """Where ansible is told to show tracebacks of errors, what caused them is not in them."""
    stage = openbao_stage
    stage.store("trackmage")
    stage.emulator.fail("trackmage", "close", times=None)
    batch = Batch(stage)
    batch.add("closed", "trackmage", http_retries=0)
    batch.add("unreachable", "trackmage", base_url="http://127.0.0.1:1", http_retries=0)
    done = batch.run("-vvvvv", env={"ANSIBLE_DISPLAY_TRACEBACK": "always"})
    with Checks() as check:
        with check("failed"):
            assert done["closed"].error
            assert done["unreachable"].error
        with check("no URL of a request, no secret"):
            assert leaked(done.run.output, stage.emulator.secrets()) == []
            assert "client_secret=" not in done.run.output
            assert "urllib3" not in done.run.output
