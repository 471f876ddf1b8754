# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No text that is shown contains a secret, in whatever encoding."""

from __future__ import annotations

import base64
import gzip
import html
import json
import quopri
import re
import zlib
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text import scrub as module
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text import scrub as scrub_module
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.scrub import BLANK, Blanker, finder, scrub
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.views import Budget
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

SECRET = 'AbC:+/ %ü"\\x'


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        "AbC%3a%2b%2f%20%25%c3%bc%22%5cx",
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        repr(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        SECRET.replace(" ", "\r\n"),
        SECRET.replace(" ", " \t "),
    ],
)
def test_every_form_of_a_secret_is_removed(shown):
    assert "***" in scrub(f"before {shown} after", [SECRET])
    assert "AbC" not in scrub(f"before {shown} after", [SECRET]).replace("***", "")
    assert scrub(f"before {shown} after", [SECRET]).startswith("before ")


def test_longer_secrets_are_removed_first_and_very_short_ones_kept():
    assert scrub("abcdef abc ab", ["abc", "abcdef", "ab"]) == "*** *** ab"


_plain = st.text(st.characters(blacklist_characters="*…"), max_size=12)


@given(secrets=st.lists(_plain, max_size=4), parts=st.lists(_plain | st.integers(0, 9), max_size=12))
@example(secrets=["a  b"], parts=["a \t b"])
@example(secrets=["AB%"], parts=["AB%25", "AB%"])
def test_no_secret_survives(secrets, parts):
    forms = [form for secret in secrets for form in (secret, quote(secret.encode("utf-8", "surrogatepass"), safe=""))]
    assume(all(len(secret) >= 3 for secret in secrets))
    text = "".join(part if isinstance(part, str) else forms[part % len(forms)] if forms else "" for part in parts)
    shown = scrub(text, secrets)
    assert len(shown) <= 200
    assert shown == " ".join(shown.split())
    for form in forms:
        assert form not in shown


ENCODINGS = {
    "percent": lambda text: quote(text, safe=""),
    "percent, lower case": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent, plus": quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    # Not a digit, which would belong to the number that follows it.
    "base64 after one byte": lambda text: base64.b64encode(b"~" + text.encode()).decode(),
    "base64 in a Basic pair": lambda text: base64.b64encode(f"id:{text}".encode()).decode(),
    "base64 in the middle": lambda text: base64.b64encode(f"i d:{text}, and more".encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base32, lower case, in the middle": lambda text: base64.b32encode(f"id:{text} more".encode()).decode().rstrip("=").lower(),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "quoted-printable, folded": lambda text: "=\r\n".join(re.findall("=..|.", quopri.encodestring(text.encode()).decode().replace("=\n", ""))),
    "UTF-16 in base64": lambda text: base64.b64encode(text.encode("utf-16")).decode(),
    "UTF-16, big end first, in hex": lambda text: text.encode("utf-16-be").hex(),
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(f"id:{text}".encode(), mtime=0)).decode(),
    "zlib in hex": lambda text: zlib.compress(text.encode()).hex(),
    "bytes in hex": lambda text: ":".join(f"{byte:02x}" for byte in text.encode()),
    "numbers in hex": lambda text: " ".join(f"0x{byte:02X}" for byte in text.encode()),
    "code points": lambda text: " ".join(f"U+{ord(char):04X}" for char in text),
    "a list of numbers": lambda text: str(list(text.encode())),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "octal, of what is no ASCII": lambda text: "".join(chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}" for byte in text.replace("\\", r"\\").encode()),
    "CSS": lambda text: "".join(f"\\{ord(char):06x}" for char in text),
    "JavaScript, zeros": lambda text: "".join(f"\\u{{{ord(char):08x}}}" for char in text),
    "Perl": lambda text: "".join(f"\\x{{{ord(char):x}}}" for char in text),
    "HTML, zeros": lambda text: "".join(f"&#{ord(char):010d};" for char in text),
    "HTML": html.escape,
    "HTML, decimal": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "HTML, hex": lambda text: "".join(f"&#X{ord(char):x};" for char in text),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "JSON, all escaped": lambda text: "".join(f"\\u{unit:04X}" for unit in _units(text)),
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "unicode_escape": lambda text: text.encode("unicode_escape").decode(),
    "upper case": str.upper,
    "as it is": str,
}


