# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only the operator configures the collection: a managed host's facts and module results decide nothing on the controller."""

from __future__ import annotations

import json
import pathlib
import re
import sys
import time
import typing as t

import pytest
import yaml
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.role_variables import FAMILIES
from emulator import Emulator
from support.ansible import Ansible, Run
from support.forged import FORGED, forge
from support.hosts import interpreter
from support.lookups import IMPORTED, leaked
from support.matrix import CORES, Combination, matrix_venv
from support.places import ROOT
from support.processes import Unavailable, command_lines
from support.sshd import SshHosts
from support.stage import BUILT_IN, Stage
from support.vaultsetup import Operator

IGNORED = "The fact '{}' is ignored: facts come from managed hosts, and only the operator configures trackops.api_tokens."


@pytest.fixture(params=[next(iter(CORES)), [*CORES][-1]])
def stage(request: pytest.FixtureRequest, openbao: Operator, emulator: Emulator, collection: pathlib.Path, tmp_path: pathlib.Path) -> Stage:
    """A stage with the oldest and one with the newest ansible-core."""
    try:
        venv = matrix_venv(Combination(request.param))
    except Unavailable as exc:
        pytest.skip(str(exc))
    stage = Stage(vault=openbao, emulator=emulator, ansible=Ansible(tmp_path / "run", collections=collection, bin_dir=venv / "bin").settle())
    stage.store_all()
    return stage


@pytest.fixture
def liar(tmp_path: pathlib.Path) -> Liar:
    return Liar(tmp_path / "liar")


class Liar:
    """A host on this machine, without ssh, that forges the results of its modules."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.variables: dict[str, t.Any] = {"ansible_connection": "local", "host_root": str(folder), **FORGED}

    def says(self, answer: t.Mapping[str, t.Any], *, module: str = "") -> None:
        """Run the modules, and add this to their results."""
        forge(self.folder, answer, module=module)

    def makes_up(self, facts: t.Mapping[str, t.Any], **answer: t.Any) -> None:
        """Run no module; return this for each, in the form of C(command). Much quicker, and enough where only the result counts."""
        forge(self.folder, {"changed": True, "rc": 0, "stdout": "", "stderr": "", "ansible_facts": dict(facts), **answer}, made_up=True)

    def inventory(self, group: t.Mapping[str, t.Any], *others: str, **own: t.Any) -> pathlib.Path:
        """An inventory of the liar and some honest hosts, with the operator's variables in group_vars and host_vars."""
        honest = {"ansible_connection": "local", "ansible_python_interpreter": interpreter(self.folder, sys.executable)}
        hosts = {"liar": {**self.variables, **own}, **dict.fromkeys(others, honest)}
        path = self.folder / "inventory.yml"
        path.write_text(json.dumps({"all": {"hosts": hosts, "vars": dict(group)}}), encoding="utf-8")
        return path


# When a play uses a forged fact, Ansible warns that it will stop injecting facts as variables; that warning repeats forged text.
QUIET: dict[str, str | None] = {"ANSIBLE_DEPRECATION_WARNINGS": "False"}


def run_play(
    stage: Stage, inventory: pathlib.Path, *plays: dict[str, t.Any], env: t.Mapping[str, str | None] | None = None, arguments: t.Sequence[str] = ()
) -> Run:
    """Run the plays without extra variables, which would override everything."""
    text = json.dumps([{"hosts": "liar", "gather_facts": False, **play} for play in plays], indent=1)
    return stage.ansible.playbook(text, *arguments, inventory=inventory, env=stage.environment({**QUIET, **(env or {})}))


GATHER = {"name": "Gather", "ansible.builtin.setup": {"gather_subset": "!all"}}


def effective(name: str, **task: t.Any) -> dict[str, t.Any]:
    """A task that reports the effective path, without any request."""
    return {"name": name, "trackops.api_tokens.token_info": {"vendor": "tracx", "fetch": False}, **task}


def nothing_went_astray(stage: Stage, run: Run) -> None:
    assert stage.emulator.requests(kind="sink") == [], run
    assert "Traceback" not in run.output, run


def warnings_about(run: Run, fact: str) -> int:
    """How often the run reports that this fact is ignored."""
    return " ".join(run.output.split()).count(IGNORED.format(fact))


