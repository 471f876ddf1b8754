# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata of an issuer: requested once an hour, and again if its endpoints do not work."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._cache.file_store import FileStore
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.issuer_metadata import IssuerMetadata
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
from support.scripted import NOW, FakeVault, Scene, access, answer, approle, error, request_for, vault_options

ISSUER = "https://login.example"
METADATA = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/t", "token_endpoint_auth_methods_supported": ["client_secret_post"]}
VENDOR = Vendor("acme", issuer=ISSUER)


def asked(scene, tmp_path, **changes):
    return Resolver(scene.ports).token(dataclasses.replace(request_for(VENDOR, cache=str(tmp_path / "cache"), force=True), **changes))


def paths(scene):
    return [request.url.removeprefix(ISSUER) for request in scene.sent]


WELL_KNOWN = "/.well-known/oauth-authorization-server"


def test_metadata_is_requested_once_an_hour(tmp_path):
    scene = Scene(answer(200, METADATA), *[access()] * 4, answer(200, METADATA), access())
    for later in (1, 1800, 1798, 2):
        asked(scene, tmp_path)
        scene.now += later
        scene.ports = scene.as_run(str(scene.now))
    asked(scene, tmp_path)
    assert paths(scene) == [WELL_KNOWN, "/t", "/t", "/t", "/t", WELL_KNOWN, "/t"]
    assert b"client_secret=s3cr3t" in scene.sent[1].body  # the metadata select this method


def test_without_a_cache_metadata_is_requested_once_per_fetch(tmp_path):
    vault = FakeVault({"client_id": "i", "client_secret": "s", "refresh_token": "r"})
    scene = Scene(answer(200, METADATA), error("invalid_grant"), vault=vault, scratch=str(tmp_path))
    request = dataclasses.replace(
        request_for(dataclasses.replace(VENDOR, grant_type="refresh_token")), cache=dataclasses.replace(request_for().cache, kind="none")
    )
    with pytest.raises(VendorError, match="invalid_grant"):
        Resolver(scene.ports).token(request)
    assert paths(scene) == [WELL_KNOWN, "/t"]


def test_metadata_that_leads_to_a_missing_endpoint_is_requested_again(tmp_path):
    scene = Scene(answer(200, METADATA), access(), answer(404), answer(200, {**METADATA, "token_endpoint": f"{ISSUER}/new"}), access())
    asked(scene, tmp_path)
    scene.ports = scene.as_run("2")
    scene.now += 100
    with pytest.raises(VendorError, match="HTTP 404"):
        asked(scene, tmp_path)
    scene.ports = scene.as_run("3")
    scene.now += 100
    asked(scene, tmp_path)
    assert paths(scene) == [WELL_KNOWN, "/t", "/t", WELL_KNOWN, "/new"]


@pytest.fixture
def store(tmp_path):
    return FileStore(str(tmp_path / "cache"), warn=pytest.fail)


def kept(request, store, *, age=0.0):
    return IssuerMetadata(request, store, lambda: NOW + age)


def test_stored_metadata_is_valid_for_an_hour(store):
    request = request_for(VENDOR)
    kept(request, store).write(METADATA)
    assert [kept(request, store, age=age).read() for age in (0, 3599, 3600, -1)] == [METADATA, METADATA, None, None]
    ((_name, header),) = store.headers()
    assert header == {"schema": 1, "kind": "metadata", "expires_at": int(NOW) + 3600}


@pytest.mark.parametrize("way", [{"validate_certs": False}, {"ca_cert": "/ca.pem"}, {"proxy": "http://p"}, {"allow_http": True}])
def test_metadata_is_not_shared_between_connection_options(store, way):
    kept(request_for(VENDOR), store).write(METADATA)
    assert kept(request_for(VENDOR, http=way), store).read() is None


@pytest.mark.parametrize(
    "other", [{"vendor": dataclasses.replace(VENDOR, issuer=f"{ISSUER}/b")}, {"vault": approle()}, {"vault": vault_options(namespace="team")}]
)
def test_metadata_is_not_shared_between_issuers_and_logins(store, other):
    kept(request_for(VENDOR), store).write(METADATA)
    assert kept(request_for(**{"vendor": VENDOR, **other}), store).read() is None
    assert kept(request_for(VENDOR, path="fleet/y", http={"timeout": 1}), store).read() == METADATA


def test_without_a_cache_metadata_stays_in_memory():
    metadata = kept(request_for(VENDOR), FileStore("", warn=lambda text: None))
    assert metadata.read() is None
    metadata.write(METADATA)
    assert metadata.read() == METADATA


def test_only_metadata_that_was_used_is_forgotten(store):
    request = request_for(VENDOR)
    first, second = kept(request, store), kept(request, store)
    first.write(METADATA)
    second.forget()  # it has not used the metadata
    assert kept(request, store).read() == METADATA
    first.forget()
    assert (first.read(), kept(request, store).read(), list(store.headers())) == (None, None, [])
