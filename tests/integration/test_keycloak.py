# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keycloak, the most widely run token server: every way to authenticate a client, both ways to consent, and revocation."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import re
import tempfile
import threading
import typing as t
from urllib.parse import parse_qs

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from support.crowd import Crowd
from support.keycloak import Keycloak
from support.lookups import Batch, Checks, leaked
from support.pki import rsa_pair
from support.processes import Unavailable

if t.TYPE_CHECKING:
    from support.ansible import Run
    from support.browser import Browser
    from support.stage import Stage

# Every character that RFC 6749 section 2.3.1 affects.
AWKWARD = "s3cret:+%&=/ x\"'<>~"
LONG = "a-client-secret-of-some-length-9f3b"  # HS256 needs 32 characters
USER = {"username": "ada", "password": "lovelace pass+word&"}
PATH = "fleet/keycloak"
# Keycloak introspects a token only for a client in its audience, so each token includes the client that asks.
FOR_US = {"included.client.audience": "by secret", "access.token.claim": "true", "introspection.token.claim": "true"}
AUDIENCE = {"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": FOR_US}
# The rest of the name differs in each run.
DISTINGUISHED = {"x509.subjectdn": ".*CN=automation.*", "x509.allow.regex.pattern.comparison": "true"}
MACHINE = {"serviceAccountsEnabled": True, "standardFlowEnabled": False}


def keys_of(public: str) -> dict[str, str]:
    """The attributes of a client with this public key (PEM)."""
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(load_pem_public_key(public.encode())))
    return {"use.jwks.string": "true", "jwks.string": json.dumps({"keys": [{**jwk, "kid": "first", "use": "sig"}]})}


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    """A private key and its public key."""
    return rsa_pair()


@pytest.fixture(scope="module")
def keycloak(key: tuple[str, str]) -> t.Iterator[Keycloak]:
    account = {"enabled": True, "email": "ada@example.com", "emailVerified": True, "firstName": "Ada", "lastName": "Lovelace"}
    realm: dict[str, t.Any] = {
        "users": [
            {"username": USER["username"], "realmRoles": ["offline_access"], "credentials": [{"type": "password", "value": USER["password"]}], **account}
        ],
        "clients": [
            {"clientId": "by secret", "secret": AWKWARD, **MACHINE},
            {"clientId": "signed", "clientAuthenticatorType": "client-jwt", "attributes": keys_of(key[1]), **MACHINE},
            {"clientId": "secret-signed", "secret": LONG, "clientAuthenticatorType": "client-secret-jwt", **MACHINE},
            {"clientId": "certificate", "clientAuthenticatorType": "client-x509", "attributes": DISTINGUISHED, **MACHINE},
            {"clientId": "trusted", "secret": AWKWARD, "directAccessGrantsEnabled": True, "standardFlowEnabled": False},
            {"clientId": "web", "secret": AWKWARD, "redirectUris": ["http://127.0.0.1/callback"], "consentRequired": True},
            {
                "clientId": "device",
                "secret": AWKWARD,
                "standardFlowEnabled": False,
                "attributes": {"oauth2.device.authorization.grant.enabled": "true"},
            },
        ],
    }
    for client in realm["clients"]:
        client["protocolMappers"] = [AUDIENCE]
    try:
        with tempfile.TemporaryDirectory(prefix="trackops-keycloak-") as folder, Keycloak(pathlib.Path(folder), realm) as server:
            yield server
    except Unavailable as exc:
        pytest.skip(str(exc))


def active(keycloak: Keycloak, token: str) -> bool:
    """Whether Keycloak still accepts its token (RFC 7662); the token's own issuer is asked."""
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    question = {"token": token, "client_id": "by secret", "client_secret": AWKWARD}
    return bool(keycloak.post("token/introspect", question, issuer=issuer).json()["active"])


def purged(stage: Stage, *, env: dict[str, str | None] | None = None, **options: t.Any) -> dict[str, t.Any]:
    """The result of ``token_cache`` when it revokes a token."""
    task = {"name": "Purge", "trackops.api_tokens.token_cache": {"state": "absent", "vendor": "theirs", "path": PATH, **options}}
    run = stage.playbook(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], indent=1), env=env)
    assert run.rc == 0, run
    return run.result("Purge")


