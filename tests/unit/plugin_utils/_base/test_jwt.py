# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading JWTs without verifying them."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.jwt import claims, expiry
from hypothesis import given
from hypothesis import strategies as st


def made(payload):
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return "e30." + base64.urlsafe_b64encode(raw).decode().rstrip("=") + ".c2ln"


@pytest.mark.parametrize("payload", [{"exp": 1}, {}, {"a": "é" * 10}, {"x": [1]}, {"xy": 1}])
def test_claims_are_read_with_any_padding(payload):
    assert claims(made(payload)) == payload


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("opaque", "not a JWT: it does not have three parts"),
        ("a.b.c.d.e", "not a JWT: it does not have three parts"),
        ("a.é.c", "not a JWT: its second part is not base64url-encoded JSON"),
        ("e30.!.x", "not a JWT: its second part is not base64url-encoded JSON"),
        (made(b"\xff"), "not a JWT: its second part is not base64url-encoded JSON"),
        (made(b"[" * 100_000), "not a JWT: its second part is not base64url-encoded JSON"),
        (made([1]), "not a JWT: its payload is not a JSON object"),
    ],
)
def test_a_text_that_is_not_a_jwt_is_rejected_with_the_reason(token, why):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        claims(token)
    assert str(caught.value) == why
    assert caught.value.__cause__ is None
    assert expiry(token) is None


@pytest.mark.parametrize(
    ("exp", "found"),
    [
        (1_800_000_000, 1_800_000_000.0),
        (1.5, 1.5),
        (0.5, 0.5),
        (1e11 - 1, 1e11 - 1),
        (1e11, None),
        ("1800000000", None),
        (True, None),
        (0, None),
        (-5, None),
        (10**400, None),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
    ],
)
def test_expiry_is_a_plausible_exp_claim_or_none(exp, found):
    assert expiry(made({"exp": exp})) == found


@given(
    st.text() | st.lists(st.binary(max_size=40), min_size=3, max_size=3).map(lambda parts: ".".join(base64.urlsafe_b64encode(part).decode() for part in parts))
)
def test_any_text_gives_a_plausible_expiry_or_none(token):
    found = expiry(token)
    assert found is None or 0 < found < 1e11
