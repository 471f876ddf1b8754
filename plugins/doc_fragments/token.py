# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say which token, from which vendor, how fresh, and where it is kept.

``DOCUMENTATION`` holds the options themselves; ``PLUGINS`` adds where else ansible finds their values. What a vendor has variables of its
own for (base_url, token_url, scope, variant, path) is completed in its lookup. Of several variables the last one counts.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  engine_version:
    description: Version of the KV engine. V(auto) asks Vault.
    type: str
    default: '2'
    choices: ['2', '1', auto]
  secret_version:
    description: Version of the secret, in KV version 2. Unset, the newest.
    type: int
  credential_fields:
    description: "Keys of the secret that have other names, such as C({client_id: id})."
    type: raw
  min_ttl:
    description: Seconds that the token must be valid for. With less it is renewed.
    type: float
    default: 60
  max_age:
    description: Renew a token that is older than so many seconds.
    type: float
  force:
    description: Get a new token. All hosts of a run that force share one.
    type: bool
    default: false
  refused:
    description: A token that the vendor's API refused, or its fingerprint. It is renewed once.
    type: str
  authorization_scheme:
    description: Word before the token in a header. Unset, what the vendor wants.
    type: str
  base_url:
    description: Address of the vendor, below which its token endpoint is.
    type: str
  token_url:
    description: Token endpoint, an address or a path below O(base_url).
    type: str
  scope:
    description: Scopes to ask for, separated by spaces.
    type: str
  variant:
    description: Which of the vendor's ways to ask for a token.
    type: str
  extra_parameters:
    description: "Further parameters of the token request. C({secret_field: NAME}) is taken from the secret."
    type: raw
  http_ca_cert:
    description: File or folder with CA certificates for the vendor.
    type: str
  http_validate_certs:
    description: Whether the vendor's certificate is checked. If not, others on the way can read the credentials.
    type: bool
    default: true
  http_client_cert:
    description: File with a client certificate (PEM).
    type: str
  http_client_key:
    description: Key file of O(http_client_cert), if it is another one.
    type: str
  http_proxy:
    description: URL of the proxy to the vendor. Unset, the environment's.
    type: str
  http_timeout:
    description: Seconds to wait for a connection, and for more of an answer.
    type: float
    default: 10
  http_retries:
    description: How often to repeat what failed for a passing reason.
    type: int
    default: 3
  http_deadline:
    description: Seconds to get a token, repetitions included.
    type: float
    default: 60
  allow_http:
    description: Send credentials over plain http to other machines.
    type: bool
    default: false
  cache:
    description: V(file) keeps tokens for this user, V(vault) shares them between controllers, V(none) keeps none.
    type: str
    default: file
    choices: [file, vault, none]
  cache_path:
    description: Folder of the file cache. Unset, C(~/.cache/trackops/api_tokens).
    type: str
  cache_vault_mount:
    description: Mount (KV version 2) of the shared cache.
    type: str
    default: secret
  cache_vault_path:
    description: Path of the shared cache in its mount.
    type: str
    default: trackops/api_tokens
  failure_ttl:
    description: Seconds for which a refusal is remembered.
    type: float
    default: 30
  audit_log:
    description: File for a line of JSON on each event. It never holds a secret.
    type: str
"""

    PLUGINS = r"""