def option_variables() -> list[str]:
    """Every variable that sets an option of a lookup."""
    sources = [*(ROOT / "plugins/doc_fragments").glob("*.py"), *(ROOT / "plugins/lookup").glob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    return sorted(set(re.findall(r"\bname: ((?:ansible_hashi_vault|trackops)_\w+)", text)))


@pytest.mark.parametrize("operator", ["environment", "inventory"])
def test_a_fact_sets_no_option(stage: Stage, liar: Liar, operator: str) -> None:
    """The host forges the variables of all options at once, each with the address of an attacker's server."""
    names = option_variables()
    assert len(names) > 70
    liar.makes_up(dict.fromkeys(names, stage.emulator.sink_url))
    vault = {"ansible_hashi_vault_url": stage.vault.address, "ansible_hashi_vault_token": stage.token()} if operator == "inventory" else {}
    tasks = [
        GATHER,
        *(
            {"name": vendor, "ansible.builtin.debug": {"msg": f"{{{{ lookup('trackops.api_tokens.{vendor}', output='details').source }}}}"}}
            for vendor in BUILT_IN
        ),
    ]
    run = run_play(stage, liar.inventory({**stage.variables, **vault}), {"tasks": tasks}, env={"VAULT_ADDR": None, "VAULT_TOKEN": None} if vault else None)
    assert run.rc == 0, run
    assert [run.result(vendor)["msg"] for vendor in BUILT_IN] == ["vendor"] * 4
    nothing_went_astray(stage, run)
    assert {warnings_about(run, name) for name in ("ansible_hashi_vault_url", "trackops_tracx_base_url", "trackops_audit_log")} == {1}, run


def test_a_lying_ssh_host_affects_no_other_host(openbao_stage: Stage, ssh_hosts: SshHosts) -> None:
    openbao_stage.store_all()
    for name in ssh_hosts.names:
        forge(ssh_hosts.root(name))
    forge(ssh_hosts.root("host2"), {"ansible_facts": {"trackops_tracx_token_url": openbao_stage.emulator.sink_url}})
    inventory = ssh_hosts.inventory(more={**FORGED, **openbao_stage.variables})
    ask = {"name": "Ask", "ansible.builtin.debug": {"msg": "{{ lookup('trackops.api_tokens.tracx', output='details').vendor }}"}}
    run = run_play(openbao_stage, inventory, {"hosts": "fleet", "gather_facts": True, "tasks": [ask]})
    assert run.rc == 0, run
    assert [run.result("Ask", host=name)["msg"] for name in ssh_hosts.names] == ["tracx"] * 3
    assert warnings_about(run, "trackops_tracx_token_url") == 1, run
    assert len(openbao_stage.emulator.requests("tracx", kind="token")) == 1
    nothing_went_astray(openbao_stage, run)


def test_facts_returned_within_a_task_set_no_option(stage: Stage, liar: Liar) -> None:
    """Within a task, Ansible ranks returned facts above all variables: for the next loop item, and for C(changed_when) and the like."""
    sink = stage.emulator.sink_url
    names = {name: sink for name in option_variables() if name.endswith(("_url", "_addr", "_audit_log"))}
    liar.makes_up({**names, "where": sink, "inventory_hostname": "honest", "ansible_facts": {}, "trackops_http_validate_certs": False})
    ask = "lookup('trackops.api_tokens.tracx', cache='none')"
    by_template = "lookup('trackops.api_tokens.tracktik', cache='none')"
    long = f"({ask} ~ {by_template}) | length > 0"
    echo = {"argv": ["echo", f"{{{{ {long} }}}}"]}
    tasks: list[dict[str, t.Any]] = [
        {"name": "Loop", "ansible.builtin.command": echo, "loop": [1, 2], "loop_control": {"label": f"{{{{ item }}}} {{{{ {long} }}}}"}},
        {"name": "Changed", "ansible.builtin.command": echo, "changed_when": long},
        {"name": "Failed", "ansible.builtin.command": echo, "failed_when": f"not ({long})"},
        {"name": "Until", "ansible.builtin.command": echo, "register": "answer", "until": f"answer.rc == 0 and {long}", "retries": 1, "delay": 0},
        {"name": "Delegated", "ansible.builtin.command": echo, "delegate_to": "liar", "delegate_facts": True, "loop": [1, 2]},
    ]
    group = {
        **stage.variables,
        "where": stage.variables["trackops_tracktik_base_url"],
        "trackops_tracktik_base_url": "{{ where }}",
        "trackops_http_validate_certs": True,
        "trackops_min_ttl": 30,
    }
    run = run_play(stage, liar.inventory(group, "honest"), {"tasks": tasks}, env=IMPORTED)
    assert run.rc == 0, run
    nothing_went_astray(stage, run)
    assert "is not checked" not in run.output, run
    assert warnings_about(run, "trackops_tracx_token_url") == 1, run
    assert warnings_about(run, "trackops_min_ttl") == 0, run


def test_templates_reach_no_forged_fact_indirectly(stage: Stage, liar: Liar) -> None:
    """A template can reach a fact through hostvars, a lookup or an included template. The facts are gathered in an earlier task."""
    sink, good = stage.emulator.sink_url, stage.variables["trackops_tracx_base_url"]
    stage.ansible.write("url.j2", "{{ my_url }}")
    liar.makes_up({"ansible_site": sink, "facter_site": sink, "my_url": sink})
    ways = {
        "Of another host": "{{ hostvars['liar'].ansible_site }}",
        "Of another host, by a filter": "{{ ['liar'] | map('extract', hostvars, 'facter_site') | first }}",
        "By a lookup": "{{ lookup('ansible.builtin.vars', 'my_' ~ 'url') }}",
        "By a lookup with another name": "{{ query('ansible.builtin.vars', 'my_' ~ 'url') | first }}",
        "Included": "{% include 'url.j2' %}",
    }
    ask = {"ansible.builtin.debug": {"msg": "{{ lookup('trackops.api_tokens.tracx', cache='none', output='details').vendor }}"}}
    tasks = [{"name": name, **ask, "vars": {"trackops_tracx_base_url": template}} for name, template in ways.items()]
    inventory = liar.inventory({**stage.variables, "my_url": good}, "honest", ansible_site=good, facter_site=good)
    run = run_play(stage, inventory, {"tasks": [GATHER]}, {"hosts": "all", "tasks": tasks}, env=IMPORTED)
    assert run.rc == 0, run
    assert {run.result(name, host=host)["msg"] for name in ways for host in ("liar", "honest")} == {"tracx"}
    nothing_went_astray(stage, run)


def test_templates_of_options_use_no_fact_returned_within_the_task(stage: Stage, liar: Liar) -> None:
    """If an option's template uses a name like a fact's, or a loop variable, a forged fact hides the operator's value: the lookup may then fail."""
    sink, good = stage.emulator.sink_url, stage.variables["trackops_tracx_base_url"]
    ask = "lookup('trackops.api_tokens.tracx', cache='none') | length > 0"
    echo = {"argv": ["echo", f"{{{{ {ask} }}}}"]}

    def task(name: str, template: str, **more: t.Any) -> dict[str, t.Any]:
        return {
            "name": name,
            "ansible.builtin.command": echo,
            "changed_when": ask,
            "vars": {"trackops_tracx_base_url": template},
            "ignore_errors": True,
            **more,
        }

    stage.ansible.write("inner.yml", json.dumps([task("Inner", "{{ item }}")]))
    tasks: list[dict[str, t.Any]] = [
        task("Named like a fact", "{{ ansible_site }}", loop=[1, 2]),
        task("Named like a fact of facter", "{{ facter_site }}", loop=[1, 2]),
        task("Item", "{{ item }}", loop=[good, good]),
        task("Item of something", "{{ item.url }}", loop=[{"url": good}, {"url": good}]),
        task("Computed item", "{{ item }}", loop="{{ [good_site | upper | lower] * 2 }}"),
        task("With items", "{{ item }}", with_items=[good, good]),
        task("Another name", "{{ turn }}", loop=[good, good], loop_control={"loop_var": "turn", "extended": True}),
        {"name": "Outer", "ansible.builtin.include_tasks": str(stage.ansible.workdir / "inner.yml"), "loop": [good]},
    ]
    group = {**stage.variables, "ansible_site": good, "facter_site": good, "good_site": good}
    liar.makes_up({})
    run = run_play(stage, liar.inventory(group), {"tasks": tasks}, env=IMPORTED)
    assert run.rc == 0 and "ignored=0" in run.output, run
    liar.makes_up(dict.fromkeys(("ansible_site", "facter_site", "item", "turn", "ansible_loop"), sink))
    run = run_play(stage, liar.inventory(group), {"tasks": tasks}, env=IMPORTED)
    assert run.rc == 0 and "changed=" in run.output, run
    nothing_went_astray(stage, run)


@pytest.mark.parametrize("trimmed", [{"_ansible_x": 1}, {"deep": [float("nan"), {"_ansible_y": [1]}]}], ids=["mark", "deep"])
def test_a_fact_that_ansible_strips_sets_no_option(stage: Stage, liar: Liar, trimmed: dict[str, t.Any]) -> None:
    """Ansible strips some parts of facts, so the variable differs from the fact: in C(set_fact), and in templates resolved before a worker starts."""
    sink, good = stage.emulator.sink_url, stage.variables["trackops_tracx_base_url"]
    stage.vault.put("acme", {"client_id": "acme-client", "client_secret": "acme-secret-1234567"})
    liar.makes_up({"my": {"url": sink, **trimmed}, "mine": ["evil", trimmed], "trackops_vendors": {"acme": {"token_url": sink}, **trimmed}})
    ask = "lookup('trackops.api_tokens.tracx', cache='none', output='details').vendor"
    of_acme = "lookup('trackops.api_tokens.oauth2', vendor='acme', cache='none', output='details').vendor"
    both = f"{{{{ {ask} }}}} {{{{ query('trackops.api_tokens.operator_vars', 'mine') | join(' ') }}}}"
    tasks = [
        GATHER,
        {"name": "Set", "ansible.builtin.set_fact": {"told": both}},
        {"name": "Acme", "ansible.builtin.set_fact": {"acme": f"{{{{ {of_acme} }}}}"}, "ignore_errors": True},
        {"name": "Told", "ansible.builtin.debug": {"msg": "{{ told }}"}},
        {"name": f"Named {both}", "ansible.builtin.debug": {}},
        {"name": "Meta", "ansible.builtin.meta": "end_host", "when": f"{ask} != 'tracx'"},
        {"name": "Not ended", "ansible.builtin.debug": {}},
    ]
    acme = {"acme": {"token_url": f"{good}/nowhere", "grant_type": "client_credentials"}}
    group = {**stage.variables, "my": {"url": good}, "trackops_tracx_base_url": "{{ my.url }}", "mine": ["good"], "trackops_vendors": acme}
    run = run_play(stage, liar.inventory(group), {"tasks": tasks})
    nothing_went_astray(stage, run)
    assert run.rc == 0 and "evil" not in run.output and "Named tracx" in run.output and "Not ended" in run.output, run
    assert run.result("Told")["msg"].startswith("tracx") and "good" in run.result("Told")["msg"], run


def test_a_forged_host_name_disables_no_setting_of_the_play(stage: Stage, liar: Liar, tmp_path: pathlib.Path) -> None:
    """group_vars give the fleet two tokens and disable certificate validation; the play restricts both for this host."""
    one, two = [{"vendor": "tracx"}], [{"vendor": "tracx"}, {"vendor": "trackunit"}]
    liar.says({"ansible_facts": {"inventory_hostname": "honest", "provision_tokens": two, "my_tokens": two, "trackops_http_validate_certs": False}})
    folders = {name: tmp_path / name for name in ("role", "params", "file")}
    for folder in folders.values():
        folder.mkdir()
    tokens = "{{ lookup('trackops.api_tokens.operator_vars', 'my_tokens') }}"
    role, settled = "trackops.api_tokens.provision", {"my_tokens": one, "provision_tokens": one, "trackops_http_validate_certs": True}
    plays: list[dict[str, t.Any]] = [
        {"vars": {**settled, "provision_directory": str(folders["role"])}, "tasks": [GATHER, {"ansible.builtin.include_role": {"name": role}}]},
        {"roles": [{"role": role, "provision_tokens": one, "provision_directory": str(folders["params"])}]},
        {
            "vars": settled,
            "tasks": [
                {"name": "File", "trackops.api_tokens.token_file": {"tokens": tokens, "directory": str(folders["file"])}},
                {"name": "Explain", "trackops.api_tokens.token_info": {"vendor": "tracx", "fetch": False, "explain": True}, "loop": [1, 2]},
            ],
        },
    ]
    group = {**stage.variables, "provision_tokens": two, "my_tokens": two, "trackops_http_validate_certs": False}
    run = run_play(stage, liar.inventory(group, "honest"), *plays)
    assert run.rc == 0, run
    assert {name: [path.name for path in folder.iterdir()] for name, folder in folders.items()} == {name: ["tracx"] for name in folders}
    assert [turn["options"]["http_validate_certs"]["value"] for turn in run.result("Explain")["results"]] == [True, True]


def test_a_fact_named_omit_is_refused(stage: Stage, liar: Liar, tmp_path: pathlib.Path) -> None:
    """Since ansible-core 2.19, C(omit) is no longer a variable, so C(default(omit)) would return a fact of that name."""
    sink = stage.emulator.sink_url
    unset = "{{ query('trackops.api_tokens.operator_vars', 'site_url') | first | default(omit) }}"
    unset_too = "{{ lookup('trackops.api_tokens.tracx', cache='none', token_url=site_url | default(omit)) | length }}"
    tasks = [
        GATHER,
        {"name": "A file", "trackops.api_tokens.token_file": {"vendor": "tracx", "base_url": unset, "dest": str(tmp_path / "tracx")}},
        {
            "name": "Another",
            "trackops.api_tokens.token_file": {"vendor": "tracx", "base_url": "{{ site_url | default(omit) }}", "dest": str(tmp_path / "tracx")},
        },
        {"name": "A lookup", "ansible.builtin.debug": {"msg": unset_too}},
    ]
    liar.says({"ansible_facts": {"omit": sink}})
    run = run_play(stage, liar.inventory(stage.variables), {"tasks": [{**task, "ignore_errors": True} for task in tasks]})
    nothing_went_astray(stage, run)
    message = run.result("Another").get("msg", "")
    # Before 2.19, Ansible's own variable overrides the fact.
    assert "named 'omit' hides Ansible's own" in message or len(stage.emulator.requests("tracx", kind="token")) > 0, run


def test_a_forged_loop_item_sets_no_option(stage: Stage, liar: Liar) -> None:
    """A forged fact "item" equals another item of the same loop: in C(changed_when), and in the label."""
    sink, good = stage.emulator.sink_url, stage.variables["trackops_tracx_base_url"]
    other = {"url": sink, "name": "other"}
    forged = {"item": other, "turn": 1, "ansible_loop": {"nextitem": other, "index0": 1}}
    ask = "lookup('trackops.api_tokens.tracx', cache='none') | length > 0"
    loop: dict[str, t.Any] = {
        "ansible.builtin.command": {"argv": ["echo"]},
        "when": "item.name == 'tracx'",
        "loop": [{"url": good, "name": "tracx"}, other],
        "loop_control": {"extended": True, "index_var": "turn"},
        "changed_when": ask,
        "ignore_errors": True,
    }
    urls = ("{{ item.url }}", f"{{{{ ['{good}', '{sink}'][turn] }}}}", f"{{{{ ['{good}', '{sink}'][ansible_loop.index0] }}}}")
    tasks = [{**loop, "name": url, "vars": {"trackops_tracx_base_url": url}} for url in urls]
    label = {**loop, "loop": [{"url": good, "name": "tracx"}], "changed_when": False, "loop_control": {"label": f"{{{{ {ask} }}}}"}}
    liar.makes_up(forged)
    tasks.append({**label, "name": "Label", "vars": {"trackops_tracx_base_url": "{{ item.url }}"}})
    run = run_play(stage, liar.inventory(stage.variables), {"tasks": tasks}, env=IMPORTED)
    assert len(stage.emulator.requests("tracx", kind="token")) == 4, run
    nothing_went_astray(stage, run)


# Where the operator can set a variable, from the lowest precedence to the highest, and the resulting path.
SOURCES: dict[str, dict[str, t.Any]] = {
    "group": {},
    "play": {"play": {"vars": {"trackops_tracx_path": "play"}}},
    "vars_files": {"play": {"vars_files": ["{{ ansible_facts.system }}.yml"]}},
    "block": {"block": {"vars": {"trackops_tracx_path": "block"}}},
    "task": {"task": {"vars": {"trackops_tracx_path": "task"}}},
    "template": {"task": {"vars": {"trackops_tracx_path": "{{ shadowed }}"}}},
    "loop": {"task": {"vars": {"trackops_tracx_path": "{{ item }}"}, "loop": ["loop"]}},
    "include_vars": {"before": {"ansible.builtin.include_vars": "Linux.yml"}},
    "set_fact": {"before": {"ansible.builtin.set_fact": {"trackops_tracx_path": "set_fact"}}},
    "extra": {"arguments": ["-e", "trackops_tracx_path=extra"]},
    "delegate": {"task": {"delegate_to": "honest"}},
    "run_once": {"task": {"run_once": True}},
    "defaults": {"play": {"module_defaults": {"trackops.api_tokens.token_info": {"path": "defaults"}}}},
}
EXPECTED = {"vars_files": "file", "include_vars": "file", "delegate": "group", "run_once": "group"}


def test_the_operator_can_set_options_wherever_ansible_allows(stage: Stage, liar: Liar) -> None:
    """A variable counts wherever Ansible lets the operator set it, even if there is a fact of the same name."""
    liar.makes_up({"ansible_system": "Linux", "trackops_tracx_path": "evil", "shadowed": "evil", "item": "evil"})
    inventory = liar.inventory({"trackops_tracx_path": "group", "shadowed": "template"}, "honest")
    (stage.ansible.workdir / "vars").mkdir(parents=True)
    stage.ansible.write("vars/Linux.yml", "trackops_tracx_path: file\n")
    seen, plays = {}, []
    for name, source in SOURCES.items():
        asked = effective(name, **source.get("task", {}))
        tasks = [{"ansible.builtin.ping": {}}, *([source["before"]] if "before" in source else []), {"block": [asked], **source.get("block", {})}]
        play = {"tasks": [{"ansible.builtin.meta": "clear_facts"}, *tasks], **source.get("play", {})}
        if "arguments" in source or "before" in source:  # would apply to all plays
            seen[name] = run_play(stage, inventory, play, arguments=source.get("arguments", ()))
        else:
            plays.append(play)
    together = run_play(stage, inventory, *plays)
    for name in SOURCES:
        run = seen.get(name, together)
        assert run.rc == 0, run
        result = run.result(name)
        assert (result["results"][0] if "results" in result else result)["path"] == EXPECTED.get(name, name), name
    assert warnings_about(together, "trackops_tracx_path") == 1


def test_cached_and_cacheable_facts_set_no_option(stage: Stage, liar: Liar) -> None:
    """C(set_fact) with C(cacheable) creates a fact, which is ignored in this run and in the next one."""
    kept = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(liar.folder / "facts")}
    inventory = liar.inventory({"trackops_tracx_path": "group"})
    cacheable = {"ansible.builtin.set_fact": {"trackops_tracx_path": "cached", "cacheable": True}}
    liar.says({})
    for _plugin, env in ((plugin, {**kept, "ANSIBLE_CACHE_PLUGIN": plugin}) for plugin in ("memory", "jsonfile")):
        run = run_play(stage, inventory, {"tasks": [cacheable, effective("Now")]}, {"tasks": [effective("Later")]}, env=env)
        assert (run.result("Now")["path"], run.result("Later")["path"], warnings_about(run, "trackops_tracx_path")) == ("group", "group", 1), run
    again = run_play(stage, inventory, {"tasks": [effective("Again")]}, env=kept)
    assert (again.result("Again")["path"], warnings_about(again, "trackops_tracx_path")) == ("group", 1), again


