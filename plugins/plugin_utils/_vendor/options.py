# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The options that describe a vendor, and what each of them decides."""

from __future__ import annotations

import typing as t

__all__ = ("NEVER_SHARED_OPTIONS", "VENDOR_OPTIONS")

DESTINATION = "where the credentials go"
CREDENTIALS = "which credentials are sent"
AUTHENTICATION = "how the credentials are sent, and as whose"
SENT_ALONG = "what is sent with the credentials"
ANSWER = "how the answer is read"

#: Each has a separate variable per vendor, and none for all vendors.
VENDOR_OPTIONS: t.Mapping[str, str] = {
    "base_url": DESTINATION,
    "token_url": DESTINATION,
    "issuer": DESTINATION,
    "revocation_url": DESTINATION,
    "device_authorization_url": DESTINATION,
    "variant": DESTINATION,
    "path": CREDENTIALS,
    "credential_fields": CREDENTIALS,
    "grant_type": AUTHENTICATION,
    "client_auth": AUTHENTICATION,
    "request_method": AUTHENTICATION,
    "request_format": AUTHENTICATION,
    "assertion_audience": AUTHENTICATION,
    "assertion_algorithm": AUTHENTICATION,
    "transit_key": AUTHENTICATION,
    "http_client_cert": AUTHENTICATION,
    "http_client_key": AUTHENTICATION,
    "scope": SENT_ALONG,
    "audience": SENT_ALONG,
    "resource": SENT_ALONG,
    "request_headers": SENT_ALONG,
    "extra_parameters": SENT_ALONG,
    "response_format": ANSWER,
    "token_field": ANSWER,
    "refresh_token_field": ANSWER,
    "expires_field": ANSWER,
    "default_lifetime": ANSWER,
}
#: One vendor's values must not apply to another vendor: they would redirect its credentials, or be sent to it.
NEVER_SHARED_OPTIONS = tuple(option for option, decides in VENDOR_OPTIONS.items() if decides != ANSWER)
