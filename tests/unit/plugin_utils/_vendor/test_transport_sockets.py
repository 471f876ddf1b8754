# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real requests library sends a token request to servers on loopback addresses that misbehave."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import sys
import threading
from urllib.parse import quote_plus

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpOptions, HttpRequest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.transport import exchange
from emulator import Emulator
from requests import certs
from support.pki import Ca

#: The servers of these tests are real, on loopback addresses.
pytestmark = pytest.mark.system

SECRET = "pl4nted:s3cret+/%"
ENCODED = quote_plus(SECRET)


@pytest.fixture(scope="module")
def emulator():
    with Emulator(record_raw=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(emulator, monkeypatch):
    emulator.reset()
    for name in (
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
        "NETRC",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)


def asked(base, *, method="GET", headers=None, body=None, seconds=30.0, **options):
    """Send TrackMage's request, whose URL contains the secret, to *base*."""
    url = f"{base}/oauth/v2/token?grant_type=client_credentials&client_id=1_trackmage&client_secret={ENCODED}"
    request = HttpRequest(method, url, {"Accept": "application/json", **(headers or {})}, body, (SECRET,))
    return exchange(request, HttpOptions(**{"timeout": 20, **options}), seconds, "trackmage")


def failure(*arguments, kind=VendorError, **keywords):
    with pytest.raises(kind) as caught:
        asked(*arguments, **keywords)
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert "\n" not in error.message
    for planted in (SECRET, ENCODED, "client_secret", "oauth/v2"):
        assert planted not in error.message
    return error


def facts(error):
    return error.kind, error.retryable, error.sent


def test_an_answer_is_returned_and_the_request_has_our_headers(emulator):
    emulator.set_credentials("trackmage", client_secret=SECRET)
    answer = asked(emulator.base_url("trackmage"))
    assert (answer.status, answer.headers["content-type"], answer.body[:1]) == (200, "application/json", b"{")
    raw = dict(emulator.requests("trackmage")[0]["raw"]["headers"])
    assert (raw["User-Agent"], raw["Accept-Encoding"], raw["Accept"]) == ("trackops.api_tokens", "identity", "application/json")
    assert "Cookie" not in raw


def test_a_status_400_is_returned_as_an_answer(emulator):
    assert asked(emulator.base_url("trackmage")).status == 400


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(emulator, code):
    emulator.fail("trackmage", "redirect", code=code)
    answer = asked(emulator.base_url("trackmage"), headers={"Authorization": "raw-secret"})
    assert (answer.status, answer.headers["location"]) == (code, emulator.sink_url)
    assert emulator.requests(kind="sink") == []


def test_a_redirect_with_a_body_does_not_disturb_the_next_request(emulator):
    emulator.fail("trackmage", "redirect", body="<html>moved</html>")
    assert (asked(emulator.base_url("trackmage")).status, asked(emulator.base_url("trackmage")).status) == (302, 400)


def test_netrc_never_replaces_our_header(emulator, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for headers, sent in (({"Authorization": "raw-token"}, "raw-token"), ({}, None)):
        emulator.clear_log()
        asked(emulator.base_url("tracx"), headers=headers)
        assert dict(emulator.requests("tracx")[0]["raw"]["headers"]).get("Authorization") == sent


def test_a_header_beyond_latin_1_is_sent_as_utf_8(emulator):
    asked(emulator.base_url("tracx"), headers={"Authorization": "tök€n"})
    sent = dict(emulator.requests("tracx")[0]["raw"]["headers"])["Authorization"]
    assert sent.encode("latin-1").decode() == "tök€n"


def test_a_header_with_a_line_break_is_refused(emulator):
    error = failure(emulator.base_url("tracx"), headers={"Authorization": f"{SECRET}\n"})
    assert error.message == "trackmage: a credential has characters that an HTTP header cannot contain. Check the secret."
    assert error.kind == "refused"


def test_a_slow_answer_is_ended_by_http_timeout(emulator):
    emulator.fail("trackmage", "slow", delay=5)
    where = emulator.base_url("trackmage").split("/")[2]
    error = failure(emulator.base_url("trackmage"), timeout=0.3)
    assert error.message == (f"trackmage: the vendor at {where} did not answer within 0.3 s. Check the network, or raise http_timeout and http_deadline.")
    assert facts(error) == ("unavailable", True, True)


def test_a_drip_of_bytes_ends_at_the_deadline(emulator):
    emulator.set_credentials("trackmage", client_secret=SECRET)
    emulator.fail("trackmage", "drip", delay=0.1)
    error = failure(emulator.base_url("trackmage"), seconds=0.7, deadline=20)
    assert "did not answer within 20 s." in error.message  # the option's value, not the time that was left


def test_closed_and_cut_off_connections_are_reported_and_not_retried(emulator):
    emulator.set_credentials("trackmage", client_secret=SECRET)
    where = emulator.base_url("trackmage").split("/")[2]
    for fault, options in (("close", {}), ("close", {"reset": True}), ("cut", {})):
        emulator.fail("trackmage", fault, **options)
        error = failure(emulator.base_url("trackmage"))
        assert error.message == (f"trackmage: the answer of the vendor at {where} was cut off. Try again; if this persists, check base_url and the network.")
        assert facts(error) == ("unavailable", False, True)


@pytest.mark.parametrize(("fault", "options"), [("huge", {"mib": 2}), ("gzip_bomb", {"mib": 50}), ("redirect", {"mib": 2})])
def test_an_answer_above_1_mib_is_refused(emulator, fault, options):
    emulator.set_credentials("trackmage", client_secret=SECRET)
    emulator.fail("trackmage", fault, **options)
    where = emulator.base_url("trackmage").split("/")[2]
    error = failure(emulator.base_url("trackmage"))
    assert error.message == (f"trackmage: the vendor at {where} sent more than 1 MiB, which cannot be a token answer. Check base_url and token_url.")
    assert facts(error) == ("answer", False, True)


@pytest.mark.parametrize(("coding", "body_hex"), [("br", "00"), ("gzip", "1f8b0800ff"), ("gzip", "7b7d"), ("zstd", "28b52ffd")])
def test_a_content_encoding_that_cannot_be_decoded_is_reported(emulator, coding, body_hex):
    emulator.fail("trackmage", "literal", body_hex=body_hex, headers={"Content-Encoding": coding})
    if (coding, body_hex) == ("gzip", "1f8b0800ff"):
        assert "was cut off. Try again" in failure(emulator.base_url("trackmage")).message
        return
    error = failure(emulator.base_url("trackmage"))
    assert error.message == (
        f"trackmage: the vendor at {emulator.base_url('trackmage').split('/')[2]} sent an answer whose compression is broken or unknown. "
        "Check base_url and token_url, and any proxy between here and the vendor (http_proxy)."
    )


def test_gzip_is_read_although_it_was_not_requested(emulator):
    import gzip

    emulator.fail("trackmage", "literal", body_hex=gzip.compress(b'{"a": 1}').hex(), headers={"Content-Encoding": "gzip"})
    assert asked(emulator.base_url("trackmage")).body == b'{"a": 1}'


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_refused_connection_is_reported():
    port = closed_port()
    error = failure(f"http://127.0.0.1:{port}")
    assert error.message == (
        f"trackmage: the vendor at 127.0.0.1:{port} cannot be reached (connection refused). Check base_url and token_url, the network and http_proxy."
    )
    assert facts(error) == ("unavailable", True, False)


def test_a_name_that_does_not_resolve_is_reported(monkeypatch):
    def nobody(*_arguments, **_keywords):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    error = failure("https://vendor.invalid")
    assert error.message == (
        "trackmage: the vendor at vendor.invalid cannot be reached (its name cannot be resolved). Check base_url and token_url, the network and http_proxy."
    )
    assert error.sent is False


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch):
    release = threading.Event()

    def stuck(*_arguments, **_keywords):
        release.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    try:
        # A wait for the name server would last forever.
        assert "did not answer within 0.3 s." in failure("https://vendor.invalid", seconds=0.3, deadline=0.3).message
    finally:
        release.set()


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_requests_to_this_machine_use_no_proxy_of_the_environment(emulator, monkeypatch, variable):
    """The proxy would get the credentials over plain http, which is refused elsewhere."""
    monkeypatch.setenv(variable, emulator.sink_url)
    port = closed_port()
    assert f"127.0.0.1:{port} cannot be reached (connection refused)" in failure(f"http://127.0.0.1:{port}").message
    assert emulator.requests(kind="sink") == []


def test_an_unreachable_proxy_is_reported_without_its_password():
    port = closed_port()
    error = failure("https://vendor.invalid", proxy=f"http://user:{ENCODED}@127.0.0.1:{port}")
    assert error.message == f"trackmage: the proxy 127.0.0.1:{port} (http_proxy) did not connect to the vendor at vendor.invalid. Check it."
    assert facts(error) == ("unavailable", True, False)


@contextlib.contextmanager
def breaking(*, ca=None, answer=b"", connect=True, mutual=False):
    """A vendor, or with ``connect`` also its proxy, that reads each request and then breaks the connection; yields its port and the requests.

    :arg ca: speak TLS with a certificate of this CA.
    :arg answer: what to send outside of TLS before the end.
    :arg mutual: require a certificate of the client.
    """
    seen, context = [], None
    if ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = ca.server(hosts=("127.0.0.1", "vendor.invalid"))
        context.load_cert_chain(pair.cert, pair.key)
        if mutual:
            context.load_verify_locations(ca.cert)
            context.verify_mode = ssl.CERT_REQUIRED

    def read(connection):
        received = b""
        while b"\r\n\r\n" not in received and (more := connection.recv(65536)):
            received += more
        return received

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            connection = self.request
            if context is None:
                seen.append(read(connection))
                connection.sendall(answer)
                return
            if self.server.tunnel:
                read(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            secure = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            try:
                secure.do_handshake()
                seen.append(read(secure))
                last = answer
            except ssl.SSLError:
                last = b""
            with socket.socket(fileno=secure.detach()) as plain:
                plain.sendall(last)
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(65536):  # until the client has read it all
                    pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.tunnel = connect
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1], seen
        finally:
            server.shutdown()


def sent_once(error, seen):
    assert error.message.endswith(" was cut off. Try again; if this persists, check base_url and the network.")
    assert facts(error) == ("unavailable", False, True)
    assert len(seen) == 1


def test_a_connection_through_a_proxy_that_breaks_after_the_request_is_not_repeated(tmp_path):
    """urllib3 says ProxyError, as for a proxy that does not connect."""
    with breaking() as (port, seen):
        sent_once(failure("http://vendor.invalid", proxy=f"http://127.0.0.1:{port}"), seen)
    ca = Ca(tmp_path)
    with breaking(ca=ca) as (port, seen):
        sent_once(failure("https://vendor.invalid", proxy=f"http://127.0.0.1:{port}", ca_cert=str(ca.cert)), seen)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"\x17\x03\x03\x00\x20" + 32 * b"A"])
