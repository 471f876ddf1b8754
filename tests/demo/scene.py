# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The surroundings of the demo's play: OpenBao as an operator configures it, the vendors (an emulator) and three hosts.

The vendors and the hosts are context managers that leave nothing behind.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import shlex
import subprocess
import sys
import typing as t

from emulator import VENDORS, fingerprint
from support.places import TESTS, in_ci
from support.processes import Process, StartError, Unavailable, find_binary
from support.sshd import SshHosts
from support.vault import VaultServer

__all__ = ("NAMES", "POLICY", "ROLE", "Hosts", "Login", "Vendors", "configured", "hosts", "vault_path")

NAMES = ("trackmage", "tracx", "tracktik", "trackunit")
MOUNT, POLICY, ROLE = "secret", "api-tokens", "fleet"
Json = dict[str, t.Any]


def vault_path(vendor: str) -> str:
    """The path of a vendor's credentials below the mount."""
    return f"fleet/{vendor}"


# -- Vault ---------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Login:
    """The AppRole that Ansible logs in with."""

    role_id: str
    secret_id: str = dataclasses.field(repr=False)


def configured(server: VaultServer, credentials: t.Mapping[str, Json]) -> Login:
    """Do what an operator does once: mount, secrets, policy, AppRole. The secret ID is valid for only one login."""
    vault = server.client()
    vault.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
    # A new KV v2 mount takes a moment.
    server.process.wait_ready("the KV mount", lambda: vault.secrets.kv.v2.read_configuration(mount_point=MOUNT))
    for vendor in NAMES:
        vault.secrets.kv.v2.create_or_update_secret(vault_path(vendor), credentials[vendor], mount_point=MOUNT)
    rules = [f'path "{MOUNT}/data/{vault_path(vendor)}" {{ capabilities = ["read"] }}' for vendor in NAMES]
    vault.sys.create_or_update_policy(POLICY, "\n".join(rules))
    vault.sys.enable_auth_method("approle")
    vault.auth.approle.create_or_update_approle(ROLE, token_policies=[POLICY], token_ttl="20m", secret_id_num_uses=1, secret_id_ttl="10m")
    return Login(
        role_id=vault.auth.approle.read_role_id(ROLE)["data"]["role_id"],
        secret_id=vault.auth.approle.generate_secret_id(ROLE)["data"]["secret_id"],
    )


# -- the vendors ---------------------------------------------------------------------------------------------------------


class Vendors:
    """The emulator of the four vendors in a separate process, with credentials made for this run."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.credentials = {name: _with_new_secrets(VENDORS[name].credentials[name]) for name in NAMES}
        self._folder = folder
        self._log = folder / "vendors.jsonl"
        self._seen = 0
        self.url = ""

    @contextlib.contextmanager
    def running(self) -> t.Iterator[Vendors]:
        state, given = self._folder / "vendors.json", self._folder / "credentials.json"
        given.touch(mode=0o600)
        given.write_text(json.dumps(self.credentials), encoding="utf-8")
        command = [sys.executable, "-m", "emulator", "--state-file", str(state), "--log", str(self._log), "--credentials", str(given)]
        process = Process(command, log=self._folder / "vendors.log", cwd=TESTS)
        try:
            process.wait_ready("the vendor emulator", state.exists)
            self.url = json.loads(state.read_text(encoding="utf-8"))["url"]
            yield self
        finally:
            process.stop()

    def new_requests(self) -> list[Json]:
        """The requests to the vendors since the last call."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        new, self._seen = lines[self._seen :], len(lines)
        return [json.loads(line) for line in new]


def _with_new_secrets(account: Json) -> Json:
    return {key: value if key in ("client_id", "username") else secrets.token_urlsafe(18) for key, value in account.items()}


