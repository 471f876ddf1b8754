# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is reported about a token, and about a file with one."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.shared_store import shared_path
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.token_status import file_status, item_status, token_status
from support.scripted import NOW, request_for, token

READ = {"path": "/t", "exists": True, "fingerprint": "sha256:0", "expires_at": int(NOW) + 60, "mode": "0600", "owner": "root", "group": "root"}


def file(*, from_template=False, **changes):
    return file_status({**READ, **changes}, from_template=from_template, now=NOW)


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"expires_at": None}, True),
        ({"expires_at": int(NOW)}, False),
        ({"exists": False, "fingerprint": None}, False),
        ({"fingerprint": None}, False),
        ({"fingerprint": None, "from_template": True}, None),  # it may still contain a token
        ({"fingerprint": None, "from_template": True, "empty": True}, False),
        ({"fingerprint": None, "from_template": True, "error": "may not be read"}, False),
        ({"fingerprint": None, "from_template": True, "exists": False}, False),
        ({"from_template": True, "expires_at": int(NOW) - 1}, False),
    ],
)
def test_a_file_is_valid_with_an_unexpired_token(changes, valid):
    assert file(**changes)["valid"] is valid


def test_the_expiry_of_a_file_is_reported():
    assert (file()["expires_in"], file()["expires_at_iso"]) == (60, "2027-01-15T08:01:00Z")
    assert file(expires_at=1)["expires_in"] == 0
    assert (file(expires_at=None)["expires_in"], file(expires_at=None)["expires_at_iso"]) == (None, None)


def test_unknown_keys_of_a_host_are_dropped():
    assert "more" not in file(more="of the host")
    assert file()["error"] is None


def held(mine, *, allow_readable=False, **changes):
    return item_status(mine, file(**changes), allow_readable=allow_readable)


@pytest.mark.parametrize(("exists", "leftover"), [(True, True), (False, False)])
def test_an_absent_file_that_exists_is_a_leftover(exists, leftover):
    status = held({"state": "absent"}, exists=exists, mode="0666")
    assert (status["state"], status["leftover"], status["exposed"], status["valid"]) == ("absent", leftover, False, None)


@pytest.mark.parametrize(
    ("mode", "exposed"),
    [
        ("0600", False),
        ("0640", False),
        ("0660", False),
        ("0664", True),
        ("0604", True),
        ("0602", True),
        ("601", True),
        ("rw-r--r--", False),
        (None, False),
        ("07777777", False),
    ],
)
def test_a_file_readable_by_others_is_exposed(mode, exposed):
    status = held({}, mode=mode)
    assert (status["state"], status["leftover"], status["exposed"], status["valid"]) == ("present", False, exposed, True)
    assert not held({}, mode=mode, allow_readable=True)["exposed"]


def test_without_a_token_every_field_is_empty():
    status = token_status(request_for(), None, with_claims=True, now=NOW)
    assert (status["vendor"], status["path"], status["valid"]) == ("trackunit", "fleet/x", False)
    assert {value for name, value in status.items() if name not in ("vendor", "path", "valid")} == {None}


def test_the_status_of_a_valid_token():
    status = token_status(request_for(), token("tok", age=10, lifetime=70.5, scope="s", source="cache"), with_claims=False, now=NOW)
    assert status == {
        "vendor": "trackunit",
        "path": "fleet/x",
        "valid": True,
        "expires_at": int(NOW) + 60,
        "expires_at_iso": "2027-01-15T08:01:00Z",
        "expires_in": 60,
        "issued_at": int(NOW) - 10,
        "scope": "s",
        "source": "cache",
        "token_type": "Bearer",
        "fingerprint": token("tok").fingerprint,
    }


def test_an_expired_token_is_not_valid():
    status = token_status(request_for(), token(lifetime=0), with_claims=False, now=NOW)
    assert (status["valid"], status["expires_in"]) == (False, 0)


def test_claims_are_reported_only_on_request():
    jwt = "e30." + base64.urlsafe_b64encode(b'{"sub": "me"}').decode().rstrip("=") + ".c2ln"
    assert token_status(request_for(), token(jwt), with_claims=True, now=NOW)["claims"] == {"sub": "me"}
    assert token_status(request_for(), token("opaque"), with_claims=True, now=NOW)["claims"] is None
    assert "claims" not in token_status(request_for(), token(jwt), with_claims=False, now=NOW)


def test_the_path_of_the_shared_entry_is_reported():
    request = request_for(kind="vault")
    assert token_status(request, token(), with_claims=False, now=NOW)["cache_vault_entry"] == f"secret/{shared_path(request)}"
    other = dataclasses.replace(request.cache, vault_mount="kv")
    assert token_status(dataclasses.replace(request, cache=other), token(), with_claims=False, now=NOW)["cache_vault_entry"].startswith(
        "kv/trackops/api_tokens/"
    )


def test_claims_that_are_credentials_are_dropped():
    claims = {
        "sub": "me", "exp": 5, "aud": ["a", "b"], "realm_access": {"roles": ["r"]}, "token_use": "access", "token_version": 2, "auth_time": 3,
        "client_secret": "s3cr3t-client", "refresh_token": "rt-abcdefgh", "again": "it is s3cr3t-client", "in hex": b"rt-abcdefgh".hex(),
        "nested": {"password": "x", "of": "y"}, "address": "https://x.example/?password=abc", "jwt": "eyJhbGciOiJub25lIn0.e30.x", "s3cr3t-client": 1,
    }  # fmt: skip
    jwt = "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".c2ln"
    assert token_status(request_for(), token(jwt, refresh_token="the-refresh-token"), with_claims=True, now=NOW)["claims"] == {
        "sub": "me", "exp": 5, "aud": ["a", "b"], "realm_access": {"roles": ["r"]}, "token_use": "access", "token_version": 2, "auth_time": 3,
        "nested": {"of": "y"},
    }  # fmt: skip


def test_a_claim_that_repeats_the_refresh_token_is_dropped():
    jwt = "e30." + base64.urlsafe_b64encode(b'{"sub": "me", "x": "the-refresh-token"}').decode().rstrip("=") + ".c2ln"
    assert token_status(request_for(), token(jwt, refresh_token="the-refresh-token"), with_claims=True, now=NOW)["claims"] == {"sub": "me"}
