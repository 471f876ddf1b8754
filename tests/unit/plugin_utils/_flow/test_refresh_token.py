# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refresh tokens that are written back to Vault."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CasMismatch, VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Secret
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.refresh_token import (
    refresh_token_key,
    without_unverified_refresh_token,
    write_refresh_token,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in
from support.scripted import FakeClient, FakeVault, Scene, access, answer, error, request_for, token

CODE = {"client_id": "i", "client_secret": "s", "code": "c0de", "redirect_uri": "http://127.0.0.1:8/", "owner": "me"}


@pytest.fixture
def ask(tmp_path):
    def asking(scene, name="a", **secret):
        request = request_for("trackmage", cache=str(tmp_path / name), secret=secret)
        request = dataclasses.replace(request, vendor=built_in("trackmage").as_variant("authorization_code"))
        return Resolver(scene.ports).token(request)

    return asking


def test_the_code_becomes_a_refresh_token(ask):
    scene = Scene(access("one", refresh_token="r1"), access("two", refresh_token="r2"), vault=FakeVault(CODE))
    assert ask(scene).secret_version == "2"
    assert {name: value for name, value in scene.vault.data.items() if name != "redirect_uri"} == {
        "client_id": "i",
        "client_secret": "s",
        "refresh_token": "r1",
        "owner": "me",
    }
    assert scene.vault.version == 2
    # Another controller continues from there, and this one after it.
    assert ask(scene, "b").access_token == "two"
    assert (scene.vault.data["refresh_token"], scene.vault.version) == ("r2", 3)
    assert b'"refresh_token": "r1"' in scene.sent[1].body


def test_an_unchanged_refresh_token_is_not_written(ask):
    scene = Scene(access("one"), vault=FakeVault({**CODE, "refresh_token": "r1"}))
    ask(scene)
    assert scene.vault.version == 1


def test_the_refresh_token_is_stored_under_the_users_field_name(ask):
    scene = Scene(access("one", refresh_token="r2"), vault=FakeVault({"client_id": "i", "client_secret": "s", "rt": "r1"}))
    ask(scene, fields={"refresh_token": "rt"})
    assert scene.vault.data["rt"] == "r2"


@pytest.mark.parametrize(
    ("vault", "secret", "reason"),
    [
        (FakeVault(CODE, version=None), {}, "KV v1 has no check-and-set"),
        (FakeVault(CODE), {"version": 1}, "secret_version pins an older one"),
    ],
)
def test_a_refresh_token_that_cannot_be_stored_in_vault_stays_in_the_cache(ask, vault, secret, reason):
    scene = Scene(access("one", refresh_token="r1"), vault=vault)
    assert ask(scene, **secret).refresh_token == "r1"
    assert scene.warnings == [f"trackmage: the vendor sent a new refresh token, which is kept only in the cache: {reason}."]


def test_a_denied_write_is_warned_about(ask, monkeypatch):
    scene = Scene(access("one", refresh_token="r1"), vault=FakeVault(CODE))

    def denied(_request):
        scene.vault.kv_fault = VaultError("Vault: permission denied.", "denied")
        return access("one", refresh_token="r1")

    scene.script = [denied]
    assert ask(scene).access_token == "one"
    assert scene.warnings == [
        "trackmage: the vendor's new refresh token could not be stored at secret/fleet/x, so it is kept in the cache of this machine "
        "only. Allow 'update' there. Vault: permission denied. [TRK-V05]"
    ]


def test_a_field_changed_meanwhile_is_kept(ask):
    def edited(_request):
        scene.vault.change(owner="you")
        return access("one", refresh_token="r2")

    scene = Scene(edited, vault=FakeVault({**CODE, "refresh_token": "r1"}))
    ask(scene)
    assert (scene.vault.data["owner"], scene.vault.data["refresh_token"], "code" in scene.vault.data) == ("you", "r2", False)


def test_a_newer_consent_wins(ask):
    def consented(_request):
        scene.vault.change(refresh_token="theirs")
        return access("one", refresh_token="r2")

    scene = Scene(consented, vault=FakeVault({**CODE, "refresh_token": "r1"}))
    ask(scene)
    assert (scene.vault.data["refresh_token"], scene.warnings) == ("theirs", [])


def test_a_used_code_asks_for_consent_again(ask):
    scene = Scene(error("invalid_grant"), vault=FakeVault(CODE))
    with pytest.raises(VendorError, match=r"run the playbook trackops\.api_tokens\.authorize again"):
        ask(scene)
    assert scene.vault.version == 1


def test_a_vendor_outage_keeps_the_refresh_token(ask):
    """A refresh token that was not certainly refused stays: the code was used long ago, so nothing else leads to a token."""
    scene = Scene(access("one", refresh_token="r1"), answer(503), access("two", refresh_token="r2"), vault=FakeVault(CODE, version=None))
    ask(scene)
    scene.now += 3601
    with pytest.raises(VendorError, match="503"):
        ask(scene)
    scene.now += 31
    assert ask(scene).access_token == "two"
    assert [b"c0de" in request.body for request in scene.sent] == [True, False, False]
    assert b'"refresh_token": "r1"' in scene.sent[2].body


def test_a_contended_secret_is_warned_about_after_five_attempts(ask):
    scene = Scene(access("one", refresh_token="r2"), vault=FakeVault({**CODE, "refresh_token": "r1"}))
    attempts = []

    def write(self, mount, path, data, *, cas):
        attempts.append(cas)
        raise CasMismatch("cas", "cas")

    scene.ports = dataclasses.replace(scene.ports, vault=lambda options, warn: type("Client", (FakeClient,), {"write_secret": write})(scene.vault, options))
    assert ask(scene).access_token == "one"
    assert len(attempts) == 5
    assert "other writers keep changing secret/fleet/x. Try again." in scene.warnings[0]


# -- one function after the other --------------------------------------------------------------------------------------


def mac(secret, refresh_token):
    return f"{refresh_token} by {secret['client_id']}"


@pytest.mark.parametrize(
    ("refresh_token", "its_mac", "key", "trusted"),
    [
        ("r1", "", "refresh_token", True),  # the one in the secret
        ("r1", "", "rt", False),
        ("r2", "", "refresh_token", False),
        ("r2", "r2 by i", "refresh_token", True),
        ("r2", "r2 by \N{MICRO SIGN}", "refresh_token", False),
        (None, "", "refresh_token", True),
    ],
)
def test_only_a_signed_or_own_refresh_token_is_trusted(refresh_token, its_mac, key, trusted):
    request = request_for("trackmage", secret={"fields": {} if key == "refresh_token" else {"refresh_token": key}})
    assert refresh_token_key(request) == key
    theirs = token(refresh_token=refresh_token, refresh_token_mac=its_mac)
    secret = {"client_id": "i", "refresh_token": "r1"}
    expected = theirs if trusted else dataclasses.replace(theirs, refresh_token=None, refresh_token_mac="")
    assert without_unverified_refresh_token(theirs, request, secret, mac) == expected
    assert without_unverified_refresh_token(theirs, request, secret, None) is theirs


class Session:
    """A Vault in which others write the secret before each of our writes."""

    def __init__(self, *theirs):
        self.theirs, self.written = list(theirs), []

    def secret(self):
        return self.theirs.pop(0)

    def call(self, work):
        return work(self)

    def write_secret(self, mount, path, data, *, cas):
        self.written.append((mount, path, data, cas))
        if self.theirs:
            raise CasMismatch("cas", "cas")
        return cas + 1


OLD = Secret({"refresh_token": "r1", "code": "c", "code_verifier": "v", "owner": "me"}, 7, "secret/x")
NEWER = Secret({"refresh_token": "r1", "owner": "you"}, 9, "secret/x")


def test_without_only_if_any_refresh_token_is_replaced():
    theirs = Secret({"refresh_token": "other"}, 9, "secret/x")
    session = Session(theirs)
    assert write_refresh_token(request_for("trackmage"), "r2", OLD, session=session) == "10"
    assert session.written == [
        ("secret", "fleet/x", {"refresh_token": "r2", "owner": "me"}, 7),
        ("secret", "fleet/x", {"refresh_token": "r2"}, 9),
    ]


def test_with_only_if_only_that_refresh_token_is_replaced():
    request = request_for("trackmage", secret={"fields": {"code": "owner"}})
    session = Session(NEWER)
    assert write_refresh_token(request, "r2", OLD, session=session, only_if="r1") == "10"
    assert session.written[0][2] == {"refresh_token": "r2", "code": "c"}
    session = Session(Secret({"refresh_token": "theirs"}, 9, "secret/x"))
    assert write_refresh_token(request, "r2", OLD, session=session, only_if="r1") is None
    assert len(session.written) == 1


def test_writing_gives_up_after_five_conflicts():
    session = Session(*[NEWER] * 6)
    with pytest.raises(VaultError) as caught:
        write_refresh_token(request_for("trackmage"), "r2", OLD, session=session)
    assert (caught.value.message, caught.value.kind) == ("trackmage: other writers keep changing secret/fleet/x. Try again.", "cas")
    assert len(session.written) == 5


def test_without_versions_nothing_is_written():
    session = Session()
    with pytest.raises(VaultError) as caught:
        write_refresh_token(request_for("trackmage"), "r2", dataclasses.replace(OLD, version=None), session=session)
    assert (caught.value.message, caught.value.kind) == ("trackmage: KV v1 at secret has no check-and-set.", "unavailable")
    assert session.written == []
