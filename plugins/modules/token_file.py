# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# The documentation of the action plugin with the same name, which runs on the controller. What it runs on the host is token_file_write.

DOCUMENTATION = r"""
module: token_file
short_description: Keep valid API tokens in files on hosts
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - "Shortest use: C(ansible web -m trackops.api_tokens.token_file -a vendor=tracx --become), which puts a token into C(/etc/api-tokens/tracx)."
  - Makes one file or many hold a valid API token of a vendor, with the permissions that you say.
  - The controller gets the tokens, from its cache where that holds good ones. The host needs no access to Vault or to the vendor.
  - However many tokens a task has, the host is worked on in one go.
  - A file is replaced whole or not at all, and is never open to others while it is written. A symlink at O(dest) is refused, not followed.
  - When one of several tokens cannot be had, the other files are still written. The task then fails and says which failed and why; the files
    that are concerned stay as they are.
notes:
  - Ansible notifies no handler for a task that fails. Where some files of a task changed and others failed, a later run sees them as unchanged.
    The role P(trackops.api_tokens.provision#role) takes care of that.
  - To renew tokens before they expire, run the task more often than they expire, with a O(min_ttl) that is longer than the time between two
    runs.
  - Neither the output nor the diff nor the system log of the host has a token in it. The diff shows fingerprints and when the new token expires.
extends_documentation_fragment:
  - trackops.api_tokens.token
  - trackops.api_tokens.token.module
  - trackops.api_tokens.token.oauth2
  - trackops.api_tokens.vault
options:
  vendor:
    description:
      - Whose token it is, V(trackmage), V(tracx), V(tracktik), V(trackunit), V(oauth2), or one of C(trackops_vendors).
      - Not needed where a file is to be V(absent).
    type: str
  path:
    description: Path of the vendor's credentials in Vault, below the mount. Not given, the name of the vendor.
    type: str
  tokens:
    description:
      - Several tokens, each in a file of its own.
      - An item takes every option of this module but O(tokens) itself, also those that say how the token is had, such as O(min_ttl),
        O(base_url), O(scope) and the HTTP, cache and Vault options. What it does not say is taken from the options beside O(tokens).
      - O(dest) and O(path) can be given in the items only.
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
      - Not given, it is made from O(directory), O(vendor) and O(path).
    type: str
  directory:
    description:
      - Where files without a O(dest) of their own go. Such a file has the vendor's name, followed by O(path) where that is another name,
        as in C(trackunit) and C(trackunit-fleet-trackunit).
    type: str
    default: /etc/api-tokens
  format:
    description:
      - What is in the file. It is the same as long as the token is the same.
      - V(raw) is the bare token without a line end, as Docker and Kubernetes keep secrets.
      - V(header) is the one line of an C(Authorization) header, for C(curl --header @file).
      - V(env) has C(<VENDOR>_TOKEN), C(<VENDOR>_AUTHORIZATION) and C(<VENDOR>_EXPIRES_AT), quoted so that a shell (C(. file)) and the
        C(EnvironmentFile) of systemd read them alike.
      - V(json) has what is known of the token (C(access_token), C(authorization), C(expires_at), C(scope) and more) but no refresh token.
      - V(template) is what O(template) makes of it.
    type: str
    choices: [raw, header, env, json, template]
    default: raw
  template:
    description:
      - File with a Jinja template on the controller, for O(format=template). It is looked for where M(ansible.builtin.template) looks, then
        in the current directory and in C(templates) there, which is what a playbook of a collection needs.
      - Beside the variables of the host it has C(token), a dictionary as in the file of O(format=json), C(vendor) and C(path).
    type: str
  env_name:
    description: What the names of the variables begin with for O(format=env). Not given, the name of the vendor in capitals.
    type: str
  state:
    description:
      - V(present) makes the file hold a token that is good for O(min_ttl) seconds at least. One in the last fifth of its lifetime is renewed,
        for all hosts of a run alike.
      - V(absent) removes the file, and asks for no token.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - Name or number of the user that the file shall belong to.
      - Not given, the user that the task runs as. A file that belongs to somebody else is not left to him.
    type: str
  group:
    description: Name or number of the group of the file. Not given, the main group of the user that the task runs as.
    type: str
  mode:
    description:
      - Permissions of the file, as V('0600') (in quotes) or as V(u=rw,g=r).
      - A mode that gives every user of the host access to the token is refused unless O(allow_readable) is set.
    type: raw
    default: '0600'
  allow_readable:
    description: Whether O(mode) may let every user of the host at the token.
    type: bool
    default: false
  create_directory:
    description:
      - Whether to make the directories above O(dest) that are missing. Those that are there stay as they are.
      - Not given, C(/etc/api-tokens) is made for the files right in it, and no other directory.
    type: bool
  directory_mode:
    description: Permissions of the directories that are made.
    type: raw
    default: '0755'
  backup:
    description:
      - Whether to keep what was in the file that is replaced or removed, under a name with the time in it, for the user of the task alone.
      - It holds a token, too, and nobody removes it but you.
    type: bool
    default: false
  seuser:
    description: User part of the SELinux context. V(_default) is what the policy says.
    type: str
  serole:
    description: Role part of the SELinux context. V(_default) is what the policy says.
    type: str
  setype:
    description: Type part of the SELinux context. V(_default) is what the policy says.
    type: str
  selevel:
    description: Level part of the SELinux context. V(_default) is what the policy says.
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
      Predicts exactly what would change, and changes nothing on the host. An owner or group that does not exist yet is taken for one that an
      earlier task of the play makes. It gets the tokens to do so, which asks the vendor only where the
      cache holds no good one.
  diff_mode:
    support: full
    description: Shows permissions, fingerprints and expiry, never content.
  platform:
    support: full
    description: Where the files can be.
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

- name: Several tokens at once, what they share said once
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
  description: What was done, file by file, in the order in which they were asked for. Also there when the task fails.
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
      description: V(present) or V(absent), as asked for.
      type: str
      sample: present
    vendor:
      description: Whose token it is.
      type: str
      sample: tracx
    path:
      description: Path of the credentials in Vault.
      type: str
      sample: fleet/tracx
    fingerprint:
      description: A name for the token that can be shown, from its SHA-256.
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
      description: Owner of the file. Null where it failed or is absent.
      type: str
      sample: root
    group:
      description: Group of the file. Null where it failed or is absent.
      type: str
      sample: root
    mode:
      description: Permissions of the file. Null where it failed or is absent.
      type: str
      sample: '0600'
    backup_file:
      description: Where the file that was there is kept. Null where none is.
      type: str
    error:
      description: Why the file was left as it was. Null where nothing went wrong.
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
  description: "The code of the error at the end of C(msg), such as C(TRK-V03): what to do is in the guide I(Errors)."
  returned: on failure
  type: str
"""
