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
def test_a_missing_option_of_a_method_is_named(method):
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
def test_options_of_another_method_lead_to_a_suggestion(values, meant):
    assert missing(auth_method="token", **values).endswith(f"(token_path, token_file)). Did you mean auth_method={meant}?" if meant else "token_file)).")
    assert "meant" not in missing(auth_method="ldap", **{**values, "password": "p", "username": ""})


@pytest.mark.parametrize("method", METHODS)
def test_hvac_supports_the_call_of_each_method(method):
    called = METHODS[method]
    if called.call:
        found = hvac.Client().auth
        for name in called.call.split("."):
            found = getattr(found, name)
        parameters = inspect.signature(found).parameters
        assert {*called.arguments, called.mount_argument} <= parameters.keys()


@pytest.mark.parametrize("method", METHODS)
def test_every_argument_of_a_method_is_an_option(method):
    one = METHODS[method]
    options = vault_options()
    for name in (*one.arguments.values(), *one.required, *one.identity, *one.secrets):
        assert hasattr(options, name), name
    # What a login requires is a secret, or says who logs in; the region and the like say where.
    assert set(one.required) <= {*one.identity, *one.secrets, "cert_auth_private_key"}


@pytest.mark.parametrize("method", ["userpass", "ldap"])
def test_password_logins_are_identified_by_user_name(method):
    one = METHODS[method]
    assert (one.call, one.arguments) == (f"{method}.login", {"username": "username", "password": "password"})
    assert (one.identity, one.secrets) == (("username",), ("username", "password"))


@pytest.mark.parametrize("method", ["jwt", "gcp", "kubernetes"])
def test_jwt_logins_are_identified_by_role(method):
    one = METHODS[method]
    assert (one.arguments, one.identity, one.secrets) == ({"role": "role_id", "jwt": "jwt"}, ("role_id",), ("jwt",))


def test_every_login_method_has_advice():
    assert set(LOGIN_ADVICE) == set(METHODS) - {"token", "none"}


def test_a_missing_option_names_its_environment_variables():
    assert missing(auth_method="token") == (
        "auth_method=token needs token (ANSIBLE_HASHI_VAULT_TOKEN, VAULT_TOKEN, or the file ~/.vault-token (token_path, token_file))."
    )
    assert missing(auth_method="approle") == "auth_method=approle needs role_id (ANSIBLE_HASHI_VAULT_ROLE_ID, VAULT_APPROLE_ROLE_ID)."
    assert missing(auth_method="jwt", role_id="r") == "auth_method=jwt needs jwt (ANSIBLE_HASHI_VAULT_JWT)."


def test_an_incomplete_azure_service_principal_is_refused():
    whole = {"role_id": "r", "azure_client_secret": "s", "azure_client_id": "i", "azure_tenant_id": "t"}
    validate(Options(auth_method="azure", **whole))
    for name in ("azure_client_id", "azure_tenant_id"):
        assert f"needs {name} " in missing(auth_method="azure", **{**whole, name: None})
    validate(Options(auth_method="azure", role_id="r", azure_client_secret="s", jwt="j"))
