# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say where Vault is, who logs in, and where the secret engine is.

``DOCUMENTATION`` holds the options themselves; ``PLUGINS`` adds, for plugins that ansible resolves options for, the variables,
environment and ini entries. The names are those of ``community.hashi_vault``, so that its users need not set anything again. If an
option has several variables, the last one is used, as everywhere in ansible.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description: Vault's address with scheme and port, or else E(VAULT_ADDR).
    type: str
  proxies:
    description: Proxy for requests to Vault, a URL or a dictionary by scheme; or else E(VAULT_PROXY_ADDR), E(VAULT_HTTP_PROXY).
    type: raw
  ca_cert:
    description: File with CA certificates for Vault, or else E(VAULT_CACERT).
    type: str
    aliases: [cacert]
  validate_certs:
    description: Whether to verify Vault's certificate; or else the opposite of E(VAULT_SKIP_VERIFY), else V(true).
    type: bool
  namespace:
    description: Namespace in Vault Enterprise or OpenBao, or else E(VAULT_NAMESPACE).
    type: str
  timeout:
    description: Seconds for each request to Vault.
    type: int
    default: 30
  retries:
    description: How often to repeat a request to Vault, or a dictionary for C(urllib3.util.Retry).
    type: raw
  retry_action:
    description: What to do at each repetition.
    type: str
    choices: [ignore, warn]
    default: warn
  auth_method:
    description: How to log in to Vault. With V(none), a Vault Agent or proxy adds the token.
    type: str
    choices: [token, userpass, ldap, approle, aws_iam, azure, jwt, cert, gcp, kubernetes, none]
    default: token
  mount_point:
    description: Where the login method is mounted, below C(auth/); for V(approle) or else E(VAULT_APPROLE_PATH).
    type: str
  token:
    description: The Vault token, or else E(VAULT_TOKEN), or else the token file.
    type: str
  token_path:
    description: Folder of the token file, or else E(HOME).
    type: str
  token_file:
    description: Name of the token file in O(token_path).
    type: str
    default: .vault-token
  token_validate:
    description: Whether to look up O(token) in Vault before it is used.
    type: bool
    default: false
  username:
    description: User for V(userpass) and V(ldap).
    type: str
  password:
    description: Password of O(username).
    type: str
  role_id:
    description: Role to log in as; for V(approle) or else E(VAULT_APPROLE_ROLE_ID).
    type: str
  secret_id:
    description: Secret ID of the AppRole, or else E(VAULT_APPROLE_SECRET_ID).
    type: str
  jwt:
    description: Signed JWT for V(jwt), V(gcp), V(azure), V(kubernetes).
    type: str
  aws_profile:
    description: Profile from which boto3 takes keys.
    type: str
    aliases: [boto_profile]
  aws_access_key:
    description: Access key for V(aws_iam). If unset, boto3 looks for one.
    type: str
    aliases: [aws_access_key_id]
  aws_secret_key:
    description: Secret key of O(aws_access_key).
    type: str
    aliases: [aws_secret_access_key]
  aws_security_token:
    description: Session token of O(aws_access_key).
    type: str
  region:
    description: AWS region for which the login is signed.
    type: str
  aws_iam_server_id:
    description: Value of C(X-Vault-AWS-IAM-Server-ID).
    type: str
  azure_tenant_id:
    description: Tenant of the service principal.
    type: str
  azure_client_id:
    description: Client ID of the service principal or of the managed identity.
    type: str
  azure_client_secret:
    description: Secret of the service principal. If unset, the managed identity logs in.
    type: str
  azure_resource:
    description: Resource for which the Azure token is issued.
    type: str
    default: https://management.azure.com/
  cert_auth_public_key:
    description: File with the client certificate, PEM, or else E(VAULT_CLIENT_CERT).
    type: path
  cert_auth_private_key:
    description: Key file of O(cert_auth_public_key), or else E(VAULT_CLIENT_KEY).
    type: path
  engine_mount_point:
    description: Where the KV engine is mounted.
    type: str
    aliases: [secret_mount_path]
    default: secret
  wrap_ttl:
    description: Read the secret response-wrapped, with this lifetime (V(30s)).
    type: str
"""

    PLUGINS = r"""
