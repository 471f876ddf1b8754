# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(vault_setup): read its variables and the environment, and check them before any request to Vault. Pure.

Values in URLs and policies must not break these, or widen them with a wildcard: they may come from a survey.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._base.errors import OptionError
from .._base.model import ENGINE_MOUNT, CacheOptions
from .._text.one_line import one_line
from .role_variables import FAMILIES

__all__ = ("PREFIX", "VARIABLES", "Settings", "overlap", "settings")

PREFIX = "vault_setup_"
#: The variables, without the prefix.
VARIABLES = tuple(sorted(FAMILIES[PREFIX]))
_FOLDER = "fleet"  # as in the examples
_CACHE_MOUNT = "api-token-cache"  # a mount of its own: old versions of tokens are not kept there

# Vault writes names in lower case; its own policies must not be replaced.
_NAME = re.compile(r"(?!(default|root)\Z)[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\Z")
_MOUNT = re.compile(r"(?!(.*/)?[.][.]?(/|\Z))[A-Za-z0-9_.@:=~-]+(/[A-Za-z0-9_.@:=~-]+)*\Z")
_PATH = re.compile(r"(?!(.*/)?[.][.]?(/|\Z))[\w .@:=~-]+(/[\w .@:=~-]+)*\Z")
_ADDRESS = re.compile(r"(?i)https?://[^/]")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,10}\Z")  # Vault accepts no more seconds
_TRUE, _FALSE = ("1", "on", "true", "yes", "y", "t"), ("0", "off", "false", "no", "n", "f")

_OF_NAMES = "may contain only lower-case letters, digits and . _ -, must begin and end with a letter or digit, and must not be default or root."
_OF_MOUNTS = "may contain only letters, digits and . _ - @ : = ~ /, and no part of it may be '.' or '..'."
_OF_PATHS = "may contain only letters, digits, spaces and . _ - @ : = ~ /, and no part of it may be '.' or '..'."


@dataclass(frozen=True)
class Settings:
    """The wanted setup, in values that are safe in URLs and policies."""

    url: str
    token: str = field(repr=False)
    namespace: str
    mount: str
    path: str
    vendors: tuple[str, ...]  # paths
    consent_paths: tuple[str, ...]
    cache_mount: str
    cache_path: str
    name: str
    approle: str
    shared: bool | None  # None: keep what an earlier run set up
    take_over: bool
    token_ttl: int
    secret_id_ttl: int
    secret_id_file: str
    without_effect: bool  # variables of the shared cache are set, but it is not wanted

    @property
    def cache_is_elsewhere(self) -> bool:
        """Whether the shared cache is not in the lookups' default folder."""
        return self.cache_path != CacheOptions.vault_path


def settings(values: t.Mapping[str, t.Any], *, vendors: t.Iterable[str], environ: t.Mapping[str, str], token_file: t.Callable[[], str]) -> Settings:
    """The settings from the set variables in *values* (names without the prefix), completed from *environ*.

    :arg vendors: the names of the built-in vendors, which are the default paths of the lookups: readable if no path is set.
    :arg token_file: returns the text of C(~/.vault-token), empty if there is none.
    :raises OptionError: for the first wrong value.
    """
    given = {name: value for name, value in values.items() if value is not None}

    def text(name: str, default: str) -> str:
        return _without_slashes(_text(given.get(name, default)))

    def first(name: str, variable: str) -> str:
        return _text(given.get(name, "")) or environ.get(f"ANSIBLE_HASHI_VAULT_{variable}") or environ.get(f"VAULT_{variable}", "")

    url = first("url", "ADDR").rstrip("/")
    token = (first("token", "TOKEN") or (token_file() if url else "")).strip()
    if not url or not token:
        raise OptionError(
            "Set VAULT_ADDR and VAULT_TOKEN (or vault_setup_url and vault_setup_token), with the token of an operator; or run vault login.",
            fault="option:missing",
        )
    if not _ADDRESS.match(url):
        raise OptionError(
            "VAULT_ADDR (or vault_setup_url) is not the address of Vault, such as https://vault.example.com:8200; begin it with https://.",
            fault="option:address",
        )
    own_path = text("path", "")
    if not own_path and _text(given.get("path", "")):
        raise OptionError(f"{PREFIX}path {_OF_PATHS}")
    found = Settings(
        url=url,
        token=token,
        namespace=first("namespace", "NAMESPACE"),
        mount=text("mount", ENGINE_MOUNT),
        path=own_path or _FOLDER,
        vendors=() if own_path else tuple(vendors),
        consent_paths=_paths(given.get("consent_paths")),
        cache_mount=text("cache_mount", _CACHE_MOUNT),
        cache_path=text("cache_path", CacheOptions.vault_path),
        name=_text(given.get("name", "api-tokens")),
        approle=text("approle_mount", "approle"),
        shared=_flag(given, "shared_cache"),
        take_over=_flag(given, "take_over") or False,
        token_ttl=_seconds(given, "token_ttl", 3600),
        secret_id_ttl=_seconds(given, "secret_id_ttl", 0),
        secret_id_file=_text(given.get("secret_id_file", "")),
        without_effect=not _flag(given, "shared_cache") and bool({"cache_mount", "cache_path"} & given.keys()),
    )
    _check(found)
    return found


