# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The structure of the collection: each vendor is complete, and folders import only downwards."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.entry import entry_to_dict
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.slot import token_keys
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names
from support.collection import source_path
from support.scripted import VAULT_TOKEN, request_for, token
from support.syntax import plugin_files

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
CORE = PLUGINS / "plugin_utils"
PACKAGE = "ansible_collections.trackops.api_tokens.plugins.plugin_utils"
#: The files that join the core and ansible; all others work without it.
BOUNDARY = {
    "_boundary/lookup",
    "_boundary/action",
    "_boundary/explain",
    "_boundary/operator_variables",
    "_boundary/preload",
    "_boundary/trust",
    "_boundary/full_lookup",
    "_boundary/vendor_settings",
}
#: The folders of the core, in layers: each file imports only from its own folder and from lower layers.
LAYERS = (
    ("_text",),
    ("_base", "_http"),
    ("_cache", "_vault", "_vendors"),
    ("_vendor",),
    ("_flow",),
    ("_hosts", "_consent"),
    ("_boundary", "_tasks"),
    ("plugins",),
)
MOST_UNITS, MOST_LAYERS = 22, 8
#: The files of a vendor. Adding a vendor means adding these files.
PARTS = (
    "plugins/plugin_utils/_vendors/{}.py",
    "plugins/lookup/{}.py",
    "plugins/plugin_utils/_boundary/option_definitions/{}.json",
    "docs/vendors/{}.md",
    "tests/integration/vendors/test_{}.py",
)


def missing(root, vendor):
    return [part.format(vendor) for part in PARTS if not (root / part.format(vendor)).is_file()]


@pytest.mark.parametrize("vendor", names())
def test_a_vendor_is_complete(vendor):
    assert missing(ROOT, vendor) == []


def test_a_missing_part_of_a_vendor_is_noticed(tmp_path):
    for part in PARTS[:-1]:
        place = tmp_path / part.format("acme")
        place.parent.mkdir(parents=True)
        place.touch()
    assert missing(tmp_path, "acme") == ["tests/integration/vendors/test_acme.py"]


@pytest.mark.parametrize("vendor", names())
def test_no_vendor_is_named_in_the_shared_code(vendor):
    """Only texts for people may name one."""
    naming = [path for path, identifiers in shared().items() if vendor in identifiers]
    assert naming == []


@functools.cache
def shared():
    """The identifiers in each file of the core that serves all vendors."""
    files = {path: parsed.nodes for path, parsed in plugin_files().items() if path.is_relative_to(CORE) and path.parent.name != "_vendors"}
    assert files
    return {path: {str(getattr(node, field, "")) for node in nodes for field in ("id", "attr", "arg", "name", "asname")} for path, nodes in files.items()}


@functools.cache
def imported_names():
    """For each file in ``plugins``, the names that it imports from others there, as (module, name); for typing or in a function too.

    Files and modules are the parts of their path without its ending.
    """
    found = {}
    for path, parsed in plugin_files().items():
        file = path.relative_to(PLUGINS).with_suffix("").parts
        found[file] = set()
        for node in parsed.nodes:
            if isinstance(node, ast.ImportFrom):
                module = tuple(node.module.split(".")) if node.module else ()
                if node.level:
                    module = (*file[: -node.level], *module)
                elif module[:4] == ("ansible_collections", "trackops", "api_tokens", "plugins"):
                    module = module[4:]
                else:
                    continue
                found[file] |= {(module, alias.name) for alias in node.names}
    return found


@functools.cache
def imports():
    """For each file in ``plugins``, the files that it imports."""
    files = imported_names().keys()
    return {
        file: {place for module, name in names_ for place in (module, (*module, name), (*module, "__init__")) if place in files}
        for file, names_ in imported_names().items()
    }


def folder(name):
    return name[1] if name[0] == "plugin_utils" else "plugins"


def test_folders_import_downwards_only():
    layer = {name: number for number, names_ in enumerate(LAYERS) for name in names_}
    upward = [
        f"{'/'.join(name)} imports {'/'.join(place)}"
        for name, places in imports().items()
        for place in places
        if folder(name) != folder(place) and layer[folder(name)] <= layer[folder(place)]
        if name[0] != "module_utils" and place[0] != "module_utils"
    ]
    assert upward == []


def test_code_for_hosts_imports_nothing_of_the_controller():
    for name, places in imports().items():
        if name[0] in ("module_utils", "modules"):
            assert all(place[0] == "module_utils" for place in places), name


