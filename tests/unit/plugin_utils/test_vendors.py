# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The built-in vendors are data, found by their files."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.custom import vendor_from_mapping
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in, names

#: The fields of the secret that a vendor needs, by vendor and variant (docs/vendors/).
FIELDS = {
    ("trackmage", "client_credentials"): ("client_id", "client_secret"),
    ("trackmage", "authorization_code"): ("client_id", "client_secret"),
    ("tracx", ""): ("connect_token",),
    ("tracktik", ""): ("client_id", "client_secret", "username", "password"),
    ("trackunit", "password"): ("client_id", "client_secret", "username", "password"),
    ("trackunit", "v2"): ("client_id", "client_secret"),
}


def test_the_four_vendors_are_built_in():
    assert {"trackmage", "tracktik", "trackunit", "tracx"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_a_built_in_vendor_is_well_formed_data(name):
    vendor = built_in(name)
    assert vendor.name == name
    assert not vendor.base_url or vendor.base_url.startswith("https://")
    assert vendor.request_headers.get("Accept") == "application/json", "each vendor's request_headers begin with Accept: application/json"
    assert not vendor.variant or vendor.variant in vendor.variants
    tree = ast.parse(inspect.getsource(sys.modules[f"{built_in.__module__}.{name}"]))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"__future__", "_base.model"}
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))


@pytest.mark.parametrize(("name", "variant"), FIELDS)
def test_each_variant_needs_its_documented_credentials(name, variant):
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.request import needed_fields

    vendor = built_in(name)
    assert needed_fields(vendor.as_variant(variant) if variant else vendor) == FIELDS[name, variant]


@pytest.mark.parametrize("name", [name for name in names() if name != "tracx"])
def test_a_built_in_vendor_can_be_described_as_a_custom_one(name):
    vendor = built_in(name)
    shape = {field.name: getattr(vendor, field.name) for field in dataclasses.fields(Vendor) if field.name != "name"}
    assert vendor_from_mapping(name, shape) == vendor
