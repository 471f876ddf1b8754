# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bench judges its goals as it states, and writes its figures only between the markers of the page."""

from __future__ import annotations

import pathlib
import xml.etree.ElementTree as ET

import pytest
from bench.docs import BEGIN, END, as_svg, write_docs
from bench.results import Table, as_text, compared, keep


def table(*, limit: float = 1.3) -> Table:
    rows = (
        compared("constant", [0.010, 0.012], [0.010, 0.012], against="constant"),
        compared("ours, cached & <well>", [0.012, 0.018], [0.010, 0.012], against="constant", limit=limit, judged="median"),
    )
    return Table("task", "A task", "2.19.1", rows)


def test_the_median_of_the_ratios_is_judged() -> None:
    row = table().rows[1]
    assert row.ratio is not None
    assert (row.ratio.least, row.ratio.median, row.ratio.most) == pytest.approx((1.2, 1.35, 1.5))
    assert (row.missed, table(limit=1.4).rows[1].missed) == (True, False)


def test_by_default_the_lowest_costs_are_compared() -> None:
    """The default compares the least costs: other work on the machine only ever adds to a cost."""
    row = compared("ours", [0.012, 0.018], [0.011, 0.010], against="file", limit=1.2)
    assert (row.figure, row.missed) == (pytest.approx(1.2), False)


def test_a_missed_goal_is_printed() -> None:
    assert "1.35 of 1.30 (median)  MISSED" in as_text(table())


def test_sections_measured_alone_are_merged_with_the_others(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "output" / "bench.json"
    other = Table("worker", "A worker", "2.19.1", table().rows[:1])
    assert keep(path, [table(), other]) == [table(), other]
    assert keep(path, [table(limit=1.4)]) == [other, table(limit=1.4)]


def test_the_heading_names_ansible_core_only_if_known() -> None:
    assert as_text(Table("fleet", "A fleet", "", table().rows)).startswith("A fleet\n")
    assert as_text(table()).startswith("A task, ansible-core 2.19.1\n")


def test_only_the_text_between_the_markers_is_replaced(tmp_path: pathlib.Path) -> None:
    page, plot = tmp_path / "speed.md", tmp_path / "speed.svg"
    page.write_text(f"# Speed\n\nwords\n\n{BEGIN}\nold\n{END}\n\nmore words\n", encoding="utf-8")
    write_docs([table()], page=page, plot=plot)
    written = page.read_text(encoding="utf-8")
    assert written.startswith(f"# Speed\n\nwords\n\n{BEGIN}\n")
    assert written.endswith(f"{END}\n\nmore words\n")
    assert "old" not in written
    assert "| ours, cached & <well> (ms) | 12.00 | 15.00 | 18.00 | 1.20 | 1.35 | 1.50 | constant | 1.30, median 1.35: missed |" in written
    assert ET.fromstring(plot.read_text(encoding="utf-8")).tag.endswith("svg")  # noqa: S314 (our own text)


def test_a_page_without_markers_is_left_alone(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text("# Speed\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no place for the figures"):
        write_docs([table()], page=page, plot=tmp_path / "speed.svg")
    assert page.read_text(encoding="utf-8") == "# Speed\n"


def test_a_plot_has_a_bar_for_each_row() -> None:
    assert as_svg([table()], title="A task").count("<rect") == 3
