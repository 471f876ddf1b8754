# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Vault, the vendors and many callers: the basis of the cache's tests."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from support.crowd import Crowd
from support.processes import wait_for

if t.TYPE_CHECKING:
    from emulator import Emulator
    from support.ansible import Ansible
    from support.stage import Stage
    from support.vaultsetup import AppRole, Operator


@dataclasses.dataclass
class Scene:
    """A Vault, the vendors and their callers; requests are read from the logs of Vault and of the vendors."""

    stage: Stage
    folder: pathlib.Path

    @property
    def vault(self) -> Operator:
        return self.stage.vault

    @property
    def emulator(self) -> Emulator:
        return self.stage.emulator

    def crowd(self, vendor: str, *, cache: str = "cache", login: AppRole | str | None = None, **options: t.Any) -> Crowd:
        """Callers for that vendor's token; ``login`` is a Vault token (by default one with least privilege), or an AppRole."""
        values: dict[str, t.Any] = {"url": self.vault.address, "base_url": self.emulator.base_url(vendor)}
        if login is None or isinstance(login, str):
            values["token"] = login or self.stage.token()
        else:
            values |= {"auth_method": "approle", "role_id": login.role_id, "secret_id": login.secret_id, "mount_point": login.mount}
        folder = self.folder / cache
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Crowd(folder, values={**values, **options})

    def approle(self, name: str = "ci", *, policies: t.Sequence[str] = (), **role: t.Any) -> AppRole:
        return self.vault.approle(name, [*policies] or [self.vault.read_policy("*")], **role)

    def asked(self, vendor: str | None = None) -> list[dict[str, t.Any]]:
        """The vendor's token requests since the last ``forget``."""
        return self.emulator.requests(vendor, kind="token")

    def wait_asked(self, vendor: str, number: int) -> None:
        """Wait until the vendor's log has that many token requests; it may still be working on the last one."""
        wait_for(f"request {number} to {vendor}", lambda: len(self.asked(vendor)) >= number, pause=0.01)

    def grants(self, vendor: str) -> list[str | None]:
        return [entry["grant_type"] for entry in self.asked(vendor)]

    def logins(self, mount: str = "approle") -> int:
        return len(self.vault.audit_requests(f"auth/{mount}/login"))

    def reads(self, path: str) -> int:
        return len(self.vault.audit_requests(f"secret/data/{path}", operation="read"))

    def forget(self) -> None:
        """Forget all requests so far."""
        self.emulator.clear_log()
        self.vault.mark()


def login_env(login: AppRole) -> dict[str, str | None]:
    """The environment of a run that logs in by AppRole."""
    return {
        "VAULT_TOKEN": None,
        "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle",
        "ANSIBLE_HASHI_VAULT_MOUNT_POINT": login.mount,
        "ANSIBLE_HASHI_VAULT_ROLE_ID": login.role_id,
        "ANSIBLE_HASHI_VAULT_SECRET_ID": login.secret_id,
    }


def inventory(ansible: Ansible, hosts: int) -> pathlib.Path:
    """An inventory of that many hosts, all on this machine."""
    lines = "\n".join(f"h{number:03d} ansible_connection=local" for number in range(hosts))
    return ansible.write("hosts.ini", lines + "\n")


@pytest.fixture
def scene(openbao_stage: Stage, tmp_path: pathlib.Path) -> Scene:
    return Scene(openbao_stage, tmp_path)


@pytest.fixture
def both(stage: Stage, tmp_path: pathlib.Path) -> Scene:
    """A scene with each of the two Vaults."""
    return Scene(stage, tmp_path)
