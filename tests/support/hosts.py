# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python of the tests' hosts."""

from __future__ import annotations

import pathlib
import shlex

_SITE = pathlib.Path(__file__).parent / "host_python"


def interpreter(folder: pathlib.Path, python: str) -> str:
    """A program in *folder* for ``ansible_python_interpreter``: it runs *python*, and compiles what Ansible sends only once."""
    path = folder / "host-python"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(_SITE))} exec {shlex.quote(python)} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return str(path)
