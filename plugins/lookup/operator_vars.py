# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: operator_vars
short_description: Variables as set by the operator, without facts
version_added: 1.0.0
author: TrackOps founders (@trackops)
description:
  - Returns the values of variables by name, as P(ansible.builtin.vars#lookup) does, but never a fact.
  - Ansible lets a managed host's facts replace variables from the inventory, group_vars and host_vars. A host can send a fact with any
    name. Use this lookup if a host must not decide a value.
  - For a variable that is also a fact, the value is what Ansible finds without the fact, and a warning names the fact. Templates in the
    value are resolved in the same way. Templates may use facts as C(ansible_facts.NAME); bare ones (C(ansible_hostname)) are an error.
  - The role and the playbooks of this collection read their variables with it. There is a warning for a variable whose name is similar to
    one of theirs, or to a requested variable that is not set.
options:
  _terms:
    description:
      - Names of variables.
      - A variable that is not set, or is C(omit), is left out. Use C(query(…) | first | default(…)) if it is optional.
    type: list
    elements: str
    required: true
seealso:
  - plugin: ansible.builtin.vars
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Keep this host's tokens, whatever its facts say
  trackops.api_tokens.token_file:
    tokens: "{{ lookup('trackops.api_tokens.operator_vars', 'my_tokens') }}"
    mode: "{{ query('trackops.api_tokens.operator_vars', 'my_mode') | first | default('0600') }}"
"""

RETURN = r"""
_raw:
  description: The values of the variables that are set, in the order of the names.
  type: list
  elements: raw
"""

import typing as t

from ansible.errors import AnsibleOptionsError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.omitted import refuse_replaced, resolved
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.operator_variables import OperatorVariables
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks.role_variables import misspelt
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.one_line import one_line

display = Display()


class LookupModule(LookupBase):  # type: ignore[misc]
    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            if not all(isinstance(term, str) for term in terms):
                raise OptionError("operator_vars: the terms must be names of variables.")
            refuse_replaced(variables)
        except OptionError as exc:
            raise AnsibleOptionsError(exc.coded_message) from None
        operator = OperatorVariables(variables, warn=display.warning)
        found = operator.find(terms)
        for unused, meant in misspelt(terms, [name for name in terms if name not in found], variables or {}):
            display.warning(f"The variable {one_line(unused, limit=80)} is not used; did you mean {meant}?")
        return [value for name in terms if name in found for value in resolved(lambda name=name: operator.resolve(found[name], self._templar))]
