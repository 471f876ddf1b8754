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
  - For vendors whose tokens need the consent of a person once (RFC 6749, authorization code), such as TrackMage with
    O(variant=authorization_code).
  - Shows the address at which the vendor asks, and opens it in a browser where there is one. Waits at a loopback address (RFC 8252) for the
    browser to come back, exchanges the code, and stores the refresh token in the secret that the lookups read.
  - Every other field of the secret stays as it is. It is written with check-and-set, so a change that somebody else makes meanwhile is kept.
  - Only an answer with the C(state) that was asked with ends the wait; other requests to the loopback address are refused and do not. With
    PKCE (RFC 7636) where the vendor takes it.
  - With O(flow=device) no browser of this machine takes part. The code is shown, and the vendor is asked for the outcome as often as it allows.
  - When anything goes wrong, nothing is stored, and an earlier refresh token stays.
  - The playbook C(trackops.api_tokens.authorize) is this module, with extra variables for its own options and for O(base_url), O(token_url), O(issuer),
    O(scope), O(variant), O(client_auth) and O(device_authorization_url); other options have their variables as with the lookups.
notes:
  - The secret has to be in KV version 2, and the Vault login needs the capabilities C(read) and C(update) for it.
  - Vendors compare the redirect address with the one that is registered there. Give it as O(redirect_uri), or put it in the field
    C(redirect_uri) of the secret.
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
      - Whose consent is asked for, V(trackmage), V(oauth2) or any name with O(token_url) or O(issuer), or one of C(trackops_vendors).
    type: str
    required: true
  path:
    description: Path of the vendor's credentials in Vault, below the mount. Not given, the name of the vendor.
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
      - Address at which the vendor asks for consent, or its path below O(base_url). Unset, what is known of the vendor, or what its
        O(issuer) publishes.
      - A query in it is sent along, for what a vendor wants beside the standard, such as C(?access_type=offline).
    type: str
  pkce:
    description:
      - Whether to use PKCE. Unset, what is known of the vendor, or what its O(issuer) publishes. A vendor that is described by options only gets it.
    type: bool
  redirect_uri:
    description:
      - Where the vendor sends the browser back to. Unset, the field C(redirect_uri) of the secret, or else C(http://127.0.0.1:<port>/callback).
      - With an address of this machine, the answer is waited for there; without a port, at a free one. C(localhost) is held at C(127.0.0.1) and
        C(::1). With any other address, the person pastes where the browser ended.
    type: str
  listen_port:
    description: Port of the redirect address where O(redirect_uri) is not known. V(0) takes a free one.
    type: int
    default: 0
  open_browser:
    description:
      - Whether to open a browser where this machine has a desktop, or E(BROWSER) is set. It runs in the background.
      - It is given a page that only this user can read, so that the address is in no process list.
    type: bool
    default: true
  wait:
    description:
      - Whether to wait for the answer. Without, this only shows the address, and O(redirect_response) in a second run goes on from there.
      - The address is shown on the screen, and is in RV(authorization_url) for a task that sends it to somebody.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for the answer. Unset, 300, and with O(flow=device) as long as the code is good, 30 minutes at most.
    type: int
  redirect_response:
    description:
      - The address that the browser ended at, for a consent that was begun within the last 15 minutes by the same user with the same options.
      - A page need not have been there. The address is good once.
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
    description: Checks options, credentials and the rights in Vault, and asks nobody.
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

- name: Consent for TrackMage, with the address that is registered there
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

- name: First step where nothing can wait
  trackops.api_tokens.authorize:
    vendor: trackmage
    path: fleet/trackmage
    redirect_uri: https://intranet.example.com/consent
    wait: false
  delegate_to: localhost

- name: Second step, with the address that the browser ended at
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
  description: Whose consent it is.
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
  description: What the consent is for, as the vendor says it.
  returned: when a refresh token was stored
  type: str
  sample: user
authorization_url:
  description:
    - The address for the browser. No credential is in it, but the C(state) of this consent, by which its answer is known.
    - With O(wait=false) that is still awaited. Give the task C(no_log=true) where others read the log at C(-v), or results in callbacks; the screen has
      the address anyway.
  returned: when it was made in this run, with O(flow=code)
  type: str
error_code:
  description: "The code of the error at the end of C(msg), such as C(TRK-V03): what to do is in the guide I(Errors)."
  returned: on failure
  type: str
"""
