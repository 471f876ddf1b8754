# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of the playbook ``status`` for many hosts: its work grows linearly with the hosts, counted in calls and not in seconds."""

from __future__ import annotations

import json
import sys
import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from support.places import ROOT

VENDORS = ("trackmage", "tracx", "tracktik", "trackunit")
#: Four times the hosts must cost less than this factor in calls. It is 3.7, as some calls are made once; scanning all hosts for each failed one gives 4.8.
GROWTH = 4.1


def hosts(count: int) -> dict[str, dict[str, t.Any]]:
    """Hosts with four tokens each: every tenth host lacks one, every fifth has one that expires soon."""
    return {
        f"host{number}": {
            "group_names": [f"site{number % 7}"],
            "__status_result": {"tokens": [token(vendor, missing=not number % 10, soon=not number % 5) for vendor in VENDORS]},
        }
        for number in range(count)
    }


def token(vendor: str, *, missing: bool, soon: bool) -> dict[str, t.Any]:
    missing, soon = missing and vendor == "tracx", soon and vendor == "tracktik"
    return {
        "vendor": vendor, "secret": vendor, "path": f"/etc/api-tokens/{vendor}", "state": "present", "leftover": False, "exists": not missing,
        "error": None, "exposed": False, "valid": not missing, "fingerprint": None if missing else "sha256:0", "mode": "0600",
        "expires_in": None if missing else 300 if soon else 3120, "expires_at": None if missing else 1_800_000_060,
    }  # fmt: skip


def report(of: dict[str, dict[str, t.Any]]) -> tuple[dict[str, t.Any], list[str]]:
    """The report and the table, as the playbook renders them."""
    variables: dict[str, t.Any] = {"hostvars": of, "__status_of": list(of), "__status_red": 60, "__status_amber": 900, "__status_all": False}

    def rendered(name: str) -> str:
        templar = Templar(loader=DataLoader(), variables=variables)
        return str(templar.template(trust_as_template((ROOT / "playbooks" / "templates" / name).read_text(encoding="utf-8"))))

    variables["__status_rows"] = json.loads(rendered("status_rows.json.j2")[4:])
    variables["__status_report"] = json.loads(rendered("status_report.json.j2")[4:])
    return variables["__status_report"], rendered("status.txt.j2").splitlines()


def calls(count: int) -> int:
    """How many calls it takes to report that many hosts."""
    made, of = 0, hosts(count)

    def counted(_frame: t.Any, event: str, _argument: t.Any) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        report(of)
    finally:
        sys.setprofile(before)
    return made


def test_tokens_that_need_attention_come_first() -> None:
    found, table = report(hosts(300))
    assert (found["hosts"], found["total"], found["red"], found["amber"]) == (300, 1200, 30, 60)
    assert [row["colour"] for row in found["tokens"][:91]] == ["red"] * 30 + ["amber"] * 60 + ["green"]
    assert {one["name"]: (one["total"], one["red"], one["amber"]) for one in found["vendors"]} == {
        "trackmage": (300, 0, 0),
        "tracx": (300, 30, 0),
        "tracktik": (300, 0, 60),
        "trackunit": (300, 0, 0),
    }
    assert len(found["groups"]) == 7 and sum(one["total"] for one in found["groups"]) == 1200
    assert found["failed"][0] == {"host": "host0", "sentence": "1 of 4 need attention: /etc/api-tokens/tracx missing."}
    assert len([line for line in table if line.startswith("host")]) == 91  # the heading, and the tokens that need attention
    assert table[-2:] == ["in order: 1110 (status_all=true shows them)", "30 of 1200 need attention"]


def test_the_work_grows_linearly_with_the_hosts() -> None:
    report(hosts(2))  # load and compile everything once
    few, many = calls(50), calls(200)
    assert many < GROWTH * few, (few, many)
