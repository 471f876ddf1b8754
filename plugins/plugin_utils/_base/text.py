# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Text for people: one line, bounded, without secrets.

A server repeats what it was sent in whatever encoding its framework likes, and encodes it again on the way out. So the text is decoded
step by step, and each step is searched for the secrets; what was found is blanked out where it stands in the original. All steps
together may read so many characters and no more: a server that nests encodings costs no time, and is shown as ``***``.

What a person wants to have as it is, such as the answer of an API, is blanked out in place, whatever its size (:class:`Blanker`).
"""

from __future__ import annotations

import base64
import codecs
import functools
import html
import itertools
import json
import re
import typing as t
import unicodedata
import zlib
from collections import deque
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

__all__ = ("BLANK", "Blanker", "finder", "one_line", "scrub")

#: In the place of a secret in what is not cut or folded; Ansible's own.
BLANK = "********"

_SHOWN = 200
# A secret of one or two characters would blank out half of every message and hide what is wrong.
_SHORTEST = 3
_DEEPEST = 3  # encodings of encodings of encodings
# Characters, in all decoded forms of one text, or of all texts that one finder is asked about: about half a second.
_MOST_READ = 400_000
_MOST_BLANKED = 800_000  # characters in all decoded forms of what a Blanker is asked about: below a second, whatever they are
_LOOKED_AT = 2048  # characters; a message shows far fewer
# Of base64 and hex. Shorter runs are found by their form alone, because every word would be decoded to noise.
_SHORTEST_RUN = 6
_SHORTEST_LINE = 32  # of base64, base32 or hex in lines: no word is as long
_SHORTEST_BASE32 = 10  # six characters of a secret
_COMPRESSED = (b"\x1f", b"\x78")  # the first byte of gzip and zlib
_SMALLEST_COMPRESSED = 12  # bytes
_SHORTEST_COMPRESSED = 16  # characters, in base64
_INFLATED = 4096  # bytes; more of a compressed text is not looked at
_SHORTEST_SPELLED = 6  # letters and digits of a secret that is found with other characters between them
_SHORTEST_PIECE = 12  # of a secret that was cut off
_OF_A_COMPONENT = "!~*'()"  # what JavaScript's encodeURIComponent leaves
_SHORTEST_SPELLING = 6  # of a secret in one of its usual spellings, in texts of any size
_WINDOW = 16_384  # characters of a long text that are decoded together


def one_line(text: str, *, limit: int = _SHOWN) -> str:
    """*text* without control characters, runs of white space folded, at most *limit* characters."""
    printable = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    folded = " ".join(printable.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def scrub(text: str, secrets: t.Iterable[str], *, limit: int = _SHOWN) -> str:
    """*text* fit to be shown: one line, with each secret replaced by ``***``.

    A secret is found in any letter case, with other characters between its letters, and encoded: percent-encoded, quoted-printable,
    base64 (at any offset, as in a Basic header), base32, hex, numbers of bytes or characters, HTML entities, escapes of JSON, Python,
    JavaScript and CSS, UTF-16 or compressed below one of these, and up to three of these on top of each other. Of a long one, three
    quarters are enough. It is not found in a cipher, backwards or in a rarer encoding.
    """
    needles = _needles(secrets)
    if not needles.any:
        return one_line(text, limit=limit)
    longest = max(map(len, needles.all()))
    looked_at = max(_LOOKED_AT, 24 * longest)
    cut = len(text) > looked_at
    text = text[:looked_at]
    try:
        spans = _places_of(_found(text, needles, _Budget(_MOST_READ)))
    except _Exhausted:
        return "***"
    shown = _blanked(text, spans, until=max(0, looked_at - 12 * longest) if cut else len(text))
    return one_line(shown + ("…" if cut else ""), limit=limit)


def finder(secrets: t.Iterable[str]) -> t.Callable[[str], bool]:
    """Says whether one of the *secrets* is in a text, in a form that :func:`scrub` finds; of texts too many to look at, that it is."""
    needles, budget = _needles(secrets), _Budget(_MOST_READ)

    def holds_secret(text: str) -> bool:
        try:
            return needles.any and any(True for _match in _found(text, needles, budget))
        except _Exhausted:
            return True

    return holds_secret


class Blanker:
    """Blanks the *secrets* out of texts, and leaves all else in them as it is.

    As they are and in the usual spellings of a server, secrets go from all of a text, however long. In all that :func:`scrub` finds besides,
    they go as far as the budget of this object lasts: some ten thousand characters of JSON, more of a plain text. What comes after them is
    kept as it is: it is what a person asked for.
    """

    def __init__(self, secrets: t.Iterable[str]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._usual = sorted({spelling for secret in self._secrets for spelling in _usual_spellings(secret)}, key=len, reverse=True)
        self._needles = _needles(self._secrets)
        self._budget = _Budget(_MOST_BLANKED)
        longest = max((len(secret) for secret in self._secrets), default=0)
        self._overlap = 12 * longest
        self._shortest_usual = min((*map(len, self._secrets), *map(len, self._usual)), default=0)
        self._shortest = min(self._needles.shortest, _SHORTEST_COMPRESSED)

    def __call__(self, text: str) -> str:
        text = self._without_usual(text)
        spans = self._decoded(text)
        return _blanked(text, spans, until=len(text), blank=BLANK) if spans else text

    def _without_usual(self, text: str) -> str:
        """*text* without the secrets as they are and in their usual spellings."""
        if len(text) < self._shortest_usual:
            return text
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, BLANK)
        raw = text.encode("utf-8", "surrogatepass")
        lower = raw.lower()  # of bytes, so of ASCII alone: nothing moves
        spans = [place for spelling in self._usual for place in _places(lower, spelling)]
        if not spans:
            return text
        blanked = _blanked(raw.decode("latin-1"), spans, until=len(raw), blank=BLANK)
        return blanked.encode("latin-1").decode("utf-8", "surrogatepass")

    def _decoded(self, text: str) -> list[tuple[int, int]]:
        """The places of the secrets in all that can be decoded, as far as the budget lasts."""
        found: list[tuple[int, int]] = []
        if not self._needles.any or len(text) < self._shortest:
            return found
        step = max(_WINDOW, self._overlap)
        for start in range(0, len(text), step):
            matches: list[_Match] = []
            try:
                matches.extend(_found(text[start : start + step + self._overlap], self._needles, self._budget))
            except _Exhausted:
                return found
            found += ((start + begin, start + end) for begin, end in _places_of(matches))
        return found


def _blanked(text: str, spans: list[tuple[int, int]], *, until: int, blank: str = "***") -> str:
    parts: list[str] = []
    position = 0
    for start, end in sorted(spans):
        if start >= until:
            break
        if start >= position:
            parts += (text[position:start], blank)
        position = max(position, end)
    parts.append(text[position:until])
    return "".join(parts)


# -- what is looked for ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Needles:
    """Secrets as they are compared: in one letter case. ``compact`` have no white space, ``folded`` single spaces, ``spelled`` nothing but
    letters and digits. ``widest`` is what one character becomes at most: a sharp s is two. ``beyond_latin``: one may be without a NUL in UTF-16."""

    compact: frozenset[str]
    folded: frozenset[str]
    spelled: frozenset[str]
    widest: int = 1
    beyond_latin: bool = False

    @functools.cached_property
    def any(self) -> bool:
        return bool(self.compact or self.folded)

    @functools.cached_property
    def shortest(self) -> int:
        """Characters. In less there is none of them, however it is encoded."""
        return -(-min(map(len, self.all() | self.spelled), default=0) // self.widest)

    def all(self) -> frozenset[str]:
        return self.compact | self.folded


def _needles(given: t.Iterable[str]) -> _Needles:
    secrets = list(given)
    compact, folded, spelled, widest = set(), set(), set(), 1
    for secret in secrets:
        if len(secret) < _SHORTEST:
            continue
        if not secret.isascii():
            widest = max(widest, *(max(len(char.casefold()), len(_letters(char))) for char in secret))
        letters = "".join(map(_letters, secret))
        if len(letters) >= _SHORTEST_SPELLED:
            spelled.add(letters)
        if (piece := len(letters) * 3 // 4) >= _SHORTEST_PIECE:
            spelled |= {letters[:piece], letters[-piece:]}
        for form in (secret, *_forms(secret), *_decoded_forms(secret)):
            # Where white space is all that makes it long enough, white space counts.
            short = _plain(form, "")
            if len(short) >= _SHORTEST:
                compact.add(short)
            elif form is secret:
                folded.add(_plain(form, " "))
    beyond_latin = any(char > "\xff" for secret in secrets for char in secret)
    return _Needles(frozenset(compact - {""}), frozenset(folded - {"", " "}), frozenset(spelled), widest, beyond_latin)


def _plain(text: str, space: str) -> str:
    return re.sub(r"\s+", space, "".join(c if c.isprintable() else " " for c in text)).casefold()


def _letters(char: str) -> str:
    """The letters and digits in *char*, without accents and width."""
    return "".join(part for part in unicodedata.normalize("NFKD", char).casefold() if part.isalnum())


def _forms(secret: str) -> t.Iterator[str]:
    """Forms that are compared as they are: they cannot be decoded once their letter case is lost, or are found faster this way."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield from (quote(raw, safe=""), quote_plus(raw), quote(raw), raw.hex())
    yield from (repr(secret)[1:-1], json.dumps(secret)[1:-1])
    yield base64.b32encode(raw).decode()[: len(raw) * 8 // 5]
    for offset in range(3):
        # What is before the secret in the same base64 shifts it; the characters that depend on its neighbours are left out.
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[offset] : len(encoded) - (1 if (offset + len(raw)) % 3 else 0)]
        if len(inner) >= (_SHORTEST_RUN if offset else 4):
            yield from (inner, inner.replace("+", "-").replace("/", "_"))


