# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers' answers that differ from the RFC: what is read, what is refused, what is reported."""

from __future__ import annotations

import base64
import dataclasses
import json
from email.utils import formatdate

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpRequest, SecretField, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.strict_json import WrittenNumber
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.answer import read_answer
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.request import Grant, build_request, credentials, grants
from support.scripted import NOW, access, answer, error, request_for

ACME = Vendor("acme", base_url="https://a.example", token_url="/t", client_auth="basic")


def read(reply, *, secrets=("s3cr3t",), identifiers=(), doubts=(), grant="client_credentials", warn=lambda text: None, received_at=NOW + 1, **vendor):
    request = request_for(dataclasses.replace(ACME, **vendor))
    return read_answer(
        request,
        reply,
        grant=Grant(grant, {}),
        sent=HttpRequest("POST", "https://a.example", {}, secrets=tuple(secrets), identifiers=tuple(identifiers), doubts=tuple(doubts)),
        requested_at=NOW,
        received_at=received_at,
        secret_version="7",
        warn=warn,
    )


def failure(reply, **keywords):
    with pytest.raises(VendorError) as caught:
        read(reply, **keywords)
    return caught.value


def jwt_with(**claims):
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".sig"


# -- lifetimes ---------------------------------------------------------------------------------------------------------

TOLD = "acme: the lifetime of the token for secret/fleet/x, 'expires_in' in the vendor's answer, "


@pytest.mark.parametrize(
    ("token", "said", "lifetime", "warning"),
    [
        ("abc", 0, 300, "says that it has already expired, so default_lifetime is used, 300 s. Set expires_field or default_lifetime."),
        ("abc", -1, 300, "says that it has already expired, so default_lifetime is used, 300 s. Set expires_field or default_lifetime."),
        ("abc", "2020-01-01", 300, "says that it has already expired, so default_lifetime is used, 300 s. Set expires_field or default_lifetime."),
        ("abc", "soon", 300, "is not understood, so default_lifetime is used, 300 s. Set expires_field or default_lifetime."),
        (
            jwt_with(exp=NOW + 900),
            0,
            900,
            "says that it has already expired, so the expiry in the token itself is used. Set expires_field or default_lifetime.",
        ),
        (jwt_with(exp=NOW - 900), 0, 300, "says that it has already expired, so default_lifetime is used, 300 s. Set expires_field or default_lifetime."),
        ("abc", None, 300, None),
        ("abc", 1, 1, None),
        ("abc", "PT1H", 3600, None),
        (jwt_with(exp=NOW + 900), None, 900, None),
    ],
)
def test_an_unusable_lifetime_is_replaced_with_a_warning(token, said, lifetime, warning):
    warnings = []
    assert read(access(token, lifetime=said), warn=warnings.append).lifetime == pytest.approx(lifetime)
    assert warnings == ([TOLD + warning] if warning else [])


def test_an_expiry_field_may_begin_with_a_dot():
    reply = answer(200, {"access_token": "t", ".issued": "x", ".expires": formatdate(NOW + 60, usegmt=True)})
    assert read(reply, expires_field=".expires").lifetime == 60


@pytest.mark.parametrize(
    ("ahead", "lifetime", "is_warned"),
    [
        (3600, 600, False),
        (-3600, 600, False),
        (86_000, 600, False),
        (NOW, 600, True),  # Date: 1970
        (-400 * 86_400, 600, True),
    ],
)
def test_a_vendor_clock_more_than_a_day_off_is_not_believed(ahead, lifetime, is_warned):
    """An absolute expiry goes by the vendor's clock, if the answer gives its time."""
    warnings = []
    at = NOW + 600 if is_warned else NOW + 600 - ahead
    reply = answer(200, {"access_token": "t", "expires_at": at}, date=formatdate(NOW - ahead, usegmt=True))
    assert read(reply, expires_field="expires_at", received_at=NOW, warn=warnings.append).lifetime == lifetime
    days = f"{abs(ahead) / 86400:.0f} days {'behind' if ahead > 0 else 'ahead'}"
    expected = (
        f"acme: the clock of the vendor is {days}, according to the Date of its answer. That is too far off to be used, so the expiry of its token is "
        "calculated with the clock "
        "of this machine. Check that clock."
    )
    assert warnings == ([expected] if is_warned else [])


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_scheme_before_the_token_is_removed():
    assert read(access("Bearer abc")).access_token == "abc"


