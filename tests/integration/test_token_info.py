# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C(token_info), and the playbook C(status) with its page in a real browser."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import pathlib
import re
import stat
import struct
import tempfile
import time

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import names
from support.browser import Browser
from support.hosts import interpreter
from support.sshd import SshHosts
from support.stage import Stage

FILES = [
    {"vendor": "trackunit", "format": "raw"},
    {"vendor": "tracx", "format": "env"},
    {"vendor": "tracktik", "format": "json"},
    {"vendor": "trackmage", "format": "header"},
]


@pytest.fixture
def stage(openbao_stage: Stage) -> Stage:
    openbao_stage.store_all()
    return openbao_stage


def info(stage: Stage, arguments: str, *more: str, **options):
    run = stage.adhoc("localhost", "-m", "trackops.api_tokens.token_info", "-a", arguments, *more, **options)
    found = re.search(r"localhost \| \w+!? => (\{.*\n\})", run.stdout, re.DOTALL)
    return run, json.loads(found.group(1)) if found else {}


def test_a_token_is_described_without_its_text(stage: Stage) -> None:
    begun = int(time.time())
    run, known = info(stage, "vendor=trackunit claims=true")
    assert run.rc == 0, run
    assert (known["vendor"], known["path"], known["valid"], known["scope"], known["source"]) == ("trackunit", "trackunit", True, "api", "vendor")
    assert known["changed"] is False and known["token_type"] == "Bearer"
    assert begun + 3600 <= known["expires_at"] <= time.time() + 3600 and 0 < known["expires_in"] <= 3600
    assert re.fullmatch(r"sha256:[0-9a-f]{16}", known["fingerprint"])
    assert begun + 3600 <= known["claims"]["exp"] <= time.time() + 3600
    assert info(stage, "vendor=trackunit")[1]["source"] == "cache"
    assert [secret for secret in stage.emulator.secrets() if len(secret) > 7 and secret in run.output] == []


def test_credentials_in_scope_and_claims_are_not_shown(stage: Stage) -> None:
    stage.store("trackunit", note="Pr0duction-Passw0rd")
    password = stage.credentials("trackunit")["password"]
    claims = {"sub": "me", "exp": int(time.time()) + 600, "password": password, "again": f"it is {password}", "url": "https://x.example/?token=abc"}
    token = "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".c2ln"
    stage.emulator.set("trackunit", extra_answer={"access_token": token, "scope": "api Pr0duction-Passw0rd"})
    run, known = info(stage, "vendor=trackunit claims=true", "-vvv")
    assert run.rc == 0, run
    assert (known["scope"], known["claims"]) == (None, {"sub": "me", "exp": claims["exp"]})
    assert [secret for secret in (password, "Pr0duction", token) if secret in run.output] == []


def test_without_fetch_no_request_is_sent(stage: Stage) -> None:
    run, known = info(stage, "vendor=tracx fetch=false", env={"VAULT_ADDR": "http://127.0.0.1:9"})
    assert run.rc == 0, run
    assert (known["valid"], known["expires_at"]) == (False, None)
    assert stage.emulator.requests() == []


ERRORS: tuple[tuple[dict[str, object], str], ...] = (
    ({"path": "x"}, "token_info needs 'vendor', or 'file' or 'tokens' for files on the host."),
    ({"vendor": "trackunti"}, f"There is no vendor 'trackunti'; did you mean trackunit? Known: {', '.join(names())}, oauth2."),
    ({"file": "tok/x"}, "tok/x: file must be an absolute path"),
    ({"vendor": "tracx", "min_tll": 5}, "there is no option 'min_tll'; did you mean min_ttl?"),
    (
        {"tokens": [{"vendor": "tracx"}], "vendors": {"mine": {"token_url": "https://v.example/t"}}},
        "there is no option 'vendors' for tracx; only oauth2 and your own vendors accept it.",
    ),
    ({"vendor": "tracx", "path": "fleet/none"}, "has no secret at secret/fleet/none"),
)


def test_wrong_arguments_are_reported(stage: Stage) -> None:
    tasks = [{"name": message, "trackops.api_tokens.token_info": arguments, "ignore_errors": True} for arguments, message in ERRORS]
    run = stage.playbook(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], indent=1))
    for _arguments, message in ERRORS:
        [task] = run.find(message)
        assert task.status == "ignored" and message in task.result["msg"], run
    assert "Traceback" not in run.output


