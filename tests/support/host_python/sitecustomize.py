# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Loaded when a test host's Python starts (see ``support.hosts``): code that Ansible sends in a zip file is compiled once, not for each task.

Python keeps no bytecode for imports from a zip file, and compiling Ansible's own code is half of a module's cost.
This module keeps it beside this file, under a name made from the source and the Python. The environment is as on any other host.
"""

from __future__ import annotations

import _imp
import contextlib
import marshal
import os
import sys
import typing as t
import zipimport

_HERE = os.path.dirname(os.path.abspath(__file__))
_KEPT = os.path.join(_HERE, "__pycache__")
_compile: t.Callable[..., t.Any] = zipimport._compile_source  # type: ignore[attr-defined]


def _compiled(path: str, source: bytes, *more: t.Any) -> t.Any:
    name = f"zip-{_imp.source_hash(sys.hexversion, source).hex()}-{os.path.basename(path)}c"
    kept = os.path.join(_KEPT, name)
    try:
        with open(kept, "rb") as file:
            code = marshal.loads(file.read())  # noqa: S302 - as Python does with bytecode
    except (OSError, ValueError, EOFError, TypeError):
        code = _compile(path, source, *more)
        _keep(kept, marshal.dumps(code))
    else:
        # Tracebacks show the path of this zip file, not of the first one.
        _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
    return code


def _keep(kept: str, content: bytes) -> None:
    # Only the user who runs the tests can keep it.
    with contextlib.suppress(OSError):
        os.makedirs(_KEPT, exist_ok=True)
        new = f"{kept}.{os.getpid()}"
        with open(new, "wb") as file:
            file.write(content)
        os.replace(new, kept)


zipimport._compile_source = _compiled  # type: ignore[attr-defined]
# Programs that modules start on the host do not inherit it.
os.environ.pop("PYTHONPATH", None)
sys.path[:] = [path for path in sys.path if path != _HERE]
