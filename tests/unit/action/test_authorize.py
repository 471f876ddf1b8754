# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consent, step by step, without a play, a browser or a terminal."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.trackops.api_tokens.plugins.action import authorize as subject
from support.actions import action
from support.scripted import CONSENT_VENDOR, FakeVault, Scene, access, answer

CREDENTIALS = {"client_id": "the-id", "client_secret": "s3cr3t"}
STEP = {"wait": False, "listen_port": 8400}
CODE = {"device_code": "the-device-code", "user_code": "WDJB-MJHT", "verification_uri": "https://login.example.com/device", "expires_in": 600, "interval": 5}
Run = t.Callable[..., t.Any]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the person reads at the terminal."""
    texts: list[str] = []
    monkeypatch.setattr(subject.display, "display", lambda text, **_where: texts.append(text))
    return texts


@pytest.fixture
def run(tmp_path: t.Any, shown: list[str]) -> Run:
    def ran(scene: Scene, *, check_mode: bool = False, **args: t.Any) -> t.Any:
        args = {"vendor": CONSENT_VENDOR, "path": "fleet/x", **args}
        return action(subject.ActionModule, scene, args, cache=str(tmp_path / "cache"), check_mode=check_mode).run(None, {})

    return ran


def test_consent_in_two_steps_stores_the_refresh_token(run: Run, shown: list[str]) -> None:
    scene = Scene(access("t0ken", refresh_token="refresh-1"), vault=FakeVault(CREDENTIALS))
    first = run(scene, **STEP)
    query = parse_qs(urlsplit(first["authorization_url"]).query)
    assert (first["changed"], query["redirect_uri"]) == (False, ["http://127.0.0.1:8400/callback"])
    assert first["authorization_url"] in shown[0] and "redirect_response" in shown[1]
    came_back = f"http://127.0.0.1:8400/callback?code=the-code&state={query['state'][0]}"
    second = run(scene, redirect_response=came_back)
    assert (second["changed"], second["secret_version"]) == (True, 2)
    assert second["msg"] == "acme: the refresh token is stored at secret/fleet/x (version 2)." == shown[2]
    assert scene.vault.data == {**CREDENTIALS, "refresh_token": "refresh-1"}


def test_the_device_flow_stores_the_refresh_token(run: Run, shown: list[str]) -> None:
    scene = Scene(answer(200, CODE), access("t0ken", refresh_token="refresh-1"), vault=FakeVault(CREDENTIALS))
    done = run(scene, flow="device")
    assert (done["changed"], scene.vault.data["refresh_token"]) == (True, "refresh-1")
    assert "WDJB-MJHT" in shown[0] and "the-device-code" not in str(shown)
    assert scene.slept == [5]


@pytest.mark.parametrize("flow", ["code", "device"])
def test_check_mode_sends_no_request(run: Run, flow: str) -> None:
    scene = Scene(vault=FakeVault(CREDENTIALS))
    result = run(scene, check_mode=True, flow=flow)
    assert (result["changed"], result["msg"]) == (True, "acme: consent for secret/fleet/x would be requested.")
    assert scene.sent == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"flow": "post"}, "value of flow must be one of: code, device, got: post"),
        ({"flow": "device", "redirect_uri": "http://127.0.0.1/"}, "acme: redirect_uri cannot be used with flow=device"),
        ({"wait": False}, "acme: with wait=false the redirect port must be fixed"),
    ],
)
def test_unusable_arguments_are_refused(run: Run, args: dict[str, t.Any], message: str) -> None:
    result = run(Scene(vault=FakeVault(CREDENTIALS)), **args)
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"].startswith(message)
    assert result["msg"].endswith(f"[{result['error_code']}]")
