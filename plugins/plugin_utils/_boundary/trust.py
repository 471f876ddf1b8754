# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Recognise values that can only come from the operator."""

from __future__ import annotations

import typing as t

from ansible.utils.unsafe_proxy import AnsibleUnsafe

try:
    from ansible.template import is_trusted_as_template
except ImportError:  # ansible-core before 2.19

    def is_trusted_as_template(value: object) -> bool:
        return not isinstance(value, AnsibleUnsafe)


__all__ = ("is_from_operator",)


def is_from_operator(value: t.Any) -> bool:
    """Whether no host can have sent *value*: Ansible marks strings in facts as unsafe and, since 2.19, other strings as trusted."""
    return isinstance(value, str) and bool(is_trusted_as_template(value))
