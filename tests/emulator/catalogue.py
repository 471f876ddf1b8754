# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token endpoints of docs/catalogue.md, each as its vendor documents it: the request, the response, and the format of its errors.

Anything undocumented is refused. A JWT may have undocumented claims, since servers ignore claims that they do not know (RFC 7519 4), but not
one that has a meaning for the vendor, such as Google's `sub`. The errors come from the documentation, or from reports in the vendor's own trackers.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .assertion import read_assertion
from .base import Answer, BadRequest, Call, Json, Refusal, expect, json_answer, no_query, parse_basic, parse_form

__all__ = ["ACCOUNTS", "HOSTS", "Account", "answer"]

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN = "t0ken-of-"  # followed by the vendor's name


@dataclass
class Account:
    """What a vendor knows about its only client."""

    client_id: str = ""
    client_secret: str = ""
    username: str = ""
    password: str = ""
    public_key: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    more: Json = field(default_factory=dict)


#: By vendor. Tests fill in the keys.
ACCOUNTS: dict[str, Account] = {
    "github_app": Account("Iv23liXyz"),
    "entra": Account("535fb089-9ff3-47b6-9bfb-4f1264799865", "qWg8Q~ofEntra"),
    "google": Account("robot@fleet-1.iam.gserviceaccount.com", more={"key_id": "370ab79b4513eb9bad7c9bd16a95cb76b5b2a56a"}),
    "salesforce": Account("3MVG9lKcPoNINVBIPJ", "1955279925675241571"),
    "servicenow": Account(
        "be3aeb583ace210011c15b24a43e25d8", "servicenow-secret", "robot.user", "servicenow-password", more={"refresh_token": "w599voG89897rGVDmd"}
    ),
    "okta": Account("0oar95zt9zIpYuz6A0h7", more={"key_id": "okta-key-1"}),
    "zoom": Account("zoomclient7", "zoomsecret7", more={"account_id": "gYz8S9w5Q5yrDo"}),
    "docusign": Account("7c2b8d7e-0000-4000-8000-cda8a50dd73f", more={"subject": "464f7988-0000-4000-8000-781ee556ab7a"}),
    "box": Account("abc123box", "def234box", more={"enterprise_id": "1234567", "key_id": "abcd1234"}),
    "vcenter": Account(username="robot@vsphere.local", password="pass:wörd vcenter"),
    "crowdstrike": Account("c0wdstr1keclient", "crowdstrike-secret"),
    "dynatrace": Account("dt0s02.CLIENT", "dt0s02.CLIENT.dynatrace-secret"),
    "pagerduty": Account("pd-client-uuid", "pagerduty-secret"),
    "geotab": Account(username="trackops-service@fleet.example", password='geotab "password"', more={"database": "fleet_one"}),
    "wialon": Account(more={"token": "2fe8024e0ab91aa6c8ed82717b71bddcECDC362358DF7D90986F5173D405CD0D42DE7B38"}),
}


class Refuse(Exception):
    """The request is as documented, but the credentials are wrong."""


def _form(call: Call, *required: str, optional: Iterable[str] = ()) -> dict[str, str]:
    parameters = parse_form(call)
    expect(parameters, required, optional=optional)
    return parameters


def _is(parameters: Json, **wanted: str) -> None:
    wrong = [name for name, value in wanted.items() if parameters.get(name) != value]
    if wrong:
        raise BadRequest(f"not as documented: {', '.join(wrong)}")


def _client(account: Account, client_id: str, client_secret: str) -> None:
    if (client_id, client_secret) != (account.client_id, account.client_secret):
        raise Refuse


def _claims(account: Account, text: str, *, algorithms: Iterable[str], needed: Iterable[str], longest: float = 3600) -> Json:
    """Return the claims of a JWT that has at least the documented claims and is signed with the account's key."""
    shape = read_assertion(text, None)
    if shape["_header"].get("alg") not in algorithms or shape["_header"].get("typ") != "JWT":
        raise BadRequest("the header of the JWT is not as documented")
    missing = [name for name in needed if name not in shape]
    if missing:
        raise BadRequest(f"claims that are missing: {', '.join(missing)}")
    now = time.time()
    if not now < shape["exp"] <= now + longest or shape.get("iat", now) > now:
        raise BadRequest("the times of the JWT are not as documented")
    try:
        return read_assertion(text, account.public_key)
    except BadRequest:
        raise Refuse from None