@pytest.mark.parametrize(
    ("body", "vendor"),
    [
        ({"refreshToken": "r"}, {}),
        ({"RefreshToken": "r"}, {}),
        ({"refresh-token": "r"}, {}),
        ({"data": {"token": "t", "refresh_token": "r"}}, {"token_field": "data.token"}),
        ({"data": {"token": "t", "refreshToken": "r"}}, {"token_field": "data.token"}),
        ({"renewal": {"value": "r"}}, {"refresh_token_field": "renewal.value"}),
        ({"refresh_token": "other", "renewal": "r"}, {"refresh_token_field": "renewal"}),
    ],
)
def test_a_refresh_token_is_found_under_other_names(body, vendor):
    got = read(answer(200, {"access_token": "t", **body}), **vendor)
    assert (got.refresh_token, got.extra.get("renewal") or None) == ("r", None)


def test_an_unusable_refresh_token_is_none():
    for nothing in ({}, {"refresh_token": ""}, {"refresh_token": 5}, {"refreshToken": {"a": 1}}):
        assert read(answer(200, {"access_token": "t", **nothing})).refresh_token is None


def test_extra_contains_no_secret():
    reply = access(
        "t0ken-of-now",
        refreshToken="r3fresh",
        idToken="x",
        data={"refresh_token": "y", "client_secret": "s3cr3t", "kept": 1},
        note="it was s3cr3t",
        url="https://a.example/r3fresh",
        self="t0ken-of-now",
        client="the-id",
    )
    got = read(reply, secrets=("s3cr3t", "the-id"), identifiers=("the-id",))
    assert got.extra == {"data": {"kept": 1}, "client": "the-id"}
    assert json.loads(json.dumps(read(answer(200, b'{"access_token": "t", "a": {"b": 1e999}}')).extra, allow_nan=False)) == {"a": {"b": None}}


def test_a_scope_or_type_that_repeats_a_secret_is_dropped():
    got = read(answer(200, {"access_token": "t0k", "scope": "all s3cr3t", "token_type": "s3cr3t"}))
    assert (got.scope, got.token_type) == (None, "Bearer")
    assert read(answer(200, {"access_token": "t0k", "token_type": "x" * 101})).token_type == "Bearer"


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        ({"result": {"path": "my3.example", "credentials": {"sessionId": "s3ssion", "database": "fleet"}}}, {"result": {"path": "my3.example"}}),
        ({"result": {"credentials": {"sessionId": "s3ssion"}}, "jsonrpc": "2.0"}, {"jsonrpc": "2.0"}),
        ({"result": {"credentials": {"sessionId": "s3ssion", "list": [1]}, "at": 5}}, {"result": {"at": 5}}),
    ],
)
def test_fields_beside_a_nested_token_are_in_extra(body, extra):
    got = read(answer(200, body), token_field="result.credentials.sessionId")
    assert (got.access_token, got.extra) == ("s3ssion", extra)
    flat = read(answer(200, {"a.b": "tok", "data": {"token": "tok2", "expires": 60, "user": "u"}}), token_field="data.token", expires_field="data.expires")
    assert (flat.lifetime, flat.extra) == (60, {"a.b": "tok", "data": {"user": "u"}})


def test_session_ids_under_short_names_are_secret():
    assert read(access("t", eid="x1", gis_sid="x2", ssid="x3", PHPSESSID="x4", host="h")).extra == {"host": "h"}


def test_a_large_answer_has_no_extra():
    assert read(access("t", more="x " * 33_000, note="kept")).extra == {}


@pytest.mark.parametrize(
    ("body", "vendor"),
    [
        (b"access_token=tok&expires=60", {"response_format": "form", "expires_field": "expires"}),
        (b"tok\n", {"response_format": "text", "default_lifetime": 60}),
        (b'"tok"', {"response_format": "text", "default_lifetime": 60}),
        (b'[{"access_token": "tok", "expires_in": 60}]', {"token_field": "0.access_token", "expires_field": "0.expires_in"}),
    ],
)
def test_answers_in_other_formats_are_read(body, vendor):
    got = read(answer(200, body), **vendor)
    assert (got.access_token, got.lifetime, got.extra) == ("tok", 60, {})


