# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts that no message about Vault shows, and how many of them are kept."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.strict_json import WrittenNumber
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.scrub import scrub
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.hidden import Hidden


def test_credentials_and_contents_of_secrets_are_hidden():
    hidden = Hidden(iter(["login-secret"]))
    hidden.add("hvs.token")
    hidden.add("")
    hidden.add_contents({"a": "first-text", "b": {"c": ["second-text", {"d": "third-text"}], "e": 7, "f": None}})
    assert sorted(hidden) == sorted(["login-secret", "hvs.token", "first-text", "second-text", "third-text"])
    assert sorted(hidden) == sorted(hidden)  # each message goes through it again


def test_texts_below_six_characters_are_not_hidden():
    hidden = Hidden([])
    hidden.add_contents({"5": "x" * 5, "6": "y" * 6})
    assert list(hidden) == ["yyyyyy"]


@pytest.mark.thorough
def test_long_texts_are_hidden_in_pieces():
    hidden = Hidden([])
    hidden.add_contents({"5": "x" * 5, "6": "y" * 6, "most": "z" * 10_000})
    assert sorted(map(len, hidden)) == [6, 10_000]
    for length in (10_001, 12_000, 25_003):
        text = "".join(f"{number:06d}" for number in range(length))[:length]
        hidden = Hidden([])
        hidden.add_contents({"private_key": text})
        assert "".join(hidden) == text
        assert min(map(len, hidden)) > 4_000
        assert max(map(len, hidden)) <= 10_000
        assert scrub(f"blocked: '{text}'", hidden).replace("***", "") == "blocked: ''"


def test_each_hidden_text_is_kept_once():
    hidden = Hidden(["login-secret"])
    for _time in range(2):
        hidden.add_contents({"a": "same-text", "b": ["same-text", "login-secret"]})
    assert list(hidden) == ["login-secret", "same-text"]


def test_the_latest_secret_is_hidden_completely():
    many = {f"f{number}": f"text-number-{number:04d}" for number in range(300)}
    for latest in ({**many, "client_secret": "hunter2-hunter2"}, {"client_secret": "hunter2-hunter2", **many}):
        hidden = Hidden([])
        hidden.add_contents({"a": "of-before"})
        hidden.add_contents(latest)
        assert sorted(hidden) == sorted(latest.values())
    hidden.add_contents({"a": "one-more"})
    assert len(list(hidden)) == 100


def test_a_text_that_is_added_again_becomes_the_latest():
    hidden = Hidden([])
    hidden.add_contents({"client_secret": "hunter2-hunter2"})
    hidden.add_contents({f"f{number}": f"text-number-{number}" for number in range(99)})
    hidden.add_contents({"client_secret": "hunter2-hunter2"})
    hidden.add_contents({f"f{number}": f"more-number-{number}" for number in range(99)})
    assert "hunter2-hunter2" in list(hidden)


def test_all_credentials_and_the_latest_100_texts_are_kept():
    texts = [f"text-number-{number:04d}" for number in range(300)]
    hidden = Hidden(["login-secret"])
    hidden.add_contents({"it": texts[0]})
    for text in texts:
        hidden.add("hvs." + text)
        hidden.add_contents({"it": text})
    kept = list(hidden)
    assert kept[:301] == ["login-secret", *("hvs." + text for text in texts)]
    assert kept[301:] == texts[-100:]


def test_numbers_are_hidden_as_they_were_written():
    hidden = Hidden([])
    hidden.add_contents({"pin": 987654, "ratio": WrittenNumber("44556677.1250"), "on": True, "none": None, "short": 12345})
    assert set(hidden) == {"987654", "44556677.1250"}
