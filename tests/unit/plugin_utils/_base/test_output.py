# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms in which callers get a token."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.output import OUTPUTS, iso_time, present
from support.scripted import NOW, token

TOKEN = token("abc", lifetime=3600.9, scope="s", extra={"user_id": "u"}, refresh_token="r3fresh", source="cache")


def test_times_are_printed_in_iso_8601_utc():
    assert iso_time(1_800_000_060.9) == "2027-01-15T08:01:00Z"


@pytest.mark.parametrize(
    ("output", "scheme", "expected"),
    [
        ("token", "Bearer", "abc"),
        ("authorization", "Bearer", "Bearer abc"),
        ("authorization", "", "abc"),
        ("headers", "Bearer", {"Authorization": "Bearer abc"}),
        ("headers", "", {"Authorization": "abc"}),
    ],
)
def test_each_output_has_its_form(output, scheme, expected):
    assert present(TOKEN, output, vendor="tracx", scheme=scheme, now=NOW) == expected


def test_details_have_no_refresh_token():
    details = present(TOKEN, "details", vendor="tracx", scheme="", now=NOW + 0.5)
    assert details == {
        "vendor": "tracx",
        "access_token": "abc",
        "token_type": "raw",  # the header contains only the token
        "authorization": "abc",
        "expires_at": int(NOW) + 3600,
        "expires_in": 3600,
        "issued_at": int(NOW),
        "scope": "s",
        "source": "cache",
        "extra": {"user_id": "u"},
    }
    usual = present(TOKEN, "details", vendor="tracx", scheme="Token", now=NOW)
    assert (usual["token_type"], usual["authorization"]) == ("Bearer", "Token abc")
    assert present(TOKEN, "details", vendor="tracx", scheme="", now=NOW + 9999)["expires_in"] == 0
    assert set(OUTPUTS) == {"token", "authorization", "headers", "details"}
