# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The built-in vendors: one file each, found by its name."""

from __future__ import annotations

import importlib
import os
import re

from .._base.errors import OptionError
from .._base.model import Vendor
from .._text.nearest import did_you_mean, nearest

__all__ = ("built_in", "names")

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


def names() -> list[str]:
    """The names of the built-in vendors, which are the other files in this folder."""
    files = os.listdir(os.path.dirname(__file__))
    return sorted(name[:-3] for name in files if name.endswith(".py") and _NAME.match(name[:-3]))


def built_in(name: str) -> Vendor:
    """The description of the built-in vendor *name*.

    :raises OptionError: there is no such vendor.
    """
    if not _NAME.match(name):
        raise OptionError(f"{name[:40]!r} is not a vendor's name. Built in: {', '.join(names())}.", fault="option:vendor")
    try:
        module = importlib.import_module("." + name, __name__)
    except ImportError:
        hint = did_you_mean(nearest(name, names()))
        raise OptionError(
            f"There is no vendor '{name[:40]}'{hint} Built in: {', '.join(names())}; describe your own in trackops_vendors, or use vendor=oauth2.",
            fault="option:vendor",
        ) from None
    vendor: Vendor = module.VENDOR
    return vendor
