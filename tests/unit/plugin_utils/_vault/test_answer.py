# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an answer of Vault's, or of something in front of it, is taken for."""

from __future__ import annotations

import io
import json

import pytest
import requests
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.answer import Refusal, answer_of, integer


def response(status=200, body=b"", **headers):
    found = requests.Response()
    found.status_code = status
    found.raw = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    found.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return found


def refused(status=400, body=b"", **headers):
    with pytest.raises(Refusal) as caught:
        answer_of(response(status, body, **headers))
    return caught.value


@pytest.mark.parametrize("status", [200, 204, 299])
def test_an_object_is_an_answer(status):
    assert answer_of(response(status, {"data": {"a": 1}})) == {"data": {"a": 1}}


def test_an_empty_answer_is_an_empty_object():
    assert answer_of(response(204)) == {}


@pytest.mark.parametrize("status", [199, 300, 301, 404])
def test_a_status_outside_2xx_is_a_refusal(status):
    refusal = refused(status, {"errors": ["a", 5], "data": {"b": 2}})
    assert (refusal.status, refusal.errors, refusal.data, refusal.from_vault) == (status, ("a", "5"), {"b": 2}, True)


def test_a_refusal_without_a_body_has_no_errors():
    refusal = refused(404)
    assert (refusal.errors, refusal.body, refusal.data, refusal.from_vault) == ((), None, {}, False)


def test_a_refusal_with_null_data_has_empty_data():
    assert refused(404, {"errors": [], "data": None}).data == {}


def test_a_refusal_without_the_member_errors_has_no_errors():
    assert refused(404, {"warnings": None}).errors == ()


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe<html>", [1], "text", 5])
def test_a_body_that_is_not_an_object_is_not_from_vault(status, body):
    refusal = refused(status, body)
    assert (refusal.status, refusal.body, refusal.from_vault) == (status, None, False)
    assert refusal.errors == ((body if isinstance(body, bytes) else json.dumps(body).encode()).decode("utf-8", "replace"),)


def test_at_most_200_characters_of_a_foreign_answer_are_kept():
    assert refused(500, b"x" * 300).errors == ("x" * 200,)


@pytest.mark.parametrize("name", ["auth", "data", "wrap_info"])
@pytest.mark.parametrize("value", [{}, None])
def test_members_that_vault_sends_as_objects_must_be_objects(name, value):
    assert answer_of(response(200, {name: value})) == {name: value}
    assert refused(200, {name: []}).from_vault is False


@pytest.mark.parametrize("name", ["errors", "warnings"])
@pytest.mark.parametrize("value", [[], None])
def test_members_that_vault_sends_as_lists_must_be_lists(name, value):
    assert answer_of(response(200, {name: value})) == {name: value}
    assert refused(200, {name: {}, "data": {}}).from_vault is False


def deep(text):
    return ('{"data": ' + '{"a": ' * 5000 + text + "}" * 5000 + ', "number": 1.50}').encode()


@pytest.mark.parametrize("body", [b'{"number": 1.50}', deep("1")])
def test_numbers_are_kept_as_they_were_written(body):
    number = answer_of(response(200, body))["number"]
    assert (number, number.text) == (1.5, "1.50")


def test_truncated_deep_json_is_not_from_vault():
    assert refused(200, deep("1")[:-3]).from_vault is False


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("", None), ("0", 0.0), ("0.25", 0.25), ("7", 7.0), ("90000", 21600.0), ("-7", None), ("soon", None), ("1e999", 21600.0), ("\u00b2", None),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 21600.0), ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None)],
)  # fmt: skip
def test_retry_after_is_read_and_limited(header, seconds):
    assert refused(429, {}, **({} if header is None else {"Retry_After": header})).retry_after == seconds


@pytest.mark.parametrize(("value", "found"), [(0, 0), (7, 7), (True, None), ("7", None), (7.0, None), (None, None), ([7], None)])
def test_only_int_values_are_read_as_integers(value, found):
    assert integer(value) == found


def test_errors_are_searched_ignoring_case():
    refusal = refused(400, {"errors": ["Permission Denied", "two"]})
    assert (refusal.says("permission denied"), refusal.says("three")) == (True, False)


@pytest.mark.parametrize(
    ("said", "rejects"), [("Invalid token", True), ("bad token; 2 errors", True), ("permission denied", False), ("invalid role, bad name", False)]
)
def test_a_rejected_token_is_recognized(said, rejects):
    assert Refusal(403, errors=("something", said), body={}, retry_after=None).rejects_token is rejects
