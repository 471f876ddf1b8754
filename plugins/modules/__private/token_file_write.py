#!/usr/bin/python
# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: token_file_write
short_description: The part of trackops.api_tokens.token_file that runs on the host
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - Use M(trackops.api_tokens.token_file) instead. It obtains the tokens on the controller and then runs this module once on each host.
  - It writes files atomically with the given content, and reports what it did without showing the content.
  - A file that cannot be written does not stop the others.
options:
  files:
    description: The files, in the order in which they are processed.
    type: list
    elements: dict
    required: true
    suboptions:
      dest:
        description: Absolute path of the file.
        type: str
        required: true
      state:
        description: Whether the file should exist.
        type: str
        choices: [present, absent]
        default: present
      vendor:
        description: Returned as it is.
        type: str
      path:
        description: Returned as it is.
        type: str
      fingerprint:
        description: Returned as it is, and shown in the diff.
        type: str
      expires_at:
        description: Returned as it is, and shown in the diff.
        type: int
      owner:
        description: User name or number. Defaults to the user that the task runs as.
        type: str
      group:
        description: Group name or number. Defaults to the group of the user that the task runs as.
        type: str
      mode:
        description: Permissions, as an octal number.
        type: str
        default: '0600'
      create_directory:
        description: Whether to create missing directories above O(files[].dest).
        type: bool
        default: false
      directory_mode:
        description: Permissions of created directories, as an octal number.
        type: str
        default: '0755'
      backup:
        description: Whether to keep a copy of a replaced or removed file.
        type: bool
        default: false
      seuser:
        description: User part of the SELinux context.
        type: str
      serole:
        description: Role part of the SELinux context.
        type: str
      setype:
        description: Type part of the SELinux context.
        type: str
      selevel:
        description: Level part of the SELinux context.
        type: str
  contents:
    description:
      - Content of each file that should exist, by its O(files[].dest), as V(base64:) and the content in base64.
      - It is separate from O(files) so that it is hidden as a whole, whatever characters it contains.
    type: dict
    default: {}
seealso:
  - module: trackops.api_tokens.token_file
attributes:
  check_mode:
    support: full
    description: Predicts what would change, and changes nothing.
  diff_mode:
    support: full
    description: Shows permissions and fingerprints, never content.
  platform:
    support: full
    description: Where the module can run.
    platforms: posix
"""

EXAMPLES = r"""
- name: Write a token (this is what token_file does for you)
  trackops.api_tokens.token_file:
    vendor: trackunit
    dest: /etc/api-tokens/trackunit
"""

RETURN = r"""
files:
  description: What was done with each file, in the order of O(files), from which M(trackops.api_tokens.token_file) builds its result.
  returned: always
  type: list
  elements: dict
"""

import base64

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trackops.api_tokens.plugins.module_utils._token_files import Earlier, ensure

_PREFIX = "base64:"


def _decoded(text):
    if text is None or not text.startswith(_PREFIX):
        return None
    return base64.b64decode(text[len(_PREFIX) :])


def main():
    module = AnsibleModule(
        argument_spec=dict(
            files=dict(
                type="list",
                elements="dict",
                required=True,
                options=dict(
                    dest=dict(type="str", required=True),
                    state=dict(type="str", choices=["present", "absent"], default="present"),
                    vendor=dict(type="str"),
                    path=dict(type="str"),
                    fingerprint=dict(type="str"),
                    expires_at=dict(type="int"),
                    owner=dict(type="str"),
                    group=dict(type="str"),
                    mode=dict(type="str", default="0600"),
                    create_directory=dict(type="bool", default=False),
                    directory_mode=dict(type="str", default="0755"),
                    backup=dict(type="bool", default=False),
                    seuser=dict(type="str"),
                    serole=dict(type="str"),
                    setype=dict(type="str"),
                    selevel=dict(type="str"),
                ),
            ),
            contents=dict(type="dict", default={}, no_log=True),
        ),
        supports_check_mode=True,
    )
    contents = module.params["contents"]
    earlier = Earlier()
    files = [ensure(module, spec, _decoded(contents.get(spec["dest"])), earlier) for spec in module.params["files"]]
    diff = [entry.pop("diff") for entry in files if "diff" in entry]
    failed = [entry for entry in files if entry["error"]]
    result = dict(changed=any(entry["changed"] for entry in files), files=files)
    if module._diff:
        result["diff"] = diff
    if failed:
        module.fail_json(msg="; ".join(entry["error"] for entry in failed), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
