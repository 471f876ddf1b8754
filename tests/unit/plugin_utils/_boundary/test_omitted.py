# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's omit in its two forms. A real run in tests/integration/test_versions.py shows that these are Ansible's forms."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.omitted import is_omitted, refuse_replaced, resolved, without_omitted

OLD = "__omit_place_holder__0123456789abcdef"
NEW = type("_OmitType", (), {})()


@pytest.mark.parametrize("omit", [OLD, NEW])
def test_omit_is_removed_at_every_level(omit):
    assert is_omitted(omit)
    given = {"a": omit, "b": {"c": omit, "d": 1}, "e": [omit, {"f": omit}, [omit, "g"]], "h": None}
    assert without_omitted(given) == {"b": {"d": 1}, "e": [{}, ["g"]], "h": None}
    assert resolved(lambda: omit) == []
    assert resolved(lambda: [omit, "kept"]) == [["kept"]]


@pytest.mark.parametrize("value", ["omit", "", None, 0, False, "a __omit_place_holder__", [], {}])
def test_other_values_are_kept(value):
    assert not is_omitted(value)
    assert without_omitted(value) == value
    assert resolved(lambda: value) == [value]


def test_a_template_that_resolves_to_omit_is_dropped_and_other_errors_are_raised():
    def fails(error):
        raise error

    omitted = type("AnsibleValueOmittedError", (Exception,), {})
    assert resolved(lambda: fails(omitted())) == []
    with pytest.raises(ZeroDivisionError):
        resolved(lambda: fails(ZeroDivisionError()))


@pytest.mark.parametrize("value", ["a host's word", None])
def test_a_variable_that_hides_omit_is_refused(value):
    with pytest.raises(OptionError, match="A variable or a fact named 'omit' hides Ansible's own") as caught:
        refuse_replaced({"omit": value})
    assert "a host's word" not in caught.value.coded_message


@pytest.mark.parametrize("variables", [{"omit": OLD}, {"omit": NEW}, {}, None])
def test_ansibles_own_omit_is_accepted(variables):
    refuse_replaced(variables)
