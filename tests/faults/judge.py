# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules for faults. Pure: observations in, complaints out."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from support.lookups import one_line

if t.TYPE_CHECKING:
    from .place import Fault

__all__ = ("Seen", "has_advice", "judge_fault", "judge_message", "judge_recovery", "strangers")

_LONGEST = 700
_OURS = re.compile(r"[0-9a-f]{32}(\.hit)?|key")
# A message gives advice if a sentence or clause begins with an imperative, or if it says what is needed.
_VERBS = (
    "ask|begin|check|continue|correct|create|describe|get|give|install|leave|let|name|pip|put|raise|remove|replace|run|see"
    "|set|try|undelete|unseal|unset|use|write"
)
_TO_DO = re.compile(rf"(?:^|[.;:,)] |\b(?:or|and) )(?:{_VERBS})\b", re.IGNORECASE)
_HAS_TO_BE = re.compile(r"\b(?:has|have) to\b|\bmust\b|\bdid you mean\b|\bis needed\b|\bneeds \w+")


@dataclasses.dataclass(frozen=True)
class Seen:
    """One case in one run of Ansible."""

    exit_code: int
    failures: int
    oks: int
    error: str = ""
    warnings: tuple[str, ...] = ()
    source: str = ""
    # Whether the token is one that the vendor has issued and still accepts.
    good: bool = False
    asked: int = 0
    reads: int = 0
    files: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        return self.error or " ".join(self.warnings)


def judge_fault(fault: Fault, path: str, seen: Seen) -> list[str]:
    """Judge a run during the fault: its end, its message, the number of requests, and the files left behind."""
    problems = [*_judge_end(seen, fails=bool(fault.says)), *(judge_message(fault, path, seen.error) if fault.says else _judge_warnings(fault, seen))]
    if fault.asks is not None and seen.asked not in (fault.asks if isinstance(fault.asks, tuple) else (fault.asks,)):
        problems.append(f"{seen.asked} requests to the vendor instead of {fault.asks}")
    if seen.reads != fault.reads:
        problems.append(f"{seen.reads} reads of the secret instead of {fault.reads}")
    return [*problems, *(strangers(seen.files) if fault.tidy else ())]


def _judge_end(seen: Seen, *, fails: bool) -> list[str]:
    if fails and (seen.exit_code, seen.failures) != (2, 1):
        return [f"it did not fail: exit code {seen.exit_code}, {seen.failures} failed tasks"]
    if not fails and (seen.exit_code, seen.failures, seen.oks) != (0, 0, 1):
        return [f"it failed, with exit code {seen.exit_code}: {seen.error}"]
    return [] if fails or seen.good else ["the vendor does not accept the token"]


def _judge_warnings(fault: Fault, seen: Seen) -> list[str]:
    problems = [] if not fault.warns or any(fault.warns in warning for warning in seen.warnings) else [f"no warning contains {fault.warns!r}"]
    problems += [f"an unexpected warning: {warning}" for warning in seen.warnings if not fault.warns]
    return problems + [f"a warning has more than one line: {warning!r}" for warning in seen.warnings if not one_line(warning)]


def judge_message(fault: Fault, path: str, error: str) -> list[str]:
    """The message is one line that begins with the vendor and has the Vault path, the problem and advice."""
    problems = [f"the message does not contain {text!r}" for text in ((fault.says,) if isinstance(fault.says, str) else fault.says) if text not in error]
    if not one_line(error):
        problems.append("the message has more than one line")
    if len(error) > _LONGEST:
        problems.append(f"the message has {len(error)} characters")
    if not error.startswith(f"{fault.vendor}: "):
        problems.append("the message does not begin with the vendor")
    if fault.names_path and path not in error:
        problems.append("the message does not name the Vault path")
    if not has_advice(error):
        problems.append("the message gives no advice")
    return problems


def has_advice(message: str) -> bool:
    own, _quote, _theirs = message.partition(" The vendor says: ")
    return bool(_TO_DO.search(own) or _HAS_TO_BE.search(own))


def judge_recovery(fault: Fault, after: Seen, idle: Seen) -> list[str]:
    """After the fault, the next run gets a token with the expected number of requests, and the run after it asks nobody."""
    problems = []
    for when, seen in (("after the fault", after), ("in the run after that", idle)):
        if seen.error or (seen.exit_code, seen.failures, seen.oks) != (0, 0, 1):
            return [f"no token {when}: exit code {seen.exit_code}: {seen.error}"]
        if not seen.good:
            problems.append(f"the vendor does not accept the token {when}")
        problems += strangers(seen.files)
    if fault.asks_after is not None:
        if after.asked != fault.asks_after:
            problems.append(f"{after.asked} requests after the fault instead of {fault.asks_after}")
        if after.reads != fault.asks_after:
            problems.append(f"{after.reads} reads of the secret after the fault instead of {fault.asks_after}")
        if idle.asked or idle.reads or idle.source != "cache":
            problems.append(f"in the run after that, {idle.asked} requests and {idle.reads} reads, and a token from: {idle.source}")
    return problems


def strangers(files: t.Iterable[str]) -> list[str]:
    """Complain about files in a cache folder that are neither entries nor the key, or that others can access (``!`` after the name)."""
    return [
        f"{name.rstrip('!')} in the cache is {'accessible to others' if name.endswith('!') else 'left behind'}"
        for name in files
        if name.endswith("!") or not _OURS.fullmatch(name)
    ]
