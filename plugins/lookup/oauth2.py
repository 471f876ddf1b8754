# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: oauth2
short_description: API token of any OAuth 2.0 vendor
version_added: 1.0.0
author: TrackOps founders (@trackops)
description:
  - "Shortest use, with a vendor in C(trackops_vendors): V(lookup('trackops.api_tokens.oauth2', 'fleet/acme', vendor='acme'\\))."
  - Obtains an access token from any vendor with an OAuth 2.0 token endpoint (RFC 6749), which the options or an entry of C(trackops_vendors) describe.
  - The secret in Vault has C(client_id) and C(client_secret), and whatever else O(grant_type) needs.
  - The token comes from the cache while it is valid, so any number of hosts, forks and runs cause one request.
  - The options follow by group. C(docs/options.md) has the details, and C(ansible-doc -t lookup -s trackops.api_tokens.oauth2) prints one per line.
  - B(Needed) - O(_terms), O(vendor), O(url), O(auth_method), O(token).
  - B(Which token) - O(vendors), O(issuer), O(base_url), O(token_url), O(variant), O(grant_type), O(client_auth), O(scope), O(audience),
    O(resource), O(extra_parameters), O(credential_fields), O(secret_version), O(wrap_ttl), O(engine_mount_point), O(engine_version).
  - B(Request and answer) - O(request_method), O(request_format), O(request_headers), O(response_format), O(token_field),
    O(refresh_token_field), O(expires_field), O(default_lifetime), O(device_authorization_url), O(revocation_url).
  - B(Signed proofs) - O(assertion_audience), O(assertion_algorithm), O(transit_key).
  - B(Vault login) - O(namespace), O(mount_point), O(token_path), O(token_file), O(token_validate), O(username), O(password), O(role_id),
    O(secret_id), O(jwt), O(cert_auth_public_key), O(cert_auth_private_key), O(aws_profile), O(aws_access_key), O(aws_secret_key),
    O(aws_security_token), O(region), O(aws_iam_server_id), O(azure_tenant_id), O(azure_client_id), O(azure_client_secret), O(azure_resource).
  - B(Cache and freshness) - O(min_ttl), O(max_age), O(force), O(refused), O(cache), O(cache_path), O(cache_vault_mount), O(cache_vault_path).
  - B(Network) - O(ca_cert), O(validate_certs), O(proxies), O(timeout), O(retries), O(retry_action), O(http_ca_cert), O(http_validate_certs),
    O(http_client_cert), O(http_client_key), O(http_proxy), O(http_timeout), O(allow_http).
  - B(Failures) - O(http_retries), O(http_deadline), O(failure_ttl).
  - B(Output) - O(output), O(authorization_scheme), O(audit_log).
options:
  _terms:
    description: Paths of the credentials in Vault, below the mount. One token is returned for each. At least one is required.
  vendor:
    description: Name of the vendor, for messages, the cache, and its description in O(vendors).
    type: str
    default: oauth2
    env: [{name: TRACKOPS_VENDOR}]
    vars: [{name: trackops_vendor}]
    ini: [{section: trackops_api_tokens, key: vendor}]
  base_url:
    env: [{name: TRACKOPS_OAUTH2_BASE_URL}]
    ini: [{section: trackops_api_tokens, key: oauth2_base_url}]
    vars: [{name: trackops_oauth2_base_url}]
  token_url:
    env: [{name: TRACKOPS_OAUTH2_TOKEN_URL}]
    ini: [{section: trackops_api_tokens, key: oauth2_token_url}]
    vars: [{name: trackops_oauth2_token_url}]
  scope:
    env: [{name: TRACKOPS_OAUTH2_SCOPE}]
    ini: [{section: trackops_api_tokens, key: oauth2_scope}]
    vars: [{name: trackops_oauth2_scope}]
  variant:
    env: [{name: TRACKOPS_OAUTH2_VARIANT}]
    ini: [{section: trackops_api_tokens, key: oauth2_variant}]
    vars: [{name: trackops_oauth2_variant}]
  client_auth:
    env: [{name: TRACKOPS_OAUTH2_CLIENT_AUTH}]
    ini: [{section: trackops_api_tokens, key: oauth2_client_auth}]
    vars: [{name: trackops_oauth2_client_auth}]
  extra_parameters:
    env: [{name: TRACKOPS_OAUTH2_EXTRA_PARAMETERS}]
    ini: [{section: trackops_api_tokens, key: oauth2_extra_parameters}]
    vars: [{name: trackops_oauth2_extra_parameters}]
  credential_fields:
    env: [{name: TRACKOPS_OAUTH2_CREDENTIAL_FIELDS}]
    ini: [{section: trackops_api_tokens, key: oauth2_credential_fields}]
    vars: [{name: trackops_oauth2_credential_fields}]
  http_client_cert:
    env: [{name: TRACKOPS_OAUTH2_HTTP_CLIENT_CERT}]
    ini: [{section: trackops_api_tokens, key: oauth2_http_client_cert}]
    vars: [{name: trackops_oauth2_http_client_cert}]
  http_client_key:
    env: [{name: TRACKOPS_OAUTH2_HTTP_CLIENT_KEY}]
    ini: [{section: trackops_api_tokens, key: oauth2_http_client_key}]
    vars: [{name: trackops_oauth2_http_client_key}]
extends_documentation_fragment:
  - trackops.api_tokens.vault
  - trackops.api_tokens.vault.plugins
  - trackops.api_tokens.token
  - trackops.api_tokens.token.plugins
  - trackops.api_tokens.token.lookup
  - trackops.api_tokens.token.oauth2
  - trackops.api_tokens.token.oauth2_plugins
"""

EXAMPLES = r"""
- name: Client credentials
  ansible.builtin.uri:
    url: https://api.example.com/things
    headers: "{{ lookup('trackops.api_tokens.oauth2', 'fleet/acme', vendor='acme', token_url='https://login.example.com/token', output='headers') }}"
  no_log: true

- name: A vendor described once, in an inventory variable trackops_vendors
  ansible.builtin.set_fact:
    acme_token: "{{ lookup('trackops.api_tokens.oauth2', 'fleet/acme', vendor='acme') }}"
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
    vendor = "oauth2"
