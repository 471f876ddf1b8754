# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The secrets to search for, in the forms in which they are compared."""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import json
import re
import typing as t
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from .encodings import DEEPEST, IN_PLACE, SHORTEST, SHORTEST_RUN
from .views import Budget, Exhausted, View

__all__ = ("LONGEST", "Needles", "letters_of", "needles_of", "usual_spellings")

#: Characters; a longer secret is searched for in pieces, so that no form of it is longer than the texts it is searched in.
LONGEST = 4096
_MOST_ENCODED = 64 * LONGEST  # characters of secrets that are searched for in encoded forms, too
_MOST_DECODED = 500_000  # characters of secrets and their decoded forms that are decoded: about half a second

_SHORTEST_SPELLED = 6  # letters and digits of a secret that is found even with other characters in between
_SHORTEST_PIECE = 12  # of a secret that was cut off
_SHORTEST_SPELLING = 6  # of a secret in one of its usual spellings, in texts of any size
_OF_A_COMPONENT = "!~*'()"  # characters that JavaScript's encodeURIComponent does not encode


@dataclass(frozen=True)
class Needles:
    """Secrets in the forms in which they are compared, with letter case folded: ``compact`` without white space, ``folded`` with single
    spaces, ``spelled`` with letters and digits only.

    :arg widest: the most characters that folding makes of one character, such as two of a sharp s.
    :arg beyond_latin: whether a secret has a character beyond Latin-1, so that its UTF-16 form may contain no NUL bytes.
    """

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
        """In characters. A shorter text contains none of them in any encoding."""
        return -(-min(map(len, self.all() | self.spelled), default=0) // self.widest)

    def all(self) -> frozenset[str]:
        return self.compact | self.folded


def needles_of(given: t.Iterable[str]) -> Needles:
    """The *given* secrets to search for.

    A vendor, a host or a writer of the shared cache decides how long some of them are, so the work is limited: once they are too long in total,
    the rest is searched for as it is and by its letters only.
    """
    pieces = dict.fromkeys(piece for secret in given if len(secret) >= SHORTEST for piece in _pieces(secret))
    letters_of_each = {char: letters_of(char) for char in set().union(*pieces)}
    widest = max((max(len(char.casefold()), len(letters)) for char, letters in letters_of_each.items()), default=1)
    encoded, decoded = Budget(_MOST_ENCODED), Budget(_MOST_DECODED)
    compact, folded, spelled = set(), set(), set()
    # The short ones first, as most credentials are: a long text must not use up their share.
    for secret in sorted(pieces, key=len):
        letters = "".join([letters_of_each[char] for char in secret])
        if len(letters) >= _SHORTEST_SPELLED:
            spelled.add(letters)
        if (piece := len(letters) * 3 // 4) >= _SHORTEST_PIECE:
            spelled |= {letters[:piece], letters[-piece:]}
        for form in (secret, *_other_forms(secret, encoded, decoded)):
            # If only white space makes it long enough, white space counts.
            short = _plain(form, "")
            if len(short) >= SHORTEST:
                compact.add(short)
            elif form is secret:
                folded.add(_plain(form, " "))
    beyond_latin = any(char > "\xff" for char in letters_of_each)
    return Needles(frozenset(compact), frozenset(folded - {" "}), frozenset(spelled), widest, beyond_latin)


def _pieces(secret: str) -> t.Iterator[str]:
    """*secret* in the fewest pieces of allowed length, all about equally long. A text that contains it contains each of them."""
    length = -(-len(secret) // -(-len(secret) // LONGEST))
    for start in range(0, len(secret), length):
        yield secret[start : start + length]


def _other_forms(secret: str, encoded: Budget, decoded: Budget) -> t.Iterator[str]:
    with contextlib.suppress(Exhausted):
        encoded.spend(secret)
        yield from _forms(secret)
    with contextlib.suppress(Exhausted):
        yield from _decoded_forms(secret, decoded)


def _plain(text: str, space: str) -> str:
    printable = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"\s+", space, printable).casefold()


def letters_of(char: str) -> str:
    """The letters and digits in *char*, without accents and width."""
    return "".join(part for part in unicodedata.normalize("NFKD", char).casefold() if part.isalnum())


def _forms(secret: str) -> t.Iterator[str]:
    """Encoded forms to compare directly: they cannot be decoded once their letter case is lost, or are found faster this way."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield from (quote(raw, safe=""), quote_plus(raw), quote(raw), raw.hex())
    yield from (repr(secret)[1:-1], json.dumps(secret)[1:-1])
    yield base64.b32encode(raw).decode()[: len(raw) * 8 // 5]
    for offset in range(3):
        # Text before the secret in the same base64 shifts it; the characters that depend on its neighbours are omitted.
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[offset] : len(encoded) - (1 if (offset + len(raw)) % 3 else 0)]
        if len(inner) >= (SHORTEST_RUN if offset else 4):
            yield from (inner, inner.replace("+", "-").replace("/", "_"))


def usual_spellings(secret: str) -> t.Iterator[bytes]:
    """The usual spellings of a secret that a server repeats, in lower-case ASCII, to search for without decoding."""
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


def _decoded_forms(secret: str, budget: Budget) -> t.Iterator[str]:
    """Decoded forms of *secret*: it may look encoded itself, and then be decoded with the text around it.

    :raises Exhausted: the texts to decode are longer than *budget*.
    """
    waiting, seen = [(secret, 0)], {secret}
    while waiting:
        text, depth = waiting.pop()
        budget.spend(text)
        for decode in IN_PLACE:
            plain = decode(View(text)).text
            if plain not in seen and len(plain) >= SHORTEST:
                seen.add(plain)
                if depth + 1 < DEEPEST:
                    waiting.append((plain, depth + 1))
                yield plain
