# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The demo: fetch four vendors' tokens with credentials from a real OpenBao, use them in a play and provision them to three hosts, twice.

    make demo                             # or: python tests/demo/run.py [--verbose] [--local]

Every number on the screen is measured from outside: from Vault's audit log, the vendors' request log and the files on the hosts. If one
is wrong, the demo exits with a nonzero status and shows Ansible's last output, without secrets.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import secrets
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import yaml
from scene import MOUNT, NAMES, Hosts, Json, Login, Vendors, configured, hosts, vault_path
from screen import scrub, table
from support.ansible import Ansible
from support.collection import installed
from support.processes import Process, StartError, Unavailable
from support.vault import VaultServer

HERE = pathlib.Path(__file__).resolve().parent
# Seconds for one run of the playbook, even on a busy machine.
PATIENCE = 300


class Wrong(Exception):
    """A step did not do what it should."""


class Interrupted(BaseException):
    """A signal asks the demo to end."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the playbook, and what was observed from outside."""

    seconds: float
    changed: int
    shown: dict[str, Json]  # what the play itself shows of each vendor's token
    vault: tuple[str, ...]  # requests to Vault
    vendors: tuple[Json, ...]  # requests to the vendors

    @property
    def logins(self) -> int:
        return sum(path.startswith("auth/approle/login") for path in self.vault)

    @property
    def secrets_read(self) -> int:
        return sum(path.startswith(f"{MOUNT}/data/") for path in self.vault)

    def asked(self, kind: str) -> collections.Counter[str]:
        """Number of requests of this kind to each vendor that it answered with 200: ``token`` or ``api``."""
        return collections.Counter(entry["vendor"] for entry in self.vendors if entry["kind"] == kind and entry["status"] == 200)

    def issued(self, vendor: str) -> str:
        """The fingerprint of the token that the vendor issued."""
        return next(str(entry["token"]) for entry in self.vendors if entry["kind"] == "token" and entry["vendor"] == vendor)


class Demo:
    """Run the playbook against the running servers, and keep its output."""

    def __init__(self, folder: pathlib.Path, *, server: VaultServer, login: Login, vendors: Vendors, fleet: Hosts) -> None:
        self.server, self.vendors, self.fleet = server, vendors, fleet
        accounts = vendors.credentials.values()
        self.secrets = [server.root_token, login.secret_id, *(value for account in accounts for key, value in account.items() if key not in _NAMES_NOT_SECRETS)]
        self.output = ""
        self._inventory = folder / "inventory.yml"
        self._inventory.write_text(json.dumps(_with_variables(fleet.inventory, emulator=vendors.url)), encoding="utf-8")
        environment = {
            **server.env(token=""),
            "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle",
            "ANSIBLE_HASHI_VAULT_ROLE_ID": login.role_id,
            "ANSIBLE_HASHI_VAULT_SECRET_ID": login.secret_id,
        }
        self._ansible = Ansible(folder, collections=installed(), env=environment)

    def run(self, number: int) -> Run:
        """``ansible-playbook site.yml``; raises Wrong if it fails or prints a secret."""
        self.server.mark()
        record = self._ansible.workdir / f"run-{number}.jsonl"
        command = [str(self._ansible.bin_dir / "ansible-playbook"), "-i", str(self._inventory), str(HERE / "site.yml")]
        started = time.monotonic()
        # In its own session, so that Ctrl-C reaches only the demo, which then ends the whole session.
        process = Process(command, log=record.with_suffix(".log"), env=self._ansible.environment(record=record), cwd=self._ansible.workdir)
        try:
            process.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong(f"ansible-playbook did not end within {PATIENCE} s") from None
        finally:
            process.stop()
            self.output = process.output()
        if process.popen.returncode != 0:
            raise Wrong(f"ansible-playbook ended with {process.popen.returncode}")
        if scrub(self.output, self.secrets) != self.output:
            raise Wrong("ansible-playbook printed a secret")
        return self._measured(record, time.monotonic() - started)

    def _measured(self, record: pathlib.Path, seconds: float) -> Run:
        lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
        items = [item["msg"] for line in lines if line.get("action", "").endswith("debug") for item in line["result"].get("results", ())]
        stats = next(line["stats"] for line in lines if "stats" in line)
        if set(stats) != {"localhost", *self.fleet.roots}:
            raise Wrong(f"the play ran on {', '.join(stats)} only")
        return Run(
            seconds=seconds,
            changed=sum(host["changed"] for host in stats.values()),
            shown={item["vendor"]: item for item in items},
            vault=tuple(entry.path for entry in self.server.audit_requests()),
            vendors=tuple(self.vendors.new_requests()),
        )


