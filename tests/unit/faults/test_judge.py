# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge of the fault bench finds what is wrong; otherwise a green bench would mean nothing."""

from __future__ import annotations

import dataclasses

import pytest
from faults.judge import Seen, has_advice, judge_fault, judge_recovery, strangers
from faults.place import Fault

FAILS = Fault("a 503", "vendor answers", "is not available (HTTP 503)")
WORKS = Fault("a disk that is full", "disk", warns="cannot be written")
MESSAGE = "trackunit: the vendor is not available (HTTP 503), so there is no token for secret/p. Try again later."
FAILED = Seen(exit_code=2, failures=1, oks=0, error=MESSAGE, asked=1, reads=1, files=("key", "0" * 32, "0" * 32 + ".hit"))
WORKED = Seen(exit_code=0, failures=0, oks=1, warnings=("The cache cannot be written. Set cache_path.",), source="vendor", good=True, asked=1, reads=1)
AGAIN = dataclasses.replace(WORKED, warnings=(), source="cache", asked=0, reads=0)


def changed(seen, **facts):
    return dataclasses.replace(seen, **facts)


def test_correct_outcomes_get_no_complaint():
    assert judge_fault(FAILS, "p", FAILED) == []
    assert judge_fault(WORKS, "p", WORKED) == []
    assert judge_recovery(FAILS, WORKED, AGAIN) == []


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"exit_code": 0}, "it did not fail: exit code 0, 1 failed tasks"),
        ({"failures": 0}, "it did not fail: exit code 2, 0 failed tasks"),
        ({"error": MESSAGE.replace("(HTTP 503)", "")}, "not told: 'is not available (HTTP 503)'"),
        ({"error": MESSAGE + "\nTraceback"}, "more than one line"),
        ({"error": MESSAGE + "x" * 700}, f"a line of {len(MESSAGE) + 700} characters"),
        ({"error": MESSAGE.removeprefix("trackunit: ")}, "the vendor is not named first"),
        ({"error": MESSAGE.replace("secret/p", "it")}, "the Vault path is not named"),
        ({"error": MESSAGE.replace("Try again later.", "It may pass.")}, "no advice"),
        ({"asked": 2}, "2 requests to the vendor, not 1"),
        ({"reads": 2}, "2 reads of the secret, not 1"),
        ({"files": ("key", "0" * 32 + ".tmp")}, "0" * 32 + ".tmp in the cache is left"),
        ({"files": ("key!",)}, "key in the cache is not ours alone"),
    ],
)
def test_a_wrong_outcome_of_a_fault_that_must_fail_is_reported(facts, complaint):
    assert judge_fault(FAILS, "/p", changed(FAILED, **facts)) == [complaint]


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"exit_code": 2, "failures": 1, "oks": 0, "error": "why", "warnings": WORKED.warnings}, "it failed, with exit code 2: why"),
        ({"good": False}, "the token is not one that the vendor takes"),
        ({"warnings": ()}, "no warning with 'cannot be written'"),
        ({"warnings": ("It cannot be written\nat all",)}, "a warning in more than one line: 'It cannot be written\\nat all'"),
    ],
)
def test_a_wrong_outcome_of_a_fault_that_must_work_is_reported(facts, complaint):
    assert judge_fault(WORKS, "p", changed(WORKED, **facts)) == [complaint]


def test_an_unexpected_warning_is_reported():
    assert judge_fault(Fault("odd", "odd answers"), "p", WORKED) == [f"a warning that nobody has asked for: {WORKED.warnings[0]}"]


@pytest.mark.parametrize(
    ("after", "idle", "complaint"),
    [
        ({"error": "why", "exit_code": 2}, {}, "no token after it: exit code 2: why"),
        ({}, {"oks": 0}, "no token when all is well: exit code 0: "),
        ({"good": False}, {}, "after it the token is not one that the vendor takes"),
        ({"asked": 2}, {}, "2 requests after it, not 1"),
        ({"reads": 3}, {}, "3 reads of the secret after it, not 1"),
        ({}, {"asked": 1}, "when all is well, 1 requests and 0 reads, and a token from: cache"),
        ({}, {"reads": 1}, "when all is well, 0 requests and 1 reads, and a token from: cache"),
        ({}, {"source": "vendor"}, "when all is well, 0 requests and 0 reads, and a token from: vendor"),
        ({}, {"files": ("notes",)}, "notes in the cache is left"),
    ],
)
def test_a_wrong_recovery_is_reported(after, idle, complaint):
    assert judge_recovery(FAILS, changed(WORKED, **after), changed(AGAIN, **idle)) == [complaint]


@pytest.mark.parametrize(
    "message",
    [
        "It broke. Check url.",
        "It broke: begin url with https://",
        "An operator must unseal it.",
        "did you mean min_ttl?",
        "Undelete it, or write it again",
        "x has to be 1.",
    ],
)
def test_sentences_with_advice_are_recognized(message):
    assert has_advice(message)


@pytest.mark.parametrize("message", ["There is no token.", "It may pass.", "Vault checks it again.", "x. The vendor says: Check your bill"])
def test_sentences_without_advice_are_recognized(message):
    assert not has_advice(message)


def test_entries_and_the_key_are_expected_files():
    assert strangers(("key", "a" * 32, "a" * 32 + ".hit")) == []
