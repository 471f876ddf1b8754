# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults by name. Each entry is caused, judged and shown in the table."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import time
import typing as t

from support.processes import free_port, wait_for
from support.stage import BUILT_IN

from .place import Case, Fault, Place
from .servers import ANSWERS, Brokens

VENDORS = (*BUILT_IN, "acme")
# OpenBao does not say whether it knows the token.
UNKNOWN_TOKEN = {
    "openbao": "The token may be expired, or none of its policies grants read on",
    "hashicorp": "does not accept the token (permission denied; invalid token): it is wrong, expired or revoked",
}
RFC6749 = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope")


def new_version(place: Place, case: Case) -> None:
    place.store(case)


def acme_options(place: Place) -> dict[str, t.Any]:
    return {"vendor": "acme", "token_url": f"{place.stage.emulator.base_url('acme')}/token"}


def options_of(vendor: str, place: Place) -> dict[str, t.Any]:
    return acme_options(place) if vendor == "acme" else {}


# -- responses of a vendor ---------------------------------------------------------------------------------------------


def vendor_answers(place: Place) -> t.Iterator[Fault]:
    gave_none, down = "gave no token for", "is not available (HTTP {})"
    rows: dict[str, tuple[str, dict[str, t.Any], str]] = {
        **{f"error {code}": ("oauth_error", {"error": code, "echo_secret": True}, f": {code}") for code in RFC6749},
        "401": ("status", {"code": 401, "echo_secret": True}, "refused the credentials"),
        "403": ("status", {"code": 403, "echo_secret": True}, "refused the credentials"),
        "an error with status 200": ("error_200", {"echo_secret": True}, "refused the credentials"),
        "404": ("status", {"code": 404, "body": "nothing here", "content_type": "text/plain"}, "(HTTP 404). Check base_url"),
        "429": ("status", {"code": 429, "echo_secret": True}, "too many requests (HTTP 429)"),
        **{str(code): ("status", {"code": code, "echo_secret": True}, down.format(code)) for code in (500, 502, 503, 504)},
        "a web page": ("html", {"echo_secret": True}, "a web page instead of JSON"),
        "a web page, 503": ("html", {"code": 503, "echo_secret": True}, down.format(503)),
        "an empty body": ("empty", {}, f"{gave_none}|its answer is empty"),
        "truncated JSON": ("invalid_json", {}, gave_none),
        "a list": ("literal", {"body": "[1]"}, gave_none),
        "JSON nested 100,000 levels deep": ("deep_json", {}, gave_none),
        "an answer without a token": ("no_token", {}, f"{gave_none}|has no token in"),
        "a number as the token": ("wrong_token", {"value": 12345}, f"{gave_none}|has no token in"),
        "a line break in the token": ("wrong_token", {"value": "a\nb: c"}, gave_none),
        "a body of 2 MiB": ("huge", {"mib": 2}, "1 MiB"),
        "a gzip bomb": ("gzip_bomb", {"mib": 20}, "1 MiB"),
        "a redirect, 302": ("redirect", {"code": 302}, "redirects to localhost"),
        "a redirect, 307": ("redirect", {"code": 307}, "redirects to localhost"),
        "a redirect, 308": ("redirect", {"code": 308}, "redirects to localhost"),
    }
    refusals = {*(name for name in rows if name.startswith("error ")), "401", "403", "an error with status 200"}
    for vendor in VENDORS:
        for name, (fault, options, says) in rows.items():
            yield Fault(
                f"{vendor} answers with {name}",
                "vendor answers",
                tuple(says.split("|")),
                vendor,
                options=options_of(vendor, place),
                at_vendor=(fault, options),
                after=new_version if name in refusals else None,
                # After a refusal, the credentials are read again: they may have changed.
                reads=2 if name in refusals else 1,
                small=(vendor, name)
                in {
                    ("trackunit", "error invalid_grant"),
                    ("tracx", "503"),
                    ("trackmage", "a web page"),
                    ("acme", "a line break in the token"),
                    ("tracktik", "401"),
                    ("trackmage", "404"),
                    ("tracx", "an empty body"),
                    ("acme", "a redirect, 307"),
                    ("trackunit", "a gzip bomb"),
                },
            )
    yield Fault(
        "trackunit answers with 429 and Retry-After",
        "vendor answers",
        ("HTTP 429", "It asks to wait 90 s"),
        at_vendor=("status", {"code": 429, "retry_after": 90}),
        recovers=False,
    )
    for times, name in ((1, "once"), (2, "twice")):
        yield Fault(
            f"tracktik fails {name} and is retried",
            "vendor answers",
            vendor="tracktik",
            broken={"http_retries": 3},
            at_vendor=("status", {"code": 503, "times": times, "retry_after": 0}),
            asks=times + 1,
            asks_after=0,
        )
    for code in (400, 401, 500):
        yield Fault(
            f"tracktik answers with {code} and is not retried",
            "vendor answers",
            "HTTP 500" if code == 500 else "refused the credentials",
            "tracktik",
            broken={"http_retries": 3},
            at_vendor=("status", {"code": code}),
            after=None if code == 500 else new_version,
            reads=1 if code == 500 else 2,
        )


