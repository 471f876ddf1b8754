# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifetimes and moments in the notations that servers use."""

from __future__ import annotations

import math
from email.utils import formatdate

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpAnswer
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.lifetimes import clock_difference, read_moment
from hypothesis import given
from hypothesis import strategies as st
from support.scripted import NOW

AT = 1_767_283_200.0  # 2026-01-01 16:00:00 UTC


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (3600, 3600),
        (1.5, 1.5),
        ("3600", 3600),
        (" 3600 ", 3600),
        ("3600".rjust(100), 3600),
        ('"3600"', 3600),
        ("3600.0", 3600),
        ("1e3", 1000),
        ("3,600", 3600),
        ("1'000'000", 1_000_000),
        ("3600s", 3600),
        ("3600 seconds", 3600),
        ("90 minutes", 5400),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5 hours", 5400),
        ("500ms", 0.5),
        ("2 days", 172_800),
        ("1 day, 2 hours and 5 min", 93_900),
        ("PT1H", 3600),
        ("pt90s", 90),
        ("P1DT2H", 93_600),
        ("P1W", 604_800),
        ("PT1M30S", 90),
        ("PT1,5S", 1.5),
        ("01:00:00", 3600),
        ("1.02:03:04", 93_784),
        ("00:59:59.999", 3599),
        ([3600], 3600),
        (["1h"], 3600),
        ({"seconds": "3600", "nanos": 0}, 3600),
        ({"TotalSeconds": 3600}, 3600),
        ({"totalSeconds": 3600}, 3600),
        ({"value": 3600, "unit": "s"}, 3600),
        (-5, -5),
        ("-5", -5),
        (10**400, 1e10),
        (-(10**400), -1e10),
        (10**30, 1e10),
    ],
)
def test_lifetimes_are_read_in_many_notations(written, seconds):
    assert read_moment(written) == (pytest.approx(seconds), False)


@pytest.mark.parametrize(
    "written",
    [
        AT,
        AT * 1e3,
        AT * 1e6,
        AT * 1e9,
        str(int(AT)),
        f"{AT:.3f}",
        "2026-01-01T16:00:00Z",
        "2026-01-01t16:00:00z",
        "2026-01-01T16:00Z",
        "2026-01-01 16:00:00",
        "2026-01-01T16:00:00.000000000+00:00",
        "2026-01-01T18:00:00+0200",
        "2026-01-01T18:00:00+02",
        "2026-01-01T11:00:00-05:00",
        "2026-01-01T21:30:00+05:30",
        "2026-01-01T12:30:00-03:30",
        "2026-01-02T02:00:00+1000",
        "2026-01-01 16:00:00 UTC",
        "2026/01/01 16:00:00",
        "20260101T160000Z",
        "20260101160000",
        "20260101160000Z",
        "Thu, 01 Jan 2026 16:00:00 GMT",
        "Thu, 1 Jan 2026 17:00:00 +0100",
        "Thursday, 01-Jan-26 16:00:00 GMT",
        "Thu Jan  1 16:00:00 2026",
        "1/1/2026 4:00:00 PM",
        "01/01/2026 16:00",
        "1/1/2026, 4:00:00 p.m.",
        "01.01.2026 16:00:00",
        "01-01-2026 16:00:00",
        "Jan 1, 2026 4:00:00 PM",
        "January 1, 2026, 16:00",
        "Thu Jan 01 2026 16:00:00 GMT+0000 (Coordinated Universal Time)",
        f"/Date({int(AT)}000)/",
        f"/Date({int(AT)}000+0200)/",
        {"$date": "2026-01-01T16:00:00Z"},
        {"$date": {"$numberLong": f"{int(AT)}000"}},
        *({"date": "2026-01-01 16:00:00.000000", "timezone_type": 3, "timezone": zone} for zone in ("UTC", "Z", "+00:00", "GMT")),
    ],
)
def test_moments_are_read_in_many_notations(written):
    assert read_moment(written) == (pytest.approx(AT, abs=0.01), True)


def test_fractions_and_leap_seconds_are_read():
    assert read_moment("2026-01-01T16:00:00.250Z") == (pytest.approx(AT + 0.25, abs=0.001), True)
    assert read_moment("2026-01-01T15:59:60Z") == (AT - 1, True), "as Python knows none"


@pytest.mark.parametrize(("number", "moment"), [(999_999_999, (999_999_999, False)), (1e9, (1e9, True)), (1e11, (1e8, True)), (1e14, (1e8, True))])
def test_large_numbers_are_moments_not_lifetimes(number, moment):
    assert read_moment(number) == moment


def test_day_and_month_are_read_in_their_order():
    christmas = read_moment("2026-12-25")
    assert read_moment("12/25/2026") == read_moment("25/12/2026") == read_moment("25.12.2026") == read_moment("25-12-2026") == christmas
    assert read_moment("13/12/2026") == read_moment("2026-12-13")
    assert read_moment("02/03/2026") == read_moment("2026-02-03")  # with slashes, as in the US
    assert read_moment("12/25/2026 12:30 AM").seconds - christmas.seconds == 1800


@pytest.mark.parametrize(
    "written",
    [
        *(
            None,
            True,
            False,
            "",
            "soon",
            "X3600X",
            "3600".rjust(101),
            "never",
            "nan",
            "inf",
            "1e999",
            float("inf"),
            float("nan"),
            "P",
            "PT",
            "h",
            "5 parsecs",
            "2026-13-01",
        ),
        *("12:30", "31/31/2026", [], [1, 2], {}, {"date": "2026-01-01", "timezone": "Europe/Berlin"}, "Jan", "²", "9" * 500 + "x", "/Date()/"),
    ],
)
def test_a_value_that_is_neither_lifetime_nor_moment_is_none(written):
    assert read_moment(written) is None


@given(st.text(max_size=40) | st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9), st.lists, max_leaves=4))
def test_any_value_gives_a_moment_or_none(written):
    said = read_moment(written)
    assert said is None or said.seconds == said.seconds


@pytest.mark.parametrize("ahead", [0, 3600, -90])
def test_the_clock_difference_comes_from_the_date_header(ahead):
    assert clock_difference(HttpAnswer(200, {"date": formatdate(NOW - ahead, usegmt=True)}, b""), NOW) == ahead


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": "17"}, {"date": "today"}, {"expires": formatdate(NOW, usegmt=True)}])
def test_without_a_valid_date_header_there_is_no_clock_difference(headers):
    assert clock_difference(HttpAnswer(200, headers, b""), NOW) is None


@pytest.mark.parametrize("shape", ["{}!", "{}", "P{}!", "{}:00:00!", "1.{}!", "{} s", "/Date({})/", "{} days, 01:00:00", "{}.01:00:00"])
@pytest.mark.parametrize("digits", [200, 5000, 900_000])
def test_a_number_too_long_for_a_moment_is_not_read(shape, digits):
    """It would take hours to convert, or be a number that no float can hold."""
    text = shape.format("9" * digits)
    assert read_moment(text) is None
    assert read_moment({"seconds": text}) is None


@pytest.mark.parametrize("shape", ["{}!", "{}", "P{}!", "{}:00:00!", "/Date({})/", "{} days, 01:00:00", "{}.01:00:00", "{}ms"])
def test_a_long_number_never_raises(shape):
    for digits in (1, 20, 60, 80):
        said = read_moment(shape.format("9" * digits))
        assert said is None or math.isfinite(said.seconds)
