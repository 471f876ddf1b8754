# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Extract from the unprocessed options all values that distinguish one token from another."""

from __future__ import annotations

import os
import typing as t

from .._cache.directory import file_state
from .._vault.login_input import FIELDS, completed, login_secret, read_text, surroundings

__all__ = ("pointer_input",)

#: Options that do not identify the token, and those for the Vault login, which are handled separately.
_NOT_IDENTIFYING = frozenset((*FIELDS, "token_path", "token_file", "min_ttl", "max_age", "force", "refused", "output", "audit_log", "cache_path", "_terms"))


def pointer_input(plugin: str, values: t.Mapping[str, t.Any], *, files: list[tuple[str, t.Any]] | None = None) -> tuple[list[str], t.Any] | None:
    """All values that decide which token the options mean, for :func:`pointer_keys`: the Vault login secret, and the rest.

    None if only the full path can decide that.

    :arg files: receives the path and the state of each file that was read.
    """

    def read_file(path: str) -> str:
        if files is not None:
            files.append((path, file_state(path)))
        return read_text(path)

    environ, home, _read_text = surroundings()
    vendors = values.get("vendors")
    try:
        given = completed(values, environ=environ, home=home, read_file=read_file)
        if isinstance(vendors, str) and "\n" not in vendors and "{" not in vendors:
            vendors = [vendors, read_file(os.path.expanduser(vendors))]
    except Exception:  # noqa: BLE001 (the full path reports any error)
        return None
    secret, public = login_secret(given)
    if secret is None:
        return None
    return secret, [plugin, public, {name: value for name, value in values.items() if name not in _NOT_IDENTIFYING}, vendors]
