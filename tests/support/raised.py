# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions as they come from inside a library."""

from __future__ import annotations

import contextlib
import typing as t

_Problem = t.TypeVar("_Problem", bound=BaseException)


def raised_in(module: str, function: str, problem: _Problem) -> _Problem:
    """*problem*, which keeps the traceback that it has when this function of the module raises it."""
    names: dict[str, t.Any] = {"__name__": module, "problem": problem}
    exec(f"def {function}():\n    raise problem", names)  # noqa: S102 - the name of a function is part of its code
    with contextlib.suppress(type(problem)):
        names[function]()
    return problem
