# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the integration tests: real servers, real hosts, the collection as users install it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import threading
import typing as t

import hvac
import pytest
from emulator import Emulator
from support.ansible import Ansible
from support.browser import Browser
from support.browser import find as find_chromium
from support.collection import installed
from support.pki import Ca
from support.places import locked
from support.processes import StartError, Unavailable
from support.sshd import SshHosts
from support.stage import Stage
from support.vault import FLAVOURS, VaultServer
from support.vaultsetup import Operator


class Servers:
    """Vault servers, each started on first use and kept for the whole test run."""

    def __init__(self) -> None:
        self._started: dict[tuple[str, bool], VaultServer] = {}

    def get(self, flavour: str, *, tls: bool = False) -> VaultServer:
        server = self._started.get((flavour, tls))
        if server is not None and not _healthy(server):
            # A test has sealed, stopped or killed it.
            self._started.pop((flavour, tls)).close()
            server = None
        if server is None:
            server = VaultServer(flavour, tls=tls)
            try:
                server.start()
            except Unavailable as exc:
                server.close()
                pytest.skip(str(exc))
            except BaseException:
                server.close()
                raise
            self._started[flavour, tls] = server
        return server

    def close(self) -> None:
        for server in self._started.values():
            server.close()


def _healthy(server: VaultServer) -> bool:
    try:
        return server.process.running and not server._health()["sealed"] and server.client().is_authenticated()
    except (OSError, StartError, hvac.exceptions.VaultError):
        return False


@pytest.fixture(scope="session")
def vault_servers() -> t.Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    """The Vault that a test runs against: each test that requests this fixture (or ``vault``) runs with both."""
    return str(request.param)


@pytest.fixture
def vault(vault_servers: Servers, flavour: str) -> Operator:
    """A clean Vault without TLS, once per flavour. See ``support.vaultsetup.Operator``."""
    return _clean(vault_servers.get(flavour))


@pytest.fixture
def openbao(vault_servers: Servers) -> Operator:
    """A clean OpenBao, for tests where the flavour of Vault does not matter."""
    return _clean(vault_servers.get("openbao"))


@pytest.fixture
def vault_tls(vault_servers: Servers, flavour: str) -> Operator:
    """A clean full server: TLS with its own CA, storage on disk, can be sealed and unsealed."""
    return _clean(vault_servers.get(flavour, tls=True))


def _clean(server: VaultServer) -> Operator:
    operator = Operator(server)
    operator.reset()
    return operator


@pytest.fixture(scope="session")
def _emulator() -> t.Iterator[Emulator]:
    with Emulator(record_raw=True) as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    """The vendor emulator, reset."""
    if not _emulator.running:
        _emulator.start()
    _emulator.reset()
    return _emulator


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> Ca:
    return Ca(tmp_path / "pki")


@pytest.fixture(scope="session")
def collection() -> pathlib.Path:
    """The folder for ANSIBLE_COLLECTIONS_PATH that holds the built and installed collection."""
    return installed()


@pytest.fixture
def ansible(tmp_path: pathlib.Path, collection: pathlib.Path) -> Ansible:
    """Ansible with its own HOME."""
    return Ansible(tmp_path / "run", collections=collection).settle()


@pytest.fixture
def stage(vault: Operator, emulator: Emulator, ansible: Ansible) -> Stage:
    """Vault, vendors and Ansible together, once per Vault flavour."""
    return Stage(vault=vault, emulator=emulator, ansible=ansible)


@pytest.fixture
def openbao_stage(openbao: Operator, emulator: Emulator, ansible: Ansible) -> Stage:
    """The same, with OpenBao only: for tests where the flavour of Vault does not matter."""
    return Stage(vault=openbao, emulator=emulator, ansible=ansible)


@pytest.fixture
def settled_stage(openbao_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage with all credentials stored, where all runs share one Vault identity, to which the cache is bound."""
    openbao_stage.store_all()
    token = openbao_stage.token()
    monkeypatch.setattr(openbao_stage, "token", lambda: token)
    return openbao_stage


@pytest.fixture(scope="session")
def _ssh_hosts() -> t.Iterator[SshHosts]:
    try:
        with SshHosts(count=3) as hosts:
            yield hosts
    except Unavailable as exc:
        pytest.skip(str(exc))


@pytest.fixture
def ssh_hosts(_ssh_hosts: SshHosts) -> SshHosts:
    """Three hosts over ssh with empty folders, logged in as the current user."""
    _ssh_hosts.clear()
    return _ssh_hosts


@pytest.fixture(scope="session")
def _sudo_hosts() -> t.Iterator[SshHosts]:
    try:
        with SshHosts(count=2, unprivileged=True, first=20) as hosts:
            yield hosts
    except Unavailable as exc:
        pytest.skip(str(exc))


@pytest.fixture
def sudo_hosts(_sudo_hosts: SshHosts) -> SshHosts:
    """Two hosts over ssh, logged in as an ordinary user who may become root."""
    _sudo_hosts.clear()
    return _sudo_hosts


@pytest.fixture(scope="session")
def chromium() -> t.Iterator[Browser]:
    """A real headless browser."""
    try:
        find_chromium()
    except Unavailable as exc:
        pytest.skip(str(exc))
    with Browser() as browser:
        yield browser


def _listened_to(path: pathlib.Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        return client.connect_ex(str(path)) == 0


@pytest.fixture
def syslog() -> t.Iterator[list[bytes]]:
    """What this machine's programs write to the system log while a test listens. Only one test on the whole machine may listen at a time."""
    with locked("syslog"):
        yield from _syslog()


def _syslog() -> t.Iterator[list[bytes]]:
    path = pathlib.Path("/dev/log")
    if os.geteuid() == 0 and path.is_socket() and not _listened_to(path):
        path.unlink()  # left by a killed run
    if os.geteuid() != 0 or path.exists():
        pytest.skip("needs root, and a machine on which nobody else is at /dev/log")
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        try:
            path.chmod(0o666)
            listener.settimeout(0.2)
            over = threading.Event()

            def listen() -> None:
                while not over.is_set():
                    with contextlib.suppress(TimeoutError):
                        heard.append(listener.recv(1 << 20))

            thread = threading.Thread(target=listen)
            thread.start()
            yield heard
            over.set()
            thread.join()
        finally:
            path.unlink()
