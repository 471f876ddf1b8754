# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Requests to Vault, through hvac.

Everything that hvac, requests and urllib3 can raise leaves here as one :class:`VaultError`: a single line that says what failed, at
which Vault and path, and what to do; ``from None``, and without a secret or a body.

hvac is imported when a :class:`VaultClient` is made, never when this file is.
"""

from __future__ import annotations

import contextlib
import sys
import typing as t
from pathlib import Path
from urllib.parse import quote

from .._base.errors import CasMismatch, OptionError, VaultError
from .._base.model import Login, Secret
from .._base.text import scrub
from .auth import authenticate, login_of
from .methods import METHODS

if t.TYPE_CHECKING:
    from .options import VaultOptions

from .transport import _RATE_LIMIT_RETRIES, _REPEATABLE, _RETRIED_STATUSES, _adapter_class, _number, _Refusal, _retry_class, _session
from .wording import _LOGIN_ADVICE, _NOT_INITIALISED, _STATES, _path_hint, _unlisted, _why_no_answer

__all__ = (
    "VaultClient",
    "checked_path",
)


def checked_path(name: str, value: str) -> str:
    """*value* without slashes at its ends.

    :raises OptionError: when nothing is left, or a part of it would lead elsewhere.
    """
    path = value.strip("/")
    if not path:
        raise OptionError(f"{name} is empty. Give the path of a secret below the mount, such as fleet/trackunit.")
    if any(part in ("", ".", "..") for part in path.split("/")) or not path.isprintable():
        raise OptionError(f"{name} {scrub(path, ())!r} has an empty, '.' or '..' part or a control character in it. Give a plain path.")
    return path


class VaultClient:
    """One conversation with one Vault.

    :arg warn: gets what the user should know although it works.
    :arg log: gets a line for each request, without secrets.
    """

    def __init__(
        self,
        options: VaultOptions,
        *,
        warn: t.Callable[[str], None],
        log: t.Callable[[str], None] | None = None,
    ) -> None:
        self._options = options
        self._warn = warn
        self._log = log or (lambda line: None)
        self._place = f"Vault at {options.shown_url}" + (f" (namespace {options.namespace})" if options.namespace else "")
        self._secrets = list(options.secrets())
        if not options.validate_certs and options.url.startswith("https:"):
            warn(f"{self._place}: its certificate is not checked (validate_certs=false): anybody on the way can read the secrets.")
        self._client = self._connect()

    # -- logging in ------------------------------------------------------------------------------------------------

    def login(self) -> Login:
        """Log in as the options say; the token that this gives is used from now on."""
        options = self._options
        self._client.token = ""
        try:
            login = authenticate(self._client, options)
        except _Refusal as refusal:
            raise self._login_refused(refusal) from None
        except OptionError as exc:
            raise OptionError(exc.message) from None
        except VaultError as exc:
            if exc.kind != "login_refused":
                raise
            raise VaultError(f"{self._place}, {self._login_name()}: {exc.message}", exc.kind) from None
        except Exception as exc:  # noqa: BLE001 - hvac checks arguments with exceptions of any family
            raise VaultError(f"{self._place}: the {self._login_name()} failed ({type(exc).__name__}).", "login_refused") from None
        if login.client_token:
            self._secrets.append(login.client_token)
        return login

    def use_token(self, token: str) -> None:
        """Use *token* (of an earlier login) from now on."""
        self._client.token = token
        if token:
            self._secrets.append(token)

    def renew_self(self, increment: int | None = None) -> Login:
        """Renew the token in use, for *increment* seconds where Vault lets it."""
        body = {"increment": f"{int(increment)}s"} if increment else {}
        answer = self._call("renewing the Vault token", "post", "auth/token/renew-self", needs="update", json=body)
        return login_of(answer)

    def revoke_self(self) -> None:
        """Make the token in use worthless, at once."""
        self._call("revoking the Vault token", "post", "auth/token/revoke-self", needs="update", json={})

    def lookup_self(self) -> dict[str, t.Any]:
        """What Vault knows of the token in use."""
        return self._data(self._call("looking up the Vault token", "get", "auth/token/lookup-self", needs="read"))

    # -- secrets ---------------------------------------------------------------------------------------------------

    def read_secret(self, mount: str, path: str, *, engine_version: str = "2", version: int | None = None) -> Secret:
        """The secret at *path* below the KV mount *mount*.

        :arg engine_version: ``1``, ``2`` or ``auto`` (ask Vault, and try where it does not tell).
        :arg version: a pinned version of the secret, KV version 2 only.
        """
        mount, path = checked_path("engine_mount_point", mount), checked_path("the path of the secret", path)
        if engine_version == "auto":
            engine_version = self._engine_version(mount, path) or "auto"
        if engine_version == "1":
            if version is not None:
                raise OptionError(f"secret_version={version} needs KV version 2, but {mount} is a mount of KV version 1.")
            return self._read_v1(mount, path)
        if engine_version == "2":
            return self._read_v2(mount, path, version=version)
        if engine_version != "auto":
            raise OptionError(f"engine_version={engine_version!r} is not known. Use 2, 1 or auto.")
        return self._read_by_trying(mount, path, version=version)

    def _read_by_trying(self, mount: str, path: str, *, version: int | None) -> Secret:
        try:
            return self._read_v2(mount, path, version=version)
        except VaultError as exc:
            if exc.kind not in ("missing", "denied") or version is not None:
                raise
            first = exc
        try:
            return self._read_v1(mount, path)
        except VaultError as exc:
            if exc.kind not in ("missing", "denied"):
                raise
            # A path that one policy allows and that has nothing says more than one that is denied.
            raise (exc if first.kind == "denied" and exc.kind == "missing" else first) from None

    def _engine_version(self, mount: str, path: str) -> str | None:
        """What Vault tells the vault command too; None where the token may not know."""
        try:
            answer = self._request("get", f"sys/internal/ui/mounts/{mount}/{path}")
        except _Refusal as refusal:
            if refusal.status in (400, 403, 404, 405):
                return None
            raise self._explained(refusal, "reading the kind of mount at", mount, needs="read") from None
        options = self._data(answer).get("options") or {}
        return "2" if str(options.get("version")) == "2" else "1"

    def _read_v2(self, mount: str, path: str, *, version: int | None) -> Secret:
        params = {} if version is None else {"version": str(version)}
        full = f"{mount}/data/{path}"
        try:
            answer = self._read(full, params=params)
        except _Refusal as refusal:
            raise self._read_failed(refusal, mount, path, engine=2, version=version) from None
        outer = self._data(answer)
        data, metadata = outer.get("data"), outer.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(data, (dict, type(None))):
            raise VaultError(
                f"{self._place}: what it has at {full} is not a secret of KV version 2. Set engine_version=1 if {mount} is of version 1.",
                "missing",
            )
        if data is None:
            raise self._deleted(mount, path, metadata)
        return Secret(data=dict(data), version=_number(metadata.get("version")), path=f"{mount}/{path}")

    def _read_v1(self, mount: str, path: str) -> Secret:
        try:
            answer = self._read(f"{mount}/{path}", params={})
        except _Refusal as refusal:
            raise self._read_failed(refusal, mount, path, engine=1, version=None) from None
        return Secret(data=self._data(answer), version=None, path=f"{mount}/{path}")

    def _read(self, full: str, *, params: dict[str, str]) -> dict[str, t.Any]:
        wrap_ttl = self._options.wrap_ttl
        if not wrap_ttl:
            return self._request("get", full, params=params)
        wrapped = self._request("get", full, params=params, wrap_ttl=wrap_ttl)
        token = (wrapped.get("wrap_info") or {}).get("token")
        if not token:
            return wrapped
        self._secrets.append(str(token))
        return self._request("post", "sys/wrapping/unwrap", json={"token": token})

    def may_update(self, mount: str, path: str) -> bool:
        """Whether the token's policies let it write a new version of the KV v2 secret; True where Vault does not tell."""
        full = f"{checked_path('engine_mount_point', mount)}/data/{checked_path('the path of the secret', path)}"
        try:
            answer = self._request("post", "sys/capabilities-self", json={"paths": [full]})
        except _Refusal:
            return True
        found = self._data(answer).get(full)
        return not isinstance(found, list) or bool({"update", "root"} & set(found))

    # -- the shared cache in KV version 2 --------------------------------------------------------------------------

    def kv2_read(self, mount: str, path: str) -> tuple[dict[str, t.Any], int] | None:
        """The entry and its version, to be given to :meth:`kv2_write`; None where there never was one.

        An entry whose newest version is deleted comes as ``({}, version)``: the next write has to name that version.
        """
        full = f"{checked_path('cache_vault_mount', mount)}/data/{checked_path('cache_vault_path', path)}"
        try:
            outer = self._data(self._request("get", full))
        except _Refusal as refusal:
            if refusal.status != 404:
                raise self._explained(refusal, "reading the cache entry at", full, needs="read") from None
            outer = refusal.data
        version = _number((outer.get("metadata") or {}).get("version"))
        return None if version is None else (dict(outer.get("data") or {}), version)

    def kv2_write(self, mount: str, path: str, data: t.Mapping[str, t.Any], *, cas: int) -> int:
        """Write the entry if its version is still *cas* (0: there is none yet); its new version.

        :raises CasMismatch: when somebody else was first.
        """
        full = f"{checked_path('cache_vault_mount', mount)}/data/{checked_path('cache_vault_path', path)}"
        body = {"data": dict(data), "options": {"cas": int(cas)}}
        try:
            answer = self._request("post", full, json=body)
        except _Refusal as refusal:
            if refusal.status in (400, 412) and refusal.says("check-and-set"):
                raise CasMismatch(f"{self._place}: {full} was written by somebody else meanwhile.", "cas") from None
            raise self._explained(refusal, "writing the cache entry at", full, needs="create and update") from None
        version = _number(self._data(answer).get("version"))
        if version is None:
            raise VaultError(f"{self._place}: {mount} is not a KV engine of version 2. Check cache_vault_mount.", "missing")
        return version

    def kv2_delete_metadata(self, mount: str, path: str) -> None:
        """Remove the entry with all its versions; nothing happens when there is none."""
        full = f"{checked_path('cache_vault_mount', mount)}/metadata/{checked_path('cache_vault_path', path)}"
        try:
            self._request("delete", full)
        except _Refusal as refusal:
            if refusal.status != 404:
                raise self._explained(refusal, "removing the cache entry at", full, needs="delete") from None

    def kv2_list(self, mount: str, path: str) -> list[str]:
        """The names below *path*, those that end with ``/`` are folders; empty when there is nothing."""
        # Policies name a folder with its slash, which Vault adds to such a request by itself.
        full = f"{checked_path('cache_vault_mount', mount)}/metadata/{checked_path('cache_vault_path', path)}/"
        try:
            # As a GET with list=true: some proxies refuse the LIST verb.
            answer = self._request("get", full, params={"list": "true"})
        except _Refusal as refusal:
            if refusal.status == 404:
                return []
            raise self._explained(refusal, "listing the cache entries at", full, needs="list") from None
        return [str(name) for name in self._data(answer).get("keys") or []]

    # -- one request -----------------------------------------------------------------------------------------------

    def _call(self, doing: str, method: str, path: str, *, needs: str, **more: t.Any) -> dict[str, t.Any]:
        try:
            return self._request(method, path, **more)
        except _Refusal as refusal:
            raise self._explained(refusal, f"{doing} with", path, needs=needs) from None

    def _request(self, method: str, path: str, **more: t.Any) -> dict[str, t.Any]:
        answer: dict[str, t.Any] = self._client.adapter.request(method, "/v1/" + quote(path, safe="/"), **more)
        return answer

    @staticmethod
    def _data(answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        data = answer.get("data")
        return data if isinstance(data, dict) else {}

    def _connect(self) -> t.Any:
        try:
            import hvac  # type: ignore[import-untyped,unused-ignore]
        except ImportError:
            raise VaultError(f"the Python library hvac is missing on this controller ({sys.executable}): pip install hvac.", "option") from None
        options = self._options
        ca_cert = options.ca_cert
        if options.validate_certs and ca_cert and not Path(ca_cert).exists():
            raise OptionError(f"ca_cert {ca_cert} does not exist (ANSIBLE_HASHI_VAULT_CA_CERT, VAULT_CACERT).")
        session = _session(self._retry(), refuse_redirect=self._refuse_redirect)
        # On the session, because hvac prefers what a session has to its own arguments.
        session.verify = (ca_cert or True) if options.validate_certs else False
        session.proxies = dict(options.proxies or {})
        if options.auth_method == "cert":
            if not Path(options.cert_auth_public_key or "").is_file():
                raise OptionError(f"cert_auth_public_key {options.cert_auth_public_key} does not exist.")
            # For all requests, not for the login alone: Vault asks for the certificate again when the token is renewed.
            session.cert = (options.cert_auth_public_key, options.cert_auth_private_key)
        return hvac.Client(
            url=options.url,
            token="",  # None would let hvac take one from the environment
            verify=session.verify,
            timeout=options.timeout,
            namespace=options.namespace,
            session=session,
            adapter=_adapter_class(failed=self._no_answer, observe=self._observe),
        )

    def _observe(self, method: str, url: str, status: int | None, seconds: float) -> None:
        path = url.partition("?")[0]
        outcome = "no answer" if status is None else str(status)
        self._log(f"Vault {method.upper()} {scrub(path, self._secrets)}: {outcome} in {seconds * 1000:.0f} ms")

    def _refuse_redirect(self, target: str) -> t.NoReturn:
        raise VaultError(
            f"{self._place} redirects from https to {target}: the Vault token would cross the network readable. Check url (VAULT_ADDR).",
            "unavailable",
        )

    def _retry(self) -> t.Any:
        options = self._options
        settings: dict[str, t.Any] = {"raise_on_status": False, "respect_retry_after_header": True}
        if options.retries is None:
            # Off, but for the rate limit: Vault has not looked at such a request, and says when to come again.
            settings.update(total=None, connect=0, read=0, other=0, status=_RATE_LIMIT_RETRIES, status_forcelist=(429,))
            settings.update(allowed_methods=_REPEATABLE, backoff_factor=0.3)
        elif isinstance(options.retries, int):
            settings.update(total=options.retries, status_forcelist=_RETRIED_STATUSES)
            settings.update(allowed_methods=_REPEATABLE, backoff_factor=0.3)
        else:
            given = dict(options.retries)
            if "method_whitelist" in given:  # the name in urllib3 before 2.0
                given.setdefault("allowed_methods", given.pop("method_whitelist"))
            settings.setdefault("allowed_methods", _REPEATABLE)
            settings.update(given)
        try:
            return _retry_class(self._retried)(**settings)
        except (TypeError, ValueError, AttributeError):
            raise OptionError("retries has a key or a value that urllib3's Retry does not take (ANSIBLE_HASHI_VAULT_RETRIES).") from None

    def _retried(self, why: str) -> None:
        if self._options.retry_action == "warn":
            self._warn(f"{self._place}: {why}, trying again.")

    # -- wording ---------------------------------------------------------------------------------------------------

    def _login_name(self) -> str:
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
            # Half of an AppRole's credentials: enough of it to recognise it.
            who = f" as role_id {options.role_id[:8]}…" if len(options.role_id) > 16 else f" as role_id {options.role_id}"
        return f"login by {options.auth_method} at auth/{mount}{who}"

    def _login_refused(self, refusal: _Refusal) -> VaultError:
        general = self._general(refusal)
        if general is not None:
            return general
        options, said = self._options, self._said(refusal)
        if options.auth_method == "token":
            return VaultError(
                f"{self._place} does not accept the token{said}. Get a new one (vault login), and set token (VAULT_TOKEN).",
                "login_refused",
            )
        if refusal.status == 404 or refusal.says("no handler for route") or refusal.says("unsupported path"):
            return VaultError(
                f"{self._place} has no such login: {self._login_name()}. Check mount_point, auth_method and namespace.",
                "login_refused",
            )
        advice = _LOGIN_ADVICE[options.auth_method]
        # Vault does not tell a wrong mount from a wrong password to somebody without a token.
        what = f"{', '.join(advice)} and mount_point" if refusal.status == 403 else " and ".join(advice)
        return VaultError(f"{self._place} refused the {self._login_name()}{said}. Check {what}.", "login_refused")

    def _read_failed(self, refusal: _Refusal, mount: str, path: str, *, engine: int, version: int | None) -> VaultError:
        full = f"{mount}/data/{path}" if engine == 2 else f"{mount}/{path}"
        if refusal.status == 404 and engine == 2 and isinstance(refusal.data.get("metadata"), dict):
            return self._deleted(mount, path, refusal.data["metadata"])
        hint = _path_hint(mount, path, engine=engine)
        if refusal.status == 404 and refusal.from_vault:
            return self._missing(refusal, mount, path, engine=engine, version=version, hint=hint)
        return self._explained(refusal, "reading", full, needs="read", hint=hint)

    def _missing(self, refusal: _Refusal, mount: str, path: str, *, engine: int, version: int | None, hint: str) -> VaultError:
        if refusal.says("no handler for route") or refusal.says("route entry not found"):
            text = f"has nothing mounted at {mount}. Check engine_mount_point and namespace."
        elif any("versioned" in str(warning).lower() for warning in refusal.body.get("warnings") or ()):
            text = f"has KV version 2 at {mount}, but version 1 was asked for. Set engine_version=2."
        elif engine == 2 and self._is_version_1(mount, path):
            text = f"has KV version 1 at {mount}, but version 2 was asked for. Set engine_version=1."
        elif version is not None:
            text = f"has no secret at {mount}/{path}, or not its version {version}. Check the path and secret_version."
        else:
            text = f"has no secret at {mount}/{path} (KV version {engine}). {hint or 'Check the path, engine_mount_point, engine_version and namespace.'}"
        return VaultError(f"{self._place} {text}", "missing")

    def _is_version_1(self, mount: str, path: str) -> bool:
        with contextlib.suppress(VaultError):
            return self._engine_version(mount, path) == "1"
        return False

    def _deleted(self, mount: str, path: str, metadata: t.Mapping[str, t.Any]) -> VaultError:
        number = _number(metadata.get("version"))
        subject = f"version {number} of the secret" if number else "the secret"
        if metadata.get("destroyed"):
            state, remedy = "destroyed", "Write it anew, or name another version in secret_version."
        else:
            state, remedy = "deleted", "Undelete it, write it anew, or name another version in secret_version."
        return VaultError(f"{self._place}: {subject} at {mount}/{path} is {state}. {remedy}", "deleted")

    def _explained(self, refusal: _Refusal, doing: str, path: str, *, needs: str, hint: str = "") -> VaultError:
        general = self._general(refusal)
        if general is not None:
            return general
        said, tail = self._said(refusal), f" {hint}" if hint else ""
        if refusal.status in (401, 403):
            if refusal.says("invalid token") or refusal.says("bad token"):
                return VaultError(f"{self._place} does not accept the token{said}: it is wrong, expired or revoked. Denied: {doing} {path}.", "denied")
            return VaultError(f"{self._place} denied {doing} {path}{said}. {self._denied_advice(path, needs)}{tail}", "denied")
        if refusal.status == 404:
            return VaultError(f"{self._place} has nothing at {path} ({doing} it). Check the mount, the path and namespace.{tail}", "missing")
        return VaultError(f"{self._place} failed at {doing} {path} with status {refusal.status}{said}.{tail}", "unavailable")

    def _denied_advice(self, path: str, needs: str) -> str:
        """Whose fault it is: the token's, or its policies'. One question more, after a denial only."""
        if self._options.auth_method == "none" and not self._client.token:
            return f"With auth_method=none an agent or proxy has to add a token, whose policy has {needs} on {path}."
        policies: t.Any = None
        if path.startswith("auth/token/"):
            return "The token may be expired or revoked."
        with contextlib.suppress(_Refusal, VaultError):
            data = self._data(self._request("get", "auth/token/lookup-self"))
            policies = [*(data.get("policies") or []), *(data.get("identity_policies") or [])]
        if not policies:
            return f"The token may be expired, or no policy of it has {needs} on {path}."
        names = scrub(", ".join(str(name) for name in policies), self._secrets)
        return f"The token is valid, but no policy of it ({names}) has {needs} on {path}."

    def _general(self, refusal: _Refusal) -> VaultError | None:
        """The error for what concerns any request: who answers, and in which state it is."""
        if refusal.status == 503 and refusal.says("sealed"):
            return self._sealed()
        for applies, kind, text in _STATES:
            if applies(refusal):
                wait = f" for {refusal.retry_after:.0f} s" if refusal.retry_after else ""
                said = self._said(refusal)
                return VaultError(self._place + text.format(status=refusal.status, said=said, wait=wait), kind)
        return None

    def _sealed(self) -> VaultError:
        state: dict[str, t.Any] = {}
        with contextlib.suppress(_Refusal, VaultError):
            state = self._request("get", "sys/seal-status")
        if state.get("initialized") is False:
            return VaultError(f"{self._place}{_NOT_INITIALISED}", "sealed")
        return VaultError(f"{self._place} is sealed. An operator has to unseal it first.", "sealed")

    def _said(self, refusal: _Refusal) -> str:
        """What Vault itself gives as the reason, fit to be shown."""
        reasons = [reason for reason in refusal.errors if reason] if refusal.from_vault else []
        # hashicorp/go-multierror lists: "1 error occurred:\n\t* permission denied\n\n"
        text = "; ".join(dict.fromkeys(" ".join(_unlisted(reason).split()) for reason in reasons))
        shown = scrub(text, self._secrets).rstrip(". ")
        return f" ({shown})" if shown else ""

    def _no_answer(self, exc: Exception) -> Exception:
        """The error for an exception of requests or urllib3, of which only the kind is taken, never the text."""
        kind, text = _why_no_answer(exc, timeout=self._options.timeout)
        return OptionError(f"{self._place}: {text}") if kind == "option" else VaultError(f"{self._place} {text}", kind)
