# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run against a scripted Vault: its requests, in their order, and what is reported."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.setup_run import Report, Setup, noted
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.setup_settings import settings
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.setup_things import Do
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.answer import Refusal

PLACE = "Vault at https://v"
TOKEN = "0f0e0d0c-0b0a-0908-0706-050403020100"
ROLE_ID = "b8c1a2d3-1111-2222-3333-444455556666"
ROLE = "auth/approle/role/api-tokens"
ALL = {"shared_cache": True, "consent_paths": "fleet/trackmage"}


class Kept:
    """A Vault that stores what it is given. Requests that *troubles* names raise these errors first, in their order."""

    def __init__(self, data=None, **troubles):
        self.data = dict(data or {})
        self.troubles = {path: list(raised) for path, raised in troubles.items()}
        self.asked, self.slept = [], []

    def ask(self, method, path, body=None):
        self.asked.append((method, path))
        key = f"{method} {path}"
        if self.troubles.get(key):
            raise self.troubles[key].pop(0)
        if method == "GET":
            if path == f"{ROLE}/role-id" and ROLE in self.data:
                return {"data": {"role_id": ROLE_ID}}
            if path == "sys/mounts":
                mounts = {f"{one.removeprefix('sys/mounts/')}/": data for one, data in self.data.items() if one.startswith("sys/mounts/")}
                return {"data": {"sys/": {"type": "system"}, **mounts}}
            if path not in self.data:
                raise refusal(404)
            return {"data": self.data[path]}
        if path.endswith("/secret-id"):
            return {"data": {"secret_id": "of-the-role"}}
        self.data[path] = dict(body)
        return {}

    @property
    def changes(self):
        return [path for method, path in self.asked if method != "GET"]

    def setup(self, *, dry_run=False, **values):
        wanted = settings({"url": "https://v", "token": TOKEN, **values}, vendors=["acme", "other"], environ={}, token_file=str)
        return Setup(wanted, self, place=PLACE, dry_run=dry_run, sleep=self.slept.append)

    def run(self, **values):
        report = self.setup(**values).run()
        assert report.error is None, report
        return report

    def error_message(self, **values):
        error = self.setup(**values).run().error
        assert isinstance(error, (VaultError, OptionError))
        return error.coded_message


def refusal(status, *errors, body=True):
    return Refusal(status, errors=errors, body={"errors": list(errors)} if body else None, retry_after=None)


def lines(setup, has=()):
    return setup.to_set(has, expanded=lambda path: path.replace("~", "/places"))


def test_a_first_run_creates_everything_and_a_second_changes_nothing():
    vault = Kept()
    looked = vault.run(dry_run=True, **ALL)
    assert (looked.changed, vault.changes) == (True, [])
    made = vault.run(**ALL)
    assert made.changed
    assert made.done == (
        "created: KV version 2 at secret",
        "created: the policy api-tokens",
        "created: the login method approle at approle",
        "created: KV version 2 at api-token-cache",
        "created: one version of each entry at api-token-cache",
        "created: the policy api-tokens-cache",
        "created: the policy api-tokens-consent",
        "created: the AppRole api-tokens",
    )
    assert looked.done == tuple(f"would be {line}" for line in made.done)
    assert (looked.has, made.has) == ((), ())
    assert vault.data[ROLE]["token_policies"] == ["api-tokens", "api-tokens-cache", "api-tokens-consent"]
    kv = {"type": "kv", "options": {"version": "2"}}
    assert vault.data["sys/mounts/secret"] == kv, "nothing says that it is ours: it may have the secrets of others"
    assert vault.data["sys/mounts/api-token-cache"] == {**kv, "description": "# Managed by trackops.api_tokens vault_setup, vault_setup_name=api-tokens."}
    assert vault.data["api-token-cache/config"] == {"max_versions": 1}
    vault.asked.clear()
    again = vault.run(**ALL)
    assert (again.changed, again.done, vault.changes) == (False, (), [])
    assert again.has == ("api-tokens", "api-tokens-cache", "api-tokens-consent")
    less = vault.run(shared_cache=False)
    assert less.done == ("changed: the AppRole api-tokens",)


