# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Listen at a loopback address for the browser that the vendor redirects back (RFC 8252 7.3).

Any user of this machine and any web page can send requests to this address. So a request ends the wait only if it has the state of the
request for consent. All others get an error page, and the wait goes on.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import html
import os
import queue
import socket
import socketserver
import threading
import typing as t
from http.server import BaseHTTPRequestHandler

from .._base.errors import OptionError, TokenError

__all__ = ("AuthorizationResponse", "Loopback", "receive")

_SOCKET_TIMEOUT = 10.0  # seconds; browsers open connections in advance and send nothing on them
_PAGE_PATIENCE = 120.0
_POLL = 0.2
_MOST_CONNECTIONS = 64  # at once; the oldest is closed, so that other users' idle ones do not keep the browser out
_PORT_ATTEMPTS = 20
_IPV4, _IPV6 = "127.0.0.1", "::1"
_NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:sans-serif;max-width:40em;margin:4em auto;padding:0 1em}}</style></head>
<body><h1>{title}</h1><p id="outcome">{text}</p><p>{tail}</p></body></html>
"""
_CLOSE = "You can close this window."
_WAITING = "The playbook is still waiting for the right response."


class AuthorizationResponse:
    """The response: ``redirected`` is the redirect URL, or its query. Report the outcome with :meth:`close`."""

    def __init__(self, redirected: str) -> None:
        self.redirected = redirected
        self.outcome: queue.Queue[tuple[bool, str]] = queue.Queue(1)
        self.shown = threading.Event()

    def close(self, *, good: bool, text: str) -> None:
        """Report the outcome to the browser, if there is one."""
        self.outcome.put((good, text))


class Visit(AuthorizationResponse):
    """A response from a browser that waits for its page."""

    def close(self, *, good: bool, text: str) -> None:
        super().close(good=good, text=text)
        self.shown.wait(_SOCKET_TIMEOUT)


class _Door:
    """Shared by the listeners of one consent: which request is the response, and that it is accepted only once."""

    def __init__(self, path: str, responses: queue.Queue[AuthorizationResponse]) -> None:
        self.path = path
        self.responses = responses
        self.refused = 0
        # Loopback.listen sets these before a server accepts connections.
        self.authorities: t.Collection[str]
        self.is_response: t.Callable[[str], bool]
        self._first = threading.Lock()  # acquired by the response, and never released

    def take(self) -> bool:
        return self._first.acquire(blocking=False)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], door: _Door) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.door = door
        self._open: collections.deque[socket.socket] = collections.deque()
        super().__init__(address, _Handler)

    def process_request(self, request: t.Any, client_address: t.Any) -> None:
        self._open.append(request)
        while len(self._open) > _MOST_CONNECTIONS:
            _hang_up(self._open.popleft())
        super().process_request(request, client_address)

    def shutdown_request(self, request: t.Any) -> None:
        self.keep(request)
        super().shutdown_request(request)

    def keep(self, request: socket.socket) -> None:
        """Exempt *request* from being closed to make room for others."""
        with contextlib.suppress(ValueError):  # closed to make room
            self._open.remove(request)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Ignore it: the browser closed the connection."""


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)  # its thread notices and closes it


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SOCKET_TIMEOUT
    server_version, sys_version = "trackops.api_tokens", ""

    def do_GET(self) -> None:
        door = self.server.door
        if (self.headers.get("Host") or "").lower() not in door.authorities:
            # A foreign name that an attacker's DNS points to this machine (DNS rebinding).
            self._refuse(421, "Not here", "This is not the redirect address.")
        elif self.path.partition("?")[0] != door.path:
            self._refuse(404, "Not here", "This is not the redirect address.")
        elif not door.is_response(self.path):
            self._refuse(400, "Not the response", "This is not the response that the playbook is waiting for: it does not have the state of the request.")
        elif not door.take():
            self._refuse(409, "Too late", "A response has already arrived.")
        else:
            self.server.keep(self.connection)
            self._visit()

    def _visit(self) -> None:
        visit = Visit(self.path)
        self.server.door.responses.put(visit)
        try:
            good, text = visit.outcome.get(timeout=_PAGE_PATIENCE)
            self._page(200 if good else 400, "Done" if good else "No consent", text, _CLOSE)
        except queue.Empty:
            self._page(504, "No outcome", "The terminal of the playbook shows the outcome.", _CLOSE)
        finally:
            visit.shown.set()

    def _refuse(self, status: int, title: str, text: str) -> None:
        self.server.door.refused += 1
        self._page(status, title, text, _WAITING)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse another method, or a malformed request."""
        self._refuse(code, "Not the response", "A vendor does not redirect a browser with such a request.")

    def _page(self, status: int, title: str, text: str, tail: str) -> None:
        body = _PAGE.format(title=html.escape(title), text=html.escape(text), tail=tail).encode()
        self.close_connection = True
        self.send_response(status)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            # The URL of this page contains the code: nothing may pass it on.
            ("Referrer-Policy", "no-referrer"),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, format: str, *args: t.Any) -> None:
        """Log nothing: the request line contains the authorization code."""


class Loopback:
    """Reserves the loopback address of a redirect, and listens there after :meth:`listen`. A context manager."""

    def __init__(self, host: str, port: int, path: str, responses: queue.Queue[AuthorizationResponse]) -> None:
        """:raises OptionError: the port is taken."""
        self._door = _Door(path, responses)
        self._servers = _bound(host, port, self._door)
        self._listening = False

    @property
    def port(self) -> int:
        return int(self._servers[0].server_address[1])

    @property
    def refused(self) -> int:
        """How many requests were not the response."""
        return self._door.refused

    def listen(self, authority: str, is_response: t.Callable[[str], bool]) -> None:
        """Accept the request for which *is_response* is true as the response.

        :arg authority: host and port of the redirect URL, as a browser sends them.
        """
        self._door.authorities = _authorities(authority)
        self._door.is_response = is_response
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True).start()
        self._listening = True

    def __enter__(self) -> Loopback:
        return self

    def __exit__(self, *_exc: object) -> None:
        for server in self._servers:
            if self._listening:  # otherwise it would wait for a thread that never started
                server.shutdown()
            server.server_close()


def _authorities(authority: str) -> tuple[str, ...]:
    authority = authority.lower()
    return (authority, authority.removesuffix(":80")) if authority.endswith(":80") else (authority,)


def _bound(host: str, port: int, door: _Door) -> list[_Server]:
    """The servers for *host*. For ``localhost`` bind both loopback addresses: a program at the other one could receive the code."""
    addresses = (_IPV4, _IPV6) if host == "localhost" else (host,)
    attempts = 1 if port else _PORT_ATTEMPTS
    while True:
        attempts -= 1
        servers: list[_Server] = []
        try:
            for address in addresses:
                server = _bind(address, servers[0].server_address[1] if servers else port, door, optional=bool(servers))
                servers.extend([server] if server else [])
        except _Taken as exc:
            for server in servers:
                server.server_close()
            if not (attempts and servers):  # if only the second address was taken, try another port
                raise OptionError(_taken(exc), fault="consent:port") from None
        else:
            return servers


class _Taken(Exception):
    def __init__(self, address: str, port: int, reason: str) -> None:
        super().__init__()
        self.address, self.port, self.reason = address, port, reason


def _taken(exc: _Taken) -> str:
    where = f"[{exc.address}]:{exc.port}" if ":" in exc.address else f"{exc.address}:{exc.port}"
    return (
        f"Cannot listen at {where} ({exc.reason}), and another program there could receive the authorization code. "
        "Free that port, or give another one in redirect_uri or listen_port."
    )


def _bind(address: str, port: int, door: _Door, *, optional: bool) -> _Server | None:
    try:
        return _Server((address, port), door)
    except OSError as exc:
        if optional and exc.errno in _NO_IPV6:  # this machine does not have that address, so no program can use it
            return None
        raise _Taken(address, port, os.strerror(exc.errno or 0).lower()) from None


_T = t.TypeVar("_T")


def receive(responses: queue.Queue[AuthorizationResponse], finish: t.Callable[[str], _T], *, timeout: float, describe: t.Callable[[_T], str]) -> _T:
    """The result of *finish* for the response.

    :arg timeout: seconds to wait.
    :arg describe: the text about the result for the browser.
    :raises queue.Empty: there was no response.
    """
    response = responses.get(timeout=timeout)
    try:
        result = finish(response.redirected)
    except TokenError as exc:
        response.close(good=False, text=exc.coded_message)
        raise
    response.close(good=True, text=describe(result))
    return result
