# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say where Vault is, who logs in, and where the secret engine is.

``DOCUMENTATION`` holds the options themselves; ``PLUGINS`` adds, for plugins that ansible resolves options for, the variables,
environment and ini entries. The names are those of ``community.hashi_vault``, so that its users have nothing to set again. Of
several variables of one option the last one counts, as everywhere in ansible.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of Vault, with its scheme and port.
      - Read from E(VAULT_ADDR) if it is set nowhere else. Required, one way or the other.
    type: str
  proxies:
    description:
      - Proxies on the way to Vault.
      - Either one URL for all, or a dictionary (or its JSON text) from scheme to URL.
      - Read from E(VAULT_PROXY_ADDR) or E(VAULT_HTTP_PROXY) if it is set nowhere else.
      - Unset, the environment's usual proxy variables hold.
    type: raw
  ca_cert:
    description:
      - File with the CA certificates that Vault's certificate is checked against.
      - Read from E(VAULT_CACERT) if it is set nowhere else. After it E(VAULT_CACERT_BYTES) and E(VAULT_CAPATH) hold, as with the C(vault) command.
      - E(VAULT_TLS_SERVER_NAME) is the name in Vault's certificate, where it is not the one in O(url).
    type: str
    aliases: [cacert]
  validate_certs:
    description:
      - Whether Vault's certificate is checked.
      - Unset, it is the opposite of E(VAULT_SKIP_VERIFY), and V(true) without that.
    type: bool
  namespace:
    description:
      - Namespace in Vault Enterprise or OpenBao.
      - Read from E(VAULT_NAMESPACE) if it is set nowhere else.
    type: str
  timeout:
    description:
      - Seconds for each request to Vault, from connecting to the last byte.
      - All that one caller asks of Vault has twice as long, and 60 seconds at least.
    type: int
    default: 30
  retries:
    description:
      - How often a request to Vault is repeated after a failure that may pass.
      - Either a number, or a dictionary of arguments for C(urllib3.util.Retry).
      - Unset, only reads are repeated, and only when Vault's rate limit asks to come again.
      - A login is never repeated once Vault may have seen it.
    type: raw
  retry_action:
    description:
      - What to do at each repetition.
    type: str
    choices: [ignore, warn]
    default: warn
  auth_method:
    description:
      - How to log in to Vault.
      - "With V(none) nothing is sent: a Vault Agent or proxy adds the token."
      - V(kubernetes) takes O(role_id), and O(jwt) or else the pod's service account token.
    type: str
    choices: [token, userpass, ldap, approle, aws_iam, azure, jwt, cert, gcp, kubernetes, none]
    default: token
  mount_point:
    description:
      - Where the login method is mounted in Vault, below C(auth/); its usual place if unset.
      - For V(approle) read from E(VAULT_APPROLE_PATH) if it is set nowhere else.
    type: str
  token:
    description:
      - The Vault token for O(auth_method=token).
      - Read from E(VAULT_TOKEN), then from the token file, if it is set nowhere else.
    type: str
  token_path:
    description:
      - Folder of the token file; the home folder (E(HOME)) if unset.
    type: str
  token_file:
    description:
      - Name of the token file in O(token_path).
    type: str
    default: .vault-token
  token_validate:
    description:
      - Whether the given token is looked up in Vault before it is used.
    type: bool
    default: false
  username:
    description:
      - User for O(auth_method=userpass) and O(auth_method=ldap).
    type: str
  password:
    description:
      - Password of O(username).
    type: str
  role_id:
    description:
      - Role to log in as, for V(approle), V(aws_iam), V(azure), V(cert), V(gcp), V(jwt) and V(kubernetes).
      - For V(approle) read from E(VAULT_APPROLE_ROLE_ID) if it is set nowhere else.
    type: str
  secret_id:
    description:
      - Secret ID of the AppRole, where it needs one.
      - Read from E(VAULT_APPROLE_SECRET_ID) if it is set nowhere else.
    type: str
  jwt:
    description:
      - Signed JSON web token, for V(jwt), V(gcp), V(azure) and V(kubernetes).
    type: str
  aws_profile:
    description:
      - Profile from which boto3 takes the keys for O(auth_method=aws_iam).
    type: str
    aliases: [boto_profile]
  aws_access_key:
    description:
      - Access key for O(auth_method=aws_iam). Without keys, boto3 looks for some.
    type: str
    aliases: [aws_access_key_id]
  aws_secret_key:
    description:
      - Secret key that belongs to O(aws_access_key).
    type: str
    aliases: [aws_secret_access_key]
  aws_security_token:
    description:
      - Session token, if O(aws_access_key) is a temporary one.
    type: str
  region:
    description:
      - AWS region for which the login is signed.
    type: str
  aws_iam_server_id:
    description:
      - Value that Vault expects in the header C(X-Vault-AWS-IAM-Server-ID), if it expects one.
    type: str
  azure_tenant_id:
    description:
      - Tenant of the service principal for O(auth_method=azure).
    type: str
  azure_client_id:
    description:
      - Client ID of the service principal or of the managed identity for O(auth_method=azure).
    type: str
  azure_client_secret:
    description:
      - Secret of the service principal. Without it, the managed identity of the machine is used.
    type: str
  azure_resource:
    description:
      - Resource for which the Azure token is made out, as in the configuration of the login method in Vault.
    type: str
    default: https://management.azure.com/
  cert_auth_public_key:
    description:
      - File with the client certificate, PEM, for O(auth_method=cert), and for a listener of Vault that wants one with any login.
      - Read from E(VAULT_CLIENT_CERT) if it is set nowhere else.
    type: path
  cert_auth_private_key:
    description:
      - File with the private key of O(cert_auth_public_key), PEM, without a passphrase.
      - Read from E(VAULT_CLIENT_KEY) if it is set nowhere else.
    type: path
  engine_mount_point:
    description:
      - Where the KV engine with the secret is mounted.
    type: str
    aliases: [secret_mount_path]
    default: secret
  wrap_ttl:
    description:
      - Read the secret response-wrapped, with a wrapping token of this lifetime (such as V(30s)).
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
