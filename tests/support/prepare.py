# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Before the tests: get what takes long or needs the system's packages, and say which half will not run.

    python tests/support/prepare.py

The tests would get it all by themselves; here a person sees why it takes a while, and no test's time limit runs meanwhile.
"""

from __future__ import annotations

import os
import sys
import typing as t

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import hashicorp, sshd, vault
from support.places import in_ci
from support.processes import Unavailable

PARTS: t.Final[dict[str, t.Callable[[], object]]] = {
    "OpenBao": lambda: vault.binary("openbao"),
    "HashiCorp Vault": hashicorp.find,
    "ssh hosts": lambda: sshd.find_sshd().binary,
}


def main() -> int:
    missing = 0
    for name, find in PARTS.items():
        try:
            print(f"{name}: {find()}", flush=True)
        except Unavailable as exc:
            missing += 1
            print(f"{name}: THE TESTS THAT NEED IT WILL NOT RUN: {exc}", flush=True)
    # In CI everything must run.
    return 1 if missing and in_ci() else 0


if __name__ == "__main__":
    sys.exit(main())
