# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers' encodings decode to; all other text stays as it is."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.encodings import IN_PLACE, runs
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.views import Budget, Exhausted, View


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("%61%C3%BC%ff", "aüÿ"),
        ("%u00e9%u0041", "éA"),
        ("%u20ac", "€"),
        ("a%2Bb+c", "a+b c"),
        ("=61=\r\n=C3=BC", "aü"),
        ("&amp;&#252;&#xFC;&EACUTE;&zz;", "&üüé&zz;"),
        (r"\u00fc\ud83d\ude00", "ü\U0001f600"),
        (r"\U0001F600", "\U0001f600"),
        (r"\U00110000", r"\U00110000"),
        (r"\U0010ffff\u{10FFFF}", "\U0010ffff\U0010ffff"),
        (r"\U0041\U0042", "AB"),
        (r"\u{1F600}\x{fc}", "\U0001f600ü"),
        (r"\u{110000}", r"\u{110000}"),
        (r"\xc3\xbc", "ü"),
        (r"\xe9\xfc", "éü"),
        (r"\303\274", "ü"),
        (r"\n\t\r\b\f\v\0\a\/\q", "\n\t\r\b\f\v\0\a/q"),
        ("a<b>c</b>d < e", "acd < e"),
        (r"\61 \62 c", "abc"),
        ("41:62:43", "AbC"),
        ("4a:4B:4c", "JKL"),
        ("0X4a,0x4b,U+004C", "JKL"),
        ("0x41 0x62 0x43", "AbC"),
        ("U+0041 U+1F600 U+0043", "A\U0001f600C"),
        ("41 62", "41 62"),
        ("[65, 98, 67]", "[AbC]"),
        ("65, 128512, 67", "A\U0001f600C"),
        ("65, 9999999, 67", "A C"),
        ("65, 256, 67", "A\u0100C"),
        ("[\n  65,\n  98,\n  67\n]", "[\n  AbC\n]"),
        ("65,\t98,\r\n67", "AbC"),
        ("0x41,\n0x62,\n0x43", "AbC"),
        ("41\t62\n43", "AbC"),
        ("65, 1114111, 1114112", "A\U0010ffff "),
        ("195, 188, 255", "üÿ"),
        ("65, 98", "65, 98"),
    ],
)
def test_escapes_are_decoded_in_place(text, decoded):
    assert decoded in {decode(View(text)).text for decode in IN_PLACE}


ENTITY, BYTES, CHARACTERS = IN_PLACE[3:6]


@pytest.mark.parametrize(
    ("decode", "text", "decoded"),
    [
        (ENTITY, "&Eacute;&eacute;&EACUTE;", "Ééé"),
        (BYTES, r"\303\274", "ü"),
        (CHARACTERS, r"\303\274", "\xc3\xbc"),
        (BYTES, r"\xc3\xbc\XC3\XBC", "üü"),
        (CHARACTERS, r"\xc3\xbc\XC3\XBC", "\xc3\xbc\xc3\xbc"),
        (BYTES, r"\XC3\XBC", "ü"),
        (CHARACTERS, r"\XC3\XBC", "\xc3\xbc"),
        (BYTES, r"\x41-\101-\7-\u-\x", "A-A-7-u-x"),
        (CHARACTERS, r"\x41-\101-\7-\u-\x", "A-A-7-u-x"),
        (BYTES, r"\U10000041", r"\U10000041"),
        (BYTES, r"\ud83d", "\ud83d"),
    ],
)
def test_each_decoder_reads_its_own_escapes(decode, text, decoded):
    assert decode(View(text)).text == decoded


def test_a_text_without_encodings_is_the_same_view():
    view = View("Nothing here, 12 and 13; but a word.")
    assert all(decode(view) is view for decode in IN_PLACE)


def readable(text, *, shortest=6, beyond_latin=False, budget=10_000):
    return {view.text for view in runs(View(text), Budget(budget), shortest=shortest, beyond_latin=beyond_latin)}


@pytest.mark.parametrize(
    "run",
    [
        base64.b64encode(b"s3cr3t?>").decode(),
        base64.urlsafe_b64encode(b"s3cr3t?>").decode().rstrip("="),
        base64.b32encode(b"s3cr3t?>").decode(),
        base64.b32encode(b"s3cr3t?>").decode().rstrip("=").lower(),
        b"s3cr3t?>".hex(),
        b"s3cr3t?>".hex().upper(),
        f"{b's3cr3t?>'.hex()}7",
        base64.b64encode(gzip.compress(b"s3cr3t?>", mtime=0)).decode(),
        zlib.compress(b"s3cr3t?>").hex(),
        "s3cr3t?>".encode("utf-16").hex(),
        base64.b64encode("s3cr3t?>".encode("utf-16-be")).decode(),
    ],
)
def test_encoded_runs_are_decoded(run):
    assert any("s3cr3t?>" in text for text in readable(f"a {run} b"))


