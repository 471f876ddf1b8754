# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages about files that a login method cannot use."""

from __future__ import annotations

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault.login_files import refuse_passphrase, unreadable, usable_key


@pytest.mark.parametrize(
    ("exc", "why"),
    [
        (PermissionError(13, "Permission denied"), "permission denied"),
        (OSError("no number"), "failed"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "it is not text"),
    ],
)
def test_the_reason_why_a_file_is_unreadable_is_named(exc, why):
    error = unreadable("/a\n/b", exc)
    assert (error.message, error.fault) == (f"cannot read /a /b: {why}.", "option:file")


@pytest.mark.parametrize("text", [None, ""])
def test_a_missing_private_key_is_reported(text):
    with pytest.raises(OptionError) as caught:
        usable_key("/k\n", text)
    assert caught.value.message == "cannot read the private key /k (cert_auth_private_key): no such file, or it is empty."
    assert caught.value.fault == "option:file"


def test_a_private_key_with_a_passphrase_is_refused():
    assert usable_key("/k", "-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"
    for refuse in (usable_key, refuse_passphrase):
        with pytest.raises(OptionError) as caught:
            refuse("/k\n", "-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert caught.value.message == "the private key /k (cert_auth_private_key) has a passphrase. Use a key without one."
        assert caught.value.fault == "option:file"
