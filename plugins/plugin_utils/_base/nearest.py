# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The known name that somebody may have meant who wrote another. Pure."""

from __future__ import annotations

import typing as t

__all__ = ("is_meant", "nearest")


def nearest(name: str, known: t.Iterable[str], *, alike: float = 0.7) -> str:
    """The name among *known* that is most like *name*; empty if none is like it.

    :arg alike: the least ratio of difflib, from 0 to 1. By the default, "acme" is no slip of the pen in "trackmage".
    """
    import difflib  # where all is well, nobody needs it

    return next(iter(difflib.get_close_matches(name, known, cutoff=alike)), "")


def is_meant(near: str) -> str:
    """The end of a sentence about an unknown name: the question for the *near* one; a full stop if there is none."""
    return f"; is {near} meant?" if near else "."
