# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Vault is asked, and what becomes of its answers: from hvac down to the last step before the network."""

from __future__ import annotations

import contextlib
import json

import pytest
import requests
import urllib3
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import CasMismatch, OptionError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Secret
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.answer import Refusal
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.client import checked_path
from support.raised import raised_in
from support.vault_wire import APPROLE, DELETED, DESTROYED, HERE, KV2, LOGGED_IN, NO_TELLING, ROLE, SECRET_ID, SELF, Wire, answer, failure, said

#: hvac warns of calls that are going to change.
pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning")

# -- reading -------------------------------------------------------------------------------------------------------


def test_a_secret_of_kv_version_2_is_read(monkeypatch):
    wire = Wire(monkeypatch, answer(200, KV2))
    secret = wire.logged_in(namespace="team").read_secret("secret", "fleet/tracx")
    assert secret == Secret(data={"username": "u"}, version=7, path="secret/fleet/tracx")
    assert "username" not in repr(secret)
    method, path, headers, body = wire.sent[0]
    assert (method.upper(), path, body) == ("GET", "/v1/secret/data/fleet/tracx", None)
    assert (headers["X-Vault-Token"], headers["X-Vault-Namespace"], headers["X-Vault-Request"]) == ("hvs.user-token", "team", "true")
    assert wire.keywords[0]["timeout"] == 30


def test_a_pinned_version_is_requested_with_an_encoded_path(monkeypatch):
    wire = Wire(monkeypatch, answer(200, KV2))
    wire.logged_in().read_secret("team/kv", "a b/ü%?#", version=7)
    assert wire.asked == [("GET", "/v1/team/kv/data/a%20b/%C3%BC%25%3F%23?version=7")]


def test_a_secret_of_kv_version_1_is_read(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"data": {"username": "u"}}))
    assert wire.logged_in().read_secret("kv", "tracx", engine_version="1") == Secret({"username": "u"}, None, "kv/tracx")
    assert wire.asked == [("GET", "/v1/kv/tracx")]


@pytest.mark.parametrize(("options", "path"), [({"version": "2"}, "kv/data/x"), ({"version": "1"}, "kv/x"), (None, "kv/x")])
def test_auto_asks_vault_for_the_kv_version(monkeypatch, options, path):
    data = KV2 if "/data/" in path else {"data": {"username": "u"}}
    wire = Wire(monkeypatch, answer(200, {"data": {"options": options, "path": "kv/", "type": "kv"}}), answer(200, data))
    assert wire.logged_in().read_secret("kv", "x", engine_version="auto").data == {"username": "u"}
    assert wire.asked == [("GET", "/v1/sys/internal/ui/mounts/kv/x"), ("GET", f"/v1/{path}")]


def test_auto_knows_the_old_name_of_version_1(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"data": {"options": None, "path": "kv/", "type": "generic"}}), answer(200, {"data": {"username": "u"}}))
    assert wire.logged_in().read_secret("kv", "x", engine_version="auto").data == {"username": "u"}
    assert wire.asked[1:] == [("GET", "/v1/kv/x")]


def test_auto_needs_a_token_that_vault_accepts(monkeypatch):
    wire = Wire(monkeypatch, said(401, "permission denied"), answer(200, SELF))
    assert failure(wire.logged_in().read_secret, "kv", "x", engine_version="auto") == (
        f"{HERE} denied reading the kind of mount at kv (permission denied). The token is valid, but none of its policies (default, fleet) grants read on kv,"
        " or one of them denies it. Correct the policies.",
        "denied",
    )


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_auto_tries_both_versions_if_vault_does_not_tell(monkeypatch, status):
    denied = said(403, "permission denied")
    wire = Wire(monkeypatch, said(status, "permission denied"), denied, answer(200, SELF), answer(200, {"data": {"username": "u"}}))
    assert wire.logged_in().read_secret("kv", "x", engine_version="auto").data == {"username": "u"}
    assert [path for _method, path in wire.asked if "lookup" not in path] == [
        "/v1/sys/internal/ui/mounts/kv/x",
        "/v1/kv/data/x",
        "/v1/kv/x",
    ]


@pytest.mark.parametrize(
    ("second", "third", "shown"),
    [
        (said(404), said(404), 2),
        (said(404), said(403, "permission denied"), 2),
        # An allowed path without a secret says more than a denied one.
        (said(403, "permission denied"), said(404), 1),
    ],
)
def test_auto_says_which_path_has_no_secret(monkeypatch, second, third, shown):
    monkeypatch.setattr("hvac.api.auth_methods.Token.lookup_self", lambda *arguments, **keywords: SELF)
    wire = Wire(monkeypatch, said(403, "permission denied"), second, third)
    assert failure(wire.logged_in().read_secret, "kv", "x", engine_version="auto") == (
        f"{HERE} has no secret at kv/x (KV version {shown}). Check the path, engine_mount_point, engine_version and namespace.",
        "missing",
    )


def test_auto_finds_a_secret_of_version_1_where_version_2_has_none(monkeypatch):
    wire = Wire(monkeypatch, said(403, "permission denied"), said(404), answer(200, {"data": {"username": "u"}}))
    assert wire.logged_in().read_secret("kv", "x", engine_version="auto").data == {"username": "u"}


def test_auto_does_not_try_a_vault_that_is_sealed(monkeypatch):
    wire = Wire(monkeypatch, said(403, "permission denied"), said(503, "Vault is sealed"), answer(200, {"initialized": True}))
    assert failure(wire.logged_in().read_secret, "kv", "x", engine_version="auto")[1] == "sealed"
    assert wire.asked[1:] == [("GET", "/v1/kv/data/x"), ("GET", "/v1/sys/seal-status")]


