# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, keys and seals of cache entries."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import types

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import SecretField
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache import crypto
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import Keys, canonical, derive, open_sealed, seal
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

USER = b"u" * 32
FACTS = {"path": "a", "fields": {"x": SecretField("y")}}
KEYS = derive(USER, b"login", FACTS)


def both(keys):
    return keys.name, keys.fernet


def test_keys_do_not_depend_on_the_order_of_facts():
    assert both(derive(USER, b"login", dict(reversed(FACTS.items())))) == both(KEYS)
    assert re.fullmatch("[0-9a-f]{32}", KEYS.name)
    assert canonical({"b": 1, "a": ("ü",)}) == b'{"a":["\\u00fc"],"b":1}'
    assert canonical(types.MappingProxyType({"a": 1})) == b'{"a":1}'


@pytest.mark.parametrize(
    ("user", "login", "facts"),
    [
        (b"v" * 32, b"login", FACTS),
        (USER, b"logim", FACTS),
        (USER, b"", FACTS),
        (USER, b"login", {**FACTS, "path": "b"}),
        (USER, b"login", {**FACTS, "fields": {"x": "SecretField(name='y')"}} | {"path": ["a"]}),
        (USER, b"login", {}),
    ],
)
def test_another_user_key_login_or_fact_cannot_open_a_seal(user, login, facts):
    other = derive(user, login, facts)
    assert other.name != KEYS.name
    assert open_sealed(other, seal(KEYS, b"plain")) is None


def test_a_seal_and_the_repr_of_its_keys_reveal_nothing():
    sealed = seal(KEYS, b"pl4in")
    assert b"pl4in" not in sealed
    assert seal(KEYS, b"pl4in") != sealed
    assert open_sealed(KEYS, sealed + b"\n") == b"pl4in"
    assert repr(KEYS) == f"Keys({KEYS.name})"
    assert KEYS.fernet.decode() not in repr(KEYS)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_not_a_seal(sealed):
    assert open_sealed(KEYS, sealed) is None


@given(st.binary(max_size=200), st.data())
def test_a_changed_seal_does_not_open(plain, data):
    sealed = seal(KEYS, plain)
    place = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytes([sealed[place] ^ 1])
    opened = open_sealed(KEYS, sealed[:place] + flipped + sealed[place + 1 :])
    assert opened in (None, plain)  # base64 has bits that mean nothing
    assert open_sealed(KEYS, sealed[:place]) is None
    assert isinstance(KEYS, Keys)


# -- slow enough against guessing ---------------------------------------------------------------------------------------


def as_parts(*parts):
    return json.dumps(parts).encode()


@pytest.fixture
def slow(monkeypatch):
    """The calls of the slow derivation."""
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return hashlib.pbkdf2_hmac(*arguments)

    monkeypatch.setattr(crypto, "hashlib", types.SimpleNamespace(sha256=hashlib.sha256, pbkdf2_hmac=counted))
    monkeypatch.setattr(crypto, "_STRETCHED", {})
    return calls


@pytest.mark.parametrize(
    "secret",
    [
        ("user", "correct horse battery staple"),
        ("user", "a" * 60),
        ("root",),
        ("s.mytoken",),
        ("hvs." + "a" * 40,),
        ("6f1c5f1a-6a1e-4a4e-9f4e-0d7b3c1f2e11", "custom-secret-id"),  # the role_id is no secret
        ("role", "00000000-0000-0000-0000-000000000001"),
        ("a.b.c",),
        ("",),
        ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""),
    ],
)
def test_a_guessable_secret_is_stretched_once_for_all_derived_keys(slow, secret):
    first = derive(USER, as_parts(*secret), "facts")
    second = derive(USER, as_parts(*secret), "others")
    assert len(slow) == 1
    (_hash, stretched, salt, iterations) = slow[0]
    assert (stretched, USER in salt, iterations) == (as_parts(*secret), True, 20_500)
    assert len({first.name, second.name, first.fernet, second.fernet}) == 4
    derive(b"v" * 32, as_parts(*secret), "facts")
    assert len(slow) == 2


