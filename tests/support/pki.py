# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests: a CA of our own, server and client certificates signed by it, RSA key pairs."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import pathlib
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files; their texts are read when asked for."""

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

    def __init__(self, folder: pathlib.Path, *, name: str = "trackops test CA") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = _builder(self._name, self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        self._cert = builder.sign(self._key, hashes.SHA256())
        self.cert = folder / "ca.pem"
        self.cert.write_bytes(self._cert.public_bytes(_PEM))

    def server(self, name: str = "server", *, hosts: t.Sequence[str] = ("127.0.0.1", "::1", "localhost"), days: int = 30) -> Pair:
        """A server certificate for the hosts; ``days=-1`` makes one that has expired."""
        return self._issue(name, "localhost", ExtendedKeyUsageOID.SERVER_AUTH, hosts, days)

    def client(self, name: str = "client", *, common_name: str = "automation", days: int = 30) -> Pair:
        return self._issue(name, common_name, ExtendedKeyUsageOID.CLIENT_AUTH, (), days)

    def _issue(self, name: str, common_name: str, usage: x509.ObjectIdentifier, hosts: t.Sequence[str], days: int) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), self._name, key.public_key(), days=days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        pair = Pair(cert=self.folder / f"{name}.pem", key=self.folder / f"{name}-key.pem")
        pair.cert.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM))
        pair.key.write_bytes(_private(key))
        pair.key.chmod(0o600)
        return pair


def rsa_pair() -> tuple[str, str]:
    """An RSA key pair as PEM texts: private (PKCS 8) and public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _private(key).decode(), public.decode()


def _private(key: t.Any) -> bytes:
    data: bytes = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return data


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: t.Any, *, days: int = 30) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - datetime.timedelta(days=2)).not_valid_after(now + datetime.timedelta(days=days))


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
