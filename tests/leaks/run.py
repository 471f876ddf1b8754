# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make leaks`: plant secrets of every kind, and search every place that somebody else may read.

python tests/leaks/run.py                  all settings
python tests/leaks/run.py --only json      one setting
python tests/leaks/run.py --list
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.community import community_collections

from leaks.bench import Bench, Report, Setting
from leaks.ground import ground

_PROFILES = ("ansible.posix.profile_tasks", "ansible.posix.profile_roles", "ansible.posix.timer", "community.general.log_plays")

SETTINGS = (
    *(Setting(f"-{'v' * number}" if number else "no -v", number) for number in range(6)),
    Setting("json", callback="ansible.posix.json"),
    Setting("yaml", env={"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}),
    Setting("minimal", callback="ansible.builtin.minimal"),
    Setting("oneline", callback="ansible.builtin.oneline"),
    Setting("debug callback", callback="ansible.posix.debug"),
    Setting("unixy", callback="community.general.unixy"),
    Setting("tracebacks", 0, env={"ANSIBLE_DISPLAY_TRACEBACK": "always"}),
    Setting("tracebacks -vvvvv", env={"ANSIBLE_DISPLAY_TRACEBACK": "always"}),
    Setting("ANSIBLE_DEBUG", env={"ANSIBLE_DEBUG": "1"}),
    Setting("ANSIBLE_KEEP_REMOTE_FILES", 3, keeps_modules=True),
    Setting("pipelining", 4, env={"ANSIBLE_PIPELINING": "1"}),
)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", metavar="SETTING", help="run only the setting with this name; can be given more than once")
    parser.add_argument("--flavour", choices=("openbao", "hashicorp"), default="openbao")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(setting.name for setting in SETTINGS))
        return 0
    settings = [setting for setting in SETTINGS if options.only is None or setting.name in options.only]
    with ground(flavour=options.flavour) as place:
        others = community_collections(pathlib.Path(sys.executable).parent.parent)
        place.stage.ansible.collections.append(others)
        bench = Bench(place, more_callbacks=_PROFILES)
        for setting in settings:
            begun, checks, hits = time.monotonic(), bench.report.checks, len(bench.report.hits)
            bench.run(setting)
            print(
                f"{setting.name:28}{bench.report.checks - checks:6} checks{len(bench.report.hits) - hits:5} hits{time.monotonic() - begun:7.0f} s", flush=True
            )
    print(as_text(bench.report))
    return 1 if bench.report.hits or bench.report.blind else 0


def as_text(report: Report) -> str:
    kinds = sorted(report.secrets)
    lines = ["", "Kinds of secrets, and the number of different secrets planted or issued:"]
    lines += [f"  {kind:22}{len(report.secrets[kind]):6}" for kind in kinds]
    lines += ["", f"{'Place':34}{'read':>12}{'checks':>9}{'hits':>7}"]
    for place, size in report.bytes_read.items():
        checks = sum(count for (where, _kind), count in report.checks_of.items() if where == place)
        hits = sum(hit.place == place for hit in report.hits)
        lines.append(f"{place:34}{size / 1024:9.0f} KiB{checks:9}{hits:7}")
    if report.hits:
        lines += ["", "Hits:"]
        lines += [f"  {hit.setting}: {hit.place}: {hit.secret.kind} {hit.secret.name} ({hit.spelling}): {hit.excerpt!r}" for hit in report.hits]
    if report.blind:
        lines += ["", "Steps and places that prove nothing:"]
        lines += [f"  {text}" for text in report.blind]
    lines += ["", f"{report.steps} tasks, {report.checks} checks, {len(report.hits)} hits."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
