# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures and goals: what was measured, what it is compared with, and whether it is good enough."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

from bench.measure import Spread

Judged = t.Literal["median", "least to least"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement. ``limit`` is the goal: the ratio must not exceed it. ``judged`` says which ratio counts."""

    name: str
    unit: str
    cost: Spread
    ratio: Spread | None = None
    against: str = ""
    limit: float | None = None
    judged: Judged = "median"
    least_ratio: float = 0

    @property
    def figure(self) -> float:
        """The ratio that the goal applies to."""
        if self.ratio is None:
            raise ValueError(f"{self.name} is compared with nothing")
        return self.least_ratio if self.judged == "least to least" else self.ratio.median

    @property
    def missed(self) -> bool:
        return self.limit is not None and round(self.figure, 2) > self.limit


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of one section for one ansible-core; ``core`` is empty if it does not matter."""

    section: str
    title: str
    core: str
    rows: tuple[Row, ...]

    @property
    def heading(self) -> str:
        return f"{self.title}, ansible-core {self.core}" if self.core else self.title

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if row.missed]


def compared(
    name: str,
    mine: t.Sequence[float],
    theirs: t.Sequence[float],
    *,
    against: str,
    unit: str = "ms",
    limit: float | None = None,
    judged: Judged = "least to least",
) -> Row:
    """A row with its ratio to another. With the unit ms, values in seconds are converted.

    Other processes on the machine can only add to a cost, so the smallest value of all rounds is the most accurate.
    """
    factor = 1000 if unit == "ms" else 1
    cost = Spread.of([value * factor for value in mine])
    return Row(name, unit, cost, Spread.of_ratios(mine, theirs), against, limit, judged, least_ratio=min(mine) / min(theirs))


def keep(path: pathlib.Path, tables: t.Sequence[Table]) -> list[Table]:
    """Add the tables to the stored ones, replacing those of the same section and core. Return all of them."""
    kept = [_table(entry) for entry in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []
    fresh = {(table.section, table.core) for table in tables}
    found = [*(table for table in kept if (table.section, table.core) not in fresh), *tables]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dataclasses.asdict(table) for table in found], indent=1), encoding="utf-8")
    return found


def _table(entry: dict[str, t.Any]) -> Table:
    rows = [Row(**{**row, "cost": Spread(**row["cost"]), "ratio": Spread(**row["ratio"]) if row["ratio"] else None}) for row in entry["rows"]]
    return Table(**{**entry, "rows": tuple(rows)})


def as_text(table: Table) -> str:
    """The table as text for a terminal."""
    lines = [table.heading, ""]
    lines.append(f"{'':44}{'min':>9}{'median':>9}{'max':>9}   {'ratio min':>9}{'median':>8}{'max':>8}  {'to':24}goal")
    for row in table.rows:
        line = f"{row.name + (f', {row.unit}' if row.unit else ''):44}{_three(row.cost, 9, 2)}   "
        if row.ratio is not None:
            line += f" {_three(row.ratio, 8, 2)}  {row.against:24}"
        if row.limit is not None:
            line += f"{row.figure:.2f} of {row.limit:.2f} ({row.judged}){'  MISSED' if row.missed else ''}"
        lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def _three(spread: Spread, width: int, digits: int) -> str:
    return "".join(f"{value:{width}.{digits}f}" for value in (spread.least, spread.median, spread.most))
