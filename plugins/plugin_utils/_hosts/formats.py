# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The content of a token file, in each format. Pure: a token in, text out.

The text depends only on the token, never on the time: the same token gives the same file, so that a second run changes
nothing.
"""

from __future__ import annotations

import json
import re
import typing as t

from .._base.errors import OptionError, VendorError

__all__ = ("FORMATS", "Details", "env_prefix", "lasting", "placeholder", "render")

# The token's details as the lookups return them: vendor, access_token, token_type, authorization, expires_at …
Details = t.Mapping[str, t.Any]

# Details that differ between runs for the same token, or that a host must not get.
_NOT_IN_FILES = frozenset({"expires_in", "refresh_token", "source"})
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Within double quotes these stay special, both for sh and for systemd.
_SPECIAL = re.compile(r'([\\"$`])')


def lasting(details: Details) -> dict[str, t.Any]:
    """The *details* that depend only on the token."""
    return {key: value for key, value in details.items() if key not in _NOT_IN_FILES}


def placeholder(value: t.Any, name: str = "token") -> t.Any:
    """*value* with each text replaced by its name, so that messages can show its shape."""
    if isinstance(value, t.Mapping):
        return {key: placeholder(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [placeholder(inner, name) for inner in value]
    # Without shell metacharacters: a template may pass it to a shell.
    return f"the-{name}" if isinstance(value, str) else value


def env_prefix(vendor: str) -> str:
    """The prefix of a vendor's variables: C(tracx) gives C(TRACX), C(3-way) gives C(_3_WAY)."""
    name = re.sub(r"[^A-Z0-9]", "_", vendor.upper())
    return name if _ENV_NAME.match(name) else "_" + name


def render(format: str, details: Details, *, env_name: str | None = None) -> str:
    """The text of a file.

    :arg format: one of :data:`FORMATS`.
    :arg env_name: the prefix of the variables of C(env), if it is not the vendor's name.
    :raises OptionError: *env_name* is not a valid variable name.
    :raises VendorError: the token has characters that this format cannot hold.
    """
    return FORMATS[format](lasting(details), env_name)


def _raw(details: Details, env_name: str | None) -> str:
    """The bare token without a line end, as Docker, Kubernetes and ``curl --oauth2-bearer`` expect it."""
    return str(details["access_token"])


def _header(details: Details, env_name: str | None) -> str:
    """One line, for ``curl --header @file``."""
    return f"Authorization: {_one_line(details, 'authorization')}\n"


def _env(details: Details, env_name: str | None) -> str:
    """Three assignments, read alike by ``sh`` and by systemd's ``EnvironmentFile``."""
    prefix = env_name or env_prefix(details["vendor"])
    if not _ENV_NAME.match(prefix):
        raise OptionError(f"env_name: {prefix!r} cannot begin the name of a variable; use letters, digits and underscores")
    values = {
        "TOKEN": _quoted(_one_line(details, "access_token")),
        "AUTHORIZATION": _quoted(_one_line(details, "authorization")),
        "EXPIRES_AT": str(int(details["expires_at"])),
    }
    return "".join(f"{prefix}_{name}={value}\n" for name, value in values.items())


def _json(details: Details, env_name: str | None) -> str:
    return json.dumps(details, indent=2, sort_keys=True) + "\n"


def _one_line(details: Details, key: str) -> str:
    value = str(details[key])
    if not value.isprintable():
        raise VendorError(f"{details['vendor']}: the token contains control characters, which a header or a variable cannot contain; use format raw or json")
    return value


def _quoted(value: str) -> str:
    """*value* quoted so that ``sh`` and systemd read the same text.

    Single quotes make everything literal, but cannot contain a single quote, and old systemd reads a backslash in them as an escape.
    Both read double quotes alike if each of the four special characters has a backslash.
    """
    if "'" in value or "\\" in value:
        return '"' + _SPECIAL.sub(r"\\\1", value) + '"'
    return f"'{value}'"


FORMATS: t.Mapping[str, t.Callable[[Details, str | None], str]] = {"raw": _raw, "header": _header, "env": _env, "json": _json}
