# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables the operator has set: with Ansible's own variable manager, in the process that starts the workers.

Plays with facts that try to pass as the operator's: integration/test_operator.py.
"""

from __future__ import annotations

import inspect
import json

import pytest
from ansible.errors import AnsibleOptionsError
from ansible.executor.play_iterator import PlayIterator
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary import operator_variables as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.operator_variables import OperatorVariables

# Since 2.19, texts of the operator are marked as trusted.
MARKED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
TEMPLATE = "p/{{ where }}"
GROUP = {"mine": {"a": "good"}, "flag": True, "where": "good", "templated": TEMPLATE, "site": "good"}


class Run:
    """A run of one play; its host "liar" has sent facts."""

    def __init__(self, folder, **play):
        self.folder = folder
        self.loader = DataLoader()
        self.loader.set_basedir(str(folder))
        hosts = {name: {} for name in ("liar", "honest", "a")}
        (folder / "inventory.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": GROUP}}))
        self.inventory = InventoryManager(loader=self.loader, sources=[str(folder / "inventory.yml")])
        self.manager = VariableManager(loader=self.loader, inventory=self.inventory)
        HostVars(self.inventory, self.manager, self.loader)
        (folder / "play.yml").write_text(json.dumps({"hosts": "all", "gather_facts": False, "tasks": [{"name": "T", "debug": {}}], **play}))
        loaded = self.loader.load_from_file(str(folder / "play.yml"), **MARKED)
        self.play = Play.load(loaded, variable_manager=self.manager, loader=self.loader)
        self.warned = []

    def lies(self, facts, host="liar"):
        self.manager.set_host_facts(host, facts)

    def variables(self, name="liar", task=None):
        return self.manager.get_vars(play=self.play, host=self.inventory.get_host(name), task=task)

    def operator(self, name="liar"):
        """Make OperatorVariables as a strategy does."""
        host, task = self.inventory.get_host(name), self.task
        iterator = PlayIterator(self.inventory, self.play, PlayContext(), self.manager, {})
        operator = OperatorVariables(self.variables(name, task), warn=self.warned.append)
        operator._source, iterator  # noqa: B018 (looks now for the function that it is asked by)
        assert host is not None
        return operator

    @property
    def task(self):
        return self.play.tasks[0].block[0]

    def resolved(self, operator, name):
        templar = Templar(loader=self.loader, variables=dict(operator._all))
        return operator.resolve(operator.find([name])[name], templar)


@pytest.fixture
def folder(tmp_path):
    return tmp_path


NAN = float("nan")
LIES = [
    {"a": "evil", "_ansible_x": 1},
    {"a": "evil", "deep": [{"b": {"_ansible_no_log": True}}]},
    {"a": "evil", "n": NAN},
    [NAN, {"_ansible_x": [NAN]}],
    {},
    [],
    "",
    "evil",
    None,
    False,
    0,
    1,
]


@pytest.mark.parametrize("lie", LIES, ids=repr)
def test_facts_never_replace_the_operators_values(folder, lie):
    """Ansible removes parts of some values, and others are not equal to themselves."""
    run = Run(folder, vars={"of_play": False})
    run.lies({"mine": lie, "flag": lie, "of_play": lie})
    assert run.operator().find(["mine", "flag", "of_play", "nothing"]) == {"mine": {"a": "good"}, "flag": True, "of_play": False}
    assert sum("'mine'" in line for line in run.warned) == 1


def test_a_fact_without_an_operator_variable_of_its_name_is_ignored(folder):
    run = Run(folder)
    run.lies({"mine_too": {"a": "evil", "_ansible_x": 1}})
    operator = run.operator()
    assert operator.find(["mine_too"]) == {}
    assert operator.ignored == {"mine_too"}


def test_variables_without_a_fact_of_their_name_stay_unchanged(folder):
    run = Run(folder)
    run.lies({"other": 1})
    operator = run.operator()
    found = operator.find(["mine", "flag"])
    assert found["mine"] is operator._all["mine"]
    assert (found["flag"], run.warned) == (True, [])


@pytest.mark.parametrize("name", ["x", "honest", "liar", "a", None, True])
def test_a_fact_that_claims_another_host_name_changes_nothing(folder, name):
    run = Run(folder, vars={"mine": {"a": "play"}, "flag": False})
    run.lies({"inventory_hostname": name, "mine": {"a": "evil"}, "flag": True, "environment": {}, "hostvars": {}})
    assert run.operator().find(["mine", "flag"]) == {"mine": {"a": "play"}, "flag": False}


@pytest.mark.parametrize("name", ["liar", "a"])
def test_variables_read_through_hostvars_have_no_play_vars(folder, name):
    run = Run(folder, vars={"mine": {"a": "play"}})
    run.lies({"mine": "evil"}, name)
    run.lies({"inventory_hostname": "a"}, "honest")
    iterator, host, task = PlayIterator(run.inventory, run.play, PlayContext(), run.manager, {}), run.inventory.get_host("liar"), run.task
    variable_manager = run.manager
    variables = variable_manager.get_vars(host=run.inventory.get_host(name), include_hostvars=False)
    operator = OperatorVariables(variables, warn=run.warned.append)
    if name == "a":  # a text of one letter is the same object everywhere, and another host claims this name
        with pytest.raises(AnsibleOptionsError, match="The host of these variables is not known"):
            operator.find(["mine"])
    else:
        assert operator.find(["mine"]) == {"mine": {"a": "good"}}
    assert iterator and host and task


def test_variables_of_an_unknown_host_are_refused(folder):
    """Otherwise only some of the variables that the operator has set would be used."""
    run = Run(folder, vars={"mine": {"a": "play"}})
    run.lies({"mine": "evil"})
    operator = OperatorVariables(run.variables(task=run.task), warn=run.warned.append)
    with pytest.raises(AnsibleOptionsError, match=r"none of them is used\. \["):
        operator.find(["mine"])
    assert operator.find(["flag"]) == {"flag": True}


def test_variables_without_a_host_are_not_checked_for_facts(folder):
    run = Run(folder)
    run.lies({"mine": "evil"})
    variables = {**run.manager.get_vars(play=run.play), "mine": [1]}
    assert OperatorVariables(variables, warn=run.warned.append).find(["mine"]) == {"mine": [1]}


def test_set_fact_counts_and_cacheable_facts_do_not(folder):
    run = Run(folder)
    value = {"a": "set"}
    run.manager.set_nonpersistent_facts("liar", {"mine": {"a": "set"}, "flag": False, "site": value})
    run.lies({"mine": {"a": "set"}, "flag": False, "site": value})
    assert run.operator().find(["mine", "flag", "site"]) == {"mine": {"a": "set"}, "flag": False, "site": "good"}


def test_templates_see_no_facts(folder):
    run = Run(folder)
    run.lies({"where": {"_ansible_x": 1}, "lookup": "evil", "query": "evil", "omit": "evil", "groups": {"all": ["evil"]}})
    assert run.resolved(run.operator(), "templated") == "p/good"


def test_a_template_with_a_bare_fact_is_told_what_to_write(folder):
    run = Run(folder, vars={"bare": "p/{{ ansible_system }}", "plain": "p/{{ ansible_facts.system }}", "missing": "{{ ansible_nothing }}"})
    run.lies({"ansible_system": "Linux"})
    with pytest.raises(AnsibleOptionsError, match=r"uses 'ansible_system', which is a fact, .* write ansible_facts\.system\. \["):
        run.resolved(run.operator(), "bare")
    assert run.resolved(run.operator(), "plain") == "p/Linux"
    with pytest.raises(Exception, match="ansible_nothing"):
        run.resolved(run.operator(), "missing")


@pytest.mark.parametrize("name", ["{{ ansible_system }}.yml", "{{ ansible_facts.system }}.yml"])
def test_variable_files_chosen_by_facts_are_loaded(folder, name):
    run = Run(folder, vars_files=[name])
    (folder / "Linux.yml").write_text('{"mine": {"a": "file"}, "ansible_site": "file"}')
    run.lies({"ansible_system": "Linux", "mine": "evil", "ansible_site": {"_ansible_x": 1}})
    operator = run.operator()
    assert operator.find(["mine", "ansible_site"]) == {"mine": {"a": "file"}, "ansible_site": "file"}
    assert "ansible_system" not in operator._source.without_facts


def test_a_template_reads_operator_variables_of_another_host(folder):
    run = Run(
        folder, vars={"through": "{{ hostvars['liar'].site }} {{ hostvars['liar'].ansible_facts.system }} {{ hostvars['honest'].ansible_facts | length }}"}
    )
    run.lies({"site": "evil", "ansible_system": "Linux"})
    assert run.resolved(run.operator("honest"), "through") == "good Linux 0"


# Without a play, as in an inventory plugin


def test_without_facts_every_variable_is_the_operators():
    said = []
    operator = OperatorVariables({"a": 1, "b": "{{ x }}"}, warn=said.append)
    assert operator.find(["a", "b", "none"]) == {"a": 1, "b": "{{ x }}"}
    assert (said, operator.ignored) == ([], set())
    assert OperatorVariables(None, warn=said.append).find(["a"]) == {}


@pytest.mark.parametrize("value", ["evil", "mine", float("nan"), {"a": 1}])
def test_a_variable_with_the_name_of_a_cached_fact_is_refused(value):
    operator = OperatorVariables({"trackops_scope": value, "min_ttl": 5, "ansible_facts": {"trackops_scope": "evil"}}, warn=pytest.fail)
    with pytest.raises(AnsibleOptionsError, match="The host of these variables is not known"):
        operator.find(["trackops_scope", "min_ttl"])
    assert operator.find(["min_ttl"]) == {"min_ttl": 5}


# The pieces


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("plain words", set()),
        ("{{ a.b | c }} d", {"a", "b", "c", "d"}),
        ({"{{ k }}": ["{% if x %}", ("{{ y }}",), 1, None, True, 1.5]}, {"k", "if", "x", "y"}),
        (7, set()),
    ],
)
def test_identifiers_of_templates_are_found(value, found):
    assert subject._identifiers(value) == found


def test_identifiers_of_a_lazily_decrypted_text_are_found():
    class Encrypted:
        def __str__(self):
            return "{{ secret }}"

    assert subject._identifiers(Encrypted()) == {"secret"}


def test_set_together_compares_identity_not_equality():
    value = ["x"]
    assert subject._set_together(value, value)
    assert not subject._set_together(["x"], ["x"])  # a host may send the same value as the operator
    for alone in (None, True, 7, "", "a"):  # each of these is the same object everywhere
        assert not subject._set_together(alone, alone)


def test_broken_fact_caches_have_no_facts():
    class Raising:
        def get(self, host):
            raise KeyError(host)

    assert subject._facts(Raising(), "h") == {}
    assert subject._facts({"h": "junk"}, "h") == {}
    assert subject._facts({"h": {"a": 1}}, "h") == {"a": 1}
    assert subject._OnlyFacts({"a": 1}).get("any", None) == {"a": 1}
