# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a run: every way to get a token, and every way in which that fails.

A step is one task, and ``expected`` is how it must end. The bench reports steps that end otherwise, because they test nothing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from emulator.faults import ECHOES
from support.lookups import query
from support.processes import closed_port
from support.stage import BUILT_IN

from .echoing import REDIRECTS
from .ground import Ground

Task = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    family: str
    task: Task
    expected: str = "ok"
    # A fault queued at the vendor for this step: (vendor, fault, options).
    fault: tuple[str, str, dict[str, t.Any]] | None = None
    # Whether the small bench includes it, which has one step of each kind.
    small: bool = False
    on_hosts: bool = False
    # Whether the step passes a token to a module that is not ours. In debug mode, ansible-core shows such arguments despite no_log, and with
    # ANSIBLE_KEEP_REMOTE_FILES it stores them. See docs/security.md.
    hands_over: bool = False

    def as_task(self) -> Task:
        return {"name": self.name, "ignore_errors": True, **self.task}


def shown(expression: str, **variables: t.Any) -> Task:
    """A task that uses a value and shows its length."""
    return {"ansible.builtin.debug": {"msg": "{{ " + expression + " | length }}"}, **({"vars": variables} if variables else {})}


def successes(ground: Ground) -> list[Step]:
    folder, emulator = ground.folder, ground.stage.emulator
    acme = {"vendor": "acme", "token_url": f"{emulator.base_url('acme')}/token", "revocation_url": f"{emulator.base_url('acme')}/revoke"}
    steps: list[Step] = []

    def add(name: str, family: str, task: Task, **more: t.Any) -> None:
        steps.append(Step(name, family, task, **more))

    api = {"vendor": "tracktik", "path": f"{folder}/tracktik", "url": f"{emulator.base_url('tracktik')}/api/things", "return_content": True}
    # Before any other call of that API, because the fault hits the next call.
    refuses = ("tracktik", "status", {"code": 401, "kind": "api"})
    add("api_request, refused once", "module", {"trackops.api_tokens.api_request": api}, fault=refuses)
    add("api_request", "module", {"trackops.api_tokens.api_request": api}, small=True)
    add("password grant, first", "oauth2", shown(query("oauth2", f"{folder}/acme", grant_type="password", scope="renewed", **acme)), small=True)
    for vendor in BUILT_IN:
        headers = query(vendor, f"{folder}/{vendor}", output="headers")
        request = {"url": f"{emulator.base_url(vendor)}/api/things", "headers": "{{ " + headers + "[0] }}"}
        add(f"{vendor} in uri", "lookup", {"no_log": True, "ansible.builtin.uri": request}, small=vendor == "tracx", hands_over=True)
        add(f"{vendor} cached", "lookup", shown(query(vendor, f"{folder}/{vendor}", output="details")), small=vendor == "tracx")
        add(f"{vendor} forced", "lookup", shown(query(vendor, f"{folder}/{vendor}", force=True, output="authorization")), small=vendor == "trackmage")
        add(f"{vendor} without a cache", "lookup", shown(query(vendor, f"{folder}/{vendor}", cache="none")))
        add(f"{vendor} in the shared cache", "lookup", shown(query(vendor, f"{folder}/{vendor}", cache="vault")), small=vendor == "trackunit")
    refused = f"lookup('trackops.api_tokens.tracktik', '{folder}/tracktik')"
    add("tracktik refused", "lookup", shown(f"query('trackops.api_tokens.tracktik', '{folder}/tracktik', refused={refused})"))
    add("claims", "lookup", shown(f"lookup('trackops.api_tokens.trackunit', '{folder}/trackunit') | trackops.api_tokens.jwt_claims"))
    for name, options in {"basic": {"client_auth": "basic"}, "post": {"client_auth": "post"}}.items():
        add(f"client_auth {name}", "oauth2", shown(query("oauth2", f"{folder}/acme", scope=name, **options, **acme)))
    add("client_auth private_key_jwt", "oauth2", shown(query("oauth2", f"{folder}/signed", client_auth="private_key_jwt", **acme)), small=True)
    logins = {
        "token": {"ansible_hashi_vault_auth_method": "token", "ansible_hashi_vault_token": "{{ planted.token }}"},
        "userpass": {
            "ansible_hashi_vault_auth_method": "userpass",
            "ansible_hashi_vault_username": "ada",
            "ansible_hashi_vault_password": "{{ planted.password }}",
        },
        "wrapped": {"ansible_hashi_vault_wrap_ttl": "60s"},
    }
    for name, variables in logins.items():
        add(f"login {name}", "Vault", shown(query("tracx", f"{folder}/tracx"), **variables), small=name == "userpass")
    jwt = "query('trackops.api_tokens.tracx', '{}', auth_method='jwt', role_id='robots', jwt=planted.jwt)"
    add("login jwt", "Vault", shown(jwt.format(f"{folder}/tracx")))
    for state in ("present", "pruned"):
        what = {"vendor": "tracx", "path": f"{folder}/tracx"} if state == "present" else {}
        add(f"token_cache {state}", "module", {"trackops.api_tokens.token_cache": {"state": state, **what}})
    info = {"vendor": "trackunit", "path": f"{folder}/trackunit", "claims": True}
    add("token_info", "module", {"trackops.api_tokens.token_info": info}, small=True)
    items = [{"vendor": vendor, "path": f"{folder}/{vendor}", "dest": "{{ host_root }}/{{ canary }}-" + vendor} for vendor in BUILT_IN]
    for item, layout in zip(items, ("raw", "env", "json", "header"), strict=True):
        item["format"] = layout
    template = {**items[0], "dest": "{{ host_root }}/{{ canary }}-template", "format": "template", "template": "app.ini.j2"}
    on_hosts: dict[str, Task] = {
        "token_file, check mode": {"trackops.api_tokens.token_file": {"tokens": items}, "check_mode": True, "diff": True},
        "token_file": {"trackops.api_tokens.token_file": {"tokens": items}, "diff": True},
        "token_file, template": {"trackops.api_tokens.token_file": {"tokens": [template]}, "diff": True},
        "token_file, forced": {"trackops.api_tokens.token_file": {"tokens": items, "force": True}, "diff": True},
        "token_info of files": {"trackops.api_tokens.token_info": {"tokens": items}},
        "role": {
            "ansible.builtin.include_role": {"name": "trackops.api_tokens.provision"},
            "vars": {"provision_tokens": items, "provision_directory": "{{ host_root }}"},
        },
        "api_request from hosts": {"trackops.api_tokens.api_request": {**api, "vendor": "tracx", "path": f"{folder}/tracx"}},
        "token_file, absent": {"trackops.api_tokens.token_file": {"tokens": items, "state": "absent"}, "diff": True},
    }
    on_hosts["api_request from hosts"]["trackops.api_tokens.api_request"]["url"] = f"{emulator.base_url('tracx')}/api/things"
    for name, task in on_hosts.items():
        add(name, "host", task, on_hosts=True, small=name in ("token_file", "api_request from hosts"))
    renew = query("oauth2", f"{folder}/acme", grant_type="password", scope="renewed", max_age=1, **acme)
    add("renewed with a refresh token", "oauth2", shown(renew), small=True)
    purge = {"vendor": "oauth2", "path": f"{folder}/acme", "state": "absent"}
    add("token_cache absent", "module", {"trackops.api_tokens.token_cache": {**acme, **purge, "vendor": "acme"}})
    return steps


