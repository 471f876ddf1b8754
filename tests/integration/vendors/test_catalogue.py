# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The descriptions in docs/catalogue.md as printed, against servers that do what the vendors' documentation says, at the vendors' addresses."""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib
import re
import typing as t

import yaml
from emulator.catalogue import ACCOUNTS, HOSTS, TOKEN, Account, answer
from support.front import Front
from support.lookups import Batch, Checks, Outcome, leaked, lifetime, one_line
from support.pki import rsa_pair

if t.TYPE_CHECKING:
    import pytest
    from emulator.base import Answer, Call
    from support.pki import Ca
    from support.stage import Stage

CATALOGUE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "catalogue.md"
#: The values for <…> on the page.
YOURS = {
    "installation id": "4711",
    "tenant": "acme.onmicrosoft.com",
    "my domain": "acme",
    "instance": "acme",
    "org": "acme",
    "vcenter": "vcenter.acme.example",
    "account": "2b794097",
    "subdomain": "acme",
}
ROWS = ("From", "Secret", "Rights", "Lifetime", "Differs", "Refusal")
LIFETIMES = {"google": 3599, "servicenow": 1799, "entra": 3599, "box": 4169, "crowdstrike": 1799, "dynatrace": 300, "pagerduty": 2592000}
#: The ways whose secret is a key.
WITH_A_KEY = ("github_app", "github_app narrow", "entra certificate", "google", "okta", "docusign", "box jwt")
#: The error for a wrong secret: what to check, and what the vendor says. There may be further advice in between.
REFUSALS = {
    "github_app": "HTTP 401. Check client_id and private_key there{again} The vendor says: A JSON web token could not be decoded",
    "github_app narrow": "HTTP 401. Check client_id and private_key there{again} The vendor says: A JSON web token could not be decoded",
    "entra": (
        "invalid_client. Check client_id and client_secret there{again}"
        " The vendor says: AADSTS7000215: Invalid client secret provided. Trace ID: 6f6c Timestamp: 2026-11-26 04:00:00Z"
    ),
    "entra certificate": (
        "invalid_client. Check client_id and private_key there{again} The vendor says: "
        "AADSTS700027: The certificate used to sign the client assertion is not registered. Trace ID: 6f6c Timestamp: 2026-11-26 04:00:00Z"
    ),
    "google": "invalid_grant. Check client_email and private_key there{again} The vendor says: Invalid JWT Signature.",
    "salesforce": ("invalid_client. Check client_id and client_secret there{again} The vendor says: invalid client credentials"),
    "servicenow": "server_error. Check client_id, client_secret, username and password there{again} The vendor says: access_denied",
    "servicenow refresh_token": "server_error. Check client_id, client_secret and refresh_token there{again} The vendor says: access_denied",
    "servicenow client_credentials": "server_error. Check client_id and client_secret there{again} The vendor says: access_denied",
    "okta": ("invalid_client. Check client_id and private_key there{again} The vendor says: The client_assertion signature is invalid."),
    "zoom": ("invalid_client. Check client_id and client_secret there{again} The vendor says: Invalid client_id or client_secret"),
    "docusign": "invalid_grant. Check client_id and private_key there{again} The vendor says: no_valid_keys_or_signatures",
    "box": "invalid_grant. Check client_id, client_secret and enterprise_id there{again} The vendor says: Grant credentials are invalid",
    "box jwt": "invalid_grant. Check client_id, client_secret, private_key and enterprise_id there{again} The vendor says: Grant credentials are invalid",
    "vcenter": "HTTP 401. Check username and password there{again} The vendor says: Invalid credentials",
    "crowdstrike": ("HTTP 403. Check client_id and client_secret there{again} The vendor says: Failed to issue access token - Client authentication failed"),
    "dynatrace": None,  # below
    "pagerduty": ("invalid_client. Check client_id and client_secret there{again} The vendor says: Invalid client credentials"),
    "geotab": "InvalidUserException. Check database, username and password there{again} The vendor says: Incorrect login credentials",
    "wialon": "8. Check token there{again}",
}
AGAIN = "; the next attempt is made as soon as the secret changes, or in 30 s."
SECRET = ("client_secret", "password", "private_key", "token", "refresh_token")
#: Parts of documented requests that the vendor does not require.
NOT_NEEDED = {("okta", "client_id"), ("crowdstrike", "token_type_hint")}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A section of the page."""

    vendor: str
    description: dict[str, t.Any]
    rows: dict[str, str]

    def fields(self, variant: str) -> set[str] | None:
        """The fields of the secret, from its `vault kv put` line; None if they come from a file."""
        line = self.rows.get(f"Secret of `variant='{variant}'`", self.rows["Secret"])
        (words,) = re.findall(rf"^`vault kv put secret/fleet/{self.vendor} (.+)`$", line)
        return None if words.startswith("@") else {word.partition("=")[0] for word in words.split()}


def entries() -> list[Entry]:
    found = []
    for section in CATALOGUE.read_text(encoding="utf-8").split("\n## ")[1:]:
        text = re.sub(r"<([^>]+)>", lambda match: YOURS[match[1]], re.findall(r"```yaml\n(trackops_vendors:.*?)```", section, re.DOTALL)[0])
        ((vendor, description),) = yaml.safe_load(text)["trackops_vendors"].items()
        rows = dict(re.findall(r"^\| (\w[^|]*?) \| (.*) \|$", section, re.MULTILINE))
        found.append(Entry(vendor, description, rows))
    return found


def ways(entry: Entry) -> t.Iterator[tuple[str, str]]:
    """The names and variants to try; Docusign's demo environment is left out, as it differs only in its addresses."""
    yield entry.vendor, ""
    for variant in entry.description.get("variants", {}):
        if variant != "demo":
            yield f"{entry.vendor} {variant}", variant


