# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
import types

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VaultError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Login
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.auth import authenticate, login_of
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions

ANSWER = {"auth": {"client_token": "hvs.new", "lease_duration": 600, "renewable": True, "accessor": "acc"}}
LOGIN = Login(client_token="hvs.new", lease_seconds=600, renewable=True)


class Recorder:
    """An hvac client that records every call: ``client.auth.approle.login(...)`` and any other."""

    def __init__(self, answer=ANSWER, path="", calls=None):
        self.__dict__.update(_answer=answer, _path=path, calls=[] if calls is None else calls)

    def __getattr__(self, name):
        return Recorder(self._answer, f"{self._path}.{name}".lstrip("."), self.calls)

    def __call__(self, *arguments, **keywords):
        assert arguments == ()
        self.calls.append((self._path, keywords))
        return self._answer


def login(values, *, answer=ANSWER, files=None):
    options = VaultOptions.from_mapping({"url": "https://vault:8200", **values}, environ={}, home="/h", read_file=(files or {"/k": "key"}).__getitem__)
    client = Recorder(answer)
    return authenticate(client, options), client


USER = {"username": "joe", "password": "pw"}
JWT = {"role_id": "r", "jwt": "j"}
AWS = {"aws_access_key": "AK", "aws_secret_key": "SK"}
CERT = {"cert_auth_public_key": "/c", "cert_auth_private_key": "/k"}


@pytest.mark.parametrize(
    ("method", "values", "call", "arguments"),
    [
        ("userpass", USER, "auth.userpass.login", USER),
        ("ldap", USER, "auth.ldap.login", USER),
        ("approle", {"role_id": "r", "secret_id": "s"}, "auth.approle.login", {"role_id": "r", "secret_id": "s"}),
        ("approle", {"role_id": "r"}, "auth.approle.login", {"role_id": "r"}),
        ("jwt", JWT, "auth.jwt.jwt_login", {"role": "r", "jwt": "j"}),
        ("gcp", JWT, "auth.gcp.login", {"role": "r", "jwt": "j"}),
        ("kubernetes", JWT, "auth.kubernetes.login", {"role": "r", "jwt": "j"}),
        ("azure", JWT, "auth.azure.login", {"role": "r", "jwt": "j"}),
        ("aws_iam", AWS, "auth.aws.iam_login", {"access_key": "AK", "secret_key": "SK"}),
        (
            "aws_iam",
            {**AWS, "aws_security_token": "ST", "region": "eu-1", "aws_iam_server_id": "vault", "role_id": "r"},
            "auth.aws.iam_login",
            {"access_key": "AK", "secret_key": "SK", "session_token": "ST", "region": "eu-1", "header_value": "vault", "role": "r"},
        ),
        ("cert", CERT, "auth.cert.login", {"cert_pem": "/c", "key_pem": "/k"}),
        ("cert", {**CERT, "role_id": "web"}, "auth.cert.login", {"cert_pem": "/c", "key_pem": "/k", "name": "web"}),
    ],
)
@pytest.mark.parametrize("mount", [None, "there"])
def test_each_login_method_calls_hvac_with_its_arguments(method, values, call, arguments, mount):
    result, client = login({"auth_method": method, "mount_point": mount, **values})
    mounted = {} if mount is None else {"path" if method == "jwt" else "mount_point": mount}
    assert client.calls == [(call, {"use_token": False, **arguments, **mounted})]
    assert result == LOGIN
    assert client.token == "hvs.new"


def test_cert_login_without_validation_bypasses_the_check_in_hvac():
    result, client = login({"auth_method": "cert", "validate_certs": False, "role_id": "web", "mount_point": "tls", **CERT})
    assert client.calls == [("adapter.login", {"url": "/v1/auth/tls/login", "use_token": False, "json": {"name": "web"}})]
    assert result == LOGIN


def test_a_given_token_is_used_without_a_request():
    result, client = login({"token": "t"})
    assert (result, client.calls, client.token) == (Login(client_token="t"), [], "t")


def test_a_token_is_looked_up_on_request():
    data = {"data": {"ttl": 60, "renewable": True, "accessor": "acc"}}
    result, client = login({"token": "t", "token_validate": True}, answer=data)
    assert client.calls == [("auth.token.lookup_self", {})]
    assert result == Login(client_token="t", lease_seconds=60, renewable=True)


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {"ttl": None}}])
def test_a_lookup_without_details_gives_a_token_without_a_lease(answer):
    result, _client = login({"token": "t", "token_validate": True}, answer=answer)
    assert result == Login(client_token="t", lease_seconds=0, renewable=False)


def test_cert_login_uses_its_default_mount():
    _result, client = login({"auth_method": "cert", "validate_certs": False, **CERT})
    assert client.calls == [("adapter.login", {"url": "/v1/auth/cert/login", "use_token": False, "json": {}})]
    assert client.token == "hvs.new"


def test_no_login_sends_nothing():
    result, client = login({"auth_method": "none"})
    assert (result, client.calls) == (Login(client_token=""), [])


def test_a_login_hides_its_token():
    assert repr(LOGIN) == "Login(lease_seconds=600, renewable=True)"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({}, "the answer to the login contains no token"),
        (None, "the answer to the login contains no token"),
        ({"auth": {"client_token": ""}}, "the answer to the login contains no token"),
        ({"auth": {"client_token": "", "mfa_requirement": {"id": 1}}}, "the answer to the login asks for a second factor (MFA)"),
    ],
)
def test_a_login_answer_without_a_token_is_an_error(answer, message):
    with pytest.raises(VaultError) as caught:
        login_of(answer)
    assert (caught.value.message, caught.value.kind) == (message, "login_refused")


