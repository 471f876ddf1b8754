# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on many hosts: one `token_file` task with four tokens, compared with one `copy` task with one file in the same plays.

The hosts are real ssh hosts on loopback addresses. This machine does the work of all of them, so the ratio counts, not the seconds.
If root runs this, the hosts have a separate user, so that root's shell profile is not measured. The tokens are already cached, as in a
fleet that runs the role from cron. The order of the two tasks alternates between rounds, and connections stay open for a whole round.
"""

from __future__ import annotations

import itertools
import json
import os
import typing as t

from support.ansible import Run
from support.sshd import SshHosts
from support.stage import BUILT_IN, Stage

from bench.plays import Scene, play
from bench.results import Table, compared
from bench.sections import IDLE, Size

_TASKS = {
    "copy": """
    - name: Copy one file
      ansible.builtin.copy:
        content: one file
        dest: "{{ host_root }}/note"
        mode: "0600"
""",
    "token_file": """
    - name: Four tokens
      trackops.api_tokens.token_file:
        tokens: FOUR
""",
}
_CLOCK = """
    - name: Clock
      ansible.builtin.debug:
        msg: "{{ now(utc=true).timestamp() }}"
      run_once: true
"""
_HEAD = """
- hosts: fleet
  gather_facts: false
  tasks:
    - name: Connect
      ansible.builtin.ping:
"""
_CASES = ("new files", "nothing to change")
_FORKS = 20
_GOAL = 0.5  # the ratio to the time of `copy`
_REPORT = 60.0  # seconds


def hosts(place: Scene, size: Size) -> t.Iterator[Table]:
    """`token_file` on ssh hosts, and on many local ones."""
    stage = Stage(vault=place.vault, emulator=place.emulator, ansible=place.ansible)
    stage.store_all()
    warm_up = json.dumps({"tokens": [{"vendor": vendor} for vendor in BUILT_IN]})
    _checked(stage.adhoc("localhost", "-m", "trackops.api_tokens.token_cache", "-a", warm_up))
    # First, because ssh clients left by the others are charged to whatever is being measured when they end.
    yield _on_local_hosts(place, stage, size)
    yield _status(place, stage, size)
    yield _on_ssh_hosts(place, stage, size)


def _on_ssh_hosts(place: Scene, stage: Stage, size: Size) -> Table:
    spent: dict[str, dict[str, list[float]]] = {case: {name: [] for name in _TASKS} for case in _CASES}
    with SshHosts(count=size.ssh_hosts, unprivileged=os.geteuid() == 0) as machines:
        for number in range(size.ssh_rounds):
            order = sorted(_TASKS, reverse=number % 2 == 1)
            for case, seconds in _round(stage, machines, order).items():
                for name, value in seconds.items():
                    spent[case][name].append(value)
    rows = [
        compared(f"{name}, {case}", values, spent[case]["copy"], against="copy", unit="s", limit=_GOAL if name == "token_file" else None)
        for case in _CASES
        for name, values in spent[case].items()
    ]
    title = f"Files on {size.ssh_hosts} ssh hosts, one task, {_FORKS} forks, wall-clock time, {size.ssh_rounds} rounds"
    return Table("hosts", title, place.version, tuple(rows))


def _round(stage: Stage, machines: SshHosts, order: list[str]) -> dict[str, dict[str, float]]:
    """The seconds of both tasks in each case, measured in one play."""
    machines.clear()
    steps = "".join(_CLOCK + _TASKS[name].replace("FOUR", _four("{{ host_root }}")) for _case in _CASES for name in order)
    # Pipelining has its default, as for users who set nothing: off for copy, and turned on by our modules for themselves.
    env = {"ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=3600s", "ANSIBLE_FORKS": str(_FORKS)}
    run = _checked(stage.playbook(_HEAD + steps + _CLOCK, inventory=machines.inventory(), env=env, timeout=7200))
    clocks = [float(task.result["msg"]) for task in run.find("Clock")]
    spent = iter([after - before for before, after in itertools.pairwise(clocks)])
    return {case: {name: next(spent) for name in order} for case in _CASES}


def _on_local_hosts(place: Scene, stage: Stage, size: Size) -> Table:
    """The same task on few and on many hosts: the cost per host must not grow."""
    folder = place.ansible.workdir / "local"
    task = {"trackops.api_tokens.token_file": {"tokens": json.loads(_four(f"{folder}/{{{{ inventory_hostname }}}}"))}}
    spent: dict[int, float] = {}
    for count in size.local_hosts:
        for number in range(count):
            (folder / f"host{number:04}").mkdir(parents=True, exist_ok=True)
        variables = {**stage.variables, **place.variables}
        env = {**place.env, **{key: value for key, value in stage.environment().items() if value is not None}}
        without = place.playbook(play(IDLE), hosts=count, forks=_FORKS, env=env, variables=variables).cpu
        spent[count] = (place.playbook(play(task), hosts=count, forks=_FORKS, env=env, variables=variables).cpu - without) / count
    few, many = size.local_hosts
    rows = [compared(f"{count:,} hosts", [value], [spent[few]], against=f"{few} hosts", limit=1.1 if count == many else None) for count, value in spent.items()]
    return Table("hosts", f"Four tokens on local hosts, one task, {_FORKS} forks, CPU per host", place.version, tuple(rows))


def _status(place: Scene, stage: Stage, size: Size) -> Table:
    """The status report on the hosts that `_on_local_hosts` has left: the report and its files, without the task that looks at the hosts."""
    count, folder = max(size.local_hosts), place.ansible.workdir / "local"
    given = {**place.variables, "provision_tokens": json.loads(_four(f"{folder}/{{{{ inventory_hostname }}}}"))}
    files = {f"status_{kind}": f"{folder}/status.{ending}" for kind, ending in (("html", "html"), ("json", "json"), ("textfile", "prom"))}
    run = _checked(
        stage.playbook(
            "trackops.api_tokens.status",
            *("--forks", str(_FORKS), "-e", json.dumps({**given, **files})),
            inventory=place.ansible.workdir / f"hosts-{count}",
            timeout=7200,
        )
    )
    looked = max(task.ended for task in run.find("Look at the files"))
    reported = max(task.ended for task in run.tasks) - looked
    row = compared("the report", [reported], [_REPORT], against=f"{_REPORT:.0f} s", unit="s", limit=1.0)
    return Table("hosts", f"The status of {count:,} hosts with four tokens each, wall-clock time, without reading the hosts", place.version, (row,))


def _four(folder: str) -> str:
    return json.dumps([{"vendor": vendor, "dest": f"{folder}/{vendor}"} for vendor in BUILT_IN])


def _checked(run: Run) -> Run:
    if run.rc:
        raise SystemExit(str(run)[-3000:])
    return run


__all__ = ("hosts",)
