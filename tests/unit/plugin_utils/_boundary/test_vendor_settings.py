# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that belong to one vendor; none of them applies to all vendors."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.vendor_settings import (
    ignored_settings,
    own_names,
    settings_of,
    with_own_settings,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.options import VENDOR_OPTIONS
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names

VALUES = {"vendor": "acme", "base_url": "https://of-oauth2.example", "scope": None, "min_ttl": 60}
DEFINITIONS = {name: {"type": "str"} for name in (*VENDOR_OPTIONS, "cache_path", "cache_vault_path") if name != "path"}


def found(values=VALUES, direct=(), **variables):
    asked = []

    def look(names):
        asked.extend(names)
        return {name: value for name, value in variables.items() if name in names}

    vendor, own, find = with_own_settings(values, DEFINITIONS, dict(direct), variables=look)
    assert vendor == values["vendor"]
    assert own == variables
    return find()


def test_each_vendor_has_its_own_setting_names():
    assert own_names("acme", DEFINITIONS) == {name: f"acme_{name}" for name in VENDOR_OPTIONS}
    assert settings_of("acme") != settings_of("other")


@pytest.mark.parametrize("vendor", ["A", "a-b", "9a", "", "a\n"])
def test_a_vendor_that_is_not_an_identifier_has_no_setting_names(vendor):
    assert own_names(vendor, DEFINITIONS) == {}


@pytest.mark.parametrize(
    ("vendor", "option", "meaning"),
    [
        ("cache", "path", "cache_path"),
        ("cache_vault", "path", "cache_vault_path"),
        ("assertion", "audience", "assertion_audience"),
        ("refresh", "token_field", "refresh_token_field"),
        ("x_assertion", "audience", "assertion_audience of x"),
        ("x_refresh", "token_field", "refresh_token_field of x"),
    ],
)
def test_a_setting_name_with_another_meaning_is_left_out(vendor, option, meaning):
    named = own_names(vendor, DEFINITIONS)
    assert set(VENDOR_OPTIONS) - set(named) == {option}
    other, _of, owner = meaning.partition(" of ")
    assert (own_names(owner, DEFINITIONS)[other] if owner else other) == f"{vendor}_{option}"


def test_no_two_settings_share_a_name():
    """Checked with vendors that could be confused: one whose name ends with the beginning of an option's name, and one without that ending."""
    starts = {option[:at] for option in VENDOR_OPTIONS for at, letter in enumerate(option) if letter == "_"}
    vendors = {"x", *starts, *(f"x_{start}" for start in starts), *(f"x_{start}_{other}" for start in starts for other in starts)}
    names = [name for vendor in vendors for name in own_names(vendor, DEFINITIONS).values()]
    assert len(names) == len(set(names)) > len(vendors)
    assert not set(names) & set(DEFINITIONS)


def test_settings_come_from_variables_and_environment_of_the_vendor(monkeypatch):
    monkeypatch.setenv("TRACKOPS_ACME_SCOPE", "read")
    monkeypatch.setenv("TRACKOPS_OTHER_SCOPE", "write")
    values = found(trackops_acme_base_url="https://acme.example")
    assert (values["base_url"], values["scope"], values["min_ttl"]) == ("https://acme.example", "read", 60)


def test_settings_of_oauth2_do_not_apply_to_named_vendors():
    assert found()["base_url"] is None
    assert found({**VALUES, "vendor": "a-b"})["base_url"] is None


def test_options_of_the_lookup_take_precedence():
    values = found({**VALUES, "base_url": "https://direct.example"}, direct={"base_url": "https://direct.example"}.items())
    assert values["base_url"] == "https://direct.example"


def test_a_setting_never_reaches_a_vendor_with_a_similar_name(monkeypatch):
    monkeypatch.setenv("TRACKOPS_X_ASSERTION_AUDIENCE", "https://x.example")
    assert found({**VALUES, "vendor": "x"})["assertion_audience"] == "https://x.example"
    assert found({**VALUES, "vendor": "x_assertion"})["audience"] is None


OPTIONS = ("scope", "client_auth", "path", "output")


def test_settings_for_all_vendors_are_ignored_with_a_warning():
    assert ignored_settings({}, (), OPTIONS) == []
    assert ignored_settings({"TRACKOPS_SCOPE": "", "TRACKOPS_ISSUER": "of oauth2"}, (), OPTIONS) == []
    (line,) = ignored_settings({"TRACKOPS_SCOPE": "read"}, (), OPTIONS)
    assert line.startswith("TRACKOPS_SCOPE is ignored: a setting for all vendors could send the credentials of one to another.")
    assert "TRACKOPS_TRACX_SCOPE" in line and "TRACKOPS_OAUTH2_SCOPE" in line
    (line,) = ignored_settings({"TRACKOPS_CLIENT_AUTH": "basic"}, (), OPTIONS)
    assert "TRACKOPS_TRACKUNIT_CLIENT_AUTH, " in line and "TRACKOPS_OAUTH2_CLIENT_AUTH, or that of" in line and "TRACX" not in line
    (line,) = ignored_settings({}, ("trackops_path",), OPTIONS)
    assert f"own name for it: {', '.join(f'trackops_{name}_path' for name in names())}, or that of" in line
    (line,) = ignored_settings({}, ("trackops_output",), ["output"])
    assert line == "trackops_output is ignored: give output with the lookup itself."
