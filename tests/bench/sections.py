# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sections of measurements with one ansible-core."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

from bench.plays import OURS, Scene, debug, play
from bench.results import Row, Table, compared

TOKEN_INFO = {"trackops.api_tokens.token_info": {"vendor": "trackunit"}, "run_once": True}
SUMMARY = {"ANSIBLE_CALLBACKS_ENABLED": "trackops.api_tokens.summary"}
IDLE = {"ansible.builtin.meta": "noop"}
PEERS = ("hashi_vault, token", "hashi_vault, userpass")
WARM = 1.3  # limit for the ratio to the constant task, if the parent has loaded what lookups need


@dataclasses.dataclass(frozen=True)
class Size:
    """The size of the measurements."""

    forks_rounds: int = 15
    template_rounds: int = 5
    calls: int = 400
    hosts: int = 100
    rounds: int = 2
    task_rounds: int = 6  # not for the peers; noise in a single play exceeds the margin of a goal of 1.3
    requests: int = 40  # hosts that ask the vendor's API
    request_rounds: int = 2
    play_hosts: int = 500
    growth: tuple[int, ...] = (10, 5000)  # hosts
    forks: tuple[int, ...] = (1, 50)
    entries: int = 10_000
    ssh_hosts: int = 100
    ssh_rounds: int = 2
    local_hosts: tuple[int, int] = (100, 1000)
    controllers: int = 64


QUICK = Size(7, 3, hosts=20, task_rounds=3, requests=10, play_hosts=30, growth=(10, 50), entries=1000, ssh_hosts=10, local_hosts=(10, 50), controllers=16)


def worker(place: Scene, size: Size) -> t.Iterator[Table]:
    """The first lookup of a fresh worker, and the next ones in the same template."""
    given = place.expressions()
    empty = {"empty lookup": "lookup('bench.empty.trackunit')", "empty, options not read": "lookup('bench.empty.trackunit_bare')"}
    spent = place.in_worker({**given, **empty}, rounds=size.forks_rounds)
    base = spent["empty lookup"]
    rows = [compared(name, values, base, against="empty lookup", limit=1.5 if name == "ours" else None) for name, values in spent.items()]
    yield Table("worker", f"The first lookup of a worker, CPU, {size.forks_rounds} forks", place.version, tuple(rows))

    loads: dict[str, tuple[list[str], list[str]]] = {
        "after token_info": (["trackops.api_tokens.token_info"], []),
        "with the callback summary": ([], ["trackops.api_tokens.summary"]),
    }
    rows = []
    for name, (actions, callbacks) in loads.items():
        warm = place.in_worker({"file": given["lookup('file')"], "ours": OURS}, rounds=size.forks_rounds, actions=actions, callbacks=callbacks)
        rows.append(compared(name, warm["ours"], warm["file"], against="lookup('file')"))
    yield Table("worker", f"The first lookup of a worker whose parent has loaded ours, CPU, {size.forks_rounds} forks", place.version, tuple(rows))

    many = {name: f"{{% for _ in range({size.calls}) %}}{{{{ {given[name]} }}}}{{% endfor %}}" for name in ("lookup('file')", "ours")}
    once = {f"{name}, once": given[name] for name in many}
    spent = place.in_worker({**many, **once}, rounds=size.template_rounds)
    # Subtract the cheapest first call from each, because the noise of a first call is as large as many next calls.
    each = {name: [(all_ - min(spent[f"{name}, once"])) / (size.calls - 1) for all_ in spent[name]] for name in many}
    base = each["lookup('file')"]
    rows = [compared(name, values, base, against="lookup('file')", limit=2.5 if name == "ours" else None) for name, values in each.items()]
    yield Table("worker", f"The next lookups, {size.calls} in one template, CPU each", place.version, tuple(rows))


def options(place: Scene, size: Size) -> t.Iterator[Table]:
    """What it costs Ansible to learn the options of a lookup: parsed from the documentation, or read from the file next to our code."""
    read = (
        "import json; from ansible import constants as C; "
        f"C.config.initialize_plugin_configuration_definitions('lookup', 'bench', json.load(open('{place.definitions / 'trackunit.json'}', encoding='utf-8')))"
    )
    bare, parsed = "lookup('bench.empty.nothing')", "lookup('bench.empty.trackunit_bare')"
    spent = place.in_worker({"nothing": bare, "documented": parsed}, rounds=size.forks_rounds, codes={"read": read})
    over = [whole - least for whole, least in zip(spent["documented"], spent["nothing"], strict=True)]
    goal = [0.015] * len(over)
    rows = (
        compared("the documentation, parsed", over, goal, against="15 ms"),
        compared("ours, from its file", spent["read"], goal, against="15 ms", limit=1.0),
    )
    yield Table("options", f"Reading the options of a lookup, CPU, {size.forks_rounds} forks", place.version, rows)


