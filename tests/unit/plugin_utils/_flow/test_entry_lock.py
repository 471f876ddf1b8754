# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that is stopped while it holds a lock, and the hosts of a run that wait for the lock."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CacheError, LockTimeout
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import Keys
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.entry_lock import entry_lock
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.slot import token_keys
from support.scripted import CONSENT_VENDOR, Scene, access, request_for, vault_options

HOLD = """
import sys
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
with FileStore(sys.argv[1], warn=print).try_lock(sys.argv[2]) as locked:
    print(locked, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path):
    """Let another process hold the lock of TrackTik's token until the test ends."""
    processes = []

    def holding(request, name=None, *, stopped=True):
        store = FileStore(request.cache.path, warn=pytest.fail)
        name = name or token_keys(request, store.user_key()).name
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen([sys.executable, "-c", HOLD, request.cache.path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        processes.append(process)
        assert process.stdout.readline() == b"True\n"
        if stopped:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        return process

    yield holding
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def failing(scene, request, run="run-1"):
    started = scene.now
    with pytest.raises(CacheError) as caught:
        Resolver(scene.as_run(run)).token(request)
    return caught.value.message, scene.now - started


@pytest.mark.system
def test_a_stopped_lock_holder_costs_a_run_one_wait(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene()
    process = hold(request)
    message, waited = failing(scene, request)
    assert 180 <= waited < 181
    lock = rf"{re.escape(str(tmp_path))}/cache/[0-9a-f]{{32}}\.lock"
    assert re.fullmatch(
        rf"tracktik: no token for secret/fleet/x: process {process.pid} \([^)]+\) has held the lock {lock} for 180 s\. "
        rf"It is suspended: resume it \(kill -CONT {process.pid}\) or stop it\.",
        message,
    )
    for _host in range(20):
        assert failing(scene, request) == (message, 0)
    assert failing(scene, request, run="run-2")[1] >= 180, "another run waits for itself"
    scene.now += 331
    assert failing(scene, request)[1] >= 180, "and so does this one, after a while"


@pytest.mark.system
def test_a_holder_that_continues_is_not_remembered(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene(access("one"))
    process = hold(request)
    failing(scene, request)
    process.send_signal(signal.SIGCONT)
    process.communicate()
    assert Resolver(scene.ports).token(request).access_token == "one"


@pytest.mark.system
def test_a_later_holder_is_waited_for_again(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene()
    first = hold(request)
    failing(scene, request)
    first.kill()
    first.wait()
    second = hold(request, stopped=False)
    message, waited = failing(scene, request)
    assert waited >= 180
    assert f"process {second.pid} " in message
    assert message.endswith("Check what it is waiting for, or stop it.")


@pytest.mark.system
def test_a_valid_token_is_served_while_the_lock_is_held(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene(access("one"))
    Resolver(scene.ports).token(request)
    hold(request)
    scene.now += 3350
    assert Resolver(scene.ports).token(request_for("tracktik", cache=request.cache.path, min_ttl=600)).access_token == "one"
    assert "It is suspended" in scene.warnings[0] and "The cached token, still valid until" in scene.warnings[0]


@pytest.mark.system
def test_a_lock_file_without_a_process_id_advises_fuser(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene()
    hold(request)
    (lock,) = (tmp_path / "cache").glob("*.lock")
    lock.write_text("somebody")
    assert f"another process has held the lock {lock} for 180 s. Find it with fuser {lock}, and stop it." in failing(scene, request)[0]


def test_an_error_under_the_lock_is_raised_unchanged(tmp_path):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene()
    store = FileStore(request.cache.path, warn=pytest.fail)
    keys = token_keys(request, store.user_key())
    for _ in range(2):
        with pytest.raises(CacheError, match="mine"), entry_lock(request, store, keys, scene.ports):
            raise CacheError("mine")


# -- in one process, which locks the same file twice -------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path):
    """A request, its cache, and the keys of its entry."""
    request = request_for("tracktik", cache=str(tmp_path / "cache"))
    store = FileStore(request.cache.path, warn=pytest.fail)
    return request, store, token_keys(request, store.user_key())


def held_elsewhere(store, keys):
    return FileStore(store.path, warn=pytest.fail).try_lock(keys.name)


def is_free(store, keys):
    with held_elsewhere(store, keys) as free:
        return free


def test_the_lock_is_held_until_the_block_ends(asked):
    request, store, keys = asked
    scene = Scene()
    with entry_lock(request, store, keys, scene.ports) as locked:
        assert (locked, is_free(store, keys)) == (True, False)
    assert (is_free(store, keys), scene.slept) == (True, [])


def test_the_lock_is_waited_for(asked):
    request, store, keys = asked
    scene = Scene()
    with contextlib.ExitStack() as stack:
        stack.enter_context(held_elsewhere(store, keys))
        scene.while_asleep = lambda times: times == 3 and stack.close()
        with entry_lock(request, store, keys, scene.ports) as locked:
            assert (locked, is_free(store, keys)) == (True, False)
    assert len(scene.slept) == 3


def waiting(request, store, keys, scene, run="run-1"):
    """Wait for the lock in vain. Each pause is 40 times as long as usual, so that three minutes need few of them."""
    started, ports = scene.now, scene.as_run(run)
    ports = dataclasses.replace(ports, sleep=lambda seconds: scene.ports.sleep(40 * seconds))
    with pytest.raises(CacheError) as caught, entry_lock(request, store, keys, ports):
        pass
    return type(caught.value), caught.value.message, int((scene.now - started) / 10)


def test_a_run_waits_only_once_for_a_lock(asked):
    request, store, keys = asked
    scene = Scene()
    with held_elsewhere(store, keys):
        family, message, waited = waiting(request, store, keys, scene)
        assert (family, waited) == (LockTimeout, 18)
        ended = scene.now
        # Kept for as long as a failure is remembered, plus ten times the wait, but at most plus five minutes.
        (noted,) = (header for _name, header in store.headers())
        assert noted == {"schema": 1, "kind": "lock", "vendor": "tracktik", "path": "secret/fleet/x", "expires_at": int(ended + 30 + 300)}
        assert waiting(request, store, keys, scene) == (CacheError, message, 0)
        assert waiting(request, store, keys, scene, run="run-2")[::2] == (LockTimeout, 18)
        assert waiting(request, store, keys, scene) == (CacheError, message, 0)
        scene.now = ended + 331
        assert waiting(request, store, keys, scene)[::2] == (LockTimeout, 18)
    with entry_lock(request, store, keys, scene.ports) as locked:
        assert locked


def test_a_wait_for_one_entry_does_not_shorten_the_wait_for_another(asked):
    request, store, keys = asked
    scene, other = Scene(), Keys("0" * 32, keys.fernet)
    with held_elsewhere(store, keys), held_elsewhere(store, other):
        assert waiting(request, store, keys, scene)[2] == 18
        assert waiting(request, store, other, scene)[2] == 18


def test_a_lock_held_by_another_process_is_waited_for_again(asked):
    request, store, keys = asked
    scene = Scene()
    with held_elsewhere(store, keys):
        waiting(request, store, keys, scene)
        (pathlib.Path(store.path) / f"{keys.name}.lock").write_text("1\n")
        assert waiting(request, store, keys, scene)[::2] == (LockTimeout, 18)


def test_the_wait_is_as_long_as_a_call_may_take(asked):
    request, store, keys = asked
    request = dataclasses.replace(request, http=dataclasses.replace(request.http, deadline=20), vault=vault_options(timeout=50))
    scene = Scene()
    with held_elsewhere(store, keys):
        assert waiting(request, store, keys, scene)[2] == 18  # 20 s for the vendor, 100 s for Vault, and 60 s more


class Spared(FileStore):
    """A store that can keep nothing, although all went well."""

    def succeeded_unstored(self, keys):
        return bool(keys)


@pytest.mark.parametrize(("vendor", "free"), [("tracktik", True), (CONSENT_VENDOR, False)])
def test_without_a_cache_only_single_use_credentials_hold_the_lock(tmp_path, vendor, free):
    request, store = request_for(vendor, cache=str(tmp_path / "cache")), Spared(str(tmp_path / "cache"), warn=pytest.fail)
    keys = token_keys(request, store.user_key())
    with entry_lock(request, store, keys, Scene().ports) as locked:
        assert (locked, is_free(store, keys)) == (True, free)


def test_without_locks_the_block_runs_unlocked(asked):
    request, _store, keys = asked
    scene = Scene()
    with entry_lock(request, FileStore("", warn=lambda text: None), keys, scene.ports) as locked:
        assert locked is False
    assert scene.slept == []
