# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make mutants` says about the changes that no test notices, and whether its file can be right."""

from __future__ import annotations

import pathlib

from mutation.survivors import Survivor, judge, load, save

ROOT = pathlib.Path(__file__).resolve().parents[3]
SURVIVORS = ROOT / "tests" / "mutation" / "survivors.yml"
DIFF = """\
--- a/_flow/slot.py
+++ b/_flow/slot.py
@@ -1,3 +1,3 @@
 def read(self):
-    return 1
+    return 2
"""
ONE = Survivor("_flow/slot.py", "Slot.read", "- return 1\n+ return 2")
SHOWN = "\n  _flow/slot.py: Slot.read\n    - return 1\n    + return 2"


def test_only_the_changed_lines_of_a_diff_identify_a_survivor():
    assert Survivor.of_diff("_flow/slot.py", "Slot.read", DIFF) == ONE


def test_saved_survivors_are_loaded_sorted_and_without_duplicates(tmp_path):
    recorded = [Survivor("b.py", "f", "- a\n+ b", "they are equal"), Survivor("a.py", "g", "- 'x: y' # z")]
    save(tmp_path / "survivors.yml", [*recorded, recorded[0]])
    assert [(one, one.reason) for one in load(tmp_path / "survivors.yml")] == [(recorded[1], ""), (recorded[0], "they are equal")]


def test_explained_survivors_and_entries_of_other_files_are_accepted():
    other = Survivor("_flow/call.py", "Call.begin", "- a\n+ b", "was not looked at now")
    assert judge([ONE], [Survivor(ONE.file, ONE.function, ONE.change, "why"), other], ["_flow/slot.py"]) == []


def test_new_unexplained_and_outdated_survivors_are_reported():
    assert judge([ONE], [], ["_flow/slot.py"]) == ["No test notices this change:" + SHOWN]
    assert judge([ONE], [ONE], ["_flow/slot.py"]) == ["survivors.yml gives no reason for this change:" + SHOWN]
    recorded = Survivor(ONE.file, ONE.function, ONE.change, "why")
    assert judge([], [recorded], ["_flow/slot.py"], slow=[recorded]) == []
    assert judge([], [recorded], ["_flow/slot.py"]) == ["survivors.yml has a change that no longer survives, or is no longer made:" + SHOWN]


def test_each_recorded_survivor_has_a_reason_and_is_found_in_the_source():
    """What can be checked without making the changes."""
    for one in load(SURVIVORS):
        assert one.reason, one
        source = (ROOT / "plugins" / "plugin_utils" / one.file).read_text(encoding="utf-8")
        for line in one.change.splitlines():
            assert line[:1] == "+" or line[2:] in source, one
