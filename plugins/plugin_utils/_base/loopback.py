# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Which addresses are this machine's own, and are asked without a proxy that is not meant for them."""

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
    """Whether the host *name* (no port) is this machine in any spelling that a resolver takes for it.

    For what somebody else names; :func:`is_loopback` is for what the user allows, and knows the usual spellings only.
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
    """The proxies on the way to *url*: those that were *given*, or all that were *found*, the environment's among them.

    Plain http is let through to this machine because nobody is on the way there: a proxy elsewhere would be.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # requests says what is wrong with it
        return dict(found)
    return dict(given if parts.scheme == "http" and is_loopback(parts.hostname or "") else found)