def test_a_fact_equal_to_the_operators_value_does_not_disable_it(stage: Stage, liar: Liar) -> None:
    liar.makes_up({"trackops_tracx_path": "mine", "trackops_force": True})
    tasks = [{"ansible.builtin.set_fact": {"trackops_tracx_path": "mine"}}, GATHER, effective("Set")]
    run = run_play(
        stage, liar.inventory({"trackops_tracx_path": "group"}), {"tasks": tasks}, {"tasks": [effective("Play")], "vars": {"trackops_tracx_path": "mine"}}
    )
    assert (run.result("Set")["path"], run.result("Play")["path"]) == ("mine", "mine"), run


def test_a_forged_host_name_is_ignored(stage: Stage, liar: Liar) -> None:
    """A forged inventory_hostname is ignored, and so are forged facts when another host reads the liar's hostvars."""
    liar.makes_up({"trackops_tracx_path": "evil", "shadowed": "evil", "inventory_hostname": "honest", "ansible_facts": {}})
    variables = {
        "trackops_tracx_path": "{{ shadowed }}", "shadowed": "group",
        "answer": "{{ lookup('trackops.api_tokens.tracx', output='details').source }}", **stage.variables,
    }  # fmt: skip
    tasks = [GATHER, effective("Own")]
    ask = {"name": "Through", "ansible.builtin.debug": {"msg": "{{ hostvars['liar'].answer }}"}}
    stage.store("tracx", "group")
    run = run_play(stage, liar.inventory(variables, "honest"), {"tasks": tasks}, {"hosts": "honest", "tasks": [ask]})
    assert run.result("Own")["path"] == "group", run
    assert run.result("Through")["msg"] == "vendor", run
    nothing_went_astray(stage, run)


