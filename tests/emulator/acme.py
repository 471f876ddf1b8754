# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""acme: a strict, vendor-neutral OAuth 2.0 server with configurable grants, client authentication and request formats.

Its settings (`defaults`) say what it accepts; it refuses everything else. RFC 6749, 7009, 7523, 7636, 8414, 8628, 8693, 8707.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlencode

from .assertion import read_assertion
from .authorize import authorization_routes
from .base import (
    FORM,
    Answer,
    BadRequest,
    Call,
    Handler,
    Json,
    Token,
    expect,
    fingerprint,
    json_answer,
    new_family,
    no_query,
    parse_basic,
    parse_form,
    parse_json,
    parse_pairs,
)
from .device import DEVICE, DeviceFlow

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
TARGETS = ("audience", "resource")
# grant -> (required parameters, optional ones)
GRANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "client_credentials": ((), ("scope", *TARGETS)),
    "password": (("username", "password"), ("scope", *TARGETS)),
    "account_credentials": (("account_id",), ("scope", *TARGETS)),  # Zoom
    "refresh_token": (("refresh_token",), ("scope", *TARGETS)),
    "authorization_code": (("code", "redirect_uri"), ("code_verifier", *TARGETS)),
    EXCHANGE: (("subject_token", "subject_token_type"), ("actor_token", "actor_token_type", "requested_token_type", "scope", *TARGETS)),
    JWT_BEARER: (("assertion",), ("scope", *TARGETS)),
    DEVICE: (("device_code",), ()),
}
AUTH_NAMES = {
    "basic": "client_secret_basic",
    "basic_raw": "client_secret_basic",
    "post": "client_secret_post",
    "none": "none",
    "private_key_jwt": "private_key_jwt",
    "client_secret_jwt": "client_secret_jwt",
    "tls_client_auth": "tls_client_auth",
    "bearer_jwt": "bearer_jwt",
}
# the parameters of each client authentication method
AUTH_PARAMETERS = {
    "basic": ("client_id",),
    "basic_raw": ("client_id",),
    "post": ("client_id", "client_secret"),
    "none": ("client_id",),
    "private_key_jwt": ("client_id", "client_assertion", "client_assertion_type"),
    "client_secret_jwt": ("client_id", "client_assertion", "client_assertion_type"),
    "tls_client_auth": ("client_id",),
    "bearer_jwt": (),
}


