# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Vault is reached: certificates, proxies, redirects, retries and the deadline; and the messages if nothing answers."""

from __future__ import annotations

import builtins
import datetime
import email.utils
import re
import ssl
import sys

import pytest
import requests
import urllib3
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.body import CutOff, Damaged, TooLarge
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.deadline import Late
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault import connection
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.answer import Refusal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.client import VaultClient
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.connection import Connection
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusals import LastingRefusal
from support.vault_wire import APPROLE, HERE, KV2, LOGGED_IN, NO_TELLING, URL, Wire, answer, failure, said


def untrusted(reason):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: body-secret")
    error.verify_message = reason
    return requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(None, "/", urllib3.exceptions.SSLError(error)))


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (
            "self-signed certificate in certificate chain",
            "has a certificate that is not trusted here (self-signed certificate in certificate chain)."
            " Name its CA file in ca_cert (VAULT_CACERT); validate_certs=false would turn the check off.",
        ),
        (
            "Hostname mismatch, certificate is not valid for 'x'.",
            "has a certificate for another host name (Hostname mismatch, certificate is not valid for 'x'.). "
            "Use a name of the certificate in url (VAULT_ADDR), or set VAULT_TLS_SERVER_NAME to one.",
        ),
        (
            "certificate has expired",
            "has a certificate that is out of date (certificate has expired). Have it renewed, or check this machine's clock.",
        ),
    ],
)
def test_an_untrusted_certificate_is_explained(monkeypatch, reason, message):
    wire = Wire(monkeypatch, untrusted(reason))
    assert failure(wire.logged_in().read_secret, "secret", "x") == (f"{HERE} {message}", "tls")


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("WRONG_VERSION_NUMBER", "does not speak TLS: begin url with http:// if that is intended (VAULT_ADDR)."),
        (
            "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            "refused the TLS connection: it requires a client certificate that it trusts. "
            "Set cert_auth_public_key and cert_auth_private_key (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY).",
        ),
        ("KEY_VALUES_MISMATCH", "cannot be contacted: cert_auth_private_key does not belong to cert_auth_public_key."),
        (
            "NO_CERTIFICATE_OR_CRL_FOUND",
            "cannot be contacted: a certificate file contains no certificate. Check ca_cert (VAULT_CACERT, VAULT_CAPATH) and cert_auth_public_key.",
        ),
    ],
)
def test_a_tls_failure_is_explained(monkeypatch, reason, message):
    error = ssl.SSLError(1, "body-secret")
    error.reason = reason
    wire = Wire(monkeypatch, requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(None, "/", error)))
    assert failure(wire.logged_in().read_secret, "secret", "x") == (f"{HERE} {message}", "tls")


@pytest.mark.parametrize(
    ("values", "verify"),
    [({}, True), ({"ca_cert": __file__}, __file__), ({"ca_cert": __file__, "validate_certs": False}, False)],
)
def test_the_certificate_is_checked_against_ca_cert(monkeypatch, values, verify):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    wire = Wire(monkeypatch, answer(200, KV2))
    wire.logged_in(**values).read_secret("secret", "x")
    assert wire.keywords[0]["verify"] == verify


def test_a_ca_file_that_does_not_verify_the_certificate_is_named(monkeypatch):
    wire = Wire(monkeypatch, untrusted("self-signed certificate"))
    assert failure(wire.logged_in(ca_cert=__file__).read_secret, "secret", "x") == (
        f"{HERE} has a certificate that is not trusted here (self-signed certificate)."
        f" ca_cert {__file__} does not verify it: name the file of its CA there (VAULT_CACERT).",
        "tls",
    )


def test_a_disabled_certificate_check_is_warned_about_once(monkeypatch):
    wire = Wire(monkeypatch, answer(200, KV2), answer(200, KV2))
    client = wire.logged_in(validate_certs=False)
    client.read_secret("secret", "x")
    client.read_secret("secret", "x")
    assert wire.warnings == [f"{HERE}: its certificate is not checked (validate_certs=false): anyone on the network can read the secrets."]


