# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which values of the playbook's variables are accepted, and the messages that refuse the others."""

from __future__ import annotations

import re

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.setup_settings import VARIABLES, Settings, settings
from support.places import ROOT

GIVEN = {"url": "https://vault.example:8200", "token": "hvs.operator"}


def made(environ=None, file="", **values):
    return settings({**GIVEN, **values}, vendors=iter(["acme", "other"]), environ=environ or {}, token_file=lambda: file)


def refused(**values):
    with pytest.raises(OptionError) as caught:
        made(**values)
    return caught.value.coded_message


def test_unset_variables_have_defaults():
    assert made() == Settings(
        url="https://vault.example:8200",
        token="hvs.operator",
        namespace="",
        mount="secret",
        path="fleet",
        vendors=("acme", "other"),
        consent_paths=(),
        cache_mount="api-token-cache",
        cache_path="trackops/api_tokens",
        name="api-tokens",
        approle="approle",
        shared=None,
        take_over=False,
        token_ttl=3600,
        secret_id_ttl=0,
        secret_id_file="",
        without_effect=False,
    )
    assert made(**dict.fromkeys(set(VARIABLES) - {"url", "token"})) == made(), "as a variable without a value"
    assert "hvs.operator" not in repr(made())


def test_the_documentation_shows_the_defaults():
    rows = re.findall(r"^\| `vault_setup_(\w+)` \| `?([\w/-]+)`?", (ROOT / "docs" / "vault.md").read_text(encoding="utf-8"), re.MULTILINE)
    documented = dict(rows)
    defaults = made()
    for variable in ("mount", "path", "name", "cache_mount", "cache_path", "token_ttl", "secret_id_ttl"):
        assert documented[variable] == str(getattr(defaults, variable))
    assert documented["approle_mount"] == defaults.approle


@pytest.mark.parametrize(("name", "field", "variable"), [("url", "url", "ADDR"), ("token", "token", "TOKEN"), ("namespace", "namespace", "NAMESPACE")])
def test_variables_come_before_the_environment(name, field, variable):
    variables = {f"ANSIBLE_HASHI_VAULT_{variable}": "https://second", f"VAULT_{variable}": "https://third"}
    rest = {key: value for key, value in GIVEN.items() if key != name}

    def found(environ, **values):
        return getattr(settings({**rest, **values}, vendors=(), environ=environ, token_file=lambda: "https://last\n"), field)

    assert found(variables, **{name: "https://first"}) == "https://first"
    assert found(variables, **{name: ""}) == "https://second"
    assert found({**variables, f"ANSIBLE_HASHI_VAULT_{variable}": ""}) == "https://third"


def test_the_token_file_is_read_only_without_another_token():
    read = []

    def file():
        read.append(1)
        return "hvs.of-login\n"

    assert settings({"url": "https://v"}, vendors=(), environ={}, token_file=file).token == "hvs.of-login"
    assert settings({"url": "https://v"}, vendors=(), environ={"VAULT_TOKEN": "hvs.x"}, token_file=file).token == "hvs.x"
    assert len(read) == 1
    with pytest.raises(OptionError, match=r"^Set VAULT_ADDR and VAULT_TOKEN "):
        settings({}, vendors=(), environ={}, token_file=file)
    assert len(read) == 1, "without an address it goes nowhere"


@pytest.mark.parametrize("absent", ["url", "token"])
def test_a_missing_address_or_token_is_reported(absent):
    assert refused(**{absent: ""}) == (
        "Set VAULT_ADDR and VAULT_TOKEN (or vault_setup_url and vault_setup_token), with the token of an operator; or run vault login. [TRK-O03]"
    )


def test_leading_and_trailing_slashes_are_stripped():
    found = made(mount="/kv/", path="/fleet/", consent_paths=" /fleet/trackmage , fleet/acme/,", cache_mount="c/", cache_path="/d/e/", approle_mount="/role/x/")
    assert (found.mount, found.path, found.cache_mount, found.cache_path, found.approle) == ("kv", "fleet", "c", "d/e", "role/x")
    assert found.vendors == ()
    assert found.consent_paths == ("fleet/trackmage", "fleet/acme")
    assert made(consent_paths=["/fleet/trackmage", "fleet/acme"]).consent_paths == found.consent_paths
    assert made(url="https://vault.example/").url == "https://vault.example"
    assert (made(url="https://vault.example/X").url, made(mount="/X/").mount) == ("https://vault.example/X", "X")
    assert made(path="").vendors == made().vendors
    assert made(consent_paths=[None, "", "/", "fleet/acme"]).consent_paths == ("fleet/acme",)


