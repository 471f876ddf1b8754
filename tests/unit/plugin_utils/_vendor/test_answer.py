# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of answer that may come back (docs/vendors/)."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import string
from email.utils import formatdate
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpAnswer, HttpRequest, Token, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.answer import read_answer
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.request import Grant
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in, names
from hypothesis import given
from hypothesis import strategies as st
from support.scripted import NOW, access, answer, error, request_for

# -- good answers --------------------------------------------------------------------------------------------------


def read(reply, vendor="trackunit", *, grant=None, version="7", secrets=("s3cr3t", "p4ssw0rd"), received_at=NOW + 1, fields=None, doubts=(), **options):
    request = request_for(vendor, secret={"fields": fields or {}}, **options)
    grant = grant or Grant(request.vendor.grant_type, {})
    sent = HttpRequest("POST", "https://a.example", {}, secrets=secrets, doubts=tuple(doubts))
    return read_answer(request, reply, grant=grant, sent=sent, requested_at=NOW, received_at=received_at, secret_version=version, warn=lambda text: None)


def test_a_standard_answer_is_read():
    reply = access("abc", token_type="bearer", scope="user", refresh_token="r", id_token="never", user_id="u", user_email="e@x")
    assert read(reply, "trackmage") == Token("abc", "bearer", NOW + 3600, NOW, "user", {"user_id": "u", "user_email": "e@x"}, "r", "7")


def test_a_nested_answer_is_read():
    assert read(answer(200, {"data": {"token": "abc", "expires_at": NOW + 600}}), "tracx") == Token("abc", "Bearer", NOW + 600, NOW, None, {}, None, "7")


def jwt_with(**claims):
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".sig"


@pytest.mark.parametrize(
    ("token", "said", "lifetime"),
    [
        ("abc", 1200, 1200),
        ("abc", "1200", 1200),
        ("abc", 1200.5, 1200.5),
        ("abc", -5, 300),
        ("abc", 0, 300),
        ("abc", NOW + 60, 60),
        ("abc", NOW, 300),
        ("abc", str(int(NOW) + 60), 60),
        ("abc", (NOW + 60) * 1000, 60),
        ("abc", NOW - 60, 300),
        ("abc", "2027-01-15T08:01:00Z", 60),
        ("abc", "2027-01-15T09:01:00+01:00", 60),
        ("abc", "2027-01-15T08:01:00", 60),
        ("abc", "1970-01-02T00:00:00Z", 300),
        ("abc", 10**30, 315360000),
        ("abc", 10**400, 315360000),
        ("abc", -(10**400), 300),
        ("abc", None, 300),
        ("abc", "soon", 300),
        ("abc", True, 300),
        ("abc", [], 300),
        ("abc", "nan", 300),
        ("abc", "inf", 300),
        (jwt_with(exp=NOW + 900), None, 900),
        (jwt_with(exp=NOW + 900), 1200, 1200),
        (jwt_with(exp="x"), None, 300),
        (jwt_with(exp=NOW - 900), None, 300),
        (jwt_with(exp=NOW), None, 300),
        (jwt_with(exp=NOW + 900), 0, 900),
    ],
)
def test_the_lifetime_of_a_token_is_read(token, said, lifetime):
    got = read(access(token, lifetime=said))
    assert (got.issued_at, got.lifetime) == (NOW, pytest.approx(lifetime))


@pytest.mark.parametrize(("skew", "lifetime"), [(0, 600), (4, 600), (-4, 600), (3600, 600), (-3600, 600)])
def test_an_absolute_expiry_is_corrected_by_the_vendors_clock(skew, lifetime):
    reply = answer(200, {"data": {"token": "t", "expires_at": NOW + 600 + skew}}, date=formatdate(NOW + skew, usegmt=True))
    assert abs(read(reply, "tracx", received_at=NOW).lifetime - lifetime) <= 4


