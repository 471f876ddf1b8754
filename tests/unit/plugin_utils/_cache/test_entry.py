# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What distinguishes one cache entry from another, and the JSON format of an entry."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Entry, Failure, Renewal, SecretField, SecretRef, Token
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.crypto import canonical
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.entry import entry_from_dict, entry_to_dict, login_facts, token_facts
from hypothesis import given
from hypothesis import strategies as st
from support.scripted import NOW, VAULT_TOKEN, approle, request_for, token, vault_options

FAILURE = Failure("no", "refused", NOW, "7", "run", "network", NOW + 5, 401, "invalid_client")
RENEWAL = Renewal("run", "force", NOW)
FULL = Entry(token(scope="s", extra={"a": [1]}, refresh_token="r", secret_version="7"), (FAILURE, dataclasses.replace(FAILURE, run="other")), (RENEWAL,))


def changed(**changes):
    return dataclasses.replace(request_for("trackunit"), **changes)


def vendor(**changes):
    request = request_for("trackunit")
    return dataclasses.replace(request, vendor=dataclasses.replace(request.vendor, **changes))


def secret(**changes):
    return changed(secret=SecretRef(**{"mount": "secret", "path": "fleet/x", **changes}))


@pytest.mark.parametrize(
    "other",
    [
        request_for("tracktik"),
        request_for("trackunit", "fleet/y"),
        secret(mount="kv"),
        secret(version=3),
        secret(engine_version="1"),
        secret(fields={"username": "user"}),
        vendor(scope="api x"),
        vendor(base_url="https://b.example"),
        vendor(token_url="/token/v3"),
        vendor(parameters={"a": "b"}),
        vendor(parameters={"a": ("b",)}),
        vendor(parameters={"a": SecretField("b")}),
        vendor(variant="v2"),
        vendor(client_auth="basic_raw"),
        vendor(request_headers={"X": "y"}),
        vendor(issuer="https://i.example"),
        changed(http=request_for(http={"client_cert": "/pki/b.pem"}).http),
        changed(vault=vault_options(namespace="team")),
        changed(vault=vault_options(url="https://other.example")),
        changed(vault=approle()),
        changed(vault=vault_options(token=None, auth_method="userpass", username="a", password="p")),
    ],
)
def test_requests_for_another_token_have_other_facts(other):
    assert canonical(token_facts(other)) != canonical(token_facts(request_for("trackunit")))


@pytest.mark.parametrize(
    "other",
    [
        changed(http=request_for(http={"timeout": 1, "proxy": "http://p", "validate_certs": False}).http),
        request_for("trackunit", min_ttl=5, force=True),
        request_for("trackunit", cache="/elsewhere", kind="vault"),
        vendor(authorization_scheme="X"),
        secret(mount="/secret/"),
        changed(vault=vault_options(timeout=5, retries=2, namespace="/")),
    ],
)
def test_options_that_do_not_change_the_token_do_not_change_its_facts(other):
    assert canonical(token_facts(other)) == canonical(token_facts(request_for("trackunit")))


def test_the_form_of_the_facts_is_stable():
    """Entries of earlier releases are found by these facts."""
    request = dataclasses.replace(secret(mount="X/kv/"), http=request_for(http={"client_cert": "/pki/b.pem"}).http)
    facts = token_facts(request)
    vendor = facts.pop("vendor")
    assert facts == {"kind": "token", "login": login_facts(request), "secret": ["X/kv", "fleet/x", "2", None, {}]}
    assert vendor["client_cert"] == "/pki/b.pem"
    assert vendor["token_url"] == request.vendor.token_endpoint != request.vendor.token_url


def test_facts_contain_no_secret():
    request = changed(vault=approle(secret_id="s3cret-id"))
    assert b"s3cret-id" not in canonical(token_facts(request))
    assert VAULT_TOKEN.encode() not in canonical(token_facts(request_for()))
    assert login_facts(request) == {
        "kind": "login",
        "vault": {"url": "https://vault.example:8200", "namespace": ""},
        "who": {"auth_method": "approle", "role_id": "role"},
    }


