# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted in Vault, and what happens if something exists already: nothing, a change, or an error."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.setup_settings import settings
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.setup_things import (
    Do,
    check_role,
    decide,
    found_in,
    kept,
    mark,
    own_policy,
    policies_of,
    role,
    things,
)
from support.places import ROOT

PLACE = "Vault at https://v"
ADVICE = "It stays as it is. Choose another vault_setup_name, or set vault_setup_take_over=true. [TRK-V11]"
KV2 = {"type": "kv", "options": {"version": "2"}}
#: The vendors in the policy of docs/vault.md; for a newer vendor, the policy in Vault has one more line.
SHOWN = ("trackmage", "tracktik", "trackunit", "tracx")
MARK = "# Managed by trackops.api_tokens vault_setup, vault_setup_name=api-tokens."


def wanted(**values):
    return settings({"url": "https://v", "token": "hvs.x", **values}, vendors=SHOWN, environ={}, token_file=str)


def thing(name, **values):
    [found] = [one for one in things(wanted(**values)) if one.name == name]
    return found


def decided(one, found, *, ours=True, **values):
    return decide(one, found, wanted(**values), place=PLACE, ours=ours)


def message_of(one, found, **values):
    with pytest.raises(VaultError) as caught:
        decided(one, found, **values)
    return caught.value.coded_message


ALL = {"shared_cache": True, "consent_paths": "fleet/trackmage"}


def test_everything_that_is_created():
    assert [(one.path, one.name) for one in things(wanted(**ALL, mount="kv", name="team", approle_mount="roles", cache_mount="c"))] == [
        ("sys/mounts/kv", "KV version 2 at kv"),
        ("sys/policies/acl/team", "the policy team"),
        ("sys/auth/roles", "the login method approle at roles"),
        ("sys/mounts/c", "KV version 2 at c"),
        ("c/config", "one version of each entry at c"),
        ("sys/policies/acl/team-cache", "the policy team-cache"),
        ("sys/policies/acl/team-consent", "the policy team-consent"),
    ]
    assert len(things(wanted())) == 3
    made = {one.name: (one.want, one.fixed, dict(one.says)) for one in things(wanted(**ALL)) if not one.text}
    assert made == {
        "KV version 2 at secret": (KV2, True, {}),
        "the login method approle at approle": ({"type": "approle"}, True, {}),
        "KV version 2 at api-token-cache": (KV2, True, {"description": MARK}),
        "one version of each entry at api-token-cache": ({"max_versions": 1}, False, {}),
    }
    made = role(wanted(name="team", approle_mount="roles", token_ttl=600, secret_id_ttl=60))
    assert (made.path, made.name) == ("auth/roles/role/team", "the AppRole team")
    assert made.want == {"bind_secret_id": True, "token_ttl": 600, "secret_id_ttl": 60, "token_policies": ["team"]}


def test_a_policy_without_our_line_is_ours_if_it_has_our_rules_in_any_order():
    policy = own_policy(wanted())
    rules = policy.text.strip().split("\npath ")
    shuffled = "path " + "\npath ".join(rule.removeprefix("path ") for rule in reversed(rules))
    assert decide(policy, {"policy": shuffled}, wanted(), place=PLACE, ours=True) is Do.CHANGE
    for others in (shuffled + '\npath "prod/*" {\n  capabilities = ["read"]\n}', "path " + rules[1], ""):
        with pytest.raises(VaultError):
            decide(policy, {"policy": others}, wanted(), place=PLACE, ours=True)


@pytest.mark.parametrize("suffix", ["", "-cache", "-consent"])
def test_the_documentation_shows_the_same_policies(suffix):
    text = thing(f"the policy api-tokens{suffix}", **ALL).text
    assert f"```hcl\n{text}```" in (ROOT / "docs" / "vault.md").read_text(encoding="utf-8")
    assert thing(f"the policy api-tokens{suffix}", **ALL).want == {"policy": f"{MARK}\n{text}"}


def test_policies_contain_the_chosen_paths():
    values = {"mount": "kv", "path": "ours", "consent_paths": "ours/a,ours/b", "shared_cache": True, "cache_mount": "c", "cache_path": "d"}
    assert thing("the policy api-tokens", **values).text == 'path "kv/data/ours/*" {\n  capabilities = ["read"]\n}\n'
    consent = thing("the policy api-tokens-consent", **values).text
    assert consent == "".join(f'path "kv/data/ours/{name}" {{\n  capabilities = ["read", "update"]\n}}\n' for name in "ab")
    assert 'path "c/data/d/*"' in thing("the policy api-tokens-cache", **values).text


def test_the_approle_gets_our_policies_and_keeps_others():
    def of(has=(), **values):
        return role(wanted(**values), has).want["token_policies"]

    everything = ["api-tokens", "api-tokens-cache", "api-tokens-consent"]
    assert of(**ALL) == everything
    assert of(["other", *everything]) == [*everything, "other"], "what an earlier run or somebody else has set up stays"
    assert of(["other", *everything], shared_cache=False) == ["api-tokens", "api-tokens-consent", "other"]
    assert kept(wanted(), ["other", *everything, "other", "more"]) == 2


@pytest.mark.parametrize(
    ("found", "policies"),
    [(None, []), ({}, []), ({"token_policies": None}, []), ({"token_policies": "x"}, []), ({"token_policies": ["a", 5, {"b": 1}]}, ["a"])],
)
def test_policies_are_read_from_any_answer(found, policies):
    assert policies_of(found) == policies


