# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Collect the texts that no message about Vault may show: a service in front of Vault may repeat what it receives. Pure."""

from __future__ import annotations

import typing as t

from .._text.scrub import SHORTEST_SECRET

__all__ = ("Hidden",)

_LONGEST = 10_000  # characters; a longer text is searched for in pieces
_MOST = 100  # texts of earlier secrets and entries; each one is searched for in each message


class Hidden:
    """Texts to remove from messages: all credentials and tokens for Vault, and the latest data read from and written to it."""

    def __init__(self, credentials: t.Iterable[str]) -> None:
        self._credentials = list(credentials)
        self._contents: dict[str, None] = {}  # the latest one last

    def __iter__(self) -> t.Iterator[str]:
        yield from self._credentials
        yield from self._contents

    def add(self, credential: str) -> None:
        if credential:
            self._credentials.append(credential)

    def add_contents(self, data: t.Any) -> None:
        """Add the texts in *data* (a secret or a cache entry): all of them, however many there are."""
        credentials = set(self._credentials)
        latest = [piece for text in _texts(data) if len(text) >= SHORTEST_SECRET and text not in credentials for piece in _pieces(text)]
        for piece in latest:
            self._contents.pop(piece, None)
            self._contents[piece] = None
        too_many = len(self._contents) - max(_MOST, len(set(latest)))
        for piece in list(self._contents)[: max(0, too_many)]:
            del self._contents[piece]


def _pieces(text: str) -> t.Iterator[str]:
    """*text* in the fewest pieces of allowed length, all about equally long, so that none is short enough to be an ordinary word."""
    length = -(-len(text) // -(-len(text) // _LONGEST))
    for start in range(0, len(text), length):
        yield text[start : start + length]


def _texts(value: t.Any) -> t.Iterator[str]:
    """The texts and numbers in *value*, duplicates included."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, t.Mapping):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
        elif isinstance(inner, str):
            yield inner
        elif isinstance(inner, (int, float)) and not isinstance(inner, bool):
            yield str(getattr(inner, "text", inner))  # a credential may consist of digits
