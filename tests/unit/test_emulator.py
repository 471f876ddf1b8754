# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator accepts each vendor's correct request and refuses every wrong one. Faults, log, tokens and control work as they should."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from emulator import VENDORS, Emulator, TlsFiles, consent, fingerprint
from emulator.faults import ECHOES, FAULTS
from support.pki import Ca, rsa_pair
from support.processes import wait_for

pytestmark = pytest.mark.system

TESTS = Path(__file__).resolve().parents[1]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
ACCEPT = {"Accept": "application/json"}
AWKWARD = "a:b+c%25 d\"e'f/ü€"


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(method: str, url: str, *, headers: dict[str, str] | None = None, body: str | bytes | None = None, context: ssl.SSLContext | None = None) -> Reply:
    parts = urlsplit(url)
    port = parts.port or 80
    connection = (
        http.client.HTTPSConnection(parts.hostname or "", port, context=context, timeout=300)
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname or "", port, timeout=300)
    )
    try:
        data = body.encode() if isinstance(body, str) else body
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body=data, headers=headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def basic(user: str, secret: str, *, encode: bool = True) -> str:
    text = f"{quote_plus(user)}:{quote_plus(secret)}" if encode else f"{user}:{secret}"
    return "Basic " + base64.b64encode(text.encode()).decode()


