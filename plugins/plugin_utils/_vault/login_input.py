# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The Vault options as given, completed from the environment variables of the vault command and from the file that a login method reads.

This is the unchecked input of :class:`VaultOptions`. A cache hit needs only this, so this file imports nothing else; errors about
files are in ``login_files``.
"""

from __future__ import annotations

import os
import posixpath
import typing as t

__all__ = (
    "ALIASES",
    "ALL_SECRETS",
    "FALLBACK_ENVIRONMENT",
    "FIELDS",
    "KUBERNETES_TOKEN_FILE",
    "ONLY_FALLBACK",
    "TRUE",
    "completed",
    "login_secret",
    "read_text",
    "surroundings",
)

KUBERNETES_TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"

ALIASES: t.Mapping[str, tuple[str, ...]] = {
    "ca_cert": ("cacert",),
    "aws_profile": ("boto_profile",),
    "aws_access_key": ("aws_access_key_id",),
    "aws_secret_key": ("aws_secret_access_key",),
}

# Environment variables of the vault command, for options that are not set otherwise. The first one set wins.
FALLBACK_ENVIRONMENT: t.Mapping[str, tuple[str, ...]] = {
    "url": ("VAULT_ADDR",),
    "ca_cert": ("VAULT_CACERT",),
    "namespace": ("VAULT_NAMESPACE",),
    "token": ("VAULT_TOKEN",),
    "proxies": ("VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY"),
    "cert_auth_public_key": ("VAULT_CLIENT_CERT",),
    "cert_auth_private_key": ("VAULT_CLIENT_KEY",),
}
#: More variables of the vault command, without an option here: certificate texts, a folder of them, and the name in Vault's certificate.
ONLY_FALLBACK: t.Mapping[str, str] = {
    "ca_cert_text": "VAULT_CACERT_BYTES",
    "ca_path": "VAULT_CAPATH",
    "tls_server_name": "VAULT_TLS_SERVER_NAME",
}
_APPROLE_FALLBACK: t.Mapping[str, str] = {
    "role_id": "VAULT_APPROLE_ROLE_ID",
    "secret_id": "VAULT_APPROLE_SECRET_ID",
    "mount_point": "VAULT_APPROLE_PATH",
}

TRUE = frozenset(("1", "t", "true", "y", "yes", "on"))

#: The fields of VaultOptions that are options.
FIELDS = (
    "url",
    "auth_method",
    "namespace",
    "mount_point",
    "proxies",
    "ca_cert",
    "validate_certs",
    "timeout",
    "retries",
    "retry_action",
    "wrap_ttl",
    "token",
    "token_validate",
    "username",
    "password",
    "role_id",
    "secret_id",
    "jwt",
    "aws_profile",
    "aws_access_key",
    "aws_secret_key",
    "aws_security_token",
    "region",
    "aws_iam_server_id",
    "azure_tenant_id",
    "azure_client_id",
    "azure_client_secret",
    "azure_resource",
    "cert_auth_public_key",
    "cert_auth_private_key",
)
_PASSWORD = ("username", "password")
#: The secrets of each login method, the decisive one last. Repeats METHODS, which is too slow to import on a cache hit.
SECRETS: t.Mapping[str, tuple[str, ...]] = {
    "token": ("token",),
    "userpass": _PASSWORD,
    "ldap": _PASSWORD,
    "approle": ("role_id", "secret_id"),
    "aws_iam": ("aws_access_key", "aws_secret_key", "aws_security_token"),
    "azure": ("jwt", "azure_client_secret"),
    "jwt": ("jwt",),
    "cert": ("cert_auth_key_text",),
    "gcp": ("jwt",),
    "kubernetes": ("jwt",),
    "none": (),
}
ALL_SECRETS = frozenset(name for names in SECRETS.values() for name in names if name not in ("username", "role_id", "aws_access_key"))


def read_text(path: str) -> str:
    """The text of a file, without a byte order mark; raises OSError."""
    with open(path, encoding="utf-8-sig") as file:
        return file.read()


def surroundings() -> tuple[t.Mapping[str, str], str | None, t.Callable[[str], str]]:
    """This process's environment, home directory and files."""
    # A user without a passwd entry has no home, not ``~`` in the working directory.
    return os.environ, os.environ.get("HOME") or os.path.join("/", os.path.expanduser("~")), read_text


