# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line of limited length."""

from __future__ import annotations

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._text.one_line import one_line


def test_a_text_becomes_one_printable_line_of_limited_length():
    assert one_line(" a\r\n\tb\x00c\x1b[31m d\u202e\u00a0e ") == "a b c [31m d e"
    assert one_line("x" * 201) == "x" * 199 + "…"
    assert one_line("x" * 200) == "x" * 200
    assert one_line("") == ""
    assert one_line("abcdef", limit=6) == "abcdef"
    assert one_line("abcdefg", limit=6) == "abcde…"
