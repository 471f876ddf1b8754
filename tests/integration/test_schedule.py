# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role schedule: systemd, cron and sh accept what it writes, and the script does what the role's documentation says."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import stat
import subprocess
import time
import typing as t

import pytest
import yaml
from support.hosts import interpreter
from support.places import ROOT

if t.TYPE_CHECKING:
    from support.ansible import Run
    from support.stage import Stage

ROLE = ROOT / "roles" / "schedule"
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  roles:
    - role: trackops.api_tokens.schedule
"""


class Schedule:
    """The role, with everything that it writes below one directory."""

    def __init__(self, stage: Stage, root: pathlib.Path) -> None:
        self.stage, self.root, self.user = stage, root, pwd.getpwuid(os.geteuid()).pw_name
        self.units, self.cron, self.script = root / "units", root / "cron.d", root / "libexec" / "trackops-api-tokens"
        for folder in (self.units, self.cron):
            folder.mkdir()
        self.tokens, self.secrets = root / "tokens of ours.json", root / "vault.env"
        values = {"provision_tokens": [{"vendor": "tracx"}], "provision_directory": str(root / "etc"), "provision_hosts": "localhost"}
        self.tokens.write_text(json.dumps({**values, **json.loads(stage.extra()[1])}), encoding="utf-8")
        environment = {name: value for name, value in stage.environment().items() if value is not None}
        self.secrets.write_text(f"VAULT_TOKEN='{environment.pop('VAULT_TOKEN')}'\n", encoding="utf-8")
        self.secrets.chmod(0o600)
        everything = stage.ansible.environment(environment)
        self.variables: dict[str, t.Any] = {
            "schedule_inventory": str(stage.ansible.write("hosts.ini", "localhost ansible_connection=local\n")),
            "schedule_variables": [str(self.tokens)],
            "schedule_environment": {
                name: value for name, value in everything.items() if name.startswith(("ANSIBLE_", "VAULT_", "XDG_", "HOME")) and "TOKEN" not in name
            },
            "schedule_environment_file": str(self.secrets),
            "schedule_user": self.user,
            "schedule_script_directory": str(root / "libexec"),
            "schedule_systemd_directory": str(self.units),
            "schedule_cron_directory": str(self.cron),
            "schedule_start": False,
        }

    def apply(self, *arguments: str, **changes: t.Any) -> Run:
        python = interpreter(self.root, str(self.stage.ansible.bin_dir / "python"))
        return self.stage.playbook(PLAY, "-e", json.dumps({"ansible_python_interpreter": python, **self.variables, **changes}), *arguments)

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the script as cron does, with hardly any environment."""
        return subprocess.run([self.script], env={"PATH": "/usr/bin:/bin", "HOME": str(self.root)}, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def schedule(openbao_stage: Stage, tmp_path: pathlib.Path) -> Schedule:
    openbao_stage.store("tracx")
    root = tmp_path / "controller"
    root.mkdir()
    return Schedule(openbao_stage, root)


def test_systemd_accepts_the_units(schedule: Schedule) -> None:
    checked = schedule.apply("--check", schedule_type="systemd")
    assert checked.rc == 0, checked
    assert not schedule.script.exists()
    first = schedule.apply(schedule_type="systemd")
    second = schedule.apply(schedule_type="systemd")
    assert (first.rc, second.rc, second.changed) == (0, 0, 0), second
    assert stat.S_IMODE(schedule.script.stat().st_mode) == 0o755
    assert sorted(path.name for path in schedule.units.iterdir()) == ["trackops-api-tokens.service", "trackops-api-tokens.timer"]
    assert "OnUnitActiveSec=15min" in (schedule.units / "trackops-api-tokens.timer").read_text(encoding="utf-8")
    analyze = shutil.which("systemd-analyze")
    if analyze:
        done = subprocess.run([analyze, "verify", *schedule.units.iterdir()], capture_output=True, text=True, timeout=600, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    # The same with cron: the units are removed.
    changed = schedule.apply(schedule_type="cron", schedule_minutes=20)
    assert changed.rc == 0, changed
    assert list(schedule.units.iterdir()) == []
    (entry,) = schedule.cron.iterdir()
    assert entry.read_text(encoding="utf-8").splitlines()[-1] == f"*/20 * * * * {schedule.user} {schedule.script}"
    assert "provision_min_ttl=1320" in schedule.script.read_text(encoding="utf-8")

    gone = schedule.apply(schedule_state="absent")
    again = schedule.apply(schedule_state="absent")
    assert (gone.rc, again.rc, again.changed) == (0, 0, 0), gone
    assert not schedule.script.exists()
    assert list(schedule.cron.iterdir()) == []


def test_the_script_renews_tokens_and_reports_failures(schedule: Schedule) -> None:
    assert schedule.apply(schedule_type="cron").rc == 0
    secret = schedule.secrets.read_text(encoding="utf-8").split("'")[1]
    assert secret not in schedule.script.read_text(encoding="utf-8")
    done = schedule.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # cron sends no mail
    token = schedule.root / "etc" / "tracx"
    assert token.read_text(encoding="utf-8")
    requests = len(schedule.stage.emulator.requests("tracx"))
    before = token.stat()
    assert schedule.run().returncode == 0
    assert (token.stat().st_mtime_ns, len(schedule.stage.emulator.requests("tracx"))) == (before.st_mtime_ns, requests)

    # The previous run is still going on.
    (lock,) = schedule.stage.ansible.cache.rglob("trackops-api-tokens.lock")
    with open(lock, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = schedule.run()
    assert (waiting.returncode, re.fullmatch(r"The run of [0-9-]{10} [0-9:]{8} is still going on\.\n", waiting.stdout) is not None) == (0, True), waiting
    # A previous run that should have ended long ago is an error.
    with open(lock, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        os.utime(lock, times=(time.time(), time.time() - 3661))
        waiting = schedule.run()
    assert (waiting.returncode, "has not ended, although schedule_timeout is 1800 s." in waiting.stdout, f"fuser {lock}" in waiting.stdout) == (1, True, True)

    # A failure: the script prints what failed, and the state of all tokens.
    token.unlink()
    shutil.rmtree(schedule.stage.ansible.cache)
    schedule.stage.vault.put("tracx", {"connect_token": "wrong-connect-token-of-nobody"})
    failed = schedule.run()
    assert failed.returncode == 2
    assert "tracx: the vendor refused" in failed.stdout
    assert "etc/tracx  (!) missing" in failed.stdout
    assert "1 of 1 need attention" in failed.stdout
    assert "wrong-connect-token" not in failed.stdout
    assert [path.name for path in lock.parent.glob("trackops-api-tokens.*")] == [lock.name]


HANGS = """#!/bin/sh
echo "$1"
if [ "$1" = trackops.api_tokens.provision ]; then
    # What is left behind, with the same output, must not keep the script.
    setsid sleep 3600 &
    echo $! > "$HOME/left"
    exec sleep 3600
fi
"""


def test_a_run_that_hangs_is_ended(schedule: Schedule) -> None:
    """A run that hangs is ended, the status follows, and the next run is not blocked."""
    hanging = schedule.root / "hanging"
    hanging.write_text(HANGS, encoding="utf-8")
    hanging.chmod(0o755)
    home = {"HOME": str(schedule.root), "XDG_CACHE_HOME": str(schedule.root / "cache")}
    applied = schedule.apply(schedule_type="systemd", schedule_timeout=1, schedule_ansible_playbook=str(hanging), schedule_environment=home)
    assert applied.rc == 0, applied
    service = (schedule.units / "trackops-api-tokens.service").read_text(encoding="utf-8")
    # The script's own limits end first: 1 second for the run and 30 to kill it, and as much for the status.
    assert "TimeoutStartSec=122\n" in service
    for _again in range(2):
        ended = schedule.run()
        os.kill(int((schedule.root / "left").read_text(encoding="utf-8")), signal.SIGKILL)
        assert ended.returncode == 124
        assert ended.stdout.splitlines() == [
            "trackops.api_tokens.provision",
            "The run had not ended after 1 s (schedule_timeout), and was ended. See above what it waited for.",
            "trackops.api_tokens.status",
        ]


WRONG: tuple[tuple[dict[str, t.Any], str], ...] = (
    ({"schedule_inventory": "hosts.ini"}, "schedule_inventory is required, as an absolute path."),
    ({"schedule_variables": ["tokens.yml"]}, "schedule_variables must be absolute paths."),
    ({"schedule_name": "../x"}, "schedule_name may only contain letters, digits, hyphens and underscores."),
    ({"schedule_type": "cron", "schedule_minutes": 7}, "schedule_minutes must be at least 1, and with cron it must divide 60"),
    ({"schedule_environment": {"VAULT_TOKEN": "x"}}, "A secret in schedule_environment could be read by every user."),
    *(
        ({"schedule_environment": {name: value}}, "A secret in schedule_environment could be read by every user.")
        for name, value in (
            *(("ANSIBLE_HASHI_VAULT_JWT", "ey"), ("ANSIBLE_HASHI_VAULT_PASSWORD", "x"), ("ACME_PASS", "x"), ("acme_Api_Key", "x"), ("DATABASE_URL", "x")),
            *(("PIN", 4711), ("HTTPS_PROXY", "http://me:hunter2@proxy.example:3128"), ("NOTE", "hvs.CAESI")),
        )
    ),
    *(
        ({option: given}, "A secret in schedule_options or schedule_status_options could be read by every user.")
        for option, given in (
            *(
                ("schedule_options", ["-e", "vault_token=x"]),
                ("schedule_options", ["-eacme_pass=x"]),
                ("schedule_options", ["--extra-vars=ansible_password=x"]),
            ),
            *(("schedule_options", ["-e", '{"a": {"client_secret" : "x"}}']), ("schedule_options", ["-e", "{ansible_become_pass: x}"])),
            *(("schedule_status_options", ["-e", "a=b trackops_vault_jwt=x"]), ("schedule_status_options", ["-e", "status_url=https://u:p@a.example/"])),
        )
    ),
    ({"schedule_type": "at"}, "schedule_type must be auto, systemd or cron, not 'at'."),
    ({"schedule_state": "gone"}, "schedule_state must be present or absent, not 'gone'."),
    ({"schedule_name": "x\n"}, "schedule_name may only contain letters, digits, hyphens and underscores."),
    ({"schedule_user": "root\nEvil=1"}, "schedule_user must be a user name"),
    ({"schedule_user": "root\n"}, "schedule_user must be a user name"),
    ({"schedule_inventory": "/etc/a\nb"}, "The paths of the role schedule must not contain line breaks or control characters."),
    ({"schedule_variables": ["/etc/a\u2028b"]}, "The paths of the role schedule must not contain line breaks or control characters."),
    ({"schedule_ansible_playbook": "/bin/a\x1b[2J"}, "The paths of the role schedule must not contain line breaks or control characters."),
    ({"schedule_script_directory": "/opt/a b"}, "schedule_script_directory must be an absolute path with only letters, digits"),
    ({"schedule_cron_directory": "cron.d"}, "schedule_systemd_directory and schedule_cron_directory must be absolute paths."),
    ({"schedule_variables": "/etc/a"}, "schedule_variables, schedule_options and schedule_status_options must be lists."),
    ({"schedule_minutes": "15m"}, "schedule_minutes must be at least 1"),
    ({"schedule_min_ttl": "5m"}, "schedule_min_ttl must be a number of seconds, not '5m'."),
    ({"schedule_timeout": "30m"}, "schedule_timeout must be a number of seconds, at least 1, not '30m'."),
    ({"schedule_timeout": 0}, "schedule_timeout must be a number of seconds, at least 1, not '0'."),
    ({"schedule_environment": {"A;id": "x"}}, "schedule_environment must be a dictionary of environment variables"),
    ({"schedule_environment_file": "vault.env"}, "schedule_environment_file must be an absolute path."),
    ({"schedule_ansible_playbook": "bin/ansible-playbook"}, "schedule_ansible_playbook must be an absolute path, or a name that is searched for in PATH."),
)

ON_THE_HOST: tuple[tuple[dict[str, t.Any], str], ...] = (
    ({"schedule_user": "nobody1"}, "There is no user nobody1 on this host. [TRK-O02]"),
    ({"schedule_user": "nobody"}, "must belong to the user nobody. [TRK-O02]"),
    ({"schedule_environment_file": "/etc/vault.envv"}, "schedule_environment_file: there is no file /etc/vault.envv on this host. [TRK-O02]"),
    ({"schedule_environment_file": "/etc/passwd"}, "schedule_environment_file: other users could read /etc/passwd. Give it mode 0600. [TRK-O02]"),
)

SLIPS = {"schedule_minute": "schedule_minutes", "schedule_enviroment_file": "schedule_environment_file"}


def _through_the_role(changes: dict[str, t.Any]) -> dict[str, t.Any]:
    role = {"name": "The role", "ansible.builtin.include_role": {"name": "trackops.api_tokens.schedule"}}
    say = {"name": "Told", "ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"}}
    return {"block": [{**role, "vars": changes}], "rescue": [say]}


def test_unusable_variables_are_refused(schedule: Schedule) -> None:
    """All cases in one run: the role stops at the task that refuses, and the rescue continues."""
    values = {**schedule.variables, **SLIPS, "schedule_type": "cron"}
    chosen = [WRONG[0], next(case for case in WRONG if "schedule_options" in case[0]), *ON_THE_HOST]
    plays: list[dict[str, t.Any]] = [{"vars": values, "tasks": [_through_the_role(changes) for changes, _message in chosen]}]
    # Cases that the role detects from its values alone test its checks directly, as each run of the role would load all of it again.
    prefixed = "__schedule_names | map('regex_replace', '^', 'schedule_')"
    ask = {
        "name": "Asked",
        "ansible.builtin.debug": {"msg": "{{ (__schedule_checks | selectattr('wrong') | first).message }}"},
        "vars": {"__schedule_values": "{{ given | combine(item) }}"},
        "loop": [{option.removeprefix("schedule_"): value for option, value in changes.items()} for changes, _message in WRONG],
    }
    given = {"given": f"{{{{ __schedule_names | zip(query('ansible.builtin.vars', *({prefixed}))) | items2dict(0, 1) }}}}"}
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    asked = {"vars_files": [str(ROLE / "vars/main.yml")], "vars": {**defaults, **values}, "tasks": [{"ansible.builtin.set_fact": given}, ask]}
    plays.insert(0, asked)  # after the role, its own values would be set
    common = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    run = schedule.stage.playbook(json.dumps([{**common, **play} for play in plays], indent=1))
    assert (run.rc, run.stats["localhost"]["rescued"]) == (0, len(chosen)), run
    messages = [" ".join(task.result["msg"].split()) for task in run.find("Told")]
    assert [message for (_changes, message), said in zip(chosen, messages, strict=True) if message not in said] == [], run
    of_checks = [" ".join(turn["msg"].split()) for turn in run.result("Asked")["results"]]
    assert [message for (_changes, message), said in zip(WRONG, of_checks, strict=True) if message not in said] == [], run
    assert [name for name in SLIPS if f"The variable {name} is not used; did you mean {SLIPS[name]}?" not in run.output] == []
    assert not schedule.script.exists()
    assert os.listdir(schedule.units) == []
    # Without a rescue, the play fails.
    ended = schedule.apply(**WRONG[0][0])
    assert (ended.rc, WRONG[0][1] in " ".join(ended.output.split())) == (2, True), ended


def test_names_of_files_and_fields_are_not_taken_for_secrets(schedule: Schedule) -> None:
    environment: dict[str, object] = {
        **schedule.variables["schedule_environment"],
        **dict.fromkeys(("VAULT_TOKEN_FILE", "ANSIBLE_VAULT_PASSWORD_FILE", "VAULT_CLIENT_KEY", "ANSIBLE_HASHI_VAULT_TOKEN_PATH"), "/etc/vault/it"),
        "ANSIBLE_HASHI_VAULT_CERT_AUTH_PRIVATE_KEY": "/etc/vault/key.pem",
        "PASSWORD_STORE_DIR": "/srv/pass",
        "ANSIBLE_HOST_KEY_CHECKING": False,
        "ANSIBLE_ASK_PASS": False,
        "TRACKOPS_TOKEN_URL": "https://a.example/t",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "VAULT_ROLE_ID": "x",
    }
    options = [
        *("--private-key=/srv/keys/id", "--vault-password-file=/etc/x", "--vault-id=prod@/etc/pass", "--become", "-e", "@/srv/tokens.yml"),
        *("-e", "token_field=jwt min_ttl=5", "-e", '{"provision_tokens": [{"vendor": "tracx", "token_url": "https://a.example:8443/t"}]}'),
    ]
    run = schedule.apply(schedule_environment=environment, schedule_options=options, schedule_status_options=["-e", "status_html=/srv/www/tokens.html"])
    assert run.rc == 0, run
    assert "export VAULT_CLIENT_KEY=/etc/vault/it\n" in schedule.script.read_text(encoding="utf-8")
