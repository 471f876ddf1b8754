# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, keys and seals of cache entries."""

from __future__ import annotations

import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import SecretField
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import Keys, canonical, derive, open_sealed, seal
from hypothesis import given
from hypothesis import strategies as st

USER = b"u" * 32
FACTS = {"path": "a", "fields": {"x": SecretField("y")}}
KEYS = derive(USER, b"login", FACTS)


def test_the_same_facts_in_any_order():
    assert derive(USER, b"login", dict(reversed(FACTS.items()))) == KEYS
    assert re.fullmatch("[0-9a-f]{32}", KEYS.name)
    assert canonical({"b": 1, "a": ("ü",)}) == b'{"a":["\\u00fc"],"b":1}'


@pytest.mark.parametrize(
    ("user", "login", "facts"),
    [
        (b"v" * 32, b"login", FACTS),
        (USER, b"logim", FACTS),
        (USER, b"", FACTS),
        (USER, b"login", {**FACTS, "path": "b"}),
        (USER, b"login", {**FACTS, "fields": {"x": "SecretField(name='y')"}} | {"path": ["a"]}),
        (USER, b"login", {}),
    ],
)
def test_whoever_lacks_one_of_the_three_cannot_open_it(user, login, facts):
    other = derive(user, login, facts)
    assert other.name != KEYS.name
    assert open_sealed(other, seal(KEYS, b"plain")) is None


def test_a_seal_hides_and_a_repr_too():
    sealed = seal(KEYS, b"pl4in")
    assert b"pl4in" not in sealed
    assert seal(KEYS, b"pl4in") != sealed
    assert open_sealed(KEYS, sealed + b"\n") == b"pl4in"
    assert repr(KEYS) == f"Keys({KEYS.name})"
    assert KEYS.fernet.decode() not in repr(KEYS)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_seal(sealed):
    assert open_sealed(KEYS, sealed) is None


@given(st.binary(max_size=200), st.data())
def test_a_changed_seal_does_not_open(plain, data):
    sealed = seal(KEYS, plain)
    place = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytes([sealed[place] ^ 1])
    opened = open_sealed(KEYS, sealed[:place] + flipped + sealed[place + 1 :])
    assert opened in (None, plain)  # base64 has bits that mean nothing
    assert open_sealed(KEYS, sealed[:place]) is None
    assert isinstance(KEYS, Keys)