def _usual_spellings(secret: str) -> t.Iterator[bytes]:
    """How servers write a secret that they repeat, in ASCII letters of one case, to be looked for without decoding anything."""
    if len(secret) < _SHORTEST_SPELLING:
        return
    written = json.dumps(secret)[1:-1]
    in_a_page = html.escape(secret)
    forms = (
        secret,
        *_forms(secret),
        quote(quote(secret, safe="", errors="surrogatepass"), safe=""),
        quote(secret, safe=_OF_A_COMPONENT, errors="surrogatepass"),
        written.replace("/", r"\/"),
        "".join(f"\\u{ord(char):04x}" for char in secret),
        in_a_page,
        in_a_page.replace("&#x27;", "&#39;").replace("&quot;", "&#34;").replace("+", "&#43;"),
        in_a_page.replace("/", "&#x2f;").replace("=", "&#x3d;").replace("&quot;", "&#34;"),
    )
    for form in forms:
        yield form.encode("utf-8", "surrogatepass").lower()


def _places(text: bytes, wanted: bytes) -> t.Iterator[tuple[int, int]]:
    start = text.find(wanted)
    while start >= 0:
        yield start, start + len(wanted)
        start = text.find(wanted, start + len(wanted))


def _decoded_forms(secret: str) -> t.Iterator[str]:
    """A secret may look encoded itself, and be decoded with the text around it."""
    waiting, seen = [(secret, 0)], {secret}
    while waiting:
        text, depth = waiting.pop()
        for decode in _IN_PLACE:
            plain = decode(_View(text)).text
            if plain not in seen and len(plain) >= _SHORTEST and depth < _DEEPEST:
                seen.add(plain)
                waiting.append((plain, depth + 1))
                yield plain


