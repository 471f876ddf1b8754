# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.login_input import FIELDS
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.options import NEVER_SHARED_OPTIONS, VENDOR_OPTIONS
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names
from support.places import ROOT

# Options of no particular vendor: what is asked for, how the network is reached, where tokens are cached.
OF_ALL = (
    *(
        "_terms",
        "vendors",
        "output",
        "min_ttl",
        "max_age",
        "force",
        "refused",
        "secret_version",
        "engine_version",
        "engine_mount_point",
        "token_path",
        "token_file",
    ),
    *("authorization_scheme", "default_lifetime", "response_format", "token_field", "refresh_token_field", "expires_field"),
    *("http_ca_cert", "http_validate_certs", "http_proxy", "http_timeout", "http_retries", "http_deadline", "allow_http"),
    *("cache", "cache_path", "cache_vault_mount", "cache_vault_path", "failure_ttl", "audit_log"),
)


def documented(lookup):
    return json.loads((ROOT / f"plugins/plugin_utils/_boundary/option_definitions/{lookup}.json").read_text(encoding="utf-8"))


def test_each_option_is_listed_as_directing_credentials_or_not():
    """A new option must be added to one of the two lists."""
    assert sorted(documented("oauth2").keys() - {*FIELDS, "vendor"}) == sorted({*OF_ALL, *NEVER_SHARED_OPTIONS} - {"path"})


@pytest.mark.parametrize("lookup", [*names(), "oauth2"])
def test_options_with_vendor_variables_describe_the_vendor_and_have_no_other_variable(lookup):
    for option, about in documented(lookup).items():
        variables = [entry["name"] for entry in about.get("vars") or ()]
        assert (variables == [f"trackops_{lookup}_{option}"]) == any(f"_{lookup}_" in name for name in variables), option
        assert option in VENDOR_OPTIONS or not any(f"_{lookup}_" in name for name in variables), option
        assert option not in NEVER_SHARED_OPTIONS or lookup == "oauth2" or variables in ([], [f"trackops_{lookup}_{option}"]), option