@pytest.mark.parametrize(("skew", "lifetime"), [(5, 605), (6, 600), (-5, 595), (-6, 600), (86400, 600), (86401, 87001)])
def test_only_a_clock_difference_of_seconds_to_a_day_is_corrected(skew, lifetime):
    reply = answer(200, {"data": {"token": "t", "expires_at": NOW + 600 + skew}}, date=formatdate(NOW + skew, usegmt=True))
    assert read(reply, "tracx", received_at=NOW).lifetime == lifetime


def test_a_wrong_date_header_does_not_shift_a_lifetime():
    assert read(answer(200, {"access_token": "t", "expires_in": 60}, date="Thu, 01 Jan 1970 00:00:00 GMT")).lifetime == 60


def test_harmless_deviations_are_accepted():
    assert read(answer(200, b'\xef\xbb\xbf{"access_token": "t"}')).access_token == "t"
    assert read(answer(200, b'{"access_token": "t", "note": "\xfc"}')).extra == {"note": "ü"}
    assert read(answer(201, {"access_token": "t", "error": None, "scope": ["a", "b"]})).scope == "a b"
    assert read(answer(200, {"access_token": "t", "scope": "s " * 4999 + "s"})).scope == "s " * 4999 + "s"


def test_extra_fields_of_an_answer_above_64_kib_are_dropped():
    start, end = b'{"access_token": "t", "note": "n", "p": "', b'"}'
    for size, extra in ((64 << 10, {"note": "n"}), ((64 << 10) + 1, {})):
        assert read(answer(200, start + b"-" * (size - len(start) - len(end)) + end)).extra == extra


ACME = Vendor("acme", base_url="https://a.example", token_url="/t", client_auth="basic")


@pytest.mark.parametrize(
    ("vendor", "body", "found"),
    [
        ({"refresh_token_field": "again"}, {"again": "r"}, "r"),
        ({"refresh_token_field": "again"}, {"again": 5, "refresh_token": "r"}, None),
        ({"token_field": "a.b.token"}, {"a": {"b": {"token": "t", "refresh_token": "r"}, "refresh_token": "no"}}, "r"),
    ],
)
def test_the_refresh_token_is_found_in_its_field(vendor, body, found):
    assert read(answer(200, {"access_token": "t", **body}), dataclasses.replace(ACME, **vendor)).refresh_token == found


# -- bad answers ---------------------------------------------------------------------------------------------------

AT = "at secret/fleet/x (version 7)"
BASIC = "Check client_id and client_secret there, and whether the vendor accepts client_auth=basic"
NEXT = "the next attempt is made as soon as the secret changes, or in 30 s."


def failure(reply, *arguments, **keywords):
    with pytest.raises(VendorError) as caught:
        read(reply, *arguments, **keywords)
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("invalid_grant", 400, f"the vendor refused the credentials {AT}: invalid_grant. Check username and password there; {NEXT}"),
        ("invalid_client", 401, f"the vendor refused the credentials {AT}: invalid_client. {BASIC}; {NEXT}"),
        ("unauthorized_client", 400, f"the vendor refused the credentials {AT}: unauthorized_client. Check that the client may use this grant there; {NEXT}"),
        ("access_denied", 403, f"the vendor refused the credentials {AT}: access_denied. Check client_id, client_secret, username and password there; {NEXT}"),
        (
            "invalid_request",
            400,
            f"the vendor did not accept the request with the credentials {AT}: invalid_request. "
            "Check the options of this vendor (scope, variant, token_url, extra_parameters).",
        ),
        (
            "unsupported_grant_type",
            400,
            f"the vendor did not accept the request with the credentials {AT}: unsupported_grant_type. "
            "Check the options of this vendor (scope, variant, token_url, extra_parameters).",
        ),
        (
            "invalid_scope",
            400,
            f"the vendor did not accept the request with the credentials {AT}: invalid_scope. Check the scope (scope, variant, token_url, extra_parameters).",
        ),
    ],
)
def test_the_codes_of_rfc_6749_are_explained(code, status, message):
    refused = failure(error(code, status))
    assert refused.message == f"trackunit: {message}"
    assert (refused.kind, refused.status, refused.code, refused.retryable) == ("refused", status, code, False)
    # Some vendors refuse with status 200.
    assert failure(error(code, 200)).message == f"trackunit: {message}"


