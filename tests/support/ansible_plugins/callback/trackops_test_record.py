# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write every task result and the recap as JSON lines, for the tests to read (``TRACKOPS_TEST_RECORD`` names the file)."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import time
import typing as t

from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: trackops_test_record
type: aggregate
short_description: Record results for the tests
description: Record results for the tests.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "trackops_test_record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        # For runs with many lookups: import once what each lookup would otherwise import in its own process.
        for name in os.environ.get("TRACKOPS_TEST_IMPORTED", "").split():
            with contextlib.suppress(ImportError):
                importlib.import_module(name)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._task(result, "changed" if self._data(result).get("changed") else "ok")

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._task(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._task(result, "skipped")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._task(result, "unreachable")

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self._line({"handler": task.get_name()})

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._line({"stats": {host: stats.summarize(host) for host in sorted(stats.processed)}})

    @staticmethod
    def _data(result: t.Any) -> dict[str, t.Any]:
        data: dict[str, t.Any] = result.result if hasattr(result, "result") else result._result
        return data

    def _task(self, result: t.Any, status: str) -> None:
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        data = self._data(result)
        if task.no_log or data.get("_ansible_no_log"):
            data = {"censored": True, "changed": data.get("changed", False)}
        record = {"task": task.get_name(), "action": task.action, "host": host.get_name(), "status": status, "result": data}
        self._line({**record, "ended": time.time()})

    def _line(self, data: dict[str, t.Any]) -> None:
        with open(os.environ["TRACKOPS_TEST_RECORD"], "a", encoding="utf-8") as record:
            record.write(json.dumps(data, cls=AnsibleJSONEncoder, sort_keys=True) + "\n")
