# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make simulate``: many stories, each from its seed. One that breaks a promise is told, and ends the run."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time

from .story import Figures, Story, plan_of
from .world import Violation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="how many stories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    total, began = Figures(), time.monotonic()
    for seed in range(options.first, options.first + options.count):
        if sys.stderr.isatty():
            print(f"\rseed {seed}", end="", file=sys.stderr)
        try:
            figures = Story(seed, plan_of(seed)).play()
        except Violation as broken:
            print(broken)
            print(f"\nseed {seed} breaks a promise. Again: make simulate SIMULATE_ARGS='--first {seed} --count 1'")
            return 1
        for field in ("lookups", "hits", "errors", "vendor_requests", "crashes", "seconds"):
            setattr(total, field, getattr(total, field) + getattr(figures, field))
        for name, number in figures.vault_requests.items():
            total.vault_requests[name] = total.vault_requests.get(name, 0) + number
        total.longest_call = max(total.longest_call, figures.longest_call)
    print(f"{options.count} stories, {total.seconds / 86400:.1f} days, no promise broken, in {time.monotonic() - began:.0f} s")
    for field, value in dataclasses.asdict(total).items():
        print(f"  {field:16} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
