# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""TrackMage, shipment tracking. Source: https://help.trackmage.com, "TrackMage API"."""

from __future__ import annotations

from .._base.model import Vendor

__all__ = ("VENDOR",)

VENDOR = Vendor(
    name="trackmage",
    base_url="https://api.trackmage.com",
    token_url="/oauth/v2/token",
    client_auth="post",
    request_method="GET",
    request_format="query",  # the secret is in the URL, so no message may show a URL
    request_headers={"Accept": "application/json"},
    authorize_url="/oauth/v2/auth",
    variant="client_credentials",
    variants={
        "client_credentials": {},
        "authorization_code": {
            "grant_type": "authorization_code",
            "request_method": "POST",
            "request_format": "json",
        },
    },
)
