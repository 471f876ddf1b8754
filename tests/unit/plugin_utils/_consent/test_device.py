# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import typing as t
from urllib.parse import parse_qs

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent import device as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.flow import ConsentFlow
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.redaction import Redactor
from support.scripted import CONSENT_VENDOR, FakeVault, Scene, access, answer, error, request_for

VENDOR = dataclasses.replace(CONSENT_VENDOR, scope="read offline_access")
GIVEN = {
    "device_code": "the-device-code",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://login.example.com/d",
    "verification_uri_complete": "https://login.example.com/d?user_code=WDJB-MJHT",
    "expires_in": 600,
    "interval": 5,
}
CLIENT = {"client_id": "the-id", "client_secret": "s3cr3t"}
PENDING, SLOW = error("authorization_pending"), error("slow_down")
CONSENTED = access("the-token", refresh_token="the-refresh-token")


def work(scene: Scene, tmp_path: t.Any, vendor: Vendor = VENDOR, **http: t.Any) -> ConsentFlow:
    return ConsentFlow(request_for(vendor, cache=str(tmp_path), http=http), scene.ports, device=True)


def run(tmp_path: t.Any, *script: t.Any, seconds: float = 600) -> Scene:
    scene = Scene(answer(200, GIVEN), *script, vault=FakeVault(CLIENT))
    authorizing = work(scene, tmp_path)
    stored = authorizing.wait_for_device(authorizing.begin_device(), seconds=seconds)
    assert (stored.where, stored.version) == ("secret/fleet/x", "2")
    return scene


def refused(tmp_path: t.Any, *script: t.Any, seconds: float = 600) -> tuple[str, Scene]:
    scene = Scene(answer(200, GIVEN), *script, vault=FakeVault(CLIENT))
    authorizing = work(scene, tmp_path)
    code = authorizing.begin_device()
    with pytest.raises(VendorError) as caught:
        authorizing.wait_for_device(code, seconds=seconds)
    assert scene.vault.data == CLIENT
    return caught.value.message, scene


def test_the_device_flow_sends_the_requests_of_rfc_8628(tmp_path):
    scene = run(tmp_path, PENDING, CONSENTED)
    asked, first, _second = scene.sent
    assert (asked.method, asked.url, asked.headers["Authorization"]) == ("POST", "https://login.example.com/device", "Basic dGhlLWlkOnMzY3IzdA==")
    assert parse_qs(asked.body.decode()) == {"client_id": ["the-id"], "scope": ["read offline_access"]}
    assert first.url == "https://login.example.com/token"
    assert parse_qs(first.body.decode()) == {"grant_type": [subject.DEVICE_GRANT], "device_code": ["the-device-code"]}
    assert scene.vault.data == {**CLIENT, "refresh_token": "the-refresh-token"}


@pytest.mark.parametrize(
    ("client_auth", "sent"),
    [
        ("post", {"client_id": ["the-id"], "client_secret": ["s3cr3t"], "scope": ["read offline_access"]}),
        ("none", {"client_id": ["the-id"], "scope": ["read offline_access"]}),
    ],
)
def test_the_client_authenticates_as_at_the_token_endpoint(tmp_path, client_auth, sent):
    scene = Scene(answer(200, GIVEN), vault=FakeVault(CLIENT))
    work(scene, tmp_path, dataclasses.replace(VENDOR, client_auth=client_auth)).begin_device()
    assert parse_qs(scene.sent[0].body.decode()) == sent


def test_a_client_that_signs_also_signs_the_device_request():
    vendor = dataclasses.replace(VENDOR, client_auth="private_key_jwt")
    request = subject.device_request(vendor, CLIENT, assertion=lambda claims: f"signed {dict(claims)}")
    assert parse_qs((request.body or b"").decode())["client_assertion"] == ["signed {}"]


def test_extra_parameters_and_the_query_go_into_the_form(tmp_path):
    vendor = dataclasses.replace(VENDOR, device_authorization_url="/device?prompt=consent&hint=", parameters={"audience": "https://api.example", "tenant": "t"})
    scene = Scene(answer(200, GIVEN), vault=FakeVault(CLIENT))
    work(scene, tmp_path, vendor).begin_device()
    assert scene.sent[0].url == "https://login.example.com/device"
    assert parse_qs(scene.sent[0].body.decode(), keep_blank_values=True) == {
        "prompt": ["consent"],
        "hint": [""],
        "client_id": ["the-id"],
        "scope": ["read offline_access"],
        "audience": ["https://api.example"],
    }
    vendor = dataclasses.replace(VENDOR, device_authorization_url="/device?scope=x")
    with pytest.raises(OptionError) as caught:
        work(scene, tmp_path, vendor).begin_device()
    assert caught.value.coded_message == "acme: the query of device_authorization_url must not contain 'scope': it is added automatically. [TRK-O04]"


