# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import pathlib

import pytest
import yaml
from ansible_collections.trackops.api_tokens.plugins.doc_fragments.vault import ModuleDocFragment
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.login_input import (
    ALIASES,
    FALLBACK_ENVIRONMENT,
    FIELDS,
    KUBERNETES_TOKEN_FILE,
)
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.methods import METHODS
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.options import VaultOptions
from hypothesis import given
from hypothesis import strategies as st

URL = "https://vault.example:8200"
APPROLE = {"url": URL, "auth_method": "approle", "role_id": "role-1234", "secret_id": "sec-1234"}


def make(values, *, environ=None, home="/nowhere/home", files=None):
    reads = []

    def read_file(path):
        reads.append(path)
        if path not in (files or {}):
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    options = VaultOptions.from_mapping(values, environ=environ or {}, home=home, read_file=read_file)
    return options, reads


def refused(values, **more):
    with pytest.raises(OptionError) as caught:
        make(values, **more)
    return caught.value.message


# -- precedence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variable", "early", "late"),
    [
        ("url", "VAULT_ADDR", "https://early:1", "https://late:1"),
        ("ca_cert", "VAULT_CACERT", "/early.pem", "/late.pem"),
        ("namespace", "VAULT_NAMESPACE", "early", "late"),
        ("token", "VAULT_TOKEN", "early", "late"),
        ("proxies", "VAULT_PROXY_ADDR", {"https": "http://early:1"}, {"http": "http://late:1", "https": "http://late:1"}),
        ("proxies", "VAULT_HTTP_PROXY", {"https": "http://early:1"}, {"http": "http://late:1", "https": "http://late:1"}),
    ],
)
@pytest.mark.parametrize("unset", [None, ""])
def test_the_late_environment_counts_only_for_what_is_unset(name, variable, early, late, unset):
    others = {"url": URL, "token": "t"}
    said = late["https"] if isinstance(late, dict) else late
    assert getattr(make({**others, name: early}, environ={variable: said})[0], name) == early
    assert getattr(make({**others, name: unset}, environ={variable: said})[0], name) == late


@pytest.mark.parametrize("variable", [name for names in FALLBACK_ENVIRONMENT.values() for name in names])
def test_an_empty_late_variable_is_unset(variable):
    options, _reads = make({"url": URL, "token": "t"}, environ={variable: ""})
    assert (options.url, options.token, options.ca_cert, options.namespace) == (URL, "t", None, None)


def test_an_empty_token_does_not_hide_the_token_file():
    options, _reads = make({"url": URL, "token": ""}, environ={"VAULT_TOKEN": ""}, files={"/nowhere/home/.vault-token": "from-file\n"})
    assert options.token == "from-file"


@pytest.mark.parametrize(
    ("values", "environ", "path"),
    [
        ({}, {}, "/nowhere/home/.vault-token"),
        ({}, {"HOME": "/nowhere/other"}, "/nowhere/other/.vault-token"),
        ({"token_path": "", "token_file": ""}, {}, "/nowhere/home/.vault-token"),
        ({"token_path": "/run/vault"}, {"HOME": "/nowhere/other"}, "/run/vault/.vault-token"),
        ({"token_path": "/run/vault", "token_file": "tok"}, {}, "/run/vault/tok"),
        ({"token_path": "~/x"}, {}, "/nowhere/home/x/.vault-token"),
    ],
)
def test_the_token_file_is_found(values, environ, path):
    options, reads = make({"url": URL, **values}, environ=environ, files={path: " t1 \n"})
    assert (options.token, reads) == ("t1", [path])


def test_the_token_file_is_not_read_if_a_token_is_set():
    assert make({"url": URL, "token": "t"}, files={"/nowhere/home/.vault-token": "x"})[1] == []
    assert make({"url": URL}, environ={"VAULT_TOKEN": "t"}, files={"/nowhere/home/.vault-token": "x"})[1] == []
    assert make(APPROLE, files={"/nowhere/home/.vault-token": "x"})[1] == []


