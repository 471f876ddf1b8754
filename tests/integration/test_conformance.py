# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup oauth2 against third-party servers with their defaults: they decide what is correct, not our emulator."""

from __future__ import annotations

import json
import re
import time
import typing as t
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from support.lookups import lifetime
from support.oauth_servers import DjangoOAuth, OidcProvider
from support.pki import rsa_pair
from support.processes import Unavailable, wait_for

if t.TYPE_CHECKING:
    from support.ansible import Run
    from support.browser import Browser
    from support.stage import Stage

PATH = "fleet/theirs"
# Every character that RFC 6749 section 2.3.1 affects.
AWKWARD = "s3cret:+%&=/ x\"'<>~"
USER = {"username": "ada", "password": "lovelace pass+word&"}
DJANGO = {
    "user": USER,
    "clients": [
        {"client_id": "machine", "client_secret": AWKWARD, "client_type": "confidential", "authorization_grant_type": "client-credentials"},
        {"client_id": "trusted", "client_secret": AWKWARD, "client_type": "confidential", "authorization_grant_type": "password"},
        {
            "client_id": "web",
            "client_secret": AWKWARD,
            "client_type": "confidential",
            "authorization_grant_type": "authorization-code",
            "redirect_uris": "http://127.0.0.1:8400/callback",
        },
    ],
}
ONLY_MACHINE = {"grant_types": ["client_credentials"], "redirect_uris": [], "response_types": []}


@pytest.fixture(scope="module")
def django() -> t.Iterator[DjangoOAuth]:
    try:
        with DjangoOAuth(DJANGO) as server:
            yield t.cast(DjangoOAuth, server)
    except Unavailable as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="module")
def key() -> tuple[str, dict[str, t.Any]]:
    """A private key (PEM), and its public key as a JWK."""
    private, public = rsa_pair()
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(load_pem_public_key(public.encode())))
    return private, {**jwk, "kid": "first", "use": "sig", "alg": "RS256"}


@pytest.fixture(scope="module")
def oidc(key: tuple[str, dict[str, t.Any]]) -> t.Iterator[OidcProvider]:
    clients = [
        {"client_id": "basic client", "client_secret": AWKWARD, **ONLY_MACHINE},
        {"client_id": "post", "client_secret": AWKWARD, "token_endpoint_auth_method": "client_secret_post", **ONLY_MACHINE},
        {"client_id": "signed", "jwks": {"keys": [key[1]]}, "token_endpoint_auth_method": "private_key_jwt", **ONLY_MACHINE},
        {
            "client_id": "native",
            "client_secret": AWKWARD,
            "application_type": "native",
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": ["http://127.0.0.1/callback"],
            "response_types": ["code"],
        },
        {
            "client_id": "device",
            "client_secret": AWKWARD,
            "application_type": "native",
            "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
            "redirect_uris": [],
            "response_types": [],
        },
    ]
    try:
        with OidcProvider(clients) as server:
            yield t.cast(OidcProvider, server)
    except Unavailable as exc:
        pytest.skip(str(exc))


def look_up(stage: Stage, *, env: dict[str, str | None] | None = None, **options: t.Any) -> Run:
    """Run one lookup; its result is that of the task C(Token)."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in options.items())
    return stage.playbook(
        f"""
        - hosts: localhost
          gather_facts: false
          tasks:
            - name: Token
              ansible.builtin.debug:
                msg: "{{{{ lookup('trackops.api_tokens.oauth2', '{PATH}', vendor='theirs', output='details', {arguments}) }}}}"
        """,
        env=env,
    )


def details(run: Run) -> dict[str, t.Any]:
    assert run.rc == 0, run
    found: dict[str, t.Any] = run.result("Token")["msg"]
    return found


def knows(server: DjangoOAuth | OidcProvider, path: str, token: str, client: str) -> dict[str, t.Any]:
    """The server's introspection response for its token (RFC 7662)."""
    answer: dict[str, t.Any] = server.post(path, {"token": token, "client_id": client, "client_secret": AWKWARD}).json()
    return answer


