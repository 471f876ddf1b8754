# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The exceptions of the core, and the codes that identify them in the documentation.

Messages are complete, single-line sentences: what failed, for which vendor and Vault path, what to do about it. They never
carry a secret, a URL query or a response body. A message shown to a user includes its code: :attr:`TokenError.coded_message`.
"""

from __future__ import annotations

import copy
import typing as t

__all__ = ("CODES", "CacheError", "CasMismatch", "LockTimeout", "OptionError", "TokenError", "VaultError", "VendorError", "coded", "sentence")

_LONGEST = 4000
_E = t.TypeVar("_E", bound="TokenError")

#: Each fault and its code. A code is never reused; docs/errors.md lists the cause and the remedy of each.
CODES: t.Mapping[str, str] = {
    # the user's options and files
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
    # the cache on this machine
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
    """*text* with a full stop at its end if it has none: it may be a vendor's words, and more text follows."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def coded(text: str, fault: str) -> str:
    """*text* as shown to a user: a sentence, followed by the code of *fault*."""
    return f"{sentence(text)} [{CODES[fault]}]"


class TokenError(Exception):
    """The caller gets no token.

    :arg fault: a key of :data:`CODES`. A cache entry may hold unknown ones: the default of the class replaces them.
    """

    default_fault = "option:value"

    def __init__(self, message: str = "", *, fault: str = "") -> None:
        super().__init__(message)
        self.fault = fault if fault in CODES else self.default_fault

    @property
    def message(self) -> str:
        """One printable line: a path, term or namespace in it may contain line breaks and terminal escapes."""
        from .._text.one_line import one_line  # needed only after an error

        return one_line(str(self.args[0]), limit=_LONGEST) if self.args else ""

    @property
    def error_code(self) -> str:
        return CODES[self.fault]

    @property
    def coded_message(self) -> str:
        """The message as shown to a user."""
        return coded(self.message, self.fault)

    def reworded(self: _E, message: str) -> _E:
        """The same error with another message."""
        other = copy.copy(self)
        other.args = (message,)
        return other


class OptionError(TokenError):
    """The user's options are wrong or contradict each other; nothing was attempted."""


class CacheError(TokenError):
    """The cache location is unsafe (a symlink, another owner, writable by others), or a required lock is not available."""

    default_fault = "cache:location"


class LockTimeout(CacheError):
    """Another process does not release a cache lock.

    :arg holder: its process id, if known.
    """

    default_fault = "cache:lock"

    def __init__(self, message: str, *, holder: int | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class VaultError(TokenError):
    """Vault did not return the credentials.

    ``kind`` is one word: unreachable, tls, sealed, login_refused, denied, missing, deleted, field, unavailable, cas, option.
    """

    default_fault = "vault:unavailable"

    def __init__(self, message: str, kind: str = "unavailable", *, fault: str = "") -> None:
        super().__init__(message, fault=fault or f"vault:{kind}")
        self.kind = kind


class CasMismatch(VaultError):
    """Another writer changed this KV entry after it was read."""


class VendorError(TokenError):
    """The vendor did not issue a token.

    ``kind`` is ``refused`` (the credentials are wrong: a retry can lock the account), ``unavailable`` (possibly temporary: a later
    retry can help) or ``answer`` (the response cannot be read).

    :arg status: HTTP status, if there was a response.
    :arg code: RFC 6749 5.2 error code, if the vendor sent one.
    :arg retry_after: seconds that the vendor asks to wait.
    :arg sent: whether the vendor may have processed the request; a rotating refresh token may then be used up.
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
