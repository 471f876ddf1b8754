# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A new token: the credentials from Vault, then the vendor."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from .._base.errors import TokenError, VaultError, VendorError
from .._base.model import Entry, Failure, Secret, Token
from .._base.ports import Ports
from .._cache.crypto import canonical
from .._vendor.discovery import discovered, signed_assertion
from .._vendor.request import Grant, build_request, credentials, grants
from .._vendor.retry import ask
from .failure_memory import Failures, as_error
from .refresh_token import store_refresh_token
from .slot import Caller
from .vault_login import VaultSession

__all__ = ("Fetch",)


class Fetch:
    """One caller's attempt. What it has done by the time that it fails is what others have to be told."""

    def __init__(self, caller: Caller, failures: Failures, session: VaultSession) -> None:
        self._caller = caller
        self._request = caller.request
        self._failures = failures
        self._session = session
        self._ports = caller.ports
        self._asked_version = ""  # of the secret with which the vendor was asked
        self._looked_at = 0.0  # when the secret was last asked for
        self._began = caller.ports.monotonic()
        self.spent = False  # a refresh token was sent

    def token(self, entry: Entry, why: str, *, ports: Ports | None = None) -> Token:
        """Read the credentials and ask the vendor; once more where the credentials changed in Vault meanwhile.

        :arg ports: others to ask the vendor with.
        :raises VaultError, VendorError: there is none.
        """
        self._ports = ports or self._caller.ports
        self._looked_at = self._ports.clock()
        secret = self._session.secret()
        version = self._version(secret)
        refused = entry.failure if self._failures.refused_lately(entry.failure) else None
        if refused is not None and refused.secret_version == version:
            self._caller.tell("remembered", entry.token, reason=refused.message)
            raise as_error(refused)
        try:
            return self._ask(entry, secret, version, why)
        except VendorError as exc:
            if exc.kind != "refused":
                raise
            try:
                again = self._session.secret()
            except VaultError:
                raise exc from None  # what the vendor said is what is to be mended
            if self._version(again) == version:
                raise
            return self._ask(Entry(), again, self._version(again), "the secret has changed in Vault")

    def told_again(self, before: Failure | None, exc: TokenError) -> Failure | None:
        return self._failures.told_again(before, exc, asked_version=self._asked_version, looked_at=self._looked_at)

    def failure(self, exc: VendorError | VaultError) -> Failure:
        took = self._caller.ports.monotonic() - self._began
        return self._failures.failure(exc, asked_version=self._asked_version, took=took)

    def _ask(self, entry: Entry, secret: Secret, version: str, why: str) -> Token:
        self._asked_version = version
        fields = credentials(self._request, secret.data)
        old = entry.token if entry.token and entry.token.secret_version == version else None
        ways = grants(self._request.vendor, fields, refresh_token=old.refresh_token if old else None)
        for position, way in enumerate(ways):
            last = position == len(ways) - 1
            repeatable = any(later.repeatable for later in ways[position + 1 :])
            kept = old is not None and old.refresh_token is not None and way.fields.get("refresh_token") == old.refresh_token
            try:
                token = self._send(way, fields, version, entry if kept else None, replaceable=repeatable)
            except VendorError as exc:
                if last or not exc.sent or not (exc.kind == "refused" or repeatable):
                    raise
                self._caller.tell("failed", None, reason=f"{way.grant_type}: {exc.message}")
                continue
            if way.grant_type == "refresh_token" and token.refresh_token is None:
                # RFC 6749 6: no new refresh token means that the old one stays good.
                token = replace(token, refresh_token=way.fields["refresh_token"])
            token = self._store_rotated(token, secret)
            self._caller.tell("refreshed" if way.grant_type == "refresh_token" else "fetched", token, reason=why)
            return token
        raise VendorError(f"{self._request.vendor.name}: there is no way to ask for a token for {self._request.where}.")

    def _send(self, way: Grant, fields: dict[str, str], version: str, spent: Entry | None, *, replaceable: bool) -> Token:
        """Ask with one grant.

        :arg spent: the entry whose refresh token this is. It leaves the cache before it is used: whoever comes after a killed
            process must not use it again, as a rotating vendor takes that for theft.
        :arg replaceable: whether a token can be had without it. If not, one that may be spent is better than one that is lost.
        """
        until = self._ports.monotonic() + self._request.http.deadline
        vendor = discovered(self._request, ports=self._ports, until=until)
        request = build_request(vendor, way, fields, assertion=lambda more: signed_assertion(vendor, fields, more, now=self._ports.clock()))
        if not self._request.http.validate_certs:
            self._ports.warn(
                f"{vendor.name}: the vendor's certificate is not checked (http_validate_certs=false): anybody on the way can read the credentials."
            )
        if spent is not None and spent.token is not None:
            self._caller.write(replace(spent, token=spent.token.without_refresh_token()))
            self.spent = True
        try:
            return ask(self._request, request, way, ports=self._ports, until=until, secret_version=version)
        except TokenError as exc:
            # Other errors than the vendor's come before anything is sent.
            lost = isinstance(exc, VendorError) and exc.sent and (replaceable or exc.kind == "refused")
            if spent is not None and not lost:
                self._caller.write(spent)
                self.spent = False
            raise

    def _store_rotated(self, token: Token, secret: Secret) -> Token:
        """Put a new refresh token back into Vault, where the vendor's credentials are nothing but one."""
        if self._request.vendor.grant_type not in ("authorization_code", "refresh_token") or not token.refresh_token:
            return token
        # On this disk first, which takes no time: killed before Vault has it, the next caller here finds it.
        self._caller.write(Entry(replace(token, source="cache")))
        version = store_refresh_token(self._request, token.refresh_token, secret, session=self._session, ports=self._ports)
        return replace(token, secret_version=version) if version else token

    def _version(self, secret: Secret) -> str:
        """What tells one state of the secret from the next: KV v2's version; for v1 a keyed digest, which betrays nothing."""
        if secret.version is not None:
            return str(secret.version)
        return "v1:" + hmac.new(self._caller.keys.fernet, canonical(secret.data), hashlib.sha256).hexdigest()[:16]
