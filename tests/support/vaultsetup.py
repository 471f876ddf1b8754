# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Set up a Vault as an operator does, concisely enough for tests.

::

    operator = Operator(server)
    operator.put("fleet/trackunit", {"client_id": "…"})                   # KV v2 at secret/
    token = operator.token(operator.read_policy("fleet/*"))               # least privilege
    login = operator.approle("ci", [operator.read_policy("fleet/*")])     # login.role_id, login.secret_id
"""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t

import hvac
import jwt

from .pki import Ca, Pair, rsa_pair
from .processes import wait_for
from .vault import AuditEntry, VaultServer

_KEPT_MOUNTS = ("sys/", "identity/", "cubbyhole/", "agent-registry/")
_KEPT_POLICIES = ("root", "default", "response-wrapping", "control-group", "ssct", "default-service", "default-batch")


@dataclasses.dataclass(frozen=True)
class AppRole:
    role_id: str
    secret_id: str | None
    mount: str


@dataclasses.dataclass(frozen=True)
class JwtRole:
    """A role of the jwt login method, and the key that signs its tokens."""

    role: str
    mount: str
    private_key: str

    def sign(self, **claims: t.Any) -> str:
        now = int(time.time())
        payload = {"iss": "trackops-tests", "aud": "vault", "sub": "automation", "iat": now, "nbf": now - 5, "exp": now + 300, **claims}
        return jwt.encode(payload, self.private_key, algorithm="RS256")


class Operator:
    """The operator of one server, or of one namespace in it. It also has everything that tests need to know about the server."""

    def __init__(self, server: VaultServer, *, namespace: str | None = None) -> None:
        self.server = server
        self.name_space = namespace

    @property
    def flavour(self) -> str:
        return self.server.flavour

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def root_token(self) -> str:
        return self.server.root_token

    @property
    def client(self) -> hvac.Client:
        """hvac, as root, in this namespace."""
        return self.server.client(namespace=self.name_space)

    def env(self, *, token: str | None = None) -> dict[str, str]:
        variables = self.server.env(token=token)
        return {**variables, "VAULT_NAMESPACE": self.name_space} if self.name_space else variables

    def audit_requests(self, path_prefix: str = "", **filters: t.Any) -> list[AuditEntry]:
        return self.server.audit_requests(path_prefix, **filters)

    def mark(self) -> None:
        self.server.mark()

    # -- secrets ---------------------------------------------------------------------------------------------------

    def kv2(self, mount: str = "secret") -> None:
        self.client.sys.enable_secrets_engine("kv", path=mount, options={"version": "2"})
        # A new KV v2 mount refuses requests until it is ready.
        wait_for(f"KV v2 at {mount}", lambda: self.client.secrets.kv.v2.read_configuration(mount_point=mount))

    def kv1(self, mount: str = "kv") -> None:
        self.client.sys.enable_secrets_engine("kv", path=mount, options={"version": "1"})

    def put(self, path: str, data: t.Mapping[str, t.Any], *, mount: str = "secret") -> int:
        """Write a new version of a KV v2 secret; returns its number."""
        answer = self.client.secrets.kv.v2.create_or_update_secret(path, dict(data), mount_point=mount)
        version: int = answer["data"]["version"]
        return version

    def put1(self, path: str, data: t.Mapping[str, t.Any], *, mount: str = "kv") -> None:
        self.client.secrets.kv.v1.create_or_update_secret(path, dict(data), mount_point=mount)

    def get(self, path: str, *, mount: str = "secret") -> dict[str, t.Any]:
        answer = self.client.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)
        data: dict[str, t.Any] = answer["data"]["data"]
        return data

    def delete(self, path: str, *versions: int, mount: str = "secret") -> None:
        """Delete the latest version, or the given ones; they can be undeleted."""
        if versions:
            self.client.secrets.kv.v2.delete_secret_versions(path, list(versions), mount_point=mount)
        else:
            self.client.secrets.kv.v2.delete_latest_version_of_secret(path, mount_point=mount)

    def destroy(self, path: str, *versions: int, mount: str = "secret") -> None:
        self.client.secrets.kv.v2.destroy_secret_versions(path, list(versions), mount_point=mount)

    # -- policies and logins ---------------------------------------------------------------------------------------

    def policy(self, name: str, rules: str) -> str:
        self.client.sys.create_or_update_policy(name, rules)
        return name

    def read_policy(self, *paths: str, mount: str = "secret", name: str | None = None, version: int = 2) -> str:
        """A policy that can read these secrets and nothing else."""
        base = f"{mount}/data" if version == 2 else mount
        rules = "\n".join(f'path "{base}/{path}" {{ capabilities = ["read"] }}' for path in paths)
        return self.policy(name or f"read-{mount}-{'-'.join(paths)}".replace("/", "-").replace("*", "all"), rules)

    def token(self, *policies: str, ttl: str = "1h", **more: t.Any) -> str:
        answer = self.client.auth.token.create(policies=list(policies), ttl=ttl, no_parent=True, **more)
        token: str = answer["auth"]["client_token"]
        return token

    def approle(self, name: str, policies: t.Sequence[str], *, mount: str = "approle", secret_id: bool = True, **role: t.Any) -> AppRole:
        """An AppRole. Without ``secret_id``, the role id alone is enough to log in, but only from loopback."""
        self._auth("approle", mount)
        settings: dict[str, t.Any] = {"token_policies": list(policies), "bind_secret_id": secret_id, **role}
        if not secret_id:
            settings.setdefault("token_bound_cidrs", ["127.0.0.0/8"])
        client = self.client
        client.auth.approle.create_or_update_approle(name, mount_point=mount, **settings)
        role_id = client.auth.approle.read_role_id(name, mount_point=mount)["data"]["role_id"]
        return AppRole(role_id=role_id, secret_id=self.secret_id(name, mount=mount) if secret_id else None, mount=mount)

    def secret_id(self, name: str, *, mount: str = "approle") -> str:
        value: str = self.client.auth.approle.generate_secret_id(name, mount_point=mount)["data"]["secret_id"]
        return value

    def userpass(self, username: str, password: str, policies: t.Sequence[str], *, mount: str = "userpass") -> None:
        self._auth("userpass", mount)
        self.client.auth.userpass.create_or_update_user(username, password, list(policies), mount_point=mount)

    def jwt(self, role: str, policies: t.Sequence[str], *, mount: str = "jwt") -> JwtRole:
        """The jwt login method, with the test's own key pair."""
        self._auth("jwt", mount)
        private, public = rsa_pair()
        client = self.client
        client.auth.jwt.configure(jwt_validation_pubkeys=[public], bound_issuer="trackops-tests", path=mount)
        client.auth.jwt.create_role(
            role, user_claim="sub", allowed_redirect_uris=[], role_type="jwt", bound_audiences=["vault"], token_policies=list(policies), path=mount
        )
        return JwtRole(role=role, mount=mount, private_key=private)

    def cert(self, role: str, policies: t.Sequence[str], *, ca: Ca | None = None, mount: str = "cert") -> Pair:
        """The cert login method (the server needs TLS); returns a client certificate that it accepts."""
        authority = ca or self.server.ca
        if authority is None:
            raise ValueError("logins by certificate need a server with TLS")
        self._auth("cert", mount)
        certificate = authority.cert.read_text(encoding="utf-8")
        self.client.write(f"auth/{mount}/certs/{role}", certificate=certificate, token_policies=list(policies))
        return authority.client(f"client-{mount}-{role}")

    def namespace(self, name: str) -> Operator:
        """A namespace with a KV v2 mount ``secret`` (OpenBao; HashiCorp's free edition has none)."""
        self.client.sys.create_namespace(name)
        inner = Operator(self.server, namespace=f"{self.name_space}/{name}" if self.name_space else name)
        inner.kv2()
        return inner

    def _auth(self, method: str, mount: str) -> None:
        if f"{mount}/" not in self.client.sys.list_auth_methods()["data"]:
            self.client.sys.enable_auth_method(method, path=mount)

    # -- between tests ---------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Reset the server to new: an empty KV v2 at ``secret``, and no other mount, login method, policy or namespace."""
        client = self.client
        for path in client.sys.list_mounted_secrets_engines()["data"]:
            if path not in _KEPT_MOUNTS and not path.startswith("ns_"):
                client.sys.disable_secrets_engine(path.rstrip("/"))
        for path in client.sys.list_auth_methods()["data"]:
            if path != "token/":
                client.sys.disable_auth_method(path.rstrip("/"))
        for name in client.sys.list_policies()["data"]["policies"]:
            if name not in _KEPT_POLICIES:
                client.sys.delete_policy(name)
        if self.flavour == "openbao":
            self._drop_namespaces()
        self.kv2()
        self.mark()

    def _drop_namespaces(self, inside: str | None = None) -> None:
        """Delete all namespaces, inner ones first: deletion takes time, and a parent can be deleted only after its children."""
        client = self.server.client(namespace=inside)
        for name in _namespaces(client):
            self._drop_namespaces(f"{inside}/{name}" if inside else name)
            wait_for(f"the end of what is in namespace {name}", functools.partial(_delete_namespace, client, name))


def _namespaces(client: hvac.Client) -> list[str]:
    try:
        found = client.list("sys/namespaces")
    except hvac.exceptions.InvalidPath:
        return []
    return [name.rstrip("/") for name in (found or {}).get("data", {}).get("keys", [])]


def _delete_namespace(client: hvac.Client, name: str) -> bool:
    client.sys.delete_namespace(name)
    return True