def test_auto_with_a_pinned_version_tries_version_2_alone(monkeypatch):
    wire = Wire(monkeypatch, said(403, "permission denied"), answer(200, KV2), said(404))
    client = wire.logged_in()
    assert client.read_secret("kv", "x", engine_version="auto", version=3).data == {"username": "u"}
    assert failure(client.read_secret, "kv", "x", engine_version="auto", version=3) == (
        f"{HERE} has no secret at kv/x, or not its version 3. Check the path and secret_version.",
        "missing",
    )
    assert [path for _method, path in wire.asked[1:]] == ["/v1/kv/data/x?version=3"] * 2


def test_auto_reports_the_denial_of_version_2_if_both_are_denied(monkeypatch):
    denied = said(403, "permission denied")
    wire = Wire(monkeypatch, denied, denied, answer(200, SELF), denied, answer(200, SELF))
    message, kind = failure(wire.logged_in().read_secret, "kv", "x", engine_version="auto")
    assert kind == "denied"
    assert message == (
        f"{HERE} denied reading kv/data/x (permission denied). The token is valid, but none of its policies (default, fleet) grants read on kv/data/x,"
        " or one of them denies it. Correct the policies,"
        " or engine_mount_point (now: kv)."
    )


def test_a_wrapped_answer_is_unwrapped(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"wrap_info": {"token": "hvs.wrap"}}), answer(200, KV2))
    assert wire.logged_in(wrap_ttl="30s").read_secret("secret", "x").version == 7
    assert wire.sent[0][2]["X-Vault-Wrap-TTL"] == "30s"
    assert (wire.asked[1], wire.sent[1][3]) == (("POST", "/v1/sys/wrapping/unwrap"), {"token": "hvs.wrap"})


def test_a_wrapped_read_requests_the_pinned_version(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"wrap_info": {"token": "hvs.wrap"}}), answer(200, KV2))
    wire.logged_in(wrap_ttl="30s").read_secret("secret", "x", version=7)
    assert wire.asked[0] == ("GET", "/v1/secret/data/x?version=7")


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_an_empty_path_is_refused(monkeypatch, path):
    message, kind = failure(Wire(monkeypatch).logged_in().read_secret, "secret", path)
    assert kind == "option"
    assert message == "the path of the secret is empty. Give the path of a secret below the mount, such as fleet/trackunit."


def test_the_faults_of_invalid_paths_and_versions(monkeypatch):
    faults = []
    for mount, path, more in (("secret", "", {}), ("secret", "a//b", {}), ("secret", "x", {"engine_version": "1", "version": 2})):
        with pytest.raises(OptionError) as caught:
            Wire(monkeypatch).logged_in().read_secret(mount, path, **more)
        faults.append(caught.value.fault)
    assert faults == ["option:vault_path", "option:vault_path", "option:clash"]


def test_a_missing_secret_mentions_a_path_in_the_url(monkeypatch):
    """Vault answers as if the secret did not exist."""
    message, kind = failure(Wire(monkeypatch, said(404), NO_TELLING).logged_in(url="https://vault.example:8200/Xteam/a/").read_secret, "secret", "x")
    assert message == (
        f"{HERE}/Xteam/a has no secret at secret/x (KV version 2). Check the path, engine_mount_point, engine_version and namespace."
        " The path 'Xteam/a' in url is for a proxy in front of Vault; a namespace belongs in namespace (VAULT_NAMESPACE)."
    )
    assert kind == "missing"


@pytest.mark.parametrize("path", ["../sys/x", "a/../b", "a/./b", "a//b", "a\nb", "a\x00b"])
def test_a_path_with_empty_or_dot_parts_or_control_characters_is_refused(monkeypatch, path):
    message, kind = failure(Wire(monkeypatch).logged_in().read_secret, "secret", path)
    assert kind == "option"
    assert message.startswith("the path of the secret '")
    assert message.endswith("contains an empty, '.' or '..' part or a control character. Give a plain path.")


def test_leading_and_trailing_slashes_of_a_path_are_stripped():
    assert checked_path("p", "/X/a/bX/") == "X/a/bX"


