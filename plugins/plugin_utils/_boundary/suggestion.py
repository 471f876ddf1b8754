# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Find the option that was probably meant by an unknown or unused one. Pure."""

from __future__ import annotations

import typing as t

from .._base.errors import OptionError
from .._text.nearest import nearest

__all__ = ("nearest_option", "refuse_mount_without_login")

# Common wrong names for options, which would otherwise match another option better.
_WRONG_NAMES: t.Mapping[str, str] = {
    "kv_mount": "engine_mount_point",
    "mount": "engine_mount_point",
    "mount_path": "engine_mount_point",
    "mountpoint": "engine_mount_point",
    "secret": "path",
    "secret_path": "path",
}
_CUTOFF = 0.6  # names of two and three words have much in common, even if shortened
_WITHOUT_LOGIN = ("token", "none")


def nearest_option(name: str, known: t.Iterable[str]) -> str:
    """The option in *known* that *name* may mean; empty if none is similar."""
    known = set(known)
    called = _WRONG_NAMES.get(name.casefold())
    if called in known:
        return str(called)
    return nearest(name, known, cutoff=_CUTOFF)


def refuse_mount_without_login(vendor: str, direct: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> None:
    """Reject a C(mount_point) without a login, where it has no effect: elsewhere, the mount of the secrets has this name.

    :arg direct: the options of the task or lookup. A global setting may be meant for tasks that log in.
    :raises OptionError: it is in *direct*, and there is no login.
    """
    method = str(values.get("auth_method") or "token")
    if direct.get("mount_point") not in (None, "") and method in _WITHOUT_LOGIN:
        raise OptionError(
            f"{vendor}: mount_point belongs to the login and has no effect with auth_method={method}; did you mean engine_mount_point?",
            fault="option:clash",
        )
