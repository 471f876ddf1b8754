# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A story of a fleet: controllers that run plays for hours or weeks, and what goes wrong meanwhile. All of it follows from the seed.

What is promised is checked at each step:

- no refresh token is used twice;
- one vendor request for each lifetime and cause, for each cache that controllers share;
- no expired token and nobody else's token is handed out;
- a refusal is not repeated with the same secret, in the same run, nor in other runs of a controller within ``failure_ttl``;
- an outage is not found out again within the memory of a run;
- nobody waits for ever;
- when the faults end, everybody gets a token.
"""

from __future__ import annotations

import dataclasses
import random
import typing as t

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Request, Token
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Event, Ports
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from support.scripted import approle, request_for

from .servers import Faults, SimulatedVault, SimulatedVendor
from .store import MemoryStore
from .world import START, Process, World

__all__ = ("Figures", "Plan", "Story", "plan_of")

FAILURE_TTL = 30.0
_LONGEST_CALL = 600.0
_MOST_SKEW = 20.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a story is made of."""

    controllers: int = 3
    paths: int = 1
    shared: bool = False
    hosts: int = 4
    forks: int = 2
    lifetime: float = 600.0
    refresh: bool = True
    hours: float = 2.0
    every: float = 300.0  # seconds between the runs of a controller
    tasks: int = 2
    between_tasks: float = 20.0
    skew: float = 0.0  # clocks are apart by so much at most
    crash: float = 0.0
    faults: int = 4  # how many things go wrong, one after the other
    single: bool = False  # force and refused are used too
    interleave: bool = True  # callers give way between file operations
    vendor_latency: float = 0.3
    vault_latency: float = 0.02


def plan_of(seed: int) -> Plan:
    """A small story with everything in it."""
    dice = random.Random(f"plan {seed}")
    return Plan(
        controllers=dice.choice((1, 1, 2, 3, 5)),
        paths=dice.choice((1, 1, 2)),
        shared=dice.random() < 0.6,
        hosts=dice.choice((1, 3, 6)),
        forks=dice.choice((1, 2, 4)),
        lifetime=dice.choice((45.0, 300.0, 600.0, 3600.0)),
        refresh=dice.random() < 0.6,
        hours=1.0,
        every=dice.choice((60.0, 300.0)),
        skew=dice.choice((0.0, 0.0, _MOST_SKEW)),
        crash=dice.choice((0.0, 0.0, 0.002, 0.01)),
        faults=dice.choice((2, 5, 8)),
        single=dice.random() < 0.3,
    )


@dataclasses.dataclass
class Controller:
    name: str
    store: MemoryStore
    skew: float
    runs: int = 0
    latest: Process | None = None


@dataclasses.dataclass
class Figures:
    """What a story cost."""

    lookups: int = 0
    hits: int = 0
    errors: int = 0
    vendor_requests: int = 0
    vault_requests: dict[str, int] = dataclasses.field(default_factory=dict)
    crashes: int = 0
    seconds: float = 0.0
    shared_bytes: int = 0
    longest_call: float = 0.0


