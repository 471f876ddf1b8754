# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Recognise this machine's own addresses, and choose the proxies for a URL."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

__all__ = ("is_loopback", "leads_here", "proxies_to")


def is_loopback(name: str) -> bool:
    """Whether the host *name* (no port) is this machine."""
    if name == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def leads_here(name: str) -> bool:
    """Whether the host *name* (no port) is this machine, in any spelling that a resolver accepts.

    Use it for untrusted names; :func:`is_loopback` is for names that the user configures, and knows only the usual spellings.
    """
    import ipaddress
    import socket

    plain = name.rstrip(".").lower().partition("%")[0]
    if plain == "localhost" or plain.endswith(".localhost"):  # RFC 6761 6.3
        return True
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(plain))  # 127.1, 0x7f000001, 2130706433
        except OSError:
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def proxies_to(url: str, *, given: t.Mapping[str, str], found: t.Mapping[str, str]) -> dict[str, str]:
    """The proxies for *url*: those *given*, else those *found* (including the environment's).

    Plain http to this machine is allowed because it does not cross a network; with a proxy elsewhere it would.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # requests reports what is wrong
        return dict(found)
    return dict(given if parts.scheme == "http" and is_loopback(parts.hostname or "") else found)
