# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackunit IRIS: password grant with Basic, refresh tokens for the scope offline_access, and scoped keys (v2) as client credentials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from .base import (
    Answer,
    BadRequest,
    Call,
    Handler,
    Json,
    Refusal,
    Vendor,
    expect,
    json_answer,
    new_family,
    parse_basic,
    parse_form,
)


class Trackunit(Vendor):
    name = "trackunit"
    credentials: ClassVar[dict[str, Json]] = {
        "trackunit": {
            "client_id": "0oa-trackunit",
            "client_secret": "trackunit-client-secret-93c1",
            "username": "api-user@trackunit",
            "password": "trackunit-password-4410",
        },
        "trackunit_v2": {
            "client_id": "key-trackunit-v2",
            "client_secret": "trackunit-v2-secret-1d07",
            "scopes": ["machines:read", "machines:write", "sites:read"],
        },
    }
    defaults: ClassVar[Json] = {"v2_lifetime": 1200}

    def routes(self) -> dict[str, tuple[str, Handler]]:
        return {"/token": ("token", self.token), "/token/v2": ("token", self.token_v2)}

    def api_error(self, status: int, code: str, text: str, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        return json_answer(status, {"status": status, "code": code, "message": text}, headers=headers, error=code)

    # /token

    def token(self, call: Call) -> Answer:
        self.only(call, "POST")
        form = parse_form(call)
        call.note(grant_type=form.get("grant_type"))
        client_id, secret = self.client(call)
        call.note(client_id=client_id)
        if not self.account(client_id=client_id, client_secret=secret):
            raise self.invalid_client("client authentication failed")
        if form.get("grant_type") == "password":
            return self.password(call, form, client_id=client_id, secret=secret)
        if form.get("grant_type") == "refresh_token":
            return self.refresh(call, form, client_id=client_id)
        raise self.refuse(400, "unsupported_grant_type", "use password or refresh_token")

    def invalid_client(self, text: str) -> Refusal:
        return self.refuse(401, "invalid_client", text, headers=[("WWW-Authenticate", 'Basic realm="iris"')])

    def client(self, call: Call) -> tuple[str, str]:
        try:
            return parse_basic(call.header("Authorization"), decoding=self.settings["basic_decoding"])
        except BadRequest as exc:
            raise self.invalid_client(str(exc)) from None

    def scope(self, text: str) -> str:
        scopes = text.split(" ")
        if "api" not in scopes or not {*scopes} <= {"api", "offline_access"} or len({*scopes}) != len(scopes):
            raise self.refuse(400, "invalid_scope", "the scope must be api, with or without offline_access")
        return text

    def password(self, call: Call, form: dict[str, str], *, client_id: str, secret: str) -> Answer:
        expect(form, ["grant_type", "username", "password"], optional=["scope", *self.settings["allow_parameters"]])
        scope = self.scope(form.get("scope", ""))
        if not self.account(client_id=client_id, client_secret=secret, username=form["username"], password=form["password"]):
            raise self.refuse(400, "invalid_grant", "the user credentials were incorrect")
        return self.granted(call, client_id=client_id, subject=form["username"], scope=scope, family=new_family())

    def refresh(self, call: Call, form: dict[str, str], *, client_id: str) -> Answer:
        expect(form, ["grant_type", "refresh_token"], optional=["scope", *self.settings["allow_parameters"]])
        if "scope" in form:
            self.scope(form["scope"])
        old = self.spend_refresh(call, form["refresh_token"], client_id=client_id)
        return self.granted(call, client_id=client_id, subject=old.subject, scope=old.scope or "api", family=old.family)

    def granted(self, call: Call, *, client_id: str, subject: str, scope: str, family: str) -> Answer:
        lifetime = self.settings["lifetime"]
        token = self.new_token(
            client_id=client_id, scope=scope, lifetime=lifetime, family=family, claims={"cid": client_id, "sub": subject, "scp": scope.split(" ")}
        )
        document: dict[str, Any] = {"token_type": "Bearer", "expires_in": lifetime, "access_token": token.value, "scope": scope}
        if "offline_access" in scope.split(" ") and self.settings["refresh"]:
            document["refresh_token"] = self.tokens.add_refresh(client_id=client_id, subject=subject, scope=scope, family=family)
        return self.token_answer(call, token, document)

    # /token/v2

    def token_v2(self, call: Call) -> Answer:
        self.only(call, "POST")
        if call.header("Authorization") is not None:
            raise self.refuse(400, "invalid_request", "no Authorization header is taken here")
        form = parse_form(call)
        call.note(grant_type=form.get("grant_type"), client_id=form.get("client_id"), variant="v2")
        if form.get("grant_type") != "client_credentials":
            raise self.refuse(400, "unsupported_grant_type", "use client_credentials")
        expect(form, ["grant_type", "client_id", "client_secret"], optional=["scope", *self.settings["allow_parameters"]])
        key = next((k for k in self.accounts("trackunit_v2") if (k["client_id"], k["client_secret"]) == (form["client_id"], form["client_secret"])), None)
        if key is None:
            raise self.refuse(401, "invalid_client", "client authentication failed")
        wanted = form.get("scope", "").split(" ")
        if not {*wanted} <= {*key["scopes"]} or len({*wanted}) != len(wanted):
            raise self.refuse(400, "invalid_scope", "the scope must be a subset of the key's scopes")
        lifetime = self.settings["v2_lifetime"]
        token = self.new_token(
            client_id=form["client_id"], scope=form["scope"], lifetime=lifetime, family=new_family(), claims={"cid": form["client_id"], "scp": wanted}
        )
        return self.token_answer(call, token, {"token_type": "Bearer", "expires_in": lifetime, "access_token": token.value, "scope": form["scope"]})
