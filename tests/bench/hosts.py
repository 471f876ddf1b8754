# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`, second part: four tokens onto many hosts with one `token_file` task, beside one `copy` task of one file, in the same runs.

The hosts are real ssh hosts on loopback addresses of this machine, which therefore does the work of all of them: the ratio counts, not
the seconds. The tokens are in the cache before, as they are in a fleet that runs the role from cron.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from emulator import Emulator
from support.ansible import Ansible
from support.collection import installed
from support.sshd import SshHosts
from support.stage import BUILT_IN, Stage
from support.vault import VaultServer
from support.vaultsetup import Operator

PLAY = """
- hosts: fleet
  gather_facts: false
  tasks:
    - name: Connect
      ansible.builtin.ping:
    - &clock
      name: Clock
      ansible.builtin.debug:
        msg: "{{ now(utc=true).timestamp() }}"
      run_once: true
    - name: Copy one file
      ansible.builtin.copy:
        content: "round {{ round }}"
        dest: "{{ host_root }}/note"
        mode: "0600"
    - *clock
    - name: Four tokens
      trackops.api_tokens.token_file:
        tokens: FOUR
    - *clock
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    four = json.dumps([{"vendor": vendor, "dest": f"{{{{ host_root }}}}/{vendor}"} for vendor in BUILT_IN])
    with tempfile.TemporaryDirectory() as scratch, VaultServer() as vault, Emulator() as emulator, SshHosts(count=options.hosts) as hosts:
        ansible = Ansible(pathlib.Path(scratch), collections=installed())
        stage = Stage(vault=Operator(vault), emulator=emulator, ansible=ansible)
        stage.store_all()
        ratios = []
        print(f"{options.hosts} hosts, {options.forks} forks: seconds\n\n{'round':8}{'copy':>10}{'token_file':>12}{'ratio':>8}")
        for round_ in range(options.rounds + 1):
            copied, provisioned = _round(stage, hosts, four, round_, options.forks)
            if round_:  # the first one warms up
                ratios.append(provisioned / copied)
                print(f"{round_:<8}{copied:10.2f}{provisioned:12.2f}{ratios[-1]:8.2f}")
        print(f"\nmedian ratio {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})")
        print(f"token requests to vendors in all: {len(emulator.requests(kind='token'))}")


def _round(stage: Stage, hosts: SshHosts, four: str, number: int, forks: int) -> tuple[float, float]:
    """The seconds of the two tasks; all files are new each time."""
    hosts.clear()
    run = stage.playbook(
        PLAY.replace("FOUR", four), "-e", f"round={number}", "--forks", str(forks), inventory=hosts.inventory(), timeout=3600
    )
    if run.rc:
        raise SystemExit(str(run)[-3000:])
    begin, between, end = (float(task.result["msg"]) for task in run.find("Clock"))
    return between - begin, end - between


if __name__ == "__main__":
    main()
