# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real hvac and requests, with only the network replaced: a script answers the requests."""

from __future__ import annotations

import io
import json
import typing as t

import pytest
import requests
import urllib3
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.client import VaultClient
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.connection import Connection
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions
from requests.adapters import HTTPAdapter

URL = "https://vault.example:8200"
HERE = f"Vault at {URL}"
ROLE, SECRET_ID = "0123456789abcdef-role", "topsecret-id"
APPROLE = {"auth_method": "approle", "role_id": ROLE, "secret_id": SECRET_ID}
KV2 = {"data": {"data": {"username": "u"}, "metadata": {"version": 7}}}
DELETED = {"data": {"data": None, "metadata": {"version": 3, "deletion_time": "2026-01-01T00:00:00Z", "destroyed": False}}}
DESTROYED = {"data": {"data": None, "metadata": {"version": 3, "deletion_time": "", "destroyed": True}}}
SELF = {"data": {"policies": ["default", "fleet"], "identity_policies": None}}


class Scripted(requests.Response):
    """An answer of the script; its body is read from a stream, like one from the network."""

    scripted: bytes


def answer(status: int = 200, body: t.Any = None, *, text: str | None = None, headers: t.Mapping[str, str] | None = None) -> Scripted:
    response = Scripted()
    response.status_code = status
    response.scripted = (json.dumps(body) if text is None and body is not None else text or "").encode()
    response.headers.update({"Connection": "close", **(headers or {})})
    return response


def said(status: int, *errors: str, **more: t.Any) -> Scripted:
    return answer(status, {"errors": list(errors), **more})


class Wire:
    """Answers from a script, in order; ``sent`` has the requests as (method, path with query, headers, body)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *script: Scripted | Exception) -> None:
        self.script = list(script)
        self.sent: list[tuple[str, str, dict[str, str], t.Any]] = []
        self.keywords: list[dict[str, t.Any]] = []
        self.slept: list[float] = []
        self.warnings: list[str] = []
        monkeypatch.setattr(HTTPAdapter, "send", self._send)

    def _send(self, request: t.Any, **keywords: t.Any) -> Scripted:
        body = json.loads(request.body) if request.body else None
        self.sent.append((request.method, request.url.partition(":8200")[2], dict(request.headers), body))
        self.keywords.append(keywords)
        following = self.script.pop(0)
        if isinstance(following, Exception):
            raise following
        following.request, following.url = request, request.url
        raw = urllib3.HTTPResponse(io.BytesIO(following.scripted), following.headers, following.status_code, preload_content=False)
        following.raw = raw
        return following

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(method.upper(), path) for method, path, _headers, _body in self.sent]

    def client(self, *, guarded: bool = False, **values: t.Any) -> VaultClient:
        given = {"url": URL, "token": "hvs.user-token", **values}
        options = VaultOptions.from_mapping(given, environ={}, home="/h", read_file=lambda path: "key")
        return VaultClient(Connection(options, warn=self.warnings.append, sleep=self.slept.append, guarded=guarded))

    def logged_in(self, **values: t.Any) -> VaultClient:
        client = self.client(**values)
        client.use_token("hvs.user-token")
        return client


def failure(call: t.Callable[..., object], *arguments: t.Any, **keywords: t.Any) -> tuple[str, str]:
    """The message and the kind of the error that *call* raises; asserts that the message is one line without a secret."""
    with pytest.raises((VaultError, OptionError)) as caught:
        call(*arguments, **keywords)
    error = caught.value
    assert error.__cause__ is None
    assert "\n" not in error.message
    for secret in ("hvs.user-token", SECRET_ID, ROLE, "body-secret"):
        assert secret not in error.message
    return error.message, getattr(error, "kind", "option")


NO_TELLING = said(403, "permission denied")
LOGGED_IN = {"auth": {"client_token": "hvs.of-the-login", "lease_duration": 60}}
