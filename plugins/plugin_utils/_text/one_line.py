# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Text for people: one line of limited length."""

from __future__ import annotations

__all__ = ("SHOWN", "one_line")

SHOWN = 200  # characters


def one_line(text: str, *, limit: int = SHOWN) -> str:
    """*text* without control characters, runs of white space folded, at most *limit* characters."""
    printable = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    folded = " ".join(printable.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"
