# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What token_info reports about a token, without a play and without a host."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.trackops.api_tokens.plugins.action.token_info import ActionModule
from support.actions import action
from support.scripted import Scene, access, error

Run = t.Callable[..., t.Any]


@pytest.fixture
def run(tmp_path: t.Any) -> Run:
    def ran(scene: Scene, **args: t.Any) -> t.Any:
        args = {"vendor": "tracktik", "path": "fleet/x", **args}
        return action(ActionModule, scene, args, cache=str(tmp_path / "cache")).run(None, {})

    return ran


def test_a_token_is_reported_without_its_text(run: Run) -> None:
    scene = Scene(access("t0ken-1"))
    result = run(scene)
    assert (result["vendor"], result["path"], result["changed"], result["source"]) == ("tracktik", "fleet/x", False, "vendor")
    assert "t0ken" not in str(result)
    assert run(scene)["fingerprint"] == result["fingerprint"]
    assert len(scene.sent) == 1


def test_without_fetch_no_request_is_sent(run: Run) -> None:
    scene = Scene()
    assert run(scene, fetch=False)["valid"] is False
    assert (scene.sent, scene.vault.clients) == ([], 0)


def test_a_failure_is_reported_with_vendor_path_and_code(run: Run) -> None:
    result = run(Scene(error("invalid_grant")))
    assert (result["failed"], result["valid"], result["vendor"], result["path"]) == (True, False, "tracktik", "fleet/x")
    assert result["msg"].endswith(f"[{result['error_code']}]")


def test_an_invalid_boolean_is_refused(run: Run) -> None:
    assert run(Scene(), fetch="perhaps")["msg"].startswith("fetch ")


def test_without_a_vendor_or_a_file_it_fails(tmp_path: t.Any) -> None:
    with pytest.raises(AnsibleActionFail, match="token_info needs 'vendor', or 'file' or 'tokens'"):
        action(ActionModule, Scene(), {}, cache=str(tmp_path)).run(None, {})


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"vendor": 5}, "tokens, item 1 (5): vendor: must be a string. [TRK-O02]"),
        ({"vendor": "tracx", "directory": 5}, "tokens, item 1 (tracx): directory: must be a string. [TRK-O02]"),
        ({"vendor": "tracx", "dest": 5}, "tokens, item 1 (tracx 5): dest: must be a string. [TRK-O02]"),
    ],
)
def test_an_item_of_the_wrong_type_is_refused(tmp_path: t.Any, item: dict[str, t.Any], said: str) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        action(ActionModule, Scene(), {"tokens": [item]}, cache=str(tmp_path)).run(None, {})
    assert str(caught.value) == said