def test_a_client_certificate_goes_with_every_request(monkeypatch):
    auth = {"auth": {"client_token": "t", "lease_duration": 60, "renewable": True}}
    wire = Wire(monkeypatch, answer(200, auth), answer(200, auth))
    client = wire.client(auth_method="cert", cert_auth_public_key=__file__, cert_auth_private_key=__file__, role_id="web")
    client.login()
    client.renew_self()
    assert [keywords["cert"] for keywords in wire.keywords] == [(__file__, __file__)] * 2
    assert (wire.asked[0], wire.sent[0][3]) == (("POST", "/v1/auth/cert/login"), {"name": "web"})


MISSING = "cannot be read (no such file or directory). Give a file that this user can read (VAULT_CACERT, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY)."


def test_proxies_and_timeout_are_passed_to_requests(monkeypatch):
    wire = Wire(monkeypatch, answer(200, KV2))
    wire.logged_in(proxies="http://p:1", timeout="7").read_secret("secret", "x")
    assert wire.keywords[0]["proxies"]["https"] == "http://p:1"
    assert wire.keywords[0]["timeout"] == 7


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ca_cert": "/nonexistent.pem"}, f"ca_cert /nonexistent.pem {MISSING}"),
        (
            {"auth_method": "cert", "cert_auth_public_key": "/nonexistent.pem", "cert_auth_private_key": "/k"},
            f"cert_auth_public_key /nonexistent.pem {MISSING}",
        ),
        (
            {"retries": {"totally": 1}},
            "retries has a key or a value that urllib3's Retry does not accept (ANSIBLE_HASHI_VAULT_RETRIES).",
        ),
    ],
)
def test_unusable_files_are_reported_when_connecting(monkeypatch, values, message):
    assert failure(Wire(monkeypatch).client, **values) == (message, "option")


@pytest.mark.parametrize(("missing", "named"), [(None, "hvac"), ("hvac", "hvac"), ("requests.adapters", "requests")])
def test_a_missing_hvac_or_dependency_is_reported(monkeypatch, missing, named):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.partition(".")[0] == "hvac":
            raise ImportError(name, name=missing)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    assert failure(Wire(monkeypatch).client) == (
        f"the Python library {named} is missing on this controller ({sys.executable}): pip install {named}.",
        "option",
    )


def test_a_redirect_of_a_standby_is_followed_with_the_token(monkeypatch):
    moved = answer(307, headers={"Location": "https://active.example:8200/v1/secret/data/x"})
    wire = Wire(monkeypatch, moved, answer(200, KV2))
    assert wire.logged_in().read_secret("secret", "x").version == 7
    assert wire.sent[1][2]["X-Vault-Token"] == "hvs.user-token"


@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http", "ftp"])
@pytest.mark.parametrize("user", ["", "joe:body-secret@"])
def test_a_redirect_to_plain_http_is_refused(monkeypatch, scheme, user):
    wire = Wire(monkeypatch, answer(307, headers={"Location": f"{scheme}://{user}active.example:8200/v1/secret/data/x?a=body-secret#body-secret"}))
    assert failure(wire.logged_in(url=URL.replace("https", "HTTPS")).read_secret, "secret", "x") == (
        f"{HERE} redirects from https to {scheme.lower()}://active.example:8200/v1/secret/data/x:"
        " the Vault token would cross the network unencrypted. Check url (VAULT_ADDR).",
        "unavailable",
    )