def test_slow_down_lengthens_the_interval_permanently(tmp_path):
    assert run(tmp_path, PENDING, SLOW, PENDING, SLOW, CONSENTED).slept == [5, 5, 10, 10, 15]


def test_polling_slows_down_during_an_outage(tmp_path):
    down = VendorError("acme: no.", "unavailable", retryable=True)
    assert run(tmp_path, down, answer(503), PENDING, CONSENTED).slept == [5, 10, 20, 20]
    assert run(tmp_path / "b", answer(429, retry_after="42"), CONSENTED).slept == [5, 42]


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (error("access_denied"), "acme: the consent was denied on the other device (access_denied). Nothing was stored."),
        (
            error("expired_token"),
            "acme: the code expired before it was entered and approved (expired_token). Start again. Nothing was stored.",
        ),
        (error("invalid_grant"), "acme: the vendor no longer knows the code (invalid_grant). Start again. Nothing was stored."),
    ],
)
def test_a_final_error_ends_the_wait(tmp_path, ending, message):
    assert refused(tmp_path, PENDING, ending)[0] == message


@pytest.mark.parametrize(("code", "fault"), [("access_denied", "consent:denied"), ("expired_token", "consent:timeout"), ("invalid_grant", "consent:code")])
def test_the_outcome_keeps_the_vendors_error_code(code, fault):
    ended = subject.outcome(VENDOR, VendorError("no", "refused", status=400, code=code))
    assert (ended.kind, ended.status, ended.code, ended.fault) == ("refused", 400, code, fault)
    other = VendorError("no", "refused", code="invalid_client")
    assert subject.outcome(VENDOR, other) is other


@pytest.mark.parametrize(
    ("exc", "seconds"),
    [
        (VendorError("no", "unavailable"), 16),
        (VendorError("no", "unavailable", retry_after=15), 16),
        (VendorError("no", "unavailable", retry_after=17), 17),
        (VendorError("no", "unavailable", retry_after=600), 60),
        (VendorError("no", "refused", code="slow_down"), 13),
        (VendorError("no", "refused", code="authorization_pending"), 8),
        (VendorError("no", "refused", code="access_denied"), None),
        (VendorError("no"), None),
    ],
)
def test_the_next_interval_follows_the_error(exc, seconds):
    assert subject.next_interval(exc, 8) == seconds


def test_any_other_refusal_ends_the_wait(tmp_path):
    message, _scene = refused(tmp_path, error("invalid_client", 401, error_description="no s3cr3t"))
    assert message.startswith("acme: the vendor refused the credentials at secret/fleet/x: invalid_client. ")
    assert message.endswith(" Nothing was stored.")
    assert "s3cr3t" not in message


def test_consent_without_a_refresh_token_is_an_error(tmp_path):
    message, _scene = refused(tmp_path, access("the-token"))
    assert message.startswith("acme: consent was given, but the vendor sent no refresh token")
    assert message.endswith(" Nothing was stored.")


def test_the_wait_ends_when_nobody_enters_the_code(tmp_path):
    message, scene = refused(tmp_path, PENDING, PENDING, seconds=13)
    assert message == "acme: nobody entered the code and allowed access within 13 s. Nothing was stored. Start again."
    assert scene.slept == [5, 5]
    assert refused(tmp_path / "b", PENDING, PENDING, seconds=15)[1].slept == [5, 5]


def test_a_wait_without_consent_has_its_own_error_code(tmp_path):
    scene = Scene(answer(200, GIVEN), vault=FakeVault(CLIENT))
    authorizing = work(scene, tmp_path)
    with pytest.raises(VendorError) as caught:
        authorizing.wait_for_device(authorizing.begin_device(), seconds=5)
    assert (caught.value.error_code, scene.slept) == ("TRK-A04", [])


def given(**changes: t.Any) -> dict[str, t.Any]:
    return {name: value for name, value in {**GIVEN, **changes}.items() if value is not None}


