# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Trackunit IRIS, construction machines. Source: Trackunit Developer Hub, "Access IRIS APIs" and "API tokens v2"."""

from __future__ import annotations

from .._base.model import Vendor

__all__ = ("VENDOR",)

VENDOR = Vendor(
    name="trackunit",
    base_url="https://auth.trackunit.com",
    token_url="/token",
    grant_type="password",
    client_auth="basic",
    request_headers={"Accept": "application/json"},
    scope="api",  # "api offline_access" also returns a refresh token, which is rotated at every use
    variant="password",
    variants={
        "password": {},
        "v2": {
            "token_url": "/token/v2",
            "grant_type": "client_credentials",
            "client_auth": "post",
            "scope": "",
            "scope_use": "required",
            "use_refresh_token": False,
        },
    },
)
