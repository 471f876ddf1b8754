# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor's words and codes, in the shapes in which vendors send them."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.error_text import error_code, error_text, is_failure


@pytest.mark.parametrize(
    "said",
    [
        {"error_description": "Nobody here"},
        {"error": "invalid_client", "error_description": "Nobody here"},
        {"errorMessage": "Nobody here"},
        {"error_message": "Nobody here"},
        {"errorCode": "E0000011", "errorSummary": "Nobody here", "errorCauses": []},
        {"message": "Nobody here"},
        {"Message": "Nobody here"},
        {"msg": "Nobody here"},
        {"detail": "Nobody here"},
        {"detail": [{"loc": ["body", "x"], "msg": "Nobody here"}]},
        {"hydra:description": "Nobody here"},
        {"errors": [{"message": "Nobody here"}]},
        {"errors": ["Nobody here"]},
        {"errors": {"message": "Nobody here"}},
        {"fault": {"faultstring": "Nobody here", "detail": {"errorcode": "x"}}},
        {"error": {"code": 401, "message": "Nobody here", "status": "UNAUTHENTICATED"}},
        {"error": {"errors": [{"reason": "Nobody here"}]}},
        {"error": "Nobody here"},
        {"status": {"code": 5, "message": "Nobody here"}},
        {"error_type": "UNAUTHENTICATED", "messages": [{"id": "a.b", "default_message": "Nobody here", "args": []}]},
        {"messages": [{"id": "a.b", "default_message": "Niemand hier", "localized": "Nobody here", "args": []}]},
        {"type": "a.b.unauthenticated", "value": {"messages": [{"args": [], "default_message": "Nobody here", "id": "a.b"}]}},
        {"data": {"error": {"message": "Nobody here"}}},
        {"success": False, "result": {"info": 1, "reason": "Nobody here"}},
        [{"errorCode": "x", "message": "Nobody here"}],
        ["Nobody here"],
        "Nobody here",
    ],
)
def test_the_text_of_an_error_is_found_in_many_shapes(said):
    assert error_text(said) == "Nobody here"


def test_several_error_texts_are_joined_and_none_is_empty():
    assert error_text({"errors": [{"message": "one"}, {"message": "two"}, {"message": "one"}, {"message": "four"}]}) == "one; two"
    for nothing in (None, {}, [], 5, {"message": ""}, {"error": "invalid_client"}, {"message": {"a": 1}}):
        assert error_text(nothing) == ""


def test_a_text_nested_too_deeply_is_not_read():
    in_objects, in_lists = {"message": "five levels deep"}, {"message": "five levels deep"}
    for _level in range(5):
        in_objects, in_lists = {"error": in_objects}, [in_lists]
    assert error_text(in_objects) == error_text(in_lists) == "five levels deep"
    assert error_text({"error": in_objects}) == error_text([in_lists]) == ""
    for _level in range(60):
        in_objects = {"error": in_objects}
    assert error_text(in_objects) == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("invalid_client", "invalid_client"),
        ({"code": "invalid_client"}, "invalid_client"),
        ({"code": 401, "message": "x"}, "401"),
        ({"type": "OAuthException"}, "OAuthException"),
        ({"name": "JSONRPCError", "errors": [1]}, "JSONRPCError"),
        ({"code": 0, "message": ""}, None),
        ({"code": -32000, "message": "x", "data": {"id": "1", "type": "InvalidUserException"}}, "InvalidUserException"),
        ({"code": -32000, "message": "x", "data": {"name": "odoo.AccessDenied"}}, "odoo.AccessDenied"),
        ({"code": -32000, "name": "JSONRPCError", "errors": [{"name": "DbUnavailableException"}]}, "DbUnavailableException"),
        ({"code": -32601, "message": "Method not found", "data": None, "errors": []}, "-32601"),
        ({"code": [], "message": "x"}, "x"),
        ({"code": {"a": 1}}, "error"),
        (4, "4"),
        (True, "True"),
        (["x"], "error"),
        *[(nothing, None) for nothing in (None, "", "none", "None", "null", "0", 0, False, "false", "no", "no_error", "NoError", "ok", "success", {}, [])],
    ],
)
def test_the_code_of_an_error_is_found_in_many_shapes(error, code):
    assert error_code({"error": error}) == code


@pytest.mark.parametrize(
    ("said", "failed"),
    [
        ({"success": False}, True),
        ({"Success": "false"}, True),
        ({"isSuccess": False, "message": "x"}, True),
        ({"ok": False}, True),
        ({"status": "error"}, True),
        ({"status": "FAILED"}, True),
        ({"errors": [{"message": "x"}]}, True),
        ({"fault": {"faultstring": "x"}}, True),
        ({"success": True}, False),
        ({"status": "ok"}, False),
        ({"status": 200}, False),
        ({"errors": []}, False),
        ({}, False),
        ([], False),
    ],
)
def test_a_refusal_with_status_200_is_recognized(said, failed):
    assert is_failure(said) is failed
