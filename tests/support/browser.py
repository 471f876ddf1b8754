# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
A real headless Chromium, driven through chromedriver by the W3C WebDriver protocol.

::

    with Browser() as browser:
        browser.open(url)
        browser.type("#password", "secret")
        browser.click("#allow")
        browser.wait_text("#outcome", "stored")
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import typing as t

import requests

from .places import locked
from .processes import Process, StartError, Unavailable, find_binary, wait_for

_FOLDERS = ("/usr/lib/chromium", "/usr/lib/chromium-browser")
# Without these, Chromium talks to its maker at every start.
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name of an element's id: W3C WebDriver 12.2


@functools.cache
def find() -> tuple[str, str]:
    """The paths of Chromium and of its driver; installed from Debian's packages where we are root."""
    for attempt in ("there", "installed"):
        chromium = find_binary("chromium", "chromium-browser", "google-chrome", folders=_FOLDERS)
        driver = find_binary("chromedriver", folders=_FOLDERS)
        if chromium and driver:
            return chromium, driver
        if attempt == "there":
            _install()
    raise Unavailable("there is no Chromium with its chromedriver (Debian, Ubuntu: apt-get install chromium chromium-driver)")


def _install() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with locked("apt-get"):
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium", "chromium-driver"]):
            subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


class Browser:
    """One browser with an empty profile; a context manager."""

    def __init__(self) -> None:
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="trackops-browser-"))
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Browser:
        try:
            return self._start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> Browser:
        chromium, driver = find()
        process = self._process = Process(
            [driver, "--port=0"],
            log=self._folder / "driver.log",
            env={"HOME": str(self._folder), "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        )
        port = self._process.wait_ready("chromedriver's port", lambda: re.search(r"successfully on port (\d+)", process.output()))[1]
        self._base = f"http://127.0.0.1:{port}"
        self._process.wait_ready("chromedriver", lambda: self._http.get(f"{self._base}/status", timeout=2).json()["value"]["ready"])
        options = {"binary": chromium, "args": [*_QUIET, f"--user-data-dir={self._folder / 'profile'}"]}
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        session = self._send("POST", f"{self._base}/session", {"capabilities": capabilities})
        self._base += f"/session/{session['sessionId']}"
        return self

    def close(self) -> None:
        if hasattr(self, "_process"):
            self._process.stop()
        self._http.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, method: str, url: str, body: dict[str, t.Any] | None = None) -> t.Any:
        answer = self._http.request(method, url, json=body, timeout=60).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise StartError(f"{answer['error']}: {answer.get('message', '')[:300]}")
        return answer

    def _ask(self, method: str, path: str, body: dict[str, t.Any] | None = None) -> t.Any:
        return self._send(method, f"{self._base}/{path}", body)

    def _of(self, method: str, selector: str, what: str, body: dict[str, t.Any] | None = None) -> t.Any:
        """Where the page with the element is replaced by another one meanwhile, that one's."""
        for left in range(5, -1, -1):
            try:
                return self._ask(method, f"element/{self._element(selector)}/{what}", body)
            except StartError as exc:
                if not left or "stale element" not in str(exc):
                    raise
        return None

    def open(self, url: str) -> None:
        self._ask("POST", "url", {"url": url})

    def forget(self) -> None:
        """Be somebody else to the site that is open: who logged in there before is not known any more."""
        self._ask("DELETE", "cookie")

    @property
    def url(self) -> str:
        """Where the browser is, as its address bar has it."""
        return str(self._ask("GET", "url"))

    def text(self, selector: str = "body") -> str:
        return str(self._of("GET", selector, "text"))

    def type(self, selector: str, text: str) -> None:
        self._of("POST", selector, "value", {"text": text})

    def click(self, selector: str) -> None:
        self._of("POST", selector, "click", {})

    def wait_text(self, selector: str, text: str, *, timeout: float = 60) -> str:
        """Wait until the element holds that text."""
        return str(wait_for(f"{text!r} in {selector}", lambda: text in self.text(selector) and self.text(selector), timeout=timeout))

    def run(self, script: str) -> t.Any:
        """What a piece of JavaScript returns."""
        return self._ask("POST", "execute/sync", {"script": script, "args": []})

    def resize(self, width: int, height: int) -> None:
        self._ask("POST", "window/rect", {"width": width, "height": height})

    def screen(self, width: int, height: int) -> None:
        """Have a screen of that size, also that of a phone, which no window is as narrow as."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._ask("POST", "goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics})

    def _element(self, selector: str) -> str:
        found = wait_for(selector, lambda: self._ask("POST", "element", {"using": "css selector", "value": selector}), timeout=60)
        return str(found[_ELEMENT])
