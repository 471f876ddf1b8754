# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed, ended or interrupted while the vendor works on their request, and hosts on which a file cannot be written."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import typing as t

from leaks.detector import Detector
from support.processes import descendants
from support.sshd import SshHosts

from .place import Case, Fault, Place

SIGNALS: dict[str, tuple[int, bool]] = {
    # The signal, and whether it goes to the controller and all forks, or only to the fork that waits for the vendor.
    "SIGKILL to the run": (signal.SIGKILL, True),
    "SIGKILL to the fork": (signal.SIGKILL, False),
    "SIGTERM to the run": (signal.SIGTERM, True),
    "SIGINT (Ctrl-C) to the run": (signal.SIGINT, True),
    "SIGHUP to the run": (signal.SIGHUP, True),
}
VENDORS_KILLED = ("tracktik", "trackunit")


def signals(place: Place) -> t.Iterator[Fault]:
    for vendor in VENDORS_KILLED:
        for name in SIGNALS:
            small = (vendor, name) == ("tracktik", "SIGKILL to the run")
            yield Fault(f"{vendor}: {name} during a request", "signals", vendor=vendor, asks=1, small=small)
    # The refresh token may be spent, so it must not be sent again. The old token is still valid.
    acme = {"vendor": "acme", "token_url": f"{place.stage.emulator.base_url('acme')}/token", "grant_type": "password"}
    for vendor, options in (("tracktik", {}), ("acme", acme)):
        for name in ("SIGKILL to the run", "SIGKILL to the fork", "SIGINT (Ctrl-C) to the run"):
            yield Fault(
                f"{vendor}: {name} during a refresh",
                "signals",
                vendor=vendor,
                options=options,
                broken={"max_age": 1},
                warm=True,
                asks=1,
                asks_after=0,
                after=_prune,
            )