def test_an_unreadable_token_file_is_reported():
    def read_file(path):
        raise PermissionError(13, "Permission denied", path)

    with pytest.raises(OptionError) as caught:
        VaultOptions.from_mapping({"url": URL}, environ={}, home="/nowhere/home", read_file=read_file)
    assert caught.value.message == "cannot read /nowhere/home/.vault-token: permission denied."


@pytest.mark.parametrize(
    ("given", "skip", "expected"),
    [
        (None, None, True),
        (None, "", True),
        (None, "1", False),
        (None, "TRUE", False),
        (None, "false", True),
        (None, "perhaps", True),
        (True, "1", True),
        ("no", None, False),
        (False, "0", False),
        ("", "true", False),
    ],
)
def test_validate_certs_is_the_opposite_of_vault_skip_verify(given, skip, expected):
    environ = {} if skip is None else {"VAULT_SKIP_VERIFY": skip}
    assert make({"url": URL, "token": "t", "validate_certs": given}, environ=environ)[0].validate_certs is expected


def test_approle_variables_of_the_vault_command_fill_unset_options():
    environ = {"VAULT_APPROLE_ROLE_ID": "r", "VAULT_APPROLE_SECRET_ID": "s", "VAULT_APPROLE_PATH": "apps"}
    options, _reads = make({"url": URL, "auth_method": "approle"}, environ=environ)
    assert (options.role_id, options.secret_id, options.mount_point) == ("r", "s", "apps")
    options, _reads = make({**APPROLE, "mount_point": "mine"}, environ=environ)
    assert (options.role_id, options.secret_id, options.mount_point) == ("role-1234", "sec-1234", "mine")
    options, _reads = make({"url": URL, "auth_method": "jwt", "role_id": "x", "jwt": "j"}, environ=environ)
    assert (options.secret_id, options.mount_point) == (None, None)


@pytest.mark.parametrize(("name", "alias"), [(name, alias) for name, aliases in ALIASES.items() for alias in aliases])
def test_an_alias_fills_an_unset_option(name, alias):
    base = {"url": URL, "token": "t"}
    assert getattr(make({**base, alias: "v"})[0], name) == "v"
    assert getattr(make({**base, name: "own", alias: "v"})[0], name) == "own"


# -- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://p:1", {"http": "http://p:1", "https": "http://p:1"}),
        ({"https": "http://p:1"}, {"https": "http://p:1"}),
        ('{"https": "http://p:1"}', {"https": "http://p:1"}),
        ("{'https': 'http://p:1'}", {"https": "http://p:1"}),
        ("https=http://p:1, http=http://q:1", {"https": "http://p:1", "http": "http://q:1"}),
        ("http://u:a=b@p:1", {"http": "http://u:a=b@p:1", "https": "http://u:a=b@p:1"}),
        ("", None),
        (None, None),
    ],
)
def test_proxies_are_a_url_or_a_dictionary(given, expected):
    assert make({"url": URL, "token": "t", "proxies": given})[0].proxies == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [(3, 3), ("3", 3), (0, 0), ("", None), (None, None), ({"total": 2}, {"total": 2}), ('{"total": 2}', {"total": 2})],
)
def test_retries_are_a_number_or_a_dictionary(given, expected):
    assert make({"url": URL, "token": "t", "retries": given})[0].retries == expected


def test_retries_can_be_written_as_pairs():
    options, _reads = make({"url": URL, "token": "t", "retries": "total=4 backoff_factor=0.5"})
    assert options.retries == {"total": 4, "backoff_factor": 0.5}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"retries": "often"}, "retries must be a number of retries from 0 to 1000, or a dictionary of urllib3's Retry (ANSIBLE_HASHI_VAULT_RETRIES)."),
        ({"retries": -1}, "retries must be a number of retries from 0 to 1000, or a dictionary of urllib3's Retry (ANSIBLE_HASHI_VAULT_RETRIES)."),
        ({"retry_action": "shout"}, "retry_action must be ignore or warn (ANSIBLE_HASHI_VAULT_RETRY_ACTION)."),
        ({"timeout": "soon"}, "timeout must be a number of seconds above 0 (ANSIBLE_HASHI_VAULT_TIMEOUT)."),
        ({"timeout": 0}, "timeout must be a number of seconds above 0 (ANSIBLE_HASHI_VAULT_TIMEOUT)."),
        ({"validate_certs": "perhaps"}, "validate_certs must be true or false."),
        ({"url": "vault:8200"}, "url must be the address of Vault, such as https://vault.example.com:8200 (VAULT_ADDR)."),
        ({"url": "https://vault:port"}, "url must be the address of Vault, such as https://vault.example.com:8200 (VAULT_ADDR)."),
        ({"url": ""}, "no address of Vault is known. Set url (ANSIBLE_HASHI_VAULT_ADDR, or VAULT_ADDR)."),
        (
            {"auth_method": "github"},
            "auth_method='github' is not known. Use one of: token, userpass, ldap, approle, aws_iam, azure, jwt, cert, gcp, kubernetes, none.",
        ),
    ],
)
def test_invalid_values_are_refused(values, message):
    assert refused({"url": URL, "token": "t", **values}) == message


