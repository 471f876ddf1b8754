# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# The documentation of the action plugin with the same name, which runs on the controller. On the host, it runs token_file_write.

DOCUMENTATION = r"""
module: token_file
short_description: Keep valid API tokens in files on hosts
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - "Shortest use: C(ansible web -m trackops.api_tokens.token_file -a vendor=tracx --become), which writes a token to C(/etc/api-tokens/tracx)."
  - Ensures that one or more files hold a vendor's valid API token, with the permissions that you set.
  - The controller obtains the tokens, from its cache if it holds valid ones. The host needs no access to Vault or to the vendor.
  - However many tokens a task has, one module run per host writes all files.
  - Files are replaced atomically, and are never accessible to others while they are written. A symlink at O(dest) is rejected, not followed.
  - If one of several tokens cannot be obtained, the other files are still written. The task then fails and reports which tokens failed and
    why; their files stay as they are.
notes:
  - Ansible notifies no handler after a failed task. If some files of a task changed and others failed, a later run sees them as unchanged.
    The role P(trackops.api_tokens.provision#role) handles this.
  - To renew tokens before they expire, run the task more often than they expire, with a O(min_ttl) longer than the time between two runs.
  - The output, the diff and the host's system log never contain a token. The diff shows fingerprints and when the new token expires.
extends_documentation_fragment:
  - trackops.api_tokens.token
  - trackops.api_tokens.token.module
  - trackops.api_tokens.token.oauth2
  - trackops.api_tokens.vault
options:
  vendor:
    description:
      - The token's vendor, V(trackmage), V(tracx), V(tracktik), V(trackunit), V(oauth2), or a vendor in C(trackops_vendors).
      - Not needed if the file should be V(absent).
    type: str
  path:
    description: Path of the vendor's credentials in Vault, below the mount. Defaults to the vendor's name.
    type: str
  tokens:
    description:
      - Several tokens, each in a separate file.
      - An item takes every option of this module except O(tokens) itself, including those that control how the token is obtained, such as
        O(min_ttl), O(base_url), O(scope) and the HTTP, cache and Vault options. Options that it does not set are taken from those next to
        O(tokens).
      - O(dest) and O(path) can only be given in the items.
    type: list
    elements: dict
    suboptions:
      vendor:
        description: As O(vendor).
        type: str
      path:
        description: As O(path).
        type: str
      dest:
        description: As O(dest).
        type: str
      directory:
        description: As O(directory).
        type: str
      format:
        description: As O(format).
        type: str
        choices: [raw, header, env, json, template]
      template:
        description: As O(template).
        type: str
      env_name:
        description: As O(env_name).
        type: str
      state:
        description: As O(state).
        type: str
        choices: [present, absent]
      owner:
        description: As O(owner).
        type: str
      group:
        description: As O(group).
        type: str
      mode:
        description: As O(mode).
        type: raw
      allow_readable:
        description: As O(allow_readable).
        type: bool
      create_directory:
        description: As O(create_directory).
        type: bool
      directory_mode:
        description: As O(directory_mode).
        type: raw
      backup:
        description: As O(backup).
        type: bool
      min_ttl:
        description: As O(min_ttl).
        type: float
  dest:
    description:
      - Absolute path of the file on the host.
      - If unset, it is built from O(directory), O(vendor) and O(path).
    type: str
  directory:
    description:
      - Directory for files without their own O(dest). Such a file is named after the vendor, followed by O(path) if that is a different
        name, as in C(trackunit) and C(trackunit-fleet-trackunit).
    type: str
    default: /etc/api-tokens
  format:
    description:
      - Content of the file. It is the same as long as the token is the same.
      - V(raw) is the bare token without a line end, as Docker and Kubernetes store secrets.
      - V(header) is a single C(Authorization) header line, for C(curl --header @file).
      - V(env) has C(<VENDOR>_TOKEN), C(<VENDOR>_AUTHORIZATION) and C(<VENDOR>_EXPIRES_AT), quoted so that a shell (C(. file)) and the
        C(EnvironmentFile) of systemd read them alike.
      - V(json) has the details of the token (C(access_token), C(authorization), C(expires_at), C(scope) and more) but no refresh token.
      - V(template) is the output of O(template).
    type: str
    choices: [raw, header, env, json, template]
    default: raw
  template:
    description:
      - File with a Jinja template on the controller, for O(format=template). It is searched for where M(ansible.builtin.template) looks,
        then in the current directory and its C(templates), which a playbook of a collection needs.
      - It sees the host's variables, C(token) (a dictionary as in the file of O(format=json)), C(vendor) and C(path).
    type: str
  env_name:
    description: Prefix of the variables' names for O(format=env). Defaults to the vendor's name in upper case.
    type: str
  state:
    description:
      - V(present) ensures that the file holds a token that is valid for at least O(min_ttl) seconds. A token in the last fifth of its
        lifetime is renewed, for all hosts of a run alike.
      - V(absent) removes the file, and requests no token.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - Name or number of the file's owner.
      - Defaults to the user that the task runs as, even if the existing file belongs to another user.
    type: str
  group:
    description: Name or number of the file's group. Defaults to the primary group of the user that the task runs as.
    type: str
  mode:
    description:
      - Permissions of the file, as V('0600') (in quotes) or as V(u=rw,g=r).
      - A mode that gives every user of the host access to the token is rejected unless O(allow_readable) is set.
    type: raw
    default: '0600'
  allow_readable:
    description: Whether O(mode) may give every user of the host access to the token.
    type: bool
    default: false
  create_directory:
    description:
      - Whether to create missing directories above O(dest). Existing ones stay as they are.
      - If unset, only C(/etc/api-tokens) is created, for files directly in it.
    type: bool
  directory_mode:
    description: Permissions of created directories.
    type: raw
    default: '0755'
  backup:
    description:
      - Whether to keep a copy of the replaced or removed file, under a name that contains the time, accessible only to the user of the task.
      - The copy holds a token, too, and is never removed automatically.
    type: bool
    default: false
  seuser:
    description: User part of the SELinux context. V(_default) uses the policy's value.
    type: str
  serole:
    description: Role part of the SELinux context. V(_default) uses the policy's value.
    type: str
  setype:
    description: Type part of the SELinux context. V(_default) uses the policy's value.
    type: str
  selevel:
    description: Level part of the SELinux context. V(_default) uses the policy's value.
    type: str
attributes:
  action:
    support: full
    description: Has a part that runs on the controller.
  async:
    support: none
    description: Part of the work is done on the controller, so it cannot be run in the background with C(async).
  check_mode:
    support: full
    description: >-
      Predicts exactly what would change, and changes nothing on the host. An owner or group that does not exist yet is assumed to be created
      by an earlier task of the play. To predict, it obtains the tokens, which asks the vendor only if the cache holds no valid one.
  diff_mode:
    support: full
    description: Shows permissions, fingerprints and expiry, never content.
  platform:
    support: full
    description: Where the files can be written.
    platforms: posix
seealso:
  - module: trackops.api_tokens.token_info
"""