def odd_answers(place: Place) -> t.Iterator[Fault]:
    """Odd responses that still contain a valid token."""
    rows: dict[str, tuple[str, dict[str, t.Any]]] = {
        "a negative lifetime": ("lifetime", {"value": -5}),
        "a lifetime of 0": ("lifetime", {"value": 0}),
        "a lifetime as a string": ("lifetime", {"value": "3600"}),
        "a lifetime with a fraction": ("lifetime", {"value": 3599.5}),
        "a lifetime of 30,000 years": ("lifetime", {"value": 10**12}),
        "a lifetime of null": ("lifetime", {"value": None}),
        "numbers as strings": ("numbers_as_strings", {}),
        "a byte order mark": ("bom", {}),
        "the token type in capitals": ("token_type", {"value": "BEARER"}),
        "no Date header": ("no_date", {}),
        "a Date header two hours ahead": ("date_skew", {"seconds": 7200}),
        "a Date header two hours behind": ("date_skew", {"seconds": -7200}),
        "unknown keys": ("merge", {"values": {"x": {"y": [1, None, "z"]}}}),
    }
    over = ("a negative lifetime", "a lifetime of 0", "a lifetime of 30,000 years")
    for vendor in ("trackunit", "tracx", "acme"):
        for name, (fault, options) in rows.items():
            if vendor == "tracx" and fault in ("token_type", "lifetime"):
                continue
            yield Fault(
                f"{vendor} answers with {name}",
                "odd answers",
                vendor=vendor,
                options={**options_of(vendor, place), **({"default_lifetime": 3600} if vendor == "acme" else {})},
                at_vendor=(fault, options),
                # This lifetime falls back to five minutes, and may be over before the next run.
                asks_after=None if (vendor, name) == ("tracx", "a Date header two hours ahead") else 0,
                warns="says that it has already expired" if name in over or (vendor, name) == ("tracx", "a Date header two hours ahead") else "",
                small=(vendor, name) in {("trackunit", "a lifetime as a string"), ("tracx", "no Date header"), ("acme", "a byte order mark")},
            )


# -- the network -------------------------------------------------------------------------------------------------------


