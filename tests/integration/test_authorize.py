# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consent in the browser: a real Chromium on the vendor's pages, the playbook that waits for it, Vault before and after."""

from __future__ import annotations

import contextlib
import html
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import typing as t
from urllib.parse import parse_qs, urlsplit, urlunsplit

import pytest
import requests
from support.ansible import Run
from support.processes import descendants, free_port, wait_for

if t.TYPE_CHECKING:
    from support.browser import Browser
    from support.stage import Stage

PLAYBOOK = "trackops.api_tokens.authorize"
PATH = "fleet/trackmage"
NOTHING = " Nothing was stored."
LOOKUP = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Token
      ansible.builtin.debug:
        msg: "{{ lookup('trackops.api_tokens.trackmage', 'fleet/trackmage', variant='authorization_code', output='details',
          force=force | default(false) | bool) }}"
    - name: The vendor takes the token
      ansible.builtin.uri:
        url: "{{ trackops_trackmage_base_url }}/api/shipments"
        headers: "{{ lookup('trackops.api_tokens.trackmage', 'fleet/trackmage', variant='authorization_code', output='headers') }}"
"""
ACME = """
trackops_vendors:
  acme:
    base_url: {base}
    token_url: /token
    authorize_url: /authorize
    grant_type: authorization_code
    client_auth: basic
    pkce: true
"""


def _shown(output: str) -> str:
    """The address for the browser; empty if there is none yet."""
    found = re.search(r"^(https?://\S+response_type=\S+)$", output, re.MULTILINE)
    return found[1] if found else ""


class Asking:
    """The playbook in the background, waiting for the browser."""

    def __init__(self, stage: Stage, *arguments: str, vendor: str = "trackmage", path: str = PATH, env: dict[str, str | None] | None = None) -> None:
        command = [PLAYBOOK, *stage.extra(), "-e", f"vendor={vendor}", "-e", f"path={path}", *arguments]
        self.process = stage.ansible.start(["ansible-playbook", *command], env=stage.environment({**writing(stage), **(env or {})}))
        self.url = str(self.process.wait_ready("the address", lambda: _shown(self.process.output()), timeout=300))

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}

    def ended(self, *, timeout: float = 60) -> tuple[int, str]:
        """The exit status, and the whole output on one line."""
        status = self.process.popen.wait(timeout)
        return status, " ".join(self.process.output().split())


def writing(stage: Stage) -> dict[str, str | None]:
    rules = 'path "secret/data/*" { capabilities = ["create", "read", "update"] }'
    return {"VAULT_TOKEN": stage.vault.token(stage.vault.policy("consent", rules))}


def ask_and_return(url: str) -> tuple[int, str]:
    """Request *url* as a browser would, without any proxy of this machine; returns the status and the page."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=300, allow_redirects=False)
        return answer.status_code, answer.text


def common() -> list[str]:
    return ["-e", "vendor=trackmage", "-e", f"path={PATH}"]


def processes_of_all() -> str:
    """What ps shows to every user."""
    shown = []
    for place in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            shown.append(place.read_bytes().decode(errors="replace").replace("\0", " "))
    return "\n".join(shown)


# Run a command as another user of this machine. Only root can: otherwise it runs as the current user, and permissions are not tested.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