def test_an_answer_in_another_format_gets_advice():
    assert failure(answer(200, b"access_token=t&expires=5")).message == (
        "acme: the vendor at a.example gave no token for secret/fleet/x (version 7): its answer is form-encoded (HTTP 200). Set response_format=form."
    )


# -- refusals ----------------------------------------------------------------------------------------------------------

REFUSED = "acme: the vendor refused the credentials at secret/fleet/x (version 7): "
NEXT = "the next attempt is made as soon as the secret changes, or in 30 s."
BASIC = "Check client_id and client_secret there, and whether the vendor accepts client_auth=basic"


def test_an_empty_error_beside_a_token_is_ignored():
    for nothing in ("none", "", 0, "0", False, None, {}, {"code": 0, "message": ""}):
        assert read(access("t", error=nothing)).access_token == "t"
    assert failure(access("t", error="invalid_client")).kind == "refused"


def test_success_false_is_a_refusal():
    refused = failure(answer(200, {"success": False, "msg": "wrong s3cr3t"}))
    assert refused.message == f"{REFUSED}HTTP 200. Check client_id and client_secret there; {NEXT} The vendor says: wrong ***"
    assert refused.kind == "refused"
    assert read(access("t", success=False)).access_token == "t"


@pytest.mark.parametrize(
    ("reply", "vendor", "advice"),
    [
        (error("invalid_client", 401), {}, BASIC),
        (error("invalid_client", 401), {"client_auth": "post"}, BASIC.replace("basic", "post")),
        (
            error("invalid_client", 401),
            {"client_auth": "private_key_jwt"},
            "Check client_id and private_key there, assertion_audience, assertion_algorithm, and whether the vendor accepts client_auth=private_key_jwt",
        ),
        (
            error("unauthorized_client", 401),
            {"client_auth": "private_key_jwt", "transit_key": "transit/acme"},
            "Check client_id there, transit_key, assertion_audience, assertion_algorithm, whether the vendor accepts client_auth=private_key_jwt, "
            "and that the client may use this grant",
        ),
        (
            error("invalid_client", 401),
            {"client_auth": "tls_client_auth"},
            "Check client_id there, that the vendor knows the certificate, and whether the vendor accepts client_auth=tls_client_auth",
        ),
        (
            error("unauthorized_client", 401),
            {},
            "Check client_id and client_secret there, whether the vendor accepts client_auth=basic, and that the client may use this grant",
        ),
        (error("unauthorized_client", 400), {}, "Check that the client may use this grant there"),
    ],
)
def test_the_advice_depends_on_the_vendor_and_the_error(reply, vendor, advice):
    assert failure(reply, **vendor).message == f"{REFUSED}{reply_code(reply)}. {advice}; {NEXT}"


def reply_code(reply):
    return json.loads(reply.body)["error"]


def test_a_plain_text_error_is_shown():
    assert failure(answer(400, b"No such s3cr3t\n", content_type="text/plain; charset=utf-8")).message.endswith(" The vendor says: No such ***")
    assert "The vendor says" not in failure(answer(400, b"<p>No</p>", content_type="text/html")).message


@pytest.mark.parametrize("headers", [{"retry_after": "60"}, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW) + 61)}])
def test_a_403_with_rate_limit_headers_is_no_refusal(headers):
    limited = failure(answer(403, {"message": "API rate limit exceeded"}, **headers))
    assert (limited.kind, limited.retry_after, limited.status) == ("unavailable", 60, 403)
    assert "has received too many requests (HTTP 403)" in limited.message


# -- credentials as people enter them ----------------------------------------------------------------------------------


def sent(data, **vendor):
    request = request_for(dataclasses.replace(ACME, **vendor))
    fields = credentials(request, data)
    return fields, build_request(request.vendor, grants(request.vendor, fields)[0], fields)


def test_white_space_and_schemes_around_credentials_are_removed():
    fields, _request = sent({"client_id": " the-id\n", "client_secret": "s3cr3t\r\n"})
    assert fields == {"client_id": "the-id", "client_secret": "s3cr3t"}
    fields, _request = sent({"client_id": "i", "client_secret": "s", "refresh_token": "Bearer r\n"}, grant_type="refresh_token")
    assert fields["refresh_token"] == "r"


