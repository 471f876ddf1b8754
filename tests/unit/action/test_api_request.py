# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request to an API: which token it sends, and the repetition with a new one. A script replaces the module ``uri``."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.trackops.api_tokens.plugins.action.api_request import ActionModule
from support.actions import action
from support.scripted import Scene, access, error


class Api:
    """Answers from a script, as ansible.builtin.uri returns them; ``sent`` holds the module's arguments."""

    def __init__(self, *script: dict[str, t.Any]) -> None:
        self.script = list(script)
        self.sent: list[dict[str, t.Any]] = []

    def get(self, name: str, *, task: t.Any, **_context: t.Any) -> t.Any:
        assert name == "ansible.builtin.uri"
        self.sent.append(task.args)
        return types.SimpleNamespace(run=lambda task_vars: self.script.pop(0), _execute_module=None, _discovered_interpreter_key="")


Run = t.Callable[..., t.Any]


@pytest.fixture
def run(tmp_path: t.Any) -> Run:
    def ran(scene: Scene, api: Api, *, check_mode: bool = False, **args: t.Any) -> t.Any:
        args = {"url": "https://api.example/v1", "vendor": "tracktik", "path": "fleet/x", **args}
        made = action(ActionModule, scene, args, cache=str(tmp_path / "cache"), check_mode=check_mode)
        made._shared_loader_obj = types.SimpleNamespace(action_loader=api)
        return made.run(None, {})

    return ran


def test_the_header_carries_the_token(run: Run) -> None:
    api = Api({"status": 200, "json": {"a": 1}})
    result = run(Scene(access("t0ken-1")), api, headers={"X": "1"}, method="POST")
    (sent,) = api.sent
    assert (sent["url"], sent["method"], sent["headers"]) == ("https://api.example/v1", "POST", {"X": "1", "Authorization": "Bearer t0ken-1"})
    assert (sent["unredirected_headers"], sent["use_netrc"]) == (["Authorization"], False)
    assert result["status"] == 200


def test_a_rejected_token_is_replaced_once(run: Run) -> None:
    api = Api({"status": 401}, {"status": 200})
    result = run(Scene(access("t0ken-1"), access("t0ken-2")), api)
    assert [sent["headers"]["Authorization"] for sent in api.sent] == ["Bearer t0ken-1", "Bearer t0ken-2"]
    assert (result["status"], result["token_renewed"]) == (200, True)


def test_an_expected_401_is_an_answer(run: Run) -> None:
    api = Api({"status": 401})
    assert run(Scene(access("t0ken-1")), api, status_code=[401])["status"] == 401
    assert len(api.sent) == 1


def test_a_token_repeated_by_the_api_is_not_shown(run: Run) -> None:
    api = Api({"status": 200, "json": {"you sent": "Bearer t0ken-of-the-vendor"}, "msg": "t0ken-of-the-vendor"})
    assert "t0ken-of-the-vendor" not in str(run(Scene(access("t0ken-of-the-vendor")), api))


def test_check_mode_calls_no_api(run: Run) -> None:
    scene, api = Scene(), Api()
    assert run(scene, api, check_mode=True)["skipped"] is True
    assert (scene.sent, api.sent) == ([], [])


def test_without_a_token_there_is_no_request(run: Run) -> None:
    api = Api()
    with pytest.raises(AnsibleActionFail) as caught:
        run(Scene(error("invalid_grant")), api)
    assert caught.value.result["path"] == "fleet/x"
    assert api.sent == []


def test_plain_http_gets_no_token(run: Run) -> None:
    api = Api()
    with pytest.raises(AnsibleActionFail, match="http"):
        run(Scene(access("t0ken-1")), api, url="http://api.example/v1")
    assert api.sent == []
