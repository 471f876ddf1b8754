# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of `make load`: what they do, what they count on the servers, and what they require."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import typing as t

from emulator import Emulator
from support.ansible import Ansible
from support.collection import installed, source_path
from support.crowd import Crowd
from support.places import TESTS
from support.stage import BUILT_IN, Stage
from support.vault import VaultServer
from support.vaultsetup import Operator

if t.TYPE_CHECKING:
    from support.vaultsetup import AppRole

__all__ = ("PARTS", "Part", "Scene", "Size", "scene")

_MIN_TTL = 0.1  # the fraction of a lifetime that must be left
_LAST_FIFTH = 0.8  # the fraction of a lifetime before which nobody renews
_GROWTH = 4096  # KiB: normal variation of an interpreter


@dataclasses.dataclass(frozen=True)
class Size:
    hosts: int = 5000
    forks: int = 50
    controllers: int = 64
    seconds: int = 180
    tokens: int = 10
    callers: int = 4
    lifetime: int = 2


@dataclasses.dataclass
class Part:
    """One part's figures by name, and what is wrong."""

    name: str
    figures: dict[str, str] = dataclasses.field(default_factory=dict)
    wrong: list[str] = dataclasses.field(default_factory=list)

    def expect(self, what: str, found: float, expected: float) -> None:
        self.figures[what] = f"{found:,}"
        if found != expected:
            self.wrong.append(f"{what}: {found:,} instead of {expected:,}")

    def at_most(self, what: str, found: float, most: float) -> None:
        self.figures[what] = f"{found:,}"
        if found > most:
            self.wrong.append(f"{what}: {found:,}, more than {most:,}")


@dataclasses.dataclass
class Scene:
    stage: Stage
    folder: pathlib.Path
    login: AppRole

    def values(self, **options: t.Any) -> dict[str, t.Any]:
        login = {"auth_method": "approle", "role_id": self.login.role_id, "secret_id": self.login.secret_id}
        return {"url": self.stage.vault.address, **login, **options}

    def forget(self) -> None:
        self.stage.emulator.clear_log()
        self.stage.vault.mark()

    def asked(self) -> int:
        return len(self.stage.emulator.requests(kind="token"))


@contextlib.contextmanager
def scene(flavour: str) -> t.Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="trackops-load-") as scratch, VaultServer(flavour) as server, Emulator() as emulator:
        folder = pathlib.Path(scratch)
        stage = Stage(vault=Operator(server), emulator=emulator, ansible=Ansible(folder / "run", collections=installed()))
        rules = 'path "secret/data/fleet/*" { capabilities = ["read"] }\npath "secret/data/trackops/*" { capabilities = ["create", "read", "update"] }\n'
        stage.store_all("fleet/")
        yield Scene(stage, folder, stage.vault.approle("load", [stage.vault.policy("load", rules)], token_ttl="4h"))


