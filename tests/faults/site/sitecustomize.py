# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulates a controller with a wrong clock, missing modules or an unusual umask. Python loads this file first if its folder is on PYTHONPATH.

``FAULTS_CLOCK``: seconds that the wall clock is ahead. ``FAULTS_WITHOUT``: modules that are not installed. ``FAULTS_UMASK``: octal.
"""

from __future__ import annotations

import os
import sys


def _shift_clock(seconds: float) -> None:
    import time

    real = time.time
    time.time = lambda: real() + seconds
    time.time_ns = lambda: int((real() + seconds) * 1e9)


class _Missing:
    def __init__(self, names: list[str]) -> None:
        self._names = names

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if name.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if os.environ.get("FAULTS_CLOCK"):
    _shift_clock(float(os.environ["FAULTS_CLOCK"]))
if os.environ.get("FAULTS_WITHOUT"):
    sys.meta_path.insert(0, _Missing(os.environ["FAULTS_WITHOUT"].split(",")))  # type: ignore[arg-type]
if os.environ.get("FAULTS_UMASK"):
    os.umask(int(os.environ["FAULTS_UMASK"], 8))
