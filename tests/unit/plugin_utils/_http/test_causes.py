# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exceptions that an exception wraps."""

from __future__ import annotations

import itertools

import urllib3
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.causes import causes


def test_causes_come_from_the_chain_the_arguments_and_the_reason():
    inner = ConnectionRefusedError(111, "no")
    outer = RuntimeError(urllib3.exceptions.MaxRetryError(None, "/", inner))
    outer.__cause__ = KeyError("x")
    assert [type(found).__name__ for found in causes(outer)] == ["RuntimeError", "MaxRetryError", "KeyError", "ConnectionRefusedError"]


def test_causes_kept_in_attributes_are_found():
    outer, inner, last = RuntimeError("a"), ValueError("b"), KeyError("c")
    outer.original_error, inner.reason = inner, last
    assert causes(outer) == [outer, inner, last]


def test_at_most_fifty_causes_are_returned():
    chain = [ValueError(number) for number in range(60)]
    for outer, inner in itertools.pairwise(chain):
        outer.__cause__ = inner
    assert causes(chain[0]) == chain[:50]


def test_a_cycle_of_causes_is_walked_once():
    one, two = ValueError("one"), ValueError("two")
    one.__context__, two.__context__ = two, one
    assert causes(one) == [one, two]
