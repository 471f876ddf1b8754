# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Wait at the terminal for the person to paste the final URL of the browser."""

from __future__ import annotations

import os
import queue
import select
import threading
import typing as t
from dataclasses import dataclass, field

from .loopback import AuthorizationResponse

__all__ = ("Terminal", "open_terminal")

_POLL = 0.2
_LONGEST_LINE = 16384


@dataclass
class Terminal:
    """Reads lines typed at a terminal."""

    descriptor: int
    _done: threading.Event = field(default_factory=threading.Event)

    def listen(self, responses: queue.Queue[AuthorizationResponse], *, is_response: t.Callable[[str], bool], again: t.Callable[[str], None]) -> None:
        """Accept the lines for which *is_response* is true; call *again* for any other that is not empty."""

        def read() -> None:
            try:
                for line in self._lines():
                    if is_response(line):
                        responses.put(AuthorizationResponse(line))
                    elif line:
                        again(line)
            finally:
                os.close(self.descriptor)

        threading.Thread(target=read, daemon=True).start()

    def _lines(self) -> t.Iterator[str]:
        line, ready = b"", select.poll()  # unlike select.select, with any number of open files
        ready.register(self.descriptor, select.POLLIN)
        while not self._done.is_set():
            if not ready.poll(_POLL * 1000):
                continue
            chunk = _read(self.descriptor)
            if not chunk:
                return
            line += chunk
            if b"\n" in line or len(line) > _LONGEST_LINE:
                yield line.decode("utf-8", "replace").strip()
                line = b""

    def close(self) -> None:
        """Stop reading; later input is for the next reader of the terminal."""
        self._done.set()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


def open_terminal(pid: int | None) -> Terminal | None:
    """The terminal of the process *pid* (which the person started), if that is in the foreground.

    Ansible's workers have no terminal. Without /proc (not on Linux) the result is None.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            facts = file.read().rpartition(b")")[2].split()
        if facts[2] != facts[5]:  # its process group is not the terminal's: in the background it must not read the shell's input
            return None
        descriptor = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, IndexError):
        return None
    if not os.isatty(descriptor):
        os.close(descriptor)
        return None
    return Terminal(descriptor)
