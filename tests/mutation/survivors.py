# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes that no test notices, with the reason why each is acceptable: the file ``survivors.yml``."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import yaml

_HEADER = """\
# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
---
# Changes of the core that no unit test notices, each with the reason. `make mutants` checks them.
"""


@dataclasses.dataclass(frozen=True, order=True)
class Survivor:
    """A change that no test notices. The reason is not part of its identity."""

    file: str
    function: str
    change: str
    reason: str = dataclasses.field(default="", compare=False)

    @classmethod
    def of_diff(cls, file: str, function: str, diff: str) -> Survivor:
        """Read a unified diff. Only the changed lines count, wherever they are in the function."""
        lines = [line for line in diff.splitlines() if line[:1] in ("-", "+") and not line.startswith(("---", "+++"))]
        return cls(file, function, "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines))

    def __str__(self) -> str:
        return "\n    ".join((f"{self.file}: {self.function}", *self.change.splitlines()))


def load(path: pathlib.Path) -> list[Survivor]:
    """Read the file."""
    stored = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}  # noqa: S506 - both are safe
    return [Survivor(file, one["function"], one["change"], one.get("reason") or "") for file, several in stored.items() for one in several]


def save(path: pathlib.Path, survivors: t.Iterable[Survivor]) -> None:
    """Write the file again, sorted."""
    files: dict[str, list[dict[str, str]]] = {}
    for one in sorted(set(survivors)):
        files.setdefault(one.file, []).append({"function": one.function, "change": one.change, "reason": one.reason})
    yaml.add_representer(str, _text, Dumper=yaml.SafeDumper)
    path.write_text(_HEADER + yaml.safe_dump(files, sort_keys=False, width=150, allow_unicode=True), encoding="utf-8")


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def judge(found: t.Iterable[Survivor], recorded: t.Iterable[Survivor], files: t.Collection[str], *, slow: t.Collection[Survivor] = ()) -> list[str]:
    """The problems: survivors without an entry or a reason, and entries for these files whose change no longer survives.

    :arg slow: changes of which it is not known whether they survive.
    """
    survive = set(found)
    known = {one: one.reason for one in recorded if one.file in files}
    return [
        *(f"No test notices this change:\n  {one}" for one in sorted(survive - known.keys())),
        *(f"survivors.yml gives no reason for this change:\n  {one}" for one in sorted(survive & known.keys()) if not known[one]),
        *(f"survivors.yml has a change that no longer survives, or is no longer made:\n  {one}" for one in sorted(known.keys() - survive - {*slow})),
    ]
