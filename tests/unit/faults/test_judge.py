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
        ({"error": MESSAGE.replace("(HTTP 503)", "")}, "the message does not contain 'is not available (HTTP 503)'"),
        ({"error": MESSAGE + "\nTraceback"}, "the message has more than one line"),
        ({"error": MESSAGE + "x" * 700}, f"the message has {len(MESSAGE) + 700} characters"),
        ({"error": MESSAGE.removeprefix("trackunit: ")}, "the message does not begin with the vendor"),
        ({"error": MESSAGE.replace("secret/p", "it")}, "the message does not name the Vault path"),
        ({"error": MESSAGE.replace("Try again later.", "It may pass.")}, "the message gives no advice"),
        ({"asked": 2}, "2 requests to the vendor instead of 1"),
        ({"reads": 2}, "2 reads of the secret instead of 1"),
        ({"files": ("key", "0" * 32 + ".tmp")}, "0" * 32 + ".tmp in the cache is left behind"),
        ({"files": ("key!",)}, "key in the cache is accessible to others"),
    ],
)
def test_a_wrong_outcome_of_a_fault_that_must_fail_is_reported(facts, complaint):
    assert judge_fault(FAILS, "/p", changed(FAILED, **facts)) == [complaint]


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"exit_code": 2, "failures": 1, "oks": 0, "error": "why", "warnings": WORKED.warnings}, "it failed, with exit code 2: why"),
        ({"good": False}, "the vendor does not accept the token"),
        ({"warnings": ()}, "no warning contains 'cannot be written'"),
        ({"warnings": ("It cannot be written\nat all",)}, "a warning has more than one line: 'It cannot be written\\nat all'"),
    ],
)
def test_a_wrong_outcome_of_a_fault_that_must_work_is_reported(facts, complaint):
    assert judge_fault(WORKS, "p", changed(WORKED, **facts)) == [complaint]


def test_an_unexpected_warning_is_reported():
    assert judge_fault(Fault("odd", "odd answers"), "p", WORKED) == [f"an unexpected warning: {WORKED.warnings[0]}"]


@pytest.mark.parametrize(
    ("after", "idle", "complaint"),
    [
        ({"error": "why", "exit_code": 2}, {}, "no token after the fault: exit code 2: why"),
        ({}, {"oks": 0}, "no token in the run after that: exit code 0: "),
        ({"good": False}, {}, "the vendor does not accept the token after the fault"),
        ({"asked": 2}, {}, "2 requests after the fault instead of 1"),
        ({"reads": 3}, {}, "3 reads of the secret after the fault instead of 1"),
        ({}, {"asked": 1}, "in the run after that, 1 requests and 0 reads, and a token from: cache"),
        ({}, {"reads": 1}, "in the run after that, 0 requests and 1 reads, and a token from: cache"),
        ({}, {"source": "vendor"}, "in the run after that, 0 requests and 0 reads, and a token from: vendor"),
        ({}, {"files": ("notes",)}, "notes in the cache is left behind"),
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
