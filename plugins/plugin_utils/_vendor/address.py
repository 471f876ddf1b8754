# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Check a vendor's URLs, and reduce them to what may be shown. Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from .._base.errors import OptionError
from .._base.model import Vendor
from .._http.local_address import is_loopback

__all__ = (
    "address_of",
    "check_address",
    "check_endpoint",
    "host",
    "is_private",
    "is_usable",
    "proxy_host",
    "refuse_placeholders",
    "split_address",
)

# Text that cannot contain a password or a query.
_SHOWN = re.compile(r"[A-Za-z0-9._:/<> -]{1,80}")
_PLACEHOLDER = re.compile(r"<[A-Za-z][\w .-]{0,30}>")
_ADDRESSES = ("base_url", "token_url", "issuer", "authorize_url", "device_authorization_url", "revocation_url", "assertion_audience", "scope")
_NO_ADDRESS = urlsplit("")


def split_address(url: str) -> SplitResult:
    """The parts of *url*; all empty if Python cannot parse it (``https://[::1``) or its port is invalid.

    All URLs of vendors and of redirects to us are parsed here, so a caller that checks for a scheme and a host reports every invalid URL with
    the same error. Addresses of Vault and of proxies are not: see ``_vault/options.py``.
    """
    try:
        parts = urlsplit(url)
        if parts.port is None:  # accessing it parses it, and may raise
            return parts
    except ValueError:
        return _NO_ADDRESS
    return parts


def host(url: str) -> str:
    """``host:port`` of *url*, the part that is safe to show; TrackMage's query contains its secret."""
    parts = split_address(url)
    name, port = parts.hostname or "", parts.port
    return f"{name}:{port}" if port else name


def proxy_host(url: str) -> str:
    """Like :func:`host`, for the address of a proxy, which may have no scheme."""
    return host(url if "://" in url else f"//{url}")


def address_of(url: str) -> str:
    """Like :func:`host`, with the path. That may contain a sent credential: see :mod:`.redaction`."""
    return host(url) + split_address(url).path


def is_usable(url: str) -> bool:
    """Whether requests can be sent to *url*: http or https, with a host, without a user name, spaces or control characters."""
    parts = split_address(url)
    return parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc and url.isprintable() and " " not in url


def is_private(url: str, *, allow_http: bool) -> bool:
    """Whether nobody on the network can read what is sent to the usable *url*, or the user allows it."""
    parts = split_address(url)
    return parts.scheme == "https" or allow_http or is_loopback(str(parts.hostname))


def refuse_placeholders(vendor: Vendor) -> None:
    """Reject placeholders of a copied example. Their characters are invalid in a URL (RFC 3986 2) and in a resource (RFC 8707 2).

    :raises OptionError: naming the option and the placeholder.
    """
    resource = vendor.parameters.get("resource")
    resources = resource if isinstance(resource, tuple) else (resource,)
    given = [*((name, getattr(vendor, name)) for name in _ADDRESSES), *(("resource", single) for single in resources if isinstance(single, str))]
    for name, value in given:
        found = _PLACEHOLDER.search(value)
        if found:
            raise OptionError(f"{vendor.name}: {name} still contains {found[0]}. Replace it with your own value.", fault="option:address")


def check_endpoint(vendor: Vendor, *, allow_http: bool) -> None:
    """Reject a token endpoint that is missing, malformed, or plain http to another machine.

    :raises OptionError: with the option to set.
    """
    url = vendor.token_endpoint
    if vendor.issuer and not vendor.token_url:
        url = vendor.issuer
    elif not vendor.token_url:
        raise OptionError(f"{vendor.name}: there is no token endpoint. Set token_url or issuer.", fault="option:missing")
    if "://" not in url:
        option, given = ("issuer", vendor.issuer) if url == vendor.issuer else ("base_url", vendor.base_url)
        if given:
            shown = f" '{given}'" if _SHOWN.fullmatch(given) else ""
            raise OptionError(
                f"{vendor.name}: {option}{shown} is not an address: it must begin with https://. Correct {option}, wherever it is set.",
                fault="option:address",
            )
        raise OptionError(
            f"{vendor.name}: base_url is needed, for example "
            f"{'https://<portal>.staffr.us' if vendor.name == 'tracktik' else 'https://api.example.com'}. "
            f"Set base_url, or the variable trackops_{vendor.name}_base_url.",
            fault="option:missing",
        )
    check_address(vendor, url, allow_http=allow_http)


def check_address(vendor: Vendor, url: str, *, allow_http: bool) -> None:
    """Reject a vendor URL that is malformed, or plain http to another machine.

    :raises OptionError: with the option to set.
    """
    if not is_usable(url):
        raise OptionError(f"{vendor.name}: the token endpoint is not a usable http(s) address. Check base_url and token_url.", fault="option:address")
    if not is_private(url, allow_http=allow_http):
        raise OptionError(
            f"{vendor.name}: {host(url)} would get the credentials over plain http. Use https, or set allow_http if you must.", fault="option:plain_http"
        )
