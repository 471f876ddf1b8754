# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authorization endpoint of RFC 6749 4.1 as a person sees it: a login form, a consent page, a redirect with a code.

`AuthorizationCode` is a base class for vendors. `consent()` is a minimal browser for tests that need no real one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import http.client
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlencode, urljoin, urlsplit

from .base import Answer, BadRequest, Call, Handler, Json, Vendor, expect, new_family, parse_form, parse_pairs

__all__ = ["AuthorizationCode", "authorization_routes", "consent"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass
class Code:
    client_id: str
    redirect_uri: str
    scope: str | None
    challenge: str | None
    expires_at: float
    family: str = field(default_factory=new_family)
    used: bool = False


@dataclass
class Visit:
    """One person's progress through login and consent."""

    parameters: dict[str, str]
    logged_in: bool = False


def page(title: str, body: str, *, status: int = 200, error: str | None = None) -> Answer:
    head = f"<head><meta charset='utf-8'><title>{title}</title></head>"
    text = f"<!DOCTYPE html><html lang='en'>{head}<body><h1>{title}</h1>{body}</body></html>"
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"), ("X-Frame-Options", "DENY")]
    return Answer(status, text.encode(), headers, error)


def redirect(url: str, *, error: str | None = None, status: int = 302) -> Answer:
    return Answer(status, b"", [("Location", url), ("Cache-Control", "no-store")], error)


def with_parameters(url: str, parameters: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class AuthorizationCode(Vendor):
    """Login, consent, and single-use codes that are bound to the client, redirect URI and PKCE challenge."""

    user_credentials: ClassVar[str]
    authorize_optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, credentials: Any) -> None:
        super().__init__(credentials)
        self.codes: dict[str, Code] = {}
        self.visits: dict[str, Visit] = {}

    # the person's side

    def redirect_uri_allowed(self, uri: str) -> bool:
        registered = self.settings["redirect_uris"]
        if registered is not None:
            return uri in registered
        parts = urlsplit(uri)
        return parts.scheme == "http" and parts.hostname in LOOPBACK and not parts.fragment

    def authorize(self, call: Call) -> Answer:
        if call.method != "GET":
            return page("Error", "<p>Use GET.</p>", status=405, error="invalid_request")
        try:
            query = parse_pairs(call.query, where="query")
        except BadRequest as exc:
            return page("Error", f"<p>{html.escape(str(exc))}</p>", status=400, error="invalid_request")
        call.note(client_id=query.get("client_id"))
        # RFC 6749 4.1.2.1: do not redirect if the client or the redirect URI is wrong.
        if not self.account(client_id=query.get("client_id", "")):
            return page("Error", "<p>Unknown client.</p>", status=400, error="invalid_client")
        if not self.redirect_uri_allowed(query.get("redirect_uri", "")):
            return page("Error", "<p>The redirect address is not registered.</p>", status=400, error="invalid_redirect_uri")
        error = self.authorize_error(query)
        if error:
            answer = {"error": error[0], "error_description": error[1]}
            if "state" in query:
                answer["state"] = query["state"]
            return redirect(with_parameters(query["redirect_uri"], answer), error=error[0])
        visit = secrets.token_urlsafe(16)
        self.visits[visit] = Visit(query)
        return self.login_page(visit)

    def authorize_error(self, query: dict[str, str]) -> tuple[str, str] | None:
        if query.get("response_type") not in (None, "", "code"):
            return "unsupported_response_type", "response_type must be code"
        optional = ["code_challenge", "code_challenge_method", *self.authorize_optional, *self.settings["allow_parameters"]]
        try:
            expect(query, ["response_type", "client_id", "redirect_uri", "state"], optional=optional)
        except BadRequest as exc:
            return "invalid_request", str(exc)
        if self.settings["require_pkce"] and "code_challenge" not in query:
            return "invalid_request", "code_challenge is missing"
        if "code_challenge" in query and query.get("code_challenge_method") != "S256":
            return "invalid_request", "code_challenge_method must be S256"
        if "code_challenge" in query and not re.fullmatch(r"[A-Za-z0-9_-]{43}", query["code_challenge"]):
            return "invalid_request", "code_challenge is not a SHA-256"
        return None

    def login_page(self, visit: str, *, message: str = "") -> Answer:
        return page(
            "Log in",
            f"""<p id="message">{message}</p><form id="login" method="post" action="{self.path}/login">
<input type="hidden" name="visit" value="{visit}">
<label>User name <input name="username" id="username" autocomplete="off"></label>
<label>Password <input name="password" id="password" type="password"></label>
<button id="submit" type="submit">Log in</button></form>""",
        )

    def consent_page(self, visit: str, client_id: str) -> Answer:
        return page(
            "Allow access?",
            f"""<p><b>{html.escape(client_id)}</b> asks for access to your account.</p>
<form id="consent" method="post" action="{self.path}/consent"><input type="hidden" name="visit" value="{visit}">
<button id="allow" type="submit" name="decision" value="allow">Allow</button>
<button id="deny" type="submit" name="decision" value="deny">Deny</button></form>""",
        )

    def posted(self, call: Call, *names: str) -> tuple[dict[str, str], Visit] | None:
        if call.method != "POST":
            return None
        form = parse_form(call)
        expect({k: v or " " for k, v in form.items()}, ["visit", *names])
        visit = self.visits.get(form["visit"])
        return (form, visit) if visit else None

    def login(self, call: Call) -> Answer:
        found = self.posted(call, "username", "password")
        if found is None:
            return page("Error", "<p>Start again.</p>", status=400, error="invalid_request")
        form, visit = found
        users = self.accounts(self.user_credentials)
        if not any((u["username"], u["password"]) == (form["username"], form["password"]) for u in users):
            answer = self.login_page(form["visit"], message="Wrong user name or password.")
            answer.error = "access_denied"
            return answer
        visit.logged_in = True
        return self.consent_page(form["visit"], visit.parameters["client_id"])

    def decide(self, call: Call) -> Answer:
        found = self.posted(call, "decision")
        if found is None or not found[1].logged_in:
            return page("Error", "<p>Start again.</p>", status=400, error="invalid_request")
        form, visit = found
        del self.visits[form["visit"]]
        asked = visit.parameters
        if form["decision"] != "allow":
            answer = {"error": "access_denied", "error_description": "The user denied the request", "state": asked["state"]}
            return redirect(with_parameters(asked["redirect_uri"], answer), error="access_denied")
        code = secrets.token_urlsafe(24)
        self.codes[code] = Code(
            asked["client_id"], asked["redirect_uri"], asked.get("scope"), asked.get("code_challenge"), self.now() + self.settings["code_lifetime"]
        )
        return redirect(with_parameters(asked["redirect_uri"], {"code": code, "state": asked["state"]}))

    @property
    def path(self) -> str:
        """Path of the authorization endpoint on the server."""
        return f"/{self.name}{self.authorize_path}"

    authorize_path: str = ""

    # the client's side

    def spend_code(self, call: Call, parameters: Json) -> Code:
        """Return the code's facts. Its own client can send it only once, even if a later check refuses it."""
        code = self.codes.get(parameters["code"])
        if code is None or code.client_id != parameters["client_id"]:
            raise self.refuse(400, "invalid_grant", "the authorization code is invalid")
        if code.used:
            call.note(reuse=True)
            self.tokens.revoke_family(code.family)  # RFC 6749 4.1.2
            raise self.refuse(400, "invalid_grant", "the authorization code was used before")
        code.used = True
        if code.expires_at <= self.now():
            raise self.refuse(400, "invalid_grant", "the authorization code has expired")
        if code.redirect_uri != parameters.get("redirect_uri"):
            raise self.refuse(400, "invalid_grant", "redirect_uri is not that of the authorization request")
        verifier = parameters.get("code_verifier")
        if (code.challenge is None) != (verifier is None):
            raise self.refuse(400, "invalid_grant", "code_verifier does not match the authorization request")
        if code.challenge and not (re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier or "") and hmac.compare_digest(s256(verifier or ""), code.challenge)):
            raise self.refuse(400, "invalid_grant", "code_verifier does not match the code_challenge")
        call.note(pkce=code.challenge is not None)
        return code


