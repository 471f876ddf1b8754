# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record the command line of every process on this machine until SIGTERM: `python -m leaks.watch FILE`.

The hosts are on this machine, so the list covers the controller and the hosts. For processes started over ssh, it also has the environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

_PAUSE = 0.004
# Seconds; a young process may still change its command line when a fork executes another program.
_YOUNG = 1.5


def main() -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    born: dict[str, float] = {}
    seen: set[bytes] = set()
    own = str(os.getpid())
    with open(sys.argv[1], "wb", buffering=0) as output:
        while not ended:
            now = time.monotonic()
            there = [name for name in os.listdir("/proc") if name.isdigit() and name != own]
            for pid in there:
                if now - born.setdefault(pid, now) < _YOUNG:
                    for line in _facts(pid):
                        if line not in seen:
                            seen.add(line)
                            output.write(line + b"\n")
            born = {pid: born[pid] for pid in there}
            time.sleep(_PAUSE)


def _facts(pid: str) -> list[bytes]:
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            lines = [b"command " + file.read().replace(b"\0", b" ").replace(b"\n", b" ")]
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
        if b"SSH_CONNECTION=" in environment:
            lines.append(b"environment " + environment.replace(b"\0", b" ").replace(b"\n", b" "))
        return lines
    return []


if __name__ == "__main__":
    main()
