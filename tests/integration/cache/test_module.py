# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``token_cache``: warm the cache, purge it, tidy it up."""

from __future__ import annotations

import json
import time
import typing as t

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names
from support.ansible import Run
from support.crowd import Crowd
from support.processes import wait_for

from .conftest import Scene, login_env

FOUR = [{"vendor": vendor, "path": f"fleet/{vendor}"} for vendor in ("trackmage", "tracx", "tracktik", "trackunit")]


def _run(scene: Scene, *tasks: dict[str, t.Any], env: dict[str, str | None]) -> Run:
    """One run with these ``token_cache`` tasks; a task with ``check`` runs in check mode."""
    wrapped = []
    for number, arguments in enumerate(tasks):
        check = arguments.pop("check", False)
        wrapped.append({"name": f"task {number}", "trackops.api_tokens.token_cache": arguments, "check_mode": check})
    play = json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": wrapped}], indent=1)
    run = scene.stage.playbook(play, env=env)
    assert run.rc == 0, run
    return run


def _files(scene: Scene) -> list[str]:
    folder = scene.stage.ansible.cache / "trackops" / "api_tokens"
    return [path.name for path in folder.iterdir() if path.name != "key"]


def test_present_and_absent_work_in_check_mode_too(scene: Scene) -> None:
    scene.stage.store_all("fleet/")
    env = login_env(scene.approle())
    run = _run(
        scene,
        {"tokens": FOUR, "check": True},
        {"tokens": FOUR},
        {"tokens": FOUR},
        {"tokens": FOUR, "check": True},
        {"state": "absent", "vendor": "tracx", "check": True},
        {"state": "absent", "vendor": "tracx", "path": "tracx", "revoke_logins": False},
        {"state": "absent", "vendor": "tracx", "path": "fleet/tracx", "revoke_logins": False},
        {"tokens": FOUR, "check": True},
        {"state": "absent", "path": "fleet/trackmage", "revoke_logins": False},
        env=env,
    )
    result = [run.result(f"task {number}") for number in range(9)]
    assert result[0]["changed"] and len(result[0]["missing"]) == 4
    assert result[1]["changed"] and [token["source"] for token in result[1]["tokens"]] == ["vendor"] * 4
    assert not result[2]["changed"] and [token["source"] for token in result[2]["tokens"]] == ["cache"] * 4
    assert not result[3]["changed"] and result[3]["missing"] == []
    assert result[4]["changed"] and result[4]["removed"] == [{"kind": "token", "vendor": "tracx", "path": "secret/fleet/tracx"}]
    assert not result[5]["changed"], "a path is the whole path, not the end of one"
    assert result[6]["changed"] and result[6]["removed"] == [{"kind": "token", "vendor": "tracx", "path": "secret/fleet/tracx"}]
    assert [missing["vendor"] for missing in result[7]["missing"]] == ["tracx"]
    assert result[8]["removed"] == [{"kind": "token", "vendor": "trackmage", "path": "secret/fleet/trackmage"}]
    assert len(scene.asked()) == 4 and scene.logins() == 1
    assert len(_files(scene)) == 3  # two tokens and the login
    assert [secret for secret in scene.emulator.secrets() if len(secret) > 6 and secret in run.output + json.dumps(result)] == []


def test_absent_revokes_the_vault_login(both: Scene) -> None:
    both.stage.store_all("fleet/")
    env = login_env(both.approle())
    run = _run(both, {"tokens": FOUR}, {"state": "absent", "tokens": FOUR, "check": True}, {"state": "absent"}, {"state": "absent"}, env=env)
    assert run.result("task 1")["revoked"] == ["Vault login"]
    assert run.result("task 2")["removed_by_kind"] == {"token": 4} and run.result("task 2")["revoked"] == ["Vault login"]
    assert not run.result("task 3")["changed"]
    assert len(both.vault.audit_requests("auth/token/revoke-self")) == 1
    assert _files(both) == []


def test_absent_works_without_servers(scene: Scene) -> None:
    scene.stage.store_all("fleet/")
    env = login_env(scene.approle())
    _run(scene, {"tokens": FOUR}, env=env)
    scene.emulator.stop()
    scene.vault.server.process.pause()
    try:
        run = _run(scene, {"state": "absent"}, env={**env, "ANSIBLE_HASHI_VAULT_TIMEOUT": "1"})
    finally:
        scene.vault.server.process.resume()
    result = run.result("task 0")
    assert result["changed"] and len(result["removed"]) == 4
    # The login is kept, as nobody could revoke it later without its entry.
    assert result["revoked"] == [] and len(_files(scene)) == 1
    assert "could not be revoked; do it again when Vault answers" in run.output
    again = _run(scene, {"state": "absent"}, env=env)
    assert again.result("task 0")["revoked"] == ["Vault login"] and _files(scene) == []


def test_absent_removes_the_shared_entry(scene: Scene) -> None:
    scene.stage.store("tracx", "fleet/tracx")
    scene.vault.policy("all", 'path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }')
    item = {"vendor": "tracx", "path": "fleet/tracx", "cache": "vault"}
    _run(scene, dict(item), {"state": "absent", **item}, env=login_env(scene.approle(policies=["all"])))
    listed = scene.vault.client.list("secret/metadata/trackops/api_tokens/tracx/fleet")
    assert not listed
    assert _files(scene) == []


