# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The lock of an entry. A process that never releases it costs a run one wait, not one per host."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._base.errors import LockTimeout
from .._base.model import Request
from .._base.ports import Ports
from .._cache.crypto import Keys, derive
from .._cache.entry import failures_from_list
from .._cache.file_store import FileStore
from .failure_memory import add_failure, as_error, caller_of, failure_of, forgotten_at, remembered_failure

__all__ = ("entry_lock",)

_SLACK = 60.0


@contextlib.contextmanager
def entry_lock(request: Request, store: FileStore, keys: Keys, ports: Ports) -> t.Iterator[bool]:
    """Hold the lock of the entry *keys*; yields False, holding nothing, if locks do not work.

    If results cannot be stored and the last attempt succeeded, callers do not wait, because another caller's result would not
    reach them: then it yields True, but the lock is already released.

    :raises LockTimeout: another process has held the lock for longer than a call takes.
    :raises CacheError: this run has already waited for that process.
    """
    with contextlib.ExitStack() as stack:
        locked = stack.enter_context(store.try_lock(keys.name))
        if not locked:
            _raise_remembered(request, store, keys, ports)
            began = ports.monotonic()
            patience = request.http.deadline + request.vault.deadline + _SLACK
            try:
                locked = stack.enter_context(store.lock(keys.name, timeout=patience, monotonic=ports.monotonic, sleep=ports.sleep))
            except LockTimeout as exc:
                _remember(request, store, keys, ports, exc, took=ports.monotonic() - began)
                raise
        if not request.vendor.single_use and store.succeeded_unstored(keys):
            stack.close()
        yield locked


def _raise_remembered(request: Request, store: FileStore, keys: Keys, ports: Ports) -> None:
    now = ports.clock()
    caller = caller_of(request, run=ports.run, started=now)
    holder = str(store.lock_holder(keys.name))
    waited_for = [failure for failure in _known(request, store, keys) if failure.code == holder]
    failure = remembered_failure(waited_for, caller, now=now)
    if failure is not None:
        raise as_error(failure)


def _remember(request: Request, store: FileStore, keys: Keys, ports: Ports, exc: LockTimeout, *, took: float) -> None:
    now, failure_ttl = ports.clock(), request.cache.failure_ttl
    failure = failure_of(exc, caller_of(request, run=ports.run, started=now), asked_version="", took=took, now=now)
    notes = _notes(request, store, keys)
    with store.try_lock(notes.name) as locked:
        if locked:
            failures = add_failure(_known(request, store, keys), failure, failure_ttl=failure_ttl, now=now)
            header = {"kind": "lock", "vendor": request.vendor.name, "path": request.where, "expires_at": int(forgotten_at(failure, failure_ttl))}
            store.write(notes, header, {"failures": [dataclasses.asdict(one) for one in failures]})


def _known(request: Request, store: FileStore, keys: Keys) -> t.Any:
    return failures_from_list((store.read(_notes(request, store, keys)) or {}).get("failures"))


def _notes(request: Request, store: FileStore, keys: Keys) -> Keys:
    """The keys of a separate entry for notes: only the holder of the lock may write the entry itself."""
    return derive(store.user_key(), request.vault.identity_secret(), {"kind": "lock", "entry": keys.name})
