# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(api_request): split its arguments between C(ansible.builtin.uri) and the token, and remove the token from the response. Pure."""

from __future__ import annotations

import itertools
import json
import typing as t

from .._base.errors import OptionError
from .._http.local_address import is_loopback
from .._text.one_line import one_line
from .._text.scrub import BLANK, Blanker
from .._vendor.address import split_address

__all__ = ("OPTIONS_OF_URI", "address_options", "expected", "split", "token_remover")

# These would replace the token, or have no meaning with it.
_CLASHES = ("url_username", "user", "url_password", "password", "force_basic_auth", "use_gssapi", "use_netrc")
_FEWEST_PIECES = 3
_MOST_DIGITS = 3  # of a status code
_LONGEST_PIECE = 4  # characters
OPTIONS_OF_URI = frozenset(
    (
        "attributes",
        "attr",
        "body",
        "body_format",
        "ca_path",
        "ciphers",
        "client_cert",
        "client_key",
        "creates",
        "decompress",
        "dest",
        "follow_redirects",
        "force",
        "group",
        "headers",
        "http_agent",
        "method",
        "mode",
        "owner",
        "remote_src",
        "removes",
        "return_content",
        "selevel",
        "serole",
        "setype",
        "seuser",
        "src",
        "status_code",
        "timeout",
        "unix_socket",
        "unredirected_headers",
        "unsafe_writes",
        "url",
        "use_proxy",
        "validate_certs",
    )
)


def split(args: dict[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """The arguments of uri, and those of the token; C(vault) has the Vault options, because uri uses their names too."""
    clash = next((name for name in _CLASHES if name in args), None)
    if clash:
        raise OptionError(f"api_request does not take '{clash}': the token is the authorization.", fault="option:clash")
    if not args.get("url"):
        raise OptionError("api_request needs 'url', the address of the API to call.", fault="option:missing")
    headers = args.get("headers") or {}
    if not isinstance(headers, dict):
        raise OptionError("api_request: 'headers' must be a dictionary.")
    if any(str(name).lower() == "authorization" for name in headers):
        raise OptionError("api_request sets the Authorization header itself; leave it out of 'headers'.", fault="option:clash")
    vault = args.get("vault") or {}
    if not isinstance(vault, dict):
        raise OptionError("api_request: 'vault' must be a dictionary of Vault options.")
    request = {name: value for name, value in args.items() if name in OPTIONS_OF_URI}
    wanted = {name: value for name, value in args.items() if name not in OPTIONS_OF_URI and name != "vault"}
    return request, {**wanted, **vault}


def address_options(url: t.Any, *, allow_http: bool) -> dict[str, bool]:
    """The options of uri for this URL: requests to this machine use no proxy, because plain http to it is allowed.

    :raises OptionError: the token would cross a network unencrypted; the rule is the same as for a vendor's credentials.
    """
    parts = split_address(str(url).strip())
    name = parts.hostname or ""
    if not (parts.scheme and name):  # the host's Python may parse it differently
        raise OptionError("api_request: url is not a usable URL. It must begin with https:// and a host name.", fault="option:address")
    if parts.scheme.lower() != "http":
        return {}
    if is_loopback(name):
        return {"use_proxy": False}
    if not allow_http:
        raise OptionError(
            f"api_request: {one_line(name, limit=100)} would get the token over plain http. Use https, or set allow_http.", fault="option:plain_http"
        )
    return {}


def expected(request: dict[str, t.Any]) -> list[int]:
    given = request.get("status_code", 200)
    values = given if isinstance(given, (list, tuple)) else str(given).split(",")
    return [int(code) for code in (str(value).strip() for value in values) if code.isascii() and code.isdecimal() and len(code) <= _MOST_DIGITS]


def token_remover(secrets: t.Iterable[str]) -> t.Callable[[t.Any], t.Any]:
    """A function that blanks the *secrets* out of a value, at any depth: APIs often echo what they receive.

    It searches names of members as well as values. A text that is JSON stays JSON. See :class:`Blanker` for the limit.
    """
    return _TokenRemover(secrets).value


class _TokenRemover:
    def __init__(self, secrets: t.Iterable[str]) -> None:
        secrets = tuple(secrets)
        self._blank = Blanker(secrets)
        self._numbers = any(secret.isdigit() for secret in secrets)

    def value(self, value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            return self._list(value)
        if isinstance(value, str):
            return self._text(value)
        if self._numbers and isinstance(value, (int, float)) and not isinstance(value, bool):
            shown = str(value)
            return value if self._blank(shown) == shown else BLANK
        return value

    def _object(self, value: dict[t.Any, t.Any]) -> dict[t.Any, t.Any]:
        found: dict[t.Any, t.Any] = {}
        following: dict[str, t.Iterator[int]] = {}
        for name, inner in value.items():
            shown = name
            if isinstance(name, str) and (blanked := self._blank(name)) != name:
                numbers = following.setdefault(blanked, itertools.count(2))
                shown = blanked
                while shown in value or shown in found:
                    shown = f"{blanked} ({next(numbers)})"
            found[shown] = self.value(inner)
        return found

    def _list(self, value: list[t.Any]) -> list[t.Any]:
        found = [self.value(inner) for inner in value]
        if found == value and len(value) >= _FEWEST_PIECES and all(_is_piece(inner) for inner in value):
            # A list of single bytes or characters, such as Node's Buffer produces.
            whole = ",".join(map(str, value))
            return found if self._blank(whole) == whole else [BLANK]
        return found

    def _text(self, text: str) -> str:
        blanked = self._blank(text)
        if blanked == text or text.lstrip()[:1] not in tuple('{["') or _json(blanked) is not None:
            return blanked
        parsed = _json(text)
        if parsed is None:
            return blanked
        # Blanking changed more than the inside of a string: a number, or half an escape.
        return json.dumps(self.value(parsed[0]), ensure_ascii=text.isascii())


def _is_piece(value: t.Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and len(value) <= _LONGEST_PIECE)


def _json(text: str) -> tuple[t.Any] | None:
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        return None