def test_the_default_values():
    options, _reads = make({"url": URL, "token": "t"})
    assert (options.timeout, options.retries, options.retry_action, options.token_validate) == (30, None, "warn", False)


@pytest.mark.parametrize("given", ["https://vault:8200", "https://vault:8200/", " https://vault:8200// ", "https://vault:8200/v1/", "HTTPS://vault:8200"])
def test_the_address_has_one_canonical_form(given):
    assert make({"url": given, "token": "t", "namespace": "team/"})[0].address() == {"url": "https://vault:8200", "namespace": "team"}


def test_the_address_is_shown_without_its_password():
    options, _reads = make({"url": "https://joe:pw-1234@vault:8200", "token": "tok-1", "proxies": "http://p:pro-xy@p:1"})
    assert options.shown_url == "https://vault:8200"
    assert set(options.secrets()) == {"tok-1", "pw-1234", "pro-xy"}


# -- what a login method needs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {},
            "auth_method=token needs token (ANSIBLE_HASHI_VAULT_TOKEN, VAULT_TOKEN, or the file ~/.vault-token (token_path, token_file)).",
        ),
        ({"auth_method": "userpass"}, "auth_method=userpass needs username (ANSIBLE_HASHI_VAULT_USERNAME)."),
        ({"auth_method": "userpass", "username": "joe"}, "auth_method=userpass needs password (ANSIBLE_HASHI_VAULT_PASSWORD)."),
        ({"auth_method": "ldap", "password": "x"}, "auth_method=ldap needs username (ANSIBLE_HASHI_VAULT_USERNAME)."),
        ({"auth_method": "approle"}, "auth_method=approle needs role_id (ANSIBLE_HASHI_VAULT_ROLE_ID, VAULT_APPROLE_ROLE_ID)."),
        ({"auth_method": "jwt", "jwt": "x"}, "auth_method=jwt needs role_id (ANSIBLE_HASHI_VAULT_ROLE_ID)."),
        ({"auth_method": "gcp", "role_id": "x"}, "auth_method=gcp needs jwt (ANSIBLE_HASHI_VAULT_JWT)."),
        (
            {"auth_method": "kubernetes", "role_id": "x"},
            "auth_method=kubernetes needs jwt (ANSIBLE_HASHI_VAULT_JWT, the service account's token file).",
        ),
        ({"auth_method": "azure"}, "auth_method=azure needs role_id (ANSIBLE_HASHI_VAULT_ROLE_ID)."),
        (
            {"auth_method": "azure", "role_id": "x", "azure_client_id": "c", "azure_client_secret": "s"},
            "auth_method=azure needs azure_tenant_id (ANSIBLE_HASHI_VAULT_AZURE_TENANT_ID).",
        ),
        ({"auth_method": "cert"}, "auth_method=cert needs cert_auth_public_key (ANSIBLE_HASHI_VAULT_CERT_AUTH_PUBLIC_KEY)."),
        (
            {"auth_method": "cert", "cert_auth_public_key": "/c", "cert_auth_private_key": "/nope"},
            "cannot read the private key /nope (cert_auth_private_key): no such file, or it is empty.",
        ),
    ],
)
def test_missing_options_are_named(values, message):
    assert refused({"url": URL, **values}) == message