def as_nobody(*command: str) -> int:
    if not NOBODY:
        pytest.skip("only root can become another user")
    return subprocess.run([*NOBODY, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False).returncode


def said(run: Run) -> str:
    return " ".join(run.output.split())


@pytest.fixture
def there(openbao_stage: Stage) -> Stage:
    openbao_stage.store("trackmage", PATH, note="kept")
    return openbao_stage


# With a browser


def log_in(chromium: Browser, user: t.Mapping[str, str]) -> None:
    chromium.type("#username", user["username"])
    chromium.type("#password", user["password"])
    chromium.click("#submit")


def test_consent_in_a_browser_and_the_tokens_after_it(stage: Stage, chromium: Browser) -> None:
    stage.store("trackmage", PATH, note="kept")
    user = stage.credentials("trackmage_user")
    env = writing(stage)
    asking = Asking(stage, env=env)
    chromium.open(asking.url)
    log_in(chromium, user)
    chromium.click("#allow")
    shown = chromium.wait_text("#outcome", "stored")
    status, output = asking.ended()

    assert (status, shown) == (0, f"trackmage: the refresh token is stored at secret/{PATH} (version 2).")
    assert shown in output
    stored = stage.vault.get(PATH)
    first = stored.pop("refresh_token")
    assert stored == {**stage.credentials("trackmage"), "note": "kept"}
    assert asking.query.keys() == {"response_type", "client_id", "redirect_uri", "state"}
    exchange = stage.emulator.requests("trackmage", kind="token")[-1]
    assert (exchange["method"], exchange["grant_type"], exchange["status"]) == ("POST", "authorization_code", 200)
    # The output shows no secret, and the address contains none.
    for secret in (*stage.emulator.secrets(), stored["client_secret"]):
        assert secret not in output
        assert secret not in asking.url

    # Consent also returned a token, which is served while it is valid.
    run = stage.playbook(LOOKUP, env=env)
    assert run.rc == 0, run
    assert (run.result("Token")["msg"]["source"], run.result("Token")["msg"]["extra"]["user_email"]) == ("cache", user["username"])
    assert len(stage.emulator.requests("trackmage", kind="token")) == 1

    # Renewed: the vendor rotates the refresh token, and the new one is in Vault.
    run = stage.playbook(LOOKUP, "-e", "force=true", env=env)
    assert run.rc == 0, run
    stored = stage.vault.get(PATH)
    assert stored.pop("refresh_token") != first
    assert stored == {**stage.credentials("trackmage"), "note": "kept"}
    assert [r["grant_type"] for r in stage.emulator.requests("trackmage", kind="token")] == ["authorization_code", "refresh_token"]

    # On another controller, with only Vault.
    run = stage.playbook(LOOKUP, env={**env, "XDG_CACHE_HOME": str(stage.ansible.workdir / "another")})
    assert run.rc == 0, run
    assert [r["error"] for r in stage.emulator.requests("trackmage", kind="token")] == [None, None, None]


def test_consent_denied_in_the_browser_stores_nothing(there: Stage, chromium: Browser) -> None:
    asking = Asking(there)
    chromium.open(asking.url)
    log_in(chromium, there.credentials("trackmage_user"))
    chromium.click("#deny")
    shown = chromium.wait_text("#outcome", "denied")
    status, output = asking.ended()
    assert shown == "trackmage: the consent was denied in the browser (access_denied). The vendor says: The user denied the request." + NOTHING + " [TRK-A01]"
    assert status == 2
    assert shown in output
    assert "refresh_token" not in there.vault.get(PATH)
    assert there.emulator.requests("trackmage", kind="token") == []


def test_other_users_cannot_see_the_address_that_the_browser_opens(there: Stage) -> None:
    """The browser stays in the foreground, as lynx does. The test looks at it as another user of this machine could."""
    script = there.ansible.write(
        "browser.sh",
        f"""\
        #!/bin/sh
        echo $$ > "{there.ansible.workdir}/pid"
        echo "$1" > "{there.ansible.workdir}/opened"
        exec sleep 600
        """,
    )
    script.chmod(0o755)
    asking = Asking(there, env={"BROWSER": f"{script} %s"})
    opened = there.ansible.workdir / "opened"
    page = wait_for("the browser", lambda: opened.exists() and opened.read_text(encoding="utf-8").strip())
    assert page.startswith("file:///")
    content = pathlib.Path(page.removeprefix("file://")).read_text(encoding="utf-8")
    assert html.escape(asking.url) in content
    shown = processes_of_all()
    assert page in shown
    assert asking.query["state"] not in shown
    assert as_nobody("cat", page.removeprefix("file://")) != 0
    # The browser is still running, but the code is exchanged at once.
    assert ask_and_return(there.emulator.consent(asking.url))[0] == 200
    assert asking.ended()[0] == 0
    assert not pathlib.Path(page.removeprefix("file://")).parent.exists()
    os.kill(int((there.ansible.workdir / "pid").read_text(encoding="utf-8")), signal.SIGKILL)


def test_the_page_for_the_browser_leads_to_the_vendor(there: Stage, chromium: Browser) -> None:
    script = there.ansible.write("browser.sh", f'#!/bin/sh\necho "$1" > "{there.ansible.workdir}/opened"\n')
    script.chmod(0o755)
    asking = Asking(there, env={"BROWSER": f"{script} %s"})
    opened = there.ansible.workdir / "opened"
    chromium.open(str(wait_for("the browser", lambda: opened.exists() and opened.read_text(encoding="utf-8").strip())))
    log_in(chromium, there.credentials("trackmage_user"))
    chromium.click("#allow")
    chromium.wait_text("#outcome", "stored")
    assert asking.ended()[0] == 0


# Other users of this machine, and web pages


def test_requests_of_others_to_the_listener_are_not_taken_for_the_answer(there: Stage, chromium: Browser) -> None:
    asking = Asking(there)
    back = there.emulator.consent(asking.url)
    target = urlsplit(asking.query["redirect_uri"])
    forged = back.replace(f"state={asking.query['state']}", "state=forged")
    # Another user's curl: no state, another state, an error, another method, another host.
    for arguments, status in (
        ([f"{asking.query['redirect_uri']}?code=stolen"], 400),
        ([forged], 400),
        ([f"{asking.query['redirect_uri']}?error=access_denied"], 400),
        (["-d", "code=stolen", forged], 501),
        (["-H", "Host: evil.example.com", back], 421),
        ([urlunsplit(target._replace(path="/favicon.ico"))], 404),
    ):
        code = subprocess.run(
            [*NOBODY, "curl", "-s", "--noproxy", "*", "-w", "\\n%{http_code}", *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (code.returncode, code.stdout.rpartition("\n")[2]) == (0, str(status)), code
    # An image in a web page.
    page = there.ansible.write("page.html", f'<img src="{html.escape(forged)}" onerror="document.title=1">')
    chromium.open(page.as_uri())
    wait_for("the image", lambda: chromium.run("return document.title") == "1")
    assert there.emulator.requests("trackmage", kind="token") == []
    # The person's own answer still counts.
    assert ask_and_return(back)[0] == 200
    assert asking.ended()[0] == 0
    assert there.vault.get(PATH)["refresh_token"]


def test_localhost_is_listened_on_at_both_addresses(there: Stage) -> None:
    port = free_port()
    asking = Asking(there, "-e", f"redirect_uri=http://localhost:{port}/callback")
    for address in ("127.0.0.1", "::1"):
        squat = f"import socket; socket.create_server(('{address}', {port}), family=socket.AF_INET6 if ':' in '{address}' else socket.AF_INET)"
        assert as_nobody(sys.executable, "-I", "-c", squat) != 0
    assert ask_and_return(there.emulator.consent(asking.url))[0] == 200
    assert asking.ended()[0] == 0


def test_a_port_in_use_on_one_address_of_localhost_is_reported(there: Stage) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as squatter:
        port = squatter.getsockname()[1]
        run = there.playbook(PLAYBOOK, *common(), "-e", f"redirect_uri=http://localhost:{port}/callback", env=writing(there))
    assert run.rc == 2
    assert f"Cannot listen at [::1]:{port} (address already in use), and another program there could receive the authorization code." in said(run)


# What can go wrong


def test_an_answer_with_another_state_stores_nothing(there: Stage) -> None:
    asking = Asking(there, "-e", "wait_timeout=12")
    back = there.emulator.consent(asking.url)
    status, page = ask_and_return(back.replace(f"state={asking.query['state']}", "state=forged"))
    text = "This is not the response that the playbook is waiting for: it does not have the state of the request."
    assert (status, text in page) == (400, True)
    assert "Requests without the state of this attempt: 1. Nothing was stored." in asking.ended()[1]
    assert "refresh_token" not in there.vault.get(PATH)
    assert there.emulator.requests("trackmage", kind="token") == []


def test_a_used_code_keeps_the_previous_refresh_token(there: Stage) -> None:
    there.store("trackmage", PATH, refresh_token="of-before")
    asking = Asking(there)
    back = there.emulator.consent(asking.url)
    code = parse_qs(urlsplit(back).query)["code"][0]
    spent = {"grant_type": "authorization_code", "code": code, "redirect_uri": asking.query["redirect_uri"], **there.credentials("trackmage")}
    assert requests.post(f"{there.emulator.base_url('trackmage')}/oauth/v2/token", json=spent, timeout=300).status_code == 200
    status, page = ask_and_return(back)
    assert status == 400
    text = "trackmage: the vendor refused the authorization code (invalid_grant): it was used before, has expired"
    assert text in page
    ended, output = asking.ended()
    assert (ended, text in output, NOTHING in output, code in output) == (2, True, True, False)
    assert there.vault.get(PATH)["refresh_token"] == "of-before"


def test_consent_without_a_refresh_token_stores_nothing(there: Stage) -> None:
    there.emulator.set("trackmage", refresh=False)
    asking = Asking(there)
    text = "trackmage: consent was given, but the vendor sent no refresh token, so later tokens could not be obtained."
    status, page = ask_and_return(there.emulator.consent(asking.url))
    assert (status, text in page) == (400, True)
    assert text in asking.ended()[1]
    assert there.vault.get(PATH) == {**there.credentials("trackmage"), "note": "kept"}


def test_a_refusal_of_vault_after_consent_is_reported(there: Stage) -> None:
    asking = Asking(there)
    there.vault.policy("consent", 'path "secret/data/*" { capabilities = ["read"] }')
    status, page = ask_and_return(there.emulator.consent(asking.url))
    assert status == 400
    assert "Consent was given, but is not stored: start again." in page
    assert "Consent was given, but is not stored: start again." in asking.ended()[1]


def test_the_playbook_fails_when_nobody_gives_consent(there: Stage) -> None:
    asking = Asking(there, "-e", "wait_timeout=1")
    status, output = asking.ended()
    assert status == 2
    assert "trackmage: no answer came within 1 s. Nothing was stored. Start again;" in output
    assert "refresh_token" not in there.vault.get(PATH)


def test_a_login_without_write_access_is_refused_before_consent(there: Stage) -> None:
    run = there.playbook(PLAYBOOK, "-e", "vendor=trackmage", "-e", f"path={PATH}")
    assert run.rc == 2
    assert (
        f"trackmage: this Vault login may read secret/{PATH}, but not write it, and the refresh token is stored there. "
        f"Allow 'update' on secret/data/{PATH}." in said(run)
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["vendor=tracx"], "tracx: this vendor needs no consent in the browser: its grant is "),
        (["vendor=trackmage", "secret_version=1"], "trackmage: secret_version pins an older version, so a new refresh token would not be read."),
        (["vendor=trackmage", "engine_version=1", "engine_mount_point=kv"], "trackmage: kv is KV version 1, which has no check-and-set."),
        (["vendor=trackmage", "redirect_uri=http://example.com/back"], "trackmage: redirect_uri would carry the code over plain http."),
        (["vendor=trackmage", "redirect_uri=https://example.com/back"], "the redirect address is not on this machine and there is no terminal"),
        (["vendor=trackmage", "wait=false"], "with wait=false the redirect port must be fixed"),
        ([], "'vendor' is needed"),
    ],
)
def test_unusable_options_are_refused(there: Stage, arguments: list[str], text: str) -> None:
    there.store("tracx", PATH)
    there.store("trackmage", PATH)
    there.vault.kv1()
    there.vault.put1(PATH, there.credentials("trackmage"))
    given = dict(argument.split("=", 1) for argument in arguments)
    variables = {f"trackops_{name}" if name.startswith(("engine", "secret")) else name: value for name, value in given.items()}
    policy = there.vault.policy("both", 'path "secret/data/*" { capabilities = ["read", "update"] }\npath "kv/*" { capabilities = ["read", "update"] }')
    run = there.playbook(PLAYBOOK, "-e", json.dumps({"path": PATH, **variables}), env={"VAULT_TOKEN": there.vault.token(policy)})
    assert run.rc == 2, run
    assert text.strip() in said(run), run


def test_check_mode_sends_no_request(there: Stage) -> None:
    run = there.playbook(PLAYBOOK, "-e", "vendor=trackmage", "-e", f"path={PATH}", "--check", env=writing(there))
    assert run.rc == 0, run
    assert run.result("authorize")["msg"] == f"trackmage: consent for secret/{PATH} would be requested."
    assert there.emulator.requests("trackmage") == []


# Other redirect addresses


def test_consent_works_in_two_steps_without_waiting(there: Stage) -> None:
    common = ["-e", "vendor=trackmage", "-e", f"path={PATH}", "-e", f"listen_port={free_port()}"]
    env = writing(there)
    first = there.playbook(PLAYBOOK, *common, "-e", "wait=false", env=env)
    assert first.rc == 0, first
    url = first.result("authorize")["authorization_url"]
    assert _shown(first.stderr) == url
    back = there.emulator.consent(url)
    forged = there.playbook(PLAYBOOK, *common, "-e", f"redirect_response={back}x", env=env)
    assert "trackmage: this answer does not belong to a consent that this user started here" in said(forged)
    second = there.playbook(PLAYBOOK, *common, "-e", f"redirect_response={back}", env=env)
    assert second.rc == 0, second
    assert there.vault.get(PATH)["refresh_token"]
    again = there.playbook(PLAYBOOK, *common, "-e", f"redirect_response={back}", env=env)
    assert again.rc == 2
    assert "or it was used before. Start again." in said(again)
    assert len(there.emulator.requests("trackmage", kind="token")) == 1
    stored = b"".join(path.read_bytes() for path in there.ansible.cache.rglob("*") if path.is_file())
    assert parse_qs(urlsplit(back).query)["state"][0].encode() not in stored


FIRST_STEP = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Ask
      trackops.api_tokens.authorize: {vendor: trackmage, path: fleet/trackmage, redirect_uri: "http://127.0.0.1:8400/callback", wait: false}
      register: asked
      no_log: true
    - name: Send it
      ansible.builtin.copy: {content: "{{ asked.authorization_url }}", dest: "{{ lookup('env', 'HOME') }}/letter", mode: '0600'}
      no_log: true
"""


def test_the_state_of_a_pending_consent_is_in_no_log(there: Stage) -> None:
    log, letter = there.ansible.workdir / "log", there.ansible.home / "letter"
    run = there.playbook(FIRST_STEP, "-vv", env={**writing(there), "ANSIBLE_LOG_PATH": str(log)})
    assert run.rc == 0, run
    url = _shown(run.stderr)
    state = parse_qs(urlsplit(url).query)["state"][0]
    assert "Ask" in log.read_text(encoding="utf-8")
    assert state not in log.read_text(encoding="utf-8") + run.stdout
    assert letter.read_text(encoding="utf-8") == url


def test_the_redirected_address_can_be_pasted_at_the_terminal(there: Stage) -> None:
    there.store("trackmage", PATH, redirect_uri="https://intranet.example.com/consent")
    there.emulator.set("trackmage", redirect_uris=["https://intranet.example.com/consent"])
    command = [str(there.ansible.bin_dir / "ansible-playbook"), PLAYBOOK, *there.extra(), "-e", "vendor=trackmage", "-e", f"path={PATH}"]
    environment = there.ansible.environment(there.environment(writing(there)))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(there.ansible.workdir)
        os.execve(command[0], command, environment)  # noqa: S606 - a program of this environment
    shown = ""

    def read_until(pattern: str) -> re.Match[str]:
        nonlocal shown
        while not (found := re.search(pattern, shown)):
            shown += os.read(terminal, 4096).decode(errors="replace").replace("\r\n", "\n")
        return found

    try:
        url = read_until(r"(?m)^(https?://\S+response_type=\S+)$")[1]
        read_until("and press Enter")
        os.write(terminal, b"not an address\n")
        read_until("has neither a code nor an error. Try again")
        os.write(terminal, b"https://intranet.example.com/consent?code=stolen&state=forged\n")
        read_until("has a different state: it belongs to another attempt. Try again")
        os.write(terminal, there.emulator.consent(url).encode() + b"\n")
        read_until(r"the refresh token is stored at secret/fleet/trackmage \(version 3\)")
        read_until("PLAY RECAP")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    assert there.vault.get(PATH)["refresh_token"]


def test_a_custom_vendor_can_use_pkce(there: Stage) -> None:
    there.store("acme", "fleet/acme")
    vendors = there.ansible.write("vendors.yml", ACME.format(base=there.emulator.base_url("acme")))
    asking = Asking(there, "-e", f"@{vendors}", vendor="acme", path="fleet/acme")
    assert asking.query["code_challenge_method"] == "S256"
    assert ask_and_return(there.emulator.consent(asking.url))[0] == 200
    assert asking.ended()[0] == 0
    assert there.emulator.requests("acme", kind="token")[-1]["pkce"] is True
    assert there.vault.get("fleet/acme")["refresh_token"]


def test_oauth2_consent_needs_only_the_issuer(there: Stage) -> None:
    there.store("acme", "fleet/acme")
    issuer = there.emulator.base_url("acme")
    variables = json.dumps({"issuer": issuer, "scope": "read write"})
    asking = Asking(there, "-e", variables, vendor="acme", path="fleet/acme")
    assert (asking.query["scope"], asking.query["code_challenge_method"]) == ("read write", "S256")
    assert ask_and_return(there.emulator.consent(asking.url))[0] == 200
    assert asking.ended()[0] == 0
    run = there.playbook(
        f"""
        - hosts: localhost
          gather_facts: false
          tasks:
            - name: Token
              ansible.builtin.debug:
                msg: "{{{{ lookup('trackops.api_tokens.oauth2', 'fleet/acme', issuer='{issuer}', scope='read write',
                  grant_type='authorization_code', output='details', force=true) }}}}"
        """,
        env=writing(there),
    )
    assert run.rc == 0, run
    assert run.result("Token")["msg"]["source"] == "vendor"
    assert [r["grant_type"] for r in there.emulator.requests("acme", kind="token")] == ["authorization_code", "refresh_token"]


# On another device


DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class AskingDevice:
    """The playbook in the background, on a controller without a browser: it shows a code and polls for the outcome."""

    def __init__(self, stage: Stage, *arguments: str) -> None:
        stage.store("acme", "fleet/acme", note="kept")
        variables = json.dumps({"trackops_issuer": stage.emulator.base_url("acme"), "trackops_oauth2_scope": "read", "flow": "device"})
        command = [PLAYBOOK, *stage.extra(), "-e", "vendor=oauth2", "-e", "path=fleet/acme", "-e", variables, *arguments]
        env = {**writing(stage), "ANSIBLE_LOG_PATH": str(stage.ansible.workdir / "log"), "BROWSER": "false", "DISPLAY": None}
        self.process = stage.ansible.start(["ansible-playbook", *command], env=stage.environment(env))
        shown = self.process.wait_ready(
            "the code", lambda: re.search(r"^(http\S+/device)\ncode: (\S+)\n\n.*\n\n(http\S+)$", self.process.output(), re.MULTILINE), timeout=300
        )
        self.address, self.code, self.filled = t.cast("re.Match[str]", shown).groups()

    def ended(self) -> tuple[int, str]:
        return self.process.popen.wait(120), " ".join(self.process.output().split())


def test_the_device_flow_stores_the_refresh_token(openbao_stage: Stage, chromium: Browser) -> None:
    stage = openbao_stage
    stage.emulator.set("acme", device_interval=1, device_slow_down=1)
    asking = AskingDevice(stage)
    assert asking.filled == f"{asking.address}?user_code={asking.code}"
    wait_for("the first question", lambda: stage.emulator.requests("acme", kind="token", error="slow_down"))
    user = stage.credentials("acme")
    chromium.open(asking.address)
    for name, value in (("user_code", asking.code), ("username", user["username"]), ("password", user["password"])):
        chromium.type(f"#{name}", value)
    chromium.click("#allow")
    chromium.wait_text("#outcome", "go back")
    status, output = asking.ended()
    assert status == 0, output
    assert "oauth2: the refresh token is stored at secret/fleet/acme (version 2)." in output

    asked = stage.emulator.requests("acme", kind="token")
    assert [(r["grant_type"], r["error"]) for r in asked] == [(DEVICE, "slow_down"), (DEVICE, None)]
    assert not any(r["early"] for r in asked)  # after slow_down it waited five seconds longer
    stored = stage.vault.get("fleet/acme")
    assert stored.pop("refresh_token")
    assert stored == {**stage.credentials("acme"), "note": "kept"}
    log = (stage.ansible.workdir / "log").read_text(encoding="utf-8")
    assert "the refresh token is stored" in log
    for secret in (asking.code, *stage.emulator.secrets()):
        assert secret not in log
    run = stage.playbook(
        f"""
        - hosts: localhost
          gather_facts: false
          tasks:
            - name: Token
              ansible.builtin.debug:
                msg: "{{{{ lookup('trackops.api_tokens.oauth2', 'fleet/acme', issuer='{stage.emulator.base_url("acme")}', scope='read',
                  grant_type='authorization_code', output='details', force=true) }}}}"
        """,
        env=writing(stage),
    )
    assert run.rc == 0, run
    assert run.result("Token")["msg"]["source"] == "vendor"


@pytest.mark.parametrize(
    ("settings", "decision", "text"),
    [
        ({"device_lifetime": 600}, "deny", "oauth2: the consent was denied on the other device (access_denied)."),
        ({"device_lifetime": 1}, "", "oauth2: nobody entered the code and allowed access within 1 s."),
        ({"device_lifetime": 600, "refresh": False}, "allow", "oauth2: consent was given, but the vendor sent no refresh token"),
    ],
)
def test_a_device_flow_without_consent_stores_nothing(there: Stage, settings: dict[str, t.Any], decision: str, text: str) -> None:
    there.emulator.set("acme", device_interval=1, **settings)
    asking = AskingDevice(there)
    if decision:
        user = there.credentials("acme")
        form = {"user_code": asking.code, "username": user["username"], "password": user["password"], "decision": decision}
        with requests.Session() as session:
            session.trust_env = False
            assert session.post(asking.address, data=form, timeout=300).status_code == 200
    status, output = asking.ended()
    assert (status, text in output, NOTHING in output) == (2, True, True), output
    assert "refresh_token" not in there.vault.get("fleet/acme")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"redirect_uri": "http://127.0.0.1:1/cb"}, "redirect_uri cannot be used with flow=device"),
        ({"wait": False}, "flow=device has no second step, so it always waits."),
        ({"flow": "phone"}, "value of flow must be one of: code, device, got: phone"),
        ({"trackops_issuer": "", "trackops_oauth2_token_url": "http://127.0.0.1:1/t"}, "the URL for the device flow (RFC 8628) is not known."),
    ],
)
def test_unusable_device_options_are_refused(there: Stage, arguments: dict[str, t.Any], text: str) -> None:
    there.store("acme", "fleet/acme")
    given = {"vendor": "oauth2", "path": "fleet/acme", "flow": "device", "trackops_issuer": there.emulator.base_url("acme"), **arguments}
    run = there.playbook(PLAYBOOK, "-e", json.dumps(given), env=writing(there))
    assert (run.rc, text in said(run)) == (2, True), run


@pytest.mark.parametrize("field", ["user_code", "verification_uri", "verification_uri_complete"])
def test_a_device_code_that_contains_a_credential_is_not_shown(there: Stage, field: str) -> None:
    there.store("acme", "fleet/acme")
    secret = there.credentials("acme")["client_secret"]
    value = secret if field == "user_code" else f"https://evil.example/?c={secret}"
    there.emulator.fail("acme", "merge", values={field: value}, kind="device")
    given = {"vendor": "oauth2", "path": "fleet/acme", "flow": "device", "trackops_issuer": there.emulator.base_url("acme")}
    run = there.playbook(PLAYBOOK, "-e", json.dumps(given), "-vvv", env=writing(there))
    assert run.rc == 2, run
    assert "oauth2: the vendor's code or its address contains a credential. Nothing is shown." in said(run)
    assert secret not in run.output


@pytest.mark.parametrize("field", ["token_endpoint", "authorization_endpoint"])
def test_an_endpoint_that_contains_a_credential_is_not_used(there: Stage, field: str) -> None:
    there.store("acme", "fleet/acme")
    secret = there.credentials("acme")["client_secret"]
    there.emulator.fail("acme", "merge", values={field: f"https://login.example/{secret}"}, kind="discovery")
    given = {"vendor": "oauth2", "path": "fleet/acme", "wait": False, "listen_port": 8400, "trackops_issuer": there.emulator.base_url("acme")}
    run = there.playbook(PLAYBOOK, "-e", json.dumps(given), "-vvv", env=writing(there))
    assert run.rc == 2, run
    assert "contains a URL with a credential in it, which is not used." in said(run)
    assert secret not in run.output


def test_the_device_flow_in_check_mode_sends_no_request(there: Stage) -> None:
    there.store("acme", "fleet/acme")
    given = {"vendor": "oauth2", "path": "fleet/acme", "flow": "device", "trackops_issuer": there.emulator.base_url("acme")}
    run = there.playbook(PLAYBOOK, "-e", json.dumps(given), "--check", env=writing(there))
    assert run.rc == 0, run
    assert there.emulator.requests("acme", kind="device") == []


# Vault changes or fails during the flow


def test_changes_by_others_during_consent_are_kept(there: Stage) -> None:
    asking = Asking(there)
    there.store("trackmage", PATH, note="changed by somebody else")
    assert ask_and_return(there.emulator.consent(asking.url))[0] == 200
    assert "(version 3)" in asking.ended()[1]
    assert there.vault.get(PATH)["note"] == "changed by somebody else"


def test_a_run_killed_before_the_write_to_vault_loses_no_consent(there: Stage) -> None:
    """The new refresh token is on the local disk before it is in Vault, so the next run on this controller uses it."""
    with Line(there.vault.server.port) as line:
        env = {**writing(there), "VAULT_ADDR": line.address}
        asking = Asking(there, env=env)
        assert ask_and_return(there.emulator.consent(asking.url))[0] == 200
        assert asking.ended()[0] == 0
        before = there.vault.get(PATH)["refresh_token"]
        there.emulator.set("trackmage", delay=1.5, revoke_family=True)
        run = there.ansible.start_playbook(LOOKUP, *there.extra(), "-e", "force=true", env=there.environment(env))
        wait_for("the request", lambda: len(there.emulator.requests("trackmage", kind="token")) == 2)
        line.cut.set()  # the vendor answers; what is sent to Vault is lost
        wait_for("the answer", lambda: there.emulator.requests("trackmage", kind="token", grant_type="refresh_token", status=200))
        wait_for("the write", line.lost.is_set)
        for pid in (run.pid, *descendants(run.pid)):
            os.kill(pid, signal.SIGKILL)
        run.popen.wait()
        line.cut.clear()
        assert there.vault.get(PATH)["refresh_token"] == before
        there.emulator.set("trackmage", delay=0.0)
        again = there.playbook(LOOKUP, "-e", "force=true", env=env)
        assert again.rc == 0, again
    assert there.vault.get(PATH)["refresh_token"] != before
    # Neither run used a refresh token twice, which would have revoked every token from this consent.
    assert [r["error"] for r in there.emulator.requests("trackmage", kind="token")] == [None, None, None]


def test_concurrent_writes_to_the_secret_are_both_kept(there: Stage) -> None:
    """A refresh token is rotated while someone else changes another field: both changes are kept."""
    env = writing(there)
    asking = Asking(there, env=env)
    assert ask_and_return(there.emulator.consent(asking.url))[0] == 200
    assert asking.ended()[0] == 0
    before = there.vault.get(PATH)["refresh_token"]
    there.emulator.set("trackmage", delay=1.5)
    run = there.ansible.start_playbook(LOOKUP, *there.extra(), "-e", "force=true", env=there.environment(env))
    wait_for("the request", lambda: len(there.emulator.requests("trackmage", kind="token")) == 2)
    there.vault.put(PATH, {**there.vault.get(PATH), "note": "changed by somebody else"})
    assert run.popen.wait(60) == 0
    stored = there.vault.get(PATH)
    assert (stored["note"], stored["refresh_token"] != before) == ("changed by somebody else", True)


class Line:
    """A TCP line to a port of this machine; while it is cut, data is lost in both directions."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cut, self.lost = threading.Event(), threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Line:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _address = self._server.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                for source, target in ((here, there), (there, here)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.cut.is_set():
                    self.lost.set()
                else:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