@pytest.mark.parametrize(
    "secret",
    [
        ("hvs.CAESIJ4kq3Lx1z0m1kQeZk3a9F2sZ",),
        ("hvb.AAAAAQJ4kq3Lx1z0m1kQeZk3a9F2sZ",),
        ("s.4kq3Lx1z0m1kQeZk3a9F2sZa",),
        ("s.4kq3Lx1z0m1kQeZk3a9F2sZa.ns1",),
        ("role", "6f1c5f1a-6a1e-4a4e-9f4e-0d7b3c1f2e11"),
        ("6f1c5f1a-6a1e-4a4e-9f4e-0d7b3c1f2e11", ""),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjaSJ9." + "dGhpcyBpcyBub3QgYSBzaWduYXR1cmUgYnV0IGxvbmc",),
        ("-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 20 + "\n-----END PRIVATE KEY-----\n",),
    ],
)
def test_a_random_secret_is_not_stretched(slow, secret):
    derive(USER, as_parts(*secret), "facts")
    assert slow == []


DIGITS = "0123456789"


@pytest.mark.parametrize(
    ("random", "guessed"),
    [
        ("hvs.0123456789abcdefghijklmn", "hvs.0123456789abcdefghijklm"),  # 24 characters
        ("hvs.0123456789abcdefghijklmn-_", "hvs.0123456789abcdefghijklmn$"),
        ("hvs.0123456789abcdefghijklmn", "hvt.0123456789abcdefghijklmn"),
        ("01234567-0123-4567-0123-456701234567", "01234560-0123-4560-1234-560123456012"),  # only nine different ones
        ("6F1C5F1A-6A1E-4A4E-9F4E-0D7B3C1F2E11", "6F1C5F1A-6A1E-4A4E-9F4E-0D7B3C1F2E1X"),
        ("6f1c5f1a-6a1e-4a4e-9f4e-0d7b3c1f2e11", "6f1c5f1a-6a1e-4a4e-9f4e0-d7b3c1f2e11"),
        (f"aB.cD.{DIGITS * 4}", f"aB.cD.{(DIGITS * 4)[1:]}"),
        (f"aB.cD.{DIGITS * 4}", f"aB.c+.{DIGITS * 4}"),
        (f"aB.cD.{DIGITS * 4}", f"aB.cD.{DIGITS * 4}.x"),
        ("-----BEGIN PRIVATE KEY-----".ljust(151, "x"), "-----BEGIN PRIVATE KEY-----".ljust(150, "x")),
        ("-----BEGIN PRIVATE KEY-----".ljust(151, "x"), "-----begin PRIVATE KEY-----".ljust(151, "x")),
        ("-----BEGIN EC PRIVATE KEY-----".ljust(151, "x"), "-----BEGIN CERTIFICATE-----".ljust(151, "x")),
    ],
)
def test_a_secret_that_only_nearly_looks_random_is_stretched(slow, random, guessed):
    derive(USER, as_parts(random), "facts")
    assert slow == []
    derive(USER, as_parts(guessed), "facts")
    assert len(slow) == 1


def test_a_secret_of_unknown_form_is_stretched(slow):
    derive(USER, b"login", "facts")
    assert len(slow) == 1


def test_an_empty_login_secret_is_not_stretched(slow):
    derive(USER, b"", "facts")
    assert slow == []


def test_keys_are_derived_by_hkdf_of_rfc_5869(slow):
    okm = HKDF(SHA256(), length=48, salt=b"trackops.api_tokens cache, schema 2", info=canonical(FACTS)).derive(USER + hashlib.sha256(b"").digest())
    assert both(derive(USER, b"", FACTS)) == (okm[:16].hex(), base64.urlsafe_b64encode(okm[16:]))