def task(place: Scene, size: Size) -> t.Iterator[Table]:
    """The cost of one task on many hosts, beyond the same play without it."""
    given = place.expressions()
    cases: dict[str, tuple[dict[str, t.Any], str, dict[str, str]]] = {
        **{name: (IDLE, expression, {}) for name, expression in given.items()},
        "ours, after token_info": (TOKEN_INFO, OURS, {}),
        "ours, with summary": (IDLE, OURS, SUMMARY),
    }
    whole: dict[str, list[float]] = {name: [] for name in cases}
    without: dict[str, float] = {}
    for turn in range(size.task_rounds):
        for name, (first, expression, env) in cases.items():
            if turn >= size.rounds and name in PEERS:
                continue
            alone = place.playbook(play(first), hosts=size.hosts, env=env).cpu
            without[repr((first, env))] = min(alone, without.get(repr((first, env)), alone))
            whole[name].append(place.playbook(play(first, debug(expression)), hosts=size.hosts, env=env).cpu)
    spent = {name: [(cpu - without[repr((first, env))]) / size.hosts for cpu in whole[name]] for name, (first, _expression, env) in cases.items()}
    base = spent["constant"]
    limits = {"ours, after token_info": WARM, "ours, with summary": WARM}
    rows = [compared(name, values, base[: len(values)], against="constant", limit=limits.get(name)) for name, values in spent.items()]
    yield Table("task", f"A task on each of {size.hosts} hosts, 10 forks, CPU per host, {size.task_rounds} rounds", place.version, tuple(rows))


def whole_play(place: Scene, size: Size) -> t.Iterator[Table]:
    """The cost of four tasks on many hosts, beyond a play without tasks."""
    given, hosts = place.expressions(), size.play_hosts
    cases: dict[str, tuple[dict[str, t.Any], str]] = {name: (IDLE, given[name]) for name in ("constant", "ours", *PEERS)}
    cases["ours, after token_info"] = (TOKEN_INFO, OURS)
    start = min(place.playbook(play(IDLE), hosts=1).cpu for _round in range(size.rounds))
    spent = {name: [(place.playbook(play(first, *[debug(text)] * 4), hosts=hosts).cpu - start) / hosts] for name, (first, text) in cases.items()}
    goals = {
        ("ours", "hashi_vault, token"): 1 / 3,
        ("ours", "hashi_vault, userpass"): 1 / 4,
        ("ours, after token_info", "hashi_vault, token"): 1 / 5,
        ("ours, after token_info", "hashi_vault, userpass"): 1 / 7,
    }
    rows: list[Row] = [compared(name, values, spent["constant"], against="constant") for name, values in spent.items()]
    rows += [compared("constant", spent["constant"], spent[peer], against=peer) for peer in PEERS]
    for (mine, peer), goal in goals.items():
        # A play cannot cost less than its tasks without a lookup. If that exceeds the goal, the goal of a single task applies.
        floor = WARM * spent["constant"][0] / spent[peer][0] if mine != "ours" else 0.0
        rows.append(compared(mine, spent[mine], spent[peer], against=peer, limit=round(max(goal, floor), 2)))
    title = f"Four tasks on each of {hosts} hosts, 10 forks, CPU of the whole play per host"
    yield Table("play", title, place.version, tuple(rows))


def uri(place: Scene, size: Size) -> t.Iterator[Table]:
    """A request to the vendor's API from each host: with a literal token, with our header, and with `api_request`."""
    token = list(place.emulator.vendors["trackunit"].tokens.access)[-1]
    url = f"{place.emulator.base_url('trackunit')}/api/things"

    def request(headers: t.Any) -> dict[str, t.Any]:
        return {"ansible.builtin.uri": {"url": url, "headers": headers}, "no_log": True}

    header = "{{ lookup('trackops.api_tokens.trackunit', output='headers') }}"
    cases: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
        "uri, token in its text": (IDLE, request({"Authorization": f"Bearer {token}"})),
        "uri, our header": (IDLE, request(header)),
        "uri, our header, after token_info": (TOKEN_INFO, request(header)),
        "api_request": (IDLE, {"trackops.api_tokens.api_request": {"vendor": "trackunit", "url": url}}),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _round in range(size.request_rounds):
        without = {repr(first): place.playbook(play(first), hosts=size.requests).cpu for first in (IDLE, TOKEN_INFO)}
        for name, (first, asking) in cases.items():
            spent[name].append((place.playbook(play(first, asking), hosts=size.requests).cpu - without[repr(first)]) / size.requests)
    base = spent["uri, token in its text"]
    limits = {"uri, our header, after token_info": 1.1, "api_request": 1.1}
    rows = [compared(name, values, base, against="uri, token in its text", limit=limits.get(name)) for name, values in spent.items()]
    yield Table("uri", f"A request from each of {size.requests} hosts, CPU per host, {size.request_rounds} rounds", place.version, tuple(rows))


