# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables are misspelt; no documented variable is."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.role_variables import FAMILIES, misspelt

ROOT = pathlib.Path(__file__).resolve().parents[4]
KNOWN = sorted(prefix + rest for prefix, rests in FAMILIES.items() for rest in rests)


def test_all_variables_of_roles_and_playbooks_are_known():
    used = set()
    for path in [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]:
        used |= set(re.findall(r"operator_vars', '([a-z]\w*)'", path.read_text(encoding="utf-8")))
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        used |= set(yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"])
    ours = {name for name in used if name.startswith(tuple(FAMILIES))}
    # vault_setup's action looks up its variables by their names in the table; test_setup_settings.py shows that each is used.
    looked_up = {name for name in KNOWN if name.startswith("vault_setup_")}
    assert {*KNOWN} == ours | looked_up | {"provision_changed"}
    assert {"vendor", "path"} <= used - ours  # the variables of authorize have no prefix


def test_documented_variables_are_not_reported_as_misspelt():
    tables = "\n".join(path.read_text(encoding="utf-8") for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")])
    rows = re.findall(r"^\| (`(?:provision|schedule|status|vault_setup)_[^|]*) \|", tables, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert documented == {*KNOWN} - {"provision_changed"}
    for name in documented:
        assert misspelt([name], [name], documented) == []


@pytest.mark.parametrize(
    ("slip", "asked"),
    [
        ("provision_mod", "provision_mode"),
        ("provision_token", "provision_tokens"),
        ("schedule_minute", "schedule_minutes"),
        ("schedule_enviroment_file", "schedule_environment_file"),
        ("status_textfle", "status_textfile"),
        ("vault_setup_secret_id_fil", "vault_setup_secret_id_file"),
        ("vault_stup_secret_id_file", "vault_setup_secret_id_file"),
    ],
)
def test_a_misspelt_variable_of_ours_is_reported_whether_or_not_the_right_one_is_set(slip, asked):
    assert misspelt([asked], [], [slip, asked, "provision_result", 5]) == [(slip, asked)]
    assert misspelt([asked], [asked], [slip]) == [(slip, asked)]
    assert misspelt(["my_other"], [], [slip]) == []


def test_a_misspelt_variable_of_others_is_reported_only_if_the_right_one_is_unset():
    assert misspelt(["my_tokens"], ["my_tokens"], ["my_token", "our_tokens"]) == [("my_token", "my_tokens")]
    assert misspelt(["my_tokens"], [], ["my_token", "my_tokens"]) == []
    assert misspelt(["my_tokens", "my_token"], ["my_tokens"], ["my_token"]) == []
    assert misspelt(["vendor"], ["vendor"], ["vendors"]) == []
    assert misspelt(["_token"], ["_token"], ["_tokens"]) == []


def test_only_known_names_make_a_prefix_ours():
    assert misspelt(["status_mine"], [], ["status_jsn"]) == []
    assert misspelt(["status_json"], [], ["status_jsn"]) == [("status_jsn", "status_json")]
