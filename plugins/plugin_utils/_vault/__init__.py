# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Vault: the options of a login (``login_input``, ``login_files``, ``options``), the login methods as data (``methods``) and the logins (``auth``);
the client (``client``), how requests are sent (``transport``), and the messages for errors (``refusals``, ``transport_error``).

Importing this package imports neither hvac nor requests; creating a ``client.VaultClient`` does.
"""

from __future__ import annotations
