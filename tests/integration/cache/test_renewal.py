# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a token is renewed, by whom and with what, and what happens if the renewal fails."""

from __future__ import annotations

import json
import time

import pytest
from support.lookups import one_line

from .conftest import Scene, inventory


def test_min_ttl_max_age_and_force_renew_a_token(scene: Scene) -> None:
    scene.stage.store("tracx")
    scene.emulator.set("tracx", lifetime=3600)
    crowd = scene.crowd("tracx")
    first = crowd.one("tracx").token
    assert crowd.one("tracx", min_ttl=3500).token == first
    assert crowd.one("tracx", max_age=3600).token == first
    for options in ({"min_ttl": 3500, "clock": 200}, {"max_age": 100, "clock": 120}, {"force": True}):
        before = crowd.one("tracx").token
        crowd.one("tracx", force=True)  # as new as possible
        scene.forget()
        answer = crowd.one("tracx", **options)
        assert answer.details["source"] == "vendor", options
        assert len(scene.asked()) == 1 and answer.token != before, options
    # If the vendor's lifetime is below min_ttl, everyone is warned, and nobody retries in a loop.
    scene.emulator.set("tracx", lifetime=100)
    short = crowd.one("tracx", min_ttl=600, force=True)
    (warning,) = short.warnings
    assert "min_ttl" in warning and one_line(warning)
    again = crowd.one("tracx", min_ttl=600)
    assert again.token == short.token and again.warnings == short.warnings


def test_one_caller_renews_early_and_the_others_use_the_valid_token(scene: Scene) -> None:
    scene.stage.store("trackmage")
    crowd = scene.crowd("trackmage", login=scene.approle())
    scene.emulator.set("trackmage", lifetime=3600)
    old = crowd.one("trackmage")
    assert crowd.one("trackmage", clock=2800).token == old.token, "the last fifth has not begun"
    scene.forget()
    scene.emulator.set("trackmage", delay=3.0)
    answers = crowd.ask("trackmage", callers=30, clock=3000)
    assert len(scene.asked()) == 1
    (renewer,) = (answer for answer in answers if "fetched" in answer.events)
    assert renewer.token != old.token and renewer.seconds >= 3
    rest = [answer for answer in answers if answer is not renewer]
    assert {answer.events for answer in rest} == {("hit",)}
    assert len([answer for answer in rest if answer.token == old.token]) >= 10, "they went on with the old one"


def test_a_failed_renewal_serves_the_valid_token(scene: Scene) -> None:
    scene.stage.store("tracx")
    scene.emulator.set("tracx", lifetime=3600)
    crowd = scene.crowd("tracx", http_retries=0)
    old = crowd.one("tracx")
    scene.forget()
    scene.emulator.fail("tracx", 503, times=None)
    answers = crowd.ask("tracx", callers=10, clock=3100, same_run=True)
    assert {answer.token for answer in answers} == {old.token}
    assert len(scene.asked()) == 1
    (warning,) = {warning for answer in answers for warning in answer.warnings}
    assert one_line(warning) and "still valid" in warning and "503" in warning
    # Below min_ttl everyone is warned.
    below = crowd.ask("tracx", callers=4, clock=3100, min_ttl=600, same_run=True)
    assert {answer.token for answer in below} == {old.token}
    assert all("still valid" in answer.warnings[0] for answer in below)
    scene.emulator.heal("tracx")
    scene.vault.server.process.pause()
    try:
        away = crowd.one("tracx", clock=3150, timeout=0.5)
    finally:
        scene.vault.server.process.resume()
    assert away.token == old.token and "still valid" in away.warnings[0] and "Vault" in away.warnings[0]
    expired = crowd.one("tracx", clock=3700)
    assert expired.token not in (None, old.token)


@pytest.mark.parametrize(("vendor", "options"), [("tracktik", {}), ("trackunit", {"scope": "api offline_access"})])
def test_refresh_tokens_are_used_once_each(scene: Scene, vendor: str, options: dict[str, str]) -> None:
    scene.stage.store(vendor)
    scene.emulator.set(vendor, lifetime=1000, revoke_family=True)
    crowd = scene.crowd(vendor, login=scene.approle(), **options)
    tokens = [crowd.one(vendor).token]
    for generation in range(1, 4):
        answers = crowd.ask(vendor, callers=50, clock=1001 * generation)
        (token,) = {answer.token for answer in answers}
        tokens.append(token)
    assert len(set(tokens)) == 4 and None not in tokens
    assert scene.grants(vendor) == ["password", "refresh_token", "refresh_token", "refresh_token"]
    used = [entry["refresh"] for entry in scene.asked() if entry["grant_type"] == "refresh_token"]
    assert len(set(used)) == 3
    assert [entry for entry in scene.asked() if entry.get("reuse")] == []


