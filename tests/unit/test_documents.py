# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documents name exists: files, folders, make targets, Python modules to run, pages that they link to."""

from __future__ import annotations

import functools
import itertools
import json
import pathlib
import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.login_input import FALLBACK_ENVIRONMENT, FIELDS
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.request import needed_fields
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in, names
from support.option_definitions import file_of
from support.places import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "docs/**/*.rst", "tests/README.md", "roles/*/README.md", "extensions/**/*.md")
    for path in ROOT.glob(pattern)
)
#: Folders in which a path may begin.
BEGINNINGS = ("", "tests/", "tests/unit/", "plugins/", "plugins/plugin_utils/")
#: Files that do not exist yet: a release makes the first; the second is the example of a new vendor.
MADE = ("changelogs/changelog.yaml", "parcelo")
_CODE = re.compile(r"^(`{3,})[^\n]*\n(.*?)^\1|(`+)([^`\n]+)\3", re.DOTALL | re.MULTILINE)
_FOLDERS = r"(?:plugins|docs|tests|roles|playbooks|extensions|changelogs|meta|unit|integration|quality|support|emulator|_[a-z]+)"
_PATH = re.compile(rf"(?<![\w./<>-])({_FOLDERS}/[\w./*-]*|\w+\.py)(?![\w/<])")


