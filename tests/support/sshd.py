# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Hosts to provision: sshd on 127.0.0.2, 127.0.0.3 …, with one host key, one client key and one port.

::

    with SshHosts(count=3) as hosts:
        ansible.playbook(play, inventory=hosts.inventory())     # hosts host1, host2, host3 in group "fleet"

All hosts share this machine's file system, so each has its own folder: the host variable ``host_root``.
``unprivileged=True`` (root only) logs in as a new user who may use sudo: plays need ``become``; the user is removed at the end.
``own_etc=True`` (root only) gives the hosts a writable ``/etc``, a temporary layer over this machine's: see ``etc()``.
sshd comes from the system, or is installed or unpacked with apt-get; if there is none, ``Unavailable`` says why.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import json
import os
import pathlib
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import typing as t

from .hosts import interpreter
from .places import cache_home, locked
from .processes import Process, StartError, Unavailable, find_binary, free_port, port_open, wait_for

_SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin")
# sshd listens on at most 16 addresses (MAX_LISTEN_SOCKS).
_PER_PROCESS = 16


class SshHosts:
    """Some ssh hosts on loopback addresses, as a context manager."""

    def __init__(self, count: int = 3, *, unprivileged: bool = False, own_etc: bool = False, first: int = 2) -> None:
        self.addresses = [f"127.0.{(first + number) // 250}.{(first + number) % 250 or 250}" for number in range(count)]
        self.names = [f"host{number + 1}" for number in range(count)]
        self.unprivileged = unprivileged
        self.own_etc = own_etc
        self.user = getpass.getuser()
        self.port = 0
        self.folder = pathlib.Path()
        self._processes: list[Process] = []
        self._undo = contextlib.ExitStack()

    # -- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> SshHosts:
        try:
            self._start()
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _start(self) -> None:
        sshd, keygen = find_sshd(), _keygen()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trackops-ssh-"))
        self._undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
        # The hosts' users must be able to reach their folders.
        self.folder.chmod(0o755)
        if self.unprivileged:
            self.user = self._undo.enter_context(_sudo_user())
        for key in ("host_key", "client_key"):
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-C", "trackops-tests", "-f", str(self.folder / key)], check=True)
        shutil.copy(self.folder / "client_key.pub", self.folder / "authorized_keys")
        (self.folder / "authorized_keys").chmod(0o644)
        for name in self.names:
            root = self.root(name)
            root.mkdir()
            (root / "tmp").mkdir()
            if self.unprivileged:
                for folder in (root, root / "tmp"):
                    shutil.chown(folder, self.user)
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.port = free_port("0.0.0.0")
        for start in range(0, len(self.addresses), _PER_PROCESS):
            self._listen(sshd, self.addresses[start : start + _PER_PROCESS], start)
        host_key = (self.folder / "host_key.pub").read_text(encoding="utf-8").rsplit(" ", 1)[0]
        lines = [f"[{address}]:{self.port} {host_key}\n" for address in self.addresses]
        (self.folder / "known_hosts").write_text("".join(lines), encoding="utf-8")

    def _listen(self, sshd: Sshd, addresses: list[str], number: int) -> None:
        config = self.folder / f"sshd_config_{number}"
        listen = "".join(f"ListenAddress {address}\n" for address in addresses)
        session = f"SshdSessionPath {sshd.session}\n" if sshd.session else ""
        config.write_text(
            f"Port {self.port}\n{listen}"
            f"HostKey {self.folder / 'host_key'}\nPidFile {self.folder / f'pid_{number}'}\n"
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}\n{session}"
            # The keys are under a folder that others may write to (/tmp).
            "StrictModes no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPubkeyAuthentication yes\nPermitRootLogin prohibit-password\n"
            f"AllowUsers {self.user}\n"
            "UsePAM no\nUseDNS no\nPrintMotd no\nAcceptEnv LANG LC_*\nSubsystem sftp internal-sftp\n"
            "MaxStartups 200:30:400\nMaxSessions 100\nLogLevel VERBOSE\n",
            encoding="utf-8",
        )
        command = [*(_with_own_etc() if self.own_etc else ()), sshd.binary, "-D", "-e", "-f", str(config)]
        process = Process(command, log=self.folder / f"sshd_{number}.log", env={**os.environ, **sshd.env})
        self._undo.callback(process.stop)
        process.wait_ready("sshd", lambda: all(port_open(address, self.port) for address in addresses))
        self._processes.append(process)

    # -- for Ansible -----------------------------------------------------------------------------------------------

    def root(self, name: str) -> pathlib.Path:
        """The folder that represents one host's file system."""
        return self.folder / name

    def etc(self) -> pathlib.Path:
        """The hosts' ``/etc``, while they run."""
        return pathlib.Path(f"/proc/{self._processes[0].pid}/root/etc") if self.own_etc else pathlib.Path("/etc")

    @property
    def pids(self) -> list[int]:
        """The process ids of the servers, which start everything that runs on the hosts."""
        return [process.pid for process in self._processes]

    def log(self) -> str:
        """sshd's log: connections and commands."""
        return "".join(process.output() for process in self._processes)

    def variables(self) -> dict[str, t.Any]:
        """The connection variables of all hosts."""
        common = f"-o UserKnownHostsFile={self.folder / 'known_hosts'} -o IdentitiesOnly=yes -o BatchMode=yes -o GlobalKnownHostsFile=/dev/null"
        return {
            "ansible_connection": "ssh",
            "ansible_port": self.port,
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self.folder / "client_key"),
            "ansible_ssh_common_args": common,
            "ansible_ssh_executable": _ssh(),
            "ansible_python_interpreter": interpreter(self.folder, _target_python()),
            # Not below the runs' HOME: a socket path has at most 107 characters.
            "ansible_control_path_dir": str(self.folder / "cp"),
            # Hosts must not share temporary files.
            "ansible_remote_tmp": "{{ host_root }}/tmp/.ansible",
        }

    def data(self, *, group: str = "fleet", unreachable: t.Collection[str] = (), more: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The inventory as data. The hosts in ``unreachable`` get an address where nobody listens."""
        hosts: dict[str, dict[str, t.Any]] = {}
        for name, address in zip(self.names, self.addresses, strict=True):
            hosts[name] = {"ansible_host": address, "host_root": str(self.root(name))}
            if name in unreachable:
                hosts[name]["ansible_port"] = 1
        return {"all": {"children": {group: {"hosts": hosts, "vars": {**self.variables(), **(more or {})}}}}}

    def inventory(self, path: pathlib.Path | None = None, **options: t.Any) -> pathlib.Path:
        """Write the inventory as JSON, which is valid YAML; options as in ``data``."""
        target = path or self.folder / f"inventory-{secrets.token_hex(4)}.yml"
        target.write_text(json.dumps(self.data(**options), indent=2), encoding="utf-8")
        return target

    def clear(self) -> None:
        """Empty all hosts' folders."""
        for name in self.names:
            for entry in self.root(name).iterdir():
                if entry.name != "tmp":
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


class Sshd(t.NamedTuple):
    binary: str
    env: dict[str, str]
    session: str | None = None


@functools.cache
def find_sshd() -> Sshd:
    """The system's sshd, or one installed or unpacked with apt-get."""
    if sys.platform != "linux":
        raise Unavailable("ssh hosts need Linux: other systems lack 127.0.0.2 and the following addresses")
    if find_binary("ssh") is None and not _as_root():
        raise Unavailable("there is no ssh client (Debian, Ubuntu: apt-get install openssh-client)")
    found = find_binary("sshd", folders=_SBIN)
    if found is None and _as_root() and shutil.which("apt-get"):
        _apt_install("openssh-server")
        found = find_binary("sshd", folders=_SBIN)
    if found:
        # sshd must be called by its absolute path.
        return Sshd(os.path.realpath(found), {})
    if shutil.which("apt-get") and shutil.which("dpkg") and not _as_root():
        return _unpacked()
    raise Unavailable("there is no sshd (Debian, Ubuntu: apt-get install openssh-server)")


def _unpacked() -> Sshd:
    """sshd without root: openssh-server is downloaded with apt-get and unpacked into the cache folder, never installed."""
    folder = cache_home() / "sshd"
    with locked("sshd"):
        if not (folder / "usr/sbin/sshd").exists():
            with tempfile.TemporaryDirectory(dir=cache_home()) as temporary:
                # Libraries that only sshd needs, with their names in different releases.
                for package in ("openssh-server", "libwrap0", "libwtmpdb0", "libnsl2"):
                    subprocess.run(["apt-get", "download", "-qq", package], cwd=temporary, capture_output=True, check=False)
                for package_file in pathlib.Path(temporary).glob("*.deb"):
                    subprocess.run(["dpkg", "-x", str(package_file), str(folder)], capture_output=True, check=False)
    binary = folder / "usr/sbin/sshd"
    libraries = ":".join(str(path) for path in folder.glob("usr/lib/*-linux-*"))
    env = {"LD_LIBRARY_PATH": libraries} if libraries else {}
    session = folder / "usr/lib/openssh/sshd-session"
    runs = binary.exists() and subprocess.run([str(binary), "-V"], env={**os.environ, **env}, capture_output=True, check=False).returncode in (0, 1)
    if not runs:
        raise Unavailable("there is no sshd, and openssh-server could not be downloaded with apt-get")
    return Sshd(str(binary), env, str(session) if session.exists() else None)


@contextlib.contextmanager
def _sudo_user() -> t.Iterator[str]:
    """A temporary user who may do everything with sudo, without a password."""
    if not _as_root():
        raise Unavailable("ssh hosts with an unprivileged user and become need root on this machine, to create that user")
    if find_binary("sudo") is None and shutil.which("apt-get"):
        _apt_install("sudo")
    if find_binary("sudo") is None:
        raise Unavailable("there is no sudo (Debian, Ubuntu: apt-get install sudo)")
    name = f"trackops-{secrets.token_hex(3)}"
    home = tempfile.mkdtemp(prefix="trackops-home-")
    rules = pathlib.Path("/etc/sudoers.d") / name
    try:
        # '*' as the password prevents password logins without locking the account, as sshd would refuse a locked one.
        subprocess.run(["useradd", "--system", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh", "--password", "*", name], check=True)
        account = pwd.getpwnam(name)
        os.chown(home, account.pw_uid, account.pw_gid)
        rules.write_text(f"{name} ALL=(ALL) NOPASSWD: ALL\n", encoding="utf-8")
        rules.chmod(0o440)
        yield name
    finally:
        rules.unlink(missing_ok=True)
        with contextlib.suppress(StartError):
            wait_for(f"the removal of {name}", lambda: subprocess.run(["userdel", name], capture_output=True, check=False).returncode in (0, 6))
        shutil.rmtree(home, ignore_errors=True)


def _with_own_etc() -> list[str]:
    """The prefix of a command that sees its own ``/etc``."""
    layer = "mount -t tmpfs layer /mnt && mkdir /mnt/upper /mnt/work && mount -t overlay layer -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc && "
    begin = ["unshare", "--mount", "sh", "-c"]
    if not _as_root() or subprocess.run([*begin, f"{layer}true"], capture_output=True, check=False).returncode != 0:
        raise Unavailable("ssh hosts with their own /etc need root on this machine, and a kernel that lets it mount overlays")
    return [*begin, f'{layer}exec "$0" "$@"']


def _apt_install(*packages: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with locked("apt"):
        print(f"\nInstalling {' '.join(packages)} with apt-get ...", file=sys.stderr, flush=True)
        subprocess.run(["apt-get", "update", "-qq"], env=env, capture_output=True, check=False)
        # No service may start, as we run our own.
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=env, capture_output=True, check=False)


def _as_root() -> bool:
    return os.geteuid() == 0


def _ssh() -> str:
    return find_binary("ssh") or "ssh"


def _keygen() -> str:
    found = find_binary("ssh-keygen")
    if found is None:
        raise Unavailable("there is no ssh-keygen (Debian, Ubuntu: apt-get install openssh-client)")
    return found


def _target_python() -> str:
    """A Python that every user of this machine may run, or else our own."""
    system = pathlib.Path("/usr/bin/python3")
    return str(system) if system.exists() else sys.executable
