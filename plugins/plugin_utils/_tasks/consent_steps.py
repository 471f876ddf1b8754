# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(authorize): find the request that needs consent, reject options without effect, and word the texts for the person. Pure."""

from __future__ import annotations

import typing as t

from .._base.errors import OptionError
from .._base.model import Vendor
from .._consent.device import DeviceCode
from .._consent.flow import PENDING_SECONDS, Stored
from .._consent.protocol import is_response

__all__ = (
    "PASTE",
    "changed_vendor",
    "enter_code",
    "no_response",
    "open_address",
    "option_for_consent",
    "paste_again",
    "refuse_without_effect",
    "second_step",
    "stored_text",
    "would_ask",
)

#: Options that only the redirect needs.
_OF_CODE = ("authorize_url", "pkce", "redirect_uri", "redirect_response")
_MINUTES = f"{PENDING_SECONDS / 60:.0f} minutes"

PASTE = "If the browser cannot return to this machine, paste the address at which it ended, and press Enter."


def option_for_consent(vendor: Vendor, values: t.Mapping[str, t.Any], *, built_in: t.Collection[str]) -> dict[str, str]:
    """The option with which a request to *vendor* needs consent: its first variant that does; empty if it already does, or cannot.

    :arg values: the values of all options.
    """
    if vendor.single_use:
        return {}
    fitting = [name for name in vendor.variants if vendor.as_variant(name).single_use]
    if fitting:
        return {"variant": fitting[0]}
    described = vendor.name in built_in or vendor.name in (values.get("vendors") or {})
    return {} if described or values.get("grant_type") else {"grant_type": "authorization_code"}


def changed_vendor(own: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The changes to the vendor's description from the module's *own* options."""
    return {name: own[name] for name in ("authorize_url", "pkce") if own.get(name) not in (None, "")}


def refuse_without_effect(own: t.Mapping[str, t.Any], name: str) -> None:
    """:raises OptionError: an option that the device flow of the vendor *name* cannot use."""
    for option in _OF_CODE:
        if own.get(option) not in (None, ""):
            raise OptionError(f"{name}: {option} cannot be used with flow=device, because no browser returns to this machine. Remove it.", fault="option:clash")
    if not own["wait"]:
        raise OptionError(f"{name}: flow=device has no second step, so it always waits. Remove wait=false.", fault="option:clash")


def would_ask(name: str, where: str) -> str:
    """The message in check mode."""
    return f"{name}: consent for {where} would be requested."


def open_address(name: str, url: str) -> str:
    return f"{name}: open this address in a browser, log in and allow:\n\n{url}\n"


def enter_code(name: str, code: DeviceCode, *, seconds: float) -> str:
    filled = f"\nor, with the code already in it:\n\n{code.verification_uri_complete}\n" if code.verification_uri_complete else ""
    return (
        f"{name}: on any device, open this address, log in, enter the code and allow:\n\n"
        f"{code.verification_uri}\ncode: {code.user_code}\n{filled}\nWaiting for {seconds:.0f} s."
    )


def second_step() -> str:
    return (
        f"Then run this again within {_MINUTES} with redirect_response set to the address at which the browser ended, even if the browser shows no page there."
    )


def paste_again(line: str) -> str:
    """The text about a pasted *line* that is not the response to this request."""
    if is_response(line):
        return "That address has a different state: it belongs to another attempt. Try again:"
    return "That address has neither a code nor an error. Try again:"


def no_response(name: str, *, seconds: float, unrelated: int) -> str:
    """:arg unrelated: requests without the state: the vendor may have omitted it."""
    others = f" Requests without the state of this attempt: {unrelated}." if unrelated else ""
    return (
        f"{name}: no answer came within {seconds} s.{others} Nothing was stored. Start again; or, if you gave consent, within {_MINUTES} run this "
        "with redirect_response set to the address at which the browser ended."
    )


def stored_text(name: str, stored: Stored) -> str:
    return f"{name}: the refresh token is stored at {stored.where} (version {stored.version})."
