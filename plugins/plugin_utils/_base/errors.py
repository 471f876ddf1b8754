# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The one exception family of the core, and the codes by which its errors are looked up.

Messages are complete, single-line sentences: what failed, for which vendor and Vault path, what to do about it. They never
carry a secret, a URL query or a response body. Whoever shows one to a user shows its code with it: :attr:`TokenError.told`.
"""

from __future__ import annotations

import copy
import typing as t

__all__ = ("CODES", "CacheError", "CasMismatch", "LockTimeout", "OptionError", "TokenError", "VaultError", "VendorError", "coded", "sentence")

_LONGEST = 4000
_E = t.TypeVar("_E", bound="TokenError")

#: What went wrong, and its code. A code is never given to something else, nor again; docs/errors.md has cause and cure of each.
CODES: t.Mapping[str, str] = {
    # what the user gave
    "option:unknown": "TRK-O01",
    "option:value": "TRK-O02",
    "option:missing": "TRK-O03",
    "option:clash": "TRK-O04",
    "option:vendor": "TRK-O05",
    "option:description": "TRK-O06",
    "option:vault_path": "TRK-O07",
    "option:address": "TRK-O08",
    "option:plain_http": "TRK-O09",
    "option:file": "TRK-O10",
    "option:template": "TRK-O11",
    "option:exposed": "TRK-O12",
    "option:library": "TRK-O13",
    # Vault or OpenBao
    "vault:unreachable": "TRK-V01",
    "vault:tls": "TRK-V02",
    "vault:sealed": "TRK-V03",
    "vault:login_refused": "TRK-V04",
    "vault:denied": "TRK-V05",
    "vault:missing": "TRK-V06",
    "vault:deleted": "TRK-V07",
    "vault:field": "TRK-V08",
    "vault:unavailable": "TRK-V09",
    "vault:cas": "TRK-V10",
    "vault:occupied": "TRK-V11",
    # the vendor's login
    "vendor:refused": "TRK-L01",
    "vendor:grant": "TRK-L02",
    "vendor:request": "TRK-L03",
    "vendor:rejected": "TRK-L04",
    "vendor:unavailable": "TRK-L05",
    "vendor:busy": "TRK-L06",
    "vendor:unreachable": "TRK-L07",
    "vendor:timeout": "TRK-L08",
    "vendor:tls": "TRK-L09",
    "vendor:redirect": "TRK-L10",
    "vendor:answer": "TRK-L11",
    "vendor:discovery": "TRK-L12",
    "vendor:revocation": "TRK-L13",
    # the cache of this machine
    "cache:location": "TRK-C01",
    "cache:lock": "TRK-C02",
    "cache:no_lock": "TRK-C03",
    # a person's consent
    "consent:denied": "TRK-A01",
    "consent:not_asked": "TRK-A02",
    "consent:answer": "TRK-A03",
    "consent:timeout": "TRK-A04",
    "consent:code": "TRK-A05",
    "consent:no_refresh_token": "TRK-A06",
    "consent:port": "TRK-A07",
    # files on hosts
    "host:path": "TRK-H01",
    "host:denied": "TRK-H02",
    "host:directory": "TRK-H03",
    "host:owner": "TRK-H04",
    "host:file": "TRK-H05",
    "host:module": "TRK-H06",
    "host:status": "TRK-H07",
}


def sentence(text: str) -> str:
    """*text*, ended: it may be a vendor's own words, and something follows."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def coded(text: str, fault: str) -> str:
    """*text* as it is shown to a user: a sentence, with the code of what went wrong behind it."""
    return f"{sentence(text)} [{CODES[fault]}]"


class TokenError(Exception):
    """Anything that keeps a token from the caller.

    :arg fault: what went wrong, one of those in :data:`CODES`. An entry of the cache may hold others: the class's own stands for them.
    """

    default_fault = "option:value"

    def __init__(self, message: str = "", *, fault: str = "") -> None:
        super().__init__(message)
        self.fault = fault if fault in CODES else self.default_fault

    @property
    def message(self) -> str:
        """One printable line: a path, a term or a namespace in it may hold line breaks and terminal escapes."""
        from .text import one_line  # not needed while all goes well

        return one_line(str(self.args[0]), limit=_LONGEST) if self.args else ""

    @property
    def error_code(self) -> str:
        return CODES[self.fault]

    @property
    def told(self) -> str:
        """The message as it is shown to a user."""
        return coded(self.message, self.fault)

    def reworded(self: _E, message: str) -> _E:
        """The same error with another message."""
        other = copy.copy(self)
        other.args = (message,)
        return other


class OptionError(TokenError):
    """The user's options do not fit together; nothing has been tried."""


class CacheError(TokenError):
    """The cache location is unsafe (a symlink, of another owner, writable by others), or there are no locks where one is needed."""

    default_fault = "cache:location"


class LockTimeout(CacheError):
    """Another process does not give a lock of the cache back.

    :arg holder: its process id, where that is known.
    """

    default_fault = "cache:lock"

    def __init__(self, message: str, *, holder: int | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class VaultError(TokenError):
    """Vault did not give the credentials.

    ``kind`` is one word: unreachable, tls, sealed, login_refused, denied, missing, deleted, field, unavailable, cas, option.
    """

    default_fault = "vault:unavailable"

    def __init__(self, message: str, kind: str = "unavailable", *, fault: str = "") -> None:
        super().__init__(message, fault=fault or f"vault:{kind}")
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

    default_fault = "vendor:answer"

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
        fault: str = "",
    ) -> None:
        super().__init__(message, fault=fault or f"vendor:{kind}")
        self.kind = kind
        self.status = status
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self.sent = sent
