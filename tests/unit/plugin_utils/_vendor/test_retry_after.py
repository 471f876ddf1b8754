# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long to wait, as the headers of servers say it."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpAnswer
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.retry_after import retry_after
from support.scripted import NOW


def waits(status=503, **headers):
    return retry_after(HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, b""), NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17),
        ("1.5", 1.5),
        ("30s", 30),
        ("0", 0),
        ("17, 17", 17),
        ("17,120", 120),
        (str(int(NOW) + 40), 40),
        (f"{int(NOW) + 40}000", 40),
        (formatdate(NOW + 90, usegmt=True), 90),
        (f"{formatdate(NOW + 90, usegmt=True)}, 120", 120),
        ("2027-01-15T08:01:00Z", 60),
        (str(int(NOW) - 40), 0),
        ("99999999999999999999", 86400),
        ("999999999", 86400),
        ("-5", None),
        ("later", None),
        ("", None),
        ("²", None),
        ("17".ljust(1000, ","), 17),
        ("17".ljust(1001, ","), None),
    ],
)
def test_retry_after_is_read_in_many_notations(value, seconds):
    assert waits(retry_after=value) == seconds


def test_a_moment_is_relative_to_the_servers_clock_if_plausible():
    soon = formatdate(NOW + 3690, usegmt=True)
    assert waits(retry_after=soon, date=formatdate(NOW + 3600, usegmt=True)) == 90
    assert waits(retry_after=str(int(NOW) + 3690), date=formatdate(NOW + 3600, usegmt=True)) == 90
    day = NOW + 86400
    assert waits(retry_after=formatdate(day + 90, usegmt=True), date=formatdate(day, usegmt=True)) == 90
    assert waits(retry_after=soon, date="Thu, 01 Jan 1970 00:00:00 GMT") == 3690


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"ratelimit_reset": "30"}, 30),
        (429, {"ratelimit_reset": "30", "ratelimit_remaining": "0"}, 30),
        (429, {"ratelimit_reset": "30", "ratelimit_remaining": "3"}, None),
        (429, {"ratelimit_reset": "30", "ratelimit_remaining": "1"}, None),
        (429, {"ratelimit_reset": "30", "ratelimit_remaining": "3, 0"}, 30),
        (429, {"ratelimit_reset": "30", "ratelimit_remaining": "0,3"}, 30),
        (429, {"ratelimit": "limit=100, reset=50"}, 50),
        (503, {"ratelimit": "limit=100, remaining=0, reset=50"}, 50),
        (503, {"ratelimit": f"limit=100, remaining=0, reset={int(NOW) + 25}"}, 25),
        (503, {"x_ratelimit_reset": str(int(NOW) + 25), "x_ratelimit_remaining": "0"}, 25),
        (503, {"x_ratelimit_reset": "25"}, None),
        (429, {"x_ratelimit_reset": f"{int(NOW) + 25}000", "x_ratelimit_remaining": "0"}, 25),
        (429, {"x_rate_limit_reset": "25", "x_rate_limit_remaining": "0"}, 25),
        (429, {"x_ratelimit_reset_after": "0.5"}, 0.5),
        (429, {"ratelimit": "limit=100, remaining=0, reset=50"}, 50),
        (429, {"ratelimit": '"default";r=0;t=12'}, 12),
        (429, {"ratelimit": '"default";r=9;t=12'}, None),
        (429, {"retry_after_ms": "1500"}, 1.5),
        (429, {"retry_after_ms": "500"}, 0.5),
        (429, {"x_ms_retry_after_ms": "1500"}, 1.5),
        (429, {"retry_after": "5", "x_ratelimit_reset": "99"}, 5),
    ],
)
def test_rate_limit_headers_are_read(status, headers, seconds):
    assert waits(status, **headers) == seconds


@pytest.mark.parametrize("shape", ["{}!", "{}", "P{}!", "{}:00:00!", "1.{}!", "{} s", "/Date({})/", "{} days 01:00:00", "{}.01:00:00"])
@pytest.mark.parametrize("digits", [200, 5000, 900_000])
@pytest.mark.parametrize("name", ["retry-after", "x-ratelimit-reset"])
def test_a_number_too_long_for_a_wait_is_not_read(shape, digits, name):
    """It would take hours to convert, or be a number that no float can hold."""
    assert retry_after(HttpAnswer(429, {name: shape.format("9" * digits)}, b""), NOW) is None
