# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Many lookups in one real ``ansible-playbook`` run, because starting Ansible costs more than a lookup.

::

    batch = Batch(stage)
    batch.add("bare token", "trackunit")
    batch.add("two paths", "trackunit", "fleet/a", "fleet/b", output="headers")
    batch.add("denied", "tracx", "other/path")
    done = batch.run()
    assert done["bare token"].value == ...
    assert "denied" in done["denied"].error

Each case is one task that may fail; cases run in the order in which they were added. ``Checks`` collects the failures of many cases, so that
one of them does not hide the others.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import typing as t
from urllib.parse import quote, quote_plus

from .ansible import Run, Task
from .stage import Stage

COLLECTION = "trackops.api_tokens."
# For runs with many lookups that miss the cache: import once what each lookup would otherwise import in its own process (see the callback
# trackops_test_record).
_OURS = ("_boundary.full_lookup", "_flow.fetch", "_vault.client", "_vendor.transport")
IMPORTED = {"TRACKOPS_TEST_IMPORTED": " ".join(("hvac", "requests", *(f"ansible_collections.{COLLECTION}plugins.plugin_utils.{name}" for name in _OURS)))}
# The prefixes that known Ansible versions put before a lookup's error.
_PREFIX = re.compile(r".*?lookup plugin '[^']+'(?: failed:|\. Error was a <[^>]*>, original message:) ?", re.DOTALL)
# How our messages end.
_CODE = re.compile(r" \[(TRK-[A-Z]\d\d)\]\Z")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One lookup's outcome: its results, or the text of its error."""

    name: str
    task: Task
    run: Run = dataclasses.field(repr=False)

    @property
    def error(self) -> str:
        """The lookup's own message, without Ansible's prefix and without its code; empty if it succeeded."""
        return _CODE.sub("", self._told)

    @property
    def error_code(self) -> str:
        """The code at the end of the message; empty if there is none."""
        found = _CODE.search(self._told)
        return found[1] if found else ""

    @property
    def _told(self) -> str:
        if self.task.status not in ("failed", "ignored"):
            return ""
        return _PREFIX.sub("", str(self.task.result.get("msg", "")), count=1)

    @property
    def values(self) -> list[t.Any]:
        """All results of the lookup."""
        if self.error:
            raise AssertionError(f"{self.name} failed: {self.error}")
        found: list[t.Any] = self.task.result["msg"]["found"]
        return found

    @property
    def value(self) -> t.Any:
        """The only result of the lookup."""
        (value,) = self.values
        return value

    @property
    def warnings(self) -> list[str]:
        return [str(warning) for warning in self.task.result.get("warnings", [])]


class Outcomes(dict[str, Outcome]):
    """The outcomes by the names of their cases; ``run`` is the whole run."""

    run: Run


class Batch:
    """Lookups to run together. ``common`` are options for all of them."""

    def __init__(self, stage: Stage, **common: t.Any) -> None:
        self.stage = stage
        self.common = common
        self._tasks: list[dict[str, t.Any]] = []

    def add(self, name: str, plugin: str, /, *paths: str, variables: t.Mapping[str, t.Any] | None = None, **options: t.Any) -> None:
        """Add a lookup with these terms and options, in a task with these variables."""
        self.expression(name, query(plugin, *paths, **{**self.common, **options}), variables=variables)

    def expression(self, name: str, expression: str, *, variables: t.Mapping[str, t.Any] | None = None) -> None:
        """Add any Jinja expression; its value is the result."""
        self.task({"name": name, "ansible.builtin.debug": {"msg": {"found": "{{ " + expression + " }}"}}, "vars": dict(variables or {})})

    def control(self, operation: str, /, **arguments: t.Any) -> None:
        """Control the emulator between two cases: ``control("set", vendor="acme", lifetime=5)``, ``control("fail", …)``."""
        self._tasks.append(control(self.stage, operation, arguments, name=f"control {len(self._tasks)}"))

    def task(self, task: dict[str, t.Any]) -> None:
        self._tasks.append({"ignore_errors": True, **task})

    @property
    def play(self) -> str:
        return json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": self._tasks}], indent=1)

    def run(self, *arguments: str, env: t.Mapping[str, str | None] | None = None, **options: t.Any) -> Outcomes:
        """Run all cases; afterwards each has an outcome."""
        run = self.stage.playbook(self.play, *arguments, env={**(env or {}), **IMPORTED}, **options)
        done = Outcomes()
        done.run = run
        for task in run.tasks:
            done[task.task] = Outcome(task.task, task, run)
        missing = [task["name"] for task in self._tasks if task["name"] not in done]
        if missing:
            raise AssertionError(f"no result of {missing[0]!r}:\n{run}")
        return done


def control(stage: Stage, operation: str, arguments: t.Mapping[str, t.Any], *, name: str) -> dict[str, t.Any]:
    """A task that controls the emulator."""
    tell = f"{{{{ lookup('trackops_test_control', '{stage.emulator.url}/_control/{operation}', control_document) }}}}"
    return {"name": name, "ansible.builtin.debug": {"msg": tell}, "vars": {"control_document": json.dumps(arguments)}}


def query(plugin: str, /, *paths: str, **options: t.Any) -> str:
    """A Jinja expression for the list of a lookup's results."""
    arguments = [repr(COLLECTION + plugin), *map(repr, paths), *(f"{name}={value!r}" for name, value in options.items())]
    return f"query({', '.join(arguments)})"


def lifetime(details: t.Mapping[str, t.Any]) -> int:
    """The seconds from the request to the expiry of a token. Unlike ``expires_in``, they do not depend on how long the run takes."""
    return int(details["expires_at"] - details["issued_at"])


class Checks:
    """Collects failed assertions: ``with checks("case"): assert …``; the outer ``with`` reports all of them when it ends."""

    def __init__(self) -> None:
        self._failed: list[str] = []

    def __enter__(self) -> Checks:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._failed:
            raise AssertionError(f"{len(self._failed)} failed:\n" + "\n".join(self._failed))

    @contextlib.contextmanager
    def __call__(self, name: str) -> t.Iterator[None]:
        try:
            yield
        except (AssertionError, KeyError, ValueError, TypeError, AttributeError) as exc:
            self._failed.append(f"--- {name}: {type(exc).__name__} {exc}")


def forms(secret: str) -> set[str]:
    """The forms of a secret in output: raw, URL-encoded, escaped as in JSON or YAML."""
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1], secret.replace("'", "''")}
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), *escaped}


def leaked(text: str, secrets: t.Iterable[str]) -> list[str]:
    """The secrets that are in the text, in any form; very short ones are left out, as they may occur by chance."""
    return sorted({secret for secret in secrets if len(secret) >= 4 and any(form in text for form in forms(secret))})


def one_line(message: str) -> bool:
    """Whether a message is a single line for a person."""
    return bool(message) and "\n" not in message.strip() and "Traceback" not in message
