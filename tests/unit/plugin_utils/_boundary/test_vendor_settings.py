# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that belong to one vendor, and none that would hold for all."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.vendor_settings import (
    DESCRIBING,
    ignored_settings,
    own_variables,
    settings_of,
    with_own_settings,
)

VALUES = {"vendor": "acme", "base_url": "https://of-oauth2.example", "scope": None, "min_ttl": 60}
DEFINITIONS = {name: {"type": "str"} for name in DESCRIBING if name != "path"}


def found(values=VALUES, direct=(), **variables):
    asked = []

    def look(names):
        asked.extend(names)
        return {name: value for name, value in variables.items() if name in names}

    vendor, own, find = with_own_settings(values, DEFINITIONS, dict(direct), variables=look)
    assert vendor == values["vendor"]
    assert own == variables
    return find()


def test_its_own_name_for_each_setting():
    assert own_variables("acme") == [f"trackops_acme_{name}" for name in DESCRIBING]
    assert settings_of("acme") != settings_of("other")


@pytest.mark.parametrize("vendor", ["A", "a-b", "9a", "cache", "cache_vault", "", "a\n"])
def test_a_name_that_could_be_taken_for_another(vendor):
    assert own_variables(vendor) == []


def test_variables_and_environment_of_this_vendor(monkeypatch):
    monkeypatch.setenv("TRACKOPS_ACME_SCOPE", "read")
    monkeypatch.setenv("TRACKOPS_OTHER_SCOPE", "write")
    values = found(trackops_acme_base_url="https://acme.example")
    assert (values["base_url"], values["scope"], values["min_ttl"]) == ("https://acme.example", "read", 60)


def test_what_oauth2_itself_has_is_not_for_a_vendor_with_a_name():
    assert found()["base_url"] is None
    assert found({**VALUES, "vendor": "a-b"})["base_url"] is None


def test_what_is_given_with_the_lookup_stays():
    values = found({**VALUES, "base_url": "https://direct.example"}, direct={"base_url": "https://direct.example"}.items())
    assert values["base_url"] == "https://direct.example"


def test_settings_for_all_vendors_are_ignored_and_told():
    assert ignored_settings({}, ()) == []
    assert ignored_settings({"TRACKOPS_SCOPE": ""}, ()) == []
    (line,) = ignored_settings({"TRACKOPS_SCOPE": "read"}, ())
    assert line.startswith("TRACKOPS_SCOPE is ignored: a setting for all vendors could send the credentials of one to another.")
    assert "TRACKOPS_TRACX_SCOPE" in line and "TRACKOPS_OAUTH2_SCOPE" in line
    (line,) = ignored_settings({}, ("trackops_output",))
    assert line == "trackops_output is ignored: give output with the lookup itself."
