# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lookup says when something is wrong, and dictionaries that are given as texts or files."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleLookupError, AnsibleOptionsError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary import full_lookup
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import derive
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.pointer import Pointer
from support.scripted import token

DEFINITIONS = {"min_ttl": {"type": "int"}, "url": {"aliases": ["vault_addr"]}}


def test_our_errors_become_ansible_errors():
    assert type(full_lookup.as_ansible(OptionError("no"))) is AnsibleOptionsError
    assert type(full_lookup.as_ansible(VaultError("no"))) is AnsibleLookupError
    assert full_lookup.as_ansible(KeyError("no")) is None
    assert str(full_lookup.as_ansible(VaultError("no", "sealed"))).startswith("no")


@pytest.mark.parametrize(
    ("name", "end"), [("min_tll", "'min_tll'; did you mean min_ttl?"), ("vault_adr", "'vault_adr'; did you mean vault_addr?"), ("xyz", "'xyz'.")]
)
def test_an_unknown_option_is_rejected_with_a_suggestion(name, end):
    with pytest.raises(OptionError) as caught:
        full_lookup.reject_unknown_options("tracx", DEFINITIONS, {"min_ttl": 1, name: 1})
    assert caught.value.message == f"tracx: there is no option {end}"


def test_known_options_and_aliases_are_accepted():
    full_lookup.reject_unknown_options("tracx", DEFINITIONS, {"min_ttl": 1, "url": 1, "vault_addr": 1})


def test_dictionary_options_are_parsed_from_text():
    values = {"extra_parameters": '{"a": 1}', "vendors": None, "scope": "{x}"}
    assert full_lookup.with_dictionaries("tracx", values) == {
        "extra_parameters": {"a": 1},
        "vendors": None,
        "credential_fields": None,
        "request_headers": None,
        "scope": "{x}",
    }
    with pytest.raises(OptionError) as caught:
        full_lookup.with_dictionaries("tracx", {"request_headers": "["})
    assert caught.value.message.startswith("tracx: request_headers ")


def test_an_unrelated_option_error_is_returned_unchanged():
    exc = KeyError("x")
    assert full_lookup.option_error("tracx", DEFINITIONS, exc, direct={}, variables={}) is exc


def test_a_lifetime_below_min_ttl_is_warned_about(monkeypatch):
    said = []
    monkeypatch.setattr(full_lookup.display, "warning", said.append)
    pointer = Pointer(derive(bytes(32), b"", "x"), vendor="tracx", where="secret/x", scheme="Bearer")
    full_lookup.warn_short_lifetimes([(token(lifetime=30), pointer), (token(lifetime=60), pointer)], min_ttl=60)
    assert said == ["tracx: the token for secret/x has a lifetime of only 30 s, less than min_ttl (60 s)."]


@pytest.mark.parametrize(
    ("plugin", "values", "direct", "message"),
    [
        ("oauth2", {"vendor": "myne", "vendors": {"mine": {}}}, {}, "There is no vendor 'myne'; did you mean mine? Known: "),
        ("tracx", {"auth_method": "token"}, {"mount_point": "kv"}, "tracx: mount_point belongs to the login and has no effect with auth_method=token; did "),
    ],
)
def test_mistakes_are_reported_before_any_request(plugin, values, direct, message):
    with pytest.raises(OptionError) as caught:
        full_lookup.tokens(plugin, ["fleet/x"], {"output": "token", **values}, direct)
    assert caught.value.message.startswith(message)


def test_a_term_that_is_not_a_string_is_refused():
    with pytest.raises(OptionError) as caught:
        full_lookup.tokens("tracx", [1], {"output": "token"}, {})
    assert caught.value.message == "tracx: the terms must be paths in Vault, as strings."


@pytest.mark.parametrize(("cache", "pointers"), [("file", ["secret/fleet/x"]), ("vault", ["secret/fleet/x"]), ("none", [])])
def test_the_next_process_is_pointed_to_a_cached_token(monkeypatch, tmp_path, cache, pointers):
    class Obtained:
        def __init__(self, ports):
            self.store = lambda options: FileStore(str(tmp_path), warn=pytest.fail)

        def token(self, request):
            return token("abc")

    written = []
    monkeypatch.setattr(full_lookup, "Resolver", Obtained)
    monkeypatch.setattr(full_lookup, "remember", lambda store, keys, pointer: written.append(pointer.where))
    values = {"output": "token", "cache": cache, "url": "https://vault.example:8200", "auth_method": "token", "token": "s.pl4nted"}
    assert full_lookup.tokens("tracx", ["fleet/x"], values, {}) == ["abc"]
    assert written == pointers
