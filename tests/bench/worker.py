# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure, in the environment of one ansible-core, what a lookup costs in a worker, which is a fresh fork of the controller.

Reads a job from standard input: expressions, the number of rounds, and what the parent loads before it forks. Prints the CPU seconds of each call.
"""

from __future__ import annotations

import json
import os
import sys
import time

# Everything that ansible-playbook has loaded when it forks its first worker.
import ansible.cli.playbook
import ansible.executor.task_executor
import ansible.executor.task_queue_manager  # noqa: F401
from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader as plugins
from ansible.template import Templar

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19
    trust_as_template = str


def main():
    job = json.load(sys.stdin)
    plugins.init_plugin_loader()
    templar = Templar(loader=DataLoader(), variables=job["variables"])
    for text in ("{{ 'a template of the play itself' }}", "{{ [1] | length }}"):
        templar.template(trust_as_template(text))
    for name in job["actions"]:  # a strategy loads the action of each task, to know how to run it
        plugins.action_loader.get(name, class_only=True)
    for name in job["callbacks"]:
        plugins.callback_loader.get(name)
    spent = {name: [] for name in job["expressions"]}
    for _round in range(job["rounds"]):
        for name, text in job["expressions"].items():  # in turn, so that noise affects all of them
            spent[name].append(in_fork(lambda text=text: templar.template(trust_as_template(text))))
        for name, code in job["codes"].items():
            spent.setdefault(name, []).append(in_fork(lambda code=code: exec(code, {})))  # noqa: S102 (our own job)
    print(json.dumps(spent))


def in_fork(work):
    """Return the CPU seconds that a fork needs for this work."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            before = time.process_time()
            work()
            os.write(writer, repr(time.process_time() - before).encode())
            os._exit(0)
        except BaseException as exc:  # noqa: BLE001 (a fork must not continue as its parent)
            os.write(2, f"{exc}\n".encode())
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    if os.waitpid(pid, 0)[1] or not said:
        raise SystemExit("a fork failed")
    return float(said)


if __name__ == "__main__":
    main()