# -- where it is looked for --------------------------------------------------------------------------------------------


_Span: t.TypeAlias = "tuple[int, int]"
_Match: t.TypeAlias = "tuple[_View, _Span]"


class _View:
    """A text, or what some decoding makes of one; ``origins`` say where in other views it comes from: the same text may come from many."""

    def __init__(self, text: str, *origins: _Origin) -> None:
        self.text = text
        self.origins = list(origins)

    def replaced(self, pattern: re.Pattern[str], decode: t.Callable[[re.Match[str]], str]) -> _View:
        plain = pattern.sub(decode, self.text)
        return self if plain == self.text else _View(plain, _Replaced(self, pattern, decode))


class _Origin(t.Protocol):
    """Where a view comes from."""

    @property
    def view(self) -> _View: ...

    def places(self, span: _Span) -> t.Iterable[_Span]:
        """Where in that view what is at *span* stands."""


class _Replaced:
    """All of a view, with what matches replaced."""

    def __init__(self, view: _View, pattern: re.Pattern[str], decode: t.Callable[[re.Match[str]], str]) -> None:
        self.view = view
        self._pattern = pattern
        self._decode = decode

    def places(self, span: _Span) -> t.Iterable[_Span]:
        begin, end = span
        return ((self._before[begin][0], self._before[end - 1][1]),)

    @functools.cached_property
    def _before(self) -> list[_Span]:
        """The place of each character before it was decoded: of most texts nobody asks."""
        spans: list[_Span] = []
        position = 0
        for match in self._pattern.finditer(self.view.text):
            spans += ((place, place + 1) for place in range(position, match.start()))
            spans += [match.span()] * len(self._decode(match))
            position = match.end()
        spans += ((place, place + 1) for place in range(position, len(self.view.text)))
        return spans


