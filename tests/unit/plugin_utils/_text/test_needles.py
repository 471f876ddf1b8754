# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms in which secrets are searched for."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text import needles as module
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.needles import LONGEST, letters_of, needles_of, usual_spellings
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.views import View


def test_needles_ignore_case_and_spaces():
    needles = needles_of(["Ab Cd"])
    assert {"abcd", "ab%20cd", "ab+cd", "4162204364", "qwigq2"} <= needles.compact
    assert needles.folded == frozenset()
    assert needles.spelled == frozenset()
    assert needles.all() == needles.compact
    assert needles.any
    assert not needles.beyond_latin


@pytest.mark.parametrize(
    ("secret", "wanted"),
    [
        # As is, percent-encoded, in hex, base32, and base64 at three offsets with both alphabets.
        ("s3~cr?", "s3~cr? s3~cr%3f 73337e63723f omzx4y3sh czn+y3i/ czn-y3i_ mzfmnyp zm35jcj"),
        ("s3cr3t??W", "s3cr3t??w s3cr3t%3f%3fw 7333637233743f3f57 omzwg4rtoq7t6v cznjcjn0pz9x mzy3izdd8/v mzy3izdd8_v zm2nym3q/p1 zm2nym3q_p1"),
        ("abc", "abc 616263 mfrg ywjj"),
        ("abcd", "abcd 61626364 mfrggz ywjjz"),
        # Escaped as Python and JSON do it, with and without the spaces.
        ("abc\x07é", "abcé abc%07%c3%a9 61626307c3a9 abc\\x07é abc\\u0007\\u00e9 mfrggb6dv ywjjb8op fiywfdq hymmhw6"),
        ("A/b c'\"\\", "a/bc'\"\\ a/bc\\'\"\\\\ a/bc'\\\"\\\\ a%2fb%20c%27%22%5c a%2fb+c%27%22%5c a/b%20c%27%22%5c 412f62206327225c iexweidde4rf"
         " qs9iigmnil evyibjjyjc bl2igyycix"),
    ],
)  # fmt: skip
def test_the_exact_needles_of_a_secret(secret, wanted):
    """Exactly these forms: one that is missing here is found in no text."""
    assert needles_of([secret]).compact == set(wanted.split())


def test_one_secret_does_not_hide_another():
    needles = needles_of(["ab", "ßßßßßß", "abcdef", "ünïcode"])
    assert {"abcdef", "ünïcode", "ss" * 6} <= needles.compact
    assert needles.widest == 2


def test_characters_that_are_not_shown_are_left_out():
    assert "abcdef" in needles_of(["abc\x00def"]).compact
    assert needles_of(["a\x00 b"]).folded == {"a b"}
    assert needles_of(["   "]).folded == frozenset()
    assert needles_of(["%41%20b"]).folded == frozenset()


def test_a_lone_surrogate_is_searched_for():
    assert "s3cr3t\udcff".encode("utf-8", "surrogatepass").hex() in needles_of(["s3cr3t\udcff"]).compact
    assert b"s3cr3t%ed%b3%bf" in set(usual_spellings("s3cr3t\udcff"))


def test_a_secret_is_decoded_three_times_and_no_more():
    steps = ["abcd%41", "abcd%2541", "abcd%252541", "abcd%25252541"]
    assert "abcda" in needles_of([steps[2]]).compact
    assert {*steps[:3]} <= needles_of([steps[3]]).compact
    assert "abcda" not in needles_of([steps[3]]).compact


def test_secrets_below_three_characters_are_not_searched_for():
    assert not needles_of(["", "ab"]).any
    assert needles_of(["", "ab"]).shortest == 0
    assert needles_of(["abc"]).shortest == 3


def test_spaces_count_if_the_secret_is_too_short_without_them():
    needles = needles_of(["a  b"])
    assert needles.folded == {"a b"}
    assert "ab" not in needles.compact
    assert needles.any


@pytest.mark.parametrize(
    ("secret", "spelled"),
    [
        ("abc-de", set()),
        ("abc-def", {"abcdef"}),
        ("abcde-fghij-klmno", {"abcdefghijklmno"}),
        ("abcde-fghij-klmnop", {"abcdefghijklmnop", "abcdefghijkl", "efghijklmnop"}),
        ("Zürich Straße", {"zurichstrasse"}),
    ],
)
def test_letters_and_digits_of_a_long_secret_are_searched_for(secret, spelled):
    assert needles_of([secret]).spelled == spelled


def test_the_shortest_needle_allows_for_characters_that_expand_in_another_case():
    needles = needles_of(["ßßßßßß"])
    assert needles.widest == 2
    assert needles.shortest == 6
    assert needles_of(["abcdef"]).widest == needles_of([]).widest == 1


def test_characters_beyond_latin_1_are_noticed():
    assert needles_of(["пароль"]).beyond_latin
    assert not needles_of(["ünïcode", "ÿÿÿ"]).beyond_latin


def test_a_secret_that_looks_encoded_is_also_searched_for_decoded():
    assert {"a%2541b", "a%41b", "aab"} <= needles_of(["a%2541b"]).compact