options:
  url:
    env:
      - name: ANSIBLE_HASHI_VAULT_ADDR
    ini:
      - section: hashi_vault_collection
        key: url
    vars:
      - name: ansible_hashi_vault_url
      - name: ansible_hashi_vault_addr
  proxies:
    env:
      - name: ANSIBLE_HASHI_VAULT_PROXIES
    ini:
      - section: hashi_vault_collection
        key: proxies
    vars:
      - name: ansible_hashi_vault_proxies
  ca_cert:
    env:
      - name: ANSIBLE_HASHI_VAULT_CA_CERT
    ini:
      - section: hashi_vault_collection
        key: ca_cert
    vars:
      - name: ansible_hashi_vault_ca_cert
  validate_certs:
    vars:
      - name: ansible_hashi_vault_validate_certs
  namespace:
    env:
      - name: ANSIBLE_HASHI_VAULT_NAMESPACE
    ini:
      - section: hashi_vault_collection
        key: namespace
    vars:
      - name: ansible_hashi_vault_namespace
  timeout:
    env:
      - name: ANSIBLE_HASHI_VAULT_TIMEOUT
    ini:
      - section: hashi_vault_collection
        key: timeout
    vars:
      - name: ansible_hashi_vault_timeout
  retries:
    env:
      - name: ANSIBLE_HASHI_VAULT_RETRIES
    ini:
      - section: hashi_vault_collection
        key: retries
    vars:
      - name: ansible_hashi_vault_retries
  retry_action:
    env:
      - name: ANSIBLE_HASHI_VAULT_RETRY_ACTION
    ini:
      - section: hashi_vault_collection
        key: retry_action
    vars:
      - name: ansible_hashi_vault_retry_action
  auth_method:
    env:
      - name: ANSIBLE_HASHI_VAULT_AUTH_METHOD
    ini:
      - section: hashi_vault_collection
        key: auth_method
    vars:
      - name: ansible_hashi_vault_auth_method
  mount_point:
    env:
      - name: ANSIBLE_HASHI_VAULT_MOUNT_POINT
    ini:
      - section: hashi_vault_collection
        key: mount_point
    vars:
      - name: ansible_hashi_vault_mount_point
  token:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN
    vars:
      - name: ansible_hashi_vault_token
  token_path:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN_PATH
    ini:
      - section: hashi_vault_collection
        key: token_path
    vars:
      - name: ansible_hashi_vault_token_path
  token_file:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN_FILE
    ini:
      - section: hashi_vault_collection
        key: token_file
    vars:
      - name: ansible_hashi_vault_token_file
  token_validate:
    env:
      - name: ANSIBLE_HASHI_VAULT_TOKEN_VALIDATE
    ini:
      - section: hashi_vault_collection
        key: token_validate
    vars:
      - name: ansible_hashi_vault_token_validate
  username:
    env:
      - name: ANSIBLE_HASHI_VAULT_USERNAME
    vars:
      - name: ansible_hashi_vault_username
  password:
    env:
      - name: ANSIBLE_HASHI_VAULT_PASSWORD
    vars:
      - name: ansible_hashi_vault_password
  role_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_ROLE_ID
    ini:
      - section: hashi_vault_collection
        key: role_id
    vars:
      - name: ansible_hashi_vault_role_id
  secret_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_SECRET_ID
    vars:
      - name: ansible_hashi_vault_secret_id
  jwt:
    env:
      - name: ANSIBLE_HASHI_VAULT_JWT
  aws_profile:
    env:
      - name: AWS_DEFAULT_PROFILE
      - name: AWS_PROFILE
  aws_access_key:
    env:
      - name: EC2_ACCESS_KEY
      - name: AWS_ACCESS_KEY
      - name: AWS_ACCESS_KEY_ID
  aws_secret_key:
    env:
      - name: EC2_SECRET_KEY
      - name: AWS_SECRET_KEY
      - name: AWS_SECRET_ACCESS_KEY
  aws_security_token:
    env:
      - name: EC2_SECURITY_TOKEN
      - name: AWS_SESSION_TOKEN
      - name: AWS_SECURITY_TOKEN
  region:
    env:
      - name: EC2_REGION
      - name: AWS_REGION
  aws_iam_server_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_AWS_IAM_SERVER_ID
    ini:
      - section: hashi_vault_collection
        key: aws_iam_server_id
  azure_tenant_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_AZURE_TENANT_ID
    ini:
      - section: hashi_vault_collection
        key: azure_tenant_id
    vars:
      - name: ansible_hashi_vault_azure_tenant_id
  azure_client_id:
    env:
      - name: ANSIBLE_HASHI_VAULT_AZURE_CLIENT_ID
    ini:
      - section: hashi_vault_collection
        key: azure_client_id
    vars:
      - name: ansible_hashi_vault_azure_client_id
  azure_client_secret:
    env:
      - name: ANSIBLE_HASHI_VAULT_AZURE_CLIENT_SECRET
    vars:
      - name: ansible_hashi_vault_azure_client_secret
  azure_resource:
    env:
      - name: ANSIBLE_HASHI_VAULT_AZURE_RESOURCE
    ini:
      - section: hashi_vault_collection
        key: azure_resource
    vars:
      - name: ansible_hashi_vault_azure_resource
  cert_auth_public_key:
    env:
      - name: ANSIBLE_HASHI_VAULT_CERT_AUTH_PUBLIC_KEY
    ini:
      - section: hashi_vault_collection
        key: cert_auth_public_key
    vars:
      - name: ansible_hashi_vault_cert_auth_public_key
  cert_auth_private_key:
    env:
      - name: ANSIBLE_HASHI_VAULT_CERT_AUTH_PRIVATE_KEY
    ini:
      - section: hashi_vault_collection
        key: cert_auth_private_key
    vars:
      - name: ansible_hashi_vault_cert_auth_private_key
  engine_mount_point:
    env:
      - name: TRACKOPS_ENGINE_MOUNT_POINT
    ini:
      - section: trackops_api_tokens
        key: engine_mount_point
    vars:
      - name: ansible_hashi_vault_engine_mount_point
      - name: trackops_engine_mount_point
  wrap_ttl:
    vars:
      - name: ansible_hashi_vault_wrap_ttl
"""
