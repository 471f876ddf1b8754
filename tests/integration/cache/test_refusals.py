# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wrong password is tried once, not once per host; one caller retries a temporary failure."""

from __future__ import annotations

from support.lookups import IMPORTED, Outcome, one_line
from support.processes import closed_port, wait_for

from .conftest import Scene, inventory, login_env

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "{{ lookup('trackops.api_tokens.trackunit', 'fleet/trackunit') | length }}"}
"""


def test_a_hundred_hosts_send_a_wrong_password_once(scene: Scene) -> None:
    scene.stage.store("trackunit", "fleet/trackunit", password="wrong-password-1")
    env = {**login_env(scene.approle()), **IMPORTED}
    run = scene.stage.playbook(PLAY, "--forks", "20", inventory=inventory(scene.stage.ansible, 100), env={**env, "TRACKOPS_FAILURE_TTL": "600"})
    assert run.rc != 0
    assert len([host for host in run.stats.values() if host["failures"]]) == 100
    assert len(scene.asked()) == 1, "each attempt more brings the account nearer to its lock"
    assert scene.logins() == 1
    (message,) = {Outcome(task.task, task, run).error for task in run.tasks}
    assert one_line(message) and "secret/fleet/trackunit" in message and "version 1" in message and "invalid_grant" in message
    assert "wrong-password-1" not in run.output

    scene.stage.store("trackunit", "fleet/trackunit")
    again = scene.stage.playbook(PLAY, inventory=inventory(scene.stage.ansible, 3), env={**env, "TRACKOPS_FAILURE_TTL": "600"})
    assert again.rc == 0, again
    assert len(scene.asked()) == 2


def test_a_corrected_password_is_sent_at_once(scene: Scene) -> None:
    scene.stage.store("tracktik", password="wrong")
    crowd = scene.crowd("tracktik", login=scene.approle())
    answers = crowd.ask("tracktik", callers=40)
    (error,) = {answer.error for answer in answers}
    assert one_line(error) and "invalid_grant" in error
    assert len(scene.asked()) == 1
    assert scene.reads("tracktik") < 10, "those who waited for somebody's look at the secret need none of their own"
    assert crowd.one("tracktik").error == error, "another run remembers it too"
    assert len(scene.asked()) == 1
    assert crowd.one("tracktik", clock=31).error
    assert len(scene.asked()) == 2, "after failure_ttl it is tried again"
    scene.stage.store("tracktik")
    assert crowd.one("tracktik", clock=31).token
    assert len(scene.asked()) == 3


def test_each_wrong_kv_v1_secret_is_tried_once(scene: Scene) -> None:
    """KV v1 has no version numbers, and the error stays the same, but each new secret is tried."""
    scene.vault.kv1()
    crowd = scene.crowd("tracktik", login=scene.vault.token(scene.vault.read_policy("*", mount="kv", version=1)))
    crowd.values |= {"engine_mount_point": "kv", "engine_version": "1"}
    for attempt in (1, 2):
        scene.vault.put1("tracktik", {**scene.stage.credentials("tracktik"), "password": f"wrong-{attempt}"})
        for _ in range(3):
            assert "invalid_grant" in crowd.one("tracktik").error
        assert len(scene.asked()) == attempt
    scene.vault.put1("tracktik", scene.stage.credentials("tracktik"))
    assert crowd.one("tracktik").token


def test_credentials_rotated_in_vault_are_picked_up(both: Scene) -> None:
    """The vendor already has a new password; the secret changes while the vendor is asked with the old one."""
    both.stage.store("tracktik")
    both.emulator.set_credentials("tracktik", password="rotated")
    both.emulator.set("tracktik", delay=1.0)
    crowd = both.crowd("tracktik")
    running = crowd.start("tracktik")
    both.wait_asked("tracktik", 1)
    both.stage.store("tracktik")
    (answer,) = running.answers()
    assert answer.token, answer.error
    assert len(both.asked()) == 2


def test_one_caller_retries_a_temporary_failure(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx")
    scene.emulator.fail("tracx", 503, times=2)
    scene.emulator.fail("tracx", "status", code=429, retry_after=1)
    answers = crowd.ask("tracx", callers=30, same_run=True)
    assert len({answer.token for answer in answers}) == 1 and answers[0].token
    assert [entry["status"] for entry in scene.asked()] == [503, 503, 429, 200]
    times = [entry["time"] for entry in scene.asked()]
    assert times[3] - times[2] >= 1, "Retry-After"


def test_an_outage_is_reported_to_all_callers(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx", http_retries=1)
    scene.emulator.fail("tracx", 503, times=None)
    answers = crowd.ask("tracx", callers=30, same_run=True)
    (error,) = {answer.error for answer in answers}
    assert one_line(error) and "503" in error
    assert len(scene.asked()) == 2
    scene.emulator.heal("tracx")
    assert crowd.one("tracx").token, "the next run need not wait"


def test_a_retry_after_beyond_the_deadline_is_remembered(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx", http_deadline=60)
    scene.emulator.fail("tracx", "status", code=429, retry_after=120)
    assert "429" in crowd.one("tracx").error
    assert "429" in crowd.one("tracx").error, "and nobody asks before"
    assert len(scene.asked()) == 1
    assert crowd.one("tracx", clock=121).token


def test_one_caller_tries_an_unreachable_vendor(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx", base_url=f"http://127.0.0.1:{closed_port()}", http_retries=2)
    answers = crowd.ask("tracx", callers=30, same_run=True)
    (error,) = {answer.error for answer in answers}
    assert one_line(error) and "connection refused" in error
    assert [answer.events.count("failed") for answer in answers].count(1) == 1, "one caller tried, the others got its error"


def test_the_vendor_comes_back_within_the_deadline(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx", http_retries=5)
    scene.emulator.stop()
    running = crowd.start("tracx", callers=10)
    # A caller that has read the credentials asks the vendor next.
    wait_for("a caller that asks", lambda: scene.reads("tracx"))
    scene.emulator.start()
    answers = running.answers()
    assert {bool(answer.token) for answer in answers} == {True}
    assert len(scene.asked()) == 1


def test_a_denied_path_is_read_by_few_callers(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx", login=scene.vault.token("default"))
    answers = crowd.ask("tracx", callers=40)
    (error,) = {answer.error for answer in answers}
    assert one_line(error) and "denied" in error
    assert scene.reads("tracx") < 10
    assert crowd.one("tracx", token=scene.stage.token()).token


def test_one_caller_tries_an_unreachable_vault(scene: Scene) -> None:
    crowd = scene.crowd("tracx", url=f"http://127.0.0.1:{closed_port()}")
    answers = crowd.ask("tracx", callers=30, same_run=True)
    (error,) = {answer.error for answer in answers}
    assert one_line(error) and "connection refused" in error and error.startswith("tracx: ")
    assert [answer.events.count("failed") for answer in answers].count(1) == 1


def test_concurrent_runs_keep_their_own_failures(scene: Scene) -> None:
    """Two runs of 40 hosts while the vendor is down: each finds out once, and neither overwrites the other's memory."""
    scene.stage.store("trackunit", "fleet/trackunit")
    scene.emulator.fail("trackunit", 503, times=None)
    hosts = inventory(scene.stage.ansible, 40)
    play = scene.stage.ansible.write("outage.yml", PLAY)
    env = {**scene.vault.env(), **login_env(scene.approle()), **IMPORTED, "TRACKOPS_HTTP_RETRIES": "0"}
    runs = [scene.stage.ansible.start_playbook(play, "--forks", "5", "-i", str(hosts), *scene.stage.extra(), env=env) for _ in range(2)]
    for run in runs:
        run.popen.wait(300)
        assert run.popen.returncode != 0 and "503" in run.output(), run.output()
    assert len(scene.asked()) <= 2
    assert scene.reads("fleet/trackunit") <= 2
