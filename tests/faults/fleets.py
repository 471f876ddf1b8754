# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one fault costs many hosts, in long runs, repeated runs or runs at the same time. They run in parallel with the other faults."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import typing as t

from emulator import Emulator
from support.ansible import Ansible
from support.collection import installed
from support.lookups import IMPORTED, Outcome, one_line
from support.processes import Process, descendants
from support.stage import Stage
from support.vault import VaultServer
from support.vaultsetup import Operator

from .judge import judge_message
from .place import Case, Fault, Place

if t.TYPE_CHECKING:
    from support.ansible import Run

HOSTS = 20
PATIENCE = 121  # http_deadline of 1 s, Vault's deadline of 60 s, and a minute
LASTING = [{"ansible.builtin.pause": {"seconds": 3}}]
ROUNDS = 4
Told = tuple[Fault, str, tuple[int, int, int], tuple[int, int, int], list[str]]

FLEETS = (
    Fault(
        f"{HOSTS} hosts while another run, suspended with Ctrl-Z, holds the lock", "fleets", ("has held the lock", "It is suspended: resume it (kill -CONT ")
    ),
    Fault("a wrong password: a run longer than failure_ttl, and a later one", "fleets", "refused the credentials", small=True),
    Fault("a wrong password: three runs within failure_ttl", "fleets", "refused the credentials"),
    Fault("a wrong password for Vault: a run longer than failure_ttl, and a later one", "fleets", "refused the login"),
    Fault("a wrong password for Vault: three runs within failure_ttl", "fleets", "refused the login"),
    Fault("the vendor is down: two concurrent runs", "fleets", "is not available (HTTP 503)"),
)


class Fleets:
    """Start the wanted faults; ``judged`` waits for them."""

    def __init__(self, place: Place, stack: contextlib.ExitStack, wanted: t.Callable[[Fault], bool]) -> None:
        self._told: list[Told] = []
        self._threads: list[threading.Thread] = []
        self._adding = threading.Lock()
        chosen = [
            (fault, act)
            for fault, act in zip(FLEETS, (_stopped, _lasting, _repeated, _lasting_at_vault, _repeated_at_vault, _at_once), strict=True)
            if wanted(fault)
        ]
        if not chosen:
            return
        # Separate servers, because the others' logs are cleared between phases.
        server, emulator = stack.enter_context(VaultServer(place.stage.vault.flavour)), stack.enter_context(Emulator(record_raw=True))
        self._stage = Stage(vault=Operator(server), emulator=emulator, ansible=Ansible(place.scratch / "fleets", collections=installed()))
        self._place = Place(self._stage, place.scratch / "fleet")
        self._hosts = self._stage.ansible.write("hosts.ini", "".join(f"h{number:02} ansible_connection=local\n" for number in range(HOSTS)))
        self._stage.vault.userpass("ada", "the-right-password-of-ada", [self._stage.vault.read_policy("faults/*")])
        self._stage.vault.userpass("eve", "the-right-password-of-eve", [self._stage.vault.read_policy("faults/*")])
        for fault, act in chosen:
            thread = threading.Thread(target=self._run, args=(fault, act))
            thread.start()
            self._threads.append(thread)

    def judged(self) -> list[Told]:
        for thread in self._threads:
            thread.join()
        return sorted(self._told, key=lambda told: [fault.name for fault in FLEETS].index(told[0].name))

    def _run(self, fault: Fault, act: t.Callable[[Fleets, Case], tuple[list[str], str, tuple[int, int, int]]]) -> None:
        with self._adding:
            case = self._place.add(fault)
        try:
            complaints, message, counts = act(self, case)
        except Exception as exc:  # noqa: BLE001 (any error becomes a complaint of this fault, and the others continue)
            complaints, message, counts = [f"the bench failed: {type(exc).__name__}: {exc}"], "", (0, 0, 0)
        self._told.append((fault, message, counts, (0, 0, 0), complaints))

    # -- runs ----------------------------------------------------------------------------------------------------------

    def play(self, case: Case, tasks: t.Sequence[t.Any] = (), **options: t.Any) -> str:
        lookup = case.lookup(broken=True)[:-1] + "".join(f", {name}={value!r}" for name, value in options.items()) + ")"
        ask = {"name": "token", "ignore_errors": bool(tasks), "ansible.builtin.debug": {"msg": "{{ " + lookup + " | length }}"}}
        return json.dumps(
            [{"hosts": "all", "gather_facts": False, "tasks": [ask, *(part for _round in range(ROUNDS if tasks else 0) for part in (*tasks, ask))]}], indent=1
        )

    def start(self, play: str) -> Process:
        return self._stage.ansible.start_playbook(
            play, *self._stage.extra(), "-i", str(self._hosts), env=self._stage.environment({"VAULT_TOKEN": self._place.token, **IMPORTED})
        )

    def finish(self, play: str) -> Run:
        return self._stage.playbook(play, inventory=self._hosts, env={"VAULT_TOKEN": self._place.token, **IMPORTED}, timeout=900)

    def asked(self, case: Case) -> int:
        return self._place.asked(case, self._stage.emulator.requests(kind="token"))

    def logins(self, user: str) -> int:
        return len(self._stage.vault.audit_requests(f"auth/userpass/login/{user}"))

    def spoil(self, case: Case) -> None:
        self._place.store(case, password="not-this-password")

    def mend(self, case: Case) -> list[str]:
        """Correct the secret, and expect the next run to work."""
        self._place.store(case)
        return [] if (run := self.finish(self.play(case))).rc == 0 else [f"no token after the fault: exit code {run.rc}"]


