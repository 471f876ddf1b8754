# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries that nobody will use again leave the cache by themselves; all others stay."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import Keys
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.tidy import is_due, tidy
from support.scripted import NOW, Scene, access, request_for

DAY = 86400
KEY = b"k" * 43 + b"="


@pytest.fixture
def store(tmp_path):
    store = FileStore(str(tmp_path / "cache"), warn=pytest.fail)
    store.user_key()
    return store


def put(store, number, **header):
    """Write an entry; the names are spread like real ones."""
    name = f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}"
    assert store.write(Keys(name, KEY), header, {})
    return name


def entries(store):
    return {name for name in os.listdir(store.path) if name != "key"}


def moments(due):
    return (NOW + number for number in range(1000) if is_due(NOW + number) == due)


def test_entries_that_expired_more_than_a_day_ago_are_removed(store):
    gone = [put(store, number, kind=kind, expires_at=NOW - DAY - 1) for number, kind in enumerate(("token", "login", "failure", "lock", "metadata"))]
    stay = {
        put(store, 10, kind="token", expires_at=NOW - DAY),
        put(store, 11, kind="login", expires_at=float("inf")),
        put(store, 12, kind="token"),
        put(store, 13, kind="token", expires_at="long ago"),
    }
    store.write(Keys("a" * 32 + ".hit", KEY), {"entry": gone[0]}, {})
    store.write(Keys("b" * 32 + ".hit", KEY), {"entry": min(stay)}, {})
    tidy(store, now=NOW)
    assert entries(store) == stay | {"b" * 32 + ".hit"}


def test_a_locked_entry_is_kept_and_not_waited_for(store):
    locked, free = put(store, 1, expires_at=0), put(store, 2, expires_at=0)
    with FileStore(store.path, warn=pytest.fail).try_lock(locked) as mine:
        assert mine
        tidy(store, now=NOW)
        assert entries(store) == {locked, locked + ".lock"}
    tidy(store, now=NOW)
    assert entries(store) == set(), free


def test_an_entry_renewed_meanwhile_is_kept(store, monkeypatch):
    name = put(store, 1, expires_at=0)
    take = store.try_lock

    def renewed_first(name):
        put(store, 1, expires_at=NOW + 600)
        return take(name)

    monkeypatch.setattr(store, "try_lock", renewed_first)
    tidy(store, now=NOW)
    assert entries(store) == {name}


@pytest.mark.thorough
def test_each_call_removes_a_few_entries_until_all_are_gone(store):
    for number in range(450):
        put(store, number, expires_at=0)
    left = [450]
    for number in range(40):
        tidy(store, now=NOW + number)
        left.append(len(entries(store)))
    assert left[1] == 250
    assert left[-1] == 0


@pytest.mark.parametrize("name", ["", ".hit"], ids=["entries", "pointers"])
@pytest.mark.thorough
def test_each_call_starts_at_another_place(store, name):
    """If it always began at the same place, it would never get past two hundred files that stay."""
    for number in range(400):
        stays = pathlib.Path(store.path, f"{number // 200 * 8:x}{number:031x}{name}")
        stays.write_text('{"entry": "key"}\n')
        stays.chmod(0o600)
    for old in ("7", "f"):  # never among the same two hundred
        store.write(Keys(old * 32 + name, KEY), {"expires_at": 0}, {})
    tidy(store, now=NOW)
    assert len(entries(store)) >= 401
    for number in range(1, 60):
        tidy(store, now=NOW + number / 7)
        if len(entries(store)) == 400:
            return
    pytest.fail("one of them is never found")


def test_a_directory_that_is_not_a_cache_is_left_alone(store):
    put(store, 1, expires_at=0)
    os.mkdir(os.path.join(store.path, "of somebody else"))
    os.unlink(os.path.join(store.path, "key"))
    tidy(FileStore(store.path, warn=pytest.fail), now=NOW)
    assert len(entries(store)) == 2


def test_tidying_is_due_for_one_fetch_in_fifty():
    assert sum(is_due(NOW + number / 7) for number in range(10_000)) == pytest.approx(200, abs=60)


@pytest.mark.parametrize("due", [False, True])
def test_a_fetch_tidies_the_cache_if_it_is_due(store, due):
    old = put(store, 1, kind="token", expires_at=NOW - 2 * DAY)
    scene = Scene(access("one"))
    scene.now = next(moments(due))
    request = request_for("tracktik", cache=store.path)
    assert Resolver(scene.ports).token(request).access_token == "one"
    assert (old in entries(store)) is not due
    assert Resolver(scene.ports).known(request).token
