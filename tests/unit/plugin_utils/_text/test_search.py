# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a text contains the secrets."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.needles import needles_of
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.search import found, places_of
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.views import Budget, Exhausted


def places(text, *secrets):
    return places_of(found(text, needles_of(secrets), Budget(400_000)))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("an s3cr3t one", "s3cr3t"),
        ("an S3CR3T one", "S3CR3T"),
        ("an s3 cr\n3t one", "s3 cr\n3t"),
        ("an s3cr\u200b3t one", "s3cr\u200b3t"),
        ("an s-3.c_r/3t one", "s-3.c_r/3t"),
        ("an s3c%723t one", "s3c%723t"),
        ("an %7333%63r3t one", None),
        ("an &#115;3cr3t one", "&#115;3cr3t"),
        ("an \uff533cr3t one", "\uff533cr3t"),
        (f"an {base64.b64encode(b's3cr3t').decode()} one", base64.b64encode(b"s3cr3t").decode()),
        (f"an {b's3cr3t'.hex()} one", b"s3cr3t".hex()),
        ("an s3cr3 one", None),
    ],
)
def test_a_secret_is_found_at_its_place(text, place):
    at = text.find(place) if place else 0
    assert set(places(text, "s3cr3t")) == ({(at, at + len(place))} if place else set())


def test_each_place_is_found_once():
    assert places("abc-abc%61bc", "abc") == [(0, 3), (4, 7), (7, 12)]
    assert places("abc abc abc", "abc") == [(0, 3), (4, 7), (8, 11)]
    assert places("aaaaa", "aaa") == [(0, 3), (1, 4), (2, 5)]


@pytest.mark.parametrize("text", ["a b / d", "a\u200bb/d", "a\x00b/\td", "a b\u00a0/\u200bd"])
@pytest.mark.parametrize("around", ["x {} y", "é {} y"])
def test_spaces_and_invisible_characters_do_not_hide_a_short_secret(around, text):
    start = around.index("{")
    assert places(around.format(text), "ab/d") == [(start, start + len(text))]


def test_two_encodings_of_one_text_are_two_places():
    once = b"s3cr%33t-two"  # otherwise its usual spellings are found without decoding
    in_hex, in_base64 = once.hex(), base64.b64encode(once).decode()
    assert {(0, 24), (25, 41)} <= set(places(f"{in_hex} {in_base64}", "s3cr3t-two"))


def test_the_third_decoding_is_searched_completely():
    def in_hex(secret):
        return secret.encode().hex().encode().hex().encode().hex()

    assert places(in_hex("s3cr3t%2Done"), "s3cr3t-one") == [], "the fourth is not taken"
    one, two = (in_hex(secret.encode().hex()) for secret in ("s3cr3t-one", "an0ther-two"))
    assert {(0, 160), (161, 337)} <= set(places(f"{one} {two}", "s3cr3t-one", "an0ther-two"))


def test_characters_beyond_latin_1_are_found():
    run = "пароль".encode("utf-16-be").hex()
    assert places(f"x {run}", "пароль") == [(2, 2 + len(run))]


def test_the_same_run_twice_is_found_twice():
    run = b"s3cr3t-two".hex()
    assert places(f"{run} and {run}", "s3cr3t-two") == [(0, 20), (25, 45)]


def test_runs_of_spaces_are_equal_if_spaces_count():
    assert places("x a \t b y", "a  b") == [(2, 7)]
    assert places("x ab y", "a  b") == []


def test_at_most_three_encodings_are_decoded():
    text = "%733cr3t"
    for step in range(1, 5):
        assert places(text, "s3cr3t") == ([(0, len(text))] if step <= 3 else []), step
        text = text.replace("%", "%25")


def test_the_search_ends_when_the_budget_is_used_up():
    needles = needles_of(["s3cr3t"])
    assert list(found("." * 30, needles, Budget(30))) == []
    with pytest.raises(Exhausted):
        list(found("." * 31, needles, Budget(30)))


def test_places_with_the_fewest_decodings_come_first():
    encoded = b"s3cr3t".hex()
    views = [view.text for view, _span in found(f"{encoded} s3cr3t", needles_of(["s3cr3t"]), Budget(400_000))]
    assert views[0] == f"{encoded} s3cr3t"
    assert "s3cr3t" in views[1:]
