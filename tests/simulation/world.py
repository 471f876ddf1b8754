# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual time. Each caller has a stack of its own (a greenlet) and gives way at each effect; the seed alone decides who goes on."""

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
    """A promise was broken."""


@dataclasses.dataclass(eq=False)
class Process:
    """What dies together: a run of Ansible with its forks, on one controller."""

    name: str
    alive: bool = True
    stopped: bool = False
    threads: list[t.Any] = dataclasses.field(default_factory=list)


class World:
    """The clock, and the queue of those who go on at a moment.

    :arg crash: the probability that a process is killed when one of its callers gives way, while :attr:`faults` is set.
    """

    def __init__(self, seed: int, *, crash: float = 0.0) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        random.seed(seed)  # the core's own jitter
        self.now = START
        self.crash = crash
        self.faults = True
        self.crashes = 0
        self.switches = 0
        self.story: list[str] = []
        self.on_crash: t.Callable[[Process], None] = lambda process: None
        self._queue: list[tuple[float, int, t.Any, Process | None, int]] = []
        self._number = itertools.count()
        self._hub = getcurrent()
        self._of: dict[t.Any, Process] = {}
        self._turns: dict[t.Any, int] = {}

    # -- for who builds a world

    def spawn(self, process: Process | None, work: t.Callable[[], None], *, after: float = 0.0) -> None:
        thread = greenlet(work, parent=self._hub)
        if process is not None:
            process.threads.append(thread)
            self._of[thread] = process
        self._push(self.now + after, thread, process)

    def run(self, until: float) -> None:
        """Let everybody go on until that moment."""
        while self._queue and self._queue[0][0] <= until:
            moment, _number, thread, process, turn = heapq.heappop(self._queue)
            if thread is None:
                self.now = max(self.now, moment)
                if process is not None and process.alive:
                    self.kill(process)
                continue
            if thread.dead or turn != self._turns.get(thread, 0) or (process is not None and not process.alive):
                continue
            self.now = max(self.now, moment)
            self.switches += 1
            self._turns[thread] = turn + 1  # whatever else was to wake it comes too late
            thread.switch()
            if thread.dead:
                self._turns.pop(thread, None)
        self.now = max(self.now, until)

    def kill(self, process: Process) -> None:
        """As by kill -9; what a server has already begun is done. Called by the hub."""
        process.alive = False
        self.tell(process.name, "KILLED")
        self.on_crash(process)
        for thread in process.threads:
            self._of.pop(thread, None)
            if thread and not thread.dead:  # one that has not begun never will
                thread.throw(GreenletExit)

    def tell(self, who: str, what: str) -> None:
        self.story.append(f"{self.now - START:12.3f} {who}: {what}")
        if len(self.story) > 2 * _STORY_LINES:
            del self.story[:_STORY_LINES]

    def fail(self, promise: str) -> t.NoReturn:
        lines = "\n".join(self.story[-_STORY_LINES:])
        raise Violation(f"What happened before:\n{lines}\n\nseed {self.seed}: {promise}")

    # -- for effects

    @property
    def process(self) -> Process | None:
        return self._of.get(getcurrent())

    def pause(self, seconds: float) -> None:
        """The caller goes on after so many seconds, or never: its process may be killed here."""
        thread, process = getcurrent(), self.process
        if thread is self._hub:
            raise RuntimeError("the hub has no time to lose")
        if process is not None and self.faults and self.crash and self.random.random() < self.crash:
            self.crashes += 1
            self._push(self.now + self.random.random() * seconds, None, process)
        self._push(self.now + seconds, thread, process)
        self._hub.switch()

    def park(self) -> None:
        """The caller goes on when it is woken."""
        self._hub.switch()

    def wake(self, thread: t.Any, *, after: float = 0.0) -> None:
        self._push(self.now + after, thread, self._of.get(thread))

    def _push(self, moment: float, thread: t.Any, process: Process | None) -> None:
        heapq.heappush(self._queue, (moment, next(self._number), thread, process, self._turns.get(thread, 0)))

    def forget(self, process: Process) -> None:
        """It has ended."""
        process.alive = False
        for thread in process.threads:
            self._of.pop(thread, None)
        process.threads.clear()