def test_nothing_is_read_from_a_new_mount():
    """A user who may create a mount may lack the right to read below it, and in check mode the mount does not exist."""
    vault = Kept(**{"GET api-token-cache/config": [refusal(403, "permission denied")]})
    assert "would be created: one version of each entry at api-token-cache" in vault.run(dry_run=True, **ALL).done
    assert "created: one version of each entry at api-token-cache" in vault.run(**ALL).done


def test_a_mount_of_another_type_is_refused():
    vault = Kept({"sys/mounts/secret": {"type": "pki"}})
    assert vault.error_message().startswith(f"{PLACE} has something else at sys/mounts/secret, not KV version 2 at secret. ")
    assert vault.changes == []


def test_a_foreign_approle_is_refused_before_anything_is_changed():
    vault = Kept({ROLE: {"token_policies": ["prod"]}})
    assert vault.error_message().startswith(f"{PLACE} has an AppRole api-tokens at auth/approle that was not created by this playbook")
    assert vault.asked == [("GET", ROLE)]


#: The second run reads as credentials what the first run allows to be written as cache, or the other way round.
@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({"shared_cache": True, "cache_mount": "secret", "cache_path": "prod"}, {"path": "prod"}, "-cache"),
        ({"shared_cache": True, "cache_mount": "secret", "cache_path": "prod/x"}, {"path": "prod", "approle_mount": "roles"}, "-cache"),
        ({"shared_cache": True, "cache_mount": "secret", "cache_path": "prod"}, {"path": "prod", "shared_cache": False}, "-cache"),
        ({"shared_cache": True, "cache_mount": "kv", "cache_path": "prod"}, {"mount": "kv", "path": "prod", "cache_mount": "secret"}, "-cache"),
        ({"shared_cache": True, "cache_mount": "secret", "cache_path": "prod"}, {"consent_paths": "prod/trackmage"}, "-cache"),
        # The second run would replace this policy, unless it fails before that.
        ({"shared_cache": True, "cache_mount": "secret", "cache_path": "prod"}, {"shared_cache": True, "path": "prod"}, "-cache"),
        ({"consent_paths": "prod/trackmage"}, {"shared_cache": True, "cache_mount": "secret", "cache_path": "prod"}, "-consent"),
        ({"consent_paths": "a/b"}, {"shared_cache": True, "cache_mount": "secret", "cache_path": "a", "consent_paths": "c/d"}, "-consent"),
        ({"mount": "kv", "consent_paths": "prod/trackmage"}, {"shared_cache": True, "cache_mount": "kv", "cache_path": "prod"}, "-consent"),
    ],
)
def test_a_cache_folder_never_overlaps_credentials_of_another_run(first, second, kept):
    vault = Kept()
    vault.run(**first)
    vault.asked.clear()
    assert vault.error_message(**second) == (
        f"{PLACE}: anyone with write access to the shared cache could overwrite credentials, because the policy api-tokens{kept} of an "
        "earlier run covers a folder that is inside a folder of this run, or contains one. "
        "Choose other folders or another vault_setup_name, or delete that policy first "
        f"(vault policy delete api-tokens{kept}). [TRK-V11]"
    )
    assert vault.changes == []
    del vault.data[f"sys/policies/acl/api-tokens{kept}"]
    vault.run(**second)


def test_an_approle_without_its_policy_is_foreign():
    """Whoever created it knows its role_id, and perhaps a secret_id."""
    vault = Kept({ROLE: {"token_policies": ["api-tokens"], "bind_secret_id": True}})
    assert vault.error_message().startswith(
        f"{PLACE} has an AppRole api-tokens at auth/approle that was not created by this playbook: there is no policy api-tokens. "
    )
    assert vault.changes == []
    vault.data[ROLE]["bind_secret_id"] = False
    vault.run(take_over=True)
    assert vault.data[ROLE]["bind_secret_id"] is True


@pytest.mark.parametrize("second", [{"path": "prod2"}, {"mount": "kv", "path": "prod"}, {"shared_cache": True, "path": "own"}])
def test_separate_folders_of_two_runs_are_accepted(second):
    vault = Kept()
    vault.run(shared_cache=True, cache_mount="secret", cache_path="prod", consent_paths="fleet/trackmage")
    vault.run(**second)