def authorization_routes(vendor: AuthorizationCode, path: str) -> dict[str, tuple[str, Handler]]:
    vendor.authorize_path = path
    return {path: ("authorize", vendor.authorize), f"{path}/login": ("authorize", vendor.login), f"{path}/consent": ("authorize", vendor.decide)}


# --- a minimal browser


def _load(method: str, url: str, body: str | None = None) -> tuple[int, str | None, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=300)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Location"], answer.read().decode()
    finally:
        connection.close()


def _submit(url: str, text: str, fields: dict[str, str]) -> tuple[int, str | None, str]:
    action = re.search(r'action="([^"]+)"', text)
    visit = re.search(r'name="visit" value="([^"]+)"', text)
    if not action or not visit:
        raise ValueError(f"no form at {url.partition('?')[0]}")
    return _load("POST", urljoin(url, action[1]), urlencode({"visit": visit[1], **fields}))


def consent(url: str, *, username: str, password: str, allow: bool = True) -> str:
    """Go through login and consent (plain http). Return the URL to which the browser would finally be redirected."""
    status, location, text = _load("GET", url)
    if location:
        return location
    if status != 200:
        raise ValueError(f"authorization page: {status}")
    _, _, text = _submit(url, text, {"username": username, "password": password})
    _, location, _ = _submit(url, text, {"decision": "allow" if allow else "deny"})
    if not location:
        raise ValueError("the consent page did not redirect")
    return location
