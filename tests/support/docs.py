# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Build the documentation site, with warnings as errors.

    make docs                          into build/docs

The guides are docs/*.md and docs/docsite/rst; the rest comes from the plugins' own documentation.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.collection import NAME, NAMESPACE, installed
from support.places import ROOT
from support.readme import pages

SITE = ROOT / "build" / "docs"
_BIN = pathlib.Path(sys.executable).parent
_PAGES = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md", "tests/README.md")


def build(target: pathlib.Path) -> None:
    """Build the site's HTML in *target*; if something is wrong, print it and raise CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="trackops-docs-") as folder:
        source = pathlib.Path(folder, "site")
        shutil.copytree(ROOT / "docs" / "docsite" / "site", source)
        shutil.copytree(ROOT / "docs", source / "docs", ignore=shutil.ignore_patterns("docsite"))
        for name in _PAGES:
            (source / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, source / name)
        env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(installed()), "PATH": os.pathsep.join([str(_BIN), os.environ.get("PATH", os.defpath)])}
        # Each run has its own HOME, without the developer's configuration.
        env.update(HOME=folder, PYENV_ROOT=os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
        collection = f"{NAMESPACE}.{NAME}"
        _run(env, "antsibull-docs", "collection", "--use-current", "--fail-on-error", "--no-indexes", "--dest-dir", str(source), collection)
        shutil.rmtree(target, ignore_errors=True)
        options = ["--fail-on-warning", "--keep-going", "-q", "-b", "html", "-d", str(pathlib.Path(folder, "trees")), "-D", f"trackops_pages={pages()}"]
        _run(env, "sphinx-build", *options, str(source), str(target))


def _run(env: dict[str, str], program: str, *arguments: str) -> None:
    subprocess.run([str(_BIN / program), *arguments], env=env, check=True)


def main(target: pathlib.Path) -> int:
    try:
        build(target)
    except subprocess.CalledProcessError as exc:
        return int(exc.returncode)
    print(f"The site is here: {target}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SITE))
