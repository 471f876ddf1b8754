# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# The documentation of the action plugin with the same name, which runs on the controller.

DOCUMENTATION = r"""
module: token_info
short_description: Show information about an API token, without the token
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - "Shortest use: C(ansible localhost -m trackops.api_tokens.token_info -a vendor=tracx)."
  - Returns when a vendor's token expires, its scope, where it came from and its fingerprint, but never the token.
  - Runs on the controller. With O(file), it also inspects a file on the host, and returns the same for it.
options:
  vendor:
    description: The token's vendor, V(trackmage), V(tracx), V(tracktik), V(trackunit), V(oauth2), or a vendor in C(trackops_vendors).
    type: str
  path:
    description: Path of the vendor's credentials in Vault, below the mount. Defaults to the vendor's name.
    type: str
  fetch:
    description:
      - Whether to obtain a token if the cache has no valid one. V(false) only looks, and asks neither Vault nor the vendor.
      - With O(explain), the default is V(false).
    type: bool
    default: true
  explain:
    description:
      - Whether to return each option with its value and the value's source, in RV(options). Secrets are masked.
      - Requires O(vendor).
    type: bool
    default: false
  claims:
    description:
      - Whether to return the claims of a token that is a JWT. They are read, not verified.
      - Claims whose name or value looks like a token or a credential are left out.
    type: bool
    default: false
  file:
    description: Absolute path of a file on the host that M(trackops.api_tokens.token_file) wrote.
    type: str
  tokens:
    description:
      - Inspect the files of several tokens on the host at once. Asks neither Vault nor a vendor.
      - The items are those of M(trackops.api_tokens.token_file); C(dest), or C(vendor) and C(path), identify the file.
    type: list
    elements: dict
  directory:
    description: Directory of the files in O(tokens) that have no C(dest).
    type: str
    default: /etc/api-tokens
extends_documentation_fragment:
  - trackops.api_tokens.vault
  - trackops.api_tokens.token
  - trackops.api_tokens.token.module
  - trackops.api_tokens.token.oauth2
  - trackops.api_tokens.token.on_controller
attributes:
  check_mode:
    support: full
    description: Changes nothing on any host.
"""

EXAMPLES = r"""
# ansible localhost -m trackops.api_tokens.token_info -a 'vendor=tracx path=fleet/tracx'

# ansible localhost -m trackops.api_tokens.token_info -a 'vendor=tracx explain=true'

- name: Check that there is an hour left
  trackops.api_tokens.token_info:
    vendor: trackunit
    path: fleet/trackunit
    fetch: false
  register: trackunit
  failed_when: trackunit.expires_in | default(0, true) < 3600

- name: Check that the host has the token in the cache
  trackops.api_tokens.token_info:
    vendor: tracx
    path: fleet/tracx
    file: /etc/api-tokens/tracx
  register: tracx
  failed_when: not tracx.file.current
"""

RETURN = r"""
options:
  description:
    - Each option with its C(value) and its C(source).
    - "The source is C(direct) (given with the task), C(variable NAME), C(environment NAME), C(ini FILE), C(file) (a Vault token file),
      C(default), or C(default of the vendor)."
    - C(ignored_facts) names the option's variables that a fact of the host would set. Facts are not used.
  type: dict
  returned: with O(explain)
vendor:
  description: Name of the vendor.
  type: str
  returned: with O(vendor)
path:
  description: Path of the credentials, below the mount.
  type: str
  returned: with O(vendor)
valid:
  description: Whether there is a token that has not expired; without O(vendor), whether there is one in O(file).
  type: bool
  returned: always
expires_at:
  description: When the token expires, in UNIX seconds (UTC).
  type: int
  returned: with O(vendor)
expires_in:
  description: Seconds until it expires.
  type: int
  returned: with O(vendor)
issued_at:
  description: When it was requested, in UNIX seconds (UTC).
  type: int
  returned: with O(vendor)
scope:
  description: Its scope, if the vendor states it.
  type: str
  returned: with O(vendor)
source:
  description: V(cache), or V(vendor) if it was obtained just now.
  type: str
  returned: with O(vendor)
expires_at_iso:
  description: The same as ISO 8601, in UTC.
  type: str
  returned: with O(vendor)
  sample: '2026-11-26T01:30:00Z'
token_type:
  description: Its type, as spelled by the vendor; C(raw) if the header is the bare token, as with Tracx.
  type: str
  returned: with O(vendor)
fingerprint:
  description: C(sha256:) and 16 hex digits. The same token has the same fingerprint everywhere; option O(refused) takes it.
  type: str
  returned: with O(vendor)
claims:
  description: The unverified claims of the token, or null if it is not a JWT.
  type: dict
  returned: with O(vendor) and O(claims)
cache_vault_entry:
  description: Where other Vault clients find the token.
  type: str
  returned: with O(cache=vault)
tokens:
  description:
    - Information about the file of each item in O(tokens). As C(file), with C(vendor), C(secret) (the path in Vault) and C(state) (of the
      item).
    - C(leftover) says whether the file of an item with C(state=absent) exists; C(valid) is null for such an item.
    - C(exposed) says whether every user of the host can read the file, without C(allow_readable).
  type: list
  elements: dict
  returned: with O(tokens)
file:
  description: Information about the token in O(file).
  type: dict
  returned: with O(file)
  contains:
    path:
      description: The file.
      type: str
    exists:
      description: Whether it exists.
      type: bool
    valid:
      description: Whether it holds a token that has not expired, as far as is known. Null if its text, such as a template's output, has none.
      type: bool
    current:
      description: Whether it holds the same token as the cache. Null without O(vendor), and if RV(file.valid) is null.
      type: bool
    fingerprint:
      description: Fingerprint of its token.
      type: str
    expires_at:
      description: When its token expires, in UNIX seconds (UTC). Null if neither the file nor the token states it.
      type: int
    expires_at_iso:
      description: The same as ISO 8601, in UTC.
      type: str
    expires_in:
      description: Seconds until its token expires.
      type: int
    mode:
      description: Its permissions.
      type: str
    owner:
      description: Its owner.
      type: str
    group:
      description: Its group.
      type: str
    claims:
      description: The unverified claims of its token, with O(claims). Null if it is not a JWT.
      type: dict
    error:
      description: Why it could not be inspected. Null if it could, or does not exist.
      type: str
    error_code:
      description: The code of RV(file.error).
      type: str
error_code:
  description: "The code of the error at the end of C(msg), such as C(TRK-V03). The guide I(Errors) says what to do."
  returned: on failure
  type: str
"""