@pytest.mark.parametrize("start", ["http://127.0.0.1:8100", "http://localhost:8100", "http://[::1]:8100"])
def test_a_redirect_from_this_machine_to_plain_http_elsewhere_is_refused(monkeypatch, start):
    """An agent or a tunnel listens here with plain http, and the user was not warned about plain http beyond this machine."""
    away = answer(307, headers={"Location": "http://hvs.user-token.active.example:8200/v1/secret/data/x"})
    message, kind = failure(Wire(monkeypatch, away).logged_in(url=start).read_secret, "secret", "x")
    assert "redirects from an address of this machine to http://***.active.example:8200/v1/secret/data/x: the Vault token would cross" in message
    assert kind == "unavailable"
    for place in ("http://127.0.0.1:8200/v1/secret/data/x", "https://active.example:8200/v1/secret/data/x"):
        wire = Wire(monkeypatch, answer(307, headers={"Location": place}), answer(200, KV2))
        assert wire.logged_in(url=start).read_secret("secret", "x").version == 7


@pytest.mark.parametrize(("url", "proxies"), [("http://127.0.0.1:8200", {}), ("http://vault.example:8200", {"http": "http://proxy.example"})])
def test_requests_to_this_machine_use_no_proxy_of_the_environment(monkeypatch, url, proxies):
    monkeypatch.setenv("http_proxy", "http://proxy.example")
    monkeypatch.delenv("no_proxy", raising=False)
    wire = Wire(monkeypatch, answer(200, KV2))
    assert wire.logged_in(url=url).read_secret("secret", "x").version == 7
    assert {name: proxy for name, proxy in wire.keywords[0]["proxies"].items() if name == "http"} == proxies


def test_redirected_requests_to_this_machine_use_no_proxy_of_the_environment(monkeypatch):
    """requests reads the environment again for the redirect."""
    monkeypatch.setenv("http_proxy", "http://proxy.example")
    monkeypatch.delenv("no_proxy", raising=False)
    wire = Wire(monkeypatch, answer(307, headers={"Location": "/v1/secret/data/y"}), answer(200, KV2))
    assert wire.logged_in(url="http://127.0.0.1:8200").read_secret("secret", "x").version == 7
    assert ["http" in keywords["proxies"] for keywords in wire.keywords] == [False, False]


def test_an_unguarded_connection_follows_redirects(monkeypatch):
    wire = Wire(monkeypatch, answer(307, headers={"Location": "https://active.example:8200/v1/sys/x"}), answer(200, {"data": {}}))
    options = VaultOptions.from_mapping({"url": URL, "token": "t"}, environ={}, home="/h", read_file=lambda path: "")
    assert Connection(options, warn=pytest.fail).request("GET", "sys/x") == {"data": {}}
    assert len(wire.sent) == 2


def test_no_token_of_the_environment_is_sent_before_the_login(monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", "hvs.of-the-environment")
    wire = Wire(monkeypatch, answer(200, {"data": {}}))
    wire.client().ask("GET", "sys/x")
    assert "X-Vault-Token" not in wire.sent[0][2]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("place", ["https://active.example:8200/v1/x", "http://active.example/v1/x", "/v1/y", "//[", "http://hvs.user-token/"])
def test_a_guarded_connection_follows_no_redirect(monkeypatch, method, place):
    wire = Wire(monkeypatch, answer(307, headers={"Location": place}), answer(200, {"data": {}}))
    client = wire.logged_in(guarded=True, retries=0)
    with pytest.raises(Refusal) as caught:
        client.ask(method, "sys/mounts/kv", {"type": "kv"} if method == "POST" else None)
    assert caught.value.status == 307
    assert wire.asked == [(method, "/v1/sys/mounts/kv")]


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://127.0.0.1:8200", False),
        ("https://localhost:8200", False),
        ("https://[::1]:8200", False),
        ("https://localhost.:8200", False),
        ("https://127.1:8200", False),
        ("http://0.0.0.0:8200", False),
        ("https://[::ffff:127.0.0.1]:8200", False),
        ("http://2130706433:8200", False),
        ("https://10.0.0.1:8200", True),
        ("http://vault.example:8200", True),
        ("https://vault.example:8200", True),
    ],
)
def test_guarded_requests_to_this_machine_use_no_proxy_of_the_environment(monkeypatch, url, asked):
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://proxy.example")
    monkeypatch.delenv("no_proxy", raising=False)
    wire = Wire(monkeypatch, answer(200, {"data": {}}))
    wire.logged_in(url=url, guarded=True).ask("GET", "sys/mounts/kv")
    assert bool({"http", "https"} & wire.keywords[0]["proxies"].keys()) is asked


