# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cached lookup is measured against: `community.hashi_vault`, and a lookup with our documentation that does nothing.

The collection is a part of the package `ansible`, which is downloaded once for each ansible-core and kept in the cache folder.
"""

from __future__ import annotations

import ast
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

from support.places import cache_home, locked

HASHI_VAULT = "ansible_collections/community/hashi_vault/"

# The same options as ours, so the same work for ansible-core, and then nothing.
_EMPTY = '''
from __future__ import annotations

DOCUMENTATION = r"""{documentation}"""

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        {set_options}
        return ["nothing"]
'''


def hashi_vault(venv: pathlib.Path) -> pathlib.Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH with the newest community.hashi_vault of a package `ansible` that this core's Python takes."""
    target = cache_home() / f"peers-{venv.name}"
    with locked(target.name):
        if not target.exists():
            print(f"Getting community.hashi_vault for {venv.name} ...", file=sys.stderr, flush=True)
            _unpack(venv, target)
    return target


def _unpack(venv: pathlib.Path, target: pathlib.Path) -> None:
    python = str(venv / "bin" / "python")
    core = subprocess.run([python, "-c", "import ansible; print(ansible.__version__)"], capture_output=True, text=True, check=True).stdout.strip()
    # The package `ansible` is numbered by ansible-core's minor version: 9 is 2.16.
    major = int(core.split(".")[1]) - 7
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest", scratch, f"ansible<{major + 1}"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        (wheel,) = pathlib.Path(scratch).glob("ansible-*.whl")
        unpacked = pathlib.Path(scratch) / "unpacked"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked, [name for name in archive.namelist() if name.startswith(HASHI_VAULT)])
        shutil.move(unpacked, target)


def empty_lookups(collection: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """A collection `bench.empty` in that folder with a lookup `<vendor>` for each of ours, and `<vendor>_bare`, which asks for no option."""
    plugins = folder / "ansible_collections" / "bench" / "empty" / "plugins" / "lookup"
    plugins.mkdir(parents=True)
    for path in sorted((collection / "ansible_collections/trackops/api_tokens/plugins/lookup").glob("*.py")):
        for name, code in ((path.stem, "self.set_options(var_options=variables, direct=kwargs)"), (f"{path.stem}_bare", "")):
            documentation = _documentation(path).replace(f"name: {path.stem}\n", f"name: {name}\n", 1)
            (plugins / f"{name}.py").write_text(_EMPTY.format(documentation=documentation, set_options=code), encoding="utf-8")
    return folder


def _documentation(path: pathlib.Path) -> str:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            found: str = ast.literal_eval(node.value)
            return found
    raise ValueError(f"{path} has no DOCUMENTATION")