def play(place: Scene, size: Size) -> t.Iterator[Part]:
    """One play on many hosts, each of which asks for the tokens of four vendors: without tokens, with a cold cache, with a warm cache."""
    stage = place.stage
    hosts = stage.ansible.write("hosts.ini", "".join(f"h{number:05} ansible_connection=local\n" for number in range(size.hosts)))
    looked_up = " ~ ".join(f"(lookup('trackops.api_tokens.{vendor}', 'fleet/{vendor}') | length)" for vendor in BUILT_IN)
    env = {
        "VAULT_TOKEN": None,
        "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle",
        "ANSIBLE_HASHI_VAULT_ROLE_ID": place.login.role_id,
        "ANSIBLE_HASHI_VAULT_SECRET_ID": place.login.secret_id,
    }
    baseline = 0.0
    for name, expression, requests, from_vault in (("no token", "1", 0, 0), ("cold", looked_up, len(BUILT_IN), 1 + len(BUILT_IN)), ("warm", looked_up, 0, 0)):
        text = json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": "{{ " + expression + " }}"}}]}])
        place.forget()
        spent, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        run = stage.playbook(text + "\n", "--forks", str(size.forks), inventory=hosts, env=env, timeout=14400)
        took, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        part = Part(f"{size.hosts:,} hosts, {size.forks} forks, {name if expression == '1' else f'four vendors, {name}'}")
        part.expect("exit code", run.rc, 0)
        part.expect("hosts without a failure", sum(host["ok"] == 1 and not host["failures"] for host in run.stats.values()), size.hosts)
        part.expect("requests to vendors", place.asked(), requests)
        part.expect("requests to Vault", len(stage.vault.audit_requests()), from_vault)
        part.expect(
            "files in the cache", len(list((stage.ansible.cache / "trackops" / "api_tokens").glob("*"))), 0 if expression == "1" else 2 * len(BUILT_IN) + 2
        )
        part.figures["seconds"] = f"{took:,.0f}"
        part.figures["CPU time per host, ms"] = f"{1000 * (after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime) / size.hosts:.0f}"
        # This is the largest process so far, so the difference is what this play needs beyond the earlier ones.
        baseline = baseline or after.ru_maxrss
        part.figures["memory of the controller, MiB"] = f"{after.ru_maxrss / 1024:.0f}"
        part.figures["more than without tokens, MiB"] = f"{(after.ru_maxrss - baseline) / 1024:.1f}"
        yield part


def controllers(place: Scene, size: Size) -> t.Iterator[Part]:
    """Many controllers, each with an empty file cache, ask at the same moment for a token from the shared cache."""
    for vendor in ("trackunit", "tracktik"):
        place.forget()
        crowd = Crowd(place.folder / "unused", values=place.values(base_url=place.stage.emulator.base_url(vendor), cache="vault"))
        answers = crowd.ask(vendor, f"fleet/{vendor}", callers=size.controllers, homes=place.folder / f"homes-{vendor}")
        part = Part(f"{size.controllers} controllers with the shared cache, cold, {vendor}")
        part.expect("controllers with a token", sum(bool(answer.token) for answer in answers), size.controllers)
        part.expect("different tokens", len({answer.token for answer in answers}), 1)
        part.expect("requests to vendors", place.asked(), 1)
        part.figures["requests to Vault"] = f"{len(place.stage.vault.audit_requests()):,}"
        part.figures["seconds until the last controller had it"] = f"{max(answer.seconds for answer in answers):.1f}"
        yield part


def renewals(place: Scene, size: Size) -> t.Iterator[Part]:
    """Several processes constantly ask for tokens that live for seconds. One of the vendors issues rotating refresh tokens."""
    for vendor in ("trackunit", "tracktik"):
        place.stage.emulator.set(vendor, lifetime=size.lifetime)
        for number in range(size.tokens):
            place.stage.store(vendor, f"fleet/renewed/{vendor}-{number}")
    for kind in ("file", "vault"):
        yield _renewed(place, size, kind)
    for vendor in ("trackunit", "tracktik"):
        place.stage.emulator.set(vendor, lifetime=3600)


