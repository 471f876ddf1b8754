# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
A stage for tests: a Vault with the vendors' credentials in it, the vendor emulator, and Ansible configured for both.

::

    def test_token(stage):
        stage.store("trackunit")                                    # secret/trackunit holds the emulator's credentials
        run = stage.playbook(PLAY)                                  # VAULT_ADDR, VAULT_TOKEN (least privilege), base URLs are set
        assert run.rc == 0, run
        assert len(stage.emulator.requests("trackunit", kind="token")) == 1
        assert len(stage.vault.audit_requests("secret/data/trackunit", operation="read")) == 1
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import typing as t

from emulator import Emulator

from .ansible import Ansible, Run
from .vaultsetup import Operator

BUILT_IN = ("trackmage", "tracx", "tracktik", "trackunit")


@dataclasses.dataclass
class Stage:
    vault: Operator
    emulator: Emulator
    ansible: Ansible
    # Further extra variables of every run.
    more: dict[str, t.Any] = dataclasses.field(default_factory=dict)

    def store(self, vendor: str, path: str | None = None, *, mount: str = "secret", **changed: t.Any) -> int:
        """Store the emulator's credentials for a vendor in Vault (by default at the vendor's name), with changes; returns the version."""
        return self.vault.put(path or vendor, {**self.credentials(vendor), **changed}, mount=mount)

    def store_all(self, folder: str = "") -> None:
        for vendor in BUILT_IN:
            self.store(vendor, folder + vendor)

    def credentials(self, vendor: str) -> dict[str, t.Any]:
        held = self.emulator.credentials[vendor]
        return dict(held[0] if isinstance(held, list) else held)

    def token(self) -> str:
        """A token that can read everything under ``secret/``, and nothing else; always the same one, like a user's."""
        return self._token

    @functools.cached_property
    def _token(self) -> str:
        return self.vault.token(self.vault.read_policy("*"))

    @property
    def variables(self) -> dict[str, t.Any]:
        """The inventory variables that point the four vendors to the emulator."""
        found: dict[str, t.Any] = {f"trackops_{vendor}_base_url": self.emulator.base_url(vendor) for vendor in BUILT_IN}
        if self.emulator.tls is not None:
            found["trackops_http_ca_cert"] = str(pathlib.Path(self.emulator.tls.cert).parent / "ca.pem")
        return found

    def playbook(self, play: str | pathlib.Path, *arguments: str, env: t.Mapping[str, str | None] | None = None, **options: t.Any) -> Run:
        """``ansible-playbook`` with Vault's address, a least-privilege token and the vendors' addresses set; ``env`` overrides."""
        return self.ansible.playbook(play, *self.extra(), *arguments, env=self.environment(env), **options)

    def adhoc(self, *arguments: str, env: t.Mapping[str, str | None] | None = None, **options: t.Any) -> Run:
        return self.ansible.adhoc(*arguments, *self.extra(), env=self.environment(env), **options)

    def extra(self) -> tuple[str, str]:
        return "-e", json.dumps({**self.variables, **self.more})

    def environment(self, env: t.Mapping[str, str | None] | None = None) -> dict[str, str | None]:
        own: dict[str, str | None] = {}
        if env is None or "VAULT_TOKEN" not in env:
            own["VAULT_TOKEN"] = self.token()
        return {**self.vault.env(), **own, **(env or {})}