def test_files_on_hosts_are_described(stage: Stage, ssh_hosts: SshHosts) -> None:
    tokens = json.dumps([{**file, "dest": "{{ host_root }}/" + file["vendor"]} for file in FILES])
    play = f"""
- hosts: fleet
  gather_facts: false
  tasks:
    - trackops.api_tokens.token_file:
        tokens: {tokens}
    - name: Look
      trackops.api_tokens.token_info:
        tokens: {tokens}
    - name: Same
      trackops.api_tokens.token_info:
        vendor: tracx
        file: "{{{{ host_root }}}}/tracx"
    - name: Claims
      trackops.api_tokens.token_info:
        file: "{{{{ host_root }}}}/trackunit"
        claims: true
    - name: None
      trackops.api_tokens.token_info:
        file: "{{{{ host_root }}}}/nothing"
"""
    run = stage.playbook(play, "-vvvvv", inventory=ssh_hosts.inventory())
    assert run.rc == 0, run
    looked = run.result("Look", host="host2")
    assert looked["valid"] is True
    assert [(token["vendor"], token["mode"], token["valid"]) for token in looked["tokens"]] == [(f["vendor"], "0600", True) for f in FILES]
    assert all(0 < token["expires_in"] <= 3600 for token in looked["tokens"])
    assert run.result("Same", host="host1")["file"]["current"] is True
    claims = run.result("Claims", host="host1")["file"]
    assert claims["claims"]["exp"] == claims["expires_at"]
    gone = run.result("None", host="host1")
    assert (gone["valid"], gone["file"]["exists"]) == (False, False)
    assert [secret for secret in stage.emulator.secrets() if len(secret) > 7 and secret in run.output] == []


def test_a_file_from_a_template_is_not_taken_for_empty(stage: Stage, ssh_hosts: SshHosts, tmp_path: pathlib.Path) -> None:
    template = tmp_path / "conf.j2"
    template.write_text("[api]\nheader = {{ token.authorization }}\n")
    variables = tmp_path / "tokens.json"
    tokens = [{"vendor": "tracx", "template": str(template)}, {"vendor": "trackunit", "format": "raw"}]
    variables.write_text(json.dumps({"provision_tokens": tokens, "provision_directory": "{{ host_root }}/tokens", "provision_format": "template"}))
    options = ["-e", f"@{variables}", "--limit", "host1"]
    assert stage.playbook("trackops.api_tokens.provision", *options, inventory=ssh_hosts.inventory()).rc == 0
    status = stage.playbook("trackops.api_tokens.status", *options, inventory=ssh_hosts.inventory())
    assert status.rc == 0, status
    assert "tokens/tracx  (?) expiry not known" in status.output
    path = ssh_hosts.root("host1") / "tokens" / "tracx"
    run = stage.adhoc("host1", "-m", "trackops.api_tokens.token_info", "-a", f"vendor=tracx file={path}", inventory=ssh_hosts.inventory())
    looked = run.result("token_info")
    assert (looked["valid"], looked["file"]["valid"], looked["file"]["current"]) == (True, None, None)
    path.write_text("")
    emptied = stage.playbook("trackops.api_tokens.status", *options, inventory=ssh_hosts.inventory())
    assert emptied.rc == 2 and "(!) holds no token" in emptied.output


def test_leftover_and_exposed_files_are_reported(stage: Stage, ssh_hosts: SshHosts, fleet: list[str]) -> None:
    folder = ssh_hosts.root("host1") / "tokens"
    absent = [*fleet, "--limit", "host1", "-e", "provision_state=absent"]
    left = stage.playbook("trackops.api_tokens.status", *absent, inventory=ssh_hosts.inventory())
    assert left.rc == 2 and "4 of 4 need attention" in left.output
    assert re.search(r"host1 +\S+/tokens/tracx +\(!\) left over: it should be absent", left.output), left
    for file in folder.iterdir():
        file.unlink()
    gone = stage.playbook("trackops.api_tokens.status", *absent, inventory=ssh_hosts.inventory())
    assert gone.rc == 0 and "no tokens" in gone.output, gone
    assert "Could not match" not in gone.output

    folder = ssh_hosts.root("host2") / "tokens"
    (folder / "trackunit").chmod(0o644)
    (folder / "tracktik").chmod(0o640)
    options = [*fleet, "--limit", "host2"]
    open_to_all = stage.playbook("trackops.api_tokens.status", *options, inventory=ssh_hosts.inventory())
    assert re.search(r"tokens/trackunit +\(!\) every user of the host can read it \(mode 0644\)", open_to_all.output), open_to_all
    assert open_to_all.rc == 2 and "1 of 4 need attention" in open_to_all.output


