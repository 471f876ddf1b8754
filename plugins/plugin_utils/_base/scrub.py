# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Text for people, without secrets.

A server repeats what it was sent in whatever encoding its framework likes, and encodes it again on the way out. So the text is decoded
step by step, and each step is searched for the secrets; what was found is blanked out where it stands in the original. All steps
together may read so many characters and no more: a server that nests encodings costs no time, and is shown as ``***``.

What a person wants to have as it is, such as the answer of an API, is blanked out in place, whatever its size (:class:`Blanker`).
"""

from __future__ import annotations

import typing as t

from .scrub_encodings import SHORTEST_COMPRESSED
from .scrub_needles import needles_of, usual_spellings
from .scrub_search import Match, found, places_of
from .scrub_views import Budget, Exhausted, Span
from .text import SHOWN, one_line

__all__ = ("BLANK", "Blanker", "finder", "scrub")

#: In the place of a secret in what is not cut or folded; Ansible's own.
BLANK = "********"

_LOOKED_AT = 2048  # characters; a message shows far fewer
# Characters, in all decoded forms of one text, or of all texts that one finder is asked about: about half a second.
_MOST_READ = 400_000
_MOST_BLANKED = 800_000  # characters in all decoded forms of what a Blanker is asked about: below a second, whatever they are
_WINDOW = 16_384  # characters of a long text that are decoded together


def scrub(text: str, secrets: t.Iterable[str], *, limit: int = SHOWN) -> str:
    """*text* fit to be shown: one line, with each secret replaced by ``***``.

    A secret is found in any letter case, with other characters between its letters, and encoded: percent-encoded, quoted-printable,
    base64 (at any offset, as in a Basic header), base32, hex, numbers of bytes or characters, HTML entities, escapes of JSON, Python,
    JavaScript and CSS, UTF-16 or compressed below one of these, and up to three of these on top of each other. Of a long one, three
    quarters are enough. It is not found in a cipher, backwards or in a rarer encoding.
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
    """Says whether one of the *secrets* is in a text, in a form that :func:`scrub` finds; of texts too many to look at, that it is."""
    needles, budget = needles_of(secrets), Budget(_MOST_READ)

    def holds_secret(text: str) -> bool:
        try:
            return needles.any and any(True for _match in found(text, needles, budget))
        except Exhausted:
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
        self._usual = sorted({spelling for secret in self._secrets for spelling in usual_spellings(secret)}, key=len, reverse=True)
        self._needles = needles_of(self._secrets)
        self._budget = Budget(_MOST_BLANKED)
        longest = max((len(secret) for secret in self._secrets), default=0)
        self._overlap = 12 * longest
        self._shortest_usual = min((*map(len, self._secrets), *map(len, self._usual)), default=0)
        self._shortest = min(self._needles.shortest, SHORTEST_COMPRESSED)

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

    def _decoded(self, text: str) -> list[Span]:
        """The places of the secrets in all that can be decoded, as far as the budget lasts."""
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
