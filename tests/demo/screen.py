# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's output. Pure: values in, text out."""

from __future__ import annotations

import re
import typing as t

__all__ = ("scrub", "table")

# Tokens that the demo cannot know beforehand: the vendors' tokens are JWTs, and Vault's begin with "s." or "hvs.".
_TOKENS = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+|\b(?:hv)?[sbr]\.[A-Za-z0-9_-]{20,}")


def table(rows: t.Sequence[t.Sequence[object]], *, right: t.Collection[int] = ()) -> str:
    """Align the columns of the rows, of which the first is the heading. The column numbers in *right* are right-aligned."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = []
    for row in texts:
        cells = [cell.rjust(width) if number in right else cell.ljust(width) for number, (cell, width) in enumerate(zip(row, widths, strict=True))]
        lines.append(("  " + "   ".join(cells)).rstrip())
    return "\n".join(lines)


def scrub(text: str, secrets: t.Iterable[str]) -> str:
    """Return *text* without the given secrets and without anything that looks like a token."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "********")
    return _TOKENS.sub("********", text)