def network(place: Place, *, mute: str, tls: t.Mapping[str, str]) -> t.Iterator[Fault]:
    nobody = f"http://127.0.0.1:{free_port()}"
    missing = str(place.scratch / "missing.pem")
    ca = tls["ca"]
    plain = place.stage.emulator.url.removeprefix("http://")
    rows: dict[str, tuple[dict[str, t.Any], str]] = {
        "connection refused": ({"base_url": nobody}, "connection refused"),
        "unknown host name": ({"base_url": "https://no-such-host.invalid"}, "cannot be reached"),
        "a server that never answers": ({"base_url": mute, "http_timeout": 0.3}, "did not answer within 0.3 s"),
        "a server without TLS": ({"base_url": f"https://{plain}/trackunit"}, "TLS with the vendor at"),
        "a certificate from an unknown CA": ({"base_url": tls["good"]}, "issuer certificate"),
        "an expired certificate": ({"base_url": tls["expired"], "http_ca_cert": ca}, "certificate has expired"),
        "a certificate for another host": ({"base_url": tls["other"], "http_ca_cert": ca}, "certificate is not valid for"),
        "a server that requires a client certificate": (
            {"base_url": tls["client"], "http_ca_cert": ca},
            f"Check http_ca_cert (now: {ca}), http_client_cert and http_client_key, and the certificate of the vendor.",
        ),
        "a missing CA file": ({"base_url": tls["good"], "http_ca_cert": missing}, "http_ca_cert {missing} cannot be read"),
        "a missing client certificate file": (
            {"base_url": tls["good"], "http_ca_cert": ca, "http_client_cert": missing},
            "http_client_cert {missing} cannot be read",
        ),
        "a dead proxy": ({"http_proxy": nobody}, "the proxy for the vendor"),
        "plain http to another machine": ({"base_url": "http://vendor.example.com"}, "over plain http"),
    }
    for name, (broken, says) in rows.items():
        reads = 0 if name == "plain http to another machine" else 1
        yield Fault(
            f"vendor: {name}",
            "network",
            says.replace("{missing}", missing),
            broken=broken,
            asks=0,
            reads=reads,
            small=name in ("connection refused", "a certificate from an unknown CA"),
        )
    yield Fault(
        "vendor: an answer slower than http_timeout", "network", "did not answer within 0.5 s", broken={"http_timeout": 0.5}, at_vendor=("slow", {"delay": 3})
    )
    yield Fault(
        "vendor: an answer that arrives byte by byte", "network", "did not answer within 1 s", broken={"http_deadline": 1}, at_vendor=("drip", {"delay": 0.3})
    )
    for name, fault, options in (
        ("closed", "close", {}),
        ("reset", "close", {"reset": True}),
        ("cut off", "cut", {}),
        ("closed after the vendor's work", "lose", {}),
    ):
        for vendor in BUILT_IN:
            yield Fault(
                f"{vendor}: the connection is {name}",
                "network",
                "was cut off",
                vendor,
                at_vendor=(fault, options),
                small=(vendor, name) == ("tracktik", "cut off"),
            )


# -- Vault -------------------------------------------------------------------------------------------------------------


def _put(**fields: t.Any) -> t.Callable[[Place, Case], None]:
    def put(place: Place, case: Case) -> None:
        found = {name: value for name, value in {**case.account, **fields}.items() if value is not ...}
        place.stage.vault.put(case.path, found)

    return put


def _deleted(place: Place, case: Case) -> None:
    place.stage.vault.delete(case.path)


def _destroyed(place: Place, case: Case) -> None:
    place.stage.vault.destroy(case.path, 1)