class _Run:
    """What a run is decoded to, at each place where it stands."""

    def __init__(self, view: _View, places: list[_Span]) -> None:
        self.view = view
        self._places = places

    def places(self, span: _Span) -> t.Iterable[_Span]:
        return self._places


class _Exhausted(Exception):
    """There is more to read than a harmless server would send."""


class _Budget:
    def __init__(self, characters: int) -> None:
        self._left = characters

    def spend(self, text: str) -> None:
        self._left -= len(text)
        if self._left < 0:
            raise _Exhausted


def _found(text: str, needles: _Needles, budget: _Budget) -> t.Iterator[_Match]:
    """The secrets in *text* and in its decoded forms: those first that took fewest steps, so that nothing before them hides them.

    :raises _Exhausted: with its decoded forms it is longer than *budget*.
    """
    first = _View(text)
    waiting, seen = deque([(first, 0)]), {text: first}
    while waiting:
        view, depth = waiting.popleft()
        budget.spend(view.text)
        for span in _matches(view.text, needles):
            yield view, span
        if depth == _DEEPEST:
            continue
        for inner in itertools.chain((decode(view) for decode in _IN_PLACE), _runs(view, budget, needles)):
            known = seen.setdefault(inner.text, inner)
            if known is inner:
                if inner is not view:
                    waiting.append((inner, depth + 1))
            elif known.origins:
                last, (new,) = known.origins[-1], inner.origins
                if last is not new and not (last.view is view and isinstance(new, _Replaced)):
                    known.origins.append(new)


def _places_of(matches: t.Iterable[_Match]) -> list[_Span]:
    """Where in the original the *matches* stand, each wherever what it was found in comes from."""
    waiting = list(dict.fromkeys(matches))
    seen, found = set(waiting), set()
    while waiting:
        view, span = waiting.pop()
        if not view.origins:
            found.add(span)
        for origin in view.origins:
            for place in origin.places(span):
                before = (origin.view, place)
                if before not in seen:
                    seen.add(before)
                    waiting.append(before)
    return sorted(found)


def _matches(text: str, needles: _Needles) -> t.Iterator[_Span]:
    for wanted, comparable, compared in (
        (needles.compact, _without_spaces, _all_without_spaces),
        (needles.folded, _with_spaces, None),
        (needles.spelled, _spelled, _all_spelled),
    ):
        if not wanted:
            continue
        if compared is not None:
            whole = compared(text)
            if not any(needle in whole for needle in wanted):
                continue  # most often; only where one is found, it matters where
        plain, places = _comparable(text, comparable)
        for needle in wanted:
            start = plain.find(needle)
            while start >= 0:
                yield places[start], places[start + len(needle) - 1] + 1
                start = plain.find(needle, start + 1)


def _comparable(text: str, comparable: t.Callable[[str, list[str]], str]) -> tuple[str, list[int]]:
    """*text* as needles are written, and for each of its characters the position in *text*."""
    parts: list[str] = []
    places: list[int] = []
    for position, char in enumerate(text):
        folded = comparable(char, parts)
        if folded:
            parts.append(folded)
            places += [position] * len(folded)
    return "".join(parts), places


def _without_spaces(char: str, _before: list[str]) -> str:
    return "" if char.isspace() or not char.isprintable() else char.casefold()


def _with_spaces(char: str, before: list[str]) -> str:
    if char.isspace() or not char.isprintable():
        return "" if before and before[-1] == " " else " "
    return char.casefold()


def _all_without_spaces(text: str) -> str:
    """What :func:`_without_spaces` makes of a whole *text*, quicker."""
    if text.isascii():
        return _INVISIBLE.sub("", text).lower()
    compact = "".join(text.split())
    return (compact if compact.isprintable() else "".join(filter(str.isprintable, compact))).casefold()