@pytest.mark.parametrize(
    ("reply", "fault", "code"),
    [
        (error("invalid_grant"), "vendor:grant", "invalid_grant"),
        (error("invalid_client", 401), "vendor:refused", "invalid_client"),
        (error("x" * 100), "vendor:refused", "x" * 60),
        (answer(403), "vendor:refused", "HTTP 403"),
        (error("invalid_scope"), "vendor:request", "invalid_scope"),
        (error("temporarily_unavailable"), "vendor:unavailable", "temporarily_unavailable"),
        (error("x" * 100, 200, retry_after="7"), "vendor:refused", "x" * 60),
        (answer(200, {"error": "x" * 100}, retry_after="7"), "vendor:busy", "x" * 60),
        (answer(429), "vendor:busy", None),
        (answer(503), "vendor:unavailable", None),
        (answer(300), "vendor:redirect", None),
        (answer(399), "vendor:redirect", None),
        (answer(400), "vendor:rejected", None),
        (answer(199), "vendor:rejected", None),
        (answer(200), "vendor:answer", None),
    ],
)
def test_each_failure_has_its_fault_and_code(reply, fault, code):
    raised = failure(reply)
    assert (raised.fault, raised.status, raised.code) == (fault, reply.status, code)


def test_a_plain_text_error_is_shown():
    reply = answer(400, b" nein \xff", content_type="text/plain; charset=utf-8")
    assert failure(reply).message.endswith(" The vendor says: nein \ufffd")
    assert "nein" not in failure(answer(400, b"nein")).message


@pytest.mark.parametrize("ahead", [20, 21, -21])
def test_a_refused_proof_points_at_a_clock_difference(ahead):
    reply = dataclasses.replace(error("invalid_client", 401), headers={"date": formatdate(NOW + 1 - ahead, usegmt=True)})
    clock_texts = {
        21: " The clock of this machine is 21 s ahead of the vendor's, and a signed proof is valid for a minute: check that clock.",
        -21: " The clock of this machine is 21 s behind the vendor's, and a signed proof is valid for a minute: check that clock.",
    }
    jwt_bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    for vendor in ({"client_auth": "private_key_jwt"}, {"client_auth": "none", "grant_type": jwt_bearer}):
        assert failure(reply, dataclasses.replace(ACME, **vendor)).message.endswith(f" in 30 s.{clock_texts.get(ahead, '')}")
    assert failure(reply, ACME).message.endswith(" in 30 s.")


def test_doubts_are_listed_before_the_clock_difference():
    reply = dataclasses.replace(error("invalid_client", 401), headers={"date": formatdate(NOW - 20, usegmt=True)})
    text = failure(reply, dataclasses.replace(ACME, client_auth="private_key_jwt"), doubts=["One.", "Two."]).message
    assert " in 30 s. One. Two. The clock of this machine is 21 s" in text


@pytest.mark.parametrize(
    ("vendor", "advice"),
    [
        ({"request_format": "query", "request_method": "GET", "client_auth": "post"}, "Check client_id and client_secret there;"),
        ({"client_auth": "none"}, "Check the fields there, and whether the vendor accepts client_auth=none;"),
    ],
)
def test_the_advice_names_the_fields_to_check(vendor, advice):
    assert f" {advice} " in failure(error("invalid_client", 401), dataclasses.replace(ACME, **vendor)).message


def test_without_failure_ttl_a_refusal_names_no_next_attempt():
    text = failure(error("invalid_grant", 400), failure_ttl=0).message
    assert text == f"trackunit: the vendor refused the credentials {AT}: invalid_grant. Check username and password there."