# -- what is wrong with the secret ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "arguments", "message", "kind"),
    [
        (
            [said(404), NO_TELLING],
            ("secret", "x"),
            "has no secret at secret/x (KV version 2). Check the path, engine_mount_point, engine_version and namespace.",
            "missing",
        ),
        (
            [said(404), NO_TELLING],
            ("secret", "secret/data/fleet/x"),
            "has no secret at secret/secret/data/fleet/x (KV version 2). Try 'fleet/x': the mount and data/ are not part of path.",
            "missing",
        ),
        (
            [said(404), NO_TELLING],
            ("secret", "data/x"),
            "has no secret at secret/data/x (KV version 2). Try 'x': data/ is not part of path.",
            "missing",
        ),
        (
            [said(404), answer(200, {"data": {"options": {"version": "1"}}})],
            ("kv", "x"),
            "has KV version 1 at kv, but version 2 was requested. Set engine_version=1.",
            "missing",
        ),
        (
            [said(404, 'no handler for route "nope/data/x". route entry not found.')],
            ("nope", "x"),
            "has nothing mounted at nope. Check engine_mount_point and namespace.",
            "missing",
        ),
        (
            [said(403, "permission denied"), NO_TELLING],
            ("secret", "secret/x"),
            "denied reading secret/data/secret/x (permission denied). Try 'x': the mount is not part of path.",
            "denied",
        ),
        (
            [said(403, "permission denied"), answer(200, {"data": {"options": {"version": "1"}, "type": "kv"}})],
            ("kv", "x"),
            "has KV version 1 at kv, but version 2 was requested. Set engine_version=1.",
            "missing",
        ),
        (
            [said(403, "permission denied"), answer(200, {"data": {"options": {"version": "2"}, "type": "kv"}}), answer(200, SELF)],
            ("secret", "x"),
            "denied reading secret/data/x (permission denied)."
            " The token is valid, but none of its policies (default, fleet) grants read on secret/data/x, or one of them denies it. Correct the policies,"
            " or engine_mount_point (now: secret).",
            "denied",
        ),
        (
            [said(403, "permission denied"), answer(200, {"data": {"type": "database"}}), answer(200, SELF)],
            ("secret", "x"),
            "denied reading secret/data/x (permission denied)."
            " The token is valid, but none of its policies (default, fleet) grants read on secret/data/x, or one of them denies it. Correct the policies,"
            " or engine_mount_point (now: secret).",
            "denied",
        ),
        (
            [said(403, "permission denied"), NO_TELLING, NO_TELLING],
            ("secret", "x"),
            "denied reading secret/data/x (permission denied). The token may be expired, or none of its policies grants read on secret/data/x, or one of them"
            " denies it. Check the token, its policies, and engine_mount_point (now: secret).",
            "denied",
        ),
        (
            [said(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")],
            ("secret", "x"),
            "does not accept the token (permission denied; invalid token): it is wrong, expired or revoked. "
            "Get a new one (vault login), and set token (VAULT_TOKEN). Denied: reading secret/data/x.",
            "denied",
        ),
        (
            [answer(200, {"data": {"username": "u"}})],
            ("kv", "x"),
            "the data at kv/data/x is not a secret of KV version 2. Set engine_version=1 if kv is of version 1.",
            "missing",
        ),
    ],
)
def test_each_failed_read_is_explained(monkeypatch, script, arguments, message, kind):
    wire = Wire(monkeypatch, *script)
    got = failure(wire.logged_in().read_secret, *arguments)
    assert got == (f"{HERE}: {message}" if message.startswith("the data at") else f"{HERE} {message}", kind)
    assert wire.script == []


@pytest.mark.parametrize("status", [404, 200])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (DELETED, "is deleted. Undelete it, write it again, or name another version in secret_version."),
        (DESTROYED, "is destroyed. Write it again, or name another version in secret_version."),
    ],
)
def test_a_deleted_or_destroyed_version_is_explained(monkeypatch, status, body, message):
    wire = Wire(monkeypatch, answer(status, body))
    assert failure(wire.logged_in().read_secret, "secret", "x") == (
        f"{HERE}: version 3 of the secret at secret/x {message}",
        "deleted",
    )


def test_a_missing_version_is_named(monkeypatch):
    wire = Wire(monkeypatch, said(404), NO_TELLING)
    assert failure(wire.logged_in().read_secret, "secret", "x", version=9) == (
        f"{HERE} has no secret at secret/x, or not its version 9. Check the path and secret_version.",
        "missing",
    )


def test_a_version_is_refused_for_kv_version_1(monkeypatch):
    assert failure(Wire(monkeypatch).logged_in().read_secret, "kv", "x", engine_version="1", version=2) == (
        "secret_version=2 needs KV version 2, but kv is a mount of KV version 1.",
        "option",
    )


def test_a_kv_version_1_read_of_a_version_2_mount_is_explained(monkeypatch):
    warning = "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."
    wire = Wire(monkeypatch, answer(404, {"warnings": [warning]}))
    assert failure(wire.logged_in().read_secret, "secret", "x", engine_version="1") == (
        f"{HERE} has KV version 2 at secret, but version 1 was requested. Set engine_version=2.",
        "missing",
    )


def test_an_unknown_engine_version_is_refused(monkeypatch):
    assert failure(Wire(monkeypatch).logged_in().read_secret, "kv", "x", engine_version="3")[0] == ("engine_version='3' is not known. Use 2, 1 or auto.")


def test_with_auth_method_none_a_denial_asks_for_an_agent_that_adds_a_token(monkeypatch):
    wire = Wire(monkeypatch, said(403, "permission denied"), NO_TELLING)
    client = wire.client(auth_method="none", token=None)
    client.login()
    assert failure(client.read_secret, "secret", "x") == (
        f"{HERE} denied reading secret/data/x (permission denied)."
        " With auth_method=none an agent or proxy must add a token whose policies grant read on secret/data/x.",
        "denied",
    )
    assert "X-Vault-Token" not in wire.sent[0][2]


