# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m simulation.scale``: what a fleet costs Vault and the vendor, as the tables of docs/scale.md, which it writes between its marks."""

from __future__ import annotations

import argparse
import pathlib
import re
import sys
import time

from .story import Figures, Plan, Story

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "scale.md"
_MARKS = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)


def plans(controllers: list[int], days: float) -> dict[str, Plan]:
    """A run every half an hour on each controller, one token that lives for an hour, all well; and at last with everything that goes wrong."""
    calm = Plan(hosts=2, forks=2, tasks=1, between_tasks=0.0, lifetime=3600.0, hours=24 * days, every=1800.0, faults=0, interleave=False)
    found = {}
    for number in controllers:
        for shared in (False, True):
            found[f"{number}, `{'vault' if shared else 'file'}`"] = Plan(**{**vars(calm), "controllers": number, "shared": shared})
    troubled = {**vars(calm), "controllers": controllers[-1], "shared": True, "faults": int(10 * days), "crash": 0.0005, "skew": 10.0}
    found[f"{controllers[-1]}, `vault`, with faults"] = Plan(**troubled)
    return found


def row(name: str, plan: Plan, figures: Figures) -> str:
    hours = figures.seconds / 3600
    vault = figures.vault_requests
    per_controller = sum(vault.values()) / plan.controllers / hours
    cells = (
        name,
        f"{figures.lookups:,}",
        f"{100 * figures.hits / figures.lookups:.0f} %",
        f"{figures.vendor_requests / hours:.1f}",
        f"{sum(vault.values()) / figures.seconds:.2f}",
        f"{per_controller:.1f}",
        f"{vault.get('write entry', 0) / hours:.1f}",
        f"{figures.shared_bytes / 1024:.1f}",
        f"{figures.longest_call:.1f} s",
        f"{figures.errors:,}",
    )
    return "| " + " | ".join(cells) + " |\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--controllers", type=int, nargs="+", default=[1, 64, 1000])
    parser.add_argument("--days", type=float, default=1.0)
    options = parser.parse_args()
    table = (
        "| Controllers, cache | Lookups | From the file cache | Vendor requests an hour | Vault requests a second | a controller and hour "
        "| KV writes an hour | Shared entry, KiB | Longest lookup | Errors |\n" + "|---|" + "---|" * 9 + "\n"
    )
    total, began = 0, time.monotonic()
    for name, plan in plans(options.controllers, options.days).items():
        figures = Story(1, plan).play()
        total += figures.lookups
        line = row(name, plan, figures)
        print(line, end="", flush=True)
        table += line
    told = f"\n{total:,} lookups in {options.days:g} simulated day(s) each; no promise was broken.\n"
    PAGE.write_text(_MARKS.sub(lambda found: found[1] + table + told + found[2], PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(told, f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
