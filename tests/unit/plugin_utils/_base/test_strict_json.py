# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON from outside is a value or a ValueError."""

from __future__ import annotations

import contextlib
import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.strict_json import DuplicateMember, WrittenNumber, finite, parse_json, shallow
from hypothesis import given
from hypothesis import strategies as st


@given(body=st.binary(max_size=300))
def test_parse_json_gives_a_value_or_a_value_error(body):
    with contextlib.suppress(ValueError):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
        ('{"a": "ü"}'.encode(), {"a": "ü"}),
        (b'{"a": "\xfc"}', {"a": "ü"}),  # ISO-8859-1
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 1e999, "b": -1e999, "c": 1e300}', {"a": None, "b": None, "c": 1e300}),
        (b'{"a": {"x": 1}, "b": {"x": 2}}', {"a": {"x": 1}, "b": {"x": 2}}),
    ],
)
def test_valid_json_and_harmless_deviations_are_parsed(body, expected):
    assert parse_json(body) == expected


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b'[{"b": {"a": 1, "c": 2, "a": 3}}]'])
def test_a_duplicate_member_is_rejected(body):
    with pytest.raises(DuplicateMember):
        parse_json(body)


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_rejected(name):
    with pytest.raises(ValueError, match=f"^{name}$"):
        parse_json(f"[{name}]".encode())


@pytest.mark.parametrize("around", [("[", "]"), ('{"a":', "}")])
def test_nesting_is_limited_to_63_levels(around):
    def nested(levels):
        return (around[0] * levels + "1" + around[1] * levels).encode()

    found = parse_json(nested(63))
    for _ in range(63):
        found = found[0] if isinstance(found, list) else found["a"]
    assert found == 1
    for levels in (64, 65, 100_000):
        with pytest.raises(ValueError, match=r"^nested too deeply$") as caught:
            parse_json(nested(levels))
        assert caught.value.__cause__ is None


def test_finite_numbers_only_and_as_they_were_written():
    assert (finite("1.5"), finite("1e999"), finite("-1e999"), finite("nan")) == (1.5, None, None, None)
    assert (WrittenNumber("1.50"), WrittenNumber("1.50").text) == (1.5, "1.50")


JSON = st.recursive(st.none() | st.booleans() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)


@given(value=JSON, indent=st.sampled_from((None, 1)))
def test_shallow_json_stays_unchanged(value, indent):
    text = json.dumps(value, indent=indent)
    assert shallow(text) == text


def test_an_unterminated_string_is_read_once():
    """Otherwise the cost would grow with the square of its length."""
    text = "[" * 3000 + '"' + '\\"' * 200_000
    assert shallow(text).endswith("null")
    assert shallow('["a\\') == '["a\\'


@pytest.mark.parametrize("inner", ["", "1", "[]", "[1], {}, [[2]]"])
def test_values_below_level_64_become_null(inner):
    assert shallow("[" * 65 + inner + "]" * 65) == "[" * 64 + "null" + "]" * 64
    assert shallow("[" * 64 + "1, 2" + "]" * 64) == "[" * 64 + "1, 2" + "]" * 64


def test_very_deep_json_is_cut_to_valid_json():
    deep = '[{"a\\"]": ' * 20_000 + "1" + "}]" * 20_000
    found = json.loads(shallow(f'{{"data": {deep}, "version": 3}}'))
    assert found["version"] == 3
    levels = 0
    inner = found["data"]
    while inner is not None:
        inner = inner[0] if isinstance(inner, list) else inner['a"]']
        levels += 1
    assert levels == 63
