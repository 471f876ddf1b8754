# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no message about Vault shows, and how much of it is kept."""

from __future__ import annotations

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.hidden import Hidden


def test_credentials_and_what_was_read():
    hidden = Hidden(iter(["login-secret"]))
    hidden.add("hvs.token")
    hidden.add("")
    hidden.add_contents({"a": "first-text", "b": {"c": ["second-text", {"d": "third-text"}], "e": 7, "f": None}})
    assert sorted(hidden) == sorted(["login-secret", "hvs.token", "first-text", "second-text", "third-text"])
    assert sorted(hidden) == sorted(hidden)  # it is looked through for each message


def test_words_and_texts_longer_than_a_message_are_left_out():
    hidden = Hidden([])
    hidden.add_contents({"5": "x" * 5, "6": "x" * 6, "most": "x" * 10_000, "more": "x" * 10_001})
    assert sorted(map(len, hidden)) == [6, 10_000]


def test_each_text_is_kept_once():
    hidden = Hidden(["login-secret"])
    for _time in range(2):
        hidden.add_contents({"a": "same-text", "b": ["same-text", "login-secret"]})
    assert list(hidden) == ["login-secret", "same-text"]


def test_of_much_the_latest_is_kept_and_all_credentials():
    texts = [f"text-number-{number:04d}" for number in range(300)]
    hidden = Hidden(["login-secret"])
    hidden.add_contents({"it": texts[0]})
    for text in texts:
        hidden.add("hvs." + text)
        hidden.add_contents({"it": text})
    kept = list(hidden)
    assert kept[:301] == ["login-secret", *("hvs." + text for text in texts)]
    assert kept[301:] == texts[-100:]
