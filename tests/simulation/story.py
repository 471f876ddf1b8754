# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A story of a fleet: controllers run plays for hours or weeks, and incidents happen meanwhile. The plan and the seed determine all of it."""

from __future__ import annotations

import dataclasses
import math
import random
import typing as t
import uuid

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Request, Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event, Ports
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache import pointer as pointers
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.slot import token_keys
from greenlet import getcurrent
from support.scripted import approle, request_for

from .incidents import begin
from .plan import Incident, Plan, plan_of
from .promises import FAILURE_TTL, LONGEST_CALL, Asked, Promises
from .servers import Faults, SimulatedVault, SimulatedVendor
from .store import Disk, MemoryStore
from .world import START, Process, World

__all__ = ("Controller", "Figures", "Plan", "Story", "plan_of")

#: A vendor whose only credential is a refresh token, which each use replaces.
CONSENT = Vendor(name="acme", base_url="https://acme.example", token_url="/token", grant_type="refresh_token", client_auth="post")
_CONSENT_TAKES = 60.0
_SEEN = ("hit", "shared", "vault_login_reused", "vault_secret_read")


@dataclasses.dataclass(eq=False)
class Controller:
    name: str
    disk: Disk
    skew: float
    runs: int = 0
    latest: Process | None = None


@dataclasses.dataclass
class Figures:
    """The cost of a story."""

    lookups: int = 0
    hits: int = 0
    errors: int = 0
    vendor_requests: int = 0
    vault_requests: dict[str, int] = dataclasses.field(default_factory=dict)
    incidents: dict[str, int] = dataclasses.field(default_factory=dict)
    consents: int = 0  # given again after a loss
    crashes: int = 0
    steps: int = 0
    seconds: float = 0.0
    busiest_second: int = 0
    shared_bytes: int = 0
    versions: int = 0  # of one entry in Vault, if Vault kept all of them
    cache_files: int = 0
    cache_bytes: int = 0
    longest_call: float = 0.0

    def add(self, other: Figures) -> None:
        """Add the other figures, or take the larger one for those in ``_MOST``."""
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if isinstance(mine, dict):
                for name, number in theirs.items():
                    mine[name] = mine.get(name, 0) + number
            else:
                setattr(self, field.name, max(mine, theirs) if field.name in _MOST else mine + theirs)


def _secret_id(controller: Controller) -> str:
    """A UUID, as Vault makes them. A secret that looks chosen by a person would need key stretching, the slowest step by far."""
    return str(uuid.UUID(int=random.Random(controller.name).getrandbits(128)))


