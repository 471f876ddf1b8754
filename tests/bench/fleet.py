# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many controllers start at the same moment with one cache in Vault: what each costs Vault and the vendor, and how long it takes.

Each is a process with its own cache folder that runs the core that lookups call, without Ansible's own startup. The vendor takes a
second for a token, so that all others ask while one fetches. This machine runs all of them, Vault and the vendor, and they compete
for its cores, so the goals are about CPU time and not about the clock.
"""

from __future__ import annotations

import typing as t

from support.crowd import Answer, Crowd

from bench.measure import cpu_of_children
from bench.plays import Scene
from bench.results import Table, compared
from bench.sections import Size

_DELAY = 1.0
# As in docs/cache.md.
_POLICY = """
path "secret/data/fleet/*" { capabilities = ["read"] }
path "secret/data/trackops/api_tokens/*" { capabilities = ["create", "read", "update"] }
"""


class _Start(t.NamedTuple):
    """The outcome of a simultaneous start of some controllers: answers, CPU seconds, and requests to Vault and to the vendor."""

    answers: list[Answer]
    cpu: float
    vault: int
    asked: int

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answer in self.answers)


def fleet(place: Scene, size: Size) -> t.Iterator[Table]:
    """One controller alone, then all of them, both with empty caches."""
    place.vault.policy("controller", _POLICY)
    role = place.vault.approle("bench", ["controller"])
    place.emulator.set("trackunit", delay=_DELAY)
    values = {
        "url": place.vault.address,
        "base_url": place.emulator.base_url("trackunit"),
        "auth_method": "approle",
        "role_id": role.role_id,
        "secret_id": role.secret_id,
        "mount_point": role.mount,
        "cache": "vault",
    }
    folder = place.ansible.workdir / "fleet"
    folder.mkdir()
    crowd = Crowd(folder / "cache", values=values)

    def start(path: str, callers: int) -> _Start:
        place.vault.mark()
        asked, cpu = place.fetched, cpu_of_children()
        answers = crowd.ask("trackunit", path, callers=callers, homes=folder / path, preload=True)
        if failed := {answer.error for answer in answers if answer.error}:
            raise SystemExit(failed.pop())
        return _Start(answers, cpu_of_children() - cpu, len(place.vault.audit_requests()), place.fetched - asked)

    for path in ("fleet/one", "fleet/all"):
        place.vault.put(path, place.emulator.credentials["trackunit"])
    try:
        one = start("fleet/one", 1)
        start_alone = start("fleet/one", 1)  # the token is cached now, so this measures only the start of the process
        all_ = start("fleet/all", size.controllers)
    finally:
        place.emulator.set("trackunit", delay=0.0)
    # The controller that fetches also reads the secret and writes the entry.
    others = size.controllers - 1
    rows = (
        compared("vendor requests of all controllers", [float(all_.asked)], [1.0], against="1", unit="", limit=1.0),
        compared("Vault requests of each further controller", [(all_.vault - one.vault) / others], [3.0], against="3", unit="", limit=1.0),
        compared("CPU of each further controller", [(all_.cpu - one.cpu) / others], [one.cpu - start_alone.cpu], against="one alone", limit=2.0),
        compared("the slowest controller, wall-clock time", [all_.slowest], [one.slowest], against="one alone", unit="s"),
    )
    yield Table("fleet", f"{size.controllers} controllers at once, a vendor that takes {_DELAY:.0f} s", "", rows)


__all__ = ("fleet",)