def test_sibling_folders_of_two_runs_are_accepted():
    vault = Kept()
    vault.run(shared_cache=True, cache_mount="secret", cache_path="prod/X")
    vault.run(path="prod/Y", consent_paths="prod/Z")
    vault = Kept()
    vault.run(consent_paths="prod/X")
    vault.run(shared_cache=True, cache_mount="secret", cache_path="prod/Y")
    vault.run(cache_mount="secret", cache_path="prod/X")  # unused without shared_cache


def test_a_foreign_cache_mount_keeps_its_settings():
    vault = Kept({"sys/mounts/kv": {"type": "kv", "options": {"version": "2"}, "description": ""}, "kv/config": {"max_versions": 0}})
    report = vault.run(shared_cache=True, cache_mount="kv")
    assert "left as set on the mount: one version of each entry at kv" in report.done
    assert "kv/config" not in vault.changes
    only_left = vault.run(shared_cache=True, cache_mount="kv")
    assert (only_left.changed, only_left.done) == (False, ("left as set on the mount: one version of each entry at kv",))
    looked = vault.run(dry_run=True, shared_cache=True, cache_mount="kv")
    assert (looked.changed, looked.done) == (only_left.changed, only_left.done)
    vault.data["sys/mounts/kv"]["description"] = "# Managed by trackops.api_tokens vault_setup, vault_setup_name=api-tokens."
    assert vault.run(shared_cache=True, cache_mount="kv").done == ("changed: one version of each entry at kv",)


def test_changes_before_an_error_are_reported():
    vault = Kept({ROLE: {"token_policies": ["of-others"]}}, **{"POST sys/auth/approle": [refusal(403, "permission denied")]})
    report = vault.setup(take_over=True).run()
    assert isinstance(report.error, VaultError)
    assert report.error.coded_message.startswith("the login method approle at approle: Vault at https://v refused it with status 403 (permission denied). ")
    assert (report.changed, report.done, report.has) == (True, ("created: KV version 2 at secret", "created: the policy api-tokens"), ("of-others",))
    assert vault.slept == []


def test_a_run_reports_nothing_of_the_one_before():
    """After an error, a run with the same object continues where the first one stopped."""
    vault = Kept(**{"POST sys/auth/approle": [refusal(403, "permission denied")]})
    setup = vault.setup()
    assert setup.run().done == ("created: KV version 2 at secret", "created: the policy api-tokens")
    assert setup.run() == Report(True, ("created: the login method approle at approle", "created: the AppRole api-tokens"))
    assert setup.run() == Report(has=("api-tokens",))


def test_a_report_is_continued_and_not_changed():
    before = Report(has=("theirs",))
    assert noted(before, Do.NOTHING, "x", dry_run=False) is before
    left = noted(before, Do.LEAVE, "x", dry_run=True)
    assert left == Report(False, ("left as set on the mount: x",), ("theirs",))
    both = noted(left, Do.CHANGE, "y", dry_run=True)
    assert both == Report(True, ("left as set on the mount: x", "would be changed: y"), ("theirs",))
    assert noted(both, Do.LEAVE, "z", dry_run=False) == Report(True, (*both.done, "left as set on the mount: z"), ("theirs",))
    assert before == Report(has=("theirs",))


@pytest.mark.parametrize("status", [403, 500, 503])
def test_policies_that_cannot_be_read_are_not_replaced(status):
    """Otherwise, if the error ended before the change, the AppRole would lose policies that others gave it."""
    vault = Kept({ROLE: {"token_policies": ["api-tokens", "of-others"]}}, **{f"GET {ROLE}": [refusal(status)]})
    assert vault.error_message().startswith(f"the AppRole api-tokens: {PLACE} answered with status {status}. ")
    assert vault.asked == [("GET", ROLE)]