def _bytes_of(controller: Controller) -> int:
    """The size of the controller's files if they were encrypted on a disk."""
    sizes = [(len(header), len(header) + len(data) + 4) for header, data, _write in controller.disk.files.values()]
    return sum(line + 2 + 4 * math.ceil((57 + 16 * (plain // 16 + 1)) / 3) for line, plain in sizes)


_MOST = ("busiest_second", "versions", "shared_bytes", "cache_files", "cache_bytes", "longest_call")


class Story:
    def __init__(self, seed: int, plan: Plan) -> None:
        self.plan = plan
        self.world = World(seed, crash=plan.crash, crash_at=frozenset(plan.crash_at))
        self.world.tell("story", repr(plan))
        self.dice = random.Random(f"story {seed}")
        self.faults = Faults()
        self.promises = Promises(self.world, plan, self.faults)
        self.vendor = SimulatedVendor(self.world, self.faults, self.promises, lifetime=plan.lifetime, latency=plan.vendor_latency, refresh=plan.refresh)
        self.vault = SimulatedVault(self.world, self.faults, self.promises, latency=plan.vault_latency, lease=plan.lease)
        self.vendor.token_size = plan.token_size
        self.promises.vendor, self.promises.vault = self.vendor, self.vault
        self.world.on_kill = self.promises.killed
        self.promises.on_consent_lost = self._consent_again
        self.figures = Figures()
        self.controllers = [Controller(f"c{n}", Disk(f"/simulated/{seed}/c{n}"), self.dice.uniform(-plan.skew, plan.skew)) for n in range(plan.controllers)]
        self.promises.skews.update((controller.name, controller.skew) for controller in self.controllers)
        self.paths = [f"fleet/{n}" for n in range(plan.paths)]
        self._requests: dict[tuple[str, str], Request] = {}
        self._pointers: dict[tuple[str, str], t.Any] = {}
        self._asked_for_consent: set[str] = set()
        self._ends: list[t.Callable[[], None]] = []
        for path in self.paths:
            self.vendor.passwords[path] = "password-0"
            self.store_secret(path)

    # -- what happens

    def play(self) -> Figures:
        """Play the whole story.

        :raises Violation: a promise was broken. The message tells what happened before.
        """
        plan, end = self.plan, START + self.plan.hours * 3600
        random.seed(self.world.seed)  # the core's own jitter
        pointers._READ.clear()  # another story has different files at the same paths
        pointers._MANY = 1_000_000  # here all controllers share one process
        for controller in self.controllers:
            self.world.spawn(None, lambda controller=controller: self._cron(controller, end), after=self.dice.uniform(0, min(plan.spread, plan.every)))
        for incident in plan.incidents:
            self.world.at(START + incident.at, lambda incident=incident: self._happens(incident))
        self.world.run(end)
        # The figures do not include what follows.
        figures = dataclasses.replace(
            self.figures,
            vendor_requests=self.vendor.requests,
            vault_requests=dict(self.vault.requests),
            crashes=len(self.world.crashed_at),
            steps=self.world.steps,
            seconds=self.world.now - START,
            busiest_second=self.vault.busiest[0],
            shared_bytes=self.vault.largest,
            cache_files=max(len(controller.disk.files) for controller in self.controllers),
            cache_bytes=max(map(_bytes_of, self.controllers)),
            versions=max(self.vault.versions.values(), default=0),
            longest_call=self.promises.longest_call,
        )
        self._peace()
        self._everybody_has_a_token()
        return figures

    def _cron(self, controller: Controller, end: float) -> None:
        while self.world.now < end:
            self.start_run(controller)
            self.world.pause(self.plan.every * self.dice.uniform(1 - self.plan.jitter, 1 + self.plan.jitter))

    def start_run(self, controller: Controller, *, results: list[t.Any] | None = None) -> Process:
        controller.runs += 1
        process = Process(f"{controller.name}-run{controller.runs}")
        controller.latest = process
        hosts = [list(range(self.plan.hosts)) for _task in range(self.plan.tasks)]
        left = [self.plan.forks]

        def worker(fork: int) -> None:
            for waiting in hosts:
                while waiting:
                    host = waiting.pop()
                    for path in self.paths:
                        result = self._lookup(controller, process, f"{process.name}/f{fork}h{host}", path)
                        if results is not None:
                            results.append(result)
                if self.plan.between_tasks:
                    self.world.pause(self.plan.between_tasks)
            left[0] -= 1
            if not left[0]:
                self.world.forget(process)

        for fork in range(self.plan.forks):
            self.world.spawn(process, lambda fork=fork: worker(fork), after=self.dice.random() * 0.1)
        return process

    def _lookup(self, controller: Controller, process: Process, who: str, path: str) -> t.Any:
        options = self._options(path)
        result = self._ask(controller, process, who, path, options)
        refused = not isinstance(result, TokenError) and self.vendor.tokens[result.access_token].revoked  # the vendor's API answers 401
        return self._ask(controller, process, who, path, {"refused": result.access_token}) if refused else result

    def _ask(self, controller: Controller, process: Process, who: str, path: str, options: dict[str, t.Any]) -> t.Any:
        """One lookup: read the entry that the options point to, or otherwise go through the resolver."""
        self.figures.lookups += 1
        request = self.request(controller, path)
        if options:
            request = dataclasses.replace(request, freshness=dataclasses.replace(request.freshness, **options))
        store = self.store_of(controller, who)
        asked = Asked(who, process.name, controller.name, path, request.freshness, self.world.now, getcurrent(), store)
        self.promises.begin(asked)
        if options:
            self.world.tell(who, f"asks for {path} with {options}")
        token: t.Any = None
        keys = self._pointer_keys(controller, path)
        freshness = request.freshness
        if not (freshness.force or freshness.refused or freshness.together):
            hit = pointers.cached(store, keys, min_ttl=freshness.min_ttl, max_age=freshness.max_age, now=self.world.now + controller.skew)
            if hit is not None:
                self.figures.hits += 1
                asked.events.append("hit")
                token = hit[0]
        if token is None:
            token = self._whole_way(controller, process, asked, request)
        self.promises.end(asked, token)
        if isinstance(token, TokenError):
            self.figures.errors += 1
            self.world.tell(who, f"{path}: {token.message[:150]}")
        elif options:
            self.world.tell(who, f"{path} with {', '.join(options)}: {token.access_token}")
        return token

    def _whole_way(self, controller: Controller, process: Process, asked: Asked, request: Request) -> t.Any:
        resolver = Resolver(self.ports(controller, process.name, asked.who))
        resolver._stores[request.cache] = asked.store
        try:
            token = resolver.token(request)
            if not request.freshness.together:
                entry = token_keys(request, asked.store.user_key())
                pointer = pointers.Pointer(entry, vendor=request.vendor.name, where=request.where, scheme="Bearer")
                pointers.remember(asked.store, self._pointer_keys(controller, asked.path), pointer)
        except TokenError as exc:
            return exc
        return token

    def _options(self, path: str) -> dict[str, t.Any]:
        if not self.plan.single or self.dice.random() > 0.05:
            return {}
        if self.dice.random() < 0.5 or path not in self.vendor.newest:
            return {"force": True}
        return {"refused": self.vendor.newest[path]}

    def request(self, controller: Controller, path: str) -> Request:
        key = (controller.name, path)
        if key not in self._requests:
            plan = self.plan
            self._requests[key] = request_for(
                CONSENT if plan.consent else "tracktik",
                path,
                kind="vault" if plan.shared else "file",
                vault=approle(secret_id=_secret_id(controller)),
                failure_ttl=FAILURE_TTL,
                min_ttl=plan.min_ttl,
                max_age=plan.max_age,
                together=plan.together,
            )
        return self._requests[key]

    def _pointer_keys(self, controller: Controller, path: str) -> t.Any:
        key = (controller.name, path)
        if key not in self._pointers:
            self._pointers[key] = pointers.pointer_keys(b"k" * 32, [_secret_id(controller)], [path])
        return self._pointers[key]

    def store_of(self, controller: Controller, who: str = "") -> MemoryStore:
        """The controller's store as a new process sees it."""
        return MemoryStore(controller.disk, self.world, interleave=self.plan.interleave, warn=lambda text: self.world.tell(who or controller.name, text[:150]))

    def ports(self, controller: Controller, run: str, who: str) -> Ports:
        def event(found: Event) -> None:
            self.promises.event(who, found.name)
            if found.name == "hit":
                self.figures.hits += 1
            if found.name not in _SEEN:
                self.world.tell(who, f"{found.name} {found.where} {found.reason[:100]}")

        scope = "fleet" if self.plan.shared else controller.name
        return Ports(
            exchange=lambda request, options, seconds, name: self.vendor.exchange(who, scope, request, options, seconds, name),
            vault=t.cast(t.Any, lambda options, warn: self.vault.client(who)),
            clock=lambda: self.world.now + controller.skew,
            monotonic=lambda: self.world.now,
            sleep=self.world.pause,
            warn=lambda text: self.world.tell(who, f"warning: {text[:150]}"),
            event=event,
            run=run,
        )

    # -- what goes wrong

    def _happens(self, incident: Incident) -> None:
        if not self.world.faults:
            return
        self.world.tell("incident", f"{incident.kind} {incident.lasts:g} {incident.whom} {incident.much:g}")
        self.figures.incidents[incident.kind] = self.figures.incidents.get(incident.kind, 0) + 1
        self.promises.incident(+1)
        ends = begin(self, incident)

        def end() -> None:
            if end in self._ends:
                self._ends.remove(end)
                self.world.tell("incident", f"{incident.kind} is over")
                ends()
                self.promises.incident(-1)

        self._ends.append(end)
        self.world.at(self.world.now + incident.lasts, end)

    def store_secret(self, path: str, *, wrong: bool = False) -> None:
        """Store in Vault what an operator would, or a person who gives consent."""
        data = {"client_id": "i", "client_secret": "s"}
        if self.plan.consent:
            data["refresh_token"] = f"wrong-{self.world.now:.3f}" if wrong else self.vendor.consent(path)
            self.vendor.refresh_tokens[data["refresh_token"]] = path
            if wrong:
                self.vendor.dead.add(data["refresh_token"])
        else:
            data.update(username=path, password=f"wrong-{self.world.now:.3f}" if wrong else self.vendor.passwords[path])
        self.world.tell("operator", f"{path}: {data.get('password') or data['refresh_token']}")
        self.vault.put(path, data)

    def _consent_again(self, path: str) -> None:
        """A person gives consent again, some time after the old one was lost."""
        if path not in self._asked_for_consent:
            self._asked_for_consent.add(path)
            self.figures.consents += 1

            def given() -> None:
                self._asked_for_consent.discard(path)
                self.store_secret(path)

            self.world.at(self.world.now + _CONSENT_TAKES, given)

    # -- how it ends

    def _peace(self) -> None:
        """End all faults, and let pending lookups finish."""
        self.world.tell("story", "peace")
        for end in list(self._ends):
            end()
        self.world.faults = False
        limit = self.world.now + 2 * LONGEST_CALL
        self.world.run(limit, done=lambda: not self.promises.asked)
        if self.promises.asked:
            self.world.fail(f"{', '.join(self.promises.asked)} wait forever")
        for path in self.paths:
            self.store_secret(path)
        self.world.run(max(self.world.now, self.promises.wait_for()))
        self.promises.peace()

    def _everybody_has_a_token(self) -> None:
        for controller in self.controllers:
            results: list[t.Any] = []
            process = self.start_run(controller, results=results)
            self.world.run(self.world.now + 2 * LONGEST_CALL, done=lambda process=process: not process.alive)
            errors = [result for result in results if isinstance(result, TokenError)]
            if errors or not results:
                self.world.fail(f"{controller.name} gets no token although all is well: {errors[0] if errors else 'no answer'}")