MOUNT = "may contain only letters, digits and . _ - @ : = ~ /, and no part of it may be '.' or '..'. [TRK-O02]"
PATH = MOUNT.replace("digits and", "digits, spaces and")
NAME = "may contain only lower-case letters, digits and . _ -, must begin and end with a letter or digit, and must not be default or root. [TRK-O02]"
WIDER = 'fleet" { capabilities = ["read"] }\npath "*" { capabilities = ["sudo"] }\npath "x'


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("name", "../../../auth/token/create-orphan", NAME),
        ("name", "default", NAME),  # the policy of every token
        ("name", "root", NAME),
        ("name", "Fleet", NAME),  # Vault would change it to fleet
        ("name", "", NAME),
        ("name", "fleet\n", NAME),
        ("name", "fleet-", NAME),
        ("approle_mount", "approle?x=y", MOUNT),
        ("mount", "secret/../sys", MOUNT),
        ("mount", "", MOUNT),
        ("mount", "secret\n", MOUNT),
        ("mount", "..", MOUNT),
        ("path", WIDER, PATH),
        ("path", "/", PATH),
        ("path", "+/*", PATH),
        ("path", "{{identity.entity.id}}", PATH),
        ("path", "fleet//x", PATH),
        ("path", "fleet/.", PATH),
        ("consent_paths", "*", PATH),
        ("consent_paths", ["fleet/trackmage", "fleet/.."], PATH),
        ("consent_paths", {"fleet": 1}, PATH),
        ("cache_mount", "cache%2f..%2fsys", MOUNT),
        ("cache_path", "../../secret/data", PATH),
        ("cache_path", "a\u0000b", PATH),
    ],
)
def test_values_that_would_widen_a_policy_or_escape_a_url_are_refused(variable, value, rule):
    assert refused(**{variable: value}) == f"vault_setup_{variable} {rule}"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("name", "a"), ("name", "team_1.api-tokens"), ("mount", "team/kv@1:2=3~4"), ("path", "Flotte Süd/fahrzeuge"), ("path", "..."), ("path", ".hidden")],
)
def test_unusual_but_safe_values_are_accepted(variable, value):
    assert getattr(made(**{variable: value}), variable) == value


@pytest.mark.parametrize("url", ["vault.example.com:8200", "ftp://vault.example", "https:///v1", "https://"])
def test_an_unusable_vault_address_is_refused(url):
    assert refused(url=url) == (
        "VAULT_ADDR (or vault_setup_url) is not the address of Vault, such as https://vault.example.com:8200; begin it with https://. [TRK-O08]"
    )


def test_a_relative_secret_id_file_is_refused():
    expected = "vault_setup_secret_id_file must be an absolute path. A relative one would start in the directory of the collection. [TRK-O02]"
    assert refused(secret_id_file="secret-id") == expected
    assert [made(secret_id_file=path).secret_id_file for path in ("/etc/x", "~/x", "~me/x")] == ["/etc/x", "~/x", "~me/x"]


@pytest.mark.parametrize("variable", ["token_ttl", "secret_id_ttl"])
def test_durations_are_whole_seconds(variable):
    for value in ("30d", "1h", "", "-1", "1.5", "5\n", True):
        assert refused(**{variable: value}) == f"vault_setup_{variable} must be a number of seconds, not '{str(value).strip()}'. [TRK-O02]"
    assert refused(**{variable: 10**5000}) == f"vault_setup_{variable} must be a number of seconds, not '?'. [TRK-O02]"
    nines = "9" * 5000
    assert refused(**{variable: nines}) == f"vault_setup_{variable} must be a number of seconds, not '{nines[:39]}…'. [TRK-O02]"
    assert getattr(made(**{variable: "9" * 10}), variable) == 9_999_999_999
    assert getattr(made(**{variable: "600"}), variable) == getattr(made(**{variable: 600}), variable) == 600


@pytest.mark.parametrize("variable", sorted(set(VARIABLES) - {"url", "token", "namespace"}))
def test_a_number_with_thousands_of_digits_is_refused(variable):
    for value in (10**5000, [10**5000]):
        assert f"vault_setup_{variable} " in refused(**{variable: value})


@pytest.mark.parametrize("variable", ["shared_cache", "take_over"])
def test_booleans_are_parsed_and_anything_else_is_refused(variable):
    field = {"shared_cache": "shared"}.get(variable, variable)
    assert [getattr(made(**{variable: value}), field) for value in (True, "yes", "True", 1, "on")] == [True] * 5
    assert [getattr(made(**{variable: value}), field) for value in (False, "no", "False", 0, "off")] == [False] * 5
    assert refused(**{variable: "flase"}) == f"vault_setup_{variable} must be true or false, not 'flase'. [TRK-O02]"
    assert refused(**{variable: "x" * 41}) == f"vault_setup_{variable} must be true or false, not '{'x' * 39}…'. [TRK-O02]"
    assert refused(**{variable: "x" * 40}) == f"vault_setup_{variable} must be true or false, not '{'x' * 40}'. [TRK-O02]"
    assert not getattr(made(**{variable: ""}), field)
    assert getattr(made(**{variable: " Yes "}), field) is True


#: The shared cache is in the mount of the credentials: write access to the cache must not cover the credentials.
@pytest.mark.parametrize(
    "values",
    [
        {"cache_path": "fleet"},
        {"cache_path": "fleet/cache"},
        {"cache_path": "acme"},  # the path of a lookup that sets none
        {"path": "trackops"},
        {"path": "trackops/api_tokens/acme"},
        {"consent_paths": ["fleet/trackmage", "trackops/api_tokens/trackmage"]},
    ],
)
def test_a_cache_that_overlaps_the_credentials_is_refused(values):
    assert refused(shared_cache=True, cache_mount="secret", **values) == (
        "Anyone with write access to the shared cache could overwrite credentials, because vault_setup_cache_path is inside one of "
        "their folders or contains one. Choose another vault_setup_cache_path, or a vault_setup_cache_mount that is not vault_setup_mount. [TRK-O02]"
    )
    made(shared_cache=True, cache_mount="secret", mount="kv", **values)
    made(shared_cache=True, **values)
    made(shared_cache=False, cache_mount="secret", **values)


@pytest.mark.parametrize("values", [{}, {"cache_path": "fleet2"}, {"path": "trackops/api"}])
def test_a_cache_beside_the_credentials_is_accepted(values):
    assert made(shared_cache=True, cache_mount="secret", **values).shared


def test_cache_variables_without_shared_cache_have_no_effect():
    assert made(cache_path="x").without_effect and made(cache_mount="x", shared_cache=False).without_effect
    assert not made(cache_mount="x", cache_path="y", shared_cache=True).without_effect