# -- what is wrong with Vault, or in front of it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "message", "kind"),
    [
        ([said(503, "Vault is sealed"), answer(200, {"initialized": True, "sealed": True})], "is sealed. An operator must unseal it first.", "sealed"),
        (
            [said(503, "Vault is sealed"), answer(200, {"initialized": False, "sealed": True})],
            "is not initialised. An operator must initialise and unseal it first.",
            "sealed",
        ),
        ([said(503, "Vault is sealed"), requests.ConnectionError()], "is sealed. An operator must unseal it first.", "sealed"),
        (
            [said(429, "request path: rate limit quota exceeded")] * 4,  # a read is repeated three times
            "refuses more requests: its rate limit is reached (429). Try again later.",
            "unavailable",
        ),
        (
            [answer(429, {"errors": ["x"]}, headers={"Retry-After": "90"})],
            "refuses more requests for 90 s: its rate limit is reached (429). Try again later.",
            "unavailable",
        ),
        (
            [answer(429, {"errors": ["x"]}, headers={"Retry-After": "1e400"})] * 4,
            "refuses more requests for 21600 s: its rate limit is reached (429). Try again later.",
            "unavailable",
        ),
        (
            [answer(429, {"errors": ["x"]}, headers={"Retry-After": "nan"})] * 4,
            "refuses more requests: its rate limit is reached (429). Try again later.",
            "unavailable",
        ),
        (
            [said(500, "no leader of the storage")],
            "cannot serve now: status 500 (no leader of the storage). Try again later, or set retries.",
            "unavailable",
        ),
        ([said(412, "required index state not present")], "is a replica that is not up to date yet (412). Try again, or set retries.", "unavailable"),
        (
            [said(418, "tea")],
            "failed (reading secret/data/x): status 418 (tea). Check url (VAULT_ADDR), any proxy between here and Vault, and Vault's log.",
            "unavailable",
        ),
        (
            [answer(400, text="Client sent an HTTP request to an HTTPS server.\n")],
            "speaks TLS only: begin url with https:// (VAULT_ADDR).",
            "tls",
        ),
        ([requests.ReadTimeout("body-secret")], "did not answer within 30 s. Try again, or raise timeout (ANSIBLE_HASHI_VAULT_TIMEOUT).", "unreachable"),
        (
            [requests.ConnectTimeout("body-secret")],
            "cannot be reached: no connection within 30 s. Check url (VAULT_ADDR) and the network.",
            "unreachable",
        ),
        (
            [requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/v1/body-secret", ConnectionRefusedError(111, "x")))],
            "cannot be reached: connection refused. Check that it runs, and url (VAULT_ADDR).",
            "unreachable",
        ),
        (
            [requests.ConnectionError(ConnectionResetError(104, "x"))],
            "cannot be reached: the connection was reset. Check that it runs, and url (VAULT_ADDR).",
            "unreachable",
        ),
        (
            [requests.ConnectionError(OSError(113, "No route to host"))],
            "cannot be reached: no route to host. Check that it runs, and url (VAULT_ADDR).",
            "unreachable",
        ),
        ([requests.ConnectionError("body-secret")], "cannot be reached: the connection broke. Check that it runs, and url (VAULT_ADDR).", "unreachable"),
        (
            [raised_in("urllib3.connection", "connect", requests.exceptions.ProxyError("http://u:body-secret@p"))],
            "cannot be reached through the proxy. Check proxies (ANSIBLE_HASHI_VAULT_PROXIES, https_proxy).",
            "unreachable",
        ),
        (
            [requests.exceptions.ChunkedEncodingError("body-secret")],
            "broke off its answer. Try again, or set retries.",
            "unavailable",
        ),
        (
            [requests.TooManyRedirects("body-secret")],
            "redirects endlessly. Check url (VAULT_ADDR) and any proxy in front of Vault.",
            "unavailable",
        ),
        (
            [requests.exceptions.SSLError("tlsv13 body-secret")],
            "failed at TLS. Check url (VAULT_ADDR), ca_cert (VAULT_CACERT) and any proxy between here and Vault.",
            "tls",
        ),
    ],
)
def test_each_failure_of_vault_is_explained_for_reads_and_logins(monkeypatch, script, message, kind):
    wire = Wire(monkeypatch, *script)
    assert failure(wire.logged_in(retries=0).read_secret, "secret", "x") == (f"{HERE} {message}", kind)
    wire = Wire(monkeypatch, *script)
    client = wire.client(**APPROLE)
    expected = f"{HERE} {message}".replace("reading secret/data/x", "")
    if isinstance(script[0], requests.Response):
        expected = expected.replace(", or set retries", "")  # a login is not repeated
    if "418" not in message:
        assert failure(client.login) == (expected, kind)


@pytest.mark.parametrize(
    ("status", "text"), [(200, "<html>body-secret</html>"), (403, "<html>body-secret</html>"), (404, "body-secret"), (502, ""), (200, "[1]")]
)
def test_an_answer_of_another_service_is_reported(monkeypatch, status, text):
    message = f"{HERE}: the answer (status {status}) comes from a proxy or another service, not from Vault. Check url (VAULT_ADDR) and proxies."
    assert failure(Wire(monkeypatch, answer(status, text=text)).logged_in(retries=0).read_secret, "secret", "x") == (message, "unavailable")
    assert failure(Wire(monkeypatch, answer(status, text=text)).client(**APPROLE).login) == (message, "unavailable")


@pytest.mark.parametrize("token", ["two\nlines", "snow\u2603man"])
def test_a_token_with_characters_that_cannot_be_sent_is_reported(monkeypatch, token):
    monkeypatch.undo()
    client = Wire(monkeypatch, UnicodeEncodeError("latin-1", token, 0, 1, "no")).client(token=token, token_validate=True)
    message, kind = failure(client.login)
    assert kind == "option"
    assert message == f"{HERE}: the token or another login value has characters that cannot be sent. Check it for line ends."


# -- login ---------------------------------------------------------------------------------------------------------


def test_a_login_gives_the_token_for_later_requests(monkeypatch):
    auth = {"client_token": "hvs.new-token", "lease_duration": 600, "renewable": True, "accessor": "a"}
    wire = Wire(monkeypatch, answer(200, {"auth": auth}), answer(200, KV2))
    client = wire.client(**APPROLE)
    login = client.login()
    assert (login.client_token, login.lease_seconds, login.renewable) == ("hvs.new-token", 600, True)
    client.read_secret("secret", "x")
    assert wire.asked == [("POST", "/v1/auth/approle/login"), ("GET", "/v1/secret/data/x")]
    assert wire.sent[0][3] == {"role_id": ROLE, "secret_id": SECRET_ID}
    assert wire.sent[1][2]["X-Vault-Token"] == "hvs.new-token"


def test_a_token_that_hvac_found_by_itself_is_not_sent(monkeypatch, tmp_path):
    monkeypatch.setenv("VAULT_TOKEN", "hvs.from-environment")
    (tmp_path / ".vault-token").write_text("hvs.from-file")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine vault.example login joe password netrc-secret")
    wire = Wire(monkeypatch, said(403, "permission denied"))
    with pytest.raises(VaultError):
        wire.client(**APPROLE).login()
    assert not {"X-Vault-Token", "Authorization"} & set(wire.sent[0][2])