_NAMES_NOT_SECRETS = ("client_id", "username")


def _with_variables(inventory: Json, **variables: t.Any) -> Json:
    return {"all": {**inventory["all"], "vars": variables}}


# -- what must be true ---------------------------------------------------------------------------------------------------


def check_first(run: Run, fleet: Hosts) -> dict[str, list[str]]:
    """The first run: one token request per vendor, one login, the right token in every file. Return the hosts that have each vendor's token."""
    once = dict.fromkeys(NAMES, 1)
    _expect("token requests to each vendor", run.asked("token"), once)
    _expect("API calls answered with 200", run.asked("api"), once)
    _expect("requests to the vendors in all", len(run.vendors), 2 * len(NAMES))
    _expect("tokens shown by the play", sorted(run.shown), sorted(NAMES))
    _expect("logins to Vault", run.logins, 1)
    _expect("secrets read from Vault", run.secrets_read, len(NAMES))
    _expect("hosts changed", run.changed, len(fleet.roots))
    return check_files(run, fleet)


def check_files(run: Run, fleet: Hosts) -> dict[str, list[str]]:
    """Every file is private and holds the token that the vendor has issued."""
    variables = yaml.safe_load((HERE / "group_vars" / "all.yml").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {name: [] for name in NAMES}
    for item in variables["provision_tokens"]:
        for host in fleet.roots:
            try:
                mode, token = fleet.token_in(host, item["dest"])
            except (OSError, ValueError, LookupError, StopIteration) as exc:
                raise Wrong(f"{host} has no readable file {item['dest']} ({type(exc).__name__})") from None
            _expect(f"mode of {item['dest']} on {host}", mode, "0600")
            _expect(f"fingerprint of the token in {item['dest']} on {host}", token, run.issued(item["vendor"]))
            found[item["vendor"]].append(host)
    return found


def check_second(run: Run) -> None:
    """The second run: nothing changes, no request goes to Vault or for a token, and the APIs still accept the tokens."""
    _expect("changed tasks in the second run", run.changed, 0)
    _expect("API calls answered with 200 in the second run", run.asked("api"), dict.fromkeys(NAMES, 1))
    _expect("other requests to the vendors in the second run", len(run.vendors) - len(NAMES), 0)
    _expect("requests to Vault in the second run", run.vault, ())


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        shown = dict(found) if isinstance(found, collections.Counter) else found
        raise Wrong(f"{what}: {shown} instead of {wanted}")


# -- the story -----------------------------------------------------------------------------------------------------------


def tell(text: str = "") -> None:
    print(text, flush=True)


def started(what: str, where: str, more: str = "") -> None:
    tell(f"  {what:<18} {where:<26} {more}".rstrip())


def play(stack: contextlib.ExitStack, arguments: argparse.Namespace) -> None:
    """Play the whole demo. *stack* stops whatever was started."""
    folder = _new_folder()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    tell(f"trackops.api_tokens with ansible-core {importlib.metadata.version('ansible-core')}, Python {platform.python_version()}\n\nStarted")

    vendors = stack.enter_context(Vendors(folder).running())
    started("Vendor emulator", vendors.url, ", ".join(NAMES))
    server = stack.enter_context(VaultServer("openbao", tls=True))
    login = configured(server, vendors.credentials)
    version = server.client().sys.read_health_status(method="GET")["version"]
    started(f"OpenBao {version}", server.address, "KV v2, 4 secrets, a policy for just these, AppRole")
    fleet = stack.enter_context(hosts(folder, local=arguments.local))
    started(fleet.how, fleet.where)

    demo = Demo(folder, server=server, login=login, vendors=vendors, fleet=fleet)
    try:
        first = _one_run(demo, 1, arguments)
        where = check_first(first, fleet)
        _show_tokens(first, where)
        second = _one_run(demo, 2, arguments)
        check_second(second)
        check_files(first, fleet)
    except Wrong as exc:
        tell(f"\n--- ansible-playbook's last output\n{scrub(demo.output, demo.secrets).rstrip() or '(none)'}\n---")
        raise Wrong(scrub(str(exc), demo.secrets)) from None
    _show_counts(first, second)


def _new_folder() -> pathlib.Path:
    # Letters only: HOME is inside, ansible-core 2.19 lets Python parse that path, and Python warns about names with "4or" and the like.
    name = "trackops-demo-" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(10))
    folder = pathlib.Path(tempfile.gettempdir(), name)
    folder.mkdir(mode=0o700)
    return folder