def read(body: t.Any, status: int = 200, *, allow_http: bool = False) -> subject.DeviceCode:
    return subject.read_device_answer(VENDOR, answer(status, body), redactor=Redactor().also("s3cr3t"), allow_http=allow_http)


def test_the_device_grant_is_not_repeatable():
    grant = subject.device_grant(read(given()))
    assert (grant.grant_type, dict(grant.fields), grant.repeatable) == (subject.DEVICE_GRANT, {"device_code": "the-device-code"}, False)


def test_missing_or_odd_fields_of_the_device_answer_have_defaults():
    code = read(given(verification_uri=None, verification_url="https://g.example/d", verification_uri_complete=None, expires_in="900", interval=None))
    assert (code.verification_uri, code.verification_uri_complete, code.lifetime, code.interval) == ("https://g.example/d", "", 900, 5)
    code = read(given(expires_in=None, interval="2"))
    assert (code.lifetime, code.interval) == (300, 2)
    for wrong in (0, -1, True, "soon", [1], 10**400):
        code = read(given(expires_in=wrong, interval=wrong))
        assert (code.lifetime, code.interval) == (300, 5), wrong
    code = read(given(expires_in=10**9, interval=10**9))
    assert (code.lifetime, code.interval) == (1800, 60)
    assert read(given(interval=0.01)).interval == 1
    assert "the-device-code" not in repr(code)
    assert "WDJB" not in repr(code)


NO_ADDRESS = "acme: the vendor sent no usable https URL for the person. Nothing is shown."
NO_CODE = "acme: the answer of the vendor at login.example.com has no device code (RFC 8628). Check device_authorization_url."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (given(verification_uri="http://login.example.com/d"), NO_ADDRESS),
        (given(verification_uri="javascript:alert(1)"), NO_ADDRESS),
        (given(verification_uri="https://a@b.example/"), NO_ADDRESS),
        (given(verification_uri="https://[::1/"), NO_ADDRESS),
        (given(verification_uri="https://a.example/\x1b[2J"), NO_ADDRESS),
        (given(verification_uri_complete="http://b.example/"), NO_ADDRESS),
        (given(user_code="A\x1b[2JB"), "acme: the vendor's code is not one that a person can enter. Nothing is shown."),
        (given(user_code="A" * 65), "acme: the vendor's code is not one that a person can enter. Nothing is shown."),
        (given(device_code=None), NO_CODE),
        (given(user_code=7), NO_CODE),
        (given(verification_uri=None), NO_CODE),
        ([], NO_CODE),
        (b"<html>", NO_CODE),
    ],
)
def test_an_unsafe_device_answer_is_not_shown(body, message):
    with pytest.raises(VendorError) as caught:
        read(body, 201)
    assert (caught.value.message, caught.value.fault, caught.value.status) == (message, "consent:not_asked", 201)


def test_values_at_the_limits_are_accepted():
    assert read(given(user_code="A" * 64)).user_code == "A" * 64
    assert read(given(), 299).user_code == "WDJB-MJHT"
    assert read(given(interval=1, expires_in=1)).lifetime == 1


def test_a_plain_http_verification_address_is_accepted_if_allowed_or_local():
    assert read(given(verification_uri="http://a.example/d"), allow_http=True).verification_uri == "http://a.example/d"
    assert read(given(verification_uri="http://127.0.0.1:1/d")).verification_uri == "http://127.0.0.1:1/d"


