# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Errors about the files that login methods read. Separate from ``login_input``, because a cache hit does not need them."""

from __future__ import annotations

from .._base.errors import OptionError
from .._text.one_line import one_line

__all__ = ("refuse_passphrase", "unreadable", "usable_key")


def unreadable(path: str, exc: Exception) -> OptionError:
    """The error for a file that cannot be read."""
    why = (exc.strerror or "failed").lower() if isinstance(exc, OSError) else "it is not text"
    return OptionError(f"cannot read {one_line(path)}: {why}.", fault="option:file")


def usable_key(path: str, text: str | None) -> str:
    """Return the private key *text*.

    :raises OptionError: it is missing, or OpenSSL needs a passphrase for it.
    """
    if not text:
        raise OptionError(f"cannot read the private key {one_line(path)} (cert_auth_private_key): no such file, or it is empty.", fault="option:file")
    refuse_passphrase(path, text)
    return text


def refuse_passphrase(path: str, text: str) -> None:
    """Reject a key with a passphrase: OpenSSL would prompt for that on the terminal, in the middle of a play."""
    if "ENCRYPTED" in text:
        raise OptionError(f"the private key {one_line(path)} (cert_auth_private_key) has a passphrase. Use a key without one.", fault="option:file")
