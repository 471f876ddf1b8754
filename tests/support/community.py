# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Third-party collections for benches: `community_collections(venv)` has `community.hashi_vault` and the callbacks that people enable.

They are part of the package `ansible`, which is downloaded once for each ansible-core and kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

from .bootstrap import REQUIREMENTS
from .places import cache_home, locked

_PARTS = (
    "ansible_collections/community/hashi_vault/",
    "ansible_collections/ansible/posix/",
    "ansible_collections/community/general/meta/",
    "ansible_collections/community/general/MANIFEST.json",
    "ansible_collections/community/general/plugins/callback/",
)


def community_collections(venv: pathlib.Path) -> pathlib.Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH, for the ansible-core of that environment."""
    code = "import ansible.release; print(ansible.release.__version__)"
    version = subprocess.run([str(venv / "bin" / "python"), "-c", code], capture_output=True, text=True, check=True).stdout
    core = ".".join(version.split(".")[:2])
    lock_file = REQUIREMENTS / f"community-{core}.txt"
    target = cache_home() / f"community-{core}-{hashlib.sha256(lock_file.read_bytes()).hexdigest()[:12]}"
    with locked(target.name):
        if not target.exists():
            print(f"Getting the collections of other people for ansible-core {core} ...", file=sys.stderr, flush=True)
            _unpack(venv, lock_file, target)
    return target


def _unpack(venv: pathlib.Path, lock_file: pathlib.Path, target: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        command = [str(venv / "bin" / "python"), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", scratch]
        command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(lock_file)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        (wheel,) = pathlib.Path(scratch).glob("ansible-*.whl")
        unpacked = pathlib.Path(scratch) / "unpacked"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked, [name for name in archive.namelist() if name.startswith(_PARTS)])
        shutil.move(unpacked, target)