def _bearer(name: str, lifetime: int | None = 3600, *, status: int = 200, **more: Any) -> Answer:
    expires = {} if lifetime is None else {"expires_in": lifetime}
    return json_answer(status, {"access_token": TOKEN + name, "token_type": "Bearer", **expires, **more})


def _oauth_error(status: int, error: str, text: str, **more: Any) -> Answer:
    return json_answer(status, {"error": error, "error_description": text, **more})


# -- the vendors


def github_app(call: Call, account: Account) -> Answer:
    no_query(call)
    if call.header("Accept") != "application/vnd.github+json" or call.header("X-GitHub-Api-Version") != "2022-11-28":
        raise BadRequest("Accept or X-GitHub-Api-Version is not as documented")
    narrowed: Json = {}
    if call.body:
        if call.media_type != "application/json":
            raise BadRequest("the body must be JSON")
        narrowed = json.loads(call.body)
        if not narrowed or set(narrowed) - {"repositories", "repository_ids", "permissions"}:
            raise BadRequest("only repositories, repository_ids and permissions can be in the body")
    scheme, _, text = (call.header("Authorization") or "").partition(" ")
    if scheme != "Bearer":
        raise BadRequest("Authorization: Bearer is missing")
    claims = _claims(account, text, algorithms=("RS256",), needed=("iat", "exp", "iss"), longest=600)
    if claims["iss"] != account.client_id:
        raise Refuse
    expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    document = {
        "token": "ghs_" + TOKEN + "github_app",
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "permissions": narrowed.get("permissions", {"contents": "write", "metadata": "read"}),
        "repository_selection": "selected" if "repositories" in narrowed else "all",
    }
    return json_answer(201, document)


def _github_refusal(_call: Call, problem: Exception) -> Answer:
    status = 401 if isinstance(problem, Refuse) else 400
    said = "A JSON web token could not be decoded" if status == 401 else str(problem)
    return json_answer(status, {"message": said, "documentation_url": "https://docs.github.com/rest", "status": str(status)})


def entra(call: Call, account: Account) -> Answer:
    with_secret = b"client_secret=" in call.body
    proof = ("client_secret",) if with_secret else ("client_assertion_type", "client_assertion")
    sent = _form(call, "grant_type", "client_id", "scope", *proof)
    _is(sent, grant_type="client_credentials", scope="https://graph.microsoft.com/.default", client_id=account.client_id)
    if with_secret:
        _client(account, sent["client_id"], sent["client_secret"])
        return _bearer("entra", 3599)
    _is(sent, client_assertion_type=ASSERTION_TYPE)
    claims = _claims(account, sent["client_assertion"], algorithms=("PS256",), needed=("aud", "exp", "iss", "jti", "sub"))
    _is(claims, aud=call.base_url + call.path, iss=account.client_id, sub=account.client_id)
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(ssl.PEM_cert_to_DER_cert(account.certificate)).digest()).rstrip(b"=").decode()
    if claims["_header"].get("x5t#S256") != thumbprint:
        raise Refuse
    return _bearer("entra", 3599)


def _entra_refusal(call: Call, problem: Exception) -> Answer:
    if not isinstance(problem, Refuse):
        return _oauth_error(400, "invalid_request", f"AADSTS900144: {problem}", error_codes=[900144])
    with_secret = b"client_secret=" in call.body
    said = (
        "AADSTS7000215: Invalid client secret provided."
        if with_secret
        else "AADSTS700027: The certificate used to sign the client assertion is not registered."
    )
    more = {"error_codes": [7000215 if with_secret else 700027], "timestamp": "2026-11-26 04:00:00Z", "trace_id": "6f6c", "correlation_id": "5fc8"}
    return _oauth_error(401, "invalid_client", said + "\r\nTrace ID: 6f6c\r\nTimestamp: 2026-11-26 04:00:00Z", **more)


