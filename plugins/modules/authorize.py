# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# The documentation of the action plugin with the same name, which runs on the controller and needs no host.

DOCUMENTATION = r"""
module: authorize
short_description: Give consent in the browser and store the refresh token in Vault
version_added: 1.0.0
author:
  - TrackOps founders (@trackops)
description:
  - "Shortest use: C(ansible-playbook trackops.api_tokens.authorize -e vendor=trackmage)."
  - For vendors whose tokens require a person's consent once (RFC 6749, authorization code), such as TrackMage with
    O(variant=authorization_code).
  - Shows the address at which the vendor asks for consent, and opens it in a browser if there is one. Waits at a loopback address (RFC
    8252) for the browser's answer, exchanges the code, and stores the refresh token in the secret that the lookups read.
  - Every other field of the secret stays as it is. The secret is written with check-and-set, so concurrent changes are kept.
  - Only an answer with the C(state) of this request ends the wait; other requests to the loopback address are rejected and do not. Uses
    PKCE (RFC 7636) if the vendor supports it.
  - With O(flow=device), no browser on this machine is used. The code is shown, and the vendor is asked for the outcome as often as it permits.
  - If anything goes wrong, nothing is stored, and an earlier refresh token stays.
  - The playbook C(trackops.api_tokens.authorize) is this module, with extra variables for its own options and for O(base_url), O(token_url), O(issuer),
    O(scope), O(variant), O(client_auth) and O(device_authorization_url); other options have the same variables as in the lookups.
notes:
  - The secret must be in KV version 2, and the Vault login needs the capabilities C(read) and C(update) for it.
  - Vendors compare the redirect address with the registered one. Set it with O(redirect_uri), or in the field C(redirect_uri) of the
    secret.
requirements:
  - hvac and requests (Python libraries, on the controller)
extends_documentation_fragment:
  - trackops.api_tokens.token
  - trackops.api_tokens.token.module
  - trackops.api_tokens.token.oauth2
  - trackops.api_tokens.vault
options:
  vendor:
    description:
      - The vendor whose consent is requested, V(trackmage), V(oauth2) or any name with O(token_url) or O(issuer), or a vendor in C(trackops_vendors).
    type: str
    required: true
  path:
    description: Path of the vendor's credentials in Vault, below the mount. Defaults to the vendor's name.
    type: str
  flow:
    description:
      - V(code) sends the browser of this machine's user to the vendor, and back (RFC 6749, authorization code).
      - V(device) shows an address and a code to enter on any other device (RFC 8628), for a controller without a browser. The vendor needs a
        O(device_authorization_url), or an O(issuer) that publishes one.
    type: str
    choices: [code, device]
    default: code
  authorize_url:
    description:
      - Address at which the vendor asks for consent, or its path below O(base_url). Defaults to the vendor's known address, or to what its
        O(issuer) publishes.
      - A query in it is sent along, for parameters that a vendor requires beyond the standard, such as C(?access_type=offline).
    type: str
  pkce:
    description:
      - Whether to use PKCE. Defaults to what is known about the vendor, or to what its O(issuer) publishes; V(true) for a vendor described
        only by options.
    type: bool
  redirect_uri:
    description:
      - Where the vendor redirects the browser. Defaults to the field C(redirect_uri) of the secret, or else to C(http://127.0.0.1:<port>/callback).
      - With an address of this machine, the module waits for the answer there; without a port, at a free one. With C(localhost), it waits
        at C(127.0.0.1) and C(::1). With any other address, the person pastes the address at which the browser ended.
    type: str
  listen_port:
    description: Port of the redirect address if O(redirect_uri) is not known. V(0) uses a free one.
    type: int
    default: 0
  open_browser:
    description:
      - Whether to open a browser if this machine has a desktop, or E(BROWSER) is set. It runs in the background.
      - The browser is given a page that only this user can read, so that the address is in no process list.
    type: bool
    default: true
  wait:
    description:
      - Whether to wait for the answer. If not, the module only shows the address, and a second run continues with O(redirect_response).
      - The address is shown on the screen, and is in RV(authorization_url) for a task that sends it to someone.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for the answer. Defaults to 300, and with O(flow=device) to the lifetime of the code, 30 minutes at most.
    type: int
  redirect_response:
    description:
      - The address at which the browser ended, for a consent that the same user started within the last 15 minutes with the same options.
      - The page itself need not exist. The address can be used only once.
    type: str
attributes:
  action:
    support: full
    description: Has a part that runs on the controller.
  async:
    support: none
    description: Can be run in the background with C(async).
  check_mode:
    support: full
    description: Checks options, credentials and the rights in Vault, and does not ask for consent.
  diff_mode:
    support: none
    description: The secret in Vault is not shown.
  platform:
    support: full
    description: Where it can be used.
    platforms: posix
seealso:
  - plugin: trackops.api_tokens.trackmage
    plugin_type: lookup
  - plugin: trackops.api_tokens.oauth2
    plugin_type: lookup
"""

EXAMPLES = r"""
# From the command line:
#   ansible-playbook trackops.api_tokens.authorize -e vendor=trackmage -e path=fleet/trackmage

- name: Consent for TrackMage, with the registered address
  trackops.api_tokens.authorize:
    vendor: trackmage
    path: fleet/trackmage
    redirect_uri: http://127.0.0.1:8400/callback
  delegate_to: localhost
  run_once: true

- name: Any OAuth 2.0 server that publishes its endpoints
  trackops.api_tokens.authorize:
    vendor: acme
    path: fleet/acme
    issuer: https://login.example.com
    scope: openid offline_access
  delegate_to: localhost
  run_once: true

- name: A controller without a browser
  trackops.api_tokens.authorize:
    vendor: acme
    path: fleet/acme
    issuer: https://login.example.com
    scope: openid offline_access
    flow: device
  delegate_to: localhost
  run_once: true

- name: First step, without waiting
  trackops.api_tokens.authorize:
    vendor: trackmage
    path: fleet/trackmage
    redirect_uri: https://intranet.example.com/consent
    wait: false
  delegate_to: localhost

- name: Second step, with the address at which the browser ended
  trackops.api_tokens.authorize:
    vendor: trackmage
    path: fleet/trackmage
    redirect_response: "{{ answer }}"
  delegate_to: localhost
"""

RETURN = r"""
changed:
  description: Whether a refresh token was stored.
  returned: always
  type: bool
msg:
  description: Where the refresh token is stored, or why there is none.
  returned: when a refresh token was stored, in check mode and on failure
  type: str
vendor:
  description: The vendor of the consent.
  returned: always
  type: str
  sample: trackmage
path:
  description: Path of the secret in Vault.
  returned: always
  type: str
  sample: fleet/trackmage
secret_version:
  description: The version of the secret with the new refresh token.
  returned: when a refresh token was stored
  type: int
  sample: 4
scope:
  description: The scope of the consent, as stated by the vendor.
  returned: when a refresh token was stored
  type: str
  sample: user
authorization_url:
  description:
    - The address for the browser. It contains no credential, but the C(state) that identifies the answer to this consent.
    - With O(wait=false), that answer is still awaited. Set C(no_log=true) for the task if others can read the log at C(-v) or results in
      callbacks; the screen shows the address anyway.
  returned: if it was created in this run, with O(flow=code)
  type: str
error_code:
  description: "The code of the error at the end of C(msg), such as C(TRK-V03). The guide I(Errors) says what to do."
  returned: on failure
  type: str
"""