def test_words_of_the_vendor_are_shown_without_secrets():
    reply = error("invalid_grant", error_description="user \r\n p4ssw0rd\x1b[31m is s3cr3t " + "x" * 300)
    assert failure(reply).message == (
        f"trackunit: the vendor refused the credentials {AT}: invalid_grant. Check username and password there; {NEXT} "
        f"The vendor says: user *** [31m is *** {'x' * 178}…"
    )


@pytest.mark.parametrize(
    ("vendor", "status", "names"),
    [
        ("trackunit", 401, "client_id, client_secret, username and password"),
        ("tracx", 403, "connect_token"),
        ("trackmage", 401, "client_id and client_secret"),
    ],
)
def test_401_and_403_without_a_code_are_refusals(vendor, status, names):
    for body in (None, b"<html>", {"message": ""}):
        refused = failure(answer(status, body), vendor)
        assert refused.message == f"{vendor}: the vendor refused the credentials {AT}: HTTP {status}. Check {names} there; {NEXT}"
        assert refused.kind == "refused"


def test_the_users_own_names_of_fields_are_shown():
    assert "Check api_key there;" in failure(answer(401), "tracx", fields={"connect_token": "api_key"}).message


def test_a_digest_is_not_shown_as_the_secret_version():
    assert "credentials at secret/fleet/x: HTTP 401" in failure(answer(401), version="v1:abcdef").message


@pytest.mark.parametrize("grant_type", ["authorization_code", "refresh_token"])
def test_a_revoked_consent_asks_for_consent_again(grant_type):
    vendor = built_in("trackmage").as_variant("authorization_code")
    refused = failure(error("invalid_grant"), vendor, grant=Grant(grant_type, {}))
    assert refused.message == (
        f"trackmage: the vendor refused the credentials {AT}: invalid_grant. The consent is no longer valid: run the playbook "
        f"trackops.api_tokens.authorize again; {NEXT}"
    )


@pytest.mark.parametrize(
    ("status", "headers", "message", "wait", "retryable"),
    [
        (429, {"retry_after": "17"}, "has received too many requests (HTTP 429)", 17, True),
        (429, {}, "has received too many requests (HTTP 429)", None, True),
        (503, {"retry_after": formatdate(NOW + 121, usegmt=True)}, "is not available (HTTP 503)", 120, True),
        (503, {"retry_after": formatdate(NOW + 121, usegmt=True), "date": formatdate(NOW + 61, usegmt=True)}, "is not available (HTTP 503)", 60, True),
        (503, {"retry_after": "later"}, "is not available (HTTP 503)", None, True),
        (502, {}, "is not available (HTTP 502)", None, True),
        (504, {}, "is not available (HTTP 504)", None, True),
        (500, {}, "is not available (HTTP 500)", None, False),
        (599, {}, "is not available (HTTP 599)", None, False),
    ],
)
def test_an_unavailable_vendor_is_no_refusal(status, headers, message, wait, retryable):
    later = failure(answer(status, b"<html>p4ssw0rd", **headers))
    asks = f" It asks to wait {wait} s." if wait is not None else ""
    assert later.message == (
        f"trackunit: the vendor at auth.trackunit.com {message}, so there is no token for secret/fleet/x (version 7). "
        f"Try again later; the credentials were not refused.{asks}"
    )
    assert (later.kind, later.status, later.retry_after, later.retryable) == ("unavailable", status, wait, retryable)
    assert later.sent is (status != 429)


