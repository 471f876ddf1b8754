# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of our actions with a real Ansible task, without a play: requests and effects come from a :class:`.scripted.Scene`."""

from __future__ import annotations

import types
import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugin_loader
from ansible.template import Templar

from .scripted import Scene, request_for


def action(kind: t.Any, scene: Scene, args: t.Mapping[str, t.Any], *, cache: str, check_mode: bool = False) -> t.Any:
    """An instance of the action class *kind*, whose items become requests for that vendor and path, with its cache in the folder *cache*."""

    class Tried(kind):  # type: ignore[misc]
        _supports_async = False

        def refuse_wrong_options(self, *arguments: t.Any, **keywords: t.Any) -> None:
            """Does nothing: the check needs the lookups loaded by Ansible, and the integration tests cover it."""

        def option_values(self, plugin: str, item: t.Mapping[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
            return {"cache_path": cache, **item}

        def values_of(self, item: t.Mapping[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
            return dict(item)

        def request_with(self, item: t.Mapping[str, t.Any], values: t.Any) -> t.Any:
            freshness = {"refused": item["refused"]} if item.get("refused") else {}
            return request_for(item["vendor"], item.get("path") or "fleet/x", cache=cache, **freshness)

        def ports(self, values: t.Any) -> t.Any:
            return scene.ports

    loader = DataLoader()
    task = Task.load({"name": "tried", "action": "tried", "check_mode": check_mode})
    task.args = dict(args)
    context = PlayContext()
    context.check_mode = check_mode
    connection = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None), become=None)
    return Tried(task, connection, context, loader, Templar(loader=loader), plugin_loader)
