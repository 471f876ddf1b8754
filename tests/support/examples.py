# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation: each block of code in README.md, docs/ and the roles' READMEs."""

from __future__ import annotations

import dataclasses
import re
import textwrap
import typing as t

from .places import ROOT

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RST = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s{2,})#.*$|\s+# .*$")


@dataclasses.dataclass(frozen=True)
class Example:
    """``language`` is the language that the block declares; ``page`` is the file, relative to the project."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The lines of a block of commands, without comments and prompts."""
        lines = [_COMMENT.sub("", line.removeprefix("$ ")).strip() for line in self.text.replace("\\\n", " ").splitlines()]
        return [line for line in lines if line]

    @property
    def expressions(self) -> list[str]:
        """The Jinja expressions of a block, which may have comments and blank lines between them."""
        without = "\n".join("" if line.startswith("#") else line for line in self.text.splitlines())
        return [" ".join(part.split()) for part in re.split(r"\n(?=\S)", without) if part.strip()]


def examples() -> list[Example]:
    pages = [ROOT / "README.md", *(ROOT / "roles").rglob("README.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.rst")]
    found = [example for page in sorted(pages) if "docsite/site" not in page.as_posix() for example in _of(page.relative_to(ROOT).as_posix())]
    # README.md comes first, as the other pages use what it sets up.
    return sorted(found, key=lambda example: (example.page != "README.md", example.page, example.line))


def _of(page: str) -> t.Iterator[Example]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in (_RST if page.endswith(".rst") else _FENCED).finditer(text):
        language = {"console": "sh"}.get(found[1], found[1])
        yield Example(page, text.count("\n", 0, found.start()) + 1, language, textwrap.dedent(found[2]).strip("\n") + "\n")