def test_letters_of_a_character_are_its_base_letters():
    assert [letters_of(char) for char in "aÉ1-ﬁ\u200b\uff21"] == ["a", "e", "1", "", "fi", "", "a"]


def test_the_usual_spellings_of_a_secret():
    found = set(usual_spellings("A/b'c\"+="))
    assert {
        b"a/b'c\"+=",
        b"a%2fb%27c%22%2b%3d",
        b"a/b%27c%22%2b%3d",
        b"412f622763222b3d",
        b"a%252fb%2527c%2522%252b%253d",
        b"a%2fb'c%22%2b%3d",
        b"a\\/b'c\\\"+=",
        b"\\u0041\\u002f\\u0062\\u0027\\u0063\\u0022\\u002b\\u003d",
        b"a/b&#x27;c&quot;+=",
        b"a/b&#39;c&#34;&#43;=",
        b"a&#x2f;b&#x27;c&#34;+&#x3d;",
        b"qs9ij2mikz",
    } - found == set()
    assert set(usual_spellings("abcde")) == set()
    assert b"abcdef" in set(usual_spellings("abcdef"))


def _numbered(length, start=0):
    """Text of which no part is repeated."""
    return "".join(f"{number:06d}" for number in range(start, start + length // 6 + 1))[:length]


@pytest.mark.thorough
def test_a_long_secret_is_searched_for_in_pieces():
    assert _numbered(LONGEST) in needles_of([_numbered(LONGEST)]).compact
    text = _numbered(LONGEST + 2)
    found = needles_of([text])
    half = LONGEST // 2 + 1
    assert {text[:half], text[half:], text[:half].encode().hex()} <= found.compact
    assert text not in found.compact
    assert {text[:half], text[half:]} <= found.spelled
    assert max(map(len, needles_of([_numbered(1_000_000)]).spelled)) <= LONGEST


def test_the_secrets_searched_for_in_encoded_forms_are_limited(monkeypatch):
    monkeypatch.setattr(module, "_MOST_ENCODED", 30)
    longer, long, short = "Z" * 12 + "y" * 8, "x" * 14, "w" * 10
    found = needles_of([longer, long, short])
    hidden = {secret: secret.encode().hex() in found.compact for secret in (short, long, longer)}
    assert hidden == {short: True, long: True, longer: False}
    assert {short, long, longer.lower()} <= found.compact & found.spelled
    assert longer.encode().hex() in needles_of([longer, short]).compact


def test_the_same_piece_is_counted_once(monkeypatch):
    monkeypatch.setattr(module, "_MOST_ENCODED", LONGEST + 20)
    found = needles_of(["secret01" * LONGEST, "x" * 20, "x" * 20])
    assert {("x" * 20).encode().hex(), ("secret01" * (LONGEST // 8)).encode().hex()} <= found.compact


@pytest.mark.parametrize(
    ("most", "decoded"),
    [(6, set()), (7, {"abcda"}), (20, {"abcda"}), (21, {"abcda", "wxyz%41"}), (27, {"abcda", "wxyz%41"}), (28, {"abcda", "wxyz%41", "wxyza"})],
)
def test_the_characters_to_decode_are_limited(monkeypatch, most, decoded):
    """First the short secret with 7 characters, 5 after one step; then the other one with 9 and 7."""
    monkeypatch.setattr(module, "_MOST_DECODED", most)
    found = needles_of(["wxyz%2541", "abcd%41"])
    assert found.compact & {"abcda", "wxyz%41", "wxyza"} == decoded
    assert {"wxyz%2541", "abcd%41", b"wxyz%2541".hex()} <= found.compact


#: Each part is decoded by another step, so that their order makes new texts.
TRICKY = ("%41", "é", "&amp;", "\\u0041", "=41", "<b>", "\\x41", "\\41 ", "41 42 43", "65,66,67", "+")


def _tricky(length, seed=0):
    return "".join(TRICKY[number % len(TRICKY)] + f"{seed}x{number}" for number in range(length))[:length]


@pytest.mark.thorough
@pytest.mark.parametrize("secrets", [[_tricky(300_000)], [_tricky(LONGEST - seed, seed) for seed in range(64)]])
def test_the_work_for_many_large_secrets_is_limited(monkeypatch, secrets):
    """Counted in characters that each decoding step reads, and in forms to search for."""
    read = []
    for step in module.IN_PLACE:
        assert step(View(secrets[0])).text != secrets[0]
    monkeypatch.setattr(module, "IN_PLACE", tuple(lambda view, step=step: (read.append(len(view.text)), step(view))[1] for step in module.IN_PLACE))
    found = needles_of(secrets)
    assert module._MOST_DECODED - LONGEST < sum(read) / len(module.IN_PLACE) <= module._MOST_DECODED
    assert len(found.all()) < 3000


@pytest.mark.thorough
def test_a_secret_of_the_greatest_length_is_decoded_in_every_way(monkeypatch):
    limited = needles_of([_tricky(LONGEST)])
    monkeypatch.setattr(module, "_MOST_DECODED", 10**9)
    assert limited == needles_of([_tricky(LONGEST)])
    assert len(limited.compact) > 100
