# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""How to log in to Vault: one entry of ``METHODS`` a method.

``validate`` looks at the options only; ``authenticate`` does one hvac call. hvac, boto3 and azure-identity are imported by nobody
before ``authenticate``.

:raises OptionError: from ``validate``, naming the option and its environment variable. What hvac raises passes through
    ``authenticate``; the client words it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._base.errors import OptionError, VaultError

if t.TYPE_CHECKING:
    from .options import VaultOptions

__all__ = ("METHODS", "AuthMethod", "Login", "login_of")


@dataclass(frozen=True)
class Login:
    """What a login gave. An empty ``client_token``: an agent or a proxy between us and Vault adds it."""

    client_token: str = field(repr=False)
    lease_seconds: int = 0
    renewable: bool = False
    accessor: str = field(default="", repr=False)


class AuthMethod(t.Protocol):
    """One login method. ``identity`` and ``secrets`` name the options that tell two identities apart."""

    @property
    def identity(self) -> tuple[str, ...]: ...

    @property
    def secrets(self) -> tuple[str, ...]: ...

    def validate(self, options: VaultOptions) -> None: ...

    def authenticate(self, client: t.Any, options: VaultOptions) -> Login: ...


def login_of(answer: t.Any) -> Login:
    """The login in Vault's *answer* to a login or a renewal."""
    auth = answer.get("auth") if isinstance(answer, dict) else None
    if not isinstance(auth, dict):
        raise VaultError("the answer to the login has no token in it", "login_refused")
    if not auth.get("client_token"):
        reason = "asks for a second factor (MFA)" if auth.get("mfa_requirement") else "has no token in it"
        raise VaultError(f"the answer to the login {reason}", "login_refused")
    return Login(
        client_token=str(auth["client_token"]),
        lease_seconds=int(auth.get("lease_duration") or 0),
        renewable=bool(auth.get("renewable")),
        accessor=str(auth.get("accessor") or ""),
    )


# Late variables and files that can give an option too, for the messages of _require.
_ALSO = {
    "token": "VAULT_TOKEN, or the file ~/.vault-token (token_path, token_file)",
    ("approle", "role_id"): "VAULT_APPROLE_ROLE_ID",
    ("kubernetes", "jwt"): "the service account's token file",
}


def _require(options: VaultOptions, *names: str) -> None:
    for name in names:
        if getattr(options, name):
            continue
        also = _ALSO.get((options.auth_method, name), _ALSO.get(name))
        where = f"ANSIBLE_HASHI_VAULT_{name.upper()}" + (f", {also}" if also else "")
        raise OptionError(f"auth_method={options.auth_method} needs {name} ({where}).")


def _filled(options: VaultOptions, arguments: t.Mapping[str, str]) -> dict[str, t.Any]:
    """hvac's arguments; those whose option is unset are left to hvac's defaults."""
    found = {argument: getattr(options, option) for argument, option in arguments.items()}
    return {argument: value for argument, value in found.items() if value}


@dataclass(frozen=True)
class _HvacLogin:
    """A method that is one hvac call with options as its arguments."""

    call: str
    arguments: t.Mapping[str, str]
    required: tuple[str, ...]
    identity: tuple[str, ...]
    secrets: tuple[str, ...]
    mount_argument: str = "mount_point"
    #: More arguments, found out at login (credentials of a cloud).
    more: t.Callable[[VaultOptions], dict[str, t.Any]] | None = None

    def validate(self, options: VaultOptions) -> None:
        _require(options, *self.required)

    def authenticate(self, client: t.Any, options: VaultOptions) -> Login:
        arguments = _filled(options, {**self.arguments, self.mount_argument: "mount_point"})
        if self.more is not None:
            arguments.update(self.more(options))
        area, _dot, name = self.call.partition(".")
        login = getattr(getattr(client.auth, area), name)
        answer = login(use_token=False, **arguments)
        result = login_of(answer)
        client.token = result.client_token
        return result


class _TokenLogin:
    """The user's own token: nothing is asked, unless it is to be validated."""

    identity: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ("token",)

    def validate(self, options: VaultOptions) -> None:
        _require(options, "token")

    def authenticate(self, client: t.Any, options: VaultOptions) -> Login:
        client.token = options.token
        if not options.token_validate:
            return Login(client_token=options.token or "")
        data = client.auth.token.lookup_self()["data"]
        return Login(
            client_token=options.token or "",
            lease_seconds=int(data.get("ttl") or 0),
            renewable=bool(data.get("renewable")),
            accessor=str(data.get("accessor") or ""),
        )


class _NoLogin:
    """An agent or a proxy between us and Vault adds the token."""

    identity: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def validate(self, options: VaultOptions) -> None:
        pass

    def authenticate(self, client: t.Any, options: VaultOptions) -> Login:
        return Login(client_token="")