@pytest.fixture
def wanted(tmp_path: pathlib.Path) -> list[str]:
    """The tokens that hosts should have, whether they have them or not."""
    variables = tmp_path / "tokens.json"
    variables.write_text(json.dumps({"provision_tokens": FILES, "provision_directory": "{{ host_root }}/tokens"}))
    return ["-e", f"@{variables}"]


@pytest.fixture
def fleet(stage: Stage, ssh_hosts: SshHosts, wanted: list[str]) -> list[str]:
    """Three hosts: one in order, one with a token that expires soon, one without files; and one that is unreachable."""
    done = stage.playbook("trackops.api_tokens.provision", *wanted, "--limit", "host1,host2", inventory=ssh_hosts.inventory())
    assert done.rc == 0, done
    path = ssh_hosts.root("host2") / "tokens" / "tracx"
    path.write_text(re.sub(r"EXPIRES_AT=\d+", f"EXPIRES_AT={int(time.time()) + 500}", path.read_text()))
    return wanted


def test_status_prints_a_table_and_sets_the_exit_code(stage: Stage, ssh_hosts: SshHosts, fleet: list[str]) -> None:
    asked = len(stage.emulator.requests())
    nowhere = {"VAULT_ADDR": "http://127.0.0.1:9"}
    good = stage.playbook("trackops.api_tokens.status", *fleet, "--limit", "host1", inventory=ssh_hosts.inventory(), env=nowhere)
    assert good.rc == 0 and "in order: 4 (status_all=true shows them)" in good.output and "tokens/tracx" not in good.output, good
    everything = stage.playbook("trackops.api_tokens.status", *fleet, "--limit", "host1", "-e", "status_all=true", inventory=ssh_hosts.inventory(), env=nowhere)
    assert re.search(r"host1\s+\S+/tokens/tracx\s+\d+ min left", everything.output), everything
    several = json.dumps({"provision_hosts": ["host1", "host2"]})
    soon = stage.playbook("trackops.api_tokens.status", *fleet, "-e", several, inventory=ssh_hosts.inventory())
    assert "0 of 8 need attention" in soon.output, soon
    assert soon.rc == 0 and re.search(r"host2\s+\S+/tokens/tracx\s+\(soon\) \d min left", soon.output), soon
    assert "vendor tracx: 0 of 2 need attention, 1 soon" in soon.output
    bad = stage.playbook("trackops.api_tokens.status", *fleet, inventory=ssh_hosts.inventory())
    assert bad.rc == 2 and re.search(r"host3\s+\S+/tokens/tracx\s+\(!\) missing", bad.output), bad
    assert "4 of 12 need attention" in bad.output
    assert re.search(r"4 of 4 need attention: \S+/tokens/trackunit missing; ", bad.output)
    assert {host: counts["failures"] for host, counts in bad.stats.items() if host != "localhost"} == {"host1": 0, "host2": 0, "host3": 1}
    assert "in order: 7 (status_all=true shows them)" in bad.output
    states = re.findall(r"(host\d) +/\S+ +(\(\S+\))?", bad.output[: bad.output.index("in order: 7")])
    assert [host for host, _mark in states][:4] == ["host3"] * 4, "what needs attention comes first"
    assert len(stage.emulator.requests()) == asked


def test_status_reports_an_unreachable_host(stage: Stage, wanted: list[str], tmp_path: pathlib.Path) -> None:
    inventory = tmp_path / "lost.ini"
    inventory.write_text("lost ansible_host=127.0.0.9 ansible_port=9 host_root=/nowhere\n")
    run = stage.playbook("trackops.api_tokens.status", *wanted, inventory=inventory)
    assert run.rc != 0 and re.search(r"lost\s+-\s+\(!\) unreachable", run.output), run
    assert run.stats["lost"]["failures"] == 1 and "1 of 1 need attention: unreachable." in run.output


