# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The argument specification of the role ``provision``: its own variables, and for each token every option of ``token_file``.

``python -m support.role_spec`` (in ``tests/``) writes the file; a test says when it has to be run again.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import yaml

from .collection import source_path
from .places import ROOT

SPEC = ROOT / "roles" / "provision" / "meta" / "argument_specs.yml"
_HEADER = """\
# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Written by tests/support/role_spec.py, from the documentation of the module token_file.
---
"""
# What of an option's documentation Ansible's check of arguments knows. Defaults are left to the module: an option that is not given may
# still come from a variable or the environment.
_KEPT = ("description", "type", "elements", "choices", "aliases")


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> t.Any:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def text() -> str:
    """What the file has to hold."""
    spec = {"argument_specs": {"main": _main(module_options("token_file"))}}
    body = yaml.dump(spec, Dumper=_Dumper, sort_keys=False, width=140, allow_unicode=True)
    return _HEADER + body


def module_options(name: str) -> dict[str, t.Any]:
    """The options of one of our modules, with those of its documentation fragments."""
    command = [str(pathlib.Path(sys.executable).parent / "ansible-doc"), "--type", "module", "--json", f"trackops.api_tokens.{name}"]
    env = {"ANSIBLE_COLLECTIONS_PATH": str(source_path()), "LANG": "C.UTF-8", "HOME": str(source_path()), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    options: dict[str, t.Any] = json.loads(done.stdout)[f"trackops.api_tokens.{name}"]["doc"]["options"]
    return options


def _main(options: dict[str, t.Any]) -> dict[str, t.Any]:
    of_tokens = {name: _kept(option) for name, option in sorted(options.items()) if name != "tokens"}
    of_tokens["create_directory"]["description"] = "Whether to make the directories above C(dest) that are missing. The role does, if not told otherwise."
    of_role: dict[str, t.Any] = {
        "provision_tokens": {
            "description": [
                "The tokens, each in a file of its own.",
                "An item takes every option of the module P(trackops.api_tokens.token_file#module) but C(tokens).",
                "Without C(dest) the file is in O(provision_directory), with the vendor's name, followed by the Vault path where that is another.",
            ],
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": of_tokens,
        },
        "provision_directory": _own("Where files without a C(dest) of their own go.", "str", "/etc/api-tokens"),
        "provision_directory_mode": _own("Permissions of directories that are missing and therefore made.", "raw", "0755"),
    }
    for name, default in (("format", "raw"), ("mode", "0600"), ("state", "present"), ("allow_readable", False), ("backup", False)):
        of_role[f"provision_{name}"] = _default_for_all(name, options[name], default)
    for name, unset in (("owner", "the user that the role runs as"), ("group", "the main group of that user"), ("min_ttl", "60")):
        of_role[f"provision_{name}"] = _default_for_all(name, options[name], None)
        of_role[f"provision_{name}"]["description"] += f" Not given, {unset}."
    return {
        "short_description": "Keep valid API tokens of vendors in files on hosts",
        "version_added": "1.0.0",
        "author": ["TrackOps founders (@trackops)"],
        "description": [
            "Puts each token into a file, with the permissions that you say, and renews it in time.",
            "Tokens come from the controller. Hosts need no access to Vault or to the vendors.",
            "Handlers that listen to C(trackops.api_tokens token changed) are notified when a token changed; C(provision_changed) says which.",
        ],
        "options": of_role,
    }


def _kept(option: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: option[key] for key in _KEPT if option.get(key)}


def _own(description: str, kind: str, default: t.Any) -> dict[str, t.Any]:
    return {"description": description, "type": kind, "default": default}


def _default_for_all(name: str, option: dict[str, t.Any], default: t.Any) -> dict[str, t.Any]:
    about = {key: value for key, value in _kept(option).items() if key not in ("description", "aliases")}
    found = {"description": f"C({name}) of the tokens that do not say otherwise.", **about}
    return found if default is None else {**found, "default": default}


if __name__ == "__main__":
    SPEC.write_text(text(), encoding="utf-8")