@functools.cache
def codes(document: str) -> list[str]:
    """The code in the document: its blocks and spans."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [found[2] or found[4] for found in _CODE.finditer(text)]


@functools.cache
def python_files() -> frozenset[str]:
    return frozenset(path.name for folder in ("plugins", "tests", "docs") for path in (ROOT / folder).rglob("*.py"))


def is_there(path: str) -> bool:
    if any(made in path for made in MADE):
        return True
    if "/" not in path:
        return path in python_files()
    # Sphinx and `make mutants` take names without their suffix.
    return any(next(ROOT.glob(f"{beginning}{path.rstrip('/')}{ending}"), None) for beginning in BEGINNINGS for ending in ("", ".py", ".md"))


@pytest.mark.parametrize("vendor", names())
def test_a_vendor_has_a_row_in_readme_and_a_guide(vendor):
    fields = ", ".join(f"`{field}`" for field in needed_fields(built_in(vendor)))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(rf"^\| [^|]+ \| `trackops\.api_tokens\.{vendor}` \| {re.escape(fields)} \| .*/{vendor}\.md\) \|$", readme, re.MULTILINE)
    guide = (ROOT / f"docs/vendors/{vendor}.md").read_text(encoding="utf-8")
    assert re.findall("^## (.+)", guide, re.MULTILINE)[:5] == ["Credentials", "Use", "Options", "On the wire", "Errors"]
    assert f"lookup('trackops.api_tokens.{vendor}'" in guide
    assert [field for field in needed_fields(built_in(vendor)) if f"`{field}`" not in guide.partition("## Use")[0]] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_in_a_document_exists(document):
    named = [path.rstrip(".") for code in codes(document) for path in _PATH.findall(code)]
    assert [path for path in named if not is_there(path)] == []


def test_the_search_for_paths_finds_paths_only():
    """Names of files are found, and other text that only looks like one is not."""
    named = [path for code in codes("CONTRIBUTING.md") for path in _PATH.findall(code)]
    assert {"plugins/plugin_utils/_base/model.py", "_base/errors.py", "tests/unit/test_structure.py", "plugins/modules/__private/"} <= set(named)
    assert (is_there("oauth.py"), is_there("_vendor/oauth.py"), is_there("unit/lookup"), is_there("slot.py")) == (False, False, False, True)
    assert _PATH.findall("path secret/docs/x, https://x.example/docs/y, /etc/roles/x") == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_and_python_modules_exist(document):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for code in codes(document):
        called = set(re.findall(r"(?:^|\n|; |&& )make ([a-z]+)", code))
        assert called <= targets
        for module in re.findall(r"python -m\s+([\w.]+)", code):
            file = ROOT / "tests" / module.replace(".", "/")
            assert module == "venv" or file.with_suffix(".py").is_file() or (file / "__main__.py").is_file(), module


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_existing_pages(document):
    text = _CODE.sub("", (ROOT / document).read_text(encoding="utf-8"))
    pages = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [page for page in pages if page and not ((ROOT / document).parent / page).exists()] == []


def test_modules_imported_by_examples_exist():
    """The examples of CONTRIBUTING.md belong in `plugins/plugin_utils/_vendors/` and `tests/`, so their imports must work from there."""
    text = "\n".join(codes("CONTRIBUTING.md"))
    ours = re.findall(r"^ *from \.\.([\w.]+) import", text, re.MULTILINE)
    of_tests = re.findall(r"^ *from (support[\w.]*) import", text, re.MULTILINE)
    assert ours and of_tests
    files = [ROOT / "plugins" / "plugin_utils" / name.replace(".", "/") for name in ours] + [ROOT / "tests" / name.replace(".", "/") for name in of_tests]
    assert [str(file) for file in files if not pathlib.Path(f"{file}.py").is_file()] == []


@functools.cache
def variables_of_authorize():
    """The variables that the playbook takes by the names of the options."""
    return set(re.findall(r"operator_vars', '(\w+)'", (ROOT / "playbooks" / "authorize.yml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_variables_given_to_the_playbook_authorize_are_read_by_it(document):
    commands = [line for code in codes(document) for line in code.splitlines() if line.startswith("ansible-playbook trackops.api_tokens.authorize")]
    given = {name for line in commands for name in re.findall(r" -e '?(\w+)=", line)}
    assert {name for name in given if not name.startswith("trackops_")} <= variables_of_authorize()


def test_the_variables_of_the_playbook_authorize_are_listed():
    (listed,) = re.findall(r"takes by the name of their option: (.*?)\. Every", (ROOT / "docs" / "consent.md").read_text(encoding="utf-8"), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == variables_of_authorize()


#: Users copy these examples. In a play on the controller, facts would include the environment of the run, and with it the login to Vault.
EXAMPLES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "docs/**/*.rst", "roles/**/*.md", "roles/**/*.yml", "playbooks/**/*.yml", "plugins/**/*.py", "extensions/**/*.yml")
    for path in ROOT.glob(pattern)
)


def plays_on_the_controller(text: str) -> list[str]:
    """For each play on localhost, the lines beside and below its ``hosts``."""
    lines, plays = text.splitlines(), []
    for number, line in enumerate(lines):
        found = re.match(r"( *)(- )?hosts: localhost\b", line)
        if found:
            inner = " " * (len(found[1]) + len(found[2] or ""))
            play = itertools.takewhile(lambda below, inner=inner: not below.strip() or below.startswith(inner), lines[number + 1 :])
            plays.append("\n".join(below.removeprefix(inner) for below in play))
    return plays


def test_examples_on_the_controller_gather_no_facts():
    found = {(name, number): play for name in EXAMPLES for number, play in enumerate(plays_on_the_controller((ROOT / name).read_text(encoding="utf-8")))}
    assert {"README.md", "docs/hosts.md", "roles/schedule/README.md", "roles/schedule/meta/argument_specs.yml"} <= {name for name, _number in found}
    assert [place for place, play in found.items() if not re.search(r"^gather_facts: false$", play, re.MULTILINE)] == []


def test_plays_on_the_controller_are_extracted():
    text = "  - name: a\n    hosts: localhost\n    gather_facts: false\n    tasks:\n      - x:\n  - hosts: localhost\n    roles: [a]\n\n- hosts: all\n"
    assert plays_on_the_controller(text) == ["gather_facts: false\ntasks:\n  - x:", "roles: [a]\n"]


ABOUT_MESSAGES = [name for name in DOCUMENTS if re.search(r"^## (?:Errors|Messages)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)]


@pytest.mark.parametrize("document", ["README.md", *ABOUT_MESSAGES])
def test_documents_about_messages_link_to_the_error_codes(document):
    assert re.search(r"\]\((?:\.\./|https://\S+/docs/)?errors\.md\)", (ROOT / document).read_text(encoding="utf-8"))


def options_of_vault():
    """For each row of the table in docs/vault.md: the option, the names in the cells, and the ini entry."""
    text = (ROOT / "docs" / "vault.md").read_text(encoding="utf-8").split("| Option | Environment | Late | Variable | ini |")[1].split("\n\n")[0]
    for row in text.splitlines()[2:]:
        option, environment, late, variable, ini = row.strip("| ").split(" |") if row.count("|") == 6 else pytest.fail(row)
        yield re.findall(r"`(\w+)`", option)[0], [re.findall(r"`(\w+)`", cell) for cell in (option, environment, late, variable)], ini.strip()


def test_the_table_of_vault_options_equals_their_documentation():
    definitions = json.loads(file_of("trackunit").read_text(encoding="utf-8"))
    of_vault = {*FIELDS, "ca_cert", "token_path", "token_file", "engine_mount_point", "engine_version", "secret_version"}
    sections = {"hashi_vault_collection": "yes", "trackops_api_tokens": "ours"}
    found = {option: cells for option, *cells in options_of_vault()}
    assert found.keys() == of_vault
    for option, (called, ini) in found.items():
        about = definitions[option]
        assert (option, set(called[0]) - {str(about.get("default"))}) == (option, {option, *(about.get("aliases") or ())}), called[0]
        assert (option, called[1]) == (option, [entry["name"] for entry in about.get("env") or ()])
        assert (option, set(called[3])) == (option, {entry["name"] for entry in about.get("vars") or ()})
        assert (option, ini) == (option, sections[about["ini"][0]["section"]] if about.get("ini") else "\N{EN DASH}")
        assert set(FALLBACK_ENVIRONMENT.get(option, ())) <= set(called[2])
