# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A value that does not fit its option: the message names the option, the variable or file that sets it, and what would fit."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.wrong_value import Sources, wrong_value

DEFINITIONS = {
    "cache": {
        "choices": ["file", "vault", "none"],
        "type": "str",
        "env": [{"name": "TRACKOPS_CACHE"}],
        "vars": [{"name": "trackops_cache"}],
        "ini": [{"section": "trackops_api_tokens", "key": "cache"}],
    },
    "min_ttl": {"type": "float", "env": [{"name": "OLD_MIN_TTL"}, {"name": "TRACKOPS_MIN_TTL"}], "aliases": ["least"]},
    "token": {"type": "str", "env": [{"name": "VAULT_TOKEN"}]},
}
# What ansible-core 2.16, 2.19 and 2.21 say.
CHOICE = (
    'Invalid value "valt" for configuration option "plugin_type: lookup plugin: x setting: cache ", valid values are: file, vault, none',
    "Invalid value 'valt' for config 'cache'.",
)
TYPE = (
    "Invalid type for configuration option plugin_type: lookup plugin: x setting: min_ttl (from env: T): could not convert string to float: 'soon'",
    "Config 'min_ttl' from 'Direct' has an invalid value: Invalid value provided for 'float': 'soon'.",
)


def sources(direct=None, variables=None, environ=None, config_file=None):
    return Sources(direct or {}, variables or {}, environ or {}, config_file)


@pytest.mark.parametrize("said", CHOICE)
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"direct": {"cache": "valt"}, "environ": {"TRACKOPS_CACHE": "file"}}, "cache cannot be 'valt'."),
        ({"variables": {"trackops_cache": "valt"}, "environ": {"TRACKOPS_CACHE": "file"}}, "cache (trackops_cache) cannot be 'valt'."),
        ({"environ": {"TRACKOPS_CACHE": "valt"}}, "cache (TRACKOPS_CACHE) cannot be 'valt'."),
        ({"config_file": "/etc/ansible/ansible.cfg"}, "cache (/etc/ansible/ansible.cfg) has an invalid value."),
    ],
)
def test_a_wrong_choice_names_option_source_and_choices(said, where, expected):
    assert wrong_value("tracx", DEFINITIONS, sources(**where), said) == f"tracx: {expected} Use one of: file, vault, none."


@pytest.mark.parametrize("said", TYPE)
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"direct": {"min_ttl": "soon"}}, "min_ttl cannot be 'soon'."),
        ({"direct": {"least": "soon"}}, "min_ttl cannot be 'soon'."),
        ({"environ": {"TRACKOPS_MIN_TTL": "soon", "OLD_MIN_TTL": "5"}}, "min_ttl (TRACKOPS_MIN_TTL) cannot be 'soon'."),
        ({"direct": {"min_ttl": ["a secret"]}}, "min_ttl has an invalid value."),
    ],
)
def test_a_wrong_type_names_option_source_and_type(said, where, expected):
    assert wrong_value("tracx", DEFINITIONS, sources(**where), said) == f"tracx: {expected} It must be a number."


def test_a_value_that_may_be_secret_is_not_shown():
    said = "Config 'token' from 'Direct' has an invalid value: Invalid value provided for 'str': ['hvs.secret']."
    assert wrong_value("tracx", DEFINITIONS, sources({"token": ["hvs.secret"]}), said) == "tracx: token has an invalid value. It must be a string."


def test_an_unrelated_message_is_left_to_ansible():
    assert wrong_value("tracx", DEFINITIONS, sources(), "Something about a cache") is None