def test_pruned_removes_only_expired_entries(scene: Scene) -> None:
    scene.stage.store_all("fleet/")
    scene.emulator.set("tracx", lifetime=1)
    env = login_env(scene.approle())
    fetched = {token["vendor"]: token for token in _run(scene, {"tokens": FOUR}, env=env).result("task 0")["tokens"]}
    wait_for("the end of tracx's token", lambda: time.time() > fetched["tracx"]["expires_at"] + 1)
    folder = scene.stage.ansible.cache / "trackops" / "api_tokens"
    (folder / ("0" * 32)).write_bytes(b"damaged")
    (folder / ("1" * 32 + ".tmp")).write_bytes(b"half-written")
    (folder / ("2" * 32 + ".lock")).write_bytes(b"")
    (folder / "not ours").write_bytes(b"")
    run = _run(scene, {"state": "pruned", "check": True}, {"state": "pruned"}, {"state": "pruned"}, env=env)
    for number in (0, 1):
        assert [removed["vendor"] for removed in run.result(f"task {number}")["removed"]].count("tracx") == 1
        assert run.result(f"task {number}")["removed_by_kind"] == {"token": 1, "damaged": 1}
    assert not run.result("task 2")["changed"]
    assert len(_files(scene)) == 5  # three tokens, the login, and a file that is not ours
    assert Crowd(folder, values={}).files()["not ours"] == b""


def test_a_misspelt_option_purges_nothing(scene: Scene) -> None:
    scene.stage.store_all("fleet/")
    env = login_env(scene.approle())
    _run(scene, {"tokens": FOUR}, env=env)
    before = _files(scene)
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"trackops.api_tokens.token_cache": {"state": "absent", "vendr": "tracx"}}]}]
    run = scene.stage.playbook(json.dumps(play, indent=1), env=env)
    assert run.rc != 0 and "there is no option 'vendr'; did you mean vendor?" in run.output, run
    assert sorted(_files(scene)) == sorted(before)


def test_an_unknown_vendor_purges_nothing(scene: Scene) -> None:
    scene.stage.store("acme", "fleet/acme")
    env = login_env(scene.approle())
    own = {"mycloud": {"token_url": scene.emulator.base_url("acme") + "/token", "client_auth": "basic"}}
    item = {"path": "fleet/acme"}
    missing = {"vendor": "trackmage", "path": "fleet/missing"}
    typo = {"state": "absent", "tokens": [{"vendor": "mycloud"}, {"vendor": "trackuint"}]}
    tasks = [
        {"name": "warm", "trackops.api_tokens.token_cache": {"vendor": "mycloud", **item}, "vars": {"trackops_vendors": own}},
        {"name": "missing", "trackops.api_tokens.token_cache": missing, "ignore_errors": True},
        {"name": "unknown", "trackops.api_tokens.token_cache": typo, "ignore_errors": True},
        {"name": "described no more", "trackops.api_tokens.token_cache": {"state": "absent", "vendor": "mycloud", "revoke_logins": False}},
        {"name": "failure", "trackops.api_tokens.token_cache": {"state": "absent", **missing}},
        {"name": "known", "trackops.api_tokens.token_cache": {"state": "absent", "vendor": "trackunit"}},
    ]
    run = scene.stage.playbook(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], indent=1), env=env)
    assert run.rc == 0, run
    (failed,) = run.result("missing")["failures"]
    assert (failed["vendor"], failed["path"], failed["error_code"]) == ("trackmage", "fleet/missing", "TRK-V06")
    assert failed["error"] == run.result("missing")["errors"][0]
    message = run.result("unknown")["msg"]
    known = f"Known: {', '.join(names())}, oauth2. Describe your own in trackops_vendors, or give token_url or issuer. [TRK-O05]"
    assert message == f"There is no vendor 'trackuint'; did you mean trackunit? {known}"
    assert run.result("described no more")["removed"] == [{"kind": "token", "vendor": "mycloud", "path": "secret/fleet/acme"}]
    forgotten = run.result("failure")
    assert forgotten["removed"] == [{"kind": "failure", "vendor": "trackmage", "path": "secret/fleet/missing"}]
    assert forgotten["changed"] and forgotten["removed_by_kind"] == {"failure": 1}
    assert not run.result("known")["changed"]


def test_a_directory_with_unrelated_files_is_refused_in_check_mode_too(scene: Scene) -> None:
    stage = scene.stage
    stage.store("tracx")
    folder = stage.ansible.workdir / "work"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "notes.txt").write_text("mine")
    for state in ("present", "absent", "pruned"):
        for check in ((), ("--check",)):
            run = stage.adhoc("localhost", "-m", "trackops.api_tokens.token_cache", "-a", f"vendor=tracx state={state} cache_path={folder}", *check)
            assert run.rc != 0, run
            assert f"The token cache {folder} contains files that do not belong to the cache" in run.output, run
            assert (folder.stat().st_mode & 0o777, [path.name for path in folder.iterdir()]) == (0o755, ["notes.txt"]), run
