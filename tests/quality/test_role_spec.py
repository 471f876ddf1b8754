# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role takes is what the module takes, and what its defaults say."""

from __future__ import annotations

import yaml
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._hosts.files import FILE_OPTIONS
from support.places import ROOT
from support.role_spec import SPEC, module_options, text


def test_the_specification_is_that_of_the_module():
    assert SPEC.read_text(encoding="utf-8") == text(), "run: cd tests && python -m support.role_spec"


def test_defaults_are_those_that_are_documented():
    defaults = yaml.safe_load((ROOT / "roles/provision/defaults/main.yml").read_text(encoding="utf-8"))
    options = yaml.safe_load(SPEC.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in options.items() if "default" in option} == defaults


def test_the_module_documents_its_file_options_as_they_are():
    documented = module_options("token_file")
    for name, option in FILE_OPTIONS.items():
        assert {key: documented[name].get(key) for key in ("type", "choices", "default", "aliases")} == {
            key: option.get(key) for key in ("type", "choices", "default", "aliases")
        }, name


def test_what_items_can_have_is_documented_as_for_the_task():
    options = module_options("token_file")
    items = options["tokens"]["suboptions"]
    for name, option in items.items():
        assert {key: option.get(key) for key in ("type", "choices")} == {key: options[name].get(key) for key in ("type", "choices")}, name
