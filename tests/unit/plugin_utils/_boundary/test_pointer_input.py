# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What distinguishes one token from another before the options are processed."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.pointer_input import pointer_input

VALUES = {"url": "https://vault.example:8200", "token": "hvs.user", "path": "fleet/x", "scope": "a"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in ("VAULT_TOKEN", "VAULT_ADDR", "VAULT_NAMESPACE", "VAULT_CACERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def given(plugin="tracx", files=None, **changes):
    return pointer_input(plugin, {**VALUES, **changes}, files=files)


def test_the_vault_token_is_kept_apart():
    secret, rest = given()
    assert secret == ["hvs.user"]
    assert "hvs.user" not in repr(rest)


@pytest.mark.parametrize("changes", [{"path": "fleet/y"}, {"scope": "b"}, {"url": "https://other.example"}, {"namespace": "team"}, {"vendors": {"a": {}}}])
def test_options_that_select_another_token_change_the_input(changes):
    assert given(**changes) != given()
    assert given("trackunit") != given()


@pytest.mark.parametrize(
    "changes", [{"min_ttl": 5}, {"max_age": 5}, {"force": True}, {"refused": "x"}, {"output": "headers"}, {"audit_log": "/log"}, {"cache_path": "/c"}]
)
def test_options_that_select_the_same_token_do_not_change_the_input(changes):
    assert given(**changes) == given()


def test_another_vault_token_changes_only_the_secret_part():
    assert given(token="hvs.other")[0] == ["hvs.other"]


def test_the_vendors_file_is_part_of_the_input(tmp_path):
    path, seen = tmp_path / "vendors.yml", []
    path.write_text("acme: {}")
    first = given(vendors=str(path), files=seen)
    assert [one for one, _state in seen] == [str(path)]
    path.write_text("acme: {scope: x}")
    assert given(vendors=str(path)) != first
    assert given(vendors='{"acme": {}}', files=[]) is not None


def test_unusable_options_take_the_full_lookup(tmp_path):
    assert given(vendors=str(tmp_path / "none.yml")) is None
    assert given(auth_method="no such method") is None
