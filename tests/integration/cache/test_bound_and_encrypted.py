# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An entry belongs to one login and one request, everything in the folder is encrypted, and an unsafe folder is refused."""

from __future__ import annotations

import base64
import contextlib
import os
import pathlib
import stat
import subprocess
import typing as t

import pytest
from support.crowd import Crowd
from support.lookups import forms, one_line

from .conftest import Scene


def _fetched(crowd: Crowd, *paths: str, vendor: str = "trackunit", **options: t.Any) -> bool:
    """Whether this caller had to ask the vendor; fails if it got no token."""
    answer = crowd.one(vendor, *paths, **options)
    assert answer.token, answer.error
    return answer.details["source"] == "vendor"


def test_every_difference_of_login_or_request_is_another_entry(scene: Scene) -> None:
    stage, vault = scene.stage, scene.vault
    for path in ("trackunit", "fleet/trackunit"):
        stage.store("trackunit", path)
    stage.store("trackunit")  # version 2
    vault.kv2("other")
    vault.put("trackunit", stage.credentials("trackunit"), mount="other")
    both_mounts = [vault.read_policy("*"), vault.read_policy("*", mount="other")]
    token = vault.token(*both_mounts)
    scene.emulator.set("trackunit", allow_parameters=["tenant"])

    crowd = scene.crowd("trackunit", login=token)
    assert _fetched(crowd)
    assert not _fetched(crowd)
    first, second = (vault.approle(name, both_mounts) for name in ("one", "two"))
    port = vault.address.rpartition(":")[2]
    variants: dict[str, dict[str, t.Any]] = {
        "another Vault token": {"token": vault.token(*both_mounts)},
        "an AppRole": {"auth_method": "approle", "role_id": first.role_id, "secret_id": first.secret_id, "token": None},
        "another AppRole": {"auth_method": "approle", "role_id": second.role_id, "secret_id": second.secret_id, "token": None},
        "another secret_id": {
            "auth_method": "approle",
            "role_id": first.role_id,
            "secret_id": vault.secret_id("one"),
            "token": None,
        },
        "another address of Vault": {"url": f"http://localhost:{port}"},
        "another mount": {"engine_mount_point": "other"},
        "a pinned version": {"secret_version": 1},
        "another pinned version": {"secret_version": 2},
        "another scope": {"scope": "api offline_access"},
        "an extra parameter": {"extra_parameters": {"tenant": "a"}},
        "another extra parameter": {"extra_parameters": {"tenant": "b"}},
        "another address of the vendor": {"base_url": f"http://localhost:{scene.emulator.port}/trackunit"},
        "another token_url": {"token_url": f"{scene.emulator.url}/trackunit/token?"},
        "another field": {"credential_fields": {"client_id": "client_id"}},
    }
    problems = []
    for name, options in variants.items():
        if not _fetched(crowd, **options):
            problems.append(f"{name} got the entry")
        if _fetched(crowd, **options):
            problems.append(f"{name} has no entry of its own")
    if not _fetched(crowd, "fleet/trackunit"):
        problems.append("another path got the entry")
    assert problems == []
    assert not _fetched(crowd), "the first one is still there"
    # Options that only say how to reach the servers, or what to do with the token, do not change the entry.
    for same in ({"min_ttl": 600}, {"http_timeout": 3}, {"timeout": 20}, {"authorization_scheme": "Token"}, {"retries": 2}):
        assert not _fetched(crowd, **same), same


def test_variant_and_vendor_select_the_entry(scene: Scene) -> None:
    secret = {**scene.stage.credentials("trackunit"), **scene.stage.credentials("trackunit_v2")}
    scene.vault.put("trackunit", {name: value for name, value in secret.items() if isinstance(value, str)})
    v2 = scene.crowd("trackunit", variant="v2", scope="machines:read")
    assert _fetched(v2)
    scene.stage.store("trackunit")
    password = Crowd(v2.cache, values={name: value for name, value in v2.values.items() if name not in ("variant", "scope")})
    assert _fetched(password)
    custom = {"token_url": scene.emulator.base_url("trackunit") + "/token", "grant_type": "password", "scope": "api"}
    assert _fetched(password, "trackunit", vendor="oauth2", client_auth="basic", base_url=None, **custom)


def test_the_namespace_selects_the_entry(scene: Scene) -> None:
    team = scene.vault.namespace("team")
    for operator in (scene.vault, team):
        operator.put("tracx", scene.stage.credentials("tracx"))
    crowd = scene.crowd("tracx", login=scene.vault.root_token)
    assert _fetched(crowd, vendor="tracx")
    assert _fetched(crowd, vendor="tracx", namespace="team")
    assert not _fetched(crowd, vendor="tracx", namespace="team")


def test_the_files_reveal_no_secret(scene: Scene) -> None:
    scene.stage.store_all()
    login = scene.approle()
    secrets: set[str] = {login.secret_id or "", scene.vault.root_token}
    crowd = scene.crowd("tracktik", login=login)
    tokens = {str(crowd.one(v, base_url=scene.emulator.base_url(v)).token) for v in ("trackmage", "tracx", "tracktik", "trackunit")}
    offline = crowd.one("trackunit", base_url=scene.emulator.base_url("trackunit"), scope="api offline_access")
    secrets |= {*tokens, str(offline.token), *scene.emulator.secrets()}
    content = b"\n".join(crowd.files().values())
    assert len(crowd.files()) >= 7  # five tokens, a login, the key
    shapes = {form for secret in secrets if len(secret) > 6 for form in forms(secret)}
    shapes |= {base64.b64encode(secret.encode()).decode() for secret in secrets if len(secret) > 6}
    assert [form[:6] + "…" for form in shapes if form.encode() in content] == []
    # A Vault token begins with hvs. or s.; the only readable part of each file is one line of JSON.
    assert b"hvs." not in content and login.role_id.encode() not in content


