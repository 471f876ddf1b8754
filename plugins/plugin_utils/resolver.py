# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The straight line: request -> cache hit? -> token; else lock, look again, Vault, vendor, cache."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import typing as t
from dataclasses import dataclass, replace

from .crypto import Keys, canonical, derive
from .entries import entry_from_dict, entry_to_dict, token_facts
from .errors import TokenError, VaultError, VendorError
from .file_cache import FileStore, default_path
from .freshness import Verdict, judge, still_valid
from .model import CacheOptions, Entry, Failure, Request, Token
from .oauth import Grant, build_request, check_endpoint, credentials, grants
from .ports import Event, Ports

if t.TYPE_CHECKING:
    from .shared_cache import Lease, SharedCache
    from .vault.client import Secret
    from .vault_session import VaultSession

__all__ = ("Resolver", "open_store", "token_keys")

_LOCK_SLACK = 60.0
_LONGEST_RETRY_AFTER = 300.0
# What may pass by itself; whoever asks next in the same run is told without a new attempt.
_PASSING_VAULT = ("unreachable", "tls", "sealed", "unavailable")


def open_store(options: CacheOptions, *, warn: t.Callable[[str], None]) -> FileStore:
    """The file cache of *options*; with C(cache=none) one that keeps nothing."""
    if options.kind == "none":
        return _NoStore("", warn=warn)
    return FileStore(options.path or default_path(os.environ), warn=warn)


class _NoStore(FileStore):
    """No cache: nothing is kept, nobody waits."""

    def user_key(self) -> bytes:
        return b"\0" * 32

    def read(self, keys: Keys) -> dict[str, t.Any] | None:
        return None

    def write(self, keys: Keys, header: dict[str, t.Any], data: dict[str, t.Any]) -> bool:
        return False

    def headers(self) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
        return iter(())

    def sweep(self) -> None:
        """Nothing is left behind."""

    def _lockable(self) -> bool:
        return False

    def _acquire(self, name: str) -> int | None:
        return None


def token_keys(request: Request, user_key: bytes) -> Keys:
    """The keys of the cache entry for *request*."""
    return derive(user_key, request.vault.identity_secret(), token_facts(request))


def _placed(message: str, request: Request) -> str:
    """*message* with the vendor before it and, unless it tells it already, the Vault path of the credentials."""
    name, secret = request.vendor.name, request.secret
    text = message.removeprefix(f"{name}: ")
    if request.where in text or f"{secret.mount}/data/{secret.path}" in text:
        return f"{name}: {text}"
    return f"{name}: no token for {request.where}: {text}"


