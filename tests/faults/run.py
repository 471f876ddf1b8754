# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make faults`: named faults of Vault, vendors, network, TLS, cache, disk and options, tested with real `ansible-playbook` runs.

python tests/faults/run.py                               all faults, with OpenBao and with HashiCorp Vault
python tests/faults/run.py --flavour openbao --area cache
python tests/faults/run.py --only "a web page" --verbose
"""

from __future__ import annotations

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.vault import FLAVOURS

from faults.bench import Judged, run

_NAME = 82


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--flavour", action="append", choices=FLAVOURS)
    parser.add_argument("--area", action="append", default=[])
    parser.add_argument("--only", default="", help="only faults whose name contains this")
    parser.add_argument("--small", action="store_true", help="one fault of each kind")
    parser.add_argument("--verbose", action="store_true", help="also print the messages")
    options = parser.parse_args()
    bad = total = 0
    for flavour in options.flavour or FLAVOURS:
        judged = run(flavour=flavour, small=options.small, areas=options.area, only=options.only)
        print(as_text(judged, title=flavour, verbose=options.verbose), flush=True)
        bad += len(judged.bad)
        total += len(judged.verdicts)
    print(f"{total} faults: {total - bad} ended as expected, {bad} did not.")
    return 1 if bad else 0


def as_text(judged: Judged, *, title: str = "", verbose: bool = False) -> str:
    """One line per fault: vendor requests and reads of the secret during it, after it and in the next run, and the complaints."""
    head = f"{'':{_NAME}}{'vendor':>8}{'Vault':>8}  verdict"
    lines = [f"{title}: {len(judged.verdicts)} faults in {judged.seconds:.0f} s", "", head]
    area = ""
    for verdict in judged.verdicts:
        if verdict.fault.area != area:
            area = verdict.fault.area
            lines.append(f"{area}")
        asked, reads = ("/".join(map(str, counts)) for counts in (verdict.asked, verdict.reads))
        lines.append(f"  {verdict.fault.name:{_NAME - 2}}{asked:>8}{reads:>8}  {'; '.join(verdict.complaints) or 'ok'}"[:600])
        if verdict.complaints or verbose:
            lines.append(f"      {verdict.message[:700]}")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