def test_a_fact_sets_no_option_in_names_of_tasks(stage: Stage, liar: Liar) -> None:
    """Ansible resolves task names, and more, in the process that starts the workers."""
    liar.makes_up({"ansible_hashi_vault_url": stage.emulator.sink_url})
    named = {"name": "{{ lookup('trackops.api_tokens.tracx', output='details').source }} it is", "ansible.builtin.debug": {}}
    included = {"name": "Included", "ansible.builtin.include_tasks": "{{ 'x' if lookup('trackops.api_tokens.tracx') else 'y' }}.yml", "ignore_errors": True}
    run = run_play(
        stage,
        liar.inventory({**stage.variables, "ansible_hashi_vault_url": stage.vault.address}),
        {"tasks": [GATHER, named, included]},
        env={"VAULT_ADDR": None},
    )
    assert "it is" in run.output, run
    nothing_went_astray(stage, run)


def test_without_injected_facts_there_is_no_warning(stage: Stage, liar: Liar) -> None:
    liar.makes_up({"trackops_tracx_path": "evil"})
    run = run_play(stage, liar.inventory({"trackops_tracx_path": "group"}), {"tasks": [GATHER, effective("Own")]}, env={"ANSIBLE_INJECT_FACT_VARS": "False"})
    assert (run.result("Own")["path"], warnings_about(run, "trackops_tracx_path")) == ("group", 0), run


