# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line, bounded, without secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.text import mask, one_line, scrub
from hypothesis import assume, example, given
from hypothesis import strategies as st

SECRET = 'AbC:+/ %ü"\\x'


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        "AbC%3a%2b%2f%20%25%c3%bc%22%5cx",
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        repr(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        SECRET.replace(" ", "\r\n"),
        SECRET.replace(" ", " \t "),
    ],
)
def test_every_form_of_a_secret_goes(shown):
    assert "***" in scrub(f"before {shown} after", [SECRET])
    assert "AbC" not in scrub(f"before {shown} after", [SECRET]).replace("***", "")
    assert scrub(f"before {shown} after", [SECRET]).startswith("before ")


def test_longest_first_and_short_ones_left():
    assert scrub("abcdef abc ab", ["abc", "abcdef", "ab"]) == "*** *** ab"


def test_one_line():
    assert one_line(" a\r\n\tb\x00c\x1b[31m d\u202e\u00a0e ") == "a b c [31m d e"
    assert one_line("x" * 201) == "x" * 199 + "…"
    assert one_line("x" * 200) == "x" * 200
    assert one_line("") == ""


def test_mask():
    assert mask("abcdefghijklmnopqrst") == "abcd…"
    assert mask("abcdefghijklmnopqrs") == "…"


_plain = st.text(st.characters(blacklist_characters="*…"), max_size=12)


@given(secrets=st.lists(_plain, max_size=4), parts=st.lists(_plain | st.integers(0, 9), max_size=12))
@example(secrets=["a  b"], parts=["a \t b"])
@example(secrets=["AB%"], parts=["AB%25", "AB%"])
def test_no_secret_survives(secrets, parts):
    forms = [form for secret in secrets for form in (secret, quote(secret.encode("utf-8", "surrogatepass"), safe=""))]
    assume(all(len(secret) >= 3 for secret in secrets))
    text = "".join(part if isinstance(part, str) else forms[part % len(forms)] if forms else "" for part in parts)
    shown = scrub(text, secrets)
    assert len(shown) <= 200
    assert shown == " ".join(shown.split())
    for form in forms:
        assert form not in shown
