# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TrackMage: client credentials by GET with everything in the query, authorization code by POST of JSON, hydra API errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from .authorize import AuthorizationCode, authorization_routes
from .base import Answer, BadRequest, Call, Handler, Json, expect, json_answer, new_family, parse_json, parse_pairs

USER_ID = "fe1dec62-490e-4f16-afb2-6f9dd303d930"


class TrackMage(AuthorizationCode):
    name = "trackmage"
    credentials: ClassVar[dict[str, Json]] = {
        "trackmage": {"client_id": "1_trackmage", "client_secret": "trackmage-secret-66af"},
        "trackmage_user": {"username": "owner@example.com", "password": "trackmage-login-2209"},
    }
    defaults: ClassVar[Json] = {
        "token_type": "bearer",
        "scope": "user",
        "redirect_uris": None,
        "code_lifetime": 60,
        "require_pkce": False,
        "user_email": "owner@example.com",
    }
    user_credentials = "trackmage_user"

    def routes(self) -> dict[str, tuple[str, Handler]]:
        return {"/oauth/v2/token": ("token", self.token), **authorization_routes(self, "/oauth/v2/auth")}

    def api_error(self, status: int, code: str, text: str, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        document = {"@context": "/contexts/Error", "@type": "hydra:Error", "hydra:title": "An error occurred", "hydra:description": text}
        answer = json_answer(status, document, headers=headers, error=code)
        answer.headers[0] = ("Content-Type", "application/ld+json; charset=utf-8")
        return answer

    def token(self, call: Call) -> Answer:
        self.only(call, "GET", "POST")
        if call.header("Authorization") is not None:
            raise BadRequest("no Authorization header is taken here")
        return self.client_credentials(call) if call.method == "GET" else self.post(call)

    def client(self, parameters: dict[str, str]) -> None:
        if not self.account(client_id=parameters["client_id"], client_secret=parameters["client_secret"]):
            raise self.refuse(400, "invalid_client", "the client credentials are invalid")

    def client_credentials(self, call: Call) -> Answer:
        if call.body:
            raise BadRequest("no body is taken here")
        query = parse_pairs(call.query, where="query")
        call.note(grant_type=query.get("grant_type"), client_id=query.get("client_id"))
        if not call.accepts_json():
            raise self.refuse(406, "invalid_request", "Accept: application/json is missing")
        if query.get("grant_type") in ("authorization_code", "refresh_token"):
            raise self.refuse(405, "invalid_request", "use POST", headers=[("Allow", "POST")])
        if query.get("grant_type") not in (None, "", "client_credentials"):
            raise self.refuse(400, "unsupported_grant_type", "use client_credentials")
        expect(query, ["grant_type", "client_id", "client_secret"], optional=self.settings["allow_parameters"])
        self.client(query)
        return self.granted(call, client_id=query["client_id"], family=new_family(), refresh=False)

    def post(self, call: Call) -> Answer:
        body = parse_json(call)
        call.note(grant_type=body.get("grant_type"), client_id=body.get("client_id"))
        always, more = ["grant_type", "client_id", "client_secret"], self.settings["allow_parameters"]
        if body.get("grant_type") == "authorization_code":
            expect(body, [*always, "code", "redirect_uri"], optional=["code_verifier", *more])
            self.client(body)
            code = self.spend_code(call, body)
            return self.granted(call, client_id=code.client_id, family=code.family, refresh=True)
        if body.get("grant_type") == "refresh_token":
            expect(body, [*always, "refresh_token"], optional=more)
            self.client(body)
            old = self.spend_refresh(call, body["refresh_token"], client_id=body["client_id"])
            return self.granted(call, client_id=old.client_id, family=old.family, refresh=old.used)
        if body.get("grant_type") == "client_credentials":
            raise self.refuse(405, "invalid_request", "use GET", headers=[("Allow", "GET")])
        raise self.refuse(400, "unsupported_grant_type", "use authorization_code or refresh_token")

    def granted(self, call: Call, *, client_id: str, family: str, refresh: bool) -> Answer:
        lifetime, email, scope = self.settings["lifetime"], self.settings["user_email"], self.settings["scope"]
        token = self.new_token(client_id=client_id, scope=scope, lifetime=lifetime, family=family, claims={"roles": [], "username": email})
        document: dict[str, Any] = {
            "access_token": token.value,
            "expires_in": lifetime,
            "token_type": self.settings["token_type"],
            "scope": scope,
            "user_id": USER_ID,
            "user_email": email,
        }
        if refresh and self.settings["refresh"]:
            document["refresh_token"] = self.tokens.add_refresh(client_id=client_id, subject=email, scope=scope, family=family)
        return self.token_answer(call, token, document)
