# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``cache: vault``: many controllers, each with its own HOME and login, make one vendor request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

from support.crowd import Crowd
from support.processes import wait_for

from .conftest import Scene

# As in docs/cache.md.
POLICY = """
path "secret/data/fleet/*" { capabilities = ["read"] }
path "secret/data/trackops/api_tokens/*" { capabilities = ["create", "read", "update"] }
"""
FIELDS = {
    "access_token",
    "token_type",
    "authorization",
    "expires_at",
    "issued_at",
    "scope",
    "extra",
    "vendor",
    "path",
    "schema",
    "refresh_token",
    "refresh_token_mac",
    "secret_version",
    "failures",
    "lease_holder",
    "lease_until",
    "lease_seconds",
}


def _fleet(scene: Scene, vendor: str, **options: t.Any) -> Crowd:
    scene.vault.policy("controller", POLICY)
    crowd = scene.crowd(vendor, login=scene.approle(policies=["controller"]), **options)
    crowd.values["cache"] = "vault"
    return crowd


def _entry(scene: Scene, vendor: str) -> tuple[str, dict[str, t.Any]]:
    path = f"trackops/api_tokens/{vendor}/fleet/{vendor}"
    (name,) = scene.vault.client.secrets.kv.v2.list_secrets(path)["data"]["keys"]
    return f"{path}/{name}", scene.vault.get(f"{path}/{name}")


def test_sixty_four_controllers_make_one_request(both: Scene) -> None:
    both.stage.store("trackunit", "fleet/trackunit")
    both.emulator.set("trackunit", delay=1.0)
    fleet = _fleet(both, "trackunit")
    answers = fleet.ask("trackunit", "fleet/trackunit", callers=64, homes=both.folder / "homes")
    assert {answer.error for answer in answers} == {""}
    assert len({answer.token for answer in answers}) == 1
    assert len(both.asked()) == 1
    assert [answer.events.count("fetched") for answer in answers].count(1) == 1
    assert {answer.warnings for answer in answers} == {()}
    # On an idle machine three: the login, the entry while another controller fetches, the entry with the token. If 64 processes share few cores,
    # some read the entry once more.
    assert len(both.vault.audit_requests()) <= 5 * 64, f"{len(both.vault.audit_requests()) / 64:.2f} for each controller"

    # Other programs can use its fields.
    _path, entry = _entry(both, "trackunit")
    assert set(entry) == FIELDS
    assert entry["access_token"] == answers[0].token
    assert entry["authorization"] == f"Bearer {answers[0].token}"
    assert (entry["vendor"], entry["path"], entry["token_type"], entry["lease_until"]) == ("trackunit", "secret/fleet/trackunit", "Bearer", 0)

    # Again, from the local files alone.
    both.forget()
    both.vault.server.process.pause()
    try:
        again = fleet.ask("trackunit", "fleet/trackunit", callers=64, homes=both.folder / "homes")
    finally:
        both.vault.server.process.resume()
    assert {answer.token for answer in again} == {answers[0].token}
    assert both.vault.audit_requests() == [] and both.asked() == []


def test_a_killed_lease_holder_is_replaced(scene: Scene) -> None:
    scene.stage.store("tracktik", "fleet/tracktik")
    scene.emulator.set("tracktik", delay=20)
    fleet = _fleet(scene, "tracktik", http_retries=0, http_deadline=300)
    with fleet.start("tracktik", "fleet/tracktik", homes=scene.folder / "dead", http_timeout=1.5) as running:
        scene.wait_asked("tracktik", 1)
        running.kill()
    scene.emulator.set("tracktik", delay=0)
    answers = fleet.ask("tracktik", "fleet/tracktik", callers=10, homes=scene.folder / "homes")
    assert len({answer.token for answer in answers}) == 1 and answers[0].token, answers[0].error
    assert len(scene.asked()) == 2, "one takes over, the others wait for it"


def test_a_lease_by_a_wrong_clock_is_not_waited_for_long(scene: Scene) -> None:
    scene.stage.store("tracx", "fleet/tracx")
    fleet = _fleet(scene, "tracx")
    scene.emulator.set("tracx", delay=20)
    with fleet.start("tracx", "fleet/tracx", homes=scene.folder / "dead", clock=86400, http_timeout=1, http_deadline=3) as running:
        scene.wait_asked("tracx", 1)
        running.kill()
    scene.emulator.set("tracx", delay=0)
    # Until the lease expires it would be a day.
    assert fleet.one("tracx", "fleet/tracx", homes=scene.folder / "homes").token


def test_a_long_wait_for_the_vendor_keeps_the_lease(scene: Scene) -> None:
    """If ``Retry-After`` is longer than the lease, the holder renews the lease, and no other controller asks the vendor."""
    scene.stage.store("tracx", "fleet/tracx")
    fleet = _fleet(scene, "tracx", http_timeout=4, http_deadline=300)
    # The lease lasts two timeouts and 5 s.
    scene.emulator.fail("tracx", "status", code=503, retry_after=15)
    answers = fleet.ask("tracx", "fleet/tracx", callers=8, homes=scene.folder / "homes")
    assert len({answer.token for answer in answers}) == 1 and answers[0].token, answers[0].error
    assert [entry["status"] for entry in scene.asked()] == [503, 200]