@pytest.mark.parametrize("pattern", ["nobody", "empty"])
def test_status_fails_without_any_host(stage: Stage, ssh_hosts: SshHosts, wanted: list[str], pattern: str) -> None:
    run = stage.playbook("trackops.api_tokens.status", *wanted, "-e", f"provision_hosts={pattern}", inventory=ssh_hosts.inventory())
    assert run.rc == 2 and f"No host of the inventory matches {pattern}. Check the inventory and provision_hosts." in run.output, run


def test_status_shows_all_files_despite_an_odd_one(stage: Stage, ssh_hosts: SshHosts, fleet: list[str]) -> None:
    folder = ssh_hosts.root("host1") / "tokens"
    (folder / "tracx").write_text("junk")
    (folder / "tracktik").unlink()
    (folder / "tracktik").symlink_to("tracx")
    run = stage.playbook("trackops.api_tokens.status", *fleet, "--limit", "host1", "-e", "status_all=true", inventory=ssh_hosts.inventory())
    assert run.rc == 2, run
    for file, state in (
        ("trackunit", r"\d+ min left"), ("tracx", r"\(!\) holds no token"), ("trackmage", r"\d+ min left"),
        ("tracktik", r"\(!\) cannot be read: is a symlink; it is not followed"),
    ):  # fmt: skip
        assert re.search(rf"host1 +\S+/tokens/{file} +{state}", run.output), run


def test_status_writes_files_for_monitoring_and_browsers(
    stage: Stage, ssh_hosts: SshHosts, fleet: list[str], tmp_path: pathlib.Path, request: pytest.FixtureRequest
) -> None:
    """All files that one run writes."""
    document, textfile, page = tmp_path / "status.json", tmp_path / "trackops.prom", tmp_path / "status.html"
    lost = tmp_path / "lost.ini"
    lost.write_text("lost ansible_host=127.0.0.9 ansible_port=9 host_root=/nowhere\n")
    options = [*fleet, "-e", f"status_json={document}", "-e", f"status_textfile={textfile}", "-e", f"status_html={page}"]
    begun = int(time.time())
    run = stage.playbook("trackops.api_tokens.status", *options, "-i", str(lost), inventory=ssh_hosts.inventory())
    assert run.rc != 0
    report = json.loads(document.read_text())
    assert (report["total"], report["red"], report["amber"]) == (13, 5, 1)
    assert {one["name"]: (one["total"], one["red"], one["amber"]) for one in report["vendors"]}["tracx"] == (3, 1, 1)
    assert [row["colour"] for row in report["tokens"]] == ["red"] * 5 + ["amber"] + ["green"] * 7
    assert begun <= report["seen"] <= time.time()
    metrics: dict[tuple[str, str], float] = {}
    for line in textfile.read_text().splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) trackops_\w+ .+", line), line
            continue
        parsed = re.fullmatch(r'(trackops_\w+)(\{(?:\w+="(?:[^"\\]|\\.)*",?)+\})? (\d+)', line)
        assert parsed, line
        metrics[parsed[1], parsed[2] or ""] = float(parsed[3])
    path = ssh_hosts.root("host2") / "tokens" / "tracx"
    labels = f'{{host="host2",vendor="tracx",secret="tracx",file="{path}"}}'
    assert f"EXPIRES_AT={metrics['trackops_token_expires_timestamp_seconds', labels]:.0f}" in path.read_text()
    assert metrics["trackops_token_needs_attention", labels] == 0
    assert metrics["trackops_token_needs_attention", '{host="lost",vendor="",secret="",file="-"}'] == 1
    assert metrics["trackops_status_tokens", '{state="red"}'] == 5
    assert stat.S_IMODE(textfile.stat().st_mode) == 0o644  # node_exporter runs as another user
    check_page(stage, page, request.getfixturevalue("chromium"))


