# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Show a table of the API tokens used, after the play
version_added: 1.0.0
author: TrackOps founders (@trackops)
description:
  - Shows for each token how often it was fetched from the vendor, renewed, served from the cache or shared, the failures, the number of
    Vault logins, and the seconds left.
  - Prints nothing if no token was used.
requirements:
  - Must be enabled in the configuration, C(callbacks_enabled = trackops.api_tokens.summary), or with C(ANSIBLE_CALLBACKS_ENABLED).
"""

EXAMPLES = r"""
# In ansible.cfg, for every run:
#
#   [defaults]
#   callbacks_enabled = trackops.api_tokens.summary
#
# For one run:
#
#   ANSIBLE_CALLBACKS_ENABLED=trackops.api_tokens.summary ansible-playbook site.yml
"""

import contextlib
import os
import tempfile
import time
import typing as t

from ansible.plugins.callback import CallbackBase
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.events import EVENTS_FILE
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.preload import preload
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.summary import read_events, table


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "trackops.api_tokens.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        preload()  # in the process that the workers are forked from
        # The forks inherit the variable, and report what they did by adding lines to the file.
        descriptor, self._events = tempfile.mkstemp(prefix="trackops-events-")
        os.close(descriptor)
        os.environ[EVENTS_FILE] = self._events
        self._owner = os.getpid()

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        os.environ.pop(EVENTS_FILE, None)
        for line in table(read_events(self._events), now=time.time()):
            self._display.display(line)
        self._forget()

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._events)

    def __del__(self) -> None:
        if os.getpid() == self._owner:  # a fork has a copy of this object, but the file is not its own
            self._forget()
