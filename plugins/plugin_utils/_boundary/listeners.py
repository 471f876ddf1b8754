# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Whether there are listeners for token events. Separate from ``events``, because a cache hit without listeners loads only this."""

from __future__ import annotations

import os

__all__ = ("EVENTS_FILE", "has_listeners")

#: The callback ``summary`` sets this variable, so that the forks report their events to it.
EVENTS_FILE = "_TRACKOPS_API_TOKENS_EVENTS"


def has_listeners(*, verbosity: int, audit_log: object) -> bool:
    return verbosity >= 3 or bool(audit_log) or EVENTS_FILE in os.environ