class Watched:
    """The names of files that were created in or moved into a directory, as the kernel reports them."""

    MADE, MOVED = 0x100, 0x80

    def __init__(self, folder: pathlib.Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._descriptor, os.fsencode(folder), self.MADE | self.MOVED) >= 0

    def names(self) -> list[tuple[int, str]]:
        """The names so far; can be called only once."""
        raw, found = os.read(self._descriptor, 1 << 20), []
        os.close(self._descriptor)
        while raw:
            _watch, mask, _cookie, length = struct.unpack_from("iIII", raw)
            found.append((mask, os.fsdecode(raw[16 : 16 + length].rstrip(b"\0"))))
            raw = raw[16 + length :]
        return found


def test_the_textfile_is_replaced_atomically(stage: Stage, tmp_path: pathlib.Path) -> None:
    """This holds even if Ansible's temporary files are on another file system, from which no move is atomic."""
    textfile = tmp_path / "collector" / "trackops.prom"
    textfile.parent.mkdir()
    values = {"provision_tokens": [{"vendor": "tracx"}], "provision_directory": str(tmp_path / "tokens"), "status_textfile": str(textfile)}
    inventory = stage.ansible.write("hosts.ini", "localhost ansible_connection=local\n")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        assert os.stat(elsewhere).st_dev != os.stat(tmp_path).st_dev
        python = interpreter(tmp_path, str(stage.ansible.bin_dir / "python"))
        options = ("-e", json.dumps({**values, "ansible_remote_tmp": elsewhere, "ansible_python_interpreter": python}))
        watched = Watched(textfile.parent)
        checked = stage.playbook("trackops.api_tokens.status", *options, "--check", inventory=inventory)
        assert (checked.rc, os.listdir(textfile.parent)) == (2, []), checked
        for _again in range(2):
            run = stage.playbook("trackops.api_tokens.status", *options, inventory=inventory)
            assert (run.rc, run.changed) == (2, 1), run
    seen = watched.names()
    assert [(mask, name) for mask, name in seen if name.endswith(".prom")] == [(Watched.MOVED, "trackops.prom")] * 2, seen
    assert any(mask == Watched.MADE for mask, _name in seen), "Ansible copied it from the other file system"
    assert (os.listdir(textfile.parent), stat.S_IMODE(textfile.stat().st_mode)) == (["trackops.prom"], 0o644)


def test_status_refuses_relative_paths(stage: Stage, ssh_hosts: SshHosts, wanted: list[str]) -> None:
    relative = stage.playbook("trackops.api_tokens.status", *wanted, "-e", "status_html=here.html", inventory=ssh_hosts.inventory())
    assert relative.rc == 2 and "status_html, status_json and status_textfile must be absolute paths." in relative.output


def check_page(stage: Stage, page: pathlib.Path, chromium: Browser) -> None:
    text = page.read_text()
    assert not re.search(r"(src|href)=|url\(|@import|<script [^>]", text), "nothing from elsewhere"
    assert [secret for secret in stage.emulator.secrets() if len(secret) > 7 and secret in text] == []
    chromium.open(page.as_uri())
    shown = chromium.run(
        "return Array.from(document.querySelectorAll('#tokens tbody tr')).map(r => [r.querySelector('.host').innerText,"
        " r.querySelector('.state').className.replace('state ', ''), getComputedStyle(r.querySelector('.state')).color])"
    )
    assert len(shown) == 13
    colours = {("host1", "green"), ("host2", "green"), ("host2", "amber"), ("host3", "red"), ("lost", "red")}
    assert {(host, colour) for host, colour, _rgb in shown} == colours
    assert len({rgb for _host, _colour, rgb in shown}) == 3
    # The filter is a script, which runs only if the page's policy has its correct hash.
    visible = "return Array.from(document.querySelectorAll('#tokens tbody tr')).filter(r => r.offsetParent).map(r => r.innerText.split('\\t')[0].trim())"
    chromium.type("#filter", "TRACX host")
    assert (chromium.run(visible), chromium.text("#shown")) == (["host3", "host2", "host1"], "3 of 13 shown")
    chromium.click("#attention")
    assert (chromium.run(visible), chromium.text("#shown")) == (["host3"], "1 of 13 shown")
    chromium.open(page.as_uri())
    chromium.resize(360, 740)
    assert chromium.run("return document.documentElement.scrollWidth <= 360")
