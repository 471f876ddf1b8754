# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the credentials are in Vault: KV versions, mounts, versions of a secret, namespaces."""

from __future__ import annotations

import typing as t

import pytest
from support.lookups import Batch, Checks

if t.TYPE_CHECKING:
    from support.stage import Stage


def test_credentials_are_read_from_every_engine_and_mount(stage: Stage) -> None:
    vault, credentials = stage.vault, stage.credentials("tracx")
    vault.kv1()
    vault.kv1("old/teams")
    vault.kv2("teams/fleet")
    vault.put("tracx", credentials)
    vault.put("fleet/with space/ünïcode", credentials)
    vault.put1("tracx", credentials)
    vault.put1("deep/tracx", credentials, mount="old/teams")
    vault.put("tracx", credentials, mount="teams/fleet")
    paths = ["secret/data/*", "secret/tracx", "kv/*", "old/teams/*", "teams/fleet/data/*"]
    policy = vault.policy("all", "\n".join(f'path "{path}" {{ capabilities = ["read"] }}' for path in paths))
    batch = Batch(stage, output="details")
    batch.add("v2", "tracx")
    batch.add("odd path", "tracx", "fleet/with space/ünïcode")
    batch.add("v1", "tracx", engine_mount_point="kv", engine_version=1)
    batch.add("v1 forced", "tracx", engine_mount_point="kv", engine_version=1, force=True)
    batch.add(
        "v1 as variables",
        "tracx",
        "deep/tracx",
        variables={
            "ansible_hashi_vault_engine_mount_point": "old/teams",
            "trackops_engine_version": "1",
        },
    )
    batch.add("auto is v1", "tracx", engine_mount_point="kv", engine_version="auto")
    batch.add("auto is v2", "tracx", engine_version="auto")
    batch.add("auto below a mount with a slash", "tracx", engine_mount_point="/teams/fleet/", engine_version="auto")
    batch.add("another mount", "tracx", engine_mount_point="teams/fleet")
    batch.add("alias of the mount", "tracx", secret_mount_path="teams/fleet")
    batch.add("v1 taken for v2", "tracx", engine_mount_point="kv")
    batch.add("v2 taken for v1", "tracx", engine_version=1)
    batch.add("version of v1", "tracx", engine_mount_point="kv", engine_version=1, secret_version=1)
    batch.add("no such mount", "tracx", engine_mount_point="nowhere")
    batch.add("no such secret", "tracx", "fleet/nothing")
    batch.add("mount in the path", "tracx", "secret/tracx")
    batch.add("data in the path", "tracx", "data/tracx")
    batch.add("out of the mount", "tracx", "../sys/x")
    done = batch.run(env={"VAULT_TOKEN": vault.token(policy)})
    with Checks() as check:
        for name in ("v2", "odd path", "v1", "v1 forced", "v1 as variables", "auto is v1", "auto is v2", "auto below a mount with a slash", "another mount"):
            with check(name):
                assert done[name].value["source"] == "vendor"
        with check("alias of the mount"):
            assert done["alias of the mount"].value["source"] == "cache"
        for name, text in {
            "v1 taken for v2": "engine_version=1",
            "v2 taken for v1": "engine_version=2",
            "version of v1": "secret_version=1 needs KV version 2, but kv is a mount of KV version 1.",
            "no such mount": "nowhere",
            "no such secret": "has no secret at secret/fleet/nothing (KV version 2). Check the path, engine_mount_point,",
            "mount in the path": "Try 'tracx': the mount is not part of path.",
            "data in the path": "Try 'tracx': data/ is not part of path.",
            "out of the mount": "Give a plain path.",
        }.items():
            with check(name):
                assert text in done[name].error
                assert done[name].error.startswith("tracx: ")