def test_a_redirect_within_a_plain_http_cluster_is_followed(monkeypatch):
    """The user was warned about plain http."""
    wire = Wire(monkeypatch, answer(307, headers={"Location": "http://active.example:8200/v1/secret/data/x"}), answer(200, KV2))
    assert wire.logged_in(url="http://standby.example:8200").read_secret("secret", "x").version == 7


@pytest.mark.parametrize("place", ["/v1/secret/data/y", "//active.example:8200/v1/secret/data/y", "HTTPS://active.example:8200/v1/secret/data/y", "?", "y"])
def test_a_redirect_that_stays_with_https_is_followed(monkeypatch, place):
    wire = Wire(monkeypatch, answer(307, headers={"Location": place}), answer(200, KV2))
    assert wire.logged_in().read_secret("secret", "x").version == 7
    assert len(wire.sent) == 2


# -- repeating -----------------------------------------------------------------------------------------------------

LATE = requests.ReadTimeout(urllib3.exceptions.ReadTimeoutError(None, "/", "late"))
NOBODY = requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", urllib3.exceptions.NewConnectionError(None, "refused")))
SOON = answer(429, {"errors": ["slow down"]}, headers={"Retry-After": "2"})


@pytest.mark.parametrize("retries", [None, 3, {"total": 3, "status_forcelist": [500, 503], "allowed_methods": None}])
@pytest.mark.parametrize("trouble", [said(500, "x"), said(503, "x"), LATE, Late(), CutOff()])
def test_a_login_that_vault_may_have_seen_is_not_repeated(monkeypatch, retries, trouble):
    wire = Wire(monkeypatch, trouble)
    failure(wire.client(**APPROLE, retries=retries).login)
    assert (len(wire.sent), wire.warnings, wire.slept) == (1, [], [])


def test_a_login_that_vault_cannot_have_seen_is_repeated(monkeypatch):
    wire = Wire(monkeypatch, NOBODY, SOON, answer(200, LOGGED_IN))
    assert wire.client(**APPROLE, retries=2).login().client_token == "hvs.of-the-login"
    assert wire.warnings == [f"{HERE}: no answer, trying again.", f"{HERE}: status 429, trying again."]
    assert wire.slept[-1] == 2


@pytest.mark.parametrize("trouble", [said(412, "x"), SOON, said(500, "x"), said(502, "x"), said(503, "x"), said(504, "x"), LATE, NOBODY, Late(), CutOff()])
def test_reads_are_repeated_as_often_as_retries_says(monkeypatch, trouble):
    wire = Wire(monkeypatch, trouble, trouble, answer(200, KV2))
    assert wire.logged_in(retries=2, retry_action="ignore").read_secret("secret", "x").version == 7
    assert (len(wire.sent), wire.warnings) == (3, [])


@pytest.mark.parametrize("refusal", [said(400, "x"), said(403, "x"), said(404, "x")])
def test_a_refusal_is_not_repeated(monkeypatch, refusal):
    wire = Wire(monkeypatch, refusal, NO_TELLING)
    failure(wire.logged_in(retries=2).kv2_write, "secret", "x", {}, cas=0)
    assert "/secret/data/x" in wire.asked[0][1]
    assert [path for _method, path in wire.asked].count("/v1/secret/data/x") == 1


def test_a_write_is_not_repeated(monkeypatch):
    wire = Wire(monkeypatch, said(503, "x"))
    failure(wire.logged_in(retries=2).kv2_write, "secret", "x", {}, cas=0)
    assert wire.script == []


