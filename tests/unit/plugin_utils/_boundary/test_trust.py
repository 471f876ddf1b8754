# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which values certainly do not come from a host, by the marks of the installed Ansible."""

from __future__ import annotations

import pytest
from ansible import template
from ansible.utils import unsafe_proxy
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary import trust

OPERATORS = getattr(template, "trust_as_template", str)


def test_a_string_of_the_operator_is_trusted():
    assert trust.is_from_operator(OPERATORS("https://vault.example"))


@pytest.mark.parametrize("value", [unsafe_proxy.wrap_var("https://evil.example"), True, 5, 1.5, None, [], {"a": OPERATORS("b")}])
def test_any_other_value_is_not_trusted(value):
    assert not trust.is_from_operator(value)