def writing(stage: Stage) -> dict[str, str | None]:
    return {"VAULT_TOKEN": stage.vault.token(stage.vault.policy("writing", 'path "secret/data/*" { capabilities = ["read", "update"] }'))}


# django-oauth-toolkit


@pytest.mark.parametrize("client_auth", ["basic", "post"])
def test_django_accepts_client_credentials(openbao_stage: Stage, django: DjangoOAuth, client_auth: str) -> None:
    openbao_stage.vault.put(PATH, {"client_id": "machine", "client_secret": AWKWARD})
    begun = int(time.time())
    found = details(look_up(openbao_stage, token_url=django.token_url, client_auth=client_auth, scope="read"))
    assert (found["token_type"], found["scope"], lifetime(found)) == ("Bearer", "read", 36000)
    facts = knows(django, "/o/introspect/", found["access_token"], "machine")
    assert (facts["active"], facts["client_id"]) == (True, "machine")
    assert begun <= facts["exp"] - 36000 <= time.time()


def test_django_accepts_a_password_and_then_the_refresh_token(openbao_stage: Stage, django: DjangoOAuth) -> None:
    openbao_stage.vault.put(PATH, {"client_id": "trusted", "client_secret": AWKWARD, **USER})
    env = {"VAULT_TOKEN": openbao_stage.token(), "TRACKOPS_AUDIT_LOG": str(openbao_stage.ansible.workdir / "audit")}
    options = {"token_url": django.token_url, "grant_type": "password", "env": env}
    first = details(look_up(openbao_stage, **options))
    second = details(look_up(openbao_stage, force=True, **options))
    third = details(look_up(openbao_stage, force=True, **options))
    assert len({found["access_token"] for found in (first, second, third)}) == 3
    events = [json.loads(line)["event"] for line in (openbao_stage.ansible.workdir / "audit").read_text(encoding="utf-8").splitlines()]
    assert [event for event in events if event in ("fetched", "refreshed", "failed")] == ["fetched", "refreshed", "refreshed"]
    assert knows(django, "/o/introspect/", third["access_token"], "trusted")["username"] == "ada"


def test_a_refresh_token_of_django_is_rotated_in_vault(openbao_stage: Stage, django: DjangoOAuth) -> None:
    granted = django.post("", {"grant_type": "password", "client_id": "trusted", "client_secret": AWKWARD, **USER}).json()
    openbao_stage.vault.put(PATH, {"client_id": "trusted", "client_secret": AWKWARD, "refresh_token": granted["refresh_token"]})
    env = writing(openbao_stage)
    found = details(look_up(openbao_stage, token_url=django.token_url, grant_type="refresh_token", env=env))
    assert found["access_token"] != granted["access_token"]
    rotated = openbao_stage.vault.get(PATH)["refresh_token"]
    assert rotated != granted["refresh_token"]
    # The next controller can use what is in Vault.
    elsewhere = {**env, "XDG_CACHE_HOME": str(openbao_stage.ansible.workdir / "elsewhere")}
    details(look_up(openbao_stage, token_url=django.token_url, grant_type="refresh_token", env=elsewhere))


@pytest.mark.parametrize(
    ("client_auth", "secret", "scope", "text"),
    [
        ("basic", "not-the-one", "read", "invalid_client. Check client_id and client_secret there"),
        ("post", "not-the-one", "read", "invalid_client. Check client_id and client_secret there"),
        ("post", AWKWARD, "of_nothing", "invalid_scope. Check the scope (scope, variant, token_url, extra_parameters)."),
    ],
)
def test_refusals_of_django_are_explained(openbao_stage: Stage, django: DjangoOAuth, client_auth: str, secret: str, scope: str, text: str) -> None:
    openbao_stage.vault.put(PATH, {"client_id": "machine", "client_secret": secret})
    run = look_up(openbao_stage, token_url=django.token_url, client_auth=client_auth, scope=scope)
    assert run.rc == 2
    assert f"secret/{PATH} (version 1): {text}" in " ".join(run.output.split())
    assert secret not in run.output