@pytest.mark.parametrize(
    ("status", "body", "message", "kind"),
    [
        (401, {"error": "invalid_client", "error_description": "not s3cr3t\n"}, "invalid_client", "refused"),
        (200, {"error": "unauthorized_client"}, "unauthorized_client", "refused"),
        (404, b"nothing", "HTTP 404", "refused"),
        (503, b"", "HTTP 503", "unavailable"),
        (500, {"error": "x" * 61}, "x" * 59 + "…", "unavailable"),
        (429, {}, "HTTP 429", "unavailable"),
        (499, {}, "HTTP 499", "refused"),
        (300, given(), "HTTP 300", "refused"),
        (199, given(), "HTTP 199", "refused"),
    ],
)
def test_an_answer_without_a_device_code_is_reported(status, body, message, kind):
    with pytest.raises(VendorError) as caught:
        read(body, status)
    start = (
        f"acme: the vendor at login.example.com gave no device code: {message}. "
        "Check client_id, client_auth, scope and device_authorization_url, and that the client may use the device flow."
    )
    said = " The vendor says: not ***" if status == 401 else ""
    assert (caught.value.message, caught.value.kind, caught.value.status) == (start + said, kind, status)
    assert (caught.value.code, caught.value.fault) == (message, "consent:not_asked")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "acme: the URL for the device flow (RFC 8628) is not known. Set device_authorization_url or issuer, or use flow=code."),
        ("http://a.example/d", "acme: a.example would get the credentials over plain http. Use https, or set allow_http if you must."),
        ("ftp://a.example/d", "acme: device_authorization_url is not a usable http(s) address. Check base_url and device_authorization_url."),
    ],
)
def test_unsafe_device_endpoints_are_refused(tmp_path, url, message):
    scene = Scene(vault=FakeVault(CLIENT))
    with pytest.raises(OptionError) as caught:
        work(scene, tmp_path, dataclasses.replace(VENDOR, device_authorization_url=url)).begin_device()
    code = "TRK-O03" if "is not known" in message else "TRK-O09" if "plain http" in message else "TRK-O08"
    assert (caught.value.message, caught.value.error_code, scene.sent) == (message, code, [])


@pytest.mark.parametrize("url", ["HTTPS://a.example/d", "http://127.0.0.1/d"])
def test_https_and_local_device_endpoints_are_accepted(url):
    subject.check_device_endpoint(dataclasses.replace(VENDOR, device_authorization_url=url), allow_http=False)


def test_a_plain_http_device_endpoint_is_accepted_if_allowed():
    subject.check_device_endpoint(dataclasses.replace(VENDOR, device_authorization_url="http://a.example/d"), allow_http=True)


@pytest.mark.parametrize("url", ["https://a@b.example/d", "https://a.example/ d", "https://a.example/\x1b", "https:///d", "/d"])
def test_malformed_device_endpoints_are_refused(url):
    with pytest.raises(OptionError, match="is not a usable"):
        subject.check_device_endpoint(Vendor("acme", device_authorization_url=url), allow_http=True)


def test_the_device_endpoint_comes_from_the_issuer(tmp_path):
    issuer = "https://login.example.com"
    metadata = {"issuer": issuer, "token_endpoint": f"{issuer}/t", "device_authorization_endpoint": f"{issuer}/da"}
    scene = Scene(answer(200, metadata), answer(200, GIVEN), vault=FakeVault(CLIENT))
    vendor = Vendor(name="acme", issuer=issuer, grant_type="authorization_code")
    assert work(scene, tmp_path, vendor).begin_device().user_code == "WDJB-MJHT"
    assert [sent.url for sent in scene.sent] == [f"{issuer}/.well-known/oauth-authorization-server", f"{issuer}/da"]


def test_a_device_answer_that_is_not_an_object_is_reported():
    for body in (b"\xff", b"null", json.dumps("x").encode(), b"{" * 200):
        with pytest.raises(VendorError, match=r"has no device code"):
            read(body)


SPOKEN = "acme: the vendor's code or its address contains a credential. Nothing is shown."


@pytest.mark.parametrize(
    "said",
    [
        {"user_code": "S3CR3T"},
        {"user_code": "s-3-c-r-3-t"},
        {"user_code": "733363723374"},
        {"user_code": "Pr0duction-Passw0rd"},
        {"user_code": "dGhlLWlkOnMzY3IzdA=="},  # a part of the header that was sent
        {"verification_uri": "https://login.example.com/d?c=s3cr%33t"},
        {"verification_uri": "https://s3cr3t.evil.example/"},
        {"verification_uri_complete": "https://login.example.com/d?user_code=s3cr3t"},
    ],
)
def test_a_code_or_address_that_contains_a_credential_is_not_shown(tmp_path, said):
    scene = Scene(answer(200, {**GIVEN, **said}), vault=FakeVault({**CLIENT, "note": "Pr0duction-Passw0rd"}))
    with pytest.raises(VendorError) as caught:
        work(scene, tmp_path).begin_device()
    assert (caught.value.message, caught.value.fault, caught.value.status) == (SPOKEN, "consent:not_asked", 200)


def test_the_client_id_may_be_part_of_the_verification_address(tmp_path):
    complete = "https://login.example.com/d?client_id=the-id&user_code=WDJB-MJHT"
    scene = Scene(answer(200, given(verification_uri_complete=complete)), vault=FakeVault(CLIENT))
    assert work(scene, tmp_path).begin_device().verification_uri_complete == complete
