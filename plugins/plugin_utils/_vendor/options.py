# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The options that describe a vendor, and what each of them decides."""

from __future__ import annotations

import typing as t

__all__ = ("DESCRIBING", "STEERING")

WHERE_TO = "where the credentials go"
CREDENTIALS = "which credentials are sent"
HOW = "how the credentials are sent, and as whose"
WITH_THEM = "what is sent with the credentials"
ANSWER = "how the answer is read"

#: Each has a separate variable per vendor, and none for all vendors.
DESCRIBING: t.Mapping[str, str] = {
    "base_url": WHERE_TO,
    "token_url": WHERE_TO,
    "issuer": WHERE_TO,
    "revocation_url": WHERE_TO,
    "device_authorization_url": WHERE_TO,
    "variant": WHERE_TO,
    "path": CREDENTIALS,
    "credential_fields": CREDENTIALS,
    "grant_type": HOW,
    "client_auth": HOW,
    "request_method": HOW,
    "request_format": HOW,
    "assertion_audience": HOW,
    "assertion_algorithm": HOW,
    "transit_key": HOW,
    "http_client_cert": HOW,
    "http_client_key": HOW,
    "scope": WITH_THEM,
    "audience": WITH_THEM,
    "resource": WITH_THEM,
    "request_headers": WITH_THEM,
    "extra_parameters": WITH_THEM,
    "response_format": ANSWER,
    "token_field": ANSWER,
    "refresh_token_field": ANSWER,
    "expires_field": ANSWER,
    "default_lifetime": ANSWER,
}
#: One vendor's values must not apply to another vendor: they would redirect its credentials, or be sent to it.
STEERING = tuple(option for option, decides in DESCRIBING.items() if decides != ANSWER)