def test_tls_that_breaks_after_the_request_is_not_taken_for_a_failed_handshake(tmp_path, answer):
    ca = Ca(tmp_path)
    with breaking(ca=ca, answer=answer, connect=False) as (port, seen):
        sent_once(failure(f"https://127.0.0.1:{port}", ca_cert=str(ca.cert)), seen)


def test_a_vendor_that_requires_a_certificate_has_not_read_the_request(tmp_path):
    """With TLS 1.3 it says so after the handshake, as far as the client is concerned."""
    ca = Ca(tmp_path)
    with breaking(ca=ca, connect=False, mutual=True) as (port, seen):
        error = failure(f"https://127.0.0.1:{port}", ca_cert=str(ca.cert))
    assert f"TLS with the vendor at 127.0.0.1:{port} failed. Check http_ca_cert " in error.message
    assert (facts(error), seen) == (("unavailable", False, False), [])


def test_a_proxy_that_refuses_to_connect_is_reported_as_such():
    with breaking(answer=b"HTTP/1.1 403 Forbidden\r\n\r\n") as (port, _seen):
        error = failure("https://vendor.invalid", proxy=f"http://127.0.0.1:{port}")
    assert error.message == f"trackmage: the proxy 127.0.0.1:{port} (http_proxy) did not connect to the vendor at vendor.invalid. Check it."
    assert facts(error) == ("unavailable", True, False)


