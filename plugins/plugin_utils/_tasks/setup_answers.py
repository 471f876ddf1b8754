# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(vault_setup): what an answer of Vault means, in words for the operator. Pure.

An answer may repeat the operator's token in any encoding. Nothing of it is shown but the status, and which known words it has.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._base.errors import VaultError
from .._vault.transport import Refusal
from .._vault.wording import NOT_INITIALISED, SEALED

__all__ = ("for_operator", "is_not_there", "is_vaults", "may_pass", "not_vaults", "refused")

_REDIRECTS = (301, 302, 303, 307, 308)
#: Of Vault and OpenBao, in lower case: what may be shown of an answer.
_WORDS = (
    "permission denied",
    "invalid token",
    "bad token",
    "missing client token",
    "vault is sealed",
    "not initialized",
    "rate limit",
    "no handler for route",
    "unsupported path",
    "path is already in use",
    "existing mount",
    "plugin not found",
    "read-only",
    "standby",
    "upgrading",
    "client sent an http request to an https server",
)
#: A new KV mount refuses requests until it is ready; and these pass, too.
_PASSING = frozenset(("rate limit", "standby", "upgrading"))
_LASTING_STATUSES = (*_REDIRECTS, 401, 403, 405)


@dataclass(frozen=True)
class _State:
    """What an answer says about its sender, whatever was asked."""

    word: str
    does: str
    kind: str


#: The first one whose word is in the answer.
_STATES = (
    _State("not initialized", NOT_INITIALISED, "sealed"),
    _State("vault is sealed", SEALED, "sealed"),
    _State("token", " does not accept the token. Get a new one (vault login), and set VAULT_TOKEN (or vault_setup_token).", "login_refused"),
    _State("http request to an https server", " speaks TLS only. Begin VAULT_ADDR (or vault_setup_url) with https://.", "tls"),
)


def is_vaults(answer: t.Mapping[str, t.Any]) -> bool:
    """Whether an *answer* without an error is of Vault; that to a change may be empty."""
    return not answer or isinstance(answer.get("data"), dict) or "request_id" in answer


def not_vaults() -> Refusal:
    """In the place of an answer without an error that is not of Vault."""
    return Refusal(200, errors=(), body=None, retry_after=None)


def is_not_there(refusal: Refusal) -> bool:
    """Whether Vault itself says that it does not have what was asked for."""
    return refusal.status in (400, 404) and refusal.from_vault


def may_pass(refusal: Refusal) -> bool:
    """Whether the same change may be taken a second later."""
    return refusal.status not in _LASTING_STATUSES and refusal.from_vault and _PASSING.issuperset(_known(refusal))


def refused(refusal: Refusal, name: str, *, place: str, did: str) -> VaultError:
    """The error for an answer about the thing *name* that is not as it should be.

    :arg did: what such an answer does, as C(answered with).
    """
    text, kind = _why(refusal, place, did)
    return VaultError(f"{name}: {text}", kind)


def _why(refusal: Refusal, place: str, did: str) -> tuple[str, str]:
    known = _known(refusal)
    if refusal.status in _REDIRECTS:
        text = (
            f"{place} redirects to another address, and the token is not sent there. "
            "Set VAULT_ADDR (or vault_setup_url) to the address of the active node, with https; vault status shows it."
        )
        return text, "unavailable"
    for state in _STATES:
        if any(state.word in word for word in known):
            return f"{place}{state.does}", state.kind
    if refusal.status in (200, 204, 400, 404) and not refusal.from_vault:
        text = (
            f"what answers at {place.removeprefix('Vault at ')} is not Vault, but a proxy or another service. "
            "Check VAULT_ADDR (or vault_setup_url) and what stands before Vault."
        )
        return text, "unavailable"
    said = f" ({', '.join(known)})" if known else ""
    text = f"{place} {did} status {refusal.status}{said}. Check VAULT_ADDR and the policies of the token."
    return text, "denied" if refusal.status == 403 else "unavailable"


def _known(refusal: Refusal) -> list[str]:
    said = " ".join(refusal.errors).lower()
    return [word for word in _WORDS if word in said]


#: What a lookup's options are called here. Of the first kind, what follows in parentheses says the same.
_ENVIRONMENT = re.compile(r" \((?:(?:VAULT|ANSIBLE_HASHI_VAULT)_\w+|https_proxy)(?:, (?:(?:VAULT|ANSIBLE_HASHI_VAULT)_\w+|https_proxy))*\)")
_CALLED: t.Mapping[str, str] = {
    "; validate_certs=false would turn the check off": "",
    ", or raise timeout": "",
    ", or set retries": "",
    "validate_certs=false": "VAULT_SKIP_VERIFY",
    "ca_cert": "VAULT_CACERT",
    "cert_auth_public_key": "VAULT_CLIENT_CERT",
    "cert_auth_private_key": "VAULT_CLIENT_KEY",
    "cert_auth_*": "VAULT_CLIENT_CERT",
    "proxies": "VAULT_PROXY_ADDR and https_proxy",
    "url": "VAULT_ADDR (or vault_setup_url)",
}
_OPTION = re.compile("|".join(re.escape(name) if not name.isidentifier() else rf"(?<![\w./:-]){name}(?![\w/:-]|\.\w)" for name in _CALLED))


def for_operator(text: str) -> str:
    """A sentence about the way to Vault with the names that the operator knows: it has a lookup's options in it."""
    return _OPTION.sub(lambda found: _CALLED[found[0]], _ENVIRONMENT.sub("", text))