@pytest.mark.parametrize("path", ["secret/data", "secret/x/y", "sys/raw"])
@pytest.mark.parametrize("variable", ["mount", "cache_mount"])
def test_a_path_below_another_mount_is_refused(variable, path):
    """Asked for this path alone, Vault answers with the mount above it."""
    vault = Kept({"sys/mounts/secret": {"type": "kv", "options": {"version": "2"}}})
    vault.data[f"sys/mounts/{path}"] = {"type": "kv", "options": {"version": "2"}}
    ask, there = vault.ask, dict(vault.data)

    def asked(method, asked_for, body=None):
        if asked_for == "sys/mounts":
            return {"data": {"sys/": {"type": "system"}, "secret/": there["sys/mounts/secret"]}, "request_id": "x"}
        return ask(method, asked_for, body)

    vault.ask = asked
    expected = f"{PLACE} has another mount above {path}, so KV version 2 at {path} cannot be created. Choose another mount. [TRK-V11]"
    assert vault.error_message(**{"shared_cache": True, variable: path}) == expected
    assert not [one for one in vault.changes if path in one or one.startswith("sys/mounts/")]


def test_missing_permission_to_list_mounts_is_reported():
    vault = Kept(**{"GET sys/mounts": [refusal(403, "permission denied")]})
    assert vault.error_message() == (
        f"KV version 2 at secret: {PLACE} answered with status 403 (permission denied). Check VAULT_ADDR and the policies of the token. [TRK-V05]"
    )
    assert vault.changes == []


def test_a_mount_that_is_upgrading_is_waited_for():
    upgrading = refusal(400, "Upgrading from non-versioned to versioned data.")
    vault = Kept(**{"POST api-token-cache/config": [upgrading] * 5})
    assert "created: one version of each entry at api-token-cache" in vault.run(**ALL).done
    assert vault.slept == [1.0] * 5
    vault = Kept(**{"POST api-token-cache/config": [upgrading] * 6})
    assert vault.error_message(**ALL).startswith("one version of each entry at api-token-cache: Vault at https://v refused it with status 400 (upgrading). ")
    assert vault.slept == [1.0] * 5


def test_a_redirected_change_is_reported_without_a_retry():
    vault = Kept(**{"POST sys/mounts/secret": [refusal(307, body=False)]})
    assert vault.error_message().startswith(f"KV version 2 at secret: {PLACE} redirects to another address, and the token is not sent there. ")
    assert (vault.changes, vault.slept) == (["sys/mounts/secret"], [])


@pytest.mark.parametrize("answer", [{"data": None, "request_id": "x"}, {"status": "fine"}])
def test_a_read_answered_by_another_service_is_reported(answer):
    vault = Kept()
    vault.ask = lambda *_arguments: answer
    assert vault.error_message().startswith("the AppRole api-tokens: the server at https://v is not Vault, but a proxy or another service. ")


def test_a_change_answered_by_another_service_is_reported():
    vault = Kept()
    ask = vault.ask
    vault.ask = lambda method, path, body=None: ask(method, path) if method == "GET" else {"status": "fine"}
    assert vault.error_message().startswith("KV version 2 at secret: the server at https://v is not Vault, but a proxy or another service. ")


def test_connection_errors_name_the_operators_variables():
    lost = VaultError(f"{PLACE} cannot be reached: connection refused. Check that it runs, and url (VAULT_ADDR).", "unreachable")
    said = Kept(**{f"GET {ROLE}": [lost]}).error_message()
    assert said == f"the AppRole api-tokens: {PLACE} cannot be reached: connection refused. Check that it runs, and VAULT_ADDR (or vault_setup_url). [TRK-V01]"
    said = Kept(**{"POST sys/mounts/secret": [lost]}).error_message()
    assert said == f"KV version 2 at secret: {PLACE} cannot be reached: connection refused. Check that it runs, and VAULT_ADDR (or vault_setup_url). [TRK-V01]"
    wrong = OptionError(f"{PLACE}: its address or the proxy's is not a valid URL. Check url (VAULT_ADDR) and proxies.", fault="option:address")
    assert Kept(**{f"GET {ROLE}": [wrong]}).error_message().endswith("Check VAULT_ADDR (or vault_setup_url) and VAULT_PROXY_ADDR and https_proxy. [TRK-O08]")