@pytest.mark.parametrize("trouble", [LATE, NOBODY, said(504, "x"), said(503, "Vault is sealed"), said(501, "not initialized"), said(400, "x")])
def test_without_retries_a_lasting_failure_is_not_repeated(monkeypatch, trouble):
    wire = Wire(monkeypatch, trouble, said(404))
    failure(wire.logged_in().read_secret, "secret", "x")
    assert wire.asked.count(("GET", "/v1/secret/data/x")) == 1


@pytest.mark.parametrize("status", [412, 472, 473, 500, 502, 503])
@pytest.mark.parametrize("passes", [True, False])
def test_without_retries_a_read_is_repeated_after_a_brief_failure(monkeypatch, status, passes):
    """Otherwise one such answer of a standby, a replica or a load balancer would fail all hosts of a run, which remembers it."""
    script = [said(status, "x") for _ in range(2 if passes else 4)]
    wire = Wire(monkeypatch, *script, answer(200, KV2))
    if passes:
        assert wire.logged_in().read_secret("secret", "x").version == 7
    else:
        failure(wire.logged_in().read_secret, "secret", "x")
    assert wire.slept == ([0, 1] if passes else [0, 1, 2])


def test_without_retries_the_rate_limit_is_waited_for(monkeypatch):
    wire = Wire(monkeypatch, SOON, SOON, SOON, answer(200, KV2))
    assert wire.logged_in().read_secret("secret", "x").version == 7
    assert wire.slept == [2, 2, 2]


@pytest.mark.parametrize("status", [500, 503])
def test_a_login_that_a_standby_did_not_process_is_repeated(monkeypatch, status):
    wire = Wire(monkeypatch, said(status, "local node not active but active cluster node not found"), answer(200, LOGGED_IN))
    assert wire.client(**APPROLE).login().client_token == "hvs.of-the-login"
    wire = Wire(monkeypatch, said(status, "storage"))
    failure(wire.client(**APPROLE).login)
    wire = Wire(monkeypatch, said(status, "local node not active but active cluster node not found"))
    failure(wire.client(retries=0, **APPROLE).login)


def test_zero_retries_repeat_nothing(monkeypatch):
    wire = Wire(monkeypatch, SOON)
    assert failure(wire.logged_in(retries=0).read_secret, "secret", "x")[0] == (
        f"{HERE} refuses more requests for 2 s: its rate limit is reached (429). Try again later."
    )


def test_a_long_retry_after_is_not_waited_for(monkeypatch):
    wire = Wire(monkeypatch, answer(429, {"errors": ["x"]}, headers={"Retry-After": "3600"}))
    failure(wire.logged_in(retries=3).read_secret, "secret", "x")
    assert wire.slept == []


def test_method_whitelist_works_as_allowed_methods(monkeypatch):
    retries = {"total": 1, "method_whitelist": ["GET"], "status_forcelist": [503], "backoff_factor": 0}
    wire = Wire(monkeypatch, said(503, "x"), answer(200, KV2), said(503, "x"))
    client = wire.logged_in(retries=retries)
    assert client.read_secret("secret", "x").version == 7
    failure(client.kv2_delete_metadata, "secret", "x")
    assert wire.script == []


# -- the deadline ---------------------------------------------------------------------------------------------------------


def test_all_waits_of_a_conversation_share_one_deadline(monkeypatch):
    """Vault asks for a wait of 29 s three times. The third wait would end after the 60 s that the whole conversation has."""
    wire = Wire(monkeypatch, *[answer(429, {"errors": ["x"]}, headers={"Retry-After": "29"})] * 3)
    now = [0.0]

    def sleep(seconds):
        wire.slept.append(seconds)
        now[0] += seconds

    options = VaultOptions.from_mapping({"url": URL, "token": "t"}, environ={}, home="/h", read_file=lambda path: "")
    client = VaultClient(Connection(options, warn=wire.warnings.append, monotonic=lambda: now[0], sleep=sleep))
    message, kind = failure(client.read_secret, "secret", "x")
    assert (message, kind) == (f"{HERE} refuses more requests for 29 s: its rate limit is reached (429). Try again later.", "unavailable")
    assert wire.slept == [29, 29]