def test_a_private_key_with_a_passphrase_is_refused_before_openssl_asks_for_it():
    values = {"url": URL, "auth_method": "cert", "cert_auth_public_key": "/c", "cert_auth_private_key": "~/k"}
    message = refused(values, files={"/nowhere/home/k": "-----BEGIN ENCRYPTED PRIVATE KEY-----"})
    assert message == "the private key /nowhere/home/k (cert_auth_private_key) has a passphrase. Use a key without one."


def test_auth_method_none_needs_no_credentials():
    assert make({"url": URL, "auth_method": "none"})[0].identity_secret() == b""


def test_kubernetes_uses_the_token_of_the_service_account():
    values = {"url": URL, "auth_method": "kubernetes", "role_id": "r"}
    assert make(values, files={KUBERNETES_TOKEN_FILE: "sa\n"})[0].jwt == "sa"
    assert make({**values, "jwt": "given"}, files={KUBERNETES_TOKEN_FILE: "sa\n"}) == (make({**values, "jwt": "given"})[0], [])


# -- identity ------------------------------------------------------------------------------------------------------

IDENTITIES = {
    "token": {"token": "t-1"},
    "token2": {"token": "t-2"},
    "approle": {k: v for k, v in APPROLE.items() if k != "url"},
    "approle_other_secret": {"auth_method": "approle", "role_id": "role-1234", "secret_id": "sec-9999"},
    "approle_no_secret": {"auth_method": "approle", "role_id": "role-1234"},
    "approle_other_role": {"auth_method": "approle", "role_id": "role-5678"},
    "userpass": {"auth_method": "userpass", "username": "joe", "password": "pass-1"},
    "userpass_other": {"auth_method": "userpass", "username": "jim", "password": "pass-1"},
    "userpass_other_mount": {"auth_method": "userpass", "username": "joe", "password": "pass-1", "mount_point": "up2"},
    "ldap": {"auth_method": "ldap", "username": "joe", "password": "pass-1"},
    "jwt": {"auth_method": "jwt", "role_id": "r", "jwt": "jjj"},
    "jwt_other_role": {"auth_method": "jwt", "role_id": "r2", "jwt": "jjj"},
    "aws": {"auth_method": "aws_iam", "aws_access_key": "AK", "aws_secret_key": "aws-1"},
    "aws_profile": {"auth_method": "aws_iam", "aws_profile": "dev"},
    "azure": {"auth_method": "azure", "role_id": "r", "azure_client_id": "c1"},
    "azure_other": {"auth_method": "azure", "role_id": "r", "azure_client_id": "c2"},
    "azure_secret": {
        "auth_method": "azure",
        "role_id": "r",
        "azure_client_id": "c1",
        "azure_tenant_id": "t",
        "azure_client_secret": "az-1",
    },
    "cert": {"auth_method": "cert", "cert_auth_public_key": "/c", "cert_auth_private_key": "/k1"},
    "cert_other_key": {"auth_method": "cert", "cert_auth_public_key": "/c", "cert_auth_private_key": "/k2"},
    "none": {"auth_method": "none"},
}
KEYS = {"/k1": "key-one", "/k2": "key-two"}
SECRETS = ("t-1", "t-2", "sec-1234", "sec-9999", "pass-1", "jjj", "aws-1", "az-1", "key-one", "key-two")


def test_different_logins_have_different_identities():
    made = [make({"url": URL, **values}, files=KEYS)[0] for values in IDENTITIES.values()]
    seen = {(str(sorted(options.identity_public().items())), options.identity_secret()) for options in made}
    assert len(seen) == len(made)


@pytest.mark.parametrize("name", IDENTITIES)
def test_identity_and_repr_reveal_no_secret(name):
    options, _reads = make({"url": URL, **IDENTITIES[name]}, files=KEYS)
    given = [secret for secret in SECRETS if secret in str(IDENTITIES[name]) or secret == options.cert_auth_key_text]
    shown = repr(options) + str(options.identity_public()) + str(options.address())
    assert [secret for secret in given if secret in shown] == []
    assert set(given) <= set(options.secrets())
    assert all(secret.encode() in options.identity_secret() for secret in given)


