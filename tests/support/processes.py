# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that end with the test run, however it ends; free ports; a mute server; waiting. Standard library only."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t

_PR_SET_PDEATHSIG = 1


class Unavailable(Exception):
    """Something that the tests use is not available on this machine; the text says why."""


class StartError(Exception):
    """A server did not start; the text ends with its log."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port for a server that cannot choose one itself; for a minute the kernel assigns it to nobody else."""
    with socket.create_server((host, 0)) as server, socket.socket() as client:
        port: int = server.getsockname()[1]
        client.connect(("127.0.0.1" if host == "0.0.0.0" else host, port))
        # The side that closes first keeps the port in TIME_WAIT: it can be bound by number (SO_REUSEADDR), but is not assigned automatically.
        server.accept()[0].close()
        client.recv(1)
    return port


_CLOSED: list[socket.socket] = []


def closed_port() -> int:
    """A port where nobody listens while this process lives: it is bound here, without listening."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    _CLOSED.append(held)
    port: int = held.getsockname()[1]
    return port


def wait_for(what: str, ready: t.Callable[[], object], *, timeout: float = 300, pause: float = 0.05) -> t.Any:
    """Call ``ready`` until it returns something true, and return that; an exception counts as not ready."""
    end = time.monotonic() + timeout
    last: Exception | None = None
    while time.monotonic() < end:
        try:
            value = ready()
            if value:
                return value
        except Exception as exc:
            last = exc
        time.sleep(pause)
    raise StartError(f"waited {timeout:g} s for {what}" + (f": {last}" if last else ""))


def port_open(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def find_binary(*names: str, folders: t.Sequence[str] = ()) -> str | None:
    """The first program of this name beside the running Python, on PATH, or in the given folders."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", ""), *folders])
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    return None


def descendants(pid: int) -> list[int]:
    """All living children of a process, their children and so on (Linux; elsewhere none)."""
    children: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found: list[int] = []
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def command_lines(*pids: int) -> set[bytes]:
    """The command lines of these processes and their descendants, as every user can read them now; other tests' processes are left out."""
    found: set[bytes] = set()
    for member in {*pids, *(below for pid in pids for below in descendants(pid))}:
        with contextlib.suppress(OSError):
            found.add(pathlib.Path(f"/proc/{member}/cmdline").read_bytes())
    return found


class Process:
    """A server in its own session, with its output in a file. It is ended at exit, or by the kernel if we are killed."""

    def __init__(self, command: t.Sequence[str], *, log: pathlib.Path, env: t.Mapping[str, str] | None = None, cwd: pathlib.Path | None = None) -> None:
        self.command = list(command)
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as output:
            # Not from another thread: the kernel sends its signal when the thread that started the child ends.
            self.popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self, what: str, ready: t.Callable[[], object], *, timeout: float = 300) -> t.Any:
        """Like ``wait_for``, but give up at once if the process has ended, and show its log."""

        def check() -> object:
            return "ended" if not self.running else ready()

        try:
            value = wait_for(what, check, timeout=timeout)
        except StartError as exc:
            self.stop()
            raise StartError(f"{exc}\n{self._tail()}") from None
        if value == "ended":
            raise StartError(f"{what} ended at once with {self.popen.returncode}\n{self._tail()}")
        return value

    def stop(self, *, grace: float = 3) -> None:
        """End it and all that it started; a second call does nothing."""
        atexit.unregister(self.stop)
        if self.popen.returncode is not None:
            return
        _signal([self.pid], signal.SIGCONT)
        family = descendants(self.pid)
        _signal(family, signal.SIGTERM)
        with contextlib.suppress(StartError):
            # End children first, so that their parent reaps them: orphans remain zombies if process 1 does not reap.
            wait_for("the children's end", lambda: not descendants(self.pid), timeout=0.5)
        _signal([self.pid], signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(grace)
        _signal(family, signal.SIGKILL)
        if self.running:
            self.popen.kill()
        self.popen.wait()

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self.popen.kill()
        self.popen.wait()

    def pause(self) -> None:
        """Stop answering but keep connections open, as an overloaded server does."""
        self.popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def _tail(self) -> str:
        return "\n".join(self.output().splitlines()[-15:])


def _signal(pids: t.Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class MuteServer:
    """A server that accepts connections and never answers."""

    def __enter__(self) -> str:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.held: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def _take(self) -> None:
        try:
            while True:
                self.held.append(self.socket.accept()[0])
        except OSError:
            return

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        for connection in self.held:
            connection.close()
