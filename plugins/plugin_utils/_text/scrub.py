# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Remove secrets from text for people.

A server may repeat what it received in any encoding, and encode its response again. So the text is decoded step by step, each step is
searched for the secrets, and each match is blanked out at its place in the original. The number of characters read in all steps is
limited: a server that nests encodings cannot waste time, and its text is shown as ``***``.

Text that a person needs unchanged otherwise, such as an API response, is blanked out in place, whatever its size (:class:`Blanker`).
"""

from __future__ import annotations

import typing as t

from .encodings import SHORTEST_COMPRESSED
from .needles import LONGEST, needles_of, usual_spellings
from .one_line import SHOWN, one_line
from .search import Match, found, places_of
from .views import Budget, Exhausted, Span

__all__ = ("BLANK", "SHORTEST_SECRET", "Blanker", "finder", "scrub")

#: Replaces a secret in text that is not shortened or folded; the same as Ansible's.
BLANK = "********"
#: Characters; a shorter value of a secret may be an ordinary word.
SHORTEST_SECRET = 6

_LOOKED_AT = 2048  # characters searched; a message shows far fewer
# Characters in all decoded forms of one text, or of all texts given to one finder: about half a second.
_MOST_READ = 400_000
_MOST_BLANKED = 800_000  # characters in all decoded forms of the texts given to one Blanker: always below a second
_WINDOW = 16_384  # characters of a long text that are decoded together


def scrub(text: str, secrets: t.Iterable[str], *, limit: int = SHOWN) -> str:
    """*text* in a form that may be shown: one line, with each secret replaced by ``***``.

    A secret is found in any letter case, with other characters between its letters, and encoded: percent-encoded, quoted-printable,
    base64 (at any offset, as in a Basic header), base32, hex, numbers of bytes or characters, HTML entities, escapes of JSON, Python,
    JavaScript and CSS, UTF-16 or compressed within one of these, and up to three of these nested. Three quarters of a long secret are
    enough. It is not found if encrypted, reversed or in a rarer encoding.
    """
    needles = needles_of(secrets)
    if not needles.any:
        return one_line(text, limit=limit)
    longest = max(map(len, needles.all()))
    looked_at = max(_LOOKED_AT, 24 * longest)
    cut = len(text) > looked_at
    text = text[:looked_at]
    try:
        spans = places_of(found(text, needles, Budget(_MOST_READ)))
    except Exhausted:
        return "***"
    shown = _blanked(text, spans, until=max(0, looked_at - 12 * longest) if cut else len(text))
    return one_line(shown + ("…" if cut else ""), limit=limit)


def finder(secrets: t.Iterable[str]) -> t.Callable[[str], bool]:
    """A predicate: whether a text contains one of the *secrets* in a form that :func:`scrub` finds; True once the texts exceed the limit."""
    needles, budget = needles_of(secrets), Budget(_MOST_READ)

    def holds_secret(text: str) -> bool:
        try:
            return needles.any and any(True for _match in found(text, needles, budget))
        except Exhausted:
            return True

    return holds_secret


class Blanker:
    """Blanks the *secrets* out of texts, and leaves everything else unchanged.

    Verbatim secrets and their usual spellings are removed from the whole text, however long. The other forms that :func:`scrub` finds are
    removed until this object's budget is spent: some ten thousand characters of JSON, more of plain text. The text after that is kept,
    because a person asked for it.
    """

    def __init__(self, secrets: t.Iterable[str]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._usual = sorted({spelling for secret in self._secrets for spelling in usual_spellings(secret)}, key=len, reverse=True)
        self._needles = needles_of(self._secrets)
        self._budget = Budget(_MOST_BLANKED)
        longest = max((len(secret) for secret in self._secrets), default=0)
        self._overlap = 12 * min(longest, LONGEST)
        self._shortest_usual = min((*map(len, self._secrets), *map(len, self._usual)), default=0)
        self._shortest = min(self._needles.shortest, SHORTEST_COMPRESSED)

    def __call__(self, text: str) -> str:
        text = self._without_usual(text)
        spans = self._decoded(text)
        return _blanked(text, spans, until=len(text), blank=BLANK) if spans else text

    def _without_usual(self, text: str) -> str:
        """*text* without verbatim secrets and their usual spellings."""
        if len(text) < self._shortest_usual:
            return text
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, BLANK)
        raw = text.encode("utf-8", "surrogatepass")
        lower = raw.lower()  # of bytes, so only ASCII changes: positions stay
        spans = [place for spelling in self._usual for place in _places(lower, spelling)]
        if not spans:
            return text
        blanked = _blanked(raw.decode("latin-1"), spans, until=len(raw), blank=BLANK)
        return blanked.encode("latin-1").decode("utf-8", "surrogatepass")

    def _decoded(self, text: str) -> list[Span]:
        """The places of secrets in all decoded forms, until the budget is spent."""
        spans: list[Span] = []
        if not self._needles.any or len(text) < self._shortest:
            return spans
        step = max(_WINDOW, self._overlap)
        for start in range(0, len(text), step):
            matches: list[Match] = []
            try:
                matches.extend(found(text[start : start + step + self._overlap], self._needles, self._budget))
            except Exhausted:
                return spans
            spans += ((start + begin, start + end) for begin, end in places_of(matches))
        return spans


def _blanked(text: str, spans: list[Span], *, until: int, blank: str = "***") -> str:
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


def _places(text: bytes, wanted: bytes) -> t.Iterator[Span]:
    start = text.find(wanted)
    while start >= 0:
        yield start, start + len(wanted)
        start = text.find(wanted, start + len(wanted))
