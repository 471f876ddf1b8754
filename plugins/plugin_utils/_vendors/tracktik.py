# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""TrackTik, guard tours. Source: TrackTik developer guide, "API Service Account"."""

from __future__ import annotations

from .._base.model import Vendor

__all__ = ("VENDOR",)

VENDOR = Vendor(
    name="tracktik",
    token_url="/rest/oauth2/access_token",  # each customer has a portal, so the user must set base_url
    grant_type="password",
    client_auth="post",
    request_headers={"Accept": "application/json"},
    scope_use="forbidden",  # set on the vendor's client record
)
