# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.client
import queue
import socket
import threading
import time

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent import loopback as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.loopback import AuthorizationResponse, Loopback, receive

pytestmark = pytest.mark.system  # opens sockets

RIGHT = "/callback?code=c&state=s"


def get(port: int, path: str, method: str = "GET", *, address: str = "127.0.0.1", host: str = "") -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(address, port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def in_background(port: int, path: str) -> tuple[threading.Thread, list[tuple[int, dict[str, str], str]]]:
    found: list[tuple[int, dict[str, str], str]] = []
    thread = threading.Thread(target=lambda: found.append(get(port, path)))
    thread.start()
    return thread, found


def listening(responses: queue.Queue[AuthorizationResponse], host: str = "127.0.0.1", port: int = 0) -> Loopback:
    listener = Loopback(host, port, "/callback", responses)
    listener.listen(f"{host}:{listener.port}", lambda redirected: redirected.endswith("state=s"))
    return listener


@pytest.fixture
def responses() -> queue.Queue[AuthorizationResponse]:
    return queue.Queue()


def test_the_browser_shows_the_outcome(responses):
    with listening(responses) as listener:
        thread, found = in_background(listener.port, RIGHT)
        assert receive(responses, len, timeout=10, describe=lambda length: f"<b>{length}</b>") == len(RIGHT)
        thread.join(10)
    status, headers, page = found[0]
    assert (status, '<p id="outcome">&lt;b&gt;24&lt;/b&gt;</p>' in page) == (200, True)
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "code=c" not in page


def test_the_browser_shows_the_error(responses):
    def refuse(_redirected: str) -> None:
        raise VendorError("acme: no.")

    with listening(responses) as listener:
        thread, found = in_background(listener.port, "/callback?error=x&state=s")
        with pytest.raises(VendorError, match=r"^acme: no\.$"):
            receive(responses, refuse, timeout=10, describe=str)
        thread.join(10)
    assert (found[0][0], "acme: no." in found[0][2]) == (400, True)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (("/callback?code=stolen&state=guessed",), 400),
        (("/callback?code=stolen",), 400),
        (("/callback?error=access_denied",), 400),
        (("/callback",), 400),
        (("/favicon.ico?code=c&state=s",), 404),
        (("//callback?code=c&state=s",), 200),  # http.server merges the slashes: the same path
        ((RIGHT, "POST"), 501),
        ((RIGHT, "HEAD"), 501),
        ((RIGHT, "<script>"), 501),
    ],
)
def test_a_stray_request_is_not_taken_for_the_answer(responses, request_line, status):
    with listening(responses) as listener:
        if status != 200:
            found = get(listener.port, *request_line)
            assert (found[0], "<script>" in found[2], listener.refused, responses.empty()) == (status, False, 1, True)
        thread, found = in_background(listener.port, RIGHT)
        assert receive(responses, str, timeout=10, describe=str) == RIGHT
        thread.join(10)
    assert found[0][0] == 200


@pytest.mark.parametrize("host", ["evil.example.com", "localhost:1", "127.0.0.1", "[::1]:80"])
def test_another_host_header_is_refused(responses, host):
    with listening(responses) as listener:
        assert get(listener.port, RIGHT, host=host)[0] == 421
        assert (listener.refused, responses.empty()) == (1, True)


def test_only_the_first_answer_counts(responses):
    # A browser connects in advance and sends nothing.
    with listening(responses) as listener, socket.create_connection(("127.0.0.1", listener.port)):
        first, _found = in_background(listener.port, "/callback?code=1&state=s")
        answer = responses.get(timeout=10)
        assert get(listener.port, "/callback?code=2&state=s")[0] == 409
        answer.close(good=True, text="done")
        first.join(10)
    assert (answer.redirected, responses.empty()) == ("/callback?code=1&state=s", True)


def page(title: str, text: str, tail: str) -> str:
    return subject._PAGE.format(title=title, text=text, tail=tail)


NOT_HERE = ("Not here", "This is not the redirect address.")
NO_RESPONSE = "Not the response"
WITHOUT_STATE = "This is not the response that the playbook is waiting for: it does not have the state of the request."