@pytest.mark.parametrize("value", ["Bearer c0nnect", " c0nnect ", "bearer  c0nnect\n"])
def test_a_scheme_before_a_connect_token_is_removed(value):
    request = request_for("tracx")
    assert credentials(request, {"connect_token": value}) == {"connect_token": "c0nnect"}


def test_a_scheme_before_a_header_field_is_replaced_by_the_configured_one():
    header = {"Authorization": SecretField("key", scheme="Token")}
    for value in ("abc", "Bearer abc", " abc\n"):
        _fields, request = sent({"key": value}, client_auth="none", request_headers=header, request_format="none")
        assert request.headers == {"Authorization": "Token abc"}
    _fields, request = sent({"key": "Bearer abc "}, client_auth="none", request_headers={"Authorization": SecretField("key")}, request_format="none")
    assert request.headers == {"Authorization": "Bearer abc"}  # intended


def test_a_refusal_mentions_white_space_around_the_secret():
    fields, request = sent({"client_id": "i", "client_secret": " s3cr3t", "username": "u", "password": "p "}, grant_type="password")
    assert (fields["client_secret"], fields["password"]) == (" s3cr3t", "p ")
    assert request.doubts == ("The secret has white space at an end of: client_secret, password.",)
    refused = failure(error("invalid_grant"), doubts=request.doubts, grant="password")
    assert (
        refused.message
        == f"{REFUSED}invalid_grant. Check username and password there; {NEXT} The secret has white space at an end of: client_secret, password."
    )


def test_numeric_credentials_are_sent_as_written():
    fields, _request = sent({"client_id": 12345678901234567890123, "client_secret": WrittenNumber("1.50")})
    assert fields == {"client_id": "12345678901234567890123", "client_secret": "1.50"}


def test_a_user_name_equal_to_a_password_is_a_secret():
    _fields, request = sent({"client_id": "the-id", "client_secret": "s3cr3t", "username": "u5er", "password": "the-id"}, grant_type="password")
    assert set(request.identifiers) == {"u5er"}  # a name that is also a password is a secret


# -- errors where others have refusals, and the other way round ---------------------------------------------------------


def test_an_error_with_retry_after_is_a_rate_limit_whatever_its_status():
    body = {"error": {"code": -32000, "message": "API calls quota exceeded.", "data": {"type": "OverLimitException"}}, "jsonrpc": "2.0"}
    found = failure(answer(200, body, retry_after="58"))
    assert found.message == (
        "acme: the vendor at a.example has received too many requests (OverLimitException), so there is no token for secret/fleet/x (version 7). "
        "Try again later; the credentials were not refused. It asks to wait 58 s."
    )
    assert (found.kind, found.retryable, found.retry_after) == ("unavailable", True, 58)
    assert failure(answer(200, body)).kind == "refused"


def test_codes_in_passing_errors_are_temporary():
    found = failure(answer(200, {"error": 10, "reason": "Too many at once"}), passing_errors=("6", "10"))
    assert found.message == (
        "acme: the vendor at a.example is not available (10), so there is no token for secret/fleet/x (version 7). "
        "Try again later; the credentials were not refused. The vendor says: Too many at once"
    )
    assert (found.kind, found.retryable) == ("unavailable", True)
    assert failure(answer(200, {"error": 8}), passing_errors=("6", "10")).kind == "refused"


def test_server_error_with_401_is_a_refusal():
    found = failure(answer(401, {"error": "server_error", "error_description": "access_denied"}))
    assert (found.kind, found.code) == ("refused", "server_error")
    assert found.message.endswith("The vendor says: access_denied")
    assert failure(error("server_error")).kind == "unavailable"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("consent_required", "A person must consent to this client at the vendor first; "),
        (
            "invalid_dpop_proof",
            "The client must prove possession of its key with each request (DPoP), which is not supported here: turn that off for it at the vendor; ",
        ),
    ],
)
def test_errors_that_the_secret_cannot_fix_have_their_own_advice(code, advice):
    assert f"secret/fleet/x (version 7): {code}. {advice}" in failure(error(code)).message
