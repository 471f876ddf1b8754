# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Wait for the browser at a loopback address (RFC 8252 7.3), and at the terminal for a person who pastes where it was sent to.

Exactly one answer is taken, from whichever comes first. The person sees in the browser what became of it, as the page is sent
only when that is known.
"""

from __future__ import annotations

import html
import os
import queue
import select
import socket
import socketserver
import threading
import typing as t
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from .._base.errors import OptionError, TokenError

__all__ = ("Answer", "Loopback", "Terminal", "open_terminal", "receive")

_SOCKET_TIMEOUT = 10.0  # a browser opens connections ahead and sends nothing on them
_PAGE_PATIENCE = 120.0
_POLL = 0.2
_LONGEST_LINE = 16384

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:sans-serif;max-width:40em;margin:4em auto;padding:0 1em}}</style></head>
<body><h1>{title}</h1><p id="outcome">{text}</p><p>You can close this window.</p></body></html>
"""


class Answer:
    """What came back: ``redirected`` is the address, or its query. Say what became of it with :meth:`close`."""

    def __init__(self, redirected: str) -> None:
        self.redirected = redirected
        self.outcome: queue.Queue[tuple[bool, str]] = queue.Queue(1)
        self.shown = threading.Event()

    def close(self, *, good: bool, text: str) -> None:
        """Tell the browser, where there is one."""
        self.outcome.put((good, text))


class Visit(Answer):
    """An answer by a browser that waits for its page."""

    def close(self, *, good: bool, text: str) -> None:
        super().close(good=good, text=text)
        self.shown.wait(_SOCKET_TIMEOUT)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], path: str, visits: queue.Queue[Answer]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.path = path
        self.visits = visits
        self.first = threading.Lock()  # taken by the first visit, and never released
        super().__init__(address, _Handler)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A browser that goes away is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SOCKET_TIMEOUT
    server_version, sys_version = "trackops.api_tokens", ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != self.server.path:
            self._page(404, "Not here", "This is not the redirect address.")
        elif not self.server.first.acquire(blocking=False):
            self._page(409, "Too late", "An answer was here before.")
        else:
            self._visit()

    def _visit(self) -> None:
        visit = Visit(self.path)
        self.server.visits.put(visit)
        try:
            good, text = visit.outcome.get(timeout=_PAGE_PATIENCE)
            self._page(200 if good else 400, "Done" if good else "No consent", text)
        except queue.Empty:
            self._page(504, "No outcome", "What became of it is told where the playbook runs.")
        finally:
            visit.shown.set()

    def _page(self, status: int, title: str, text: str) -> None:
        body = _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            # The code is in the address of this page: nothing may take it along.
            ("Referrer-Policy", "no-referrer"),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: t.Any) -> None:
        """The request line has the code in it."""


class Loopback:
    """A listener at a loopback address; a context manager."""

    def __init__(self, host: str, port: int, path: str, answers: queue.Queue[Answer]) -> None:
        """:raises OptionError: the port is taken."""
        try:
            self._server = _Server((host, port), path, answers)
        except OSError as exc:
            raise OptionError(
                f"There is no listening at {host}:{port} ({os.strerror(exc.errno or 0).lower()}). "
                "Free that port, or name another one in redirect_uri or listen_port."
            ) from None

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Loopback:
        threading.Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Terminal:
    """Lines that are typed at a terminal."""

    descriptor: int
    _done: threading.Event = field(default_factory=threading.Event)

    def listen(self, answers: queue.Queue[Answer], *, wanted: t.Callable[[str], bool], again: t.Callable[[], None]) -> None:
        """Take the lines that are *wanted*; *again* is called for any other that is not empty."""

        def read() -> None:
            try:
                for line in self._lines():
                    if wanted(line):
                        answers.put(Answer(line))
                    elif line:
                        again()
            finally:
                os.close(self.descriptor)

        threading.Thread(target=read, daemon=True).start()

    def _lines(self) -> t.Iterator[str]:
        line = b""
        while not self._done.is_set():
            if not select.select([self.descriptor], [], [], _POLL)[0]:
                continue
            chunk = _read(self.descriptor)
            if not chunk:
                return
            line += chunk
            if b"\n" in line or len(line) > _LONGEST_LINE:
                yield line.decode("utf-8", "replace").strip()
                line = b""

    def close(self) -> None:
        """Read no more; what is typed then is for whoever comes after."""
        self._done.set()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


def open_terminal(pid: int | None) -> Terminal | None:
    """The terminal that the process *pid* (the one that the person started) has in its foreground.

    Ansible's workers have no terminal of their own. Where /proc is missing (not Linux) there is none.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            facts = file.read().rpartition(b")")[2].split()
        if facts[2] != facts[5]:  # its process group, and the terminal's: in the background it must not take the shell's input
            return None
        descriptor = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, IndexError):
        return None
    if not os.isatty(descriptor):
        os.close(descriptor)
        return None
    return Terminal(descriptor)


_T = t.TypeVar("_T")


def receive(answers: queue.Queue[Answer], finish: t.Callable[[str], _T], *, timeout: float, describe: t.Callable[[_T], str]) -> _T:
    """What *finish* makes of the one answer.

    :arg timeout: seconds to wait.
    :arg describe: what the browser shows of the result.
    :raises queue.Empty: nobody came.
    """
    answer = answers.get(timeout=timeout)
    try:
        result = finish(answer.redirected)
    except TokenError as exc:
        answer.close(good=False, text=exc.message)
        raise
    answer.close(good=True, text=describe(result))
    return result