@pytest.mark.parametrize(
    ("values", "refusal", "message"),
    [
        (
            APPROLE,
            said(400, "invalid role or secret ID"),
            "refused the login by approle at auth/approle as role_id 01234567… (invalid role or secret ID). Check role_id and secret_id.",
        ),
        (
            {"auth_method": "approle", "role_id": ROLE, "mount_point": "apps"},
            said(400, f"unknown secret_id of {ROLE}"),
            "refused the login by approle at auth/apps (unknown secret_id of ***). Check role_id and secret_id.",
        ),
        (
            {"auth_method": "userpass", "username": "joe", "password": "body-secret"},
            said(400, "invalid username or password body-secret"),
            "refused the login by userpass at auth/userpass as joe (invalid username or password ***). Check username and password.",
        ),
        (
            {"auth_method": "ldap", "username": "joe", "password": "body-secret"},
            said(403, "permission denied"),
            "refused the login by ldap at auth/ldap as joe (permission denied). Check username, password and mount_point"
            ", and whether Vault has locked this user (sys/locked-users).",
        ),
        (
            {"auth_method": "jwt", "role_id": "ci", "jwt": "body-secret"},
            said(400, 'role "ci" could not be found'),
            'refused the login by jwt at auth/jwt as role ci (role "ci" could not be found). Check role_id and jwt.',
        ),
        (
            {"auth_method": "kubernetes", "role_id": "web", "mount_point": "k8s"},
            said(403, "permission denied"),
            "refused the login by kubernetes at auth/k8s as role web (permission denied). Check role_id, the service account and mount_point.",
        ),
        (
            {"auth_method": "gcp", "role_id": "web", "jwt": "body-secret"},
            said(404, 'no handler for route "auth/gcp/login". route entry not found.'),
            "has no such login: login by gcp at auth/gcp as role web. Check mount_point, auth_method and namespace.",
        ),
        (
            {"token": "hvs.user-token", "token_validate": True},
            said(403, "bad token hvs.user-token"),
            "does not accept the token (bad token ***). Get a new one (vault login), and set token (VAULT_TOKEN).",
        ),
    ],
)
def test_each_refused_login_is_explained(monkeypatch, values, refusal, message):
    wire = Wire(monkeypatch, refusal)
    assert failure(wire.client(**values).login) == (f"{HERE} {message}", "login_refused")


def test_a_login_that_requires_mfa_is_reported(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"auth": {"client_token": "", "mfa_requirement": {"x": 1}}}))
    assert failure(wire.client(auth_method="userpass", username="joe", password="pw").login) == (
        f"{HERE}, login by userpass at auth/userpass as joe: the answer to the login asks for a second factor (MFA)",
        "login_refused",
    )


def test_an_exception_of_hvac_at_login_is_reported_by_its_class(monkeypatch):
    wire = Wire(monkeypatch)
    client = wire.client(**APPROLE)
    monkeypatch.setattr("hvac.api.auth_methods.AppRole.login", lambda *a, **k: {}["body-secret"])
    assert failure(client.login) == (f"{HERE}: the login by approle at auth/approle as role_id 01234567… failed (KeyError).", "login_refused")


def test_a_token_is_renewed_looked_up_and_revoked(monkeypatch):
    auth = {"auth": {"client_token": "t", "lease_duration": 60, "renewable": True}}
    wire = Wire(monkeypatch, answer(200, auth), answer(200, SELF), answer(204))
    client = wire.logged_in()
    assert client.renew_self().lease_seconds == 60
    assert client.lookup_self() == SELF["data"]
    client.revoke_self()
    assert wire.asked == [
        ("POST", "/v1/auth/token/renew-self"),
        ("GET", "/v1/auth/token/lookup-self"),
        ("POST", "/v1/auth/token/revoke-self"),
    ]
    assert wire.sent[0][3] == {}


OF_ITSELF = pytest.mark.parametrize(
    ("call", "doing", "needs"),
    [
        ("renew_self", "renewing the Vault token with auth/token/renew-self", "update"),
        ("revoke_self", "revoking the Vault token with auth/token/revoke-self", "update"),
        ("lookup_self", "looking up the Vault token with auth/token/lookup-self", "read"),
    ],
)


@OF_ITSELF
def test_a_denied_request_about_the_token_itself_says_that_it_may_be_expired(monkeypatch, call, doing, needs):
    wire = Wire(monkeypatch, said(403, "permission denied"))
    assert failure(getattr(wire.logged_in(), call)) == (f"{HERE} denied {doing} (permission denied). The token may be expired or revoked.", "denied")


@OF_ITSELF
def test_a_missing_token_endpoint_is_reported(monkeypatch, call, doing, needs):
    what, _with, path = doing.rpartition(" with ")
    assert failure(getattr(Wire(monkeypatch, said(404)).logged_in(), call)) == (
        f"{HERE} has nothing at {path} ({what}). Check the mount, the path and namespace.",
        "missing",
    )


@OF_ITSELF
def test_with_auth_method_none_a_denied_token_request_asks_for_an_agent_that_adds_a_token(monkeypatch, call, doing, needs):
    client = Wire(monkeypatch, said(403, "permission denied")).client(auth_method="none", token=None)
    assert failure(getattr(client, call)) == (
        f"{HERE} denied {doing} (permission denied)."
        f" With auth_method=none an agent or proxy must add a token whose policies grant {needs} on {doing.rpartition(' ')[2]}.",
        "denied",
    )


# -- the shared cache ----------------------------------------------------------------------------------------------


def test_entries_of_the_shared_cache_are_read_and_written(monkeypatch):
    wire = Wire(monkeypatch, said(404), answer(200, {"data": {"version": 1}}), answer(200, KV2), answer(404, DELETED))
    client = wire.logged_in()
    assert client.kv2_read("tokens", "c/x") is None
    assert client.kv2_write("tokens", "c/x", {"a": 1}, cas=0) == 1
    assert client.kv2_read("tokens", "c/x") == ({"username": "u"}, 7)
    assert client.kv2_read("tokens", "c/x") == ({}, 3)
    assert wire.asked == [(method, "/v1/tokens/data/c/x") for method in ("GET", "POST", "GET", "GET")]
    assert wire.sent[1][3] == {"data": {"a": 1}, "options": {"cas": 0}}