def test_pinned_deleted_and_destroyed_versions_are_handled(stage: Stage) -> None:
    vault, good = stage.vault, stage.credentials("tracx")
    bad = {"connect_token": "ct-of-yesterday"}
    for name in ("pinned", "newest-deleted", "destroyed"):
        vault.put(name, good)
        vault.put(name, bad if name == "pinned" else good)
    vault.delete("newest-deleted")
    vault.destroy("destroyed", 1)
    batch = Batch(stage, output="details")
    batch.add("pinned", "tracx", "pinned", secret_version=1)
    batch.add("pinned by variable", "tracx", "pinned", variables={"trackops_secret_version": "1"})
    batch.add("newest", "tracx", "pinned")
    batch.add("newest is deleted", "tracx", "newest-deleted")
    batch.add("an older one", "tracx", "newest-deleted", secret_version=1)
    batch.add("pinned and deleted", "tracx", "newest-deleted", secret_version=2)
    batch.add("destroyed", "tracx", "destroyed", secret_version=1)
    batch.add("newest stays", "tracx", "destroyed")
    batch.add("no such version", "tracx", "pinned", secret_version=9)
    batch.add("no version", "tracx", "pinned", secret_version=0)
    done = batch.run()
    with Checks() as check:
        with check("pinned"):
            assert [done[name].value["source"] for name in ("pinned", "pinned by variable")] == ["vendor", "cache"]
        for name in ("an older one", "newest stays"):
            with check(name):
                assert done[name].value["source"] == "vendor"
        for name, text in {
            "newest": "the vendor refused the credentials at secret/pinned (version 2): HTTP 401. Check connect_token there;",
            "newest is deleted": "version 2 of the secret at secret/newest-deleted is deleted. Undelete it, write it again,",
            "pinned and deleted": "version 2 of the secret at secret/newest-deleted is deleted.",
            "destroyed": "version 1 of the secret at secret/destroyed is destroyed.",
            "no such version": "has no secret at secret/pinned, or not its version 9. Check the path and secret_version.",
            "no version": "tracx: secret_version must be at least 1.",
        }.items():
            with check(name):
                assert text in done[name].error


@pytest.mark.parametrize("flavour", ["openbao"], indirect=True)
def test_credentials_are_read_from_nested_namespaces(stage: Stage) -> None:
    """OpenBao only, as HashiCorp's free edition has no namespaces."""
    outer = stage.vault.namespace("ops")
    inner = outer.namespace("eu")
    for vault, vendor in ((outer, "tracx"), (inner, "trackmage")):
        vault.put(vendor, stage.credentials(vendor))
    token = outer.token(outer.policy("all", 'path "secret/data/*" { capabilities = ["read"] }\npath "eu/secret/data/*" { capabilities = ["read"] }'))
    batch = Batch(stage, output="details")
    batch.add("direct", "tracx", namespace="ops")
    batch.add("with slashes it is the same", "tracx", namespace="/ops/")
    batch.add("variable", "trackmage", variables={"ansible_hashi_vault_namespace": "ops/eu"})
    batch.add("not there", "tracx")
    batch.add("no such namespace", "tracx", namespace="nobody")
    done = batch.run(env={"VAULT_TOKEN": token})
    late = Batch(stage, output="details", force=True)
    late.add("late", "tracx")
    with_late = late.run(env={"VAULT_TOKEN": token, "VAULT_NAMESPACE": "ops"})
    stage.ansible.write("ansible.cfg", "[hashi_vault_collection]\nnamespace = ops\n")
    with_ini = late.run(env={"VAULT_TOKEN": token, "VAULT_NAMESPACE": "nobody", "ANSIBLE_HASHI_VAULT_NAMESPACE": ""})
    with_env = late.run(env={"VAULT_TOKEN": token, "VAULT_NAMESPACE": "nobody", "ANSIBLE_HASHI_VAULT_NAMESPACE": "ops"})
    with Checks() as check:
        for results, name in ((done, "direct"), (done, "variable"), (with_late, "late"), (with_ini, "late"), (with_env, "late")):
            with check(name):
                assert results[name].value["source"] == "vendor"
        with check("with slashes"):
            assert done["with slashes it is the same"].value["source"] == "cache"
        for name in ("not there", "no such namespace"):
            with check(name):
                assert done[name].error.startswith("tracx: ")
                assert "Vault at http://127.0.0.1:" in done[name].error
        with check("the namespace is named"):
            assert "(namespace nobody)" in done["no such namespace"].error


def test_a_wrong_kv_version_under_a_minimal_policy_is_explained(stage: Stage) -> None:
    """With the wrong version, Vault denies the request although the policy is right."""
    vault = stage.vault
    vault.kv1()
    stage.store("tracx", "fleet/tracx")
    vault.put1("fleet/tracx", stage.credentials("tracx"))
    token = vault.token(vault.read_policy("fleet/*"), vault.read_policy("fleet/*", mount="kv", version=1))
    batch = Batch(stage, cache="none")
    batch.add("2 read as 1", "tracx", "fleet/tracx", engine_version=1)
    batch.add("1 read as 2", "tracx", "fleet/tracx", engine_mount_point="kv")
    batch.add("denied", "tracx", "other/tracx")
    done = batch.run(env={"VAULT_TOKEN": token})
    with Checks() as check:
        with check("2 read as 1"):
            assert "has KV version 2 at secret, but version 1 was requested. Set engine_version=2." in done["2 read as 1"].error
        with check("1 read as 2"):
            assert "has KV version 1 at kv, but version 2 was requested. Set engine_version=1." in done["1 read as 2"].error
        with check("denied"):
            assert "grants read on secret/data/other/tracx, or one" in done["denied"].error
            assert "read on secret/data/other/tracx" in done["denied"].error
