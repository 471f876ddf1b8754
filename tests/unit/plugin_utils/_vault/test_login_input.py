# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cache hit knows of the login to Vault is all that the login is made of."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.login_input import (
    FIELDS,
    ONLY_LATE,
    SECRETS,
    completed,
    login_secret,
    read_text,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.methods import METHODS
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions

GIVEN = {
    **{name: f"the {name}" for name in FIELDS if name not in ("url", "timeout", "retries", "validate_certs", "token_validate", "retry_action")},
    "url": "https://vault.example:8200",
}


def test_the_same_methods_and_options_as_everywhere():
    assert {name: method.secrets for name, method in METHODS.items()} == SECRETS
    assert {*FIELDS, *ONLY_LATE, "cert_auth_key_text"} == {field.name for field in dataclasses.fields(VaultOptions)}


@pytest.mark.parametrize("method", METHODS)
def test_the_secret_is_the_one_that_the_options_have(method):
    given = completed({**GIVEN, "auth_method": method}, environ={}, home="/h", read_file=lambda path: "key text")
    secret, public = login_secret(given)
    options = VaultOptions.from_mapping({**GIVEN, "auth_method": method}, environ={}, home="/h", read_file=lambda path: "key text")
    parts = [str(getattr(options, name) or "") for name in METHODS[method].secrets]
    assert secret == parts
    # No secret of any method is among what is derived quickly.
    shown = repr(public)
    for name in ("token", "password", "secret_id", "jwt", "aws_secret_key", "aws_security_token", "azure_client_secret"):
        assert f"the {name}'" not in shown
    assert "key text" not in shown
    # Who logs in, and where, is.
    for value in (*options.identity_public().values(), *options.address().values()):
        assert value in shown or value in parts


def test_all_that_the_options_are_made_of_goes_through_it():
    """Another variable or file that the full way looked at would make a hit of what is none."""

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


def test_a_method_that_is_not_known():
    assert login_secret({"auth_method": "magic"}) == (None, {})


@pytest.mark.parametrize("written", ["hvs.token", "\ufeffhvs.token", "\ufeffhvs.token\r\n", " hvs.token\n"])
def test_a_token_file_that_another_systems_editor_wrote(tmp_path, written):
    (tmp_path / ".vault-token").write_text(written, encoding="utf-8", newline="")
    assert completed({"url": "https://v"}, environ={}, home=str(tmp_path), read_file=read_text)["token"] == "hvs.token"


def test_a_token_file_that_is_no_text(tmp_path):
    (tmp_path / ".vault-token").write_text("hvs.token", encoding="utf-16")
    with pytest.raises(OptionError) as caught:
        completed({"url": "https://v"}, environ={}, home=str(tmp_path), read_file=read_text)
    assert caught.value.message == f"cannot read {tmp_path}/.vault-token: it is not text."