def test_a_role_id_without_a_secret_id_is_the_secret():
    options, _reads = make({"url": URL, "auth_method": "approle", "role_id": "role-1234"})
    assert "role-1234" not in repr(options) + str(options.identity_public())
    assert options.secrets() == ("role-1234",)
    assert make(APPROLE)[0].identity_public() == {"auth_method": "approle", "role_id": "role-1234"}


def test_options_of_another_method_do_not_change_the_identity():
    plain, more = make(APPROLE)[0], make({**APPROLE, "username": "joe", "token": "x", "aws_profile": "p", "jwt": "j"})[0]
    assert (plain.identity_secret(), plain.identity_public()) == (more.identity_secret(), more.identity_public())


# -- settings of the vault command without an option -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "given"),
    [
        ({"VAULT_CAPATH": "/folder"}, (None, None, "/folder")),
        ({"VAULT_CAPATH": "/folder", "VAULT_CACERT_BYTES": "PEM"}, (None, "PEM", None)),
        ({"VAULT_CAPATH": "/folder", "VAULT_CACERT_BYTES": "PEM", "VAULT_CACERT": "/file"}, ("/file", None, None)),
    ],
)
def test_certificate_variables_are_read_in_the_order_of_the_vault_command(environ, given):
    options = make({"url": URL, "token": "t"}, environ=environ)[0]
    assert (options.ca_cert, options.ca_cert_text, options.ca_path) == given
    assert make({"url": URL, "token": "t", "ca_cert": "/mine"}, environ=environ)[0].ca_cert == "/mine"


def test_tls_server_name_comes_from_the_environment():
    assert make({"url": URL, "token": "t"}, environ={"VAULT_TLS_SERVER_NAME": "vault.internal"})[0].tls_server_name == "vault.internal"


@pytest.mark.parametrize("name", ["ca_cert_text", "ca_path", "tls_server_name", "cert_auth_key_text"])
def test_internal_fields_cannot_be_set_as_options(name):
    assert not getattr(make({"url": URL, "token": "t", name: "x"})[0], name)


def test_a_client_certificate_can_be_used_with_any_login():
    environ = {"VAULT_CLIENT_CERT": "~/c.pem", "VAULT_CLIENT_KEY": "~/k.pem"}
    options, reads = make({"url": URL, "token": "t"}, environ=environ)
    assert (options.cert_auth_public_key, options.cert_auth_private_key, reads) == ("/nowhere/home/c.pem", "/nowhere/home/k.pem", [])
    # A proxy in front of Vault may identify callers by it.
    assert options.identity_public() == {"auth_method": "token", "cert_auth_public_key": "/nowhere/home/c.pem"}
    assert options.network() != make({"url": URL, "token": "t"})[0].network()
    login, _reads = make({"url": URL, "auth_method": "cert"}, environ=environ, files={"/nowhere/home/k.pem": "key"})
    assert login.cert_auth_key_text == "key"


@pytest.mark.parametrize("one", ["VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY"])
def test_half_a_client_certificate_is_refused(one):
    assert refused({"url": URL, "token": "t"}, environ={one: "/x.pem"}) == (
        "cert_auth_public_key and cert_auth_private_key (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY) go together: only one is set."
    )


# -- what messages show ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["namespace", "mount_point", "username", "ca_cert", "wrap_ttl"])
@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\x9bb", "a\u202eb", "a\u2028b", "a\x00b"])
def test_unprintable_values_are_refused(name, text):
    assert refused({"url": URL, "token": "t", name: text}) == (
        f"{name} contains a line break or another character that cannot be shown. Check where it is set."
    )


def test_trailing_line_ends_are_removed():
    assert make({"url": URL + "\n", "token": "t\n", "namespace": "team\n"})[0].namespace == "team"


# -- odd types -------------------------------------------------------------------------------------------------------

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["{", "{1", "{[]: 1}", "a=b", "=", "https://[", "1e999", "9" * 5000, "nan", "\ud800", "http://a:0", "https://a:99999", "-1"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.binary(max_size=3),
)