def test_temporarily_unavailable_is_no_refusal():
    assert failure(error("temporarily_unavailable")).message == (
        "trackunit: the vendor at auth.trackunit.com is not available (temporarily_unavailable), so there is no token for "
        "secret/fleet/x (version 7). Try again later; the credentials were not refused."
    )


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        (answer(200, b"<!DOCTYPE html><p>p4ssw0rd"), "it answered with a web page instead of JSON"),
        (answer(200, b"Login", content_type="text/html"), "it answered with a web page instead of JSON"),
        (answer(200), "its answer is empty"),
        (answer(204, b" \r\n"), "its answer is empty"),
        (answer(200, b'{"access_token": "ab'), "its answer is not a JSON object"),
        (answer(200, b"null"), "its answer is not a JSON object"),
        (answer(200, b'{"access_token": "t", "x": NaN}'), "its answer is not a JSON object"),
        (answer(200, b'{"access_token":' + b"[" * 100_000), "its answer is not a JSON object"),
        (answer(200, b'{"x":' + b"[" * 64 + b"]" * 64 + b"}"), "its answer is not a JSON object"),
        (answer(200, b'{"access_token": "a", "access_token": "b"}'), "its answer has a field twice"),
        (answer(200, {"access_token": "a\r\nX: y"}), "its token has characters that an HTTP header cannot contain"),
        (answer(200, {"access_token": "a\n"}), "its token has characters that an HTTP header cannot contain"),
        (answer(200, {"access_token": "tökén"}), "its token has characters that an HTTP header cannot contain"),
    ],
)
def test_an_answer_without_a_token_is_explained(reply, what):
    broken = failure(reply)
    assert broken.message == (
        f"trackunit: the vendor at auth.trackunit.com gave no token for secret/fleet/x (version 7): {what} (HTTP {reply.status}). Check base_url and token_url."
    )
    assert (broken.kind, broken.retryable) == ("answer", False)


def test_a_list_is_read_only_if_token_field_names_a_place_in_it():
    listed = answer(200, [{"access_token": "t"}])
    assert read(listed, dataclasses.replace(ACME, token_field="0.access_token")).access_token == "t"
    text = failure(listed, ACME).message
    assert text.endswith(": its answer is not a JSON object (HTTP 200). Name the place in the list with token_field, such as 0.access_token.")
    text = failure(answer(200, b"5"), dataclasses.replace(ACME, token_field="0.access_token")).message
    assert ": its answer is not a JSON object (HTTP 200). " in text


@pytest.mark.parametrize(("status", "fault"), [(200, "answer"), (299, "answer"), (300, "redirect"), (301, "redirect"), (199, "rejected"), (400, "rejected")])
def test_a_duplicate_field_does_not_change_how_a_refusal_is_classified(status, fault):
    assert failure(answer(status, b'{"note": 1, "note": 2}')).fault == f"vendor:{fault}"


@pytest.mark.parametrize(
    ("body", "has"),
    [
        ({}, ""),
        ({"token_type": "Bearer", "access_token": 5}, "; the answer has: access_token, token_type"),
        ({"data": {"accessToken": "t", "user": {"id": 1}}, "meta": {}}, "; the answer has: data.accessToken, data.user, meta"),
        # What may be a value is not shown, wherever it is.
        ({"p4ssw0rd": "client_secret", "ok": 1}, "; the answer has: ok, 1 more"),
        ({"s3cr3t": 1, "p4ssw0rd": 2}, "; the answer has: 2 without a plain name"),
        ({"tokens": {"eyJhbGciOi.J9": 1, "a b": 2, "x" * 41: 3}}, "; the answer has: 3 without a plain name"),
        ({chr(ord("a") + number): number for number in range(20)}, "; the answer has: a, b, c, d, e, f, g, h, i, j, k, l, 8 more"),
    ],
)
def test_an_answer_without_a_token_lists_its_fields(body, has):
    for vendor, check in (("trackunit", "Check base_url and token_url"), (ACME, "Check token_field")):
        broken = failure(answer(200, body), vendor)
        assert broken.message.endswith(f" gave no token for secret/fleet/x (version 7): its answer has no token in 'access_token' (HTTP 200). {check}{has}.")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_reported_without_following_it(status):
    for location, where in (
        ("https://evil.example:44/p4ssw0rd?s3cr3t", "evil.example:44"),
        ("/login", "elsewhere"),
        ("https://s3cr3t.evil.example/", "***.evil.example"),
        ("https://[", "elsewhere"),
        (f"https://{'a' * 100}.example/", "a" * 79 + "…"),
    ):
        assert failure(answer(status, location=location)).message == (
            f"trackunit: the vendor at auth.trackunit.com redirects to {where} (HTTP {status}); the credentials {AT} are not "
            "sent on. Set base_url or token_url to the right address."
        )


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (400, "refused", "Check the options of this vendor, and client_id, client_secret, username and password there"),
        (404, "answer", "Check base_url, token_url and variant"),
        (405, "answer", "Check base_url, token_url and variant"),
        (410, "answer", "Check base_url, token_url and variant"),
        (422, "answer", "Check the options of this vendor, and client_id, client_secret, username and password there"),
        (415, "answer", "Check the options of this vendor"),
    ],
)
def test_other_client_errors_are_explained(status, kind, hint):
    path = "/token" if "variant" in hint else ""
    rejected = failure(answer(status, {"hydra:description": "no s3cr3t"}))
    assert rejected.message == (
        f"trackunit: the vendor at auth.trackunit.com{path} rejected the token request for secret/fleet/x (version 7) (HTTP {status}). "
        f"{hint}. The vendor says: no ***"
    )
    assert rejected.kind == kind


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_missing_token_endpoint_is_no_refusal_of_credentials(status):
    """This is so even if an API there reports an error in OAuth's own form."""
    rejected = failure(answer(status, {"error": "invalid_request"}))
    assert (rejected.kind, rejected.code) == ("answer", None)
    assert rejected.message.startswith(
        f"trackunit: the vendor at auth.trackunit.com/token rejected the token request for secret/fleet/x (version 7) (HTTP {status}). "
    )


