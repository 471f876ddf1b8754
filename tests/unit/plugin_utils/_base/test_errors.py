# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of one printable line, and what an error carries."""

from __future__ import annotations

import pickle

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import (
    CacheError,
    CasMismatch,
    LockTimeout,
    OptionError,
    TokenError,
    VaultError,
    VendorError,
)


@pytest.mark.parametrize("family", [OptionError, CacheError, VaultError, VendorError, TokenError])
def test_a_message_is_one_printable_line(family):
    assert family("fleet/x\n\x1b[2Jgone").message == "fleet/x [2Jgone"
    assert len(family("x" * 10_000).message) <= 4000
    assert issubclass(family, TokenError)


def test_without_a_text():
    assert TokenError().message == ""


def test_what_an_error_carries():
    assert VaultError("v").kind == "unavailable"
    assert CasMismatch("c", "cas").kind == "cas"
    assert (LockTimeout("l").holder, LockTimeout("l", holder=7).holder) == (None, 7)
    plain = VendorError("v")
    assert (plain.kind, plain.status, plain.code, plain.retryable, plain.retry_after, plain.sent) == ("answer", None, None, False, None, True)
    full = VendorError("v", "unavailable", status=429, code="slow", retryable=True, retry_after=2.0, sent=False)
    assert (full.kind, full.status, full.code, full.retryable, full.retry_after, full.sent) == ("unavailable", 429, "slow", True, 2.0, False)


def test_from_one_process_to_another():
    back = pickle.loads(pickle.dumps(VendorError("v", "refused", status=401)))  # noqa: S301 - our own
    assert (back.message, back.kind, back.status) == ("v", "refused", 401)
