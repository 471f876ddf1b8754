# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client authentication by signatures (RFC 7523), also with keys that stay in Vault, and by certificates (RFC 8705)."""

from __future__ import annotations

import typing as t

from support.lookups import Batch, Checks, leaked
from support.pki import rsa_pair

if t.TYPE_CHECKING:
    from emulator import Emulator
    from support.pki import Ca
    from support.stage import Stage

SIGNED = {"client_auth": "private_key_jwt"}


def test_clients_authenticate_with_every_signature(openbao_stage: Stage, ca: Ca) -> None:
    stage = openbao_stage
    private, public = rsa_pair()
    base = stage.emulator.base_url("acme")
    secret = "a-client-secret-of-some-length-9f3b"
    stage.emulator.set_credentials("acme", client_secret=secret)
    stage.store("acme", "fleet/acme", private_key=private, key_id="k1", certificate=ca.client().cert_pem)
    stage.store("acme", "fleet/one-line", private_key=private.strip().replace("\n", "\\n"))
    stage.emulator.set("acme", public_key=public, client_auth=("private_key_jwt",))
    batch = Batch(stage, vendor="acme", token_url=base + "/token", cache="none", output="details")
    batch.add("as it is", "oauth2", "fleet/acme", **SIGNED)
    batch.control("set", vendor="acme", algorithms=["PS256"], audience=[base])
    batch.add("FAPI", "oauth2", "fleet/acme", assertion_algorithm="PS256", assertion_audience=base, **SIGNED)
    batch.add("wrong audience", "oauth2", "fleet/acme", assertion_algorithm="PS256", **SIGNED)
    batch.add("wrong algorithm", "oauth2", "fleet/acme", assertion_algorithm="ES256", **SIGNED)
    batch.control("set", vendor="acme", algorithms=None, audience=None)
    batch.add("on one line", "oauth2", "fleet/one-line", **SIGNED)
    batch.control("fail", vendor="acme", fault="status", code=504, times=2, after=True)
    batch.add("after outages", "oauth2", "fleet/acme", **SIGNED)
    batch.control("set", vendor="acme", client_auth=["client_secret_jwt"])
    batch.add("by secret", "oauth2", "fleet/acme", client_auth="client_secret_jwt")
    batch.control("set", vendor="acme", client_auth=["bearer_jwt"])
    batch.add("as bearer", "oauth2", "fleet/acme", client_auth="bearer_jwt")
    done = batch.run("-vvv")

    sent = {entry["seq"]: entry for entry in stage.emulator.requests("acme", kind="token")}
    good = [entry for entry in sent.values() if entry["status"] == 200]
    with Checks() as check:
        for name in ("as it is", "FAPI", "on one line", "after outages", "by secret", "as bearer"):
            with check(name):
                assert done[name].value["source"] == "vendor"
        with check("what names the key"):
            assert {"kid", "x5t", "x5t#S256", "alg", "typ"} == set(good[0]["assertion"])
        with check("algorithms"):
            assert [entry["assertion"]["alg"] for entry in good] == ["RS256", "PS256", "RS256", "RS256", "HS256", "RS256"]
        with check("wrong audience"):
            assert "aud is not what is wanted here" in done["wrong audience"].error
        with check("wrong algorithm"):
            assert "assertion_algorithm=ES256 does not suit the private_key of the secret" in done["wrong algorithm"].error
        with check("no proof was sent twice"):
            identifiers = [entry["jti"] for entry in sent.values() if entry.get("jti")]
            assert len(identifiers) == len(set(identifiers)) >= 6
        with check("no secret is shown"):
            assert leaked(done.run.output, [secret, *private.splitlines()[1:-1]]) == []


KEYS = {
    "rsa-2048": ("RS256", "RS512", "PS256", "PS384"),
    "ecdsa-p256": ("ES256",),
    "ecdsa-p384": ("ES384",),
    "ed25519": ("EdDSA",),
}