def faults(ground: Ground, *, hostile: str, hostile_login: str, hostile_redirects: str) -> list[Step]:
    """The hostile ones are addresses of an :class:`EchoingVault`."""
    folder, emulator = ground.folder, ground.stage.emulator
    # Each step must ask the vendor again, but even without a cache, a run remembers refusals.
    quick = {"cache": "none", "http_retries": 0, "failure_ttl": 0}
    steps: list[Step] = []

    def add(name: str, family: str, task: Task, **more: t.Any) -> None:
        steps.append(Step(name, family, task, **{"expected": "ignored", **more}))

    def at_vendor(name: str, vendor: str, fault: str, *, expected: str = "ignored", small: bool = False, **options: t.Any) -> None:
        task = shown(query(vendor, f"{folder}/{vendor}", **quick))
        add(f"{vendor} {name}", "vendor", task, fault=(vendor, fault, options), expected=expected, small=small)

    for vendor in BUILT_IN:
        for code in (401, 403, 429, 500, 503):
            at_vendor(f"{code}", vendor, "status", code=code, echo_secret=True)
        at_vendor("web page", vendor, "html", echo_secret=True, small=vendor == "trackmage")
        at_vendor("error with status 200", vendor, "error_200", echo_secret=True)
        at_vendor("malformed header", vendor, "status", code=500, headers={"no colon in this line\r\nX-Next": "line"}, small=vendor == "trackmage")
        at_vendor("connection closed", vendor, "close", small=vendor == "trackmage")
        at_vendor("connection reset", vendor, "close", reset=True)
        at_vendor("connection cut off", vendor, "cut")
        at_vendor("redirect", vendor, "redirect", code=307, small=vendor == "trackmage")
        at_vendor("truncated answer", vendor, "invalid_json", small=vendor == "tracx")
        at_vendor("line break in the token", vendor, "wrong_token", value="at-0123456789\r\nX-Evil: yes")
        add(f"{vendor} unreachable", "network", shown(query(vendor, f"{folder}/{vendor}", base_url=f"http://127.0.0.1:{closed_port()}", **quick)))
    for number, how in enumerate(ECHOES):
        at_vendor(f"repeats the request ({how})", BUILT_IN[number % 4], "oauth_error", error="invalid_client", echo_secret=how, small=how in ("html", "base64"))
    others = {"refreshToken": ground.variables["planted"]["in_a_url"], "nested": {"client_secret": ground.variables["planted"]["in_a_url"]}}
    at_vendor("other secrets in the answer", "tracktik", "merge", values=others, expected="ok")
    # Faults are queued at their vendor, so steps that ask a vendor without a fault come after them.
    for vendor in BUILT_IN:
        add(f"{vendor} wrong credentials", "vendor", shown(query(vendor, f"{folder}/wrong-{vendor}", **quick)), small=vendor == "trackunit")
    in_url = f"'http://me:' ~ planted.in_a_url ~ '@{emulator.host}:{emulator.port}/trackunit'"
    add("credentials in base_url", "options", shown(f"query('trackops.api_tokens.trackunit', '{folder}/trackunit', base_url={in_url})"), small=True)
    reserved = "extra_parameters={'password': planted.in_a_url}"
    add("a reserved parameter", "options", shown(f"query('trackops.api_tokens.trackunit', '{folder}/trackunit', {reserved})"))
    add("a misspelt option", "options", shown(f"query('trackops.api_tokens.trackunit', '{folder}/trackunit', pasword=planted.in_a_url)"))
    key = "http_client_cert=planted.client_cert, http_client_key=planted.broken_key"
    add(
        "a broken client key",
        "options",
        shown(f"query('trackops.api_tokens.tracx', '{folder}/tracx', base_url='https://{emulator.host}:{emulator.port}', {key})"),
    )
    signed = {"vendor": "acme", "token_url": f"{emulator.base_url('acme')}/token", "client_auth": "private_key_jwt", **quick}
    add("the key of another client", "vendor", shown(query("oauth2", f"{folder}/signed-wrong", **signed)))
    add("a broken key", "vendor", shown(query("oauth2", f"{folder}/broken-key", **signed)), small=True)
    add("a nested secret", "Vault", shown(query("trackunit", f"{folder}/nested", **quick)), small=True)
    add("a line break in the password", "vendor", shown(query("trackunit", f"{folder}/line-break", **quick)))
    add("a missing secret", "Vault", shown(query("trackunit", f"{folder}/none", **quick)))
    add("a denied secret", "Vault", shown(query("trackunit", "elsewhere/trackunit", **quick)))
    closed = f"http://127.0.0.1:{closed_port()}"
    variables: dict[str, dict[str, t.Any]] = {
        "wrong token": {"ansible_hashi_vault_auth_method": "token", "ansible_hashi_vault_token": "{{ planted.wrong_token }}"},
        "token with a line break": {"ansible_hashi_vault_auth_method": "token", "ansible_hashi_vault_token": "{{ planted.token_in_two_lines }}"},
        "wrong password": {
            "ansible_hashi_vault_auth_method": "userpass",
            "ansible_hashi_vault_username": "ada",
            "ansible_hashi_vault_password": "{{ planted.wrong_password }}",
        },
        "wrong secret_id": {"ansible_hashi_vault_secret_id": "{{ planted.wrong_secret_id }}"},
        "unreachable": {"ansible_hashi_vault_url": closed},
        "without TLS": {"ansible_hashi_vault_url": ground.stage.vault.address.replace("http", "https")},
        "password in url": {"ansible_hashi_vault_url": "http://me:{{ planted.in_a_url }}@127.0.0.1:1"},
    }
    for name, found in variables.items():
        small = name in ("wrong password", "wrong token")
        add(f"Vault, {name}", "Vault", shown(query("trackunit", f"{folder}/trackunit", **quick), **found), small=small)
    jwt = "auth_method='jwt', role_id='robots', jwt=planted.wrong_jwt"
    add("Vault, wrong jwt", "Vault", shown(f"query('trackops.api_tokens.tracx', '{folder}/tracx', cache='none', {jwt})"))
    for how in ECHOES:
        variables_of = {"ansible_hashi_vault_url": hostile, "ansible_hashi_vault_auth_method": "token", "ansible_hashi_vault_token": "{{ planted.token }}"}
        add(f"a Vault that repeats the token ({how})", "Vault", shown(query("tracx", f"{folder}/tracx", **quick), **variables_of), small=how == "json")
    for how in ECHOES:
        variables_of = {"ansible_hashi_vault_url": hostile_login}
        add(f"a Vault that repeats the login ({how})", "Vault", shown(query("tracx", f"{folder}/tracx", **quick), **variables_of))
    for place in REDIRECTS:
        variables_of = {
            "ansible_hashi_vault_url": hostile_redirects,
            "ansible_hashi_vault_auth_method": "token",
            "ansible_hashi_vault_token": "{{ planted.token }}",
        }
        add(f"a Vault that redirects to {place!r}", "Vault", shown(query("tracx", f"{folder}/tracx", **quick), **variables_of), small="\t" in place)
    add("an unwritable audit log", "disk", shown(query("tracx", f"{folder}/tracx", audit_log="/proc/none/audit")), expected="ok")
    add("a cache path that is a file", "disk", shown(query("tracx", f"{folder}/tracx", cache_path=str(ground.inputs / "variables.json"))), small=True)
    add("a template that fails", "lookup", shown(f"(lookup('trackops.api_tokens.tracx', '{folder}/tracx') | int) + none"))
    item = {"vendor": "tracx", "path": f"{folder}/tracx", "dest": "{{ host_root }}/{{ canary }}-tracx"}
    on_hosts: dict[str, dict[str, t.Any]] = {
        "a template that fails on hosts": {**item, "format": "template", "template": "broken.ini.j2"},
        "a parent directory that is a file": {**item, "dest": "{{ host_root }}/{{ canary }}-note/token"},
        "a symbolic link at dest": {**item, "dest": "{{ host_root }}/{{ canary }}-link"},
        "an unknown owner": {**item, "owner": "nobody-of-this-name"},
        "wrong credentials on hosts": {**item, "path": f"{folder}/wrong-tracx"},
    }
    for name, arguments in on_hosts.items():
        add(name, "host", {"trackops.api_tokens.token_file": arguments, "diff": True}, on_hosts=True, small=name == "a template that fails on hosts")
    return steps
