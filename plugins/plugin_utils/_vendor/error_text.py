# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Find the vendor's explanation and error code in a response without a token, whatever its shape. Pure."""

from __future__ import annotations

import re
import typing as t

__all__ = ("error_code", "error_text", "is_failure")

# Member names for the vendor's sentence, the most useful first; without case and separators.
_SENTENCES = (
    "errordescription",
    "hydradescription",
    "errorsummary",
    "errormessage",
    "usermessage",
    "message",
    "msg",
    "localized",
    "defaultmessage",
    "faultstring",
    "detail",
    "details",
    "description",
    "reason",
    "errordetail",
    "errortext",
    "statusmessage",
    "title",
)
# Members that may contain such a sentence, or several.
_PLACES = (
    "errors",
    "error",
    "fault",
    "messages",
    "detail",
    "details",
    "data",
    "result",
    "response",
    "value",
    "meta",
    "status",
    "errorcauses",
    "violations",
)
_DEEPEST = 5
_JSON_RPC = range(-32768, -31999)  # reserved error codes (JSON-RPC 2.0, 5.1)
_MOST = 3  # sentences from a list
# In a response with a token, these mean "no error".
_NO_ERROR = frozenset(("", "0", "false", "none", "null", "nil", "no", "noerror", "ok", "success", "succeeded", "200"))
_OUTCOMES = ("success", "succeeded", "issuccess", "issuccessful", "ok", "successful")
_FAILED = ("error", "fail", "failed", "failure")


def _plain(name: t.Any) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).casefold())


def error_text(answer: t.Any, *, depth: int = 0) -> str:
    """The vendor's sentence in a parsed *answer*; empty if there is none."""
    if isinstance(answer, str):
        return answer.strip()
    if depth > _DEEPEST:
        return ""
    if isinstance(answer, list):
        found = [error_text(single, depth=depth + 1) for single in answer[:_MOST]]
        return "; ".join(dict.fromkeys(filter(None, found)))
    if not isinstance(answer, dict):
        return ""
    members = {_plain(name): value for name, value in answer.items()}
    for name in _SENTENCES:
        value = members.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    for name in _PLACES:
        value = members.get(name)
        # A single word under "error" is the code, which the message already shows.
        found_in = error_text(value, depth=depth + 1) if isinstance(value, (dict, list)) or (isinstance(value, str) and " " in value.strip()) else ""
        if found_in:
            return found_in
    return ""


def error_code(answer: t.Any) -> str | None:
    """The ``error`` of RFC 6749 5.2. Some vendors send it with status 200, and some with a good token, to say that there is none."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        inner = {_plain(name): value for name, value in error.items()}
        if inner.get("code") in _JSON_RPC:
            return _json_rpc(inner)
        named = [inner[name] for name in ("code", "type", "name", "message") if not _harmless(inner.get(name))]
        error = next((value for value in named if not isinstance(value, (dict, list))), "error" if named else None)
    if isinstance(error, list):
        error = "error" if error else None
    return None if _harmless(error) else str(error)


def _json_rpc(error: t.Mapping[str, t.Any]) -> str:
    """The specific name of a JSON-RPC error: the errors of a server may share one C(code)."""
    data, errors = error.get("data"), error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    for place, name in ((data, "type"), (data, "name"), (first, "name")):
        found = place.get(name) if isinstance(place, dict) else None
        if isinstance(found, str) and found.strip():
            return found.strip()
    return str(error["code"])


def _harmless(value: t.Any) -> bool:
    return value is None or value is False or value == 0 or (isinstance(value, str) and _plain(value) in _NO_ERROR)


def is_failure(answer: t.Any) -> bool:
    """Whether a response with status 200 reports an error: ``success: false``, or errors without a token."""
    if not isinstance(answer, dict):
        return False
    members = {_plain(name): value for name, value in answer.items()}
    if any(value is False or (isinstance(value, str) and value.casefold() == "false") for value in map(members.get, _OUTCOMES)):
        return True
    status = members.get("status")
    return (isinstance(status, str) and status.casefold() in _FAILED) or bool(members.get("errors")) or bool(members.get("fault"))
