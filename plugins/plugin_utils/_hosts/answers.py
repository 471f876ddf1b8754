# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Reduce a module's result from a managed host to known keys of the right type.

Ansible acts on some keys of a result: C(ansible_facts) sets variables and C(add_host) adds a host. A host controls its result, so
unknown keys and values of an undocumented type are dropped.
"""

from __future__ import annotations

import re
import typing as t

from .._base.errors import CODES, coded

__all__ = ("FAILURE", "READ", "WRITTEN", "diffs", "file_results", "of_api", "reduced")

Answer = t.Mapping[str, t.Any]
_LONGEST = 4000
_LARGEST = 1 << 53  # larger numbers are not exact as floats

# -- kinds of values ---------------------------------------------------------------------------------------------------


def _text(value: t.Any) -> str | None:
    """Text that is safe on a terminal: may have several lines, but no other control characters."""
    if not isinstance(value, str):
        return None
    shown = "".join(c if c.isprintable() or c == "\n" else " " for c in value)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _line(value: t.Any) -> str | None:
    return " ".join(text.split("\n")) if (text := _text(value)) is not None else None


def _flag(value: t.Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: t.Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST else None


def _raw(value: t.Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: t.Any) -> dict[str, str] | None:
    if not isinstance(value, t.Mapping):
        return None
    return {name: text for name, text in value.items() if isinstance(name, str) and isinstance(text, str)}


def _anything(value: t.Any) -> t.Any:
    return value


def _mapping(value: t.Any) -> dict[str, t.Any] | None:
    return dict(value) if isinstance(value, t.Mapping) else None


def _fault(value: t.Any) -> str | None:
    return value if isinstance(value, str) and f"host:{value}" in CODES else None


Fields = t.Mapping[str, t.Callable[[t.Any], t.Any]]

# From a module that could not be run or did not finish.
FAILURE: Fields = {"msg": _text, "module_stdout": _text, "module_stderr": _text, "exception": _text, "rc": _whole}
WRITTEN: Fields = {"changed": _flag, "owner": _line, "group": _line, "mode": _line, "backup_file": _line, "error": _line, "fault": _fault}
READ: Fields = {
    "exists": _flag,
    "empty": _flag,
    "fingerprint": _line,
    "expires_at": _whole,
    "claims": _mapping,
    "mode": _line,
    "owner": _line,
    "group": _line,
    "error": _line,
    "fault": _fault,
}
_PERMISSIONS: Fields = {"state": _line, "content": _line, "owner": _line, "group": _line, "mode": _line, "token": _line, "expires_at": _whole}
# The results that ansible.builtin.uri documents, and those that AnsibleModule adds about a file.
_OF_URI: Fields = {
    "changed": _flag,
    "failed": _flag,
    "status": _whole,
    "msg": _text,
    "url": _line,
    "redirected": _flag,
    "elapsed": _whole,
    "cookies": _texts,
    "cookies_string": _raw,
    "content": _raw,
    "json": _anything,
    "path": _line,
    "stdout": _text,
    "exception": _text,
    "module_stdout": _text,
    "module_stderr": _text,
    "rc": _whole,
    "dest": _line,
    "src": _line,
    "checksum": _line,
    "uid": _whole,
    "gid": _whole,
    "owner": _line,
    "group": _line,
    "mode": _line,
    "size": _whole,
    "state": _line,
    "secontext": _line,
}
_LARGE = ("content", "json")
# uri adds the headers of the API's response to its result; a name must not have a meaning for Ansible.
_HEADER = re.compile(r"[a-z][a-z0-9_]*\Z")
_NO_HEADERS = frozenset(
    (
        "add_group",
        "add_host",
        "attempts",
        "censored",
        "deprecations",
        "diff",
        "failed_when_result",
        "finished",
        "invocation",
        "results",
        "retries",
        "skip_reason",
        "skipped",
        "skipped_reason",
        "started",
        "stderr",
        "stderr_lines",
        "stdout_lines",
        "unreachable",
        "warnings",
    )
)


def reduced(answer: t.Any, fields: Fields) -> dict[str, t.Any]:
    """The keys of *answer* that are in *fields* and have a value of the right type, or null."""
    if not isinstance(answer, t.Mapping):
        return {}
    found = {}
    for name, kind in fields.items():
        if name in answer:
            value = kind(answer[name])
            if value is not None or answer[name] is None:
                found[name] = value
    return found


def file_results(answer: Answer, files: t.Sequence[str], fields: Fields, *, key: str) -> list[dict[str, t.Any]] | None:
    """The result in *answer* for each of the *files*, by the path in *key*; None if the module could not be run.

    A file that the answer omits gets an C(error). The text of an error is the host's; its code is ours.
    """
    entries = answer.get("files")
    if not isinstance(entries, list):
        return None
    reported = {entry[key]: reduced(entry, fields) for entry in entries if isinstance(entry, t.Mapping) and isinstance(entry.get(key), str)}
    return [_with_code(reported.get(path, {"error": f"{path}: the host did not report a result for it", "fault": "module"})) for path in files]


def _with_code(reported: dict[str, t.Any]) -> dict[str, t.Any]:
    fault = f"host:{reported.pop('fault', None) or 'file'}"
    return {**reported, "error": coded(reported["error"], fault), "error_code": CODES[fault]} if reported.get("error") else reported


def diffs(answer: Answer) -> list[dict[str, t.Any]]:
    """The diffs of files, as C(token_file) reports them: permissions and fingerprints, never content."""
    entries = answer.get("diff")
    return [
        {
            **reduced(entry, {"before_header": _line, "after_header": _line}),
            "before": reduced(entry.get("before"), _PERMISSIONS),
            "after": reduced(entry.get("after"), _PERMISSIONS),
        }
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, t.Mapping)
    ]


def of_api(answer: Answer, clean: t.Callable[[t.Any], t.Any] = _anything) -> dict[str, t.Any]:
    """The result of C(ansible.builtin.uri): its documented keys, and the headers of the API.

    :arg clean: removes secrets from a value, before that is shortened. A header whose name it changes is dropped.
    """
    headers = {
        name: clean(value)
        for name, value in answer.items()
        if isinstance(name, str)
        and isinstance(value, str)
        and name not in _NO_HEADERS
        and name not in _OF_URI
        and not name.startswith("ansible_")
        and _HEADER.match(name)
        and clean(name) == name
    }
    # Large values last, because the amount of text that can be searched is limited.
    names = sorted(set(_OF_URI) & set(answer), key=lambda name: (name in _LARGE, name))
    return {**headers, **reduced({name: clean(answer[name]) for name in names}, _OF_URI)}
