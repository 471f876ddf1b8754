# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON from outside is a value or a ValueError."""

from __future__ import annotations

import contextlib

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.strict_json import parse_json
from hypothesis import given
from hypothesis import strategies as st


@given(body=st.binary(max_size=300))
def test_parse_json_gives_a_value_or_a_value_error(body):
    with contextlib.suppress(ValueError):
        parse_json(body)
