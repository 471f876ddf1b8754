# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual time. Each caller has its own stack (a greenlet) and gives way at each effect. The seed alone decides which one continues."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import random
import typing as t

from greenlet import GreenletExit, getcurrent, greenlet

__all__ = ("START", "Process", "Violation", "World")

START = 1_800_000_000.0
_STORY_LINES = 200


class Violation(AssertionError):
    """A promise was broken.

    :arg promise: the promise, in one line.
    """

    def __init__(self, text: str, promise: str) -> None:
        super().__init__(text)
        self.promise = promise


@dataclasses.dataclass(eq=False)
class Process:
    """A run of Ansible with its forks, on one controller. It is stopped and killed as a whole; a fork can be killed alone."""

    name: str
    alive: bool = True
    stopped: bool = False
    threads: list[t.Any] = dataclasses.field(default_factory=list)
    missed: list[t.Any] = dataclasses.field(default_factory=list)  # wake-ups that were due while it was stopped


class World:
    """The clock, and the queue of callers and when each of them continues.

    Each time a caller gives way is a step, and steps are numbered. There is one before and after each effect.

    :arg crash: the probability at each step that the caller or its whole process is killed, while :attr:`faults` is set.
    :arg crash_at: numbers of the steps at which this always happens.
    """

    def __init__(self, seed: int, *, crash: float = 0.0, crash_at: t.Container[int] = ()) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = START
        self.crash = crash
        self.crash_at = crash_at
        self.faults = True
        self.steps = 0
        self.crashed_at: list[int] = []
        self.story: list[str] = []
        self.on_kill: t.Callable[[Process, t.Any], None] = lambda process, thread: None
        self._crash_dice = random.Random(f"crash {seed}")  # separate, so that a story is the same when its crashes are given by number
        self._queue: list[tuple[float, int, t.Callable[[], None]]] = []
        self._number = itertools.count()
        self._hub = getcurrent()
        self._of: dict[t.Any, Process] = {}
        self._ids: dict[t.Any, int] = {}
        self._turns: dict[t.Any, int] = {}
        self._killed: set[t.Any] = set()

    # -- for the builder of a world

    def spawn(self, process: Process | None, work: t.Callable[[], None], *, after: float = 0.0) -> None:
        thread = greenlet(work, parent=self._hub)
        self._ids[thread] = next(self._number)
        if process is not None:
            process.threads.append(thread)
            self._of[thread] = process
        self._wake_at(self.now + after, thread)

    def at(self, moment: float, act: t.Callable[[], None]) -> None:
        """Call *act* at that moment, without its own stack: it must not give way."""
        heapq.heappush(self._queue, (moment, next(self._number), act))

    def run(self, until: float, *, done: t.Callable[[], bool] = lambda: False) -> None:
        """Let all callers continue until that moment, or until *done* returns True."""
        queue = self._queue
        while queue and queue[0][0] <= until and not done():
            moment, _number, act = heapq.heappop(queue)
            self.now = max(self.now, moment)
            act()
        if not done():
            self.now = max(self.now, until)

    def kill(self, process: Process, thread: t.Any = None) -> None:
        """Like kill -9, for one thread or all. Servers still finish what they have begun. Only the hub may call this."""
        if not process.alive or (thread is not None and (thread.dead or thread not in process.threads)):
            return
        victims = list(process.threads) if thread is None else [thread]
        self.tell(process.name, "KILLED" if thread is None else "a fork is KILLED")
        if thread is None:
            process.alive = False
        self._killed.update(victims)
        for victim in victims:
            self.on_kill(process, victim)
            if victim and not victim.dead:  # a thread that has not started never will
                victim.throw(GreenletExit)
            self._bury(victim)
            process.threads.remove(victim)

    def stop(self, process: Process) -> None:
        """Like Ctrl-Z."""
        process.stopped = True

    def resume(self, process: Process) -> None:
        process.stopped = False
        missed, process.missed = process.missed, []
        for act in missed:
            self.at(self.now, act)

    def forget(self, process: Process) -> None:
        """The process has ended."""
        process.alive = False
        for thread in process.threads:
            self._of.pop(thread, None)
        process.threads.clear()

    def tell(self, who: str, what: str) -> None:
        self.story.append(f"{self.now - START:12.3f} {who}: {what}")
        if len(self.story) > 2 * _STORY_LINES:
            del self.story[:_STORY_LINES]

    def fail(self, promise: str) -> t.NoReturn:
        lines = "\n".join(self.story[-_STORY_LINES:])
        raise Violation(f"What happened before:\n{lines}\n\nseed {self.seed}: {promise}", promise)

    def process_of(self, thread: t.Any) -> Process | None:
        return self._of.get(thread)

    # -- for effects

    @property
    def process(self) -> Process | None:
        return self._of.get(getcurrent())

    @property
    def pid(self) -> int:
        """The process id of the caller's fork."""
        return self._ids.get(getcurrent(), 0)

    def check(self) -> None:
        """Raise in a killed caller, so that its ``finally`` blocks have no effects."""
        if getcurrent() in self._killed:
            raise GreenletExit

    def pause(self, seconds: float) -> None:
        """Continue the caller after *seconds*, or never: it may be killed here."""
        self.check()
        thread = getcurrent()
        process = self._of.get(thread)
        if thread is self._hub:
            raise RuntimeError("the hub has no time to lose")
        if process is not None and self.faults:
            self.steps += 1
            if self.steps in self.crash_at or (self.crash and self._crash_dice.random() < self.crash):
                self.crashed_at.append(self.steps)
                # Seeded by the number of the step, so that the same step always ends in the same way.
                dice = random.Random(f"{self.seed} {self.steps}")
                victim = thread if dice.random() < 0.3 else None
                self.at(self.now + dice.choice((0.0, dice.random())) * seconds, lambda: self.kill(process, victim))
        self._wake_at(self.now + seconds, thread)
        self._hub.switch()

    def park(self) -> None:
        """Continue the caller when it is woken."""
        self.check()
        self._hub.switch()

    def wake(self, thread: t.Any, *, after: float = 0.0) -> None:
        self._wake_at(self.now + after, thread)

    def _wake_at(self, moment: float, thread: t.Any) -> None:
        turn = self._turns.get(thread, 0)

        def act() -> None:
            if thread.dead or thread in self._killed or turn != self._turns.get(thread, 0):
                return  # something else has already woken it
            process = self._of.get(thread)
            if process is not None and process.stopped:
                process.missed.append(act)
                return
            self._turns[thread] = turn + 1
            thread.switch()
            if thread.dead:
                self._bury(thread)

        self.at(moment, act)

    def _bury(self, thread: t.Any) -> None:
        self._turns.pop(thread, None)
        self._ids.pop(thread, None)
        self._of.pop(thread, None)