def _one_run(demo: Demo, number: int, arguments: argparse.Namespace) -> Run:
    run = demo.run(number)
    if arguments.verbose:
        tell(f"\n{demo.output.rstrip()}")
    return run


def _show_tokens(run: Run, where: dict[str, list[str]]) -> None:
    rows: list[tuple[object, ...]] = [("vendor", "Vault path", "token", "seconds left", "hosts")]
    for name in NAMES:
        shown = run.shown[name]
        rows.append((name, f"{MOUNT}/{vault_path(name)}", shown["token"], int(float(shown["expires_in"])), " ".join(where[name])))
    tell(f"\nTokens, fetched with lookups and provisioned with the role (each file has mode 0600 and the token from the vendor)\n{table(rows, right=(3,))}")


def _show_counts(first: Run, second: Run) -> None:
    rows = [("the same playbook twice", "first run", "second run")]
    for label, count in (
        ("logins to Vault", lambda run: run.logins),
        ("secrets read from Vault", lambda run: run.secrets_read),
        ("token requests to vendors", lambda run: run.asked("token").total()),
        ("API calls answered with 200", lambda run: run.asked("api").total()),
        ("changed", lambda run: run.changed),
        ("seconds", lambda run: f"{run.seconds:.1f}"),
    ):
        rows.append((label, str(count(first)), str(count(second))))
    tell(f"\n{table(rows, right=(1, 2))}")


def main(words: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="demo", description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--verbose", "-v", action="store_true", help="show Ansible's output, too")
    parser.add_argument("--local", action="store_true", help="no ssh: three folders on this machine")
    arguments = parser.parse_args(words)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    begun = time.monotonic()
    try:
        with contextlib.ExitStack() as stack:
            play(stack, arguments)
    except Interrupted as exc:
        print(f"\nInterrupted ({exc}); everything that was started has been stopped.", file=sys.stderr)
        return 130
    except (Wrong, StartError, Unavailable, RuntimeError) as exc:
        print(f"\nThe demo FAILED: {exc}", file=sys.stderr)
        return 1
    tell(f"\nEverything worked as expected. Servers and hosts were stopped and removed. {time.monotonic() - begun:.0f} s.")
    return 0


def _interrupt(number: int, _frame: object) -> t.NoReturn:
    # Ignore further signals: they must not interrupt the cleanup.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(signal.Signals(number).name)


if __name__ == "__main__":
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    # The user's own settings for Ansible, Vault and this collection must not change the demo.
    for name in [name for name in os.environ if name.startswith(("ANSIBLE_", "VAULT_", "BAO_", "TRACKOPS_")) and name != "TRACKOPS_DEV_CACHE"]:
        del os.environ[name]
    sys.exit(main())
