# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a variable is clearly not a fact; in case of doubt, the full check runs."""

from __future__ import annotations

import types

import pytest

lookup = pytest.importorskip("ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.lookup")

NAME = "h1"
FOUND = {"trackops_min_ttl": 5}


def plain(monkeypatch, variables, *, inject=True, cache="memory", facts=None, host=NAME, known=True, marked=True):
    monkeypatch.setattr(lookup, "is_from_operator", lambda value: marked)
    worker = types.SimpleNamespace()
    if known:
        manager = types.SimpleNamespace(_fact_cache={} if facts is None else {NAME: facts})
        worker = types.SimpleNamespace(_variable_manager=manager, _host=types.SimpleNamespace(name=host) if host else None)
    monkeypatch.setattr(lookup.multiprocessing, "current_process", lambda: worker)
    monkeypatch.setattr(lookup, "C", types.SimpleNamespace(INJECT_FACTS_AS_VARS=inject, CACHE_PLUGIN=cache))
    return lookup._Variables({**FOUND, **variables})._no_fact_is_among(FOUND)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"facts": {"ansible_os": "x"}}, True),
        ({"facts": {"trackops_min_ttl": 1}}, False),
        ({"facts": {"trackops_min_ttl": 1}, "inject": False}, True),
        ({"marked": False}, False),
        ({"marked": False, "inject": False}, True),
        ({"host": None}, False),
        ({"host": "another"}, False),
        ({"known": False}, True),
        ({"known": False, "cache": "jsonfile"}, False),
    ],
)
def test_a_variable_is_plain_only_if_it_is_certainly_no_fact(monkeypatch, given, expected):
    assert plain(monkeypatch, {"inventory_hostname": NAME}, **given) is expected


@pytest.mark.parametrize("variables", [{"ansible_facts": {"a": 1}}, {"hostvars": {}}])
def test_outside_of_a_worker_variables_with_facts_are_not_plain(monkeypatch, variables):
    assert plain(monkeypatch, variables, known=False) is False


def test_an_equal_host_name_from_a_fact_is_not_trusted(monkeypatch):
    same_text = "".join(["h", "1"])
    assert plain(monkeypatch, {"inventory_hostname": same_text}) is False


def test_option_values_at_a_reused_address_do_not_share_a_cached_place(monkeypatch):
    """Option values are freed before the results made from them: new values may get the memory address of old ones."""
    monkeypatch.setattr(lookup, "_FOUND", {})
    found = lookup.TokenLookup.__new__(lookup.TokenLookup)
    monkeypatch.setattr(lookup.TokenLookup, "_find_place", lambda self, term, values: ([], values["place"]))
    for number in range(500):
        assert found._place(None, {"place": number}) == number
