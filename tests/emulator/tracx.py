# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracx Connect: POST without a body and with the raw connect token in Authorization; the response has a nested token with an absolute expiry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from .base import Answer, Call, Handler, Json, Vendor, fingerprint, json_answer, new_family, no_query


class Tracx(Vendor):
    name = "tracx"
    token_at = "data.token"
    expires_at = "data.expires_at"
    credentials: ClassVar[dict[str, Json]] = {"tracx": {"connect_token": "tracx-connect-token-7b1e44"}}
    defaults: ClassVar[Json] = {"api_scheme": "raw"}

    def routes(self) -> dict[str, tuple[str, Handler]]:
        return {"/v1/connect/session-token": ("token", self.session_token)}

    def token_error(self, status: int, code: str, text: str, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        return json_answer(status, {"message": text}, headers=headers, error=code)

    def session_token(self, call: Call) -> Answer:
        self.only(call, "POST")
        no_query(call)
        if call.body:
            raise self.refuse(422, "unexpected_body", "no body is taken here")
        if not call.accepts_json():
            raise self.refuse(406, "not_acceptable", "Accept: application/json is missing")
        # http.server decodes headers as latin-1, but the client sent the token as UTF-8.
        sent = (call.header("Authorization") or "").encode("latin-1")
        if not any(sent == a["connect_token"].encode() for a in self.accounts()):
            raise self.refuse(401, "unauthenticated", "Unauthenticated.")
        return self.granted(call, fingerprint(sent.decode()))

    def granted(self, call: Call, client_id: str) -> Answer:
        token = self.new_token(client_id=client_id, scope=None, lifetime=self.settings["lifetime"], family=new_family())
        data: dict[str, Any] = {"token": token.value}
        if not self.settings["omit_expires"]:
            data["expires_at"] = int(token.expires_at)
        return self.token_answer(call, token, {"data": data})
