# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Decode the encodings in which servers repeat a text."""

from __future__ import annotations

import base64
import codecs
import html
import itertools
import re
import typing as t
import zlib

from .views import Budget, Run, Span, View

__all__ = ("DEEPEST", "IN_PLACE", "SHORTEST", "SHORTEST_COMPRESSED", "SHORTEST_RUN", "runs")

#: A secret of one or two characters would blank out half of every message and hide the problem.
SHORTEST = 3
DEEPEST = 3  # encodings of encodings of encodings
# Of base64 and hex. Shorter ones are found only in encoded form, because every word would be decoded to noise.
SHORTEST_RUN = 6
_SHORTEST_LINE = 32  # of base64, base32 or hex in lines: words are shorter
_SHORTEST_BASE32 = 10  # six characters of a secret
_COMPRESSED = (b"\x1f", b"\x78")  # the first byte of gzip and zlib
_SMALLEST_COMPRESSED = 12  # bytes
SHORTEST_COMPRESSED = 16  # characters, in base64
_INFLATED = 4096  # bytes of a compressed text that are searched


def _bytes_as_text(raw: bytes) -> str:
    """Decoded as UTF-8 where valid, else as Latin-1, byte for byte."""
    return raw.decode("utf-8", "trackops_latin1")


def _latin1(problem: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    try:
        return codecs.lookup_error("surrogatepass")(problem)
    except UnicodeDecodeError:
        return problem.object[problem.start : problem.end].decode("latin-1"), problem.end


codecs.register_error("trackops_latin1", _latin1)

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+|%u[0-9A-Fa-f]{4}")
_PERCENT_OR_PLUS = re.compile(_PERCENT.pattern + r"|\+")
_QUOTED_PRINTABLE = re.compile(r"(?:=[0-9A-Fa-f]{2}|=\r?\n)+")  # with soft line breaks
_ENTITY = re.compile(r"&(?:#0{0,32}[0-9]{1,7}|#[xX]0{0,32}[0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_CSS = re.compile(r"\\([0-9A-Fa-f]{1,6})[ ]?")
# 41:62:43, 0x41 0x62, U+0041, and [65, 98, 67]: at least three bytes or characters.
_HEX_LIST = re.compile(r"(?:(?:0x|U\+)?[0-9A-Fa-f]{2,6}[\s,:;._-]+){2,}(?:0x|U\+)?[0-9A-Fa-f]{2,6}", re.IGNORECASE)
_DECIMAL_LIST = re.compile(r"(?:[0-9]{1,7}[\s,;]+){2,}[0-9]{1,7}")
_ESCAPE = re.compile(
    r"(?:\\[uU][0-9A-Fa-f]{4})+(?![0-9A-Fa-f]{4})|\\U[0-9A-Fa-f]{8}|\\[ux]\{0{0,32}[0-9A-Fa-f]{1,6}\}|(?:\\[xX][0-9A-Fa-f]{2})+|(?:\\[0-7]{3})+|\\.", re.DOTALL
)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "a": "\a"}
_BASE64_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{SHORTEST_RUN},}}={{0,2}}")
_BASE32_RUN = re.compile(rf"[A-Z2-7]{{{_SHORTEST_BASE32},}}|[a-z2-7]{{{_SHORTEST_BASE32},}}")
_HEX_RUN = re.compile(rf"[0-9A-Fa-f]{{{SHORTEST_RUN},}}")


def _in_lines(alphabet: str) -> str:
    """A pattern for runs of *alphabet* broken into lines (MIME: 76 characters, PEM: 64), even if white space was folded afterwards.

    It matches only at the start of a run, so that a long one is scanned once.
    """
    return rf"(?<![{alphabet}])[{alphabet}]{{{_SHORTEST_LINE},}}(?:(?<=[{alphabet}]{{{_SHORTEST_LINE}}})\s{{1,8}}[{alphabet}]+)+"


_BASE64_LINES = re.compile(_in_lines("A-Za-z0-9+/_-") + "={0,2}")
_BASE32_LINES = re.compile(_in_lines("A-Z2-7") + "|" + _in_lines("a-z2-7"))
_HEX_LINES = re.compile(_in_lines("0-9A-Fa-f"))
_SPACE = re.compile(r"\s+")
_READABLE = re.compile(rf"[^\x00-\x08\x0e-\x1f\x7f\ufffd]{{{SHORTEST},}}")


def _css(match: re.Match[str]) -> str:
    return _characters([int(match[1], 16)])


def _hex_list(match: re.Match[str]) -> str:
    numbers = [int(number, 16) for number in re.findall("[0-9A-Fa-f]{2,6}", match[0])]
    return _code_points(numbers) if "U+" in match[0].upper() else _characters(numbers)


def _decimal_list(match: re.Match[str]) -> str:
    return _characters([int(number) for number in re.findall("[0-9]+", match[0])])


def _characters(numbers: list[int]) -> str:
    """The text of *numbers*: bytes, except for those that are larger, which are characters."""
    return "".join(
        _bytes_as_text(bytes(some)) if are_bytes else _code_points(some) for are_bytes, some in itertools.groupby(numbers, lambda number: number < 0x100)
    )


def _code_points(numbers: t.Iterable[int]) -> str:
    return "".join(chr(number) if number <= 0x10FFFF else " " for number in numbers)


def _percent(match: re.Match[str]) -> str:
    run = match[0]
    if run == "+":
        return " "
    if run[1] == "u":
        return chr(int(run[2:], 16))
    return _bytes_as_text(bytes.fromhex(run.replace("%", "")))


