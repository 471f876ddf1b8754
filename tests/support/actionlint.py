# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""actionlint, built once from its pinned Go module (tests/actionlint-build) and kept in the user's cache folder."""

from __future__ import annotations

import functools
import hashlib
import subprocess

from .hashicorp import find_go
from .places import TESTS, cache_home, locked
from .processes import Unavailable

_SOURCE = TESTS / "actionlint-build"


@functools.cache
def find() -> str:
    """The path of the actionlint binary."""
    digest = hashlib.sha256((_SOURCE / "go.sum").read_bytes()).hexdigest()[:12]
    target = cache_home() / f"actionlint-{digest}"
    with locked(target.name):
        if not target.exists():
            new = target.with_suffix(".new")
            command = [find_go(), "build", "-mod=readonly", "-trimpath", "-o", str(new), "github.com/rhysd/actionlint/cmd/actionlint"]
            done = subprocess.run(command, cwd=_SOURCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                raise Unavailable("actionlint did not build:\n" + "\n".join(done.stdout.splitlines()[-10:]))
            new.rename(target)
    return str(target)
