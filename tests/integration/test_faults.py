# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small fault bench, one fault of each kind. `make faults` runs and checks all of them, with both Vaults."""

from __future__ import annotations

from faults.bench import run
from faults.run import as_text


def test_one_fault_of_each_kind_ends_as_expected() -> None:
    judged = run(small=True)
    assert len(judged.verdicts) >= 40
    areas = {verdict.fault.area for verdict in judged.verdicts}
    assert {"clock", "controller", "fleets", "hosts", "network to Vault", "options", "refresh tokens", "shared cache", "signals", "vendor answers"} <= areas
    assert judged.bad == [], as_text(judged)