def vault(place: Place, *, mute: str, scripted: str) -> t.Iterator[Fault]:
    operator = place.stage.vault
    policy = operator.read_policy("faults/*")
    role = operator.approle("faults", [policy])
    used_up = operator.approle("once", [policy], secret_id_num_uses=1)
    operator.client.auth.approle.login(role_id=used_up.role_id, secret_id=used_up.secret_id)
    operator.userpass("ada", "the-right-password-of-ada", [policy])
    keys = operator.jwt("robots", [policy])
    revoked, no_rights = operator.token(policy), operator.token("default")
    operator.server.client(token=revoked).auth.token.revoke_self()
    operator.kv1("old")
    approle = {"auth_method": "approle", "role_id": role.role_id}
    userpass = {"auth_method": "userpass", "username": "ada"}
    robots = {"auth_method": "jwt", "role_id": "robots"}
    nobody = f"http://127.0.0.1:{free_port()}"

    secrets: dict[str, tuple[t.Callable[[Place, Case], None], str]] = {
        "a deleted secret": (_deleted, "is deleted"),
        "a destroyed secret": (_destroyed, "destroyed"),
        "a secret without its password": (_put(password=...), "has no field 'password'"),
        "an empty password": (_put(password=""), "empty field 'password'"),
        "a password that is only spaces": (_put(password="   "), "empty field 'password'"),
        "null as the password": (_put(password=None), "field 'password'"),
        "a list as the password": (_put(password=["pw"]), "field 'password'"),
        "a nested secret": (_put(client_secret={"value": "x"}), "field 'client_secret'"),
        "true as the client_id": (_put(client_id=True), "field 'client_id'"),
    }
    for name, (before, says) in secrets.items():
        yield Fault(
            f"Vault: {name}", "Vault", says, before=before, after=new_version, asks=0, small=name in ("a secret without its password", "a deleted secret")
        )
    denied = UNKNOWN_TOKEN[operator.flavour]
    expired = operator.token(policy, ttl="1s")
    over = time.monotonic() + 1.1
    wait_for("the end of a token", lambda: time.monotonic() > over)
    logins: dict[str, tuple[dict[str, t.Any], str]] = {
        "a wrong token": ({"token": "hvs.wrong-token-0123456789"}, denied),
        "a revoked token": ({"token": revoked}, denied),
        "an expired token": ({"token": expired}, denied),
        "a wrong token with token_validate": ({"token": "hvs.wrong-token-0123456789", "token_validate": True}, "does not accept the token"),
        "a token without permissions": ({"token": no_rights}, "denied reading"),
        "a wrong secret_id": ({**approle, "secret_id": "wrong-secret-id-0123"}, "refused the login by approle at auth/approle as role_id"),
        "no secret_id": (approle, "this AppRole needs a secret_id"),
        "a used-up secret_id": (
            {"auth_method": "approle", "role_id": used_up.role_id, "secret_id": used_up.secret_id},
            "refused the login by approle at auth/approle as role_id",
        ),
        "a wrong role_id": (
            {"auth_method": "approle", "role_id": "nobody", "secret_id": role.secret_id},
            "refused the login by approle at auth/approle as role_id nobody",
        ),
        "a wrong password": ({**userpass, "password": "wrong-password-of-ada"}, "refused the login by userpass at auth/userpass as ada"),
        "an unknown user": ({**userpass, "username": "eve", "password": "x" * 20}, "refused the login by userpass at auth/userpass as eve"),
        "no password": (userpass, "needs password"),
        "no username": ({"auth_method": "userpass", "password": "x" * 20}, "needs username"),
        "a login method that is not mounted": ({**userpass, "password": "x" * 20, "mount_point": "nowhere"}, "login by userpass at auth/nowhere as ada"),
        "a JWT for somebody else": ({**robots, "jwt": keys.sign(aud="else")}, "refused the login by jwt"),
        "an expired JWT": ({**robots, "jwt": keys.sign(exp=1_000_000_000)}, "refused the login by jwt"),
        "no JWT at all": ({**robots, "jwt": "not-a-jwt"}, "refused the login by jwt"),
        "a role that there is not": ({"auth_method": "jwt", "role_id": "none", "jwt": keys.sign()}, "refused the login by jwt at auth/jwt as role none"),
        "ldap where there is none": ({"auth_method": "ldap", "username": "ada", "password": "x" * 20}, "login by ldap at auth/ldap as ada"),
    }
    if operator.flavour == "openbao":  # HashiCorp's free edition has no namespaces and ignores the option
        logins["an unknown namespace"] = ({"namespace": "no/such/team"}, "(namespace no/such/team)")
    for name, (broken, says) in logins.items():
        named = not says.startswith("needs")  # a missing option has nothing to do with the path
        login = next((f"auth/{method}/login" for method in ("approle", "jwt", "ldap") if f"by {method}" in says or name == "no secret_id"), "")
        login = {"a wrong password": "auth/userpass/login/ada", "an unknown user": "auth/userpass/login/eve"}.get(name, login)
        small, reads = name in ("a wrong token", "a wrong password"), 1 if says == denied or says.startswith("denied") else 0
        yield Fault(f"Vault: {name}", "Vault login", says, broken=broken, asks=0, names_path=named, login=login, reads=reads, small=small)
    paths: dict[str, tuple[dict[str, t.Any], str]] = {
        "a missing secret": ({"path": "faults/none"}, "has no secret at secret/faults/none"),
        "a denied path": ({"path": "elsewhere/x"}, "denied reading secret/data/elsewhere/x"),
        "a missing mount": ({"engine_mount_point": "nowhere"}, "has nothing mounted at nowhere"),
        "a mount of another team": ({"engine_mount_point": "theirs"}, "denied reading theirs/data/"),
        "KV version 2 read as version 1": ({"engine_version": "1"}, "has KV version 2 at secret, but version 1 was requested. Set engine_version=2."),
        "KV version 1 read as version 2": ({"engine_mount_point": "old"}, "has KV version 1 at old, but version 2 was requested. Set engine_version=1."),
        "a missing version of the secret": ({"secret_version": 99}, "or not its version 99"),
        "a missing field in credential_fields": ({"credential_fields": {"password": "pw"}}, "has no field 'pw'"),
    }
    for name, (broken, says) in paths.items():
        elsewhere = "path" in broken or "engine_mount_point" in broken or "engine_version" in broken
        small = name in ("a denied path", "KV version 2 read as version 1")
        yield Fault(f"Vault: {name}", "Vault", says, broken=broken, asks=0, reads=0 if elsewhere else 1, names_path="path" not in broken, small=small)
    wire: dict[str, tuple[dict[str, t.Any], str]] = {
        "connection refused": ({"url": nobody}, "connection refused"),
        "unknown host name": ({"url": "https://no-such-vault.invalid:8200"}, "its host name does not resolve"),
        "a server that never answers": ({"url": mute, "timeout": 1, "retries": 0}, "did not answer within 1 s"),
        "a server without TLS": ({"url": operator.address.replace("http:", "https:")}, "does not speak TLS"),
        "a dead proxy": ({"proxies": nobody}, "cannot be reached through the proxy"),
        "another web server": ({"url": place.stage.emulator.url}, "comes from a proxy or another service, not from Vault"),
        "a url without a scheme": ({"url": "vault.example.com"}, "url must be the address of Vault"),
        "a missing CA file": (
            {"url": operator.address.replace("http:", "https:"), "ca_cert": "/nowhere/ca.pem"},
            "ca_cert /nowhere/ca.pem cannot be read",
        ),
    }
    for name, (broken, says) in wire.items():
        yield Fault(
            f"Vault: {name}",
            "network to Vault",
            says,
            broken=broken,
            asks=0,
            reads=0,
            names_path=name != "a url without a scheme",
            small=name in ("connection refused", "a server that never answers"),
        )
    not_kv2, not_from_vault = "is not a secret of KV version 2", "comes from a proxy or another service, not from Vault"
    answers = {
        **{status: f"failed (reading secret/data/PATH): status {status} (scripted)" for status in ("400", "405", "472", "473")},
        **{status: f"cannot serve now: status {status} (scripted)" for status in ("500", "502", "503", "504")},
        "404": "has no secret at secret/PATH (KV version 2)",
        "412": "is a replica that is not up to date yet",
        "429": "its rate limit is reached",
        **dict.fromkeys(("web-page", "web-page-503", "garbage", "list", "null"), not_from_vault),
        **dict.fromkeys(("empty", "no-data", "data-null", "data-list", "text-as-data"), not_kv2),
        "huge": "sent more than 4 MiB",
        "redirect": "redirects to http://127.0.0.1:1, which cannot be reached",
        "bad-gzip": "whose compression is broken or unknown",
        "cut": "broke off its answer",
        "drip": "did not answer within 1 s",
    }
    for name in (*ANSWERS, "cut", "drip"):
        quick = {"url": f"{scripted}/{name}", "timeout": 1, "retries": 0}
        says = tuple(answers[name].split("PATH"))
        yield Fault(f"Vault answers with {name}", "Vault answers", says, broken=quick, asks=0, reads=0, small=name in ("503", "garbage", "412", "cut"))


