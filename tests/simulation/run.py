# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make simulate``: many stories, each from its own seed. The first one that breaks a promise is shortened and printed, and ends the run."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time

from .plan import KINDS, Plan, fleet_of, plan_of
from .shrink import broken_by, shrunk
from .story import Figures, Story
from .world import Violation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="number of stories")
    parser.add_argument("--first", type=int, default=0, help="seed of the first story")
    parser.add_argument("--every-step", type=int, metavar="N", default=0, help="also play each story killed at each of its first N steps")
    parser.add_argument("--fleet", type=float, metavar="DAYS", default=0.0, help="play stories of a large fleet that last this many days instead of small ones")
    parser.add_argument("--controllers", type=int, default=1000, help="number of controllers of a large fleet")
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND", help=f"kinds of incidents in small stories: {', '.join(KINDS)}"
    )
    options = parser.parse_args()
    total, stories, began = Figures(), 0, time.monotonic()
    for seed in range(options.first, options.first + options.count):
        plan = fleet_of(seed, controllers=options.controllers, days=options.fleet) if options.fleet else plan_of(seed, kinds=options.kinds)
        for step in range(options.every_step + 1):
            killed = dataclasses.replace(plan, crash=0.0, crash_at=(step,)) if options.every_step else plan
            if sys.stderr.isatty():
                print(f"\rseed {seed}, step {step}", end="", file=sys.stderr)
            try:
                total.add(Story(seed, killed).play())
            except Violation as broken:
                tell(seed, killed, broken, shorten=not options.fleet)
                return 1
            stories += 1
    print(f"{stories} stories, {total.seconds / 86400:.1f} days, no promise broken, in {time.monotonic() - began:.0f} s, {time.process_time():.0f} s of a core")
    for field, value in dataclasses.asdict(total).items():
        print(f"  {field:16} {value}")
    return 0


def tell(seed: int, plan: Plan, broken: Violation, *, shorten: bool) -> None:
    print(broken)
    if shorten:
        seed, plan, broken = shrunk(seed, plan, broken)
        print(f"\n\nThe same promise is broken by a shorter story:\n\n{broken}")
    changed = {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan) if getattr(plan, field.name) != field.default}
    arguments = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    again = broken_by(seed, plan)
    print(f"\nFor tests/unit/test_simulation.py{'' if again else ' (but not every time)'}:\n\n    ({seed}, Plan({arguments})),")


if __name__ == "__main__":
    sys.exit(main())
