# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Check the files that options name, before a library fails on one without naming it."""

from __future__ import annotations

import os
import typing as t

from .._text.one_line import one_line

__all__ = ("unreadable",)


def unreadable(files: t.Iterable[tuple[str, str | None]]) -> str:
    """The first of *files* (option name, path) that cannot be read, and why; empty if all can. A directory counts as readable."""
    for option, path in files:
        if not path or os.path.isdir(path):
            continue
        try:
            with open(path, "rb") as file:
                file.read(1)
        except (OSError, ValueError) as exc:
            why = (exc.strerror or "failed").lower() if isinstance(exc, OSError) else "not a path"
            return f"{option} {one_line(path)} cannot be read ({why})"
    return ""
