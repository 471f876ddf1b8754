# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The one exception family of the core.

Messages are complete, single-line sentences: what failed, for which vendor and Vault path, what to do about it. They never
carry a secret, a URL query or a response body.
"""

from __future__ import annotations

__all__ = ("CacheError", "CasMismatch", "LockTimeout", "OptionError", "TokenError", "VaultError", "VendorError")

_LONGEST = 4000


class TokenError(Exception):
    """Anything that keeps a token from the caller."""

    @property
    def message(self) -> str:
        """One printable line: a path, a term or a namespace in it may hold line breaks and terminal escapes."""
        from .text import one_line  # not needed while all goes well

        return one_line(str(self.args[0]), limit=_LONGEST) if self.args else ""


class OptionError(TokenError):
    """The user's options do not fit together; nothing has been tried."""


class CacheError(TokenError):
    """The cache location is unsafe (a symlink, of another owner, writable by others)."""


class LockTimeout(CacheError):
    """Another process does not give a lock of the cache back.

    :arg holder: its process id, where that is known.
    """

    def __init__(self, message: str, *, holder: int | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class VaultError(TokenError):
    """Vault did not give the credentials.

    ``kind`` is one word: unreachable, tls, sealed, login_refused, denied, missing, deleted, field, unavailable, cas, option.
    """

    def __init__(self, message: str, kind: str = "unavailable") -> None:
        super().__init__(message)
        self.kind = kind


class CasMismatch(VaultError):
    """Somebody else wrote this KV entry since it was read."""


class VendorError(TokenError):
    """The vendor did not give a token.

    ``kind`` is ``refused`` (the credentials are wrong: asking again with them can lock the account),
    ``unavailable`` (may pass: asking again later can help) or ``answer`` (what came back cannot be read).

    :arg status: HTTP status, where there was an answer.
    :arg code: RFC 6749 5.2 error code, where the vendor gave one.
    :arg retry_after: seconds the vendor asks to wait.
    :arg sent: whether the vendor may have acted on the request; a rotating refresh token may then be spent.
    """

    def __init__(
        self,
        message: str,
        kind: str = "answer",
        *,
        status: int | None = None,
        code: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self.sent = sent
