# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""What the messages for Vault's error responses say, as data; :mod:`.refusals` chooses. Pure."""

from __future__ import annotations

import typing as t

from .answer import Refusal

__all__ = ("LOCKS_USERS", "LOGIN_ADVICE", "NOT_INITIALISED", "SEALED", "STATES", "items_of_multierror", "path_hint")

NOT_INITIALISED = " is not initialised. An operator must initialise and unseal it first."
SEALED = " is sealed. An operator must unseal it first."
# What a response to any request says about its sender; the first match applies.
STATES: tuple[tuple[t.Callable[[Refusal], bool], str, str], ...] = (
    (
        lambda refusal: refusal.says("client sent an http request to an https server"),
        "tls",
        " speaks TLS only: begin url with https:// (VAULT_ADDR).",
    ),
    (lambda refusal: refusal.status == 501 or refusal.says("not initialized"), "sealed", NOT_INITIALISED),
    (
        lambda refusal: refusal.status == 429,
        "unavailable",
        " refuses more requests{wait}: its rate limit is reached (429). Try again later.",
    ),
    (lambda refusal: refusal.status == 407, "unreachable", ": the proxy in front of it requires a login (407). Check proxies."),
    (
        lambda refusal: refusal.status == 412,
        "unavailable",
        " is a replica that is not up to date yet (412). Try again{or_retries}.",
    ),
    (
        lambda refusal: not refusal.from_vault,
        "unavailable",
        ": the answer (status {status}) comes from a proxy or another service, not from Vault. Check url (VAULT_ADDR) and proxies.",
    ),
    (
        lambda refusal: refusal.status in (500, 502, 503, 504),
        "unavailable",
        " cannot serve now: status {status}{reason}. Try again later{or_retries}.",
    ),
)
LOGIN_ADVICE: t.Mapping[str, tuple[str, ...]] = {
    "userpass": ("username", "password"),
    "ldap": ("username", "password"),
    "approle": ("role_id", "secret_id"),
    "jwt": ("role_id", "jwt"),
    "gcp": ("role_id", "jwt"),
    "kubernetes": ("role_id", "the service account"),
    "azure": ("role_id", "the Azure identity"),
    "aws_iam": ("role_id", "the AWS credentials"),
    "cert": ("cert_auth_public_key", "role_id"),
}
#: The methods for which Vault locks users after wrong passwords.
LOCKS_USERS = ("userpass", "ldap", "approle")


def items_of_multierror(reason: str) -> str:
    _head, colon, tail = reason.partition("occurred:")
    return "; ".join(part.strip() for part in tail.split("* ") if part.strip()) if colon else reason


def path_hint(mount: str, path: str, *, engine: int) -> str:
    """Advice if *path* repeats a prefix that is added anyway."""
    rest, repeated = path, []
    if rest.startswith(mount + "/"):
        rest = rest[len(mount) + 1 :]
        repeated.append("the mount")
    if engine == 2 and rest.startswith("data/"):
        rest = rest[len("data/") :]
        repeated.append("data/")
    verb = "are" if len(repeated) > 1 else "is"
    return f"Try {rest!r}: {' and '.join(repeated)} {verb} not part of path." if repeated else ""