def _renewed(place: Scene, size: Size, kind: str) -> Part:
    place.forget()
    # With the file cache, all callers share a controller's cache; with the shared cache, each is its own controller.
    caches = [place.folder / f"renewed-{kind}-{caller if kind == 'vault' else 0}" for caller in range(size.callers)]
    processes = [_start(place, size, kind, cache) for cache in caches]
    reports = [json.loads(_finished(process)) for process in processes]
    part = Part(f"tokens of {size.lifetime} s for {size.seconds} s, cache: {kind}, {size.callers} processes, {2 * size.tokens} tokens")
    given: dict[str, dict[str, t.Any]] = {}
    for answer in reports:
        for digest, facts in answer["given"].items():
            known = given.setdefault(digest, facts)
            known["last"] = max(known["last"], facts["last"])
    requests = place.stage.emulator.requests(kind="token")
    part.figures["lookups"] = f"{sum(answer['asked'] for answer in reports):,}"
    part.expect("errors", sum(len(answer["errors"]) for answer in reports), 0)
    part.expect("requests to vendors minus issued tokens", len(requests) - len(given), 0)
    part.expect("renewals before the last fifth of a lifetime", _too_early(given, size.lifetime * _LAST_FIFTH), 0)
    part.expect("refresh tokens sent twice", sum(bool(entry.get("reuse")) for entry in requests), 0)
    part.expect("expired tokens returned", sum(answer["expired"] for answer in reports) + _expired_at_vendor(place, given), 0)
    part.figures["renewals"] = f"{len(given) - 2 * size.tokens:,}"
    if len(given) <= 2 * size.tokens:
        part.wrong.append("nothing was renewed")
    part.figures[f"mean seconds used of a lifetime of {size.lifetime}"] = f"{_mean_step(given):.2f}"
    part.at_most("memory gained by a process, KiB", max(answer["rss"][-1] - _in_the_middle(answer["rss"]) for answer in reports), _GROWTH)
    # Locks and temporary files come and go during the work, so compare the end with the smallest count of the second half.
    left = [len(list(cache.iterdir())) for cache in caches]
    part.at_most("files added to a cache", max(end - min(answer["files"][len(answer["files"]) // 2 :]) for end, answer in zip(left, reports, strict=True)), 0)
    part.figures["requests to Vault"] = f"{len(place.stage.vault.audit_requests()):,}"
    part.wrong += sorted({error for answer in reports for error in answer["errors"]})[:3]
    return part


def _in_the_middle(samples: t.Sequence[int]) -> int:
    """The middle sample: by then everything is loaded, and all entries exist."""
    return samples[len(samples) // 2]


def _start(place: Scene, size: Size, kind: str, cache: pathlib.Path) -> subprocess.Popen[str]:
    cache.mkdir(mode=0o700, exist_ok=True)
    tokens = [
        (
            vendor,
            f"fleet/renewed/{vendor}-{number}",
            place.values(base_url=place.stage.emulator.base_url(vendor), cache=kind, cache_path=str(cache), min_ttl=size.lifetime * _MIN_TTL),
        )
        for vendor in ("trackunit", "tracktik")
        for number in range(size.tokens)
    ]
    env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(place.folder), "LANG": "C.UTF-8", "PYTHONPATH": f"{source_path()}{os.pathsep}{TESTS}"}
    process = subprocess.Popen([sys.executable, "-m", "load.worker"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    t.cast(t.IO[str], process.stdin).write(json.dumps({"tokens": tokens, "seconds": size.seconds, "cache": str(cache)}))
    t.cast(t.IO[str], process.stdin).close()
    process.stdin = None
    return process


def _finished(process: subprocess.Popen[str]) -> str:
    output, _errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"a caller ended with exit code {process.returncode}")
    return output


def _steps(given: t.Mapping[str, t.Mapping[str, t.Any]]) -> t.Iterator[float]:
    """The seconds between each token and the next one for the same request."""
    of: dict[str, list[float]] = {}
    for facts in given.values():
        of.setdefault(facts["of"], []).append(facts["issued_at"])
    for moments in of.values():
        moments.sort()
        yield from (later - earlier for earlier, later in itertools.pairwise(moments))


def _too_early(given: t.Mapping[str, t.Mapping[str, t.Any]], least: float) -> int:
    return sum(step < least for step in _steps(given))


def _mean_step(given: t.Mapping[str, t.Mapping[str, t.Any]]) -> float:
    steps = list(_steps(given))
    return sum(steps) / len(steps) if steps else 0.0


def _expired_at_vendor(place: Scene, given: t.Mapping[str, t.Mapping[str, t.Any]]) -> int:
    """Count the tokens that a caller got after they had expired according to the vendor."""
    ends = {
        hashlib.sha256(token.value.encode()).hexdigest(): token.expires_at
        for vendor in place.stage.emulator.vendors.values()
        for token in list(vendor.tokens.access.values())
    }
    return sum(facts["last"] > ends.get(digest, 0.0) for digest, facts in given.items())


PARTS: dict[str, t.Callable[[Scene, Size], t.Iterator[Part]]] = {"play": play, "controllers": controllers, "renewals": renewals}