FORGED_ANSWER = {
    "ansible_facts": {"ansible_hashi_vault_url": "http://evil.example", "ansible_distribution": "Evil"},
    "add_host": {"host_name": "evil", "groups": ["all"], "host_vars": {}},
    "add_group": "evil",
    "_ansible_no_log": False,
    "_ansible_notify": ["evil"],
    "invocation": {"module_args": {"a": "evil"}},
    "warnings": ["evil \u001b[31m"],
    "deprecations": [{"msg": "evil", "version": "9"}],
    "unknown": ["evil"],
}


def test_only_known_keys_of_a_module_result_are_used(stage: Stage, liar: Liar) -> None:
    """The results come from our own modules, and from C(uri), which api_request runs."""
    target = liar.folder / "token"
    liar.says({**FORGED_ANSWER, "diff": [{"before": {"evil": 1}, "prepared": "evil"}]})
    api = {"vendor": "tracx", "url": f"{stage.emulator.base_url('tracx')}/api/me", "return_content": True}
    tasks = [
        {"name": "Write", "trackops.api_tokens.token_file": {"vendor": "tracx", "dest": str(target)}},
        {"name": "Read", "trackops.api_tokens.token_info": {"vendor": "tracx", "file": str(target)}},
        {"name": "Call", "trackops.api_tokens.api_request": api},
        {"name": "Known", "ansible.builtin.debug": {"msg": "{{ ansible_facts.distribution | default('-') }} {{ groups['all'] | join(' ') }}"}},
    ]
    run = run_play(stage, liar.inventory(stage.variables), {"tasks": tasks}, arguments=["--diff"])
    assert run.rc == 0, run
    assert run.result("Known")["msg"] == "- liar"
    assert (run.result("Write")["changed"], run.result("Write")["files"][0]["mode"], run.result("Read")["file"]["current"]) == (True, "0600", True)
    assert (run.result("Call")["status"], run.result("Call")["json"]["path"]) == (200, "/api/me")
    for name in ("Write", "Read", "Call"):
        # Newer Ansible versions show every module's warnings themselves.
        told_by_us = {key: value for key, value in run.result(name).items() if key not in ("warnings", "deprecations")}
        assert "evil" not in json.dumps(told_by_us).casefold(), name
    nothing_went_astray(stage, run)


def test_a_result_that_ansible_cannot_read_is_reported(stage: Stage, liar: Liar) -> None:
    for number, answer in enumerate(({"stdout": {}}, {"ansible_facts": "text"})):
        liar.says(answer)
        task = {"name": "Write", "trackops.api_tokens.token_file": {"vendor": "tracx", "dest": str(liar.folder / f"token{number}")}}
        run = run_play(stage, liar.inventory(stage.variables), {"tasks": [task]})
        assert run.rc == 0 or "Ansible cannot parse the result of the module on the host." in run.output, run
        assert "has no attribute" not in run.output, run


WRONG_SHAPES: tuple[tuple[t.Any, str], ...] = (
    ([], "the host did not report a result for it"),
    ([{"dest": "other", "changed": True}], "the host did not report a result for it"),
    ([{"changed": "yes", "owner": 5, "error": "\u001b[2J no\nline"}], "[2J no line"),
    ("text", "The files could not be written on the host."),
)


def test_a_malformed_module_result_is_reported(openbao_stage: Stage, liar: Liar) -> None:
    """Each task uses its own Python on the host, which forges a different result."""
    openbao_stage.store_all()
    tasks = []
    for number, (files, _error) in enumerate(WRONG_SHAPES):
        folder = liar.folder / str(number)
        folder.mkdir()
        target = str(folder / "token")
        forge(folder, {"files": [{"dest": target, **entry} for entry in files] if isinstance(files, list) else files})
        write = {"name": f"Write {number}", "trackops.api_tokens.token_file": {"vendor": "tracx", "dest": target}, "ignore_errors": True}
        tasks.append({**write, "vars": {"ansible_python_interpreter": str(folder / "python")}})
    run = run_play(openbao_stage, liar.inventory(openbao_stage.variables), {"tasks": tasks})
    for number, (_files, error) in enumerate(WRONG_SHAPES):
        [task] = run.find(f"Write {number}")
        assert task.status == "ignored" and error in task.result["msg"], run
    assert "\u001b" not in run.output and "Traceback" not in run.output


