# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make load`: put load on real servers, measure what it costs them, and check that all promises hold.

python tests/load/run.py                              5,000 hosts, 64 controllers, thousands of renewals, with OpenBao
python tests/load/run.py renewals --seconds 30        one part
python tests/load/run.py --small                      takes a minute
python tests/load/run.py --write                      also write the figures to docs/load.md

The exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.places import ROOT
from support.vault import FLAVOURS

from load.parts import PARTS, Part, Size, scene

PAGE = ROOT / "docs" / "load.md"
BEGIN, END = "<!-- figures: written by make load -->", "<!-- end of the figures -->"
# On a busy machine, two seconds pass before a token reaches its caller, and that is reported.
SMALL = Size(hosts=50, forks=10, controllers=8, seconds=12, tokens=2, callers=2, lifetime=5)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--flavour", choices=FLAVOURS, default="openbao")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/load.md")
    for field in dataclasses.fields(Size):
        parser.add_argument(f"--{field.name}", type=int)
    options = parser.parse_args()
    unknown = set(options.part) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {min(unknown)}; known: {', '.join(PARTS)}")
    given = {field.name: value for field in dataclasses.fields(Size) if (value := getattr(options, field.name)) is not None}
    parts = run(dataclasses.replace(SMALL if options.small else Size(), **given), options.part or list(PARTS), flavour=options.flavour)
    if options.write:
        write(parts)
    wrong = [f"{part.name}: {text}" for part in parts for text in part.wrong]
    print("\n".join(wrong) or "All requirements are met.")
    return 1 if wrong else 0


def run(size: Size, names: list[str], *, flavour: str = "openbao") -> list[Part]:
    parts = []
    with scene(flavour) as place:
        for name in names:
            for part in PARTS[name](place, size):
                parts.append(part)
                print(as_text(part), flush=True)
    return parts


def as_text(part: Part) -> str:
    return "\n".join([part.name, *(f"  {name:52}{value:>12}" for name, value in part.figures.items()), ""])


def write(parts: list[Part], *, page: pathlib.Path = PAGE) -> None:
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no markers for the figures: {BEGIN} … {END}")
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    lines = [f"Measured on {day} on {os.cpu_count()} cores, which did the work of the servers and of all controllers.", ""]
    for part in parts:
        lines += [f"**{part.name[0].upper()}{part.name[1:]}**", "", "| | |", "|---|---:|"]
        lines += [f"| {name} | {value} |" for name, value in part.figures.items()]
        lines += [f"| **requirement not met** | {text} |" for text in part.wrong]
        lines.append("")
    page.write_text(f"{before}{BEGIN}\n\n{chr(10).join(lines)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
