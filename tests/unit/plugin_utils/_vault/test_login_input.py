# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cache hit considers everything about the login to Vault that the login itself uses."""

from __future__ import annotations

import contextlib
import dataclasses
import os

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.login_input import (
    FIELDS,
    KUBERNETES_TOKEN_FILE,
    ONLY_FALLBACK,
    SECRETS,
    completed,
    login_secret,
    read_text,
    surroundings,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.methods import METHODS
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions

GIVEN = {
    **{name: f"the {name}" for name in FIELDS if name not in ("url", "timeout", "retries", "validate_certs", "token_validate", "retry_action")},
    "url": "https://vault.example:8200",
}


def test_methods_and_options_equal_those_of_a_full_login():
    assert {name: method.secrets for name, method in METHODS.items()} == SECRETS
    assert {*FIELDS, *ONLY_FALLBACK, "cert_auth_key_text"} == {field.name for field in dataclasses.fields(VaultOptions)}


@pytest.mark.parametrize("method", METHODS)
def test_the_secret_part_has_the_secrets_of_the_method(method):
    given = completed({**GIVEN, "auth_method": method}, environ={}, home="/h", read_file=lambda path: "key text")
    secret, public = login_secret(given)
    options = VaultOptions.from_mapping({**GIVEN, "auth_method": method}, environ={}, home="/h", read_file=lambda path: "key text")
    parts = [str(getattr(options, name) or "") for name in METHODS[method].secrets]
    assert secret == parts
    # The part that is derived quickly contains no secret of any method.
    shown = repr(public)
    for name in ("token", "password", "secret_id", "jwt", "aws_secret_key", "aws_security_token", "azure_client_secret"):
        assert f"the {name}'" not in shown
    assert "key text" not in shown
    # It does contain who logs in, and where.
    for value in (*options.identity_public().values(), *options.address().values()):
        assert value in shown or value in parts


def test_every_variable_and_file_of_a_full_login_is_read():
    """If the full path read another variable or file, a miss could be taken for a hit."""

    asked, files = set(), []

    class Environment(dict):
        def get(self, name, default=None):
            asked.add(name)
            return super().get(name, default)

    def read(path):
        files.append(path)
        return "-----BEGIN PRIVATE KEY-----"

    def looked_at(work, values):
        asked.clear()
        files.clear()
        with contextlib.suppress(OptionError):
            work(values, environ=Environment(), home="/h", read_file=read)
        return set(asked), list(files)

    for method in METHODS:
        values = {"url": "https://v", "auth_method": method, "cert_auth_public_key": "~/cert.pem", "cert_auth_private_key": "~/key.pem"}
        assert looked_at(VaultOptions.from_mapping, values) == looked_at(completed, values)


def test_an_unknown_method_has_no_secret():
    assert login_secret({"auth_method": "magic"}) == (None, {})


@pytest.mark.parametrize("written", ["hvs.token", "\ufeffhvs.token", "\ufeffhvs.token\r\n", " hvs.token\n"])
def test_a_byte_order_mark_and_line_ends_of_a_token_file_are_removed(tmp_path, written):
    (tmp_path / ".vault-token").write_text(written, encoding="utf-8", newline="")
    assert completed({"url": "https://v"}, environ={}, home=str(tmp_path), read_file=read_text)["token"] == "hvs.token"


def test_a_token_file_that_is_not_text_is_reported(tmp_path):
    (tmp_path / ".vault-token").write_text("hvs.token", encoding="utf-16")
    with pytest.raises(OptionError) as caught:
        completed({"url": "https://v"}, environ={}, home=str(tmp_path), read_file=read_text)
    assert caught.value.message == f"cannot read {tmp_path}/.vault-token: it is not text."


TOKEN = {"auth_method": "token"}
APPROLE = {"auth_method": "approle"}


@pytest.mark.parametrize(
    ("values", "environ", "files", "expected"),
    [
        ({}, {}, {}, TOKEN),
        ({"url": "https://v", "unknown": 1, "namespace": None, "region": ""}, {}, {}, {"url": "https://v", **TOKEN}),
        ({"validate_certs": False, "retries": 0}, {}, {}, {"validate_certs": False, "retries": 0, **TOKEN}),
        # An option takes precedence over its other name, and both over the environment.
        ({"ca_cert": "a", "cacert": "b"}, {"VAULT_CACERT": "c"}, {}, {"ca_cert": "a", **TOKEN}),
        ({"cacert": "b"}, {"VAULT_CACERT": "c"}, {}, {"ca_cert": "b", **TOKEN}),
        ({}, {"VAULT_CACERT": "c", "VAULT_ADDR": "https://e", "VAULT_NAMESPACE": ""}, {}, {"ca_cert": "c", "url": "https://e", **TOKEN}),
        (
            {"boto_profile": "p", "aws_access_key_id": "i", "aws_secret_access_key": "k"},
            {},
            {},
            {"aws_profile": "p", "aws_access_key": "i", "aws_secret_key": "k", **TOKEN},
        ),
        ({}, {"VAULT_PROXY_ADDR": "p", "VAULT_HTTP_PROXY": "h"}, {}, {"proxies": "p", **TOKEN}),
        ({}, {"VAULT_HTTP_PROXY": "h"}, {}, {"proxies": "h", **TOKEN}),
        # A file takes precedence over a text, and a text over a folder. The name in the certificate is independent of them.
        ({}, {"VAULT_CACERT_BYTES": "t", "VAULT_CAPATH": "d"}, {}, {"ca_cert_text": "t", **TOKEN}),
        ({}, {"VAULT_CAPATH": "d", "VAULT_TLS_SERVER_NAME": "n"}, {}, {"ca_path": "d", "tls_server_name": "n", **TOKEN}),
        (
            {"ca_cert": "f"},
            {"VAULT_CACERT_BYTES": "t", "VAULT_CAPATH": "d", "VAULT_TLS_SERVER_NAME": "n"},
            {},
            {"ca_cert": "f", "tls_server_name": "n", **TOKEN},
        ),
        # Other methods ignore the variables of approle.
        ({}, {"VAULT_APPROLE_ROLE_ID": "r", "VAULT_APPROLE_SECRET_ID": "s", "VAULT_APPROLE_PATH": "m"}, {}, TOKEN),
        (
            APPROLE,
            {"VAULT_APPROLE_ROLE_ID": "r", "VAULT_APPROLE_SECRET_ID": "s", "VAULT_APPROLE_PATH": "m"},
            {"/h/.vault-token": "of nobody"},
            {"role_id": "r", "secret_id": "s", "mount_point": "m", **APPROLE},
        ),
        *(({}, {"VAULT_SKIP_VERIFY": yes}, {}, {"validate_certs": False, **TOKEN}) for yes in ("1", "T", "true", "Y", "yes", "On")),
        *(({}, {"VAULT_SKIP_VERIFY": no}, {}, TOKEN) for no in ("", "0", "false", "2")),
        ({"validate_certs": True}, {"VAULT_SKIP_VERIFY": "1"}, {}, {"validate_certs": True, **TOKEN}),
        # Where the token comes from.
        ({}, {}, {"/h/.vault-token": " t\n"}, {"token": "t", **TOKEN}),
        ({}, {"HOME": "/e"}, {"/e/.vault-token": "t", "/h/.vault-token": "x"}, {"token": "t", **TOKEN}),
        ({"token_file": "mine"}, {}, {"/h/mine": "t"}, {"token_file": "mine", "token": "t", **TOKEN}),
        ({"token_path": "~/d"}, {}, {"/h/d/.vault-token": "t"}, {"token_path": "~/d", "token": "t", **TOKEN}),
        ({"token_path": "/d", "token_file": "f"}, {}, {"/d/f": "t"}, {"token_path": "/d", "token_file": "f", "token": "t", **TOKEN}),
        ({"token": "o"}, {"VAULT_TOKEN": "e"}, {"/h/.vault-token": "f"}, {"token": "o", **TOKEN}),
        ({}, {"VAULT_TOKEN": "e"}, {"/h/.vault-token": "f"}, {"token": "e", **TOKEN}),
        ({}, {}, {"/h/.vault-token": " "}, TOKEN),
        # Where the token of the service account comes from.
        ({"auth_method": "kubernetes"}, {}, {KUBERNETES_TOKEN_FILE: "j\n"}, {"auth_method": "kubernetes", "jwt": "j"}),
        ({"auth_method": "kubernetes"}, {}, {}, {"auth_method": "kubernetes"}),
        ({"auth_method": "kubernetes", "jwt": "o"}, {}, {KUBERNETES_TOKEN_FILE: "j"}, {"auth_method": "kubernetes", "jwt": "o"}),
        ({"auth_method": "jwt"}, {}, {KUBERNETES_TOKEN_FILE: "j"}, {"auth_method": "jwt"}),
        # The client's certificate and key; the text of the key is the credential.
        (
            {"auth_method": "userpass"},
            {"VAULT_CLIENT_CERT": "~/c.pem", "VAULT_CLIENT_KEY": "~other/k.pem"},
            {},
            {"auth_method": "userpass", "cert_auth_public_key": "/h/c.pem", "cert_auth_private_key": "~other/k.pem"},
        ),
        (
            {"auth_method": "cert", "url": "https://v", "cert_auth_private_key": "~/k.pem"},
            {},
            {"/h/k.pem": "-----BEGIN PRIVATE KEY-----\n"},
            {
                "auth_method": "cert",
                "url": "https://v",
                "cert_auth_private_key": "/h/k.pem",
                "cert_auth_key_text": "-----BEGIN PRIVATE KEY-----",
            },
        ),
        ({"auth_method": "cert", "cert_auth_private_key": "k"}, {}, {}, {"auth_method": "cert", "cert_auth_private_key": "k"}),
        ({"auth_method": "cert", "url": "https://v"}, {}, {}, {"auth_method": "cert", "url": "https://v"}),
    ],
)
def test_options_are_completed_from_environment_and_files(values, environ, files, expected):
    def read(path):
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    assert completed(values, environ=environ, home="/h", read_file=read) == expected


def test_without_a_home_paths_are_not_expanded():
    def read(path):
        return f"from {path}"

    assert completed({}, environ={}, home=None, read_file=read)["token"] == "from .vault-token"
    assert completed({"token_path": "~/d"}, environ={}, home=None, read_file=read)["token"] == "from ~/d/.vault-token"
    assert completed({"cert_auth_public_key": "~/c"}, environ={}, home="", read_file=read)["cert_auth_public_key"] == "~/c"


def test_surroundings_are_environment_home_and_file_reader(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    environ, home, read = surroundings()
    assert (environ is os.environ, home, read) == (True, "/somewhere", read_text)
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr(os.path, "expanduser", {"~": "~"}.get)
    assert surroundings()[1] == "/~"
    monkeypatch.setattr(os.path, "expanduser", {"~": "/root"}.get)
    assert surroundings()[1] == "/root"
    monkeypatch.setenv("HOME", "/somewhere")
    assert surroundings()[1] == "/somewhere"


def unreadable(path):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("values", [{"token": "t"}, {"auth_method": "kubernetes", "jwt": "j"}])
def test_an_unneeded_file_is_not_read(values):
    assert completed(values, environ={}, home="/h", read_file=unreadable) == {"auth_method": "token", **values}


@pytest.mark.parametrize(("values", "path"), [({}, "/h/.vault-token"), ({"auth_method": "kubernetes"}, KUBERNETES_TOKEN_FILE)])
def test_an_unreadable_file_is_reported(values, path):
    with pytest.raises(OptionError) as caught:
        completed(values, environ={}, home="/h", read_file=unreadable)
    assert caught.value.message == f"cannot read {path}: permission denied."


@pytest.mark.parametrize("text", ["", "-----BEGIN ENCRYPTED PRIVATE KEY-----"])
def test_an_unusable_private_key_is_named(text):
    values = {"auth_method": "cert", "url": "https://v", "cert_auth_private_key": "/k.pem"}
    with pytest.raises(OptionError, match=r"/k\.pem"):
        completed(values, environ={}, home="/h", read_file=lambda path: text)


def test_secret_and_public_options_are_separated():
    given = {"auth_method": "approle", "role_id": "r", "token": "t", "password": "p", "username": "u", "url": "https://v"}
    assert login_secret(given) == (["r", ""], {"auth_method": "approle", "role_id": "r", "username": "u", "url": "https://v"})
    assert login_secret({"auth_method": "none", "jwt": "j"}) == ([], {"auth_method": "none"})
