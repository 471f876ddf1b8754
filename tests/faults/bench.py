# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cause the faults, run real `ansible-playbook` before, during and after them, and judge the results.

One run covers many faults, each as a separate host. Each fault has its own account, secret and cache folder, so that the logs of Vault and of the
vendor can be counted for each. Hosts that must fail and hosts that must work are in separate runs, so that exit codes are meaningful.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import json
import pathlib
import tempfile
import time
import typing as t

from emulator import Emulator, TlsFiles
from leaks.detector import Detector, Secret
from support.ansible import Ansible, Run
from support.collection import installed
from support.lookups import IMPORTED, Outcome
from support.pki import Ca
from support.processes import MuteServer, wait_for
from support.stage import Stage
from support.vault import AuditEntry, VaultServer
from support.vaultsetup import Operator

from . import catalogue, controllers, fleets, killed
from .judge import Seen, judge_fault, judge_recovery
from .place import Case, Fault, Place
from .servers import Brokens, ScriptedVault

_FORKS = "4"
_FAILED = 2
_NOTHING = Seen(exit_code=0, failures=0, oks=0)


@dataclasses.dataclass
class Verdict:
    fault: Fault
    message: str = ""
    # During the fault, after it, and in the next run: requests to the vendor, and reads of the secret.
    asked: tuple[int, int, int] = (0, 0, 0)
    reads: tuple[int, int, int] = (0, 0, 0)
    complaints: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Judged:
    verdicts: list[Verdict]
    seconds: float

    @property
    def bad(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.complaints]


def run(*, flavour: str = "openbao", small: bool = False, areas: t.Collection[str] = (), only: str = "") -> Judged:
    """Cause and judge the faults: all of them, one of each kind, or those of some areas."""
    begun = time.monotonic()

    def wanted(fault: Fault) -> bool:
        return (not small or fault.small) and (not areas or fault.area in areas) and only in fault.name

    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trackops-faults-")))
        server = stack.enter_context(VaultServer(flavour))
        emulator = stack.enter_context(Emulator(record_raw=True))
        mute, scripted = stack.enter_context(MuteServer()), stack.enter_context(ScriptedVault())
        ansible = Ansible(scratch / "run", collections=installed(), env={"TMPDIR": str(scratch / "tmp")})
        (scratch / "tmp").mkdir()
        place = Place(Stage(vault=Operator(server), emulator=emulator, ansible=ansible), scratch)
        tls = _tls(stack, scratch)
        brokens = Brokens(stack, flavour) if not small else None
        faults = [
            *catalogue.vendor_answers(place),
            *catalogue.odd_answers(place),
            *catalogue.network(place, mute=mute, tls=tls),
            *catalogue.vault(place, mute=mute, scripted=scripted.url),
            *(catalogue.broken_vaults(brokens) if brokens else ()),
            *catalogue.cache(place),
            *catalogue.options(place),
            *catalogue.renewing(place),
            *catalogue.shared(place),
            *controllers.clocks(),
            *controllers.controllers(place),
            *killed.signals(place),
        ]
        for fault in faults:
            if wanted(fault):
                place.add(fault)
        for case in place.cases:
            stack.callback(catalogue._remove, place, case)
        in_background = fleets.Fleets(place, stack, wanted)
        verdicts = _judge(place, scripted) if place.cases else []
        verdicts += [Verdict(*judged) for judged in in_background.judged()]
        if not areas or "hosts" in areas:
            verdicts += [Verdict(fault, message, complaints=complaints) for fault, message, complaints in killed.on_hosts(place, small=small)]
        return Judged(verdicts, time.monotonic() - begun)


def _tls(stack: contextlib.ExitStack, scratch: pathlib.Path) -> dict[str, str]:
    """The addresses of vendors with TLS, by what is wrong with their certificates, and the CA of all of them."""
    ca = Ca(scratch / "pki")
    pairs = {
        "good": ca.server("good"),
        "expired": ca.server("expired", expired=True),
        "other": ca.server("other", hosts=("vendor.example.com",)),
    }
    found = {"ca": str(ca.cert)}
    for name, pair in pairs.items():
        emulator = stack.enter_context(Emulator(TlsFiles(cert=pair.cert, key=pair.key), record_raw=True))
        found[name] = emulator.base_url("trackunit")
    good = pairs["good"]
    demanding = stack.enter_context(Emulator(TlsFiles(cert=good.cert, key=good.key, client_ca=ca.cert), record_raw=True))
    return {**found, "client": demanding.base_url("trackunit")}


# -- running -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _Phase:
    """One run of all cases: what was seen of each, and the Ansible runs."""

    seen: dict[str, Seen] = dataclasses.field(default_factory=dict)
    runs: list[Run] = dataclasses.field(default_factory=list)
    requests: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    audit: list[AuditEntry] = dataclasses.field(default_factory=list)

    def of(self, case: Case) -> Seen:
        return self.seen.get(case.client, _NOTHING)


