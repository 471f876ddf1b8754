# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is found in a decoded text is mapped to its place in the text itself."""

from __future__ import annotations

import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.views import Budget, Exhausted, Run, View

PERCENT = re.compile(r"%([0-9A-F]{2})")


def decode(match):
    return chr(int(match[1], 16))


def test_replaced_text_is_mapped_to_its_place():
    view = View("a%41b%42%43")
    decoded = view.replaced(PERCENT, decode)
    assert decoded.text == "aAbBC"
    (origin,) = decoded.origins
    assert origin.view is view
    assert [list(origin.places((at, at + 1))) for at in range(5)] == [[(0, 1)], [(1, 4)], [(4, 5)], [(5, 8)], [(8, 11)]]
    assert list(origin.places((1, 4))) == [(1, 8)]


def test_a_match_may_become_several_characters_or_none():
    (origin,) = View("x+y-z").replaced(re.compile("[+-]"), lambda match: "abc" if match[0] == "+" else "").origins
    assert [list(origin.places((at, at + 1))) for at in range(6)] == [[(0, 1)], [(1, 2)], [(1, 2)], [(1, 2)], [(2, 3)], [(4, 5)]]


def test_without_a_match_the_same_view_is_returned():
    view = View("abc")
    assert view.replaced(PERCENT, decode) is view
    assert view.origins == []


def test_a_decoded_run_is_mapped_to_every_place_of_the_run():
    view = View("6162 6162")
    run = Run(view, [(0, 4), (5, 9)])
    assert run.view is view
    assert list(run.places((1, 2))) == [(0, 4), (5, 9)]


def test_a_budget_is_used_up_by_characters():
    budget = Budget(5)
    budget.spend("ab")
    budget.spend("cde")
    budget.spend("")
    with pytest.raises(Exhausted):
        budget.spend("f")
