# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""What there is to say of the files that login methods read. Apart from ``login_input``, because a cache hit has nothing to say of them."""

from __future__ import annotations

from .._base.errors import OptionError
from .._base.text import one_line

__all__ = ("refuse_passphrase", "unreadable", "usable_key")


def unreadable(path: str, exc: Exception) -> OptionError:
    """Why a file cannot be read."""
    why = (exc.strerror or "failed").lower() if isinstance(exc, OSError) else "it is not text"
    return OptionError(f"cannot read {one_line(path)}: {why}.", fault="option:file")


def usable_key(path: str, text: str | None) -> str:
    """The text of a private key.

    :raises OptionError: there is none, or OpenSSL cannot use it alone.
    """
    if not text:
        raise OptionError(f"cannot read the private key {one_line(path)} (cert_auth_private_key): no such file, or it is empty.", fault="option:file")
    refuse_passphrase(path, text)
    return text


def refuse_passphrase(path: str, text: str) -> None:
    """OpenSSL would ask for it on the terminal, in the middle of a play."""
    if "ENCRYPTED" in text:
        raise OptionError(f"the private key {one_line(path)} (cert_auth_private_key) has a passphrase. Use a key without one.", fault="option:file")
