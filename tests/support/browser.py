# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
A real headless Chromium, driven by Selenium.

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
import shutil
import subprocess
import tempfile
import typing as t

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.wait import WebDriverWait

from .places import locked
from .processes import Unavailable, find_binary

_FOLDERS = ("/usr/lib/chromium", "/usr/lib/chromium-browser")
# Without these, Chromium contacts Google at every start.
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
_PATIENCE = 60.0  # seconds until the test fails; not a measurement


@functools.cache
def find() -> tuple[str, str]:
    """The paths of Chromium and of its driver, installed from Debian's packages if we are root."""
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
        self._folder = tempfile.mkdtemp(prefix="trackops-browser-")
        self._driver: Chrome | None = None

    def __enter__(self) -> Browser:
        try:
            chromium, driver = find()
            options = ChromeOptions()
            options.binary_location = chromium
            for argument in (*_QUIET, f"--user-data-dir={self._folder}/profile"):
                options.add_argument(argument)
            environment = {"HOME": self._folder, "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
            self._driver = Chrome(options=options, service=Service(driver, log_output=f"{self._folder}/driver.log", env=environment))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._driver is not None:
            self._driver.quit()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _chrome(self) -> Chrome:
        assert self._driver is not None, "a browser is started by `with`"
        return self._driver

    def _wait(self, condition: t.Callable[[t.Any], t.Any], what: str) -> t.Any:
        """Wait for a result; if another page replaces this one meanwhile, its elements count."""
        return WebDriverWait(self._chrome, _PATIENCE, 0.05, ignored_exceptions=[StaleElementReferenceException]).until(condition, what)

    def _of(self, selector: str, work: t.Callable[[t.Any], t.Any]) -> t.Any:
        # In a list, as Selenium keeps waiting while the result is false or empty.
        found = expected.presence_of_element_located((By.CSS_SELECTOR, selector))
        return self._wait(lambda driver: [work(found(driver))], selector)[0]

    def open(self, url: str) -> None:
        self._chrome.get(url)

    def forget(self) -> None:
        """Delete the cookies of the open site, which logs the user out."""
        self._chrome.delete_all_cookies()

    @property
    def url(self) -> str:
        """The address in the browser's address bar."""
        return str(self._chrome.current_url)

    def text(self, selector: str = "body") -> str:
        return str(self._of(selector, lambda element: element.text))

    def type(self, selector: str, text: str) -> None:
        self._of(selector, lambda element: element.send_keys(text))

    def click(self, selector: str) -> None:
        self._of(selector, lambda element: element.click())

    def wait_text(self, selector: str, text: str) -> str:
        """Wait until the element holds that text."""
        self._wait(expected.text_to_be_present_in_element((By.CSS_SELECTOR, selector), text), f"{text!r} in {selector}")
        return self.text(selector)

    def run(self, script: str) -> t.Any:
        """Run a piece of JavaScript; returns its result."""
        return self._chrome.execute_script(script)

    def resize(self, width: int, height: int) -> None:
        self._chrome.set_window_size(width, height)

    def screen(self, width: int, height: int) -> None:
        """Emulate a screen of that size. It can be as narrow as a phone's, which no window can."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
