# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real effects are loaded on first use, and get the caller's arguments."""

from __future__ import annotations

import sys
import types

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpOptions, HttpRequest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.real_ports import real_ports
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault import client, connection
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor import transport
from support.scripted import vault_options


def test_given_ports_are_used():
    said = []
    ports = real_ports(warn=said.append, clock=lambda: 7.0)
    ports.warn("x")
    assert (said, ports.clock()) == (["x"], 7.0)
    with pytest.raises(TypeError):
        real_ports(no_such_port=1)


@pytest.mark.parametrize(("constants", "found"), [({}, ""), ({"DEFAULT_LOCAL_TMP": "/of/the/run"}, "/of/the/run")])
def test_the_scratch_directory_is_ansibles_local_tmp(monkeypatch, constants, found):
    monkeypatch.setitem(sys.modules, "ansible.constants", types.SimpleNamespace(**constants))
    assert real_ports().scratch == found
    assert real_ports(scratch="/other").scratch == "/other"
    monkeypatch.delitem(sys.modules, "ansible.constants")
    assert real_ports().scratch == ""


def test_exchange_calls_the_http_transport(monkeypatch):
    asked = []
    monkeypatch.setattr(transport, "exchange", lambda *arguments: asked.append(arguments) or "answer")
    request, options = HttpRequest("GET", "https://x", {}), HttpOptions()
    assert real_ports().exchange(request, options, 5.0, "tracx") == "answer"
    assert asked == [(request, options, 5.0, "tracx")]


def test_vault_opens_a_client_for_the_connection(monkeypatch):
    made = []
    monkeypatch.setattr(connection, "Connection", lambda options, **keywords: made.append((options, keywords)) or "connection")
    monkeypatch.setattr(client, "VaultClient", lambda opened: f"client of {opened}")
    options, warn = vault_options(), print
    assert real_ports().vault(options, warn) == "client of connection"
    assert made == [(options, {"warn": warn})]
