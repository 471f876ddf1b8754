# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests of requests to vendors."""

from __future__ import annotations

import typing as t

import pytest
from emulator import Emulator, TlsFiles
from support.awkward import AWKWARD
from support.lookups import Batch, Checks

if t.TYPE_CHECKING:
    from support.pki import Ca
    from support.stage import Stage


@pytest.fixture
def over_tls(ca: Ca) -> t.Iterator[tuple[Emulator, Ca]]:
    """An emulator whose ``acme`` authenticates clients by certificate, and the CA that signs their certificates."""
    server = ca.server()
    with Emulator(TlsFiles(server.cert, server.key, ca.cert, client_optional=True), record_raw=True) as running:
        running.set("acme", client_auth=("tls_client_auth",), tls_subject="automation")
        yield running, ca


@pytest.fixture
def takes_awkward_credentials(openbao_stage: Stage) -> t.Callable[[str, t.Callable[[str], dict[str, str]]], None]:
    """Checks that a vendor accepts accounts whose credentials have awkward characters."""

    def check(vendor: str, account: t.Callable[[str], dict[str, str]]) -> None:
        accounts = {text: account(text) for text in AWKWARD}
        openbao_stage.emulator.set_credentials(vendor, list(accounts.values()))
        batch = Batch(openbao_stage)
        for number, fields in enumerate(accounts.values()):
            openbao_stage.vault.put(f"odd/{number}", fields)
            batch.add(f"account {number}", vendor, f"odd/{number}", output="details")
        done = batch.run()
        with Checks() as checks:
            for number, text in enumerate(accounts):
                with checks(repr(text)):
                    assert done[f"account {number}"].value["source"] == "vendor"

    return check
