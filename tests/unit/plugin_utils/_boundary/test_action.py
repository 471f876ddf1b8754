# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the actions share, as far as it can be tested without a play."""

from __future__ import annotations

import functools
import types

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError, VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary import action as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.action import (
    Resolved,
    TokenAction,
    asked_path,
    failed_action,
    interpreter_fact,
    module_result,
)
from support.scripted import NOW, request_for, token


def test_a_resolved_item_has_vendor_path_and_details():
    bare = Resolved({"vendor": "tracx"}, error="no")
    assert (bare.vendor, bare.path) == ("tracx", "tracx")
    assert Resolved({"vendor": "tracx", "path": "fleet/y"}).path == "fleet/y"
    made = Resolved({"vendor": "x"}, request_for(), token("t0k3n"), now=NOW)
    assert (made.vendor, made.path) == ("trackunit", "fleet/x")
    assert (made.details()["access_token"], made.details()["authorization"], made.details()["expires_in"]) == ("t0k3n", "Bearer t0k3n", 3600)
    assert "t0k3n" not in repr(made)
    with pytest.raises(ValueError, match="there is no token"):
        bare.details()


def test_the_path_of_an_item_defaults_to_its_vendor():
    assert (asked_path({"path": "a", "vendor": "b"}), asked_path({"vendor": "b"}), asked_path({})) == ("a", "b", "")


@pytest.mark.parametrize("option", ["vendors", "issuer"])
@pytest.mark.parametrize(
    "items",
    [
        [{"vendor": "tracx"}],
        [{}, {"vendor": "tracx"}],  # tokens, with the options of the task before them
        [{"vendor": "tracx"}, {"path": "fleet/tracx"}],
    ],
)
def test_options_of_custom_vendors_are_refused_for_built_in_ones(monkeypatch, option, items):
    monkeypatch.setattr(subject, "option_names", lambda plugin: {"scope", *(("vendors", "issuer") if plugin == "oauth2" else ())})
    refuse = functools.partial(TokenAction.refuse_wrong_options, None, own=(), module="token_info")
    with pytest.raises(OptionError) as caught:
        refuse([{option: "x", **items[0]}, *items[1:]])
    assert caught.value.message == f"there is no option '{option}' for tracx; only oauth2 and your own vendors accept it."
    for own in ([{"vendor": "mine"}], [{}, {"vendor": "mine"}], [{}, {"vendor": "tracx"}, {"vendor": "mine"}], [{}]):
        refuse([{option: "x", **own[0]}, *own[1:]])


@pytest.mark.parametrize("empty", ["", " ", "/"])
@pytest.mark.parametrize(("option", "code"), [("vendor", "TRK-O03"), ("path", "TRK-O07")])
def test_an_empty_name_does_not_select_others(monkeypatch, option, code, empty):
    """A variable that is empty would give the default path's token, or remove the tokens of all vendors."""
    monkeypatch.setattr(subject, "option_names", lambda plugin: set())
    refuse = functools.partial(TokenAction.refuse_wrong_options, None, own=("tokens", "dest"), module="token_file")
    given = {"vendor": "tracx", "path": "fleet/tracx"}
    with pytest.raises(OptionError) as caught:
        refuse([{**given, option: empty}])
    assert caught.value.coded_message == f"{option} is empty. Give a value, or leave it out (omit). [{code}]"
    with pytest.raises(OptionError) as caught:
        refuse([{}], of=[given, {"vendor": "tracx", "dest": "/x", option: empty}])
    assert caught.value.message.startswith("tokens, item 2 (")
    assert caught.value.message.endswith(f"/x): {option} is empty. Give a value, or leave it out (omit).")
    refuse([given, {**given, option: None}, {}])


@pytest.mark.parametrize("trouble", [AttributeError, TypeError, ValueError, KeyError, IndexError, RecursionError])
def test_an_answer_that_ansible_cannot_read_is_reported_without_a_traceback(trouble):
    def run():
        raise trouble("of the host")

    with pytest.raises(AnsibleActionFail) as caught:
        module_result(run)
    assert "Ansible cannot parse the result of the module on the host." in str(caught.value)
    assert caught.value.__context__ is None  # otherwise Ansible shows its traceback


def test_errors_of_ansible_pass_unchanged():
    def run():
        raise AnsibleActionFail("unreachable")

    with pytest.raises(AnsibleActionFail, match="unreachable"):
        module_result(run)
    assert module_result(lambda: {"rc": 0}) == {"rc": 0}


def test_a_failed_action_has_the_error_code_in_its_result():
    failed = failed_action(VendorError("no", "refused"), path="x")
    assert failed.result["path"] == "x"
    assert failed.result["error_code"] == VendorError("no", "refused").error_code


def test_the_discovered_interpreter_is_returned_as_a_fact():
    found = types.SimpleNamespace(_discovered_interpreter_key="discovered_interpreter_python", _discovered_interpreter="/usr/bin/python3")
    assert interpreter_fact(found) == {"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3"}}
    assert interpreter_fact(types.SimpleNamespace(_discovered_interpreter_key=None)) == {}


class Connection:
    def __init__(self, origin, become=None):
        self.become, self.origin, self.set = become, origin, []

    def get_option_and_origin(self, name, hostvars):
        if self.origin is None:
            raise KeyError(name)
        return False, self.origin

    def set_option(self, name, value):
        self.set.append((name, value))


@pytest.mark.parametrize(
    ("origin", "become", "piped"), [("default", None, True), ("default", "sudo", False), ("env: ANSIBLE_PIPELINING", None, False), (None, None, False)]
)
def test_pipelining_is_switched_on_only_where_it_is_not_configured(origin, become, piped):
    connection = Connection(origin, become)
    with subject.pipelined(connection, {}):
        assert connection.set == ([("pipelining", True)] if piped else [])
    assert connection.set == ([("pipelining", True), ("pipelining", False)] if piped else [])
