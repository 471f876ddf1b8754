# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Many processes that ask for a token at the same moment, without Ansible's start-up time: each runs the core that the lookups call.

::

    crowd = Crowd(tmp_path / "cache", values={"url": vault.address, "token": token, "base_url": emulator.base_url("tracx")})
    answers = crowd.ask("tracx", callers=50)                    # all of them at once, sharing one cache folder
    assert {answer.token for answer in answers} == {...}
    crowd.ask("tracx", callers=64, homes=tmp_path / "homes")    # each with its own cache folder, as on 64 controllers
    with crowd.start("tracx") as running: running.kill()        # one caller, killed with -9

The options are those of the lookups (``force=True``, ``min_ttl=…``). ``clock`` moves the callers' clocks, in seconds. The callers are forks of
one process (``same_run=True``: the cache sees them as forks of one run; otherwise each is its own run).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

from .collection import source_path
from .places import TESTS

_TIMEOUT = 600


@dataclasses.dataclass(frozen=True)
class Answer:
    """One caller's result: a token or an error, the names of the events, warnings, and the duration."""

    token: str | None = dataclasses.field(repr=False)
    error: str
    events: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float
    details: dict[str, t.Any] = dataclasses.field(repr=False)
    modules: tuple[str, ...]


class Running:
    """Callers that are still running."""

    def __init__(self, job: dict[str, t.Any], env: dict[str, str]) -> None:
        # Its own session, so that all callers can be killed together.
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "support.crowd"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self.popen.stdin is None:
            raise RuntimeError("no pipe")
        self.popen.stdin.write(json.dumps(job))
        self.popen.stdin.close()
        self.popen.stdin = None

    def answers(self) -> list[Answer]:
        output, errors = self.popen.communicate(timeout=_TIMEOUT)
        lines = [json.loads(line) for line in output.splitlines()]
        if self.popen.returncode != 0:
            raise RuntimeError(f"the callers ended with {self.popen.returncode}:\n{errors[-3000:]}")
        return [Answer(**{**line, "events": tuple(line["events"]), "warnings": tuple(line["warnings"]), "modules": tuple(line["modules"])}) for line in lines]

    def kill(self) -> None:
        """Kill all callers at once, as kill -9 does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.communicate()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Crowd:
    """Callers with the same options; ``cache`` is their cache folder."""

    def __init__(self, cache: pathlib.Path, *, values: t.Mapping[str, t.Any]) -> None:
        self.cache = cache
        self.values = dict(values)

    def ask(self, vendor: str, *paths: str, callers: int = 1, **options: t.Any) -> list[Answer]:
        """Let all callers ask at the same moment; returns all answers."""
        return self.start(vendor, *paths, callers=callers, **options).answers()

    def one(self, vendor: str, *paths: str, **options: t.Any) -> Answer:
        (answer,) = self.ask(vendor, *paths, **options)
        return answer

    def start(
        self,
        vendor: str,
        *paths: str,
        callers: int = 1,
        homes: pathlib.Path | None = None,
        clock: float = 0,
        same_run: bool = False,
        preload: bool | None = None,
        umask: int | None = None,
        **options: t.Any,
    ) -> Running:
        # Callers are forks of one process; shared imports happen once, except in tests of imports.
        values = {"cache_path": str(self.cache), **self.values, **options}
        job = {
            "vendor": vendor,
            "path": paths[0] if paths else None,
            "values": values,
            "callers": callers,
            "homes": str(homes) if homes else None,
            "clock": clock,
            "same_run": same_run,
            "preload": callers > 1 if preload is None else preload,
            "umask": umask,
        }
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.cache.parent), "LANG": "C.UTF-8"}
        env["PYTHONPATH"] = os.pathsep.join((str(source_path()), str(TESTS)))
        return Running(job, env)

    def files(self) -> dict[str, bytes]:
        """All files of the cache folder, with their contents."""
        return {path.name: path.read_bytes() for path in self.cache.iterdir() if path.is_file()} if self.cache.is_dir() else {}


# -- the other side: runs in the callers' process ----------------------------------------------------------------------


def _main() -> None:
    job = json.load(sys.stdin)
    if job["umask"] is not None:
        os.umask(job["umask"])
    if job["preload"]:
        _import_all()
    start = time.monotonic() + 0.1 + 0.004 * job["callers"]
    if job["callers"] == 1:
        _tell(_call(job, 0, start))
        return
    pids = [_fork(job, number, start) for number in range(job["callers"])]
    failed = [pid for pid in pids if os.waitpid(pid, 0)[1] != 0]
    sys.exit(1 if failed else 0)


def _fork(job: dict[str, t.Any], number: int, start: float) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _tell(_call(job, number, start))
            status = 0
        finally:
            os._exit(status)
    return pid


def _tell(answer: dict[str, t.Any]) -> None:
    # One write per line, so that lines of several callers do not mix: a pipe writes up to 4096 bytes at once, and usual lines are shorter.
    os.write(1, (json.dumps(answer) + "\n").encode())


def _import_all() -> None:
    import hvac  # noqa: F401
    import requests  # noqa: F401
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary import options, real_ports  # noqa: F401
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow import fetch, resolver, shared_fetch, shared_store  # noqa: F401
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault import client  # noqa: F401
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor import transport  # noqa: F401
    from cryptography.fernet import Fernet  # noqa: F401


def _call(job: dict[str, t.Any], number: int, start: float) -> dict[str, t.Any]:
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.options import Surroundings, request_from
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.real_ports import real_ports
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver

    events: list[str] = []
    warnings: list[str] = []

    def heard(event: Event) -> None:
        events.append(event.name)

    def now() -> float:
        return time.time() + float(job["clock"])

    values = dict(job["values"])
    if job["homes"]:
        values["cache_path"] = os.path.join(job["homes"], str(number), "cache")
        os.makedirs(os.path.dirname(values["cache_path"]), exist_ok=True)
    run = "one" if job["same_run"] else str(os.getpid())
    ports = real_ports(clock=now, warn=warnings.append, event=heard, run=f"{run}-{os.getppid()}")
    request = request_from(job["vendor"], job["path"], values, surroundings=Surroundings(os.environ, os.environ["HOME"], _read_text))
    before = set(sys.modules)
    time.sleep(max(0.0, start - time.monotonic()))
    begun = time.monotonic()
    token, error, details = None, "", {}
    try:
        found = Resolver(ports).token(request)
        token = found.access_token
        details = {"expires_at": found.expires_at, "issued_at": found.issued_at, "source": found.source, "scope": found.scope}
    except TokenError as exc:
        error = exc.message
    new = sorted({name.partition(".")[0] for name in set(sys.modules) - before} & {"hvac", "requests", "urllib3", "socket", "ssl"})
    return {
        "token": token,
        "error": error,
        "events": events,
        "warnings": warnings,
        "seconds": time.monotonic() - begun,
        "details": details,
        "modules": new,
    }


def _read_text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


if __name__ == "__main__":
    _main()
