# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One vendor request, one Vault login and one secret read per token lifetime, counted in the logs of the vendor and of Vault."""

from __future__ import annotations

import contextlib

from .conftest import Scene, inventory, login_env

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: >-
          lookup('trackops.api_tokens.trackunit', 'fleet/trackunit')
          == lookup('trackops.api_tokens.trackunit', 'fleet/trackunit', output='details').access_token
        quiet: true
"""


def _switched_off(scene: Scene) -> dict[str, str | None]:
    """Stop the servers. Addresses where nobody answers would mean other cache entries."""
    scene.emulator.stop()
    scene.vault.server.process.pause()
    return {"ANSIBLE_HASHI_VAULT_TIMEOUT": "2"}


def test_five_hundred_hosts_share_one_fetch(scene: Scene) -> None:
    scene.stage.store("trackunit", "fleet/trackunit")
    env = login_env(scene.approle())
    hosts = inventory(scene.stage.ansible, 500)
    cold = scene.stage.playbook(PLAY, "--forks", "20", inventory=hosts, env=env)
    assert cold.rc == 0, cold
    assert len(cold.stats) == 500
    assert len(scene.asked()) == 1
    assert scene.logins() == 1
    assert scene.reads("fleet/trackunit") == 1
    assert len(scene.vault.audit_requests()) == 2, "Vault was asked for something else"

    scene.forget()
    again = scene.stage.playbook(PLAY, "--forks", "20", inventory=inventory(scene.stage.ansible, 20), env=env)
    assert again.rc == 0, again
    assert scene.asked() == []
    assert scene.vault.audit_requests() == []

    try:
        off = scene.stage.playbook(PLAY, "--forks", "20", inventory=inventory(scene.stage.ansible, 20), env={**env, **_switched_off(scene)})
    finally:
        scene.vault.server.process.resume()
    assert off.rc == 0, off


def test_twenty_concurrent_runs_share_one_fetch(scene: Scene) -> None:
    scene.stage.store("tracx")
    play = scene.stage.ansible.write(
        "one.yml",
        """
        - hosts: localhost
          gather_facts: false
          tasks:
            - ansible.builtin.debug: {msg: "{{ lookup('trackops.api_tokens.tracx') | length }}"}
    """,
    )
    env = {**scene.vault.env(), **login_env(scene.approle())}
    scene.emulator.set("tracx", delay=1.0)
    runs = [scene.stage.ansible.start_playbook(play, *scene.stage.extra(), env=env) for _ in range(20)]
    for run in runs:
        run.popen.wait(120)
        assert run.popen.returncode == 0, run.output()
    assert len(scene.asked()) == 1
    assert scene.logins() == 1
    assert scene.reads("tracx") == 1


def test_a_loop_over_four_vendors_logs_in_once(scene: Scene) -> None:
    scene.stage.store_all()
    play = """
        - hosts: localhost
          gather_facts: false
          tasks:
            - ansible.builtin.debug: {msg: "{{ lookup('trackops.api_tokens.' ~ item) | length }}"}
              with_items: [trackmage, tracx, tracktik, trackunit, trackmage, tracx, tracktik, trackunit]
    """
    done = scene.stage.playbook(play, env=login_env(scene.approle()))
    assert done.rc == 0, done
    assert sorted(entry["vendor"] for entry in scene.asked()) == ["trackmage", "tracktik", "trackunit", "tracx"]
    assert scene.logins() == 1
    assert len(scene.vault.audit_requests("secret/data/")) == 4


def test_fifty_concurrent_callers_share_one_fetch(scene: Scene) -> None:
    scene.stage.store("trackmage")
    scene.emulator.set("trackmage", delay=0.3)
    crowd = scene.crowd("trackmage", login=scene.approle())
    answers = crowd.ask("trackmage", callers=50)
    assert {answer.error for answer in answers} == {""}
    assert len({answer.token for answer in answers}) == 1
    assert len(scene.asked()) == 1
    assert (scene.logins(), scene.reads("trackmage")) == (1, 1)
    counted = [event for answer in answers for event in answer.events]
    assert counted.count("fetched") == 1 and counted.count("shared") + counted.count("hit") == 49


def test_a_hit_imports_no_client_and_sends_no_request(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx")
    cold = crowd.one("tracx")
    assert {"hvac", "requests"} <= set(cold.modules), "this test would not notice them"
    scene.emulator.stop()
    warm = crowd.one("tracx")
    assert warm.token == cold.token
    assert not {"hvac", "requests", "urllib3", "ssl"} & set(warm.modules)


def test_different_tokens_do_not_wait_for_each_other(scene: Scene) -> None:
    for number in range(4):
        scene.stage.store("tracx", f"fleet/{number}")
    crowd = scene.crowd("tracx", http_timeout=300)
    scene.emulator.set("tracx", delay=300)
    with contextlib.ExitStack() as all_of_them:
        for number in range(4):
            all_of_them.enter_context(crowd.start("tracx", f"fleet/{number}", callers=5))
        # All four are requested while the vendor is still working on the first.
        scene.wait_asked("tracx", 4)
        assert [entry["status"] for entry in scene.asked()] == [None] * 4
    # Nobody is waiting for these responses any more.
    scene.emulator.stop()
    scene.emulator.start()
    scene.emulator.set("tracx", delay=0)
    scene.forget()
    answers = [answer for number in range(4) for answer in crowd.ask("tracx", f"fleet/{number}", callers=5)]
    assert len({answer.token for answer in answers}) == 4 and not any(answer.error for answer in answers)
    assert len(scene.asked()) == 4
