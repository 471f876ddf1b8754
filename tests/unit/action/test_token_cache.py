# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling and emptying the cache, without a play."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.trackops.api_tokens.plugins.action.token_cache import ActionModule
from support.actions import action
from support.scripted import Scene, access, error

Run = t.Callable[..., t.Any]


@pytest.fixture
def run(tmp_path: t.Any) -> Run:
    def ran(scene: Scene, *, check_mode: bool = False, **args: t.Any) -> t.Any:
        return action(ActionModule, scene, args, cache=str(tmp_path / "cache"), check_mode=check_mode).run(None, {})

    return ran


TWO = [{"vendor": "tracktik", "path": "fleet/x"}, {"vendor": "trackunit", "path": "fleet/y"}]


def test_present_is_idempotent_and_shows_no_token(run: Run) -> None:
    scene = Scene(access("t0ken-1"), access("t0ken-2"))
    first = run(scene, tokens=TWO)
    assert (first["changed"], [token["source"] for token in first["tokens"]]) == (True, ["vendor", "vendor"])
    assert [(token["vendor"], token["path"], token["expires_in"]) for token in first["tokens"]] == [
        ("tracktik", "fleet/x", 3600),
        ("trackunit", "fleet/y", 3600),
    ]
    assert "t0ken" not in str(first)
    second = run(scene, tokens=TWO)
    assert (second["changed"], [token["source"] for token in second["tokens"]]) == (False, ["cache", "cache"])
    assert len(scene.sent) == 2


def test_a_token_that_cannot_be_obtained_does_not_stop_the_others(run: Run) -> None:
    result = run(Scene(error("invalid_grant"), access("t0ken-2")), tokens=TWO)
    assert (result["failed"], result["changed"], result["error_code"]) == (True, True, result["failures"][0]["error_code"])
    assert [token["path"] for token in result["tokens"]] == ["fleet/y"]
    assert [failure["path"] for failure in result["failures"]] == ["fleet/x"]
    assert result["errors"] == [result["failures"][0]["error"]] == [result["msg"]]


def test_check_mode_lists_missing_tokens_without_a_request(run: Run) -> None:
    scene = Scene(access("t0ken-1"))
    assert run(scene, check_mode=True, tokens=TWO)["missing"] == TWO
    run(scene, **TWO[0])
    assert run(scene, check_mode=True, tokens=TWO) == {"changed": True, "missing": [TWO[1]]}
    assert len(scene.sent) == 1


def test_absent_removes_what_is_named(run: Run) -> None:
    scene = Scene(access("t0ken-1"), access("t0ken-2"))
    run(scene, tokens=TWO)
    would = run(scene, check_mode=True, state="absent", **TWO[0])
    done = run(scene, state="absent", **TWO[0])
    assert would["changed"] is done["changed"] is True
    assert would["removed"] == done["removed"]
    assert run(scene, state="absent", **TWO[0])["changed"] is False
    assert run(scene, check_mode=True, tokens=TWO)["missing"] == [TWO[0]]


def test_pruned_removes_what_has_expired(run: Run) -> None:
    scene = Scene(access("t0ken-1", lifetime=10), access("t0ken-2"))
    run(scene, tokens=TWO)
    scene.now += 11
    done = run(scene, state="pruned")
    assert (done["changed"], len(done["removed"])) == (True, 1)
    assert run(scene, state="pruned")["changed"] is False


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"state": "prune"}, "state 'prune' is not known here. Use one of: present, absent, pruned."),
        ({}, "token_cache needs 'vendor' or 'tokens' to know what to warm."),
    ],
)
def test_wrong_arguments_are_refused(run: Run, args: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run(Scene(), **args)
    assert str(caught.value).startswith(message)
