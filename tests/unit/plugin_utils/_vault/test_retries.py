# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which requests to Vault are sent again, and when."""

from __future__ import annotations

import datetime
import email.utils
import http.client
import ssl
import types

import pytest
import requests
import urllib3
import urllib3.exceptions as u
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.body import CutOff
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.deadline import Late
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.retries import next_attempt, retries
from support.raised import raised_in
from urllib3.util.retry import Retry

READ = types.SimpleNamespace(method="get", url="https://v/v1/secret/data/auth/x")
WRITE = types.SimpleNamespace(method="post", url="https://v/v1/secret/data/x")
LOGIN = types.SimpleNamespace(method="post", url="https://v/v1/auth/approle/login")


def retry_of(value):
    return retries(types.SimpleNamespace(retries=value))


def answer(status, content=b"", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = urllib3.HTTPResponse(b"", headers, status, preload_content=False)
    return types.SimpleNamespace(status_code=status, content=content, headers=requests.structures.CaseInsensitiveDict(headers), raw=raw)


def left(retry, request, response=None, trouble=None):
    """Whether there is another attempt, and the pause before it."""
    following, pause = next_attempt(retry, request, response, trouble)
    return (following is not None, pause)


def no_connection():
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", urllib3.exceptions.NewConnectionError(None, "x")))


def late():
    return requests.ReadTimeout(urllib3.exceptions.ReadTimeoutError(None, "/", "x"))


END = (False, 0.0)


# -- what urllib3 is given ------------------------------------------------------------------------------------------


def test_the_default_retry_settings():
    made = retry_of(None)
    assert (made.total, made.connect, made.read, made.other, made.status) == (None, 0, 0, 0, 3)
    assert (made.status_forcelist, made.backoff_factor) == ((412, 429, 472, 473, 500, 502, 503), 0.5)
    assert made.allowed_methods == {"GET", "HEAD", "OPTIONS", "TRACE", "LIST"}
    assert (made.raise_on_status, made.respect_retry_after_header) == (False, True)


def test_a_number_of_retries_applies_to_every_temporary_status():
    made = retry_of(2)
    assert (made.total, made.status_forcelist, made.backoff_factor) == (2, (412, 429, 472, 473, 500, 502, 503, 504), 0.3)
    assert made.allowed_methods == {"GET", "HEAD", "OPTIONS", "TRACE", "LIST"}
    assert (made.raise_on_status, made.respect_retry_after_header) == (False, True)


def test_settings_of_the_user_are_passed_to_urllib3():
    made = retry_of({"total": 5, "raise_on_status": True})
    assert (made.total, made.raise_on_status, made.allowed_methods) == (5, True, {"GET", "HEAD", "OPTIONS", "TRACE", "LIST"})
    assert retry_of({"method_whitelist": ["GET"]}).allowed_methods == ["GET"]
    assert retry_of({"method_whitelist": ["GET"], "allowed_methods": ["POST"]}).allowed_methods == ["POST"]
    with pytest.raises(TypeError):
        retry_of({"totally": 1})


@pytest.mark.parametrize("broken", [lambda: u.ProxyError("x", http.client.RemoteDisconnected("x")), lambda: u.SSLError(ssl.SSLError(1, "x"))])
def test_a_connection_that_a_proxy_or_tls_broke_is_repeated_only_for_reads(broken):
    """urllib3 asks for the method only after errors of the answer."""
    trouble = requests.ConnectionError(u.MaxRetryError(None, "/", broken()))
    assert left(retry_of(2), READ, trouble=trouble)[0]
    assert left(retry_of(2), WRITE, trouble=trouble) == END
    assert left(retry_of({"total": 2, "allowed_methods": None}), WRITE, trouble=trouble)[0]
    refused = requests.ConnectionError(u.MaxRetryError(None, "/", raised_in("urllib3.connection", "connect", broken())))
    assert left(retry_of(2), WRITE, trouble=refused)[0]


# -- after an answer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 2])
def test_a_read_is_sent_again_after_a_temporary_status(value):
    for status in (412, 472, 473, 500, 502, 503):
        assert left(retry_of(value), READ, answer(status))[0], status
    for status in (200, 400, 403, 404):
        assert left(retry_of(value), READ, answer(status)) == END
    assert left(retry_of(value), READ, answer(504))[0] is (value == 2)


def test_after_a_503_a_write_is_repeated_only_if_allowed_methods_permit_it_and_a_login_never():
    assert left(retry_of(2), WRITE, answer(503)) == END
    assert left(retry_of(2), LOGIN, answer(503)) == END
    assert left(retry_of({"total": 2, "allowed_methods": None, "status_forcelist": [503]}), WRITE, answer(503))[0]
    assert left(retry_of({"total": 2, "allowed_methods": None, "status_forcelist": [503]}), LOGIN, answer(503)) == END


@pytest.mark.parametrize("request_", [READ, WRITE, LOGIN])
def test_a_request_that_vault_did_not_process_is_sent_again(request_):
    assert left(retry_of(None), request_, answer(429, Retry_After="7")) == (True, 7)
    for status in (500, 503):
        assert left(retry_of(None), request_, answer(status, b'{"errors": ["local node not active but"]}')) == (True, 0)
    assert left(retry_of(None), request_, answer(499, b"local node not active")) == END
    assert left(retry_of(None), LOGIN, answer(503, Retry_After="7")) == END
    assert left(retry_of(None), LOGIN, answer(429)) == END


def test_a_retry_after_makes_urllib3_repeat_a_status_that_is_not_in_the_list():
    assert left(Retry(total=2, status_forcelist=[500], raise_on_status=False), READ, answer(503, Retry_After="3")) == (True, 3)
    assert left(Retry(total=2, status_forcelist=[500], raise_on_status=False), READ, answer(503)) == END


@pytest.mark.parametrize("none", [{"status": 0, "total": 3}, {"total": 0}])
def test_zero_retries_send_nothing_again(none):
    assert left(Retry(raise_on_status=False, **none), LOGIN, answer(429, Retry_After="7")) == END


def test_the_last_retry_is_used():
    assert left(Retry(total=3, status=1, raise_on_status=False), LOGIN, answer(429, Retry_After="7")) == (True, 7)
    assert left(Retry(total=1, raise_on_status=False), LOGIN, answer(429, Retry_After="7")) == (True, 7)


def test_a_sealed_vault_is_asked_again_only_with_explicit_retries():
    assert left(retry_of(None), READ, answer(503, b"Vault is sealed")) == END
    assert left(retry_of(2), READ, answer(503, b"Vault is sealed"))[0]


@pytest.mark.parametrize(("seconds", "again"), [("29", True), ("30", True), ("31", False)])
def test_a_long_retry_after_ends_the_retries(seconds, again):
    assert left(retry_of(None), READ, answer(429, Retry_After=seconds)) == ((True, float(seconds)) if again else END)


def test_a_retry_after_date_is_understood():
    soon = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1), usegmt=True)
    assert left(retry_of(None), READ, answer(429, Retry_After=soon)) == END
    assert left(retry_of(None), READ, answer(429, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT")) == (True, 0)


@pytest.mark.parametrize("odd", ["soon", "Fri, 31 Dec 99999999999999999999 23:59:59 GMT", "Fri, 31 Dec 99999 23:59:59 GMT"])
def test_an_invalid_retry_after_is_not_waited_for(odd):
    assert left(retry_of(None), READ, answer(503, Retry_After=odd)) == (True, 0)


def test_retry_after_can_be_ignored():
    retry = Retry(total=2, status_forcelist=[503], raise_on_status=False, respect_retry_after_header=False)
    assert left(retry, READ, answer(503, Retry_After="7")) == (True, 0)


def test_the_pauses_between_retries_grow():
    retry, pauses = retry_of(None), []
    for _attempt in range(3):
        retry, pause = next_attempt(retry, READ, answer(503), None)
        pauses.append(pause)
    assert pauses == [0, 1, 2]
    assert next_attempt(retry, READ, answer(503), None) == (None, 0.0)


# -- without an answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [no_connection(), late(), Late(), CutOff()])
def test_a_read_without_an_answer_is_sent_again_only_with_explicit_retries(trouble):
    assert left(retry_of(2), READ, trouble=trouble) == (True, 0)
    assert left(retry_of(None), READ, trouble=trouble) == END
    assert left(Retry(total=0), READ, trouble=trouble) == END


@pytest.mark.parametrize("trouble", [late(), Late(), CutOff()])
def test_a_request_that_vault_may_have_seen_counts_as_a_read_error(trouble):
    assert left(Retry(total=2, read=0), READ, trouble=trouble) == END
    assert left(Retry(total=2, connect=0), READ, trouble=trouble) == (True, 0)
    assert left(retry_of(2), WRITE, trouble=trouble) == END
    assert left(retry_of(2), LOGIN, trouble=trouble) == END


def test_a_request_that_vault_cannot_have_seen_counts_as_a_connect_error():
    for request in (READ, WRITE, LOGIN):
        assert left(Retry(total=2, read=0), request, trouble=no_connection()) == (True, 0)
        assert left(Retry(total=2, connect=0), request, trouble=no_connection()) == END
    behind = urllib3.exceptions.ProxyError("x", urllib3.exceptions.ConnectTimeoutError("x"))
    proxy = requests.exceptions.ProxyError(urllib3.exceptions.MaxRetryError(None, "/", behind))
    assert left(retry_of(2), LOGIN, trouble=proxy) == (True, 0)


@pytest.mark.parametrize("trouble", [None, ValueError("x"), requests.exceptions.InvalidURL("x")])
def test_other_errors_are_not_retried(trouble):
    assert left(retry_of({"total": 2, "allowed_methods": None}), READ, trouble=trouble or ValueError()) == END


def test_a_read_below_auth_is_not_a_login():
    assert left(retry_of(2), types.SimpleNamespace(method="get", url="https://v/v1/auth/token/lookup-self"), answer(503))[0]