@pytest.mark.parametrize("waited", [60.0, 61.0])
def test_nothing_is_sent_after_the_deadline(monkeypatch, waited):
    wire = Wire(monkeypatch)
    now = iter([0.0, waited])
    options = VaultOptions.from_mapping({"url": URL, "token": "t"}, environ={}, home="/h", read_file=lambda path: "")
    client = VaultClient(Connection(options, warn=wire.warnings.append, monotonic=lambda: next(now, waited)))
    with client._connection._patience.waiting():
        pass
    assert failure(client.read_secret, "secret", "x") == (
        f"{HERE} did not answer within 60 s. Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT).",
        "unreachable",
    )
    assert wire.sent == []


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (TooLarge(), "sent more than 4 MiB, which no secret has. Check url (VAULT_ADDR) and any proxy in front of Vault."),
        (Damaged(), "sent an answer whose compression is broken or unknown. Check url (VAULT_ADDR), the option proxies, and any proxy in front of Vault."),
        (CutOff(), "broke off its answer. Try again, or set retries."),
    ],
)
def test_an_unusable_answer_is_explained(monkeypatch, trouble, message):
    assert failure(Wire(monkeypatch, trouble).logged_in().read_secret, "secret", "x") == (f"{HERE} {message}", "unavailable")


def test_the_last_second_before_the_deadline_is_still_used(monkeypatch):
    wire = Wire(monkeypatch, LATE)
    now = iter([0.0, 59.5])
    options = VaultOptions.from_mapping({"url": URL, "token": "t", "timeout": 30}, environ={}, home="/h", read_file=lambda path: "")
    client = VaultClient(Connection(options, warn=wire.warnings.append, monotonic=lambda: next(now, 59.5)))
    with client._connection._patience.waiting():
        pass
    assert failure(client.read_secret, "secret", "x")[0].startswith(f"{HERE} did not answer within 30 s.")


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:1\thvs.user-token/",
        "https://active.example:99999/",
        "https://active.example:1\t%22body-secret%22",
        "https://[body-secret",
        "//[",
        "https://",
    ],
)
def test_a_redirect_to_an_invalid_address_reveals_no_secret(monkeypatch, place):
    """urllib's exceptions quote the address, in which a server may repeat what it was sent."""
    for url in (URL, "http://127.0.0.1:8200"):
        wire = Wire(monkeypatch, *[answer(307, headers={"Location": place}), requests.exceptions.InvalidURL("body-secret")] * 4)
        client = wire.logged_in(url=url, retries=0)
        for call in (client.lookup_self, lambda client=client: client.write_secret("secret", "x", {"a": "body-secret"}, cas=1)):
            assert failure(call)[1] in ("unavailable", "option")


def test_a_redirect_to_an_invalid_address_is_explained(monkeypatch):
    wire = Wire(monkeypatch, answer(307, headers={"Location": "https://active.example:99999/"}), requests.exceptions.InvalidURL("body-secret"))
    assert failure(wire.logged_in().read_secret, "secret", "x") == (
        f"{HERE} redirects to an address that is not a valid URL. Check api_addr in Vault's configuration.",
        "unavailable",
    )


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://active.example/v1/x", "https://active.example"),
        ("https://joe:secret@active.example:8200/v1/x", "https://active.example:8200"),
        ("http://[::1]:8200/v1/x", "http://[::1]:8200"),
        ("https:///v1/x", ""),
        ("", ""),
        ("https://active.example:99999/", None),
        ("https://[active.example/", None),
    ],
)
def test_only_the_server_of_an_address_is_shown(url, server):
    assert connection._server(url) == server


