# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say which token, from which vendor, how fresh, and where it is cached.

``DOCUMENTATION`` holds the options themselves; ``PLUGINS`` adds where else ansible finds their values. Options with per-vendor variables
(base_url, token_url, scope, variant, path) are completed in the vendor's lookup. If an option has several variables, the last one is used.
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
    description: Version of the secret, in KV version 2. If unset, the newest.
    type: int
  credential_fields:
    description: "Names of the secret's keys, if they differ, such as C({client_id: id})."
    type: raw
  min_ttl:
    description: Minimum remaining lifetime in seconds. A token with less is renewed.
    type: float
    default: 60
  max_age:
    description: Renew a token that is older than this many seconds.
    type: float
  force:
    description: Obtain a new token. All hosts of a run that set this share it.
    type: bool
    default: false
  refused:
    description: A token that the vendor's API rejected, or its fingerprint. It is renewed once.
    type: str
  authorization_scheme:
    description: Word before the token in a header. If unset, the vendor's.
    type: str
  base_url:
    description: Address of the vendor. The token endpoint is below it.
    type: str
  token_url:
    description: Token endpoint, an address or a path below O(base_url).
    type: str
  scope:
    description: Scopes to request, separated by spaces.
    type: str
  variant:
    description: Which of the vendor's methods to use to request a token.
    type: str
  extra_parameters:
    description: "Further parameters of the token request. C({secret_field: NAME}) is taken from the secret."
    type: raw
  http_ca_cert:
    description: File or folder with CA certificates for the vendor.
    type: str
  http_validate_certs:
    description: Whether to verify the vendor's certificate. If not, anyone in between can read the credentials.
    type: bool
    default: true
  http_client_cert:
    description: File with a client certificate (PEM).
    type: str
  http_client_key:
    description: Key file of O(http_client_cert), if separate.
    type: str
  http_proxy:
    description: URL of the proxy to the vendor. If unset, the environment's.
    type: str
  http_timeout:
    description: Seconds to wait for a connection, and for each part of an answer.
    type: float
    default: 10
  http_retries:
    description: How many times to retry a request after a temporary failure.
    type: int
    default: 3
  http_deadline:
    description: Seconds to obtain a token, including retries.
    type: float
    default: 60
  allow_http:
    description: Allow sending credentials over plain http to other machines.
    type: bool
    default: false
  cache:
    description: V(file) keeps tokens for this user, V(vault) shares them between controllers, V(none) keeps none.
    type: str
    default: file
    choices: [file, vault, none]
  cache_path:
    description: Folder of the file cache. If unset, C(~/.cache/trackops/api_tokens).
    type: str
  cache_vault_mount:
    description: Mount (KV version 2) of the shared cache.
    type: str
    default: secret
  cache_vault_path:
    description: Path of the shared cache below its mount.
    type: str
    default: trackops/api_tokens
  failure_ttl:
    description: Seconds for which a rejection is remembered.
    type: float
    default: 30
  audit_log:
    description: File to which a line of JSON is added for each event. It never contains a secret.
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
  - Options that control how a token is obtained (for Vault, the vendor, the cache) can also be set by variables, in the environment and in
    C(ansible.cfg). C(ansible-doc -t lookup trackops.api_tokens.oauth2) lists their names. C(docs/options.md) explains the options by group.
seealso:
  - name: The options by group
    description: Details of each option.
    link: https://github.com/trackops/api_tokens/blob/main/docs/options.md
options: {}
"""

    ON_CONTROLLER = r"""
attributes:
  action:
    support: full
    description: Has a corresponding action plugin that does the work on the controller.
  diff_mode:
    support: none
    description: There is nothing to show except secrets.
options: {}
"""

    LOOKUP = r"""
requirements:
  - hvac and requests (Python libraries, on the controller)
notes:
  - Use C(no_log) on tasks that pass a token to a module, since Ansible shows a module's arguments at C(-vvv).
  - A lookup obtains its token in check mode too. Tasks that really run in check mode need it, and Ansible does not tell lookups the mode.
  - The C(environment) of a task or a play does not reach lookups. Set E(VAULT_ADDR) and so on where C(ansible-playbook) is started, or use
    variables.
seealso:
  - name: The options by group
    description: Details of each option.
    link: https://github.com/trackops/api_tokens/blob/main/docs/options.md
  - plugin: community.hashi_vault.vault_kv2_get
    plugin_type: lookup
    description: Reads any secret; the options for Vault are the same.
options:
  _terms:
    description: Paths of the credentials in Vault, below the mount. One token is returned for each. The default is O(path).
    type: list
    elements: str
  output:
    description: V(token) is the bare token, V(authorization) a header's value, V(headers) a dictionary for M(ansible.builtin.uri), V(details) everything known.
    type: str
    default: token
    choices: [token, authorization, headers, details]
"""

    OAUTH2 = r"""
options:
  vendors:
    description: Descriptions of vendors by name, for O(vendor), or the path of a YAML file with them.
    type: raw
  grant_type:
    description: Grant type, such as V(password), or a URN. If unset, V(client_credentials).
    type: str
  client_auth:
    description: How the client authenticates. If unset, what O(issuer) offers, else V(basic).
    type: str
    choices: [basic, basic_raw, post, none, private_key_jwt, client_secret_jwt, bearer_jwt, tls_client_auth]
  request_method:
    description: HTTP method of the token request. If unset, V(POST).
    type: str
    choices: [POST, GET, PUT]
  request_format:
    description: How the parameters are sent. If unset, V(form).
    type: str
    choices: [form, json, query, none]
  response_format:
    description: Format of the answer. If unset, V(json).
    type: str
    choices: [json, form, text]
    version_added: 1.0.0
  request_headers:
    description: "Further headers of the token request. C({secret_field: NAME}) is taken from the secret."
    type: raw
  token_field:
    description: Where the token is in the answer, such as V(data.token). If unset, V(access_token).
    type: str
  refresh_token_field:
    description: Where a refresh token is. If unset, under its usual names.
    type: str
    version_added: 1.0.0
  expires_field:
    description: Where the lifetime or expiry is in the answer. If unset, V(expires_in).
    type: str
  default_lifetime:
    description: Lifetime in seconds if none is stated. If unset, 300.
    type: int
  assertion_audience:
    description: Audience of a signed proof. If unset, the token endpoint.
    type: str
    version_added: 1.0.0
  assertion_algorithm:
    description: How a proof is signed. If unset, what matches the key.
    type: str
    choices: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512]
    version_added: 1.0.0
  transit_key:
    description: Key in Vault's transit engine that signs the proof, C(<mount>/<name>).
    type: str
    version_added: 1.0.0
  audience:
    description: Audience of the requested token.
    type: str
  resource:
    description: Resource for the requested token, or a list of them.
    type: raw
  issuer:
    description: Issuer whose metadata names the endpoints, instead of O(token_url).
    type: str
  revocation_url:
    description: Where tokens are revoked (RFC 7009).
    type: str
  device_authorization_url:
    description: Where C(flow=device) requests a code (RFC 8628).
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
