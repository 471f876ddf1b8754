# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Get a refresh token into Vault: begin a consent, and finish it with the response in the browser or the approval on another device.

A pending consent is kept encrypted in the file cache for a while, so that a later run can finish it. It is removed before the code is
used, so that no response is used twice. Nothing is stored in Vault unless all steps succeeded.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from dataclasses import dataclass

from .._base.errors import OptionError, VaultError, VendorError, coded, sentence
from .._base.model import Request, Secret, Token, Vendor
from .._base.ports import Ports
from .._cache.crypto import Keys, derive
from .._cache.entry import token_facts
from .._flow.purge import remove_shared
from .._flow.refresh_token import write_refresh_token
from .._flow.resolver import Resolver
from .._flow.vault_login import VaultLogin
from .._vendor.address import check_endpoint
from .._vendor.discovery import discovered
from .._vendor.proof import signer
from .._vendor.redaction import Redactor, redactor_for_secret
from .._vendor.request import Assertion, Grant, build_request, credentials
from .._vendor.retry import ask
from .device import DeviceCode, check_device_endpoint, device_grant, device_request, poll, read_device_answer
from .protocol import Consent, authorization_url, begin, check_redirect_uri, read_redirect, state_of

__all__ = ("PENDING_SECONDS", "ConsentFlow", "Stored")

PENDING_SECONDS = 900.0


@dataclass(frozen=True)
class Stored:
    """Where the refresh token is stored, and its scope."""

    where: str
    version: str
    scope: str | None


