# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A deadline for work that has none of its own."""

from __future__ import annotations

import contextvars
import threading
import typing as t

__all__ = ("Late", "within")

_T = t.TypeVar("_T")


class Late(Exception):
    """The deadline passed before the work was done."""


def within(seconds: float, work: t.Callable[[], _T]) -> _T:
    """Return or raise the outcome of *work*, which runs in another thread.

    A server that sends a byte now and then resets every socket timeout, even in the headers, and a name server may take any time: only
    another thread can stop waiting for them. A late result is dropped. The thread is a daemon, so that it does not keep the process
    alive.

    :raises Late: *work* takes longer than that.
    """
    results: list[_T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as exc:  # noqa: BLE001 - raised in the waiting thread
            failures.append(exc)

    if seconds <= 0:
        raise Late
    # In a copy of this thread's context, where ansible's display finds its task.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    thread.join(min(seconds, threading.TIMEOUT_MAX))
    if results:
        return results[0]
    raise failures[0] if failures else Late()
