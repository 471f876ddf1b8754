#!/usr/bin/python
# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: vault_setup
short_description: The part of the playbook trackops.api_tokens.vault_setup that talks to Vault
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - Use the playbook C(trackops.api_tokens.vault_setup) instead. The guide I(Vault) explains its variables.
  - It runs on the controller, and takes no arguments. It reads the playbook's variables itself, so that no callback plugin receives the token.
options: {}
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: all
"""

EXAMPLES = r"""
- name: Set up Vault with the playbook
  ansible.builtin.import_playbook: trackops.api_tokens.vault_setup
"""

RETURN = r"""
done:
  description: What was created and changed, or would be, one by one, and what was left as it was.
  returned: always
  type: list
  elements: str
to_set:
  description: Lines for the shell of the user who runs playbooks.
  returned: always
  type: list
  elements: str
error_code:
  description: "The code of the error at the end of C(msg), such as C(TRK-V11). The guide I(Errors) says what to do."
  returned: on failure
  type: str
"""
