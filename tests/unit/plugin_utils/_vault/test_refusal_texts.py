# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the messages for refusals."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.refusal_texts import items_of_multierror, path_hint


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("no", "no"),
        ("1 error occurred:\n\t* denied\n\n", "denied"),
        ("2 errors occurred:\n\t* a\n\t* b\n", "a; b"),
        ("occurred:", ""),
        ("2 errors occurred:\n\t* a\n\t* 1 error occurred:\n\t* b\n", "a; 1 error occurred:; b"),
    ],
)
def test_the_reasons_of_a_multierror_are_joined(said, expected):
    assert items_of_multierror(said) == expected


@pytest.mark.parametrize(
    ("path", "engine", "hint"),
    [
        ("x", 2, ""),
        ("kv/x", 2, "Try 'x': the mount is not part of path."),
        ("data/x", 2, "Try 'x': data/ is not part of path."),
        ("kv/data/x", 2, "Try 'x': the mount and data/ are not part of path."),
        ("data/x", 1, ""),
        ("kv/data/x", 1, "Try 'data/x': the mount is not part of path."),
        ("kvx", 2, ""),
    ],
)
def test_a_path_that_repeats_the_mount_gets_a_hint(path, engine, hint):
    assert path_hint("kv", path, engine=engine) == hint
