# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity on the collection as it is built, and no ignore file beside it."""

from __future__ import annotations

import re

from support import sanity
from support.places import TESTS


def test_sanity() -> None:
    done = sanity.run()
    problems = [line for line in done.stdout.splitlines() if re.match(r"(ERROR|FATAL):", line)]
    assert done.returncode == 0, "\n".join(problems[:60]) or done.stdout[-3000:]


def test_no_ignore_file() -> None:
    assert not list(TESTS.glob("sanity/ignore*"))
