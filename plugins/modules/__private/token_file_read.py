#!/usr/bin/python
# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: token_file_read
short_description: The part of trackops.api_tokens.token_info that runs on the host
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - Use M(trackops.api_tokens.token_info) with its option O(trackops.api_tokens.token_info#module:file) instead.
  - It reads files that M(trackops.api_tokens.token_file) wrote, and returns only the fingerprint and expiry of their tokens.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the file.
        type: str
        required: true
      format:
        description: Expected format. If unset or V(template), all other formats are tried.
        type: str
        choices: [raw, header, env, json, template]
  claims:
    description: Whether to return the claims of tokens that are JWTs.
    type: bool
    default: false
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Inspect a file with the public module
  trackops.api_tokens.token_info:
    file: /etc/api-tokens/tracx
"""

RETURN = r"""
files:
  description: Information about each file, in the order of O(files), from which M(trackops.api_tokens.token_info) builds its result.
  returned: always
  type: list
  elements: dict
"""

import base64
import errno
import grp
import hashlib
import json
import os
import pwd
import re
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trackops.api_tokens.plugins.module_utils._safe_paths import FileError, enter, fault, name_of, read_file, reason

_LATEST = 1 << 40  # seconds, far beyond any token's end


def _in_json(text):
    try:
        data = json.loads(text)
    except ValueError:
        return None
    if not isinstance(data, dict) or not data.get("access_token"):
        return None
    return "%s" % data["access_token"], whole_seconds(data.get("expires_at"))


def _in_env(text):
    named = re.search(r"""^\w+_TOKEN=(?:'([^'\n]*)'|"((?:[^"\\\n]|\\.)*)"|([^'"\s]+))$""", text, re.MULTILINE)
    if not named:
        return None
    expires = re.search(r"^\w+_EXPIRES_AT=(\d{1,12})$", text, re.MULTILINE)
    plain, escaped, bare = named.groups()
    return plain or bare or re.sub(r"\\(.)", r"\1", escaped or ""), int(expires.group(1)) if expires else None


def _in_header(text):
    header = re.match(r"Authorization: (?:\S+ )?(\S+)\s*\Z", text)
    return (header.group(1), None) if header else None


def _bare(text):
    bare = text.strip()
    return (bare, None) if bare and not re.search(r"\s", bare) else None


_FORMATS = (("json", _in_json), ("env", _in_env), ("header", _in_header), ("raw", _bare))


def token_in(text, expected):
    """The token in the text of a file and its expiry where the file says one.

    :arg expected: the format of the file. Where it is none of these, all are tried.
    """
    readers = [reader for form, reader in _FORMATS if form == expected] or [reader for _form, reader in _FORMATS]
    for reader in readers:
        found = reader(text)
        if found and found[0]:
            return found
    return None, None


def jwt_claims(token):
    """The unverified claims, where the token is a JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = base64.urlsafe_b64decode((parts[1] + "=" * (-len(parts[1]) % 4)).encode("ascii"))
        claims = json.loads(payload.decode("utf-8"))
    except (ValueError, TypeError):
        return None
    return claims if isinstance(claims, dict) else None


def whole_seconds(value):
    """*value* as an int, or None where it is not a moment: whoever owns the file may have written anything."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _LATEST:
        return None
    return int(value)


def look(path, expected, with_claims):
    """What is known of the file; a symlink is not followed, nor one of another user on the way to it."""
    if not path.startswith("/"):
        raise FileError("must be an absolute path")
    try:
        read = None if enter(path) else read_file(os.path.basename(path))
    except EnvironmentError as exc:
        if exc.errno == errno.ENOENT:
            return dict(exists=False)
        raise
    if read is None:
        return dict(exists=False)
    content, about = read
    found = dict(
        exists=True,
        empty=not content,
        mode="%04o" % stat.S_IMODE(about.st_mode),
        owner=name_of(about.st_uid, pwd.getpwuid),
        group=name_of(about.st_gid, grp.getgrgid),
    )
    token, expires_at = token_in(content.decode("utf-8", "replace"), expected)
    if token:
        found["fingerprint"] = "sha256:" + hashlib.sha256(token.encode("utf-8")).hexdigest()[:16]
        claims = jwt_claims(token)
        found["expires_at"] = expires_at or whole_seconds((claims or {}).get("exp"))
        if with_claims:
            found["claims"] = claims
    return found


def main():
    module = AnsibleModule(
        argument_spec=dict(
            files=dict(
                type="list",
                elements="dict",
                required=True,
                options=dict(
                    path=dict(type="str", required=True),
                    format=dict(type="str", choices=["raw", "header", "env", "json", "template"]),
                ),
            ),
            claims=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    files = []
    for file in module.params["files"]:
        try:
            found = look(file["path"], file["format"], module.params["claims"])
        except Exception as exc:  # noqa: BLE001 - whoever owns the file may have written anything; the others are still to be looked at
            found = dict(exists=True, error=reason(exc), fault=fault(exc))
        files.append(dict(found, path=file["path"]))
    module.exit_json(changed=False, files=files)


if __name__ == "__main__":
    main()
