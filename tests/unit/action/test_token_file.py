# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the action asks for tokens."""

from __future__ import annotations

import typing as t

from ansible_collections.trackops.api_tokens.plugins.action.token_file import ActionModule


def test_hosts_of_a_run_get_the_same_token() -> None:
    """Otherwise a token that is renewed early would be a different one for the first hosts than for the others."""
    asked: list[bool] = []

    class Asking(ActionModule):
        def __init__(self) -> None:
            pass

        def resolve_many(self, items: t.Any, task_vars: t.Any, *, together: bool = False) -> list[t.Any]:
            asked.append(together)
            return []

    Asking()._filled([], [], {})
    assert asked == [True]
