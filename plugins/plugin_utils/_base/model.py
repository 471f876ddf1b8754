# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The nouns of the collection, as frozen data. Times are UNIX seconds (UTC), durations seconds.

Secrets are kept out of ``repr``, so that no traceback or debugger shows them by accident.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t
from dataclasses import dataclass, field, replace

__all__ = (
    "ENGINE_MOUNT",
    "CacheOptions",
    "Entry",
    "Failure",
    "Freshness",
    "HttpAnswer",
    "HttpOptions",
    "HttpRequest",
    "Login",
    "Nested",
    "Renewal",
    "Request",
    "Secret",
    "SecretField",
    "SecretRef",
    "Token",
    "Value",
    "VaultAccess",
    "Vendor",
    "fingerprint",
)


def fingerprint(access_token: str) -> str:
    """A public name for a token: ``sha256:`` and the first 16 hex digits of its SHA-256."""
    return "sha256:" + hashlib.sha256(access_token.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class SecretField:
    """A reference to a value in the secret: the header or parameter gets the value of the secret's field *name*.

    ``scheme`` precedes it in a header, as in ``Bearer …``; if empty, the bare value is sent, even if the secret has a scheme before it.
    """

    name: str
    scheme: str | None = None


Value = str | SecretField
#: A JSON value that may refer to fields of the secret.
Nested: t.TypeAlias = "bool | int | float | str | SecretField | tuple[Nested, ...] | t.Mapping[str, Nested] | None"


@dataclass(frozen=True)
class Vendor:
    """The requests and responses of a token endpoint, as data.

    The four built-in vendors, C(trackops_vendors) and the options of C(oauth2) are all described in these terms.
    """

    name: str
    base_url: str = ""  # empty: the user must set it
    token_url: str = ""  # absolute, or a path below base_url
    grant_type: str = "client_credentials"
    client_auth: str = ""  # empty: a method that the issuer's metadata offers, else basic
    request_method: str = "POST"
    request_format: str = "form"
    request_headers: t.Mapping[str, Value] = field(default_factory=dict)
    parameters: t.Mapping[str, Value | tuple[Value, ...]] = field(default_factory=dict)
    request_body: t.Mapping[str, Nested] = field(default_factory=dict)  # the whole request, if it is not OAuth
    credential_fields: t.Mapping[str, str] = field(default_factory=dict)  # our field -> key in the secret
    scope: str = ""
    scope_use: str = "optional"  # optional, required, forbidden
    scope_in: str = "both"  # of a signed grant: both, assertion, request
    token_field: str = "access_token"
    refresh_token_field: str = ""  # empty: the usual spellings, at the top level or next to the access token
    expires_field: str = "expires_in"
    response_format: str = "json"  # json, form, text
    assertion_audience: str = ""  # of signed assertions; empty: the token endpoint
    assertion_algorithm: str = ""  # empty: the one that suits the key
    assertion_claims: t.Mapping[str, Nested] = field(default_factory=dict)  # override the usual ones; None removes one
    transit_key: str = ""  # <mount>/<key name> of a signing key in Vault, instead of one in the secret
    default_lifetime: int = 300
    passing_errors: tuple[str, ...] = ()  # error codes of temporary failures, which are not refusals
    authorization_scheme: str = "Bearer"
    use_refresh_token: bool = True  # a refresh token in the response saves the full grant next time
    authorize_url: str = ""
    device_authorization_url: str = ""
    pkce: bool = False
    revocation_url: str = ""
    issuer: str = ""
    variants: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    variant: str = ""

    def as_variant(self, name: str) -> Vendor:
        """This vendor with the changes of the variant *name*, which must exist."""
        return dataclasses.replace(self, **self.variants[name], variant=name)

    def url(self, path: str) -> str:
        """*path* below ``base_url``, or *path* itself if it is absolute."""
        if "://" in path or not path:
            return path
        return self.base_url.rstrip("/") + "/" + path.lstrip("/")

    @property
    def single_use(self) -> bool:
        """Whether the credentials come from a person's consent and work only once: a code, or a refresh token that the vendor rotates."""
        return self.grant_type in ("authorization_code", "refresh_token")

    @property
    def token_endpoint(self) -> str:
        return self.url(self.token_url)


ENGINE_MOUNT = "secret"  # the mount of the dev server and of most examples


@dataclass(frozen=True)
class SecretRef:
    """Where the credentials are: KV mount, path below it, and the key of each of our fields."""

    mount: str
    path: str
    engine_version: str = "2"
    version: int | None = None
    fields: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"{self.mount.strip('/')}/{self.path}"


@dataclass(frozen=True)
class Freshness:
    """When a cached token is good enough.

    ``together``: in the last fifth of a lifetime all callers wait for the new token instead of using the old one, which is still
    valid. So all hosts of a run get the same token, and the next run has nothing to change.
    ``by_host``: a managed host reported that the API rejected the token. It may lie, so it is believed only once in five minutes of a run.
    """

    min_ttl: float = 60
    max_age: float | None = None
    force: bool = False
    refused: str | None = field(default=None, repr=False)
    together: bool = False
    by_host: bool = False

    def refuses(self, access_token: str) -> bool:
        """Whether this is the token that the API rejected: *refused* is the token itself or its fingerprint."""
        if not self.refused:
            return False
        return self.refused in (access_token, fingerprint(access_token), fingerprint(access_token)[len("sha256:") :])


@dataclass(frozen=True)
class HttpOptions:
    ca_cert: str | None = None
    validate_certs: bool = True
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = field(default=None, repr=False)
    timeout: float = 10
    retries: int = 3
    deadline: float = 60
    allow_http: bool = False


@dataclass(frozen=True)
class CacheOptions:
    kind: str = "file"  # file, vault, none
    path: str = ""
    vault_mount: str = ENGINE_MOUNT
    vault_path: str = "trackops/api_tokens"
    failure_ttl: float = 30


class VaultAccess(t.Protocol):
    """Which Vault, who logs in and how: the part of the Vault options that the rest of the core needs."""

    @property
    def auth_method(self) -> str: ...

    @property
    def deadline(self) -> float:
        """Seconds that Vault may keep one caller waiting in total."""

    def address(self) -> t.Mapping[str, str]:
        """Which Vault: its address and namespace."""

    def network(self) -> t.Mapping[str, t.Any]:
        """How it is reached. A failure with one CA, proxy or timeout says nothing about another."""

    def identity_public(self) -> t.Mapping[str, str]:
        """Who logs in, without anything secret."""

    def identity_secret(self) -> bytes:
        """The login secret in use; empty if there is none."""


@dataclass(frozen=True)
class Login:
    """The result of a Vault login. An empty ``client_token``: an agent or proxy between us and Vault adds it."""

    client_token: str = field(repr=False)
    lease_seconds: int = 0
    renewable: bool = False


@dataclass(frozen=True)
class Secret:
    """A secret in Vault; ``version`` is None in KV version 1."""

    data: dict[str, t.Any] = field(repr=False)
    version: int | None
    path: str


@dataclass(frozen=True)
class Request:
    """A request for one token, with everything that decides which token it is and how it is obtained."""

    vendor: Vendor
    secret: SecretRef
    vault: VaultAccess
    freshness: Freshness = Freshness()
    http: HttpOptions = HttpOptions()
    cache: CacheOptions = CacheOptions()

    @property
    def where(self) -> str:
        return self.secret.where


@dataclass(frozen=True)
class Token:
    """A vendor's token and its properties.

    ``issued_at`` is taken before the request is sent, so ``expires_at`` errs on the safe side.
    """

    access_token: str = field(repr=False)
    token_type: str
    expires_at: float
    issued_at: float
    scope: str | None = None
    extra: t.Mapping[str, t.Any] = field(default_factory=dict, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    secret_version: str = ""
    source: str = "vendor"
    refresh_token_mac: str = ""

    @property
    def lifetime(self) -> float:
        return max(0.0, self.expires_at - self.issued_at)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.access_token)

    def seconds_left(self, now: float) -> float:
        return self.expires_at - now

    def without_refresh_token(self) -> Token:
        return replace(self, refresh_token=None, refresh_token_mac="")


@dataclass(frozen=True)
class Failure:
    """Why an attempt got no token, so that the next caller need not try again.

    ``run`` and ``network`` identify the Ansible run that made the attempt and its network options.
    ``_flow/failure_memory.py`` decides which callers get this failure instead of a new attempt.
    """

    message: str
    kind: str  # as in VendorError; as in VaultError after "vault:"
    recorded_at: float
    secret_version: str = ""
    run: str = ""
    network: str = ""
    retry_at: float = 0.0
    status: int | None = None
    code: str | None = None
    confirmed_at: float = 0.0  # when the secret was last seen to have the same version
    took: float = 0.0  # duration of the attempt in seconds
    fault: str = ""  # as in TokenError

    @property
    def refused(self) -> bool:
        """Whether the vendor will reject the same version of the secret again."""
        return self.kind == "refused"


@dataclass(frozen=True)
class Renewal:
    """A run has used its one renewal for this ``cause``: C(force), C(host), or the fingerprint of a token that the API rejected."""

    run: str
    cause: str
    at: float


@dataclass(frozen=True)
class Entry:
    """The cache entry of one request."""

    token: Token | None = None
    failures: tuple[Failure, ...] = ()
    renewals: tuple[Renewal, ...] = ()


@dataclass(frozen=True)
class HttpRequest:
    method: str
    url: str = field(repr=False)
    headers: t.Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)  # never shown
    identifiers: tuple[str, ...] = field(default=(), repr=False)  # those of them that are only identifiers
    client_certificate: str = field(default="", repr=False)  # PEM, with its key, for the TLS connection (RFC 8705)
    doubts: tuple[str, ...] = ()  # sentences on what may be wrong with the credentials
    repeatable: bool = True  # False: an authorization code, or a refresh token that may rotate


@dataclass(frozen=True)
class HttpAnswer:
    """``headers`` have lower-case names."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes = field(repr=False)