options:
  engine_version:
    env: [{name: TRACKOPS_ENGINE_VERSION}]
    vars: [{name: trackops_engine_version}]
    ini: [{section: trackops_api_tokens, key: engine_version}]
  secret_version:
    env: [{name: TRACKOPS_SECRET_VERSION}]
    vars: [{name: trackops_secret_version}]
    ini: [{section: trackops_api_tokens, key: secret_version}]
  min_ttl:
    env: [{name: TRACKOPS_MIN_TTL}]
    vars: [{name: trackops_min_ttl}]
    ini: [{section: trackops_api_tokens, key: min_ttl}]
  max_age:
    env: [{name: TRACKOPS_MAX_AGE}]
    vars: [{name: trackops_max_age}]
    ini: [{section: trackops_api_tokens, key: max_age}]
  force:
    env: [{name: TRACKOPS_FORCE}]
    vars: [{name: trackops_force}]
    ini: [{section: trackops_api_tokens, key: force}]
  authorization_scheme:
    env: [{name: TRACKOPS_AUTHORIZATION_SCHEME}]
    vars: [{name: trackops_authorization_scheme}]
    ini: [{section: trackops_api_tokens, key: authorization_scheme}]
  http_ca_cert:
    env: [{name: TRACKOPS_HTTP_CA_CERT}]
    vars: [{name: trackops_http_ca_cert}]
    ini: [{section: trackops_api_tokens, key: http_ca_cert}]
  http_validate_certs:
    env: [{name: TRACKOPS_HTTP_VALIDATE_CERTS}]
    vars: [{name: trackops_http_validate_certs}]
    ini: [{section: trackops_api_tokens, key: http_validate_certs}]
  http_proxy:
    env: [{name: TRACKOPS_HTTP_PROXY}]
    vars: [{name: trackops_http_proxy}]
    ini: [{section: trackops_api_tokens, key: http_proxy}]
  http_timeout:
    env: [{name: TRACKOPS_HTTP_TIMEOUT}]
    vars: [{name: trackops_http_timeout}]
    ini: [{section: trackops_api_tokens, key: http_timeout}]
  http_retries:
    env: [{name: TRACKOPS_HTTP_RETRIES}]
    vars: [{name: trackops_http_retries}]
    ini: [{section: trackops_api_tokens, key: http_retries}]
  http_deadline:
    env: [{name: TRACKOPS_HTTP_DEADLINE}]
    vars: [{name: trackops_http_deadline}]
    ini: [{section: trackops_api_tokens, key: http_deadline}]
  allow_http:
    env: [{name: TRACKOPS_ALLOW_HTTP}]
    vars: [{name: trackops_allow_http}]
    ini: [{section: trackops_api_tokens, key: allow_http}]
  cache:
    env: [{name: TRACKOPS_CACHE}]
    vars: [{name: trackops_cache}]
    ini: [{section: trackops_api_tokens, key: cache}]
  cache_path:
    env: [{name: TRACKOPS_CACHE_PATH}]
    vars: [{name: trackops_cache_path}]
    ini: [{section: trackops_api_tokens, key: cache_path}]
  cache_vault_mount:
    env: [{name: TRACKOPS_CACHE_VAULT_MOUNT}]
    vars: [{name: trackops_cache_vault_mount}]
    ini: [{section: trackops_api_tokens, key: cache_vault_mount}]
  cache_vault_path:
    env: [{name: TRACKOPS_CACHE_VAULT_PATH}]
    vars: [{name: trackops_cache_vault_path}]
    ini: [{section: trackops_api_tokens, key: cache_vault_path}]
  failure_ttl:
    env: [{name: TRACKOPS_FAILURE_TTL}]
    vars: [{name: trackops_failure_ttl}]
    ini: [{section: trackops_api_tokens, key: failure_ttl}]
  audit_log:
    env: [{name: TRACKOPS_AUDIT_LOG}]
    vars: [{name: trackops_audit_log}]
    ini: [{section: trackops_api_tokens, key: audit_log}]
"""

    MODULE = r"""
notes:
  - What says how to get a token (options for Vault, the vendor, the cache) can be set by variables, in the environment and in C(ansible.cfg) too.
    C(ansible-doc -t lookup trackops.api_tokens.oauth2) lists their names. C(docs/options.md) has the options by groups, and says more of each.
seealso:
  - name: The options by groups
    description: All that there is to say of each one.
    link: https://github.com/trackops/api_tokens/blob/main/docs/options.md
options: {}
"""

    ON_CONTROLLER = r"""
attributes:
  action:
    support: full
    description: Has a corresponding action plugin that does its work on the controller.
  diff_mode:
    support: none
    description: There is nothing to show that is not secret.
options: {}
"""

    LOOKUP = r"""
requirements:
  - hvac and requests (Python libraries, on the controller)
notes:
  - Use C(no_log) on tasks that pass a token on to a module, since Ansible shows a module's arguments at C(-vvv).
  - A lookup gets its token in check mode too. Tasks that run for real in check mode need it, and Ansible does not tell lookups of the mode.
  - The C(environment) of a task or a play does not reach lookups. Set E(VAULT_ADDR) and so on where C(ansible-playbook) is started, or use
    variables.
seealso:
  - name: The options by groups
    description: All that there is to say of each one.
    link: https://github.com/trackops/api_tokens/blob/main/docs/options.md
  - plugin: community.hashi_vault.vault_kv2_get
    plugin_type: lookup
    description: Reads any secret; the options for Vault are the same.
options:
  _terms:
    description: Paths of the credentials in Vault, below the mount. One token is returned for each. Without one, O(path) is used.
    type: list
    elements: str
  output:
    description: V(token) is bare, V(authorization) a header's value, V(headers) a dictionary for M(ansible.builtin.uri), V(details) all that is known.
    type: str
    default: token
    choices: [token, authorization, headers, details]
"""

    OAUTH2 = r"""
