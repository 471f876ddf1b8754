# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collections of other people, for benches: `community_collections(venv)` has `community.hashi_vault` and the callbacks that people enable.

They are a part of the package `ansible`, which is downloaded once for each ansible-core and kept in the cache folder.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

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
    target = cache_home() / f"community-{venv.name}"
    with locked(target.name):
        if not target.exists():
            print(f"Getting the collections of other people for {venv.name} ...", file=sys.stderr, flush=True)
            _unpack(venv, target)
    return target


def _unpack(venv: pathlib.Path, target: pathlib.Path) -> None:
    python = str(venv / "bin" / "python")
    code = "import ansible.release; print(ansible.release.__version__)"
    core = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    # The package `ansible` counts ansible-core's minor versions: 9 is for 2.16.
    major = int(core.split(".")[1]) - 7
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest", scratch, f"ansible<{major + 1}"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        (wheel,) = pathlib.Path(scratch).glob("ansible-*.whl")
        unpacked = pathlib.Path(scratch) / "unpacked"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked, [name for name in archive.namelist() if name.startswith(_PARTS)])
        shutil.move(unpacked, target)
