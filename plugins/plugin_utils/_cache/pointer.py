# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Find the entry directly from the option values: a cache hit without building a request.

The full path builds a request from the options, and finds the entry by the facts of the request. Equal options give an equal request, so
the full path leaves a small sealed file, the pointer, under a name derived from the options themselves. The next process finds the pointer,
opens the entry that it names, and checks the token as the full path does. If in any doubt about a hit, the full path is taken.

The pointer's name and key are derived like those of entries: from this user's key, the Vault login secret in use, and all option values.
Apart from the key of one entry it contains only what its reader passed in, so it opens no more than the full path would.
"""

from __future__ import annotations

import hashlib
import json
import types
import typing as t

from .._base.token_check import token_problem
from .crypto import Keys, derive
from .directory import Directory
from .freshness import Verdict, judge

if t.TYPE_CHECKING:
    from .file_store import FileStore

__all__ = ("VERSION", "Hit", "Pointer", "cached", "pointer_keys", "remember")

#: The collection's version: another version may build a different request from the same options.
VERSION = "1.0.0"


# The fields of a token in an entry. A missing required field gets a value that no check accepts.
_ABSENT: dict[str, t.Any] = {
    **dict.fromkeys(("access_token", "token_type", "expires_at", "issued_at", "scope", "refresh_token")),
    "extra": {},
    "secret_version": "",
    "refresh_token_mac": "",
}
_FIELDS = frozenset(_ABSENT)


class Pointer:
    """The location of an entry, and the display names of its token."""

    __slots__ = ("keys", "scheme", "vendor", "where")

    def __init__(self, keys: Keys, *, vendor: str, where: str, scheme: str) -> None:
        self.keys = keys
        self.vendor = vendor
        self.where = where
        self.scheme = scheme

    def as_dict(self) -> dict[str, str]:
        return {"name": self.keys.name, "fernet": self.keys.fernet.decode(), "vendor": self.vendor, "where": self.where, "scheme": self.scheme}

    @classmethod
    def read(cls, data: t.Any) -> Pointer | None:
        if not isinstance(data, dict) or not all(isinstance(data.get(name), str) for name in ("name", "fernet", "vendor", "where", "scheme")):
            return None
        keys = Keys(data["name"], data["fernet"].encode(errors="replace"))
        return cls(keys, vendor=data["vendor"], where=data["where"], scheme=data["scheme"])


Hit = tuple[t.Any, Pointer]  # a token with the fields of Token, and where it was found


def pointer_keys(user_key: bytes, login_secret: list[str], given: t.Any) -> Keys | None:
    """The keys of the pointer for *given*; None if that contains a value that may differ next time.

    :arg login_secret: as in :func:`derive`.
    :arg given: everything else that decides which token it is: strings, numbers, lists and dictionaries.
    """
    try:
        text = json.dumps([VERSION, given], sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    secret = json.dumps(login_secret).encode() if any(login_secret) else b""
    keys = derive(user_key, secret, {"kind": "pointer", "given": hashlib.sha256(text.encode()).hexdigest()})
    return Keys(keys.name + ".hit", keys.fernet)


def cached(directory: Directory, keys: Keys, *, min_ttl: float, max_age: float | None, now: float) -> Hit | None:
    """The token of the entry that the pointer names, if it is fresh."""
    pointer = _read(directory, keys, Pointer.read)
    if pointer is None:
        return None
    token = _read(directory, pointer.keys, _token)
    wanted: t.Any = types.SimpleNamespace(min_ttl=min_ttl, max_age=max_age, force=False, refused=None, together=False)
    return (token, pointer) if judge(token, wanted, now=now, started=now) is Verdict.FRESH else None


def _token(entry: t.Any) -> t.Any:
    data = entry.get("token") if entry else None
    if not isinstance(data, dict) or not _FIELDS.issuperset(data):
        return None
    token: t.Any = types.SimpleNamespace(**{**_ABSENT, **data, "source": "cache"})
    return None if token_problem(token) else token


# Data read earlier in this process, with the state of the file then: a file that was replaced since is read again.
_READ: dict[tuple[str, str, bytes], tuple[t.Any, t.Any]] = {}
_MANY = 64
_T = t.TypeVar("_T")


def _read(directory: Directory, keys: Keys, parse: t.Callable[[t.Any], _T]) -> _T | None:
    known = (directory.path, keys.name, keys.fernet)
    state = directory.state(keys.name)
    if state is None:
        return None
    before = _READ.get(known)
    if before is None or before[0] != state:
        if len(_READ) >= _MANY:
            _READ.clear()
        before = _READ[known] = (state, parse(directory.read(keys)))
    found: _T = before[1]
    return found


def remember(store: FileStore, keys: Keys, pointer: Pointer) -> None:
    """Write the pointer, unless an equal one exists."""
    if store.read(keys) == pointer.as_dict():
        return
    with store.try_lock(keys.name) as mine:
        if mine:
            store.write(keys, {"kind": "pointer", "entry": pointer.keys.name}, pointer.as_dict())