def _quoted_printable(match: re.Match[str]) -> str:
    return _bytes_as_text(bytes.fromhex(match[0].replace("=", "")))  # fromhex skips white space


def _entity(match: re.Match[str]) -> str:
    plain = html.unescape(match[0])
    return plain if plain != match[0] else html.unescape(match[0].lower())


def _escape_of_characters(match: re.Match[str]) -> str:
    """Like :func:`_escape`, but ``\\xe9`` and ``\\351`` are a character, not a byte, as in Python."""
    run = match[0]
    if run[1].isdigit() and len(run) > 3:
        return "".join(map(chr, _octal(run)))
    if run[1] in "xX" and len(run) > 3 and run[2] != "{":
        return bytes.fromhex(re.sub(r"\\[xX]", "", run)).decode("latin-1")
    return _escape(match)


def _octal(run: str) -> list[int]:
    return [int(digits, 8) for digits in run.split("\\")[1:]]


def _escape(match: re.Match[str]) -> str:
    run = match[0]
    kind = run[1]
    if kind in "xX" and len(run) > 3 and run[2] != "{":
        return _bytes_as_text(bytes.fromhex(re.sub(r"\\[xX]", "", run)))
    if kind in "uUxX" and len(run) > 2:
        if run[2] == "{" or len(run) == 10:
            number = int(run[2:].strip("{}"), 16)
            return chr(number) if number <= 0x10FFFF else run
        units = bytes.fromhex(re.sub(r"\\[uU]", "", run))
        return units.decode("utf-16-be", "surrogatepass")
    if run[1].isdigit() and len(run) > 3:
        return _characters(_octal(run))
    return _CONTROLS.get(kind, kind)


# Each decodes what it recognises and leaves the rest unchanged.
IN_PLACE: tuple[t.Callable[[View], View], ...] = (
    lambda view: view.replaced(_PERCENT, _percent),
    lambda view: view.replaced(_PERCENT_OR_PLUS, _percent),
    lambda view: view.replaced(_QUOTED_PRINTABLE, _quoted_printable),
    lambda view: view.replaced(_ENTITY, _entity),
    lambda view: view.replaced(_ESCAPE, _escape),
    lambda view: view.replaced(_ESCAPE, _escape_of_characters),
    lambda view: view.replaced(_TAG, lambda _tag: ""),
    lambda view: view.replaced(_CSS, _css),
    lambda view: view.replaced(_HEX_LIST, _hex_list),
    lambda view: view.replaced(_DECIMAL_LIST, _decimal_list),
)


def runs(view: View, budget: Budget, *, shortest: int, beyond_latin: bool) -> t.Iterator[View]:
    """The readable text in each run of base64, base32 or hex, at whatever offset the encoding begins.

    Results shorter than the secrets are skipped, as with most words.
    """
    for pattern, step, bits, decode in _RUNS:
        places: dict[str, list[Span]] = {}
        for match in pattern.finditer(view.text):
            if (match.end() - match.start()) * bits // 8 >= min(shortest, _SMALLEST_COMPRESSED):
                places.setdefault(_SPACE.sub("", match[0]), []).append(match.span())
        for run, spans in places.items():
            origin = Run(view, spans)
            for offset in range(step):
                raw = decode(run[offset:])
                if len(raw) < shortest and raw[:1] not in _COMPRESSED:
                    continue
                for plain in _readings(raw, utf_16=beyond_latin):
                    budget.spend(plain)
                    for readable in _READABLE.findall(plain):
                        if len(readable) >= shortest:
                            yield View(readable, origin)


def _readings(raw: bytes, *, utf_16: bool) -> t.Iterator[str]:
    """The texts that *raw* may be; as UTF-16 always, or only if it looks like that."""
    yield _bytes_as_text(raw)
    if utf_16 or b"\0" in raw or raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        for byte_order in ("utf-16-le", "utf-16-be"):
            yield raw.decode(byte_order, "replace")
            yield raw[1:].decode(byte_order, "replace")
    if raw[:1] in _COMPRESSED:
        try:
            yield _bytes_as_text(zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, _INFLATED))
        except zlib.error:
            return


def _from_base64(run: str) -> bytes:
    run = run.rstrip("=").replace("-", "+").replace("_", "/")
    # A single surplus character holds no whole byte; missing padding is added.
    run = run[: len(run) - (1 if len(run) % 4 == 1 else 0)]
    return base64.b64decode(run + "=" * (-len(run) % 4))


def _from_base32(run: str) -> bytes:
    # As with base64: 1, 3 or 6 surplus characters hold no additional whole byte.
    run = run[: len(run) - (1 if len(run) % 8 in (1, 3, 6) else 0)]
    return base64.b32decode(run + "=" * (-len(run) % 8), casefold=True)


def _from_hex(run: str) -> bytes:
    return bytes.fromhex(run[: len(run) - len(run) % 2])


# Characters per group, and bits per character. A single line of a run that is broken into lines may itself be a run.
_RUNS: tuple[tuple[re.Pattern[str], int, int, t.Callable[[str], bytes]], ...] = (
    (_BASE64_RUN, 4, 6, _from_base64),
    (_BASE64_LINES, 4, 6, _from_base64),
    (_BASE32_RUN, 8, 5, _from_base32),
    (_BASE32_LINES, 8, 5, _from_base32),
    (_HEX_RUN, 2, 4, _from_hex),
    (_HEX_LINES, 2, 4, _from_hex),
)