def test_each_entry_of_the_catalogue_is_complete() -> None:
    found = entries()
    assert {entry.vendor for entry in found} == set(ACCOUNTS) == {endpoint.vendor for endpoint in HOSTS.values()}
    assert {name for entry in found for name, _variant in ways(entry)} == set(REFUSALS)
    text = CATALOGUE.read_text(encoding="utf-8")
    for entry, heading in zip(found, re.findall(r"^## (.+)$", text, re.MULTILINE), strict=True):
        assert set(ROWS) <= set(entry.rows), entry.vendor
        assert re.search(r"\[[^]]+\]\(https://[^)]+\)", entry.rows["From"]), entry.vendor
        assert f"[{heading}](#{heading.lower().replace(' ', '-')})" in text


def secret_of(entry: Entry, variant: str, account: Account, keys: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The secret, with the fields of the page's `vault` line."""
    known = {**account.more, "private_key": keys["private"], "certificate": account.certificate}
    known |= {name: getattr(account, name) for name in ("client_id", "client_secret", "username", "password")}
    fields = entry.fields(variant)
    if fields is None:  # a service account's file
        return {
            "type": "service_account",
            "project_id": "fleet-1",
            "private_key_id": account.more["key_id"],
            "private_key": keys["private"],
            "client_email": account.client_id,
            "client_id": "113791460000000000000",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    return {name: known[name] for name in fields}


def wrong(secret: t.Mapping[str, t.Any], name: str, other_key: str) -> dict[str, t.Any]:
    """The same secret, with a wrong key, password, client secret or token."""
    if name in WITH_A_KEY and name != "box jwt":
        return {**secret, "private_key": other_key}
    spoilt = next(field for field in ("password", "client_secret", "token") if field in secret)
    return {**secret, spoilt: "wr0ng-" + secret[spoilt][::-1]}


def test_each_entry_of_the_catalogue_obtains_a_token(openbao_stage: Stage, ca: Ca, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, found = openbao_stage, entries()
    private, public = rsa_pair()
    keys = {"private": private, "other": rsa_pair()[0]}
    for account in ACCOUNTS.values():
        monkeypatch.setattr(account, "public_key", public)
        monkeypatch.setattr(account, "certificate", ca.client().cert_pem)
    described = {"trackops_vendors": {entry.vendor: entry.description for entry in found}}
    servers = Servers()
    with Front(ca, HOSTS, servers.answer) as front:
        common = {"http_proxy": front.url, "http_ca_cert": front.ca_cert}
        batch = Batch(stage, output="details", cache="none", **common)
        secrets: set[str] = set()
        for entry in found:
            for name, variant in ways(entry):
                secret = secret_of(entry, variant, ACCOUNTS[entry.vendor], keys)
                place, options = name.replace(" ", "-"), {"vendor": entry.vendor, **({"variant": variant} if variant else {})}
                for folder, held in (("fleet", secret), ("wrong", wrong(secret, name, keys["other"]))):
                    stage.vault.put(f"{folder}/{place}", held)
                    batch.add(f"{folder} {name}", "oauth2", f"{folder}/{place}", variables=described, **options)
                    secrets |= {str(value) for field, value in held.items() if field in SECRET}
        give_back(batch, described, common)
        done = batch.run()

    assert front.unknown == []
    with Checks() as check:
        for entry in found:
            for name, _variant in ways(entry):
                with check(name):
                    check_token(entry, done[f"fleet {name}"].value)
                    check_refusal(name, entry.vendor, done[f"wrong {name}"])
        with check("no secret is shown"):
            assert leaked(done.run.output, secrets) == []
        with check("a token is given back"):
            assert not done["give back"].error
            assert [call.path for host, call in front.calls if host == "api.crowdstrike.com"][-2:] == ["/oauth2/token", "/oauth2/revoke"]
        with check("the servers are strict"):
            assert servers.lax == []
            assert servers.tried == set(ACCOUNTS)


def give_back(batch: Batch, described: dict[str, t.Any], common: dict[str, str]) -> None:
    """Cache a token, then purge it: CrowdStrike documents how to revoke one."""
    batch.add("kept", "oauth2", "fleet/crowdstrike", variables=described, vendor="crowdstrike", cache="file")
    purge = {"vendor": "crowdstrike", "path": "fleet/crowdstrike", "state": "absent", **common}
    batch.task({"name": "give back", "trackops.api_tokens.token_cache": purge, "vars": described})


def check_token(entry: Entry, token: dict[str, t.Any]) -> None:
    assert token["vendor"] == entry.vendor
    assert token["access_token"].endswith(TOKEN + entry.vendor)
    scheme = entry.description.get("authorization_scheme", "Bearer")
    assert token["authorization"] == f"{scheme} {token['access_token']}".strip()
    assert lifetime(token) == entry.description.get("default_lifetime", LIFETIMES.get(entry.vendor, 3600))
    beside = {
        "salesforce": {"instance_url": "https://acme.my.salesforce.com"},
        "zoom": {"api_url": "https://api.zoom.us"},
        "geotab": {"result": {"path": "my23.geotab.com"}},
        "wialon": {"host": "212.98.173.107"},
    }
    expected = beside.get(entry.vendor, {})
    assert {name: token["extra"].get(name) for name in expected} == expected
    assert "g1s-session" not in json.dumps(token)


def check_refusal(name: str, vendor: str, outcome: Outcome) -> None:
    where = f"secret/wrong/{name.replace(' ', '-')} (version 1)"
    if vendor == "dynatrace":
        begin = f"dynatrace: the vendor at sso.dynatrace.com rejected the token request for {where} (HTTP 400). "
        begin, end, code = f"{begin}Check the options of this vendor, and client_id and client_secret there", ". The vendor says: Bad Request", "TRK-L04"
    else:
        begin, _again, end = str(REFUSALS[name]).partition("{again}")
        begin, end = f"{vendor}: the vendor refused the credentials at {where}: {begin}", AGAIN + end
        code = "TRK-L02" if "invalid_grant" in begin else "TRK-L01"
    assert outcome.error.startswith(begin), outcome.error
    assert outcome.error.endswith(end.rstrip(".") + "."), outcome.error
    assert outcome.error_code == code
    assert one_line(outcome.error)


class Servers:
    """The vendors. Each accepted request is repeated at once without one of its parts, for each part; the vendor must reject these."""

    def __init__(self) -> None:
        self.lax: list[str] = []
        self.tried: set[str] = set()

    def answer(self, host: str, call: Call) -> Answer:
        given, vendor = answer(host, call), HOSTS[host].vendor
        if taken(given):
            self.tried.add(vendor)
            self.lax += [f"{vendor} without {part}" for part, less in lessened(call) if (vendor, part) not in NOT_NEEDED and taken(answer(host, less))]
        return given


def taken(given: Answer) -> bool:
    return given.status < 400 and b'"error": ' not in given.body


def lessened(call: Call) -> t.Iterator[tuple[str, Call]]:
    for header in ("Authorization", "Content-Type", "Accept"):
        if header in call.headers and (header != "Accept" or "github" in call.headers[header]):
            less = copy.copy(call)
            less.headers = copy.copy(call.headers)
            less.headers._headers = [pair for pair in call.headers.items() if pair[0] != header]  # type: ignore[attr-defined]
            yield header, less
    if call.headers.get("Content-Type") == "application/json":
        document = json.loads(call.body)
        if "params" in document:
            for name in document["params"]:
                yield name, dataclasses.replace(call, body=json.dumps({**document, "params": without(document["params"], name)}).encode())
    else:
        pairs = call.body.decode().split("&") if call.body else []
        for pair in pairs:
            yield pair.partition("=")[0], dataclasses.replace(call, body="&".join(other for other in pairs if other != pair).encode())
    yield "its path", dataclasses.replace(call, path=call.path + "x")
    yield "its method", dataclasses.replace(call, method="PUT")


def without(mapping: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    return {key: value for key, value in mapping.items() if key != name}
