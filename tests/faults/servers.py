# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faulty Vaults: one with scripted answers, and real ones that cannot serve."""

from __future__ import annotations

import collections
import contextlib
import json
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.vault import VaultServer

Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}
# By the name in the address: status, headers, body.
ANSWERS: dict[str, Answer] = {
    **{str(status): (status, JSON, json.dumps({"errors": ["scripted"]}).encode()) for status in (400, 404, 405, 412, 429, 472, 473, 500, 502, 503, 504)},
    "web-page": (200, {"Content-Type": "text/html"}, b"<html>log in to the proxy first</html>"),
    "web-page-503": (503, {"Content-Type": "text/html"}, b"<html>maintenance</html>"),
    "empty": (200, JSON, b""),
    "garbage": (200, JSON, b'{"data": {'),
    "list": (200, JSON, b"[]"),
    "null": (200, JSON, b"null"),
    "no-data": (200, JSON, b"{}"),
    "data-null": (200, JSON, b'{"data": null}'),
    "data-list": (200, JSON, b'{"data": {"data": [], "metadata": {"version": 1}}}'),
    "text-as-data": (200, JSON, b'{"data": {"data": "text", "metadata": {"version": 1}}}'),
    "huge": (200, JSON, b'{"data": "' + b"x" * (12 * 2**20) + b'"}'),
    "redirect": (307, {"Location": "http://127.0.0.1:1/v1/elsewhere"}, b""),
    "bad-gzip": (200, {**JSON, "Content-Encoding": "gzip"}, b"no gzip at all"),
}


class ScriptedVault:
    """Answers requests to ``url/NAME`` with ``ANSWERS[NAME]``. ``drip`` sends a byte every half second, and ``cut`` only half of the headers."""

    def __init__(self) -> None:
        asked: collections.Counter[str] = collections.Counter()
        self._asked = asked

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                name = self.path.split("/")[1]
                asked[name] += 1
                if name == "drip":
                    self.drip()
                    return
                if name == "cut":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Le")
                    self.close_connection = True
                    return
                status, headers, body = ANSWERS[name]
                self.send_response(status)
                for header, value in headers.items():
                    self.send_header(header, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # clients disconnect once they have read enough of a huge answer
                    self.wfile.write(body)

            def drip(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "600")
                self.end_headers()
                try:
                    for _ in range(600):
                        self.wfile.write(b" ")
                        self.wfile.flush()
                        time.sleep(0.5)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_LIST = do_DELETE = answer

            def log_message(self, *_: t.Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def counts(self) -> dict[str, int]:
        """Number of requests to each name."""
        return dict(self._asked)

    def __enter__(self) -> ScriptedVault:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Brokens:
    """Real Vaults that cannot serve: sealed, paused with open connections, gone. One more has TLS."""

    def __init__(self, stack: contextlib.ExitStack, flavour: str) -> None:
        self.sealed, self.paused, self.gone = (stack.enter_context(VaultServer(flavour)) for _ in range(3))
        self.tls = stack.enter_context(VaultServer(flavour, tls=True))
        self.sealed.seal()
        self.paused.process.pause()
        self.gone.stop()