@given(st.dictionaries(st.sampled_from((*FIELDS, "token_path", "token_file")), ODD, max_size=5))
def test_any_values_are_accepted_or_refused_in_one_line(values):
    message, options = "", None
    try:
        options, _reads = make({"url": URL, "token": "t", **values})
    except OptionError as exc:
        message = exc.message
    assert message.isprintable()
    assert len(message) < 400
    if options is None:
        return
    for name in ("url", "namespace", "mount_point"):
        assert str(getattr(options, name) or "").isprintable()
    options.identity_public(), options.identity_secret(), options.secrets(), options.address(), options.network(), options.shown_url


# -- the documentation agrees -----------------------------------------------------------------------------------------


@functools.cache
def documented():
    return yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]


@functools.cache
def overlay():
    return yaml.safe_load(ModuleDocFragment.PLUGINS)["options"]


#: Fields that have no option.
NO_OPTIONS = {"cert_auth_key_text", "ca_cert_text", "ca_path", "tls_server_name"}


def test_every_option_is_documented():
    ours = {name for name in VaultOptions.__dataclass_fields__ if name not in NO_OPTIONS} | {"token_path", "token_file"}
    assert set(documented()) == ours | {"engine_mount_point"}
    assert set(overlay()) == set(documented())
    assert documented()["auth_method"]["choices"] == list(METHODS)
    assert {name: tuple(option["aliases"]) for name, option in documented().items() if "aliases" in option} == {
        **ALIASES,
        "engine_mount_point": ("secret_mount_path",),
    }


def test_the_variable_that_a_message_names_exists():
    needed = {name for method in METHODS.values() for name in method.required} | {"azure_client_id", "azure_tenant_id"}
    for name in needed:
        assert f"ANSIBLE_HASHI_VAULT_{name.upper()}" in [entry["name"] for entry in overlay()[name]["env"]]


@pytest.mark.parametrize("name", ["token", "username", "password", "secret_id", "jwt", "azure_client_secret", "validate_certs"])
def test_no_secret_belongs_in_ansible_cfg(name):
    assert "ini" not in overlay()[name]


def test_importing_the_options_imports_no_client():
    package = pathlib.Path(__file__).parents[4] / "plugins" / "plugin_utils" / "_vault"
    for name in ("options.py", "auth.py", "client.py"):
        lines = (package / name).read_text(encoding="utf-8").splitlines()
        heavy = ("import hvac", "from hvac", "import requests", "from requests", "import urllib3", "from urllib3", "import boto3")
        assert [line for line in lines if line.startswith(heavy)] == []


# -- everything that is made of the options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"url": ""}, "option:missing"),
        ({"url": "vault"}, "option:address"),
        ({"url": "https://vault:0"}, "option:address"),
        ({"url": "https://"}, "option:address"),
        ({"cert_auth_public_key": "/c"}, "option:clash"),
    ],
)
def test_refused_options_have_codes(values, fault):
    with pytest.raises(OptionError) as caught:
        make({"url": URL, "token": "t", **values})
    assert caught.value.fault == fault


def test_an_unknown_method_is_shortened_in_the_message():
    known = ", ".join(METHODS)
    assert refused({"url": URL, "auth_method": "x" * 40}) == f"auth_method='{'x' * 40}' is not known. Use one of: {known}."
    assert refused({"url": URL, "auth_method": "x" * 41}) == f"auth_method='{'x' * 39}…' is not known. Use one of: {known}."


@pytest.mark.parametrize(("timeout", "deadline"), [(1, 60), (30, 60), (30.5, 61), (100, 200)])
def test_the_deadline_depends_on_the_timeout(timeout, deadline):
    assert make({"url": URL, "token": "t", "timeout": timeout})[0].deadline == deadline


def test_address_and_network_are_separate():
    options, _reads = make({"url": URL, "token": "t", "ca_cert": "/ca", "proxies": "http://p:1", "timeout": 7, "retries": 2, "validate_certs": "no"})
    assert options.address() == {"url": URL, "namespace": ""}
    assert make({"url": URL, "token": "t", "namespace": "/X/team/"})[0].address() == {"url": URL, "namespace": "X/team"}
    assert options.network() == {
        "ca_cert": "/ca",
        "ca_cert_text": None,
        "ca_path": None,
        "tls_server_name": None,
        "validate_certs": False,
        "proxies": {"http": "http://p:1", "https": "http://p:1"},
        "timeout": 7,
        "retries": 2,
        "cert_auth_public_key": None,
        "cert_auth_private_key": None,
    }