def _all_spelled(text: str) -> str:
    """What :func:`_spelled` makes of a whole *text*."""
    return _NO_LETTER.sub("", (text if text.isascii() else unicodedata.normalize("NFKD", text)).casefold())


def _spelled(char: str, _before: list[str]) -> str:
    if char.isascii():
        return char.casefold() if char.isalnum() else ""
    return _letters(char)


# -- decoding ----------------------------------------------------------------------------------------------------------


def _bytes_as_text(raw: bytes) -> str:
    """UTF-8 where it is, else Latin-1, byte for byte."""
    return raw.decode("utf-8", "trackops_latin1")


def _latin1(problem: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    try:
        return codecs.lookup_error("surrogatepass")(problem)
    except UnicodeDecodeError:
        return problem.object[problem.start : problem.end].decode("latin-1"), problem.end


codecs.register_error("trackops_latin1", _latin1)

_INVISIBLE = re.compile(r"[\x00-\x20\x7f]+")  # in ASCII
_NO_LETTER = re.compile(r"[\W_]+")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+|%u[0-9A-Fa-f]{4}")
_PERCENT_OR_PLUS = re.compile(_PERCENT.pattern + r"|\+")
_QUOTED_PRINTABLE = re.compile(r"(?:=[0-9A-Fa-f]{2}|=\r?\n)+")  # with soft line breaks
_ENTITY = re.compile(r"&(?:#0{0,32}[0-9]{1,7}|#[xX]0{0,32}[0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_CSS = re.compile(r"\\([0-9A-Fa-f]{1,6})[ ]?")
# 41:62:43, 0x41 0x62, U+0041, and [65, 98, 67]: three bytes or characters at least.
_HEX_LIST = re.compile(r"(?:(?:0x|U\+)?[0-9A-Fa-f]{2,6}(?:[ ,:;._-]+)){2,}(?:0x|U\+)?[0-9A-Fa-f]{2,6}", re.IGNORECASE)
_DECIMAL_LIST = re.compile(r"(?:[0-9]{1,7}[ ,;]+){2,}[0-9]{1,7}")
_ESCAPE = re.compile(
    r"(?:\\[uU][0-9A-Fa-f]{4})+(?![0-9A-Fa-f]{4})|\\U[0-9A-Fa-f]{8}|\\[ux]\{0{0,32}[0-9A-Fa-f]{1,6}\}|(?:\\[xX][0-9A-Fa-f]{2})+|(?:\\[0-7]{3})+|\\.", re.DOTALL
)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "a": "\a"}
_BASE64_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{_SHORTEST_RUN},}}={{0,2}}")
_BASE32_RUN = re.compile(rf"[A-Z2-7]{{{_SHORTEST_BASE32},}}|[a-z2-7]{{{_SHORTEST_BASE32},}}")
_HEX_RUN = re.compile(rf"[0-9A-Fa-f]{{{_SHORTEST_RUN},}}")


def _in_lines(alphabet: str) -> str:
    """Runs of *alphabet* that are broken into lines (MIME: 76 characters, PEM: 64), also where white space was folded since.

    It begins where a run does, so that a long one is walked through once.
    """
    return rf"(?<![{alphabet}])[{alphabet}]{{{_SHORTEST_LINE},}}(?:(?<=[{alphabet}]{{{_SHORTEST_LINE}}})\s{{1,8}}[{alphabet}]+)+"


_BASE64_LINES = re.compile(_in_lines("A-Za-z0-9+/_-") + "={0,2}")
_BASE32_LINES = re.compile(_in_lines("A-Z2-7") + "|" + _in_lines("a-z2-7"))
_HEX_LINES = re.compile(_in_lines("0-9A-Fa-f"))
_SPACE = re.compile(r"\s+")
_READABLE = re.compile(rf"[^\x00-\x08\x0e-\x1f\x7f\ufffd]{{{_SHORTEST},}}")


def _css(match: re.Match[str]) -> str:
    return _characters([int(match[1], 16)])


def _hex_list(match: re.Match[str]) -> str:
    return _characters([int(number, 16) for number in re.findall(r"(?:0x|U\+)?([0-9A-Fa-f]{2,6})", match[0], re.IGNORECASE)])


