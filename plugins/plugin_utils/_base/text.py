# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Text for people: one line, bounded, without secrets."""

from __future__ import annotations

import base64
import json
import re
import typing as t
from urllib.parse import quote, quote_plus

__all__ = ("mask", "one_line", "scrub")

_SHOWN = 200
# A secret of one or two characters would blank out half of every message and hide what is wrong.
_SHORTEST = 3


def one_line(text: str, *, limit: int = _SHOWN) -> str:
    """*text* without control characters, runs of white space folded, at most *limit* characters."""
    folded = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def scrub(text: str, secrets: t.Iterable[str], *, limit: int = _SHOWN) -> str:
    """*text* fit to be shown: one line, with each secret (raw, URL-encoded, base64, JSON-escaped) replaced by ``***``."""
    forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
    # Again once it is folded: a line break in the text can stand for a space in the secret.
    for shown in (text, one_line(_without(text, forms), limit=len(text) + 1)):
        text = _without(shown, forms)
    return one_line(text, limit=limit)


def _without(text: str, forms: set[str]) -> str:
    # The longest first: a secret that contains another one must not leave its tail behind.
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _forms(secret: str) -> t.Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    encoded = (quote(raw, safe=""), quote_plus(raw), quote(raw))
    yield from (secret, *encoded, *(re.sub("%..", lambda escape: escape[0].lower(), form) for form in encoded))
    yield from (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("="))
    yield from (repr(secret)[1:-1], secret.encode("unicode_escape").decode("ascii"))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])


def mask(secret: str) -> str:
    """The first four characters of a long secret, for a person who compares; nothing of a short one."""
    return secret[:4] + "…" if len(secret) >= 20 else "…"
