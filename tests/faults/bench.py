# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the faults, runs real `ansible-playbook` before, while and after they last, and judges what it did.

Many faults in one run: each has its own account, secret and cache folder, so what is counted in the logs of Vault and of the vendor is its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import re
import tempfile
import time
import typing as t

from emulator import Emulator, TlsFiles
from leaks.detector import Detector, Secret
from support.ansible import Ansible, Run
from support.collection import installed
from support.lookups import Outcome, one_line
from support.pki import Ca
from support.processes import wait_for
from support.stage import Stage
from support.vault import VaultServer
from support.vaultsetup import Operator

from . import catalogue, killed
from .place import Case, Fault, Place
from .servers import MuteServer, ScriptedVault

_OURS = re.compile(r"[0-9a-f]{32}(\.hit)?|key")
_ADVICE = re.compile(
    r"Check |Set |set token|Undelete |Write it anew|begin url |"
    r"Use |Try |Put |Remove |Begin |Raise |Give |Ask |An operator |a policy|has to|must |is needed|needs |"
    r"again|is meant\?|the next attempt|there is no|no policy of it|Known:|may "
)


@dataclasses.dataclass
class Verdict:
    fault: Fault
    message: str = ""
    asked: tuple[int, int, int] = (0, 0, 0)  # while the fault lasted, after it, and when all was well
    complaints: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Judged:
    verdicts: list[Verdict]
    seconds: float

    @property
    def bad(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.complaints]


