# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small load bench. `make load` runs it with 5,000 hosts, 64 controllers and thousands of renewals."""

from __future__ import annotations

import typing as t

from load.parts import PARTS
from load.run import SMALL, as_text, run, write

if t.TYPE_CHECKING:
    import pathlib


def test_no_promise_is_broken_under_load(tmp_path: pathlib.Path) -> None:
    parts = run(SMALL, list(PARTS))
    assert [part.wrong for part in parts] == [[]] * 7, "\n".join(map(as_text, parts))
    page = tmp_path / "load.md"
    page.write_text("# Load\n\n<!-- figures: written by make load -->\nformer figures\n<!-- end of the figures -->\nafter\n", encoding="utf-8")
    write(parts, page=page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Load\n") and text.endswith("<!-- end of the figures -->\nafter\n") and "former" not in text
    assert "| requests to vendors | 4 |" in text