def claims(token: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator(record_raw=True) as emulator:
        yield emulator


@pytest.fixture
def emu(server: Emulator) -> Emulator:
    server.reset()
    return server


# --- the right requests


def trackmage(emu: Emulator, **changes: str) -> Reply:
    query = urlencode({"grant_type": "client_credentials", **emu.credentials["trackmage"], **changes})
    return call("GET", f"{emu.base_url('trackmage')}/oauth/v2/token?{query}", headers=ACCEPT)


def tracx(emu: Emulator) -> Reply:
    token = emu.credentials["tracx"]["connect_token"].encode().decode("latin-1")
    return call("POST", f"{emu.base_url('tracx')}/v1/connect/session-token", headers={**ACCEPT, "Authorization": token})


def tracktik(emu: Emulator, **changes: str) -> Reply:
    form = {"grant_type": "password", **emu.credentials["tracktik"], **changes}
    return call("POST", f"{emu.base_url('tracktik')}/rest/oauth2/access_token", headers=FORM, body=urlencode(form))


def tracktik_refresh(emu: Emulator, token: str) -> Reply:
    c = emu.credentials["tracktik"]
    form = {"grant_type": "refresh_token", "client_id": c["client_id"], "client_secret": c["client_secret"], "refresh_token": token}
    return call("POST", f"{emu.base_url('tracktik')}/rest/oauth2/access_token", headers=FORM, body=urlencode(form))


def trackunit(emu: Emulator, *, encode: bool = True, **changes: str) -> Reply:
    c = emu.credentials["trackunit"]
    form = {"grant_type": "password", "username": c["username"], "password": c["password"], "scope": "api", **changes}
    headers = {**FORM, "Authorization": basic(c["client_id"], c["client_secret"], encode=encode)}
    return call("POST", f"{emu.base_url('trackunit')}/token", headers=headers, body=urlencode(form))


def trackunit_v2(emu: Emulator, **changes: str) -> Reply:
    c = emu.credentials["trackunit_v2"]
    form = {
        "grant_type": "client_credentials",
        "client_id": c["client_id"],
        "client_secret": c["client_secret"],
        "scope": "machines:read sites:read",
        **changes,
    }
    return call("POST", f"{emu.base_url('trackunit')}/token/v2", headers=FORM, body=urlencode(form))


def acme(emu: Emulator, **changes: str) -> Reply:
    c = emu.credentials["acme"]
    headers = {**FORM, "Authorization": basic(c["client_id"], c["client_secret"])}
    form = {"grant_type": "client_credentials", **changes}
    return call("POST", f"{emu.base_url('acme')}/token", headers=headers, body=urlencode(form))


RIGHT = {"trackmage": trackmage, "tracx": tracx, "tracktik": tracktik, "trackunit": trackunit, "acme": acme}


def token_of(vendor: str, reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return str(reply.json["data"]["token"] if vendor == "tracx" else reply.json["access_token"])


def me(emu: Emulator, vendor: str, authorization: str | None, **more: Any) -> Reply:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return call(more.pop("method", "GET"), f"{emu.base_url(vendor)}/api/me", headers={**headers, **more.pop("headers", {})}, **more)


def authorization(vendor: str, token: str) -> str:
    return token if vendor == "tracx" else f"Bearer {token}"


def test_trackmage_answers_as_documented(emu: Emulator) -> None:
    answer = trackmage(emu).json
    assert {k: v for k, v in answer.items() if k != "access_token"} == {
        "expires_in": 3600,
        "token_type": "bearer",
        "scope": "user",
        "user_id": "fe1dec62-490e-4f16-afb2-6f9dd303d930",
        "user_email": "owner@example.com",
    }
    assert {"iat", "exp", "roles", "username"} <= set(claims(answer["access_token"]))


def test_tracx_answers_as_documented(emu: Emulator) -> None:
    before = int(time.time())
    answer = tracx(emu).json
    assert set(answer) == {"data"}
    assert set(answer["data"]) == {"token", "expires_at"}
    assert before <= answer["data"]["expires_at"] - 3600 <= time.time() + 1


def test_tracktik_answers_as_documented(emu: Emulator) -> None:
    reply = tracktik(emu)
    assert set(reply.json) == {"token_type", "expires_in", "access_token", "refresh_token"}
    assert reply.headers["X-RateLimit-Remaining"]
    assert reply.headers["X-RateLimit-Reset"]


def test_trackunit_answers_as_documented(emu: Emulator) -> None:
    answer = trackunit(emu).json
    assert answer == {"token_type": "Bearer", "expires_in": 3600, "access_token": answer["access_token"], "scope": "api"}


def test_trackunit_v2_answers_as_documented(emu: Emulator) -> None:
    answer = trackunit_v2(emu).json
    assert (answer["expires_in"], answer["scope"], "refresh_token" in answer) == (1200, "machines:read sites:read", False)


@pytest.mark.parametrize("vendor", RIGHT)
def test_tokens_differ_and_open_the_api(emu: Emulator, vendor: str) -> None:
    one, two = (token_of(vendor, RIGHT[vendor](emu)) for _ in range(2))
    assert one != two
    for token in (one, two):
        reply = me(emu, vendor, authorization(vendor, token))
        assert (reply.status, reply.json["vendor"]) == (200, vendor)
        assert token not in reply.body.decode()


@pytest.mark.parametrize("vendor", RIGHT)
def test_awkward_credentials_are_accepted(emu: Emulator, vendor: str) -> None:
    emu.set_credentials(vendor, {k: f"{k}{AWKWARD}" for k in emu.credentials[vendor]})
    assert RIGHT[vendor](emu).status == 200


def test_several_accounts_are_accepted(emu: Emulator) -> None:
    first, second = {"connect_token": "one"}, {"connect_token": "two"}
    emu.set_credentials("tracx", [first, second])
    for account in ("one", "two", "three"):
        headers = {**ACCEPT, "Authorization": account}
        call("POST", f"{emu.base_url('tracx')}/v1/connect/session-token", headers=headers)
    assert [e["status"] for e in emu.requests("tracx")] == [200, 200, 401]


# --- the wrong requests: (how to call, status, error)


def raw(emu: Emulator, vendor: str, path: str, method: str, headers: dict[str, str], body: str | None = None) -> Reply:  # noqa: PLR0917
    return call(method, f"{emu.base_url(vendor)}{path}", headers=headers, body=body)


def trackmage_query(emu: Emulator) -> str:
    return urlencode({"grant_type": "client_credentials", **emu.credentials["trackmage"]})


def trackmage_body(emu: Emulator, **more: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": "c", "redirect_uri": "http://127.0.0.1/", **emu.credentials["trackmage"], **more}


TM = "/oauth/v2/token"
TRACKMAGE_WRONG: dict[str, Any] = {
    "POST": (lambda e: raw(e, "trackmage", TM, "POST", {**ACCEPT, **FORM}, trackmage_query(e)), 400, "invalid_request"),
    "POST with query": (lambda e: raw(e, "trackmage", f"{TM}?{trackmage_query(e)}", "POST", {**ACCEPT, **JSON}, "{}"), 400, "invalid_request"),
    "DELETE": (lambda e: raw(e, "trackmage", TM, "DELETE", ACCEPT), 405, "invalid_request"),
    "no Accept": (lambda e: raw(e, "trackmage", f"{TM}?{trackmage_query(e)}", "GET", {}), 406, "invalid_request"),
    "Accept */*": (lambda e: raw(e, "trackmage", f"{TM}?{trackmage_query(e)}", "GET", {"Accept": "*/*"}), 406, "invalid_request"),
    "secret in the body": (
        lambda e: raw(e, "trackmage", f"{TM}?grant_type=client_credentials", "GET", {**ACCEPT, **FORM}, trackmage_query(e)),
        400,
        "invalid_request",
    ),
    "Basic": (
        lambda e: raw(e, "trackmage", f"{TM}?grant_type=client_credentials", "GET", {**ACCEPT, "Authorization": basic("a", "b")}),
        400,
        "invalid_request",
    ),
    "scope": (lambda e: trackmage(e, scope="user"), 400, "invalid_request"),
    "duplicate": (lambda e: raw(e, "trackmage", f"{TM}?{trackmage_query(e)}&client_id=x", "GET", ACCEPT), 400, "invalid_request"),
    "wrong secret": (lambda e: trackmage(e, client_secret="x"), 400, "invalid_client"),
    "wrong grant": (lambda e: trackmage(e, grant_type="password"), 400, "unsupported_grant_type"),
    "code as GET": (lambda e: trackmage(e, grant_type="authorization_code"), 405, "invalid_request"),
    "code as a form": (lambda e: raw(e, "trackmage", TM, "POST", FORM, urlencode(trackmage_body(e))), 400, "invalid_request"),
    "code without Content-Type": (lambda e: raw(e, "trackmage", TM, "POST", {}, json.dumps(trackmage_body(e))), 400, "invalid_request"),
    "JSON number": (lambda e: raw(e, "trackmage", TM, "POST", JSON, '{"grant_type": 1}'), 400, "invalid_request"),
    "JSON duplicate": (lambda e: raw(e, "trackmage", TM, "POST", JSON, '{"code": "a", "code": "b"}'), 400, "invalid_request"),
    "JSON scope": (lambda e: raw(e, "trackmage", TM, "POST", JSON, json.dumps(trackmage_body(e, scope="user"))), 400, "invalid_request"),
    "unknown code": (lambda e: raw(e, "trackmage", TM, "POST", JSON, json.dumps(trackmage_body(e))), 400, "invalid_grant"),
    "client credentials as POST": (
        lambda e: raw(e, "trackmage", TM, "POST", JSON, json.dumps({"grant_type": "client_credentials", **e.credentials["trackmage"]})),
        405,
        "invalid_request",
    ),
}


def tracktik_form(emu: Emulator, **more: str) -> dict[str, str]:
    return {"grant_type": "password", **emu.credentials["tracktik"], **more}


TT = "/rest/oauth2/access_token"
TRACKTIK_WRONG: dict[str, Any] = {
    "scope": (lambda e: tracktik(e, scope="x"), 400, "invalid_scope"),
    "empty scope": (lambda e: tracktik(e, scope=""), 400, "invalid_scope"),
    "GET": (lambda e: raw(e, "tracktik", f"{TT}?{urlencode(tracktik_form(e))}", "GET", {}), 405, "invalid_request"),
    "query": (lambda e: raw(e, "tracktik", f"{TT}?a=b", "POST", FORM, urlencode(tracktik_form(e))), 400, "invalid_request"),
    "JSON": (lambda e: raw(e, "tracktik", TT, "POST", JSON, json.dumps(tracktik_form(e))), 400, "invalid_request"),
    "JSON called a form": (lambda e: raw(e, "tracktik", TT, "POST", FORM, json.dumps(tracktik_form(e))), 400, "invalid_request"),
    "multipart": (lambda e: raw(e, "tracktik", TT, "POST", {"Content-Type": "multipart/form-data; boundary=x"}, "--x--"), 400, "invalid_request"),
    "no Content-Type": (lambda e: raw(e, "tracktik", TT, "POST", {}, urlencode(tracktik_form(e))), 400, "invalid_request"),
    "latin-1": (
        lambda e: raw(e, "tracktik", TT, "POST", {"Content-Type": f"{FORM['Content-Type']}; charset=latin-1"}, urlencode(tracktik_form(e))),
        400,
        "invalid_request",
    ),
    "Basic": (lambda e: raw(e, "tracktik", TT, "POST", {**FORM, "Authorization": basic("a", "b")}, urlencode(tracktik_form(e))), 400, "invalid_request"),
    "unknown parameter": (lambda e: tracktik(e, audience="x"), 400, "invalid_request"),
    "missing": (lambda e: tracktik(e, username=""), 400, "invalid_request"),
    "duplicate": (lambda e: raw(e, "tracktik", TT, "POST", FORM, urlencode([*tracktik_form(e).items(), ("username", "x")])), 400, "invalid_request"),
    "not encoded": (lambda e: raw(e, "tracktik", TT, "POST", FORM, urlencode(tracktik_form(e)) + " "), 400, "invalid_request"),
    "wrong password": (lambda e: tracktik(e, password="x"), 400, "invalid_grant"),
    "wrong secret": (lambda e: tracktik(e, client_secret="x"), 401, "invalid_client"),
    "wrong grant": (lambda e: tracktik(e, grant_type="client_credentials"), 400, "unsupported_grant_type"),
    "unknown refresh token": (lambda e: tracktik_refresh(e, "x"), 400, "invalid_grant"),
}


def trackunit_form(emu: Emulator, **more: str) -> str:
    c = emu.credentials["trackunit"]
    return urlencode({"grant_type": "password", "username": c["username"], "password": c["password"], "scope": "api", **more})


def trackunit_basic(emu: Emulator) -> dict[str, str]:
    return {"Authorization": basic(emu.credentials["trackunit"]["client_id"], emu.credentials["trackunit"]["client_secret"])}


TRACKUNIT_WRONG: dict[str, Any] = {
    "no Basic": (lambda e: raw(e, "trackunit", "/token", "POST", FORM, trackunit_form(e)), 401, "invalid_client"),
    "Bearer": (lambda e: raw(e, "trackunit", "/token", "POST", {**FORM, "Authorization": "Bearer x"}, trackunit_form(e)), 401, "invalid_client"),
    "not base64": (lambda e: raw(e, "trackunit", "/token", "POST", {**FORM, "Authorization": "Basic !"}, trackunit_form(e)), 401, "invalid_client"),
    "client in the body": (lambda e: trackunit(e, client_id=e.credentials["trackunit"]["client_id"]), 400, "invalid_request"),
    "JSON": (lambda e: raw(e, "trackunit", "/token", "POST", {**JSON, **trackunit_basic(e)}, "{}"), 400, "invalid_request"),
    "GET": (lambda e: raw(e, "trackunit", f"/token?{trackunit_form(e)}", "GET", trackunit_basic(e)), 405, "invalid_request"),
    "no scope": (lambda e: trackunit(e, scope=""), 400, "invalid_scope"),
    "other scope": (lambda e: trackunit(e, scope="api admin"), 400, "invalid_scope"),
    "wrong password": (lambda e: trackunit(e, password="x"), 400, "invalid_grant"),
    "wrong grant": (lambda e: trackunit(e, grant_type="client_credentials"), 400, "unsupported_grant_type"),
    "v2 without scope": (lambda e: trackunit_v2(e, scope=""), 400, "invalid_scope"),
    "v2 with a scope of others": (lambda e: trackunit_v2(e, scope="machines:read admin"), 400, "invalid_scope"),
    "v2 with Basic": (lambda e: raw(e, "trackunit", "/token/v2", "POST", {**FORM, **trackunit_basic(e)}, "a=b"), 400, "invalid_request"),
    "v2 password": (lambda e: trackunit_v2(e, grant_type="password"), 400, "unsupported_grant_type"),
    "v2 wrong secret": (lambda e: trackunit_v2(e, client_secret="x"), 401, "invalid_client"),
}
WRONG = {"trackmage": TRACKMAGE_WRONG, "tracktik": TRACKTIK_WRONG, "trackunit": TRACKUNIT_WRONG}


@pytest.mark.parametrize(("vendor", "case"), [(v, c) for v, cases in WRONG.items() for c in cases])
def test_wrong_requests_are_refused(emu: Emulator, vendor: str, case: str) -> None:
    make, status, error = WRONG[vendor][case]
    reply = make(emu)
    assert (reply.status, reply.json["error"]) == (status, error), reply.body
    assert set(reply.json) == {"error", "error_description"}
    assert [(e["status"], e["error"]) for e in emu.requests(vendor, "token")] == [(status, error)]


@pytest.mark.parametrize(
    ("headers", "body", "method", "status"),
    [
        ({**ACCEPT, "Authorization": "Bearer {}"}, None, "POST", 401),
        ({**ACCEPT, "Authorization": "wrong"}, None, "POST", 401),
        ({**ACCEPT}, None, "POST", 401),
        ({"Authorization": "{}"}, None, "POST", 406),
        ({**ACCEPT, "Authorization": "{}"}, "{}", "POST", 422),
        ({**ACCEPT, "Authorization": "{}"}, None, "GET", 405),
    ],
)
def test_wrong_tracx_requests_are_refused(emu: Emulator, headers: dict[str, str], body: str | None, method: str, status: int) -> None:
    token = emu.credentials["tracx"]["connect_token"]
    headers = {k: v.format(token) for k, v in headers.items()}
    reply = raw(emu, "tracx", "/v1/connect/session-token", method, headers, body)
    assert (reply.status, set(reply.json)) == (status, {"message"})


def test_basic_decoding_is_configurable(emu: Emulator) -> None:
    emu.set_credentials("trackunit", client_secret=AWKWARD)
    assert (trackunit(emu).status, trackunit(emu, encode=False).status) == (200, 401)
    emu.set("trackunit", basic_decoding="raw")
    assert (trackunit(emu).status, trackunit(emu, encode=False).status) == (401, 200)


def test_extra_parameters_can_be_allowed(emu: Emulator) -> None:
    emu.set("tracktik", allow_parameters=["audience"])
    assert tracktik(emu, audience="x").status == 200


# --- the API


@pytest.mark.parametrize(
    ("vendor", "keys"),
    [
        ("trackmage", {"@context", "@type", "hydra:title", "hydra:description"}),
        ("tracx", {"message"}),
        ("tracktik", {"error", "error_description"}),
        ("trackunit", {"status", "code", "message"}),
    ],
)
def test_api_refuses_in_the_vendors_shape(emu: Emulator, vendor: str, keys: set[str]) -> None:
    token = token_of(vendor, RIGHT[vendor](emu))
    wrong = f"Bearer {token}" if vendor == "tracx" else token
    for header in (None, wrong, authorization(vendor, "nonsense"), authorization(vendor, token) + "x"):
        reply = me(emu, vendor, header)
        assert (reply.status, set(reply.json)) == (401, keys)


def test_the_tracx_api_can_require_bearer(emu: Emulator) -> None:
    token = token_of("tracx", tracx(emu))
    emu.set("tracx", api_scheme="Bearer")
    assert (me(emu, "tracx", f"Bearer {token}").status, me(emu, "tracx", token).status) == (200, 401)


def test_the_api_echoes_the_request(emu: Emulator) -> None:
    token = token_of("tracktik", tracktik(emu))
    reply = me(emu, "tracktik", f"Bearer {token}", method="PUT", body='{"a": 1}', headers={**JSON, "X-Mine": "yes"})
    assert (reply.json["method"], reply.json["json"], reply.json["headers"]["X-Mine"]) == ("PUT", {"a": 1}, "yes")


def test_expired_and_revoked_tokens_are_refused(emu: Emulator) -> None:
    emu.set("trackunit", lifetime=1)
    token = token_of("trackunit", trackunit(emu))
    emu.set("trackunit", skew=2)
    assert me(emu, "trackunit", f"Bearer {token}").json["message"] == "the token has expired"
    emu.set("trackunit", skew=0, lifetime=3600)
    one, two = (token_of("trackunit", trackunit(emu)) for _ in range(2))
    assert emu.revoke("trackunit", fingerprint(one)) == 1
    assert [me(emu, "trackunit", f"Bearer {t}").status for t in (one, two)] == [401, 200]
    emu.revoke("trackunit")
    assert me(emu, "trackunit", f"Bearer {two}").status == 401


# --- refresh tokens


def test_tracktik_refresh_token_rotates(emu: Emulator) -> None:
    first = tracktik(emu).json["refresh_token"]
    second = tracktik_refresh(emu, first).json["refresh_token"]
    assert second != first
    assert tracktik_refresh(emu, first).json["error"] == "invalid_grant"
    assert [e["refresh"] for e in emu.requests("tracktik", reuse=True)] == [fingerprint(first)]
    assert tracktik_refresh(emu, second).status == 200


def test_reusing_a_refresh_token_can_revoke_its_family(emu: Emulator) -> None:
    emu.set("tracktik", revoke_family=True)
    first = tracktik(emu).json["refresh_token"]
    second = tracktik_refresh(emu, first).json
    tracktik_refresh(emu, first)
    assert tracktik_refresh(emu, second["refresh_token"]).status == 400
    assert me(emu, "tracktik", f"Bearer {second['access_token']}").status == 401


def test_refresh_tokens_can_be_kept(emu: Emulator) -> None:
    emu.set("tracktik", rotate_refresh=False)
    token = tracktik(emu).json["refresh_token"]
    replies = [tracktik_refresh(emu, token) for _ in range(2)]
    assert [(r.status, "refresh_token" in r.json) for r in replies] == [(200, False)] * 2


def test_trackunit_gives_a_refresh_token_for_offline_access(emu: Emulator) -> None:
    token = trackunit(emu, scope="api offline_access").json["refresh_token"]
    form = urlencode({"grant_type": "refresh_token", "refresh_token": token})
    replies = [raw(emu, "trackunit", "/token", "POST", {**FORM, **trackunit_basic(emu)}, form) for _ in range(2)]
    assert [r.status for r in replies] == [200, 400]
    assert replies[0].json["refresh_token"] != token


# --- authorization code


REDIRECT = "http://127.0.0.1:1/done"
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 B


def authorization_url(emu: Emulator, **changes: str) -> str:
    query = {"response_type": "code", "client_id": emu.credentials["trackmage"]["client_id"], "redirect_uri": REDIRECT, "state": "s&1"}
    return f"{emu.base_url('trackmage')}/oauth/v2/auth?{urlencode({**query, **changes})}"


def exchange(emu: Emulator, code: str, **changes: str) -> Reply:
    body = trackmage_body(emu, code=code, redirect_uri=REDIRECT, **changes)
    return raw(emu, "trackmage", TM, "POST", JSON, json.dumps(body))


def answered(url: str) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}


def test_trackmage_accepts_an_authorization_code_once(emu: Emulator) -> None:
    back = emu.consent(authorization_url(emu))
    assert back.startswith(REDIRECT)
    assert answered(back)["state"] == "s&1"
    reply = exchange(emu, answered(back)["code"])
    assert (reply.status, reply.json["token_type"]) == (200, "bearer")
    assert exchange(emu, answered(back)["code"]).json["error"] == "invalid_grant"
    assert me(emu, "trackmage", f"Bearer {reply.json['access_token']}").status == 401  # the second use of a code revokes its token


def test_trackmage_refreshes_with_json_only(emu: Emulator) -> None:
    token = exchange(emu, answered(emu.consent(authorization_url(emu)))["code"]).json["refresh_token"]
    body = {"grant_type": "refresh_token", "refresh_token": token, **emu.credentials["trackmage"]}
    assert raw(emu, "trackmage", TM, "POST", FORM, urlencode(body)).status == 400
    assert raw(emu, "trackmage", TM, "POST", JSON, json.dumps(body)).json["refresh_token"] != token


def test_denied_consent_and_a_wrong_login_are_refused(emu: Emulator) -> None:
    assert answered(emu.consent(authorization_url(emu), allow=False))["error"] == "access_denied"
    emu.vendors["trackmage"].all_credentials["trackmage_user"]["password"] = "good"
    with pytest.raises(ValueError, match="did not redirect"):
        consent(authorization_url(emu), username="owner@example.com", password="bad")


@pytest.mark.parametrize(
    ("changes", "exchanged", "status"),
    [
        ({}, {"redirect_uri": "http://127.0.0.1:2/"}, 400),
        ({}, {"code_verifier": VERIFIER}, 400),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "S256"}, {}, 400),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "S256"}, {"code_verifier": "w" * 43}, 400),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "S256"}, {"code_verifier": VERIFIER}, 200),
    ],
)
def test_authorization_codes_are_bound_to_their_request(emu: Emulator, changes: dict[str, str], exchanged: dict[str, str], status: int) -> None:
    code = answered(emu.consent(authorization_url(emu, **changes)))["code"]
    body = {**trackmage_body(emu, code=code, redirect_uri=REDIRECT), **exchanged}
    assert raw(emu, "trackmage", TM, "POST", JSON, json.dumps(body)).status == status


