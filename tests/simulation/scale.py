# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m simulation.scale``: measure the load of a fleet on Vault and the vendor, and write the table in docs/scale.md."""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import sys
import time

from .plan import Plan, incidents_of
from .story import Figures, Story

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "scale.md"
_MARKS = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)
_HEAD = (
    "Fleet, cache",
    "Lookups",
    "from the cache",
    "Vendor requests an hour",
    "Vault requests a second",
    "Vault requests in the busiest second",
    "Logins an hour",
    "KV writes an hour",
    "Versions of an entry a day",
    "Bytes of an entry",
    "Bytes of a controller's cache",
    "Longest lookup",
    "Errors",
)


def plans(controllers: int, hosts: int, hours: float) -> dict[str, Plan]:
    """Each controller runs every half hour for all of its hosts, with one token that lives for an hour."""
    calm = Plan(
        controllers=controllers,
        hosts=hosts // controllers,
        forks=5,
        tasks=1,
        between_tasks=0.0,
        lifetime=3600.0,
        hours=hours,
        every=1800.0,
        interleave=False,
        token_size=1000,
    )
    name = f"{controllers:,} controllers with {hosts:,} hosts"
    shared = dataclasses.replace(calm, shared=True)
    few = dataclasses.replace(shared, controllers=max(1, controllers // 10), hosts=calm.hosts)
    troubled = dataclasses.replace(shared, crash=0.0005, skew=10.0, hosts=5, incidents=incidents_of(1, int(10 * hours), seconds=3600 * hours, whom=controllers))
    return {
        f"{name}, `file`": calm,
        f"{name}, `vault`": shared,
        f"{few.controllers:,} controllers with {few.controllers * few.hosts:,} hosts, `vault`": few,
        f"{name}, `vault`, all runs at the same moment": dataclasses.replace(shared, spread=0.0, jitter=0.0, hours=min(hours, 3.0)),
        f"{controllers:,} controllers, `vault`, an incident every six minutes": troubled,
    }


def row(name: str, figures: Figures) -> str:
    hours, vault = figures.seconds / 3600, figures.vault_requests
    cells = (
        name,
        f"{figures.lookups:,}",
        f"{100 * figures.hits / figures.lookups:.2f} %",
        f"{figures.vendor_requests / hours:,.1f}",
        f"{sum(vault.values()) / figures.seconds:.2f}",
        f"{figures.busiest_second:,}",
        f"{vault.get('login', 0) / hours:,.0f}",
        f"{vault.get('write entry', 0) / hours:,.1f}",
        f"{figures.versions / hours * 24:,.0f}",
        f"{figures.shared_bytes:,}",
        f"{figures.cache_bytes:,}",
        f"{figures.longest_call:.1f} s",
        f"{figures.errors:,}",
    )
    return _line(cells)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--controllers", type=int, default=1000)
    parser.add_argument("--hosts", type=int, default=100_000)
    parser.add_argument("--hours", type=float, default=6.0)
    options = parser.parse_args()
    table = _line(_HEAD) + "|" + "---|" * len(_HEAD) + "\n"
    total, began = Figures(), time.process_time()
    for name, plan in plans(options.controllers, options.hosts, options.hours).items():
        figures = Story(1, plan).play()
        total.add(figures)
        line = row(name, figures)
        print(line, end="", flush=True)
        table += line
    summary = f"\n{total.lookups:,} lookups in {total.seconds / 3600:,.0f} simulated hours; no promise was broken.\n"
    PAGE.write_text(_MARKS.sub(lambda found: found[1] + table + summary + found[2], PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(summary, f"{time.process_time() - began:.0f} s of a core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
