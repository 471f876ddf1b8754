# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Suggestions for an option that is unknown or unused."""

from __future__ import annotations

import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.suggestion import nearest_option, refuse_mount_without_login
from support.option_definitions import file_of

OPTIONS = {*json.loads(file_of("trackunit").read_text(encoding="utf-8")), "path"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mountpoint", "engine_mount_point"),
        ("Mount", "engine_mount_point"),
        ("secret", "path"),
        ("mount_pont", "mount_point"),
        ("min_tll", "min_ttl"),
        ("xyz", ""),
    ],
)
def test_the_nearest_option_is_suggested(name, meant):
    assert nearest_option(name, OPTIONS) == meant


def test_only_existing_options_are_suggested():
    assert nearest_option("mountpoint", ["min_ttl"]) == ""
    assert nearest_option("mountpoint", iter(["mount_point"])) == "mount_point"


@pytest.mark.parametrize(("values", "method"), [({}, "token"), ({"auth_method": "token"}, "token"), ({"auth_method": "none"}, "none")])
def test_mount_point_without_a_login_is_refused(values, method):
    with pytest.raises(OptionError) as caught:
        refuse_mount_without_login("tracx", {"mount_point": "kv"}, {**values, "mount_point": "kv"})
    why = f"mount_point belongs to the login and has no effect with auth_method={method}"
    assert caught.value.coded_message == f"tracx: {why}; did you mean engine_mount_point? [TRK-O04]"


@pytest.mark.parametrize(
    ("direct", "method"),
    [({}, "token"), ({"mount_point": ""}, "token"), ({"mount_point": None}, "none"), ({"mount_point": "ci"}, "approle")],
)
def test_mount_point_set_elsewhere_or_with_a_login_is_accepted(direct, method):
    refuse_mount_without_login("tracx", direct, {"mount_point": "set for all", "auth_method": method})
