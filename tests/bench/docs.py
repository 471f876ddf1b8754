# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the figures to `docs/speed.md`, between its markers, and the plot next to it. Figures there are never edited by hand."""

from __future__ import annotations

import datetime
import os
import pathlib
import typing as t
from html import escape

from support.places import ROOT

from bench.measure import Spread
from bench.results import Row, Table

PAGE = ROOT / "docs" / "speed.md"
PLOT = ROOT / "docs" / "speed.svg"
BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of the figures -->"


def write_docs(tables: t.Sequence[Table], *, page: pathlib.Path = PAGE, plot: pathlib.Path = PLOT) -> None:
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no place for the figures: {BEGIN} … {END}")
    tasks = [table for table in tables if table.section == "task"]
    picture = f"![{tasks[0].title}]({plot.name})\n\n" if tasks else ""
    page.write_text(f"{before}{BEGIN}\n\n{picture}{as_markdown(tables)}\n{END}{after}", encoding="utf-8")
    if tasks:
        plot.write_text(as_svg(tasks, title=tasks[0].title), encoding="utf-8")


def as_markdown(tables: t.Sequence[Table]) -> str:
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    busy = os.getloadavg()[2]
    lines = [f"Measured on {day} on {os.cpu_count()} cores, with {busy:.0f} other processes running (the load of the last quarter of an hour).", ""]
    for table in tables:
        lines += [
            f"**{table.heading}**",
            "",
            "| | min | median | max | ratio: min | median | max | to | goal |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [f"| {_row(row)} |" for row in table.rows]
        lines.append("")
    return "\n".join(lines)


def _row(row: Row) -> str:
    cells = [f"{row.name} ({row.unit})" if row.unit else row.name, *_three(row.cost)]
    cells += [*_three(row.ratio), row.against] if row.ratio is not None else [""] * 4
    judged = "least" if row.judged == "least to least" else "median"
    goal = f"{row.limit:.2f}, {judged} {row.figure:.2f}: {'missed' if row.missed else 'met'}" if row.limit is not None else ""
    return " | ".join([*cells, goal])


def _three(spread: Spread) -> list[str]:
    return [f"{value:.2f}" for value in (spread.least, spread.median, spread.most)]


def as_svg(tables: t.Sequence[Table], *, title: str) -> str:
    """Draw a bar for each row's median, in milliseconds, and a line from its minimum to its maximum."""
    width, left, line, gap = 860, 250, 22, 40
    most = max(row.cost.most for table in tables for row in table.rows)
    scale = (width - left - 90) / most
    height = 60 + sum(gap + line * len(table.rows) for table in tables)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="15">{escape(title)} (ms)</text>',
    ]
    top = 50
    for table in tables:
        parts.append(f'<text x="16" y="{top + 12}" font-weight="bold">ansible-core {escape(table.core)}</text>')
        top += 24
        for row in table.rows:
            colour = "#1f6feb" if row.name.startswith("ours") else "#8c959f"
            length, low, high = (value * scale for value in (row.cost.median, row.cost.least, row.cost.most))
            middle = top + line / 2 - 2
            parts += [
                f'<text x="{left - 10}" y="{top + 13}" text-anchor="end">{escape(row.name)}</text>',
                f'<rect x="{left}" y="{top}" width="{max(length, 1):.1f}" height="{line - 6}" fill="{colour}"/>',
                f'<line x1="{left + low:.1f}" x2="{left + high:.1f}" y1="{middle}" y2="{middle}" stroke="#24292f"/>',
                f'<text x="{left + high + 8:.1f}" y="{top + 13}">{row.cost.median:.0f}</text>',
            ]
            top += line
        top += gap - 24
    return "\n".join([*parts, "</svg>", ""])


__all__ = ("as_markdown", "as_svg", "write_docs")
