# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(token_file): build its result from the tokens obtained here and the changes on the host. Pure."""

from __future__ import annotations

import typing as t

from .._base.output import iso_time
from .._hosts.files import HostFile

__all__ = ("NOTHING_DONE", "SINGLE_FILE_KEYS", "SPEC_KEYS", "not_tried", "report")

NOTHING_DONE = {"changed": False, "owner": None, "group": None, "mode": None, "backup_file": None, "error": None, "error_code": None}
SPEC_KEYS = ("dest", "state", "vendor", "path", "fingerprint", "expires_at")
#: The keys of the result itself, if the task has a single file.
SINGLE_FILE_KEYS = (*SPEC_KEYS, "expires_at_iso")


def not_tried(spec: dict[str, t.Any], error: str, code: str) -> dict[str, t.Any]:
    """The report on a file that was not attempted, in the form of the module's other reports."""
    return {**{key: spec[key] for key in SPEC_KEYS}, **NOTHING_DONE, "error": error, "error_code": code}


def report(files: list[HostFile], failed: dict[str, dict[str, t.Any]], written: dict[str, t.Any]) -> dict[str, t.Any]:
    """The task's result: one report per file, in the order of the task; failed if any file failed."""
    if "files" not in written:  # the module itself could not be run
        return written
    by_dest = {**failed, **{entry["dest"]: entry for entry in written["files"]}}
    entries = [_dated(by_dest[file.dest]) for file in files]
    result = {**written, "files": entries, "changed": any(entry["changed"] for entry in entries)}
    errors = [entry for entry in entries if entry["error"]]
    if errors:
        counted = f"{len(errors)} of {len(files)} token files failed: " if len(files) > 1 else ""
        result.update(failed=True, msg=counted + " ".join(_distinct_errors(errors)), error_code=errors[0]["error_code"])
    return result


def _dated(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    expires_at = entry.get("expires_at")
    return {**entry, "expires_at_iso": iso_time(expires_at) if expires_at else None}


def _distinct_errors(failed: list[dict[str, t.Any]]) -> t.Iterator[str]:
    """Each error once, with the files that it affects: several may need the same token."""
    for error in dict.fromkeys(entry["error"] for entry in failed):
        dests = ", ".join(entry["dest"] for entry in failed if entry["error"] == error)
        yield error if error.startswith(f"{dests}: ") else f"{dests}: {error}"
