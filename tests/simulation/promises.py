# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The promises of the collection, checked at each step of a story:

- no refresh token is used twice, and a consent is lost only if a response is lost;
- for each lifetime and cause, each cache gets one new token, however many controllers share it;
- no caller gets a token that is expired, refused or somebody else's, or whose remaining lifetime is too short;
- a refused secret is not sent again by the same run, nor within ``failure_ttl`` by others that share the cache, and no run repeats a refused Vault login;
- while a run remembers an outage of the vendor or of Vault, it does not try again, and all callers honor ``Retry-After``;
- if Vault denies a secret, no other source serves its token;
- purged tokens do not come back;
- an error has a cause;
- if controllers share tokens, a caller does not ask the vendor once another has taken over its lease;
- no caller waits forever, and no run waits twice for the same holder of a lock.

Some events cannot be known to a caller: a process is killed or stopped, a response is lost, a cache is purged or cannot be written. Each such
event allows those that share the cache one more request for the same token, and no more.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Freshness

from .world import Process, World

if t.TYPE_CHECKING:
    from .plan import Plan
    from .servers import Faults, SimulatedVault, SimulatedVendor

__all__ = ("FAILURE_TTL", "LONGEST_CALL", "Asked", "Promises")

FAILURE_TTL = 30.0
LONGEST_CALL = 600.0
_LONGEST_RETRY_AFTER = 300.0
_LONGEST_MEMORY = 700.0  # how long a run remembers: failure_ttl, ten times the duration of the attempt, and the wait for a lock
_OUTAGES = ("unreachable", "sealed", "lost")
_SLACK = 5.0
_LONG = 60.0
_MANY = 1000
_CLOCK_SLACK = 60.0  # seconds that a failure may be in the future
_FAR_APART = 50.0  # seconds; beyond a minute, a controller treats another's tokens as if a clock had jumped

Key = tuple[str, str]  # scope or controller, and path


@dataclasses.dataclass(eq=False)
class Asked:
    """A pending lookup."""

    who: str
    run: str
    controller: str
    path: str
    freshness: Freshness
    began: float
    thread: t.Any
    store: t.Any
    attempts: int = 0
    disturbed: bool = False
    stopped: bool = False
    alone: bool = False  # Vault did not answer, or denied the shared entry
    outcome: str = ""  # the vendor's last outcome
    vault: str = ""  # Vault's last outcome
    outage: bool = False  # Vault's last outcome was an outage
    secret: str = ""  # outcome of the last read of the secret
    events: list[str] = dataclasses.field(default_factory=list)


