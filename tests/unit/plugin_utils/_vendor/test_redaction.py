# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials that must not appear in a vendor's words."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text import scrub
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.needles import needles_of
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.redaction import Redactor, redactor_for_answer, redactor_for_secret
from support.scripted import request_for

CORE = pathlib.Path(__file__).resolve().parents[4] / "plugins" / "plugin_utils"
VENDOR = Vendor("acme", base_url="https://acme.example", token_url="/t", client_auth="basic", scope="read machines")


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("client_secret", "s3cr3t", "credentials"),
        ("client_secret", "abc", "everything"),  # too short: it may be an ordinary part of an address
        ("theirs", "the-password", "credentials"),  # credential_fields says that this is the refresh token
        ("Api-Key", "a plain word", "credentials"),
        ("note", "Pr0duction", "credentials"),
        ("certificate", "-----BEGIN PRIVATE KEY-----", "credentials"),
        ("number", 12345678, "everything"),
        ("client_secret", 12345678, "credentials"),
        ("client_id", "The-Client-1", "everything"),
        ("certificate", "-----BEGIN CERTIFICATE-----", "everything"),
        ("region", "europe", "everything"),
        ("client_secret", "read machines", "everything"),  # the options contain it
        ("client_secret", "https://Acme1.my.example/", "everything"),
        ("client_secret", "Ab1" * 4000, "everything"),  # no address is that long
        ("region", "eu-10", ""),
        ("client_secret", "sixsix", "credentials"),
        ("client_secret", "five5", "everything"),
        ("client_secret", " sixsix\n", "credentials"),
        ("note", "Ab1" * 3333 + "x", "credentials"),
        ("note", "Ab1" * 3333 + "xy", "everything"),
        ("note", "https://Acme1.example/Path2", "everything"),  # an address does not look like a credential
        ("note", "PR0DUCTION", "everything"),
        ("note", "pr0duction", "everything"),
        ("note", "Production", "everything"),
        ("region", "eu-1", ""),
        ("on", True, ""),
        ("list", ["s3cr3t-value"], ""),
        ("client_secret", " ", ""),
        ("client_secret", None, ""),
    ],
)
def test_which_fields_of_a_secret_are_credentials(key, value, where):
    request = request_for(VENDOR, secret={"fields": {"refresh_token": "theirs"}})
    found = redactor_for_secret(request, {key: value})
    assert ("credentials" if found.credentials else "everything" if found.everything else "") == where
    assert found.credentials <= found.everything


@pytest.mark.parametrize(
    ("changes", "clear"),
    [
        ({}, False),
        ({"issuer": "https://i.example/Audience-7"}, True),
        ({"base_url": "https://acme.example/AUDIENCE-7/"}, True),
        ({"token_url": "/audience-7/t"}, True),
        ({"token_url": "/audience-7/t", "issuer": "https://i.example"}, False),  # then the address comes from the issuer
        ({"scope": "read AUDIENCE-7"}, True),
        ({"parameters": {"a": "x", "audience": "audience-7"}}, True),
        ({"parameters": {"audience": ("x", "audience-7")}}, True),
        ({"parameters": {"audience-7": "x"}}, False),
        ({"request_body": {"a": {"b": ("x", {"c": "audience-7"})}}}, True),
        ({"request_body": {"a": 7}}, False),
    ],
)
def test_a_value_of_the_options_is_not_a_credential(changes, clear):
    vendor = dataclasses.replace(VENDOR, **changes)
    found = redactor_for_secret(request_for(vendor), {"client_secret": "Audience-7"})
    assert (found.everything, found.credentials) == ({"Audience-7"}, set() if clear else {"Audience-7"})
    found = redactor_for_answer(vendor, ("sent-secret",), identifiers=(), unused=("Audience-7",))
    assert found.credentials == ({"sent-secret"} if clear else {"sent-secret", "Audience-7"})


def test_each_field_of_a_secret_is_judged_separately():
    found = redactor_for_secret(request_for(VENDOR), {"client_secret": "s3cr3t", "client_id": "the-client", "password": "hunter2", "on": None})
    assert (found.everything, found.credentials) == ({"s3cr3t", "the-client", "hunter2"}, {"s3cr3t", "hunter2"})


def test_identifiers_are_compared_without_white_space_around_them():
    found = redactor_for_answer(VENDOR, ("the-client\n", "s3cr3t"), identifiers=("the-client ",), unused=(" the-client", "s3cr3t"), received=("the-client",))
    assert (found.everything, found.credentials) == ({"the-client\n", "s3cr3t"}, {"s3cr3t"})


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], ""),
        (["b", "a", "b", "data.token", "x-y_z"], "a, b, data.token, x-y_z"),
        (["b", "no name", "a1", "-x"], "b, 3 more"),
        (["no name", "a1"], "2 without a plain name"),
        (["a" * 40, "b" * 41], f"{'a' * 40}, 1 more"),
        ([chr(97 + number) for number in range(14)], "a, b, c, d, e, f, g, h, i, j, k, l, 2 more"),
        (["hunter", "a"], "a, 1 more"),
    ],
)
def test_field_names_are_listed_without_secrets_and_limited(names, shown):
    assert Redactor(everything=frozenset({"hunter"})).fields(names) == shown


def test_the_secrets_are_prepared_once_for_all_field_names(monkeypatch):
    prepared = []
    monkeypatch.setattr(scrub, "needles_of", lambda secrets: (prepared.append(secrets), needles_of(secrets))[1])
    assert Redactor(everything=frozenset({"hunter"})).fields(["hunter", *map("a".__mul__, range(1, 21))]).endswith(", 9 more")
    assert len(prepared) == 1


def test_also_adds_texts_to_redact():
    more = Redactor(frozenset({"a-word"}), frozenset({"s3cr3t"})).also("t0k3n-1", "t0k3n-2")
    assert more == Redactor(frozenset({"a-word", "t0k3n-1", "t0k3n-2"}), frozenset({"s3cr3t", "t0k3n-1", "t0k3n-2"}))


def test_shown_texts_are_limited_in_length():
    assert len(Redactor().shown("x " * 150)) == 200
    assert Redactor().shown("abcdef", limit=4) == "abc\N{HORIZONTAL ELLIPSIS}"


def test_messages_are_redacted_more_strictly_than_stored_fields():
    found = redactor_for_answer(
        VENDOR, ("s3cr3t-value", "the-client"), identifiers=("the-client",), unused=("machines", "a note of mine", "x" * 10_001), received=("t0k3n", "")
    )
    assert found.everything == {"s3cr3t-value", "the-client", "machines", "a note of mine", "x" * 10_001}
    assert found.credentials == {"s3cr3t-value", "a note of mine", "t0k3n"}
    assert redactor_for_answer(VENDOR, (), identifiers=(), unused=("x" * 10_000,)).credentials == {"x" * 10_000}
    assert found.shown("the-client has s3cr3t%2Dvalue") == "*** has ***"
    assert [found.is_in("the-client"), found.is_in("x", "s3cr3t.value")] == [False, True]
    assert not Redactor().is_in("anything")
    assert "s3cr3t" not in repr(found)


def test_only_redaction_scrubs_words_of_vendors():
    """Only redaction.py scrubs vendors' words: a message that scrubs for itself may forget a secret."""
    scrubbing = re.compile(r"^from \.+_text\.scrub import ", re.MULTILINE)
    found = [path.name for folder in ("_vendor", "_consent") for path in sorted((CORE / folder).glob("*.py")) if scrubbing.search(path.read_text())]
    assert found == ["redaction.py"]
