# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TrackTik: password grant as a form with everything in the body and no scope, rotating refresh tokens, rate limits."""

from __future__ import annotations

from typing import Any, ClassVar

from .base import Answer, Call, Handler, Json, Refresh, Vendor, expect, new_family, parse_form

LIMIT = 1000


class TrackTik(Vendor):
    name = "tracktik"
    credentials: ClassVar[dict[str, Json]] = {
        "tracktik": {
            "client_id": "d6543cb8-tracktik",
            "client_secret": "bdc6ed2e-tracktik-secret",
            "username": "svc-tracktik",
            "password": "tracktik-password-5821",
        },
    }

    def routes(self) -> dict[str, tuple[str, Handler]]:
        return {"/rest/oauth2/access_token": ("token", self.access_token)}

    def extra_headers(self) -> list[tuple[str, str]]:
        start, count = self.window
        limit = self.settings["rate_limit"] or LIMIT
        return [
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Remaining", str(max(0, limit - count))),
            ("X-RateLimit-Reset", str(int((start or self.now()) + self.settings["rate_window"]))),
        ]

    def access_token(self, call: Call) -> Answer:
        self.only(call, "POST")
        if call.header("Authorization") is not None:
            raise self.refuse(400, "invalid_request", "no Authorization header is taken here")
        form = parse_form(call)
        call.note(grant_type=form.get("grant_type"), client_id=form.get("client_id"))
        if "scope" in form:
            raise self.refuse(400, "invalid_scope", "the scope is set on the client record and must not be sent")
        grants = {"password": self.password, "refresh_token": self.refresh}
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            raise self.refuse(400, "unsupported_grant_type", "use password or refresh_token")
        return grant(call, form)

    def client(self, form: dict[str, str]) -> None:
        if not self.account(client_id=form["client_id"], client_secret=form["client_secret"]):
            raise self.refuse(401, "invalid_client", "client authentication failed")

    def password(self, call: Call, form: dict[str, str]) -> Answer:
        expect(form, ["grant_type", "client_id", "client_secret", "username", "password"], optional=self.settings["allow_parameters"])
        self.client(form)
        if not self.account(**{key: form[key] for key in ("client_id", "client_secret", "username", "password")}):
            raise self.refuse(400, "invalid_grant", "the user credentials were incorrect")
        return self.granted(call, client_id=form["client_id"], subject=form["username"], family=new_family(), refresh=True)

    def refresh(self, call: Call, form: dict[str, str]) -> Answer:
        expect(form, ["grant_type", "client_id", "client_secret", "refresh_token"], optional=self.settings["allow_parameters"])
        self.client(form)
        old: Refresh = self.spend_refresh(call, form["refresh_token"], client_id=form["client_id"])
        return self.granted(call, client_id=old.client_id, subject=old.subject, family=old.family, refresh=old.used)

    def granted(self, call: Call, *, client_id: str, subject: str, family: str, refresh: bool) -> Answer:
        lifetime = self.settings["lifetime"]
        token = self.new_token(
            client_id=client_id, scope=None, lifetime=lifetime, family=family, claims={"aud": client_id, "sub": subject, "scopes": ["employees:read"]}
        )
        document: dict[str, Any] = {"token_type": "Bearer", "expires_in": lifetime, "access_token": token.value}
        if refresh and self.settings["refresh"]:
            document["refresh_token"] = self.tokens.add_refresh(client_id=client_id, subject=subject, scope=None, family=family)
        return self.token_answer(call, token, document)