def test_the_address_of_a_missing_token_endpoint_is_shown_without_secrets():
    vendor = dataclasses.replace(ACME, token_url="https://acme.example/s3cr3t/tokn?key=k")
    assert failure(answer(404), vendor).message == (
        "acme: the vendor at acme.example/***/tokn rejected the token request for secret/fleet/x (version 7) (HTTP 404). Check base_url and token_url."
    )


def test_code_and_message_of_an_error_object_are_read():
    reply = answer(400, {"error": {"code": "invalid_client", "message": "nobody"}})
    assert failure(reply).code == "invalid_client"
    assert failure(reply).message.endswith(" The vendor says: nobody")


# -- whatever comes back -------------------------------------------------------------------------------------------

PLANTED = ('pl4nted:s3cr+t% ü"x', "0ther-s3cret/=", "plain-planted-secret")
_words = st.sampled_from(
    [
        *PLANTED,
        *map(quote_plus, PLANTED),
        *(quote(p, safe="") for p in PLANTED),
        "invalid_grant",
        "\r\n",
        "\x00",
        "\x1b[2J",
        "\ud800",
        "2027-01-15T08:00:00Z",
        "1e5",
        "é" * 50,
        " ",
    ]
)
_text = st.lists(_words | st.text(max_size=20), max_size=8).map("".join)
_number = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 1e12, NOW, NOW * 1000])
_value = st.recursive(
    st.none() | st.booleans() | _number | _text, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3), max_leaves=6
)
_token_names = st.sampled_from(
    ["access_token", "token_type", "expires_in", "scope", "refresh_token", "error", "error_description", "message", "detail", "data", "extra"]
)
_good = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=60)
_object = (
    st.dictionaries(_token_names, _value, max_size=6)
    | st.fixed_dictionaries({"access_token": _good}, optional={"expires_in": _value, "scope": _value, "refresh_token": _value, "data": _value})
    | st.fixed_dictionaries({"data": st.fixed_dictionaries({"token": _good}, optional={"expires_at": _value})})
)
_body = (
    st.binary(max_size=200)
    | _object.map(lambda found: json.dumps(found).encode())
    | _value.map(lambda found: json.dumps(found).encode())
    | _text.map(lambda found: found.encode("utf-8", "replace"))
)
_header = _text | st.sampled_from(
    [
        "0",
        "-1",
        "99999999999999999999",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Mon, 99 Foo 0000 99:99:99 +9999",
        "Thu, 01 Jan 0001 00:00:00 -0000",
        "https://[::1",
        "https://x:99999999/",
        "http://\u2100.com/",
        "²",
    ]
)
_headers = st.dictionaries(st.sampled_from(["date", "retry-after", "location", "content-type"]), _header, max_size=4)