class Acme(DeviceFlow):
    name = "acme"
    user_credentials = "acme"
    authorize_optional = ("scope", "nonce", *TARGETS)
    credentials: ClassVar[dict[str, Json]] = {
        "acme": {"client_id": "acme-client", "client_secret": "acme-secret-7c0b", "username": "wile", "password": "acme-password-3"},
    }
    defaults: ClassVar[Json] = {
        "client_auth": ("basic",),  # of AUTH_NAMES
        "tls_subject": None,  # common name of the certificate that tls_client_auth requires
        "audience": None,  # list: the only values accepted as an assertion's aud
        "algorithms": None,  # list: the values accepted as an assertion's alg
        "mtls_base_url": None,  # base URL of mtls_endpoint_aliases
        "request_method": "POST",
        "request_format": "form",  # form, json, query
        "grants": tuple(GRANTS),
        "refresh_for": ("password", "authorization_code", "refresh_token", DEVICE),  # grants that issue a refresh token
        "token_field": "access_token",  # dotted path in the response
        "expires_field": "expires_in",
        "expires_as": "seconds",  # seconds, unix, iso
        "refresh_field": "refresh_token",  # dotted path as well
        "bodiless": False,  # no parameters at all: authentication alone is enough for a token
        "status": 200,
        "answer_format": "json",  # json, form, text (the bare token), json_string
        "token_type": "Bearer",
        "scopes": None,  # list: any other scope is refused
        "require_scope": False,
        "require_accept": False,
        "required_headers": {},
        "required_parameters": {},
        "public_key": None,  # PEM, for private_key_jwt
        "assertion_key": None,  # PEM, for the jwt-bearer grant
        "require_pkce": True,
        "redirect_uris": None,  # list; None: any loopback address
        "code_lifetime": 60,
        "device_lifetime": 600,
        "device_interval": 5,
        "device_slow_down": 0,  # number of slow_down errors for a client that keeps the interval
        "discovery": True,
        "issuer": None,  # overrides the base URL, to test mix-ups
    }

    def __init__(self, credentials: Any) -> None:
        super().__init__(credentials)
        self.seen_jti: set[str] = set()

    @property
    def token_path(self) -> tuple[str, ...]:
        return tuple(self.settings["token_field"].split("."))

    @property
    def expires_path(self) -> tuple[str, ...]:
        return tuple(self.settings["expires_field"].split("."))

    @property
    def absolute_expiry(self) -> bool:
        return bool(self.settings["expires_as"] != "seconds")

    def routes(self) -> dict[str, tuple[str, Handler]]:
        return {
            "/token": ("token", self.token),
            "/revoke": ("revoke", self.revoke),
            "/.well-known/oauth-authorization-server": ("discovery", self.discovery),
            "/.well-known/openid-configuration": ("discovery", self.discovery),
            **authorization_routes(self, "/authorize"),
            "/device_authorization": ("device", self.device),
            "/device": ("authorize", self.device_page),
        }

    # discovery

    def issuer(self, call: Call) -> str:
        return str(self.settings["issuer"] or call.base_url)

    def discovery(self, call: Call) -> Answer:
        self.only(call, "GET")
        no_query(call)
        if not self.settings["discovery"]:
            return self.api_error(404, "not_found", "no such path")
        base, mtls = call.base_url, self.settings["mtls_base_url"]
        return json_answer(
            200,
            {
                "issuer": self.issuer(call),
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "revocation_endpoint": f"{base}/revoke",
                "device_authorization_endpoint": f"{base}/device_authorization",
                "response_types_supported": ["code"],
                "grant_types_supported": list(self.settings["grants"]),
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": sorted({AUTH_NAMES[a] for a in self.settings["client_auth"]}),
                "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
                "scopes_supported": list(self.settings["scopes"] or []),
                **({"mtls_endpoint_aliases": {"token_endpoint": f"{mtls}/token", "revocation_endpoint": f"{mtls}/revoke"}} if mtls else {}),
            },
        )

    # requests

    def parameters(self, call: Call) -> dict[str, str]:
        self.only(call, self.settings["request_method"])
        kind = self.settings["request_format"]
        if kind == "json":
            return parse_json(call)
        if kind == "form":
            return parse_form(call, repeat=TARGETS)
        if call.body:
            raise BadRequest("no body is taken here")
        return parse_pairs(call.query, where="query", repeat=TARGETS)

    def authenticate(self, call: Call, parameters: dict[str, str]) -> tuple[str, str]:
        """Return the client id and the one method with which the client authenticated."""
        accepted = self.settings["client_auth"]
        header = call.header("Authorization")
        ways = [
            way
            for way, present in (("basic", header is not None), ("private_key_jwt", "client_assertion" in parameters), ("post", "client_secret" in parameters))
            if present
        ]
        if ways == ["basic"] and (header or "").startswith("Bearer "):
            ways = ["bearer_jwt"]
        if ways == ["private_key_jwt"] and "private_key_jwt" not in accepted:
            ways = ["client_secret_jwt"]
        if not ways and "tls_client_auth" in accepted:
            ways = ["tls_client_auth"]
        if len(ways) > 1:
            raise BadRequest("more than one way of client authentication")
        way = ways[0] if ways else "none"
        if way == "basic" and "basic" not in accepted:
            way = "basic_raw"
        if way not in accepted:
            raise self.refuse(401, "invalid_client", f"client authentication {way} is not taken here", headers=self.challenge())
        call.note(client_auth=way)
        checks: dict[str, Callable[[Call, dict[str, str]], str | None]] = {
            "basic": self.basic,
            "basic_raw": self.basic,
            "post": self.post,
            "none": self.public,
            "private_key_jwt": self.signed,
            "client_secret_jwt": self.signed_with_secret,
            "tls_client_auth": self.by_certificate,
            "bearer_jwt": self.bearer,
        }
        try:
            client_id = checks[way](call, parameters)
        except BadRequest as exc:
            raise self.refuse(401, "invalid_client", str(exc), headers=self.challenge()) from None
        if client_id is None or parameters.get("client_id", client_id) != client_id:
            raise self.refuse(401, "invalid_client", "client authentication failed", headers=self.challenge())
        return client_id, way

    def challenge(self) -> list[tuple[str, str]]:
        return [("WWW-Authenticate", 'Basic realm="acme"')]

    def basic(self, call: Call, parameters: dict[str, str]) -> str | None:
        decoding = "rfc6749" if "basic" in self.settings["client_auth"] else "raw"
        client_id, secret = parse_basic(call.header("Authorization"), decoding=decoding)
        return client_id if self.account(client_id=client_id, client_secret=secret) else None

    def post(self, call: Call, parameters: dict[str, str]) -> str | None:
        client_id = parameters.get("client_id", "")
        return client_id if self.account(client_id=client_id, client_secret=parameters["client_secret"]) else None

    def public(self, call: Call, parameters: dict[str, str]) -> str | None:
        client_id = parameters.get("client_id", "")
        if not client_id and parameters.get("grant_type") == JWT_BEARER:  # RFC 7523 2.1: the assertion names the client
            client_id = str(read_assertion(parameters.get("assertion", ""), self.settings["assertion_key"]).get("iss"))
        return client_id if self.account(client_id=client_id) else None

    def signed(self, call: Call, parameters: dict[str, str]) -> str | None:
        if parameters.get("client_assertion_type") != ASSERTION_TYPE:
            raise BadRequest("client_assertion_type is missing or wrong")
        if not self.settings["public_key"]:
            raise BadRequest("no public_key is set")
        return self.proven(call, read_assertion(parameters["client_assertion"], self.settings["public_key"]))

    def signed_with_secret(self, call: Call, parameters: dict[str, str]) -> str | None:
        if parameters.get("client_assertion_type") != ASSERTION_TYPE:
            raise BadRequest("client_assertion_type is missing or wrong")
        return self.proven(call, read_assertion(parameters["client_assertion"], None, secret=self.accounts()[0]["client_secret"]))

    def bearer(self, call: Call, parameters: dict[str, str]) -> str | None:
        """GitHub Apps: a JWT as the bearer token. Its iat must not be in the future, and its exp at most ten minutes ahead."""
        claims = read_assertion((call.header("Authorization") or "")[len("Bearer ") :], self.settings["public_key"])
        if claims.get("iat", self.now()) > self.now() or claims.get("exp", 0) > self.now() + 600:
            raise BadRequest("assertion: iat lies ahead, or exp is more than ten minutes away")
        return self.proven(call, claims)

    def by_certificate(self, call: Call, parameters: dict[str, str]) -> str | None:
        """RFC 8705 2.1: check the subject of the connection's client certificate."""
        wanted = self.settings["tls_subject"]
        if not wanted or call.certificate_subject != wanted:
            raise BadRequest("the connection has no certificate, or that of another client")
        client_id = parameters.get("client_id", "")
        return client_id if self.account(client_id=client_id) else None

    def proven(self, call: Call, claims: Json) -> str | None:
        call.note(assertion=claims["_header"], audience_of_assertion=claims.get("aud"), jti=claims.get("jti"))
        if self.settings["algorithms"] is not None and claims["_header"].get("alg") not in self.settings["algorithms"]:
            raise BadRequest("assertion: alg is not taken here")
        if claims.get("iss") != claims.get("sub"):
            raise BadRequest("assertion: iss and sub differ")
        self.check_claims(call, claims)
        jti = claims.get("jti")
        if not isinstance(jti, str) or jti in self.seen_jti:
            raise BadRequest("assertion: jti is missing or was used before")
        self.seen_jti.add(jti)
        client_id = claims.get("sub")
        return client_id if isinstance(client_id, str) and self.account(client_id=client_id) else None

    def check_claims(self, call: Call, claims: Json) -> None:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if self.settings["audience"] is not None and not {*map(str, audiences)} <= {*self.settings["audience"]}:
            raise BadRequest("assertion: aud is not what is wanted here")
        if self.settings["audience"] is None and not {*map(str, audiences)} & {f"{call.base_url}/token", call.base_url, self.issuer(call)}:
            raise BadRequest("assertion: aud is neither the token endpoint nor the issuer")
        expires, now = claims.get("exp"), self.now()
        if not isinstance(expires, (int, float)) or not now < expires <= now + 3600:
            raise BadRequest("assertion: exp is missing, over, or more than an hour ahead")
        if claims.get("iat", now) > now + 60 or claims.get("nbf", now) > now + 60:
            raise BadRequest("assertion: not valid yet")

    def device(self, call: Call) -> Answer:
        more = {name for way in self.settings["client_auth"] for name in AUTH_PARAMETERS[way]}
        return self.start_device(call, optional=(*more, *self.settings["allow_parameters"]))

    # the token endpoint

    def token(self, call: Call) -> Answer:
        if self.settings["bodiless"]:
            if call.body or call.query:
                raise BadRequest("no parameters are taken here")
            self.check_demands(call, {})
            client_id, _way = self.authenticate(call, {})
            return self.granted(call, grant="client_credentials", client_id=client_id, subject=client_id, scope=None, family=new_family())
        parameters = self.parameters(call)
        grant = parameters.get("grant_type", "")
        call.note(grant_type=grant or None, client_id=parameters.get("client_id"), **{name: parameters[name] for name in TARGETS if name in parameters})
        self.check_demands(call, parameters)
        client_id, way = self.authenticate(call, parameters)
        if not grant:
            raise BadRequest("missing or empty: grant_type")
        if grant not in GRANTS:
            raise self.refuse(400, "unsupported_grant_type", "the grant is not known here")
        if grant not in self.settings["grants"]:
            raise self.refuse(400, "unauthorized_client", "the client may not use this grant")
        required, optional = GRANTS[grant]
        more = [*AUTH_PARAMETERS[way], *self.settings["required_parameters"], *self.settings["allow_parameters"]]
        expect(parameters, ["grant_type", *required], optional=[*optional, *more])
        subject, scope, family = self.grant(call, grant, client_id, parameters)
        return self.granted(call, grant=grant, client_id=client_id, subject=subject, scope=scope, family=family)

    def check_demands(self, call: Call, parameters: dict[str, str]) -> None:
        if self.settings["require_accept"] and not call.accepts_json():
            raise self.refuse(406, "invalid_request", "Accept: application/json is missing")
        for name, value in self.settings["required_headers"].items():
            if call.header(name) != value:
                raise BadRequest(f"header {name} is missing or wrong")
        for name, value in self.settings["required_parameters"].items():
            if parameters.get(name) != value:
                raise BadRequest(f"parameter {name} is missing or wrong")

    def grant(self, call: Call, grant: str, client_id: str, parameters: dict[str, str]) -> tuple[str, str | None, str]:
        """Return the subject, scope and family of the new grant."""
        scope = self.scope(parameters.get("scope"))
        if grant == "authorization_code":
            code = self.spend_code(call, {**parameters, "client_id": client_id})
            return self.accounts(self.user_credentials)[0]["username"], code.scope, code.family
        if grant == DEVICE:
            device = self.spend_device(call, parameters["device_code"], client_id=client_id)
            return self.accounts(self.user_credentials)[0]["username"], device.scope, device.family
        if grant == "refresh_token":
            old = self.spend_refresh(call, parameters["refresh_token"], client_id=client_id)
            if scope is not None and not {*scope.split(" ")} <= {*(old.scope or "").split(" ")}:
                raise self.refuse(400, "invalid_scope", "the scope exceeds that of the grant")
            return old.subject, scope or old.scope, old.family
        if grant == "password" and not self.account(username=parameters["username"], password=parameters["password"]):
            raise self.refuse(400, "invalid_grant", "the user credentials were incorrect")
        if self.settings["require_scope"] and scope is None:
            raise self.refuse(400, "invalid_scope", "a scope is required")
        return self.subject(call, grant, client_id, parameters), scope, new_family()

    def subject(self, call: Call, grant: str, client_id: str, parameters: dict[str, str]) -> str:
        if grant == EXCHANGE:
            call.note(subject=fingerprint(parameters["subject_token"]))
        if grant != JWT_BEARER:
            return parameters.get("username", client_id)
        try:
            claims = read_assertion(parameters["assertion"], self.settings["assertion_key"])
            self.check_claims(call, claims)
        except BadRequest as exc:
            raise self.refuse(400, "invalid_grant", str(exc)) from None
        return str(claims.get("sub"))

    def scope(self, text: str | None) -> str | None:
        if text is None:
            return None
        wanted, known = text.split(" "), self.settings["scopes"]
        if "" in wanted or (known is not None and not {*wanted} <= {*known}):
            raise self.refuse(400, "invalid_scope", "the scope is unknown or malformed")
        return text

    def granted(self, call: Call, *, grant: str, client_id: str, subject: str, scope: str | None, family: str) -> Answer:
        token = self.new_token(
            client_id=client_id, scope=scope, lifetime=self.settings["lifetime"], family=family, claims={"sub": subject, "client_id": client_id}
        )
        document: Json = {"token_type": self.settings["token_type"]}
        if scope is not None:
            document["scope"] = scope
        if grant == EXCHANGE:
            document["issued_token_type"] = ACCESS_TOKEN_TYPE
        put(document, self.token_path, token.value)
        if not self.settings["omit_expires"]:
            put(document, self.expires_path, self.expiry(token))
        rotated = grant != "refresh_token" or self.settings["rotate_refresh"]
        if self.settings["refresh"] and grant in self.settings["refresh_for"] and rotated:
            refresh_token = self.tokens.add_refresh(client_id=client_id, subject=subject, scope=scope, family=family)
            put(document, tuple(self.settings["refresh_field"].split(".")), refresh_token)
        answer = self.token_answer(call, token, document)
        answer.status = self.settings["status"]
        return self.formatted(answer, token, document)

    def formatted(self, answer: Answer, token: Token, document: Json) -> Answer:
        """The response in the configured format. Formats other than JSON cannot hold nested values."""
        bodies = {"form": lambda: urlencode(document), "text": lambda: token.value, "json_string": lambda: json.dumps(token.value)}
        make = bodies.get(self.settings["answer_format"])
        if make is None:
            return answer
        kind = {"form": FORM, "text": "text/plain"}.get(self.settings["answer_format"], "application/json")
        return Answer(answer.status, make().encode(), [("Content-Type", kind)])

    def expiry(self, token: Token) -> int | str:
        if self.settings["expires_as"] == "seconds":
            return int(self.settings["lifetime"])
        if self.settings["expires_as"] == "unix":
            return int(token.expires_at)
        return datetime.datetime.fromtimestamp(int(token.expires_at), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    # revocation

    def revoke(self, call: Call) -> Answer:
        """RFC 7009: answer 200 for any token, even an unknown one. Revoking a refresh token revokes its whole family."""
        self.only(call, "POST")
        form = parse_form(call)
        client_id, way = self.authenticate(call, form)
        expect(form, ["token"], optional=["token_type_hint", *AUTH_PARAMETERS[way]])
        value = form["token"]
        call.note(client_id=client_id, token=fingerprint(value), hint=form.get("token_type_hint"))
        refresh, access = self.tokens.refresh.get(value), self.tokens.access.get(value)
        found = refresh or access
        if found and found.client_id == client_id:
            found.revoked = True
            if refresh:
                self.tokens.revoke_family(refresh.family)
        call.note(revoked=bool(found and found.revoked))
        return Answer(200, b"", [("Cache-Control", "no-store")])


def put(document: Json, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        document = document.setdefault(name, {})
    document[path[-1]] = value
