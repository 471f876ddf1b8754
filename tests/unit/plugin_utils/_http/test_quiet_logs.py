# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our own requests appear in no log; those of others still do."""

from __future__ import annotations

import http.client
import io
import logging
import socket
import threading

import pytest
import requests
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VaultError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import HttpOptions, HttpRequest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.quiet_logs import quiet
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.client import VaultClient
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.connection import Connection
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.transport import exchange

SECRET = "pl4nted-s3cret"


@pytest.fixture
def log():
    """Everything that reaches a root handler at the lowest level."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET + 1)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def test_library_logs_are_silent_inside_quiet(log):
    ours, children = logging.getLogger("urllib3.connectionpool"), []
    with quiet():
        ours.warning("url=%s", SECRET, exc_info=ValueError(SECRET))
        with quiet():
            children.append(logging.getLogger("urllib3.made.later"))
            children[0].critical(SECRET)
        logging.getLogger().error(SECRET)
        logging.getLogger("ansible.display").error("Ansible's own words")
    ours.warning("after it")
    assert log.getvalue() == "Ansible's own words\nafter it\n"


def test_other_threads_are_still_logged(log):
    with quiet():
        thread = threading.Thread(target=logging.getLogger("urllib3").error, args=("another plugin",))
        thread.start()
        thread.join()
    assert log.getvalue() == "another plugin\n"


def test_another_record_factory_keeps_working(log, monkeypatch):
    class Theirs(logging.LogRecord):
        def getMessage(self):
            return "theirs: " + super().getMessage()

    logging.setLogRecordFactory(Theirs)
    with quiet():
        logging.getLogger("urllib3").error(SECRET)
    logging.getLogger("urllib3").error("heard")
    assert log.getvalue() == "theirs: heard\n"
    logging.setLogRecordFactory(logging.LogRecord)


def test_handlers_of_the_library_receive_nothing(log):
    seen = []

    class Sink(logging.Handler):
        def handle(self, record):
            seen.append(record.getMessage())

    logger, sink = logging.getLogger("urllib3.connectionpool"), Sink()
    logger.addHandler(sink)
    with quiet():
        logger.error(SECRET)
    logger.removeHandler(sink)
    assert seen == []


def answering(lines):
    """The address of a server that answers once, with these lines."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listening, listening.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n{}")

    threading.Thread(target=serve, daemon=True).start()
    return f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.system
@pytest.mark.parametrize("line", ["X-Good: one", "no header at all"])
def test_a_request_is_neither_logged_nor_printed(log, capsys, monkeypatch, line):
    """A malformed header makes urllib3 log the whole URL; http.client prints what it sends if its debuglevel is set."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 5)
    lines = ["HTTP/1.1 200 OK", "Content-Length: 2", line, "X-More: two"]
    url = f"http://{answering(lines)}/token?client_secret={SECRET}"
    assert exchange(HttpRequest("GET", url, {"Authorization": SECRET}), HttpOptions(), 20, "trackmage").status == 200
    with pytest.raises(VendorError):
        exchange(HttpRequest("POST", "http://127.0.0.1:1/", {"Authorization": SECRET}, SECRET.encode()), HttpOptions(), 20, "trackmage")
    assert (log.getvalue(), *capsys.readouterr()) == ("", "", "")
    theirs = http.client.HTTPConnection(answering(lines))
    theirs.request("GET", "/of-another-plugin")
    assert theirs.getresponse().status == 200
    theirs.close()
    assert "/of-another-plugin" in capsys.readouterr().out


@pytest.mark.system
def test_without_quiet_urllib3_logs_the_url(log, monkeypatch):
    """The tests above rely on this: urllib3 does log URLs."""
    url = f"http://{answering(['HTTP/1.1 200 OK', 'Content-Length: 2', 'no header at all'])}/token?client_secret={SECRET}"
    requests.get(url, timeout=20)
    assert SECRET in log.getvalue()


@pytest.mark.system
def test_vault_requests_are_neither_logged_nor_printed(log, capsys, monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 5)
    address = answering(["HTTP/1.1 403 Forbidden", "Content-Length: 2", "no header at all"])
    options = VaultOptions.from_mapping({"url": f"http://{address}", "token": SECRET, "retries": 0}, environ={}, home=None, read_file=open)
    client = VaultClient(Connection(options, warn=lambda text: None))
    client.use_token(SECRET)
    with pytest.raises(VaultError):
        client.read_secret("secret", "fleet/x")
    assert SECRET not in log.getvalue()
    assert "fleet/x" not in log.getvalue()
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def factory():
    """The record factory of quiet(), over one that returns what it gets."""
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(lambda *arguments, **keywords: (arguments, keywords))
    with quiet():
        made = logging.getLogRecordFactory()
    yield made
    logging.setLogRecordFactory(before)


def test_a_record_of_others_is_made_as_before(factory):
    assert factory("urllib3.pool", 10, sinfo="s") == (("urllib3.pool", 10), {"sinfo": "s"})
    with quiet():
        for name in ("ansible", "ansible.plugins"):
            assert factory(name, 10, sinfo="s") == ((name, 10), {"sinfo": "s"})


def test_a_record_about_our_requests_contains_nothing_of_them(factory):
    with quiet():
        for name in ("urllib3.pool", "x.ansible"):
            record = factory(name, logging.CRITICAL, "/of/the/library.py", 7, "GET /?secret=%s", ("s3cret",), None, func="f")
            assert (record.name, record.levelno, record.pathname, record.lineno) == (name, -1, "", 0)
            assert (record.msg, record.args, record.exc_info) == ("not logged: it is about a request with credentials", (), None)
