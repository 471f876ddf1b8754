# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that is stopped while it holds a lock, and the hosts of a run that wait for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CacheError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.patient_lock import patient_lock
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.slot import token_keys
from support.scripted import Scene, access, request_for

pytestmark = pytest.mark.system

HOLD = """
import sys
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
with FileStore(sys.argv[1], warn=print).try_lock(sys.argv[2]) as locked:
    print(locked, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path):
    """Another process holds the lock of TrackTik's token, until the test ends."""
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


def test_a_stopped_holder_costs_a_run_one_wait(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene()
    process = hold(request)
    message, waited = failing(scene, request)
    assert 180 <= waited < 181
    lock = rf"{re.escape(str(tmp_path))}/cache/[0-9a-f]{{32}}\.lock"
    assert re.fullmatch(
        rf"tracktik: no token for secret/fleet/x: process {process.pid} \([^)]+\) has held the lock {lock} for 180 s\. "
        rf"It is stopped: continue it \(kill -CONT {process.pid}\) or end it\.",
        message,
    )
    for _host in range(20):
        assert failing(scene, request) == (message, 0)
    assert failing(scene, request, run="run-2")[1] >= 180, "another run waits for itself"
    scene.now += 331
    assert failing(scene, request)[1] >= 180, "and so does this one, after a while"


def test_when_it_goes_on_nothing_is_remembered(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene(access("one"))
    process = hold(request)
    failing(scene, request)
    process.send_signal(signal.SIGCONT)
    process.communicate()
    assert Resolver(scene.ports).token(request).access_token == "one"


def test_another_holder_is_waited_for(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene()
    first = hold(request)
    failing(scene, request)
    first.kill()
    first.wait()
    second = hold(request, stopped=False)
    message, waited = failing(scene, request)
    assert waited >= 180
    assert f"process {second.pid} " in message
    assert message.endswith("See what it waits for, or end it.")


def test_a_token_that_is_still_valid_serves(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene(access("one"))
    Resolver(scene.ports).token(request)
    hold(request)
    scene.now += 3350
    assert Resolver(scene.ports).token(request_for("tracktik", cache=request.cache.path, min_ttl=600)).access_token == "one"
    assert "It is stopped" in scene.warnings[0] and "The cached token is used" in scene.warnings[0]


def test_a_lock_file_that_names_nobody(tmp_path, hold):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene()
    hold(request)
    (lock,) = (tmp_path / "cache").glob("*.lock")
    lock.write_text("somebody")
    assert f"another process has held the lock {lock} for 180 s. See which one (fuser {lock}), and end it." in failing(scene, request)[0]


def test_what_fails_under_the_lock_is_not_its_fault(tmp_path):
    request, scene = request_for("tracktik", cache=str(tmp_path / "cache")), Scene()
    store = FileStore(request.cache.path, warn=pytest.fail)
    keys = token_keys(request, store.user_key())
    for _ in range(2):
        with pytest.raises(CacheError, match="mine"), patient_lock(request, store, keys, scene.ports):
            raise CacheError("mine")