def test_a_run_is_decoded_at_any_offset():
    assert any("s3cr3t" in text for text in readable("A" + base64.b64encode(b"s3cr3t").decode()))
    assert any("s3cr3t" in text for text in readable("7" + b"s3cr3t".hex()))
    assert any("s3cr3t" in text for text in readable("ABC" + base64.b32encode(b"s3cr3t").decode()))


@pytest.mark.parametrize("between", ["\n", "\r\n    ", " "])
def test_a_run_broken_into_lines_is_decoded_as_one(between):
    encoded = base64.b64encode(b"x" * 50 + b"s3cr3t" + b"y" * 30).decode()
    assert "x" * 50 + "s3cr3t" + "y" * 30 in readable(between.join((encoded[:68], encoded[68:])))


@pytest.mark.parametrize("run", ["czN+Y3I/", "czN-Y3I_", "czN+Y3I/A", "czN+Y3I/AB=="])
def test_base64_is_decoded_in_both_alphabets_and_with_trailing_letters(run):
    assert any("s3~cr?" in text for text in readable(run))


def test_base64_is_decoded_whatever_its_last_letter():
    assert base64.b64encode(b"s3cr3t??W").endswith(b"X")
    assert "s3cr3t??W" in readable(base64.b64encode(b"s3cr3t??W").decode())


@pytest.mark.parametrize("size", range(10, 15))
@pytest.mark.parametrize("more", ["", "A", "AA"])
def test_base32_is_decoded_with_trailing_letters(size, more):
    text = "s3cr3t-0123456"[:size]
    run = base64.b32encode(text.encode()).decode().rstrip("=") + more
    assert any(text in found for found in readable(run, shortest=size))


def test_hex_is_decoded_with_digits_around_it():
    assert "s3cr3t" in readable(b"s3cr3t".hex() + "7")
    assert "s3cr3t" in readable("7" + b"s3cr3t".hex() + "7")


def test_a_decoded_run_knows_all_its_places():
    run = b"s3cr3t".hex()
    source = View(f"a {run} b {run}")
    [found] = [view for view in runs(source, Budget(10_000), shortest=6, beyond_latin=False) if view.text == "s3cr3t"]
    (origin,) = found.origins
    assert origin.view is source
    assert list(origin.places((0, 1))) == [(2, 14), (17, 29)]


@pytest.mark.parametrize("before", ["", "A", "AB"])
def test_a_compressed_run_may_be_shorter_than_its_content(before):
    squeezed = zlib.compress(b"x" * 100)
    assert len(squeezed) < 50
    assert "x" * 100 in readable(before + base64.b64encode(squeezed).decode(), shortest=50)


def test_utf_16_is_decoded_from_an_odd_byte():
    assert any("s3cr3t?>" in text for text in readable((b"\x01" + "s3cr3t?>".encode("utf-16-le")).hex()))
    assert any("s3cr3t?>" in text for text in readable((b"\x01" + "s3cr3t?>".encode("utf-16-be")).hex()))


def test_characters_beyond_latin_are_read_from_utf_16_without_a_nul():
    run = "пароль".encode("utf-16-be").hex()
    assert "пароль" in readable(run, beyond_latin=True)
    assert "пароль" not in readable(run)


def test_runs_too_short_to_hold_a_secret_are_skipped():
    assert "s3cr3t" in readable(b"s3cr3t".hex())
    assert "s3cr3t" not in readable(b"s3cr3t".hex(), shortest=7)
    assert readable("word another") == set()


def test_decompression_is_limited():
    bomb = zlib.compress(b"x" * 100_000).hex()
    assert max(map(len, readable(bomb))) == 4096


def test_an_invalid_compressed_run_hides_no_other_run():
    assert "s3cr3t?>" in readable("78" + "00" * 12 + " " + b"s3cr3t?>".hex())


def test_each_decoding_uses_up_the_budget():
    with pytest.raises(Exhausted):
        readable(b"s3cr3t".hex(), budget=5)
