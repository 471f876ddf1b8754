# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of one printable line, the data that an error carries, and its code."""

from __future__ import annotations

import ast
import functools
import pathlib
import pickle
import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import (
    CODES,
    CacheError,
    CasMismatch,
    LockTimeout,
    OptionError,
    TokenError,
    VaultError,
    VendorError,
    coded,
)
from support.syntax import plugin_files

ROOT = pathlib.Path(__file__).resolve().parents[4]
PLUGINS = ROOT / "plugins"
DEFINITIONS = PLUGINS / "plugin_utils" / "_base" / "errors.py"
AREAS = {"VaultError": "vault", "CasMismatch": "vault", "LeaseLost": "vault", "VendorError": "vendor", "failed": "vendor"}


@pytest.mark.parametrize("family", [OptionError, CacheError, VaultError, VendorError, TokenError])
def test_a_message_is_one_printable_line(family):
    assert family("fleet/x\n\x1b[2Jgone").message == "fleet/x [2Jgone"
    assert len(family("x" * 10_000).message) <= 4000
    assert issubclass(family, TokenError)


def test_an_error_without_a_text_has_an_empty_message():
    assert TokenError().message == ""


def test_the_data_of_each_error_and_its_defaults():
    assert VaultError("v").kind == "unavailable"
    assert CasMismatch("c", "cas").kind == "cas"
    assert (CasMismatch("c", "cas").message, LockTimeout("l").message) == ("c", "l")
    assert (LockTimeout("l").holder, LockTimeout("l", holder=7).holder) == (None, 7)
    plain = VendorError("v")
    assert (plain.kind, plain.status, plain.code, plain.retryable, plain.retry_after, plain.sent) == ("answer", None, None, False, None, True)
    full = VendorError("v", "unavailable", status=429, code="slow", retryable=True, retry_after=2.0, sent=False)
    assert (full.kind, full.status, full.code, full.retryable, full.retry_after, full.sent) == ("unavailable", 429, "slow", True, 2.0, False)


def test_an_error_survives_pickling():
    back = pickle.loads(pickle.dumps(VendorError("v", "refused", status=401)))  # noqa: S301 - our own
    assert (back.message, back.kind, back.status) == ("v", "refused", 401)


def in_playbooks():
    """The codes that playbooks and roles contain themselves."""
    files = [path for folder in ("playbooks", "roles") for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in (".yml", ".j2")]
    return set(re.findall(r"TRK-\w+", "".join(path.read_text(encoding="utf-8") for path in files)))


@functools.cache
def raised():
    """The faults in the code, and the kinds where there is no fault. Those of hosts are the words that the module there raises."""
    found = set()
    for path, parsed in plugin_files().items():
        if path == DEFINITIONS:
            continue
        for node in parsed.nodes:
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            faults = [keyword.value for keyword in node.keywords if keyword.arg == "fault"] + (node.args[1:2] if called in ("coded", "FileError") else [])
            kinds = [keyword.value for keyword in node.keywords if keyword.arg == "kind"] + node.args[1:2]
            words = {constant.value for one in faults or kinds for constant in ast.walk(one) if isinstance(constant, ast.Constant)}
            if called == "FileError":
                found |= {f"host:{word}" for word in words}
            elif faults:
                found |= {word for word in words if isinstance(word, str) and ":" in word}
            elif called in AREAS:
                found |= {f"{AREAS[called]}:{word}" for word in words if isinstance(word, str) and word}
        if path.parent.name == "_vault" and path.name in ("refusal_texts.py", "transport_error.py"):  # they have tables of kinds and sentences
            words = {node.value for node in parsed.nodes if isinstance(node, ast.Constant)}
            found |= {f"vault:{kind}" for kind in ("unreachable", "tls", "sealed", "unavailable") if kind in words}
    return found


