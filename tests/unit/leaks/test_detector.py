# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The detector of the leak bench finds a secret in every spelling, and parts of one; otherwise a green bench would mean nothing."""

from __future__ import annotations

import base64

import pytest
from emulator.base import jwt
from emulator.faults import ECHOES
from leaks.detector import Detector, Secret

VALUE = "cs-0123456789abcdef0123456789abcdef %+&<\"'/\\x"
SECRET = Secret("credential", "planted", VALUE)


@pytest.mark.parametrize("how", ECHOES)
@pytest.mark.parametrize("before", ["", "a", "ab", "abc:"])
def test_every_spelling_of_a_secret_is_found(how: str, before: str) -> None:
    assert SECRET in Detector([SECRET]).find(f"noise {ECHOES[how](before + VALUE)} noise".encode())


def test_a_long_part_of_a_secret_is_found() -> None:
    assert SECRET in Detector([SECRET]).find(VALUE[3:34].encode())
    assert Detector([SECRET]).find(VALUE[3:17].encode()) == {}


def test_a_key_is_found_in_hex_and_base64() -> None:
    key = Secret("key", "of the cache", bytes(range(100, 132)))
    for text in (key.data.hex().encode(), base64.b64encode(key.data), base64.urlsafe_b64encode(b"x" + key.data)):
        assert key in Detector([key]).find(b"noise " + text)


def test_a_jwt_is_found_by_its_signature() -> None:
    token = Secret("access token", "of a vendor", jwt({"sub": "somebody"}))
    header, claims, signature = str(token.value).split(".")
    detector = Detector([token])
    assert detector.find(f"{header}.{claims}".encode()) == {}
    assert token in detector.find(signature[:80].encode())


def test_the_excerpt_shows_no_secret() -> None:
    other = Secret("credential", "beside it", "pw-fedcba9876543210fedcba9876543210")
    text = f"user=me password={other.value} secret={VALUE} end".encode()
    excerpt = Detector([SECRET, other]).excerpt(text, SECRET)
    assert excerpt == "user=me password=*** secret=[HERE] %+&<\"'/\\x end"


def test_a_secret_too_short_to_search_for_is_refused() -> None:
    with pytest.raises(ValueError, match="the credential short is too short"):
        Detector([Secret("credential", "short", "pw")])
