# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The login methods of Vault, as data: required options, options that distinguish identities, and the hvac call.

Pure: it only checks options. ``auth`` does the login.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._base.errors import OptionError

__all__ = ("METHODS", "Method", "validate")


@dataclass(frozen=True)
class Method:
    """One login method.

    ``identity`` and ``secrets`` name the options that distinguish two identities. ``call`` is the method of ``hvac.Client.auth`` and
    ``arguments`` maps its arguments to the options that fill them; empty if the login takes more than one such call.
    ``also`` names options that are required because of others that are set.
    """

    call: str = ""
    arguments: t.Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    mount_argument: str = "mount_point"
    also: t.Callable[[t.Any], tuple[str, ...]] = lambda options: ()


# Other sources of an option (fallback variables and files), for the messages of validate.
_OTHER_SOURCES = {
    "token": "VAULT_TOKEN, or the file ~/.vault-token (token_path, token_file)",
    ("approle", "role_id"): "VAULT_APPROLE_ROLE_ID",
    ("kubernetes", "jwt"): "the service account's token file",
}


# Options that suggest another login method than token, and that method.
_SUGGESTS = {"secret_id": "approle", "password": "userpass", "jwt": "jwt", "role_id": "approle"}


def validate(options: t.Any) -> None:
    """Check that *options* have all that their login method requires.

    :raises OptionError: naming the option and its environment variable.
    """
    method = METHODS[options.auth_method]
    for name in (*method.required, *method.also(options)):
        if getattr(options, name):
            continue
        also = _OTHER_SOURCES.get((options.auth_method, name), _OTHER_SOURCES.get(name))
        where = f"ANSIBLE_HASHI_VAULT_{name.upper()}" + (f", {also}" if also else "")
        raise OptionError(f"auth_method={options.auth_method} needs {name} ({where}).{_other_method(options)}", fault="option:missing")


def _other_method(options: t.Any) -> str:
    """A question that suggests another method, if the options are for one; otherwise empty."""
    other = next((method for name, method in _SUGGESTS.items() if getattr(options, name)), "") if options.auth_method == "token" else ""
    return f" Did you mean auth_method={other}?" if other else ""


def _service_principal(options: t.Any) -> tuple[str, ...]:
    return ("azure_client_id", "azure_tenant_id") if options.azure_client_secret and not options.jwt else ()


_BY_PASSWORD = Method(
    arguments={"username": "username", "password": "password"},
    required=("username", "password"),
    identity=("username",),
    secrets=("username", "password"),
)
_BY_JWT = Method(
    arguments={"role": "role_id", "jwt": "jwt"},
    required=("role_id", "jwt"),
    identity=("role_id",),
    secrets=("jwt",),
)

METHODS: t.Mapping[str, Method] = {
    "token": Method(required=("token",), secrets=("token",)),
    "userpass": replace(_BY_PASSWORD, call="userpass.login"),
    "ldap": replace(_BY_PASSWORD, call="ldap.login"),
    "approle": Method(
        call="approle.login",
        arguments={"role_id": "role_id", "secret_id": "secret_id"},
        required=("role_id",),
        identity=("role_id",),
        secrets=("role_id", "secret_id"),
    ),
    "aws_iam": Method(
        call="aws.iam_login",
        arguments={"role": "role_id", "region": "region", "header_value": "aws_iam_server_id"},
        required=(),
        identity=("role_id", "aws_profile", "region", "aws_iam_server_id"),
        secrets=("aws_access_key", "aws_secret_key", "aws_security_token"),
    ),
    "azure": Method(
        call="azure.login",
        arguments={"role": "role_id"},
        required=("role_id",),
        identity=("role_id", "azure_tenant_id", "azure_client_id", "azure_resource"),
        secrets=("jwt", "azure_client_secret"),
        also=_service_principal,
    ),
    "jwt": replace(_BY_JWT, call="jwt.jwt_login", mount_argument="path"),
    "cert": Method(
        call="cert.login",
        arguments={"name": "role_id", "cert_pem": "cert_auth_public_key", "key_pem": "cert_auth_private_key"},
        required=("cert_auth_public_key", "cert_auth_private_key"),
        identity=("role_id", "cert_auth_public_key"),
        secrets=("cert_auth_key_text",),
    ),
    "gcp": replace(_BY_JWT, call="gcp.login"),
    "kubernetes": replace(_BY_JWT, call="kubernetes.login"),
    "none": Method(),
}
