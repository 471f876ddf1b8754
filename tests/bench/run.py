# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make bench`: what a cache hit costs, beside what other lookups cost in the same run.

All figures are ratios or differences of medians in one run; absolute times of these machines say little. Nothing here fails: it is a
table to read. A real OpenBao and the emulator give the first token, then both are stopped: a hit needs neither.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from emulator import Emulator  # noqa: E402
from support.collection import installed  # noqa: E402
from support.vault import VaultServer  # noqa: E402
from support.vaultsetup import Operator  # noqa: E402

ROUNDS = 15
CALLS = 40
CROWD = 10_000

_TASK = """
import json, sys, time
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
try:
    from ansible.template import trust_as_template
except ImportError:
    trust_as_template = str
init_plugin_loader()
given = json.load(sys.stdin)
templar = Templar(loader=DataLoader(), variables=given["variables"])
expressions = {name: trust_as_template("{{ " + text + " }}") for name, text in given["expressions"].items()}
for expression in expressions.values():
    templar.template(expression)
times = {name: [] for name in expressions}
for _round in range(given["rounds"]):
    for name, expression in expressions.items():  # in turn, so that a noisy moment hits all of them
        begin = time.perf_counter()
        for _call in range(given["calls"]):
            templar.template(expression)
        times[name].append((time.perf_counter() - begin) / given["calls"])
print(json.dumps(times))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(installed()),
            "HOME": scratch,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
        }
        with VaultServer() as vault, Emulator() as emulator:
            operator = Operator(vault)
            operator.put("trackunit", emulator.credentials["trackunit"])
            environment.update(vault.env(token=vault.root_token))
            variables = {"trackops_trackunit_base_url": emulator.base_url("trackunit")}
            note = folder / "note.txt"
            note.write_text("hello")
            expressions = {
                "lookup('file')": f"lookup('ansible.builtin.file', '{note}')",
                "trackunit, from the cache": "lookup('trackops.api_tokens.trackunit')",
                "trackunit, headers": "lookup('trackops.api_tokens.trackunit', output='headers')",
            }
            measure({"trackunit": expressions["trackunit, from the cache"]}, variables, environment, rounds=1, calls=1)
        print(f"A hit inside one task: {ROUNDS} rounds of {CALLS} calls, milliseconds a call; Vault and the vendor are off\n")
        table(measure(expressions, variables, environment))
        crowd(folder / "cache" / "trackops" / "api_tokens")
        print(f"\nThe same with {CROWD} more entries in the cache\n")
        table(measure(expressions, variables, environment))
        print("\nImports in a cold process that is ansible already, milliseconds\n")
        imports(environment)


def measure(
    expressions: dict[str, str], variables: dict[str, str], environment: dict[str, str], *, rounds: int = ROUNDS, calls: int = CALLS
) -> dict[str, list[float]]:
    given = {"expressions": expressions, "variables": variables, "rounds": rounds, "calls": calls}
    done = subprocess.run([sys.executable, "-c", _TASK], input=json.dumps(given), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(times: dict[str, list[float]]) -> None:
    base = times["lookup('file')"]
    print(f"{'':28}{'min':>9}{'median':>9}{'max':>9}   ratio to file: {'min':>5}{'median':>8}{'max':>7}")
    for name, values in times.items():
        ratios = [mine / theirs for mine, theirs in zip(values, base, strict=True)]
        print(f"{name:28}{_three([v * 1000 for v in values], 9, 3)}{'':18}{_three(ratios, 7, 2)}")


def _three(values: t.Sequence[float], width: int, digits: int) -> str:
    return "".join(f"{value:{width}.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def crowd(cache: pathlib.Path) -> None:
    """Entries of others, as many as a big fleet has."""
    entry = next(path for path in cache.iterdir() if len(path.name) == 32).read_bytes()
    for number in range(CROWD):
        path = cache / f"{number:032x}"
        path.write_bytes(entry)
        path.chmod(0o600)


def imports(environment: dict[str, str]) -> None:
    package = "ansible_collections.trackops.api_tokens.plugins.plugin_utils"
    environment = {**environment, "PYTHONPATH": environment["ANSIBLE_COLLECTIONS_PATH"]}
    codes = {
        "ansible": "",
        "and hvac": "import hvac",
        "and the path of a hit": f"import {package}.lookup_base, cryptography.fernet",
        "and all of a cold fetch": f"import hvac, {package}.lookup_base, {package}.vendor_http, {package}.vault.client, "
        f"{package}.vault_session, {package}.asking, {package}.discovery, cryptography.fernet",
    }
    print(f"{'':28}{'min':>9}{'median':>9}{'max':>9}")
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _round in range(ROUNDS):
        for name, code in codes.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import ansible.template, ansible.parsing.vault\n" + code], env=environment, check=True)
            times[name].append((time.perf_counter() - begin) * 1000)
    for name, values in times.items():
        print(f"{name:28}{_three(values, 9, 1)}")
    added = statistics.median(times["and all of a cold fetch"]) - statistics.median(times["and hvac"])
    print(f"\nA cold fetch adds {added:.0f} ms to the imports that hvac needs.")


if __name__ == "__main__":
    main()