def _prune(_place: Place, case: Case) -> None:
    """Remove locks that nobody holds, as `token_cache state=pruned` does, and as the next process does that takes one."""
    for path in case.cache.glob("*.lock"):
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def interrupt(place: Place, case: Case) -> list[str]:
    """Start a run, wait until the vendor has its request, and end the run. Return the complaints."""
    stage = place.stage
    number, everywhere = SIGNALS[next(name for name in SIGNALS if name in case.fault.name)]
    stage.emulator.fail(case.fault.vendor, "slow", times=None, sender=case.client, delay=600)
    play = json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": "{{ " + case.lookup(broken=True) + " }}"}}]}])
    process = stage.ansible.start_playbook(play + "\n", *stage.extra(), env=stage.environment({"VAULT_TOKEN": place.token}))
    try:
        process.wait_ready("the request at the vendor", lambda: place.asked(case, stage.emulator.requests(kind="token")), timeout=300)
        forks = descendants(process.pid)
        for pid in [*forks, process.pid] if everywhere else forks[-1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        status = process.popen.wait(60)
    finally:
        process.stop()
    output, problems = process.output(), []
    if not status:
        problems.append("the run ended with exit code 0")
    problems += [f"the run printed the {secret.name}" for secret in Detector(case.secrets).find(output.encode())]
    return [*problems, *(["the run printed a traceback of this collection"] if "trackops" in output.partition("Traceback")[2] else [])]


# -- hosts -------------------------------------------------------------------------------------------------------------

HostFault = tuple[str, dict[str, t.Any], t.Callable[[pathlib.Path], object], str]


def _broken_link(root: pathlib.Path) -> None:
    (root / "link").symlink_to(root / "nowhere")


def _directory(root: pathlib.Path) -> None:
    (root / "token").mkdir()


def _file(root: pathlib.Path) -> None:
    (root / "file").write_text("precious", encoding="utf-8")


def _nothing(_root: pathlib.Path) -> None:
    pass


HOSTS: tuple[HostFault, ...] = (
    ("dest is a directory", {"dest": "{{ host_root }}/token"}, _directory, "is a directory"),
    ("dest is a symbolic link", {"dest": "{{ host_root }}/link"}, _broken_link, "is a symlink"),
    ("the directory is a file", {"dest": "{{ host_root }}/file/token"}, _file, "directory"),
    ("dest is relative", {"dest": "tokens/x"}, _nothing, "absolute"),
    ("an unknown owner", {"dest": "{{ host_root }}/token", "owner": "nobody-of-this-name"}, _nothing, "nobody-of-this-name"),
    ("an unknown group", {"dest": "{{ host_root }}/token", "group": "nobodies-of-this-name"}, _nothing, "nobodies-of-this-name"),
    ("a mode readable by everybody", {"dest": "{{ host_root }}/token", "mode": "0644"}, _nothing, "0644"),
    ("an invalid mode", {"dest": "{{ host_root }}/token", "mode": "rw"}, _nothing, "mode"),
    ("an unknown format", {"dest": "{{ host_root }}/token", "format": "xml"}, _nothing, "xml"),
    ("a missing template", {"dest": "{{ host_root }}/token", "format": "template", "template": "none.j2"}, _nothing, "none.j2"),
    ("a template that fails", {"dest": "{{ host_root }}/token", "format": "template", "template": "broken.j2"}, _nothing, "template"),
    ("wrong credentials", {"dest": "{{ host_root }}/token", "path": "faults/wrong"}, _nothing, "refused the credentials"),
)


def on_hosts(place: Place, *, small: bool, first_host: int = 80) -> list[tuple[Fault, str, list[str]]]:
    """Cause each fault on a separate host, in one run. A healthy host in the same run gets its file."""
    stage = place.stage
    stage.store("trackunit", "faults/hosts")
    stage.store("trackunit", "faults/wrong", password="not-this-password")
    stage.ansible.write("templates/broken.j2", "{{ token.access_token | int / 0 }}")
    chosen = HOSTS[:2] if small else HOSTS
    found: list[tuple[Fault, str, list[str]]] = []
    with SshHosts(count=len(chosen) + 1, first=first_host) as hosts:
        *faulty, sound = hosts.names
        variables: dict[str, dict[str, t.Any]] = {sound: {"dest": "{{ host_root }}/token"}}
        for host, (_name, arguments, make, _says) in zip(faulty, chosen, strict=True):
            make(hosts.root(host))
            variables[host] = arguments
        tasks = [
            {
                "name": host,
                "when": f"inventory_hostname == '{host}'",
                "trackops.api_tokens.token_file": {"vendor": "trackunit", "path": "faults/hosts", **arguments},
            }
            for host, arguments in variables.items()
        ]
        before = {host: _seen(hosts.root(host)) for host in faulty}
        play = json.dumps([{"hosts": "fleet", "gather_facts": False, "tasks": tasks}], indent=1)
        run = stage.playbook(play, "--forks", "4", inventory=hosts.inventory(), env={"VAULT_TOKEN": place.token}, timeout=600)
        for host, (name, _arguments, _make, says) in zip(faulty, chosen, strict=True):
            task = next((task for task in run.tasks if task.host == host and task.status != "skipped"), None)
            message = str(task.result.get("msg", "")) if task else ""
            complaints = []
            if task is None or task.status != "failed":
                complaints.append("it did not fail")
            elif says not in message:
                complaints.append(f"the message does not contain {says!r}")
            if "\n" in message.strip() or "Traceback" in message:
                complaints.append("the message has more than one line")
            if _seen(hosts.root(host)) != before[host]:
                complaints.append("the task changed or left something on the host")
            found.append((Fault(f"host: {name}", "hosts", says), message, complaints))
        wrong = [] if run.rc == 2 else [f"exit code {run.rc} instead of 2"]
        if not (hosts.root(sound) / "token").is_file():
            wrong.append("the healthy host has no file")
        found.append((Fault("hosts: a healthy host in the same run, and the exit code", "hosts"), "", wrong))
    return found


def _seen(root: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text(encoding="utf-8") if path.is_file() else "directory"
        for path in root.rglob("*")
        if path.relative_to(root).parts[0] != "tmp"
    }