def _check(found: Settings) -> None:
    """Checked in this order; the first wrong value is reported."""
    if found.secret_id_file and not found.secret_id_file.startswith(("/", "~")):
        raise OptionError("vault_setup_secret_id_file must be an absolute path. A relative one would start in the directory of the collection.")
    for variable, values, pattern, rule in (
        ("name", (found.name,), _NAME, _OF_NAMES),
        ("approle_mount", (found.approle,), _MOUNT, _OF_MOUNTS),
        ("mount", (found.mount,), _MOUNT, _OF_MOUNTS),
        ("path", (found.path,), _PATH, _OF_PATHS),
        ("consent_paths", found.consent_paths, _PATH, _OF_PATHS),
        ("cache_mount", (found.cache_mount,), _MOUNT, _OF_MOUNTS),
        ("cache_path", (found.cache_path,), _PATH, _OF_PATHS),
    ):
        if not all(pattern.match(value) for value in values):
            raise OptionError(f"{PREFIX}{variable} {rule}")
    if found.shared and found.cache_mount == found.mount and any(overlap(found.cache_path, one) for one in _credentials(found)):
        raise OptionError(
            "Anyone with write access to the shared cache could overwrite credentials, because vault_setup_cache_path is inside one of "
            "their folders or contains one. Choose another vault_setup_cache_path, or a vault_setup_cache_mount that is not vault_setup_mount."
        )


def _credentials(found: Settings) -> tuple[str, ...]:
    return (found.path, *found.vendors, *found.consent_paths)


def overlap(one: str, other: str) -> bool:
    """Whether the paths are the same, or one is below the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _text(value: t.Any) -> str:
    """*value* as text; for a number with thousands of digits, which Python does not convert, a text that no variable may have."""
    try:
        return f"{value}"
    except ValueError:
        return "?"


def _without_slashes(path: str) -> str:
    """*path* without leading and trailing slashes, with which a policy would allow nothing."""
    return path.strip("/")


def _paths(value: t.Any) -> tuple[str, ...]:
    """The paths in a list, or in a text that separates them with commas."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    return tuple(path for path in (_without_slashes(_text(part).strip()) for part in parts if part is not None) if path)


def _seconds(given: t.Mapping[str, t.Any], name: str, default: int) -> int:
    value = _text(given.get(name, default))
    if not _WHOLE_NUMBER.match(value):
        raise OptionError(f"{PREFIX}{name} must be a number of seconds, not '{one_line(value, limit=40)}'.")
    return int(value)


def _flag(given: t.Mapping[str, t.Any], name: str) -> bool | None:
    """None if it is not set. Only an explicit false removes what an earlier run set up; a typo does not."""
    word = _text(given.get(name, "")).strip().lower()
    if word and word not in _TRUE and word not in _FALSE:
        raise OptionError(f"{PREFIX}{name} must be true or false, not '{one_line(word, limit=40)}'.")
    return word in _TRUE if word else None
