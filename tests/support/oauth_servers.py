# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Third-party OAuth servers from the registries, pinned, in the developer's cache folder.

``DjangoOAuth`` is PyPI's django-oauth-toolkit, ``OidcProvider`` npm's oidc-provider. Both keep their defaults: what they refuse or
leave out is theirs to say. Context managers; ``server.url`` and ``server.token_url`` are where they are.
"""

from __future__ import annotations

import abc
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import typing as t

import requests

from . import bootstrap
from .node import node
from .places import TESTS, cache_home, locked
from .processes import Process, Unavailable, free_port

_FILES = TESTS / "oauth-servers"


class _Server(abc.ABC):
    """One server in its own folder."""

    token_path: t.ClassVar[str]
    patience: t.ClassVar[float] = 900  # the first start creates a database, perhaps on a busy machine

    def __init__(self, clients: t.Any) -> None:
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="trackops-oauth-"))
        self._clients = self._folder / "clients.json"
        self._clients.write_text(json.dumps(clients), encoding="utf-8")
        self._port = free_port()
        self._process: Process | None = None

    @abc.abstractmethod
    def command(self) -> list[str]:
        """The command that starts the server."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def token_url(self) -> str:
        return self.url + self.token_path

    def __enter__(self) -> _Server:
        env = {"HOME": str(self._folder), "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "NODE_NO_WARNINGS": "1"}
        self._process = Process(self.command(), log=self._folder / "log", env=env, cwd=self._folder)
        try:
            self._process.wait_ready(type(self).__name__, lambda: self.post("", {}).status_code, timeout=self.patience)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def post(self, path: str, form: dict[str, str], *, auth: tuple[str, str] | None = None) -> requests.Response:
        """Send the test's own request to a path below the token endpoint's folder."""
        with requests.Session() as session:
            session.trust_env = False
            return session.post(self.token_url if not path else self.url + path, data=form, auth=auth, timeout=300)


class DjangoOAuth(_Server):
    token_path = "/o/token/"

    def command(self) -> list[str]:
        return [str(django() / "bin" / "python"), str(_FILES / "django_oauth.py"), str(self._port), str(self._folder / "db.sqlite"), str(self._clients)]


class OidcProvider(_Server):
    token_path = "/token"

    def command(self) -> list[str]:
        return [node()[0], str(_FILES / "oidc.mjs"), str(self._port), str(self._clients), str(npm_packages())]


@functools.cache
def django() -> pathlib.Path:
    try:
        return bootstrap.environment("oauth")
    except SystemExit as exc:
        raise Unavailable(f"django-oauth-toolkit could not be installed from PyPI: {exc}") from None


@functools.cache
def npm_packages() -> pathlib.Path:
    """The folder with node_modules, installed from package-lock.json."""
    lock = _FILES / "package-lock.json"
    target = cache_home() / f"npm-oauth-{hashlib.sha256(lock.read_bytes()).hexdigest()[:8]}"
    _program, npm = node()
    with locked(target.name):
        if not (target / bootstrap.MARKER).exists():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_FILES / name, target)
            path = os.pathsep.join([str(pathlib.Path(npm[0]).parent), os.environ.get("PATH", os.defpath)])
            done = subprocess.run(
                [*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=target,
                env={**os.environ, "PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise Unavailable("npm could not install oidc-provider:\n" + "\n".join(done.stdout.splitlines()[-5:]))
            (target / bootstrap.MARKER).write_text("npm\n", encoding="utf-8")
    return target