def _units(text):
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[position : position + 2], "big") for position in range(0, len(raw), 2)]


def thoroughly(*values):
    """Values of which each is tried with all encodings; `make fast` leaves them out."""
    return [pytest.param(value, marks=pytest.mark.thorough) for value in values]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", [SECRET, "P/w+\"<&>'=", *thoroughly("pl4in", "\U0001f600 smiling ünïcode", "a1/", "x" * 300)])
def test_a_secret_is_found_in_any_encoding(encoding, secret):
    shown = ENCODINGS[encoding](secret)
    holds_secret, scrubbed = finder([secret]), scrub(f"It was {shown} that came", [secret])
    assert holds_secret(f"It was {shown} that came")
    assert scrubbed.startswith("It was ")
    assert shown not in scrubbed
    assert not holds_secret("It was another one that came")


_typed = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, blacklist_characters="*…", blacklist_categories=("Cc", "Cf", "Zs")), min_size=6, max_size=24
)
_names = st.sampled_from(sorted(set(ENCODINGS) - {"upper case", "quoted-printable, folded"}))


@settings(deadline=None)
@example(secret="āāāāāā", first="UTF-16, big end first, in hex", second="CSS", before="", after="")
@example(secret="пароль-и-ключ", first="UTF-16 in base64", second="hex", before="id=", after="")
@given(
    secret=_typed,
    first=_names,
    second=_names,
    before=st.sampled_from(["", "error: ", "id=", '{"a": "']),
    after=st.sampled_from(["", '"}', " was sent", "&x=1"]),
)
def test_a_secret_is_found_in_two_nested_encodings(secret, first, second, before, after):
    shown = ENCODINGS[second](ENCODINGS[first](secret))
    assert finder([secret])(before + shown + after)
    assert shown not in scrub(before + shown + after, [secret], limit=4000)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("outer", ["base64", *thoroughly("hex", "base32")])
def test_a_secret_that_occurs_twice_is_removed_twice(encoding, outer):
    secret = "Xk29fjQpLm47TzWb"
    shown = ENCODINGS[outer](ENCODINGS[encoding](secret))
    assert shown not in scrub(f"It was {shown}, and {shown}.", [secret], limit=9000)
    blanked = Blanker([secret])(f'{{"a": "{shown}", "b": ["{shown}"]}}')
    assert re.fullmatch(rf'{{"a": ".{{0,7}}{re.escape(BLANK)}.{{0,7}}", "b": \[".{{0,7}}{re.escape(BLANK)}.{{0,7}}"\]}}', blanked)


def test_different_runs_with_the_same_content_are_both_removed():
    secret = "Xk29fjQpLm47TzWb"
    # Different steps lead to the same text; and a text with the secret twice appears twice.
    first, second = (ENCODINGS["base64"](prefix + ENCODINGS["percent, lower case"](secret)) for prefix in ("%20", " "))
    inner = ENCODINGS["hex"](f"{ENCODINGS['base64'](f'a {secret}')} {ENCODINGS['base64'](f'b {secret}')}")
    assert scrub(f"{first}, {second}", [secret], limit=9000) == "***, ***"
    assert scrub(f"{inner}, {inner}", [secret], limit=9000) == "***, ***"


def test_code_points_that_could_be_bytes_are_read_as_characters():
    secret = "0\u00c2\u00a1000"  # in Latin-1 the bytes of another text
    assert finder([secret])(" ".join(f"U+{ord(char):04X}" for char in secret))


