# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is given back, and to whom."""

from __future__ import annotations

import dataclasses

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.purge import revoke_tokens
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver, open_store
from support.scripted import Scene, access, answer, request_for


def revoked(tmp_path, url, **http):
    scene = Scene(access("one"), answer(200), answer(200))
    request = request_for("tracktik", cache=str(tmp_path), http=http)
    request = dataclasses.replace(request, vendor=dataclasses.replace(request.vendor, revocation_url=url))
    resolver = Resolver(scene.ports)
    resolver.token(request)
    return revoke_tokens(request, resolver.store(request.cache), scene.ports), scene


def test_a_token_is_given_back_over_https(tmp_path):
    given_back, scene = revoked(tmp_path, "https://login.example/revoke")
    assert (given_back, len(scene.sent)) == (["tracktik access_token"], 2)


def test_no_credentials_go_to_a_revocation_endpoint_over_plain_http(tmp_path):
    given_back, scene = revoked(tmp_path, "http://login.example/revoke")
    assert (given_back, len(scene.sent)) == ([], 1)
    assert "login.example would get the credentials over plain http" in scene.warnings[0]
    assert revoked(tmp_path / "b", "http://login.example/revoke", allow_http=True)[0] == ["tracktik access_token"]


def test_the_home_directory_in_a_cache_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    request = request_for("tracktik", cache="~/tokens")
    open_store(request.cache, warn=print).user_key()
    assert (tmp_path / "tokens").is_dir()