@given(
    vendor=st.sampled_from(names()),
    status=st.sampled_from([200, 201, 204, 301, 307, 400, 401, 403, 404, 418, 429, 500, 503]),
    headers=_headers,
    body=_body,
    grant=st.sampled_from(["password", "refresh_token", "authorization_code"]),
)
def test_any_answer_gives_a_token_or_a_one_line_error(vendor, status, headers, body, grant):
    reply = HttpAnswer(status, headers, body)
    try:
        got = read(reply, vendor, grant=Grant(grant, {}), secrets=PLANTED)
    except VendorError as exc:
        check_refusal(exc)
    else:
        check_token(got)


def check_refusal(problem):
    said = problem.message
    assert said == " ".join(said.split())
    assert said.isprintable()
    assert len(said) < 700
    for planted in PLANTED:
        for shape in (planted, quote(planted, safe=""), quote_plus(planted)):
            assert shape not in said
    assert problem.retry_after is None or 0 <= problem.retry_after < math.inf
    assert problem.code is None or problem.code.isprintable()


def check_token(got):
    assert got.access_token.isascii()
    assert got.access_token.isprintable()
    assert " " not in got.access_token
    assert math.isfinite(got.expires_at)
    assert got.expires_at >= got.issued_at == NOW
    assert isinstance(got.token_type, str)
    assert isinstance(got.scope, (str, type(None)))
    json.dumps(dict(got.extra))


def test_the_repr_of_a_token_hides_its_secrets():
    shown = repr(read(access("t0ken", refresh_token="r3fresh", user="u5er")))
    assert not any(secret in shown for secret in ("t0ken", "r3fresh", "u5er"))


def kept(reply, unused, **vendor):
    request = request_for(dataclasses.replace(built_in("trackunit"), **vendor))
    found = read_answer(
        request,
        reply,
        grant=Grant("password", {}),
        sent=HttpRequest("POST", "https://a.example", {}, secrets=("s3cr3t-client", "bob.smith"), identifiers=("bob.smith",)),
        requested_at=NOW,
        received_at=NOW,
        secret_version="7",
        unused=unused,
        warn=pytest.fail,
    )
    return found.scope, dict(found.extra), found.token_type


@pytest.mark.parametrize("said", ["Pr0duction-Passw0rd!", "pr0duction-passw0rd!", quote("Pr0duction-Passw0rd!"), "UHIwZHVjdGlvbi1QYXNzdzByZCE="])
def test_unused_fields_of_the_secret_are_removed_from_the_answer(said):
    unused = ("s3cr3t-client", "Pr0duction-Passw0rd!")
    assert kept(access("t", scope=f"read {said}", remark=said, nested={"a": [said, "b"], said: 1}), unused) == (None, {"nested": {"a": ["b"]}}, "Bearer")


def test_a_token_type_that_repeats_an_unused_secret_field_is_dropped():
    assert kept(access("t", token_type="Passw0rd-of-Production"), ("Passw0rd-of-Production",))[2] == "Bearer"


def test_names_and_values_of_the_options_are_kept():
    unused = ("bob.smith\n", "machines", "https://acme.my.example", "https://api.example/v2")
    reply = access("t", scope="read machines", user="bob.smith", instance_url="https://acme.my.example", audience="https://api.example/v2")
    assert kept(reply, unused, scope="read machines", parameters={"audience": "https://api.example/v2"}) == (
        "read machines",
        {"user": "bob.smith", "instance_url": "https://acme.my.example", "audience": "https://api.example/v2"},
        "Bearer",
    )