options:
  vendors:
    description: Descriptions of vendors by their names, for O(vendor), or the path of a YAML file with them.
    type: raw
  grant_type:
    description: V(client_credentials) if unset. V(password), others, or a URN.
    type: str
  client_auth:
    description: How the client authenticates. Unset, what O(issuer) offers, else V(basic).
    type: str
    choices: [basic, basic_raw, post, none, private_key_jwt, client_secret_jwt, bearer_jwt, tls_client_auth]
  request_method:
    description: HTTP method of the token request. Unset, V(POST).
    type: str
    choices: [POST, GET, PUT]
  request_format:
    description: How the parameters are sent. Unset, V(form).
    type: str
    choices: [form, json, query, none]
  response_format:
    description: What the answer is. Unset, V(json).
    type: str
    choices: [json, form, text]
    version_added: 1.0.0
  request_headers:
    description: "Further headers of the token request. C({secret_field: NAME}) is taken from the secret."
    type: raw
  token_field:
    description: Where the token is in the answer, such as V(data.token). Unset, V(access_token).
    type: str
  refresh_token_field:
    description: Where a refresh token is. Unset, under its usual names.
    type: str
    version_added: 1.0.0
  expires_field:
    description: Where the lifetime or expiry is in the answer. Unset, V(expires_in).
    type: str
  default_lifetime:
    description: Seconds that a token lives if nothing tells. Unset, 300.
    type: int
  assertion_audience:
    description: Audience of a signed proof. Unset, the token endpoint.
    type: str
    version_added: 1.0.0
  assertion_algorithm:
    description: How a proof is signed. Unset, what fits the key.
    type: str
    choices: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512]
    version_added: 1.0.0
  transit_key:
    description: Key of Vault's transit engine that signs the proof, C(<mount>/<name>).
    type: str
    version_added: 1.0.0
  audience:
    description: Audience to ask a token for.
    type: str
  resource:
    description: Resource to ask a token for, or a list of them.
    type: raw
  issuer:
    description: Issuer whose metadata name the endpoints, instead of O(token_url).
    type: str
  revocation_url:
    description: Where tokens are given back (RFC 7009).
    type: str
  device_authorization_url:
    description: Where C(flow=device) asks for a code (RFC 8628).
    type: str
    version_added: 1.0.0
"""

    OAUTH2_PLUGINS = r"""
options:
  vendors:
    env: [{name: TRACKOPS_VENDORS}]
    vars: [{name: trackops_vendors}]
    ini: [{section: trackops_api_tokens, key: vendors}]
  grant_type:
    env: [{name: TRACKOPS_GRANT_TYPE}]
    vars: [{name: trackops_grant_type}]
    ini: [{section: trackops_api_tokens, key: grant_type}]
  request_method:
    env: [{name: TRACKOPS_REQUEST_METHOD}]
    vars: [{name: trackops_request_method}]
    ini: [{section: trackops_api_tokens, key: request_method}]
  request_format:
    env: [{name: TRACKOPS_REQUEST_FORMAT}]
    vars: [{name: trackops_request_format}]
    ini: [{section: trackops_api_tokens, key: request_format}]
  response_format:
    env: [{name: TRACKOPS_RESPONSE_FORMAT}]
    vars: [{name: trackops_response_format}]
    ini: [{section: trackops_api_tokens, key: response_format}]
  request_headers:
    env: [{name: TRACKOPS_REQUEST_HEADERS}]
    vars: [{name: trackops_request_headers}]
    ini: [{section: trackops_api_tokens, key: request_headers}]
  token_field:
    env: [{name: TRACKOPS_TOKEN_FIELD}]
    vars: [{name: trackops_token_field}]
    ini: [{section: trackops_api_tokens, key: token_field}]
  refresh_token_field:
    env: [{name: TRACKOPS_REFRESH_TOKEN_FIELD}]
    vars: [{name: trackops_refresh_token_field}]
    ini: [{section: trackops_api_tokens, key: refresh_token_field}]
  expires_field:
    env: [{name: TRACKOPS_EXPIRES_FIELD}]
    vars: [{name: trackops_expires_field}]
    ini: [{section: trackops_api_tokens, key: expires_field}]
  default_lifetime:
    env: [{name: TRACKOPS_DEFAULT_LIFETIME}]
    vars: [{name: trackops_default_lifetime}]
    ini: [{section: trackops_api_tokens, key: default_lifetime}]
  assertion_audience:
    env: [{name: TRACKOPS_ASSERTION_AUDIENCE}]
    vars: [{name: trackops_assertion_audience}]
    ini: [{section: trackops_api_tokens, key: assertion_audience}]
  assertion_algorithm:
    env: [{name: TRACKOPS_ASSERTION_ALGORITHM}]
    vars: [{name: trackops_assertion_algorithm}]
    ini: [{section: trackops_api_tokens, key: assertion_algorithm}]
  transit_key:
    env: [{name: TRACKOPS_TRANSIT_KEY}]
    vars: [{name: trackops_transit_key}]
    ini: [{section: trackops_api_tokens, key: transit_key}]
  audience:
    env: [{name: TRACKOPS_AUDIENCE}]
    vars: [{name: trackops_audience}]
    ini: [{section: trackops_api_tokens, key: audience}]
  resource:
    env: [{name: TRACKOPS_RESOURCE}]
    vars: [{name: trackops_resource}]
    ini: [{section: trackops_api_tokens, key: resource}]
  issuer:
    env: [{name: TRACKOPS_ISSUER}]
    vars: [{name: trackops_issuer}]
    ini: [{section: trackops_api_tokens, key: issuer}]
  revocation_url:
    env: [{name: TRACKOPS_REVOCATION_URL}]
    vars: [{name: trackops_revocation_url}]
    ini: [{section: trackops_api_tokens, key: revocation_url}]
  device_authorization_url:
    env: [{name: TRACKOPS_DEVICE_AUTHORIZATION_URL}]
    vars: [{name: trackops_device_authorization_url}]
    ini: [{section: trackops_api_tokens, key: device_authorization_url}]
"""