@pytest.mark.parametrize(
    "call",
    [
        lambda client, *place: client.kv2_read(*place),
        lambda client, *place: client.kv2_write(*place, {}, cas=0),
        lambda client, *place: client.kv2_delete_metadata(*place),
    ],
)
def test_an_empty_mount_or_path_of_the_shared_cache_is_refused(monkeypatch, call):
    client = Wire(monkeypatch).logged_in()
    empty = "is empty. Give the path of a secret below the mount, such as fleet/trackunit."
    assert failure(call, client, "", "c/x") == (f"cache_vault_mount {empty}", "option")
    assert failure(call, client, "secret", "/") == (f"cache_vault_path {empty}", "option")


@pytest.mark.parametrize("status", [400, 412])
def test_a_failed_check_and_set_is_a_cas_mismatch(monkeypatch, status):
    wire = Wire(monkeypatch, said(status, "check-and-set parameter did not match the current version"))
    client = wire.logged_in()
    with pytest.raises(CasMismatch) as caught:
        client.kv2_write("secret", "c/x", {"a": 1}, cas=0)
    assert (caught.value.message, caught.value.kind) == (f"{HERE}: secret/data/c/x was changed by another writer in the meantime.", "cas")


def test_a_mount_of_kv_version_1_is_refused_as_a_shared_cache(monkeypatch):
    client = Wire(monkeypatch, answer(204)).logged_in()
    assert failure(lambda: client.kv2_write("kv", "c/x", {"a": 1}, cas=0)) == (
        f"{HERE}: kv is not a KV engine of version 2. Check cache_vault_mount.",
        "missing",
    )


def test_removing_a_missing_entry_of_the_shared_cache_is_no_error(monkeypatch):
    wire = Wire(monkeypatch, answer(204), said(404))
    client = wire.logged_in()
    client.kv2_delete_metadata("tokens", "c/x")
    client.kv2_delete_metadata("tokens", "c/x")
    assert wire.asked == [("DELETE", "/v1/tokens/metadata/c/x")] * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda c: c.kv2_read("secret", "c"),
            "reading the cache entry at secret/data/c (permission denied). {} read on secret/data/c",
        ),
        (
            lambda c: c.kv2_write("secret", "c", {}, cas=0),
            "writing the cache entry at secret/data/c (permission denied). {} create and update on secret/data/c",
        ),
        (
            lambda c: c.kv2_delete_metadata("secret", "c"),
            "removing the cache entry at secret/metadata/c (permission denied). {} delete on secret/metadata/c",
        ),
    ],
)
def test_a_denied_request_to_the_shared_cache_names_what_it_needs(monkeypatch, call, message):
    wire = Wire(monkeypatch, said(403, "permission denied"), answer(200, SELF))
    advice = "The token is valid, but none of its policies (default, fleet) grants"
    correct = "Correct the policies, or cache_vault_mount (now: secret)."
    assert failure(call, wire.logged_in()) == (f"{HERE} denied {message.format(advice)}, or one of them denies it. {correct}", "denied")


def test_requests_of_an_operator_return_the_answer_or_raise_the_refusal(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"data": {"a": 1}}), answer(204), said(400, "no"), answer(200, text="<html>"), answer(200, ["x"]))
    client = wire.logged_in(guarded=True, namespace="team", retries=0)
    assert client.ask("GET", "sys/mounts/a b?c") == {"data": {"a": 1}}
    assert client.ask("POST", "sys/mounts/kv", {"type": "kv"}) == {}
    for status, from_vault in ((400, True), (200, False), (200, False)):
        with pytest.raises(Refusal) as caught:
            client.ask("GET", "x")
        assert (caught.value.status, caught.value.from_vault) == (status, from_vault)
    assert wire.asked[:2] == [("GET", "/v1/sys/mounts/a%20b%3Fc"), ("POST", "/v1/sys/mounts/kv")]
    assert [body for _method, _path, _headers, body in wire.sent][:2] == [None, {"type": "kv"}]
    assert {(headers["X-Vault-Token"], headers["X-Vault-Namespace"], headers["X-Vault-Request"]) for _m, _p, headers, _b in wire.sent} == {
        ("hvs.user-token", "team", "true")
    }


def test_each_request_of_an_operator_has_the_full_time_limit(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"data": {}}), answer(200, {"data": {}}))
    client = wire.logged_in(guarded=True)
    for _question in range(2):
        client._connection._patience.left = 0.0
        assert client.ask("GET", "x") == {"data": {}}


# -- signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "more"),
    [
        ("RS256", {"hash_algorithm": "sha2-256", "marshaling_algorithm": "jws", "signature_algorithm": "pkcs1v15", "salt_length": "hash"}),
        ("PS384", {"hash_algorithm": "sha2-384", "marshaling_algorithm": "jws", "signature_algorithm": "pss", "salt_length": "hash"}),
        ("ES512", {"hash_algorithm": "sha2-512", "marshaling_algorithm": "jws"}),
        ("EdDSA", {}),
    ],
)
@pytest.mark.parametrize("signature", ["vault:v1:_-8", "vault:v1:/+8=", "vault:v1:/+8"])
def test_transit_signs_with_the_parameters_of_each_algorithm(monkeypatch, algorithm, more, signature):
    wire = Wire(monkeypatch, answer(200, {"data": {"signature": signature}}))
    assert wire.logged_in().transit_sign("/transit/", "key", b"data", algorithm) == b"\xff\xef"
    assert wire.asked == [("POST", "/v1/transit/sign/key")]
    assert wire.sent[0][3] == {"input": "ZGF0YQ==", **more}