def test_headers_of_an_api_do_not_control_ansible(stage: Stage, liar: Liar) -> None:
    liar.says({"x_mine": "kept", "location": ["no text"], "unreachable": "yes", "skipped": "yes", "warnings": "yes"}, module="uri")
    api = {"vendor": "tracx", "url": f"{stage.emulator.base_url('tracx')}/api/me"}
    run = run_play(stage, liar.inventory(stage.variables), {"tasks": [{"name": "Call", "trackops.api_tokens.api_request": api}]})
    assert run.rc == 0, run
    answer = run.result("Call")
    assert (answer["x_mine"], answer["content_type"].partition(";")[0]) == ("kept", "application/json")
    assert {"location", "unreachable", "skipped", "ansible_facts"} & set(answer) == set()


def test_a_lying_host_causes_only_one_renewal(openbao_stage: Stage, liar: Liar) -> None:
    """Each renewal returns a new token, and its rejection would be a new reason to renew."""
    stage = openbao_stage
    stage.store_all()
    liar.makes_up({}, status=401, failed=True)
    api = {"vendor": "trackunit", "url": f"{stage.emulator.base_url('trackunit')}/api/me"}
    task = {"name": "Call", "trackops.api_tokens.api_request": api, "loop": [*range(6)], "ignore_errors": True}
    run = run_play(stage, liar.inventory(stage.variables), {"tasks": [task]})
    assert len(run.result("Call")["results"]) == 6, run
    assert len(stage.emulator.requests("trackunit", kind="token")) == 2


def test_debug_output_contains_no_token(stage: Stage, liar: Liar) -> None:
    """ANSIBLE_DEBUG prints module arguments; the token is not among them."""
    liar.says({})
    api = {
        "vendor": "tracx",
        "url": f"{stage.emulator.base_url('tracx')}/api/me",
        "body_format": "form-multipart",
        "method": "POST",
        "body": {"a": {"content": "x"}},
    }
    tasks = [
        {"name": "Write", "trackops.api_tokens.token_file": {"vendor": "tracx", "dest": str(liar.folder / "token"), "backup": True}},
        {"name": "Call", "trackops.api_tokens.api_request": api, "failed_when": False},
    ]
    run = run_play(stage, liar.inventory(stage.variables), {"tasks": tasks}, env={"ANSIBLE_DEBUG": "1"}, arguments=["-vvvvv"])
    assert run.rc == 0, run.output[-3000:]
    assert "done with _execute_module" in run.output
    token = (liar.folder / "token").read_text().strip()
    assert leaked(run.output, {token, *(secret for secret in stage.emulator.secrets() if len(secret) > 7)}) == []


def test_a_lying_host_does_not_affect_the_role_and_the_playbooks(stage: Stage, liar: Liar, tmp_path: pathlib.Path) -> None:
    """A lying host gets no other vendor's token, and cannot make the controller write a page."""
    target, evil = liar.folder / "tokens", tmp_path / "evil"
    forged = {
        "provision_tokens": [{"vendor": "trackunit", "dest": str(evil), "url": stage.emulator.sink_url}],
        "provision_directory": str(evil), "provision_directory_mode": "evil", "provision_format": "json", "provision_owner": "nobody-at-all",
        "provision_group": "nobody-at-all", "provision_mode": "0666", "provision_allow_readable": True, "provision_backup": "evil",
        "provision_min_ttl": "evil", "provision_state": "absent", "__provision_handled": False, "provision_changed": "evil",
        "status_html": str(evil), "status_html_mode": "evil", "status_red": 99999, "status_amber": "evil", "provision_hosts": "nobody",
        "folder": str(evil), "trackops_audit_log": str(evil), "__status_page": str(evil), "__status_rows": [], "dict": "evil", "namespace": "evil",
    }  # fmt: skip
    liar.says({"ansible_facts": forged})
    inventory = liar.inventory({**stage.variables, "provision_tokens": [{"vendor": "tracx"}], "provision_directory": "{{ folder }}", "folder": str(target)})
    env = {**QUIET, "ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts")}
    run = run_play(stage, inventory, {"tasks": [GATHER]}, {"roles": ["trackops.api_tokens.provision"]}, env=env)
    assert run.rc == 0, run
    assert [path.name for path in target.iterdir()] == ["tracx"] and (target / "tracx").stat().st_mode & 0o777 == 0o600
    assert warnings_about(run, "provision_tokens") == 1, run
    page = tmp_path / "page.html"
    status = stage.ansible.playbook("trackops.api_tokens.status", "-e", f"status_html={page}", inventory=inventory, env=stage.environment(env))
    plain = stage.ansible.playbook("trackops.api_tokens.status", inventory=inventory, env=stage.environment(env))
    for looked in (status, plain):
        assert looked.rc == 0 and "0 of 1 need attention" in looked.output, looked
    assert page.exists() and not evil.exists()
    nothing_went_astray(stage, run)


