# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the real hvac and requests make of a request to Vault, without sending it; quick enough for each save. The rest: ``test_transport_sockets``."""

from __future__ import annotations

import io
import logging
import types
import warnings

import hvac
import pytest
import requests
import urllib3
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.body import CutOff, Damaged, TooLarge
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.deadline import Late
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault import transport
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.answer import Refusal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.transport import LARGEST_ANSWER, NoAnswer, Patience
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

URL = "https://vault.example:8200"
SECRET = f"{URL}/v1/secret/data/x"


class Raw(urllib3.HTTPResponse):
    """A response of urllib3 that knows whether it was closed."""

    ended = False

    def close(self):
        self.ended = True
        super().close()


def raw(status=200, body=b"{}", **headers):
    found = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Raw(io.BytesIO(body), found, status, reason="why", preload_content=False)


class Wire:
    """Takes the place of the network: each request gets the next of the *answers*, or raises it."""

    def __init__(self, monkeypatch, *answers):
        self.answers, self.asked, self.during = list(answers), [], lambda: None
        monkeypatch.setattr(HTTPAdapter, "send", lambda adapter, request, **how: self._send(adapter, request, how))

    def _send(self, adapter, request, how):
        self.asked.append((request, how))
        self.during()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return adapter.build_response(request, answer)


class Clock:
    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def options(**values):
    given = {
        "url": URL,
        "timeout": 30,
        "validate_certs": True,
        "ca_cert": None,
        "ca_cert_text": "",
        "ca_path": "",
        "tls_server_name": "",
        "proxies": None,
        "cert_auth_public_key": None,
        "cert_auth_private_key": None,
    }
    return types.SimpleNamespace(**{**given, **values})


def refused(scheme, target):
    raise VaultError(f"{scheme} to {target}", "unreachable")


def session(*, seconds=60.0, retry=None, clock=None, retried=None, guarded=False, **values):
    clock = clock or Clock()
    patience = Patience(seconds, monotonic=clock, sleep=clock.sleep)
    reported = retried if retried is not None else []
    made = transport.session(
        options(**values), patience=patience, retry=retry or Retry(total=0), retried=reported.append, refuse_redirect=refused, guarded=guarded
    )
    made.patience = patience
    return made


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("values", "verify"), [({}, True), ({"ca_cert": "/ca"}, "/ca"), ({"validate_certs": False}, False), ({"validate_certs": False, "ca_cert": "/ca"}, False)]
)
def test_the_certificate_check_follows_validate_certs_and_ca_cert(values, verify):
    assert session(**values).verify == verify


@pytest.mark.parametrize(
    ("values", "certificate"),
    [
        ({}, None),
        ({"cert_auth_public_key": "/c"}, None),
        ({"cert_auth_private_key": "/k"}, None),
        ({"cert_auth_public_key": "/c", "cert_auth_private_key": "/k"}, ("/c", "/k")),
    ],
)
def test_a_client_certificate_is_used_only_with_its_key(values, certificate):
    assert session(**values).cert == certificate


def test_the_proxies_of_the_options_are_copied(monkeypatch):
    given = {"https": "http://p.example:3128"}
    made = session(proxies=given)
    assert made.proxies == given
    assert made.proxies is not given
    assert session().proxies == {}


