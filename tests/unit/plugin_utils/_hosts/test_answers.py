# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of hosts: known keys of the right type are kept, all else is dropped."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._hosts.answers import FAILURE, READ, WRITTEN, diffs, file_results, of_api, reduced


@pytest.mark.parametrize("wrong", [{"changed": 1}, {"changed": "yes"}, {"owner": 5}, {"owner": ["root"]}, {"error": {}}, {"ansible_facts": {}}, {"dest": "/x"}])
def test_other_keys_and_types_are_dropped(wrong):
    assert reduced(wrong, WRITTEN) == {}


@pytest.mark.parametrize("huge", [True, 1.5, 1 << 53, -(1 << 53), 10**400, "5"])
def test_numbers_beyond_exact_integers_are_dropped(huge):
    assert reduced({"expires_at": huge}, READ) == {}


def test_right_values_are_kept():
    good = {"changed": True, "owner": "root", "group": None, "mode": "0600", "backup_file": None, "error": None}
    assert reduced(good, WRITTEN) == good
    assert reduced({"expires_at": 5, "claims": {"a": [1]}}, READ) == {"expires_at": 5, "claims": {"a": [1]}}


def test_texts_are_made_printable_and_shortened():
    assert reduced({"error": "a\x1b[2J\nb\u202e" + "x" * 9000}, WRITTEN)["error"] == ("a [2J b " + "x" * 9000)[:3999] + "…"


def test_a_text_of_the_maximum_length_is_kept():
    assert reduced({"error": "x" * 4000}, WRITTEN) == {"error": "x" * 4000}


def test_only_messages_may_have_line_breaks():
    assert reduced({"msg": "a\n  b\tc", "rc": 1}, FAILURE) == {"msg": "a\n  b c", "rc": 1}
    assert reduced({"owner": "a\n  b"}, WRITTEN) == {"owner": "a   b"}


@pytest.mark.parametrize("claims", ["text", ["a"], 5, True])
def test_claims_that_are_not_an_object_are_dropped(claims):
    assert reduced({"claims": claims}, READ) == {}


def test_only_results_for_the_requested_files_are_kept():
    answer = {"files": [{"dest": "/b", "changed": True}, {"dest": "/c"}, {"dest": 5}, "text"]}
    assert file_results(answer, ["/a", "/b"], WRITTEN, key="dest") == [
        {"error": "/a: the host did not report a result for it. [TRK-H06]", "error_code": "TRK-H06"},
        {"changed": True},
    ]


@pytest.mark.parametrize(("fault", "code"), [("denied", "TRK-H02"), ("module", "TRK-H06"), ("nonsense", "TRK-H05"), (None, "TRK-H05"), (["path"], "TRK-H05")])
def test_the_error_code_is_chosen_here_not_by_the_host(fault, code):
    answer = {"files": [{"dest": "/a", "error": "/a: no [TRK-V03]", "error_code": "TRK-V03", "fault": fault}]}
    assert file_results(answer, ["/a"], WRITTEN, key="dest") == [{"error": f"/a: no [TRK-V03]. [{code}]", "error_code": code}]


@pytest.mark.parametrize("answer", [{}, {"files": None}, {"files": {"dest": "/a"}}, {"files": "/a"}])
def test_an_answer_without_files_is_a_failure(answer):
    assert file_results(answer, ["/a"], WRITTEN, key="dest") is None


def test_a_diff_shows_only_permissions():
    entry = {"before_header": "/a", "before": {"mode": "0600", "evil": "x", "expires_at": 7}, "after": "text", "prepared": "evil"}
    assert diffs({"diff": [entry, "text"]}) == [{"before_header": "/a", "before": {"mode": "0600", "expires_at": 7}, "after": {}}]
    for none in ({}, {"diff": None}, {"diff": 5}, {"diff": entry}):
        assert diffs(none) == []


def test_a_diff_keeps_the_states_before_and_after():
    permissions = {"state": "file", "content": "sha256:1", "owner": "a", "group": "b", "mode": "0600", "token": "sha256:2", "expires_at": 7}
    entry = {"before_header": "/a", "before": {}, "after_header": "/b", "after": {**permissions, "evil": "x"}}
    assert diffs({"diff": [entry]}) == [{**entry, "after": permissions}]


def test_of_an_api_answer_only_documented_keys_and_headers_are_kept():
    answer = {
        "status": 200, "json": {"ansible_facts": {}}, "content": "{}", "cookies": {"a": "b", "c": 5}, "content_type": "text/plain", "x_mine": "1",
        "ansible_facts": {"a": 1}, "ansible_x": "1", "_ansible_x": "1", "X-Raw": "1", "add_host": "1", "unreachable": "1", "changed": "yes",
        "failed": "no", "location": ["x"], "cookies_string": ["x"],
    }  # fmt: skip
    assert of_api(answer) == {
        "status": 200, "json": {"ansible_facts": {}}, "content": "{}", "cookies": {"a": "b"}, "content_type": "text/plain", "x_mine": "1",
    }  # fmt: skip


def test_of_an_api_answer_the_token_is_removed_before_texts_are_cut():
    def clean(value):
        return str(value).replace("t0k3n", "*") if isinstance(value, str) else value

    answer = {"msg": "x" * 3998 + "t0k3n", "x_t0k3n": "1", "x_echo": "t0k3n", "status": 200, "content": "t0k3n", "cookies": {"a": "b"}}
    assert of_api(answer, clean) == {"msg": "x" * 3998 + "*", "x_echo": "*", "status": 200, "content": "*", "cookies": {"a": "b"}}


def test_of_an_api_answer_the_large_parts_are_cleaned_last():
    seen = []
    of_api({"content": "c", "json": "j", "msg": "m", "url": "u", "x_mine": "h"}, lambda value: seen.append(value) or value)
    assert seen[-2:] == ["c", "j"]
    assert set(seen[:-2]) == {"m", "u", "h", "x_mine"}
