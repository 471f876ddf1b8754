# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tokens the arguments of C(token_cache) describe."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.cache_items import items, removed, warn_nothing_found, where, without_names


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, []),
        ({"revoke_logins": True}, []),
        ({"min_ttl": 5}, []),
        ({"vendor": "tracx", "path": "a", "revoke_consent": True}, [{"vendor": "tracx", "path": "a"}]),
        ({"tokens": []}, []),
        (
            {"tokens": [{"vendor": "tracx"}, {"vendor": "acme", "min_ttl": 9}], "min_ttl": 5},
            [{"vendor": "tracx", "min_ttl": 5}, {"vendor": "acme", "min_ttl": 9}],
        ),
    ],
)
def test_the_arguments_describe_the_tokens(args, expected):
    assert items(args) == expected


@pytest.mark.parametrize("tokens", ["tracx", {"vendor": "tracx"}, ["tracx"], [{"vendor": "tracx"}, None]])
def test_tokens_that_is_not_a_list_of_dictionaries_is_refused(tokens):
    with pytest.raises(OptionError) as caught:
        items({"tokens": tokens})
    assert caught.value.message == "tokens: must be a list of dictionaries"


def test_an_address_beside_tokens_of_several_vendors_is_refused():
    args = {"tokens": [{"vendor": "tracx"}, {"vendor": "acme"}], "base_url": "https://one.example"}
    with pytest.raises(OptionError) as caught:
        items(args)
    assert caught.value.message.startswith("base_url: is given next to tokens of several vendors")
    assert len(items({**args, "tokens": args["tokens"][:1]})) == 1


def test_a_path_beside_tokens_is_refused():
    with pytest.raises(OptionError) as caught:
        items({"path": "fleet/trackunit", "tokens": [{"vendor": "trackunit"}, {"vendor": "tracktik"}]})
    assert caught.value.message == "path: is given next to tokens; set it in the items of tokens"


@pytest.mark.parametrize(
    ("item", "values", "expected"),
    [
        ({}, {}, None),
        ({"path": " / "}, {}, None),
        ({"path": "/fleet/x/"}, {}, "secret/fleet/x"),
        ({"path": "fleet/x"}, {"engine_mount_point": "/kv/"}, "kv/fleet/x"),
        ({"path": "X/X"}, {"engine_mount_point": "X"}, "X/X/X"),
        ({"path": "fleet/x"}, {"engine_mount_point": ""}, "secret/fleet/x"),
    ],
)
def test_an_item_is_located_by_its_mount_and_path(item, values, expected):
    assert where(item, values) == expected


def test_options_that_name_tokens_are_removed():
    assert without_names({"vendor": "tracx", "path": "x", "tokens": [], "revoke_logins": 1, "revoke_consent": 1, "cache_path": "/c"}) == {"cache_path": "/c"}


def test_removed_entries_are_counted_by_kind():
    entries = [{"kind": "token", "n": 1}, {"kind": "login"}, {"kind": "token", "n": 2}]
    assert removed(entries) == {"removed": entries, "removed_by_kind": {"token": 2, "login": 1}}
    assert removed([]) == {"removed": [], "removed_by_kind": {}}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"vendor": "tracx"}, []),
        ({"vendor": "tracx", "path": "/fleet/tracs"}, ["There is nothing in the cache for tracx at kv/fleet/tracs."]),
        ({"path": "fleet/a\nb"}, ["There is nothing in the cache for kv/fleet/a b."]),
        ({"vendor": "v" * 40, "path": "p" * 197}, [f"There is nothing in the cache for {'v' * 40} at kv/{'p' * 197}."]),
        ({"vendor": "v" * 41, "path": "p" * 198}, [f"There is nothing in the cache for {'v' * 39}… at kv/{'p' * 196}…."]),
    ],
)
def test_an_empty_cache_for_a_path_is_warned_about(item, expected):
    said = []
    warn_nothing_found(item, {"engine_mount_point": "kv"}, warn=said.append)
    assert said == expected
