# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile Vault: every answer is an error, or a redirect, that repeats the request's body and credentials, each time in another form."""

from __future__ import annotations

import itertools
import json
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

from emulator.faults import ECHOES

#: Addresses that urllib, requests or urllib3 refuse, most of them with an exception that quotes them. They remove the tab.
REDIRECTS = (
    "http://127.0.0.1:1\t{}/",
    "https://127.0.0.1:1\t{}/",
    "http://127.0.0.1:99999/{}",
    "http://[{}",
    "http://{}:1/",
    "http://127.0.0.1:1/{}?{}#{}",
    "{}://127.0.0.1/",
)


class EchoingVault:
    """``with EchoingVault(400) as url``; with status 307, it redirects."""

    def __init__(self, status: int) -> None:
        spellings, places = itertools.cycle(ECHOES.values()), itertools.cycle(REDIRECTS)

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
                try:
                    sent = [str(value) for value in json.loads(body).values()]
                except (ValueError, AttributeError):
                    sent = []
                spell = next(spellings)
                parts = [*sent, *(value for name, value in self.headers.items() if name.lower() in ("x-vault-token", "authorization")), body]
                answer = json.dumps({"errors": [" ".join(spell(part) for part in parts)]}).encode()
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", next(places).replace("{}", quote("".join(parts))))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_LIST = do_DELETE = answer

            def log_message(self, *_: t.Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