@pytest.mark.parametrize("before", ["", "error 401 ", "401, 8364, ", "bad: "])
@pytest.mark.parametrize("form", [" ".join, ", ".join])
def test_a_number_that_is_not_a_byte_does_not_hide_the_bytes_beside_it(before, form):
    secret = "P\u00e4ssw\u00f6rtchen-m\u00fc\u00dfig9"
    lists = [form(str(byte) for byte in secret.encode()), form(str(ord(char)) for char in secret), form(f"{byte:02x}" for byte in secret.encode())]
    lists.append(form(f"0x{byte:02x}" for byte in secret.encode()))
    for numbers in lists:
        assert scrub(before + numbers, [secret], limit=9000).endswith("***"), (before, numbers)
        assert finder([secret])(before + numbers), (before, numbers)


def test_a_repeated_run_is_decoded_once(monkeypatch):
    read = []
    spend = Budget.spend
    monkeypatch.setattr(Budget, "spend", lambda budget, text: (read.append(len(text)), spend(budget, text)))
    once, often = (" ".join([ENCODINGS["base64"]("%62Xk29fjQpLm47")] * times) for times in (1, 100))
    scrub(once, ["s3cr3t"])
    first = sum(read)
    scrub(often, ["s3cr3t"])
    assert sum(read) - first < first + 2 * len(often)


#: Harmless text that a step decodes as well, so that more steps and fewer steps lead to the same text.
DECOYS = {"percent": "%20", "HTML, decimal": " &amp;", "JSON, all escaped": r" \n", "octal": r" \n", "a list of numbers": " 1, 2, 3"}


@pytest.mark.parametrize("middle", DECOYS)
@pytest.mark.parametrize("outer", ["percent, lower case", "HTML, decimal", "JSON, all escaped", "octal", "quoted-printable"])
@pytest.mark.thorough
def test_a_secret_is_found_in_three_nested_encodings_beside_decoys(outer, middle):
    secret = "Xk29fjQp"
    for inner in ("percent, lower case", "HTML, decimal", "JSON, all escaped", "octal", "a list of numbers", "hex", "base64", "base32"):
        shown = ENCODINGS[outer](ENCODINGS[middle](ENCODINGS[inner](secret)))
        for text in (f"no {shown}", f"no {DECOYS[middle]} {shown}"):
            assert finder([secret])(text), inner
            assert Blanker([secret])(text).count(BLANK) == 1, inner
            assert len(text) > 2048 or scrub(text, [secret], limit=9000).count("***") == 1, inner


@pytest.mark.parametrize("secret", ["RqQßSiüb", "ßßßßßß", "ﬃﬃxyz", "\u0390\u0390\u0390\u03b0"])
@pytest.mark.parametrize("encoding", ["UTF-16 in base64", "zlib in hex", "base64", "gzip in base64"])
def test_a_secret_with_letters_that_expand_in_another_case_is_found(encoding, secret):
    assert scrub(ENCODINGS[encoding](secret), [secret]) == "***"
    assert scrub(ENCODINGS[encoding](f"x {secret}"), [secret]) == "***"


def _in_lines(text, width, end="\n"):
    return end.join(text[at : at + width] for at in range(0, len(text), width))


LINES = {
    "MIME": lambda text: base64.encodebytes(b"The answer to the request that was sent to them: " + text.encode()).decode(),
    "MIME, CRLF": lambda text: _in_lines(base64.b64encode(b"y " * 35 + text.encode() + b" and more").decode(), 76, "\r\n"),
    "PEM": lambda text: _in_lines(base64.urlsafe_b64encode(b"z " * 22 + text.encode()).decode(), 64),
    "YAML": lambda text: _in_lines(base64.b64encode(b"0 " * 25 + text.encode()).decode(), 76, "\n    "),
    "folded since": lambda text: _in_lines(base64.b64encode(b"id=9; " * 8 + text.encode()).decode(), 76, " "),
    "base32": lambda text: _in_lines(base64.b32encode(b"x " * 20 + text.encode()).decode(), 76),
    "hex": lambda text: _in_lines((b"x " * 12 + text.encode()).hex(), 60),
    "compressed": lambda text: base64.encodebytes(gzip.compress(bytes(range(200)) + text.encode(), mtime=0)).decode(),
}


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.thorough
def test_a_secret_encoded_inside_broken_lines_is_found(lines):
    secret = "P/w+\"<&>'=täil"
    for name, encoding in ENCODINGS.items():
        shown = LINES[lines](encoding(secret))
        assert len(shown.split()) > 1, name
        assert finder([secret])(f"It was '{shown}' that came"), name
        assert finder([secret])(f"It was {json.dumps(shown)} that came"), name  # three levels deep
    shown = LINES[lines](json.dumps(secret))
    scrubbed = scrub(f"It was '{shown}' that came", [secret], limit=4000)
    assert "***" in scrubbed and scrubbed.startswith("It was '") and shown.split()[-1] not in scrubbed
    assert not finder([secret])(f"It was '{LINES[lines](json.dumps('another one'))}' that came")


