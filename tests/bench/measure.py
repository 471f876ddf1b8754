# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure a command: the CPU time of its process and all forks, and the memory of the largest of them."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import pathlib
import resource
import statistics
import subprocess
import tempfile
import time
import typing as t

_PR_SET_CHILD_SUBREAPER = 36


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run: user and system seconds of all its processes, wall-clock seconds, and the resident memory of the largest process."""

    cpu: float
    wall: float
    peak_mib: float
    output: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Spread:
    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: t.Sequence[float]) -> Spread:
        return cls(min(values), statistics.median(values), max(values))

    @classmethod
    def of_ratios(cls, mine: t.Sequence[float], theirs: t.Sequence[float]) -> Spread:
        """Compare round by round, because both values of a round were measured under the same load."""
        return cls.of([one / other for one, other in zip(mine, theirs, strict=True)])


def adopt_orphans() -> None:
    """Become the parent of orphaned forks, because Linux adds a process's CPU time to the process that waits for it."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def run_measured(command: t.Sequence[str], *, env: t.Mapping[str, str], cwd: pathlib.Path, timeout: float = 1800) -> Sample:
    """Run the command to its end. If it fails, raise SystemExit with its output."""
    with tempfile.TemporaryFile() as output:
        begun, before = time.monotonic(), cpu_of_children()
        process = subprocess.Popen(command, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            peak = _wait(process, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        wall = time.monotonic() - begun
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode:
        raise SystemExit(f"$ {' '.join(command)}\n{text[-3000:]}")
    return Sample(cpu=cpu_of_children() - before, wall=wall, peak_mib=peak / 1024, output=text)


def _wait(process: subprocess.Popen[bytes], timeout: float) -> float:
    """Wait for the process and its orphans that have ended. Return the resident size of the largest, in KiB."""
    end = time.monotonic() + timeout
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() > end:
            raise subprocess.TimeoutExpired(process.args, timeout)
        time.sleep(0.01)
    peak = float(usage.ru_maxrss)
    while True:
        try:
            orphan, _status, usage = os.wait3(os.WNOHANG)
        except ChildProcessError:
            return peak
        if not orphan:
            return peak
        peak = max(peak, usage.ru_maxrss)


def cpu_of_children() -> float:
    """User and system seconds of all processes that this one has waited for, and of those that they waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
