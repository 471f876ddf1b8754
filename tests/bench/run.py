# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`: what a cached token costs a play, against peers in the same run, on the oldest and the newest ansible-core.

    python tests/bench/run.py                          everything
    python tests/bench/run.py worker --core 2.21       one section on one core, while you work
    python tests/bench/run.py play --quick             fewer hosts and rounds

CPU time is measured, user and system, of the controller and all its forks. Two runs on two machines are not compared: ratios are.
The exit code is 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.matrix import CORES

from bench.measure import adopt_orphans
from bench.plays import OURS, Scene, debug, play, scene
from bench.results import Row, Table, as_text, compared

OLDEST, NEWEST = min(CORES, key=lambda core: int(core[2:])), max(CORES, key=lambda core: int(core[2:]))
TOKEN_INFO = {"trackops.api_tokens.token_info": {"vendor": "trackunit"}, "run_once": True}


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is measured."""

    forks_rounds: int = 15
    template_rounds: int = 5
    calls: int = 400
    hosts: int = 100
    rounds: int = 3
    play_hosts: int = 500
    play_rounds: int = 1


QUICK = Size(forks_rounds=7, template_rounds=3, calls=100, hosts=30, rounds=2, play_hosts=50)


def worker(place: Scene, size: Size) -> t.Iterator[Table]:
    """The first lookup of a fresh worker, and the next ones in the same template."""
    given = place.expressions()
    empty = {"empty lookup": "lookup('bench.empty.trackunit')", "empty, options not read": "lookup('bench.empty.trackunit_bare')"}
    spent = place.in_worker({**given, **empty}, rounds=size.forks_rounds)
    base = spent["empty lookup"]
    rows = [
        compared(name, values, base, against="empty lookup", judged="least to least", limit=1.5 if name == "ours" else None) for name, values in spent.items()
    ]
    yield Table("worker", f"The first lookup of a worker, CPU, {size.forks_rounds} forks", place.version, tuple(rows))

    loads: dict[str, dict[str, list[str]]] = {
        "after token_info": {"actions": ["trackops.api_tokens.token_info"]},
        "with the callback summary": {"callbacks": ["trackops.api_tokens.summary"]},
    }
    rows = []
    for name, loaded in loads.items():
        warm = place.in_worker({"file": given["lookup('file')"], "ours": OURS}, rounds=size.forks_rounds, **loaded)
        rows.append(compared(name, warm["ours"], warm["file"], against="lookup('file')", judged="least to least"))
    yield Table("worker", f"The first lookup of a worker whose parent has loaded ours, CPU, {size.forks_rounds} forks", place.version, tuple(rows))

    many = {name: f"{{% for _ in range({size.calls}) %}}{{{{ {given[name]} }}}}{{% endfor %}}" for name in ("lookup('file')", "ours")}
    once = {f"{name}, once": given[name] for name in many}
    spent = place.in_worker({**many, **once}, rounds=size.template_rounds)
    each = {name: [(all_ - first) / (size.calls - 1) for all_, first in zip(spent[name], spent[f"{name}, once"], strict=True)] for name in many}
    base = each["lookup('file')"]
    rows = [
        compared(name, values, base, against="lookup('file')", judged="least to least", limit=2.5 if name == "ours" else None) for name, values in each.items()
    ]
    yield Table("worker", f"The next lookups, {size.calls} in one template, CPU each", place.version, tuple(rows))


def task(place: Scene, size: Size) -> t.Iterator[Table]:
    """One task on many hosts, over a play that does nothing on them."""
    given = place.expressions()
    idle = {"ansible.builtin.meta": "noop"}
    cases: dict[str, tuple[list[dict[str, t.Any]], dict[str, str]]] = {
        **{name: ([debug(expression)], {}) for name, expression in given.items()},
        "ours, after token_info": ([TOKEN_INFO, debug(OURS)], {}),
        "ours, with summary": ([debug(OURS)], {"ANSIBLE_CALLBACKS_ENABLED": "trackops.api_tokens.summary"}),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _round in range(size.rounds):
        nothing = place.playbook(play(idle), hosts=size.hosts).cpu
        for name, (tasks, env) in cases.items():
            spent[name].append((place.playbook(play(*tasks), hosts=size.hosts, env=env).cpu - nothing) / size.hosts)
    base = spent["constant"]
    limits = {"ours, after token_info": 1.3, "ours, with summary": 1.3}
    rows = [compared(name, values, base, against="constant", limit=limits.get(name)) for name, values in spent.items()]
    yield Table("task", f"A task on each of {size.hosts} hosts, 10 forks, CPU for each host, {size.rounds} rounds", place.version, tuple(rows))


def whole_play(place: Scene, size: Size) -> t.Iterator[Table]:
    """Four tasks on many hosts, all in all."""
    given = place.expressions()
    cases = {name: play(*[debug(expression)] * 4) for name, expression in given.items()}
    cases["ours, after token_info"] = play(*[debug(OURS)] * 4, before=[TOKEN_INFO])
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _round in range(size.play_rounds):
        for name, plays in cases.items():
            spent[name].append(place.playbook(plays, hosts=size.play_hosts).cpu)
    goals = (
        ("ours", "hashi_vault, token", 1 / 3),
        ("ours", "hashi_vault, userpass", 1 / 4),
        ("ours, after token_info", "hashi_vault, token", 1 / 5),
        ("ours, after token_info", "hashi_vault, userpass", 1 / 7),
    )
    rows: list[Row] = [compared(name, values, spent["constant"], against="constant", unit="s") for name, values in spent.items()]
    rows += [compared(mine, spent[mine], spent[theirs], against=theirs, unit="s", limit=round(limit, 2)) for mine, theirs, limit in goals]
    yield Table("play", f"{size.play_hosts} hosts, four tasks, 10 forks, CPU of the whole play", place.version, tuple(rows))


SECTIONS: dict[str, t.Callable[[Scene, Size], t.Iterator[Table]]] = {"worker": worker, "task": task, "play": whole_play}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; all of them if none is named")
    parser.add_argument("--core", action="append", choices=list(CORES))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    adopt_orphans()
    tables: list[Table] = []
    for core in options.core or (OLDEST, NEWEST):
        with scene(core) as place:
            for name in options.sections or SECTIONS:
                for table in SECTIONS[name](place, QUICK if options.quick else Size()):
                    tables.append(table)
                    print(as_text(table), flush=True)
    missed = [f"{table.core}: {row.name} against {row.against}: {row.figure:.2f} of {row.limit:.2f}" for table in tables for row in table.missed]
    print("\n".join(["Goals missed:", *missed]) if missed else "All goals are met.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
