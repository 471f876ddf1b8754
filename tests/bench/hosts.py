# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`, second part: four tokens onto many hosts with one `token_file` task, beside one `copy` task of one file, in the same runs.

The hosts are real ssh hosts on loopback addresses of this machine, which therefore does the work of all of them: the ratio counts, not
the seconds. For root they have a user of their own, whose shell starts nothing that this machine's root may have in its profile. The
tokens are in the cache before, as they are in a fleet that runs the role from cron. Who goes first changes from round to round, and
connections stay open for all of a round.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from emulator import Emulator
from support.ansible import Ansible, Run
from support.collection import installed
from support.sshd import SshHosts
from support.stage import BUILT_IN, Stage
from support.vault import VaultServer
from support.vaultsetup import Operator

TASKS = {
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
CLOCK = """
    - name: Clock
      ansible.builtin.debug:
        msg: "{{ now(utc=true).timestamp() }}"
      run_once: true
"""
HEAD = """
- hosts: fleet
  gather_facts: false
  tasks:
    - name: Connect
      ansible.builtin.ping:
"""
# Of the time of `copy`.
GOAL = 0.5
CASES = ("new files", "nothing to change")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pipelining", action="store_true")
    options = parser.parse_args()
    four = json.dumps([{"vendor": vendor, "dest": f"{{{{ host_root }}}}/{vendor}"} for vendor in BUILT_IN])
    environment = {
        "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=3600s",
        "ANSIBLE_FORKS": str(options.forks),
        # Unset, it is off for copy, and our modules turn it on for themselves: what users have who set nothing.
        **({"ANSIBLE_PIPELINING": "True"} if options.pipelining else {}),
    }
    with tempfile.TemporaryDirectory() as scratch, VaultServer() as vault, Emulator() as emulator, _hosts(options.hosts) as hosts:
        ansible = Ansible(pathlib.Path(scratch), collections=installed(), env=environment)
        stage = Stage(vault=Operator(vault), emulator=emulator, ansible=ansible)
        stage.store_all()
        warm_up = json.dumps({"tokens": [{"vendor": vendor} for vendor in BUILT_IN]})
        _checked(stage.adhoc("localhost", "-m", "trackops.api_tokens.token_cache", "-a", warm_up))
        print(f"{options.hosts} hosts, {options.forks} forks, pipelining {options.pipelining}: seconds\n")
        print(f"{'round':8}{'':20}{'copy':>10}{'token_file':>12}{'ratio':>8}", flush=True)
        ratios: dict[str, list[float]] = {case: [] for case in CASES}
        for number in range(1, options.rounds + 1):
            order = sorted(TASKS, reverse=number % 2 == 0)
            for case, seconds in _round(stage, hosts, order, four).items():
                ratios[case].append(seconds["token_file"] / seconds["copy"])
                print(f"{number:<8}{case:20}{seconds['copy']:10.2f}{seconds['token_file']:12.2f}{ratios[case][-1]:8.2f}", flush=True)
        for case, found in ratios.items():
            print(f"\n{case}: median ratio {statistics.median(found):.2f} (min {min(found):.2f}, max {max(found):.2f})")
        print(f"\ntoken requests to vendors in all: {len(emulator.requests(kind='token'))}")
        if slower := [case for case, found in ratios.items() if statistics.median(found) > GOAL]:
            raise SystemExit(f"token_file took more than {GOAL} of copy: {', '.join(slower)}")


def _round(stage: Stage, hosts: SshHosts, order: list[str], four: str) -> dict[str, dict[str, float]]:
    """The seconds of the two tasks, for each of the cases, in one play."""
    hosts.clear()
    steps = "".join(CLOCK + TASKS[name].replace("FOUR", four) for _case in CASES for name in order)
    run = _checked(stage.playbook(HEAD + steps + CLOCK, inventory=hosts.inventory(), timeout=7200))
    clocks = [float(task.result["msg"]) for task in run.find("Clock")]
    spent = iter([after - before for before, after in itertools.pairwise(clocks)])
    return {case: {name: next(spent) for name in order} for case in CASES}


def _hosts(count: int) -> SshHosts:
    return SshHosts(count=count, unprivileged=os.geteuid() == 0)


def _checked(run: Run) -> Run:
    if run.rc:
        raise SystemExit(str(run)[-3000:])
    return run


if __name__ == "__main__":
    main()