@pytest.mark.parametrize(
    ("path", "method", "host", "status", "title", "text"),
    [
        (RIGHT, "GET", "evil.example.com", 421, *NOT_HERE),
        ("/favicon.ico", "GET", "", 404, *NOT_HERE),
        ("/callback?code=c", "GET", "", 400, NO_RESPONSE, WITHOUT_STATE),
        (RIGHT, "POST", "", 501, NO_RESPONSE, "A vendor does not redirect a browser with such a request."),
    ],
)
def test_the_page_says_why_a_request_is_refused(responses, path, method, host, status, title, text):
    with listening(responses) as listener:
        found = get(listener.port, path, method, host=host)
    assert (found[0], found[2]) == (status, page(title, text, "The playbook is still waiting for the right response."))
    assert found[1]["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_but_this_page_may_use_the_response(responses, method):
    """The headers as they are sent: a browser that knows one of them obeys it."""
    with listening(responses) as listener, socket.create_connection(("127.0.0.1", listener.port), timeout=300) as connection:
        connection.sendall(f"{method} /other HTTP/1.1\r\nHost: 127.0.0.1:{listener.port}\r\n\r\n".encode())
        with connection.makefile("rb") as stream:
            head, _blank, body = stream.read().partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    text = "A vendor does not redirect a browser with such a request." if method == "HEAD" else NOT_HERE[1]
    full = page(NO_RESPONSE if method == "HEAD" else NOT_HERE[0], text, "The playbook is still waiting for the right response.").encode()
    assert (status.split(" ")[1], body) == ("501", b"") if method == "HEAD" else ("404", full)
    assert [line for line in lines if not line.startswith("Date: ")] == [
        "Server: trackops.api_tokens ",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(full)}",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
        "Cross-Origin-Resource-Policy: same-origin",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Connection: close",
    ]


def test_the_page_says_that_a_response_has_arrived(responses):
    with listening(responses) as listener:
        first, found = in_background(listener.port, RIGHT)
        answer = responses.get(timeout=300)
        late = get(listener.port, RIGHT)
        answer.close(good=False, text="refused & gone")
        first.join(300)
    assert (late[0], late[2]) == (409, page("Too late", "A response has already arrived.", "The playbook is still waiting for the right response."))
    assert (found[0][0], found[0][2]) == (400, page("No consent", "refused &amp; gone", "You can close this window."))


def test_the_page_says_that_consent_was_given(responses):
    with listening(responses) as listener:
        thread, found = in_background(listener.port, RIGHT)
        receive(responses, str, timeout=300, describe=lambda _result: "stored")
        thread.join(300)
    assert (found[0][0], found[0][2]) == (200, page("Done", "stored", "You can close this window."))


def test_the_page_refers_to_the_terminal_if_there_is_no_outcome(responses, monkeypatch):
    monkeypatch.setattr(subject, "_PAGE_PATIENCE", 0.01)
    with listening(responses) as listener:
        found = get(listener.port, RIGHT)
    text = "The terminal of the playbook shows the outcome."
    assert (found[0], found[2]) == (504, page("No outcome", text, "You can close this window."))


def test_a_visit_does_not_wait_for_a_browser_that_hangs(monkeypatch):
    monkeypatch.setattr(subject, "_SOCKET_TIMEOUT", 0.01)
    visit = subject.Visit(RIGHT)
    closing = threading.Thread(target=lambda: visit.close(good=True, text="done"), daemon=True)
    closing.start()
    closing.join(300)
    assert not closing.is_alive()
    assert visit.outcome.get(timeout=300) == (True, "done")


def test_a_finished_connection_is_closed_and_forgotten(responses):
    with listening(responses) as listener:
        server = listener._servers[0]
        ours, theirs = socket.socketpair()
        server._open.append(ours)
        server.shutdown_request(ours)
        assert (ours.fileno(), list(server._open)) == (-1, [])
        server.keep(theirs)  # closed before to make room
        theirs.close()
        subject._hang_up(theirs)  # closed by its thread


def test_as_many_connections_as_allowed_stay_open(responses):
    most = subject._MOST_CONNECTIONS
    with listening(responses) as listener:
        idle = [socket.create_connection(("127.0.0.1", listener.port), timeout=300) for _ in range(most)]
        while len(listener._servers[0]._open) < most:
            time.sleep(0.01)
        idle[0].setblocking(False)
        with pytest.raises(BlockingIOError):
            idle[0].recv(1)
        for connection in idle:
            connection.close()


def test_many_idle_connections_do_not_keep_the_browser_out(responses):
    most = subject._MOST_CONNECTIONS
    with listening(responses) as listener:
        idle = [socket.create_connection(("127.0.0.1", listener.port), timeout=10) for _ in range(most + 8)]
        thread, found = in_background(listener.port, RIGHT)
        answer = responses.get(timeout=10)
        # The connection that carries the answer is never closed to make room.
        idle += [socket.create_connection(("127.0.0.1", listener.port), timeout=10) for _ in range(most + 8)]
        for closed in (0, most + 8):  # the oldest, and the one after the connection with the answer
            assert idle[closed].recv(1) == b""
        answer.close(good=True, text="done")
        thread.join(10)
        for connection in idle:
            connection.close()
    assert found[0][0] == 200