def test_django_gives_consent_in_a_browser(openbao_stage: Stage, django: DjangoOAuth, chromium: Browser) -> None:
    """This server requires PKCE and an exact redirect address, and rotates its refresh tokens."""
    openbao_stage.vault.put(PATH, {"client_id": "web", "client_secret": AWKWARD, "redirect_uri": "http://127.0.0.1:8400/callback"})
    env = writing(openbao_stage)
    given = {
        "vendor": "theirs",
        "path": PATH,
        "redirect_uri": "",
        "trackops_theirs_token_url": django.token_url,
        "trackops_theirs_scope": "read",
        "authorize_url": f"{django.url}/o/authorize/",
        "wait": False,
    }
    url = step(openbao_stage, given, env).result("authorize")["authorization_url"]
    chromium.open(url)
    chromium.type("#id_username", USER["username"])
    chromium.type("#id_password", USER["password"])
    chromium.click("[type=submit]")
    chromium.click("[name=allow]")
    # Nobody listens there: the person copies the address.
    back = wait_for("the redirect", lambda: chromium.url.startswith("http://127.0.0.1:8400/callback?code=") and chromium.url)
    run = step(openbao_stage, {**given, "redirect_response": back}, env)
    assert run.rc == 0, run
    options = {"token_url": django.token_url, "grant_type": "authorization_code", "scope": "read", "env": env}
    assert details(look_up(openbao_stage, **options))["source"] == "cache"
    found = details(look_up(openbao_stage, force=True, **options))
    assert knows(django, "/o/introspect/", found["access_token"], "web")["username"] == "ada"
    # A code is valid once.
    again = step(openbao_stage, {**given, "redirect_response": back}, env)
    assert "or it was used before. Start again. Nothing was stored." in " ".join(again.output.split())


def step(stage: Stage, given: dict[str, t.Any], env: dict[str, str | None]) -> Run:
    run = stage.playbook("trackops.api_tokens.authorize", "-e", json.dumps(given), env=env)
    assert "redirect_response" in given or run.rc == 0, run
    return run


# oidc-provider


@pytest.mark.parametrize(("client", "client_auth"), [("basic client", "basic"), ("post", "post")])
def test_oidc_accepts_client_credentials_with_only_the_issuer(openbao_stage: Stage, oidc: OidcProvider, client: str, client_auth: str) -> None:
    openbao_stage.vault.put(PATH, {"client_id": client, "client_secret": AWKWARD})
    found = details(look_up(openbao_stage, issuer=oidc.url, client_auth=client_auth))
    assert (found["token_type"], lifetime(found)) == ("Bearer", 600)
    if client_auth == "post":
        facts = knows(oidc, "/token/introspection", found["access_token"], client)
        assert (facts["active"], facts["client_id"]) == (True, client)


def test_oidc_refuses_a_secret_that_is_not_encoded(openbao_stage: Stage, oidc: OidcProvider) -> None:
    openbao_stage.vault.put(PATH, {"client_id": "basic client", "client_secret": AWKWARD})
    run = look_up(openbao_stage, token_url=oidc.token_url, client_auth="basic_raw")
    assert run.rc == 2
    assert "the vendor " in run.output


def test_oidc_accepts_private_key_jwt(openbao_stage: Stage, oidc: OidcProvider, key: tuple[str, dict[str, t.Any]]) -> None:
    openbao_stage.vault.put(PATH, {"client_id": "signed", "private_key": key[0], "key_id": "first"})
    by_issuer = details(look_up(openbao_stage, issuer=oidc.url, client_auth="private_key_jwt"))
    by_address = details(look_up(openbao_stage, token_url=oidc.token_url, client_auth="private_key_jwt"))
    assert by_issuer["access_token"] != by_address["access_token"]
    another, _public = rsa_pair()
    openbao_stage.vault.put(PATH, {"client_id": "signed", "private_key": another, "key_id": "first"})
    run = look_up(openbao_stage, issuer=oidc.url, client_auth="private_key_jwt", force=True, env=None)
    assert run.rc == 2
    assert "invalid_client" in run.output


