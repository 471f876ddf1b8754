# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Open a URL in the person's browser, hidden from other users and without waiting for the browser."""

from __future__ import annotations

import contextlib
import html
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing as t

__all__ = ("has_browser", "opened")

# The state must not appear in a process list: a reader could submit the response of their own consent with it. So the browser gets the
# path of a page that only this user can read and that redirects to the URL.
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={url}"><title>Consent</title></head>
<body><a href="{url}">Continue</a></body></html>
"""
_OPEN = "import sys, webbrowser; webbrowser.open(sys.argv[1])"


def has_browser(environ: t.Mapping[str, str], system: str) -> bool:
    """Whether this machine has a desktop, or the environment names a browser."""
    return any(environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")) or system == "Darwin"


@contextlib.contextmanager
def opened(url: str) -> t.Iterator[None]:
    """Open *url* in a browser; the page that redirects there is removed at the end of the block.

    The browser runs in a separate process and session: one that stays in the foreground, such as C(BROWSER=lynx), must not block the caller
    until the authorization code has expired, or take over its terminal.

    :raises OSError: the page cannot be written, or the process cannot be started.
    """
    folder = tempfile.mkdtemp(prefix="trackops-consent-")
    try:
        page = pathlib.Path(folder, "consent.html")
        page.touch(mode=0o600)
        page.write_text(_PAGE.format(url=html.escape(url)), encoding="utf-8")
        subprocess.Popen(
            [sys.executable, "-I", "-c", _OPEN, page.as_uri()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=os.path.expanduser("~"),
        )
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
