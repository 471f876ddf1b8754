# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""README.md, galaxy.yml and the documentation agree on the address and on the tested versions, and their links work."""

from __future__ import annotations

import re

import pytest
from support.places import ROOT
from support.readme import address, rendered


@pytest.mark.parametrize("name", ["README.md", "galaxy.yml", "docs/docsite/links.yml", "plugins/doc_fragments/token.py"])
def test_files_are_as_make_readme_writes_them(name):
    assert (ROOT / name).read_text(encoding="utf-8") == rendered(address())[name], "make readme"


def test_another_address_is_written_everywhere():
    found = rendered("https://forge.example/me/tokens", before=address())
    for name, text in found.items():
        assert address() not in text, name
    assert "](https://forge.example/me/tokens/blob/main/docs/vault.md)" in found["README.md"]
    assert "issues: https://forge.example/me/tokens/issues" in found["galaxy.yml"]
    assert "link: https://forge.example/me/tokens/blob/main/docs/options.md" in found["plugins/doc_fragments/token.py"]
    assert "repository: me/tokens\n" in found["docs/docsite/links.yml"]


def test_the_readme_has_absolute_links_to_existing_pages():
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert link.startswith("https://"), link
        page = link.removeprefix(f"{address()}/blob/main/").split("#")[0]
        assert page.startswith("https://") or (ROOT / page).exists(), link
