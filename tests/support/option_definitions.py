# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What Ansible needs to know about the lookups' options, taken from their documentation: ``make options``.

Ansible parses a lookup's documentation in each worker, to find out where its options come from. With these files beside the code it
need not. Without a file it does, so that a new lookup can be tried first; but the errors for wrong settings come from these
files too, so a vendor is complete only with its own.
"""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
import sys
import typing as t

from .collection import source_path
from .places import ROOT

FOLDER = ROOT / "plugins" / "plugin_utils" / "_boundary" / "option_definitions"
_SCRIPT = """
import json, sys
from ansible import constants as C
from ansible.plugins.loader import init_plugin_loader, lookup_loader
init_plugin_loader()
C.config.has_configuration_definition = lambda *arguments: False  # so that the documentation is parsed, whatever is known already
found = {name: lookup_loader.get("trackops.api_tokens." + name).option_definitions for name in sys.argv[1:]}
print(json.dumps(found))
"""
#: Keys for readers, which Ansible does not use.
_FOR_PEOPLE = ("description", "version_added", "version_added_collection", "elements")


def lookups() -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins" / "lookup").glob("*.py") if "class LookupModule(TokenLookup)" in path.read_text(encoding="utf-8"))


@functools.cache
def documented(python: str = sys.executable) -> dict[str, dict[str, t.Any]]:
    """The options that this Python's Ansible finds in each lookup's documentation, with only the keys that Ansible uses."""
    env = {"ANSIBLE_COLLECTIONS_PATH": str(source_path()), "LANG": "C.UTF-8", "HOME": str(source_path()), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([python, "-c", _SCRIPT, *lookups()], env=env, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, t.Any]] = json.loads(done.stdout)
    return {name: {option: _used(about) for option, about in sorted(options.items())} for name, options in found.items()}


def _used(about: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in about.items() if key not in _FOR_PEOPLE}


def text(options: dict[str, t.Any]) -> str:
    """The expected content of a lookup's file: a line for each option."""
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(about, sort_keys=True)}" for name, about in options.items()) + "\n}\n"


def file_of(lookup: str) -> pathlib.Path:
    return FOLDER / f"{lookup}.json"


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, options in documented().items():
        file_of(name).write_text(text(options), encoding="utf-8")


if __name__ == "__main__":
    write()