EXAMPLES = r"""
- name: A token for one service
  trackops.api_tokens.token_file:
    vendor: trackunit
    path: fleet/trackunit
    dest: /etc/telemetry/trackunit-token
    owner: telemetry
    create_directory: true
  become: true
  notify: Restart telemetry

- name: Several tokens at once, with shared options stated once
  trackops.api_tokens.token_file:
    directory: /etc/api-tokens
    group: integration
    mode: '0640'
    min_ttl: 900
    tokens:
      - vendor: trackunit
      - vendor: tracx
        path: fleet/tracx
        dest: /etc/api-tokens/tracx.env
        format: env
      - vendor: tracktik
        base_url: https://example.staffr.us
        dest: /etc/guards/config.ini
        format: template
        template: guards.ini.j2
      - vendor: trackmage
        state: absent
  become: true

# From the command line:
#   ansible web -m trackops.api_tokens.token_file -a 'vendor=tracx path=fleet/tracx dest=/etc/api-tokens/tracx'
"""

RETURN = r"""
changed:
  description: Whether the content or the permissions of any file changed.
  returned: always
  type: bool
files:
  description: What was done, file by file, in the requested order. Also returned if the task fails.
  returned: always
  type: list
  elements: dict
  contains:
    dest:
      description: Path of the file.
      type: str
      sample: /etc/api-tokens/tracx
    changed:
      description: Whether its content or permissions changed.
      type: bool
    state:
      description: V(present) or V(absent), as requested.
      type: str
      sample: present
    vendor:
      description: The token's vendor.
      type: str
      sample: tracx
    path:
      description: Path of the credentials in Vault.
      type: str
      sample: fleet/tracx
    fingerprint:
      description: An identifier of the token that is safe to show, from its SHA-256.
      type: str
      sample: sha256:9f86d081884c7d65
    expires_at:
      description: When the token expires, in seconds since 1970 (UTC).
      type: int
      sample: 1799999999
    expires_at_iso:
      description: The same as ISO 8601, in UTC.
      type: str
      sample: '2027-01-15T07:59:59Z'
    owner:
      description: Owner of the file. Null if it failed or is absent.
      type: str
      sample: root
    group:
      description: Group of the file. Null if it failed or is absent.
      type: str
      sample: root
    mode:
      description: Permissions of the file. Null if it failed or is absent.
      type: str
      sample: '0600'
    backup_file:
      description: Where the copy of the previous file is. Null if there is none.
      type: str
    error:
      description: Why the file was left as it was. Null if there was no error.
      type: str
    error_code:
      description: The code of RV(files[].error).
      type: str
dest:
  description: As in RV(files).
  returned: for a task without O(tokens)
  type: str
vendor:
  description: As in RV(files).
  returned: for a task without O(tokens)
  type: str
path:
  description: As in RV(files).
  returned: for a task without O(tokens)
  type: str
fingerprint:
  description: As in RV(files).
  returned: for a task without O(tokens)
  type: str
expires_at:
  description: As in RV(files).
  returned: for a task without O(tokens)
  type: int
expires_at_iso:
  description: As in RV(files).
  returned: for a task without O(tokens)
  type: str
error_code:
  description: "The code of the error at the end of C(msg), such as C(TRK-V03). The guide I(Errors) says what to do."
  returned: on failure
  type: str
"""
