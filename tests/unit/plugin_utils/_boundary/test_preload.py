# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is loaded before Ansible forks its workers."""

from __future__ import annotations

import sys

from ansible.plugins.loader import lookup_loader
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary import preload as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names


def test_each_lookup_is_loaded(monkeypatch):
    loaded = []
    monkeypatch.setattr(lookup_loader, "get", lambda name, **how: loaded.append((name, how)))
    subject.preload()
    assert loaded == [(f"trackops.api_tokens.{name}", {"class_only": True}) for name in (*names(), "oauth2")]


def test_preloading_succeeds_without_cryptography(monkeypatch):
    def missing(*_arguments):
        raise ImportError

    monkeypatch.setattr(lookup_loader, "get", lambda name, **how: None)
    monkeypatch.setattr(subject, "seal", missing)
    subject.preload()


def test_modules_that_a_lookup_imports_late_are_loaded():
    package = subject.__name__.rpartition(".")[0]
    for name in ("full_lookup", "operator_variables", "vendor_settings", "event_file"):
        assert f"{package}.{name}" in sys.modules