@pytest.mark.parametrize("entry", [Entry(), FULL, Entry(FULL.token), Entry(None, (FAILURE,))])
def test_an_entry_survives_json(entry):
    back = entry_from_dict(json.loads(json.dumps(entry_to_dict(entry))))
    expected = dataclasses.replace(entry.token, source="cache") if entry.token else None
    assert back == dataclasses.replace(entry, token=expected)


SHAPE = entry_to_dict(FULL)


@pytest.mark.parametrize(
    "broken",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 5},
        {"token_type": None},
        {"expires_at": "soon"},
        {"expires_at": None},
        {"expires_at": True},
        {"expires_at": math.nan},
        {"expires_at": math.inf},
        {"expires_at": 10**400},
        {"issued_at": -1},
        {"extra": None},
        {"extra": [1]},
        {"refresh_token": 5},
        {"scope": ["a"]},
        {"secret_version": None},
        {"unknown": 1},
    ],
)
def test_a_malformed_token_is_dropped(broken):
    assert entry_from_dict({**SHAPE, "token": {**SHAPE["token"], **broken}}) == dataclasses.replace(FULL, token=None)


@pytest.mark.parametrize(
    "broken",
    [
        {"message": None},
        {"kind": 5},
        {"recorded_at": math.nan},
        {"retry_at": "x"},
        {"status": "401"},
        {"code": 1},
        {"run": None},
        {"more": 1},
    ],
)
def test_a_malformed_failure_is_dropped(broken):
    found = entry_from_dict({**SHAPE, "failures": [{**SHAPE["failures"][0], **broken}, SHAPE["failures"][1]]})
    assert found.failures == FULL.failures[1:]
    assert found.token is not None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _spoiled(shape):
    return st.fixed_dictionaries({}, optional={name: st.just(value) | _json for name, value in shape.items()})


@given(
    _json | st.fixed_dictionaries({"token": _spoiled(SHAPE["token"]) | _json, "failures": st.lists(_spoiled(SHAPE["failures"][0]) | _json, max_size=2) | _json})
)
def test_any_json_becomes_a_valid_entry(data):
    entry = entry_from_dict(data)
    if entry.token:
        assert entry.token.access_token
        assert math.isfinite(entry.token.seconds_left(NOW))
    for failure in entry.failures:
        assert failure.refused in (True, False)


ODD = (None, True, 0, -1, 10**400, math.nan, math.inf, "", "x\ny", "\x1b[31m", [], [1], {}, {"a": 1}, "x" * 300_000)


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize(
    ("part", "name"),
    [(part, field.name) for part, kind in (("token", Token), ("failures", Failure), ("renewals", Renewal)) for field in dataclasses.fields(kind)],
)
def test_a_field_of_any_type_is_valid_or_its_part_is_dropped(part, name, value):
    """Sound: its fields have their declared types, so that they can be compared, calculated with and shown."""
    shape = json.loads(json.dumps(entry_to_dict(FULL)))
    (shape["token"] if part == "token" else shape[part][0])[name] = value
    entry = entry_from_dict(shape)
    hash((entry.failures, entry.renewals))
    parts = (entry.token, *entry.failures, *entry.renewals)
    texts = ("access_token", "token_type", "secret_version", "message", "kind", "run", "network", "fault", "cause")
    for one in filter(None, parts):
        for field in dataclasses.fields(one):
            found = getattr(one, field.name)
            if field.name in texts:
                assert isinstance(found, str) and found.isprintable()
            elif field.name.endswith("_at") or field.name in ("at", "took"):
                assert isinstance(found, (int, float)) and math.isfinite(found)
    assert entry_from_dict(json.loads(json.dumps(entry_to_dict(entry)))) == entry