def _phase(place: Place, cases: t.Sequence[Case], *, broken: bool) -> _Phase:
    stage, phase = place.stage, _Phase()
    stage.emulator.clear_log()
    stage.vault.mark()
    together: dict[tuple[bool, tuple[tuple[str, str | None], ...]], list[Case]] = collections.defaultdict(list)
    for case in cases:
        if broken or case.fault.recovers:
            together[(broken and bool(case.fault.says), tuple(sorted(case.fault.env.items())) if broken else ())].append(case)
    ran = [(group, _play(place, group, dict(env), broken=broken)) for (_fails, env), group in together.items()]
    phase.runs = [run for _group, run in ran]
    phase.requests = stage.emulator.requests(kind="token")
    phase.audit = stage.vault.audit_requests()
    reads = collections.Counter(entry.path for entry in phase.audit if entry.operation == "read")
    good = _good_tokens(place)
    for group, run_ in ran:
        for case in group:
            phase.seen[case.client] = _seen(place, case, run_, phase.requests, reads, good)
    return phase


def _play(place: Place, cases: t.Sequence[Case], env: dict[str, str | None], *, broken: bool) -> Run:
    """Each case is a separate host, so that it can fail on its own."""
    ask = "{% set found = LOOKUP %}{{ found[0].source }} {{ found[0].access_token | hash('sha256') }}"
    hosts = {case.client: {"ansible_connection": "local", "ask": ask.replace("LOOKUP", case.lookup(broken=broken))} for case in cases}
    inventory = place.stage.ansible.write("cases.yml", json.dumps({"all": {"hosts": hosts}}))
    play = json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"name": "token", "ansible.builtin.debug": {"msg": "{{ ask }}"}}]}], indent=1)
    # What all hosts would import; if the environment is the fault, it also decides this.
    imported = {} if env else IMPORTED
    return place.stage.playbook(play, "--forks", _FORKS, inventory=inventory, env={"VAULT_TOKEN": place.token, **imported, **env}, timeout=900)


def _seen(place: Place, case: Case, run_: Run, requests: list[dict[str, t.Any]], reads: t.Mapping[str, int], good: t.Mapping[str, str]) -> Seen:
    task = next((task for task in run_.tasks if task.host == case.client), None)
    stats = run_.stats.get(case.client, {})
    outcome = Outcome(case.client, task, run_) if task else None
    source, _space, digest = str(task.result.get("msg", "")).partition(" ") if task and not outcome.error else ("", "", "")  # type: ignore[union-attr]
    others = any(other["failures"] for host, other in run_.stats.items() if host != case.client)
    return Seen(
        # The exit code covers all cases of the run, so it says something about a working case only if no other has failed.
        exit_code=0 if others and not stats.get("failures") and run_.rc == _FAILED else run_.rc,
        failures=stats.get("failures", 0),
        oks=stats.get("ok", 0),
        error=outcome.error if outcome else "the task has no result",
        warnings=tuple(outcome.warnings) if outcome else (),
        source=source,
        good=good.get(digest) in (case.client, None if case.fault.vendor != "tracx" else good.get(digest)) and digest in good,
        asked=place.asked(case, requests),
        reads=reads.get(f"secret/data/{case.path}", 0),
        files=_files(case),
    )


def _good_tokens(place: Place) -> dict[str, str]:
    """The owners of all tokens that their vendors accept, by the token's digest."""
    return {
        hashlib.sha256(token.value.encode()).hexdigest(): token.client_id
        for vendor in place.stage.emulator.vendors.values()
        for token in list(vendor.tokens.access.values())
        if not token.revoked
    }


def _files(case: Case) -> tuple[str, ...]:
    if not case.cache.is_dir() or case.cache.is_symlink():
        return ()
    return tuple(path.name + ("" if path.is_file() and not path.is_symlink() and not path.stat().st_mode & 0o077 else "!") for path in case.cache.iterdir())


# -- judging -----------------------------------------------------------------------------------------------------------


def _judge(place: Place, scripted: ScriptedVault) -> list[Verdict]:
    cases = place.cases
    _warm_up(place)
    _begin(place)
    killed_ones = [case for case in cases if case.fault.area == "signals"]
    broken = _phase(place, [case for case in cases if case not in killed_ones], broken=True)
    counted = scripted.counts()
    interrupted: dict[str, list[str]] = {}
    for case in killed_ones:
        interrupted[case.client] = killed.interrupt(place, case)
        asked = place.asked(case, place.stage.emulator.requests(kind="token"))
        interrupted[case.client] += [f"{asked} requests to the vendor instead of 1"] if asked != 1 else []
        broken.seen[case.client] = dataclasses.replace(_NOTHING, asked=asked)
    _end(place)
    phases = (broken, _phase(place, cases, broken=False), _phase(place, cases, broken=False))
    verdicts = {}
    for case in cases:
        fault, seen, after, idle = case.fault, *(phase.of(case) for phase in phases)
        complaints = interrupted[case.client] if case.client in interrupted else judge_fault(fault, case.path, seen)
        complaints += judge_recovery(fault, after, idle) if fault.recovers else []
        in_turn = (seen, after, idle)
        verdicts[case.client] = Verdict(fault, seen.message, _three(in_turn, "asked"), _three(in_turn, "reads"), complaints)
    for case, text in _complaints_beside(place, phases, counted):
        verdicts[case.client].complaints.append(text)
    return [*verdicts.values(), _verdict_of_all(place, phases)]


