# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is documented agrees with the code: the role's variables and defaults, and the module's options for files and items."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import yaml
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._hosts.files import FILE_OPTIONS
from support.collection import source_path
from support.places import ROOT

SPEC = ROOT / "roles" / "provision" / "meta" / "argument_specs.yml"


def ansible_doc(*arguments: str) -> str:
    command = [str(pathlib.Path(sys.executable).parent / "ansible-doc"), *arguments]
    env = {"ANSIBLE_COLLECTIONS_PATH": str(source_path()), "LANG": "C.UTF-8", "HOME": str(source_path()), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


def module_options(name: str) -> dict[str, t.Any]:
    """The options of one of our modules, including those of its documentation fragments."""
    options: dict[str, t.Any] = json.loads(ansible_doc("--type", "module", "--json", f"trackops.api_tokens.{name}"))[f"trackops.api_tokens.{name}"]["doc"][
        "options"
    ]
    return options


def test_ansible_doc_shows_the_role_on_a_short_page():
    shown = ansible_doc("--type", "role", "trackops.api_tokens.provision")
    assert "provision_tokens" in shown and len(shown.splitlines()) < 95, shown


def test_every_variable_that_the_role_reads_is_documented():
    options = yaml.safe_load(SPEC.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    tasks = (ROOT / "roles/provision/tasks/main.yml").read_text(encoding="utf-8")
    assert {name for name in options if f"'{name}'" in tasks} == set(options)


def test_defaults_equal_the_documented_ones():
    defaults = yaml.safe_load((ROOT / "roles/provision/defaults/main.yml").read_text(encoding="utf-8"))
    options = yaml.safe_load(SPEC.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in options.items() if "default" in option} == defaults


def test_the_file_options_of_the_module_are_documented_as_defined():
    documented = module_options("token_file")
    for name, option in FILE_OPTIONS.items():
        assert {key: documented[name].get(key) for key in ("type", "choices", "default", "aliases")} == {
            key: option.get(key) for key in ("type", "choices", "default", "aliases")
        }, name


def test_options_of_items_are_documented_like_those_of_the_task():
    options = module_options("token_file")
    items = options["tokens"]["suboptions"]
    for name, option in items.items():
        assert {key: option.get(key) for key in ("type", "choices")} == {key: options[name].get(key) for key in ("type", "choices")}, name