def test_a_lying_host_does_not_affect_the_role_schedule(stage: Stage, liar: Liar, tmp_path: pathlib.Path) -> None:
    """The forged facts arrive with the result of a task of the role, or of an earlier delegated task; both on the controller."""
    root, pwned = tmp_path / "controller", tmp_path / "pwned"
    for folder in ("cron", "units"):
        (root / folder).mkdir(parents=True)
    (tmp_path / "evil.yml").write_text(
        json.dumps([{"name": "Evil", "ansible.builtin.file": {"path": str(pwned), "state": "touch"}, "delegate_to": "localhost"}])
    )
    spec = yaml.safe_load((ROOT / "roles/schedule/meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    ours = yaml.safe_load((ROOT / "roles/schedule/vars/main.yml").read_text(encoding="utf-8"))
    names = [*spec, *ours, "__schedule_values", "ansible_managed", "ansible_playbook_python", "item", "name", "value", "dict"]
    environment = {"VAULT_ADDR": "http://evil.example", "_ansible_x": 1}  # Ansible strips a part of it
    liar.says({"ansible_facts": {**dict.fromkeys(names, "/evil\nevil=1"), "schedule_state": str(tmp_path / "evil"), "schedule_environment": environment}})
    group = {
        "schedule_inventory": "/etc/hosts of ours", "schedule_script_directory": str(root / "lib"), "schedule_cron_directory": str(root / "cron"),
        "schedule_systemd_directory": str(root / "units"), "schedule_start": False, "schedule_type": "cron", "schedule_variables": ["/etc/tokens.yml"],
    }  # fmt: skip
    role = {"name": "trackops.api_tokens.schedule"}
    run = run_play(
        stage,
        liar.inventory(group, ansible_python_interpreter=str(liar.folder / "python")),
        {"hosts": "localhost", "connection": "local", "tasks": [{"ansible.builtin.ping": {}, "delegate_to": "liar"}, {"ansible.builtin.include_role": role}]},
        {"roles": [{"role": "trackops.api_tokens.schedule", "vars": {"schedule_name": "second", "schedule_type": "systemd"}}]},
    )
    assert run.rc == 0, run
    assert (root / "cron/trackops-api-tokens").read_text(encoding="utf-8").splitlines()[1:] == [f"*/15 * * * * root {root}/lib/trackops-api-tokens"]
    assert "User=root\n" in (root / "units/second.service").read_text(encoding="utf-8")
    assert "OnUnitActiveSec=15min\n" in (root / "units/second.timer").read_text(encoding="utf-8")
    written = [path for path in root.rglob("*") if path.is_file()]
    assert sorted(path.name for path in written) == ["second", "second.service", "second.timer", "trackops-api-tokens", "trackops-api-tokens"]
    assert [path for path in written if "evil" in path.read_text(encoding="utf-8")] == []
    assert "set -- -i '/etc/hosts of ours' -e @/etc/tokens.yml\n" in (root / "lib/second").read_text(encoding="utf-8")
    assert not pwned.exists()
    assert warnings_about(run, "schedule_state") == 1, run


def test_a_lying_host_does_not_affect_the_playbook_vault_setup(stage: Stage, liar: Liar, tmp_path: pathlib.Path) -> None:
    """The operator's Vault token goes to no other server, and no policy is wider than the operator intends."""
    text = (ROOT / "playbooks/vault_setup.yml").read_text(encoding="utf-8")
    names = {*re.findall(r"\b__[a-z_]+", text), *(f"vault_setup_{name}" for name in FAMILIES["vault_setup_"])}
    forged = {**dict.fromkeys(names, "evil"), "vault_setup_url": stage.emulator.sink_url, "vault_setup_secret_id_file": str(tmp_path / "evil")}
    liar.says({"ansible_facts": {**forged, "vault_setup_consent_paths": ["*"], "vault_setup_path": "*", "vault_setup_token_ttl": 99999999}})
    plays = [
        {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}, "delegate_to": "liar"}]},
        {"import_playbook": "trackops.api_tokens.vault_setup"},
    ]
    inventory = liar.inventory({"vault_setup_path": "ours"}, ansible_python_interpreter=str(liar.folder / "python"))
    env = stage.environment({**QUIET, "VAULT_TOKEN": stage.vault.root_token})
    run = stage.ansible.playbook(json.dumps(plays, indent=1), inventory=inventory, env=env)
    assert run.rc == 0, run
    nothing_went_astray(stage, run)
    assert warnings_about(run, "vault_setup_url") == 1, run
    client = stage.vault.client
    assert 'path "secret/data/ours/*"' in client.sys.read_policy("api-tokens")["data"]["rules"]
    role = client.auth.approle.read_role("api-tokens")["data"]
    assert (role["token_policies"], role["token_ttl"]) == (["api-tokens"], 3600)
    assert not (tmp_path / "evil").exists()
    assert not [name for name in client.sys.list_policies()["data"]["policies"] if "evil" in name or "consent" in name]


def test_seconds_that_are_not_a_number_are_refused(openbao_stage: Stage, liar: Liar) -> None:
    """Otherwise monitoring would always be green, and a secret_id would never expire."""
    stage = openbao_stage
    liar.says({})
    inventory = liar.inventory({"provision_tokens": [{"vendor": "tracx"}]})
    for playbook, name, value in (
        ("status", "status_red", "5m"),
        ("status", "status_amber", "15m"),
        ("vault_setup", "vault_setup_secret_id_ttl", "30d"),
        ("vault_setup", "vault_setup_token_ttl", "1h"),
    ):
        run = stage.ansible.playbook(f"trackops.api_tokens.{playbook}", "-e", f"{name}={value}", inventory=inventory, env=stage.environment())
        assert (run.rc, f"{name} must be a number of seconds, not '{value}'." in run.output) == (2, True), run
        assert "need attention" not in run.output


def test_a_typo_in_an_item_is_reported_in_one_line(openbao_stage: Stage, liar: Liar) -> None:
    stage = openbao_stage
    liar.says({})
    run = run_play(stage, liar.inventory({"provision_tokens": [{"vendor": "tracx", "min_tll": 5}]}), {"roles": ["trackops.api_tokens.provision"]})
    assert run.rc == 2 and "there is no option 'min_tll'; did you mean min_ttl?" in run.output, run
    assert len(run.output) < 2000


def test_typos_are_reported_with_their_place(openbao_stage: Stage, liar: Liar) -> None:
    """A typo in one of many items, in a variable of the role, in an option of a module, in the name of node_exporter's file."""
    stage = openbao_stage
    liar.says({})
    items = [{"vendor": "tracx"}, {"vendor": "trackunit", "path": "fleet/it", "mn_ttl": 5}]
    slips = {"provision_min_tll": 900, "provision_mod": "0640"}  # the second one has a default
    run = run_play(stage, liar.inventory({"provision_tokens": items, **slips}), {"roles": ["trackops.api_tokens.provision"]})
    assert run.rc == 2 and "provision_tokens, item 2 (trackunit fleet/it): there is no option 'mn_ttl'; did you mean min_ttl?" in run.output, run
    assert "The variable provision_min_tll is not used; did you mean provision_min_ttl?" in run.output
    assert run.output.count("The variable provision_mod is not used; did you mean provision_mode?") == 1
    asked = {"trackops.api_tokens.token_info": {"vendor": "tracx", "fetch": "flase"}}
    run = run_play(stage, liar.inventory({}), {"tasks": [asked]})
    assert run.rc == 2 and "fetch cannot be 'flase'. It must be true or false." in run.output, run
    textfile = ("-e", "status_textfile=/tmp/tokens.txt")
    run = stage.ansible.playbook("trackops.api_tokens.status", *textfile, inventory=liar.inventory({"provision_tokens": items[:1]}), env=stage.environment())
    assert run.rc == 2 and "status_textfile must end in .prom: node_exporter reads no other file, and '/tmp/tokens.txt' does not. [TRK-O02]" in run.output, run


