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

from bench.docs import write_docs
from bench.measure import adopt_orphans
from bench.plays import OURS, Scene, debug, play, scene
from bench.results import Row, Table, as_text, compared, keep

KEPT = pathlib.Path(__file__).resolve().parent.parent / "output" / "bench.json"
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
    entries: int = 10_000


QUICK = Size(forks_rounds=7, template_rounds=3, hosts=20, rounds=2, play_hosts=50, entries=1000)


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

    loads: dict[str, tuple[list[str], list[str]]] = {
        "after token_info": (["trackops.api_tokens.token_info"], []),
        "with the callback summary": ([], ["trackops.api_tokens.summary"]),
    }
    rows = []
    for name, (actions, callbacks) in loads.items():
        warm = place.in_worker({"file": given["lookup('file')"], "ours": OURS}, rounds=size.forks_rounds, actions=actions, callbacks=callbacks)
        rows.append(compared(name, warm["ours"], warm["file"], against="lookup('file')", judged="least to least"))
    yield Table("worker", f"The first lookup of a worker whose parent has loaded ours, CPU, {size.forks_rounds} forks", place.version, tuple(rows))

    many = {name: f"{{% for _ in range({size.calls}) %}}{{{{ {given[name]} }}}}{{% endfor %}}" for name in ("lookup('file')", "ours")}
    once = {f"{name}, once": given[name] for name in many}
    spent = place.in_worker({**many, **once}, rounds=size.template_rounds)
    # The least first one is taken off each: its own noise is as large as many of the next ones.
    each = {name: [(all_ - min(spent[f"{name}, once"])) / (size.calls - 1) for all_ in spent[name]] for name in many}
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