@pytest.mark.parametrize(
    ("values", "public", "secret"),
    [
        ({"auth_method": "none"}, {"auth_method": "none"}, b""),
        ({"auth_method": "aws_iam", "aws_profile": "dev"}, {"auth_method": "aws_iam", "aws_profile": "dev"}, b""),
        ({"token": "t-1"}, {"auth_method": "token"}, b'["t-1"]'),
        (
            {"auth_method": "userpass", "username": "joe", "password": "pw", "mount_point": "up"},
            {"auth_method": "userpass", "username": "joe", "mount_point": "up"},
            b'["joe", "pw"]',
        ),
        ({"auth_method": "jwt", "role_id": "r", "jwt": "j"}, {"auth_method": "jwt", "role_id": "r"}, b'["j"]'),
        (
            {"auth_method": "cert", "cert_auth_public_key": "/c", "cert_auth_private_key": "/k1", "role_id": "web"},
            {"auth_method": "cert", "cert_auth_public_key": "/c", "role_id": "web"},
            b'["key-one"]',
        ),
    ],
)
def test_each_method_says_who_logs_in(values, public, secret):
    options, _reads = make({"url": URL, **values}, files=KEYS)
    assert (options.identity_public(), options.identity_secret()) == (public, secret)


def test_the_identity_of_cloud_methods():
    aws = {
        "auth_method": "aws_iam",
        "role_id": "r",
        "aws_access_key": "AK",
        "aws_secret_key": "aws-1",
        "aws_security_token": "sts-1",
        "aws_profile": "dev",
        "region": "eu-1",
        "aws_iam_server_id": "vault.example",
    }
    options, _reads = make({"url": URL, **aws})
    names = ("auth_method", "role_id", "aws_profile", "region", "aws_iam_server_id")
    assert options.identity_public() == {name: aws[name] for name in names}
    assert set(options.secrets()) == {"aws-1", "sts-1"}
    azure = {"auth_method": "azure", "role_id": "r", "azure_tenant_id": "t", "azure_client_id": "c", "azure_client_secret": "az-1"}
    options, _reads = make({"url": URL, **azure})
    assert options.identity_public() == {
        "auth_method": "azure",
        "role_id": "r",
        "azure_tenant_id": "t",
        "azure_client_id": "c",
        "azure_resource": "https://management.azure.com/",
    }
    assert options.secrets() == ("az-1",)


def test_each_secret_is_listed_once_and_decoded():
    proxies = {"http": "http://u:p%40ss-1@p:1", "https": "http://u:p%40ss-1@p:1", "ftp": "http://[", "x": "http://p:1"}
    assert make({"url": URL, "token": "t", "proxies": proxies})[0].secrets() == ("t", "p@ss-1")


@pytest.mark.parametrize(("text", "value"), [(" Yes ", True), ("on", True), ("t", True), (1, True), ("OFF", False), ("f", False), ("n", False), (0, False)])
def test_booleans_are_parsed(text, value):
    assert make({"url": URL, "token": "t", "validate_certs": text})[0].validate_certs is value
    assert make({"url": URL, "token": "t", "token_validate": text})[0].token_validate is value


@pytest.mark.parametrize("url", ["http://vault:8200", "https://vault/X", "https://vault:1"])
def test_canonical_addresses_are_unchanged(url):
    assert make({"url": url, "token": "t"})[0].url == url


@pytest.mark.parametrize("action", ["ignore", "warn"])
def test_retry_action_is_ignore_or_warn(action):
    assert make({"url": URL, "token": "t", "retry_action": action})[0].retry_action == action


@pytest.mark.parametrize("seconds", [0.5, "0.5", 1, 999_999])
def test_plausible_timeouts_are_accepted(seconds):
    assert make({"url": URL, "token": "t", "timeout": seconds})[0].timeout == float(seconds)


