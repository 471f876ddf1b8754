# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(vault_setup): explain Vault's responses to the operator. Pure.

A response may repeat the operator's token in any encoding. So messages show only its status, and known words that it contains.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._base.errors import VaultError
from .._vault.answer import Refusal
from .._vault.refusal_texts import NOT_INITIALISED, SEALED

__all__ = ("for_operator", "is_from_vault", "is_not_there", "may_pass", "not_from_vault", "refused")

_REDIRECTS = (301, 302, 303, 307, 308)
#: Texts of Vault and OpenBao, in lower case, that messages may show.
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
#: Temporary conditions; a new KV mount, too, refuses requests until it is ready.
_PASSING = frozenset(("rate limit", "standby", "upgrading"))
_LASTING_STATUSES = (*_REDIRECTS, 401, 403, 405)


@dataclass(frozen=True)
class _State:
    """What a response to any request says about its sender."""

    word: str
    says: str
    kind: str


#: The first one whose word is in the response applies.
_STATES = (
    _State("not initialized", NOT_INITIALISED, "sealed"),
    _State("vault is sealed", SEALED, "sealed"),
    _State("token", " does not accept the token. Get a new one (vault login), and set VAULT_TOKEN (or vault_setup_token).", "login_refused"),
    _State("http request to an https server", " speaks TLS only. Begin VAULT_ADDR (or vault_setup_url) with https://.", "tls"),
)


def is_from_vault(answer: t.Mapping[str, t.Any]) -> bool:
    """Whether a response without an error comes from Vault; the response to a change may be empty."""
    return not answer or isinstance(answer.get("data"), dict) or "request_id" in answer


def not_from_vault() -> Refusal:
    """Stands for a response without an error that does not come from Vault."""
    return Refusal(200, errors=(), body=None, retry_after=None)


def is_not_there(refusal: Refusal) -> bool:
    """Whether Vault itself says that the thing does not exist."""
    return refusal.status in (400, 404) and refusal.from_vault


def may_pass(refusal: Refusal) -> bool:
    """Whether the same change may succeed a second later."""
    return refusal.status not in _LASTING_STATUSES and refusal.from_vault and _PASSING.issuperset(_known(refusal))


def refused(refusal: Refusal, name: str, *, place: str, verb: str) -> VaultError:
    """The error for an unexpected answer about *name*.

    :arg verb: how Vault reacted, such as C(answered with).
    """
    text, kind = _why(refusal, place, verb)
    return VaultError(f"{name}: {text}", kind)


def _why(refusal: Refusal, place: str, verb: str) -> tuple[str, str]:
    known = _known(refusal)
    if refusal.status in _REDIRECTS:
        text = (
            f"{place} redirects to another address, and the token is not sent there. "
            "Set VAULT_ADDR (or vault_setup_url) to the address of the active node, with https; vault status shows it."
        )
        return text, "unavailable"
    for state in _STATES:
        if any(state.word in word for word in known):
            return f"{place}{state.says}", state.kind
    if refusal.status in (200, 204, 400, 404) and not refusal.from_vault:
        text = (
            f"the server at {place.removeprefix('Vault at ')} is not Vault, but a proxy or another service. "
            "Check VAULT_ADDR (or vault_setup_url) and any proxy in front of Vault."
        )
        return text, "unavailable"
    words = f" ({', '.join(known)})" if known else ""
    text = f"{place} {verb} status {refusal.status}{words}. Check VAULT_ADDR and the policies of the token."
    return text, "denied" if refusal.status == 403 else "unavailable"


def _known(refusal: Refusal) -> list[str]:
    text = " ".join(refusal.errors).lower()
    return [word for word in _WORDS if word in text]


#: The operator's names for a lookup's options. The first pattern removes the names in parentheses, which would repeat them.
_ENVIRONMENT = re.compile(r" \((?:(?:VAULT|ANSIBLE_HASHI_VAULT)_\w+|https_proxy)(?:, (?:(?:VAULT|ANSIBLE_HASHI_VAULT)_\w+|https_proxy))*\)")
_OPERATOR_NAMES: t.Mapping[str, str] = {
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
_OPTION = re.compile("|".join(re.escape(name) if not name.isidentifier() else rf"(?<![\w./:-]){name}(?![\w/:-]|\.\w)" for name in _OPERATOR_NAMES))


def for_operator(text: str) -> str:
    """*text* about a connection to Vault, with the operator's names in place of a lookup's options."""
    return _OPTION.sub(lambda found: _OPERATOR_NAMES[found[0]], _ENVIRONMENT.sub("", text))
