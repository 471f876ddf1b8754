# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity on the built collection, without an ignore file."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

from support import sanity
from support.bootstrap import REQUIREMENTS
from support.places import TESTS


def test_ansible_test_sanity_finds_nothing() -> None:
    done = sanity.run()
    problems = [line for line in done.stdout.splitlines() if re.match(r"(ERROR|FATAL):", line)]
    assert done.returncode == 0, "\n".join(problems[:60]) or done.stdout[-3000:]


def test_sanity_installs_only_files_of_the_lock() -> None:
    home = sanity.find_home()
    locks = [path.read_text(encoding="utf-8") for path in REQUIREMENTS.glob("sanity-*.txt")]
    wheels = list((home / "wheels").iterdir())
    assert wheels
    for wheel in wheels:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert any(f"sha256:{digest}" in lock for lock in locks), wheel.name
    command = [sys.executable, "-m", "pip", "config", "get", "global.no-index"]
    done = subprocess.run(command, env={"HOME": str(home)}, stdout=subprocess.PIPE, text=True, check=False)
    assert done.stdout.strip() == "true"


def test_sanity_has_no_ignore_file() -> None:
    assert not list(TESTS.glob("sanity/ignore*"))