def _decimal_list(match: re.Match[str]) -> str:
    return _characters([int(number) for number in re.findall("[0-9]+", match[0])])


def _characters(numbers: list[int]) -> str:
    """The text of bytes or, where a number is larger, of characters."""
    if max(numbers) < 0x100:
        return _bytes_as_text(bytes(numbers))
    return "".join(chr(number) if number <= 0x10FFFF else " " for number in numbers)


def _percent(match: re.Match[str]) -> str:
    run = match[0]
    if run == "+":
        return " "
    if run[1] in "uU":
        return chr(int(run[2:], 16))
    return _bytes_as_text(bytes.fromhex(run.replace("%", "")))


def _quoted_printable(match: re.Match[str]) -> str:
    return _bytes_as_text(bytes.fromhex(match[0].replace("=", "")))  # which skips white space


def _entity(match: re.Match[str]) -> str:
    plain = html.unescape(match[0])
    return plain if plain != match[0] else html.unescape(match[0].lower())


def _escape_of_characters(match: re.Match[str]) -> str:
    """As :func:`_escape`, but ``\\xe9`` and ``\\351`` are the character and not a byte: Python writes both so."""
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
        if run[2] == "{" or (kind == "U" and len(run) == 10 and "\\" not in run[1:]):
            number = int(run[2:].strip("{}"), 16)
            return chr(number) if number <= 0x10FFFF else run
        units = bytes.fromhex(re.sub(r"\\[uU]", "", run))
        return units.decode("utf-16-be", "surrogatepass")
    if run[1].isdigit() and len(run) > 3:
        return _characters(_octal(run))
    return _CONTROLS.get(kind, kind)


# Each decodes all that it knows in the text, and leaves the rest as it is.
_IN_PLACE: tuple[t.Callable[[_View], _View], ...] = (
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


def _runs(view: _View, budget: _Budget, needles: _Needles) -> t.Iterator[_View]:
    """What is readable in each run of base64, base32 or hex, wherever in it the encoding begins.

    What decodes to fewer characters than are looked for is passed by, as most words are.
    """
    shortest = needles.shortest
    for pattern, step, bits, decode in _RUNS:
        places: dict[str, list[_Span]] = {}
        for match in pattern.finditer(view.text):
            if (match.end() - match.start()) * bits // 8 >= min(shortest, _SMALLEST_COMPRESSED):
                places.setdefault(_SPACE.sub("", match[0]), []).append(match.span())
        for run, spans in places.items():
            origin = _Run(view, spans)
            for offset in range(step):
                raw = decode(run[offset:])
                if len(raw) < shortest and raw[:1] not in _COMPRESSED:
                    continue
                for plain in _readings(raw, utf_16=needles.beyond_latin):
                    budget.spend(plain)
                    for readable in _READABLE.findall(plain):
                        if len(readable) >= shortest:
                            yield _View(readable, origin)


def _readings(raw: bytes, *, utf_16: bool) -> t.Iterator[str]:
    """The texts that *raw* may be; UTF-16 in any case, or where it looks like that."""
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
    # One character too many holds no whole byte; padding that is missing is added.
    run = run[: len(run) - (1 if len(run) % 4 == 1 else 0)]
    return base64.b64decode(run + "=" * (-len(run) % 4))


def _from_base32(run: str) -> bytes:
    # As with base64: 1, 3 or 6 characters too many hold no whole byte of their own.
    run = run[: len(run) - (1 if len(run) % 8 in (1, 3, 6) else 0)]
    return base64.b32decode(run + "=" * (-len(run) % 8), casefold=True)


def _from_hex(run: str) -> bytes:
    return bytes.fromhex(run[: len(run) - len(run) % 2])


# A single line of a run that is broken into lines may be a run of its own, too.
_RUNS: tuple[tuple[re.Pattern[str], int, int, t.Callable[[str], bytes]], ...] = (
    (_BASE64_RUN, 4, 6, _from_base64),
    (_BASE64_LINES, 4, 6, _from_base64),
    (_BASE32_RUN, 8, 5, _from_base32),
    (_BASE32_LINES, 8, 5, _from_base32),
    (_HEX_RUN, 2, 4, _from_hex),
    (_HEX_LINES, 2, 4, _from_hex),
)