# -- the hosts -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Hosts:
    """Three hosts, each with a folder that stands for its file system."""

    inventory: Json
    roots: dict[str, pathlib.Path]
    how: str
    where: str

    def token_in(self, host: str, dest: str) -> tuple[str, str]:
        """The mode of a file on a host, and the fingerprint of its token as a program there would read it."""
        path = pathlib.Path(dest.replace("{{ host_root }}", str(self.roots[host])))
        text, suffix = path.read_text(encoding="utf-8"), path.suffix
        token = _READERS[suffix](text)
        return f"{path.stat().st_mode & 0o7777:04o}", fingerprint(token)


_READERS: t.Mapping[str, t.Callable[[str], str]] = {
    "": str,
    ".header": lambda text: text.split()[-1],
    ".env": lambda text: next(line.partition("=")[2].strip("'\"") for line in text.splitlines() if "_TOKEN=" in line),
    ".json": lambda text: str(json.loads(text)["access_token"]),
}


@contextlib.contextmanager
def hosts(folder: pathlib.Path, *, local: bool = False) -> t.Iterator[Hosts]:
    """Three hosts over ssh. Without an sshd, or on request, they have local connections instead."""
    with contextlib.ExitStack() as stack:
        try:
            if local:
                raise Unavailable("--local was given")
            fleet = _ssh_hosts(stack)
        except (Unavailable, StartError, OSError, subprocess.SubprocessError) as exc:
            stack.close()
            fleet = _local_hosts(folder, " ".join(str(exc).split()))
        yield fleet


def _ssh_hosts(stack: contextlib.ExitStack) -> Hosts:
    _refuse_to_start_a_service()
    ssh = stack.enter_context(SshHosts(count=3))
    stack.callback(_end_shared_connections, ssh.folder / "cp")
    _try_to_log_in(ssh)
    roots = {name: ssh.root(name) for name in ssh.names}
    # In some containers, an sshd without root cannot allocate a terminal, and nothing here needs one.
    inventory = ssh.data(group="fleet", more={"ansible_ssh_use_tty": False})
    return Hosts(inventory, roots, "3 hosts over ssh", f"{', '.join(ssh.addresses)}, port {ssh.port}")


def _try_to_log_in(ssh: SshHosts) -> None:
    """A running sshd may still refuse every login: an account without a shell, a container with too few privileges."""
    about = ssh.variables()
    command = [about["ansible_ssh_executable"], "-i", about["ansible_ssh_private_key_file"], *shlex.split(about["ansible_ssh_common_args"])]
    command += ["-p", str(ssh.port), f"{ssh.user}@{ssh.addresses[0]}", "true"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise Unavailable(f"ssh to {ssh.addresses[0]} does not work: {done.stderr.strip()[-200:] or f'status {done.returncode}'}")


def _local_hosts(folder: pathlib.Path, why: str) -> Hosts:
    roots = {f"host{number}": folder / f"host{number}" for number in (1, 2, 3)}
    for root in roots.values():
        root.mkdir()
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_remote_tmp": "{{ host_root }}/tmp/.ansible",
    }
    group = {"hosts": {name: {"host_root": str(root)} for name, root in roots.items()}, "vars": common}
    return Hosts({"all": {"children": {"fleet": group}}}, roots, "NO ssh: 3 folders", why)


def _refuse_to_start_a_service() -> None:
    """If installing sshd would also start a public service, refuse: a demo must not do that."""
    there = find_binary("sshd", folders=("/usr/sbin", "/usr/local/sbin", "/sbin"))
    if there is None and os.geteuid() == 0 and pathlib.Path("/run/systemd/system").is_dir() and not in_ci():
        raise Unavailable("there is no sshd, and installing it would start a service (Debian, Ubuntu: apt-get install openssh-server)")


def _end_shared_connections(folder: pathlib.Path) -> None:
    """Close ssh's shared connections, which Ansible leaves open for a minute after a run."""
    for socket in folder.glob("*") if folder.is_dir() else ():
        subprocess.run([find_binary("ssh") or "ssh", "-O", "exit", "-o", f"ControlPath={socket}", "host"], capture_output=True, check=False)