def test_a_transit_key_signs_in_vault(stage: Stage) -> None:
    """A real Vault's transit engine signs, and the vendor verifies."""
    vault, base = stage.vault.client, stage.emulator.base_url("acme")
    account = stage.credentials("acme")
    stage.vault.put("fleet/acme", {"client_id": account["client_id"]})
    vault.sys.enable_secrets_engine("transit", path="signing")
    try:
        batch = Batch(stage, vendor="acme", token_url=base + "/token", cache="none", output="details", **SIGNED)
        stage.emulator.set("acme", client_auth=("private_key_jwt",))
        for kind, algorithms in KEYS.items():
            vault.secrets.transit.create_key(kind, key_type=kind, mount_point="signing")
            public = vault.secrets.transit.read_key(kind, mount_point="signing")["data"]["keys"]["1"]["public_key"]
            batch.control("set", vendor="acme", public_key=_pem(public))
            for algorithm in algorithms:
                batch.add(algorithm, "oauth2", "fleet/acme", transit_key=f"signing/{kind}", assertion_algorithm=algorithm)
        batch.add("another kind", "oauth2", "fleet/acme", transit_key="signing/ed25519", assertion_algorithm="ES256")
        batch.add("no such key", "oauth2", "fleet/acme", transit_key="signing/nothing")
        batch.add("no mount", "oauth2", "fleet/acme", transit_key="acme")
        policy = stage.vault.policy("signer", 'path "signing/sign/*" { capabilities = ["update"] }')
        may = stage.vault.token(policy, stage.vault.read_policy("*"))
        done = batch.run("-vvv", env={"VAULT_TOKEN": may})
        denied = Batch(stage, vendor="acme", token_url=base + "/token", **SIGNED)
        denied.add("denied", "oauth2", "fleet/acme", transit_key="signing/rsa-2048")
        refused = denied.run()
    finally:
        vault.sys.disable_secrets_engine("signing")
    with Checks() as check:
        for algorithms in KEYS.values():
            for algorithm in algorithms:
                with check(algorithm):
                    assert done[algorithm].value["source"] == "vendor"
        with check("another kind"):
            assert "Check client_id there, transit_key, assertion_audience, assertion_algorithm, and whether the vendor accepts" in done["another kind"].error
        with check("no such key"):
            assert "signing/sign/nothing" in done["no such key"].error
        with check("no mount"):
            assert done["no mount"].error == "acme: transit_key must be <mount>/<key name>, for example transit/acme."
        with check("denied"):
            assert "denied signing with signing/sign/rsa-2048" in refused["denied"].error, refused["denied"].error
            assert "grants update on signing/sign/rsa-2048" in refused["denied"].error, refused["denied"].error
        with check("the key stayed there"):
            assert "PRIVATE KEY" not in done.run.output


def _pem(public: str) -> str:
    """A PEM key; the transit engine returns an Ed25519 key as bare base64."""
    if public.startswith("-----"):
        return public
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_clients_authenticate_with_certificates(openbao_stage: Stage, over_tls: tuple[Emulator, Ca]) -> None:
    stage, (vendor, ca) = openbao_stage, over_tls
    good, other = ca.client(), ca.client("other", common_name="somebody")
    account = stage.credentials("acme")
    stage.vault.put("fleet/files", {"client_id": account["client_id"]})
    stage.vault.put("fleet/fields", {"client_id": account["client_id"], "certificate": good.cert_pem, "private_key": good.key_pem})
    stage.vault.put("fleet/bundle", {"client_id": account["client_id"], "certificate": good.cert_pem + good.key_pem})
    stage.vault.put("fleet/other", {"client_id": account["client_id"], "certificate": other.cert_pem, "private_key": other.key_pem})
    stage.vault.put("fleet/broken", {"client_id": account["client_id"], "certificate": good.cert_pem, "private_key": other.key_pem})
    # One emulator serves the metadata over http, the other the endpoint for clients with certificates.
    stage.emulator.set("acme", client_auth=("tls_client_auth",), mtls_base_url=vendor.base_url("acme"))
    temporary = stage.ansible.workdir / "tmp"
    temporary.mkdir()
    batch = Batch(stage, vendor="acme", cache="none", output="details", client_auth="tls_client_auth", http_ca_cert=str(ca.cert))
    address = {"token_url": vendor.base_url("acme") + "/token"}
    batch.add("files", "oauth2", "fleet/files", http_client_cert=str(good.cert), http_client_key=str(good.key), **address)
    batch.add("fields", "oauth2", "fleet/fields", **address)
    batch.add("bundle", "oauth2", "fleet/bundle", **address)
    batch.add("aliases", "oauth2", "fleet/fields", issuer=stage.emulator.base_url("acme"))
    batch.add("other", "oauth2", "fleet/other", **address)
    batch.add("broken", "oauth2", "fleet/broken", **address)
    batch.add("none", "oauth2", "fleet/files", **address)
    done = batch.run("-vvv", env={"TMPDIR": str(temporary)})
    with Checks() as check:
        for name in ("files", "fields", "bundle", "aliases"):
            with check(name):
                assert done[name].value["source"] == "vendor"
        with check("other"):
            assert "the vendor refused the credentials at secret/fleet/other" in done["other"].error
            assert "that of another client" in done["other"].error
        with check("broken"):
            assert done["broken"].error.startswith("acme: ")
            assert "the fields certificate and private_key of the secret" in done["broken"].error, done["broken"].error
        with check("none"):
            assert "has no field 'certificate'" in done["none"].error
        with check("no secret is on disk or shown"):
            written = [path.read_text(errors="replace") for path in temporary.rglob("*") if path.is_file()]
            assert leaked(done.run.output + "".join(written), [*good.key_pem.splitlines()[1:-1], *other.key_pem.splitlines()[1:-1]]) == []
