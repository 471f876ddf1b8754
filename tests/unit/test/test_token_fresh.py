# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a token stays valid for so many more seconds. The token is given as details, as a result of token_info, or as a JWT."""

from __future__ import annotations

import base64
import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.trackops.api_tokens.plugins.test import token_fresh as plugin

token_fresh = plugin.TestModule().tests()["token_fresh"]
NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(plugin.time, "time", lambda: NOW)


def jwt(claims):
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".c2ln"


@pytest.mark.parametrize(("left", "seconds", "fresh"), [(60, None, True), (59, None, False), (600, 600, True), (599, 600, False), (0, 0, True), (-1, 0, False)])
@pytest.mark.parametrize("kind", [lambda at: {"expires_at": at}, lambda at: jwt({"exp": at}), lambda at: "Bearer " + jwt({"exp": at})])
def test_freshness_depends_on_the_seconds_left(kind, left, seconds, fresh):
    arguments = () if seconds is None else (seconds,)
    assert token_fresh(kind(NOW + left), *arguments) is fresh


@pytest.mark.parametrize("token", [{}, {"expires_at": None}, "opaque", jwt({}), ""])
def test_without_an_expiry_it_is_not_fresh(token):
    assert token_fresh(token) is False


def test_numbers_may_be_given_as_text():
    assert token_fresh({"expires_at": str(NOW + 100)}, "90") is True


@pytest.mark.parametrize(("token", "seconds"), [({"expires_at": "soon"}, 60), ({"expires_at": NOW}, "long"), ({"expires_at": [1]}, 60)])
def test_a_value_that_is_not_a_number_is_refused(token, seconds):
    with pytest.raises(AnsibleFilterError) as caught:
        token_fresh(token, seconds)
    assert str(caught.value) == "token_fresh: expires_at and the seconds must be numbers. [TRK-O02]"


@pytest.mark.parametrize("token", [None, 5, ["x"]])
def test_an_input_that_is_not_a_token_is_refused(token):
    with pytest.raises(AnsibleFilterError) as caught:
        token_fresh(token)
    assert str(caught.value) == "token_fresh: the input is neither details of a token nor a JWT. [TRK-O02]"
