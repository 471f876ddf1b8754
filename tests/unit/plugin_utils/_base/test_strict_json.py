# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON from outside is a value or a ValueError."""

from __future__ import annotations

import contextlib
import json

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.strict_json import parse_json, shallow
from hypothesis import given
from hypothesis import strategies as st


@given(body=st.binary(max_size=300))
def test_parse_json_gives_a_value_or_a_value_error(body):
    with contextlib.suppress(ValueError):
        parse_json(body)


JSON = st.recursive(st.none() | st.booleans() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)


@given(value=JSON, indent=st.sampled_from((None, 1)))
def test_what_is_not_deep_stays_as_it_is(value, indent):
    text = json.dumps(value, indent=indent)
    assert shallow(text) == text


def test_a_text_without_an_end_is_read_once():
    """Else its cost would be the square of its length."""
    text = "[" * 3000 + '"' + '\\"' * 1_000_000
    assert shallow(text).endswith("null")
    assert shallow('["a\\') == '["a\\'


def test_what_is_deep_is_cut_off():
    deep = '[{"a\\"]": ' * 100_000 + "1" + "}]" * 100_000
    found = json.loads(shallow(f'{{"data": {deep}, "version": 3}}'))
    assert found["version"] == 3
    levels = 0
    inner = found["data"]
    while inner is not None:
        inner = inner[0] if isinstance(inner, list) else inner['a"]']
        levels += 1
    assert levels == 63