class Resolver:
    """Gives tokens; one for all requests of a process, so that a loop derives its keys from one reading of the user's key."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._stores: dict[CacheOptions, FileStore] = {}

    def token(self, request: Request) -> Token:
        """A token with the life that the request asks for, from the cache or the vendor.

        :raises TokenError: there is none; the message names the vendor and the Vault path.
        """
        check_endpoint(request.vendor, allow_http=request.http.allow_http)
        try:
            return _Attempt(request, self.store(request.cache), self._ports).token()
        except TokenError as exc:
            exc.args = (_placed(exc.message, request),)
            raise

    def known(self, request: Request) -> Entry:
        """What the cache holds for *request*; asks nobody."""
        store = self.store(request.cache)
        return entry_from_dict(store.read(token_keys(request, store.user_key())))

    def keep(self, request: Request, token: Token) -> None:
        """Put *token* into the cache, in place of what is there for *request*."""
        attempt = _Attempt(request, self.store(request.cache), self._ports)
        with attempt.lock():
            attempt.write(Entry(replace(token, source="cache")))

    def store(self, options: CacheOptions) -> FileStore:
        if options not in self._stores:
            self._stores[options] = open_store(options, warn=self._ports.warn)
        return self._stores[options]


@dataclass
class _Attempt:
    """One caller's way to one token."""

    request: Request
    store: FileStore
    ports: Ports

    def __post_init__(self) -> None:
        self.started = self.ports.clock()
        self._clock_started = self.ports.monotonic()
        self.keys = token_keys(self.request, self.store.user_key())
        self._asked_version = ""  # of the secret with which the vendor was asked
        self._spent = False  # a refresh token was sent
        self._looked_at = 0.0  # when the secret was last asked for

    def token(self) -> Token:
        entry = self._read()
        verdict = self._judge(entry)
        if verdict is Verdict.FRESH:
            return self._hit(entry)
        if verdict is Verdict.AGING:
            return self._renew_ahead(entry)
        why = "no entry" if entry.token is None else verdict.value
        with self.lock():
            entry = self._read()
            if self._judge(entry) in (Verdict.FRESH, Verdict.AGING):
                return self._hit(entry, "shared")
            return self._renew(entry, why)

    def _renew_ahead(self, entry: Entry) -> Token:
        """One caller renews, the rest go on with the token that is still good."""
        if self._recalled(entry.failure) is not None or self._lately(entry.failure):
            return self._hit(entry)
        with self.store.try_lock(self.keys.name) as mine:
            if not mine:
                return self._hit(entry)
            entry = self._read()
            if self._judge(entry) is Verdict.FRESH:
                return self._hit(entry, "shared")
            return self._renew(entry, "last fifth of its lifetime")

    def _renew(self, entry: Entry, why: str) -> Token:
        """Get a new token; the lock is held. While the old one is valid, it serves where that fails."""
        try:
            recalled = self._recalled(entry.failure)
            if recalled is not None:
                raise recalled
            return self._obtain(entry, why)
        except (VendorError, VaultError) as exc:
            if not still_valid(entry.token, self.request.freshness, now=self.ports.clock()):
                raise
            token = t.cast(Token, entry.token)
            left = int(token.seconds_left(self.ports.clock()))
            self.ports.warn(f"{_placed(exc.message, self.request)} Until then the token that is still valid for {left} s is used.")
            self._tell("served_stale", token, reason=exc.message)
            return token

    def _obtain(self, entry: Entry, why: str) -> Token:
        from .vault_session import VaultSession

        session = VaultSession(self.request, self.store, self.ports)
        try:
            if self.request.cache.kind == "vault":
                token = self._obtain_shared(entry, session, why)
            else:
                token = self._fetch(entry, session, why)
        except (VendorError, VaultError) as exc:
            self._remember(entry, exc)
            raise
        self.write(Entry(replace(token, source="cache")))
        if token.lifetime < self.request.freshness.min_ttl:
            self.ports.warn(
                f"{self.request.vendor.name}: the token for {self.request.where} lives for {int(token.lifetime)} s only, less than "
                f"min_ttl ({self.request.freshness.min_ttl:g} s)."
            )
        return token

    def _obtain_shared(self, entry: Entry, session: VaultSession, why: str) -> Token:
        from .shared_cache import LeaseLost, SharedCache

        shared = SharedCache(self.request, session, self.ports)

        def look(theirs: Entry) -> Token | None:
            if self._judge(theirs) in (Verdict.FRESH, Verdict.AGING) and theirs.token != entry.token:
                return theirs.token
            recalled = self._recalled(theirs.failure)
            if recalled is not None:
                raise recalled
            return None

        mine = self._judge(entry) is Verdict.AGING
        while True:
            try:
                found = shared.claim(look, wait=not mine)
            except VaultError as exc:
                if exc.kind != "denied":
                    raise
                self.ports.warn(f"{exc.message} Until then tokens are not shared with other controllers.")
                return self._fetch(entry, session, why)
            if isinstance(found, Token) or found is None:
                token = found or t.cast(Token, entry.token)
                self._tell("shared", token, reason="another controller" if found else "another controller is renewing it")
                return token
            with contextlib.suppress(LeaseLost):
                return self._obtain_leased(entry, shared, found, session, why)

    def _obtain_leased(self, entry: Entry, shared: SharedCache, found: Lease, session: VaultSession, why: str) -> Token:
        from .shared_cache import LeaseLost

        theirs, ports = found.entry, self.ports
        newest = Entry(
            # The shared entry alone knows which refresh token is the newest.
            theirs.token or _without_refresh_token(entry.token),
            theirs.failure if self._refused_lately(theirs.failure) else entry.failure,
        )
        self.ports = shared.guarded(found)
        try:
            token = self._fetch(newest, session, why)
        except LeaseLost:
            raise
        except TokenError as exc:
            left = _without_refresh_token(theirs.token) if self._spent else theirs.token
            # What Vault refuses to this controller it may grant to the next.
            told = self._told_again(newest.failure, exc) or (self._failure(exc) if isinstance(exc, VendorError) else theirs.failure)
            with contextlib.suppress(VaultError):
                shared.settle(found, Entry(left, told))
            raise
        finally:
            self.ports = ports
        try:
            shared.settle(found, Entry(token))
        except VaultError as exc:  # the token itself is good
            self.ports.warn(f"{exc.message} So this token is not shared with other controllers.")
        return token

    def _fetch(self, entry: Entry, session: VaultSession, why: str) -> Token:
        """Read the credentials and ask the vendor; once more where the credentials changed in Vault meanwhile."""
        self._looked_at = self.ports.clock()
        secret = session.secret()
        version = self._version(secret)
        if self._refused_lately(entry.failure) and entry.failure and entry.failure.secret_version == version:
            self._tell("remembered", entry.token, reason=entry.failure.message)
            raise _as_error(entry.failure)
        try:
            return self._ask(entry, secret, version, session, why)
        except VendorError as exc:
            if exc.kind != "refused":
                raise
            try:
                again = session.secret()
            except VaultError:
                raise exc from None  # what the vendor said is what is to be mended
            if self._version(again) == version:
                raise
            return self._ask(Entry(), again, self._version(again), session, "the secret has changed in Vault")

    def _ask(self, entry: Entry, secret: Secret, version: str, session: VaultSession, why: str) -> Token:
        self._asked_version = version
        fields = credentials(self.request, secret.data)
        old = entry.token if entry.token and entry.token.secret_version == version else None
        ways = grants(self.request.vendor, fields, refresh_token=old.refresh_token if old else None)
        for position, way in enumerate(ways):
            last = position == len(ways) - 1
            kept = old is not None and old.refresh_token is not None and way.fields.get("refresh_token") == old.refresh_token
            try:
                token = self._send(way, fields, version, entry if kept else None)
            except VendorError as exc:
                if last or not exc.sent:
                    raise
                self._tell("failed", None, reason=f"{way.grant_type}: {exc.message}")
                continue
            if way.grant_type == "refresh_token" and token.refresh_token is None:
                # RFC 6749 6: no new refresh token means that the old one stays good.
                token = replace(token, refresh_token=way.fields["refresh_token"])
            token = self._store_rotated(token, secret, session)
            self._tell("refreshed" if way.grant_type == "refresh_token" else "fetched", token, reason=why)
            return token
        raise VendorError(f"{self.request.vendor.name}: there is no way to ask for a token for {self.request.where}.")

    def _send(self, way: Grant, fields: dict[str, str], version: str, spent: Entry | None) -> Token:
        """Ask with one grant.

        :arg spent: the entry whose refresh token this is. It leaves the cache before it is used: whoever comes after a killed
            process must not use it again, as a rotating vendor takes that for theft.
        """
        from .asking import ask
        from .discovery import discovered, signed_assertion

        until = self.ports.monotonic() + self.request.http.deadline
        vendor = discovered(self.request, ports=self.ports, until=until)
        request = build_request(
            vendor, way, fields, assertion=lambda more: signed_assertion(vendor, fields, more, now=self.ports.clock())
        )
        if not self.request.http.validate_certs:
            self.ports.warn(
                f"{vendor.name}: the vendor's certificate is not checked (http_validate_certs=false): anybody on the way can read "
                "the credentials."
            )
        if spent is not None and spent.token is not None:
            self.write(replace(spent, token=_without_refresh_token(spent.token)))
            self._spent = True
        try:
            return ask(self.request, request, way, ports=self.ports, until=until, secret_version=version)
        except VendorError as exc:
            if spent is not None and not exc.sent:
                self.write(spent)
                self._spent = False
            raise

    def _store_rotated(self, token: Token, secret: Secret, session: VaultSession) -> Token:
        """Put a new refresh token back into Vault, where the vendor's credentials are nothing but one."""
        if self.request.vendor.grant_type not in ("authorization_code", "refresh_token") or not token.refresh_token:
            return token
        from .rotation import store_refresh_token

        # On this disk first, which takes no time: killed before Vault has it, the next caller here finds it.
        self.write(Entry(replace(token, source="cache")))
        version = store_refresh_token(self.request, token.refresh_token, secret, session=session, ports=self.ports)
        return replace(token, secret_version=version) if version else token

    def _version(self, secret: Secret) -> str:
        """What tells one state of the secret from the next: KV v2's version; for v1 a keyed digest, which betrays nothing."""
        if secret.version is not None:
            return str(secret.version)
        return "v1:" + hmac.new(self.keys.fernet, canonical(secret.data), hashlib.sha256).hexdigest()[:16]

    # What the cache holds

    def _read(self) -> Entry:
        return entry_from_dict(self.store.read(self.keys))

    def write(self, entry: Entry) -> None:
        expires_at = entry.token.expires_at if entry.token else self.ports.clock() + self.request.cache.failure_ttl
        header = {"kind": "token", "vendor": self.request.vendor.name, "path": self.request.where, "expires_at": int(expires_at)}
        self.store.write(self.keys, header, entry_to_dict(entry))

    def _judge(self, entry: Entry) -> Verdict:
        return judge(entry.token, self.request.freshness, now=self.ports.clock(), started=self.started)

    def lock(self) -> t.ContextManager[bool]:
        patience = self.request.http.deadline + self.request.vault.timeout + _LOCK_SLACK
        return self.store.lock(
            self.keys.name, timeout=patience, monotonic=self.ports.monotonic, sleep=self.ports.sleep
        )

    def _hit(self, entry: Entry, name: str = "hit") -> Token:
        token = t.cast(Token, entry.token)
        self._tell(name, token)
        return token

    # What went wrong before

    @property
    def _way(self) -> str:
        """A name for this run and its way to the servers: a failure on one way says nothing of another CA, proxy or patience."""
        vault = self.request.vault
        way = [vault.ca_cert, vault.validate_certs, vault.proxies, vault.timeout, vault.retries]
        return hashlib.sha256(canonical([self.ports.run, vars(self.request.http), way])).hexdigest()[:16]

    def _recalled(self, failure: Failure | None) -> TokenError | None:
        """A failure, for those who should not try again: who asked before it; and where it may pass, in the same run or too early."""
        if failure is None:
            return None
        now = self.ports.clock()
        if not 0 <= now - failure.recorded_at < max(self.request.cache.failure_ttl, failure.retry_at - failure.recorded_at):
            return None
        asked_before = max(failure.recorded_at, failure.confirmed_at) > self.started
        same_run = failure.run == self._way and self._lately(failure)
        if not asked_before and not (_may_pass(failure) and (same_run or now < failure.retry_at)):
            return None
        self._tell("remembered", None, reason=failure.message)
        return _as_error(failure)

    def _refused_lately(self, failure: Failure | None) -> bool:
        """Whether the vendor refused the credentials within C(failure_ttl)."""
        return failure is not None and failure.refused and self._lately(failure)

    def _lately(self, failure: Failure | None) -> bool:
        return failure is not None and 0 <= self.ports.clock() - failure.recorded_at < self.request.cache.failure_ttl

    def _remember(self, entry: Entry, exc: VendorError | VaultError) -> None:
        again = self._told_again(entry.failure, exc)
        self.write(replace(self._read(), failure=again or self._failure(exc)))
        if again is None:
            self._tell("failed", None, reason=exc.message)

    def _told_again(self, before: Failure | None, exc: TokenError) -> Failure | None:
        """The refusal *before*, where *exc* only repeats it because the secret is still the same. It must not live longer for that."""
        if before is None or self._asked_version or before.message != exc.message or not self._refused_lately(before):
            return None
        return replace(before, confirmed_at=max(before.confirmed_at, self._looked_at))

    def _failure(self, exc: VendorError | VaultError) -> Failure:
        now = self.ports.clock()
        if isinstance(exc, VaultError):
            return Failure(exc.message, f"vault:{exc.kind}", now, run=self._way)
        wait = min(exc.retry_after or 0.0, _LONGEST_RETRY_AFTER)
        return Failure(
            exc.message, exc.kind, now, secret_version=self._asked_version, run=self._way,
            retry_at=now + wait if wait else 0.0, status=exc.status, code=exc.code,
        )

    def _tell(self, name: str, token: Token | None, *, reason: str = "") -> None:
        self.ports.event(
            Event(
                name, self.request.vendor.name, self.request.where, reason=reason,
                seconds=self.ports.monotonic() - self._clock_started,
                expires_at=token.expires_at if token else None,
                fingerprint=token.fingerprint if token else "", key=self.keys.name,
            )
        )


def _may_pass(failure: Failure) -> bool:
    """Whether it passes by itself; the rest lasts until somebody mends it, and is then right at once."""
    area, _colon, kind = failure.kind.partition(":")
    return not failure.refused and (area != "vault" or kind in _PASSING_VAULT)


def _without_refresh_token(token: Token | None) -> Token | None:
    return replace(token, refresh_token=None) if token is not None else None


def _as_error(failure: Failure) -> TokenError:
    if failure.kind.startswith("vault:"):
        return VaultError(failure.message, kind=failure.kind.partition(":")[2])
    return VendorError(failure.message, failure.kind, status=failure.status, code=failure.code)
