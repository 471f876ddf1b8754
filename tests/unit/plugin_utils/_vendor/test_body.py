# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bodies in the formats of vendors, and places in them."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.strict_json import DuplicateMember
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.body import at, parse_body, what_it_is


def parsed(response_format, body, **vendor):
    return parse_body(Vendor("acme", response_format=response_format, **vendor), body)


@pytest.mark.parametrize(
    ("response_format", "body", "found"),
    [
        ("json", b'{"access_token": "t"}', {"access_token": "t"}),
        ("json", b'[{"access_token": "t"}]', [{"access_token": "t"}]),
        ("json", b"access_token=t", None),
        ("form", b"access_token=t%2B1&expires=5183999", {"access_token": "t+1", "expires": "5183999"}),
        ("form", b"access_token=t&scope=", {"access_token": "t", "scope": ""}),
        ("form", b'{"error": "invalid_client"}', {"error": "invalid_client"}),
        ("form", b"no form", None),
        ("form", b"<html>", None),
        ("text", b"eyJ.eyJ.sig\n", {"access_token": "eyJ.eyJ.sig"}),
        ("text", b'"b00c-10f2"', {"access_token": "b00c-10f2"}),
        ("text", b'"half', None),
        ("text", b'{"error": "x"}', {"error": "x"}),
        ("text", b"", None),
        ("text", b"<html>", None),
        ("text", b"\xff\xfe", None),
    ],
)
def test_formats(response_format, body, found):
    assert parsed(response_format, body) == found


def test_a_field_named_twice():
    for response_format, body in (("form", b"access_token=a&access_token=b"), ("json", b'{"a": 1, "a": 2}')):
        with pytest.raises(DuplicateMember):
            parsed(response_format, body)


def test_numbers_that_no_float_holds():
    assert parsed("json", b'{"a": [1e999, {"b": -1e999}], "c": 1e3}') == {"a": [None, {"b": None}], "c": 1000.0}


@pytest.mark.parametrize(
    ("body", "what", "todo"),
    [
        (b'"b00c"', "its answer is a JSON string", "Set response_format=text if that is the token"),
        (b"eyJh.eyJz.c2ln", "its answer is a bare token", "Set response_format=text"),
        (b"access_token=t&expires=5", "its answer is form-encoded", "Set response_format=form"),
        (b"[1]", "its answer is not a JSON object", "Name the place in the list with token_field, such as 0.access_token"),
        (b"oops", "its answer is not a JSON object", "Check base_url and token_url"),
        (b" ", "its answer is empty", "Check base_url and token_url"),
        (b"<p>", "it answered with a web page instead of JSON", "Check base_url and token_url"),
    ],
)
def test_what_it_is(body, what, todo):
    assert what_it_is(Vendor("acme"), body, "") == (what, todo)
    # The lookup of a built-in vendor has no option for another format.
    assert what_it_is(Vendor("tracx"), body, "") == (what, "Check base_url and token_url")


def test_places():
    body = {"a": {"b": ["x", {"c": 1}]}, ".expires": "when", "a.b": "literal", "d.e": {"f": 2}, "d": {"e": {"f": 3}}, "g": {"h": None}}
    assert at(body, "a.b") == "literal"
    assert at(body, "a.b.1.c") == 1
    assert at(body, ".expires") == "when"
    assert at(body, "d.e.f") == 2
    assert at(body, "g.h") is None
    assert at([{"access_token": "t"}], "0.access_token") == "t"
    assert at(["t"], "0") == "t"
    for nowhere in ("", "x", "a.x", "a.b.9", "a.b.x", "a.b.²", "1"):
        assert at(body, nowhere) is None
    assert at("text", "a") is None