def test_nothing_is_logged(responses, capfd):
    """The request line contains the authorization code."""
    with listening(responses) as listener:
        get(listener.port, "/callback?code=the-code-of-the-person&state=other")
        get(listener.port, "/callback?code=the-code-of-the-person", "POST")
        thread, _found = in_background(listener.port, "/callback?code=the-code-of-the-person&state=s")
        receive(responses, str, timeout=10, describe=str)
        thread.join(10)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_waiting_for_an_answer_times_out(responses):
    with listening(responses), pytest.raises(queue.Empty):
        receive(responses, str, timeout=0.05, describe=str)


def test_an_unused_listener_frees_its_port(responses):
    with Loopback("127.0.0.1", 0, "/callback", responses) as listener:
        port = listener.port
    socket.create_server(("127.0.0.1", port)).close()


TAKEN = "Cannot listen at {} (address already in use), and another program there could receive the authorization code. "
FREE = "Free that port, or give another one in redirect_uri or listen_port."


def test_a_port_in_use_is_reported(responses):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OptionError) as caught:
            Loopback("127.0.0.1", port, "/callback", responses)
    assert (caught.value.message, caught.value.fault) == (TAKEN.format(f"127.0.0.1:{port}") + FREE, "consent:port")


@pytest.mark.parametrize(
    ("authority", "accepted"),
    [
        ("LocalHost:8400", ("localhost:8400",)),
        ("127.0.0.1:80", ("127.0.0.1:80", "127.0.0.1")),
        ("[::1]:8080", ("[::1]:8080",)),
    ],
)
def test_a_browser_leaves_out_the_usual_port(authority, accepted):
    assert subject._authorities(authority) == accepted


def test_a_fixed_port_is_tried_once(responses, monkeypatch):
    tried = []

    class Bound:
        server_address = ("127.0.0.1", 8400)

        def server_close(self):
            tried.append("closed")

    def bind(address, port, door, *, optional):
        tried.append((address, port))
        if optional:
            raise subject._Taken(address, port, "in use")
        return Bound()

    monkeypatch.setattr(subject, "_bind", bind)
    with pytest.raises(OptionError):
        Loopback("localhost", 8400, "/callback", responses)
    assert tried == [("127.0.0.1", 8400), ("::1", 8400), "closed"]


def test_the_listeners_of_one_address_end_with_the_block(responses):
    before = {*threading.enumerate()}
    with listening(responses) as listener:
        assert len(listener._servers) == 1
        added = {*threading.enumerate()} - before
        assert [thread.daemon for thread in added] == [True]
    for thread in added:
        thread.join(300)
        assert not thread.is_alive()


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
class TestLocalhost:
    def test_localhost_listens_on_both_loopback_addresses(self, responses):
        with listening(responses, "localhost") as listener:
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::")):
                with pytest.raises(OSError, match="in use"):
                    socket.create_server((address, listener.port), family=family).close()
            host = f"localhost:{listener.port}"
            assert get(listener.port, "/callback", address="::1", host=host)[0] == 400
            assert get(listener.port, "/callback", address="127.0.0.1", host=host)[0] == 400
            assert listener.refused == 2

    @pytest.mark.parametrize(("family", "address", "shown"), [(socket.AF_INET6, "::1", "[::1]"), (socket.AF_INET, "127.0.0.1", "127.0.0.1")])
    def test_a_port_in_use_on_either_address_is_reported(self, responses, family, address, shown):
        with socket.create_server((address, 0), family=family) as squatter:
            port = squatter.getsockname()[1]
            with pytest.raises(OptionError) as caught:
                Loopback("localhost", port, "/callback", responses)
            assert caught.value.message == TAKEN.format(f"{shown}:{port}") + FREE
        # The failed attempt leaves nothing behind.
        with Loopback("localhost", port, "/callback", responses) as listener:
            assert listener.port == port

    def test_a_free_port_is_free_on_both_addresses(self, responses, monkeypatch):
        """A squatter takes ::1 of the first port that is found, so the second port is used."""
        squatters, real = [], subject._bind

        def bind(address, port, door, *, optional):
            if ":" in address and not squatters:
                squatters.append(socket.create_server((address, port), family=socket.AF_INET6))
            return real(address, port, door, optional=optional)

        monkeypatch.setattr(subject, "_bind", bind)
        with listening(responses, "localhost") as listener:
            assert listener.port != squatters[0].getsockname()[1]
            assert len(listener._servers) == 2
        squatters[0].close()


def test_without_ipv6_only_ipv4_is_listened_on(responses, monkeypatch):
    real = subject._Server

    def server(address, door):
        if ":" in address[0]:
            raise OSError(99, "Cannot assign requested address")
        return real(address, door)

    monkeypatch.setattr(subject, "_Server", server)
    with listening(responses, "localhost") as listener:
        assert len(listener._servers) == 1
