# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real hvac and requests against a server that misbehaves: slow, endless, a decompression bomb, cut off.

No Vault does this, so the server is our own. The sockets are real.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import tracemalloc

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.client import VaultClient
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.connection import Connection
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.transport import LARGEST_ANSWER

#: These tests open sockets, of this machine only.
pytestmark = pytest.mark.system

SECRET = {"data": {"data": {"username": "u"}, "metadata": {"version": 7}}}


class FakeVault:
    """A server that treats all clients alike: *serve* gets the connection, and an event that is set at the end."""

    def __init__(self, serve):
        self._serve = serve
        self.stop = threading.Event()
        self.requests = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection, contextlib.suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            self.requests.append(received.partition(b" HTTP")[0].decode())
            self._serve(connection, self.stop)

    def close(self):
        self.stop.set()
        self._listener.close()


@pytest.fixture
def fake():
    servers = []

    def start(serve):
        servers.append(FakeVault(serve))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def whole(body, *headers):
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def client(url, **values):
    given = {"url": url, "token": "hvs.user-token", "timeout": 0.5, **values}
    options = VaultOptions.from_mapping(given, environ={}, home="/h", read_file=lambda path: "")
    made = VaultClient(Connection(options, warn=lambda text: None))
    made.use_token("hvs.user-token")
    return made


def failure(url, **values):
    with pytest.raises(VaultError) as caught:
        client(url, **values).read_secret("secret", "x")
    return caught.value.message, caught.value.kind


def late(url, seconds="0.5"):
    return f"Vault at {url} did not answer within {seconds} s. Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT).", "unreachable"


def drip(data):
    """Send one byte at a time, each long before the timeout of a socket, without end."""

    def serve(connection, stop):
        connection.sendall(data)
        while not stop.wait(0.1):
            connection.sendall(b"a")

    return serve


@pytest.mark.parametrize(
    "data",
    [b"", b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["status line", "header", "body", "body without a length"],
)
def test_an_answer_that_arrives_byte_by_byte_is_ended_by_the_timeout(fake, data):
    server = fake(drip(data))
    assert failure(server.url) == late(server.url)


def test_endless_chunks_are_ended_by_the_timeout(fake):
    def serve(connection, stop):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not stop.wait(0.1):
            connection.sendall(b"1\r\na\r\n")

    server = fake(serve)
    assert failure(server.url) == late(server.url)


def test_retries_end_after_60_seconds_in_total(fake):
    """Every attempt is late; as many as may be asked for would take more than three times as long as a conversation may take."""
    server = fake(drip(b""))
    options = VaultOptions.from_mapping(
        {"url": server.url, "token": "t", "timeout": 0.2, "retries": 1000, "retry_action": "ignore"}, environ={}, home="/h", read_file=lambda path: ""
    )
    clock = iter(range(0, 100000, 7))  # each look at the clock is 7 s later
    made = VaultClient(Connection(options, warn=lambda text: None, monotonic=lambda: float(next(clock)), sleep=lambda seconds: None))
    with pytest.raises(VaultError) as caught:
        made.read_secret("secret", "x")
    assert (caught.value.message, caught.value.kind) == late(server.url, "60")
    assert 1 <= len(server.requests) < 10


def test_a_login_without_an_answer_in_time_is_not_repeated(fake):
    server = fake(drip(b"HTTP/1.1 200 OK\r\nX-"))
    with pytest.raises(VaultError):
        client(server.url, auth_method="approle", role_id="r", secret_id="s", retries=3).login()
    assert server.requests == ["POST /v1/auth/approle/login"]


def test_an_endless_answer_is_ended_at_4_mib(fake):
    def serve(connection, stop):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not stop.is_set():
            connection.sendall(b"x" * 65536)

    server = fake(serve)
    message = "sent more than 4 MiB, which no secret has. Check url (VAULT_ADDR) and any proxy in front of Vault."
    assert failure(server.url, timeout=30) == (f"Vault at {server.url} {message}", "unavailable")


def test_a_decompression_bomb_is_not_inflated(fake):
    bomb = gzip.compress(b" " * (128 << 20), 9)
    server = fake(lambda connection, stop: connection.sendall(whole(bomb, "Content-Encoding: gzip")))
    tracemalloc.start()
    try:
        assert "sent more than 4 MiB" in failure(server.url, timeout=30)[0]
        assert tracemalloc.get_traced_memory()[1] < 4 * LARGEST_ANSWER
    finally:
        tracemalloc.stop()


def test_a_gzip_answer_is_read(fake):
    body = gzip.compress(json.dumps(SECRET).encode())
    server = fake(lambda connection, stop: connection.sendall(whole(body, "Content-Encoding: gzip")))
    assert client(server.url, timeout=30).read_secret("secret", "x").data == {"username": "u"}


def test_a_large_secret_is_read(fake):
    large = {"data": {"data": {"username": "u" * (3 << 20)}, "metadata": {"version": 1}}}
    server = fake(lambda connection, stop: connection.sendall(whole(json.dumps(large).encode())))
    assert len(client(server.url, timeout=30).read_secret("secret", "x").data["username"]) == 3 << 20


CUT = "broke off its answer. Try again, or set retries."
DAMAGED = "sent an answer whose compression is broken or unknown. Check url (VAULT_ADDR), the option proxies, and any proxy in front of Vault."


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Ty", CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", CUT),
        (whole(b"x" * 100)[:-40], CUT),
        (whole(gzip.compress(b"x" * 100, mtime=0)[:-5], "Content-Encoding: gzip"), CUT),
        (whole(b"no gzip", "Content-Encoding: gzip"), DAMAGED),
        (whole(b"x", "Content-Encoding: br"), DAMAGED),
    ],
    ids=["in a header", "between headers", "in the body", "in gzip", "no gzip", "unknown"],
)
def test_cut_off_and_undecodable_answers_are_reported(fake, sent, message):
    server = fake(lambda connection, stop: connection.sendall(sent))
    assert failure(server.url, timeout=30) == (f"Vault at {server.url} {message}", "unavailable")


def test_a_redirect_to_an_unreachable_node_names_that_node(fake):
    with socket.socket() as dead:  # bound, but nobody listens
        dead.bind(("127.0.0.1", 0))
        node = f"http://127.0.0.1:{dead.getsockname()[1]}"
        moved = f"HTTP/1.1 307 Moved\r\nLocation: {node}/v1/secret/data/x\r\nContent-Length: 0\r\n\r\n".encode()
        server = fake(lambda connection, stop: connection.sendall(moved))
        assert failure(server.url, timeout=30) == (
            f"Vault at {server.url} redirects to {node}, which cannot be reached: connection refused. Check that node, and api_addr in Vault's configuration.",
            "unreachable",
        )
