# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not count as a token, whatever its source."""

from __future__ import annotations

import dataclasses
import math

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.token_check import LONGEST_LIFETIME, is_line, is_moment, token_problem
from support.scripted import NOW, token

GOOD = token(scope="a b", refresh_token="r", secret_version="v1:0123", extra={"a": 1})


def test_valid_tokens_have_no_problem():
    assert token_problem(GOOD) == ""
    assert token_problem(token(scope=None)) == ""
    assert token_problem(token(lifetime=0)) == ""
    assert token_problem(token(lifetime=LONGEST_LIFETIME)) == ""
    assert token_problem(dataclasses.replace(GOOD, token_type="")) == ""
    assert token_problem(dataclasses.replace(GOOD, access_token="a" * 131072)) == ""
    assert token_problem(token(refresh_token_mac="0" * 64)) == ""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"access_token": ""}, "its token is not text"),
        ({"access_token": 5}, "its token is not text"),
        ({"access_token": "a\nroot::0:0:::"}, "its token has characters that an HTTP header cannot contain"),
        ({"access_token": "a\n"}, "its token has characters that an HTTP header cannot contain"),
        ({"access_token": "a b"}, "its token has characters that an HTTP header cannot contain"),
        ({"access_token": "\x1b[31m"}, "its token has characters that an HTTP header cannot contain"),
        ({"access_token": "tökén"}, "its token has characters that an HTTP header cannot contain"),
        ({"access_token": "a" * 131073}, "its token is too long for an HTTP header"),
        ({"token_type": "Bearer\nX-Evil: 1"}, "its token_type is not a line of text"),
        ({"token_type": None}, "its token_type is not a line of text"),
        ({"scope": "\x1b]0;title\x07"}, "its scope is not a line of text"),
        ({"scope": ""}, "its scope is not a line of text"),
        ({"scope": ["a"]}, "its scope is not a line of text"),
        ({"refresh_token": 5}, "its refresh token is not a line of text"),
        ({"refresh_token": "r\n"}, "its refresh token is not a line of text"),
        ({"secret_version": None}, "its version of the secret is not a line of text"),
        ({"secret_version": "7\n"}, "its version of the secret is not a line of text"),
        ({"refresh_token_mac": None}, "its MAC is not a line of text"),
        ({"refresh_token_mac": "0\n"}, "its MAC is not a line of text"),
        ({"expires_at": NOW + LONGEST_LIFETIME + 1}, "its lifetime cannot be right"),
        ({"expires_at": NOW + 28 * 365 * 86400}, "its lifetime cannot be right"),
        ({"expires_at": NOW - 1}, "its lifetime cannot be right"),
        ({"expires_at": math.nan}, "its lifetime cannot be right"),
        ({"issued_at": True}, "its lifetime cannot be right"),
        ({"extra": [1]}, "what comes with its token is not an object"),
    ],
)
def test_an_invalid_token_has_its_problem_named(changes, problem):
    assert token_problem(dataclasses.replace(GOOD, **changes)) == problem


@pytest.mark.parametrize("value", [-1, 1e12, math.inf, 10**400, True, None, "1"])
def test_a_moment_is_a_plausible_number_of_seconds(value):
    assert not is_moment(value)
    assert is_moment(0) and is_moment(NOW)


def test_a_line_is_short_printable_text():
    assert is_line("é x", 3)
    assert not any(is_line(value, 3) for value in ("", "abcd", "a\nb", "\x1b", None, 5))