@pytest.mark.parametrize(("playbook", "what"), [("status", "to look for"), ("provision", "to put there")])
def test_playbooks_report_a_missing_variable_or_host(openbao_stage: Stage, liar: Liar, playbook: str, what: str) -> None:
    liar.says({})
    where = {"inventory": liar.inventory({}), "env": openbao_stage.environment()}
    run = openbao_stage.ansible.playbook(f"trackops.api_tokens.{playbook}", "-e", "provision_token=[]", **where)
    expected = f"No host has provision_tokens, the list of tokens {what}. Set it in group_vars, or give a file with it: -e @tokens.yml. [TRK-O03]"
    assert run.rc == 2 and expected in run.output, run
    run = openbao_stage.ansible.playbook(f"trackops.api_tokens.{playbook}", "-e", "provision_hosts=wbe", **where)
    assert run.rc == 2 and "No host of the inventory matches wbe. Check the inventory and provision_hosts. [TRK-O03]" in run.output, run


def test_explain_reports_every_source_without_secrets(stage: Stage, liar: Liar) -> None:
    """C(explain) reports each kind of source, and no secret."""
    liar.makes_up({"trackops_trackunit_path": "evil", "trackops_min_ttl": 5})
    stage.ansible.write("ansible.cfg", "[trackops_api_tokens]\nmax_age = 4000\n")
    group = {
        "trackops_trackunit_path": "group",
        "trackops_http_proxy": "http://me:pass-word@proxy.example:3128/?q=pass-word",
        "ansible_hashi_vault_secret_id": "pass-word",
    }
    arguments = {"vendor": "trackunit", "explain": True, "http_timeout": 4, "extra_parameters": {"a": "pass-word", "b": {"secret_field": "c"}}}
    tasks = [GATHER, {"name": "Explain", "trackops.api_tokens.token_info": arguments}]
    env: dict[str, str | None] = {"TRACKOPS_HTTP_RETRIES": "2", "TRACKOPS_HTTP_DEADLINE": ""}
    run = run_play(stage, liar.inventory(group), {"tasks": tasks}, env=env, arguments=["-vvv"])
    assert run.rc == 0, run
    options = run.result("Explain")["options"]
    seen = {name: (options[name]["value"], options[name]["source"].replace(str(stage.ansible.workdir), "")) for name in options}
    assert seen["path"] == ("group", "variable trackops_trackunit_path") and options["path"]["ignored_facts"] == ["trackops_trackunit_path"]
    assert seen["min_ttl"] == (60, "default") and options["min_ttl"]["ignored_facts"] == ["trackops_min_ttl"]
    assert seen["http_timeout"] == (4, "direct")
    assert seen["http_retries"] == (2, "environment TRACKOPS_HTTP_RETRIES")
    assert seen["http_deadline"][1] == "default"
    assert seen["max_age"] == (4000, "ini /ansible.cfg")
    assert seen["url"] == (stage.vault.address, "environment VAULT_ADDR")
    assert seen["token"] == ("********", "environment VAULT_TOKEN")
    assert seen["secret_id"] == ("********", "variable ansible_hashi_vault_secret_id")
    assert seen["http_proxy"] == ("http://********@proxy.example:3128/?********", "variable trackops_http_proxy")
    assert seen["extra_parameters"] == ({"a": "********", "b": {"secret_field": "c"}}, "direct")
    assert seen["base_url"] == ("https://auth.trackunit.com", "default")
    assert seen["token_url"] == ("/token", "default of the vendor")
    told_by_us = json.dumps(run.result("Explain")["options"])
    assert "pass-word" not in told_by_us and stage.token() not in run.output
    assert stage.emulator.requests() == []


def test_documented_safe_uses_reveal_no_secret(openbao_stage: Stage, liar: Liar) -> None:
    """What docs/security.md allows shows no secret at -vvv, nor in the process list."""
    openbao_stage.store_all()
    liar.says({})
    api = f"{openbao_stage.emulator.base_url('tracx')}/api/me"
    token, headers = "{{ lookup('trackops.api_tokens.tracx') }}", "{{ lookup('trackops.api_tokens.tracx', output='headers') }}"
    folder = str(liar.folder)
    tasks: list[dict[str, t.Any]] = [
        {"trackops.api_tokens.token_file": {"vendor": "tracx", "dest": f"{folder}/token"}},
        {"trackops.api_tokens.token_info": {"vendor": "tracx", "explain": True}},
        {"trackops.api_tokens.token_cache": {"vendor": "tracx"}},
        {"trackops.api_tokens.api_request": {"vendor": "tracx", "url": api}},
        {"ansible.builtin.uri": {"url": api, "headers": headers}, "no_log": True},
        {"ansible.builtin.set_fact": {"mine": token}, "no_log": True},
        {"ansible.builtin.copy": {"content": token, "dest": f"{folder}/copy", "mode": "0600"}, "no_log": True, "diff": False},
    ]
    play = json.dumps([{"hosts": "liar", "gather_facts": False, "tasks": tasks}])
    inventory = liar.inventory(openbao_stage.variables)
    (openbao_stage.ansible.workdir / "safe.yml").write_text(play, encoding="utf-8")
    run = openbao_stage.ansible.start(["ansible-playbook", "safe.yml", "-vvv", "--diff"], inventory=inventory, env=openbao_stage.environment())
    commands: set[bytes] = set()
    while run.running:
        commands |= command_lines(run.pid)
        time.sleep(0.02)  # polling without a pause would slow down the run
    output = run.output()
    assert "failed=0" in output and "ok=7" in output, output
    held = {(liar.folder / "token").read_text(encoding="utf-8").strip(), openbao_stage.token()}
    assert leaked(output, held) == []
    assert any(b"AnsiballZ" in command for command in commands)
    assert [secret for secret in held if any(secret.encode() in command for command in commands)] == []
