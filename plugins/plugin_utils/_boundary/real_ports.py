# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The real effects: HTTP with requests, Vault with hvac. Both are imported on first use, so that a cache hit does not load them."""

from __future__ import annotations

import os
import sys
import typing as t

from .._base.ports import Ports

if t.TYPE_CHECKING:
    from .._base.model import HttpAnswer, HttpOptions, HttpRequest, VaultAccess
    from .._base.ports import Vault
    from .._vault.options import VaultOptions

__all__ = ("real_ports",)


def real_ports(**others: t.Any) -> Ports:
    """Ports to the real network; *others* override defaults of :class:`Ports`."""
    ports = Ports(**{"exchange": _exchange, "vault": _vault, "scratch": _scratch(), **others})
    if os.environ.get("SSLKEYLOGFILE"):  # urllib3 honours it
        ports.warn(
            "SSLKEYLOGFILE is set, so the keys of the TLS connections to Vault and to vendors are written to that file: "
            "anyone with it and a recording of the traffic can read the secrets. Unset it when you are done."
        )
    return ports


def _scratch() -> str:
    """The directory that Ansible creates for each run before it forks, and removes at its end."""
    constants = sys.modules.get("ansible.constants")  # not loaded: this is not an Ansible run
    return str(getattr(constants, "DEFAULT_LOCAL_TMP", ""))


def _exchange(request: HttpRequest, options: HttpOptions, seconds: float, name: str) -> HttpAnswer:
    from .._vendor.transport import exchange

    return exchange(request, options, seconds, name)


def _vault(options: VaultAccess, warn: t.Callable[[str], None]) -> Vault:
    from .._vault.client import VaultClient
    from .._vault.connection import Connection

    # Only options.request_from creates requests, with the options of _vault.
    return VaultClient(Connection(t.cast("VaultOptions", options), warn=warn))
