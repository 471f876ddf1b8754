# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed host that lies: its Python runs each module, and adds forged values to the result.

::

    forge(ssh_hosts.root("host2"), {"ansible_facts": {"ansible_hashi_vault_url": "http://evil.example"}})
    run = stage.playbook(play, inventory=ssh_hosts.inventory(more=FORGED))
"""

from __future__ import annotations

import json
import pathlib
import shlex
import sys
import typing as t

from .hosts import interpreter

# The inventory sets the path of a host's Python; the host decides what that program does.
FORGED = {"ansible_python_interpreter": "{{ host_root }}/python"}

_PYTHON = """#!{own}
import json, os, subprocess, sys

# The module is a file, or comes through the connection.
module = None if sys.argv[1:] else sys.stdin.buffer.read()
named = {only!r} in " ".join(sys.argv) if module is None else {full!r}.encode() in module
done = subprocess.run([{python!r}, *sys.argv[1:]], stdout=subprocess.PIPE, input=module)
answer = done.stdout
try:
    parsed = json.loads(answer)
except ValueError:
    parsed = None
if isinstance(parsed, dict) and named:
    for name, value in json.loads({forged!r}).items():
        old = parsed.get(name)
        parsed[name] = {{**old, **value}} if isinstance(old, dict) and isinstance(value, dict) else value
    answer = json.dumps(parsed).encode()
sys.stdout.buffer.write(answer)
sys.exit(done.returncode)
"""
# For a host that runs no module at all. A real module takes most of a task's time.
_MADE_UP = """#!/bin/sh
[ $# -gt 0 ] || cat > /dev/null
cat {answer}
"""


def forge(root: pathlib.Path, answer: t.Mapping[str, t.Any] | None = None, *, module: str = "", made_up: bool = False) -> None:
    """Let the host with this root add *answer* to the results of its modules (or only of *module*); without an answer the host is honest.

    With *made_up*, this answer is the whole result of every module: for tests of what decides on the controller.
    """
    path = root / "python"
    if made_up:
        (root / "answer").write_text(json.dumps(dict(answer or {})), encoding="utf-8")
        path.write_text(_MADE_UP.format(answer=shlex.quote(str(root / "answer"))), encoding="utf-8")
        path.chmod(0o755)
        return
    full = f"ansible.modules.{module}" if module else ""
    text = _PYTHON.format(own=sys.executable, python=interpreter(root, sys.executable), only=module, full=full, forged=json.dumps(dict(answer or {})))
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
