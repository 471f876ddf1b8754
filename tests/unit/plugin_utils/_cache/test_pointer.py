# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pointer from option values to an entry: a hit needs no request, and any doubt is a miss."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib

import pytest
import yaml
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Token
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache import directory, pointer
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import derive
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.directory import Directory
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.entry import entry_to_dict
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.pointer import VERSION, Pointer, cached, pointer_keys, remember

ROOT = pathlib.Path(__file__).resolve().parents[4]
NOW = 1_800_000_000.0
SECRET = ["hvs.CAESIJ4kq3Lx1z0m1kQeZk3a9F2s"]
GIVEN = ["trackunit", {"url": "https://vault.example:8200"}, {"scope": None, "min": 5, "fields": {"a": ["b"]}}]


@pytest.fixture
def store(tmp_path):
    return FileStore(str(tmp_path / "cache"), warn=pytest.fail)


def put(store, value="cached", *, issued_at=NOW, lifetime=1000.0, **more):
    """Write an entry with a token, and a pointer to it; the keys of both."""
    entry = derive(store.user_key(), json.dumps(SECRET).encode(), "facts")
    token = Token(value, "Bearer", issued_at + lifetime, issued_at, **more)
    store.write(entry, {"kind": "token"}, entry_to_dict(Entry(token)))
    keys = pointer_keys(store.user_key(), SECRET, GIVEN)
    remember(store, keys, Pointer(entry, vendor="trackunit", where="secret/x", scheme="Bearer"))
    return entry, keys


def hit(store, keys, *, now=NOW + 1, min_ttl=60, max_age=None):
    found = cached(Directory(store.path), keys, min_ttl=min_ttl, max_age=max_age, now=now)
    return found and found[0].access_token


def test_the_version_equals_that_of_the_collection():
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"] == VERSION


def test_a_hit_needs_the_same_token_fields_as_an_entry(store):
    entry, _keys = put(store)
    assert {field.name for field in dataclasses.fields(Token)} - {"source"} == set(store.read(entry)["token"]) == pointer._FIELDS
    for name in ("access_token", "token_type", "expires_at", "issued_at"):
        _entry, keys = put(store)
        data = store.read(entry)
        del data["token"][name]
        store.write(entry, {"kind": "token"}, data)
        assert hit(store, keys) is None


def test_a_pointer_leads_to_its_token(store):
    entry, keys = put(store, scope="api", extra={"user_id": 5})
    token, found = cached(Directory(store.path), keys, min_ttl=60, max_age=None, now=NOW + 1)
    assert (token.access_token, token.scope, token.extra, token.source) == ("cached", "api", {"user_id": 5}, "cache")
    assert (found.keys.name, found.keys.fernet, found.vendor, found.where, found.scheme) == (entry.name, entry.fernet, "trackunit", "secret/x", "Bearer")


@pytest.mark.parametrize(
    ("asked", "fresh"),
    [
        ({"now": NOW + 799}, True),
        ({"now": NOW + 801}, False),  # the last fifth of its lifetime: somebody has to renew it
        ({"now": NOW + 1001}, False),
        ({"now": NOW - 61}, False),  # the clock has jumped
        ({"min_ttl": 999}, True),
        ({"min_ttl": 999.5}, False),
        ({"max_age": 1}, True),
        ({"max_age": 0.5}, False),
    ],
)
def test_only_a_fresh_token_is_a_hit(store, asked, fresh):
    _entry, keys = put(store)
    assert bool(hit(store, keys, **asked)) is fresh


def test_unchanged_files_are_read_once(store, monkeypatch):
    _entry, keys = put(store)
    reads = []
    monkeypatch.setattr(pointer, "_READ", {})
    monkeypatch.setattr(Directory, "read", lambda self, keys, read=Directory.read: reads.append(keys.name) or read(self, keys))
    assert (hit(store, keys), hit(store, keys), len(reads)) == ("cached", "cached", 2)
    # Few entries stay in memory: a process that reads many does not keep them all.
    monkeypatch.setattr(pointer, "_MANY", 3)
    pointer._READ["other"] = None
    assert (hit(store, keys), len(reads), len(pointer._READ)) == ("cached", 2, 3)
    os.utime(os.path.join(store.path, keys.name))
    assert (hit(store, keys), len(reads), len(pointer._READ)) == ("cached", 4, 2)


def test_changes_by_another_process_are_seen(store):
    _entry, keys = put(store, "first")
    assert hit(store, keys) == "first"
    other = FileStore(store.path, warn=pytest.fail)
    entry, _keys = put(other, "second")
    assert hit(store, keys) == "second"
    other.remove(entry.name)
    assert hit(store, keys) is None
    put(other, "third")
    assert hit(store, keys) == "third"


@pytest.mark.parametrize("which", ["pointer", "entry"])
@pytest.mark.parametrize("spoil", [os.unlink, lambda path: path.write_bytes(b"{}\n" + b"x" * 200), lambda path: path.chmod(0o644)])
def test_a_missing_or_damaged_pointer_or_entry_is_a_miss(store, which, spoil):
    entry, keys = put(store)
    spoil(pathlib.Path(store.path, keys.name if which == "pointer" else entry.name))
    assert hit(store, keys) is None
    put(store)
    assert hit(store, keys) == "cached"