def run(*, flavour: str = "openbao", small: bool = False, areas: t.Collection[str] = (), only: str = "") -> Judged:
    """Make and judge the faults: all, one of each kind, or those of some areas."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trackops-faults-")))
        server = stack.enter_context(VaultServer(flavour))
        emulator = stack.enter_context(Emulator(record_raw=True))
        mute, scripted = stack.enter_context(MuteServer()), stack.enter_context(ScriptedVault())
        stage = Stage(vault=Operator(server), emulator=emulator, ansible=Ansible(scratch / "run", collections=installed()))
        place = Place(stage, scratch)
        tls = _tls(stack, scratch)
        faults = [
            *catalogue.vendor_answers(place),
            *catalogue.odd_answers(place),
            *catalogue.network(place, mute=mute, tls=tls),
            *catalogue.vault(place, mute=mute, scripted=scripted),
            *catalogue.cache(place),
            *catalogue.options(place),
            *catalogue.renewing(place),
            *catalogue.shared(place),
            *killed.signals(),
        ]
        for fault in faults:
            if (not small or fault.small) and (not areas or fault.area in areas) and only in fault.name:
                place.add(fault)
        for case in place.cases:
            stack.callback(catalogue._remove, place, case)
        verdicts = _judge(place) if place.cases else []
        if not areas or "hosts" in areas:
            verdicts += [Verdict(fault, message, complaints=complaints) for fault, message, complaints in killed.on_hosts(place, small=small)]
        return Judged(verdicts, time.monotonic() - begun)


def _tls(stack: contextlib.ExitStack, scratch: pathlib.Path) -> dict[str, str]:
    """Vendors over TLS by what is wrong with their certificates, and the CA of all."""
    ca = Ca(scratch / "pki")
    pairs = {
        "good": ca.server("good"),
        "expired": ca.server("expired", days=-1),
        "other": ca.server("other", hosts=("vendor.example.com",)),
    }
    found = {"ca": str(ca.cert)}
    for name, pair in pairs.items():
        emulator = stack.enter_context(Emulator(TlsFiles(cert=pair.cert, key=pair.key), record_raw=True))
        found[name] = emulator.base_url("trackunit")
    good = pairs["good"]
    demanding = stack.enter_context(Emulator(TlsFiles(cert=good.cert, key=good.key, client_ca=ca.cert), record_raw=True))
    return {**found, "client": demanding.base_url("trackunit")}


@dataclasses.dataclass
class _Phase:
    """One run of all cases: their outcomes, and what was asked meanwhile."""

    run: Run
    outcomes: dict[str, Outcome]
    requests: list[dict[str, t.Any]]
    reads: list[str]


def _judge(place: Place) -> list[Verdict]:
    stage, cases = place.stage, place.cases
    warm = [case for case in cases if case.fault.warm]
    if warm:
        first = _phase(place, warm, broken=False)
        for case in warm:
            if first.outcomes[case.client].error:
                raise SystemExit(f"{case.fault.name}: no token before the fault: {first.outcomes[case.client].error}")
    for case in cases:
        if case.fault.before is not None:
            case.fault.before(place, case)
        if case.fault.at_vendor is not None:
            name, settings = case.fault.at_vendor
            stage.emulator.fail(case.fault.vendor, name, sender=case.client, **{"times": None, **settings})
    if warm:
        # So that max_age=1 finds an old token.
        old = time.monotonic() + 1.1
        wait_for("the age of a second", lambda: time.monotonic() > old)
    broken = _phase(place, [case for case in cases if case.fault.area != "signals"], broken=True)
    interrupted = {case.client: (killed.interrupt(place, case), place.asked(case, stage.emulator.requests(kind="token"))) for case in _of_signals(cases)}
    for vendor in stage.emulator.vendors:
        stage.emulator.heal(vendor)
    for case in cases:
        if case.fault.after is not None:
            case.fault.after(place, case)
    after = _phase(place, cases, broken=False)
    idle = _phase(place, cases, broken=False)
    secrets = [*_secrets(place), *(secret for case in cases for secret in case.secrets)]
    detector = Detector(secrets)
    leaks = {secret for phase in (broken, after) for secret in detector.find(phase.run.output.encode())}
    verdicts = [_verdict(place, case, broken, after, idle, leaks) for case in cases if case.client not in interrupted]
    return [*verdicts, *(_verdict_of_killed(place, case, *interrupted[case.client], after, idle) for case in _of_signals(cases))]


def _of_signals(cases: t.Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.fault.area == "signals"]


def _verdict_of_killed(place: Place, case: Case, complaints: list[str], asked: int, after: _Phase, idle: _Phase) -> Verdict:
    verdict = Verdict(case.fault, complaints=complaints, asked=(asked, place.asked(case, after.requests), place.asked(case, idle.requests)))
    if asked != 1:
        verdict.complaints.append(f"{asked} requests to the vendor, not 1")
    _judge_recovery(place, case, after, idle, verdict.complaints.append)
    _judge_files(case, verdict.complaints.append)
    return verdict


def _secrets(place: Place) -> t.Iterator[Secret]:
    for name, vendor in place.stage.emulator.vendors.items():
        for kind, pool in (("access token", vendor.tokens.access), ("refresh token", vendor.tokens.refresh)):
            # The tasks show the tokens that they got, as `debug` does; what nobody got must not turn up.
            yield from (Secret(kind, name, value) for value in pool if kind == "refresh token")


def _phase(place: Place, cases: t.Sequence[Case], *, broken: bool) -> _Phase:
    stage = place.stage
    stage.emulator.clear_log()
    stage.vault.mark()
    tasks = [
        {
            "name": case.client,
            "ignore_errors": True,
            "ansible.builtin.debug": {"msg": {"found": "{{ " + case.lookup(broken=broken) + " | map(attribute='source') | list }}"}},
        }
        for case in cases
        if broken or case.fault.recovers
    ]
    # An output that is not `details` has no source: such a case only fails.
    play = json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], indent=1)
    run_ = stage.playbook(play, env={"VAULT_TOKEN": place.token}, timeout=900)
    outcomes = {task.task: Outcome(task.task, task, run_) for task in run_.tasks}
    reads = [entry.path for entry in stage.vault.audit_requests("secret/data/faults/", operation="read")]
    return _Phase(run_, outcomes, stage.emulator.requests(kind="token"), reads)


def _verdict(place: Place, case: Case, broken: _Phase, after: _Phase, idle: _Phase, leaks: t.Collection[Secret]) -> Verdict:
    fault, verdict = case.fault, Verdict(case.fault)
    complain = verdict.complaints.append
    counts = [place.asked(case, phase.requests) for phase in (broken, after, idle)]
    verdict.asked = (counts[0], counts[1], counts[2])
    outcome = broken.outcomes.get(case.client)
    if outcome is None:
        complain("the task has no result")
        return verdict
    if fault.says:
        verdict.message = outcome.error
        _judge_message(case, outcome, complain)
    else:
        verdict.message = " ".join(outcome.warnings)
        if outcome.error:
            complain(f"it failed: {outcome.error}")
        elif fault.warns and fault.warns not in verdict.message:
            complain(f"no warning with {fault.warns!r}")
    if fault.asks is not None and counts[0] not in (fault.asks if isinstance(fault.asks, tuple) else (fault.asks,)):
        complain(f"{counts[0]} requests to the vendor, not {fault.asks}")
    # Ansible renders a template that failed once more, and after a refusal the secret is read again: it may have been corrected.
    reads = broken.reads.count(f"secret/data/{case.path}")
    if fault.area == "vendor answers" and not 1 <= reads <= (2 if "refused the credentials" in verdict.message else 1):
        complain(f"{reads} reads of the secret")
    complain_all = [secret for secret in leaks if secret in case.secrets]
    if complain_all:
        complain(f"the output has the {complain_all[0].name}")
    if fault.recovers:
        _judge_recovery(place, case, after, idle, complain)
    _judge_files(case, complain)
    return verdict


def _judge_message(case: Case, outcome: Outcome, complain: t.Callable[[str], None]) -> None:
    fault, error = case.fault, outcome.error
    if not error:
        complain("it did not fail")
        return
    for text in (fault.says,) if isinstance(fault.says, str) else fault.says:
        if text not in error:
            complain(f"not told: {text!r}")
    if not one_line(error):
        complain("more than one line")
    if len(error) > 700:
        complain(f"a line of {len(error)} characters")
    if not error.startswith(f"{fault.vendor}: "):
        complain("the vendor is not named first")
    if fault.names_path and case.path not in error:
        complain("the Vault path is not named")
    if not _ADVICE.search(error):
        complain("no advice")


def _judge_recovery(place: Place, case: Case, after: _Phase, idle: _Phase, complain: t.Callable[[str], None]) -> None:
    fault = case.fault
    for name, phase in (("after it", after), ("when all is well", idle)):
        if error := phase.outcomes[case.client].error:
            complain(f"no token {name}: {error}")
            return
    asked = place.asked(case, after.requests)
    if fault.asks_after is not None and asked != fault.asks_after and not (fault.asks_after == 1 and not fault.says and asked == 0):
        complain(f"{asked} requests after it, not {fault.asks_after}")
    if fault.asks_after is not None and place.asked(case, idle.requests):
        complain("the second run asked again")
    if fault.asks_after is not None and f"secret/data/{case.path}" in idle.reads:
        complain("the second run read the secret again")


def _judge_files(case: Case, complain: t.Callable[[str], None]) -> None:
    """Nothing is left but entries and the key, all of them ours alone."""
    if not case.cache.is_dir() or case.cache.is_symlink() or not case.fault.recovers:
        return
    for path in case.cache.iterdir():
        if not _OURS.fullmatch(path.name):
            complain(f"{path.name} is left in the cache")
        elif path.is_symlink() or not path.is_file() or path.stat().st_mode & 0o077:
            complain("an entry is not ours alone")