class ConsentFlow:
    """One consent for the vendor and the Vault path of *request*.

    :raises OptionError: the vendor has no consent, or the refresh token could not be stored.
    """

    def __init__(self, request: Request, ports: Ports, *, device: bool = False) -> None:
        if not request.vendor.single_use:
            raise OptionError(
                f"{request.vendor.name}: this vendor needs no consent in the browser: its grant is {request.vendor.grant_type}.", fault="option:clash"
            )
        if request.secret.version is not None:
            raise OptionError(f"{request.vendor.name}: secret_version pins an older version, so a new refresh token would not be read.", fault="option:clash")
        check_endpoint(request.vendor, allow_http=request.http.allow_http)
        self.request = request
        self._ports = ports
        self._resolver = Resolver(ports)
        self._store = self._resolver.store(request.cache)
        self._session = VaultLogin(request, self._store, ports)
        self._proofs: set[str] = set()  # signed for this consent, and possibly sent
        self._vendor = self._with_endpoints("device_authorization_url" if device else "authorize_url")

    @property
    def name(self) -> str:
        return self.request.vendor.name

    def check_access(self) -> None:
        """Check that consent can be requested and its refresh token stored, before a person is asked.

        :raises VaultError: Vault has no usable secret, or would not store the refresh token.
        """
        self._fields(self._first_read)
        ref = self.request.secret
        if not self._session.call(lambda client: client.may_update(ref.mount, ref.path)):
            raise VaultError(
                f"{self.name}: this Vault login may read {ref.where}, but not write it, and the refresh token is stored there. "
                f"Allow 'update' on {ref.mount}/data/{ref.path}.",
                kind="denied",
            )

    def registered_redirect_uri(self) -> str:
        """The redirect URL in the secret; empty if it has none."""
        return self._fields(self._first_read).get("redirect_uri", "")

    def begin(self, redirect_uri: str) -> tuple[str, Consent]:
        """The URL for the browser, and the consent that it requests."""
        check_redirect_uri(self._vendor, redirect_uri)
        consent = begin(redirect_uri, pkce=self._vendor.pkce)
        url = authorization_url(self._vendor, self._fields(self._first_read)["client_id"], consent, allow_http=self.request.http.allow_http)
        self._keep(consent)
        return url, consent

    def finish(self, redirected: str, consent: Consent | None = None) -> Stored:
        """Exchange the code in *redirected* and store the refresh token.

        :arg consent: the pending consent; if omitted, it is looked up by the state in *redirected*.
        :raises VendorError: another state, a denied consent, or a code that the vendor rejects.
        :raises VaultError: Vault did not store the refresh token.
        """
        try:
            consent = consent or self._pending(redirected)
            code = read_redirect(redirected, consent, self._vendor, lambda: self._redactor(self._secret()))
            secret = self._secret()  # again: a person took minutes, and the refresh token is written only over the current version
            self._forget(consent)
            token = self._exchange(code, consent, secret)
        except VendorError as exc:
            raise exc.reworded(f"{sentence(exc.message)} Nothing was stored.") from None
        return self._stored(token, secret)

    def begin_device(self) -> DeviceCode:
        """The code that a person enters on another device (RFC 8628 3.1).

        :raises OptionError: the vendor's device authorization endpoint is not known.
        :raises VendorError: the vendor sent no code.
        """
        vendor, allow_http = self._vendor, self.request.http.allow_http
        check_device_endpoint(vendor, allow_http=allow_http)
        secret = self._first_read
        fields = self._fields(secret)
        http_request = device_request(vendor, fields, assertion=self._assertion(fields))
        answer = self._ports.exchange(http_request, self.request.http, self.request.http.deadline, self.name)
        # More credentials were sent than the secret contains.
        redactor = self._redactor(secret).also(*(set(http_request.secrets) - set(fields.values())))
        return read_device_answer(vendor, answer, redactor=redactor, allow_http=allow_http)

    def wait_for_device(self, code: DeviceCode, *, seconds: float) -> Stored:
        """Poll for the outcome as often as the vendor allows (RFC 8628 3.4, 3.5), and store the refresh token.

        :arg seconds: how long to wait at most; the code may expire earlier.
        :raises VendorError: consent was denied, the code expired, or nobody entered it.
        :raises VaultError: Vault did not store the refresh token.
        """
        secret = self._secret()  # again, as in finish

        def ask_once() -> Token:
            return self._with_refresh_token(self._ask(device_grant(code), secret, retries=0))

        return self._stored(poll(self._vendor, code, ask_once, ports=self._ports, seconds=seconds), secret)

    def _exchange(self, code: str, consent: Consent, secret: Secret) -> Token:
        given = {"code": code, "redirect_uri": consent.redirect_uri, "code_verifier": consent.verifier}
        grant = Grant("authorization_code", {name: value for name, value in given.items() if value}, repeatable=False)
        try:
            token = self._ask(grant, secret)
        except VendorError as exc:
            if exc.code != "invalid_grant":
                raise
            raise VendorError(
                f"{self.name}: the vendor refused the authorization code (invalid_grant): it was used before, has expired, or belongs "
                "to another client or redirect address. Start again.",
                exc.kind,
                status=exc.status,
                code=exc.code,
                fault="consent:code",
            ) from None
        return self._with_refresh_token(token)

    def _ask(self, grant: Grant, secret: Secret, *, retries: int | None = None) -> Token:
        fields = self._fields(secret)
        build = functools.partial(build_request, self._vendor, grant, fields, assertion=self._assertion(fields))
        http = self.request.http if retries is None else dataclasses.replace(self.request.http, retries=retries)
        # Interactive: do not remember a refusal.
        cache = dataclasses.replace(self.request.cache, failure_ttl=0)
        request = dataclasses.replace(self.request, vendor=self._vendor, http=http, cache=cache)
        until = self._ports.monotonic() + http.deadline
        unused = self._redactor(secret).everything
        return ask(request, build(), grant, ports=self._ports, until=until, secret_version="", again=build, unused=unused)

    def _redactor(self, secret: Secret) -> Redactor:
        return redactor_for_secret(dataclasses.replace(self.request, vendor=self._vendor), secret.data).also(*self._proofs)

    def _assertion(self, fields: dict[str, str]) -> Assertion:
        return signer(self._vendor, fields, clock=self._ports.clock, transit=self._session.transit_sign, signed=self._proofs)

    def _with_refresh_token(self, token: Token) -> Token:
        if not token.refresh_token:
            raise VendorError(
                f"{self.name}: consent was given, but the vendor sent no refresh token, so later tokens could not be obtained. Many vendors "
                "require a scope such as offline_access, or a setting of the client, for one.",
                fault="consent:no_refresh_token",
            )
        return token

    def _stored(self, token: Token, secret: Secret) -> Stored:
        refresh_token = t.cast(str, token.refresh_token)
        try:
            version = str(write_refresh_token(self.request, refresh_token, secret, session=self._session))
        except VaultError as exc:
            raise exc.reworded(f"{exc.message} Consent was given, but is not stored: start again.") from None
        # Another person may have consented this time: stop serving the previous token.
        self._resolver.keep(self.request, dataclasses.replace(token, secret_version=version))
        if self.request.cache.kind == "vault":
            try:
                remove_shared(self.request, self._resolver.store(self.request.cache), self._ports)
            except VaultError as exc:
                self._ports.warn(coded(f"{exc.message} Other controllers use the previous token until it expires.", exc.fault))
        return Stored(self.request.where, version, token.scope)

    def _with_endpoints(self, needed: str) -> Vendor:
        vendor = self.request.vendor
        if vendor.issuer and not (vendor.token_url and getattr(vendor, needed)):
            asked = dataclasses.replace(self.request, vendor=dataclasses.replace(vendor, token_url=""))
            until = self._ports.monotonic() + self.request.http.deadline
            # Of the issuer's client authentication methods, choose one for which the secret has the fields.
            found = discovered(asked, ports=self._ports, until=until, keys=self._first_read.data)
            vendor = dataclasses.replace(found, token_url=vendor.token_url or found.token_url)
        return vendor

    @functools.cached_property
    def _first_read(self) -> Secret:
        """The secret before a person is asked."""
        return self._secret()

    def _secret(self) -> Secret:
        secret = self._session.secret()
        if secret.version is None:
            raise OptionError(
                f"{self.name}: {self.request.secret.mount} is KV version 1, which has no check-and-set. Refresh tokens are stored in KV version 2 only.",
                fault="option:clash",
            )
        return secret

    def _fields(self, secret: Secret) -> dict[str, str]:
        vendor = dataclasses.replace(self._vendor, grant_type="authorization_code")
        found = credentials(dataclasses.replace(self.request, vendor=vendor), secret.data, consent=True)
        if "client_id" not in found:
            raise VaultError(f"{self.name}: the secret {self.request.where} has no field 'client_id', which consent needs.", kind="field")
        return found

    # Pending consents

    def _keys(self, state: str) -> Keys:
        request = self.request
        facts = {**token_facts(request), "kind": "consent", "state": state}
        return derive(self._store.user_key(), request.vault.identity_secret(), facts)

    def _keep(self, consent: Consent) -> None:
        keys, ends = self._keys(consent.state), self._ports.clock() + PENDING_SECONDS
        header = {"kind": "consent", "vendor": self.name, "path": self.request.where, "expires_at": int(ends)}
        with self._store.try_lock(keys.name):
            self._store.write(keys, header, {"consent": dataclasses.asdict(consent), "ends": ends})

    def _pending(self, redirected: str) -> Consent:
        found = self._store.read(self._keys(state_of(redirected))) or {}
        try:
            if float(found["ends"]) > self._ports.clock():
                return Consent(**found["consent"])
        except (KeyError, TypeError, ValueError):
            pass
        raise VendorError(
            f"{self.name}: this answer does not belong to a consent that this user started here, with these options and this Vault login, in the last "
            f"{PENDING_SECONDS / 60:.0f} minutes, or it was used before. Start again.",
            fault="consent:answer",
        )

    def _forget(self, consent: Consent) -> None:
        self._store.remove(self._keys(consent.state).name)