def test_a_very_long_text_is_cut_before_it_is_searched():
    assert scrub("s3cr3t " * 100_000, ["s3cr3t"]).startswith("*** ***")
    shown = scrub("x" * 2040 + "s3cr3t and more", ["s3cr3t"], limit=4000)
    assert "s3c" not in shown
    assert shown.endswith("x…")


SPELLED = {
    "dashes": "-".join,
    "zero width": "\u200b".join,
    "tags": "<b>".join,
    "folded": lambda text: "\n  ".join(text[at : at + 5] for at in range(0, len(text), 5)),
    "concatenated": lambda text: "' + '".join(text[at : at + 5] for at in range(0, len(text), 5)),
    "quotes doubled": lambda text: text.replace("'", "''"),
    "full width": lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
    "accents": lambda text: "".join(f"{char}\u0301" for char in text),
    "its end cut off": lambda text: text[:-2] + "...",
    "its beginning cut off": lambda text: "..." + text[2:],
}


@pytest.mark.parametrize("spelling", SPELLED)
def test_an_altered_or_partial_secret_is_found(spelling):
    secret = "S3cr3t'Passw0rd-abcXYZ"
    shown = SPELLED[spelling](secret)
    assert finder([secret])(f"It was {shown} that came")
    left = scrub(f"It was {shown} that came", [secret], limit=4000).removeprefix("It was ").removesuffix(" that came")
    assert left.count("***") == 1
    assert sum(char.isalnum() for char in left) <= len(secret) // 4


def test_a_part_of_a_short_secret_is_not_removed():
    assert scrub("The operation failed.", ["operations"]) == "The operation failed."


def _bombs(count):
    """Compressed texts in base64; each inflates to much more text that can be decoded in turn."""
    return [base64.b64encode(zlib.compress(("QUFB" * 16_000 + f"{number:06d}").encode(), 9)).decode().rstrip("=") for number in range(count)]


@pytest.mark.thorough
def test_expanding_encodings_are_decoded_only_up_to_the_budget(monkeypatch):
    read = []
    spend = Budget.spend
    monkeypatch.setattr(Budget, "spend", lambda budget, text: (read.append(len(text)), spend(budget, text)))
    scrub(" ".join(_bombs(14)), ["s3cr3t"])
    assert sum(read) < 2 * scrub_module._MOST_READ
    read.clear()
    holds_secret = finder(["s3cr3t"])
    # A text that cannot be searched is taken to contain a secret.
    assert [holds_secret(" ".join(_bombs(14))) for _ in range(30)][-1] is True
    assert sum(read) < 4 * scrub_module._MOST_READ


def test_a_text_nested_too_deeply_is_not_shown():
    text = "word "
    for _ in range(40):
        text = quote(text) + base64.b64encode(text.encode()).decode()[:400]
    assert "s3cr3t" not in scrub(text, ["s3cr3t"])


TOKEN = "ya29/Abc+def==~x'y\"z_0123456789"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", [TOKEN, *thoroughly("P/w+\"<&>'=", "x" * 300)])
def test_blanking_keeps_the_rest_of_a_text_unchanged(encoding, secret):
    shown = ENCODINGS[encoding](secret)
    before, after = "It  was\r\n\t[\u202e", f"] {'that ' * 100}came  \x00"
    blanked = Blanker([secret])(f"{before}{shown}{after}")
    assert blanked.startswith(before) and blanked.endswith(after)
    left = blanked[len(before) : -len(after)]
    assert BLANK in left
    # In base64 and the like, characters that hold no whole byte of the secret stay.
    assert len(left.replace(BLANK, "")) <= (21 if "middle" in encoding else 7)
    assert not finder([secret])(blanked)


