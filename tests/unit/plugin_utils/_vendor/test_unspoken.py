# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no vendor may be made to say."""

from __future__ import annotations

import pathlib
import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.unspoken import Unspoken, unspoken_in_answer, unspoken_in_secret
from support.scripted import request_for

CORE = pathlib.Path(__file__).resolve().parents[4] / "plugins" / "plugin_utils"
VENDOR = Vendor("acme", base_url="https://acme.example", token_url="/t", client_auth="basic", scope="read machines")


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("client_secret", "s3cr3t", "credentials"),
        ("client_secret", "abc", "everything"),  # of an address, a part like any other
        ("theirs", "the-password", "credentials"),  # credential_fields says that it is the refresh token
        ("Api-Key", "a plain word", "credentials"),
        ("note", "Pr0duction", "credentials"),
        ("certificate", "-----BEGIN PRIVATE KEY-----", "credentials"),
        ("number", 12345678, "everything"),
        ("client_secret", 12345678, "credentials"),
        ("client_id", "The-Client-1", "everything"),
        ("certificate", "-----BEGIN CERTIFICATE-----", "everything"),
        ("region", "europe", "everything"),
        ("client_secret", "read machines", "everything"),  # the options say it
        ("client_secret", "https://Acme1.my.example/", "everything"),
        ("client_secret", "Ab1" * 4000, "everything"),  # no address is so long
        ("region", "eu-10", ""),
        ("client_secret", "sixsix", "credentials"),
        ("client_secret", "five5", "everything"),
        ("client_secret", " sixsix\n", "credentials"),
        ("note", "Ab1" * 3333 + "x", "credentials"),
        ("note", "Ab1" * 3333 + "xy", "everything"),
        ("note", "https://Acme1.example/Path2", "everything"),  # an address is no credential by its looks
        ("note", "PR0DUCTION", "everything"),
        ("note", "pr0duction", "everything"),
        ("note", "Production", "everything"),
        ("region", "eu-1", ""),
        ("on", True, ""),
        ("list", ["s3cr3t-value"], ""),
        ("client_secret", " ", ""),
    ],
)
def test_what_of_a_secret_is_a_credential(key, value, where):
    request = request_for(VENDOR, secret={"fields": {"refresh_token": "theirs"}})
    found = unspoken_in_secret(request, {key: value})
    assert ("credentials" if found.credentials else "everything" if found.everything else "") == where
    assert found.credentials <= found.everything


def test_messages_lose_more_than_what_is_kept():
    found = unspoken_in_answer(
        VENDOR, ("s3cr3t-value", "the-client"), identifiers=("the-client",), unused=("machines", "a note of mine", "x" * 10_001), came=("t0k3n", "")
    )
    assert found.everything == {"s3cr3t-value", "the-client", "machines", "a note of mine", "x" * 10_001}
    assert found.credentials == {"s3cr3t-value", "a note of mine", "t0k3n"}
    assert found.shown("the-client has s3cr3t%2Dvalue") == "*** has ***"
    assert [found.is_in("the-client"), found.is_in("x", "s3cr3t.value")] == [False, True]
    assert not Unspoken().is_in("anything")
    assert "s3cr3t" not in repr(found)


def test_words_of_vendors_pass_here_and_nowhere_else():
    """A message that scrubs for itself is one that forgets a secret."""
    scrubbing = re.compile(r"^from \.+_base\.scrub import ", re.MULTILINE)
    found = [path.name for folder in ("_vendor", "_consent") for path in sorted((CORE / folder).glob("*.py")) if scrubbing.search(path.read_text())]
    assert found == ["unspoken.py"]
