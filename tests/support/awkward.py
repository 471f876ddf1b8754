# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that break careless encoding."""

from __future__ import annotations

__all__ = ["AWKWARD"]

AWKWARD = (
    "co:lon:+plus+%41%zz",
    " spaces around and in it ",
    "quotes'and\"quotes\\n\\",
    "&amp=equals;hash#/slash?at@~*!$",
    "Zürich-Ærø-日本語-🔑",
    "{{ braces }} {% raw",
)
