# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place of one token in the file cache."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Failure, Renewal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.slot import TokenSlot, token_keys
from support.scripted import NOW, Scene, approle, request_for, token

FAILURE = Failure("away", "unavailable", NOW - 1, run="run-1", network="n")


@pytest.fixture
def slot(tmp_path):
    return TokenSlot(request_for(), FileStore(str(tmp_path / "cache"), warn=pytest.fail), Scene().ports)


def header(slot):
    ((_name, found),) = slot.store.headers()
    return found


def test_an_entry_is_written_and_read_back(slot):
    assert slot.read() == Entry()
    entry = Entry(token(), (FAILURE,), (Renewal("run-1", "force", NOW),))
    slot.write(entry)
    assert slot.read().token == dataclasses.replace(entry.token, source="cache")
    assert (slot.read().failures, slot.read().renewals) == (entry.failures, entry.renewals)


@pytest.mark.parametrize(
    ("entry", "kind", "ends"),
    [
        (Entry(token(lifetime=100)), "token", NOW + 100),
        (Entry(token(lifetime=10), (FAILURE,)), "token", NOW + 29),
        (Entry(token(lifetime=100), (FAILURE,)), "token", NOW + 100),
        (Entry(None, (FAILURE,)), "failure", NOW + 29),
        (Entry(None, (FAILURE, dataclasses.replace(FAILURE, recorded_at=NOW))), "failure", NOW + 30),
        (Entry(renewals=(Renewal("run-1", "force", NOW),)), "token", NOW),
        (Entry(), "failure", NOW),
    ],
)
def test_the_header_names_kind_path_and_expiry(slot, entry, kind, ends):
    slot.write(entry)
    assert header(slot) == {"schema": 1, "kind": kind, "vendor": "trackunit", "path": "secret/fleet/x", "expires_at": int(ends)}


def test_each_request_and_login_has_its_own_keys():
    key, other = bytes(32), b"k" * 32
    mine = token_keys(request_for(), key)
    assert token_keys(request_for(), key).name == mine.name
    assert token_keys(request_for(min_ttl=1, http={"timeout": 1}), key).name == mine.name
    for request in (request_for(path="fleet/y"), request_for("tracktik"), request_for(vault=approle()), request_for(secret={"version": 3})):
        assert token_keys(request, key).name != mine.name
    assert token_keys(request_for(), other).name != mine.name


def test_the_lock_of_a_slot_has_one_holder(slot):
    with slot.lock(), slot.try_lock() as again:
        assert not again
    with slot.try_lock() as free:
        assert free


def test_the_lock_of_a_slot_is_waited_for(tmp_path):
    scene = Scene()
    slot = TokenSlot(request_for(), FileStore(str(tmp_path / "cache"), warn=pytest.fail), scene.ports)
    with contextlib.ExitStack() as theirs:
        theirs.enter_context(FileStore(slot.store.path, warn=pytest.fail).try_lock(slot.keys.name))
        scene.while_asleep = lambda times: times == 2 and theirs.close()
        with slot.lock() as locked:
            assert (locked, len(scene.slept)) == (True, 2)
