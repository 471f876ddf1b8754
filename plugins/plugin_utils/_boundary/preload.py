# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Load the lookups' code in the process from which Ansible forks its workers.

Ansible loads the action of a task, and the callbacks, before it forks. Workers need not load that code again.
"""

from __future__ import annotations

import contextlib

from ansible.plugins.loader import lookup_loader

from .._cache.crypto import derive, open_sealed, seal
from .._vendors import names
from . import event_file, full_lookup, operator_variables, vendor_settings

__all__ = ("COLLECTION", "preload")

COLLECTION = "trackops.api_tokens."
_LOADED = (event_file, operator_variables, full_lookup, vendor_settings)  # everything a lookup may import, except the network code


def preload() -> None:
    """Load the lookups, their option definitions, and the ciphers of the cache."""
    for plugin in (*names(), "oauth2"):
        lookup_loader.get(COLLECTION + plugin, class_only=True)
    # The first use of a cipher in a process is the slowest. If cryptography is missing, the code that needs it reports that.
    with contextlib.suppress(ImportError):
        keys = derive(bytes(32), b"", "nothing")
        open_sealed(keys, seal(keys, b""))
