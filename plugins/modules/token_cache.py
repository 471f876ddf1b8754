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
  - Works on the cache of the user that runs ansible, on the controller.
options:
  state:
    description:
      - V(present) gets the tokens that the cache does not hold, all in one task, so that the hosts find them there.
      - V(absent) removes the tokens that O(vendor), O(path) and O(tokens) select, or all, and revokes the Vault login that is kept for them.
        A token whose vendor has a O(revocation_url), or an O(issuer) that names one, is given back first. If that fails, its entry stays,
        with a warning. With O(cache=vault) the tokens of the shared entry are given back, and it is removed too.
        A vendor that is not known is an error, unless the cache has entries of it. Where a O(path) is given and nothing is there, there is a warning.
      - V(pruned) removes what has expired or is damaged.
    type: str
    choices: [present, absent, pruned]
    default: present
  vendor:
    description: Whose token, V(trackmage), V(tracx), V(tracktik), V(trackunit), V(oauth2), or one of C(trackops_vendors).
    type: str
  path:
    description: Path of the vendor's credentials in Vault, below the mount. Not given, the name of the vendor; with O(state=absent), all paths.
    type: str
  tokens:
    description:
      - Several tokens. An item takes O(vendor), O(path) and every other option; what it does not say is taken from the options beside O(tokens).
    type: list
    elements: dict
  revoke_logins:
    description: Whether O(state=absent) revokes the Vault login that is kept.
    type: bool
    default: true
  revoke_consent:
    description:
      - Whether O(state=absent) revokes a refresh token that is the credential in Vault (the grants C(authorization_code) and C(refresh_token)).
      - That ends the consent of the person who gave it; the playbook C(trackops.api_tokens.authorize) asks for it again.
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
    description: Tells what would be got or removed, and asks nobody.
"""

EXAMPLES = r"""
- name: Get all tokens once, before the hosts ask
  trackops.api_tokens.token_cache:
    tokens:
      - {vendor: trackmage, path: fleet/trackmage}
      - {vendor: tracx, path: fleet/tracx}
      - {vendor: trackunit, path: fleet/trackunit, min_ttl: 1800}
  delegate_to: localhost
  run_once: true

- name: Forget the tokens of one vendor
  trackops.api_tokens.token_cache:
    vendor: tracx
    state: absent
  delegate_to: localhost
  run_once: true

- name: Forget everything
  trackops.api_tokens.token_cache:
    state: absent
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
tokens:
  description: What is known of each token, without the token.
  type: list
  elements: dict
  returned: with O(state=present)
missing:
  description: The tokens that would be got.
  type: list
  elements: dict
  returned: with O(state=present) in check mode
errors:
  description: Why there are tokens that could not be got.
  type: list
  elements: str
  returned: when it failed
failures:
  description: Of each token that could not be got, C(vendor), C(path), C(error) and C(error_code).
  type: list
  elements: dict
  returned: when it failed
removed:
  description:
    - Kind, vendor and path of the entries that were removed, or would be.
    - Kinds are C(token), C(login) (to Vault), C(consent) (begun, not finished), C(lock) (notes about a lock), C(shared) (in Vault, with
      O(cache=vault)), C(failure) (remembered, without a token) and C(damaged).
    - A failure that is forgotten is a change too. The next lookup asks again, and does not repeat the error.
  type: list
  elements: dict
  returned: with O(state=absent) and O(state=pruned)
removed_by_kind:
  description: How many entries of each kind that is.
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
    - What was to be given back and was not, so that it stays valid until it expires, such as C(acme access_token).
    - Of what is in RV(kept) too, the entry is still in the cache, and the same task tries again. Of the rest the vendor takes none back.
    - Tokens of a vendor without a O(revocation_url) are not among them. Nobody can give them back.
  type: list
  elements: str
  returned: with O(state=absent)
kept:
  description: Vendor and path of the entries that stay, because the vendor did not revoke what they hold.
  type: list
  elements: dict
  returned: with O(state=absent)
error_code:
  description: "The code of the error at the end of C(msg), such as C(TRK-V03): what to do is in the guide I(Errors)."
  returned: on failure
  type: str
"""
