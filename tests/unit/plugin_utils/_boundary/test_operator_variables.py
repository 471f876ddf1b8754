# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pieces of the operator's view. Plays with facts that try to get in: integration/test_operator.py."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary import operator_variables as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.operator_variables import OperatorVariables


def test_without_facts_all_is_the_operators():
    said = []
    operator = OperatorVariables({"a": 1, "b": "{{ x }}"}, warn=said.append)
    assert operator.find(["a", "b", "none"]) == {"a": 1, "b": "{{ x }}"}
    assert (said, operator.ignored) == ([], set())
    assert OperatorVariables(None, warn=said.append).find(["a"]) == {}


def test_a_fact_is_ignored_and_told():
    said = []
    operator = OperatorVariables({"trackops_scope": "evil", "min_ttl": 5, "ansible_facts": {"trackops_scope": "evil"}}, warn=said.append)
    assert operator.find(["trackops_scope", "min_ttl"]) == {"min_ttl": 5}
    assert operator.ignored == {"trackops_scope"}
    assert said == ["The fact 'trackops_scope' is ignored: facts come from managed hosts, and only the operator sets what trackops.api_tokens does."]


def test_what_ansible_puts_above_a_fact_is_the_operators():
    operator = OperatorVariables({"trackops_scope": "mine", "ansible_facts": {"trackops_scope": "evil"}}, warn=pytest.fail)
    assert operator.find(["trackops_scope"]) == {"trackops_scope": "mine"}


@pytest.mark.parametrize("fact", [float("nan"), {"a": 1}])
def test_values_that_are_not_equal_to_themselves(fact):
    operator = OperatorVariables({"x": fact, "ansible_facts": {"x": fact}}, warn=lambda _line: None)
    assert operator.find(["x"]) == {}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("plain words", set()),
        ("{{ a.b | c }} d", {"a", "b", "c", "d"}),
        ({"{{ k }}": ["{% if x %}", ("{{ y }}",), 1, None, True, 1.5]}, {"k", "if", "x", "y"}),
        (7, set()),
    ],
)
def test_the_words_of_templates(value, found):
    assert subject._identifiers(value) == found


def test_a_text_that_is_none_yet():
    class Encrypted:
        def __str__(self):
            return "{{ secret }}"

    assert subject._identifiers(Encrypted()) == {"secret"}


def test_the_same_object_is_from_the_same_task():
    value = ["x"]
    assert subject._set_together(value, value)
    assert not subject._set_together(["x"], ["x"])  # a host may send what the operator has set
    for alone in (None, True, 7, "", "a"):  # there is one object for all
        assert not subject._set_together(alone, alone)


def test_facts_of_odd_caches():
    class Raising:
        def get(self, host):
            raise KeyError(host)

    assert subject._facts(Raising(), "h") == {}
    assert subject._facts({"h": "junk"}, "h") == {}
    assert subject._facts({"h": {"a": 1}}, "h") == {"a": 1}
    few = subject._FewFacts({"h": {"a": 1, "b": 2}}, lambda host, name: (host, name) == ("h", "a"))
    assert few.get("h") == {"a": 1}
