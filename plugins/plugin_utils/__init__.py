# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Load the modules below this package as Ansible loads plugins, with the bytecode kept beside the source.

Ansible's collection loader compiles each module at every import, and a worker is a fresh fork: compiling would take half the time of a
cache hit. If Python cannot write beside the source and there is no bytecode yet, it compiles each time, as that loader does. It also does
so if a user who cannot change the source could have planted the bytecode.
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
    """Whether only users who can write to the folder can write to its ``__pycache__``, which is created if missing."""
    kept = os.path.join(folder, "__pycache__")
    try:
        source = os.stat(folder)
        if not sys.dont_write_bytecode and not os.path.lexists(kept):
            # Python would apply the umask; with umask 0 any user could plant code there that root runs.
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
    """Compiles the source at each import; neither reads nor writes bytecode files."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Modules:
    """Finds the modules below this package; leaves everything else to the finders after it."""

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
            # With PYTHONPYCACHEPREFIX the user chose one folder for all bytecode.
            cls._kept[folder] = sys.pycache_prefix is not None or _keeps(folder)
        loader = None if cls._kept[folder] else _Compiled(name, file)
        return spec_from_file_location(name, file, loader=loader, submodule_search_locations=inside)


# Directly before Ansible's finder, so that finders before that one stay first. Without Ansible, Python's own finder is used, and that keeps
# bytecode anyway.
_ansibles = [number for number, finder in enumerate(sys.meta_path) if type(finder).__name__ == "_AnsibleCollectionFinder"]
if _ansibles:
    sys.meta_path.insert(_ansibles[0], _Modules)
