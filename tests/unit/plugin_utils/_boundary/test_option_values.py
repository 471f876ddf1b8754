# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dictionaries that are given as texts or files."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.option_values import as_mapping


def read(path):
    if path.startswith("/none"):
        raise OSError(2, "No such file or directory")
    return {"/vendors.yml": "acme: {token_url: https://x}", "/named.yml": "trackops_vendors: {acme: {}}", "/bad.yml": "[1"}[path]


def mapping(value, name="extra_parameters"):
    return as_mapping(name, value, read_file=read)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), ({"a": 1}, {"a": 1}), ('{"a": 1}', {"a": 1}), ("a: 1", {"a": 1}), ("a: 1\nb: 2", {"a": 1, "b": 2}), ("", None), ("null", None)],
)
def test_texts_are_parsed_as_json_or_yaml(value, expected):
    assert mapping(value) == expected


def test_only_vendors_may_name_a_file():
    assert mapping("/vendors.yml", "vendors") == {"acme": {"token_url": "https://x"}}
    assert mapping("/named.yml", "vendors") == {"acme": {}}
    assert mapping('{"acme": {}}', "vendors") == {"acme": {}}
    assert mapping("acme:\n  scope: x", "vendors") == {"acme": {"scope": "x"}}
    with pytest.raises(OptionError) as caught:
        mapping("/vendors.yml")
    assert caught.value.message == "extra_parameters must be a dictionary, not a string."


@pytest.mark.parametrize(
    ("value", "name", "message"),
    [
        ("/none", "vendors", "trackops_vendors (TRACKOPS_VENDORS): the file '/none' cannot be read (no such file or directory)."),
        (
            "/none" + "x" * 4000,
            "vendors",
            f"trackops_vendors (TRACKOPS_VENDORS): the file '/none{'x' * 94}\N{HORIZONTAL ELLIPSIS}' cannot be read (no such file or directory).",
        ),
        ("/bad.yml", "vendors", "trackops_vendors must be a dictionary, or the JSON or YAML text of one."),
        ("{", "extra_parameters", "extra_parameters must be a dictionary, or the JSON or YAML text of one."),
        ("[" * 1000, "extra_parameters", "extra_parameters must be a dictionary, or the JSON or YAML text of one."),
        ("a: 2020-99-99", "extra_parameters", "extra_parameters must be a dictionary, or the JSON or YAML text of one."),
        *(
            (f"{{a: {value}}}", name, f"{shown} must be a dictionary, or the JSON or YAML text of one.")
            for value in ("!!timestamp x", '!!int ""', '!!float ""', "!!int _", "!!bool foo", f"!!float 1{':1' * 999}")
            for name, shown in (("extra_parameters", "extra_parameters"), ("vendors", "trackops_vendors"))
        ),
        ("yes", "extra_parameters", "extra_parameters must be a dictionary, not a boolean."),
        ("12", "extra_parameters", "extra_parameters must be a dictionary, not a number."),
        ("2020-01-02", "extra_parameters", "extra_parameters must be a dictionary, not date."),
        ("[1]", "request_headers", "request_headers must be a dictionary, not a list."),
        ([{"name": "acme"}], "vendors", "trackops_vendors must be a dictionary of vendors by their names, not a list."),
        ("- name: acme\n- name: b", "vendors", "trackops_vendors must be a dictionary of vendors by their names, not a list."),
    ],
)
def test_a_value_that_is_not_a_dictionary_is_refused(value, name, message):
    with pytest.raises(OptionError) as caught:
        mapping(value, name)
    assert caught.value.message == message


def test_a_tilde_is_expanded_to_home(monkeypatch):
    monkeypatch.setenv("HOME", "")
    monkeypatch.setenv("HOME", "/")
    assert mapping("~/vendors.yml", "vendors") == {"acme": {"token_url": "https://x"}}