@pytest.mark.parametrize("charset", ["idna", "undefined", "no-such-charset"])
@pytest.mark.parametrize("status", [200, 500])
def test_an_unknown_charset_does_not_break_the_message(monkeypatch, charset, status):
    wire = Wire(monkeypatch, answer(status, text="<html>body", headers={"Content-Type": f"text/html; charset={charset}"}))
    assert failure(wire.logged_in(retries=0).read_secret, "secret", "x") == (
        f"{HERE}: the answer (status {status}) comes from a proxy or another service, not from Vault. Check url (VAULT_ADDR) and proxies.",
        "unavailable",
    )


NEVER = "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"


@pytest.mark.parametrize("header", [NEVER, "Fri, 31 Dec 9999999999 23:59:59 GMT", "soon", "-", "1e999", "\u00b2"])
def test_an_invalid_retry_after_is_ignored(monkeypatch, header):
    """The login is not refused: it is tried again later."""
    late = answer(429, {"errors": ["x"]}, headers={"Retry-After": header})
    message, kind = failure(Wire(monkeypatch, *[late] * 9).client(**APPROLE).login)
    assert message.startswith(f"{HERE} refuses more requests") and kind == "unavailable"


def test_a_retry_after_date_is_shown_in_seconds(monkeypatch):
    later = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=5), usegmt=True)
    wire = Wire(monkeypatch, answer(429, {"errors": ["x"]}, headers={"Retry-After": later}))
    message, _kind = failure(wire.logged_in().read_secret, "secret", "x")
    seconds = re.fullmatch(rf"{HERE} refuses more requests for (\d+) s: its rate limit is reached \(429\). Try again later.", message)
    assert seconds and 17000 < int(seconds[1]) <= 18000


@pytest.mark.parametrize("user", ["", "joe:body-secret@"])
def test_a_redirect_to_a_dead_node_is_explained(monkeypatch, user):
    moved = answer(307, headers={"Location": f"https://{user}dead.example:8200/v1/secret/data/x?a=body-secret"})
    wire = Wire(monkeypatch, moved, requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", ConnectionRefusedError(111, "x"))))
    assert failure(wire.logged_in().read_secret, "secret", "x") == (
        f"{HERE} redirects to https://dead.example:8200, which cannot be reached: connection refused. Check that node, and api_addr in Vault's configuration.",
        "unreachable",
    )


def test_a_redirect_to_a_node_with_a_mismatched_key_is_explained(monkeypatch):
    """The reason has only one sentence."""
    error = ssl.SSLError(1, "body-secret")
    error.reason = "KEY_VALUES_MISMATCH"
    moved = answer(307, headers={"Location": "https://active.example:8200/v1/secret/data/x"})
    wire = Wire(monkeypatch, moved, requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(None, "/", error)))
    assert failure(wire.logged_in().read_secret, "secret", "x")[0] == (
        f"{HERE} redirects to https://active.example:8200, which cannot be contacted: cert_auth_private_key does not belong to cert_auth_public_key."
        " Check that node, and api_addr in Vault's configuration."
    )


