# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's molecule scenarios, against OpenBao, the emulator, and ssh hosts where an ordinary user uses become."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest
from support.places import ROOT
from support.sshd import SshHosts
from support.stage import Stage

MOLECULE = ROOT / "extensions" / "molecule"
SCENARIOS = sorted(path.parent.name for path in MOLECULE.glob("*/molecule.yml"))


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the files that molecule reads, so that it leaves nothing in the checkout."""
    folder = tmp_path / "api_tokens"
    shutil.copytree(MOLECULE, folder / "extensions" / "molecule")
    shutil.copy(ROOT / "galaxy.yml", folder)
    return folder


def test_every_molecule_scenario_is_run():
    assert SCENARIOS == ["absent", "default", "formats", "renewal", "vault_down", "wrong_password"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_molecule_scenario_succeeds(scenario: str, openbao_stage: Stage, sudo_hosts: SshHosts, project: pathlib.Path) -> None:
    stage = openbao_stage
    stage.store_all()
    stage.store("tracktik", "wrong", password="not-this-one")
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).parent / "molecule"), "test", "--scenario-name", scenario],
        env={**environment(stage), "TRACKOPS_TEST_INVENTORY": str(sudo_hosts.inventory(more=stage.variables))},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert [secret for secret in stage.emulator.secrets() if len(secret) > 7 and secret in output] == []


def environment(stage: Stage) -> dict[str, str]:
    variables: dict[str, t.Any] = stage.environment()
    return {
        **stage.ansible.environment(variables),
        "TRACKOPS_TEST_CONTROL": f"{stage.emulator.url}/_control",
        "TRACKOPS_TEST_VAULT_PID": str(stage.vault.server.process.pid),
    }
