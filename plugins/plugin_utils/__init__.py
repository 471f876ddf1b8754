# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Modules below this package are loaded as Ansible loads plugins: Python keeps what it has compiled beside the source.

Ansible's loader of collections compiles each module whenever it is imported, and a worker is a fresh fork: compiling would be half of what a
cached token costs. Where Python may not write beside the source, and nobody has compiled it before, it compiles as that loader does.
"""

from __future__ import annotations

import os
import sys
import typing as t
from importlib.util import spec_from_file_location

if t.TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

__all__ = ()


class _Modules:
    """Finds the modules below this package, and leaves everything else to the finders behind it."""

    @staticmethod
    def find_spec(name: str, path: t.Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if not path or not name.startswith(f"{__name__}."):
            return None
        place = os.path.join(path[0], name.rpartition(".")[2])
        if os.path.isfile(f"{place}.py"):
            return spec_from_file_location(name, f"{place}.py")
        package = os.path.join(place, "__init__.py")
        return spec_from_file_location(name, package, submodule_search_locations=[place]) if os.path.isfile(package) else None


# Just before Ansible's own finder, so that others before that one stay before this one. Python's own, where there is no Ansible, keeps what it
# compiles by itself.
_ansibles = [number for number, finder in enumerate(sys.meta_path) if type(finder).__name__ == "_AnsibleCollectionFinder"]
if _ansibles:
    sys.meta_path.insert(_ansibles[0], _Modules)
