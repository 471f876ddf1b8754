# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device flow of RFC 8628: a code for the client, and a page where a person enters it on another device.

`DeviceFlow` is a base class for vendors that have the pages of `authorize.py`.
"""

from __future__ import annotations

import html
import secrets
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

from .authorize import AuthorizationCode, page
from .base import Answer, BadRequest, Call, expect, json_answer, new_family, parse_form, parse_pairs

__all__ = ["DEVICE", "DeviceFlow"]

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 6.1


@dataclass
class Device:
    client_id: str
    scope: str | None
    user_code: str
    expires_at: float
    interval: float
    asked_at: float  # when the client last polled
    decision: str = ""  # allow, deny
    used: bool = False
    family: str = field(default_factory=new_family)


class DeviceFlow(AuthorizationCode):
    """Codes with a lifetime and a polling interval. Clients that poll too early are told to slow down; `device_slow_down` does so to any client."""

    def __init__(self, credentials: Any) -> None:
        super().__init__(credentials)
        self.devices: dict[str, Device] = {}

    @abstractmethod
    def authenticate(self, call: Call, parameters: dict[str, str]) -> tuple[str, str]:
        """Return the client id and its authentication method. Refuse any other client."""

    # the client's side

    def start_device(self, call: Call, *, optional: tuple[str, ...]) -> Answer:
        self.only(call, "POST")
        form = parse_form(call)
        client_id, _way = self.authenticate(call, form)
        call.note(client_id=client_id)
        expect(form, ["client_id"], optional=["scope", *optional])
        user_code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(2))
        device_code = secrets.token_urlsafe(24)
        now, interval = self.now(), float(self.settings["device_interval"])
        self.devices[device_code] = Device(client_id, form.get("scope"), user_code, now + self.settings["device_lifetime"], interval, now)
        document = {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": f"{call.base_url}/device",
            "verification_uri_complete": f"{call.base_url}/device?user_code={user_code}",
            "expires_in": self.settings["device_lifetime"],
            "interval": self.settings["device_interval"],
        }
        return json_answer(200, document, headers=[("Cache-Control", "no-store")])

    def spend_device(self, call: Call, device_code: str, *, client_id: str) -> Device:
        """Return the facts of a code that the person allowed. Refuse any other code as in RFC 8628 3.5."""
        device, now = self.devices.get(device_code), self.now()
        if device is None or device.client_id != client_id or device.used:
            raise self.refuse(400, "invalid_grant", "the device code is invalid")
        early = now < device.asked_at + device.interval
        call.note(early=early)
        device.asked_at = now
        if now >= device.expires_at:
            raise self.refuse(400, "expired_token", "the device code has expired")
        if early or self.settings["device_slow_down"] > 0:
            self.settings["device_slow_down"] -= 0 if early else 1
            device.interval += 5
            raise self.refuse(400, "slow_down", "ask more rarely")
        if not device.decision:
            raise self.refuse(400, "authorization_pending", "the person has not answered yet")
        device.used = True
        if device.decision == "deny":
            raise self.refuse(400, "access_denied", "the person denied")
        return device

    # the person's side

    def device_page(self, call: Call) -> Answer:
        if call.method == "GET":
            query = parse_pairs(call.query, where="query") if call.query else {}
            return self.device_form(query.get("user_code", ""))
        if call.method != "POST":
            return page("Error", "<p>Use GET or POST.</p>", status=405, error="invalid_request")
        form = parse_form(call)
        try:
            expect({name: value or " " for name, value in form.items()}, ["user_code", "username", "password", "decision"])
        except BadRequest as exc:
            return page("Error", f"<p>{html.escape(str(exc))}</p>", status=400, error="invalid_request")
        device = next((d for d in self.devices.values() if d.user_code == form["user_code"] and not d.decision and d.expires_at > self.now()), None)
        users = self.accounts(self.user_credentials)
        if device is None or not any((u["username"], u["password"]) == (form["username"], form["password"]) for u in users):
            return page("Error", "<p id='outcome'>The code, the user name or the password is wrong.</p>", status=400, error="access_denied")
        device.decision = form["decision"]
        return page("Done", "<p id='outcome'>You can go back to your device.</p>")

    def device_form(self, user_code: str) -> Answer:
        return page(
            "Connect a device",
            f"""<form id="device" method="post" action="/{self.name}/device">
<label>Code <input name="user_code" id="user_code" value="{html.escape(user_code)}" autocomplete="off"></label>
<label>User name <input name="username" id="username" autocomplete="off"></label>
<label>Password <input name="password" id="password" type="password"></label>
<button id="allow" type="submit" name="decision" value="allow">Allow</button>
<button id="deny" type="submit" name="decision" value="deny">Deny</button></form>""",
        )
