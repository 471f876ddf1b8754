# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Modules below this package are loaded as Ansible loads plugins: Python keeps what it has compiled beside the source.

Ansible's loader of collections compiles each module whenever it is imported, and a worker is a fresh fork: compiling would be half of what a
cached token costs. Where Python may not write beside the source, and nobody has compiled it before, it compiles as that loader does. So it
does where somebody who may not change the source could have put compiled code there.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import typing as t
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location

if t.TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType

__all__ = ()

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def _keeps(folder: str) -> bool:
    """Whether only those who may write into the folder may write into its ``__pycache__``, which is made where it is missing."""
    kept = os.path.join(folder, "__pycache__")
    try:
        source = os.stat(folder)
        if not sys.dont_write_bytecode and not os.path.lexists(kept):
            # Python would make it under the umask, and with 0 everybody could put code there that root runs.
            with contextlib.suppress(FileExistsError):
                os.mkdir(kept, source.st_mode & 0o755)
        compiled = os.lstat(kept)
    except OSError:
        return False
    writers = compiled.st_mode & _OTHERS_MAY_WRITE
    return (
        stat.S_ISDIR(compiled.st_mode)
        and compiled.st_uid in (source.st_uid, os.geteuid(), 0)
        and (not writers or (writers & ~source.st_mode == 0 and compiled.st_gid == source.st_gid))
    )


class _Compiled(SourceFileLoader):
    """Compiles the source at each import, and neither takes nor keeps what Python has compiled."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Modules:
    """Finds the modules below this package, and leaves everything else to the finders behind it."""

    _kept: t.ClassVar[dict[str, bool]] = {}

    @classmethod
    def find_spec(cls, name: str, path: t.Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if not path or not name.startswith(f"{__name__}."):
            return None
        place = os.path.join(path[0], name.rpartition(".")[2])
        if os.path.isfile(f"{place}.py"):
            return cls._spec(name, f"{place}.py", None)
        package = os.path.join(place, "__init__.py")
        return cls._spec(name, package, [place]) if os.path.isfile(package) else None

    @classmethod
    def _spec(cls, name: str, file: str, inside: list[str] | None) -> ModuleSpec | None:
        folder = os.path.dirname(file)
        if folder not in cls._kept:
            # With PYTHONPYCACHEPREFIX the user has chosen one folder for the bytecode of all Python code.
            cls._kept[folder] = sys.pycache_prefix is not None or _keeps(folder)
        loader = None if cls._kept[folder] else _Compiled(name, file)
        return spec_from_file_location(name, file, loader=loader, submodule_search_locations=inside)


# Just before Ansible's own finder, so that others before that one stay before this one. Python's own, where there is no Ansible, keeps what it
# compiles by itself.
_ansibles = [number for number, finder in enumerate(sys.meta_path) if type(finder).__name__ == "_AnsibleCollectionFinder"]
if _ansibles:
    sys.meta_path.insert(_ansibles[0], _Modules)
