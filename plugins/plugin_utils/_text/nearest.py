# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Find the known name that was probably meant. Pure."""

from __future__ import annotations

import typing as t

__all__ = ("did_you_mean", "nearest")


def nearest(name: str, known: t.Iterable[str], *, cutoff: float = 0.7) -> str:
    """The name in *known* that is most similar to *name*; empty if none is similar.

    :arg cutoff: the minimum difflib ratio, from 0 to 1. With the default, "acme" is not taken for a typo of "trackmage".
    """
    import difflib  # needed only after an error

    return next(iter(difflib.get_close_matches(name, known, cutoff=cutoff)), "")


def did_you_mean(near: str) -> str:
    """The end of a sentence about an unknown name: a question that suggests *near*, or a full stop if that is empty."""
    return f"; did you mean {near}?" if near else "."
