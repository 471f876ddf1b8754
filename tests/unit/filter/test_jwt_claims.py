# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The claims of a JWT, or one line that says what is wrong with the input."""

from __future__ import annotations

import base64
import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.trackops.api_tokens.plugins.filter.jwt_claims import FilterModule

jwt_claims = FilterModule().filters()["jwt_claims"]


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("before", ["", "Bearer ", "Bearer   "])
def test_the_claims_of_a_jwt_are_returned(before):
    claims = {"exp": 1_800_000_000, "sub": "ü", "roles": ["a", "b"]}
    assert jwt_claims(f"{before}{encoded('{}')}.{encoded(json.dumps(claims))}.c2ln") == claims


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.b.c", f"e30.{encoded('[1]')}.s", f"e30.{encoded('{')}.s"])
def test_an_invalid_jwt_is_reported_without_the_token(token):
    with pytest.raises(AnsibleFilterError) as caught:
        jwt_claims(token)
    said = str(caught.value)
    assert said.startswith("jwt_claims: the input is ")
    assert not token or token not in said


@pytest.mark.parametrize("value", [None, 5, {"access_token": "x"}, ["x"], b"a.b.c"])
def test_a_value_that_is_not_a_string_is_refused(value):
    with pytest.raises(AnsibleFilterError) as caught:
        jwt_claims(value)
    assert str(caught.value) == "jwt_claims: the input is not a string. [TRK-O02]"