def test_codes_are_unique_and_their_letter_names_the_family():
    assert len(set(CODES.values())) == len(CODES)
    assert {code for code in CODES.values() if not re.fullmatch(r"TRK-[OVLCAH]\d\d", code)} == set()
    letters = {fault.partition(":")[0]: {code[4] for one, code in CODES.items() if one.startswith(fault.partition(":")[0])} for fault in CODES}
    assert letters == {"option": {"O"}, "vault": {"V"}, "vendor": {"L"}, "cache": {"C"}, "consent": {"A"}, "host": {"H"}}


def test_every_fault_that_is_raised_has_a_code():
    assert raised() - CODES.keys() - {"vault:option"} == set()
    assert in_playbooks() - set(CODES.values()) == set()


def test_every_code_belongs_to_a_fault_that_is_raised():
    defaults = {kind.default_fault for kind in (TokenError, OptionError, CacheError, LockTimeout, VaultError, VendorError)}
    hosts = {f"host:{word}" for word in re.findall(r'errno\.\w+: "(\w+)"', (PLUGINS / "module_utils/_safe_paths.py").read_text(encoding="utf-8"))} | {
        "host:path"
    }
    by_playbooks = {fault for fault, code in CODES.items() if code in in_playbooks()}
    assert CODES.keys() - raised() - defaults - hosts - by_playbooks == set()


def test_the_error_page_lists_every_code_once_with_a_cure():
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (\S+)$", page, re.MULTILINE)
    assert sorted(headings) == sorted(CODES.values())
    assert headings == list(CODES.values()), "in the order of the code"
    for heading, text in re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL):
        assert "*Cure:* " in text, heading


def test_the_code_is_at_the_end_however_long_the_message():
    shown = VaultError("x" * 9000 + "\n\x1b[2J", "sealed").coded_message
    assert shown.endswith("…. [TRK-V03]")
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Vault is sealed.", "Vault is sealed. [TRK-V03]"),
        ("/a: is a directory", "/a: is a directory. [TRK-V03]"),
        ("did you mean min_ttl?", "did you mean min_ttl? [TRK-V03]"),
        ("Too many requests!", "Too many requests! [TRK-V03]"),
    ],
)
def test_the_code_follows_a_complete_sentence(text, shown):
    assert coded(text, "vault:sealed") == shown


def test_a_reworded_error_keeps_its_type_code_and_status():
    first = VendorError("no", "refused", status=401, code="invalid_grant", fault="vendor:grant")
    second = first.reworded("acme: no. Nothing was stored.")
    assert (second.message, second.error_code, second.kind, second.status, second.code) == (
        "acme: no. Nothing was stored.",
        "TRK-L02",
        "refused",
        401,
        "invalid_grant",
    )
    assert (type(second), first.message) == (VendorError, "no")


@pytest.mark.parametrize(
    ("kind", "arguments", "fault", "code"),
    [
        (OptionError, (), {}, "TRK-O02"),
        (OptionError, (), {"fault": "option:nonsense"}, "TRK-O02"),
        (OptionError, (), {"fault": "option:missing"}, "TRK-O03"),
        (CacheError, (), {}, "TRK-C01"),
        (LockTimeout, (), {"holder": 5}, "TRK-C02"),
        (CacheError, (), {"fault": "cache:no_lock"}, "TRK-C03"),
        (VaultError, (), {}, "TRK-V09"),
        (VaultError, ("denied",), {}, "TRK-V05"),
        (VaultError, ("denied",), {"fault": "vault:cas"}, "TRK-V10"),
        (VaultError, ("a kind of tomorrow",), {}, "TRK-V09"),
        (VendorError, (), {}, "TRK-L11"),
        (VendorError, ("refused",), {}, "TRK-L01"),
        (VendorError, ("refused",), {"fault": "vendor:grant"}, "TRK-L02"),
    ],
)
def test_each_kind_of_error_has_its_code(kind, arguments, fault, code):
    error = kind("no", *arguments, **fault)
    assert (error.error_code, error.coded_message) == (code, f"no. [{code}]")
