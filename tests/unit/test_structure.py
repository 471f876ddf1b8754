# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape of the collection: what belongs to a vendor is there, and the straight line stays straight."""

from __future__ import annotations

import pathlib
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
from support.scripted import request_for, token

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORE = ROOT / "plugins" / "plugin_utils"
PACKAGE = "ansible_collections.trackops.api_tokens.plugins.plugin_utils"
#: The files that join the core and ansible; all others work without it.
BOUNDARY = {"_boundary/lookup", "_boundary/action"}
#: What a vendor consists of. Adding one is adding these files.
PARTS = ("plugins/plugin_utils/_vendors/{}.py", "plugins/lookup/{}.py", "docs/vendors/{}.md", "tests/integration/vendors/test_{}.py")


def missing(root, vendor):
    return [part.format(vendor) for part in PARTS if not (root / part.format(vendor)).is_file()]


@pytest.mark.parametrize("vendor", names())
def test_a_vendor_is_complete(vendor):
    assert missing(ROOT, vendor) == []


def test_a_part_that_is_missing_is_noticed(tmp_path):
    for part in PARTS[:-1]:
        place = tmp_path / part.format("acme")
        place.parent.mkdir(parents=True)
        place.touch()
    assert missing(tmp_path, "acme") == ["tests/integration/vendors/test_acme.py"]


@pytest.mark.parametrize("vendor", names())
def test_no_vendor_is_named_in_the_shared_code(vendor):
    """But in words for people."""
    shared = [path for path in CORE.rglob("*.py") if path.parent.name != "_vendors"]
    assert shared
    for path in shared:
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
        assert vendor not in _identifiers(code), path


def _identifiers(code):
    found = {*code.co_names, *code.co_varnames}
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            found |= _identifiers(constant)
    return found


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env={"PYTHONPATH": str(source_path()), "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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
        from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.ports import Ports
        from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver

        values = {"cache_path": sys.argv[1], "url": "https://vault.example:8200", "token": "hvs.user"}
        request = request_from("tracx", "fleet/x", values, surroundings=Surroundings({}, None, open))
        print(Resolver(Ports()).token(request).access_token)
        unwanted = ("ansible", "hvac", "requests", "urllib3", "http.client", "ssl", "yaml")
        print([name for name in sys.modules if name in unwanted or name.endswith((".transport", "_vault.client", "vault_login"))])
    """,
        request.cache.path,
    )
    assert said.splitlines() == ["cached-token", "[]"]
