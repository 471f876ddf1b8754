# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""What no message about Vault may show. Whoever answers in Vault's place, such as a filter of requests, may repeat what it was sent. Pure."""

from __future__ import annotations

import typing as t
from collections import deque

__all__ = ("Hidden",)

_SHORTEST = 6  # characters; a shorter text of a secret is a word like any other
_LONGEST = 10_000  # characters; no message shows more
_MOST = 100  # each is looked for in each message


class Hidden:
    """Texts to be left out of messages: credentials and tokens of Vault, all of them, and the latest of what was read and written there."""

    def __init__(self, credentials: t.Iterable[str]) -> None:
        self._credentials = list(credentials)
        self._contents: deque[str] = deque(maxlen=_MOST)

    def __iter__(self) -> t.Iterator[str]:
        yield from self._credentials
        yield from self._contents

    def add(self, credential: str) -> None:
        if credential:
            self._credentials.append(credential)

    def add_contents(self, data: t.Any) -> None:
        """The texts in *data*, a secret or an entry of the cache."""
        known = set(self)
        self._contents.extend(text for text in _texts(data) if _SHORTEST <= len(text) <= _LONGEST and text not in known)


def _texts(value: t.Any) -> t.Iterator[str]:
    """The texts in *value*, each once."""
    waiting, seen = [value], set()
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, t.Mapping):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
        elif isinstance(inner, str) and inner not in seen:
            seen.add(inner)
            yield inner
