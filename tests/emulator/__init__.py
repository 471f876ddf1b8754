# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local emulator of the vendors, strict about every detail of their token endpoints. For tests and the demo only."""

from __future__ import annotations

from .authorize import consent
from .base import fingerprint
from .server import VENDORS, Emulator, TlsFiles

__all__ = ["VENDORS", "Emulator", "TlsFiles", "consent", "fingerprint"]
