# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Keycloak from Maven Central: the version and the hash are in tests/oauth-servers/keycloak.json. It is kept in the user's cache folder.

::

    with Keycloak(tmp_path, {"clients": [...], "users": [...]}) as keycloak:
        keycloak.issuer                     # the issuer of a realm with these; over https with Keycloak's own CA: keycloak.secure_issuer
        keycloak.events("REFRESH_TOKEN")    # its own record of requests

Maven downloads it (170 MB) from the repository that this machine configures, and Java 17 or newer runs it. It is prepared once (half a minute of
computing), and then starts in 15 s of computing. It keeps nothing after it ends.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import typing as t

import requests

from .bootstrap import MARKER
from .pki import Ca
from .places import TESTS, cache_home, locked
from .processes import Process, Unavailable, find_binary, free_port

__all__ = ("Keycloak", "find")

_LOCK = TESTS / "oauth-servers" / "keycloak.json"
_JAVA_NEEDED = 17
_DOWNLOAD = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get"
# Options needed before it starts: the database is in memory, and a client may present a certificate.
_BUILD = ("--db=dev-mem", "--https-client-auth=request")
_ADMIN = {"username": "admin", "password": "only-for-tests"}
_PACKAGES = {"java": "default-jre-headless", "mvn": "maven"}


@functools.cache
def find() -> pathlib.Path:
    """The folder of a Keycloak that is ready to start."""
    pinned = json.loads(_LOCK.read_text(encoding="utf-8"))
    facts = hashlib.sha256(json.dumps([pinned, _BUILD]).encode()).hexdigest()
    target = cache_home() / f"keycloak-{facts[:12]}"
    java()
    with locked(target.name):
        if not (target / MARKER).exists():
            shutil.rmtree(target, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache_home(), prefix="keycloak-") as folder:
                _unpack(_download(pinned, pathlib.Path(folder)), pathlib.Path(folder)).rename(target)
            _run([str(target / "bin" / "kc.sh"), "build", *_BUILD], "Keycloak could not be prepared", home=target)
            (target / MARKER).write_text("keycloak\n", encoding="utf-8")
    return target


@functools.cache
def java() -> str:
    """This machine's Java, installed from Debian's packages if we are root."""
    program = _program("java")
    output = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=300, check=False).stderr
    version = re.search(r'version "(\d+)', output)
    if not version or int(version[1]) < _JAVA_NEEDED:
        raise Unavailable(f"Keycloak needs Java {_JAVA_NEEDED} or newer (Debian, Ubuntu: apt-get install {_PACKAGES['java']})")
    return program


def _program(name: str) -> str:
    for attempt in ("there", "installed"):
        found = find_binary(name)
        if found:
            return found
        if attempt == "there" and os.geteuid() == 0 and shutil.which("apt-get"):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            with locked("apt-get"):
                for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", _PACKAGES[name]]):
                    subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    raise Unavailable(f"there is no {name} for Keycloak (Debian, Ubuntu: apt-get install {_PACKAGES[name]})")


def _download(pinned: t.Mapping[str, str], folder: pathlib.Path) -> pathlib.Path:
    """Download the archive, and check its hash."""
    coordinates = ":".join(pinned[name] for name in ("artifact", "version", "type"))
    # Its own repository, so that nothing is left in the developer's.
    options = os.environ.get("MAVEN_ARGS", "").split()  # Maven reads it itself since 3.9
    command = [_program("mvn"), *options, "-B", "-q", "-C", f"-Dmaven.repo.local={folder / 'm2'}", _DOWNLOAD, f"-Dartifact={coordinates}", "-Dtransitive=false"]
    _run(command, "Maven could not download Keycloak", home=folder)
    group, name = pinned["artifact"].split(":")
    archive = folder / "m2" / group.replace(".", "/") / name / pinned["version"] / f"{name}-{pinned['version']}.{pinned['type']}"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != pinned["sha256"]:
        raise Unavailable(f"the Keycloak that Maven downloaded is another one than {_LOCK.name} names: its SHA-256 is {found}")
    return archive


