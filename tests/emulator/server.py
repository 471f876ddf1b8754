# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator: one HTTP server for all vendors, with request log, faults, control API and TLS.

    with Emulator() as emu:
        emu.base_url("tracktik")            # http://127.0.0.1:PORT/tracktik
        emu.fail("tracktik", 503, times=2)
        emu.requests("tracktik", kind="token")

The log records each request and its outcome, without secrets. With `record_raw=True` it also keeps the raw request (`raw`:
query, headers, body), so that tests can check it. All methods are safe to call from any thread.
"""

from __future__ import annotations

import contextlib
import copy
import email.utils
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

from .acme import Acme
from .authorize import consent
from .base import Answer, BadRequest, Call, Json, Vendor, json_answer
from .faults import FAULTS, Fault, Scene, make_fault, sent_text
from .trackmage import TrackMage
from .tracktik import TrackTik
from .trackunit import Trackunit
from .tracx import Tracx

__all__ = ["VENDORS", "Emulator", "TlsFiles"]

VENDORS: dict[str, type[Vendor]] = {v.name: v for v in (TrackMage, Tracx, TrackTik, Trackunit, Acme)}
MAX_BODY = 8 * 2**20
WELL_KNOWN = "/.well-known/"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files. With `client_ca`, clients need a certificate, unless `client_optional` is set."""

    cert: str | os.PathLike[str]
    key: str | os.PathLike[str]
    client_ca: str | os.PathLike[str] | None = None
    client_optional: bool = False

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL if self.client_optional else ssl.CERT_REQUIRED
        return context


