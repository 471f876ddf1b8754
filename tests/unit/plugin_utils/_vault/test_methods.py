# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The login methods as data: what each requires, and that hvac supports it."""

from __future__ import annotations

import inspect

import hvac
import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.methods import METHODS, validate
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusal_texts import LOGIN_ADVICE
from support.scripted import vault_options

COMPLETE = {
    "token": {"token": "t"},
    "userpass": {"username": "u", "password": "p"},
    "ldap": {"username": "u", "password": "p"},
    "approle": {"role_id": "r"},
    "aws_iam": {},
    "azure": {"role_id": "r"},
    "jwt": {"role_id": "r", "jwt": "j"},
    "cert": {"cert_auth_public_key": "/c", "cert_auth_private_key": "/k"},
    "gcp": {"role_id": "r", "jwt": "j"},
    "kubernetes": {"role_id": "r", "jwt": "j"},
    "none": {},
}


class Options:
    def __init__(self, **values):
        self.values = values

    def __getattr__(self, name):
        return self.values.get(name)


def missing(**values):
    with pytest.raises(OptionError) as caught:
        validate(Options(**values))
    assert caught.value.fault == "option:missing"
    return caught.value.message


@pytest.mark.parametrize("method", METHODS)
def test_what_it_needs(method):
    validate(Options(auth_method=method, **COMPLETE[method]))
    for name in COMPLETE[method]:
        rest = {other: value for other, value in COMPLETE[method].items() if other != name}
        assert missing(auth_method=method, **rest).startswith(f"auth_method={method} needs {name} (ANSIBLE_HASHI_VAULT_{name.upper()}")


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ({"role_id": "r", "secret_id": "s"}, "approle"),
        ({"username": "u", "password": "p"}, "userpass"),
        ({"role_id": "r", "jwt": "j"}, "jwt"),
        ({"url": "u"}, ""),
    ],
)
def test_what_is_there_for_another_login_is_asked_about(values, meant):
    assert missing(auth_method="token", **values).endswith(f"(token_path, token_file)). Did you mean auth_method={meant}?" if meant else "token_file)).")
    assert "meant" not in missing(auth_method="ldap", **{**values, "password": "p", "username": ""})


@pytest.mark.parametrize("method", METHODS)
def test_hvac_has_its_call_with_these_arguments(method):
    called = METHODS[method]
    if called.call:
        found = hvac.Client().auth
        for name in called.call.split("."):
            found = getattr(found, name)
        parameters = inspect.signature(found).parameters
        assert {*called.arguments, called.mount_argument} <= parameters.keys()


@pytest.mark.parametrize("method", METHODS)
def test_what_it_takes_are_options(method):
    one = METHODS[method]
    options = vault_options()
    for name in (*one.arguments.values(), *one.required, *one.identity, *one.secrets):
        assert hasattr(options, name), name
    # What a login requires is a secret, or says who logs in; the region and the like say where.
    assert set(one.required) <= {*one.identity, *one.secrets, "cert_auth_private_key"}


@pytest.mark.parametrize("method", ["userpass", "ldap"])
def test_a_password_is_of_somebody(method):
    one = METHODS[method]
    assert (one.call, one.arguments) == (f"{method}.login", {"username": "username", "password": "password"})
    assert (one.identity, one.secrets) == (("username",), ("username", "password"))


@pytest.mark.parametrize("method", ["jwt", "gcp", "kubernetes"])
def test_a_jwt_is_for_a_role(method):
    one = METHODS[method]
    assert (one.arguments, one.identity, one.secrets) == ({"role": "role_id", "jwt": "jwt"}, ("role_id",), ("jwt",))


def test_each_that_logs_in_has_its_advice():
    assert set(LOGIN_ADVICE) == set(METHODS) - {"token", "none"}


def test_where_else_a_value_may_be_from():
    assert missing(auth_method="token") == (
        "auth_method=token needs token (ANSIBLE_HASHI_VAULT_TOKEN, VAULT_TOKEN, or the file ~/.vault-token (token_path, token_file))."
    )
    assert missing(auth_method="approle") == "auth_method=approle needs role_id (ANSIBLE_HASHI_VAULT_ROLE_ID, VAULT_APPROLE_ROLE_ID)."
    assert missing(auth_method="jwt", role_id="r") == "auth_method=jwt needs jwt (ANSIBLE_HASHI_VAULT_JWT)."


def test_a_service_principal_is_whole():
    whole = {"role_id": "r", "azure_client_secret": "s", "azure_client_id": "i", "azure_tenant_id": "t"}
    validate(Options(auth_method="azure", **whole))
    for name in ("azure_client_id", "azure_tenant_id"):
        assert f"needs {name} " in missing(auth_method="azure", **{**whole, name: None})
    validate(Options(auth_method="azure", role_id="r", azure_client_secret="s", jwt="j"))