def _warm_up(place: Place) -> None:
    """Fill the caches of the cases that have a token before the fault begins."""
    warm = [case for case in place.cases if case.fault.warm]
    first = _phase(place, warm, broken=False)
    for case in warm:
        if error := first.of(case).error:
            raise SystemExit(f"{case.fault.name}: no token before the fault: {error}")
    if warm:
        # So that max_age=1 finds an old token.
        old = time.monotonic() + 1.1
        wait_for("a token that is a second old", lambda: time.monotonic() > old)


def _begin(place: Place) -> None:
    for case in place.cases:
        if case.fault.before is not None:
            case.fault.before(place, case)
        if case.fault.at_vendor is not None:
            name, settings = case.fault.at_vendor
            place.stage.emulator.fail(case.fault.vendor, name, sender=case.client, **{"times": None, **settings})


def _end(place: Place) -> None:
    for vendor in place.stage.emulator.vendors:
        place.stage.emulator.heal(vendor)
    for case in place.cases:
        if case.fault.after is not None:
            case.fault.after(place, case)


def _three(in_turn: t.Iterable[Seen], name: str) -> tuple[int, int, int]:
    one, two, three = (getattr(seen, name) for seen in in_turn)
    return one, two, three


def _complaints_beside(place: Place, phases: t.Sequence[_Phase], counted: t.Mapping[str, int]) -> t.Iterator[tuple[Case, str]]:
    """Complaints from the servers' logs: refresh tokens sent twice, wrong numbers of logins and of requests to the scripted Vault. Also check the secret."""
    broken = phases[0]
    logins = collections.Counter(case.fault.login for case in place.cases if case.fault.login)
    tried = {path: sum(entry.path.startswith(path) for entry in broken.audit) for path in logins}
    for case in place.cases:
        fault = case.fault
        if any(entry.get("reuse") for phase in phases for entry in phase.requests if place.asked(case, [entry])):
            yield case, "a refresh token was sent twice"
        if fault.login and tried[fault.login] != logins[fault.login]:
            yield case, f"{tried[fault.login]} logins at {fault.login} instead of {logins[fault.login]}, one for each fault"
        if fault.area == "Vault answers":
            name = fault.name.rpartition(" ")[2]
            # If there is no secret, the version of the mount is read as well.
            asked, expected = counted.get(name, 0), 2 if name == "404" else 1
            if asked != expected:
                yield case, f"{asked} requests to Vault instead of {expected}"
        if fault.recovers and place.stage.vault.get(case.path) != case.account:
            yield case, "the secret in Vault has changed"
        detector = Detector([*case.secrets, *case.given()])
        shown = " ".join(seen.message for seen in (phase.of(case) for phase in phases))
        if hits := detector.find(shown.encode()):
            yield case, f"the messages contain the {next(iter(hits)).name}"


def _verdict_of_all(place: Place, phases: t.Sequence[_Phase]) -> Verdict:
    """The runs print no traceback and no secret, leave nothing in TMPDIR, and store no secret in readable form."""
    verdict = Verdict(Fault("all runs together: what they print and leave behind", "runs", reads=0))
    ansible = place.stage.ansible
    detector = Detector([*_issued(place), *(secret for case in place.cases for secret in case.secrets), Secret("Vault token", "of the runs", place.token)])
    for run in (run for phase in phases for run in phase.runs):
        if "Traceback (most recent call last)" in run.output:
            verdict.complaints.append("a run printed a traceback")
        verdict.complaints += [
            f"a run printed the {secret.kind} {secret.name}: {detector.excerpt(run.output.encode(), secret)}" for secret in detector.find(run.output.encode())
        ]
    left = {path.name for path in (place.scratch / "tmp").iterdir()}
    verdict.complaints += [f"{name} was left in TMPDIR" for name in sorted(left)]
    for path in (path for folder in (ansible.home, place.scratch / "caches") for path in folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name != "key" and path.stat().st_size < 2**20:
            verdict.complaints += [f"{path} contains the {secret.kind} {secret.name}" for secret in detector.find(path.read_bytes())]
    return verdict


def _issued(place: Place) -> t.Iterator[Secret]:
    for name, vendor in place.stage.emulator.vendors.items():
        for kind, pool in (("access token", vendor.tokens.access), ("refresh token", vendor.tokens.refresh)):
            yield from (Secret(kind, name, value) for value in list(pool))