def exported(tree):
    """The names in ``__all__`` of the module *tree*; None without one."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return {constant.value for constant in ast.walk(node.value) if isinstance(constant, ast.Constant)}
    return None


def test_each_name_that_another_file_imports_is_exported():
    names_of = {
        path.relative_to(PLUGINS).with_suffix("").parts: exported(parsed.tree)
        for path, parsed in plugin_files().items()
        if path.is_relative_to(CORE) and path.stem != "__init__"
    }
    imported = [(module, name) for names_ in imported_names().values() for module, name in names_]
    assert len(imported) > 500
    assert {f"{'/'.join(module)}.{name}" for module, name in imported if module in names_of and name not in (names_of[module] or ())} == set()


def longest_way(graph):
    """The number of layers of *graph*; fails on a cycle."""
    depth = {}

    def of(name, above):
        assert name not in above, " -> ".join(map(str, (*above, name)))
        if name not in depth:
            depth[name] = 1 + max((of(place, (*above, name)) for place in graph[name]), default=0)
        return depth[name]

    return max(of(name, ()) for name in graph)


def test_there_are_no_import_cycles():
    longest_way({name: places - {name} for name, places in imports().items()})


def test_an_import_cycle_is_noticed():
    with pytest.raises(AssertionError, match="a -> b -> a"):
        longest_way({"a": {"b"}, "b": {"a"}})


def test_units_and_layers_are_limited():
    """A unit is what a reader of the directory listing sees: a folder, or a file that stands alone."""

    def unit(name):
        return name[:2] if name[0] in ("plugin_utils", "module_utils") else name[:1]

    graph = {}
    for name, places in imports().items():
        graph.setdefault(unit(name), set()).update(unit(place) for place in places if unit(place) != unit(name))
    assert len(graph) <= MOST_UNITS, sorted(graph)
    assert longest_way(graph) <= MOST_LAYERS


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env={"PYTHONPATH": str(source_path()), "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.system
def test_the_core_loads_without_ansible_hvac_and_requests():
    modules = [
        ".".join((PACKAGE, *path.relative_to(CORE).with_suffix("").parts))
        for path in sorted(CORE.rglob("*.py"))
        if str(path.relative_to(CORE).with_suffix("")) not in BOUNDARY and path.stem != "__init__"
    ]
    run(
        """
        import importlib, sys
        for absent in ("ansible", "hvac", "requests", "urllib3", "jwt"):
            sys.modules[absent] = None
        for name in sys.argv[1:]:
            importlib.import_module(name)
    """,
        *modules,
    )


@pytest.mark.system
def test_a_hit_imports_neither_hvac_nor_requests_and_opens_no_socket(tmp_path):
    import time

    request = request_for("tracx", cache=str(tmp_path / "cache"))
    store = FileStore(request.cache.path, warn=pytest.fail)
    entry = Entry(token("cached-token", now=time.time()))
    assert store.write(token_keys(request, store.user_key()), {}, entry_to_dict(entry))
    said = run(
        """
        import dataclasses, socket, sys

        class NoSocket(socket.socket):
            def __init__(self, *arguments, **keywords):
                raise SystemExit("a socket was made")

        socket.socket = NoSocket
        from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.options import Surroundings, request_from
        from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.real_ports import real_ports
        from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver

        values = {"cache_path": sys.argv[1], "url": "https://vault.example:8200", "token": sys.argv[2]}
        request = request_from("tracx", "fleet/x", values, surroundings=Surroundings({}, None, open))
        print(Resolver(real_ports()).token(request).access_token)
        unwanted = ("ansible", "hvac", "requests", "urllib3", "http.client", "ssl", "yaml")
        print([name for name in sys.modules if name in unwanted or name.endswith((".transport", "_vault.client", "vault_login"))])
    """,
        request.cache.path,
        VAULT_TOKEN,
    )
    assert said.splitlines() == ["cached-token", "[]"]


def test_each_module_has_a_test_file_at_its_path():
    """``tests/unit/plugin_utils/_flow/test_fetch.py`` tests ``_flow/fetch.py``. Vendors are data, and tested on the wire."""
    folders = ("plugin_utils", "module_utils", "action", "callback", "filter")
    modules = {path.relative_to(ROOT / "plugins") for folder in folders for path in (ROOT / "plugins" / folder).rglob("*.py")}
    wanted = {path.with_suffix("") for path in modules if path.name != "__init__.py" and path.parent.name != "_vendors"}
    without = {str(path) for path in wanted if not (ROOT / "tests" / "unit" / path.parent / f"test_{path.name}.py").is_file()}
    assert without == set(), "give each module a test file of its path"


def test_each_file_begins_with_its_licence_and_private_files_say_so():
    """Nothing in the core, or in the code that modules share, is for users."""
    licence = "".join(pathlib.Path(__file__).read_text(encoding="utf-8").splitlines(keepends=True)[:3])
    private = "# Private to trackops.api_tokens: not for use from outside, and may change in any release."
    files = [path for folder in ("plugins", "tests", "roles", "playbooks") for kind in ("py", "yml") for path in (ROOT / folder).rglob(f"*.{kind}")]
    wrong = set()
    for path in files:
        head = path.read_text(encoding="utf-8").removeprefix("#!/usr/bin/env python3\n").removeprefix("#!/usr/bin/python\n")
        belongs_to = path.relative_to(ROOT).parts[:2]
        if not head.startswith(licence) or (belongs_to in (("plugins", "plugin_utils"), ("plugins", "module_utils")) and private not in head):
            wrong.add(str(path.relative_to(ROOT)))
    assert wrong == set(), "the first lines of each file are those of this one; below plugin_utils and module_utils the line on privacy follows"


def test_playbooks_and_roles_call_no_function_that_a_fact_can_hide():
    """A host's fact with the name of a Jinja function would stop the play for all hosts. Filters have names of their own."""
    hidden = re.compile(r"(?<![\w.])(dict|namespace|range|cycler|joiner|lipsum|now|undef|url_for)\(")
    files = [path for folder in ("playbooks", "roles") for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".yml", ".j2")]
    called = {str(path.relative_to(ROOT)): hidden.findall(re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)) for path in files}
    assert {name: found for name, found in called.items() if found} == {}
    assert len(files) > 10
