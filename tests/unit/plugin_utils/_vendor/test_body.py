# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bodies in the formats of vendors, and paths to the values in them."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.strict_json import DuplicateMember
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.body import at, fields_of, parse_body, what_it_is, without


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
        ("form", b'\n {"error": "invalid_client"}', {"error": "invalid_client"}),
        ("form", b'\n [{"error": "invalid_client"}]', [{"error": "invalid_client"}]),
        ("form", b"\xef\xbb\xbf access_token=t ", {"access_token": "t"}),
        ("form", b"access_token=%FF", None),
        ("form", b" <a=b>", None),
        ("form", b"no form", None),
        ("form", b"<html>", None),
        ("text", b"eyJ.eyJ.sig\n", {"access_token": "eyJ.eyJ.sig"}),
        ("text", b'"b00c-10f2"', {"access_token": "b00c-10f2"}),
        ("text", b"\xef\xbb\xbf eyJ.eyJ.sig", {"access_token": "eyJ.eyJ.sig"}),
        ("text", b'"half', None),
        ("json", b"", None),
        ("text", b'{"error": "x"}', {"error": "x"}),
        ("text", b"", None),
        ("text", b"<html>", None),
        ("text", b"\xff\xfe", None),
    ],
)
def test_bodies_are_parsed_in_each_format(response_format, body, found):
    assert parsed(response_format, body) == found


def test_a_duplicate_field_is_an_error():
    for response_format, body in (("form", b"access_token=a&access_token=b"), ("json", b'{"a": 1, "a": 2}')):
        with pytest.raises(DuplicateMember):
            parsed(response_format, body)


def test_numbers_beyond_floats_become_null():
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
def test_an_unreadable_body_is_described_with_advice(body, what, todo):
    assert what_it_is(Vendor("acme"), body, "") == (what, todo)
    # The lookup of a built-in vendor has no option for another format.
    assert what_it_is(Vendor("tracx"), body, "") == (what, "Check base_url and token_url")


@pytest.mark.parametrize(
    ("response_format", "body", "content_type", "what"),
    [
        ("json", b"\n <p>", "", "it answered with a web page instead of JSON"),
        ("json", b"oops", "text/html; charset=utf-8", "it answered with a web page instead of JSON"),
        ("form", b"<p>", "", "it answered with a web page instead of a form"),
        ("text", b"<p>", "", "it answered with a web page instead of a token"),
        ("json", b"", "text/html", "its answer is empty"),
    ],
)
def test_a_web_page_is_recognized(response_format, body, content_type, what):
    assert what_it_is(Vendor("acme", response_format=response_format), body, content_type) == (what, "Check base_url and token_url")


@pytest.mark.parametrize("response_format", ["form", "text"])
def test_a_body_in_another_format_than_configured_is_described(response_format):
    what, todo = f"its answer cannot be read as response_format={response_format}", "Check response_format, base_url and token_url"
    assert what_it_is(Vendor("acme", response_format=response_format), b"\xff", "") == (what, todo)
    assert what_it_is(Vendor("tracx", response_format=response_format), b"\xff", "") == (what, "Check base_url and token_url")


def test_the_advice_for_a_list_uses_the_configured_token_field():
    todo = "Name the place in the list with token_field, such as 0.data.token"
    assert what_it_is(Vendor("acme", token_field="data.token"), b" [1]", "") == ("its answer is not a JSON object", todo)


def test_values_are_found_by_path():
    body = {"a": {"b": ["x", {"c": 1}]}, ".expires": "when", "a.b": "literal", "d.e": {"f": 2}, "d": {"e": {"f": 3}}, "g": {"h": None}}
    assert at(body, "a.b") == "literal"
    assert at(body, "a.b.1.c") == 1
    assert at(body, ".expires") == "when"
    assert at(body, "d.e.f") == 2
    assert at(body, "g.h") is None
    assert at([{"access_token": "t"}], "0.access_token") == "t"
    assert at(["t"], "0") == "t"
    for nowhere in ("", "x", "a.x", "a.b.2", "a.b.9", "a.b.x", "a.b.²", "1"):
        assert at(body, nowhere) is None
    assert at("text", "a") is None


def test_every_reading_of_a_dotted_path_is_tried():
    assert at({"d.e": {"x": 1}, "d": {"e": {"f": 3}}}, "d.e.f") == 3
    assert at({"d.e.f": None, "d": {"e": {"f": 3}}}, "d.e.f") is None
    assert at([["a", "b"], "c"], "0.1") == "b"
    assert at([{"a": {"b.c": 1}}], "0.a.b.c") == 1


def test_the_field_names_of_a_body_are_listed():
    assert fields_of({"a": 1, "b": {"c": 1, "d": {"e": 2}}, "f": {}, "g": [{"h": 1}], 5: None}) == ["a", "b.c", "b.d", "f", "g", "5"]
    assert fields_of([{"a": 1}]) == []
    assert fields_of(None) == []


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("a.b", {"a": {"b": 1, "c": {"d": 2}}, "e": {"f": {"g": 3}}, "h": [{"i": 4}, 5], "j.k": {"l": 6, "m": 7}}),
        ("a.c", {"a.b": 0, "a": {"b": 1}, "e": {"f": {"g": 3}}, "h": [{"i": 4}, 5], "j.k": {"l": 6, "m": 7}}),
        ("a.c.d", {"a.b": 0, "a": {"b": 1}, "e": {"f": {"g": 3}}, "h": [{"i": 4}, 5], "j.k": {"l": 6, "m": 7}}),
        ("e.f.g", {"a.b": 0, "a": {"b": 1, "c": {"d": 2}}, "h": [{"i": 4}, 5], "j.k": {"l": 6, "m": 7}}),
        ("e", {"a.b": 0, "a": {"b": 1, "c": {"d": 2}}, "h": [{"i": 4}, 5], "j.k": {"l": 6, "m": 7}}),
        ("h.0.i", {"a.b": 0, "a": {"b": 1, "c": {"d": 2}}, "e": {"f": {"g": 3}}, "j.k": {"l": 6, "m": 7}}),
        ("j.k.l", {"a.b": 0, "a": {"b": 1, "c": {"d": 2}}, "e": {"f": {"g": 3}}, "h": [{"i": 4}, 5], "j.k": {"m": 7}}),
        ("j.k.x", None),
        ("x", None),
        ("", None),
    ],
)
def test_a_value_is_removed_by_its_path(path, left):
    body = {"a.b": 0, "a": {"b": 1, "c": {"d": 2}}, "e": {"f": {"g": 3}}, "h": [{"i": 4}, 5], "j.k": {"l": 6, "m": 7}}
    assert without(body, path) == (body if left is None else left)