def test_a_refused_refresh_token_is_tried_once(scene: Scene) -> None:
    scene.stage.store("tracktik")
    scene.emulator.set("tracktik", lifetime=1000)
    crowd = scene.crowd("tracktik")
    crowd.one("tracktik")
    scene.emulator.revoke("tracktik", kind="refresh")
    answers = crowd.ask("tracktik", callers=20, clock=1001)
    assert len({answer.token for answer in answers}) == 1 and answers[0].token
    assert scene.grants("tracktik") == ["password", "refresh_token", "password"]


def test_a_refresh_whose_answer_was_lost_is_not_repeated(scene: Scene) -> None:
    scene.stage.store("tracktik")
    scene.emulator.set("tracktik", lifetime=1000, revoke_family=True)
    crowd = scene.crowd("tracktik")
    crowd.one("tracktik")
    scene.emulator.fail("tracktik", "lose")
    answers = crowd.ask("tracktik", callers=20, clock=1001)
    assert len({answer.token for answer in answers}) == 1 and answers[0].token
    assert scene.grants("tracktik") == ["password", "refresh_token", "password"]
    assert [entry for entry in scene.asked() if entry.get("reuse")] == []


def test_a_caller_killed_during_a_refresh_is_replaced(scene: Scene) -> None:
    scene.stage.store("tracktik")
    scene.emulator.set("tracktik", lifetime=1000, revoke_family=True)
    crowd = scene.crowd("tracktik")
    crowd.one("tracktik")
    scene.emulator.set("tracktik", delay=1.0)
    with crowd.start("tracktik", clock=1001) as running:
        scene.wait_asked("tracktik", 2)
        running.kill()
    after = crowd.ask("tracktik", callers=5, clock=1001)
    assert len({answer.token for answer in after}) == 1 and after[0].token
    assert [entry for entry in scene.asked() if entry.get("reuse")] == [], "a spent refresh token was used again"
    assert scene.grants("tracktik") == ["password", "refresh_token", "password"]


def test_a_refused_token_is_renewed_once(scene: Scene) -> None:
    scene.stage.store("trackunit")
    crowd = scene.crowd("trackunit")
    old = crowd.one("trackunit").token
    scene.forget()
    answers = crowd.ask("trackunit", callers=50, refused=old)
    (new,) = {answer.token for answer in answers}
    assert new not in (None, old)
    assert len(scene.asked()) == 1
    late = crowd.ask("trackunit", callers=10, refused=old)
    assert {answer.token for answer in late} == {new}
    assert len(scene.asked()) == 1


def test_a_token_refused_by_many_hosts_is_renewed_once(scene: Scene) -> None:
    scene.stage.store("trackunit")
    play = """
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.set_fact: {old: "{{ lookup('trackops.api_tokens.trackunit') }}"}
              run_once: true
            - ansible.builtin.assert:
                that: lookup('trackops.api_tokens.trackunit', refused=old) != old
                quiet: true
    """
    run = scene.stage.playbook(play, "--forks", "20", inventory=inventory(scene.stage.ansible, 100))
    assert run.rc == 0, run
    assert len(scene.asked()) == 2


def test_a_refused_token_that_the_vendor_returns_again_is_renewed_once(scene: Scene) -> None:
    """Twenty hosts, with fewer forks than hosts: the vendor is asked once more, not once per host. force also renews only once a run."""
    scene.stage.store("tracx")
    body = {"data": {"token": "same-token-0123456789", "expires_at": int(time.time()) + 3600}}
    scene.emulator.fail("tracx", "literal", body=json.dumps(body), times=None)
    play = """
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.set_fact: {old: "{{ lookup('trackops.api_tokens.tracx') }}"}
              run_once: true
            - ansible.builtin.assert:
                that: lookup('trackops.api_tokens.tracx', %s) == old
                quiet: true
    """
    hosts = inventory(scene.stage.ansible, 20)
    run = scene.stage.playbook(play % "refused=old", "--forks", "5", inventory=hosts)
    assert run.rc == 0, run
    assert len(scene.asked()) == 2
    scene.forget()
    run = scene.stage.playbook(play % "force=true", "--forks", "5", inventory=hosts)
    assert run.rc == 0, run
    assert len(scene.asked()) == 1


def test_concurrent_forced_callers_share_a_fetch(scene: Scene) -> None:
    scene.stage.store("tracx")
    scene.emulator.set("tracx", delay=0.3)
    crowd = scene.crowd("tracx")
    old = crowd.one("tracx").token
    scene.forget()
    answers = crowd.ask("tracx", callers=40, force=True)
    assert old not in {answer.token for answer in answers}
    assert len(scene.asked()) < 10, "those who asked before it was fetched share it"