def uri(place: Scene, size: Size) -> t.Iterator[Table]:
    """A request to the vendor's API from each host: with a token in the text, with our header, with `api_request`."""
    token = list(place.emulator.vendors["trackunit"].tokens.access)[-1]
    url = f"{place.emulator.base_url('trackunit')}/api/things"

    def request(headers: t.Any) -> dict[str, t.Any]:
        return {"ansible.builtin.uri": {"url": url, "headers": headers}, "no_log": True}

    header = "{{ lookup('trackops.api_tokens.trackunit', output='headers') }}"
    cases: dict[str, list[dict[str, t.Any]]] = {
        "uri, token in its text": [request({"Authorization": f"Bearer {token}"})],
        "uri, our header": [request(header)],
        "uri, our header, after token_info": [TOKEN_INFO, request(header)],
        "api_request": [{"trackops.api_tokens.api_request": {"vendor": "trackunit", "url": url}}],
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _round in range(size.rounds):
        nothing = place.playbook(play({"ansible.builtin.meta": "noop"}), hosts=size.hosts).cpu
        for name, tasks in cases.items():
            spent[name].append((place.playbook(play(*tasks), hosts=size.hosts).cpu - nothing) / size.hosts)
    base = spent["uri, token in its text"]
    limits = {"uri, our header, after token_info": 1.1, "api_request": 1.1}
    rows = [compared(name, values, base, against="uri, token in its text", limit=limits.get(name)) for name, values in spent.items()]
    yield Table("uri", f"A request from each of {size.hosts} hosts, CPU for each host, {size.rounds} rounds", place.version, tuple(rows))


def cold(place: Scene, size: Size) -> t.Iterator[Table]:
    """A token that is in no cache, over what the import of hvac costs."""
    spent = place.in_worker(
        {"ours, no cache": "lookup('trackops.api_tokens.trackunit', cache='none')"}, rounds=size.forks_rounds, codes={"import hvac": "import hvac"}
    )
    over = [whole - hvac for whole, hvac in zip(spent["ours, no cache"], spent["import hvac"], strict=True)]
    rows = [
        compared("import hvac", spent["import hvac"], spent["import hvac"], against="import hvac"),
        compared("ours, no cache", spent["ours, no cache"], spent["import hvac"], against="import hvac"),
        compared("ours, over the import", over, [0.150] * len(over), against="150 ms", limit=1.0, judged="least to least"),
    ]
    yield Table("cold", f"A token that has to be fetched, CPU, {size.forks_rounds} forks", place.version, tuple(rows))


def growth(place: Scene, size: Size) -> t.Iterator[Table]:
    """The same lookup with more hosts, more forks, more entries; and its memory."""
    tasks = [TOKEN_INFO, debug(OURS)]
    per_host: dict[str, list[float]] = {}
    for hosts in (10, size.hosts, size.play_hosts):
        idle = place.playbook(play(TOKEN_INFO), hosts=hosts)
        per_host[f"{hosts} hosts, 10 forks"] = [(place.playbook(play(*tasks), hosts=hosts).cpu - idle.cpu) / hosts]
    for forks in (1, 50):
        idle = place.playbook(play(TOKEN_INFO), hosts=size.hosts, forks=forks)
        per_host[f"{size.hosts} hosts, {forks} forks"] = [(place.playbook(play(*tasks), hosts=size.hosts, forks=forks).cpu - idle.cpu) / size.hosts]
    base = per_host[f"{size.hosts} hosts, 10 forks"]
    rows = [compared(name, values, base, against=f"{size.hosts} hosts, 10 forks") for name, values in per_host.items()]
    yield Table("growth", "A task with a cached token, CPU for each host", place.version, tuple(rows))

    few = place.in_worker({"few": OURS}, rounds=size.forks_rounds)["few"]
    crowd(place.ansible.cache / "trackops" / "api_tokens", size.entries)
    many = place.in_worker({"many": OURS}, rounds=size.forks_rounds)["many"]
    row = compared(f"{size.entries:,} entries", many, few, against="1 entry", judged="least to least", limit=1.1)
    yield Table("growth", "The first lookup of a worker, by the entries in the cache, CPU", place.version, (row,))

    plain = [place.playbook(play(debug("'constant'")), hosts=size.hosts).peak_mib for _ in range(size.rounds)]
    ours = [place.playbook(play(debug(OURS)), hosts=size.hosts).peak_mib for _ in range(size.rounds)]
    over = [mine - other for mine, other in zip(ours, plain, strict=True)]
    row = compared("over a play without us", over, [2.0] * len(over), against="2 MiB", unit="MiB", limit=1.0)
    yield Table("growth", "The largest process of a play, resident memory", place.version, (row,))


def crowd(cache: pathlib.Path, count: int) -> None:
    """Entries of others, as many as a big fleet has."""
    found = [path for path in cache.iterdir() if path.name != "key" and not path.name.endswith((".lock", ".tmp"))]
    for number in range(count):
        for path in found:
            copy = cache / f"{number:032x}{path.suffix}"
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o600)


SECTIONS: dict[str, t.Callable[[Scene, Size], t.Iterator[Table]]] = {
    "worker": worker,
    "task": task,
    "uri": uri,
    "cold": cold,
    "play": whole_play,
    "growth": growth,
}
# What asks the vendor on purpose.
FETCHING = {"cold"}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; all of them if none is named")
    parser.add_argument("--core", action="append", choices=list(CORES))
    parser.add_argument("--quick", action="store_true", help="fewer hosts and rounds")
    parser.add_argument("--write", action="store_true", help="put the tables and the plot into docs/")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    adopt_orphans()
    size = QUICK if options.quick else Size()
    tables: list[Table] = []
    for core in options.core or (OLDEST, NEWEST):
        with scene(core) as place:
            for name in options.sections or SECTIONS:
                before = place.fetched
                for table in SECTIONS[name](place, size):
                    tables.append(table)
                    print(as_text(table), flush=True)
                if name not in FETCHING and place.fetched != before:
                    raise SystemExit(f"{name}: the token was fetched again, so this measured no cache hit")
    # A section may be measured alone, when the machine is quiet; its ratios are of one run all the same.
    everything = keep(KEPT, tables)
    if options.write:
        write_docs(sorted(everything, key=lambda table: (list(SECTIONS).index(table.section), table.core)))
    missed = [f"{table.core}: {row.name} against {row.against}: {row.figure:.2f} of {row.limit:.2f}" for table in tables for row in table.missed]
    print("\n".join(["Goals missed:", *missed]) if missed else "All goals are met.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
