# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`: measure what a cached token costs a play, against peers in the same run, on the oldest and the newest ansible-core.

    python tests/bench/run.py                          everything
    python tests/bench/run.py worker --core 2.21       one section on one core, while you work
    python tests/bench/run.py play --quick             fewer hosts and rounds

It measures the user and system CPU time of the controller and all its forks. Between machines, only ratios are comparable.
The exit code is 1 if a goal is missed, or a section could not be measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import subprocess
import sys
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.matrix import CORES
from support.processes import StartError, Unavailable

from bench.docs import write_docs
from bench.fleet import fleet
from bench.hosts import hosts
from bench.measure import adopt_orphans
from bench.plays import Scene, scene
from bench.results import Table, as_text, keep
from bench.sections import QUICK, Size, cold, growth, options, task, uri, whole_play, worker

OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "output"
OLDEST, NEWEST = min(CORES, key=lambda core: int(core[2:])), max(CORES, key=lambda core: int(core[2:]))
SECTIONS: dict[str, t.Callable[[Scene, Size], t.Iterator[Table]]] = {
    "worker": worker,
    "options": options,
    "task": task,
    "play": whole_play,
    "uri": uri,
    "cold": cold,
    "growth": growth,
    "hosts": hosts,
    "fleet": fleet,
}
# Sections that ask the vendor on purpose.
FETCHING = {"cold", "hosts", "fleet"}
# Measured only with the newest ansible-core: most of the work happens on hosts, or without Ansible.
ONCE = {"hosts", "fleet"}


def size_of(core: str, *, quick: bool) -> Size:
    """The size for an ansible-core. The oldest gets smaller plays, because its ratios are the same with fewer hosts."""
    if quick:
        return QUICK
    return Size() if core != OLDEST else dataclasses.replace(Size(), play_hosts=150, growth=(10,))


def measured(place: Scene, name: str, size: Size) -> list[Table]:
    """The tables of a section. Raises SystemExit if it could not be measured."""
    before, begun = place.fetched, time.monotonic()
    tables = []
    try:
        for table in SECTIONS[name](place, size):
            tables.append(table)
            print(as_text(table), flush=True)
    except (Unavailable, StartError, subprocess.SubprocessError) as exc:
        raise SystemExit(f"{type(exc).__name__}: {exc}") from None
    if name not in FETCHING and place.fetched != before:
        raise SystemExit("the token was fetched again, so no cache hit was measured")
    print(f"({name} took {time.monotonic() - begun:.0f} s)\n", flush=True)
    return tables


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("sections", nargs="*", metavar="section", help=f"one or more of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--core", action="append", choices=list(CORES))
    parser.add_argument("--quick", action="store_true", help="fewer hosts and rounds")
    parser.add_argument("--write", action="store_true", help="put the tables and the plot into docs/")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; known: {', '.join(SECTIONS)}")
    if given.quick and given.write:
        parser.error("the figures of docs/ are not those of fewer hosts and rounds")
    adopt_orphans()
    cores = given.core or [OLDEST, NEWEST]
    tables: list[Table] = []
    problems: list[str] = []
    for core in cores:
        with scene(core) as place:
            for name in given.sections or SECTIONS:
                if name in ONCE and core != cores[-1]:
                    continue
                try:
                    found = measured(place, name, size_of(core, quick=given.quick))
                except SystemExit as exc:  # continue with the other sections
                    problems.append(f"{core}: {name} could not be measured: {exc}")
                    print(problems[-1], flush=True)
                    continue
                tables += found
                # Sections can be measured separately, when the machine is quiet: the ratios of each still come from one run.
                everything = keep(OUTPUT / ("bench-quick.json" if given.quick else "bench.json"), found)
                if given.write:
                    write_docs(sorted(everything, key=lambda table: (list(SECTIONS).index(table.section), table.core)))
    missed = [f"{table.core}: {row.name} against {row.against}: {row.figure:.2f} of {row.limit:.2f}" for table in tables for row in table.missed]
    print("\n".join(["Goals missed:", *missed]) if missed else "All goals are met.")
    print("\n".join(problems))
    return 1 if missed or problems else 0


if __name__ == "__main__":
    sys.exit(main())
