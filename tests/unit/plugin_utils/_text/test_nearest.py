# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which known name was probably meant, and how similar it must be."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.nearest import did_you_mean, nearest

VENDORS = ("trackmage", "tracktik", "trackunit", "tracx")


@pytest.mark.parametrize(
    ("name", "cutoff", "found"),
    [
        ("trackuint", 0.7, "trackunit"),
        ("trackuint", 0.9, ""),
        ("trackmages", 0.9, "trackmage"),
        ("acme", 0.7, ""),
        ("Tracx", 0.7, "tracx"),
        ("tr", 0.6, ""),
        ("", 0.6, ""),
    ],
)
def test_the_nearest_name_is_found_if_it_is_similar_enough(name, cutoff, found):
    assert nearest(name, VENDORS, cutoff=cutoff) == found


def test_the_default_cutoff_separates_typos_from_other_names():
    assert nearest("tracks", ["tracktik"]) == "tracktik"  # a ratio of 0.71
    assert nearest("trck", ["tracktik"]) == ""  # 0.67
    assert nearest("acme", ["trackmage"]) == ""  # 0.62


def test_without_known_names_nothing_is_near():
    assert nearest("tracx", iter(())) == ""


@pytest.mark.parametrize(("near", "end"), [("tracx", "; did you mean tracx?"), ("", ".")])
def test_the_suggestion_is_a_question(near, end):
    assert f"no such vendor{did_you_mean(near)}" == f"no such vendor{end}"