class Story:
    def __init__(self, seed: int, plan: Plan) -> None:
        self.plan = plan
        self.world = World(seed, crash=plan.crash)
        self.world.tell("story", repr(plan))
        self.dice = random.Random(f"story {seed}")
        self.faults = Faults()
        self.vendor = SimulatedVendor(self.world, self.faults, lifetime=plan.lifetime, latency=plan.vendor_latency, refresh=plan.refresh)
        self.vault = SimulatedVault(self.world, self.faults, latency=plan.vault_latency)
        self.vendor.observe = self._asked
        self.vault.observe = self.world.tell
        self.world.on_crash = self._crashed
        self.figures = Figures()
        self.controllers = [
            Controller(f"c{n}", MemoryStore(self.world, f"c{n}", interleave=plan.interleave), self.dice.uniform(-plan.skew, plan.skew))
            for n in range(plan.controllers)
        ]
        self.paths = [f"fleet/{n}" for n in range(plan.paths)]
        self._requests: dict[tuple[t.Any, ...], Request] = {}
        self._excused: set[tuple[str, str]] = set()  # scope and account: one more request than promised may come
        self._single: set[tuple[str, str]] = set()  # callers with force or refused
        self._latest: dict[tuple[str, str], float] = {}
        self._refused: dict[tuple[str, str, str], float] = {}  # run, account, password
        self._refused_by: dict[tuple[str, str, str], float] = {}  # controller, account, password
        self._passing: dict[tuple[str, str], tuple[float, int]] = {}
        for path in self.paths:
            self.vendor.passwords[path] = "password-0"
            self._store_secret(path, "password-0")

    # -- what happens

    def play(self) -> Figures:
        """The whole story.

        :raises Violation: a promise was broken; what happened before is told.
        """
        plan, end = self.plan, START + self.plan.hours * 3600
        for controller in self.controllers:
            self.world.spawn(None, lambda controller=controller: self._cron(controller, end), after=self.dice.uniform(0, min(60, plan.every)))
        self.world.spawn(None, lambda: self._trouble(end))
        self.world.run(end)
        # What comes afterwards is no part of the figures.
        figures = dataclasses.replace(
            self.figures,
            vendor_requests=self.vendor.requests,
            vault_requests=dict(self.vault.requests),
            crashes=self.world.crashes,
            seconds=self.world.now - START,
            shared_bytes=sum(len(content) for content, _version in self.vault.entries.values()),
        )
        self._peace()
        self._everybody_has_a_token()
        return figures

    def _cron(self, controller: Controller, end: float) -> None:
        while self.world.now < end:
            self.start_run(controller)
            self.world.pause(self.plan.every * self.dice.uniform(0.8, 1.2))

    def start_run(self, controller: Controller, *, results: list[t.Any] | None = None) -> Process:
        controller.runs += 1
        process = Process(f"{controller.name}-run{controller.runs}")
        controller.latest = process
        hosts = list(range(self.plan.hosts))
        left = [self.plan.forks]

        def worker(fork: int) -> None:
            for _task in range(self.plan.tasks):
                while hosts:
                    host = hosts.pop()
                    for path in self.paths:
                        self._lookup(controller, process, f"{process.name}/f{fork}h{host}", path, results)
                if self.plan.between_tasks:
                    self.world.pause(self.plan.between_tasks)
                if not hosts:
                    hosts.extend(range(self.plan.hosts))
            left[0] -= 1
            if not left[0]:
                self.world.forget(process)

        for fork in range(self.plan.forks):
            self.world.spawn(process, lambda fork=fork: worker(fork), after=self.dice.random() * 0.1)
        return process

    def _lookup(self, controller: Controller, process: Process, who: str, path: str, results: list[t.Any] | None) -> None:
        options = self._options()
        began = self.world.now
        self.figures.lookups += 1
        if options:
            self._single.add((who, path))
        request = self._request(controller, path, tuple(sorted(options.items())))
        resolver = Resolver(self._ports(controller, process, who))
        resolver._stores[request.cache] = controller.store
        try:
            token = resolver.token(request)
        except TokenError as exc:
            self.figures.errors += 1
            self.world.tell(who, f"{path}: {exc.message[:150]}")
            if results is not None:
                results.append(exc)
            return
        finally:
            self._single.discard((who, path))
            took = self.world.now - began
            self.figures.longest_call = max(self.figures.longest_call, took)
            if took > _LONGEST_CALL:
                self.world.fail(f"{who} waited for {took:.0f} s")
        if options:
            self.world.tell(who, f"{path} with {', '.join(options)}: {token.access_token} after {took:.3f} s")
        self._check(who, path, token, forced=bool(options))
        if results is not None:
            results.append(token)

    def _options(self) -> dict[str, t.Any]:
        if not self.plan.single or self.dice.random() > 0.05:
            return {}
        if self.dice.random() < 0.5 or not self.vendor.tokens:
            return {"force": True}
        return {"refused": list(self.vendor.tokens)[-1]}

    def _request(self, controller: Controller, path: str, options: tuple[t.Any, ...]) -> Request:
        key = (controller.name, path, options)
        if key not in self._requests:
            self._requests[key] = request_for(
                "tracktik",
                path,
                kind="vault" if self.plan.shared else "file",
                vault=approle(secret_id=controller.name),
                failure_ttl=FAILURE_TTL,
                **dict(options),
            )
        return self._requests[key]

    def _ports(self, controller: Controller, process: Process, who: str) -> Ports:
        def event(found: Event) -> None:
            if found.name == "hit":
                self.figures.hits += 1
            elif found.name not in ("shared", "vault_login_reused", "vault_secret_read"):
                self.world.tell(who, f"{found.name} {found.where} {found.reason[:100]}")

        scope = self._scope(controller)
        return Ports(
            exchange=lambda request, options, seconds, name: self.vendor.exchange(who, scope, request, options, seconds, name),
            vault=t.cast(t.Any, lambda options, warn: self.vault.client(who)),
            clock=lambda: self.world.now + controller.skew,
            monotonic=lambda: self.world.now,
            sleep=self.world.pause,
            warn=lambda text: self.world.tell(who, f"warning: {text[:150]}"),
            event=event,
            run=process.name,
        )

    # -- what goes wrong

    def _trouble(self, end: float) -> None:
        kinds: tuple[t.Callable[[], None], ...] = (
            self._vendor_away,
            self._vendor_unavailable,
            self._rate_limit,
            self._lost_answers,
            self._vault_away,
            self._vault_sealed,
            self._vault_fails_over,
            self._password_rotated,
            self._wrong_password,
            self._purge,
            self._shared_purge,
            self._shared_denied,
        )
        for _number in range(self.plan.faults):
            self.world.pause(self.dice.uniform(0.2, 1.0) * (end - START) / self.plan.faults)
            if not self.world.faults:
                return
            kind = self.dice.choice(kinds)
            self.world.tell("trouble", kind.__name__.lstrip("_"))
            kind()
            self.world.pause(self.dice.choice((2.0, 30.0, 120.0, 300.0)))
            self.world.tell("trouble", "over")
            if self.faults.shared_denied:  # what each has fetched alone is not shared
                self._excuse_all()
            self.faults.heal()

    def _vendor_away(self) -> None:
        self.faults.vendor_away = True

    def _vendor_unavailable(self) -> None:
        self.faults.vendor_unavailable = True

    def _rate_limit(self) -> None:
        self.faults.rate_limit = self.dice.choice((2.0, 90.0, 600.0))

    def _lost_answers(self) -> None:
        self.faults.vendor_lost = self.dice.choice((0.3, 1.0))
        self.faults.vendor_slow = 0.2

    def _vault_away(self) -> None:
        self.faults.vault_away = True

    def _vault_sealed(self) -> None:
        self.faults.vault_sealed = True

    def _vault_fails_over(self) -> None:
        self.faults.vault_lost, self.faults.vault_failed = 0.2, 0.2
        self._excuse_all()

    def _password_rotated(self) -> None:
        """At the vendor first, in Vault a moment later."""
        path = self.dice.choice(self.paths)
        self.vendor.passwords[path] = f"password-{self.world.now:.3f}"
        self.world.pause(self.dice.choice((0.0, 0.5, 100.0)))
        self._store_secret(path, self.vendor.passwords[path])
        self._excuse_all()

    def _wrong_password(self) -> None:
        path = self.dice.choice(self.paths)
        self._store_secret(path, f"wrong-{self.world.now:.3f}")
        self.world.pause(self.dice.choice((10.0, 400.0)))
        self._store_secret(path, self.vendor.passwords[path])
        self._excuse_all()

    def _purge(self) -> None:
        self.dice.choice(self.controllers).store.purge()
        self._excuse_all()

    def _shared_purge(self) -> None:
        self.vault.entries.clear()
        self._excuse_all()

    def _shared_denied(self) -> None:
        self.faults.shared_denied = True
        self._excuse_all()

    def _crashed(self, process: Process) -> None:
        self._excuse_all()
        for memory in (self._refused_by, self._passing):
            memory.clear()

    def _store_secret(self, path: str, password: str) -> None:
        self.world.tell("operator", f"{path}: {password}")
        self.vault.put(path, {"client_id": "i", "client_secret": "s", "username": path, "password": password})

    # -- what is promised

    def _scope(self, controller: Controller) -> str:
        return "fleet" if self.plan.shared else controller.name

    def _excuse_all(self) -> None:
        self._excused.update((self._scope(controller), path) for controller in self.controllers for path in self.paths)

    def _asked(self, who: str, account: str, kind: str, outcome: str) -> None:
        """The vendor was asked."""
        self.world.tell(who, f"vendor: {kind} for {account}: {outcome}")
        run = who.partition("/")[0]
        scope = "fleet" if self.plan.shared else run.partition("-")[0]
        if outcome.startswith("issued"):
            self._issued(who, scope, account)
        if outcome != "issued" or self.faults.vault_lost or self.faults.vault_away or self.faults.vault_sealed:
            self._excused.add((scope, account))
        if outcome == "refused":
            self._judge_refusal(who, run, account)

    def _issued(self, who: str, scope: str, account: str) -> None:
        key, now, lifetime = (scope, account), self.world.now, self.plan.lifetime
        before = self._latest.get(key)
        aging = min(lifetime * 0.8, lifetime - 60 if lifetime > 60 else lifetime / 2) - 2 * self.plan.skew - 5
        if before is not None and now - before < aging and key not in self._excused and (who, account) not in self._single and not self.faults.shared_denied:
            self.world.fail(f"{who}: a second token for {account} within {now - before:.3f} s, and nothing has happened meanwhile")
        if (who, account) not in self._single:
            self._excused.discard(key)
        self._latest[key] = now

    def _judge_refusal(self, who: str, run: str, account: str) -> None:
        password, now = str(self.vault.secrets[account][0]["password"]), self.world.now
        if (run, account, password) in self._refused:
            self.world.fail(f"{who}: the refusal of {password} for {account} was repeated in the same run")
        self._refused[run, account, password] = now
        controller = (run.partition("-")[0], account, password)
        before = self._refused_by.get(controller)
        if before is not None and now - before < FAILURE_TTL:
            self.world.fail(f"{who}: the refusal of {password} for {account} was repeated after {now - before:.3f} s by another run of the controller")
        self._refused_by[controller] = now

    def _check(self, who: str, path: str, token: Token, *, forced: bool) -> None:
        issued = self.vendor.tokens.get(token.access_token)
        if issued is None or issued.account != path:
            self.world.fail(f"{who}: got {token.access_token}, which is not a token for {path}")
        if not self.plan.shared and issued.by != who.partition("-")[0]:
            self.world.fail(f"{who}: got {token.access_token}, which is another controller's")
        # Between the last look at the clock and this line there is no time.
        if issued.expires_at + 2 * self.plan.skew < self.world.now:
            self.world.fail(f"{who}: got {token.access_token}, which has expired {self.world.now - issued.expires_at:.3f} s ago")

    def _peace(self) -> None:
        """All faults end, and memories with them."""
        self.world.tell("story", "peace")
        self.faults.heal()
        self.world.faults = False
        self._excuse_all()
        for path in self.paths:
            if self.vault.secrets[path][0]["password"] != self.vendor.passwords[path]:
                self._store_secret(path, self.vendor.passwords[path])
        self.world.run(self.world.now + 700)

    def _everybody_has_a_token(self) -> None:
        for controller in self.controllers:
            results: list[t.Any] = []
            self.start_run(controller, results=results)
            self.world.run(self.world.now + 300)
            if not results or not all(isinstance(result, Token) for result in results):
                self.world.fail(f"{controller.name} gets no token although all is well: {results[-1] if results else 'no answer'}")
