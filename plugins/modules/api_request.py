# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

# The documentation of the action plugin with the same name, which runs on the controller.

DOCUMENTATION = r"""
module: api_request
short_description: Call a vendor's API with its token
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - "Shortest use: O(vendor=tracx), and O(url) of the API."
  - Does what M(ansible.builtin.uri) does, from the host or, with C(delegate_to), from the controller, with the vendor's token in the
    authorization header.
  - If the API answers 401, the token is renewed and the call is made once more. If the API rejects the same token from many hosts, it is
    renewed once.
  - No output, diff or log contains the token, and it is not sent on if the API redirects. If the API repeats it, in a value, a name or a
    header, it is replaced with C(********), also in its usual spellings (percent, HTML, JSON, hex, base64). A text that is JSON stays JSON.
options:
  vendor:
    description: The API's vendor, V(trackmage), V(tracx), V(tracktik), V(trackunit), V(oauth2), or a vendor in C(trackops_vendors).
    type: str
    required: true
  path:
    description: Path of the vendor's credentials in Vault, below the mount. Defaults to the vendor's name.
    type: str
  vault:
    description:
      - Options for Vault, as in the lookups; some of their names have another meaning here.
      - Usually not needed, as they are set in the inventory or the environment.
    type: dict
  url:
    description:
      - Address of the API to call.
      - As in M(ansible.builtin.uri).
      - Plain http to another machine is rejected unless O(trackops.api_tokens.oauth2#lookup:allow_http) is set, because others could read
        the token in transit.
    type: str
    required: true
  method:
    description:
      - HTTP method.
      - As in M(ansible.builtin.uri).
    type: str
  body:
    description:
      - Body of the request.
      - As in M(ansible.builtin.uri).
    type: raw
  body_format:
    description:
      - How O(body) is encoded.
      - As in M(ansible.builtin.uri).
    type: str
  status_code:
    description:
      - Status codes that mean success. If 401 is among them, the token is not renewed.
      - As in M(ansible.builtin.uri).
    type: raw
  return_content:
    description:
      - Whether to return the body of the answer.
      - As in M(ansible.builtin.uri).
    type: bool
  headers:
    description:
      - Further headers; C(Authorization) is set by this module.
      - As in M(ansible.builtin.uri).
    type: dict
  timeout:
    description:
      - Seconds to wait for the API.
      - As in M(ansible.builtin.uri).
    type: int
  validate_certs:
    description:
      - Whether to verify the API's certificate.
      - As in M(ansible.builtin.uri).
    type: bool
  ca_path:
    description:
      - File with the CA certificates for the API.
      - As in M(ansible.builtin.uri).
    type: path
  client_cert:
    description:
      - File with a client certificate for the API.
      - As in M(ansible.builtin.uri).
    type: path
  client_key:
    description:
      - File with the key of O(client_cert).
      - As in M(ansible.builtin.uri).
    type: path
  ciphers:
    description:
      - TLS ciphers.
      - As in M(ansible.builtin.uri).
    type: list
    elements: str
  decompress:
    description:
      - Whether to decompress a compressed answer.
      - As in M(ansible.builtin.uri).
    type: bool
  dest:
    description:
      - File on the host to which the answer is written.
      - As in M(ansible.builtin.uri).
    type: path
  creates:
    description:
      - Do nothing if this file exists.
      - As in M(ansible.builtin.uri).
    type: path
  removes:
    description:
      - Do nothing if this file does not exist.
      - As in M(ansible.builtin.uri).
    type: path
  src:
    description:
      - File with the body of the request.
      - As in M(ansible.builtin.uri).
    type: path
  remote_src:
    description:
      - Whether O(src) is already on the host.
      - As in M(ansible.builtin.uri).
    type: bool
  follow_redirects:
    description:
      - Which redirects to follow. The token is not sent along.
      - As in M(ansible.builtin.uri).
    type: str
  unredirected_headers:
    description:
      - Further headers that are not sent on if the API redirects.
      - As in M(ansible.builtin.uri).
    type: list
    elements: str
  http_agent:
    description:
      - The user agent to send.
      - As in M(ansible.builtin.uri).
    type: str
  use_proxy:
    description:
      - Whether to use the proxy variables of the host's environment.
      - As in M(ansible.builtin.uri).
    type: bool
  unix_socket:
    description:
      - Socket to connect to.
      - As in M(ansible.builtin.uri).
    type: path
  force:
    description:
      - Do not use a proxy's cached answer. This is not the lookups' option of that name.
      - As in M(ansible.builtin.uri).
    type: bool
    default: false
  attributes:
    description:
      - Attributes of O(dest).
      - As in M(ansible.builtin.uri).
    type: str
    aliases: [attr]
  owner:
    description:
      - Owner of O(dest).
      - As in M(ansible.builtin.uri).
    type: str
  group:
    description:
      - Group of O(dest).
      - As in M(ansible.builtin.uri).
    type: str
  mode:
    description:
      - Permissions of O(dest).
      - As in M(ansible.builtin.uri).
    type: raw
  seuser:
    description:
      - SELinux user of O(dest).
      - As in M(ansible.builtin.uri).
    type: str
  serole:
    description:
      - SELinux role of O(dest).
      - As in M(ansible.builtin.uri).
    type: str
  setype:
    description:
      - SELinux type of O(dest).
      - As in M(ansible.builtin.uri).
    type: str
  selevel:
    description:
      - SELinux level of O(dest).
      - As in M(ansible.builtin.uri).
    type: str
  unsafe_writes:
    description:
      - Whether O(dest) may be written in place.
      - As in M(ansible.builtin.uri).
    type: bool
extends_documentation_fragment:
  - trackops.api_tokens.token
  - trackops.api_tokens.token.module
  - trackops.api_tokens.token.oauth2
  - trackops.api_tokens.token.on_controller
attributes:
  check_mode:
    support: full
    description: Does not call the API.
seealso:
  - module: ansible.builtin.uri
"""

EXAMPLES = r"""
- name: Ask Trackunit for machines, from the controller
  trackops.api_tokens.api_request:
    vendor: trackunit
    path: fleet/trackunit
    url: https://iris.trackunit.com/api/units
    return_content: true
  delegate_to: localhost
  run_once: true
  register: units

- name: Create something
  trackops.api_tokens.api_request:
    vendor: tracktik
    path: fleet/tracktik-eu
    base_url: https://eu.staffr.net
    url: https://eu.staffr.net/rest/v1/reports
    method: POST
    body_format: json
    body: {name: night}
    status_code: [200, 201]
"""

RETURN = r"""
token_renewed:
  description: Whether the API rejected the first token, so that the answer was obtained with a new one.
  type: bool
  returned: if it did
status:
  description: The HTTP status of the answer. All other values are those of M(ansible.builtin.uri).
  type: int
  returned: always
error_code:
  description: "The code of the error at the end of C(msg), such as C(TRK-V03). The guide I(Errors) says what to do."
  returned: on failure
  type: str
"""
