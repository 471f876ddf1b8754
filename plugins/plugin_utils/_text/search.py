# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Find the secrets in a text and in all its decoded forms."""

from __future__ import annotations

import itertools
import re
import typing as t
import unicodedata
from collections import deque

from .encodings import DEEPEST, IN_PLACE, runs
from .needles import Needles, letters_of
from .views import Budget, Replaced, Span, View

__all__ = ("Match", "found", "places_of")

#: A view and the place in it where a secret was found.
Match: t.TypeAlias = "tuple[View, Span]"

_INVISIBLE = re.compile(r"[\x00-\x20\x7f]+")  # in ASCII
_NO_LETTER = re.compile(r"[\W_]+")


def found(text: str, needles: Needles, budget: Budget) -> t.Iterator[Match]:
    """The secrets in *text* and in its decoded forms; those with the fewest decoding steps first, so that deep nesting cannot hide them.

    :raises Exhausted: *text* and its decoded forms are longer than *budget*.
    """
    first = View(text)
    waiting, seen = deque([(first, 0)]), {text: first}
    while waiting:
        view, depth = waiting.popleft()
        budget.spend(view.text)
        for span in _matches(view.text, needles):
            yield view, span
        if depth == DEEPEST:
            continue
        for inner in itertools.chain((decode(view) for decode in IN_PLACE), runs(view, budget, shortest=needles.shortest, beyond_latin=needles.beyond_latin)):
            known = seen.setdefault(inner.text, inner)
            if known is inner:
                if inner is not view:
                    waiting.append((inner, depth + 1))
            elif known.origins:
                last, (new,) = known.origins[-1], inner.origins
                if last is not new and not (last.view is view and isinstance(new, Replaced)):
                    known.origins.append(new)


def places_of(matches: t.Iterable[Match]) -> list[Span]:
    """The places of the *matches* in the original; a decoded text may come from several places."""
    waiting = list(dict.fromkeys(matches))
    seen, originals = set(waiting), set()
    while waiting:
        view, span = waiting.pop()
        if not view.origins:
            originals.add(span)
        for origin in view.origins:
            for place in origin.places(span):
                before = (origin.view, place)
                if before not in seen:
                    seen.add(before)
                    waiting.append(before)
    return sorted(originals)


def _matches(text: str, needles: Needles) -> t.Iterator[Span]:
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
                continue  # the usual case; the exact place matters only for a match
        plain, places = _comparable(text, comparable)
        for needle in wanted:
            start = plain.find(needle)
            while start >= 0:
                yield places[start], places[start + len(needle) - 1] + 1
                start = plain.find(needle, start + 1)


def _comparable(text: str, comparable: t.Callable[[str, list[str]], str]) -> tuple[str, list[int]]:
    """*text* in the form of the needles, and the position of each of its characters in *text*."""
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
    """:func:`_without_spaces` for a whole *text*, but faster."""
    if text.isascii():
        return _INVISIBLE.sub("", text).lower()
    compact = "".join(text.split())
    return (compact if compact.isprintable() else "".join(filter(str.isprintable, compact))).casefold()


def _all_spelled(text: str) -> str:
    """:func:`_spelled` for a whole *text*."""
    return _NO_LETTER.sub("", (text if text.isascii() else unicodedata.normalize("NFKD", text)).casefold())


def _spelled(char: str, _before: list[str]) -> str:
    if char.isascii():
        return char.casefold() if char.isalnum() else ""
    return letters_of(char)
