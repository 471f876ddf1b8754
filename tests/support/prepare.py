# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Before the tests: get what takes long or needs system packages, and report which tests will not run.

    python tests/support/prepare.py                         all of it
    python tests/support/prepare.py ansible-core OpenBao    the parts whose names begin so

The tests would get it all themselves; here a person sees why it takes a while, and no test's time limit is running.
"""

from __future__ import annotations

import os
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from functools import partial

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support import actionlint, bootstrap, hashicorp, keycloak, matrix, oauth_servers, sanity, sshd, targets, vault
from support.places import in_ci
from support.processes import Unavailable

_Find = t.Callable[[], object]


def parts() -> dict[str, _Find]:
    """What the tests need besides this environment, slowest first."""
    pythons = {f"Python {version} for hosts": partial(targets.find_interpreter, version) for version in targets.PYTHONS if version != "this"}
    cores = {str(one): partial(matrix.matrix_venv, one) for one in matrix.combinations()}
    return {
        "HashiCorp Vault": hashicorp.find,
        "Keycloak": keycloak.find,
        **cores,
        "actionlint": actionlint.find,
        "django-oauth-toolkit": oauth_servers.django,
        "oidc-provider": oauth_servers.npm_packages,
        "the modules of an old ansible-core": targets.oldest_library,
        **{f"the environment of make {kind}": partial(bootstrap.environment, kind) for kind in ("fast", "docs")},
        "what ansible-test sanity installs": sanity.find_home,
        "OpenBao": lambda: vault.binary("openbao"),
        "ssh hosts": lambda: sshd.find_sshd().binary,
        **pythons,
    }


def main(beginnings: t.Sequence[str] = ()) -> int:
    wanted = {name: find for name, find in parts().items() if name.startswith(tuple(beginnings) or "")}
    # Vault is built while downloads wait for the network.
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(wanted, pool.map(_find, wanted.values()), strict=True))
    for name, (here, text) in found.items():
        print(f"{name}: {text}" if here else f"{name}: TESTS THAT NEED IT WILL BE SKIPPED: {text}", flush=True)
    # In CI everything must run.
    return 1 if in_ci() and not all(here for here, _told in found.values()) else 0


def _find(find: _Find) -> tuple[bool, object]:
    try:
        return True, find()
    except (Unavailable, SystemExit) as exc:
        return False, exc


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