def google(call: Call, account: Account) -> Answer:
    sent = _form(call, "grant_type", "assertion")
    _is(sent, grant_type=JWT_BEARER)
    claims = _claims(account, sent["assertion"], algorithms=("RS256",), needed=("iss", "scope", "aud", "exp", "iat"))
    if "sub" in claims:
        raise BadRequest("sub is for domain-wide delegation")
    _is(claims, aud="https://oauth2.googleapis.com/token", iss=account.client_id, scope="https://www.googleapis.com/auth/devstorage.read_only")
    if claims["_header"].get("kid") != account.more["key_id"]:
        raise Refuse
    return _bearer("google", 3599, scope=claims["scope"])


def salesforce(call: Call, account: Account) -> Answer:
    sent = _form(call, "grant_type", "client_id", "client_secret")
    _is(sent, grant_type="client_credentials")
    _client(account, sent["client_id"], sent["client_secret"])
    more = {"signature": "c2lnbmF0dXJl", "scope": "api", "instance_url": call.base_url, "id": f"{call.base_url}/id/00D/005", "issued_at": "1732593600000"}
    return _bearer("salesforce", None, **more)


def servicenow(call: Call, account: Account) -> Answer:
    user = {"username": account.username, "password": account.password}
    grants: dict[str, dict[str, str]] = {"password": user, "refresh_token": account.more, "client_credentials": {}}
    grant = next((name for name in grants if f"grant_type={name}".encode() in call.body), "client_credentials")
    sent = _form(call, "grant_type", "client_id", "client_secret", *grants[grant])
    _is(sent, grant_type=grant)
    _client(account, sent["client_id"], sent["client_secret"])
    if any(sent[name] != value for name, value in grants[grant].items()):
        raise Refuse
    return _bearer("servicenow", 1799, scope="useraccount", **(account.more if grant != "client_credentials" else {}))


def okta(call: Call, account: Account) -> Answer:
    sent = _form(call, "grant_type", "scope", "client_assertion_type", "client_assertion", optional=("client_id",))
    _is(sent, grant_type="client_credentials", client_assertion_type=ASSERTION_TYPE, scope="okta.users.read")
    algorithms = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
    claims = _claims(account, sent["client_assertion"], algorithms=algorithms, needed=("aud", "exp", "iss", "sub"))
    _is(claims, aud=call.base_url + call.path, iss=account.client_id, sub=account.client_id)
    if claims["_header"].get("kid") != account.more["key_id"]:
        raise Refuse
    return _bearer("okta", scope=sent["scope"])


def zoom(call: Call, account: Account) -> Answer:
    client = parse_basic(call.header("Authorization"), decoding="raw")
    sent = _form(call, "grant_type", "account_id")
    _is(sent, grant_type="account_credentials", account_id=account.more["account_id"])
    _client(account, *client)
    return _bearer("zoom", scope="user:read:admin", api_url="https://api.zoom.us")


def _zoom_refusal(_call: Call, problem: Exception) -> Answer:
    if isinstance(problem, Refuse):
        return json_answer(400, {"reason": "Invalid client_id or client_secret", "error": "invalid_client"})
    return json_answer(400, {"reason": str(problem), "error": "invalid_request"})


def docusign(call: Call, account: Account) -> Answer:
    sent = _form(call, "grant_type", "assertion")
    _is(sent, grant_type=JWT_BEARER)
    claims = _claims(account, sent["assertion"], algorithms=("RS256",), needed=("iss", "sub", "aud", "iat", "exp", "scope"))
    _is(claims, aud="account.docusign.com", iss=account.client_id, sub=account.more["subject"], scope="signature impersonation")
    return _bearer("docusign")


def box(call: Call, account: Account) -> Answer:
    if b"box_subject_type=" in call.body:
        sent = _form(call, "grant_type", "client_id", "client_secret", "box_subject_type", "box_subject_id")
        _is(sent, grant_type="client_credentials", box_subject_type="enterprise", box_subject_id=account.more["enterprise_id"])
        _client(account, sent["client_id"], sent["client_secret"])
        return _bearer("box", 4169, restricted_to=[])
    sent = _form(call, "grant_type", "client_id", "client_secret", "assertion")
    _is(sent, grant_type=JWT_BEARER)
    needed = ("iss", "sub", "box_sub_type", "aud", "jti", "exp")
    claims = _claims(account, sent["assertion"], algorithms=("RS256", "RS384", "RS512"), needed=needed, longest=60)
    _is(claims, aud="https://api.box.com/oauth2/token", iss=account.client_id, sub=account.more["enterprise_id"], box_sub_type="enterprise")
    if not 16 <= len(claims["jti"]) <= 128 or claims["_header"].get("kid") != account.more["key_id"]:
        raise BadRequest("jti or kid is not as documented")
    _client(account, sent["client_id"], sent["client_secret"])
    return _bearer("box", 4169, restricted_to=[])