def test_an_entry_needs_its_key_file(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx")
    crowd.one("tracx")
    (crowd.cache / "key").write_bytes(os.urandom(32))
    assert _fetched(crowd, vendor="tracx"), "with another key file the entry cannot be opened"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_private_whatever_the_umask(scene: Scene, umask: int) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx", cache="a/b/cache", login=scene.approle())
    assert crowd.one("tracx", umask=umask).token
    assert stat.S_IMODE(crowd.cache.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in crowd.cache.iterdir()} == {0o600}
    assert [path.name for path in crowd.cache.iterdir() if "." in path.name] == [], "locks and half-written files stay behind"


def _as_link(cache: pathlib.Path) -> None:
    (cache.parent / "real").mkdir(mode=0o700)
    cache.symlink_to(cache.parent / "real")


def _as_file(cache: pathlib.Path) -> None:
    cache.write_text("")


def _writable(cache: pathlib.Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)


def _foreign(cache: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
    cache.mkdir(mode=0o700)
    os.chown(cache, 12345, 12345)


@pytest.mark.parametrize(
    ("make", "says"),
    [(_as_link, "symbolic link"), (_as_file, "not a directory"), (_writable, "written by others"), (_foreign, "another user")],
)
def test_an_unsafe_folder_is_refused(scene: Scene, make: t.Callable[[pathlib.Path], None], says: str) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx")
    make(crowd.cache)
    answer = crowd.one("tracx")
    assert answer.token is None
    assert one_line(answer.error) and says in answer.error and str(crowd.cache) in answer.error and "cache_path" in answer.error
    assert scene.asked() == []


@pytest.fixture
def mounted(tmp_path: pathlib.Path) -> t.Iterator[t.Callable[[], pathlib.Path]]:
    """Mount a small file system; root only."""
    done: list[pathlib.Path] = []

    def mount() -> pathlib.Path:
        place = tmp_path / "mounted"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(place)]
        tried = subprocess.run(command, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
        if tried is None or tried.returncode != 0:
            pytest.skip("a file system can be mounted by root only, and not in every container" + (f": {tried.stderr.strip()}" if tried else ""))
        done.append(place)
        return place

    yield mount
    for place in done:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_costs_a_warning_only(scene: Scene, mounted: t.Callable[[], pathlib.Path]) -> None:
    scene.stage.store("tracx")
    place = mounted()
    crowd = Crowd(place / "cache", values=scene.crowd("tracx").values)
    crowd.cache.mkdir(mode=0o700)
    with contextlib.suppress(OSError), open(place / "filler", "wb", buffering=0) as filler:
        while filler.write(b"\0" * 4096):
            pass
    for _ in range(2):
        answer = crowd.one("tracx")
        assert answer.token, answer.error
        (warning,) = answer.warnings
        assert one_line(warning) and "No space left" in warning and "cache_path" in warning
    assert len(scene.asked()) == 2
    (place / "filler").unlink()
    assert crowd.one("tracx").warnings == ()
    assert crowd.one("tracx").details["source"] == "cache"


def test_a_read_only_disk_costs_a_warning_only(scene: Scene, mounted: t.Callable[[], pathlib.Path]) -> None:
    scene.stage.store("tracx")
    place = mounted()
    crowd = Crowd(place / "cache", values=scene.crowd("tracx").values)
    before = crowd.one("tracx")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    hit = crowd.one("tracx")
    assert (hit.token, hit.warnings) == (before.token, ())
    forced = crowd.one("tracx", force=True)
    assert forced.token not in (None, before.token)
    (warning,) = forced.warnings
    assert "Read-only file system" in warning


def test_damaged_and_planted_entries_are_misses(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx")
    crowd.one("tracx")
    (entry,) = (path for path in crowd.cache.iterdir() if path.name != "key")
    good = entry.read_bytes()
    head, sealed, _end = good.split(b"\n")
    damages: dict[str, bytes] = {
        "empty": b"",
        "cut off": good[:-40],
        "one line": head,
        "garbage": os.urandom(600),
        "deep": b"[" * 100_000,
        "head changed": good.replace(b"tracx", b"traxc", 1),
        "newer schema": good.replace(b'"schema": 1', b'"schema": 2', 1),
        "sealed by others": head + b"\n" + base64.urlsafe_b64encode(os.urandom(300)) + b"\n",
        "bit flipped": head + b"\n" + bytes([sealed[0] ^ 1]) + sealed[1:] + b"\n",
    }
    for name, content in damages.items():
        entry.write_bytes(content)
        assert _fetched(crowd, vendor="tracx"), name
        assert not _fetched(crowd, vendor="tracx"), f"{name}: not written again"
    good = entry.read_bytes()
    entry.chmod(0o644)
    assert _fetched(crowd, vendor="tracx"), "an entry that others may read is not trusted"
    entry.unlink()
    (crowd.cache / "elsewhere").write_bytes(good)
    entry.symlink_to(crowd.cache / "elsewhere")
    assert _fetched(crowd, vendor="tracx"), "a symbolic link is not followed"
    assert not entry.is_symlink()


def test_a_clock_jump_makes_entries_misses(scene: Scene) -> None:
    scene.stage.store("tracx")
    crowd = scene.crowd("tracx")
    ahead = crowd.one("tracx", clock=86400 * 400)
    assert ahead.token
    back = crowd.one("tracx")
    assert back.token not in (None, ahead.token), "an entry from the future says nothing"
    assert crowd.one("tracx").token == back.token
    assert crowd.one("tracx", clock=-30).token == back.token, "half a minute is no jump"
    assert crowd.one("tracx", clock=3600 * 100).token not in (None, back.token)