@pytest.mark.parametrize(
    ("name", "value"), [("timeout", 1e6), ("timeout", 10**400), ("timeout", [1]), ("retries", [1]), ("retries", float("inf")), ("retries", 1001)]
)
def test_implausible_numbers_are_refused(name, value):
    assert refused({"url": URL, "token": "t", name: value}).startswith(f"{name} must be a number of ")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"HTTPS": "http://p:1", "http": ""}, {"https": "http://p:1"}),
        (" {'https': 'http://p:1'} ", {"https": "http://p:1"}),
        ("{[]: 1}", {"http": "{[]: 1}", "https": "{[]: 1}"}),
        ("{1}", {"http": "{1}", "https": "{1}"}),
        ("https=http://p:1?a=b", {"https": "http://p:1?a=b"}),
        ("p:1", {"http": "p:1", "https": "p:1"}),
    ],
)
def test_odd_forms_of_proxies_are_normalized(given, expected):
    assert make({"url": URL, "token": "t", "proxies": given})[0].proxies == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({1: 2}, {"1": 2}),
        ("{1: 2}", {"1": 2}),
        ("total=1,allowed_methods=None,list=['GET'],text=abc", {"total": 1, "allowed_methods": None, "list": ["GET"], "text": "abc"}),
        ("total=null,other=false,raise_on_status=true", {"other": False, "raise_on_status": True}),
        (
            {"total": None, "connect": None, "backoff_factor": None, "status_forcelist": None, "history": None, "allowed_methods": None},
            {"allowed_methods": None},
        ),
    ],
)
def test_odd_forms_of_retries_are_normalized(given, expected):
    assert make({"url": URL, "token": "t", "retries": given})[0].retries == expected


def test_white_space_is_removed_from_everything_but_passwords():
    given = {"auth_method": "approle", "role_id": " r\n", "secret_id": " s\n", "mount_point": " m\n", "namespace": " n\n"}
    options, _reads = make({"url": URL, **given})
    assert (options.role_id, options.secret_id, options.mount_point, options.namespace) == ("r", "s", "m", "n")
    assert make({"url": URL, "auth_method": "jwt", "role_id": "r", "jwt": " j\n"})[0].jwt == "j"
    assert make({"url": URL, "auth_method": "userpass", "username": "u", "password": " p "})[0].password == " p "


COUNT, SECONDS = "a whole number from 0 to 1000", "a number of seconds from 0"


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        *(("total", value, COUNT) for value in ("abc", "3", -1, 1001, 1.5, True, float("inf"), [1])),
        *((key, "x", COUNT) for key in ("connect", "read", "redirect", "status", "other")),
        *((key, value, SECONDS) for key in ("backoff_factor", "backoff_max", "backoff_jitter", "retry_after_max") for value in ("x", -0.1, 1e6, True)),
        *((key, value, "true or false") for key in ("raise_on_redirect", "raise_on_status", "respect_retry_after_header") for value in (1, "yes")),
        *((key, value, "a list of methods") for key in ("allowed_methods", "method_whitelist") for value in (5, True, "GET", ["GET", 5])),
        *(("status_forcelist", value, "a list of numbers") for value in (5, "503", ["503"], [True], {503: 1})),
        *(("remove_headers_on_redirect", value, "a list of names") for value in (5, "Cookie", [5], False)),
        *(("history", value, "left out") for value in (5, [5], "x")),
    ],
)
def test_a_wrong_setting_of_retry_is_refused_by_its_name(key, value, what):
    message = f"retries: '{key}' must be {what} (ANSIBLE_HASHI_VAULT_RETRIES)."
    assert refused({"url": URL, "token": "t", "retries": {"total": 2, key: value}}) == message


def test_every_setting_of_retry_is_accepted():
    settings = {
        **dict.fromkeys(("total", "connect", "read", "redirect", "status"), 1000),
        "other": False,
        "backoff_factor": 0,
        "backoff_max": 0.5,
        "backoff_jitter": 999_999,
        "retry_after_max": 7,
        "raise_on_redirect": False,
        "raise_on_status": True,
        "respect_retry_after_header": True,
        "allowed_methods": ["GET"],
        "method_whitelist": False,
        "status_forcelist": (503,),
        "remove_headers_on_redirect": ["Cookie"],
        "history": (),
    }
    assert make({"url": URL, "token": "t", "retries": settings})[0].retries == settings
