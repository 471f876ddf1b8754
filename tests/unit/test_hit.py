# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cache hit loads, with real Ansible: only its own small part of the core, and nothing if the process already loaded an action or the callback."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

import pytest
from support.collection import source_path
from support.option_definitions import documented, file_of, lookups, text

pytestmark = pytest.mark.system

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORE = ROOT / "plugins" / "plugin_utils"
PACKAGE = "ansible_collections.trackops.api_tokens.plugins.plugin_utils."
#: Everything of ours that a hit imports.
OF_A_HIT = {
    "_base",
    "_base.output",
    "_base.token_check",
    "_boundary",
    "_boundary.listeners",
    "_boundary.lookup",
    "_boundary.omitted",
    "_boundary.pointer_input",
    "_boundary.trust",
    "_cache",
    "_cache.crypto",
    "_cache.directory",
    "_cache.freshness",
    "_cache.pointer",
    "_vault",
    "_vault.login_input",
}
MOST_LINES = 1360
MOST_CODE_LINES = 830  # without comments, docstrings and empty lines
#: Slow to load or to set up, and not loaded by Ansible itself.
UNWANTED = ("hvac", "requests", "urllib3", "cryptography.hazmat.primitives.kdf.hkdf", "getpass", "difflib")

LOOK_UP = """
    import json, os, sys
    import ansible.cli.playbook  # loads what ansible-playbook has loaded when it forks
    from ansible.plugins.loader import action_loader, callback_loader, init_plugin_loader, lookup_loader

    init_plugin_loader()
    package = "ansible_collections.trackops.api_tokens.plugins.plugin_utils."

    def look_up(**options):
        lookup = lookup_loader.get("trackops.api_tokens.trackunit")
        return lookup.run(["fleet/x"], {"trackops_trackunit_base_url": "https://vendor.example"}, **options)

    def ours():
        return sorted(name.removeprefix(package) for name in sys.modules if name.startswith(package))
"""
FILL = """
    import time
    from importlib import import_module

    model, resolver, slot = (import_module(package + name) for name in ("_base.model", "_flow.resolver", "_flow.slot"))

    def fetched(self, request):
        token = model.Token("the-token", "Bearer", time.time() + 3600, time.time())
        slot.TokenSlot(request, self.store(request.cache), self._ports).write(model.Entry(token))
        return token

    resolver.Resolver.token = fetched
    print(look_up())
"""


