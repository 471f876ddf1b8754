# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Log in to Vault: one hvac call for most methods.

hvac, boto3 and azure-identity are imported only in :func:`authenticate`.
"""

from __future__ import annotations

import typing as t

from .._base.errors import OptionError, VaultError
from .._base.model import Login
from .methods import METHODS

if t.TYPE_CHECKING:
    from .options import VaultOptions

__all__ = ("authenticate", "login_of")


def authenticate(client: t.Any, options: VaultOptions) -> Login:
    """Log in with the hvac *client*, which then uses the resulting token.

    :raises OptionError, VaultError: there are no login credentials, or the response has no token. Exceptions of hvac pass
    through; the client translates them.
    """
    special = _SPECIAL.get(options.auth_method)
    if special is not None:
        return special(client, options)
    login = login_of(_hvac_login(client, options))
    client.token = login.client_token
    return login


def _hvac_login(client: t.Any, options: VaultOptions) -> t.Any:
    method = METHODS[options.auth_method]
    arguments = _filled(options, {**method.arguments, method.mount_argument: "mount_point"})
    if options.auth_method in _CREDENTIALS:
        arguments.update(_CREDENTIALS[options.auth_method](options))
    area, _dot, name = method.call.partition(".")
    return getattr(getattr(client.auth, area), name)(use_token=False, **arguments)


_LONGEST_LEASE = 10 * 365 * 86400  # seconds


def login_of(answer: t.Any) -> Login:
    """The login in Vault's response to a login or a renewal."""
    auth = answer.get("auth") if isinstance(answer, dict) else None
    if not isinstance(auth, dict):
        raise VaultError("the answer to the login contains no token", "login_refused")
    if not auth.get("client_token"):
        reason = "asks for a second factor (MFA)" if auth.get("mfa_requirement") else "contains no token"
        raise VaultError(f"the answer to the login {reason}", "login_refused")
    return Login(
        client_token=str(auth["client_token"]),
        lease_seconds=_seconds(auth.get("lease_duration")),
        renewable=bool(auth.get("renewable")),
    )


def _seconds(value: t.Any) -> int:
    # Limited to what a float can count; Vault's own leases are 32 days by default.
    return max(0, min(value, _LONGEST_LEASE)) if isinstance(value, int) else 0


def _filled(options: VaultOptions, arguments: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The arguments for hvac; for unset options, hvac's defaults apply."""
    found = {argument: getattr(options, option) for argument, option in arguments.items()}
    return {argument: value for argument, value in found.items() if value}


def _use_token(client: t.Any, options: VaultOptions) -> Login:
    """Use the user's own token; sends a request only if it must be validated."""
    token = client.token = options.token or ""
    if not options.token_validate:
        return Login(client_token=token)
    data = client.auth.token.lookup_self().get("data") or {}
    return Login(
        client_token=token,
        lease_seconds=_seconds(data.get("ttl")),
        renewable=bool(data.get("renewable")),
    )


def _no_login(_client: t.Any, _options: VaultOptions) -> Login:
    """Do nothing: an agent or proxy between us and Vault adds the token."""
    return Login(client_token="")


def _certificate_login(client: t.Any, options: VaultOptions) -> Login:
    if options.validate_certs:
        answer = _hvac_login(client, options)
    else:
        # hvac rejects this login without verification, which is what the user requested.
        url = f"/v1/auth/{options.mount_point or 'cert'}/login"
        answer = client.adapter.login(url=url, use_token=False, json=_filled(options, {"name": "role_id"}))
    login = login_of(answer)
    client.token = login.client_token
    return login


def _aws_credentials(options: VaultOptions) -> dict[str, t.Any]:
    """The keys from the options, else those that boto3 finds (profile, instance role)."""
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
            " or the Python library boto3 to find them: pip install boto3.",
            fault="option:library",
        ) from None
    try:
        found = boto3.session.Session(profile_name=options.aws_profile).get_credentials()
    except Exception as exc:  # noqa: BLE001 - botocore's exceptions cannot be imported by name everywhere
        raise OptionError(
            f"auth_method=aws_iam: boto3 found no credentials ({type(exc).__name__}). Check aws_profile (AWS_PROFILE).", fault="option:missing"
        ) from None
    if not found:
        raise OptionError(
            "auth_method=aws_iam: boto3 found no credentials. Give aws_access_key and aws_secret_key, or aws_profile (AWS_PROFILE).", fault="option:missing"
        )
    keys = found.get_frozen_credentials()
    credentials = {"access_key": keys.access_key, "secret_key": keys.secret_key}
    return {**credentials, "session_token": keys.token} if keys.token else credentials


def _azure_token(options: VaultOptions) -> dict[str, t.Any]:
    """The token from the options, else one from Azure: for a service principal or the machine's managed identity."""
    if options.jwt:
        return {"jwt": options.jwt}
    try:
        from azure import identity  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise OptionError(
            "auth_method=azure needs jwt (ANSIBLE_HASHI_VAULT_JWT), or the Python library azure-identity to get one: pip install azure-identity.",
            fault="option:library",
        ) from None
    try:
        if options.azure_client_id and options.azure_client_secret:
            credential = identity.ClientSecretCredential(options.azure_tenant_id, options.azure_client_id, options.azure_client_secret)
        else:
            credential = identity.ManagedIdentityCredential(**_filled(options, {"client_id": "azure_client_id"}))
        # Vault compares the whole audience, including a final slash: the scope then has two slashes.
        return {"jwt": credential.get_token(options.azure_resource + "/.default").token}
    except Exception as exc:  # noqa: BLE001 - azure-core's exceptions, whose texts may quote the request
        raise VaultError(f"Azure gave no token for the login to Vault ({type(exc).__name__}).", "login_refused") from None


_SPECIAL: t.Mapping[str, t.Callable[[t.Any, VaultOptions], Login]] = {
    "token": _use_token,
    "none": _no_login,
    "cert": _certificate_login,
}
# Arguments that are determined at login: cloud credentials.
_CREDENTIALS: t.Mapping[str, t.Callable[[VaultOptions], dict[str, t.Any]]] = {
    "aws_iam": _aws_credentials,
    "azure": _azure_token,
}
