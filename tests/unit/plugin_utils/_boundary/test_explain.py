# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How option values are shown, and what their sources are called. Whole plays: integration/test_token_info.py."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary import explain as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.options import Surroundings
from support.scripted import request_for

HIDDEN = "********"


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ("Direct", "direct"),
        ("default", "default"),
        ("None", "default"),
        ("var: trackops_scope", "variable trackops_scope"),
        ("env: SET", "environment SET"),
        ("env: EMPTY", "default"),
        ("/etc/ansible.cfg", "ini /etc/ansible.cfg"),
    ],
)
def test_the_source_of_a_value_is_named(origin, source):
    assert subject._worded(origin, {"SET": "x", "EMPTY": ""}) == source


@pytest.mark.parametrize("option", ["token", "password", "secret_id", "jwt", "refused", "aws_secret_key", "azure_client_secret"])
def test_a_secret_is_masked(option):
    assert subject._shown(option, "s3cr3t") == HIDDEN
    assert subject._shown(option, "") is None


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("scope", "read", "read"),
        ("min_ttl", 60, 60),
        ("validate_certs", False, False),
        ("url", "https://joe:pa@ss@vault.example/?token=x", f"https://{HIDDEN}@vault.example/?{HIDDEN}"),
        ("proxies", "http=joe:s3cr3t@proxy", f"{HIDDEN}@proxy"),
        ("vendors", {"b": {"scope": "x"}, "a": {}}, ["a", "b"]),
        ("extra_parameters", {"a": "s3cr3t", "b": {"secret_field": "api_key"}}, {"a": HIDDEN, "b": {"secret_field": "api_key"}}),
        ("credential_fields", {"username": "login"}, {"username": "login"}),
    ],
)
def test_values_are_shown_without_credentials(option, value, shown):
    assert subject._shown(option, value) == shown


def test_variables_of_the_vault_command_fill_unset_options():
    found = {"url": {"value": None, "source": "default"}, "token": {"value": "t", "source": "direct"}}
    environ = {"VAULT_ADDR": "https://vault.example:8200", "VAULT_TOKEN": "other"}
    subject._add_fallbacks(found, {"token": "t"}, Surroundings(environ, None, lambda _path: ""))
    assert found["url"] == {"value": "https://vault.example:8200", "source": "environment VAULT_ADDR"}
    assert found["token"] == {"value": "t", "source": "direct"}


def test_values_of_the_vendor_are_shown_as_its_defaults():
    found = {name: {"value": None, "source": "default"} for name in ("path", "base_url", "min_ttl")}
    found["scope"] = {"value": None, "source": "direct"}
    subject._add_defaults(found, request_for())
    assert found["path"] == {"value": "fleet/x", "source": "default of the vendor"}
    assert found["base_url"] == {"value": request_for().vendor.base_url, "source": "default of the vendor"}
    assert (found["min_ttl"]["value"], found["scope"]["value"]) == (None, None)
