# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many files this process has open."""

from __future__ import annotations

import gc
import os


def open_descriptors() -> int:
    """Count them after a garbage collection, as another test's leftovers could otherwise be collected in the middle of a test."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))
