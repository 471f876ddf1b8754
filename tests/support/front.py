# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
An HTTP proxy that itself answers for any host, over TLS with a certificate of the test's own CA.

::

    with Front(Ca(folder), {"api.example.com": handler}) as front:
        ...    # http_proxy=front.url, http_ca_cert=front.ca_cert: https://api.example.com/… comes to handler

So requests use the real addresses of a description. Unknown hosts are never contacted: the proxy answers 502.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from emulator.base import Answer, Call

from .pki import Ca

Handler = t.Callable[[str, Call], Answer]


class Front:
    """See the module. ``calls`` are the requests received, with their hosts; ``unknown`` are the hosts that it does not know."""

    def __init__(self, ca: Ca, hosts: t.Iterable[str], handler: Handler) -> None:
        self.hosts, self.handler = frozenset(hosts), handler
        self.ca_cert = str(ca.cert)
        self.calls: list[tuple[str, Call]] = []
        self.unknown: list[str] = []
        pair = ca.server("front", hosts=sorted(self.hosts))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.cert, pair.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._connection())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Front:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _connection(self) -> type[BaseHTTPRequestHandler]:
        front = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            host = ""

            def do_CONNECT(self) -> None:
                self.host = self.path.rpartition(":")[0]
                if self.host not in front.hosts:
                    front.unknown.append(self.host)
                    self.send_error(502)
                    return
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(OSError):  # a client that does not trust our CA hangs up
                    self.connection = front._context.wrap_socket(self.connection, server_side=True)
                    self.rfile = self.connection.makefile("rb", -1)
                    self.wfile = t.cast(t.Any, self.connection.makefile("wb", 0))
                    self.handle_one_request()
                    self.connection.unwrap()
                self.close_connection = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path, _, query = self.path.partition("?")
                call = Call(self.command, path, query, self.headers, body, f"https://{self.host}", {})
                front.calls.append((self.host, call))
                answer = front.handler(self.host, call)
                self.send_response(answer.status)
                for name, value in (*answer.headers, ("Content-Length", str(len(answer.body))), ("Connection", "close")):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_PUT = do_DELETE = do_POST

            def log_message(self, format: str, *args: t.Any) -> None:
                """Print nothing."""

        return Connection