def test_oidc_gives_consent_in_a_browser(openbao_stage: Stage, oidc: OidcProvider, chromium: Browser) -> None:
    """OpenID Connect issues a refresh token only for offline_access, and only with prompt=consent, here in the query of authorize_url."""
    openbao_stage.vault.put(PATH, {"client_id": "native", "client_secret": AWKWARD})
    env = writing(openbao_stage)
    given = {
        "vendor": "theirs",
        "path": PATH,
        "trackops_theirs_issuer": oidc.url,
        "trackops_theirs_scope": "openid offline_access",
        "authorize_url": f"{oidc.url}/auth?prompt=consent",
    }
    command = ["ansible-playbook", "trackops.api_tokens.authorize", "-e", json.dumps(given)]
    asking = openbao_stage.ansible.start(command, env=openbao_stage.environment(env))
    url = asking.wait_ready("the address", lambda: re.search(r"^(http\S+response_type=\S+)$", asking.output(), re.MULTILINE), timeout=300)[1]
    assert parse_qs(urlsplit(url).query)["code_challenge_method"] == ["S256"]
    chromium.open(url)
    chromium.forget()
    chromium.open(url)
    chromium.type("[name=login]", "ada")
    chromium.type("[name=password]", "anything")
    chromium.click("[type=submit]")
    chromium.wait_text("body", "offline")
    chromium.click("[type=submit]")
    chromium.wait_text("#outcome", "stored")
    assert asking.popen.wait(60) == 0, asking.output()
    first = openbao_stage.vault.get(PATH)["refresh_token"]
    options = {"issuer": oidc.url, "scope": "openid offline_access", "grant_type": "authorization_code", "env": env}
    found = details(look_up(openbao_stage, force=True, **options))
    assert (found["source"], found["scope"]) == ("vendor", "openid offline_access")
    assert openbao_stage.vault.get(PATH)["refresh_token"]
    assert first


def test_oidc_gives_consent_on_another_device(openbao_stage: Stage, oidc: OidcProvider, chromium: Browser) -> None:
    """OpenID Connect issues a refresh token only for offline_access, and only with prompt=consent, here in the query of the endpoint."""
    openbao_stage.vault.put(PATH, {"client_id": "device", "client_secret": AWKWARD})
    env = writing(openbao_stage)
    given = {
        "vendor": "theirs",
        "path": PATH,
        "flow": "device",
        "trackops_theirs_issuer": oidc.url,
        "trackops_theirs_scope": "openid offline_access",
        "trackops_theirs_device_authorization_url": f"{oidc.url}/device/auth?prompt=consent",
    }
    command = ["ansible-playbook", "trackops.api_tokens.authorize", "-e", json.dumps(given)]
    asking = openbao_stage.ansible.start(command, env=openbao_stage.environment(env))
    filled = asking.wait_ready("the address", lambda: re.search(r"^(http\S+user_code=\S+)$", asking.output(), re.MULTILINE), timeout=300)[1]
    chromium.open(filled)
    chromium.forget()
    chromium.open(filled)
    chromium.click("[type=submit][form='op.deviceConfirmForm']")
    chromium.type("[name=login]", "ada")
    chromium.type("[name=password]", "anything")
    chromium.click("[type=submit]")
    chromium.wait_text("body", "offline")
    chromium.click("[type=submit]")
    chromium.wait_text("body", "Sign-in Success")
    assert asking.popen.wait(60) == 0, asking.output()
    assert openbao_stage.vault.get(PATH)["refresh_token"]
    options = {"issuer": oidc.url, "scope": "openid offline_access", "grant_type": "authorization_code", "env": env}
    found = details(look_up(openbao_stage, force=True, **options))
    assert (found["source"], found["scope"]) == ("vendor", "openid offline_access")