class Promises:
    """The judge of a story. It sees everything that the servers do."""

    vendor: SimulatedVendor
    vault: SimulatedVault

    def __init__(self, world: World, plan: Plan, faults: Faults) -> None:
        self._world = world
        self._plan = plan
        self._faults = faults
        self.asked: dict[str, Asked] = {}
        self.incidents = 0  # that are going on
        self.troubled_until = 0.0
        self.longest_call = 0.0
        self.on_consent_lost: t.Callable[[str], None] = lambda path: None
        self.skews: dict[str, float] = {}
        self._difference: float | None = None
        self._jumped = 0.0
        self._excused: set[Key] = set()
        self._latest: dict[Key, float] = {}  # when the newest token was issued
        self._newest: dict[Key, str] = {}  # the newest token
        self._renewed: set[tuple[str, str, str]] = set()  # run, path, cause
        self._used: dict[str, Asked | None] = {}  # by refresh token: the lookup that sent it, if it can be blamed
        self._reusable: set[str] = set()
        self._refused: set[tuple[str, str, str]] = set()  # run, path, secret
        self._refused_by: dict[tuple[str, str, str], float] = {}  # scope, path, secret
        self._failed: dict[tuple[str, str], float] = {}  # run, path
        self._retry: dict[Key, float] = {}
        self._outages: dict[str, float] = {}  # run
        self._login_refused: set[str] = set()  # run
        self._login_refused_at = 0.0
        self._waited: dict[tuple[str, str], float] = {}  # run, and the message that names the lock's holder
        self._purged: dict[Key, tuple[float, float]] = {}  # when the purge ended, and began

    # -- lookups

    def begin(self, asked: Asked) -> None:
        self.asked[asked.who] = asked

    def end(self, asked: Asked, result: t.Any) -> None:
        """The lookup has got a token, or an error."""
        del self.asked[asked.who]
        took, failed = self._world.now - asked.began, isinstance(result, TokenError)
        self.longest_call = max(self.longest_call, 0.0 if asked.stopped else took)
        if took > LONGEST_CALL and not asked.stopped:
            self._fail(f"{asked.who} waited {took:.0f} s")
        if len(self._failed) > _MANY:
            self._failed = {known: at for known, at in self._failed.items() if at > self._world.now - FAILURE_TTL}
        if asked.attempts and (failed or "served_stale" in asked.events) and asked.outcome not in ("refused", "issued") and not asked.store._warned:
            self._failed[asked.run, asked.path] = self._world.now
        elif not failed and asked.events[-1:] != ["hit"]:
            self._forget(asked.controller, asked.path)
        if failed and "has held the lock" in result.message and took > _LONG:
            waited = self._waited.get((asked.run, result.message))
            if waited is not None and asked.began > waited and asked.began - waited < FAILURE_TTL - 1 and not asked.disturbed:
                self._fail(f"{asked.who}: waited {took:.0f} s for a lock, {asked.began - waited:.3f} s after its run had already waited for it")
            self._waited[asked.run, result.message] = self._world.now
        if failed and asked.outage and not asked.store._warned:
            self._outages[asked.run] = self._world.now
        if failed:
            self._judge_error(asked, result)
        else:
            self._judge_token(asked, result)

    def event(self, who: str, name: str) -> None:
        asked = self.asked.get(who)
        if asked is not None:
            asked.events.append(name)

    def _judge_token(self, asked: Asked, token: t.Any) -> None:
        value, now, vendor = token.access_token, self._world.now, self.vendor
        issued = vendor.tokens.get(value)
        if issued is None or issued.account != asked.path:
            self._fail(f"{asked.who}: got {value}, which is not a token for {asked.path}")
        if not self._plan.shared and issued.by != asked.controller:
            self._fail(f"{asked.who}: got {value}, which is another controller's")
        # No time passes between the caller's last look at the clock and this line.
        left, wrong = issued.expires_at - now, self._apart() + self._jumped
        clock = now + self.skews[asked.controller]
        if left + wrong < 0 or (not asked.disturbed and token.expires_at < clock):
            self._fail(f"{asked.who}: got {value}, which expired {max(-left, clock - token.expires_at):.3f} s ago")
        if not asked.disturbed and token.issued_at > clock + _CLOCK_SLACK:
            self._fail(f"{asked.who}: got {value}, which was issued {token.issued_at - clock:.3f} s in the future")
        min_ttl = asked.freshness.min_ttl
        lifetime, left = token.expires_at - token.issued_at, token.expires_at - clock
        needed = min_ttl if lifetime > min_ttl else lifetime / 2
        if asked.events[-1:] and asked.events[-1] in ("hit", "shared") and not asked.disturbed and left + _SLACK < needed:
            self._fail(f"{asked.who}: got {value} from the cache, which is valid for {left:.3f} s, less than the {needed:g} s required")
        age, oldest = clock - token.issued_at, asked.freshness.max_age
        if oldest is not None and age > oldest + _SLACK and not {"served_stale", "shared"} & {*asked.events} and not asked.disturbed:
            self._fail(f"{asked.who}: got {value}, which is {age:.3f} s old, more than the {oldest:g} s allowed")
        purged, before = self._purged.get((asked.controller, asked.path), (math.inf, 0.0))
        if asked.began > purged and issued.issued_at < before:
            self._fail(f"{asked.who}: got {value}, which was purged {now - purged:.3f} s ago")
        if asked.freshness.refuses(value):
            self._fail(f"{asked.who}: got {value} again, although it reported it as refused")
        if asked.secret == "denied" and asked.events[-1:] != ["shared"]:
            self._fail(f"{asked.who}: got {value} although Vault denies the secret")

    def _judge_error(self, asked: Asked, error: TokenError) -> None:
        if not self.incidents and self._world.now - self.troubled_until > _LONGEST_MEMORY:
            self._fail(f"{asked.who}: got no token for {asked.path}, although nothing went wrong recently: {error.message}")

    # -- what excuses requests

    def incident(self, change: int) -> None:
        """An incident has begun or ended."""
        self.incidents += change
        self.troubled_until = self._world.now

    def killed(self, process: Process, thread: t.Any) -> None:
        self.troubled_until = self._world.now
        for asked in [asked for asked in self.asked.values() if asked.thread is thread]:
            self._disturb(asked)
            self._login_refused.discard(asked.run)
            self._refused = {known for known in self._refused if known[:2] != (asked.run, asked.path)}
            del self.asked[asked.who]

    def stopped(self, process: Process) -> None:
        for asked in self.asked.values():
            if asked.thread in process.threads:
                asked.stopped = True
                self._disturb(asked)

    def clock_jumped(self, controller: str, seconds: float) -> None:
        self.skews[controller] += seconds
        self._difference = None
        self._purged.clear()
        self._jumped += abs(seconds)
        for asked in self.asked.values():
            if asked.controller == controller:
                self._disturb(asked)
        self._excuse_all(controller)
        self._forget_all(controller)

    def purged(self, controller: str, *, shared: bool, since: float | None = None) -> None:
        """
        :arg since: when the purge began, if it has just succeeded.
        """
        if since is not None and (shared or not self._plan.shared):
            self._purged.update(((controller, path), (self._world.now, since)) for path in self.vendor.passwords)
        if shared:
            self.shared_purged()
        if shared or not self._plan.shared:
            self._excuse_all(controller)
        self._forget_all(controller)

    def shared_purged(self) -> None:
        self.vault.writers.clear()
        if self._plan.shared:
            self._excuse_all("")
            self._refused_by.clear()
            self._retry.clear()

    def refresh_tokens_died(self) -> None:
        self._used.clear()

    def restored(self) -> None:
        self._purged.clear()
        self.shared_purged()
        self._reusable.update(self.vendor.refresh_tokens)

    def peace(self) -> None:
        """Nothing that happens from now on is an excuse."""
        for controller in self.skews:
            self._excuse_all(controller)
            self._forget_all(controller)
        self._failed.clear()

    def wait_for(self) -> float:
        """When to ask again: after each Retry-After, a refused login, and failures that a wrong clock dates in the future."""
        wrong = self._apart() + self._jumped
        ahead = self.troubled_until + FAILURE_TTL + min(wrong, _CLOCK_SLACK) + _SLACK if wrong else 0.0
        return max(ahead, self._login_refused_at + FAILURE_TTL + wrong + _SLACK, max(self._retry.values(), default=0.0) + wrong + _SLACK)

    def _disturb(self, asked: Asked) -> None:
        """What this lookup has learned may be lost."""
        asked.disturbed = True
        self._excuse(asked.controller, asked.path)
        scope = self._scope(asked.controller)
        self._retry.pop((scope, asked.path), None)
        for known in [known for known in self._refused_by if known[:2] == (scope, asked.path)]:
            del self._refused_by[known]

    def _excuse(self, controller: str, path: str) -> None:
        if self._plan.shared:
            self._excused.update((name, path) for name in ("fleet", *self.skews))
        else:
            self._excused.add((controller, path))

    def _excuse_all(self, controller: str) -> None:
        for path in self.vendor.passwords:
            self._excuse(controller, path)

    def _forget(self, controller: str, path: str) -> None:
        """The failures that the controller's runs remember may be lost."""
        for known in [known for known in self._failed if known[0].startswith(controller + "-") and known[1] == path]:
            del self._failed[known]

    def _forget_all(self, controller: str) -> None:
        for path in self.vendor.passwords:
            self._forget(controller, path)
            self._retry.pop((self._scope(controller), path), None)
        for run in [run for run in (*self._outages, *self._login_refused) if run.startswith(controller + "-")]:
            self._outages.pop(run, None)
            self._login_refused.discard(run)
        if not self._plan.shared:
            self._refused_by = {known: at for known, at in self._refused_by.items() if known[0] != controller}
        self._refused = {known for known in self._refused if not known[0].startswith(controller + "-")}
        self._renewed = {known for known in self._renewed if not known[0].startswith(controller + "-")}

    # -- the vendor

    def vendor_attempt(self, who: str, account: str, grant: str) -> None:
        asked, now = self.asked[who], self._world.now
        if asked.path != account:
            self._fail(f"{who}: asked for {account} instead of {asked.path}")
        wrong = self._apart() + self._jumped
        failed = self._failed.get((asked.run, account))
        if not asked.attempts and failed is not None and now - failed < FAILURE_TTL - 1 and not asked.store._warned:
            self._fail(f"{who}: asked for {account} although its run failed {now - failed:.3f} s ago")
        retry = self._retry.get((self._scope(asked.controller), account), 0.0)
        if now < retry - wrong and not asked.store._warned:
            self._fail(f"{who}: asked for {account} although the vendor asked to wait another {retry - now:.3f} s")
        holder = self.vault.writers.get(account, who)
        believed = self._plan.consent or wrong < _SLACK  # a clock that is ahead ends a lease too early
        if self._plan.shared and believed and holder != who and not asked.alone and not asked.store._warned:
            self._fail(f"{who}: asked for {account} although {holder} has taken over the lease")
        asked.attempts += 1

    def vendor_answer(self, who: str, account: str, grant: str, outcome: str, spent: str, *, delivered: bool) -> None:
        self._world.tell(who, f"vendor: {grant} for {account}: {outcome}{'' if delivered else ', lost'}")
        asked = self.asked.get(who)
        here = asked is not None and asked.path == account
        controller = who.partition("-")[0]
        if spent:
            self._judge_refresh_token(who, asked if here and delivered else None, outcome, spent)
        if asked is None or not here or not delivered:
            self._excuse(controller, account)
            return
        asked.outcome = outcome
        if outcome == "issued":
            self._judge_issue(asked)
            return
        self._excuse(controller, account)
        if outcome == "rate limit" and not asked.disturbed:
            key = (self._scope(controller), account)
            self._retry[key] = max(self._retry.get(key, 0.0), self._world.now + min(self._faults.rate_limit, _LONGEST_RETRY_AFTER))
        if outcome == "refused" and (grant == "password" or self._plan.consent):
            self._judge_refusal(asked, spent or str(self.vault.secrets[account][0].get("password")))

    def _judge_issue(self, asked: Asked) -> None:
        controller, path, now = asked.controller, asked.path, self._world.now
        apart, shared = self._apart(), (self._scope(controller), path)
        key = (controller, path) if apart > _FAR_APART else shared
        before = self._latest.get(key)
        justified = before is None or key in self._excused or asked.store._warned or now - before >= self._aging(asked) - 2 * apart - _SLACK
        if not justified and before is not None:
            cause = "force" if asked.freshness.force else asked.freshness.refused or ""
            if not cause or (asked.run, path, cause) in self._renewed or not (key != shared or cause in ("force", self._newest.get(shared))):
                self._fail(f"{asked.who}: a second token for {path} within {now - before:.3f} s, although nothing went wrong in between")
            self._renewed.add((asked.run, path, cause))
        else:
            self._excused.discard(key)
        if asked.store._warned or asked.disturbed:
            self._excuse(controller, path)  # the token is not stored
        self._latest[controller, path] = self._latest[shared] = now
        self._newest[shared] = self.vendor.newest[path]

    def _aging(self, asked: Asked) -> float:
        """The lowest age at which a token is renewed."""
        lifetime, freshness = self.vendor.lifetime, asked.freshness
        needed = freshness.min_ttl if lifetime > freshness.min_ttl else lifetime / 2
        return min(lifetime * 0.8, lifetime - needed, *(() if freshness.max_age is None else (freshness.max_age,)))

    def _judge_refresh_token(self, who: str, asked: Asked | None, outcome: str, spent: str) -> None:
        if spent in self._used and spent not in self._reusable:
            first = self._used[spent]
            # Without any other credential, sending a possibly spent refresh token is allowed.
            if not self._plan.consent or (first is not None and not first.disturbed):
                self._fail(f"{who}: {spent} is used a second time")
        if self._plan.consent and outcome == "refused":
            self._reusable.add(spent)  # now it is a wrong secret, and is retried like any other
            self.on_consent_lost(self.vendor.refresh_tokens[spent])
        self._used.setdefault(spent, asked)

    def _judge_refusal(self, asked: Asked, secret: str) -> None:
        now, warned = self._world.now, asked.store._warned
        if (asked.run, asked.path, secret) in self._refused and not warned:
            self._fail(f"{asked.who}: the refusal of {secret} for {asked.path} was repeated in the same run")
        scope = self._scope(asked.controller)
        before = self._refused_by.get((scope, asked.path, secret))
        if before is not None and now - before < FAILURE_TTL - self._apart() - 1 and not warned:
            self._fail(f"{asked.who}: the refusal of {secret} for {asked.path} was repeated after {now - before:.3f} s by another run")
        if not warned and not asked.disturbed:
            self._refused.add((asked.run, asked.path, secret))
            self._refused_by[scope, asked.path, secret] = now

    # -- Vault

    def vault_answer(self, who: str, what: str, outcome: str) -> None:
        asked = self.asked.get(who)
        if outcome != "ok":
            self._world.tell(who, f"{what}: {outcome}")
        if asked is None:
            return
        now = self._world.now
        outage = self._outages.get(asked.run)
        if outage is not None and asked.began > outage and now - outage < FAILURE_TTL - 1 and not asked.store._warned:
            self._fail(f"{who}: asked Vault ({what}) although its run found it unreachable {now - outage:.3f} s ago")
        asked.outage = outcome in _OUTAGES
        if what == "read secret":
            asked.secret = outcome
        if what in ("login", "renew") and outcome == "ok":
            self._outages = {run: at for run, at in self._outages.items() if not run.startswith(asked.controller + "-")}
        if outcome == "login_refused":
            if asked.run in self._login_refused and not asked.store._warned:
                self._fail(f"{who}: logged in to Vault although Vault refused the login in the same run")
            self._login_refused.add(asked.run)
            self._login_refused_at = now
        elif what == "login" and outcome == "ok":
            self._login_refused = {run for run in self._login_refused if not run.startswith(asked.controller + "-")}
        if outcome not in ("ok", "cas"):
            asked.alone = True
            self._disturb(asked)

    # -- sharing

    def _scope(self, controller: str) -> str:
        return "fleet" if self._plan.shared else controller

    def _apart(self) -> float:
        """The largest clock difference between controllers that share tokens."""
        if self._difference is None:
            self._difference = max(self.skews.values()) - min(self.skews.values()) if self._plan.shared else 0.0
        return self._difference

    def _fail(self, promise: str) -> t.NoReturn:
        self._world.fail(promise)