def test_keycloak_accepts_every_client_authentication(openbao_stage: Stage, keycloak: Keycloak, key: tuple[str, str]) -> None:
    """The issuer alone is enough, except where an option has to choose the method."""
    stage, vault = openbao_stage, openbao_stage.vault
    certificate, stranger = keycloak.ca.client(), keycloak.ca.client("stranger", common_name="somebody")
    vault.put("kc/secret", {"client_id": "by secret", "client_secret": AWKWARD})
    vault.put("kc/wrong", {"client_id": "by secret", "client_secret": "not-this-one"})
    vault.put("kc/signed", {"client_id": "signed", "private_key": key[0], "key_id": "first"})
    vault.put("kc/secret-signed", {"client_id": "secret-signed", "client_secret": LONG})
    vault.put("kc/certificate", {"client_id": "certificate", "certificate": certificate.cert_pem, "private_key": certificate.key_pem})
    vault.put("kc/stranger", {"client_id": "certificate", "certificate": stranger.cert_pem, "private_key": stranger.key_pem})
    vault.client.sys.enable_secrets_engine("transit", path="signing")
    vault.client.secrets.transit.create_key("fleet", key_type="rsa-2048", mount_point="signing")
    public = vault.client.secrets.transit.read_key("fleet", mount_point="signing")["data"]["keys"]["1"]["public_key"]
    keycloak.admin(
        "POST",
        "/fleet/clients",
        {"clientId": "vaulted", "clientAuthenticatorType": "client-jwt", "attributes": keys_of(public), "protocolMappers": [AUDIENCE], **MACHINE},
    )
    vault.put("kc/vaulted", {"client_id": "vaulted", "key_id": "first"})
    batch = Batch(stage, vendor="theirs", issuer=keycloak.issuer, output="details")
    secure = {"issuer": keycloak.secure_issuer, "http_ca_cert": str(keycloak.ca.cert), "client_auth": "tls_client_auth"}
    batch.add("secret", "oauth2", "kc/secret")
    batch.add("post", "oauth2", "kc/secret", client_auth="post", scope="profile")
    batch.add("key", "oauth2", "kc/signed")
    batch.add(
        "key, PS256, to the issuer", "oauth2", "kc/signed", client_auth="private_key_jwt", assertion_algorithm="PS256", assertion_audience=keycloak.issuer
    )
    batch.add("signed with the secret", "oauth2", "kc/secret-signed", client_auth="client_secret_jwt")
    batch.add("Vault's key", "oauth2", "kc/vaulted", client_auth="private_key_jwt", transit_key="signing/fleet", assertion_algorithm="PS256")
    batch.add("certificate", "oauth2", "kc/certificate", **secure)
    batch.add("wrong secret", "oauth2", "kc/wrong")
    batch.add("wrong certificate", "oauth2", "kc/stranger", **secure)
    batch.add("wrong way", "oauth2", "kc/secret", client_auth="client_secret_jwt")
    try:
        done = batch.run("-vvv", env={"VAULT_TOKEN": vault.root_token})
    finally:
        vault.client.sys.disable_secrets_engine("signing")
    with Checks() as check:
        for name in ("secret", "post", "key", "key, PS256, to the issuer", "signed with the secret", "Vault's key", "certificate"):
            with check(name):
                assert done[name].value["source"] == "vendor"
                assert active(keycloak, done[name].value["access_token"])
        with check("wrong secret"):
            assert "secret/kc/wrong (version 1): unauthorized_client. Check client_id and client_secret there" in done["wrong secret"].error
        with check("wrong certificate"):
            assert "Check client_id there, that the vendor knows the certificate, and " in done["wrong certificate"].error
        with check("wrong way"):
            assert "whether the vendor accepts client_auth=client_secret_jwt" in done["wrong way"].error
        with check("no secret is shown"):
            assert leaked(done.run.output, [AWKWARD, LONG, *key[0].splitlines()[1:-1], *certificate.key_pem.splitlines()[1:-1]]) == []


