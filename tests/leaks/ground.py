# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the secrets are planted: a real Vault, vendors, ssh hosts, and all credentials that a user of them has."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import secrets
import tempfile
import typing as t
from urllib.parse import parse_qsl

from emulator import Emulator
from support.ansible import Ansible
from support.collection import installed
from support.pki import Ca, rsa_pair
from support.sshd import SshHosts
from support.stage import BUILT_IN, Stage
from support.vault import VaultServer
from support.vaultsetup import Operator

from .detector import Secret

# Characters that each encoding must handle.
_AWKWARD = " %+&<\"'/\\x"


def planted(name: str, *, awkward: bool = True) -> str:
    """A new secret whose text says what it is."""
    return f"{name}-{secrets.token_hex(16)}" + (_AWKWARD if awkward else "")


@dataclasses.dataclass
class Ground:
    stage: Stage
    server: VaultServer
    hosts: SshHosts
    inputs: pathlib.Path
    canary: str
    given: list[Secret]
    variables: dict[str, t.Any]
    env: dict[str, str]

    @property
    def folder(self) -> str:
        """The Vault folder of the vendors' credentials. It is not secret, and is in every message about them."""
        return f"fleet-{self.canary}"

    def secrets(self) -> list[Secret]:
        """All planted secrets, and all secrets issued since."""
        return [*self.given, *self._issued()]

    def _issued(self) -> t.Iterator[Secret]:
        emulator = self.stage.emulator
        for name, vendor in emulator.vendors.items():
            yield from (Secret("access token", name, value) for value in list(vendor.tokens.access))
            yield from (Secret("refresh token", name, value) for value in list(vendor.tokens.refresh))
        for entry in emulator.requests():
            body = entry["raw"]["body"]
            sent = dict(parse_qsl(body)) if "=" in body else {}
            for parameter, kind in _PASSING.items():
                if parameter in sent:
                    yield Secret(kind, str(entry["vendor"]), sent[parameter])
        yield from (Secret("Vault token", "session", value) for value in self.server.session_tokens())
        key = self.stage.ansible.cache / "trackops" / "api_tokens" / "key"
        if key.exists():
            yield Secret("cache key", "of this user", key.read_bytes())


# Secrets that are valid for one request.
_PASSING = {"code": "authorization code", "code_verifier": "PKCE verifier", "client_assertion": "client assertion", "assertion": "client assertion"}


@contextlib.contextmanager
def ground(*, flavour: str = "openbao", hosts: int = 2, first_host: int = 60) -> t.Iterator[Ground]:
    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trackops-leaks-")))
        server = stack.enter_context(VaultServer(flavour, audit_raw=True))
        emulator = stack.enter_context(Emulator(record_raw=True))
        machines = stack.enter_context(SshHosts(count=hosts, first=first_host))
        stage = Stage(vault=Operator(server), emulator=emulator, ansible=Ansible(scratch / "run", collections=installed()))
        inputs = scratch / "inputs"
        inputs.mkdir()
        yield _plant(stage, server, machines, inputs)


def _plant(stage: Stage, server: VaultServer, hosts: SshHosts, inputs: pathlib.Path) -> Ground:
    canary = f"canary-{secrets.token_hex(12)}"
    vault, emulator = stage.vault, stage.emulator
    given: list[Secret] = []

    def secret(kind: str, name: str, *, awkward: bool = True) -> str:
        value = planted(name.replace(" ", "-"), awkward=awkward)
        given.append(Secret(kind, name, value))
        return value

    for vendor in (*BUILT_IN, "acme"):
        # Tracx's token goes into a header unchanged, so it must be plain text.
        changed = {
            field: secret("credential", f"{vendor} {field}", awkward=field != "connect_token")
            for field in emulator.credentials[vendor]
            if field not in ("client_id", "username")
        }
        emulator.set_credentials(vendor, **changed)
    private, public = rsa_pair()
    wrong_private, _public = rsa_pair()
    given += [Secret("key", "of the client", private), Secret("key", "of another client", wrong_private)]
    emulator.set("acme", client_auth=("basic", "post", "private_key_jwt"), public_key=public)
    folder = f"fleet-{canary}"
    for vendor in (*BUILT_IN, "acme"):
        stage.store(vendor, f"{folder}/{vendor}")
        wrong = next(field for field in ("connect_token", "password", "client_secret") if field in emulator.credentials[vendor])
        stage.store(vendor, f"{folder}/wrong-{vendor}", **{wrong: secret("wrong credential", f"{vendor} {wrong}", awkward=wrong != "connect_token")})
    stage.store("acme", f"{folder}/signed", private_key=private)
    stage.store("acme", f"{folder}/signed-wrong", private_key=wrong_private)
    stage.store(
        "acme", f"{folder}/broken-key", private_key="-----BEGIN PRIVATE KEY-----\n" + secret("key", "broken", awkward=False) + "\n-----END PRIVATE KEY-----\n"
    )
    stage.store("trackunit", f"{folder}/nested", client_secret={"value": secret("credential", "nested in the secret")})
    stage.store("trackunit", f"{folder}/line-break", password=secret("credential", "with a line break") + "\r\nX-Evil: yes")

    rules = f'path "secret/data/{folder}/*" {{ capabilities = ["read"] }}\npath "secret/data/consent/*" {{ capabilities = ["read", "create", "update"] }}\n'
    rules += 'path "secret/data/trackops/*" { capabilities = ["create", "read", "update"] }\npath "secret/metadata/trackops/*" { capabilities = ["delete"] }\n'
    policy = vault.policy("leaks", rules)
    role = vault.approle("ci", [policy])
    given.append(Secret("Vault secret_id", "ci", t.cast(str, role.secret_id)))
    keys = vault.jwt("robots", [policy])
    right_jwt, wrong_jwt = keys.sign(), keys.sign(aud="nobody")
    given += [Secret("Vault JWT", "right", right_jwt), Secret("Vault JWT", "wrong", wrong_jwt), Secret("key", "of the JWTs", keys.private_key)]
    password = secret("Vault password", "right")
    vault.userpass("ada", password, [policy])
    user_token = vault.token(policy)
    ca = Ca(inputs / "pki")
    client = ca.client()
    given += [Secret("Vault token", "of a user", user_token), Secret("key", "of a TLS client", client.key_pem)]
    (inputs / "broken.pem").write_text(secret("key", "of a TLS client, broken", awkward=False), encoding="utf-8")
    stage.store("trackmage", "consent/trackmage")

    # In a file, not in a task: Ansible shows a task's own text, even if it contains a secret.
    variables = {
        "canary": canary,
        "planted": {
            "token": user_token,
            "password": password,
            "wrong_password": secret("Vault password", "wrong"),
            "wrong_token": secret("Vault token", "wrong", awkward=False),
            "wrong_secret_id": secret("Vault secret_id", "wrong", awkward=False),
            "token_in_two_lines": secret("Vault token", "in two lines", awkward=False) + "\n" + secret("Vault token", "second line", awkward=False),
            "jwt": right_jwt,
            "wrong_jwt": wrong_jwt,
            "in_a_url": secret("credential", "in a URL", awkward=False),
            "client_cert": str(client.cert),
            "client_key": str(client.key),
            "broken_key": str(inputs / "broken.pem"),
        },
    }
    (inputs / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    env = {
        **vault.env(),
        "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle",
        "VAULT_APPROLE_ROLE_ID": role.role_id,
        "VAULT_APPROLE_SECRET_ID": t.cast(str, role.secret_id),
    }
    del env["VAULT_TOKEN"]
    return Ground(stage, server, hosts, inputs, canary, given, variables, env)