def broken_vaults(brokens: Brokens) -> t.Iterator[Fault]:
    """Real Vaults that cannot serve, or whose TLS is not trusted."""
    tls = brokens.tls
    rows: dict[str, tuple[dict[str, t.Any], str]] = {
        "that is sealed": ({"url": brokens.sealed.address}, "is sealed. An operator must unseal it first."),
        "that is paused with open connections": ({"url": brokens.paused.address, "timeout": 1, "retries": 0}, "did not answer within 1 s"),
        "that is gone": ({"url": brokens.gone.address}, "cannot be reached: connection refused"),
        "with a certificate from an unknown CA": ({"url": tls.address}, "has a certificate that is not trusted here"),
        "with a certificate for another name": (
            {"url": tls.address, "ca_cert": tls.ca_cert},
            "has a certificate for another host name",
        ),
        "that is contacted without TLS": ({"url": tls.address.replace("https", "http")}, "speaks TLS only: begin url with https://"),
        "that requires a client certificate": ({"url": tls.mutual_address, "ca_cert": tls.ca_cert}, "it requires a client certificate that it trusts"),
        "whose CA file has no certificate": ({"url": tls.address, "ca_cert": __file__}, "contains no certificate"),
        "that does not know the token": ({"url": tls.address, "ca_cert": tls.ca_cert}, UNKNOWN_TOKEN[tls.flavour]),
    }
    for name, (broken, says) in rows.items():
        env = {"VAULT_TLS_SERVER_NAME": "vault.example.com"} if "another name" in name else {}
        yield Fault(f"a Vault {name}", "broken Vaults", says, broken=broken, env=env, asks=0, reads=0)