def judge_run(case: Case, run: Run, *, exit_code: int = 2) -> tuple[list[str], str]:
    """All hosts get the same message, in one line, and the run has the right exit code."""
    messages = {Outcome(task.task, task, run).error for task in run.tasks if task.task == "token"}
    message = min(messages, default="")
    complaints = [] if run.rc == exit_code else [f"exit code {run.rc} instead of {exit_code}"]
    if len(messages) != 1:
        complaints.append(f"{len(messages)} different messages")
    if "Traceback" in run.output or not one_line(message):
        complaints.append("the message has more than one line")
    return [*complaints, *judge_message(case.fault, case.path, message)], message


def _stopped(fleets: Fleets, case: Case) -> tuple[list[str], str, tuple[int, int, int]]:
    emulator = fleets._stage.emulator
    emulator.fail(case.fault.vendor, "slow", times=1, sender=case.client, delay=900)
    holder = fleets.start(fleets.play(case, http_deadline=600, http_timeout=600))
    try:
        holder.wait_ready("the request at the vendor", lambda: fleets.asked(case), timeout=300)
        family = [holder.pid, *descendants(holder.pid)]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        run = fleets.finish(fleets.play(case, http_deadline=1))
        took = time.monotonic() - begun
    finally:
        holder.stop()
    complaints, message = judge_run(case, run)
    during = fleets.asked(case)
    if during != 1:
        complaints.append(f"{during} requests to the vendor instead of 1")
    if took >= 2 * PATIENCE:
        complaints.append(f"the run took {took:.0f} s, more than one wait of {PATIENCE} s")
    if not any(f"process {pid} (" in message and f"kill -CONT {pid})" in message for pid in family):
        complaints.append("the message does not name the process")
    if ".lock " not in message:
        complaints.append("the message does not name the lock")
    emulator.heal(case.fault.vendor)
    complaints += fleets.mend(case)
    return complaints, message, (during, fleets.asked(case) - during, 0)


def _lasting(fleets: Fleets, case: Case) -> tuple[list[str], str, tuple[int, int, int]]:
    fleets.spoil(case)
    run = fleets.finish(fleets.play(case, LASTING, failure_ttl=2))
    complaints, message = judge_run(case, run, exit_code=0)  # errors are ignored, so that the run continues
    first = fleets.asked(case)
    fleets.finish(fleets.play(case, failure_ttl=2))
    second = fleets.asked(case) - first
    if (first, second) != (1, 1):
        complaints.append(f"{first} requests to the vendor in the long run and {second} in the next, instead of one each")
    complaints += fleets.mend(case)
    return complaints, message, (first + second, fleets.asked(case) - first - second, 0)


def _repeated(fleets: Fleets, case: Case) -> tuple[list[str], str, tuple[int, int, int]]:
    fleets.spoil(case)
    runs = [fleets.finish(fleets.play(case, failure_ttl=600)) for _ in range(3)]
    complaints, message = judge_run(case, runs[-1])
    asked = fleets.asked(case)
    if asked != 1:
        complaints.append(f"{asked} requests to the vendor instead of 1")
    complaints += fleets.mend(case)
    return complaints, message, (asked, fleets.asked(case) - asked, 0)


def _login(user: str) -> dict[str, t.Any]:
    return {"auth_method": "userpass", "username": user, "password": f"the-wrong-password-of-{user}"}


def _lasting_at_vault(fleets: Fleets, case: Case) -> tuple[list[str], str, tuple[int, int, int]]:
    run = fleets.finish(fleets.play(case, LASTING, failure_ttl=2, **_login("ada")))
    complaints, message = judge_run(case, run, exit_code=0)
    first = fleets.logins("ada")
    fleets.finish(fleets.play(case, failure_ttl=2, **_login("ada")))
    second = fleets.logins("ada") - first
    if (first, second) != (1, 1):
        complaints.append(f"{first} logins in the long run and {second} in the next, instead of one each")
    return [*complaints, *fleets.mend(case)], message, (0, fleets.asked(case), 0)


def _repeated_at_vault(fleets: Fleets, case: Case) -> tuple[list[str], str, tuple[int, int, int]]:
    runs = [fleets.finish(fleets.play(case, failure_ttl=600, **_login("eve"))) for _ in range(3)]
    complaints, message = judge_run(case, runs[-1])
    if (logins := fleets.logins("eve")) != 1:
        complaints.append(f"{logins} logins instead of 1")
    return [*complaints, *fleets.mend(case)], message, (0, fleets.asked(case), 0)


def _at_once(fleets: Fleets, case: Case) -> tuple[list[str], str, tuple[int, int, int]]:
    fleets._stage.emulator.fail(case.fault.vendor, 503, times=None, sender=case.client)
    other = fleets.start(fleets.play(case))
    run = fleets.finish(fleets.play(case))
    other.popen.wait(300)
    complaints, message = judge_run(case, run)
    asked = fleets.asked(case)
    if asked > 2:
        complaints.append(f"two runs sent {asked} requests to the vendor")
    fleets._stage.emulator.heal(case.fault.vendor)
    complaints += fleets.mend(case)
    return complaints, message, (asked, fleets.asked(case) - asked, 0)
