# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lookup that has our documentation and does nothing. It shows ansible-core's share of the cost of our lookups."""

from __future__ import annotations

import ast
import pathlib

# The same options as ours, so ansible-core does the same work, but the lookup does nothing.
_EMPTY = '''
from __future__ import annotations

DOCUMENTATION = r"""{documentation}"""

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        {set_options}
        return ["nothing"]
'''


def empty_lookups(collection: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Create a collection `bench.empty` in that folder: for each of our lookups `<vendor>`, and `<vendor>_bare`, which reads no options; and
    `nothing`, which has no options."""
    plugins = folder / "ansible_collections" / "bench" / "empty" / "plugins" / "lookup"
    plugins.mkdir(parents=True)
    for path in sorted((collection / "ansible_collections/trackops/api_tokens/plugins/lookup").glob("*.py")):
        for name, code in ((path.stem, "self.set_options(var_options=variables, direct=kwargs)"), (f"{path.stem}_bare", "")):
            documentation = _documentation(path).replace(f"name: {path.stem}\n", f"name: {name}\n", 1)
            (plugins / f"{name}.py").write_text(_EMPTY.format(documentation=documentation, set_options=code), encoding="utf-8")
    nothing = "\nname: nothing\nshort_description: Nothing\ndescription: Nothing.\nauthor: Nobody\n"
    (plugins / "nothing.py").write_text(_EMPTY.format(documentation=nothing, set_options=""), encoding="utf-8")
    return folder


def _documentation(path: pathlib.Path) -> str:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            found: str = ast.literal_eval(node.value)
            return found
    raise ValueError(f"{path} has no DOCUMENTATION")