def test_authorization_codes_expire(emu: Emulator) -> None:
    code = answered(emu.consent(authorization_url(emu)))["code"]
    emu.set("trackmage", skew=61)
    assert exchange(emu, code).json["error_description"] == "the authorization code has expired"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"state": ""}, "invalid_request"),
        ({"nonce": "x"}, "invalid_request"),
        ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_wrong_authorization_requests_are_sent_back(emu: Emulator, changes: dict[str, str], error: str) -> None:
    reply = call("GET", authorization_url(emu, **changes))
    assert (reply.status, answered(reply.headers["Location"])["error"]) == (302, error)


@pytest.mark.parametrize("changes", [{"client_id": "x"}, {"redirect_uri": "https://evil.example/"}])
def test_an_unregistered_redirect_address_is_never_used(emu: Emulator, changes: dict[str, str]) -> None:
    reply = call("GET", authorization_url(emu, **changes))
    assert (reply.status, reply.headers["Location"]) == (400, None)


# --- acme


def acme_raw(emu: Emulator, headers: dict[str, str], form: dict[str, str], *, path: str = "/token") -> Reply:
    return raw(emu, "acme", path, "POST", {**FORM, **headers}, urlencode(form))


def test_acme_accepts_only_the_configured_client_authentication(emu: Emulator) -> None:
    c = emu.credentials["acme"]
    ways: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        "basic": ({"Authorization": basic(c["client_id"], c["client_secret"])}, {}),
        "post": ({}, {"client_id": c["client_id"], "client_secret": c["client_secret"]}),
        "none": ({}, {"client_id": c["client_id"]}),
    }
    for accepted in ways:
        emu.set("acme", client_auth=[accepted])
        got = {way: acme_raw(emu, h, {"grant_type": "client_credentials", **f}).status for way, (h, f) in ways.items()}
        assert got == {way: 200 if way == accepted else 401 for way in ways}
    both = acme_raw(emu, ways["basic"][0], {"grant_type": "client_credentials", **ways["post"][1]})
    assert both.json["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("alg", "change", "status"),
    [
        ("RS256", {}, 200),
        ("RS256", {"aud": "https://other"}, 401),
        ("RS256", {"exp": 1}, 401),
        ("RS256", {"iss": "x"}, 401),
        ("RS256", {"jti": None}, 401),
        ("HS256", {}, 401),
    ],
)
def test_acme_verifies_private_key_jwt(emu: Emulator, alg: str, change: dict[str, Any], status: int) -> None:
    private, public = rsa_pair()
    emu.set("acme", client_auth=["private_key_jwt"], public_key=public)
    client = emu.credentials["acme"]["client_id"]
    facts = {"iss": client, "sub": client, "aud": f"{emu.base_url('acme')}/token", "exp": int(time.time()) + 60, "jti": "1", **change}
    form = {
        "grant_type": "client_credentials",
        "client_assertion": sign(facts, private, alg),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert acme_raw(emu, {}, form).status == status
    assert acme_raw(emu, {}, form).status == 401  # a jti is valid for one use


def sign(facts: dict[str, Any], private: str, alg: str) -> str:
    def pack(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    text = f"{pack(json.dumps({'alg': alg}).encode())}.{pack(json.dumps(facts).encode())}"
    key: Any = load_pem_private_key(private.encode(), None)
    return f"{text}.{pack(key.sign(text.encode(), padding.PKCS1v15(), SHA256()))}"


def test_acme_accepts_only_the_configured_format(emu: Emulator) -> None:
    c = emu.credentials["acme"]
    fields = {"grant_type": "client_credentials", "client_id": c["client_id"], "client_secret": c["client_secret"]}
    calls = {
        ("POST", "form"): lambda: acme_raw(emu, {}, fields),
        ("POST", "json"): lambda: raw(emu, "acme", "/token", "POST", JSON, json.dumps(fields)),
        ("GET", "query"): lambda: raw(emu, "acme", f"/token?{urlencode(fields)}", "GET", {}),
    }
    for method, form in calls:
        emu.set("acme", client_auth=["post"], request_method=method, request_format=form)
        got = {key: call().status == 200 for key, call in calls.items()}
        assert got == {key: key == (method, form) for key in calls}


def test_acme_supports_grants_targets_and_nested_answers(emu: Emulator) -> None:
    emu.set("acme", token_field="result.auth.token", expires_field="result.until", expires_as="iso")
    reply = acme(emu, audience="https://api", resource="https://res")
    assert reply.json["result"]["auth"]["token"].count(".") == 2
    assert reply.json["result"]["until"].endswith("Z")
    assert emu.requests("acme", audience="https://api", resource="https://res")
    exchanged = acme(emu, grant_type="urn:ietf:params:oauth:grant-type:token-exchange", subject_token="x", subject_token_type="y")
    assert exchanged.json["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    bearer = acme(emu, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion="x")
    assert bearer.json["error"] == "invalid_grant"
    assert acme(emu, grant_type="password").json["error"] == "invalid_request"
    assert acme(emu, grant_type="urn:x").json["error"] == "unsupported_grant_type"
    emu.set("acme", grants=["password"])
    assert acme(emu).json["error"] == "unauthorized_client"


def test_acme_supports_discovery_and_revocation(emu: Emulator) -> None:
    base = emu.base_url("acme")
    urls = [
        f"{base}/.well-known/openid-configuration",
        f"{base}/.well-known/oauth-authorization-server",
        f"{emu.url}/.well-known/oauth-authorization-server/acme",
    ]
    documents = [call("GET", url).json for url in urls]
    assert documents[0] == documents[1] == documents[2]
    assert documents[0]["issuer"] == base
    c = emu.credentials["acme"]
    answer = acme(emu, grant_type="password", username=c["username"], password=c["password"]).json
    headers = {"Authorization": basic(c["client_id"], c["client_secret"])}
    assert acme_raw(emu, headers, {"token": answer["refresh_token"]}, path="/revoke").status == 200
    assert me(emu, "acme", f"Bearer {answer['access_token']}").status == 401
    assert acme_raw(emu, headers, {"token": "unknown"}, path="/revoke").status == 200
    assert acme_raw(emu, {}, {"token": "unknown"}, path="/revoke").status == 401


def test_acme_authorization_code_needs_pkce(emu: Emulator) -> None:
    c = emu.credentials["acme"]
    query = {"response_type": "code", "client_id": c["client_id"], "redirect_uri": REDIRECT, "state": "s", "scope": "a"}
    url = f"{emu.base_url('acme')}/authorize"
    assert answered(emu.consent(f"{url}?{urlencode(query)}"))["error"] == "invalid_request"
    query.update(code_challenge=CHALLENGE, code_challenge_method="S256")
    code = answered(emu.consent(f"{url}?{urlencode(query)}"))["code"]
    reply = acme(emu, grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=VERIFIER)
    assert (reply.status, reply.json["scope"]) == (200, "a")


# --- faults


def test_a_status_fault_has_the_vendors_shape(emu: Emulator) -> None:
    emu.fail("trackunit", 429, times=2, retry_after=3)
    replies = [trackunit(emu) for _ in range(3)]
    assert [(r.status, r.headers["Retry-After"]) for r in replies] == [(429, "3"), (429, "3"), (200, None)]
    emu.fail("trackunit", "status", code=403, kind="api")
    assert trackunit(emu).status == 200
    assert me(emu, "trackunit", "x").json == {"status": 403, "code": "forbidden", "message": "scripted 403"}


@pytest.mark.parametrize("code", ["invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"])
def test_rfc_6749_faults_can_repeat_a_secret(emu: Emulator, code: str) -> None:
    emu.fail("tracktik", code, echo_secret=True)
    reply = tracktik(emu)
    assert (reply.status, reply.json["error"]) == (401 if code == "invalid_client" else 400, code)
    assert emu.credentials["tracktik"]["password"] in reply.json["error_description"]
    assert emu.requests("tracktik")[0]["grant_type"] == "password"


def test_a_fault_applies_only_to_its_sender(emu: Emulator) -> None:
    emu.fail("trackunit", 503, sender="the-other")
    assert trackunit(emu).status == 200
    emu.set_credentials("trackunit", client_id="the-other")
    assert [trackunit(emu).status for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("how", ECHOES)
def test_repeated_secrets_can_be_spelled_in_many_ways(emu: Emulator, how: str) -> None:
    emu.set_credentials("tracktik", password=AWKWARD)
    emu.fail("tracktik", "invalid_grant", echo_secret=how)
    assert ECHOES[how](AWKWARD) in tracktik(emu).json["error_description"]
    with pytest.raises(ValueError, match="no echo 'rot13'"):
        emu.fail("tracktik", "invalid_grant", echo_secret="rot13")


@pytest.mark.parametrize(
    ("fault", "options", "check"),
    [
        ("html", {}, lambda r: r.headers["Content-Type"].startswith("text/html")),
        ("empty", {}, lambda r: r.body == b""),
        ("literal", {"body": "[1]", "code": 201}, lambda r: (r.status, r.json) == (201, [1])),
        ("error_200", {}, lambda r: r.status == 200 and r.json["error"] == "invalid_grant"),
        ("redirect", {"code": 308, "to": "http://x.invalid/"}, lambda r: (r.status, r.headers["Location"]) == (308, "http://x.invalid/")),
        ("deep_json", {"depth": 50_000}, lambda r: r.body.count(b"[") == 50_000),
        ("invalid_json", {}, lambda r: r.body.startswith(b"{") and not r.body.endswith(b"}")),
        ("no_token", {}, lambda r: "access_token" not in r.json),
        ("wrong_token", {"value": ["x"]}, lambda r: r.json["access_token"] == ["x"]),
        ("token_type", {}, lambda r: r.json["token_type"] == "mac"),
        ("merge", {"values": {"a": 1}}, lambda r: r.json["a"] == 1),
        ("lifetime", {"value": 10**30}, lambda r: r.json["expires_in"] == 10**30),
        ("numbers_as_strings", {}, lambda r: r.json["expires_in"] == "3600"),
        ("iso_date", {}, lambda r: r.json["expires_in"].endswith("Z")),
        ("duplicate_keys", {}, lambda r: r.body.count(b'"access_token"') == 2),
        ("latin1", {}, lambda r: b"Z\xfcrich" in r.body),
        ("bom", {}, lambda r: r.body.startswith(b"\xef\xbb\xbf{")),
        ("huge", {"mib": 2}, lambda r: len(r.body) > 2**21),
        ("gzip_bomb", {"mib": 3}, lambda r: len(r.body) < 2**16 and len(gzip.decompress(r.body)) > 3 * 2**20),
        ("no_date", {}, lambda r: r.headers["Date"] is None),
        ("status", {"code": 200, "body": "{}"}, lambda r: r.json == {}),
        ("slow", {"delay": 0.1}, lambda r: r.status == 200),
        ("drip", {"delay": 0}, lambda r: r.json["token_type"] == "Bearer"),
    ],
)
def test_each_fault_changes_one_answer(emu: Emulator, fault: str, options: dict[str, Any], check: Any) -> None:
    emu.fail("trackunit", fault, **options)
    assert check(trackunit(emu))
    assert emu.requests("trackunit")[0]["fault"] == fault
    assert trackunit(emu).status == 200


def test_every_fault_is_tested_here() -> None:
    tried = {m.args[1][n][0] for m in test_each_fault_changes_one_answer.pytestmark for n in range(len(m.args[1]))}  # type: ignore[attr-defined]
    assert set(FAULTS) - tried == {"oauth_error", "cut", "close", "lose", "date_skew"}


def test_connections_can_be_broken(emu: Emulator) -> None:
    emu.fail("tracktik", "cut")
    with pytest.raises(http.client.IncompleteRead):
        tracktik(emu)
    emu.fail("tracktik", "close")
    with pytest.raises(http.client.RemoteDisconnected):
        tracktik(emu)
    emu.fail("tracktik", "close", reset=True)
    with pytest.raises(ConnectionResetError):
        tracktik(emu)


def test_a_lost_answer_spends_the_refresh_token(emu: Emulator) -> None:
    token = tracktik(emu).json["refresh_token"]
    emu.fail("tracktik", "lose")
    with pytest.raises(http.client.RemoteDisconnected):
        tracktik_refresh(emu, token)
    assert tracktik_refresh(emu, token).json["error"] == "invalid_grant"


def test_the_date_can_be_skewed(emu: Emulator) -> None:
    def date(reply: Reply) -> float:
        return parsedate_to_datetime(reply.headers["Date"]).timestamp()

    emu.fail("tracx", "date_skew", seconds=-600)
    before = int(time.time())
    assert before <= date(tracx(emu)) + 600 <= time.time()
    emu.set("tracx", skew=600)  # the clock of the whole vendor
    before = int(time.time())
    reply = tracx(emu)
    assert before <= date(reply) - 600 <= time.time()
    assert before <= reply.json["data"]["expires_at"] - 3600 - 600 <= time.time() + 1


def test_the_rate_limit_is_enforced(emu: Emulator) -> None:
    emu.set("tracktik", rate_limit=1)
    replies = [tracktik(emu) for _ in range(2)]
    assert [r.status for r in replies] == [200, 429]
    assert int(replies[1].headers["Retry-After"]) > 0
    assert replies[1].headers["X-RateLimit-Remaining"] == "0"


def test_unknown_faults_and_settings_are_refused(emu: Emulator) -> None:
    with pytest.raises(ValueError, match="no fault"):
        emu.fail("tracx", "nonsense")
    with pytest.raises(ValueError, match="takes code"):
        emu.fail("tracx", "html", size=1)
    with pytest.raises(ValueError, match="no setting"):
        emu.set("tracx", lifetme=1)


def test_the_sink_records_whether_credentials_arrived(emu: Emulator) -> None:
    call("GET", emu.sink_url)
    call("GET", f"{emu.sink_url}?x={quote(emu.credentials['trackmage']['client_secret'])}")
    call("GET", emu.sink_url, headers={"Authorization": "x"})
    assert [e["leaked"] for e in emu.requests(kind="sink")] == [False, True, True]


# --- log, server, control


def test_the_log_holds_no_secret(tmp_path: Path) -> None:
    with Emulator(log=tmp_path / "log") as emu:
        for vendor, right in RIGHT.items():
            me(emu, vendor, authorization(vendor, token_of(vendor, right(emu))))
        trackunit_v2(emu)
        tracktik_refresh(emu, tracktik(emu).json["refresh_token"])
        text = json.dumps(emu.requests()) + (tmp_path / "log").read_text()
        assert [s for s in emu.secrets() if s in text or quote_plus(s) in text] == []
        assert len((tmp_path / "log").read_text().splitlines()) == len(emu.requests()) == 13


def test_the_raw_log_has_the_exact_request(emu: Emulator) -> None:
    tracktik(emu)
    entry = emu.requests("tracktik", "token")[0]
    assert parse_qs(entry["raw"]["body"])["password"] == [emu.credentials["tracktik"]["password"]]
    assert ["Content-Type", FORM["Content-Type"]] in entry["raw"]["headers"]


def test_a_delayed_answer_delays_no_other() -> None:
    with Emulator() as emu:
        emu.set("tracx", delay=600)

        def ask() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                tracx(emu)

        threads = [threading.Thread(target=ask) for _ in range(50)]
        for thread in threads:
            thread.start()
        wait_for("50 requests", lambda: len(emu.requests("tracx")) == 50)
        assert {entry["status"] for entry in emu.requests("tracx")} == {None}
        emu.set("tracx", delay=0)
        assert tracx(emu).status == 200
    for thread in threads:
        thread.join()


def test_stopping_and_starting_keeps_the_port() -> None:
    with Emulator() as emu:
        idle = socket.create_connection((emu.host, emu.port))
        token = token_of("tracx", tracx(emu))
        emu.stop()
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            tracx(emu)
        emu.start()
        assert me(emu, "tracx", token).status == 200
        idle.close()


def test_absolute_targets_and_tunnels_are_proxied(emu: Emulator) -> None:
    connection = http.client.HTTPConnection(emu.host, emu.port, timeout=300)
    connection.request("GET", "http://api.tracx.example/tracx/api/me")
    assert connection.getresponse().status == 401
    connection.close()
    assert emu.requests("tracx")[0]["via_proxy"] is True
    tunnel = http.client.HTTPConnection(emu.host, emu.port, timeout=300)
    tunnel.set_tunnel(emu.host, emu.port)
    tunnel.request("GET", "/tracx/api/me")
    assert tunnel.getresponse().status == 401
    tunnel.close()
    assert [e["status"] for e in emu.requests(kind="proxy")] == [200]


def test_tls_and_client_certificates_are_supported(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    pair, client = ca.server(), ca.client()
    trust = ssl.create_default_context(cafile=str(ca.cert))
    with Emulator(TlsFiles(pair.cert, pair.key)) as emu:
        assert call("GET", f"{emu.base_url('tracx')}/api/me", context=trust).status == 401
        with pytest.raises(ssl.SSLCertVerificationError):
            call("GET", f"{emu.base_url('tracx')}/api/me", context=ssl.create_default_context())
    with Emulator(TlsFiles(pair.cert, pair.key, client_ca=ca.cert)) as emu:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            call("GET", f"{emu.base_url('tracx')}/api/me", context=trust)
        trust.load_cert_chain(client.cert, client.key)
        assert call("GET", f"{emu.base_url('tracx')}/api/me", context=trust).status == 401


def control(emu_url: str, operation: str, **arguments: Any) -> Any:
    reply = call("POST", f"{emu_url}/_control/{operation}", headers=JSON, body=json.dumps(arguments))
    assert reply.status == 200, reply.body
    return reply.json["result"]


def test_the_control_api_changes_settings_and_faults(emu: Emulator) -> None:
    control(emu.url, "set", vendor="tracx", lifetime=7)
    control(emu.url, "credentials", vendor="tracx", credentials={"connect_token": "new"})
    before = int(time.time())
    assert before <= tracx(emu).json["data"]["expires_at"] - 7 <= time.time() + 1
    control(emu.url, "fail", vendor="tracx", fault=503, times=1)
    assert tracx(emu).status == 503
    assert control(emu.url, "revoke", vendor="tracx") == 1
    got = call("GET", f"{emu.url}/_control/requests?vendor=tracx&kind=token").json
    assert [e["status"] for e in got] == [200, 503]
    control(emu.url, "reset")
    assert call("GET", f"{emu.url}/_control/requests").json == []
    assert call("GET", f"{emu.url}/_control/credentials").json == emu.credentials
    assert set(call("GET", f"{emu.url}/_control/state").json["vendors"]) == set(VENDORS)
    assert call("POST", f"{emu.url}/_control/fail", body='{"vendor": "tracx", "fault": "x"}').status == 400


def test_the_command_line_starts_an_emulator(tmp_path: Path) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    command = [sys.executable, "-m", "emulator", "--state-file", str(state), "--log", str(log)]
    process = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        assert json.loads(state.read_text()) == ready
        assert ready["pid"] == process.pid
        assert call("GET", f"{ready['vendors']['tracx']}/api/me").status == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert json.loads(log.read_text())["status"] == 401
    finally:
        process.kill()
        process.communicate()