def cold(place: Scene, size: Size) -> t.Iterator[Table]:
    """The cost of an uncached token, beyond the import of hvac."""
    lookup = {"ours, no cache": "lookup('trackops.api_tokens.trackunit', cache='none')"}
    place.vault.mark()
    asked = place.fetched
    spent = place.in_worker(lookup, rounds=size.forks_rounds, codes={"import hvac": "import hvac"})
    vault = [len(place.vault.audit_requests()) / size.forks_rounds]
    vendor = [(place.fetched - asked) / size.forks_rounds]
    over = [whole - hvac for whole, hvac in zip(spent["ours, no cache"], spent["import hvac"], strict=True)]
    rows = (
        compared("import hvac", spent["import hvac"], spent["import hvac"], against="import hvac"),
        compared("ours, no cache", spent["ours, no cache"], spent["import hvac"], against="import hvac"),
        compared("ours, minus import hvac", over, [0.150] * len(over), against="150 ms", limit=1.0),
        compared("Vault requests", vault, [2.0], against="2", unit="each", limit=1.0),
        compared("vendor requests", vendor, [1.0], against="1", unit="each", limit=1.0),
    )
    yield Table("cold", f"Fetching a token, CPU, {size.forks_rounds} forks", place.version, rows)


def growth(place: Scene, size: Size) -> t.Iterator[Table]:
    """The same lookup with more hosts, forks and cache entries, and its memory."""

    def each(expression: str, hosts: int, forks: int = 10) -> list[float]:
        # The largest plays need one round, because they average over many hosts.
        rounds = range(size.rounds if hosts <= size.hosts else 1)
        without = min(place.playbook(play(TOKEN_INFO), hosts=hosts, forks=forks).cpu for _round in rounds)
        return [(min(place.playbook(play(TOKEN_INFO, debug(expression)), hosts=hosts, forks=forks).cpu for _round in rounds) - without) / hosts]

    rows = []
    for hosts in (size.hosts, *size.growth):
        # Ansible's own work per host grows with the number of hosts, and a play on few hosts says little about each.
        constant = each("'constant'", hosts)
        rows.append(compared(f"{hosts:,} hosts, 10 forks", each(OURS, hosts), constant, against="constant", limit=WARM if hosts > size.hosts else None))
    for forks in size.forks:
        # With fewer forks, the controller waits longer, which costs CPU time whatever the task is.
        constant = each("'constant'", size.hosts, forks)
        rows.append(compared(f"{size.hosts} hosts, {forks} forks", each(OURS, size.hosts, forks), constant, against="constant", limit=WARM))
    yield Table("growth", "A task with a cached token, after token_info, CPU per host", place.version, tuple(rows))

    few = place.in_worker({"few": OURS}, rounds=size.forks_rounds)["few"]
    crowd(place.ansible.cache / "trackops" / "api_tokens", size.entries)
    many = place.in_worker({"many": OURS}, rounds=size.forks_rounds)["many"]
    row = compared(f"{size.entries:,} entries", many, few, against="1 entry", limit=1.2)
    yield Table("growth", "The first lookup of a worker, by the number of cache entries, CPU", place.version, (row,))

    plays = {"above a play without this collection": play(debug(OURS)), "the same, after token_info": play(TOKEN_INFO, debug(OURS))}
    least = min(place.playbook(play(debug("'constant'")), hosts=size.hosts).peak_mib for _round in range(size.rounds))
    peaks = {name: min(place.playbook(plays[name], hosts=size.hosts).peak_mib for _round in range(size.rounds)) for name in plays}
    rows = [
        compared(name, [max(0.0, peak - least)], [2.0], against="2 MiB", unit="MiB", limit=1.0 if "after" not in name else None) for name, peak in peaks.items()
    ]
    yield Table("growth", "The largest process of a play, resident memory", place.version, tuple(rows))


def crowd(cache: pathlib.Path, count: int) -> None:
    """Add other entries to the cache, as many as a big fleet has."""
    found = [path for path in cache.iterdir() if path.name != "key" and not path.name.endswith((".lock", ".tmp"))]
    for number in range(count):
        for path in found:
            copy = cache / f"{number:032x}{path.suffix}"
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o600)


__all__ = ("IDLE", "QUICK", "TOKEN_INFO", "Size", "cold", "growth", "options", "task", "uri", "whole_play", "worker")