def completed(values: t.Mapping[str, t.Any], *, environ: t.Mapping[str, str], home: str | None, read_file: t.Callable[[str], str]) -> dict[str, t.Any]:
    """The options in *values* that are set (option name -> value; other names are ignored), completed from *environ* and *home*.

    :arg read_file: returns the text of the file at a path; raises OSError.
    :raises OptionError: a file cannot be read.
    """
    given = _given(values)
    given.setdefault("auth_method", "token")
    method = str(given["auth_method"])
    for name, variables in FALLBACK_ENVIRONMENT.items():
        for variable in variables:
            _set_default(given, name, environ.get(variable))
    # As with the vault command, a file wins over a text, and a text over a folder.
    for name, variable in ONLY_FALLBACK.items():
        value = environ.get(variable)
        if name == "tls_server_name" or not {"ca_cert", "ca_cert_text"} & given.keys():
            _set_default(given, name, value)
    for name, variable in (_APPROLE_FALLBACK if method == "approle" else {}).items():
        _set_default(given, name, environ.get(variable))
    if "validate_certs" not in given and environ.get("VAULT_SKIP_VERIFY", "").lower() in TRUE:
        given["validate_certs"] = False
    home = environ.get("HOME") or home
    if method == "token" and "token" not in given:
        _set_default(given, "token", _file(_token_path(given, home=home), read_file=read_file))
    if method == "kubernetes" and "jwt" not in given:
        _set_default(given, "jwt", _file(KUBERNETES_TOKEN_FILE, read_file=read_file))
    for name in ("cert_auth_public_key", "cert_auth_private_key"):
        if name in given:
            given[name] = _expand(str(given[name]), home=home)
    if method == "cert" and "cert_auth_private_key" in given and "url" in given:
        given["cert_auth_key_text"] = _private_key(given["cert_auth_private_key"], read_file=read_file)
    return given


def login_secret(given: t.Mapping[str, t.Any]) -> tuple[list[str] | None, dict[str, t.Any]]:
    """Split the result of :func:`completed`: the secret that the login method uses (None: unknown method), and the values that are not secret.

    Secrets of other login methods are dropped: they are not used.
    """
    names = SECRETS.get(str(given.get("auth_method")))
    if names is None:
        return None, {}
    return [str(given.get(name) or "") for name in names], {name: value for name, value in given.items() if name not in ALL_SECRETS}


def _given(values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    given = {}
    for name in (*FIELDS, "token_path", "token_file"):
        for spelling in (name, *ALIASES.get(name, ())):
            value = values.get(spelling)
            if value is not None and value != "" and name not in given:
                given[name] = value
    return given


def _set_default(given: dict[str, t.Any], name: str, value: str | None) -> None:
    if value and name not in given:
        given[name] = value


def _token_path(given: t.Mapping[str, t.Any], *, home: str | None) -> str:
    folder = _expand(str(given.get("token_path") or home or ""), home=home)
    return posixpath.join(folder, str(given.get("token_file") or ".vault-token"))


def _file(path: str, *, read_file: t.Callable[[str], str]) -> str | None:
    try:
        return read_file(path).strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        from .login_files import unreadable

        raise unreadable(path, exc) from None


def _private_key(path: str, *, read_file: t.Callable[[str], str]) -> str:
    from .login_files import usable_key

    return usable_key(path, _file(path, read_file=read_file))


def _expand(path: str, *, home: str | None) -> str:
    return posixpath.join(home, path[2:]) if home and path.startswith("~/") else path