def test_without_a_secret_the_same_text_is_returned():
    text = json.dumps([{"name": f"Straße {number} Kelvin \u212a", "at": f"a%20b&amp;{number}"} for number in range(50)], ensure_ascii=False)
    assert Blanker([TOKEN])(text) is text
    assert Blanker([])(text) is text
    assert Blanker([""])(text) is text
    assert Blanker(["ab"])("ab abc") == f"{BLANK} {BLANK}c"


# The forms in which servers repeat a token: these are removed wherever they appear in an answer.
USUAL = ("as it is", "upper case", "percent", "percent, plus", "base64", "base64, for URLs", "base64 after one byte",
         "base64 in a Basic pair", "hex", "HEX", "HTML", "JSON", "JSON of PHP", "JSON, all escaped", "repr")  # fmt: skip


@pytest.mark.thorough
def test_usual_spellings_are_blanked_in_a_text_of_any_size():
    start, padding = "Zürich, 4.2; " * 400_000, "Zürich, 4.2; " * 10_000
    blanked = Blanker([TOKEN])(start + "".join(f"|{ENCODINGS[encoding](TOKEN)}|{padding}" for encoding in USUAL))
    assert blanked.startswith(start)
    left = dict(zip([*USUAL, "end"], blanked.removeprefix(start).split(padding), strict=True))
    assert left.pop("end") == ""
    assert {encoding: part for encoding, part in left.items() if BLANK not in part or len(part.replace(BLANK, "")) > 9} == {}


@pytest.mark.thorough
def test_other_spellings_are_blanked_until_the_budget_is_used_up(monkeypatch):
    read = []
    spend = Budget.spend
    monkeypatch.setattr(Budget, "spend", lambda budget, text: (read.append(len(text)), spend(budget, text)))
    spelled = "-".join(TOKEN)
    padding = "x = 1 & y\\n " * 400_000
    blanker = Blanker([TOKEN])
    blanked = blanker(f"{spelled} {padding} {spelled} {TOKEN}")
    assert blanked == f"{BLANK} {padding} {spelled} {BLANK}"
    assert blanker(f"{padding}{spelled}{TOKEN}") == f"{padding}{spelled}{BLANK}"
    assert sum(read) < 2 * scrub_module._MOST_BLANKED


