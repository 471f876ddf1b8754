# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small leak bench: one step of each kind, at the highest verbosity, with tracebacks. `make leaks` runs all steps."""

from __future__ import annotations

import pytest
from leaks.bench import Bench, Setting
from leaks.ground import ground
from leaks.run import as_text
from support.places import in_ci
from support.processes import Unavailable


def test_no_secret_is_left_anywhere() -> None:
    try:
        with ground(hosts=1) as place:
            bench = Bench(place, small=True)
            bench.run(Setting("-vvvvv and tracebacks", env={"ANSIBLE_DISPLAY_TRACEBACK": "always"}))
    except Unavailable as exc:
        if in_ci():
            raise
        pytest.skip(str(exc))
    assert bench.report.hits == [] and bench.report.blind == [], as_text(bench.report)
    assert bench.report.checks > 100