class Emulator:
    """See the module. `port=0` takes a free port, and `stop()` and `start()` keep it, like a vendor that goes down and comes back."""

    def __init__(
        self, tls: TlsFiles | None = None, *, host: str = "127.0.0.1", port: int = 0, record_raw: bool = False, log: str | os.PathLike[str] | None = None
    ) -> None:
        self.tls, self.host, self.port, self.record_raw = tls, host, port, record_raw
        self.lock = threading.RLock()
        self.credentials: dict[str, Any] = {}
        self._log: list[Json] = []
        self._seq = 0
        self._log_file = Path(log).open("a", encoding="utf-8", buffering=1) if log else None  # noqa: SIM115 (closed on exit)
        self._server: _Server | None = None
        self.reset()

    # start and stop

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._log_file:
            self._log_file.close()

    def start(self) -> Emulator:
        """Listen. When this returns, the port is known and in use."""
        self._server = _Server((self.host, self.port), self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="emulator", daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse new connections, and close those that are open."""
        server, self._server = self._server, None
        if server:
            server.end()

    @property
    def running(self) -> bool:
        return self._server is not None

    # addresses

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def base_url(self, vendor: str) -> str:
        return f"{self.url}/{VENDORS[vendor].name}"

    @property
    def sink_url(self) -> str:
        """The default redirect target: a different host name, whose log entries say whether a credential was sent along (`leaked`)."""
        host = "localhost" if self.host == "127.0.0.1" else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/_sink/token"

    # operations

    def reset(self) -> None:
        """Restore the initial state: credentials, settings, tokens, faults, log."""
        with self.lock:
            self.credentials.clear()
            for cls in VENDORS.values():
                self.credentials.update(copy.deepcopy(cls.credentials))
            self.vendors = {name: cls(self.credentials) for name, cls in VENDORS.items()}
            self.faults: dict[str, list[Fault]] = {name: [] for name in VENDORS}
            self._log.clear()

    def clear_log(self) -> None:
        with self.lock:
            self._log.clear()

    def set(self, vendor: str, **settings: Any) -> None:
        """Change settings of a vendor (`base.Vendor.common` and its `defaults`); `v2_keys` sets credentials["trackunit_v2"]."""
        with self.lock:
            if "v2_keys" in settings:
                self.credentials["trackunit_v2"] = settings.pop("v2_keys")
            known = self.vendors[vendor].settings
            unknown = sorted(set(settings) - set(known))
            if unknown:
                raise ValueError(f"{vendor} has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}")
            known.update(settings)

    def settings(self, vendor: str) -> Json:
        with self.lock:
            return dict(self.vendors[vendor].settings)

    def set_credentials(self, name: str, value: Any = None, **fields: str) -> None:
        """Replace credentials (a dict, or a list of dicts for many accounts), or change only those given as `fields`."""
        with self.lock:
            if name not in self.credentials:
                raise ValueError(f"no credentials {name!r}; there are {', '.join(self.credentials)}")
            self.credentials[name] = {**(self.credentials[name] if value is None else value), **fields} if fields else value

    def revoke(self, vendor: str, token: str | None = None, *, kind: str = "access") -> int:
        """Revoke one token (given as its value or fingerprint), or all of a kind: access, refresh, all."""
        with self.lock:
            return self.vendors[vendor].tokens.revoke(token, kind=kind)

    def fail(self, vendor: str, fault: str | int, times: int | None = 1, **options: Any) -> None:
        """Make the next `times` calls fail (None: until reset or `heal`), see faults.py. Faults are queued."""
        made = make_fault(fault, times=times, **options)
        with self.lock:
            self.faults[vendor].append(made)

    def heal(self, vendor: str) -> None:
        """Remove all faults of a vendor."""
        with self.lock:
            self.faults[vendor].clear()

    def requests(self, vendor: str | None = None, kind: str | None = None, **facts: Any) -> list[Json]:
        """Log entries in order of arrival. A request in progress has the status None. `facts` filter by equality (grant_type=…)."""
        facts.update({k: v for k, v in (("vendor", vendor), ("kind", kind)) if v is not None})
        with self.lock:
            return [copy.deepcopy(e) for e in self._log if all(e.get(k) == v for k, v in facts.items())]

    def consent(self, url: str, *, allow: bool = True) -> str:
        """Log in at one of the emulator's authorization URLs, and allow or deny. Return the redirect URL with its code."""
        vendor = self.vendors[urlsplit(url).path.split("/")[1]]
        user = vendor.accounts(getattr(vendor, "user_credentials", vendor.name))[0]
        return consent(url, username=user["username"], password=user["password"], allow=allow)

    # serving

    def record(self, entry: Json) -> None:
        with self.lock:
            self._seq += 1
            entry["seq"] = self._seq
            self._log.append(entry)

    def finish(self, entry: Json, answer: Answer) -> None:
        with self.lock:
            entry.update(status=answer.status, error=answer.error, duration=round(time.time() - entry["time"], 6))
            if self._log_file and not self._log_file.closed:
                self._log_file.write(json.dumps(entry) + "\n")

    def secrets(self) -> list[str]:
        """Every credential value that must not appear elsewhere."""
        with self.lock:
            accounts = [a for v in self.credentials.values() for a in (v if isinstance(v, list) else [v])]
            values = [v for a in accounts for k, v in a.items() if isinstance(v, str) and k not in ("client_id", "username")]
            tokens = [t for v in self.vendors.values() for t in (*v.tokens.access, *v.tokens.refresh)]
        return [v for v in (*values, *tokens) if v]

    def serve(self, method: str, target: str, headers: Any, body: bytes, wait: Callable[[float], object], *, certificate_subject: str | None = None) -> Answer:
        """Handle one request to a vendor or to the sink. `target` is the one in the request line."""
        parts = urlsplit(target)
        name, _, rest = parts.path.lstrip("/").partition("/")
        path = f"/{rest}"
        if parts.path.startswith(WELL_KNOWN):  # RFC 8414 3.1: the issuer's path follows the well-known part
            well_known, _, name = parts.path[len(WELL_KNOWN) :].partition("/")
            path = WELL_KNOWN + well_known
        entry: Json = {
            "time": time.time(),
            "vendor": name if name in VENDORS else None,
            "method": method,
            "path": path,
            "kind": "other",
            "grant_type": None,
            "client_id": None,
            "status": None,
            "error": None,
        }
        if parts.scheme:
            entry["via_proxy"] = True
        if self.record_raw:
            entry["raw"] = {"query": parts.query, "headers": [list(h) for h in headers.items()], "body": body.decode("utf-8", "replace")}
        if name not in VENDORS:
            return self._elsewhere(entry, name, parts.query, headers, body)
        with self.lock:
            vendor = self.vendors[name]
            entry["kind"] = kind = vendor.kind(path)
            sent = sent_text(parts.query, headers.items(), body.decode("utf-8", "replace")) if self.faults[name] else ""
            fault = next((f for f in self.faults[name] if f.fires(kind, sent)), None)
        if fault:
            entry["fault"] = fault.name
        self.record(entry)
        wait(float(vendor.settings["api_delay" if kind == "api" else "delay"]) if kind in ("api", "token") else 0.0)
        call = Call(method, path, parts.query, headers, body, self.base_url(name), entry, certificate_subject)
        with self.lock:
            if fault:
                call.note(**vendor.glance(call))
                scene = Scene(vendor, call, kind, self.sink_url, lambda: vendor.handle(call))
                answer = FAULTS[fault.name](scene, **fault.options)
            else:
                answer = vendor.handle(call)
            answer.headers.extend(vendor.extra_headers())
            answer.date_skew += float(vendor.settings["skew"])
        self.finish(entry, answer)
        return answer

    def _elsewhere(self, entry: Json, name: str, query: str, headers: Any, body: bytes) -> Answer:
        answer = json_answer(404, {"error": "not_found"}, error="not_found")
        if name == "_sink":
            sent = f"{query}\n{body.decode('utf-8', 'replace')}\n" + "\n".join(f"{k}: {v}" for k, v in headers.items())
            leaked = any(form in sent for v in self.secrets() for form in (v, quote(v, safe=""), quote_plus(v)))
            entry.update(kind="sink", authorization="Authorization" in headers, body_length=len(body), leaked=leaked or "Authorization" in headers)
            answer = json_answer(
                200,
                {
                    "access_token": "token-of-the-sink",
                    "token_type": "Bearer",
                    "expires_in": 3600,
                    "data": {"token": "token-of-the-sink", "expires_at": int(time.time()) + 3600},
                },
            )
        self.record(entry)
        self.finish(entry, answer)
        return answer

    # control

    def control(self, method: str, operation: str, query: str, body: bytes) -> Answer:
        """The operations above, for other processes: POST a JSON object of arguments, or GET to read."""
        try:
            if method == "GET":
                return json_answer(200, self._read(operation, {k: v[0] for k, v in parse_qs(query).items()}))
            if method != "POST":
                return json_answer(405, {"error": "use GET or POST"})
            return json_answer(200, {"result": self._do(operation, json.loads(body or b"{}"))})
        except (ValueError, KeyError, TypeError) as exc:
            return json_answer(400, {"error": f"{type(exc).__name__}: {exc}"})

    def _read(self, operation: str, query: dict[str, str]) -> Any:
        if operation == "requests":
            return self.requests(**query)
        if operation == "credentials":
            return self.credentials
        if operation == "settings":
            return {name: vendor.settings for name, vendor in self.vendors.items()}
        if operation == "state":
            return self.state()
        raise ValueError(f"no operation {operation}")

    def _do(self, operation: str, arguments: Json) -> Any:
        table: dict[str, Callable[..., Any]] = {
            "set": self.set,
            "fail": self.fail,
            "heal": self.heal,
            "revoke": self.revoke,
            "reset": self.reset,
            "clear_log": self.clear_log,
            "credentials": self._credentials,
            "consent": self.consent,
        }
        if operation not in table:
            raise ValueError(f"no operation {operation}; there are {', '.join(table)}")
        return table[operation](**arguments)

    def _credentials(self, vendor: str, credentials: Any = None, **fields: str) -> None:
        self.set_credentials(vendor, credentials, **fields)

    def state(self) -> Json:
        """What another process needs to know, without secrets."""
        return {"pid": os.getpid(), "url": self.url, "control": f"{self.url}/_control", "vendors": {name: self.base_url(name) for name in VENDORS}}


# --- HTTP


class _Server(ThreadingHTTPServer):
    request_queue_size = 2048
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], emulator: Emulator) -> None:
        self.emulator = emulator
        self.context = emulator.tls.context() if emulator.tls else None
        self.ending = threading.Event()
        self.connections: set[socket.socket] = set()
        self.connections_lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # Do the handshake in the connection's own thread, so that a slow client does not block the others.
        if self.context:
            try:
                request.settimeout(300)
                request = self.context.wrap_socket(request, server_side=True)
                request.settimeout(None)
            except OSError:
                request.close()
                return
        with self.connections_lock:
            self.connections.add(request)
        if self.ending.is_set():
            self.shutdown_request(request)
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.connections_lock:
                self.connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect, but report our own bugs."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def end(self) -> None:
        self.ending.set()
        self.shutdown()
        self.server_close()
        with self.connections_lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def emulator(self) -> Emulator:
        return cast(_Server, self.server).emulator

    def wait(self, seconds: float) -> bool:
        """Sleep, but return True at once when the server stops."""
        return seconds > 0 and cast(_Server, self.server).ending.wait(seconds)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise BadRequest("send a Content-Length")
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            raise BadRequest("Content-Length is not a number") from None
        if not 0 <= length <= MAX_BODY:
            raise BadRequest("too long")
        return self.rfile.read(length)

    def serve(self) -> None:
        try:
            body = self.read_body()
        except BadRequest as exc:
            self.close_connection = True
            self.send(json_answer(411, {"error": "invalid_request", "error_description": str(exc)}))
            return
        parts = urlsplit(self.path)
        if parts.path.startswith("/_control/"):
            answer = self.emulator.control(self.command, parts.path[len("/_control/") :], parts.query, body)
        else:
            answer = self.emulator.serve(self.command, self.path, self.headers, body, self.wait, certificate_subject=self.certificate_subject())
        self.send(answer)

    def certificate_subject(self) -> str | None:
        """The common name of the client's certificate."""
        found = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        subject = cast("tuple[tuple[tuple[str, str], ...], ...]", (found or {}).get("subject", ()))
        names = [value for part in subject for name, value in part if name == "commonName"]
        return str(names[0]) if names else None

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def do_CONNECT(self) -> None:
        """Open a proxy tunnel to a loopback port, so that proxies can be tested with https as well."""
        host, _, port = self.path.rpartition(":")
        entry: Json = {
            "time": time.time(),
            "vendor": None,
            "method": "CONNECT",
            "path": self.path,
            "kind": "proxy",
            "grant_type": None,
            "client_id": None,
            "status": None,
            "error": None,
        }
        self.emulator.record(entry)
        self.close_connection = True
        try:
            upstream = _loopback(host, int(port))
        except (OSError, ValueError):
            answer = Answer(502, b"", [], "unreachable")
            self.emulator.finish(entry, answer)
            self.send(answer)
            return
        with upstream:
            upstream.settimeout(None)
            self.emulator.finish(entry, Answer(200))
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(upstream, self.connection), daemon=True)
            back.start()
            _pump(self.connection, upstream)
            back.join(10)

    def send(self, answer: Answer) -> None:
        if self.wait(answer.delay):
            answer.close = True
        if answer.close:
            self.close_connection = True
            if answer.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        try:
            phrase = HTTPStatus(answer.status).phrase
        except ValueError:
            phrase = "Unknown"
        headers = list(answer.headers)
        if not answer.no_date:
            headers.append(("Date", email.utils.formatdate(time.time() + answer.date_skew, usegmt=True)))
        if answer.status != 204:
            headers.append(("Content-Length", str(len(answer.body) + answer.missing)))
        if answer.missing or self.close_connection:
            self.close_connection = True
            headers.append(("Connection", "close"))
        head = f"HTTP/1.1 {answer.status} {phrase}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n"
        body = b"" if self.command == "HEAD" else answer.body
        if answer.drip is None:
            self.wfile.write(head.encode("latin-1", "replace") + body)
            return
        self.wfile.write(head.encode("latin-1", "replace"))
        for n in range(len(body)):
            self.wfile.write(body[n : n + 1])
            if self.wait(answer.drip):
                self.close_connection = True
                return


def _loopback(host: str, port: int) -> socket.socket:
    if host not in ("127.0.0.1", "localhost"):
        raise OSError("loopback only")
    return socket.create_connection((host, port), timeout=300)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends, then shut down writing to the sink."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
