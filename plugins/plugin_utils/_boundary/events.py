# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Pass token events to their listeners: the -vvv output, the audit log, and the summary after the play."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from .._base.ports import Event
from .listeners import EVENTS_FILE

__all__ = ("EVENTS_FILE", "Listener")

_LONGEST = 2000
_WORDS = {
    "hit": "from the cache",
    "shared": "from the cache, fetched by another process in the meantime",
    "fetched": "fetched from the vendor",
    "refreshed": "renewed with the refresh token",
    "failed": "failed",
    "remembered": "not tried again, a failure is remembered",
    "served_stale": "could not be renewed, the old one is used",
    "vault_login": "logged in to Vault",
    "vault_login_reused": "used a Vault login from the cache",
    "vault_secret_read": "read the credentials from Vault",
    "purged": "removed from the cache",
    "revoked": "revoked",
}


def _printable(text: str) -> str:
    """*text* for a terminal: Vault paths and vendors' messages may contain line breaks and escapes."""
    from .._text.one_line import one_line  # a cache hit without listeners does not need it

    return one_line(text, limit=_LONGEST)


class Shown(t.Protocol):
    """The part of ansible's Display that is used here."""

    verbosity: int

    def vvv(self, msg: str) -> None: ...

    def warning(self, msg: str) -> None: ...


class Listener:
    """Passes events on; almost free without listeners.

    :arg audit_log: file for one JSON line per event: time, vendor, path, event, reason, error_code, duration, host, user, process.
    """

    def __init__(self, display: Shown, *, audit_log: str | None) -> None:
        self._display = display
        self._audit_log = os.path.expanduser(audit_log) if audit_log else None

    def warn(self, text: str) -> None:
        self._display.warning(_printable(text))

    def __call__(self, event: Event) -> None:
        if self._display.verbosity >= 3:
            why = f" ({event.reason})" if event.reason else ""
            why += f" [{event.error_code}]" if event.error_code else ""
            what = _WORDS.get(event.name, event.name)
            text = f"trackops.api_tokens: {event.vendor} {event.where}: {what}{why}, {event.seconds * 1000:.0f} ms"
            self._display.vvv(_printable(text))
        if self._audit_log:
            self._audit(self._audit_log, event)
        if EVENTS_FILE in os.environ:
            from .event_file import UnsafeFile, append_line

            with contextlib.suppress(OSError, UnsafeFile):  # an incomplete summary must not prevent the token
                append_line(os.environ[EVENTS_FILE], vars(event))

    def _audit(self, path: str, event: Event) -> None:
        from .event_file import UnsafeFile, append_line

        try:
            append_line(path, audit_record(event))
        except OSError as exc:
            self._give_up(path, f"cannot be written ({os.strerror(exc.errno or 0)}).")
        except UnsafeFile as exc:
            self._give_up(path, f"is not used: {exc}")

    def _give_up(self, path: str, why: str) -> None:
        self._audit_log = None
        self.warn(f"The audit log {path} {why}")


def audit_record(event: Event) -> dict[str, t.Any]:
    """One line of the audit log; ``time`` is UTC, ``duration`` seconds."""
    import getpass
    import socket

    now = time.time()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.geteuid())
    record = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z",
        "event": event.name,
        "vendor": event.vendor,
        "path": event.where,
        "reason": event.reason,
        "error_code": event.error_code,
        "duration": round(event.seconds, 4),
        "fingerprint": event.fingerprint,
        "expires_at": int(event.expires_at) if event.expires_at is not None else None,
        "host": socket.gethostname(),
        "user": user,
        "process": os.getpid(),
    }
    shown = {name: _printable(value) if isinstance(value, str) else value for name, value in record.items()}
    return {name: value for name, value in shown.items() if value not in ("", None)}