def test_a_socks_proxy_without_its_library_is_explained(monkeypatch):
    wire = Wire(monkeypatch, requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support."))
    with pytest.raises(OptionError) as caught:
        wire.logged_in().read_secret("secret", "x")
    assert caught.value.message.startswith(f"{HERE}: a SOCKS proxy (proxies, VAULT_PROXY_ADDR, or all_proxy in the environment) needs")
    assert caught.value.fault == "option:library"


@pytest.mark.parametrize(("url", "warned"), [("http://10.0.0.1:8200", True), ("http://127.0.0.1:8200", False), ("http://[::1]:8200", False), (URL, False)])
def test_plain_http_to_another_machine_is_warned_about(monkeypatch, url, warned):
    wire = Wire(monkeypatch)
    wire.client(url=url)
    text = f"Vault at {url} is used over plain http: anyone on the network can read the Vault token and the secrets. Begin url with https:// (VAULT_ADDR)."
    assert wire.warnings == ([text] if warned else [])


def test_plain_http_through_a_proxy_is_warned_about(monkeypatch):
    wire = Wire(monkeypatch)
    wire.client(url="http://127.0.0.1:8200", proxies={"http": "http://proxy.example"})
    assert [warning.partition(":8200 ")[2].partition(":")[0] for warning in wire.warnings] == ["is used over plain http"]


# -- what a message adds to the problem ------------------------------------------------------------------------------------


def test_the_namespace_is_named_in_messages(monkeypatch):
    message, _kind = failure(Wire(monkeypatch, said(404), NO_TELLING).logged_in(namespace="team").read_secret, "secret", "x")
    assert message.startswith(f"{HERE} (namespace team) has no secret at secret/x ")


def _refused(values, environ=None):
    options = VaultOptions.from_mapping({"url": URL, "token": "t", **values}, environ=environ or {}, home="/h", read_file=lambda path: "")
    with pytest.raises(OptionError) as caught:
        VaultClient(Connection(options, warn=pytest.fail))
    return caught.value.message, caught.value.fault


def test_unusable_files_have_an_error_code(tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(b"\xff" + b"-----begin encrypted private key-----\n".upper())  # written in capitals here, this file itself would be taken for a key
    pair = {"cert_auth_public_key": __file__, "cert_auth_private_key": str(key)}
    assert _refused({"ca_cert": "/nonexistent.pem"}) == (f"ca_cert /nonexistent.pem {MISSING}", "option:file")
    assert _refused({**pair, "cert_auth_private_key": "/nonexistent.pem"}) == (f"cert_auth_private_key /nonexistent.pem {MISSING}", "option:file")
    assert _refused(pair)[0] == f"the private key {key} (cert_auth_private_key) has a passphrase. Use a key without one."
    message = "no certificates can be read from VAULT_CACERT_BYTES or the folder VAULT_CAPATH. Give PEM texts."
    assert _refused({}, environ={"VAULT_CACERT_BYTES": "no PEM"}) == (message, "option:file")


def test_a_missing_library_has_an_error_code(monkeypatch):
    monkeypatch.setitem(sys.modules, "hvac", None)
    with pytest.raises(VaultError) as caught:
        Wire(monkeypatch).client()
    assert (caught.value.kind, caught.value.fault) == ("option", "option:library")


@pytest.mark.parametrize(("action", "warnings"), [("warn", [f"{HERE}: status 503, trying again."]), ("ignore", [])])
def test_a_repetition_is_warned_about_only_if_retry_action_is_warn(monkeypatch, action, warnings):
    wire = Wire(monkeypatch, said(503, "x"), answer(200, KV2))
    assert wire.logged_in(retries=1, retry_action=action).read_secret("secret", "x").version == 7
    assert wire.warnings == warnings


def test_a_guarded_request_sends_its_body(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"data": {}}))
    wire.logged_in(guarded=True).ask("POST", "sys/x", {"a": 1})
    assert (wire.asked, wire.sent[0][3]) == ([("POST", "/v1/sys/x")], {"a": 1})


def test_without_validation_ca_cert_need_not_exist(monkeypatch):
    wire = Wire(monkeypatch, answer(200, KV2))
    assert wire.logged_in(ca_cert="/nonexistent.pem", validate_certs=False).read_secret("secret", "x").version == 7


def test_a_timeout_names_the_seconds_waited(monkeypatch):
    message, _kind = failure(Wire(monkeypatch, LATE).logged_in(timeout=7, retries=0).read_secret, "secret", "x")
    assert message == f"{HERE} did not answer within 7 s. Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT)."


@pytest.mark.parametrize(("trouble", "not_taken"), [(TooLarge(), True), (CutOff(), False)])
def test_an_oversized_answer_is_a_lasting_refusal(monkeypatch, trouble, not_taken):
    with pytest.raises(VaultError) as caught:
        Wire(monkeypatch, trouble).logged_in(retries=0).read_secret("secret", "x")
    assert isinstance(caught.value, LastingRefusal) is not_taken
