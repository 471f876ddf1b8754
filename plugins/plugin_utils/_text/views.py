# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A text and its decoded forms, step by step. Each step maps its parts to places in the previous step."""

from __future__ import annotations

import functools
import re
import typing as t

__all__ = ("Budget", "Exhausted", "Origin", "Replaced", "Run", "Span", "View")

Span: t.TypeAlias = "tuple[int, int]"


class View:
    """A text, or a decoded form of one; ``origins`` say where in other views it comes from, as the same text may have several sources."""

    def __init__(self, text: str, *origins: Origin) -> None:
        self.text = text
        self.origins = list(origins)

    def replaced(self, pattern: re.Pattern[str], decode: t.Callable[[re.Match[str]], str]) -> View:
        plain = pattern.sub(decode, self.text)
        return self if plain == self.text else View(plain, Replaced(self, pattern, decode))


class Origin(t.Protocol):
    """Where a view comes from."""

    @property
    def view(self) -> View: ...

    def places(self, span: Span) -> t.Iterable[Span]:
        """The places in that view from which *span* comes."""


class Replaced:
    """A whole view, with each match of the pattern decoded."""

    def __init__(self, view: View, pattern: re.Pattern[str], decode: t.Callable[[re.Match[str]], str]) -> None:
        self.view = view
        self._pattern = pattern
        self._decode = decode

    def places(self, span: Span) -> t.Iterable[Span]:
        begin, end = span
        return ((self._before[begin][0], self._before[end - 1][1]),)

    @functools.cached_property
    def _before(self) -> list[Span]:
        """The original place of each decoded character. Computed on demand, because few texts need it."""
        spans: list[Span] = []
        position = 0
        for match in self._pattern.finditer(self.view.text):
            spans += ((place, place + 1) for place in range(position, match.start()))
            spans += [match.span()] * len(self._decode(match))
            position = match.end()
        spans += ((place, place + 1) for place in range(position, len(self.view.text)))
        return spans


class Run:
    """A decoded run, with each of its places."""

    def __init__(self, view: View, places: list[Span]) -> None:
        self.view = view
        self._places = places

    def places(self, span: Span) -> t.Iterable[Span]:
        return self._places


class Exhausted(Exception):
    """There is more text than a harmless server would send."""


class Budget:
    def __init__(self, characters: int) -> None:
        self._left = characters

    def spend(self, text: str) -> None:
        self._left -= len(text)
        if self._left < 0:
            raise Exhausted
