# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests: our own CA, server and client certificates signed by it, and RSA key pairs."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import typing as t

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_PEM = serialization.Encoding.PEM


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files, which are read on demand."""

    cert: pathlib.Path
    key: pathlib.Path

    @property
    def cert_pem(self) -> str:
        return self.cert.read_text(encoding="utf-8")

    @property
    def key_pem(self) -> str:
        return self.key.read_text(encoding="utf-8")


class Ca:
    """A certificate authority in a folder: ``ca.cert`` is what clients trust."""

    def __init__(self, folder: pathlib.Path) -> None:
        import trustme  # not installed for `make fast`, whose tests use only the rest of this module

        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA()
        self.cert = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.cert)

    def server(self, name: str = "server", *, hosts: t.Sequence[str] = ("127.0.0.1", "::1", "localhost"), expired: bool = False) -> Pair:
        return self._issue(
            name, *hosts, common_name="localhost", not_after=datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1) if expired else None
        )

    def client(self, name: str = "client", *, common_name: str = "automation") -> Pair:
        return self._issue(name, common_name, common_name=common_name)

    def _issue(self, name: str, *identities: str, **facts: t.Any) -> Pair:
        issued = self._ca.issue_cert(*identities, **facts)
        pair = Pair(cert=self.folder / f"{name}.pem", key=self.folder / f"{name}-key.pem")
        issued.cert_chain_pems[0].write_to_path(pair.cert)
        pair.key.touch(mode=0o600)
        issued.private_key_pem.write_to_path(pair.key)
        return pair


def rsa_pair() -> tuple[str, str]:
    """An RSA key pair as PEM texts: private (PKCS 8) and public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), public.decode()
