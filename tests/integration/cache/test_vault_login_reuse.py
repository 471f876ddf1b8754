# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Vault login is cached like a token: reused, renewed, replaced when Vault rejects it. The user's own token is never cached."""

from __future__ import annotations

from .conftest import Scene


def test_all_vendors_and_callers_share_one_login(both: Scene) -> None:
    both.stage.store_all()
    login = both.approle(token_ttl="1h")
    for vendor in ("trackmage", "tracx", "tracktik", "trackunit"):
        answers = both.crowd(vendor, login=login).ask(vendor, callers=10)
        assert {answer.error for answer in answers} == {""}
    assert both.logins() == 1


def test_a_login_is_renewed_in_its_last_third(both: Scene) -> None:
    both.stage.store("tracx")
    crowd = both.crowd("tracx", login=both.approle(token_ttl="1h", token_max_ttl="4h"))
    crowd.one("tracx")
    crowd.one("tracx", force=True, clock=1000)
    assert both.vault.audit_requests("auth/token/renew-self") == []
    crowd.ask("tracx", callers=10, force=True, clock=3000)
    assert 1 <= len(both.vault.audit_requests("auth/token/renew-self")) <= 3
    crowd.one("tracx", force=True, clock=4000)
    assert both.logins() == 1, "its lease is longer now"


def test_a_login_near_its_end_is_replaced(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx", login=scene.approle(token_ttl="1h", token_max_ttl="1h"))
    crowd.one("tracx")
    answers = crowd.ask("tracx", callers=20, force=True, clock=3595)
    assert {answer.error for answer in answers} == {""}
    assert scene.logins() == 2


def test_a_revoked_login_is_replaced_once(both: Scene) -> None:
    both.stage.store("tracx")
    crowd = both.crowd("tracx", login=both.approle())
    crowd.one("tracx")
    for accessor in both.vault.client.list("auth/token/accessors")["data"]["keys"]:
        found = both.vault.client.auth.token.lookup_accessor(accessor)["data"]
        if found["path"] == "auth/approle/login":
            both.vault.client.auth.token.revoke_accessor(accessor)
    both.forget()
    answers = crowd.ask("tracx", callers=20, force=True)
    assert {answer.error for answer in answers} == {""}
    assert both.logins() == 1, "one new login for all of them"


def test_a_denied_path_causes_no_new_login(scene: Scene) -> None:
    scene.stage.store("tracx", "mine/tracx")
    scene.stage.store("tracx", "theirs/tracx")
    crowd = scene.crowd("tracx", login=scene.approle(policies=[scene.vault.read_policy("mine/*")]))
    crowd.one("tracx", "mine/tracx")
    for _ in range(3):
        assert "denied" in crowd.one("tracx", "theirs/tracx").error
    assert scene.logins() == 1


def test_a_single_use_secret_id_is_spent_once(both: Scene) -> None:
    both.stage.store("tracx", "mine/tracx")
    both.stage.store("trackmage", "mine/trackmage")
    login = both.approle(policies=[both.vault.read_policy("mine/*")], secret_id_num_uses=1)
    answers = both.crowd("tracx", login=login).ask("tracx", "mine/tracx", callers=30)
    assert {answer.error for answer in answers} == {""}
    # Nor is it used again later, when a path is denied and a newer login could have helped.
    crowd = both.crowd("tracx", login=login)
    assert "denied" in crowd.one("tracx", "theirs/tracx", clock=60).error
    assert both.crowd("trackmage", login=login).one("trackmage", "mine/trackmage", clock=61).token
    assert len([entry for entry in both.vault.audit_requests("auth/approle/login") if not entry.error]) == 1


def test_a_wrong_login_is_tried_once(both: Scene) -> None:
    both.vault.userpass("ada", "right", [both.vault.read_policy("*")])
    both.stage.store("tracx")
    options = {"auth_method": "userpass", "username": "ada", "token": None}
    crowd = both.crowd("tracx", password="wrong", **options)
    answers = crowd.ask("tracx", callers=30, same_run=True)
    (error,) = {answer.error for answer in answers}
    assert "refused the login" in error and "ada" in error and "wrong" not in error
    assert "Changed credentials are tried at once; the same ones only by a later run, and not within the next 30 s." in error
    assert len(both.vault.audit_requests("auth/userpass/login/ada")) == 1
    for clock in range(0, 90, 10):  # other runs: scheduled runs do not lock the account either
        assert "refused the login" in crowd.one("tracx", clock=clock).error
    assert len(both.vault.audit_requests("auth/userpass/login/ada")) == 3
    assert crowd.one("tracx", password="right").token


def test_the_users_own_token_is_never_cached(scene: Scene) -> None:
    scene.stage.store("tracx")
    token = scene.vault.token(scene.vault.read_policy("*"), ttl="1m", renewable=True)
    crowd = scene.crowd("tracx", login=token)
    crowd.ask("tracx", callers=5, force=True)
    assert scene.vault.audit_requests("auth/") == [], "neither logged in nor renewed"
    assert len(crowd.files()) == 2, "the entry and the key"