@pytest.mark.parametrize(
    ("script", "message", "kind"),
    [
        (
            [said(400, "no hvs.user-token", "twice")],
            ": transit/sign/key does not sign with RS256. Check transit_key, assertion_algorithm and the type of the key. Vault says: no ***; twice",
            "field",
        ),
        (
            [answer(404, {"errors": []})],
            ": transit/sign/key does not sign with RS256. Check transit_key, assertion_algorithm and the type of the key.",
            "field",
        ),
        (
            [said(403, "permission denied"), answer(200, SELF)],
            " denied signing with transit/sign/key (permission denied). The token is valid, but none of its policies (default, fleet) grants update on"
            " transit/sign/key, or one of them denies it. Correct the policies.",
            "denied",
        ),
        *(
            ([answer(200, {"data": data})], ": transit/sign/key gave no signature. Check transit_key.", "unavailable")
            for data in (
                {},
                {"signature": None},
                {"signature": 5},
                {"signature": ""},
                {"signature": "abcd"},
                {"signature": "vault:v1:"},
                {"signature": "vault:v1:§"},
                {"signature": "vault:v1:A"},
                {"signature": "vault:v1:abcd!"},
            )
        ),
    ],
)
def test_each_failed_signature_is_explained(monkeypatch, script, message, kind):
    wire = Wire(monkeypatch, *script)
    assert failure(wire.logged_in().transit_sign, "transit", "key", b"data", "RS256") == (f"{HERE}{message}", kind)


@pytest.mark.parametrize(("mount", "key"), [("", "key"), ("transit", ""), ("a//b", "key"), ("transit", "..")])
def test_an_invalid_transit_key_is_refused(monkeypatch, mount, key):
    message, kind = failure(Wire(monkeypatch).logged_in().transit_sign, mount, key, b"data", "RS256")
    assert (message.partition(" ")[0], kind) == ("transit_key", "option")


@pytest.mark.parametrize(
    ("script", "may"),
    [
        (answer(200, {"data": {"secret/data/x": ["update"]}}), True),
        (answer(200, {"data": {"secret/data/x": ["read", "root"]}}), True),
        (answer(200, {"data": {"secret/data/x": ["read"]}}), False),
        (answer(200, {"data": {"secret/data/y": ["read"]}}), True),
        (said(403, "permission denied"), True),
    ],
)
def test_a_token_may_write_a_secret_unless_its_capabilities_exclude_it(monkeypatch, script, may):
    wire = Wire(monkeypatch, script)
    assert wire.logged_in().may_update("/secret/", "/x") is may
    assert wire.asked == [("POST", "/v1/sys/capabilities-self")]
    assert wire.sent[0][3]["paths"] == ["secret/data/x"]


@pytest.mark.parametrize(
    "call",
    [
        lambda client, *place: client.may_update(*place),
        lambda client, *place: client.read_secret(*place),
        lambda client, *place: client.write_secret(*place, {}, cas=0),
    ],
)
def test_an_empty_mount_or_path_of_a_secret_is_refused(monkeypatch, call):
    client = Wire(monkeypatch).logged_in()
    empty = "is empty. Give the path of a secret below the mount, such as fleet/trackunit."
    assert failure(call, client, "", "x") == (f"engine_mount_point {empty}", "option")
    assert failure(call, client, "secret", "/") == (f"the path of the secret {empty}", "option")


def test_a_secret_is_written_and_its_values_are_hidden_in_errors(monkeypatch):
    wire = Wire(monkeypatch, answer(200, {"data": {"version": 8}}), said(403, "no 987654321012345 here, nor 44556677.125"), answer(200, SELF), answer(204))
    client = wire.logged_in()
    assert client.write_secret("kv", "x", {"a": 1}, cas=7) == 8
    assert (wire.asked, wire.sent[0][3]) == ([("POST", "/v1/kv/data/x")], {"data": {"a": 1}, "options": {"cas": 7}})
    # Credentials may be numbers.
    message, kind = failure(client.write_secret, "kv", "x", {"client_secret": 987654321012345, "pin": [44556677.125]}, cas=8)
    assert message == (
        f"{HERE} denied writing the secret at kv/data/x (no *** here, nor ***). The token is valid, but none of its policies (default, fleet) grants"
        " create and update on kv/data/x, or one of them denies it. Correct the policies, or engine_mount_point (now: kv)."
    )
    assert kind == "denied"
    assert failure(client.write_secret, "kv", "x", {}, cas=9) == (f"{HERE}: kv is not a KV engine of version 2. Check engine_mount_point.", "missing")


def test_has_token_and_policies_describe_the_token_in_use(monkeypatch):
    client = Wire(monkeypatch, answer(200, {"data": {"policies": ["default"], "identity_policies": ["fleet"]}})).client()
    assert not client.has_token()
    client.use_token("hvs.user-token")
    assert client.has_token()
    assert client.policies() == ["default", "fleet"]


ODD = (0, 1.5, True, "text", [], [1], {"a": 1}, 10**400)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:8])
@pytest.mark.parametrize(
    "place",
    ["auth", "auth.client_token", "auth.lease_duration", "auth.renewable", "data", "data.data", "data.metadata", "data.metadata.version", "data.options",
     "data.policies", "data.ttl", "wrap_info", "wrap_info.token", "errors", "warnings"],
)  # fmt: skip
@pytest.mark.thorough
def test_an_answer_of_any_shape_is_read_or_raises_a_vault_error(monkeypatch, place, odd):
    """Anything may answer in Vault's place."""
    body = {
        "auth": {"client_token": "hvs.other", "lease_duration": 60, "renewable": True},
        "data": {"data": {"a": "b"}, "metadata": {"version": 7}, "options": {"version": "2"}, "policies": ["x"], "type": "kv", "ttl": 60},
    }
    *outer, last = place.split(".")
    inner = body
    for name in outer:
        inner = inner.setdefault(name, {})
    inner[last] = odd
    for status in (200, 400, 403, 404):
        for call in (
            lambda client: client.read_secret("secret", "x"),
            lambda client: client.read_secret("secret", "x", engine_version="auto"),
            lambda client: client.kv2_read("secret", "x"),
            lambda client: client.kv2_write("secret", "x", {}, cas=1),
            lambda client: client.renew_self(),
            lambda client: client.login(),
            lambda client: client.may_update("secret", "x"),
            lambda client: client.transit_sign("transit", "key", b"x", "RS256"),
        ):
            client = Wire(monkeypatch, *[answer(status, body) for _ in range(9)]).client(**APPROLE, wrap_ttl="60s" if place.startswith("wrap") else None)
            client.use_token("hvs.user-token")
            with contextlib.suppress(VaultError):
                call(client)


