# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax trees of the collection's Python files: several tests read them, and parsing takes longer than what they do with them."""

from __future__ import annotations

import ast
import dataclasses
import functools
import pathlib

from .places import ROOT


@dataclasses.dataclass(frozen=True)
class Parsed:
    tree: ast.Module
    #: All nodes of the tree.
    nodes: tuple[ast.AST, ...]


@functools.cache
def plugin_files() -> dict[pathlib.Path, Parsed]:
    """Each Python file in ``plugins``."""
    found = {}
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found[path] = Parsed(tree, tuple(ast.walk(tree)))
    return found
