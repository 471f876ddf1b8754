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
    description:
      - Version of the KV secrets engine. V(auto) asks Vault.
    type: str
    default: '2'
    choices: ['2', '1', auto]
  secret_version:
    description:
      - Version of the secret to read, in KV version 2. Unset, it is the newest.
    type: int
  credential_fields:
    description:
      - "Which key of the secret holds which of our fields, where the names differ, for example C({client_id: id, client_secret: key})."
      - A dictionary, or its JSON or YAML text.
    type: raw
  min_ttl:
    description:
      - Seconds that the token has to be valid for at least. One with less left is renewed first.
    type: float
    default: 60
  max_age:
    description:
      - Renew a token that is older than so many seconds, even if it is valid for longer.
    type: float
  force:
    description:
      - Do not use a token that was in the cache before; get a new one.
      - Hosts that force at the same time share one new token.
    type: bool
    default: false
  refused:
    description:
      - A token, or the fingerprint of one, that the vendor's API has refused although it should be valid.
      - If that is still the one in the cache it is renewed once, however many hosts report it.
    type: str
  authorization_scheme:
    description:
      - What comes before the token in an authorization header. Empty for the bare token.
      - Unset, it is what the vendor asks for.
    type: str
  base_url:
    description:
      - Address of the vendor, below which its token endpoint is.
    type: str
  token_url:
    description:
      - Address of the token endpoint, where it is not at its usual place below O(base_url).
    type: str
  scope:
    description:
      - Scopes to ask for, separated by spaces.
    type: str
  variant:
    description:
      - Which of the vendor's ways to ask for a token.
    type: str
  extra_parameters:
    description:
      - Further parameters of the token request.
      - "A dictionary, or its JSON or YAML text. A value C({secret_field: NAME}) is taken from that field of the secret."
    type: raw
  http_ca_cert:
    description:
      - File or directory with the CA certificates that the vendor's certificate is checked against.
    type: str
  http_validate_certs:
    description:
      - Whether the vendor's certificate is checked. Without that, whoever is on the way can read the credentials.
    type: bool
    default: true
  http_client_cert:
    description:
      - File with a client certificate (PEM) for the vendor.
    type: str
  http_client_key:
    description:
      - File with the key of O(http_client_cert), where it is not in the same file.
    type: str
  http_proxy:
    description:
      - URL of the proxy on the way to the vendor. Unset, the environment's usual proxy variables hold.
    type: str
  http_timeout:
    description:
      - Seconds to wait for a connection, and for the next bytes of an answer.
    type: float
    default: 10
  http_retries:
    description:
      - "How often a request is repeated that failed for a reason that may pass: refused connection, timeout, 429, 502, 503, 504."
    type: int
    default: 3
  http_deadline:
    description:
      - Seconds that getting a token from the vendor may take in all, with its repetitions.
    type: float
    default: 60
  allow_http:
    description:
      - Send credentials over plain http to other machines too. To this machine itself it is always allowed.
    type: bool
    default: false
  cache:
    description:
      - Where tokens are kept.
      - V(file) is a private, encrypted cache of this user. V(vault) shares tokens between controllers through Vault's KV version 2, with
        the file cache in front. V(none) asks the vendor each time.
    type: str
    default: file
    choices: [file, vault, none]
  cache_path:
    description:
      - Directory of the file cache. Unset, it is C($XDG_CACHE_HOME/trackops/api_tokens) or C(~/.cache/trackops/api_tokens).
      - A relative path begins in the directory in which Ansible was started. Better is one that does not depend on it.
    type: str
  cache_vault_mount:
    description:
      - Mount of the KV version 2 engine that holds the shared cache, with O(cache=vault).
    type: str
    default: secret
  cache_vault_path:
    description:
      - Path below O(cache_vault_mount) under which the shared cache keeps its entries.
    type: str
    default: trackops/api_tokens
  failure_ttl:
    description:
      - Seconds for which a refusal is remembered. The vendor is asked again earlier only if the secret in Vault changes.
    type: float
    default: 30
  audit_log:
    description:
      - File to which a line of JSON is added for everything that happens to a token. It never holds a secret.
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

    LOOKUP = r"""
options:
  output:
    description:
      - What to return.
      - V(token) is the bare token, V(authorization) the value of an authorization header, V(headers) a dictionary with that header for
        M(ansible.builtin.uri), V(details) a dictionary with all that is known.
    type: str
    default: token
    choices: [token, authorization, headers, details]
"""

    OAUTH2 = r"""
options:
  vendors:
    description:
      - Descriptions of vendors of one's own, by their names, for the option O(vendor). They can say more than options, such as a nested
        C(request_body).
      - A dictionary, or the path of a YAML file with one.
    type: raw
  grant_type:
    description:
      - V(client_credentials), V(password), V(authorization_code), V(refresh_token), V(account_credentials) (Zoom), or the URN
        of an extension grant (RFC 8693, RFC 7523).
      - Unset, it is V(client_credentials), or what the description of O(vendor) says.
    type: str
  client_auth:
    description:
      - How the client authenticates (RFC 6749 2.3).
      - V(basic) encodes id and secret as the RFC asks, V(basic_raw) does not, V(post) sends them as parameters, V(none) sends only
        C(client_id) if the secret has one.
      - V(private_key_jwt) signs with the field C(private_key) of the secret (RFC 7523) and needs PyJWT, or with O(transit_key) and needs nothing.
        V(bearer_jwt) sends such a JWT as the Bearer of the token request. V(client_secret_jwt) signs with C(client_secret).
      - V(tls_client_auth) shows a client certificate (RFC 8705), that of O(http_client_cert), or else C(certificate) and C(private_key) of the
        secret, which are not written to disk.
      - Unset, it is what the metadata of O(issuer) offer, else V(basic), or what the description of O(vendor) says.
    type: str
    choices: [basic, basic_raw, post, none, private_key_jwt, client_secret_jwt, bearer_jwt, tls_client_auth]
  request_method:
    description:
      - HTTP method of the token request. Unset, it is V(POST).
    type: str
    choices: [POST, GET, PUT]
  request_format:
    description:
      - How the parameters are sent. V(none) sends none, for vendors that only want a header.
      - Unset, it is V(form).
    type: str
    choices: [form, json, query, none]
  response_format:
    description:
      - What the answer is. V(json) is an object or a list, V(form) is C(access_token=…&expires=…), V(text) is the bare token, or a JSON string
        with nothing but the token. An error in JSON is read whatever this says.
      - Unset, it is V(json).
    type: str
    choices: [json, form, text]
    version_added: 1.0.0
  request_headers:
    description:
      - "Further headers of the token request. A value C({secret_field: NAME}) is taken from that field of the secret; with C(scheme: Token) beside
        C(secret_field) it is C(Token …)."
    type: raw
  token_field:
    description:
      - Where the token is in the answer, as a dotted path such as V(data.token) or V(0.token). A key that has a dot in it is named as it is.
      - Unset, it is V(access_token).
    type: str
  refresh_token_field:
    description:
      - Where a refresh token is in the answer, as a dotted path. Unset, its usual spellings (C(refresh_token), C(refreshToken) …) are found at the
        top of the answer and beside the token.
    type: str
    version_added: 1.0.0
  expires_field:
    description:
      - Where the lifetime or the expiry is in the answer, as a dotted path. A lifetime is a number of seconds, or V(1h), V(PT1H), V(01:00:00)
        and the like; an expiry is in UNIX seconds or milliseconds, or a date in ISO 8601, RFC 1123 or a usual national form.
      - Unset, it is V(expires_in).
    type: str
  default_lifetime:
    description:
      - Seconds that a token is taken to live if neither the answer nor the token itself tells, or if it says 0 or less. Unset, it is 300.
    type: int
  assertion_audience:
    description:
      - The audience (C(aud)) of a signed proof. Unset, it is the address of the token endpoint; some servers want their issuer.
    type: str
    version_added: 1.0.0
  assertion_algorithm:
    description:
      - How a proof is signed. Unset, it is what goes with the key; V(RS256) for RSA keys and for O(transit_key), V(HS256) for
        O(client_auth=client_secret_jwt).
    type: str
    choices: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512]
    version_added: 1.0.0
  transit_key:
    description:
      - The key of Vault's transit engine that signs the proof, as C(<mount>/<key name>), instead of C(private_key) in the secret. It never leaves Vault.
      - The Vault token needs C(update) on C(<mount>/sign/<key name>).
    type: str
    version_added: 1.0.0
  audience:
    description:
      - The audience to ask a token for.
    type: str
  resource:
    description:
      - The resource, or a list of them, to ask a token for (RFC 8707).
    type: raw
  issuer:
    description:
      - The issuer whose published metadata (RFC 8414, OpenID Connect Discovery) names the token endpoint, instead of O(token_url).
    type: str
  revocation_url:
    description:
      - Address at which tokens are given back (RFC 7009) when the cache is purged.
    type: str
  device_authorization_url:
    description:
      - Address at which the module M(trackops.api_tokens.authorize) asks for a code with C(flow=device) (RFC 8628), or its path below
        O(base_url). Unset, what O(issuer) publishes.
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