def run(home, *parts, **environment):
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(source_path()), "LANG": "C.UTF-8", **environment}
    env = {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_TOKEN": "hvs.CAESIJ4kq3Lx1z0m1kQeZk3a9F2sZ", **env}
    script = "".join(map(textwrap.dedent, parts))
    done = subprocess.run([sys.executable, "-c", script], env=env, cwd=home, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A home with a cached token, and the pointer that a lookup left."""
    folder = tmp_path_factory.mktemp("filled")
    assert run(folder, LOOK_UP, FILL) == ["['the-token']"]
    return folder


@pytest.fixture
def home(filled, tmp_path):
    """A copy of that home for one test."""
    return shutil.copytree(filled, tmp_path, dirs_exist_ok=True)


def code_lines(path):
    import ast

    lines = path.read_text(encoding="utf-8").splitlines()
    said = set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            said.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(bool(line.strip()) and not line.strip().startswith("#") and number not in said for number, line in enumerate(lines, 1))


def test_a_hit_loads_only_its_own_modules(home):
    report = "print(json.dumps([look_up(), look_up(), ours(), sorted(sys.modules)]))"
    first, second, ours, modules = json.loads(run(home, LOOK_UP, report)[-1])
    assert first == second == ["the-token"]
    assert set(ours) == OF_A_HIT
    assert set(modules).isdisjoint(set(UNWANTED) - set(json.loads(run(home, LOOK_UP, "print(json.dumps(sorted(sys.modules)))")[-1])))
    files = [CORE / "__init__.py"]
    files += [
        path for path in (CORE.joinpath(*name.split(".")) for name in OF_A_HIT) for path in (path.with_suffix(".py"), path / "__init__.py") if path.is_file()
    ]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= MOST_LINES
    assert sum(map(code_lines, files)) <= MOST_CODE_LINES


def test_a_lifetime_below_min_ttl_is_warned_about_on_a_hit(home):
    """Callers after the one that obtained the token get the same warning; those with a smaller min_ttl load nothing for it."""
    report = """
    from ansible.utils.display import Display
    warnings = []
    Display.warning = lambda self, msg, *more, **options: warnings.append(msg)
    look_up(min_ttl=600)
    before, loaded = list(warnings), package + "_boundary.full_lookup" in sys.modules
    look_up(min_ttl=7200)
    print(json.dumps([before, loaded, warnings]))
    """
    before, loaded, (warnings,) = json.loads(run(home, LOOK_UP, report)[-1])
    assert (before, loaded) == ([], False)
    assert re.fullmatch(r"trackunit: the token for secret/fleet/x has a lifetime of only (3599|3600) s, less than min_ttl \(7200 s\)\.", warnings)


COMPILED = """
    compiled = []
    sys.addaudithook(lambda event, arguments: compiled.append(str(arguments[1])) if event == "compile" else None)
    found = look_up()
    folder = os.path.dirname(sys.modules[package[:-1]].__file__)
    print(json.dumps([found, sorted({os.path.relpath(name, folder) for name in compiled if name.startswith(folder)})]))
"""
#: Ansible's loader of collections still loads and compiles this file, which sets up how the others are loaded.
OF_ANSIBLE = ["__init__.py"]


@pytest.fixture(scope="module")
def of_ansible(filled, tmp_path_factory):
    kept = tmp_path_factory.mktemp("compiled")
    run(filled, LOOK_UP, COMPILED, PYTHONPYCACHEPREFIX=str(kept))
    return kept


@pytest.fixture
def kept(of_ansible):
    """The variable that names the folder of compiled code. It holds Ansible's, because compiling that takes long, and none of ours."""
    ours = [folder for folder in of_ansible.rglob("plugins") if folder.parent.name == "api_tokens"]
    assert ours
    for folder in ours:
        shutil.rmtree(folder)
    return {"PYTHONPYCACHEPREFIX": str(of_ansible)}


def test_modules_are_compiled_by_the_first_worker_only(home, kept):
    """Otherwise Ansible's loader of collections would compile each module in each worker."""
    first, second = (json.loads(run(home, LOOK_UP, COMPILED, **kept)[-1]) for _ in range(2))
    files = {name.replace(".", "/") + (".py" if "." in name else "/__init__.py") for name in OF_A_HIT}
    assert first == [["the-token"], sorted([*OF_ANSIBLE, *files])]
    assert second == [["the-token"], OF_ANSIBLE]


def test_other_import_finders_stay_first(home):
    """ansible-test, for example, does not allow the first finder to change."""
    report = """
    class First:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return None

    sys.meta_path.insert(0, First)
    found = look_up()
    names = [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path]
    print(json.dumps([found, names[:3]]))
    """
    assert json.loads(run(home, LOOK_UP, report)[-1]) == [["the-token"], ["First", "_Modules", "_AnsibleCollectionFinder"]]


def test_without_bytecode_files_each_worker_compiles(home, kept):
    for _ in range(2):
        found, compiled = json.loads(run(home, LOOK_UP, COMPILED, **kept, PYTHONDONTWRITEBYTECODE="1")[-1])
        assert found == ["the-token"]
        assert "_boundary/lookup.py" in compiled


PLANTED = """
    import importlib, os, pathlib, py_compile, sys

    class _AnsibleCollectionFinder:
        find_spec = staticmethod(lambda name, path=None, target=None: None)

    folder, dont = pathlib.Path("core"), sys.dont_write_bytecode
    sys.meta_path.insert(0, _AnsibleCollectionFinder())
    sys.path.insert(0, ".")
    sys.dont_write_bytecode = True
    import core
    sys.dont_write_bytecode = False
    other, compiled = pathlib.Path("other.py"), folder / "__pycache__"
    other.write_text("WHO = 'planted'")
    def plant():
        py_compile.compile("other.py", importlib.util.cache_from_source("core/module.py"), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        pytest.param("os.umask(0)", ["source", "0o755", True], id="made-under-umask-0"),
        pytest.param("plant(); compiled.chmod(0o755)", ["planted", "0o755", True], id="writable-only-by-the-owner"),
        pytest.param("plant(); compiled.chmod(0o777)", ["source", "0o777", True], id="writable-by-everybody"),
        pytest.param("plant(); compiled.chmod(0o775)", ["source", "0o775", True], id="writable-by-a-group"),
        pytest.param("folder.chmod(0o775); plant(); compiled.chmod(0o775)", ["planted", "0o775", True], id="writable-by-the-group-of-the-source"),
        pytest.param("plant(); compiled.rename('away'); compiled.symlink_to('../away')", ["source", "0o755", True], id="symbolic-link"),
        pytest.param("sys.dont_write_bytecode = True", ["source", None, False], id="bytecode-is-not-written"),
    ],
)
def test_bytecode_is_used_only_from_users_who_may_change_the_source(tmp_path, prepare, expected):
    """Others could have put code there, which the user of Ansible, or root, would run."""
    (tmp_path / "core").mkdir(mode=0o755)
    (tmp_path / "core").chmod(0o755)
    shutil.copy(CORE / "__init__.py", tmp_path / "core")
    (tmp_path / "core" / "module.py").write_text("WHO = 'source'")
    report = """
    import json
    from core.module import WHO
    print(json.dumps([WHO, oct(compiled.stat().st_mode & 0o7777) if compiled.exists() else None, any(compiled.glob("module.*"))]))
    """
    script = "\n".join(map(textwrap.dedent, (PLANTED, f"os.umask(0o022)\n{prepare}", report)))
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def test_a_hit_uses_no_class_factories(home):
    """A dataclass or a named tuple costs a worker a millisecond."""
    report = """
    import collections, dataclasses
    def refuse(*arguments, **keywords):
        raise SystemExit("a class factory")
    dataclasses.dataclass = collections.namedtuple = refuse
    print(look_up())
    """
    assert run(home, LOOK_UP, report) == ["['the-token']"]


APART = """
    def apart(variables, **options):
        # In a process of its own, as a worker of ansible-playbook. Nobody listens there, and a miss asks.
        reader, writer = os.pipe()
        if not os.fork():
            os.environ.update(variables)
            try:
                said = str(look_up(http_retries=0, **options))
            except Exception as exc:
                said = "missed " + str(exc)
            os.write(writer, said.encode())
            os._exit(0)
        os.close(writer)
        with open(reader) as answer:
            said = answer.read()
        os.wait()
        return said
"""


def test_a_request_for_another_token_is_a_miss(home):
    changes = [
        {"VAULT_TOKEN": "hvs.CAESIJ4kq3Lx1z0m1kQeZk3a9F2sY"},
        {"VAULT_ADDR": "http://127.0.0.1:10"},
        {"VAULT_NAMESPACE": "other"},
        {"TRACKOPS_TRACKUNIT_SCOPE": "other"},
        {"TRACKOPS_ENGINE_MOUNT_POINT": "other"},
        {"ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle", "VAULT_APPROLE_ROLE_ID": "r"},
    ]
    outcomes = json.loads(run(home, LOOK_UP, APART, f"print(json.dumps([apart(change) for change in [{{}}, *{changes}]]))")[-1])
    assert outcomes[0] == "['the-token']"
    assert [(change, said) for change, said in zip(changes, outcomes[1:], strict=True) if not said.startswith("missed trackunit: ")] == []


def test_options_that_refuse_the_cached_token_cause_a_miss(home):
    ways = [{"cache": "none"}, {"force": True}, {"refused": "the-token"}]
    outcomes = json.loads(run(home, LOOK_UP, APART, f"print(json.dumps([apart({{}}, **way) for way in [{{}}, *{ways}]]))")[-1])
    assert outcomes[0] == "['the-token']"
    assert [(way, said) for way, said in zip(ways, outcomes[1:], strict=True) if not said.startswith("missed trackunit: ")] == []


@pytest.mark.parametrize(
    "loading", ["action_loader.get('trackops.api_tokens.token_info', class_only=True)", "callback_loader.get('trackops.api_tokens.summary')"]
)
def test_after_an_action_or_with_the_callback_a_worker_loads_nothing(home, loading):
    report = f"""
    {loading}
    before = set(sys.modules)
    assert {{package + name for name in {sorted(OF_A_HIT)}}} <= before and "cryptography.fernet" in before
    reader, writer = os.pipe()
    if not os.fork():
        heard = []
        sys.addaudithook(lambda event, arguments: heard.append((event, str(arguments[0])[:200])) if event in ("compile", "import") else None)
        found = look_up()
        heard.append(found)
        os.write(writer, json.dumps([found, [said for said in heard if said != found], sorted(set(sys.modules) - before)]).encode())
        os._exit(0)
    os.close(writer)
    print(os.read(reader, 1 << 16).decode())
    os.wait()
    """
    found, heard, loaded = json.loads(run(home, LOOK_UP, report)[-1])
    assert found == ["the-token"]
    assert (heard, loaded) == ([], [])


@pytest.mark.parametrize("name", lookups())
def test_the_option_definitions_equal_the_documentation(name):
    assert file_of(name).read_text(encoding="utf-8") == text(documented()[name]), "run: make options"


def test_without_the_definitions_file_the_documentation_is_read(home):
    report = """
    import builtins
    real = builtins.open
    def without(path, *arguments, **keywords):
        if str(path).endswith("trackunit.json"):
            raise FileNotFoundError(path)
        return real(path, *arguments, **keywords)
    builtins.open = without
    print(look_up())
    """
    assert run(home, LOOK_UP, report) == ["['the-token']"]