# -- clouds --------------------------------------------------------------------------------------------------------


def boto3(monkeypatch, credentials):
    asked = []

    class Session:
        def __init__(self, profile_name=None):
            asked.append(profile_name)

        def get_credentials(self):
            if isinstance(credentials, Exception):
                raise credentials
            return credentials

    monkeypatch.setitem(sys.modules, "boto3", types.SimpleNamespace(session=types.SimpleNamespace(Session=Session)))
    return asked


def frozen(access_key, secret_key, token):
    keys = types.SimpleNamespace(access_key=access_key, secret_key=secret_key, token=token)
    return types.SimpleNamespace(get_frozen_credentials=lambda: keys)


@pytest.mark.parametrize(("token", "more"), [(None, {}), ("T", {"session_token": "T"})])
def test_aws_keys_are_read_from_a_profile(monkeypatch, token, more):
    asked = boto3(monkeypatch, frozen("AK2", "SK2", token))
    _result, client = login({"auth_method": "aws_iam", "aws_profile": "dev"})
    assert client.calls == [("auth.aws.iam_login", {"use_token": False, "access_key": "AK2", "secret_key": "SK2", **more})]
    assert asked == ["dev"]


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        (
            None,
            "auth_method=aws_iam: boto3 found no credentials. Give aws_access_key and aws_secret_key, or aws_profile (AWS_PROFILE).",
        ),
        (KeyError("SK-leak"), "auth_method=aws_iam: boto3 found no credentials (KeyError). Check aws_profile (AWS_PROFILE)."),
    ],
)
def test_missing_aws_keys_are_reported(monkeypatch, credentials, message):
    boto3(monkeypatch, credentials)
    with pytest.raises(OptionError) as caught:
        login({"auth_method": "aws_iam"})
    assert (caught.value.message, caught.value.fault) == (message, "option:missing")


def test_a_missing_boto3_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(OptionError) as caught:
        login({"auth_method": "aws_iam", "aws_access_key": "half"})
    assert caught.value.message == (
        "auth_method=aws_iam needs aws_access_key and aws_secret_key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY),"
        " or the Python library boto3 to find them: pip install boto3."
    )
    assert caught.value.fault == "option:library"


def azure(monkeypatch, trouble=None):
    made = []

    def credential(kind):
        def make(*arguments, **keywords):
            def get_token(scope):
                if trouble:
                    raise trouble
                made.append((kind, arguments, keywords, scope))
                return types.SimpleNamespace(token="azure-token")

            return types.SimpleNamespace(get_token=get_token)

        return make

    names = ("ClientSecretCredential", "ManagedIdentityCredential")
    identity = types.SimpleNamespace(**{name: credential(name) for name in names})
    monkeypatch.setitem(sys.modules, "azure", types.SimpleNamespace(identity=identity))
    monkeypatch.setitem(sys.modules, "azure.identity", identity)
    return made


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"azure_client_id": "c", "azure_client_secret": "s", "azure_tenant_id": "t"},
            ("ClientSecretCredential", ("t", "c", "s"), {}, "https://management.azure.com//.default"),
        ),
        ({"azure_client_id": "c"}, ("ManagedIdentityCredential", (), {"client_id": "c"}, "https://management.azure.com//.default")),
        ({"azure_resource": "api://vault"}, ("ManagedIdentityCredential", (), {}, "api://vault/.default")),
    ],
)
def test_azure_tokens_come_from_the_configured_identity(monkeypatch, values, expected):
    made = azure(monkeypatch)
    _result, client = login({"auth_method": "azure", "role_id": "r", **values})
    assert client.calls == [("auth.azure.login", {"use_token": False, "role": "r", "jwt": "azure-token"})]
    assert made == [expected]


def test_a_failure_of_azure_is_reported_without_its_text(monkeypatch):
    azure(monkeypatch, RuntimeError("secret s"))
    with pytest.raises(VaultError) as caught:
        login({"auth_method": "azure", "role_id": "r"})
    assert (caught.value.message, caught.value.kind) == ("Azure gave no token for the login to Vault (RuntimeError).", "login_refused")


def test_a_missing_azure_identity_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "azure", None)
    with pytest.raises(OptionError) as caught:
        login({"auth_method": "azure", "role_id": "r"})
    assert caught.value.message == (
        "auth_method=azure needs jwt (ANSIBLE_HASHI_VAULT_JWT), or the Python library azure-identity to get one: pip install azure-identity."
    )
    assert caught.value.fault == "option:library"


def test_an_absurdly_long_lease_is_limited_to_ten_years():
    assert login_of({"auth": {**ANSWER["auth"], "lease_duration": 10**400}}).lease_seconds == 10 * 365 * 86400


@pytest.mark.parametrize(("said", "seconds"), [(0, 0), (1, 1), (-5, 0), ("600", 0), (None, 0), (10 * 365 * 86400 + 1, 10 * 365 * 86400)])
def test_an_implausible_lease_duration_is_corrected(said, seconds):
    found = login_of({"auth": {"client_token": 5, "lease_duration": said}})
    assert found == Login(client_token="5", lease_seconds=seconds, renewable=False)