# -- the cache ---------------------------------------------------------------------------------------------------------


def _files(case: Case) -> list[pathlib.Path]:
    """The entries of a case's cache."""
    return [path for path in case.cache.iterdir() if path.name != "key" and path.suffix in ("", ".hit")]


def _on_entries(change: t.Callable[[pathlib.Path], object]) -> t.Callable[[Place, Case], None]:
    def changed(_place: Place, case: Case) -> None:
        found = _files(case)
        if not found:
            raise SystemExit(f"{case.fault.name}: the cache has no entry to damage")
        for path in found:
            change(path)

    return changed


def _replaced(make: t.Callable[[pathlib.Path], object]) -> t.Callable[[pathlib.Path], None]:
    def replace(path: pathlib.Path) -> None:
        path.unlink()
        make(path)

    return replace


def _flipped(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def _folder(make: t.Callable[[pathlib.Path], object]) -> t.Callable[[Place, Case], None]:
    def made(_place: Place, case: Case) -> None:
        case.cache.parent.mkdir(parents=True, exist_ok=True)
        make(case.cache)

    return made


def _open_folder(path: pathlib.Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def _foreign_folder(path: pathlib.Path) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, 12345, 12345)


def _left_by_killed(path: pathlib.Path) -> None:
    path.mkdir(mode=0o700)
    for end in (".lock", ".tmp"):
        (path / f"{'0' * 32}{end}").touch(0o600)


def _sweep(_place: Place, case: Case) -> None:
    """Do what `token_cache state=pruned` does, which is tested elsewhere."""
    for end in (".lock", ".tmp"):
        (case.cache / f"{'0' * 32}{end}").unlink(missing_ok=True)


def _remove(_place: Place, case: Case) -> None:
    subprocess.run(["umount", str(case.cache)], capture_output=True, check=False)
    if shutil.which("chattr") and case.cache.is_dir():
        subprocess.run(["chattr", "-i", "-a", str(case.cache)], capture_output=True, check=False)
    if case.cache.is_symlink() or case.cache.is_file():
        case.cache.unlink()
    else:
        shutil.rmtree(case.cache, ignore_errors=True)


def _mounted(*options: str, full: bool = False) -> t.Callable[[pathlib.Path], None]:
    def mount(path: pathlib.Path) -> None:
        path.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(("mode=0700", *options)), "tmpfs", str(path)], check=True)
        if full:
            filler = os.open(path / ("f" * 32), os.O_WRONLY | os.O_CREAT, 0o600)
            with contextlib.suppress(OSError):
                while True:
                    os.write(filler, b"x" * 4096)
            os.close(filler)

    return mount


def _attributed(attribute: str) -> t.Callable[[pathlib.Path], None]:
    """Set a file attribute that keeps even root from writing."""

    def set_it(path: pathlib.Path) -> None:
        path.mkdir(mode=0o700)
        subprocess.run(["chattr", f"+{attribute}", str(path)], check=True)

    return set_it


def has_attributes(scratch: pathlib.Path) -> bool:
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        return False
    probe = scratch / "probe"
    probe.mkdir()
    done = [subprocess.run(["chattr", change, str(probe)], capture_output=True, check=False).returncode == 0 for change in ("+i", "-i", "+a", "-a")]
    probe.rmdir()
    return all(done)


def can_mount(scratch: pathlib.Path) -> bool:
    if os.geteuid() != 0:
        return False
    probe = scratch / "probe"
    probe.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(probe)], capture_output=True, check=False).returncode == 0
    if done:
        subprocess.run(["umount", str(probe)], check=False)
    probe.rmdir()
    return done