class Losing(http.server.BaseHTTPRequestHandler):
    """A proxy that forwards token requests, and loses the first responses."""

    lose: t.ClassVar[int] = 0
    seen: t.ClassVar[list[dict[str, str]]] = []

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "proxy-connection", "accept-encoding")}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(self.command, self.path, data=body, headers=headers, timeout=300)
        status, content = answer.status_code, answer.content
        if self.command == "POST":
            self.seen.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
            if len(self.seen) <= self.lose:
                status, content = 504, b""
        self.send_response(status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def losing(answers: int) -> t.Iterator[tuple[str, list[dict[str, str]]]]:
    """Such a proxy's address, and the forms that it forwarded."""
    handler = type("Handler", (Losing,), {"lose": answers, "seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", handler.seen
        finally:
            server.shutdown()


def test_each_attempt_has_a_new_proof(openbao_stage: Stage, keycloak: Keycloak, key: tuple[str, str]) -> None:
    """Keycloak remembers assertion identifiers: if an attempt's response is lost, it rejects the same assertion when it is sent again."""
    openbao_stage.vault.put(PATH, {"client_id": "signed", "private_key": key[0], "key_id": "first"})
    with losing(2) as (proxy, seen):
        batch = Batch(openbao_stage, vendor="theirs", issuer=keycloak.issuer, output="details", http_proxy=proxy)
        batch.add("after outages", "oauth2", PATH)
        done = batch.run()
    assert done["after outages"].value["source"] == "vendor"
    identifiers = [jwt.decode(form["client_assertion"], options={"verify_signature": False})["jti"] for form in seen]
    assert len(identifiers) == len(set(identifiers)) == 3
    again = keycloak.post("token", seen[-1])
    assert again.status_code in (400, 401), "it does not look at identifiers, so this test shows nothing"
    assert again.json()["error"] in ("invalid_client", "unauthorized_client")


@pytest.mark.parametrize("client", ["signed", "by secret"])
def test_a_purge_revokes_the_token_at_keycloak(openbao_stage: Stage, keycloak: Keycloak, key: tuple[str, str], client: str) -> None:
    """The issuer alone is enough. The client authenticates, as Keycloak revokes nothing otherwise."""
    stage = openbao_stage
    secret = {"client_id": client, "private_key": key[0], "key_id": "first"} if client == "signed" else {"client_id": client, "client_secret": AWKWARD}
    stage.vault.put(PATH, secret)
    batch = Batch(stage, vendor="theirs", issuer=keycloak.issuer, output="token")
    batch.add("token", "oauth2", PATH)
    token = batch.run()["token"].value
    assert keycloak.post("revoke", {"token": token, "client_id": client}).status_code in (400, 401)
    assert active(keycloak, token)
    result = purged(stage, issuer=keycloak.issuer)
    assert (result["revoked"], result["removed_by_kind"], result["kept"]) == (["theirs access_token"], {"token": 1}, [])
    assert not active(keycloak, token)


def test_a_refused_revocation_keeps_the_entry(openbao_stage: Stage, keycloak: Keycloak, key: tuple[str, str]) -> None:
    stage = openbao_stage
    stage.vault.put(PATH, {"client_id": "signed", "private_key": key[0], "key_id": "first"})
    batch = Batch(stage, vendor="theirs", issuer=keycloak.issuer, output="token")
    batch.add("token", "oauth2", PATH)
    token = batch.run()["token"].value
    stage.vault.put(PATH, {"client_id": "signed", "private_key": rsa_pair()[0], "key_id": "first"})
    result = purged(stage, issuer=keycloak.issuer)
    assert (result["changed"], result["revoked"], result["removed"]) == (False, [], [])
    assert result["kept"] == [{"vendor": "theirs", "path": f"secret/{PATH}"}]
    assert "could not be revoked at the vendor, so it stays in the cache." in " ".join(result["warnings"])
    assert active(keycloak, token)


def test_each_refresh_token_is_used_once(openbao_stage: Stage, keycloak: Keycloak, tmp_path: pathlib.Path) -> None:
    """Twenty processes renew at the same moment, five times. A refresh token sent twice would end the session and all its tokens."""
    openbao_stage.vault.put(PATH, {"client_id": "trusted", "client_secret": AWKWARD, **USER})
    values = {"url": openbao_stage.vault.address, "token": openbao_stage.token(), "vendor": "theirs", "issuer": keycloak.issuer, "grant_type": "password"}
    crowd = Crowd(tmp_path / "cache", values=values)
    first = crowd.one("oauth2", PATH)
    answers = [answer for _round in range(5) for answer in crowd.ask("oauth2", PATH, callers=20, force=True)]
    last = crowd.one("oauth2", PATH)
    assert [answer.error for answer in (first, *answers, last) if answer.error] == []
    events = keycloak.events("REFRESH_TOKEN", clientId="trusted")
    used = [event["details"]["refresh_token_id"] for event in events]
    assert len(used) == len(set(used)) >= 5
    assert keycloak.events("REFRESH_TOKEN_ERROR", clientId="trusted") == []
    assert len(keycloak.events("LOGIN", clientId="trusted")) == 1
    assert active(keycloak, t.cast(str, last.token))


def consenting(stage: Stage, keycloak: Keycloak, client: str, flow: str) -> tuple[t.Any, dict[str, str | None], str]:
    """The playbook ``authorize`` while it waits for a person, its environment, and the address that it shows."""
    stage.vault.put(PATH, {"client_id": client, "client_secret": AWKWARD})
    policy = stage.vault.policy("writing", 'path "secret/data/*" { capabilities = ["read", "update"] }')
    env: dict[str, str | None] = {"VAULT_TOKEN": stage.vault.token(policy)}
    given = {"vendor": "theirs", "path": PATH, "flow": flow, "trackops_theirs_issuer": keycloak.issuer, "trackops_theirs_scope": "openid offline_access"}
    asking = stage.ansible.start(["ansible-playbook", "trackops.api_tokens.authorize", "-e", json.dumps(given)], env=stage.environment(env))
    shown = r"^(http\S+response_type=\S+)$" if flow == "code" else r"^(http\S+user_code=\S+)$"
    return asking, env, asking.wait_ready("the address", lambda: re.search(shown, asking.output(), re.MULTILINE), timeout=300)[1]


def log_in(chromium: Browser, url: str) -> None:
    chromium.open(url)
    chromium.forget()
    chromium.open(url)
    chromium.type("#username", USER["username"])
    chromium.type("#password", USER["password"])
    chromium.click("#kc-login")


def with_refresh_token(stage: Stage, keycloak: Keycloak, env: dict[str, str | None]) -> tuple[str, Run]:
    """The token, or the error, of a lookup that must renew."""
    batch = Batch(stage, vendor="theirs", issuer=keycloak.issuer, grant_type="authorization_code", scope="openid offline_access", output="token")
    batch.add("token", "oauth2", PATH, force=True)
    done = batch.run(env=env)
    return done["token"].error or done["token"].value, done.run


def test_consent_in_a_browser_lasts_until_it_is_revoked(openbao_stage: Stage, keycloak: Keycloak, chromium: Browser) -> None:
    """A purge revokes only the access token: the refresh token in Vault is the person's consent."""
    stage = openbao_stage
    asking, env, url = consenting(stage, keycloak, "web", "code")
    log_in(chromium, url)
    chromium.click("#kc-login")  # the consent page has a button of that name too
    chromium.wait_text("#outcome", "stored")
    assert asking.popen.wait(120) == 0, asking.output()
    token, run = with_refresh_token(stage, keycloak, env)
    assert active(keycloak, token), run
    options = {"issuer": keycloak.issuer, "grant_type": "authorization_code", "scope": "openid offline_access"}
    assert purged(stage, env=env, **options)["revoked"] == ["theirs access_token"]
    assert not active(keycloak, token)
    token, run = with_refresh_token(stage, keycloak, env)
    assert active(keycloak, token), run
    assert purged(stage, env=env, revoke_consent=True, **options)["revoked"] == ["theirs refresh_token", "theirs access_token"]
    assert not active(keycloak, token)
    error, run = with_refresh_token(stage, keycloak, env)
    assert "invalid_grant" in error, run
    assert "trackops.api_tokens.authorize" in error, run


def test_consent_on_another_device_gives_a_refresh_token(openbao_stage: Stage, keycloak: Keycloak, chromium: Browser) -> None:
    stage = openbao_stage
    asking, env, url = consenting(stage, keycloak, "device", "device")
    log_in(chromium, url)
    chromium.click("#kc-login")
    chromium.wait_text("body", "Device Login Successful")
    assert asking.popen.wait(120) == 0, asking.output()
    assert stage.vault.get(PATH)["refresh_token"]
    token, run = with_refresh_token(stage, keycloak, env)
    assert active(keycloak, token), run
