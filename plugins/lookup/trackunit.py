# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: trackunit
short_description: API token of Trackunit IRIS
version_added: 1.0.0
author: TrackOps founders (@trackops)
description:
  - "Shortest use: V(lookup('trackops.api_tokens.trackunit'\\))."
  - Obtains an access token from Trackunit IRIS with the C(client_id), C(client_secret), C(username) and C(password) in Vault.
  - O(variant=v2) requests a scoped token of API tokens v2, with C(client_id), C(client_secret) and O(scope).
  - The token comes from the cache while it is valid, so any number of hosts, forks and runs cause one request.
  - The options follow by group. C(docs/options.md) has the details, and C(ansible-doc -t lookup -s trackops.api_tokens.trackunit) prints one per line.
  - B(Needed) - O(_terms), O(path), O(url), O(auth_method), O(token).
  - B(Which token) - O(base_url), O(token_url), O(variant), O(client_auth), O(scope), O(extra_parameters), O(credential_fields),
    O(secret_version), O(wrap_ttl), O(engine_mount_point), O(engine_version).
  - B(Vault login) - O(namespace), O(mount_point), O(token_path), O(token_file), O(token_validate), O(username), O(password), O(role_id),
    O(secret_id), O(jwt), O(cert_auth_public_key), O(cert_auth_private_key), O(aws_profile), O(aws_access_key), O(aws_secret_key),
    O(aws_security_token), O(region), O(aws_iam_server_id), O(azure_tenant_id), O(azure_client_id), O(azure_client_secret), O(azure_resource).
  - B(Cache and freshness) - O(min_ttl), O(max_age), O(force), O(refused), O(cache), O(cache_path), O(cache_vault_mount), O(cache_vault_path).
  - B(Network) - O(ca_cert), O(validate_certs), O(proxies), O(timeout), O(retries), O(retry_action), O(http_ca_cert), O(http_validate_certs),
    O(http_client_cert), O(http_client_key), O(http_proxy), O(http_timeout), O(allow_http).
  - B(Failures) - O(http_retries), O(http_deadline), O(failure_ttl).
  - B(Output) - O(output), O(authorization_scheme), O(audit_log).
options:
  path:
    description: Path of the credentials if no term is given.
    type: str
    env: [{name: TRACKOPS_TRACKUNIT_PATH}]
    ini: [{section: trackops_api_tokens, key: trackunit_path}]
    vars: [{name: trackops_trackunit_path}]
    default: trackunit
  base_url:
    default: https://auth.trackunit.com
    env: [{name: TRACKOPS_TRACKUNIT_BASE_URL}]
    ini: [{section: trackops_api_tokens, key: trackunit_base_url}]
    vars: [{name: trackops_trackunit_base_url}]
  token_url:
    env: [{name: TRACKOPS_TRACKUNIT_TOKEN_URL}]
    ini: [{section: trackops_api_tokens, key: trackunit_token_url}]
    vars: [{name: trackops_trackunit_token_url}]
  scope:
    description: Scopes to request, separated by spaces. If unset, V(api). O(variant=v2) needs some.
    env: [{name: TRACKOPS_TRACKUNIT_SCOPE}]
    ini: [{section: trackops_api_tokens, key: trackunit_scope}]
    vars: [{name: trackops_trackunit_scope}]
  variant:
    default: password
    env: [{name: TRACKOPS_TRACKUNIT_VARIANT}]
    ini: [{section: trackops_api_tokens, key: trackunit_variant}]
    vars: [{name: trackops_trackunit_variant}]
    choices: [password, v2]
  client_auth:
    description: How to build the C(Basic) header of the password grant. V(basic) encodes ID and secret first, V(basic_raw) does not.
    type: str
    default: basic
    choices: [basic, basic_raw]
    env: [{name: TRACKOPS_TRACKUNIT_CLIENT_AUTH}]
    vars: [{name: trackops_trackunit_client_auth}]
    ini: [{section: trackops_api_tokens, key: trackunit_client_auth}]
  extra_parameters:
    env: [{name: TRACKOPS_TRACKUNIT_EXTRA_PARAMETERS}]
    ini: [{section: trackops_api_tokens, key: trackunit_extra_parameters}]
    vars: [{name: trackops_trackunit_extra_parameters}]
  credential_fields:
    env: [{name: TRACKOPS_TRACKUNIT_CREDENTIAL_FIELDS}]
    ini: [{section: trackops_api_tokens, key: trackunit_credential_fields}]
    vars: [{name: trackops_trackunit_credential_fields}]
  http_client_cert:
    env: [{name: TRACKOPS_TRACKUNIT_HTTP_CLIENT_CERT}]
    ini: [{section: trackops_api_tokens, key: trackunit_http_client_cert}]
    vars: [{name: trackops_trackunit_http_client_cert}]
  http_client_key:
    env: [{name: TRACKOPS_TRACKUNIT_HTTP_CLIENT_KEY}]
    ini: [{section: trackops_api_tokens, key: trackunit_http_client_key}]
    vars: [{name: trackops_trackunit_http_client_key}]
extends_documentation_fragment:
  - trackops.api_tokens.vault
  - trackops.api_tokens.vault.plugins
  - trackops.api_tokens.token
  - trackops.api_tokens.token.plugins
  - trackops.api_tokens.token.lookup
"""

EXAMPLES = r"""
- name: Ask Trackunit for machines
  ansible.builtin.uri:
    url: https://iris.trackunit.com/api/units
    headers: "{{ lookup('trackops.api_tokens.trackunit', output='headers') }}"
  no_log: true

- name: A scoped key, and a token that is valid for at least ten minutes
  ansible.builtin.set_fact:
    trackunit_token: "{{ lookup('trackops.api_tokens.trackunit', 'fleet/trackunit-v2', variant='v2', scope='machines:read', min_ttl=600) }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description:
    - One result for each path, in the form that O(output) names.
    - "With O(output=details): C(vendor), C(access_token), C(token_type), C(authorization), C(expires_at) (UNIX seconds, UTC), C(expires_in)
      (seconds), C(issued_at), C(scope), C(source) (V(cache) or V(vendor)) and C(extra), other fields of the vendor's answer."
  type: list
  elements: raw
"""

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.lookup import TokenLookup


class LookupModule(TokenLookup):
    vendor = "trackunit"
