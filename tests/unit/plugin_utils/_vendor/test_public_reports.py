# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Vendors' answers that users of other tools reported in public because those tools did not help them: here the message says what to do."""

from __future__ import annotations

import dataclasses
from email.utils import formatdate

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpRequest, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.answer import read_answer
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.request import JWT_BEARER_GRANT, Grant
from support.scripted import NOW, answer, request_for

ACME = Vendor("acme", base_url="https://a.example", token_url="/t", client_auth="post")
PLACE = "secret/fleet/x (version 7)"
NOT_ACCEPTED = (
    f"the vendor did not accept the request with the credentials at {PLACE}: {{}}. Check the options of this vendor "
    "(scope, variant, token_url, extra_parameters). The vendor says: {}"
)
AGAIN = "; the next attempt is made as soon as the secret changes, or in 30 s."


def message(reply, *, grant="client_credentials", **vendor):
    request = request_for(dataclasses.replace(ACME, **vendor))
    with pytest.raises(VendorError) as caught:
        read_answer(
            request,
            reply,
            grant=Grant(grant, {}),
            sent=HttpRequest("POST", "https://a.example", {}, secrets=("s3cr3t",)),
            requested_at=NOW,
            received_at=NOW + 1,
            secret_version="7",
            warn=pytest.fail,
        )
    return caught.value.message


def at(seconds):
    """A ``Date`` header that is this far from the clock of this machine."""
    return formatdate(NOW + 1 + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("reply", "vendor", "expected"),
    [
        pytest.param(
            answer(308, b"", location="https://api.us-2.crowdstrike.com/oauth2/token"),
            {},
            f"the vendor at a.example redirects to api.us-2.crowdstrike.com (HTTP 308); the credentials at {PLACE} are not sent on. "
            "Set base_url or token_url to the right address.",
            id="CrowdStrike/ansible_collection_falcon#217",
        ),
        pytest.param(
            answer(400, {"errorCode": 400, "message": "Bad Request", "issueId": "Q7P5EUSO5T6AXQYY"}),
            {},
            f"the vendor at a.example rejected the token request for {PLACE} (HTTP 400). Check the options of this vendor, and client_id and "
            "client_secret there. The vendor says: Bad Request",
            id="dynatrace-oss/terraform-provider-dynatrace#518",
        ),
        pytest.param(
            answer(400, {"error": "invalid_request", "error_description": "Invalid scope"}),
            {},
            NOT_ACCEPTED.format("invalid_request", "Invalid scope"),
            id="PagerDuty/terraform-provider-pagerduty#936",
        ),
        pytest.param(
            answer(400, {"reason": "unsupported grant type", "error": "unsupported_grant_type"}),
            {},
            NOT_ACCEPTED.format("unsupported_grant_type", "unsupported grant type"),
            id="zoom/server-to-server-oauth-token#3",
        ),
        pytest.param(
            answer(400, {"error": "invalid_grant", "error_description": "request not supported on this domain"}),
            {},
            f"the vendor refused the credentials at {PLACE}: invalid_grant. Check client_id and client_secret there{AGAIN} "
            "The vendor says: request not supported on this domain",
            id="pozil/pub-sub-api-node-client#58",
        ),
        pytest.param(
            answer(400, {"error": "invalid_dpop_proof", "error_description": "The DPoP proof JWT header is missing."}),
            {"client_auth": "private_key_jwt"},
            f"the vendor refused the credentials at {PLACE}: invalid_dpop_proof. The client must prove possession of its key with each "
            "request (DPoP), which is "
            f"not supported here: turn that off for it at the vendor{AGAIN} The vendor says: The DPoP proof JWT header is missing.",
            id="okta/terraform-provider-okta#1904",
        ),
        pytest.param(
            answer(
                401,
                {
                    "type": "com.vmware.vapi.std.errors.unauthenticated",
                    "value": {"messages": [{"args": [], "default_message": "Authentication required.", "id": "vapi.security.authentication.required"}]},
                },
            ),
            {"client_auth": "basic_raw", "grant_type": "password"},
            f"the vendor refused the credentials at {PLACE}: HTTP 401. Check client_id, client_secret, username and password there{AGAIN} "
            "The vendor says: Authentication required.",
            id="vmware/terraform-provider-vsphere#756",
        ),
        pytest.param(
            answer(200, b"<!DOCTYPE html><html>", content_type="text/html"),
            {},
            f"the vendor at a.example gave no token for {PLACE}: it answered with a web page instead of JSON (HTTP 200). Check base_url and token_url.",
            id="dynatrace-oss/dynatrace-mcp#31",
        ),
    ],
)
def test_publicly_reported_answers_are_explained(reply, vendor, expected):
    assert message(reply, **vendor) == f"acme: {expected}"


EXPIRED = {"error": "invalid_grant", "error_description": "Please check the 'exp' claim."}


@pytest.mark.parametrize(
    ("reply", "vendor", "grant"),
    [
        pytest.param(answer(400, EXPIRED, date=at(90)), {}, JWT_BEARER_GRANT, id="box/box-java-sdk#404"),
        pytest.param(
            answer(401, {"message": "'Expiration time' claim ('exp') must be a numeric value representing the future time"}, date=at(90)),
            {"client_auth": "bearer_jwt"},
            "client_credentials",
            id="sigmavirus24/github3.py#1050",
        ),
        pytest.param(
            answer(401, {"error": "invalid_client", "error_description": "AADSTS700024: Client assertion is not within its valid time range."}, date=at(90)),
            {"client_auth": "private_key_jwt"},
            "client_credentials",
            id="Azure-Samples/active-directory-dotnet-daemon-certificate-credential#46",
        ),
        pytest.param(answer(400, {"error": "invalid_grant"}, date=at(90)), {}, JWT_BEARER_GRANT, id="googleapis/oauth2client#193"),
    ],
)
def test_an_expired_proof_points_at_the_clock_difference(reply, vendor, grant):
    clock = " The clock of this machine is 90 s behind the vendor's, and a signed proof is valid for a minute: check that clock."
    assert f"{AGAIN}{clock}" in message(reply, grant=grant, grant_type=grant, **vendor)


@pytest.mark.parametrize(
    ("date", "grant", "is_mentioned"),
    [
        (at(-3600), JWT_BEARER_GRANT, "The clock of this machine is 3600 s ahead of the vendor's, "),
        (at(-21), JWT_BEARER_GRANT, "21 s ahead of"),
        (at(19), JWT_BEARER_GRANT, None),
        (at(3600), "password", None),  # it sends no proof
        ("yesterday", JWT_BEARER_GRANT, None),
    ],
)
def test_only_a_clock_difference_that_matters_is_mentioned(date, grant, is_mentioned):
    text = message(answer(400, EXPIRED, date=date), grant=grant, grant_type=grant)
    assert is_mentioned in text if is_mentioned else "clock" not in text