@pytest.mark.parametrize(
    ("role_there", "policy_there", "why"),
    [
        ({"token_policies": ["prod"]}, True, "was not created by this playbook: it does not have the policy deployer"),
        ({}, True, "was not created by this playbook: it does not have the policy deployer"),
        ({"token_policies": ["deployer"]}, False, "was not created by this playbook: there is no policy deployer"),
        ({"token_policies": ["deployer"], "bind_secret_id": False}, True, "allows a login without a secret_id (bind_secret_id=false)"),
        ({"token_policies": ["deployer"], "bind_secret_id": None}, True, "allows a login without a secret_id (bind_secret_id=false)"),
    ],
)
def test_a_foreign_approle_is_refused_unless_taken_over(role_there, policy_there, why):
    settings_of = {"name": "deployer", "approle_mount": "roles"}
    policy = own_policy(wanted(**settings_of)).want if policy_there else None
    with pytest.raises(VaultError) as caught:
        check_role(wanted(**settings_of), role_there, policy, place=PLACE)
    assert caught.value.coded_message == f"{PLACE} has an AppRole deployer at auth/roles that {why}. {ADVICE}"
    check_role(wanted(**settings_of, take_over=True), role_there, policy, place=PLACE)


def test_an_approle_with_a_foreign_policy_is_refused():
    has_it = {"token_policies": ["prod", "api-tokens"], "bind_secret_id": True}
    check_role(wanted(), has_it, own_policy(wanted()).want, place=PLACE)
    check_role(wanted(), has_it, {"policy": own_policy(wanted()).text}, place=PLACE)
    check_role(wanted(), {"token_policies": ["api-tokens"]}, own_policy(wanted()).want, place=PLACE)
    with pytest.raises(VaultError) as caught:
        check_role(wanted(), has_it, {"policy": 'path "prod/*" {}'}, place=PLACE)
    assert caught.value.coded_message == f"{PLACE} already has the policy api-tokens, which this playbook did not create. {ADVICE}"


def test_unchanged_objects_are_left_alone():
    mount = thing("KV version 2 at secret")
    assert decided(mount, {**KV2, "description": "of others", "local": False}) is Do.NOTHING
    assert decided(mount, None) is Do.MAKE
    approle = role(wanted())
    assert decided(approle, {**approle.want, "token_ttl": 60, "bound": True}) is Do.CHANGE
    assert decided(approle, {**approle.want, "bind_secret_id": False}) is Do.CHANGE
    assert decided(approle, {**approle.want, "bound": True}) is Do.NOTHING
    assert decided(approle, {"token_policies": ["api-tokens"], "token_ttl": 3600}) is Do.CHANGE, "what is missing differs"


def test_a_mount_of_another_type_is_refused_even_with_take_over():
    mount = thing("KV version 2 at team/kv", mount="team/kv")
    version1 = (
        f"{PLACE} has KV version 1 at sys/mounts/team/kv, not KV version 2 at team/kv. Choose another mount, or upgrade it: "
        "vault kv enable-versioning team/kv. Do not remove it: its secrets would be lost. [TRK-V11]"
    )
    for found in ({"type": "kv", "options": None}, {"type": "kv", "options": {"version": "1"}}, {"type": "generic"}):
        assert message_of(mount, found, take_over=True) == version1
    other = "Choose another mount, or remove it if nobody needs what is in it. [TRK-V11]"
    assert message_of(mount, {"type": "pki"}) == f"{PLACE} has something else at sys/mounts/team/kv, not KV version 2 at team/kv. {other}"
    login = thing("the login method approle at approle")
    assert message_of(login, {"type": "jwt"}) == f"{PLACE} has something else at sys/auth/approle, not the login method approle at approle. {other}"


def test_a_mount_is_looked_for_by_its_whole_path():
    mount = thing("KV version 2 at team/kv", mount="team/kv")
    for others in ({}, {"team/kv2/": KV2}, {"kv/": KV2}, {"team/kv": KV2}, {"team/kv/x/": KV2}):
        assert found_in(others, mount, place=PLACE) is None
    assert found_in({"team/kv/": KV2}, mount, place=PLACE) == KV2
    assert found_in({"team/kv/": "odd"}, mount, place=PLACE) == {}
    with pytest.raises(VaultError) as caught:
        found_in({"team/": KV2}, mount, place=PLACE)
    assert (
        caught.value.coded_message == f"{PLACE} has another mount above team/kv, so KV version 2 at team/kv cannot be created. Choose another mount. [TRK-V11]"
    )


def test_a_foreign_policy_is_refused_unless_taken_over():
    policy = thing("the policy api-tokens")
    assert mark(wanted()) == MARK
    assert decided(policy, {"policy": policy.want["policy"]}) is Do.NOTHING
    assert decided(policy, {"policy": f"{MARK}\nwhatever"}) is Do.CHANGE
    assert decided(policy, {"policy": f"\n{policy.text}\n"}) is Do.CHANGE, "as the documentation has it, or an older version has made it"
    theirs = ('path "prod/*" {}', "", None, f"{MARK}x\n", f"{MARK[:-1]}-more.\n", f"x{MARK}\n", [MARK])
    for text in theirs:
        assert message_of(policy, {"policy": text}) == f"{PLACE} already has the policy api-tokens, which this playbook did not create. {ADVICE}"
        assert decided(policy, {"policy": text}, take_over=True) is Do.CHANGE


def test_settings_are_changed_only_on_our_own_mount():
    config = thing("one version of each entry at api-token-cache", **ALL)
    assert decided(config, {"max_versions": 0}, ours=True) is Do.CHANGE
    assert decided(config, None, ours=True) is Do.MAKE
    for found in ({"max_versions": 0}, None):
        assert decided(config, found, ours=False, take_over=True) is Do.LEAVE
    assert decided(config, {"max_versions": 1}, ours=False) is Do.NOTHING