def _unpack(archive: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    shutil.unpack_archive(archive, folder / "unpacked")
    (unpacked,) = (folder / "unpacked").iterdir()
    (unpacked / "bin" / "kc.sh").chmod(0o755)  # shutil does not restore modes
    return unpacked


def _run(command: list[str], problem: str, *, home: pathlib.Path) -> None:
    done = subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{problem}:\n" + "\n".join(done.stdout.splitlines()[-10:]))


class Keycloak:
    """A running Keycloak with the realm C(fleet). It has the defaults, except that refresh tokens rotate and http is allowed."""

    patience: t.ClassVar[float] = 900  # on a busy machine

    def __init__(self, folder: pathlib.Path, realm: t.Mapping[str, t.Any]) -> None:
        self.folder = folder
        self.ca = Ca(folder / "pki")
        # With revokeRefreshToken, a refresh token is valid once, and sending it again ends the session.
        self._realm: dict[str, t.Any] = {"realm": "fleet", "enabled": True, "sslRequired": "none", "revokeRefreshToken": True, "eventsEnabled": True}
        # By default, it does not record renewals.
        self._realm.update(enabledEventTypes=["LOGIN", "CLIENT_LOGIN", "REFRESH_TOKEN", "REFRESH_TOKEN_ERROR"], **realm)
        self._ports = free_port(), free_port(), free_port()
        self._http = requests.Session()
        self._http.trust_env = False

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}/realms/fleet"

    @property
    def secure_issuer(self) -> str:
        return f"https://127.0.0.1:{self._ports[1]}/realms/fleet"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token"

    def __enter__(self) -> Keycloak:
        server = self.ca.server()
        options = {
            "cache": "local",
            "http-enabled": "true",
            "http-host": "127.0.0.1",
            "http-port": self._ports[0],
            "https-port": self._ports[1],
            "http-management-port": self._ports[2],
            "hostname-strict": "false",
            "https-certificate-file": server.cert,
            "https-certificate-key-file": server.key,
            "truststore-paths": self.ca.cert,
        }
        env = {
            "HOME": str(self.folder),
            "PATH": os.pathsep.join((str(pathlib.Path(java()).parent), os.environ.get("PATH", os.defpath))),
            "LANG": "C.UTF-8",
            # Its run is too short to gain from full optimization, and its files are verified by hash.
            "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote",
            "KC_BOOTSTRAP_ADMIN_USERNAME": _ADMIN["username"],
            "KC_BOOTSTRAP_ADMIN_PASSWORD": _ADMIN["password"],
        }
        installed = find()
        home = self.folder / "home"  # it writes beside the files that it reads
        home.mkdir()
        for part in ("lib", "conf", "providers", "themes"):
            (home / part).symlink_to(installed / part)
        given = (f"-Dkc.home.dir={home}", *(f"--{name}={value}" for name, value in options.items()))
        command = [str(installed / "bin" / "kc.sh"), "start", "--optimized", *given]
        self._process = Process(command, log=self.folder / "log", env=env, cwd=self.folder)
        try:
            self._process.wait_ready("Keycloak", self._admin, timeout=self.patience)
            self.admin("POST", "", self._realm)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        self._http.close()

    def _admin(self) -> str:
        """An administrator's token. It lasts a minute, so each request gets its own."""
        url = self.token_url.replace("/fleet/", "/master/")
        answer = self._http.post(url, data={"grant_type": "password", "client_id": "admin-cli", **_ADMIN}, timeout=300)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def admin(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """Send a request to its administration interface; *path* is below the realms."""
        url = self.issuer.replace("/realms/fleet", "/admin/realms" + path)
        answer = self._http.request(method, url, json=body, headers={"Authorization": f"Bearer {self._admin()}"}, timeout=300)
        if not answer.ok:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if method == "GET" else None

    def post(self, endpoint: str, form: t.Mapping[str, str], *, issuer: str | None = None) -> requests.Response:
        """Send the test's own request to C(token), C(revoke) or C(token/introspect)."""
        return self._http.post(f"{issuer or self.issuer}/protocol/openid-connect/{endpoint}", data=form, timeout=300, verify=str(self.ca.cert))

    def events(self, kind: str, **facts: str) -> list[dict[str, t.Any]]:
        """Its own record of requests of that kind, newest first: C(CLIENT_LOGIN), C(REFRESH_TOKEN) …"""
        found = self.admin("GET", f"/fleet/events?type={kind}&max=200")
        return [event for event in found if all(event.get(name) == value for name, value in facts.items())]