@pytest.mark.parametrize("offset", [-40, -1, 0, 1, 40])
@pytest.mark.thorough
def test_a_secret_across_two_windows_is_blanked(offset):
    spelled = "-".join(TOKEN)
    before = "." * (scrub_module._WINDOW + offset - len(spelled) // 2)
    assert Blanker([TOKEN])(f"{before}{spelled}{'.' * 20_000}") == f"{before}{BLANK}{'.' * 20_000}"


@pytest.mark.parametrize("entity", ["&#" + "0" * 4400 + "65;", "&#x" + "0" * 4400 + "41;", "\\u{" + "0" * 9000 + "41}", "&#" + "9" * 9000 + ";"])
@pytest.mark.thorough
def test_an_entity_with_too_many_digits_is_kept_as_text(entity):
    for text in (entity, f"A{entity}B", f"{entity}s3cret-t0ken"):
        assert "s3cret-t0ken" not in scrub(text, ["s3cret-t0ken"])
        assert finder(["s3cret-t0ken" * 30])(text) is False


def test_the_longer_of_overlapping_secrets_is_blanked_first():
    for secrets in (["b-secret", "a-b-secret"], ["a-b-secret", "b-secret"]):
        assert Blanker(secrets)("x a-b-secret y b-secret") == f"x {BLANK} y {BLANK}"


def test_a_lone_surrogate_beside_a_secret_is_kept():
    assert Blanker(["s3cr3t-x"])("a S3CR3T-X \udcff b") == f"a {BLANK} \udcff b"


def test_usual_spellings_are_blanked_without_any_budget(monkeypatch):
    monkeypatch.setattr(module, "_MOST_BLANKED", 0)
    assert Blanker(["s3cr3t/x"])("S3CR3T/X and s3cr3t%2Fx and S3CR3T/X \udcff") == f"{BLANK} and {BLANK} and {BLANK} \udcff"
    assert Blanker(["s3cr3t/x"])("S3CR3T/X") == BLANK


def test_a_text_that_exceeds_the_budget_is_not_shown(monkeypatch):
    monkeypatch.setattr(module, "_MOST_READ", 10)
    assert scrub("harmless, but long", ["s3cr3t"]) == "***"
    assert finder(["s3cr3t"])("harmless, but long")
    assert not finder(["s3cr3t"])("no, no")


def test_a_shown_text_is_limited_in_length():
    assert scrub("abcdefg", ["s3cr3t"], limit=6) == scrub("abcdefg", [], limit=6) == "abcde…"


def test_the_searched_length_depends_on_the_longest_secret():
    assert scrub("a, " * 682 + "b,", ["s3cr3t"], limit=4000) == "a, " * 682 + "b,"
    longest = 200  # the longest spelling of a secret of a hundred characters: hex
    assert scrub("ab," * 8 * longest, ["s" * 100], limit=9000) == "ab," * 8 * longest
    assert scrub("ab," * 8 * longest + "c", ["s" * 100], limit=9000) == "ab," * 4 * longest + "…"


def test_a_cut_text_ends_before_a_secret_at_its_end():
    longest = 12
    shown = "a," * (1024 - 6 * longest)
    assert scrub(f"{shown}s3cr3t{'b,' * 200}", ["s3cr3t"], limit=4000) == f"{shown}…"


def _full_width(text):
    return "".join(chr(ord(char) + 0xFEE0) for char in text)


def test_a_text_that_is_only_a_secret_is_blanked():
    for secret in ("s3cr3t", TOKEN):
        assert Blanker([secret])(_full_width(secret)) == BLANK


@pytest.mark.parametrize("offset", [0, 50, 90, 96, 100, 186, 192])
def test_altered_secrets_are_blanked_in_every_window(monkeypatch, offset):
    monkeypatch.setattr(module, "_WINDOW", 1)
    spelled, dots = _full_width("s3cr3t-x"), "." * offset
    assert Blanker(["s3cr3t-x"])(f"{dots}{spelled}{'.' * 96}{spelled}") == f"{dots}{BLANK}{'.' * 96}{BLANK}"


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_every_occurrence_of_a_usual_spelling_is_blanked(monkeypatch, times):
    monkeypatch.setattr(module, "_MOST_BLANKED", 0)
    assert Blanker(["s3cr3t/x"])(" ".join(["S3CR3T%2FX"] * times)) == " ".join([BLANK] * times)


#: Searched for in three pieces; no part of it is repeated.
LONG = "".join(f"Ab/{number:05d}+" for number in range(1000))


@pytest.mark.thorough
@pytest.mark.parametrize("encoding", ["as it is", "upper case", "percent, plus", "hex", "base64 in a Basic pair", "base32", "JSON of PHP", "full width"])
def test_every_part_of_a_very_long_secret_is_hidden(encoding):
    encode = {**ENCODINGS, **SPELLED}[encoding]
    shown = f"It was {encode(LONG)} that came"
    assert finder([LONG])(shown)
    for hidden in (scrub(shown, [LONG], limit=9000), Blanker([LONG])(shown)):
        left = hidden.replace("*", "").removeprefix("It was ").removesuffix(" that came")
        assert "*" in hidden and len(left) <= 6, left[:100]


@pytest.mark.thorough
def test_a_long_secret_is_hidden_where_it_is_longer_than_a_window(monkeypatch):
    monkeypatch.setattr(module, "_WINDOW", 1)
    monkeypatch.setattr(module, "_MOST_BLANKED", 10**9)
    padding = ", " * 30_000
    blanked = Blanker([LONG])(f"{padding}{_full_width(LONG)}{padding}")
    assert blanked.startswith(padding) and blanked.endswith(padding)
    assert not re.search("[0-9\uff10-\uff19]", blanked)
