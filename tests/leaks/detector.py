# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find secrets in bytes, in whatever encoding.

Each secret is split into runs of letters, digits, `_` and `-`, which URL-encoding, JSON, HTML, YAML and `repr` leave unchanged. The detector
searches for each run in windows of 16 characters: raw, in upper case, in base64 (at each of the three possible offsets) and in hex. This finds a
secret in any surrounding text, and also any part of it with at least 31 characters.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import typing as t

__all__ = ("Detector", "Secret")

_WINDOW = 16
_RUN = re.compile(rb"[A-Za-z0-9_\-]{%d,}" % _WINDOW)
# The characters that can be in a window of any encoding.
_TEXT = re.compile(rb"[A-Za-z0-9_+/\-]{%d,}" % _WINDOW)


@dataclasses.dataclass(frozen=True)
class Secret:
    kind: str
    name: str
    value: str | bytes = dataclasses.field(repr=False)

    @property
    def data(self) -> bytes:
        return self.value if isinstance(self.value, bytes) else self.value.encode()


class Detector:
    def __init__(self, secrets: t.Iterable[Secret]) -> None:
        self._windows: dict[bytes, tuple[Secret, str]] = {}
        self._clean: set[bytes] = set()
        for secret in secrets:
            spellings = list(_spellings(secret))
            if not spellings:
                raise ValueError(f"the {secret.kind} {secret.name} is too short to be looked for")
            for spelling, run in spellings:
                self._add(secret, spelling, run)

    def find(self, data: bytes) -> dict[Secret, str]:
        """Return the secrets in the data, each with the encoding in which it was first found."""
        windows = self._windows
        found: dict[Secret, str] = {}
        for match in _TEXT.finditer(data):
            run = match[0]
            if run in self._clean:  # output is repetitive
                continue
            before = len(found)
            for start in range(len(run) - _WINDOW + 1):
                hit = windows.get(run[start : start + _WINDOW])
                if hit is not None:
                    found.setdefault(*hit)
            if len(found) == before and not found:
                self._clean.add(run)
        return found

    def excerpt(self, data: bytes, secret: Secret) -> str:
        """Return the text around a secret in the data, without any secrets."""
        for match in _TEXT.finditer(data):
            if any(self._windows.get(match[0][at : at + _WINDOW], (None,))[0] == secret for at in range(len(match[0]) - _WINDOW + 1)):
                around = data[max(0, match.start() - 150) : match.start()], data[match.end() : match.end() + 50]
                clean = [_TEXT.sub(lambda found: b"***" if self.find(found[0]) else found[0], part).decode("utf-8", "replace") for part in around]
                return "[HERE]".join(clean)
        return ""

    def _add(self, secret: Secret, spelling: str, run: bytes) -> None:
        starts = [*range(0, len(run) - _WINDOW, _WINDOW), len(run) - _WINDOW]
        for start in starts:
            self._windows.setdefault(run[start : start + _WINDOW], (secret, spelling))


def _spellings(secret: Secret) -> t.Iterator[tuple[str, bytes]]:
    runs = [secret.data] if isinstance(secret.value, bytes) else _RUN.findall(_secret_part(secret.data))
    for run in runs:
        if not isinstance(secret.value, bytes):
            yield "raw", run
            yield "upper case", run.upper()
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            for shift in range(3):
                # Drop the first and last groups: they can also hold bytes from before or after the secret.
                inner = code(b"\0" * shift + run)[4 if shift else 0 : -4]
                if len(inner) >= _WINDOW:
                    yield "base64", inner
        yield "hex", run.hex().encode()
        yield "hex", run.hex().upper().encode()


def _secret_part(value: bytes) -> bytes:
    """Return only a JWT's signature, because its other parts occur in other JWTs, and a PEM file without its first and last lines."""
    if value.count(b".") == 2 and value.startswith(b"ey"):
        return value.rpartition(b".")[2]
    return b"\n".join(line for line in value.splitlines() if not line.startswith(b"-----"))