def _aws_credentials(options: VaultOptions) -> dict[str, t.Any]:
    """The keys given, else those that boto3 finds (profile, instance role)."""
    if options.aws_access_key and options.aws_secret_key:
        return _filled(
            options,
            {"access_key": "aws_access_key", "secret_key": "aws_secret_key", "session_token": "aws_security_token"},
        )
    try:
        import boto3  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise OptionError(
            "auth_method=aws_iam needs aws_access_key and aws_secret_key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY),"
            " or the Python library boto3 to find them: pip install boto3."
        ) from None
    try:
        found = boto3.session.Session(profile_name=options.aws_profile).get_credentials()
    except Exception as exc:  # noqa: BLE001 - botocore's family of exceptions is not importable by name everywhere
        raise OptionError(f"auth_method=aws_iam: boto3 found no credentials ({type(exc).__name__}). Check aws_profile (AWS_PROFILE).") from None
    if not found:
        raise OptionError("auth_method=aws_iam: boto3 found no credentials. Give aws_access_key and aws_secret_key, or aws_profile (AWS_PROFILE).")
    keys = found.get_frozen_credentials()
    credentials = {"access_key": keys.access_key, "secret_key": keys.secret_key}
    return {**credentials, "session_token": keys.token} if keys.token else credentials


class _AzureLogin(_HvacLogin):
    def validate(self, options: VaultOptions) -> None:
        super().validate(options)
        if options.jwt or not options.azure_client_secret:
            return
        _require(options, "azure_client_id", "azure_tenant_id")


def _azure_token(options: VaultOptions) -> dict[str, t.Any]:
    """The token given, else one of Azure: of a service principal, or of the machine's managed identity."""
    if options.jwt:
        return {"jwt": options.jwt}
    try:
        from azure import identity  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise OptionError(
            "auth_method=azure needs jwt (ANSIBLE_HASHI_VAULT_JWT), or the Python library azure-identity to get one: pip install azure-identity."
        ) from None
    try:
        if options.azure_client_id and options.azure_client_secret:
            credential = identity.ClientSecretCredential(options.azure_tenant_id, options.azure_client_id, options.azure_client_secret)
        else:
            credential = identity.ManagedIdentityCredential(**_filled(options, {"client_id": "azure_client_id"}))
        # The audience is compared by Vault as a whole, with its slash at the end: the scope has two of them then.
        return {"jwt": credential.get_token(options.azure_resource + "/.default").token}
    except Exception as exc:  # noqa: BLE001 - azure-core's family of exceptions; their texts can quote the request
        raise VaultError(f"Azure gave no token for the login to Vault ({type(exc).__name__}).", "login_refused") from None


class _CertLogin(_HvacLogin):
    def authenticate(self, client: t.Any, options: VaultOptions) -> Login:
        if options.validate_certs:
            return super().authenticate(client, options)
        # hvac refuses this login without verification; the user has asked for exactly that.
        answer = client.adapter.login(
            url=f"/v1/auth/{options.mount_point or 'cert'}/login",
            use_token=False,
            json=_filled(options, {"name": "role_id"}),
        )
        result = login_of(answer)
        client.token = result.client_token
        return result


def _password_login(method: str) -> AuthMethod:
    return _HvacLogin(
        call=f"{method}.login",
        arguments={"username": "username", "password": "password"},
        required=("username", "password"),
        identity=("username",),
        secrets=("username", "password"),
    )


def _jwt_login(call: str, *, mount_argument: str = "mount_point") -> AuthMethod:
    return _HvacLogin(
        call=call,
        arguments={"role": "role_id", "jwt": "jwt"},
        required=("role_id", "jwt"),
        identity=("role_id",),
        secrets=("jwt",),
        mount_argument=mount_argument,
    )


METHODS: t.Mapping[str, AuthMethod] = {
    "token": _TokenLogin(),
    "userpass": _password_login("userpass"),
    "ldap": _password_login("ldap"),
    "approle": _HvacLogin(
        call="approle.login",
        arguments={"role_id": "role_id", "secret_id": "secret_id"},
        required=("role_id",),
        identity=("role_id",),
        secrets=("role_id", "secret_id"),
    ),
    "aws_iam": _HvacLogin(
        call="aws.iam_login",
        arguments={"role": "role_id", "region": "region", "header_value": "aws_iam_server_id"},
        required=(),
        identity=("role_id", "aws_profile", "region", "aws_iam_server_id"),
        secrets=("aws_access_key", "aws_secret_key", "aws_security_token"),
        more=_aws_credentials,
    ),
    "azure": _AzureLogin(
        call="azure.login",
        arguments={"role": "role_id"},
        required=("role_id",),
        identity=("role_id", "azure_tenant_id", "azure_client_id", "azure_resource"),
        secrets=("jwt", "azure_client_secret"),
        more=_azure_token,
    ),
    "jwt": _jwt_login("jwt.jwt_login", mount_argument="path"),
    "cert": _CertLogin(
        call="cert.login",
        arguments={"name": "role_id", "cert_pem": "cert_auth_public_key", "key_pem": "cert_auth_private_key"},
        required=("cert_auth_public_key", "cert_auth_private_key"),
        identity=("role_id", "cert_auth_public_key"),
        secrets=("cert_auth_key_text",),
    ),
    "gcp": _jwt_login("gcp.login"),
    "kubernetes": _jwt_login("kubernetes.login"),
    "none": _NoLogin(),
}