@pytest.mark.parametrize("proxy", ["http://u:p中@127.0.0.1:9", "http://u:%E4%B8%AD@127.0.0.1:9"])
def test_a_login_of_the_proxy_that_cannot_be_sent_is_not_the_credentials_fault(proxy):
    error = failure("https://vendor.invalid", kind=OptionError, proxy=proxy)
    assert error.message.startswith("trackmage: the user name or password of the proxy has characters that cannot be sent. Check http_proxy, ")


def test_a_server_without_tls_is_reported(emulator):
    base = emulator.base_url("trackmage").replace("http:", "https:")
    error, ca = failure(base), certs.where()
    assert f" failed. Check http_ca_cert (now: {ca}), http_client_cert" in failure(base, ca_cert=ca).message
    assert error.message == (
        f"trackmage: TLS with the vendor at {base.split('/')[2]} failed. Check http_ca_cert, http_client_cert and http_client_key, "
        "and the certificate of the vendor."
    )
    assert facts(error) == ("unavailable", False, False)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"ca_cert": "/nowhere/ca.pem"}, "http_ca_cert /nowhere/ca.pem"),
        ({"client_cert": "/nowhere/c.pem"}, "http_client_cert /nowhere/c.pem"),
        ({"client_cert": "/dev/null", "client_key": "/nowhere"}, "http_client_key /nowhere"),
    ],
)
def test_a_missing_certificate_file_is_named(options, named):
    error = failure(f"https://127.0.0.1:{closed_port()}", kind=OptionError, **options)
    assert error.message == f"trackmage: {named} cannot be read (no such file or directory). Give a file that this user can read."


def test_an_unusable_address_is_reported():
    error = failure("https://exa mple", kind=OptionError)
    assert error.message.startswith("trackmage: the address of the vendor or of its proxy cannot be used. Check base_url, ")


@pytest.mark.parametrize("proxy", ["http://proxy:80a", "http://[::1", "http://a b:3128", "http://", "proxy:x", "ftp://proxy:21", "http://p:99999"])
def test_an_unusable_proxy_of_the_environment_is_reported(monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", proxy)
    assert failure("https://vendor.invalid", kind=OptionError).fault == "option:address"


def test_requests_is_imported_where_its_absence_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    assert failure("https://vendor.invalid", kind=OptionError).fault == "option:library"


def test_the_repr_of_a_request_hides_its_secrets():
    request = HttpRequest("GET", f"https://a/?s={SECRET}", {"Authorization": SECRET}, SECRET.encode(), (SECRET,))
    assert SECRET not in repr(request)
