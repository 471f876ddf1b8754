# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jwt_claims
short_description: The claims of a JSON Web Token, unverified
version_added: 1.0.0
author: TrackOps founders (@trackops)
description:
  - Reads the claims of a JWT (RFC 7519). The signature is B(not) verified, so do not base trust decisions on them.
options:
  _input:
    description: The token. A leading C(Bearer) is ignored.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show when the token expires
  ansible.builtin.debug:
    msg: "{{ (lookup('trackops.api_tokens.trackunit') | trackops.api_tokens.jwt_claims).exp }}"
"""

RETURN = r"""
_value:
  description: The claims.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._base import jwt
from ..plugin_utils._base.errors import coded


def jwt_claims(token: t.Any) -> dict[str, t.Any]:
    """The unverified claims of *token*."""
    if not isinstance(token, str):
        raise AnsibleFilterError(coded("jwt_claims: the input is not a string.", "option:value"))
    try:
        return jwt.claims(token.removeprefix("Bearer ").strip())
    except ValueError as exc:
        raise AnsibleFilterError(coded(f"jwt_claims: the input is {exc}.", "option:value")) from None


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"jwt_claims": jwt_claims}