@pytest.mark.parametrize("changed", [{"access_token": "a\nb"}, {"expires_at": NOW + 28 * 366 * 86400}, {"extra": []}, {"access_token": ""}, {"new": 1}])
def test_a_hit_checks_the_token_of_an_entry(store, changed):
    entry, keys = put(store)
    data = store.read(entry)
    data["token"].update(changed)
    store.write(entry, {"kind": "token"}, data)
    assert hit(store, keys) is None


@pytest.mark.parametrize(
    "broken",
    [{}, {"name": 5}, {"name": "0" * 32, "fernet": "short"}, {"name": "0" * 32, "fernet": "é" * 44}, {"name": "0" * 32, "fernet": "\udc80" * 44}],
)
def test_a_malformed_pointer_is_a_miss(store, broken):
    entry, keys = put(store)
    rest = {"vendor": "", "where": "", "scheme": ""} if broken else {}
    store.write(keys, {"kind": "pointer", "entry": entry.name}, {"fernet": "", **rest, **broken})
    assert hit(store, keys) is None


def test_every_input_changes_the_pointer():
    key = b"u" * 32
    base = pointer_keys(key, SECRET, GIVEN)
    others = [
        pointer_keys(b"v" * 32, SECRET, GIVEN),
        pointer_keys(key, ["hvs.CAESIJ4kq3Lx1z0m1kQeZk3a9F2t"], GIVEN),
        pointer_keys(key, [], GIVEN),
        pointer_keys(key, SECRET, ["tracx", *GIVEN[1:]]),
        pointer_keys(key, SECRET, [GIVEN[0], {"url": "https://vault.example:8201"}, GIVEN[2]]),
        pointer_keys(key, SECRET, [*GIVEN[:2], {**GIVEN[2], "scope": "api"}]),
        pointer_keys(key, SECRET, [*GIVEN[:2], {**GIVEN[2], "min": "5"}]),
        pointer_keys(key, SECRET, [*GIVEN[:2], {**GIVEN[2], "fields": {"a": ["c"]}}]),
    ]
    assert len({keys.name for keys in (base, *others)}) == 9
    assert pointer_keys(key, SECRET, GIVEN).fernet == base.fernet
    assert base.name.endswith(".hit")


def test_the_name_of_a_pointer_is_stable():
    """The same as in earlier releases, whatever the order of the options."""
    key, facts = b"u" * 32, {"kind": "pointer", "given": hashlib.sha256(json.dumps([VERSION, [{"a": 1, "b": 2}]]).encode()).hexdigest()}
    for login, secret in ((SECRET, json.dumps(SECRET).encode()), ([], b""), (["", ""], b"")):
        expected = derive(key, secret, facts)
        found = pointer_keys(key, login, [{"b": 2, "a": 1}])
        assert (found.name, found.fernet) == (expected.name + ".hit", expected.fernet)


@pytest.mark.parametrize("odd", [object(), float("nan"), {1, 2}, b"bytes", {("a",): 1}])
def test_values_without_a_stable_json_form_have_no_pointer(odd):
    assert pointer_keys(b"u" * 32, SECRET, [odd]) is None


def test_an_unchanged_pointer_is_not_written_again(store):
    entry, keys = put(store)
    path = pathlib.Path(store.path, keys.name)
    before = path.stat()
    remember(store, keys, Pointer(entry, vendor="trackunit", where="secret/x", scheme="Bearer"))
    assert path.stat() == before
    remember(store, keys, Pointer(entry, vendor="trackunit", where="secret/x", scheme=""))
    assert path.stat() != before
    assert sorted(os.listdir(store.path)) == sorted(["key", entry.name, keys.name])


def test_pointers_are_removed_with_their_entries(store):
    entry, keys = put(store)
    assert [name for name, _header in store.headers()] == [entry.name]
    store.sweep()
    assert hit(store, keys) == "cached"
    store.remove(entry.name)
    store.sweep()
    assert os.listdir(store.path) == ["key"]


def test_a_pointer_file_reveals_no_secret(store):
    entry, keys = put(store)
    content = pathlib.Path(store.path, keys.name).read_bytes()
    assert json.loads(content.partition(b"\n")[0]) == {"schema": 1, "kind": "pointer", "entry": entry.name}
    for secret in (entry.fernet, b"trackunit", b"secret/x", SECRET[0].encode()):
        assert secret not in content


def test_the_state_of_a_link_is_that_of_its_target(tmp_path):
    """A token file may be a link to a file that an agent writes; the files that Kubernetes mounts are links too."""
    target, other, link = tmp_path / "target", tmp_path / "other", tmp_path / "link"
    target.write_text("hvs.one")
    link.symlink_to(target)
    states = [directory.file_state(str(link))]
    target.write_text("hvs.two, and longer")
    states.append(directory.file_state(str(link)))
    other.write_text("hvs.three")
    link.unlink()
    link.symlink_to(other)
    states.append(directory.file_state(str(link)))
    assert len(set(states)) == 3


def test_a_user_without_a_passwd_entry_does_not_cache_in_the_current_directory(monkeypatch):
    monkeypatch.setattr(directory.os.path, "expanduser", lambda path: path)
    assert directory.default_path({}) == "/~/.cache/trackops/api_tokens"
