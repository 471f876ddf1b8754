# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Where Vault is and who logs in: the options as ansible resolved them, plus fallbacks.

Pure: a function that is passed in reads at most one file (a token file, a service account's token, a private key), and only for a login
method that needs it.

Precedence: ansible's value (direct, variables, environment, ini, default), then the environment variables of the vault command,
then the token file.
An empty string counts as unset everywhere. Names: VAULT_OPTIONS in the documentation, shared with ``community.hashi_vault``.
"""

from __future__ import annotations

import ast
import json
import typing as t
from dataclasses import dataclass, field, fields
from urllib.parse import unquote, urlsplit, urlunsplit

from .._base.errors import OptionError
from .._text.one_line import one_line
from .login_input import ALL_SECRETS, TRUE, completed
from .methods import METHODS, validate

__all__ = ("VaultOptions",)

DEFAULT_TIMEOUT = 30.0
_SHORTEST_DEADLINE = 60.0

# Shown in messages.
_PRINTED = ("url", "namespace", "mount_point", "username", "region", "ca_cert", "ca_path", "tls_server_name", "wrap_ttl", "cert_auth_public_key")

_WORDS: t.Mapping[str, bool | None] = {"true": True, "false": False, "null": None}
_FALSE = frozenset(("0", "f", "false", "n", "no", "off"))


@dataclass(frozen=True)
class VaultOptions:
    """How to reach Vault and how to log in; complete and valid if created by :meth:`from_mapping`."""

    url: str
    auth_method: str = "token"
    namespace: str | None = None
    mount_point: str | None = None
    proxies: t.Mapping[str, str] | None = field(default=None, repr=False)
    ca_cert: str | None = None
    ca_cert_text: str | None = field(default=None, repr=False)
    ca_path: str | None = None
    tls_server_name: str | None = None
    validate_certs: bool = True
    timeout: float = DEFAULT_TIMEOUT
    retries: int | t.Mapping[str, t.Any] | None = None
    retry_action: str = "warn"
    wrap_ttl: str | None = None
    token: str | None = field(default=None, repr=False)
    token_validate: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    role_id: str | None = field(default=None, repr=False)
    secret_id: str | None = field(default=None, repr=False)
    jwt: str | None = field(default=None, repr=False)
    aws_profile: str | None = None
    aws_access_key: str | None = field(default=None, repr=False)
    aws_secret_key: str | None = field(default=None, repr=False)
    aws_security_token: str | None = field(default=None, repr=False)
    region: str | None = None
    aws_iam_server_id: str | None = None
    azure_tenant_id: str | None = None
    azure_client_id: str | None = None
    azure_client_secret: str | None = field(default=None, repr=False)
    azure_resource: str = "https://management.azure.com/"
    cert_auth_public_key: str | None = None
    cert_auth_private_key: str | None = None
    cert_auth_key_text: str = field(default="", repr=False)

    @classmethod
    def from_mapping(
        cls,
        values: t.Mapping[str, t.Any],
        *,
        environ: t.Mapping[str, str],
        home: str | None,
        read_file: t.Callable[[str], str],
    ) -> VaultOptions:
        """The options in *values* (option name -> value; other names are ignored), completed from *environ* and *home*.

        :arg read_file: returns the text of the file at a path; raises OSError.
        :raises OptionError: naming the option and its environment variable.
        """
        given = completed(values, environ=environ, home=home, read_file=read_file)
        method = str(given["auth_method"])
        if method not in METHODS:
            raise OptionError(f"auth_method={one_line(str(method), limit=40)!r} is not known. Use one of: {', '.join(METHODS)}.")
        if "url" not in given:
            raise OptionError("no address of Vault is known. Set url (ANSIBLE_HASHI_VAULT_ADDR, or VAULT_ADDR).", fault="option:missing")
        options = cls(**{name: _converter(name)(name, value) for name, value in given.items() if name in _FIELDS})
        validate(options)
        _check_printed(options)
        if bool(options.cert_auth_public_key) != bool(options.cert_auth_private_key):
            raise OptionError(
                "cert_auth_public_key and cert_auth_private_key (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY) go together: only one is set.", fault="option:clash"
            )
        return options

    @property
    def shown_url(self) -> str:
        """The address without user name and password, for messages."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def deadline(self) -> float:
        """Seconds that Vault may keep one caller waiting in total: login, reads, retries and redirects."""
        return max(_SHORTEST_DEADLINE, 2 * self.timeout)

    def address(self) -> dict[str, str]:
        """Which Vault: its address and namespace, in one spelling each."""
        return {"url": self.url, "namespace": (self.namespace or "").strip("/")}

    def network(self) -> dict[str, t.Any]:
        """How Vault is reached. A failure with one CA, proxy or timeout says nothing about another."""
        names = ("ca_cert", "ca_cert_text", "ca_path", "tls_server_name", "validate_certs", "proxies", "timeout", "retries")
        return {name: getattr(self, name) for name in (*names, "cert_auth_public_key", "cert_auth_private_key")}

    def identity_public(self) -> dict[str, str]:
        """Who logs in, without anything secret; two identities always differ here or in their secret."""
        # A client certificate is sent with every method, and a proxy before Vault may identify clients by it.
        used = {"auth_method", "mount_point", "cert_auth_public_key", *METHODS[self.auth_method].identity}
        if self._role_id_is_the_secret:
            used.discard("role_id")
        return {name: str(getattr(self, name)) for name in sorted(used) if getattr(self, name)}

    def identity_secret(self) -> bytes:
        """The login secret in use; empty if there is none here (an agent adds the token, or a cloud identity is used)."""
        parts = [str(getattr(self, name) or "") for name in METHODS[self.auth_method].secrets]
        return json.dumps(parts).encode() if any(parts) else b""

    def secrets(self) -> tuple[str, ...]:
        """All secret values, which messages must not show."""
        found = [*(getattr(self, name) for name in sorted(ALL_SECRETS)), _password_of(self.url)]
        found += [_password_of(proxy) for proxy in (self.proxies or {}).values()]
        if self._role_id_is_the_secret:
            found.append(self.role_id)
        return tuple(dict.fromkeys(value for value in found if value))

    @property
    def _role_id_is_the_secret(self) -> bool:
        return self.auth_method == "approle" and not self.secret_id


_FIELDS = frozenset(entry.name for entry in fields(VaultOptions))


def _check_printed(options: VaultOptions) -> None:
    """Reject line breaks and escapes: messages show these options, and headers carry some of them."""
    for name in _PRINTED:
        if not str(getattr(options, name) or "").isprintable():
            raise OptionError(f"{name} contains a line break or another character that cannot be shown. Check where it is set.")


def _password_of(url: str) -> str | None:
    try:
        return unquote(urlsplit(url).password or "") or None
    except ValueError:
        return None


def _text(_name: str, value: t.Any) -> str:
    return str(value)


def _stripped(_name: str, value: t.Any) -> str:
    # A line end from a file or a shell would make a header invalid.
    return str(value).strip()


def _url(name: str, value: t.Any) -> str:
    url = str(value).strip().rstrip("/")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise OptionError(f"{name} must be the address of Vault, such as https://vault.example.com:8200 (VAULT_ADDR).", fault="option:address")
    url = parts.scheme + url[len(parts.scheme) :]  # in lower case, as other code compares it
    # "https://vault:8200/v1" is a common mistake.
    return url.removesuffix("/v1")


def _boolean(name: str, value: t.Any) -> bool:
    word = str(value).strip().lower()
    if word in TRUE or word in _FALSE:
        return word in TRUE
    raise OptionError(f"{name} must be true or false.")


def _seconds(name: str, value: t.Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    if not 0 < seconds < _LONGEST:
        raise OptionError(f"{name} must be a number of seconds above 0 (ANSIBLE_HASHI_VAULT_TIMEOUT).")
    return seconds


def _retry_action(name: str, value: t.Any) -> str:
    if value not in ("ignore", "warn"):
        raise OptionError(f"{name} must be ignore or warn (ANSIBLE_HASHI_VAULT_RETRY_ACTION).")
    return str(value)


def _proxies(name: str, value: t.Any) -> dict[str, str]:
    mapping = _mapping(value)
    if mapping is None:
        return {"http": str(value), "https": str(value)}
    return {str(scheme).lower(): str(proxy) for scheme, proxy in mapping.items() if proxy}


def _retries(name: str, value: t.Any) -> int | dict[str, t.Any]:
    mapping = _mapping(value)
    if mapping is not None:
        return {key: setting for key, setting in mapping.items() if _is_set(name, key, setting)}
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if not 0 <= number <= _MOST_RETRIES:
        raise OptionError(f"{name} must be a number of retries from 0 to {_MOST_RETRIES}, or a dictionary of urllib3's Retry (ANSIBLE_HASHI_VAULT_RETRIES).")
    return number


def _is_set(name: str, key: str, value: t.Any) -> bool:
    """Whether a setting of urllib3's Retry has a value; null is its default, because a null C(total) would be no limit.

    :raises OptionError: urllib3 would fail with it later, after a request.
    """
    is_valid, what = _RETRY.get(key, (None, ""))
    if is_valid is None:
        return True  # another version of urllib3 may know it
    if value is None:
        return key in _ANY_METHOD
    if not is_valid(value):
        raise OptionError(f"{name}: '{key}' must be {what} (ANSIBLE_HASHI_VAULT_RETRIES).")
    return True


def _is_count(value: t.Any) -> bool:
    return value is False or (_is_number(value) and isinstance(value, int) and value <= _MOST_RETRIES)


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _LONGEST


def _is_flag(value: t.Any) -> bool:
    return isinstance(value, bool)


def _are_numbers(value: t.Any) -> bool:
    return isinstance(value, _LISTS) and all(map(_is_number, value))


def _are_texts(value: t.Any) -> bool:
    return isinstance(value, _LISTS) and all(isinstance(item, str) for item in value)


def _are_methods(value: t.Any) -> bool:
    return value is False or _are_texts(value)


_MOST_RETRIES, _LONGEST = 1000, 1e6
_LISTS = (list, tuple, set, frozenset)
_ANY_METHOD = ("allowed_methods", "method_whitelist")  # with null
# By the settings of urllib3's Retry: the check of a value, and what the value must be.
_RETRY: t.Mapping[str, tuple[t.Callable[[t.Any], bool], str]] = {
    **dict.fromkeys(("total", "connect", "read", "redirect", "status", "other"), (_is_count, f"a whole number from 0 to {_MOST_RETRIES}")),
    **dict.fromkeys(("backoff_factor", "backoff_max", "backoff_jitter", "retry_after_max"), (_is_number, "a number of seconds from 0")),
    **dict.fromkeys(("raise_on_redirect", "raise_on_status", "respect_retry_after_header"), (_is_flag, "true or false")),
    **dict.fromkeys(_ANY_METHOD, (_are_methods, "a list of methods")),
    "status_forcelist": (_are_numbers, "a list of numbers"),
    "remove_headers_on_redirect": (_are_texts, "a list of names"),
    "history": (lambda value: value in ([], ()), "left out"),
}


def _mapping(value: t.Any) -> dict[str, t.Any] | None:
    """A dictionary given as such, as JSON, as a Python literal or as ``key=value, key=value``; else None."""
    if isinstance(value, t.Mapping):
        return {str(key): item for key, item in value.items()}
    text = str(value).strip()
    if text.startswith("{"):
        for parse in (json.loads, ast.literal_eval):
            try:
                parsed = parse(text)
            except _UNREADABLE:
                continue
            if isinstance(parsed, dict):
                return {str(key): item for key, item in parsed.items()}
        return None
    head, equals, _tail = text.partition("=")
    if not equals or "://" in head:
        return None
    pairs = (item.partition("=") for item in text.replace(",", " ").split())
    return {key: _literal(item) for key, _equals, item in pairs}


# The exceptions of json.loads and ast.literal_eval for arbitrary text.
_UNREADABLE = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError)


def _literal(text: str) -> t.Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return ast.literal_eval(text)
    except _UNREADABLE:
        return text


_CONVERT: t.Mapping[str, t.Callable[[str, t.Any], t.Any]] = {
    "url": _url,
    "proxies": _proxies,
    "validate_certs": _boolean,
    "token_validate": _boolean,
    "timeout": _seconds,
    "retries": _retries,
    "retry_action": _retry_action,
    "namespace": _stripped,
    "mount_point": _stripped,
    "token": _stripped,
    "secret_id": _stripped,
    "role_id": _stripped,
    "jwt": _stripped,
}


def _converter(name: str) -> t.Callable[[str, t.Any], t.Any]:
    return _CONVERT.get(name, _text)