def test_a_wrong_password_is_sent_once_by_the_fleet(scene: Scene) -> None:
    scene.stage.store("tracktik", "fleet/tracktik", password="wrong")
    fleet = _fleet(scene, "tracktik")
    answers = fleet.ask("tracktik", "fleet/tracktik", callers=20, homes=scene.folder / "homes")
    (error,) = {answer.error for answer in answers}
    assert "invalid_grant" in error
    assert len(scene.asked()) == 1
    late = fleet.one("tracktik", "fleet/tracktik", homes=scene.folder / "later")
    assert late.error == error
    assert len(scene.asked()) == 1, "a later controller gets it, too"
    scene.stage.store("tracktik", "fleet/tracktik")
    assert fleet.one("tracktik", "fleet/tracktik", homes=scene.folder / "later").token


def test_refresh_tokens_of_a_fleet_are_used_once(scene: Scene) -> None:
    scene.stage.store("tracktik", "fleet/tracktik")
    scene.emulator.set("tracktik", lifetime=1000, revoke_family=True)
    fleet = _fleet(scene, "tracktik")
    for generation in range(3):
        answers = fleet.ask("tracktik", "fleet/tracktik", callers=16, homes=scene.folder / "homes", clock=1001 * generation)
        assert len({answer.token for answer in answers}) == 1 and answers[0].token
    assert scene.grants("tracktik") == ["password", "refresh_token", "refresh_token"]
    # A refresh token whose response is lost counts as used; no controller sends it again.
    scene.emulator.fail("tracktik", "lose")
    scene.emulator.fail("tracktik", 500)
    for _ in range(2):
        fleet.ask("tracktik", "fleet/tracktik", callers=4, homes=scene.folder / "homes", clock=3100)
    assert [entry for entry in scene.asked() if entry.get("reuse")] == []
    assert len([grant for grant in scene.grants("tracktik") if grant == "refresh_token"]) == 3


def test_one_controller_of_many_renews_early(scene: Scene) -> None:
    scene.stage.store("tracx", "fleet/tracx")
    scene.emulator.set("tracx", lifetime=3600)
    fleet = _fleet(scene, "tracx")
    fleet.ask("tracx", "fleet/tracx", callers=12, homes=scene.folder / "homes")
    scene.emulator.set("tracx", delay=3.0)
    answers = fleet.ask("tracx", "fleet/tracx", callers=12, homes=scene.folder / "homes", clock=3000)
    assert len(scene.asked()) == 2
    assert len([answer for answer in answers if "fetched" in answer.events]) == 1
    assert {answer.error for answer in answers} == {""}


def test_without_permission_to_share_a_controller_fetches_alone(scene: Scene) -> None:
    scene.stage.store("tracx", "fleet/tracx")
    scene.vault.policy("reader", 'path "secret/data/fleet/*" { capabilities = ["read"] }')
    alone = Crowd(scene.folder / "alone", values={**_fleet(scene, "tracx").values, "auth_method": "token", "token": scene.vault.token("reader")})
    answer = alone.one("tracx", "fleet/tracx")
    assert answer.token
    (warning,) = answer.warnings
    assert "not shared" in warning and "secret/data/trackops/api_tokens" in warning


def test_a_vault_agent_renders_the_shared_token(both: Scene) -> None:
    both.stage.store("tracx", "fleet/tracx")
    answer = _fleet(both, "tracx").one("tracx", "fleet/tracx")
    path, _fields = _entry(both, "tracx")
    both.vault.policy("agent", 'path "secret/data/trackops/api_tokens/*" { capabilities = ["read"] }')
    login = both.approle("agent", policies=["agent"])
    rendered = both.folder / "rendered"
    template = f'{{{{ with secret "secret/data/{path}" }}}}{{{{ .Data.data.access_token }}}} {{{{ .Data.data.authorization }}}}{{{{ end }}}}'
    with both.vault.server.agent(template, rendered, role_id=login.role_id, secret_id=str(login.secret_id)):
        wait_for("the rendered token", lambda: rendered.read_text(encoding="utf-8"))
    assert rendered.read_text(encoding="utf-8").split() == [answer.token, answer.token]


def test_jobs_of_ansible_runner_share_one_request(scene: Scene) -> None:
    runner = os.path.join(os.path.dirname(sys.executable), "ansible-runner")
    scene.stage.store("trackmage", "fleet/trackmage")
    scene.emulator.set("trackmage", delay=2.0)
    scene.vault.policy("controller", POLICY)
    digest = "{{ lookup('trackops.api_tokens.trackmage', 'fleet/trackmage') | hash('sha256') }}"
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": digest}}]}]
    jobs = []
    for number in range(4):
        folder = scene.folder / f"job{number}"
        (folder / "project").mkdir(parents=True)
        (folder / "project" / "play.yml").write_text(json.dumps(play), encoding="utf-8")
        home = folder / "home"
        home.mkdir()
        own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "TRACKOPS_CACHE": "vault", "VAULT_TOKEN": scene.vault.token("controller")}
        env = {**scene.stage.ansible.environment({**scene.vault.env(), **own}), "ANSIBLE_LOCALHOST_WARNING": "False"}
        command = [runner, "run", str(folder), "-p", "play.yml", "--cmdline", "-e " + json.dumps(json.dumps(scene.stage.variables))]
        jobs.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    outputs = [job.communicate(timeout=600)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4, outputs[0]
    assert len(scene.asked()) == 1
    assert len({line for output in outputs for line in output.splitlines() if '"msg"' in line}) == 1
