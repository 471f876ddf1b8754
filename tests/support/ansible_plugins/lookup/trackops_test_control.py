# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control the vendor emulator between two tasks, given its address and JSON. A module would need its own process."""

from __future__ import annotations

import typing as t
import urllib.request

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: trackops_test_control
author: TrackOps founders
short_description: Tell the vendor emulator something
description: It sends the second term, as it is, to the first.
"""


class LookupModule(LookupBase):
    def run(self, terms: t.Any, variables: t.Any = None, **_options: t.Any) -> list[str]:
        url, document = terms
        request = urllib.request.Request(url, data=document.encode(), headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=300) as answer:
            return [f"{answer.status}"]