def test_only_a_plausible_secret_id_is_accepted():
    vault = Kept()
    assert vault.setup().secret_id() == "of-the-role"

    def of(secret_id):
        return {"data": {"secret_id": secret_id}}

    odd = ("* * * * * root id", "of-the\nrole", "of-the-role\n", "short", "x" * 201, "a\ud800bcdefgh", "of-the-r\u00f6le", "$(id)-$(id)")
    for answer in ({}, {"data": {}}, {"data": {"secret_id": 5}}, {"data": {"secret_id": ""}}, *map(of, odd)):
        vault.ask = lambda *_arguments, answer=answer: answer
        with pytest.raises(VaultError, match="a secret_id of the AppRole api-tokens: the server at https://v is not Vault"):
            vault.setup().secret_id()


@pytest.mark.parametrize(
    ("path", "wanted", "name"),
    [
        (f"POST {ROLE}/secret-id", lambda setup: setup.secret_id(), "a secret_id of the AppRole api-tokens"),
        (f"GET {ROLE}/role-id", lines, "the role_id of the AppRole api-tokens"),
    ],
)
def test_an_unreadable_role_id_or_secret_id_is_named(path, wanted, name):
    vault = Kept(**{path: [refusal(403, "permission denied"), VaultError("Vault is gone.", "unreachable")]})
    for why in (f"{PLACE} ", "Vault is gone."):
        with pytest.raises(VaultError) as caught:
            wanted(vault.setup())
        assert caught.value.message.startswith(f"{name}: {why}")


def test_the_lines_that_set_the_environment():
    vault = Kept()
    assert lines(vault.setup())[1] == "the role_id is not yet known"
    vault.run()
    assert lines(vault.setup()) == [
        "export ANSIBLE_HASHI_VAULT_AUTH_METHOD=approle",
        f"export ANSIBLE_HASHI_VAULT_ROLE_ID={ROLE_ID}",
        f"export ANSIBLE_HASHI_VAULT_SECRET_ID=$(vault write -f -field=secret_id {ROLE}/secret-id)",
    ]
    others = {"token_policies": ["api-tokens", "theirs"]}
    text = {"policy": "# Managed by trackops.api_tokens vault_setup, vault_setup_name=api-tokens.\n"}
    vault = Kept({"auth/roles/role/api-tokens": others, "sys/policies/acl/api-tokens": text})
    values = {"approle_mount": "roles", "mount": "kv", "shared_cache": True, "cache_path": "a b", "secret_id_file": "~/secret id"}
    report = vault.run(**values)
    assert vault.data["auth/roles/role/api-tokens"]["token_policies"] == ["api-tokens", "api-tokens-cache", "theirs"]
    assert not [line for line in lines(Kept().setup(cache_path="a b", cache_mount="c")) if "TRACKOPS_CACHE" in line]
    assert lines(vault.setup(**values), report.has)[1:] == [
        "export ANSIBLE_HASHI_VAULT_MOUNT_POINT=roles",
        "the role_id is not yet known",
        "export ANSIBLE_HASHI_VAULT_SECRET_ID=$(cat '/places/secret id')",
        "export TRACKOPS_ENGINE_MOUNT_POINT=kv",
        "export TRACKOPS_CACHE=vault",
        "export TRACKOPS_CACHE_VAULT_MOUNT=api-token-cache",
        "export TRACKOPS_CACHE_VAULT_PATH='a b'",
        "kept: 1 policy of the AppRole, not created by this playbook; see vault read auth/roles/role/api-tokens",
    ]
    two = "kept: 2 policies of the AppRole, not created by this playbook; see vault read auth/roles/role/api-tokens"
    assert lines(vault.setup(**values), ("api-tokens", "of-others", "theirs"))[-1] == two


@pytest.mark.parametrize("role_id", [TOKEN, TOKEN.upper(), "hvs.something", None, 5, f"{ROLE_ID} x", f"{ROLE_ID}\n"])
def test_an_implausible_role_id_is_not_shown(role_id):
    vault = Kept()
    vault.run()
    vault.ask = lambda *_arguments: {"data": {"role_id": role_id}}
    assert lines(vault.setup())[1] == f"export ANSIBLE_HASHI_VAULT_ROLE_ID=$(vault read -field=role_id {ROLE}/role-id)"
