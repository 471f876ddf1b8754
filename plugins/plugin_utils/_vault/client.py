# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A Vault client, through hvac.

All exceptions of hvac, requests and urllib3 leave here as a :class:`VaultError` or :class:`OptionError`: a single line that says what
failed, at which Vault and path, and what to do; ``from None``, and without a secret or a response body. Only :meth:`VaultClient.ask` and the
questions for :mod:`.refusals` let a Refusal out.
"""

from __future__ import annotations

import base64
import typing as t

from .._base.errors import CasMismatch, OptionError, VaultError
from .._base.model import Login, Secret
from .._text.one_line import one_line
from .._text.scrub import scrub
from .answer import Refusal, integer
from .auth import authenticate, login_of
from .refusals import Refusals, setting

if t.TYPE_CHECKING:
    from .connection import Connection

__all__ = ("VaultClient", "checked_path")


def checked_path(name: str, value: str) -> str:
    """*value* without leading and trailing slashes.

    :raises OptionError: if nothing is left, or a part of it would lead elsewhere.
    """
    path = value.strip("/")
    if not path:
        raise OptionError(f"{name} is empty. Give the path of a secret below the mount, such as fleet/trackunit.", fault="option:vault_path")
    if any(part in ("", ".", "..") for part in path.split("/")) or not path.isprintable():
        raise OptionError(
            f"{name} {one_line(path)!r} contains an empty, '.' or '..' part or a control character. Give a plain path.", fault="option:vault_path"
        )
    return path


class VaultClient:
    """What the collection asks of the Vault at the other end of *connection*."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._options, self._hvac = connection.options, connection.hvac
        self._place, self._hidden = connection.place, connection.hidden
        self._refusals = Refusals(self._options, place=self._place, hidden=self._hidden, questions=self)
        self._kv_versions: dict[tuple[str, str], str | None] = {}

    # -- logging in ------------------------------------------------------------------------------------------------

    def login(self) -> Login:
        """Log in as the options say; later calls use the resulting token."""
        options = self._options
        self._hvac.token = ""
        try:
            login = authenticate(self._hvac, options)
        except Refusal as refusal:
            raise self._refusals.login(refusal) from None
        except OptionError as exc:
            raise exc from None
        except VaultError as exc:
            if exc.kind != "login_refused":
                raise
            raise exc.reworded(f"{self._place}, {self._refusals.login_name()}: {exc.message}") from None
        except Exception as exc:  # noqa: BLE001 - hvac rejects arguments with exceptions of any type
            raise VaultError(f"{self._place}: the {self._refusals.login_name()} failed ({type(exc).__name__}).", "login_refused") from None
        self._hidden.add(login.client_token)
        return login

    def use_token(self, token: str) -> None:
        """Use *token* (of an earlier login) for later calls."""
        self._hvac.token = token
        self._hidden.add(token)

    def renew_self(self) -> Login:
        """Renew the token in use."""
        login = login_of(self._worded("renewing the Vault token with", "auth/token/renew-self", "update", self._hvac.auth.token.renew_self))
        self._hidden.add(login.client_token)
        return login

    def revoke_self(self) -> None:
        """Revoke the token in use."""
        self._worded("revoking the Vault token with", "auth/token/revoke-self", "update", self._hvac.auth.token.revoke_self)

    def lookup_self(self) -> dict[str, t.Any]:
        """Vault's data about the token in use."""
        return _data(self._worded("looking up the Vault token with", "auth/token/lookup-self", "read", self._hvac.auth.token.lookup_self))

    # -- secrets ---------------------------------------------------------------------------------------------------

    def read_secret(self, mount: str, path: str, *, engine_version: str = "2", version: int | None = None) -> Secret:
        """The secret at *path* below the KV mount *mount*.

        :arg engine_version: ``1``, ``2`` or ``auto`` (ask Vault; if it does not say, try both).
        :arg version: a pinned version of the secret, KV version 2 only.
        """
        mount, path = checked_path("engine_mount_point", mount), checked_path("the path of the secret", path)
        if engine_version == "auto":
            engine_version = self.kv_version(mount, path) or "auto"
        if engine_version == "1":
            if version is not None:
                raise OptionError(f"secret_version={version} needs KV version 2, but {mount} is a mount of KV version 1.", fault="option:clash")
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
            # An allowed path without a secret is more informative than a denied one.
            raise (exc if first.kind == "denied" and exc.kind == "missing" else first) from None

    def _read_v2(self, mount: str, path: str, *, version: int | None) -> Secret:
        kv = self._hvac.secrets.kv.v2
        full = f"{mount}/data/{path}"
        try:
            answer = self._read(
                full,
                lambda: kv.read_secret_version(path=path, version=version, mount_point=mount, raise_on_deleted_version=True),
                params={} if version is None else {"version": version},
            )
        except Refusal as refusal:
            raise self._refusals.read(refusal, mount, path, engine=2, version=version) from None
        outer = _data(answer)
        data, metadata = outer.get("data"), outer.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(data, (dict, type(None))):
            raise VaultError(
                f"{self._place}: the data at {full} is not a secret of KV version 2. Set engine_version=1 if {mount} is of version 1.",
                "missing",
            )
        if data is None:
            raise self._refusals.deleted(mount, path, metadata)
        self._hidden.add_contents(data)
        return Secret(data=dict(data), version=integer(metadata.get("version")), path=f"{mount}/{path}")

    def _read_v1(self, mount: str, path: str) -> Secret:
        try:
            answer = self._read(f"{mount}/{path}", lambda: self._hvac.secrets.kv.v1.read_secret(path=path, mount_point=mount), params={})
        except Refusal as refusal:
            raise self._refusals.read(refusal, mount, path, engine=1, version=None) from None
        self._hidden.add_contents(_data(answer))
        return Secret(data=_data(answer), version=None, path=f"{mount}/{path}")

    def _read(self, full: str, plain: t.Callable[[], t.Any], *, params: dict[str, t.Any]) -> dict[str, t.Any]:
        if not self._options.wrap_ttl:
            answer: dict[str, t.Any] = plain()
            return answer
        # hvac's KV reads cannot request a wrapped response.
        wrapped = self._connection.request("get", full, params=params, wrap_ttl=self._options.wrap_ttl)
        token = _inner(wrapped, "wrap_info").get("token")
        if not token:
            return wrapped
        self._hidden.add(str(token))
        unwrapped: dict[str, t.Any] = self._hvac.sys.unwrap(token=str(token))
        return unwrapped

    def may_update(self, mount: str, path: str) -> bool:
        """Whether the token's policies allow it to write a new version of the KV v2 secret; True if Vault does not say."""
        full = f"{checked_path('engine_mount_point', mount)}/data/{checked_path('the path of the secret', path)}"
        try:
            answer = self._hvac.sys.get_capabilities(paths=[full])
        except Refusal:
            return True
        found = _data(answer).get(full)
        return not isinstance(found, list) or bool({"update", "root"} & set(found))

    # -- signatures ------------------------------------------------------------------------------------------------

    def transit_sign(self, mount: str, key: str, data: bytes, algorithm: str) -> bytes:
        """The signature of *data* by a transit key, in JWS form (RFC 7518 3).

        :arg algorithm: RS, PS or ES with 256, 384 or 512, or EdDSA.
        """
        full = f"{checked_path('transit_key', mount)}/sign/{checked_path('transit_key', key)}"
        body: dict[str, t.Any] = {"input": base64.b64encode(data).decode("ascii")}
        if algorithm != "EdDSA":
            body |= {"hash_algorithm": f"sha2-{algorithm[2:]}", "marshaling_algorithm": "jws"}
        if algorithm[:2] in ("RS", "PS"):
            body |= {"signature_algorithm": {"RS": "pkcs1v15", "PS": "pss"}[algorithm[:2]], "salt_length": "hash"}
        try:
            answer = self._connection.request("post", full, json=body)  # hvac's own call has salt_length only in recent versions
        except Refusal as refusal:
            if refusal.status in (400, 404):
                reason = f" Vault says: {scrub('; '.join(refusal.errors), self._hidden)}" if refusal.errors else ""
                raise VaultError(
                    f"{self._place}: {full} does not sign with {algorithm}. Check transit_key, assertion_algorithm and the type of the key.{reason}",
                    "field",
                ) from None
            raise self._refusals.of_request(refusal, "signing with", full, needs="update") from None
        signature = _signature(str(_data(answer).get("signature")))
        if not signature:
            raise VaultError(f"{self._place}: {full} gave no signature. Check transit_key.", "unavailable")
        return signature

    # -- the shared cache in KV version 2 --------------------------------------------------------------------------

    def kv2_read(self, mount: str, path: str) -> tuple[dict[str, t.Any], int] | None:
        """The entry and its version, for :meth:`kv2_write`; None if there never was one.

        If its newest version is deleted, the result is ``({}, version)``: the next write must name that version.
        """
        mount, path = self._of_cache(mount, path)
        try:
            answer = self._hvac.secrets.kv.v2.read_secret_version(path=path, mount_point=mount, raise_on_deleted_version=True)
            outer = _data(answer)
        except Refusal as refusal:
            if refusal.status != 404:
                raise self._refusals.of_request(
                    refusal, "reading the cache entry at", f"{mount}/data/{path}", needs="read", setting=setting("cache_vault_mount", mount)
                ) from None
            outer = refusal.data
        self._hidden.add_contents(_inner(outer, "data"))
        version = integer(_inner(outer, "metadata").get("version"))
        return None if version is None else (_inner(outer, "data"), version)

    def kv2_write(self, mount: str, path: str, data: t.Mapping[str, t.Any], *, cas: int) -> int:
        """Write the entry if its version is still *cas* (0: no entry yet); return its new version.

        :raises CasMismatch: another writer was first.
        """
        return self._write_v2(*self._of_cache(mount, path), data, cas=cas, doing="writing the cache entry at", option="cache_vault_mount")

    def write_secret(self, mount: str, path: str, data: t.Mapping[str, t.Any], *, cas: int) -> int:
        """Write the secret if its version is still *cas*; return its new version. KV version 2 only.

        :raises CasMismatch: another writer was first.
        """
        mount, path = checked_path("engine_mount_point", mount), checked_path("the path of the secret", path)
        return self._write_v2(mount, path, data, cas=cas, doing="writing the secret at", option="engine_mount_point")

    def _write_v2(self, mount: str, path: str, data: t.Mapping[str, t.Any], *, cas: int, doing: str, option: str) -> int:
        full = f"{mount}/data/{path}"
        self._hidden.add_contents(data)
        try:
            answer = self._hvac.secrets.kv.v2.create_or_update_secret(path=path, secret=dict(data), cas=int(cas), mount_point=mount)
        except Refusal as refusal:
            # Any other 400 does not mean a concurrent write: retries would never end.
            if refusal.status in (400, 412) and refusal.says("check-and-set"):
                raise CasMismatch(f"{self._place}: {full} was changed by another writer in the meantime.", "cas") from None
            raise self._refusals.of_request(refusal, doing, full, needs="create and update", setting=setting(option, mount)) from None
        version = integer(_data(answer).get("version"))
        if version is None:
            raise VaultError(f"{self._place}: {mount} is not a KV engine of version 2. Check {option}.", "missing")
        return version

    def kv2_delete_metadata(self, mount: str, path: str) -> None:
        """Remove the entry with all its versions, if it exists."""
        mount, path = self._of_cache(mount, path)
        try:
            self._hvac.secrets.kv.v2.delete_metadata_and_all_versions(path=path, mount_point=mount)
        except Refusal as refusal:
            if refusal.status != 404:
                full = f"{mount}/metadata/{path}"
                raise self._refusals.of_request(
                    refusal, "removing the cache entry at", full, needs="delete", setting=setting("cache_vault_mount", mount)
                ) from None

    def _of_cache(self, mount: str, path: str) -> tuple[str, str]:
        return checked_path("cache_vault_mount", mount), checked_path("cache_vault_path", path)

    # -- setting Vault up --------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The response to any request; each request gets the whole ``deadline``.

        Requests are sent by path, not through hvac's calls: those name the fields of policies, mounts and roles differently from Vault, and
        what is wanted is compared with what Vault returns.

        :raises Refusal: the response is an error, or not from Vault. Its content must not be shown.
        """
        self._connection.wait_anew()
        return self._connection.request(method, path, **({} if body is None else {"json": dict(body)}))

    # -- questions that distinguish one refusal from another -----------------------------------------------------------

    def has_token(self) -> bool:
        return bool(self._hvac.token)

    def policies(self) -> list[str]:
        data = _data(self._hvac.auth.token.lookup_self())
        found = [data.get(name) for name in ("policies", "identity_policies")]
        return [str(name) for names in found if isinstance(names, list) for name in names]

    def kv_version(self, mount: str, path: str) -> str | None:
        """The KV version of the mount, as the vault command asks for it (hvac has no call for it); None if the token may not read it."""
        if (mount, path) in self._kv_versions:
            return self._kv_versions[mount, path]
        self._kv_versions[mount, path] = found = self._asked_kv_version(mount, path)
        return found

    def _asked_kv_version(self, mount: str, path: str) -> str | None:
        try:
            answer = self._connection.request("get", f"sys/internal/ui/mounts/{mount}/{path}")
        except Refusal as refusal:
            if refusal.status in (400, 403, 404, 405):
                return None
            raise self._refusals.of_request(refusal, "reading the kind of mount at", mount, needs="read") from None
        about = _data(answer)
        if about.get("type") not in ("kv", "generic", None):
            return None
        return "2" if str(_inner(about, "options").get("version")) == "2" else "1"

    def is_initialised(self) -> bool:
        return self._hvac.sys.read_seal_status().get("initialized") is not False

    # -- one request -----------------------------------------------------------------------------------------------

    def _worded(self, doing: str, path: str, needs: str, call: t.Callable[[], t.Any]) -> t.Any:
        try:
            return call()
        except Refusal as refusal:
            raise self._refusals.of_request(refusal, doing, path, needs=needs) from None


def _signature(text: str) -> bytes:
    """The signature in *text*, ``vault:v<key version>:<base64 or base64url>``; empty if there is none."""
    _version, colon, encoded = text.rpartition(":")
    padded = encoded.replace("-", "+").replace("_", "/") + "=" * (-len(encoded) % 4)
    try:
        return base64.b64decode(padded, validate=True) if colon else b""
    except ValueError:
        return b""


def _data(answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return _inner(answer, "data")


def _inner(outer: t.Mapping[str, t.Any], name: str) -> dict[str, t.Any]:
    """The object *name* in *outer*; empty if it is missing or not an object."""
    found = outer.get(name)
    return found if isinstance(found, dict) else {}
