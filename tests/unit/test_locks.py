# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every environment is installed from a lock file with hashes, and `make lock` has seen the requirements as they are."""

from __future__ import annotations

import json
import re

import pytest
from support.bootstrap import REQUIREMENTS
from support.lock import header, locks
from support.places import TESTS


def _packages(text: str) -> list[str]:
    """Each requirement with its hashes, as one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("name", locks())
def test_a_lock_is_of_its_requirements_with_hashes_and_without_an_address(name):
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    assert text.startswith(header(name)), f"the requirements have changed: make lock LOCKS={name}"
    packages = _packages(text)
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", package), package
        assert "://" not in package and " @ " not in package, package


def test_no_lock_is_left_over():
    assert {path.stem for path in REQUIREMENTS.glob("*.txt")} == set(locks())


def test_the_lock_of_npm_has_hashes_and_no_address():
    packages = json.loads((TESTS / "oauth-servers" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, package in packages.items():
        assert name == "" or package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_keycloak_is_pinned_by_its_hash():
    pinned = json.loads((TESTS / "oauth-servers" / "keycloak.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", pinned["version"])
    assert re.fullmatch(r"[0-9a-f]{64}", pinned["sha256"])
    assert "://" not in "".join(pinned.values())
