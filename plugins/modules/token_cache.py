# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# The documentation of the action plugin with the same name, which runs on the controller.

DOCUMENTATION = r"""
module: token_cache
short_description: Warm, purge or tidy up the cache of API tokens
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - "Shortest use: C(ansible localhost -m trackops.api_tokens.token_cache -a vendor=tracx)."
  - Works on the cache of the user who runs Ansible, on the controller.
options:
  state:
    description:
      - V(present) obtains the tokens that the cache does not hold, all in one task, so that the hosts find them there.
      - V(absent) removes the tokens that O(vendor), O(path) and O(tokens) select, or all, and revokes their cached Vault login. A token
        whose vendor has a O(revocation_url), or an O(issuer) that names one, is revoked first. If that fails, its entry stays, with a
        warning. With O(cache=vault), the tokens of the shared entry are revoked, and it is removed too. An unknown vendor is an error,
        unless the cache still has entries for it. A O(path) with no entry causes a warning.
      - V(pruned) removes expired and damaged entries.
    type: str
    choices: [present, absent, pruned]
    default: present
  vendor:
    description: The token's vendor, V(trackmage), V(tracx), V(tracktik), V(trackunit), V(oauth2), or a vendor in C(trackops_vendors).
    type: str
  path:
    description: Path of the vendor's credentials in Vault, below the mount. Defaults to the vendor's name; with O(state=absent), to all paths.
    type: str
  tokens:
    description:
      - Several tokens. An item takes O(vendor), O(path) and every other option; options that it does not set are taken from those next to O(tokens).
    type: list
    elements: dict
  revoke_logins:
    description: Whether O(state=absent) revokes the cached Vault login.
    type: bool
    default: true
  revoke_consent:
    description:
      - Whether O(state=absent) revokes a refresh token that is the credential in Vault (the grants C(authorization_code) and C(refresh_token)).
      - This ends the person's consent; the playbook C(trackops.api_tokens.authorize) asks for it again.
    type: bool
    default: false
extends_documentation_fragment:
  - trackops.api_tokens.vault
  - trackops.api_tokens.token
  - trackops.api_tokens.token.module
  - trackops.api_tokens.token.oauth2
  - trackops.api_tokens.token.on_controller
attributes:
  check_mode:
    support: full
    description: Returns what would be obtained or removed, and sends no request.
"""

EXAMPLES = r"""
- name: Obtain all tokens once, before the hosts need them
  trackops.api_tokens.token_cache:
    tokens:
      - {vendor: trackmage, path: fleet/trackmage}
      - {vendor: tracx, path: fleet/tracx}
      - {vendor: trackunit, path: fleet/trackunit, min_ttl: 1800}
  delegate_to: localhost
  run_once: true

- name: Remove the tokens of one vendor
  trackops.api_tokens.token_cache:
    vendor: tracx
    state: absent
  delegate_to: localhost
  run_once: true

- name: Remove everything
  trackops.api_tokens.token_cache:
    state: absent
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
tokens:
  description: Information about each token, without the token.
  type: list
  elements: dict
  returned: with O(state=present)
missing:
  description: The tokens that would be obtained.
  type: list
  elements: dict
  returned: with O(state=present) in check mode
errors:
  description: Why tokens could not be obtained.
  type: list
  elements: str
  returned: when it failed
failures:
  description: For each token that could not be obtained, C(vendor), C(path), C(error) and C(error_code).
  type: list
  elements: dict
  returned: when it failed
removed:
  description:
    - Kind, vendor and path of the entries that were removed, or would be.
    - Kinds are C(token), C(login) (to Vault), C(consent) (started, not finished), C(lock) (notes about a lock), C(shared) (in Vault, with
      O(cache=vault)), C(failure) (remembered, without a token) and C(damaged).
    - Removing a failure is a change too. The next lookup makes a new attempt, and does not repeat the error.
  type: list
  elements: dict
  returned: with O(state=absent) and O(state=pruned)
removed_by_kind:
  description: The number of entries of each kind.
  type: dict
  returned: with O(state=absent) and O(state=pruned)
  sample: {token: 4, login: 1}
revoked:
  description: What was revoked, or would be.
  type: list
  elements: str
  returned: with O(state=absent)
not_revoked:
  description:
    - Tokens that should have been revoked but were not, so that they stay valid until they expire, such as C(acme access_token).
    - The entries of those that are also in RV(kept) are still in the cache; run the task again to retry. The vendor revokes none of the others.
    - Tokens of a vendor without a O(revocation_url) are not listed. They cannot be revoked.
  type: list
  elements: str
  returned: with O(state=absent)
kept:
  description: Vendor and path of the entries that stay because the vendor did not revoke their tokens.
  type: list
  elements: dict
  returned: with O(state=absent)
error_code:
  description: "The code of the error at the end of C(msg), such as C(TRK-V03). The guide I(Errors) says what to do."
  returned: on failure
  type: str
"""
