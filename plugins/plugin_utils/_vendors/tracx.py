# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Tracx Connect, sport events. Source: Tracx Connect API, "Authentication"."""

from __future__ import annotations

from .._base.model import SecretField, Vendor

__all__ = ("VENDOR",)

VENDOR = Vendor(
    name="tracx",
    base_url="https://api.tracx.events",
    token_url="/v1/connect/session-token",
    grant_type="connect_token",
    client_auth="none",
    request_format="none",
    # The connect token is sent without "Bearer", and by default so is the session token.
    request_headers={"Accept": "application/json", "Authorization": SecretField("connect_token", scheme="")},
    scope_use="forbidden",
    token_field="data.token",
    expires_field="data.expires_at",
    authorization_scheme="",
    use_refresh_token=False,
)
