# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses belong to this machine."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.local_address import is_loopback, leads_here, proxies_to


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_loopback_addresses_are_recognized(name):
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["127.0.0.1.evil.example", "localhost.evil.example", "128.0.0.1", "127.1", "", "1127.0.0.1", "::2"])
def test_other_addresses_are_not_loopback(name):
    assert not is_loopback(name)


@pytest.mark.parametrize(
    "name",
    [
        *("localhost", "localhost.", "LOCALHOST", "vault.localhost", "127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "127.1", "127.0.1"),
        *("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::1%lo", "::1%", "0.0.0.0", "0", "::"),
    ],
)
def test_all_spellings_of_this_machine_are_recognized(name):
    assert leads_here(name)


@pytest.mark.parametrize(
    "name", ["", "login.example", "localhost.example", "notlocalhost", "localhostX", "128.1", "10.0.0.1", "::2", "::ffff:10.0.0.1", "127.0.0.1.example"]
)
def test_other_hosts_do_not_lead_here(name):
    assert not leads_here(name)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:8200/v1", False),
        ("HTTP://localhost", False),
        ("http://[::1]:8200", False),
        ("https://127.0.0.1:8200", True),
        ("http://vault.example", True),
        ("http://[::1", True),
        ("http:///v1", True),
    ],
)
def test_plain_http_for_this_machine_stays_on_it(url, found):
    """A proxy from the environment would carry the request over the network."""
    assert proxies_to(url, given={}, found={"http": "http://found"}) == ({"http": "http://found"} if found else {})
    assert proxies_to(url, given={"http": "http://given"}, found={"http": "http://given"}) == {"http": "http://given"}