def test_netrc_adds_no_header(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine vault.example login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wire = Wire(monkeypatch, raw())
    session().get(SECRET)
    ((request, how),) = wire.asked
    assert "Authorization" not in request.headers
    assert how["stream"] is True


# -- one attempt ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("timeout", "seconds", "expected"), [(30, 60.0, 30), (30, 29.5, 29.5)])
def test_no_attempt_lasts_longer_than_what_is_left(monkeypatch, timeout, seconds, expected):
    wire, limits, real = Wire(monkeypatch, raw()), [], transport.within

    def within(limit, work):
        limits.append(limit)
        return real(limit, work)

    monkeypatch.setattr(transport, "within", within)
    session(timeout=timeout, seconds=seconds).get(SECRET, timeout=7)
    assert wire.asked[0][1]["timeout"] == expected
    assert limits == [expected + 0.5]  # the timeout of the socket comes first


@pytest.mark.parametrize("left", [0.0, -1.0])
def test_nothing_is_sent_when_no_time_is_left(monkeypatch, left):
    wire = Wire(monkeypatch)
    with pytest.raises(NoAnswer) as caught:
        session(seconds=left).get(SECRET)
    assert (type(caught.value.cause), caught.value.url, wire.asked) == (Late, SECRET, [])
    assert caught.value.args == ()


def test_only_waiting_for_vault_and_pauses_use_up_the_time(monkeypatch):
    clock = Clock()
    wire = Wire(monkeypatch, raw(), requests.exceptions.ReadTimeout())
    wire.during = lambda: setattr(clock, "now", clock.now + 4)
    made = session(clock=clock, seconds=60.0)
    made.get(SECRET)
    clock.now += 50
    assert made.patience.left == 56.0
    with pytest.raises(NoAnswer):
        made.get(SECRET)
    assert made.patience.left == 52.0
    made.patience.sleep(2.5)
    assert (made.patience.left, clock.slept) == (49.5, [2.5])


def test_the_clock_of_the_machine_is_the_default(monkeypatch):
    import time

    patience = Patience(5.0)
    assert (patience.monotonic, patience.left) == (time.monotonic, 5.0)
    with patience.waiting():
        pass
    assert 4.0 < patience.left <= 5.0
    patience.sleep(0.0)


@pytest.mark.parametrize(("step", "late"), [(10.0, False), (10.5, True)])
def test_the_time_limit_of_an_attempt_includes_reading_the_body(monkeypatch, step, late):
    """Each chunk comes within the socket's timeout, and the last one after the limit of the whole attempt."""
    clock = Clock()

    class Slow(io.BytesIO):
        def read(self, *arguments):
            found = super().read(*arguments)
            clock.now += step if found else 0
            return found

    body = b"x" * (40 << 10)  # three chunks
    answer = Raw(Slow(body), {"Content-Length": str(len(body))}, 200, preload_content=False)
    Wire(monkeypatch, answer)
    made = session(clock=clock, timeout=30)
    if late:
        with pytest.raises(NoAnswer) as caught:
            made.get(SECRET)
        assert type(caught.value.cause) is Late
    else:
        assert made.get(SECRET).content == body
    assert answer.ended


@pytest.mark.parametrize(("size", "large"), [(LARGEST_ANSWER, False), (LARGEST_ANSWER + 1, True)])
def test_an_answer_above_4_mib_is_refused(monkeypatch, size, large):
    Wire(monkeypatch, raw(body=b"x" * size))
    if large:
        with pytest.raises(NoAnswer) as caught:
            session().get(SECRET)
        assert type(caught.value.cause) is TooLarge
    else:
        assert len(session().get(SECRET).content) == size
    assert LARGEST_ANSWER == 4 * 1024 * 1024


def test_status_headers_and_the_decompressed_body_of_an_answer_are_kept(monkeypatch):
    import gzip

    body = gzip.compress(b'{"a": 1}')
    headers = {"content_encoding": "gzip", "TRANSFER_ENCODING": "identity", "X_Vault_Index": "7", "Retry_After": "3"}
    answer = raw(418, body, **headers)
    Wire(monkeypatch, answer)
    found = session().get(SECRET)
    assert (found.status_code, found.reason, found.content, found.url) == (418, "why", b'{"a": 1}', SECRET)
    assert dict(found.headers) == {"X-Vault-Index": "7", "Retry-After": "3"}
    assert found.request.url == SECRET
    assert answer.ended


# -- another attempt ----------------------------------------------------------------------------------------------------------


def test_a_temporary_status_is_retried_after_its_retry_after(monkeypatch):
    clock, reported = Clock(), []
    wire = Wire(monkeypatch, raw(503, Retry_After="2"), raw(502, Retry_After="5"), raw())
    retry = Retry(total=2, status_forcelist=(502, 503), raise_on_status=False)
    assert session(clock=clock, retried=reported, retry=retry).get(SECRET).status_code == 200
    assert (reported, clock.slept, len(wire.asked)) == (["status 503", "status 502"], [2, 5], 3)


def test_retries_are_counted_for_each_request(monkeypatch):
    wire = Wire(monkeypatch, raw(503), raw(), raw(503), raw())
    made = session(retry=Retry(total=1, status_forcelist=(503,), raise_on_status=False))
    assert [made.get(SECRET).status_code, made.get(SECRET).status_code, len(wire.asked)] == [200, 200, 4]


def test_a_connection_timeout_is_retried(monkeypatch):
    reported = []
    trouble = requests.exceptions.ConnectTimeout(urllib3.exceptions.ConnectTimeoutError())
    wire = Wire(monkeypatch, trouble, raw())
    assert session(retried=reported, retry=Retry(connect=1)).get(SECRET).status_code == 200
    assert (reported, len(wire.asked)) == (["no answer"], 2)


@pytest.mark.parametrize(("seconds", "statuses"), [(5.0, [503]), (5.001, [503, 200])])
def test_a_retry_whose_pause_would_use_up_the_time_is_not_made(monkeypatch, seconds, statuses):
    clock = Clock()
    Wire(monkeypatch, raw(503, Retry_After="5"), raw())
    retry = Retry(total=1, status_forcelist=(503,), raise_on_status=False)
    assert session(clock=clock, seconds=seconds, retry=retry).get(SECRET).status_code == statuses[-1]
    assert len(clock.slept) == len(statuses) - 1


@pytest.mark.parametrize(
    "trouble",
    [
        requests.exceptions.ConnectionError("x"),
        urllib3.exceptions.ProtocolError("x"),
        OSError("x"),
        ValueError("x"),
        Late(),
        TooLarge(),
        Damaged(),
        CutOff(),
    ],
)
def test_any_exception_becomes_no_answer_with_its_cause(monkeypatch, trouble):
    Wire(monkeypatch, trouble)
    with pytest.raises(NoAnswer) as caught:
        session().get(SECRET)
    assert (caught.value.cause, caught.value.url) == (trouble, SECRET)
    assert caught.value.__suppress_context__


# -- where to -----------------------------------------------------------------------------------------------------------------


def moved(location):
    return raw(307, b"", Location=location)


@pytest.mark.parametrize(
    ("start", "location"),
    [
        (URL, "https://node.example/v1/x"),
        (URL, "HTTPS://node.example/v1/x"),
        (URL, "//node.example/v1/x"),
        (URL, "/v1/x"),
        ("http://vault.example:8200", "http://node.example/v1/x"),
        ("http://127.0.0.1:8200", "http://localhost:8300/v1/x"),
        ("http://127.0.0.1:8200", "https://node.example/v1/x"),
    ],
)
def test_a_standby_redirects_to_the_active_node(monkeypatch, start, location):
    wire = Wire(monkeypatch, moved(location), raw())
    assert session(url=start).get(f"{start}/v1/secret/data/x").status_code == 200
    assert wire.asked[1][0].url.endswith("/v1/x")


@pytest.mark.parametrize(
    ("start", "location", "target"),
    [
        (URL, "http://user:hidden@node.example:8300/v1/x?hidden", "https to http://node.example:8300/v1/x"),
        (URL, "HTTP://node.example/v1/x", "https to http://node.example/v1/x"),
        ("http://127.0.0.1:8200", "http://node.example/v1/x", "http to http://node.example/v1/x"),
        ("http://localhost:8200", "//node.example/v1/x", "http to http://node.example/v1/x"),
    ],
)
def test_no_redirect_leaves_tls_or_this_machine(monkeypatch, start, location, target):
    wire = Wire(monkeypatch, moved(location))
    with pytest.raises(VaultError) as caught:
        session(url=start).get(f"{start}/v1/secret/data/x")
    assert (caught.value.message, len(wire.asked)) == (target, 1)


def test_a_guarded_session_follows_no_redirect(monkeypatch):
    wire = Wire(monkeypatch, moved("https://node.example/v1/x"))
    assert (session(guarded=True).get(SECRET).status_code, len(wire.asked)) == (307, 1)


HERE, THERE, TLS_HERE = "http://127.0.0.1:8200/x", "http://vault.example/x", "https://127.0.0.1:8200/x"
FOUND, GIVEN = "http://found.example:1", "http://given.example:1"


@pytest.mark.parametrize(
    ("url", "guarded", "given", "used"),
    [
        (THERE, False, None, FOUND),
        (HERE, False, None, None),
        (TLS_HERE, False, None, FOUND),
        (TLS_HERE, True, None, None),
        (THERE, True, None, FOUND),
        ("http://2130706433/x", False, None, FOUND),
        ("http://2130706433/x", True, None, None),
        (HERE, False, GIVEN, GIVEN),
        (HERE, True, GIVEN, GIVEN),
        (THERE, False, GIVEN, GIVEN),
    ],
)
def test_the_proxy_for_a_request_depends_on_target_guard_and_options(monkeypatch, url, guarded, given, used):
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", FOUND)
    proxies = {} if given is None else {"http": given, "https": given}
    # hvac gives the session's proxies with each request.
    settings = session(guarded=guarded, proxies=proxies).merge_environment_settings(url, proxies, None, None, None)
    assert settings["proxies"].get(url.partition(":")[0]) == used


def test_the_proxy_for_a_redirect_depends_on_target_and_options(monkeypatch):
    monkeypatch.setenv("http_proxy", FOUND)
    for url, used in ((HERE, None), (THERE, FOUND)):
        assert session().rebuild_proxies(requests.Request("GET", url).prepare(), {}).get("http") == used
    given = session(proxies={"http": GIVEN})
    assert given.rebuild_proxies(requests.Request("GET", HERE).prepare(), {}) == {"http": GIVEN}
    assert session().rebuild_proxies(requests.Request("GET", THERE).prepare(), {"http": GIVEN}) == {"http": GIVEN}


# -- certificates -------------------------------------------------------------------------------------------------------------


def test_certificates_of_the_environment_are_ignored_if_options_give_some(monkeypatch):
    monkeypatch.setattr(transport, "tls_of", lambda given: {"ssl_context": "ours"})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/environment")
    assert session().merge_environment_settings(SECRET, {}, None, True, None)["verify"] is True


def test_certificates_of_the_environment_are_used_if_options_give_none(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/environment")
    assert session().merge_environment_settings(SECRET, {}, None, True, None)["verify"] == "/of/the/environment"


def test_the_settings_of_a_request_are_kept():
    settings = session().merge_environment_settings(SECRET, {"https": GIVEN}, True, "/ca", ("/c", "/k"))
    assert settings == {"proxies": {"https": GIVEN}, "stream": True, "verify": "/ca", "cert": ("/c", "/k")}


@pytest.mark.parametrize("scheme", ["http://", "https://"])
def test_tls_settings_reach_direct_and_proxy_connections(monkeypatch, scheme):
    seen = []
    monkeypatch.setattr(transport, "tls_of", lambda given: seen.append(given.url) or {"server_hostname": "name"})
    sender = session().get_adapter(scheme)
    assert seen == [URL]
    assert sender.poolmanager.connection_pool_kw["server_hostname"] == "name"
    assert sender.poolmanager.connection_pool_kw["maxsize"] == 10  # of requests
    assert sender.proxy_manager_for(FOUND, timeout=3).connection_pool_kw["server_hostname"] == "name"
    assert sender.proxy_manager[FOUND].connection_pool_kw["timeout"] == 3


@pytest.mark.parametrize(("tls", "expected"), [({"ssl_context": "ours"}, (None, None)), ({}, ("bundle", None))])
def test_the_default_certificates_are_dropped_if_options_give_some(monkeypatch, tls, expected):
    monkeypatch.setattr(transport, "tls_of", lambda given: tls)
    sender = session().get_adapter(URL)
    connection = types.SimpleNamespace(ca_certs="bundle", ca_cert_dir="folder", cert_reqs=None)
    monkeypatch.setattr(HTTPAdapter, "cert_verify", lambda self, conn, url, verify, cert: setattr(conn, "asked", (url, verify, cert)))
    sender.cert_verify(connection, SECRET, True, ("/c", "/k"))
    assert connection.asked == (SECRET, True, ("/c", "/k"))
    assert (connection.ca_certs, connection.ca_cert_dir) == (expected[0], None if tls else "folder")


# -- hvac's adapter -----------------------------------------------------------------------------------------------------------


class Failed(Exception):
    pass


def failed(problem, url):
    found = Failed()
    found.problem, found.url = problem, url
    return found


def client(made):
    return hvac.Client(url=URL, token="hvs.user", namespace="team", session=made, adapter=transport.adapter(failed))


def test_a_request_of_hvac_is_sent_with_token_and_namespace(monkeypatch):
    wire = Wire(monkeypatch, raw(body=b'{"data": {"a": 1.5}}'))
    answer = client(session()).adapter.request("post", "/v1/secret/data/x", json={"b": 2}, headers={"X-Mine": "1"})
    ((request, _how),) = wire.asked
    assert answer == {"data": {"a": 1.5}}
    assert (request.method, request.url, request.body) == ("POST", SECRET, b'{"b": 2}')
    assert {name: request.headers[name] for name in ("X-Vault-Token", "X-Vault-Namespace", "X-Mine")} == {
        "X-Vault-Token": "hvs.user",
        "X-Vault-Namespace": "team",
        "X-Mine": "1",
    }


@pytest.mark.parametrize("how", [{}, {"raise_exception": True}, {"raise_exception": False}])
def test_an_error_status_raises_a_refusal_and_no_hvac_exception(monkeypatch, how):
    Wire(monkeypatch, raw(403, b'{"errors": ["permission denied"]}'))
    with pytest.raises(Refusal) as caught:
        client(session()).adapter.request("get", "/v1/secret/data/x", **how)
    assert (caught.value.status, caught.value.errors) == (403, ("permission denied",))


def test_a_connection_error_is_converted_with_its_url(monkeypatch):
    trouble = requests.exceptions.ReadTimeout()
    Wire(monkeypatch, trouble)
    with pytest.raises(Failed) as caught:
        client(session()).adapter.request("get", "/v1/secret/data/x")
    assert (caught.value.problem, caught.value.url, caught.value.__suppress_context__) == (trouble, SECRET, True)


def test_an_unexpected_exception_of_a_library_is_converted(monkeypatch):
    trouble = LookupError("charset")
    Wire(monkeypatch, trouble)
    with pytest.raises(Failed) as caught:
        client(session()).adapter.request("get", "/v1/secret/data/x")
    assert (caught.value.problem, caught.value.url, caught.value.__suppress_context__) == (trouble, "", True)


def test_a_vault_error_is_passed_on_unchanged(monkeypatch):
    trouble = VaultError("ours", "option")
    Wire(monkeypatch, trouble)
    with pytest.raises(VaultError) as caught:
        client(session()).adapter.request("get", "/v1/secret/data/x")
    assert caught.value is trouble


def test_the_token_is_read_from_the_answer_to_a_login():
    made = transport.adapter(failed)(base_uri=URL)
    assert made.get_login_token({"auth": {"client_token": "hvs.new", "lease_duration": 60, "renewable": False}}) == "hvs.new"


def test_urls_are_not_logged_and_the_warning_of_unverified_https_is_silenced(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    wire = Wire(monkeypatch, raw())

    def loud():
        logging.getLogger("urllib3.connectionpool").debug(SECRET)
        warnings.warn("not verified", urllib3.exceptions.InsecureRequestWarning, stacklevel=1)

    wire.during = loud
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client(session()).adapter.request("get", "/v1/secret/data/x")
    assert SECRET not in caplog.text


def test_other_warnings_are_shown(monkeypatch):
    wire = Wire(monkeypatch, raw())
    wire.during = lambda: warnings.warn("old", DeprecationWarning, stacklevel=1)
    with pytest.warns(DeprecationWarning, match="old"):
        client(session()).adapter.request("get", "/v1/secret/data/x")