def vcenter(call: Call, account: Account) -> Answer:
    no_query(call)
    if call.body:
        raise BadRequest("no body is documented")
    if parse_basic(call.header("Authorization"), decoding="raw") != (account.username, account.password):
        raise Refuse
    return json_answer(201, TOKEN + "vcenter")


def _vcenter_refusal(_call: Call, problem: Exception) -> Answer:
    said = "Invalid credentials" if isinstance(problem, Refuse) else str(problem)
    message = {"args": [], "default_message": said, "id": "com.vmware.vapi.endpoint.method.authentication.required"}
    return json_answer(401 if isinstance(problem, Refuse) else 400, {"error_type": "UNAUTHENTICATED", "messages": [message]})


def crowdstrike(call: Call, account: Account) -> Answer:
    if call.path == "/oauth2/revoke":
        _client(account, *parse_basic(call.header("Authorization"), decoding="raw"))
        _is(_form(call, "token", optional=("token_type_hint",)), token=TOKEN + "crowdstrike")
        return json_answer(200, {"meta": {"trace_id": "6b25ea5a"}, "resources": [], "errors": []})
    client = parse_basic(call.header("Authorization"), decoding="raw")
    _is(_form(call, "grant_type", optional=("member_cid",)), grant_type="client_credentials")
    _client(account, *client)
    return _bearer("crowdstrike", 1799, status=201)


def _crowdstrike_refusal(_call: Call, problem: Exception) -> Answer:
    status = 403 if isinstance(problem, Refuse) else 400
    said = "Failed to issue access token - Client authentication failed" if status == 403 else str(problem)
    return json_answer(status, {"meta": {"powered_by": "csam", "trace_id": "40ad7618"}, "errors": [{"code": status, "message": said}]})


def dynatrace(call: Call, account: Account) -> Answer:
    sent = _form(call, "grant_type", "client_id", "client_secret", "scope", "resource")
    _is(sent, grant_type="client_credentials", resource="urn:dtaccount:2b794097", scope="storage:logs:read")
    _client(account, sent["client_id"], sent["client_secret"])
    return _bearer("dynatrace", 300, scope=sent["scope"], resource=sent["resource"])


def _dynatrace_refusal(_call: Call, _problem: Exception) -> Answer:
    return json_answer(400, {"errorCode": 400, "message": "Bad Request"})


def pagerduty(call: Call, account: Account) -> Answer:
    sent = _form(call, "grant_type", "client_id", "client_secret", "scope")
    _is(sent, grant_type="client_credentials", scope="as_account-us.acme incidents.read services.read")
    _client(account, sent["client_id"], sent["client_secret"])
    return _bearer("pagerduty", 2592000, scope=sent["scope"])


def geotab(call: Call, account: Account) -> Answer:
    no_query(call)
    if call.media_type != "application/json":
        raise BadRequest("Content-Type is not as documented")
    sent = json.loads(call.body)
    if set(sent) != {"method", "params"} or set(sent["params"]) != {"database", "userName", "password"} or sent["method"] != "Authenticate":
        raise BadRequest("method or params is not as documented")
    wanted = {"database": account.more["database"], "userName": account.username, "password": account.password}
    if sent["params"] != wanted:
        raise Refuse
    credentials = {"database": wanted["database"], "sessionId": TOKEN + "geotab", "userName": wanted["userName"]}
    return json_answer(200, {"result": {"credentials": credentials, "path": "my23.geotab.com"}, "jsonrpc": "2.0"})


def _geotab_refusal(_call: Call, problem: Exception) -> Answer:
    known = isinstance(problem, Refuse)
    kind, said = ("InvalidUserException", "Incorrect login credentials") if known else ("ArgumentException", str(problem))
    error = {"code": -32000, "data": {"id": "5531c760", "type": kind, "requestIndex": 0}, "message": said}
    return json_answer(200, {"error": error, "jsonrpc": "2.0"})


