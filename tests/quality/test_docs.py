# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation site builds without a warning."""

from __future__ import annotations

import pathlib
import re
import subprocess

from support.bootstrap import environment
from support.places import ROOT, TESTS


def test_the_site_builds(tmp_path: pathlib.Path) -> None:
    site = tmp_path / "site"
    command = [str(environment("docs") / "bin" / "python"), str(TESTS / "support" / "docs.py"), str(site)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    page = (site / "collections/trackops/api_tokens/token_file_module.html").read_text(encoding="utf-8")
    assert "create_directory" in page
    assert "min_ttl" in (site / "docs/hosts.html").read_text(encoding="utf-8")


def test_each_promise_of_the_threat_model_has_its_test() -> None:
    """The tests that docs/security.md names are there."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:unit|integration|quality)/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 20
    missing = [
        (file, test) for file, test in named if not (TESTS / file).is_file() or (test and f"\ndef {test}(" not in (TESTS / file).read_text(encoding="utf-8"))
    ]
    assert missing == []
    promises = [line for line in text.splitlines() if line.startswith("| ") and line.endswith("` |")]
    assert len(promises) > 15 and all("`" in line.rsplit(" | ", 1)[-1] for line in promises)
