# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Turn Vault's error responses into our errors: what failed, at which Vault and path, and what to do.

Some messages need one more request to Vault, which is sent only after a refusal.
"""

from __future__ import annotations

import contextlib
import typing as t
from urllib.parse import urlsplit

from .._base.errors import VaultError
from .._text.scrub import scrub
from .answer import Refusal, integer
from .methods import METHODS
from .refusal_texts import LOCKS_USERS, LOGIN_ADVICE, NOT_INITIALISED, SEALED, STATES, items_of_multierror, path_hint

if t.TYPE_CHECKING:
    from .options import VaultOptions

__all__ = ("LastingRefusal", "Questions", "Refusals", "setting")

_NEW_TOKEN = "Get a new one (vault login), and set token (VAULT_TOKEN)."


def setting(option: str, value: str) -> str:
    """How a message names the option to check."""
    return f"{option} (now: {value})"


class LastingRefusal(VaultError):
    """Vault answered with a lasting error: the data written or read may be the cause."""


class Questions(t.Protocol):
    """Requests to Vault that distinguish the reasons of a refusal; each raises :class:`Refusal` or :class:`VaultError`."""

    def has_token(self) -> bool: ...

    def policies(self) -> list[str]:
        """The policies of the token in use."""

    def kv_version(self, mount: str, path: str) -> str | None:
        """The KV version of the mount; None if the token may not read it."""

    def is_initialised(self) -> bool: ...


class Refusals:
    """Errors for the refusals of one Vault.

    :arg place: the name of this Vault in messages.
    :arg hidden: texts that no message may show; grows with the tokens that Vault issues.
    """

    def __init__(self, options: VaultOptions, *, place: str, hidden: t.Iterable[str], questions: Questions) -> None:
        self._options = options
        self._place = place
        self._hidden = hidden
        self._questions = questions

    def login_name(self) -> str:
        options = self._options
        mount = options.mount_point or {"aws_iam": "aws"}.get(options.auth_method, options.auth_method)
        if options.auth_method == "token":
            return "check of the token"
        who = ""
        if options.username and "username" in METHODS[options.auth_method].identity:
            who = f" as {options.username}"
        elif options.role_id and options.auth_method != "approle":
            who = f" as role {options.role_id}"
        elif options.role_id and options.secret_id:
            # It is half of an AppRole's credentials: show only enough to recognise it.
            who = f" as role_id {options.role_id[:8]}…" if len(options.role_id) > 16 else f" as role_id {options.role_id}"
        return f"login by {options.auth_method} at auth/{mount}{who}"

    def login(self, refusal: Refusal) -> VaultError:
        general = self._general(refusal, or_retries="")  # a login is never retried, whatever is set
        if general is not None:
            return general
        options, reason = self._options, self._reason(refusal)
        if options.auth_method == "token":
            # Vault gives this answer for a wrong token, and for one without the default policy, which allows a token to look itself up.
            valid = (
                " If it is valid but its policies do not allow auth/token/lookup-self, set token_validate=false."
                if refusal.status == 403 and not refusal.rejects_token
                else ""
            )
            return VaultError(f"{self._place} does not accept the token{reason}. {_NEW_TOKEN}{valid}", "login_refused")
        if refusal.status == 404 or refusal.says("no handler for route") or refusal.says("unsupported path"):
            return VaultError(
                f"{self._place} has no such login: {self.login_name()}. Check mount_point, auth_method and namespace.",
                "login_refused",
            )
        if options.auth_method == "approle" and not options.secret_id and refusal.says("missing secret_id"):
            text = f"{self._place} refused the {self.login_name()}: this AppRole needs a secret_id. Set it (ANSIBLE_HASHI_VAULT_SECRET_ID)."
            return VaultError(text, "login_refused")
        advice = LOGIN_ADVICE[options.auth_method]
        # For a client without a token, Vault does not distinguish a wrong mount from a wrong password.
        what = f"{', '.join(advice)} and mount_point" if refusal.status == 403 else " and ".join(advice)
        # Vault 1.13 locks a user after some wrong passwords; even the right one then gets this response. A wrong password has another status.
        may_be_locked = options.auth_method in LOCKS_USERS and refusal.status == 403 and refusal.says("permission denied")
        locked = ", and whether Vault has locked this user (sys/locked-users)" if may_be_locked else ""
        return VaultError(f"{self._place} refused the {self.login_name()}{reason}. Check {what}{locked}.", "login_refused")

    def read(self, refusal: Refusal, mount: str, path: str, *, engine: int, version: int | None) -> VaultError:
        """The error for a secret that Vault did not return."""
        full = f"{mount}/data/{path}" if engine == 2 else f"{mount}/{path}"
        if refusal.status == 404 and engine == 2 and isinstance(refusal.data.get("metadata"), dict):
            return self.deleted(mount, path, refusal.data["metadata"])
        hint = path_hint(mount, path, engine=engine)
        if refusal.status == 404 and refusal.from_vault:
            return self._missing(refusal, mount, path, engine=engine, version=version, hint=hint)
        if refusal.status == 403 and self._general(refusal) is None and not refusal.says("token"):
            # A minimal policy names the paths of the mount's own KV version: with the other version every path is denied.
            other = self._other_engine(mount, path, engine=engine)
            if other:
                return self._wrong_engine(mount, asked=engine, found=other)
        if refusal.status == 403 and hint and self._general(refusal) is None and not refusal.says("token"):
            # Do not advise a policy here: the path itself is wrong.
            return VaultError(f"{self._place} denied reading {full}{self._reason(refusal)}. {hint}", "denied")
        return self.of_request(refusal, "reading", full, needs="read", hint=hint, setting=setting("engine_mount_point", mount))

    def _missing(self, refusal: Refusal, mount: str, path: str, *, engine: int, version: int | None, hint: str) -> VaultError:
        if refusal.says("no handler for route") or refusal.says("route entry not found"):
            text = f"has nothing mounted at {mount}. Check engine_mount_point and namespace."
        elif any("versioned" in str(warning).lower() for warning in refusal.body.get("warnings") or ()):
            return self._wrong_engine(mount, asked=engine, found=2)
        elif engine == 2 and self._other_engine(mount, path, engine=engine):
            return self._wrong_engine(mount, asked=engine, found=1)
        elif version is not None:
            text = f"has no secret at {mount}/{path}, or not its version {version}. Check the path and secret_version."
        else:
            text = f"has no secret at {mount}/{path} (KV version {engine}). {hint or self._missing_advice()}"
        return VaultError(f"{self._place} {text}", "missing")

    def _missing_advice(self) -> str:
        """What to check if a secret is missing: a namespace in the address leads to no mount, which Vault answers like a missing secret."""
        check = "Check the path, engine_mount_point, engine_version and namespace."
        path = urlsplit(self._options.url).path.strip("/")
        return f"{check} The path {path!r} in url is for a proxy in front of Vault; a namespace belongs in namespace (VAULT_NAMESPACE)." if path else check

    def _wrong_engine(self, mount: str, *, asked: int, found: int) -> VaultError:
        return VaultError(f"{self._place} has KV version {found} at {mount}, but version {asked} was requested. Set engine_version={found}.", "missing")

    def _other_engine(self, mount: str, path: str, *, engine: int) -> int | None:
        """The KV version of the mount, if it is not *engine*."""
        with contextlib.suppress(Refusal, VaultError):
            found = self._questions.kv_version(mount, path)
            return int(found) if found and int(found) != engine else None
        return None

    def deleted(self, mount: str, path: str, metadata: t.Mapping[str, t.Any]) -> VaultError:
        number = integer(metadata.get("version"))
        subject = f"version {number} of the secret" if number else "the secret"
        if metadata.get("destroyed"):
            state, remedy = "destroyed", "Write it again, or name another version in secret_version."
        else:
            state, remedy = "deleted", "Undelete it, write it again, or name another version in secret_version."
        return VaultError(f"{self._place}: {subject} at {mount}/{path} is {state}. {remedy}", "deleted")

    def of_request(self, refusal: Refusal, doing: str, path: str, *, needs: str, hint: str = "", setting: str = "") -> VaultError:
        """The error for any refused request.

        :arg setting: the option for the KV mount, and its value: Vault does not distinguish a missing mount from a denied one.
        """
        general = self._general(refusal)
        if general is not None:
            return general
        reason, tail = self._reason(refusal), f" {hint}" if hint else ""
        if refusal.status in (401, 403):
            if refusal.rejects_token:
                text = f"{self._place} does not accept the token{reason}: it is wrong, expired or revoked. {self._new_token()} Denied: {doing} {path}."
                return VaultError(text, "denied", fault="vault:login_refused")
            return VaultError(f"{self._place} denied {doing} {path}{reason}. {self._denied_advice(path, needs, setting)}{tail}", "denied")
        if refusal.status == 404:
            return VaultError(
                f"{self._place} has nothing at {path} ({doing.removesuffix(' at').removesuffix(' with')}). Check the mount, the path and namespace.{tail}",
                "missing",
            )
        advice = tail or " Check url (VAULT_ADDR), any proxy between here and Vault, and Vault's log."
        return LastingRefusal(f"{self._place} failed ({doing} {path}): status {refusal.status}{reason}.{advice}")

    def _new_token(self) -> str:
        if self._options.auth_method == "token":
            return _NEW_TOKEN
        if self._options.auth_method == "none" and not self._questions.has_token():
            return "Check the agent or proxy that adds it."
        return "Try again, which logs in again. If that does not help, check url (VAULT_ADDR) and any proxy in front of Vault."

    def _denied_advice(self, path: str, needs: str, setting: str) -> str:
        """Whether the token or its policies caused the denial. Asks Vault one more question."""
        if self._options.auth_method == "none" and not self._questions.has_token():
            return f"With auth_method=none an agent or proxy must add a token whose policies grant {needs} on {path}."
        policies: list[str] = []
        if path.startswith("auth/token/"):
            return "The token may be expired or revoked."
        with contextlib.suppress(Refusal, VaultError):
            policies = self._questions.policies()
        if not policies:
            what = f"the token, its policies, and {setting}" if setting else "the token and its policies"
            return f"The token may be expired, or none of its policies grants {needs} on {path}, or one of them denies it. Check {what}."
        names = scrub(", ".join(policies), self._hidden)
        correct = f", or {setting}" if setting else ""
        return f"The token is valid, but none of its policies ({names}) grants {needs} on {path}, or one of them denies it. Correct the policies{correct}."

    def _general(self, refusal: Refusal, *, or_retries: str = ", or set retries") -> VaultError | None:
        """The error for a condition that affects any request: a foreign server, or the state of Vault."""
        if refusal.status == 503 and refusal.says("sealed"):
            return self._sealed()
        for applies, kind, text in STATES:
            if applies(refusal):
                wait = f" for {refusal.retry_after:.0f} s" if refusal.retry_after else ""
                reason = self._reason(refusal)
                return VaultError(self._place + text.format(status=refusal.status, reason=reason, wait=wait, or_retries=or_retries), kind)
        return None

    def _sealed(self) -> VaultError:
        initialised = True
        with contextlib.suppress(Refusal, VaultError):
            initialised = self._questions.is_initialised()
        if not initialised:
            return VaultError(f"{self._place}{NOT_INITIALISED}", "sealed")
        return VaultError(f"{self._place}{SEALED}", "sealed")

    def _reason(self, refusal: Refusal) -> str:
        """Vault's own reason, in a form that may be shown."""
        reasons = [reason for reason in refusal.errors if reason] if refusal.from_vault else []
        # hashicorp/go-multierror lists: "1 error occurred:\n\t* permission denied\n\n"
        text = "; ".join(dict.fromkeys(" ".join(items_of_multierror(reason).split()) for reason in reasons))
        shown = scrub(text, self._hidden).rstrip(". ")
        return f" ({shown})" if shown else ""
