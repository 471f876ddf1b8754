# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The other members of a vendor's response, without anything that is, contains or looks like a credential. Pure.

They go into results, JSON files on hosts and the shared cache, all of which other people can read.
"""

from __future__ import annotations

import re
import typing as t

from .._text.scrub import SHORTEST_SECRET, finder

__all__ = ("LARGEST", "is_secret_name", "public")

#: Bytes of JSON; members larger than that in total are omitted unread.
LARGEST = 64 << 10
_LONGEST_TEXT = 2000  # characters
_MOST_SECRETS = 64
# Matched against names without case and separators: refreshToken, refresh-token and Refresh_Token are the same.
_SECRET = re.compile(
    r"token|secret|passw|passphrase|passcode|passkey|credential|apikey|accesskey|privatekey|assertion|authorization|cookie|jwt|bearer|session"
    r"|samlresponse|basicauth|authheader|authvalue|connectionstring|connstring|phpsessid|mnemonic"
    r"|(?<!by)(?<!com)(?<!sur)pass\Z|pwd\Z|sid\Z|otp\Z|jwks?\Z|dsn\Z|sig\Z|signature\Z|pfx\Z|keystore\Z|csrf\Z|xsrf\Z"
    # A key is a credential, unless it only identifies or sorts something.
    r"|(?<!public)(?<!primary)(?<!foreign)(?<!natural)(?<!sort)(?<!partition)(?<!idempotency)(?<!translation)(?<!message)(?<!project)(?<!issue)"
    r"(?<!hot)(?<!tur)(?<!mon)(?<!don)(?<!jer)(?<!whis)keys?\Z"
    # Country, currency, postal, error and status codes are not credentials.
    r"|(?:access|activation|auth|backup|confirmation|device|invitation|invite|login|mfa|2fa|onetime|pairing|pin|recovery|reset|security|sms|unlock|user"
    r"|verification)codes?\Z"
    r"|(?:access|card|device|login|sim|user)pin\Z|(?:auth|cas|granting|login|service)ticket\Z"
)
_SECRET_WHOLE = frozenset(("auth", "code", "eid", "otp", "p12", "pin", "pincode", "pkcs12", "saml", "sas", "sess", "tgt", "ticket"))
# A URL that grants access by itself, or that usually contains a password.
_SECRET_ADDRESS = re.compile(
    r"(?:activation|(?<!as)signed|broker|confirm|confirmation|database|db|invitation|invite|magic|mongo|mongodb|postgres|redis|reset|sas|signin|unlock"
    r"|unsubscribe|verification|webhook)(?:address|link|uri|url)s?\Z"
)
# Facts about a credential, such as its lifetime, are not credentials.
_ABOUT = re.compile(
    r"(type|typehint|expires|expiresin|expiresat|expireson|expiry|expiration|lifetime|ttl|issuedat|issuer|url|uri|endpoint|scope|scopes|format|count"
    r"|state|use|version)\Z"
)
_LOOKS_SECRET = re.compile(
    r"eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"  # a JWT, alone or in a text
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|AGE-SECRET-KEY-1"
    r"|\b[a-z][a-z0-9+.-]{0,20}://[^\s/?#@:]*:[^\s/?#@]+@"  # a URL with a password
    r"|^\s*(?:bearer|basic)\s+\S{6,}|\bauthorization[\"']?\s*[:=]\s*[\"']?\S{4,}"
    # Within a text, only if it does not look like a word: "bearer authentication" is not a credential.
    r"|\b(?:bearer|basic)\s+(?=[^\s0-9=_+/]*[0-9=_+/]|(?-i:[^\sa-z]*[a-z][^\sA-Z]*[A-Z])|\S{20})\S{6,}"
    r"|[?&#;](?:\w*token|code|key|\w*secret|sig|signature|password)=[^&\s]"
    r"|(?:^|[?&#;,\s\"'])\w*(?:key|password|passwd|pwd|secret|token)=[^&;\s]{4,}"  # of a connection string
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|ya29\.|hv[sbr]\.|[sr]k_(?:live|test)_|whsec_|pypi-|dop_v1_|shpat_)\w"
    r"|\b(?:npm_\w{20}|sk-[\w-]{12}|AIza[\w-]{20}|hf_[a-z]{12})|\bhooks\.slack\.com/\S"
    r"|(?-i:\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bSG\.[\w-]{6,}\.[\w-]{6,}|\bs\.[A-Za-z0-9]{24}\b)",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether a member of this *name* is a credential."""
    plain = re.sub(r"[^a-z0-9]", "", name.casefold())
    if plain in _SECRET_WHOLE or _SECRET_ADDRESS.search(plain):
        return True
    return bool(_SECRET.search(plain)) and not _ABOUT.search(plain)


def public(members: t.Mapping[str, t.Any], *, without: t.Container[str], secrets: t.Iterable[str]) -> dict[str, t.Any]:
    """Those of *members* that may be shown, at any depth.

    :arg without: top-level names that are handled elsewhere.
    :arg secrets: the credentials sent and the tokens received. Members that contain one are removed; everything is removed if they are
    too many to search for, or if *members* is nested too deeply.
    """
    try:
        return _public(members, without, secrets)
    except RecursionError:
        return {}


def _public(members: t.Mapping[str, t.Any], without: t.Container[str], secrets: t.Iterable[str]) -> dict[str, t.Any]:
    rest = {name: value for name, value in members.items() if name not in without}
    # A value that is removed for its name is removed where it is repeated, too.
    named = [text for text in _named_secret(rest) if len(text) >= SHORTEST_SECRET]
    hidden = frozenset((*secrets, *named)) - {""}
    if len(hidden) > _MOST_SECRETS:
        return {}  # each one is searched for in each text
    holds_secret = finder(hidden)
    found: dict[str, t.Any] = _cleaned(rest, lambda text: text in hidden or holds_secret(text))
    return found


def _named_secret(value: t.Any, *, secret: bool = False) -> t.Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _named_secret(inner, secret=secret or is_secret_name(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _named_secret(inner, secret=secret)
    elif secret and isinstance(value, str):
        yield value


def _cleaned(value: t.Any, holds_secret: t.Callable[[str], bool]) -> t.Any:
    if isinstance(value, dict):
        return {
            _text(name): _cleaned(inner, holds_secret)
            for name, inner in value.items()
            if not _has_secret_name(name, inner) and _may_be_shown(name, holds_secret) and _may_be_shown(inner, holds_secret)
        }
    if isinstance(value, list):
        return [_cleaned(inner, holds_secret) for inner in value if _may_be_shown(inner, holds_secret)]
    return _text(value) if isinstance(value, str) else value


def _has_secret_name(name: str, value: t.Any) -> bool:
    # A number named "code" is a status; a boolean only tells whether there is a password.
    return is_secret_name(name) and not isinstance(value, (bool, type(None))) and not (isinstance(value, (int, float)) and name.casefold() == "code")


def _may_be_shown(value: t.Any, holds_secret: t.Callable[[str], bool]) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return not holds_secret(str(value))
    if not isinstance(value, str):
        return True
    return len(value) <= _LONGEST_TEXT and not _LOOKS_SECRET.search(value) and not holds_secret(value)


def _text(value: str) -> str:
    """*value* without lone surrogates, which only JSON can hold."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