def test_an_entry_that_is_nested_too_deeply_can_be_read_and_replaced(monkeypatch):
    """OpenBao stores such an entry, but Python's JSON parser gives up."""
    deep = '{"a": ' * 5000 + "1" + "}" * 5000
    text = f'{{"data": {{"data": {{"extra": {deep}, "schema": 1}}, "metadata": {{"version": 7}}}}}}'
    found, version = Wire(monkeypatch, answer(200, text=text)).logged_in().kv2_read("secret", "x")
    assert (found["schema"], version) == (1, 7)


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({"auth_method": "none", "token": None}, "Check the agent or proxy that adds it."),
        (APPROLE, "Try again, which logs in again. If that does not help, check url (VAULT_ADDR) and any proxy in front of Vault."),
    ],
)
def test_a_rejected_token_that_the_user_did_not_set_has_its_own_advice(monkeypatch, values, advice):
    client = Wire(monkeypatch, said(403, "bad token")).client(**values)
    assert failure(client.read_secret, "secret", "x") == (
        f"{HERE} does not accept the token (bad token): it is wrong, expired or revoked. {advice} Denied: reading secret/data/x.",
        "denied",
    )


# -- secrets in what Vault says ------------------------------------------------------------------------------------


def test_the_token_of_a_login_is_not_shown(monkeypatch):
    client = Wire(monkeypatch, answer(200, LOGGED_IN), said(400, "no hvs.of-the-login here")).client(**APPROLE)
    client.login()
    assert "(no *** here)" in failure(client.kv2_read, "secret", "x")[0]


def test_a_cached_token_is_not_shown(monkeypatch):
    client = Wire(monkeypatch, said(400, "no hvs.kept-login here")).client(**APPROLE)
    client.use_token("hvs.kept-login")
    assert "(no *** here)" in failure(client.kv2_read, "secret", "x")[0]


def test_the_token_of_a_renewal_is_not_shown(monkeypatch):
    renewed = answer(200, {"auth": {"client_token": "hvs.renewed-one", "lease_duration": 60}})
    client = Wire(monkeypatch, renewed, said(400, "no hvs.renewed-one here")).logged_in()
    client.renew_self()
    assert "(no *** here)" in failure(client.kv2_read, "secret", "x")[0]


def test_a_wrapping_token_is_not_shown(monkeypatch):
    wrapped = answer(200, {"wrap_info": {"token": "hvs.wrapping-it"}})
    wire = Wire(monkeypatch, wrapped, said(400, "hvs.wrapping-it is used up"))
    assert "(*** is used up)" in failure(wire.logged_in(wrap_ttl="30s").read_secret, "secret", "x")[0]


@pytest.mark.parametrize("status", [400, 412])
def test_another_refusal_of_a_write_is_no_cas_mismatch(monkeypatch, status):
    """If it were taken for one, the write would be repeated forever."""
    refusals = [said(status, "error parsing JSON")]
    message, kind = failure(Wire(monkeypatch, *refusals).logged_in().kv2_write, "secret", "x", {}, cas=1)
    assert kind == "unavailable"
    assert "secret/data/x" in message or "replica" in message


def test_data_that_was_written_or_read_is_not_shown_in_messages(monkeypatch):
    """Anything that answers in Vault's place, such as a request filter, may repeat what it was sent."""
    kept = {"access_token": "AT-secret-0123456789", "nested": {"list": ["RT-new-9876543210"]}}
    written = json.dumps(kept)
    client = Wire(monkeypatch, said(400, f"rejected: {written}")).logged_in()
    message = failure(lambda: client.kv2_write("secret", "x", kept, cas=0))[0]
    assert "rejected: " in message and "0123456789" not in message and "9876543210" not in message
    reads = {
        "v2": ({"data": {"data": kept, "metadata": {"version": 1}}}, lambda client: client.read_secret("secret", "x")),
        "v1": ({"data": kept}, lambda client: client.read_secret("secret", "x", engine_version="1")),
        "cache": ({"data": {"data": kept, "metadata": {"version": 1}}}, lambda client: client.kv2_read("secret", "x")),
    }
    for name, (body, read) in reads.items():
        client = Wire(monkeypatch, answer(200, body), said(400, f"no: {written}")).logged_in()
        read(client)
        message = failure(lambda client=client: client.kv2_write("secret", "x", {}, cas=1))[0]
        assert "no: " in message and "0123456789" not in message and "9876543210" not in message, name


@pytest.mark.thorough
def test_the_latest_of_many_secrets_is_hidden(monkeypatch):
    secrets = [f"s3cret-number-{number:04d}" for number in range(300)]
    wire = Wire(monkeypatch, *[answer(200, {"data": {"data": {"it": text}, "metadata": {"version": 1}}}) for text in secrets])
    client = wire.logged_in()
    for _text in secrets:
        client.read_secret("secret", "x")
    wire.script.append(said(400, f"no: {secrets[-1]}"))
    assert secrets[-1] not in failure(lambda: client.kv2_write("secret", "x", {}, cas=1))[0]
    assert len(list(client._hidden)) < 110
