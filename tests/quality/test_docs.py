# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation site builds without a warning."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest
from support.bootstrap import environment
from support.browser import Browser
from support.browser import find as find_chromium
from support.places import ROOT, TESTS
from support.processes import Unavailable
from support.readme import pages

_STANDS_OUT = """
    const width = document.documentElement.clientWidth;
    const scrolls = (element) => {
        for (let above = element.parentElement; above && above !== document.body; above = above.parentElement)
            if (["auto", "scroll"].includes(getComputedStyle(above).overflowX)) return true;
        return false;
    };
    // Text as it is drawn: a heading may be as wide as the page, and its words wider.
    const drawn = (element) => {
        const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
        const ends = texts.map((node) => {
            const range = document.createRange();
            range.selectNodeContents(node);
            return range.getBoundingClientRect().right;
        });
        return Math.max(element.getBoundingClientRect().right, ...ends);
    };
    return [...document.querySelectorAll(".rst-content *")]
        .filter((element) => element.getClientRects().length && drawn(element) > width + 1 && !scrolls(element))
        .slice(0, 5)
        .map((element) => `${element.tagName} ${Math.round(drawn(element))} ${element.textContent.trim().slice(0, 60)}`);
"""


def test_the_site_builds_without_warnings(tmp_path: pathlib.Path) -> None:
    site = tmp_path / "site"
    command = [str(environment("docs") / "bin" / "python"), str(TESTS / "support" / "docs.py"), str(site)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    page = (site / "collections/trackops/api_tokens/token_file_module.html").read_text(encoding="utf-8")
    assert "create_directory" in page
    assert "min_ttl" in (site / "docs/hosts.html").read_text(encoding="utf-8")
    lookup = (site / "collections/trackops/api_tokens/tracx_lookup.html").read_text(encoding="utf-8")
    assert 'href="../../../docs/options.html"' in lookup and f"{pages()}docs/" not in lookup, "a guide of this site"
    try:
        find_chromium()
    except Unavailable as exc:
        pytest.skip(f"the pages are not looked at: {exc}")
    assert _too_wide(site) == {}


def _too_wide(site: pathlib.Path) -> dict[str, list[str]]:
    """What sticks out of a page on the screen of a phone or on a large one, unless it is in something that scrolls."""
    pages = sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html"))
    assert len(pages) > 40
    found = {}
    with Browser() as browser:
        for width in (360, 1200):
            browser.screen(width, 900)
            for page in pages:
                browser.open(f"file://{site}/{page}")
                out = browser.run(_STANDS_OUT)
                if out:
                    found[f"{page} at {width}"] = out
    return found


def test_each_promise_of_the_threat_model_has_its_test() -> None:
    """docs/security.md names a test for each promise, and each of these tests exists."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:unit|integration|quality)/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 20
    missing = [
        (file, test) for file, test in named if not (TESTS / file).is_file() or (test and f"\ndef {test}(" not in (TESTS / file).read_text(encoding="utf-8"))
    ]
    assert missing == []
    promises = [line for line in text.splitlines() if line.startswith("| ") and line.endswith("` |")]
    assert len(promises) > 15 and all("`" in line.rsplit(" | ", 1)[-1] for line in promises)