def wialon(call: Call, account: Account) -> Answer:
    sent = _form(call, "svc", "params")
    _is(sent, svc="token/login")
    params = json.loads(sent["params"])
    if set(params) != {"token", "fl"} or params["fl"] != 1:
        raise BadRequest("params is not as documented")
    if params["token"] != account.more["token"]:
        raise Refuse
    basic = {"host": "212.98.173.107", "eid": TOKEN + "wialon", "gis_sid": "g1s-session", "au": "fleet", "tm": 1732593600}
    return json_answer(200, basic)


def _wialon_refusal(_call: Call, problem: Exception) -> Answer:
    return json_answer(200, {"error": 8 if isinstance(problem, Refuse) else 4})


def _oauth(status: int, error: str, text: str) -> Callable[[Call, Exception], Answer]:
    """An error of RFC 6749 5.2 in the vendor's words."""

    def refusal(_call: Call, problem: Exception) -> Answer:
        if isinstance(problem, Refuse):
            return _oauth_error(status, error, text)
        return _oauth_error(400, "invalid_request", str(problem))

    return refusal


@dataclass(frozen=True)
class Endpoint:
    """Where a vendor's token endpoint is, what it does, and how it refuses."""

    vendor: str
    path: str
    handler: Callable[[Call, Account], Answer]
    refusal: Callable[[Call, Exception], Answer]
    more_paths: tuple[str, ...] = ()


#: By host, as in docs/catalogue.md once its placeholders are filled in.
HOSTS: dict[str, Endpoint] = {
    "api.github.com": Endpoint("github_app", "/app/installations/4711/access_tokens", github_app, _github_refusal),
    "login.microsoftonline.com": Endpoint("entra", "/acme.onmicrosoft.com/oauth2/v2.0/token", entra, _entra_refusal),
    "oauth2.googleapis.com": Endpoint("google", "/token", google, _oauth(400, "invalid_grant", "Invalid JWT Signature.")),
    "acme.my.salesforce.com": Endpoint("salesforce", "/services/oauth2/token", salesforce, _oauth(400, "invalid_client", "invalid client credentials")),
    "acme.service-now.com": Endpoint("servicenow", "/oauth_token.do", servicenow, _oauth(401, "server_error", "access_denied")),
    "acme.okta.com": Endpoint("okta", "/oauth2/v1/token", okta, _oauth(401, "invalid_client", "The client_assertion signature is invalid.")),
    "zoom.us": Endpoint("zoom", "/oauth/token", zoom, _zoom_refusal),
    "account.docusign.com": Endpoint("docusign", "/oauth/token", docusign, _oauth(400, "invalid_grant", "no_valid_keys_or_signatures")),
    "api.box.com": Endpoint("box", "/oauth2/token", box, _oauth(400, "invalid_grant", "Grant credentials are invalid")),
    "vcenter.acme.example": Endpoint("vcenter", "/api/session", vcenter, _vcenter_refusal),
    "api.crowdstrike.com": Endpoint("crowdstrike", "/oauth2/token", crowdstrike, _crowdstrike_refusal, ("/oauth2/revoke",)),
    "sso.dynatrace.com": Endpoint("dynatrace", "/sso/oauth2/token", dynatrace, _dynatrace_refusal),
    "identity.pagerduty.com": Endpoint("pagerduty", "/oauth/token", pagerduty, _oauth(401, "invalid_client", "Invalid client credentials")),
    "my.geotab.com": Endpoint("geotab", "/apiv1", geotab, _geotab_refusal),
    "hst-api.wialon.com": Endpoint("wialon", "/wialon/ajax.html", wialon, _wialon_refusal),
}


def answer(host: str, call: Call, accounts: dict[str, Account] = ACCOUNTS) -> Answer:
    """Return the response of the vendor at *host*."""
    endpoint = HOSTS[host]
    if call.path not in (endpoint.path, *endpoint.more_paths):
        return Answer(404, b"<html>no such page</html>", [("Content-Type", "text/html")])
    if call.method != "POST":
        return Answer(405, b"", [("Allow", "POST")])
    try:
        return endpoint.handler(call, accounts[endpoint.vendor])
    except (BadRequest, Refuse) as problem:
        return endpoint.refusal(call, problem)
    except Refusal as refusal:
        return refusal.answer
    except ValueError:
        return endpoint.refusal(call, BadRequest("the body cannot be read"))
