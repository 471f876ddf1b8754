# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nested values that refer to fields of the secret."""

from __future__ import annotations

import contextlib
import datetime
import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import SecretField
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.template import filled, nested, secret_names
from hypothesis import given
from hypothesis import strategies as st

GIVEN = {
    "method": "Authenticate",
    "id": 1,
    "ratio": 0.5,
    "flags": [True, None, {"deep": {"secret_field": "password"}}],
    "params": {"userName": {"secret_field": "username"}, "header": {"secret_field": "key", "scheme": "Token"}},
    5: "a key that is no text",
}


def test_a_template_is_read_and_filled():
    read = nested("acme", "request_body", GIVEN)
    assert read["params"] == {"userName": SecretField("username"), "header": SecretField("key", "Token")}
    assert list(secret_names(read)) == ["password", "username", "key"]
    assert filled(read, {"username": "u", "password": 'p"w', "key": "k"}) == {
        "method": "Authenticate",
        "id": 1,
        "ratio": 0.5,
        "flags": [True, None, {"deep": 'p"w'}],
        "params": {"userName": "u", "header": "Token k"},
        "5": "a key that is no text",
    }
    assert nested("acme", "request_body", read) == read


def deep(levels):
    value = "bottom"
    for _ in range(levels):
        value = [value]
    return {"a": value}


KINDS = "must be a string, a number, true, false, null, a list, a dictionary or {secret_field: NAME}"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("text", "acme: request_body must be a dictionary."),
        (["a"], "acme: request_body must be a dictionary."),
        ({"a": {"b": [1, datetime.date(2026, 1, 1)]}}, f"acme: 'a.b.1' in request_body {KINDS}."),
        ({"a": float("nan")}, f"acme: 'a' in request_body {KINDS}."),
        ({"a": {"secret_field": 5}}, f"acme: 'a' in request_body {KINDS}."),
        ({"a": {"secret_field": ""}}, f"acme: 'a' in request_body {KINDS}."),
        ({"a": {"secret_field": "b", "field": "c"}}, f"acme: 'a' in request_body {KINDS}."),
        ({"a\n": {"b" * 100: set()}}, f"acme: 'a .{'b' * 56}…' in request_body {KINDS}."),
        (deep(21), f"acme: 'a{'.0' * 20}' in request_body is nested more than 20 deep."),
    ],
)
def test_an_invalid_template_is_refused_naming_the_place(wrong, message):
    with pytest.raises(OptionError) as caught:
        nested("acme", "request_body", wrong)
    assert (caught.value.message, caught.value.fault) == (message, "option:description")


def test_a_template_of_the_maximum_depth_is_accepted():
    assert nested("acme", "request_body", deep(19))


_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("secret_field"), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), _any, max_size=3))
def test_any_dictionary_gives_json_or_an_option_error(value):
    with contextlib.suppress(OptionError):
        read = nested("acme", "request_body", value)
        assert json.loads(json.dumps(filled(read, dict.fromkeys(secret_names(read), "x")), allow_nan=False)) is not None