def cache(place: Place) -> t.Iterator[Fault]:
    entries: dict[str, t.Callable[[pathlib.Path], object]] = {
        "that is truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        "that is empty": lambda path: path.write_bytes(b""),
        "with random bytes": lambda path: path.write_bytes(os.urandom(500)),
        "without its first line": lambda path: path.write_bytes(path.read_bytes().partition(b"\n")[2]),
        "with one bit changed": _flipped,
        "that others can read": lambda path: path.chmod(0o644),
        "of 20 MiB": lambda path: path.write_bytes(b"x" * (20 * 2**20)),
        "replaced by a symbolic link": _replaced(lambda path: path.symlink_to("/etc/hostname")),
        "replaced by a FIFO": _replaced(lambda path: os.mkfifo(path, 0o600)),
        "with unrelated JSON": lambda path: path.write_text(json.dumps({"schema": 99})),
    }
    if os.geteuid() == 0:
        entries["of another user"] = lambda path: os.chown(path, 12345, 12345)
    for name, change in entries.items():
        yield Fault(f"cache: an entry {name}", "cache", warm=True, before=_on_entries(change), asks_after=0, small=name == "that is truncated")
    keys: dict[str, t.Callable[[pathlib.Path], object]] = {
        "missing": os.unlink,
        "truncated": lambda path: path.write_bytes(path.read_bytes()[:7]),
        "replaced by another one": lambda path: path.write_bytes(os.urandom(32)),
        "readable by others": lambda path: path.chmod(0o644),
    }
    for name, change in keys.items():
        yield Fault(f"cache: the key is {name}", "cache", warm=True, before=lambda _place, case, change=change: change(case.cache / "key"), asks_after=0)  # type: ignore[misc]
    yield Fault(
        "cache: files left behind by killed processes",
        "cache",
        before=_folder(_left_by_killed),
        after=_sweep,
        tidy=False,
        asks_after=0,
    )
    folders: dict[str, tuple[t.Callable[[pathlib.Path], object], str]] = {
        "a file": (lambda path: path.write_text("a file"), "is not a directory"),
        "a symbolic link": (lambda path: path.symlink_to("/tmp"), "is a symbolic link"),  # noqa: S108
        "writable by everybody": (_open_folder, "can be written by others"),
    }
    if os.geteuid() == 0:
        folders["owned by another user"] = (_foreign_folder, "belongs to another user")
    for name, (make, says) in folders.items():
        yield Fault(
            f"cache: the folder is {name}", "cache", says, before=_folder(make), after=_remove, asks=0, reads=0, tidy=False, small=name == "a symbolic link"
        )
    if has_attributes(place.scratch):
        for name, attribute in {"immutable (chattr +i)": "i", "append-only (chattr +a)": "a"}.items():
            warns = "it is immutable or append-only, lsattr shows it, chattr changes it"
            yield Fault(f"disk: {name}", "disk", before=_folder(_attributed(attribute)), after=_remove, tidy=False, warns=warns)
    if can_mount(place.scratch):
        for name, mount in {"read-only": _mounted("ro"), "full": _mounted("size=64k", full=True)}.items():
            yield Fault(f"disk: {name}", "disk", before=_folder(mount), after=_remove, tidy=False, warns="cannot be written", small=name == "full")


# -- options -----------------------------------------------------------------------------------------------------------


