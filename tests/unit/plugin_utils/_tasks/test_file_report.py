# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of C(token_file), file by file."""

from __future__ import annotations

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._hosts.files import HostFile
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.file_report import NOTHING_DONE, SPEC_KEYS, not_tried, report


def file(dest):
    made = object.__new__(HostFile)
    object.__setattr__(made, "dest", dest)
    return made


def entry(dest, **more):
    return {"dest": dest, **NOTHING_DONE, **more}


FILES = [file("/a"), file("/b"), file("/c")]


def test_results_are_in_the_order_of_the_task():
    result = report(FILES, {"/b": entry("/b", error="no", error_code="x")}, {"files": [entry("/c", changed=True), entry("/a")], "diff": []})
    assert [one["dest"] for one in result["files"]] == ["/a", "/b", "/c"]
    assert (result["changed"], result["diff"]) == (True, [])


def test_a_report_without_errors_has_not_failed():
    result = report(FILES[:1], {}, {"files": [entry("/a")]})
    assert result == {"files": [entry("/a", expires_at_iso=None)], "changed": False}


def test_expiry_is_also_reported_in_iso_8601():
    (result,) = report(FILES[:1], {}, {"files": [entry("/a", expires_at=1_800_000_060)]})["files"]
    assert (result["expires_at"], result["expires_at_iso"]) == (1_800_000_060, "2027-01-15T08:01:00Z")


def test_a_failure_of_the_module_is_returned_unchanged():
    written = {"failed": True, "msg": "no"}
    assert report(FILES, {"/b": entry("/b", error="no")}, written) is written


def test_the_failure_of_a_single_file_is_reported():
    result = report(FILES[:1], {}, {"files": [entry("/a", error="it is a directory.", error_code="file:kind")]})
    assert (result["failed"], result["msg"], result["error_code"]) == (True, "/a: it is a directory.", "file:kind")


def test_failures_are_counted_among_several_files():
    result = report(FILES[:2], {}, {"files": [entry("/a"), entry("/b", error="it is full.", error_code="x")]})
    assert result["msg"] == "1 of 2 token files failed: /b: it is full."


def test_an_error_of_several_files_is_reported_once():
    failed = {"/a": entry("/a", error="no token.", error_code="first"), "/c": entry("/c", error="no token.", error_code="second")}
    result = report(FILES, failed, {"files": [entry("/b", error="/b: it is full.", error_code="third")]})
    assert result["msg"] == "3 of 3 token files failed: /a, /c: no token. /b: it is full."
    assert result["error_code"] == "first"


def test_a_file_that_was_not_tried_looks_like_the_others():
    spec = {name: f"the {name}" for name in SPEC_KEYS}
    result = not_tried({**spec, "mode": "0600", "contents": "secret"}, "no token.", "code")
    assert result == {**spec, **NOTHING_DONE, "error": "no token.", "error_code": "code"}
    assert (result["changed"], result["mode"]) == (False, None)
