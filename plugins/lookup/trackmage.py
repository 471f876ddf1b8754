# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: trackmage
short_description: API token of TrackMage
version_added: 1.0.0
author: TrackOps founders (@trackops)
description:
  - "Shortest use: V(lookup('trackops.api_tokens.trackmage'\\))."
  - Gets an access token of TrackMage with the C(client_id) and C(client_secret) in Vault.
  - O(variant=authorization_code) uses the C(refresh_token) (or, once, C(code) and C(redirect_uri)) that consent in the browser has left in Vault.
  - The token comes from the cache while it is good, so any number of hosts, forks and runs cost one request.
requirements:
  - hvac and requests (Python libraries, on the controller)
options:
  _terms:
    description:
      - Paths of the credentials in Vault, below the mount of the KV engine. One token is returned for each, in order.
      - Without one, O(path) is used.
    type: list
    elements: str
  path:
    description:
      - Path of the credentials in Vault when no term is given.
    type: str
    env: [{name: TRACKOPS_TRACKMAGE_PATH}]
    ini: [{section: trackops_api_tokens, key: trackmage_path}]
    vars: [{name: trackops_trackmage_path}]
    default: trackmage
  base_url:
    default: https://api.trackmage.com
    env: [{name: TRACKOPS_TRACKMAGE_BASE_URL}]
    ini: [{section: trackops_api_tokens, key: trackmage_base_url}]
    vars: [{name: trackops_trackmage_base_url}]
  token_url:
    env: [{name: TRACKOPS_TRACKMAGE_TOKEN_URL}]
    ini: [{section: trackops_api_tokens, key: trackmage_token_url}]
    vars: [{name: trackops_trackmage_token_url}]
  scope:
    env: [{name: TRACKOPS_TRACKMAGE_SCOPE}]
    ini: [{section: trackops_api_tokens, key: trackmage_scope}]
    vars: [{name: trackops_trackmage_scope}]
  variant:
    default: client_credentials
    env: [{name: TRACKOPS_TRACKMAGE_VARIANT}]
    ini: [{section: trackops_api_tokens, key: trackmage_variant}]
    vars: [{name: trackops_trackmage_variant}]
    choices: [client_credentials, authorization_code]
  extra_parameters:
    env: [{name: TRACKOPS_TRACKMAGE_EXTRA_PARAMETERS}]
    ini: [{section: trackops_api_tokens, key: trackmage_extra_parameters}]
    vars: [{name: trackops_trackmage_extra_parameters}]
  credential_fields:
    env: [{name: TRACKOPS_TRACKMAGE_CREDENTIAL_FIELDS}]
    ini: [{section: trackops_api_tokens, key: trackmage_credential_fields}]
    vars: [{name: trackops_trackmage_credential_fields}]
  http_client_cert:
    env: [{name: TRACKOPS_TRACKMAGE_HTTP_CLIENT_CERT}]
    ini: [{section: trackops_api_tokens, key: trackmage_http_client_cert}]
    vars: [{name: trackops_trackmage_http_client_cert}]
  http_client_key:
    env: [{name: TRACKOPS_TRACKMAGE_HTTP_CLIENT_KEY}]
    ini: [{section: trackops_api_tokens, key: trackmage_http_client_key}]
    vars: [{name: trackops_trackmage_http_client_key}]
extends_documentation_fragment:
  - trackops.api_tokens.vault
  - trackops.api_tokens.vault.plugins
  - trackops.api_tokens.token
  - trackops.api_tokens.token.plugins
  - trackops.api_tokens.token.lookup
seealso:
  - plugin: community.hashi_vault.vault_kv2_get
    plugin_type: lookup
    description: Reads any secret; the options for Vault are the same.
notes:
  - Use C(no_log) on tasks that pass a token on to a module, since ansible shows a module's arguments at C(-vvv).
  - A lookup gets its token in check mode too. Tasks that run for real in check mode need it, and Ansible does not tell lookups of the mode.
  - The C(environment) of a task or a play does not reach lookups, which run on the controller. Set E(VAULT_ADDR) and so on where
    C(ansible-playbook) is started, or use variables.
"""

EXAMPLES = r"""
- name: Ask TrackMage for shipments
  ansible.builtin.uri:
    url: https://api.trackmage.com/shipments
    headers: "{{ lookup('trackops.api_tokens.trackmage', output='headers') }}"
  no_log: true

- name: A path of one's own
  ansible.builtin.set_fact:
    trackmage_token: "{{ lookup('trackops.api_tokens.trackmage', 'fleet/trackmage') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description:
    - One result for each path, in the form that O(output) names.
    - "With O(output=details): C(vendor), C(access_token), C(token_type), C(authorization), C(expires_at) (UNIX seconds, UTC), C(expires_in)
      (seconds), C(issued_at), C(scope), C(source) (V(cache) or V(vendor)) and C(extra), what else the vendor said."
  type: list
  elements: raw
"""

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.lookup import TokenLookup


class LookupModule(TokenLookup):
    vendor = "trackmage"