def options(place: Place) -> t.Iterator[Fault]:
    rows: dict[str, tuple[dict[str, t.Any], str]] = {
        "misspelt": ({"mn_ttl": 5}, "did you mean min_ttl?"),
        "unknown output": ({"output": "secret"}, "Use one of: token, authorization, headers, details."),
        "unknown variant": ({"variant": "v3"}, "Use one of: password, v2."),
        "engine_version 3": ({"engine_version": "3"}, "Use one of: 2, 1, auto."),
        "unknown auth_method": ({"auth_method": "magic"}, "Use one of: token, userpass"),
        "unknown cache": ({"cache": "redis"}, "Use one of:"),
        "min_ttl is not a number": ({"min_ttl": "soon"}, "min_ttl"),
        "min_ttl below 0": ({"min_ttl": -1}, "min_ttl"),
        "max_age is not a number": ({"max_age": "old"}, "max_age"),
        "failure_ttl is not a number": ({"failure_ttl": "abc"}, "failure_ttl"),
        "failure_ttl below 0": ({"failure_ttl": -1}, "failure_ttl"),
        "http_timeout 0": ({"http_timeout": 0}, "http_timeout"),
        "http_retries below 0": ({"http_retries": -2}, "http_retries"),
        "http_deadline is not a number": ({"http_deadline": "later"}, "http_deadline"),
        "secret_version is not a number": ({"secret_version": "newest"}, "secret_version"),
        "variant as a list": ({"variant": ["password"]}, "variant"),
        "credential_fields as a string": ({"credential_fields": "{{"}, "credential_fields"),
        "extra_parameters as a list": ({"extra_parameters": ["a"]}, "extra_parameters"),
        "a reserved parameter": ({"extra_parameters": {"password": "x"}}, "must not contain 'password'"),
        "a client key without its certificate": ({"http_client_key": "k.pem"}, "http_client_key needs http_client_cert"),
        "url without a scheme": ({"url": "vault.example.com"}, "url must be the address of Vault"),
        "timeout below 0": ({"timeout": -3}, "timeout"),
        "retries is not a number": ({"retries": "often"}, "retries"),
        "base_url with ftp": ({"base_url": "ftp://vendor"}, "is not a usable http(s) address"),
        "a missing scope": ({"variant": "v2"}, "scope is needed"),
        "an empty path": ({"path": ""}, "path"),
    }
    for name, (broken, says) in rows.items():
        yield Fault(
            f"option: {name}",
            "options",
            says,
            broken=broken,
            asks=0,
            reads=0,
            names_path=False,
            small=name in ("misspelt", "variant as a list", "failure_ttl below 0"),
        )


# -- refresh tokens and the shared cache -------------------------------------------------------------------------------


def renewing(place: Place) -> t.Iterator[Fault]:
    """An old token must be renewed with its refresh token, which the vendor rotates."""
    acme = {**acme_options(place), "grant_type": "password"}
    old = {"max_age": 1}
    rows: dict[str, tuple[tuple[str, dict[str, t.Any]], tuple[int, ...]]] = {
        "refused": (("oauth_error", {"error": "invalid_grant"}), (2,)),
        "answered with 503": (("status", {"code": 503}), (1, 2)),
        "answered with 500": (("status", {"code": 500}), (1, 2)),
        "answered with a web page": (("html", {}), (1, 2)),
        "closed after the vendor's work": (("lose", {}), (1, 2)),
        "closed": (("close", {}), (1, 2)),
        "cut off": (("cut", {}), (1, 2)),
    }
    for vendor, given in (("acme", acme), ("tracktik", {})):
        for name, ((fault, settings), asks) in rows.items():
            yield Fault(
                f"{vendor}: the refresh request is {name}",
                "refresh tokens",
                vendor=vendor,
                options=given,
                broken=old,
                at_vendor=(fault, {**settings, "times": 1}),
                warm=True,
                asks=asks,
                asks_after=0,
                small=(vendor, name) in {("acme", "closed after the vendor's work"), ("tracktik", "refused")},
            )
    for name, ((fault, settings), _asks) in rows.items():
        if name != "refused":
            yield Fault(
                f"acme is down: the refresh and the full grant are {name}",
                "refresh tokens",
                vendor="acme",
                options=acme,
                broken=old,
                at_vendor=(fault, settings),
                warm=True,
                asks=(1, 2),
                asks_after=0,
                warns="still valid",
            )


def shared(place: Place) -> t.Iterator[Fault]:
    """Problems of the cache in Vault. If Vault denies it, the controller continues alone with a warning; a wrong mount is an error."""
    common = {"cache": "vault"}
    alone = "Until this is fixed, tokens are not shared with other controllers."
    yield Fault(
        "shared cache: access is denied", "shared cache", options=common, broken={"cache_vault_path": "not/ours"}, warns=alone, asks_after=0, small=True
    )
    rows: dict[str, tuple[dict[str, t.Any], str]] = {
        "is at a missing mount": ({"cache_vault_mount": "nowhere"}, "has nothing at nowhere/data/trackops/api_tokens/"),
        "is at a mount of KV version 1": ({"cache_vault_mount": "old"}, "old is not a KV engine of version 2. Check cache_vault_mount."),
    }
    for name, (broken, says) in rows.items():
        yield Fault(f"shared cache: {name}", "shared cache", says, options=common, broken=broken, asks=0, reads=0)
