# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
ansible-doc prints pages that people can read: options in groups, one line for each group, and no page longer than necessary.

ansible-doc sorts options by name and knows no groups, so the description of a lookup lists them. Only the texts of a page can be made
shorter; the rest is fixed: where an option can be set, its default, its type, an empty line.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in, names
from support.collection import source_path
from support.option_definitions import lookups
from support.places import ROOT

PREFIX = "trackops.api_tokens."
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
#: The most lines of a page on a terminal with 80 columns.
LONGEST = {"lookup": 850, "oauth2": 1090, "module": 640, "token_file": 800}
#: The most lines of text for each option, on average.
TEXTS = 1.7
_GIVEN = re.compile(r" {8}(set_via|default|type|choices|aliases|elements|required|added in)\b")


def ansible_doc(*arguments: str) -> str:
    program = str(pathlib.Path(sys.executable).parent / "ansible-doc")
    env = {"ANSIBLE_COLLECTIONS_PATH": str(source_path()), "HOME": str(source_path()), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    env.update(COLUMNS="80", ANSIBLE_NOCOLOR="1")
    return subprocess.run([program, *arguments], env=env, capture_output=True, text=True, check=True).stdout


@functools.cache
def documented() -> dict[str, dict[str, t.Any]]:
    """The documentation of each lookup, as ansible-doc returns it."""
    found = json.loads(ansible_doc("-t", "lookup", "-j", *(PREFIX + name for name in lookups())))
    return {name.removeprefix(PREFIX): {**about["doc"], "examples": about["examples"]} for name, about in found.items()}


@functools.cache
def pages(kind: str) -> dict[str, list[str]]:
    """The lines of the page of each lookup or module. All pages in one call, because starting Ansible takes longer than printing a page."""
    names = lookups() if kind == "lookup" else MODULES
    shown = ansible_doc("-t", kind, *(PREFIX + name for name in names))
    found = re.split(rf"^> {kind.upper()} {re.escape(PREFIX)}(\w+) ", shown, flags=re.MULTILINE)
    assert found[1::2] == names
    return {name: page.splitlines() for name, page in zip(names, found[2::2], strict=True)}


@functools.cache
def short_pages() -> dict[str, list[str]]:
    """The short page of each lookup (``ansible-doc -s``); the call is its last line."""
    shown = ansible_doc("-t", "lookup", "-s", *(PREFIX + name for name in lookups()))
    found = re.findall(r"(.*?)^lookup\('(\w+)',", shown, re.MULTILINE | re.DOTALL)
    return {name: page.splitlines() for page, name in found}


def groups(lookup: str) -> dict[str, list[str]]:
    """The groups of the lookup's page, each with its options."""
    paragraphs = [re.fullmatch(r"B\(([\w ]+)\) - (O\(\w+\)(?:, O\(\w+\))*)\.", text) for text in documented()[lookup]["description"]]
    return {found[1]: re.findall(r"O\((\w+)\)", found[2]) for found in paragraphs if found}


def guide() -> dict[str, list[str]]:
    """The groups of docs/options.md, each with its options."""
    sections = re.split(r"^## ", (ROOT / "docs" / "options.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    rows = {section.split("\n", 1)[0]: re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section, re.MULTILINE) for section in sections}
    return {name: re.findall(r"\w+", " ".join(cells)) for name, cells in rows.items()}


@pytest.mark.parametrize("lookup", lookups())
def test_each_option_is_in_one_group(lookup: str) -> None:
    assert sorted(option for options in groups(lookup).values() for option in options) == sorted(documented()[lookup]["options"])


def test_the_guide_has_the_same_groups_as_the_pages() -> None:
    grouped: dict[str, set[str]] = {}
    for lookup in lookups():
        for name, options in groups(lookup).items():
            grouped.setdefault(name, set()).update(options)
    assert {name: sorted(options) for name, options in guide().items()} == {name: sorted(options) for name, options in grouped.items()}


@pytest.mark.parametrize("lookup", lookups())
def test_pages_of_lookups_stay_within_their_length(lookup: str) -> None:
    lines = pages("lookup")[lookup]
    length, texts, count = len(lines), _lines_of_texts(lines), len(documented()[lookup]["options"])
    assert length <= LONGEST.get(lookup, LONGEST["lookup"])
    assert texts <= TEXTS * count


def _lines_of_texts(lines: list[str]) -> int:
    """The number of lines that describe options."""
    start = next(number for number, line in enumerate(lines) if line.startswith("OPTIONS"))
    end = next(number for number, line in enumerate(lines) if number > start and re.match(r"[A-Z]", line))
    found, given = 0, False
    for line in lines[start + 1 : end]:
        # Where an option can be set is listed line by line, down to the next empty line.
        given = bool(line) and (given or _GIVEN.match(line) is not None)
        found += bool(line) and not given
    return found


def test_lines_of_text_are_counted() -> None:
    option = ["-  url  Address of", "        Vault.", "        set_via:", "          env:", "          - name: X", "        type: str", ""]
    assert _lines_of_texts(["OPTIONS (= is mandatory):", "", *option, "-  a  B.", "", "NOTES:", "    * C."]) == 3


@pytest.mark.parametrize("lookup", lookups())
def test_the_short_page_has_one_line_per_option(lookup: str) -> None:
    lines = [line for line in short_pages()[lookup] if line.startswith("# ")]
    assert [line.split("(")[0].removeprefix("# ") for line in lines] == sorted(documented()[lookup]["options"])
    assert [line for line in lines if len(line) > 165 or "['" in line] == []


@pytest.mark.parametrize("module", MODULES)
def test_pages_of_modules_stay_within_their_length(module: str) -> None:
    length = len(pages("module")[module])
    assert length <= LONGEST.get(module, LONGEST["module"])


def test_each_page_has_the_shortest_use_and_examples() -> None:
    documents = {("lookup", name): about for name, about in documented().items()}
    others = {"module": MODULES, "callback": ["summary"], "filter": ["jwt_claims"], "test": ["token_fresh"], "lookup": ["operator_vars"]}
    for kind, plugins in others.items():
        found = json.loads(ansible_doc("-t", kind, "-j", *(PREFIX + name for name in plugins)))
        documents.update({(kind, name.removeprefix(PREFIX)): {**about["doc"], "examples": about["examples"]} for name, about in found.items()})
    without = [
        name for name in MODULES + lookups() if not documents["lookup" if name in lookups() else "module", name]["description"][0].startswith("Shortest use")
    ]
    assert without == []
    assert [name for name, about in documents.items() if not about["examples"]] == []


@pytest.mark.parametrize("name", names())
def test_the_scope_option_says_how_the_vendor_uses_scopes(name: str) -> None:
    vendor, said = built_in(name), documented()[name]["options"]["scope"]["description"]
    takes_none = vendor.scope_use == "forbidden"
    assert ("takes none" in said) is takes_none, f"scope_use is {vendor.scope_use}: the description of scope in plugins/lookup/{name}.py says otherwise"
    assert all(f"V({scope})" in said for scope in vendor.scope.split())


@pytest.mark.parametrize("role", ["provision", "schedule"])
def test_a_role_shows_an_example(role: str) -> None:
    shown = ansible_doc("-t", "role", PREFIX + role)
    (play,) = yaml.safe_load(shown.split("EXAMPLES:")[1])
    assert play["roles"][0]["role"] == PREFIX + role
    options = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    assert set(play["roles"][0]["vars"]) <= set(options)
